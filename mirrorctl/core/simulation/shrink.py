"""Shrink a failing schedule: leave steps out as long as it still fails."""

from __future__ import annotations

from collections.abc import Callable

from mirrorctl.core.simulation.schedule import Schedule

_TRIES = 400


def shrink(schedule: Schedule, fails: Callable[[Schedule], bool], *, tries: int = _TRIES) -> Schedule:
    """The shortest schedule found that still fails, after at most `tries` plays.

    Chunks are left out from the end, first halves, then ever smaller ones, until no single step can go (delta
    debugging). `fails` must be true of `schedule` itself.
    """
    left = tries
    size = max(len(schedule.steps) // 2, 1)
    while left > 0:
        shrunk, left = _one_round(schedule, size, fails, left)
        if len(shrunk.steps) == len(schedule.steps):
            if size == 1:
                return shrunk
            size //= 2
        schedule = shrunk
        size = max(min(size, len(schedule.steps) // 2), 1)
    return schedule


def _one_round(schedule: Schedule, size: int, fails: Callable[[Schedule], bool], left: int) -> tuple[Schedule, int]:
    """Try to leave out each chunk of this size once; the schedule that is left, and the plays that are."""
    start = len(schedule.steps)
    while start > 0 and left > 0:
        start = max(start - size, 0)
        chunk = frozenset(range(start, min(start + size, len(schedule.steps))))
        shorter = schedule.without(chunk)
        left -= 1
        if shorter.steps and fails(shorter):
            schedule = shorter
    return schedule, left
