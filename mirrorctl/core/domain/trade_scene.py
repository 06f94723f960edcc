"""What a decision about one managed trade on main looks at, and what it comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from mirrorctl.core.domain.account import Order, Ticker
from mirrorctl.core.domain.approach import CONSERVATIVE, Approach
from mirrorctl.core.domain.cycle import entry_orders
from mirrorctl.core.domain.ids import Role, parse
from mirrorctl.core.domain.instruments import Instrument
from mirrorctl.core.domain.ours import Ours
from mirrorctl.core.domain.scene import BreakevenTerms, Moment, SymbolPlan
from mirrorctl.core.domain.trade import Trade
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.domain.view import AccountView


@dataclass(slots=True)
class TradeScene(Moment):
    """Everything a decision about one managed trade looks at. `done`: keys of the rungs that main has filled.

    `since` and `busy` as in Scene. `attached`: the stops that entries of ours carried or carry. `stood_seq`:
    the seq of the newest row that showed a stop we know; None since the start. `usual`: the exit policy of an adopted
    ladder.
    """

    now_ms: int
    account: str
    tag: str
    trade: Trade
    instrument: Instrument
    view: AccountView
    ours: Ours
    since: Mapping[str, int]
    done: frozenset[str] = frozenset()
    busy: frozenset[str] = frozenset()
    attached: frozenset[Decimal] = frozenset()
    stood_seq: int | None = None
    usual: Approach = CONSERVATIVE
    terms: BreakevenTerms | None = None
    ticker: Ticker | None = None

    @property
    def symbol(self) -> str:
        return self.trade.symbol

    @property
    def side(self) -> PositionSide:
        return self.trade.side

    @property
    def idx(self) -> int:
        return self.view.mode(self.symbol).idx(self.side)


@dataclass(slots=True)
class TradePlan:
    """What to do about a trade, and the trade as it is to be written down before anything is sent.

    `over`: main is flat again and none of its orders is left. `stood_seq` as in TradeScene.
    """

    plan: SymbolPlan
    trade: Trade
    over: bool = False
    stood_seq: int | None = None
    told: list[str] = field(default_factory=list)


def trade_entries(scene: TradeScene) -> list[Order]:
    """Resting entries of the trade: ours, and of an adopted trade every one that grows the position."""
    found = []
    for order in entry_orders(scene.view, scene.symbol, scene.side):
        link = parse(order.link_id)
        ours = link is not None and link.account == scene.tag and link.role is Role.ENTRY
        if ours or scene.trade.adopted:
            found.append(order)
    return found


def rungs_done(trade: Trade, done: frozenset[str]) -> int:
    """Of a trade that was read off main every rung counts that was done since; it may not know their names."""
    if trade.adopted:
        return len(done)
    return sum(1 for leg in range(len(trade.targets)) if trade.rung_key(leg) in done)
