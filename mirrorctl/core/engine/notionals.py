"""What stands on one account in notionals, symbol by symbol, for its limits: only what changed is added up anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from decimal import Decimal

from mirrorctl.core.domain.account import Order, Position
from mirrorctl.core.domain.frozen import value
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.values import SIDES
from mirrorctl.core.domain.view import AccountView

Market = Callable[[str], Decimal | None]


@value(frozen=True, slots=True)
class _Part:
    """What one symbol adds. `rows`: (size, price) of its positions; `held`: all of them, None where a price is unknown.

    `beside`: fills that no row holds and entries with a price. `unpriced`: what entries without one have open, None
    where there is no such entry. `is_open`: it counts as an open position, and more of it opens none.
    """

    rows: tuple[tuple[Decimal, Decimal | None], ...]
    held: Decimal | None
    beside: Decimal
    unpriced: Decimal | None
    is_open: bool


class Notionals:
    """Positions, fills that no row holds yet and resting entries of one view, in the settle coin."""

    def __init__(self, view: AccountView) -> None:
        self._view = view
        self._number = -1
        self._parts: dict[str, _Part] = {}
        self._sum = ZERO
        self._unknown: set[str] = set()
        self._unpriced: dict[str, Decimal] = {}
        self._open: set[str] = set()

    def total(self, market: Market) -> Decimal | None:
        """All of it; an entry without a price counts at its market's. None: a price is unknown."""
        if self._number != self._view.revisions.number:
            self.look()
        if self._unknown:
            return None
        total = self._sum
        for symbol, qty in self._unpriced.items():
            price = market(symbol)
            if price is None:
                return None
            total += qty * price
        return total

    def open_symbols(self) -> Set[str]:
        """Symbols that count as open: more of them opens no further position."""
        if self._number != self._view.revisions.number:
            self.look()
        return self._open

    def of(self, symbol: str, price: Decimal) -> Decimal:
        """What stands of one symbol where an entry at `price` comes to it: positions count at that price at least."""
        if self._number != self._view.revisions.number:
            self.look()
        part = self._parts.get(symbol)
        if part is None:
            return ZERO
        total = part.beside + (part.unpriced or ZERO) * price
        for size, mark in part.rows:
            total += size * max(price, mark or ZERO)
        return total

    def look(self) -> None:
        """Add up what changed. Who asks need not: but what is looked at beforehand keeps nobody waiting."""
        revisions = self._view.revisions
        for symbol in revisions.since(self._number):
            self._take(symbol, _part_of(self._view, symbol))
        self._number = revisions.number

    def _take(self, symbol: str, part: _Part) -> None:
        before = self._parts.get(symbol)
        self._parts[symbol] = part
        self._sum += (part.held or ZERO) + part.beside
        if before is not None:
            self._sum -= (before.held or ZERO) + before.beside
        (self._unknown.add if part.held is None else self._unknown.discard)(symbol)
        (self._open.add if part.is_open else self._open.discard)(symbol)
        if part.unpriced is None:
            self._unpriced.pop(symbol, None)
        else:
            self._unpriced[symbol] = part.unpriced


def rows(view: AccountView, symbol: str) -> list[Position]:
    """The positions of one symbol, without looking through all of them."""
    found = []
    for side in SIDES:
        row = view.position(symbol, side)
        if row is not None:
            found.append(row)
    return found


def mark_of(row: Position) -> Decimal | None:
    """What a position is valued at."""
    return row.mark_price or row.entry_price


def price_of(order: Order) -> Decimal | None:
    """At which price an order may fill; None: whatever the market gives."""
    return order.price or order.trigger_price


def _part_of(view: AccountView, symbol: str) -> _Part:
    held: Decimal | None = ZERO
    standing: list[tuple[Decimal, Decimal | None]] = []
    for row in rows(view, symbol):
        price = row.mark_price or row.entry_price
        standing.append((row.size, price))
        held = None if held is None or price is None else held + row.size * price
    orders = view.orders(symbol)
    entries = [order for order in orders if not order.is_exit] if orders else []
    resting, unpriced = _resting(view, entries) if entries else (ZERO, None)
    filled = _filled(view, symbol)
    return _Part(tuple(standing), held, filled + resting, unpriced, bool(standing or entries or filled))


def _resting(view: AccountView, entries: Iterable[Order]) -> tuple[Decimal, Decimal | None]:
    """(what entries with a price may still add, what those without one have open, None where there is none)."""
    resting, unpriced = ZERO, None
    for order in entries:
        price = price_of(order)
        if price is None:
            unpriced = (unpriced or ZERO) + view.leaves(order)
        else:
            resting += view.leaves(order) * price
    return resting, unpriced


def _filled(view: AccountView, symbol: str) -> Decimal:
    """Fills that opened and that no position row shows yet (A85). What closed meanwhile is not taken off.

    Of an order whose row alone tells of a fill all of it counts: how much of it the position holds is not known.
    """
    told = ZERO
    for execution in view.newer_executions(symbol):
        told += execution.price * (execution.qty - execution.closed_qty)
    for order_id in view.unsettled.get(symbol, ()):
        order = view.order(order_id)
        if order is not None and not order.is_exit:
            told += _untold(order)
    return told


def _untold(order: Order) -> Decimal:
    return order.filled_qty * (order.avg_price or price_of(order) or ZERO)
