"""A trade: what the trader intends on main, stored once (design, Words).

`mirrorctl trade` makes one, `monitors add` reads one off what stands on main. Only for these does the daemon write on
main while `manage = "own"` (A79). Quantities in base coin, prices in the settle coin.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from mirrorctl.core.domain.ids import step_tag
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.values import PositionSide


@dataclass(frozen=True, slots=True)
class Target:
    """One take-profit as the trader gave it. `percent` of the whole position; a trade's targets sum to 100 (A30).

    `order_id`: the order of the trader's own that stands for it (an adopted trade). `stood` is the price last seen
    standing: an order at neither price was moved by hand, and that is the trader's word. `key` is the rung's name where
    an order of ours that stood before gave it one.
    """

    price: Decimal
    percent: Decimal
    order_id: str = ""
    stood: Decimal | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Trade:
    """The intent behind one position of main, keyed (symbol, side).

    `targets` nearest to entry first; empty: the daemon keeps no ladder. `uncovered` is the percent of an adopted
    position that no target stands for: reported, never invented (A63). `stop` is the price that shall stand, `stood`
    the one last seen standing. `breakeven_after` and `cancel_entries_after` count rungs done; 0: never.
    `breakeven_entry` is the average entry price for which the stop was last brought to breakeven: the trader's own
    word after it holds until that price changes. `revision` rises when the ladder is replaced after a rung of it was
    done, so that a done rung is never mistaken for one of the new ladder (A37). `opened` once main held size for it.
    """

    symbol: str
    side: PositionSide
    tag: str
    approach: str
    created_ms: int
    targets: tuple[Target, ...] = ()
    uncovered: Decimal = ZERO
    stop: Decimal | None = None
    stood: Decimal | None = None
    breakeven_after: int = 0
    breakeven_margin_bps: Decimal = Decimal(2)
    breakeven_entry: Decimal | None = None
    cancel_entries_after: int = 0
    revision: int = 0
    adopted: bool = False
    opened: bool = False

    @property
    def key(self) -> tuple[str, PositionSide]:
        return (self.symbol, self.side)

    def rung_key(self, leg: int) -> str:
        """The name of one rung for good: the step in the link ids of its orders, on main and on every mirror."""
        target = self.targets[leg]
        if target.key:
            return target.key
        if target.order_id:
            return order_key(target.order_id)
        return step_tag("rung", self.tag, str(self.revision), str(leg))


def order_key(order_id: str) -> str:
    """The name of the rung that an order of the trader's own on main stands for."""
    return step_tag("target", order_id)
