"""Values are equal by what they hold, may be looked up by it, and have no room for anything else."""

from __future__ import annotations

from dataclasses import field, replace

import pytest

from mirrorctl.core.domain.frozen import value


@value(frozen=True, slots=True, order=True)
class Sample:
    """Two that count and one that does not."""

    first: int
    second: str = ""
    note: str = field(default="", compare=False)


def test_values_are_equal_and_hashed_by_their_fields() -> None:
    assert Sample(1, "a", "x") == Sample(1, "a", "y") != Sample(1, "b")
    assert {Sample(1, "a", "x"): "found"}[Sample(1, "a", "y")] == "found"


def test_values_have_an_order_where_they_are_told_so() -> None:
    assert sorted([Sample(2), Sample(1, "b"), Sample(1, "a")]) == [Sample(1, "a"), Sample(1, "b"), Sample(2)]


def test_another_value_is_made_of_one_and_nothing_is_added_to_it() -> None:
    sample = Sample(1, "a")
    assert (replace(sample, first=2), sample) == (Sample(2, "a"), Sample(1, "a"))
    with pytest.raises(AttributeError):
        sample.third = 3  # type: ignore[attr-defined]  # there is no such field
