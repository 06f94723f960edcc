"""The trading floor: the books, the current time, and the pushes that a change causes."""

from dataclasses import dataclass, field
from typing import Any

from mirrorctl.core.paper.guards import guards_of
from mirrorctl.core.paper.margin import Totals, liquidation_price, totals, wallet_row
from mirrorctl.core.paper.model import Execution, Order, Position, Status
from mirrorctl.core.paper.rows import execution_push, order_push, position_push, position_row
from mirrorctl.core.paper.state import State

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Push:
    """A frame for the subscribers of `topic`; `uid` None means a public topic."""

    uid: int | None
    topic: str
    frame: Row


@dataclass(slots=True)
class _Pending:
    executions: list[Row] = field(default_factory=list)
    orders: list[Row] = field(default_factory=list)
    legs: dict[tuple[str, int], None] = field(default_factory=dict)
    wallet: bool = False


class Floor:
    """`state`, `now` in ms, and what to tell whom when the operation ends (`flush`).

    `now` dates what happens and never goes back; `clock` is what the exchange says the time is, and may.
    """

    def __init__(self, state: State, now: int) -> None:
        self.state = state
        self.now = now
        self.clock = now
        self.pushes: list[Push] = []
        self.moved: set[str] = set()
        self.trades: list[tuple[str, Row]] = []
        self._pending: dict[int, _Pending] = {}
        self._frames = 0

    def tell_order(self, order: Order) -> None:
        """Notes the order's present state for the `order` topic."""
        order.updated_ms = self.now
        self.state.touch_order(order)
        self._of(order.uid).orders.append(order_push(order, self.state.instruments[order.symbol]))

    def tell_execution(self, row: Execution) -> None:
        """Notes a fill for the `execution` topic."""
        self._of(row.uid).executions.append(execution_push(row, self.state.instruments[row.symbol]))

    def tell_leg(self, uid: int, symbol: str, idx: int) -> None:
        """Notes a leg for the `position` topic, changed or not."""
        self._of(uid).legs[(symbol, idx)] = None

    def tell_wallet(self, uid: int) -> None:
        """Notes the wallet for the `wallet` topic."""
        self._of(uid).wallet = True

    def _of(self, uid: int) -> _Pending:
        found = self._pending.get(uid)
        if found is None:
            found = self._pending[uid] = _Pending()
        return found

    def leg_row(self, leg: Position, sums: Totals | None = None) -> Row:
        """The leg as position/list shows it; `sums` spares adding the account up again for each of many legs."""
        state, item = self.state, self.state.instruments[leg.symbol]
        market = state.markets[leg.symbol]
        liq = ""
        if leg.size:
            liq = liquidation_price(leg, item, market.mark_price, sums or totals(state, leg.uid))
        return position_row(leg, item, state.accounts[leg.uid], market, guards_of(state, leg), liq)

    def finish(self, order: Order, status: Status, cancel_type: str = "UNKNOWN", reason: str = "EC_NoError") -> None:
        """Ends an order: final status, history, push."""
        order.status = status
        order.cancel_type = cancel_type
        order.reject_reason = reason
        self.tell_order(order)
        self.state.retire(order)

    def flush(self) -> None:
        """Turns what was noted into frames: execution, position, order, wallet, account by account."""
        for uid, pending in self._pending.items():
            if pending.executions:
                self._push(uid, "execution", pending.executions)
            for symbol, idx in pending.legs:
                row = position_push(self.leg_row(self.state.position(uid, symbol, idx)))
                self._push(uid, "position", [row])
            for order in pending.orders:
                self._push(uid, "order", [order])
            if pending.wallet:
                self._push(uid, "wallet", [wallet_row(self.state, uid)])
        self._pending.clear()

    def _push(self, uid: int, topic: str, data: list[Row]) -> None:
        self._frames += 1
        frame = {"id": f"{uid}_{topic}_{self.now}_{self._frames}", "topic": topic, "creationTime": self.now}
        self.pushes.append(Push(uid, topic, frame | {"data": data}))
