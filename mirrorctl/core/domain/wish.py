"""What the trader asks of one mirror for one trade alone: a sizing value of its own, or that it stays out."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from mirrorctl.core.domain.values import PositionSide

LEFT_OUT = "left out by the trader"


@dataclass(frozen=True, slots=True)
class Wish:
    """One `--mirror NAME=VALUE`, or `--no-mirror NAME` where `value` is None. `symbol` and `side` are main's.

    It was asked for with the entries of one request: `step` is that of their link ids. `ratio` and `formula` were made
    when it was asked for, for a position that the mirror holds already. `cycle` is the tag of main's cycle it belongs
    to, "" while none of those entries was taken; `applied` once the mirror's copy of that cycle has it.
    """

    symbol: str
    side: PositionSide
    mirror: str
    step: str
    value: Decimal | None
    ratio: Decimal | None = None
    formula: str = ""
    cycle: str = ""
    applied: bool = False

    @property
    def key(self) -> tuple[str, PositionSide]:
        return (self.symbol, self.side)
