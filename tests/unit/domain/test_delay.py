"""What of a position is old enough to be followed: its smallest size of the last seconds."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorctl.core.domain.delay import SizeHistory, history_of

SIZES = st.lists(st.tuples(st.integers(1, 10), st.integers(0, 5)), min_size=1, max_size=30)


def sizes(text: str) -> list[tuple[int, Decimal]]:
    """ "5:0.1 9:0.3" as (ms, size)."""
    pairs = (part.split(":") for part in text.split())
    return [(int(at), Decimal(size)) for at, size in pairs]


@pytest.mark.parametrize(
    ("told", "now", "young", "until"),
    [
        ("0:2", 9, "2", 10),
        ("0:2", 10, "0", None),
        ("0:2 5:3", 10, "1", 15),
        ("0:2 5:3 7:4", 10, "2", 15),
        ("0:2 5:3 7:4", 15, "1", 17),
        ("0:2 5:3 7:4", 17, "0", None),
        ("0:4 5:2", 10, "0", None),
        ("0:4 5:2 6:4", 10, "2", 16),
        ("0:4 5:1 6:4 7:3", 12, "2", 16),
        ("0:4 5:0 6:4", 12, "4", 16),
        ("0:4 5:0", 12, "0", None),
        ("", 12, "0", None),
    ],
)
def test_what_is_younger_than_ten_is_not_followed_yet(told: str, now: int, young: str, until: int | None) -> None:
    found = history_of(sizes(told)).ripening(now, 10)
    assert (found.qty, found.until_ms) == (Decimal(young), until)


@given(SIZES, st.integers(1, 30), st.integers(0, 20))
def test_it_is_the_smallest_size_of_the_time(steps: list[tuple[int, int]], delay: int, later: int) -> None:
    """Against the definition: every size that stood at any moment of the last `delay`."""
    now, told = 0, []
    for pause, size in steps:
        now += pause
        told.append((now, Decimal(size)))
    history = history_of(told)
    at = now + later
    began = [size for when, size in told if when <= at - delay]
    within = [size for when, size in told if when > at - delay]
    smallest = min([began[-1] if began else Decimal(0), *within])
    found = history.ripening(at, delay)
    assert history.size - found.qty == smallest
    assert (found.until_ms is None) == (found.qty == 0)
    if found.until_ms is not None:
        assert history.ripening(found.until_ms, delay).qty < found.qty
        assert history.ripening(found.until_ms - 1, delay).qty == found.qty
    assert history.without_before(at - delay).ripening(at, delay) == found


def test_a_size_that_is_looked_at_again_stays_as_old_as_it_is() -> None:
    history = SizeHistory().then(5, Decimal(2))
    assert history.then(9, Decimal(2)) == history
