"""The limits of an account, checked when an entry is planned and failing closed (rule 14, A75).

What may still grow a position counts whether or not the exchange shows it: positions, fills that no row holds yet,
resting entries, what was sent and does not show, and what the pass has planned before. A limit of the day has its own
module (`domain/day_limits.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from mirrorctl.core.domain.account import Order, Position, Ticker
from mirrorctl.core.domain.actions import Action, AmendOrder, PlaceOrder
from mirrorctl.core.domain.day_limits import Day, refusal
from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.policy import Limits
from mirrorctl.core.domain.values import PositionSide, Side
from mirrorctl.core.domain.view import AccountView

_MINUTE_MS = 60_000


class OrderRate:
    """Placements of one account over the last minute. Every placement counts; only entries are ever refused."""

    def __init__(self) -> None:
        self._sent: deque[int] = deque()

    def note(self, now_ms: int) -> None:
        self._sent.append(now_ms)

    def forget(self, at_ms: int) -> None:
        """What was noted then never left."""
        if at_ms in self._sent:
            self._sent.remove(at_ms)

    def count(self, now_ms: int) -> int:
        while self._sent and now_ms - self._sent[0] >= _MINUTE_MS:
            self._sent.popleft()
        return len(self._sent)


@dataclass(frozen=True, slots=True)
class Growth:
    """What an action may add to a position. `price` None: whatever the market gives."""

    symbol: str
    qty: Decimal
    price: Decimal | None


def growth_of(action: Action, view: AccountView) -> Growth | None:
    """What an action adds to what the view shows; None for nothing: an exit, or an entry that shows already."""
    if isinstance(action, PlaceOrder) and not action.reduce_only and view.by_link(action.link_id) is None:
        left = action.qty - min(view.link_filled(action.link_id), action.qty)
        return Growth(action.symbol, left, action.price or action.trigger_price) if left else None
    if isinstance(action, AmendOrder):
        order = view.order(action.order_id)
        price = action.price or action.trigger_price or (_price_of(order) if order is not None else None)
        if order is not None and order.is_open and not order.is_exit and price is not None:
            after = (action.qty or order.qty) - view.filled(order)
            more = after - view.leaves(order) * (_price_of(order) or ZERO) / price
            return Growth(action.symbol, more, price) if more > ZERO else None
    return None


class Exposure:
    """Notionals of one account in one pass: what stands, what is on its way, and what the pass has planned."""

    def __init__(
        self,
        view: AccountView,
        limits: Limits,
        sent: int = 0,
        on_the_way: Iterable[Growth] = (),
        day: Day | None = None,
        tickers: Mapping[str, Ticker] | None = None,
    ) -> None:
        """`sent`: placements of the last minute. `on_the_way`: growth that was sent and does not show in the view yet.

        `tickers` give a price to what has none of its own.
        """
        self._view = view
        self._limits = limits
        self._sent = sent
        self._day = day or Day()
        self._tickers = tickers or {}
        self._planned: dict[str, Decimal] = {}
        self._reserved: dict[str, Decimal] = {}
        self._orders = 0
        self._reserved_orders = 0
        self._unpriced = ""
        self._standing: set[str] | None = None
        self._total: Decimal | str | None = "unread"
        for growth in on_the_way:
            self._add(growth)

    def refusal(self, symbol: str, qty: Decimal, price: Decimal) -> str:
        """Why an entry of `qty` at `price` would break a limit; "" when it would not."""
        limits = self._limits
        if today := refusal(limits, self._day):
            return today
        if limits.max_orders_per_minute is not None:
            sent = self._sent + self._orders + self._reserved_orders
            if sent >= limits.max_orders_per_minute:
                return f"limit max_orders_per_minute: {sent} of {limits.max_orders_per_minute} sent"
        if limits.max_open_positions is not None:
            held = self._open_symbols()
            if symbol not in held and len(held) >= limits.max_open_positions:
                return f"limit max_open_positions: {len(held)} of {limits.max_open_positions} open or on their way"
        return self._notional_refusal(symbol, qty * price, price)

    def _notional_refusal(self, symbol: str, notional: Decimal, price: Decimal) -> str:
        limits = self._limits
        if self._unpriced and (limits.max_position_notional is not None or limits.max_total_notional is not None):
            return f"limit of notionals cannot be computed: the price of {self._unpriced} is unknown"
        if limits.max_position_notional is not None:
            after = self._symbol_notional(symbol, price) + notional
            if after > limits.max_position_notional:
                return f"limit max_position_notional: {_money(after)} over {plain(limits.max_position_notional)}"
        if limits.max_total_notional is not None:
            total = self._total_notional()
            if total is None:
                return "limit max_total_notional cannot be computed: a position's price is unknown"
            after = total + notional
            if after > limits.max_total_notional:
                return f"limit max_total_notional: {_money(after)} over {plain(limits.max_total_notional)}"
        return ""

    # --- reserving ---------------------------------------------------------------------------------------------

    def charge(self, symbol: str, qty: Decimal, price: Decimal) -> None:
        """Reserve for an entry while its symbol is being planned; `settle` ends that."""
        self._reserved[symbol] = self._reserved.get(symbol, ZERO) + qty * price
        self._reserved_orders += 1

    def settle(self, actions: Iterable[Action]) -> None:
        """A symbol is planned: what was reserved for it gives way to what its actions really add.

        So an entry that is held after all takes no room from others, and one that asked no limit is counted too.
        """
        self._reserved.clear()
        self._reserved_orders = 0
        for action in actions:
            self._orders += isinstance(action, PlaceOrder)
            growth = growth_of(action, self._view)
            if growth is not None:
                self._add(growth, sells=isinstance(action, PlaceOrder) and action.side is Side.SELL)

    def _add(self, growth: Growth, *, sells: bool = False) -> None:
        """A sell fills at its price or higher: the market counts where that is above it."""
        price = growth.price
        if price is None or sells:
            market = self._market(growth.symbol)
            price = market if price is None else max(price, market or ZERO)
        if price is None:
            self._unpriced = growth.symbol
            price = ZERO
        self._planned[growth.symbol] = self._planned.get(growth.symbol, ZERO) + growth.qty * price

    # --- what stands ---------------------------------------------------------------------------------------------

    def _open_symbols(self) -> set[str]:
        """Symbols that count as open: more of them opens no further position."""
        if self._standing is None:
            view = self._view
            self._standing = {row.symbol for row in view.positions()}
            self._standing |= {order.symbol for order in view.all_orders() if not order.is_exit}
            self._standing |= {symbol for symbol in self._symbols() if self._filled(symbol)}
        return self._standing | self._planned.keys() | self._reserved.keys()

    def _symbols(self) -> set[str]:
        return self._view.symbols() | set(self._view.unsettled)

    def _symbol_notional(self, symbol: str, price: Decimal) -> Decimal:
        held = sum((row.size * max(price, _mark_of(row) or ZERO) for row in self._rows(symbol)), ZERO)
        planned = self._planned.get(symbol, ZERO) + self._reserved.get(symbol, ZERO)
        return held + self._filled(symbol) + self._resting(symbol, price) + planned

    def _filled(self, symbol: str) -> Decimal:
        """Fills that opened and that no position row shows yet (A85). What closed meanwhile is not taken off.

        Of an order whose row alone tells of a fill all of it counts: how much of it the position holds is not known.
        """
        view = self._view
        told = sum((e.price * (e.qty - e.closed_qty) for e in view.newer_executions(symbol)), ZERO)
        orders = (view.order(order_id) for order_id in view.unsettled.get(symbol, ()))
        return told + sum((_untold(order) for order in orders if order is not None and not order.is_exit), ZERO)

    def _resting(self, symbol: str, price: Decimal) -> Decimal:
        return sum(
            (
                self._view.leaves(order) * (_price_of(order) or price)
                for order in self._view.orders(symbol)
                if not order.is_exit
            ),
            ZERO,
        )

    def _total_notional(self) -> Decimal | None:
        if isinstance(self._total, str):
            self._total = self._sum()
        if self._total is None:
            return None
        return self._total + sum(self._planned.values(), ZERO) + sum(self._reserved.values(), ZERO)

    def _sum(self) -> Decimal | None:
        total = ZERO
        for row in self._view.positions():
            price = _mark_of(row)
            if price is None:
                return None
            total += row.size * price
        for symbol in self._symbols():
            market = self._market(symbol)
            if market is None and any(
                not order.is_exit and _price_of(order) is None for order in self._view.orders(symbol)
            ):
                return None
            total += self._filled(symbol) + self._resting(symbol, market or ZERO)
        return total

    def _rows(self, symbol: str) -> Iterator[Position]:
        """The positions of one symbol, without looking through all of them."""
        rows = (self._view.position(symbol, side) for side in PositionSide)
        return (row for row in rows if row is not None)

    def _market(self, symbol: str) -> Decimal | None:
        """The last price known of a symbol, whatever its age: none at all is worse."""
        marks = (_mark_of(row) for row in self._rows(symbol))
        ticker = self._tickers.get(symbol)
        return next((mark for mark in marks if mark is not None), None if ticker is None else ticker.last)


def _mark_of(row: Position) -> Decimal | None:
    return row.mark_price or row.entry_price


def _price_of(order: Order) -> Decimal | None:
    return order.price or order.trigger_price


def _untold(order: Order) -> Decimal:
    return order.filled_qty * (order.avg_price or _price_of(order) or ZERO)


def _money(value: Decimal) -> str:
    return plain(value.quantize(Decimal("0.01")))
