"""The phase of a monitor, computed from what the exchange shows and from nothing remembered (A38, A42)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from mirrorctl.core.domain.policy import MAIN


class Phase(StrEnum):
    """Where a trade stands on one account."""

    BUILDING = "building"  # entries working
    MONITORING = "monitoring"  # all entries done, or adopted
    PROFIT_TAKING = "profit-taking"  # the first rung is done
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a phase follows from. `size` of the position; `entries_working`: an entry order of it is open;

    `rungs_done`: take-profits filled in full since the position was last flat.
    """

    size: Decimal
    entries_working: bool
    rungs_done: int


def phase(facts: Facts) -> Phase:
    """The phase these facts mean. Only a done rung makes PROFIT_TAKING, never a smaller size (A38)."""
    return _PHASES[bool(facts.size), facts.entries_working, facts.rungs_done > 0]


_PHASES = MappingProxyType(
    {
        # (size, entries working, a rung done)
        (False, False, False): Phase.CLOSED,
        (False, False, True): Phase.CLOSED,
        (False, True, False): Phase.BUILDING,
        (False, True, True): Phase.BUILDING,
        (True, True, False): Phase.BUILDING,
        (True, False, False): Phase.MONITORING,
        (True, True, True): Phase.PROFIT_TAKING,
        (True, False, True): Phase.PROFIT_TAKING,
    }
)

# Where a monitor may go from each phase; staying is always allowed. Adding to a position builds again. Once a rung is
# done it stays done while there is size; flat with entries still resting is a trade that builds anew.
ALLOWED: Mapping[Phase, frozenset[Phase]] = MappingProxyType(
    {
        Phase.BUILDING: frozenset((Phase.MONITORING, Phase.PROFIT_TAKING, Phase.CLOSED)),
        Phase.MONITORING: frozenset((Phase.BUILDING, Phase.PROFIT_TAKING, Phase.CLOSED)),
        Phase.PROFIT_TAKING: frozenset((Phase.BUILDING, Phase.CLOSED)),
        Phase.CLOSED: frozenset(),
    }
)


def label(chat_id: int, symbol: str, approach: str, account: str, first_mirror: bool) -> str:
    """A monitor's name for people: `{chat_id}_{symbol}_{approach}`, marked on a mirror.

    `_mirror` on the first mirror of the profile, `_mirror_<name>` on the others.
    """
    name = f"{chat_id}_{symbol}_{approach}"
    if account == MAIN:
        return name
    return f"{name}_mirror" if first_mirror else f"{name}_mirror_{account}"
