"""What stood on main when a mirror was first seen, kept beside the store: it outlives a store that is lost.

adopt = "new-only" leaves out what main held before a mirror was there. With the store gone nobody could tell such a
position from one that the mirror did not follow yet, and `sync --yes` could release neither. The baseline can: what
stood at the first sight stays left out, the rest is held as `new store` until the trader releases it.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Protocol

from mirrorctl.core.domain.cycle import NEW_ONLY, Cycle, CycleKey
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.keeper import Keeper


@dataclass(frozen=True, slots=True)
class Stood:
    """A position that main held. `opened_ms` as the exchange stamped it; 0 where it does not tell."""

    symbol: str
    side: PositionSide
    opened_ms: int = 0


@dataclass(frozen=True, slots=True)
class Sighting:
    """When the mirror with this UID was first seen beside this main (exchange clock), and what stood on main then."""

    main_uid: int
    uid: int
    seen_ms: int
    stood: tuple[Stood, ...] = ()

    def holds(self, cycle: Cycle, opened_ms: int) -> bool:
        """Whether a cycle stood then. `opened_ms`: when its position was opened as far as the exchange tells."""
        for stood in self.stood:
            if (stood.symbol, stood.side) == cycle.key:
                known = bool(stood.opened_ms and opened_ms)
                return stood.opened_ms == opened_ms if known else cycle.started_ms <= self.seen_ms
        return False


class Baseline(Protocol):
    """Where sightings are kept. Calls are fast, and made on the engine's thread only."""

    def sighting(self, main_uid: int, uid: int) -> Sighting | None:
        """What is known of a mirror's first sight; None where nothing is, or where it cannot be read."""
        ...

    def note(self, sighting: Sighting) -> None:
        """Keep it. It raises nothing: without it a lost store is only held back longer."""


class Sightings:
    """A baseline in memory: for the simulator, and for rehearsals, which write nothing down."""

    def __init__(self, known: Mapping[tuple[int, int], Sighting] | None = None) -> None:
        self.known = dict(known or {})

    def sighting(self, main_uid: int, uid: int) -> Sighting | None:
        return self.known.get((main_uid, uid))

    def note(self, sighting: Sighting) -> None:
        self.known[(sighting.main_uid, sighting.uid)] = sighting


def old_cycles(
    baseline: Baseline, keeper: Keeper, main: Account, mirror: Account, now_ms: int
) -> Container[CycleKey] | None:
    """Main's cycles that are older than a mirror, by the baseline; None where all that it has no copy of are.

    A first sight is written down before the store knows the mirror. `now_ms` on the exchange's clock.
    """
    known, seen_ms = baseline.sighting(main.uid, mirror.uid), keeper.seen_ms(mirror.name)
    opened = {(row.symbol, row.side): row.opened_ms for row in main.view.positions() if row.side is not None}
    if known is None:
        left_out = [key for key in opened if not seen_ms or _is_left_out(keeper, mirror, key)]
        stood = tuple(Stood(*key, opened[key]) for key in sorted(left_out))
        baseline.note(Sighting(main.uid, mirror.uid, seen_ms or now_ms, stood))
    if known is None or seen_ms:
        return None
    return frozenset(key for key, cycle in keeper.cycles.items() if known.holds(cycle, opened.get(key, 0)))


def _is_left_out(keeper: Keeper, mirror: Account, key: CycleKey) -> bool:
    copy = keeper.copy_of(mirror.name, key)
    return copy is not None and copy.held == NEW_ONLY
