"""The limits of an account, checked when an entry is planned and failing closed (rule 14, A75).

What is planned in a pass counts at once: `Exposure` is charged with each entry before the next one is checked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from decimal import Decimal

from mirrorctl.core.domain.account import Position
from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.policy import Limits
from mirrorctl.core.domain.view import AccountView

_MINUTE_MS = 60_000


class OrderRate:
    """Placements of one account over the last minute. Every placement counts; only entries are ever refused."""

    def __init__(self) -> None:
        self._sent: deque[int] = deque()

    def note(self, now_ms: int) -> None:
        self._sent.append(now_ms)

    def count(self, now_ms: int) -> int:
        while self._sent and now_ms - self._sent[0] >= _MINUTE_MS:
            self._sent.popleft()
        return len(self._sent)


class Exposure:
    """Notionals of one account in one pass: positions, resting entries, and what the pass has already planned."""

    def __init__(
        self,
        view: AccountView,
        limits: Limits,
        rate: OrderRate,
        now_ms: int,
        on_the_way: Mapping[str, Decimal] | None = None,
        day_loss: Decimal | None = None,
    ) -> None:
        """`on_the_way`: notional by symbol of entries that were sent and do not show in the view yet.

        `day_loss`: loss since 00:00 UTC; None when it cannot be computed, which counts as reached.
        """
        self._view = view
        self._limits = limits
        self._rate = rate
        self._now_ms = now_ms
        self._planned: dict[str, Decimal] = dict(on_the_way or {})
        self._day_loss = day_loss
        self._orders = 0
        self._total: Decimal | str | None = "unread"

    def refusal(self, symbol: str, qty: Decimal, price: Decimal) -> str:
        """Why an entry of `qty` at `price` would break a limit; "" when it would not."""
        limits = self._limits
        if lost := self._loss_refusal():
            return lost
        if limits.max_orders_per_minute is not None:
            sent = self._rate.count(self._now_ms) + self._orders
            if sent >= limits.max_orders_per_minute:
                return f"limit max_orders_per_minute: {sent} of {limits.max_orders_per_minute} sent"
        if limits.max_open_positions is not None and not self._holds(symbol):
            held = len({row.symbol for row in self._view.positions()} | self._resting_symbols() | set(self._planned))
            if held >= limits.max_open_positions:
                return f"limit max_open_positions: {held} of {limits.max_open_positions} open or on their way"
        notional = qty * price
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

    def _loss_refusal(self) -> str:
        limit = self._limits.max_daily_loss
        if limit is None:
            return ""
        if self._day_loss is None:
            return "limit max_daily_loss cannot be computed: the day's closed PnL is not read"
        return f"limit max_daily_loss: {_money(self._day_loss)} lost today" if self._day_loss >= limit else ""

    def charge(self, symbol: str, qty: Decimal, price: Decimal) -> None:
        """Reserve for an entry that the pass has planned."""
        self._planned[symbol] = self._planned.get(symbol, ZERO) + qty * price
        self._orders += 1

    def _holds(self, symbol: str) -> bool:
        """Whether the symbol counts already: more of it opens no further position."""
        held = any(row.symbol == symbol for row in self._view.positions())
        return held or symbol in self._planned or symbol in self._resting_symbols()

    def _resting_symbols(self) -> set[str]:
        return {order.symbol for order in self._view.all_orders() if not order.is_exit}

    def _symbol_notional(self, symbol: str, price: Decimal) -> Decimal:
        held = sum((row.size for row in self._view.positions() if row.symbol == symbol), ZERO) * price
        return held + self._filled(symbol) + self._resting(symbol, price) + self._planned.get(symbol, ZERO)

    def _filled(self, symbol: str) -> Decimal:
        """Fills that opened and that no position row shows yet (A85). What closed meanwhile is not taken off."""
        return sum((e.price * (e.qty - e.closed_qty) for e in self._view.newer_executions(symbol)), ZERO)

    def _resting(self, symbol: str, price: Decimal) -> Decimal:
        return sum(
            (
                self._view.leaves(order) * (order.price or order.trigger_price or price)
                for order in self._view.orders(symbol)
                if not order.is_exit
            ),
            ZERO,
        )

    def _total_notional(self) -> Decimal | None:
        if isinstance(self._total, str):
            self._total = self._sum()
        return None if self._total is None else self._total + sum(self._planned.values(), ZERO)

    def _sum(self) -> Decimal | None:
        total = ZERO
        for row in self._view.positions():
            price = _price(row)
            if price is None:
                return None
            total += row.size * price
        for symbol in self._view.symbols():
            total += self._filled(symbol) + self._resting(symbol, ZERO)
        return total


def _price(row: Position) -> Decimal | None:
    return row.mark_price or row.entry_price


def _money(value: Decimal) -> str:
    return plain(value.quantize(Decimal("0.01")))
