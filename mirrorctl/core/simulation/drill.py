"""A drill: fault schedules on a policy, one after another, and what they come to.

Nothing here knows of keys, addresses, files or other processes: a policy goes in, a scorecard comes out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from mirrorctl.core.simulation.ground import Rehearsal
from mirrorctl.core.simulation.play import Report, play
from mirrorctl.core.simulation.schedule import Schedule, draw
from mirrorctl.core.simulation.shrink import shrink
from mirrorctl.core.simulation.watch import Breach

_SHRINK_TRIES = 200


class Verdict(StrEnum):
    """What a drill comes to. NOT_TESTED: no mirror followed anything, so nothing was shown either way."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_TESTED = "not tested"


@dataclass(slots=True)
class Scorecard:
    """The sums of all schedules so far. Times in ms; None: nothing to measure happened.

    `followed` counts the fills of each mirror, `held` says why one waited last. `broken` holds every breach with the
    seed of its schedule, in the order in which they were found.
    """

    schedules: int = 0
    events: int = 0
    kills: int = 0
    orders: int = 0
    fills: int = 0
    duplicates: int = 0
    stops_hit: int = 0
    targets_hit: int = 0
    worst_naked_ms: int | None = None
    worst_convergence_ms: int | None = None
    faults: Counter[str] = field(default_factory=Counter)
    followed: Counter[str] = field(default_factory=Counter)
    held: dict[str, str] = field(default_factory=dict)
    broken: list[tuple[int, Breach]] = field(default_factory=list)

    def add(self, report: Report) -> None:
        """Take one schedule in."""
        self.schedules += 1
        self.events += report.events
        self.kills += report.kills
        self.orders += report.orders
        self.fills += report.fills
        self.duplicates += report.duplicates
        self.stops_hit += report.stops_hit
        self.targets_hit += report.targets_hit
        self.worst_naked_ms = _worse(self.worst_naked_ms, report.worst_naked_ms)
        self.worst_convergence_ms = _worse(self.worst_convergence_ms, report.worst_convergence_ms)
        self.faults.update(report.faults)
        self.followed.update(report.followed)
        self.held.update(report.held)
        self.broken += ((report.seed, breach) for breach in report.breaches)

    @property
    def verdict(self) -> Verdict:
        """A rule that was broken counts whatever else was not tested."""
        if self.broken:
            return Verdict.FAILED
        return Verdict.PASSED if any(self.followed.values()) else Verdict.NOT_TESTED


@dataclass(frozen=True, slots=True)
class Failure:
    """One schedule that broke a rule, as short as it was found to do so. `steps` are left of `drawn`."""

    seed: int
    breach: Breach
    story: tuple[str, ...]
    steps: int
    drawn: int


class Drill:
    """Plays the schedules of `seed`, `seed + 1`, … on a policy."""

    def __init__(self, rehearsal: Rehearsal, seed: int) -> None:
        self.card = Scorecard()
        self._rehearsal = rehearsal
        self._next = seed

    def advance(self) -> None:
        """Play the next schedule and add it up. An error of the engine names the seed and goes on its way."""
        seed = self._next
        try:
            report = self._play(draw(seed))
        except Exception as error:
            error.add_note(f"while the schedule of seed {seed} was played")
            raise
        self._next += 1
        self.card.add(report)

    def explain(self, is_late: Callable[[], bool]) -> Failure | None:
        """The first failure, shrunk until `is_late` says that it is enough; None where nothing failed."""
        if not self.card.broken:
            return None
        seed, breach = self.card.broken[0]
        whole = draw(seed)

        def fails(shorter: Schedule) -> bool:
            return not is_late() and any(each.rule is breach.rule for each in self._play(shorter).breaches)

        short = shrink(whole, fails, tries=_SHRINK_TRIES)
        report = self._play(short)
        shown = next((each for each in report.breaches if each.rule is breach.rule), breach)
        return Failure(seed, shown, report.story, len(short.steps), len(whole.steps))

    def _play(self, schedule: Schedule) -> Report:
        return play(schedule, self._rehearsal.policy, self._rehearsal.ground)


def _worse(one: int | None, other: int | None) -> int | None:
    known = [value for value in (one, other) if value is not None]
    return max(known, default=None)
