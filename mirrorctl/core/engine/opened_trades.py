"""Trades that opened, and what was added to one that stood (a merge), told by the order whose fills did it.

An order opened a position when the executions of the side, walked from flat, come to what is held now, or to exactly
nothing, and its fill was the first of them. What cannot be proven so is told as a fill alone (rule 15).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from mirrorctl.core.domain.account import Order
from mirrorctl.core.domain.ids import LinkId, Role, parse
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.state import EngineState

_MERGE_AFTER_MS = 10_000  # an order that was placed later after the opening than this was no part of it
_CLOCKS_MS = 1_000  # the row of a position and its first execution may differ by so much about when it began

Opened = Callable[[Account, str, PositionSide], int]


class Opening(Enum):
    """Whether an order opened its position: yes, no, or not to be told yet."""

    YES = auto()
    NO = auto()
    UNCLEAR = auto()


class OpenedTrades:
    """Looks at entries. All calls on the engine's thread. `opened_ms` tells since when a position is known to stand."""

    def __init__(self, state: EngineState, opened_ms: Opened) -> None:
        self._state = state
        self._opened_ms = opened_ms

    def opening(self, account: Account, symbol: str, side: PositionSide, order_id: str, first_ms: int) -> Opening:
        """Whether the order opened what it filled; `first_ms`: its first fill."""
        if 0 < self._opened_ms(account, symbol, side) < first_ms - _CLOCKS_MS:
            return Opening.NO
        size = account.view.size(symbol, side)
        openers = self._state.entry_fees.openers(account.name, symbol, side, size)
        if order_id not in openers:
            return Opening.NO
        return Opening.YES if openers[order_id] else Opening.UNCLEAR

    def terms(self, account: Account, symbol: str, side: PositionSide) -> str:
        """What is known of the position beyond its fills: the stop that the exchange shows, the approach, the ratio."""
        row = account.view.position(symbol, side)
        stop = row.stop_loss if row is not None else None
        found = [f"stop {plain(stop)}"] if stop else []
        copy = self._state.keeper.copies.get((account.name, symbol, side))
        trade = self._state.trades.get(symbol, side) if account.is_main else None
        if trade is not None and trade.approach in self._state.policy.approaches:
            found.append(trade.approach)
        if copy is not None and not copy.unsized:
            found.append(f"r = {plain(round(copy.ratio, 8))}")
        return "".join(f", {each}" for each in found)

    def merges(self, account: Account, symbol: str, side: PositionSide, link: LinkId | None, order: Order) -> bool:
        """Whether an entry on main was placed for a position that stood already: by a later command, or by hand."""
        if not account.is_main or not account.view.size(symbol, side):
            return False
        first = parse(self._state.entry_fees.opener(account.name, symbol, side))
        if link is not None and first is not None and first.role is Role.ENTRY:
            return first.step != link.step
        opened_ms = self._opened_ms(account, symbol, side)
        return 0 < opened_ms < order.created_ms - _MERGE_AFTER_MS
