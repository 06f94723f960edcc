"""Rings: profiles that copy accounts in a circle, so that one trade would come back to the account it was made on.

A ring is a fact of accounts, not of names: who copies whom, by UID. What is followed there never comes to rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Following:
    """What one profile follows: the UID of its main, and those of its mirrors by name."""

    profile: str
    main: int
    mirrors: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Hop:
    """One account copied to another by a profile."""

    profile: str
    mirror: str
    uid: int


def ring(own: Following, others: Iterable[Following]) -> tuple[Hop, ...]:
    """The shortest way from `own`'s main back to it that begins with one of its mirrors; empty when there is none."""
    by_main: dict[int, list[Following]] = {}
    for following in others:
        by_main.setdefault(following.main, []).append(following)
    seen: set[int] = set()
    ways: list[tuple[Hop, ...]] = [(hop,) for hop in _hops(own)]
    while ways:
        longer: list[tuple[Hop, ...]] = []
        for way in ways:
            reached = way[-1].uid
            if reached == own.main:
                return way
            if reached not in seen:
                seen.add(reached)
                longer += [(*way, hop) for following in by_main.get(reached, ()) for hop in _hops(following)]
        ways = longer
    return ()


def told(way: Iterable[Hop]) -> str:
    """A ring in words: every profile with the mirror by which it goes on."""
    return ", then ".join(f'"{hop.profile}" copies to its mirror "{hop.mirror}" (UID {hop.uid})' for hop in way)


def _hops(following: Following) -> list[Hop]:
    return [Hop(following.profile, name, uid) for name, uid in following.mirrors.items()]
