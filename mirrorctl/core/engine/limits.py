"""The limits of an account, checked when an entry is planned and failing closed (rule 14, A75).

What may still grow a position counts whether or not the exchange shows it: positions, fills that no row holds yet,
resting entries, what was sent and does not show, and what the pass has planned before. A limit of the day has its own
module (`domain/day_limits.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

from mirrorctl.core.domain.account import Ticker
from mirrorctl.core.domain.actions import Action, AmendOrder, PlaceOrder
from mirrorctl.core.domain.day_limits import NO_DAY, Day, refusal, watched
from mirrorctl.core.domain.frozen import value
from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.policy import Limits
from mirrorctl.core.domain.scene import Planned
from mirrorctl.core.domain.values import Side
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.engine.notionals import Notionals, mark_of, price_of, rows

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


class OrderRates:
    """The rate of each account."""

    def __init__(self) -> None:
        self._rates: dict[str, OrderRate] = {}

    def note(self, action: Action, at_ms: int) -> None:
        """An action was journaled then."""
        if isinstance(action, PlaceOrder):
            rate = self._rates.get(action.account) or self._rates.setdefault(action.account, OrderRate())
            rate.note(at_ms)

    def forget(self, action: PlaceOrder, at_ms: int) -> None:
        """What was noted then never left."""
        self._rates[action.account].forget(at_ms)

    def count(self, account: str, now_ms: int) -> int:
        rate = self._rates.get(account)
        return rate.count(now_ms) if rate is not None else 0


@value(frozen=True, slots=True)
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
        price = action.price or action.trigger_price or (price_of(order) if order is not None else None)
        if order is not None and order.is_open and not order.is_exit and price is not None:
            after = (action.qty or order.qty) - view.filled(order)
            more = after - view.leaves(order) * (price_of(order) or ZERO) / price
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
        notionals: Notionals | None = None,
    ) -> None:
        """`sent`: placements of the last minute. `on_the_way`: growth that was sent and does not show in the view yet.

        `tickers` give a price to what has none of its own. `notionals` of the view, where they are kept up.
        """
        self._view = view
        self._limits = limits
        self._sent = sent
        self._day = day or NO_DAY
        self._tickers = tickers or {}
        self._planned: dict[str, Decimal] = {}
        self._reserved: dict[str, Decimal] = {}
        self._orders = 0
        self._reserved_orders = 0
        self._unpriced = ""
        self._standing = notionals or Notionals(view)
        for growth in on_the_way:
            self._add(growth)

    def refusal(self, symbol: str, qty: Decimal, price: Decimal) -> str:
        """Why an entry of `qty` at `price` would break a limit; "" when it would not."""
        limits = self._limits
        if watched(limits) and (today := refusal(limits, self._day)):
            return today
        if limits.max_orders_per_minute is not None:
            sent = self._sent + self._orders + self._reserved_orders
            if sent >= limits.max_orders_per_minute:
                return f"limit max_orders_per_minute: {sent} of {limits.max_orders_per_minute} sent"
        if limits.max_open_positions is not None:
            standing = self._standing.open_symbols()
            if symbol not in standing and symbol not in self._planned and symbol not in self._reserved:
                held = len(standing | self._planned.keys() | self._reserved.keys())
                if held >= limits.max_open_positions:
                    return f"limit max_open_positions: {held} of {limits.max_open_positions} open or on their way"
        return self._notional_refusal(symbol, qty * price, price)

    def _notional_refusal(self, symbol: str, notional: Decimal, price: Decimal) -> str:
        limits = self._limits
        if self._unpriced and (limits.max_position_notional is not None or limits.max_total_notional is not None):
            return f"limit of notionals cannot be computed: the price of {self._unpriced} is unknown"
        if limits.max_position_notional is not None:
            planned = self._planned.get(symbol, ZERO) + self._reserved.get(symbol, ZERO)
            after = self._standing.of(symbol, price) + planned + notional
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

    def _total_notional(self) -> Decimal | None:
        total = self._standing.total(self._market)
        for more in (self._planned, self._reserved):
            if more and total is not None:
                total += sum(more.values(), ZERO)
        return total

    def _market(self, symbol: str) -> Decimal | None:
        """The last price known of a symbol, whatever its age: none at all is worse."""
        marks = (mark_of(row) for row in rows(self._view, symbol))
        ticker = self._tickers.get(symbol)
        return next((mark for mark in marks if mark is not None), None if ticker is None else ticker.last)


class Allowance:
    """The limits of one pass, looked up for the first entry that asks: most passes plan none."""

    def __init__(self, exposure: Callable[[], Exposure]) -> None:
        """`exposure` as it is when the pass begins; nothing it looks at changes while a pass is planned."""
        self._make = exposure
        self._made: Exposure | None = None
        self._planned: list[Planned] = []
        self._is_settled = True

    def ask(self, symbol: str, qty: Decimal, price: Decimal) -> str:
        """Why an entry would break a limit; "" when it would not, and its room is reserved."""
        exposure = self._made = self._made or self._make()
        if not self._is_settled:
            exposure.settle([item.action for item in self._planned])
            self._planned, self._is_settled = [], True
        refused = exposure.refusal(symbol, qty, price)
        if not refused:
            exposure.charge(symbol, qty, price)
        return refused

    def settle(self, planned: Sequence[Planned]) -> None:
        """A symbol is planned (Exposure.settle), also where nothing came of what it had reserved."""
        self._planned += planned
        self._is_settled = False


def _money(value: Decimal) -> str:
    return plain(value.quantize(Decimal("0.01")))
