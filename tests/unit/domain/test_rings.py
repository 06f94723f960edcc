"""Rings of profiles: found by UID, whatever the names, and only where this profile is part of one."""

from __future__ import annotations

import pytest

from mirrorctl.core.domain.rings import Following, ring, told


def profile(name: str, main: int, *mirrors: int) -> Following:
    return Following(name, main, {f"m{uid}": uid for uid in mirrors})


@pytest.mark.parametrize(
    ("own", "others", "way"),
    [
        (profile("a", 1, 2), [], []),
        (profile("a", 1, 2), [profile("b", 2, 3)], []),
        (profile("a", 1, 2), [profile("b", 2, 1)], ["a", "b"]),
        (profile("a", 1, 2), [profile("c", 3, 1), profile("b", 2, 3)], ["a", "b", "c"]),
        (profile("a", 1, 5, 2), [profile("b", 2, 3, 1), profile("c", 3, 1)], ["a", "b"]),
        (profile("a", 1, 1), [], ["a"]),
        (profile("a", 1, 2), [profile("b", 2, 3), profile("c", 3, 2)], []),
        (profile("a", 1), [profile("b", 2, 1)], []),
        (profile("a", 1, 2), [profile("other", 1, 3), profile("c", 3, 1)], []),
        (profile("a", 1, 2), [profile("b", 2, 4), profile("b2", 2, 1)], ["a", "b2"]),
    ],
)
def test_a_ring_is_the_way_back_to_the_own_main(own: Following, others: list[Following], way: list[str]) -> None:
    assert [hop.profile for hop in ring(own, others)] == way


def test_a_ring_is_told_with_every_name() -> None:
    way = ring(profile("a", 1, 2), [profile("b", 2, 1)])
    assert told(way) == '"a" copies to its mirror "m2" (UID 2), then "b" copies to its mirror "m1" (UID 1)'
