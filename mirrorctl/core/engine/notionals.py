"""What stands on one account in notionals, symbol by symbol, for its limits: only what changed is added up anew."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal

from mirrorctl.core.domain.account import Order, Position
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.values import SIDES
from mirrorctl.core.domain.view import AccountView

Market = Callable[[str], Decimal | None]


@dataclass(frozen=True, slots=True)
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
        self._look()
        if self._unknown:
            return None
        total = self._sum
        for symbol, qty in self._unpriced.items():
            price = market(symbol)
            if price is None:
                return None
            total += qty * price
        return total

    def open_symbols(self) -> Collection[str]:
        """Symbols that count as open: more of them opens no further position."""
        self._look()
        return self._open

    def of(self, symbol: str, price: Decimal) -> Decimal:
        """What stands of one symbol where an entry at `price` comes to it: positions count at that price at least."""
        self._look()
        part = self._parts.get(symbol)
        if part is None:
            return ZERO
        total = part.beside + (part.unpriced or ZERO) * price
        for size, mark in part.rows:
            total += size * max(price, mark or ZERO)
        return total

    def _look(self) -> None:
        revisions = self._view.revisions
        if revisions.number == self._number:
            return
        for symbol in list(revisions.since(self._number)):
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
    found = (view.position(symbol, side) for side in SIDES)
    return [row for row in found if row is not None]


def mark_of(row: Position) -> Decimal | None:
    """What a position is valued at."""
    return row.mark_price or row.entry_price


def price_of(order: Order) -> Decimal | None:
    """At which price an order may fill; None: whatever the market gives."""
    return order.price or order.trigger_price


def _part_of(view: AccountView, symbol: str) -> _Part:
    held: Decimal | None = ZERO
    standing = tuple((row.size, mark_of(row)) for row in rows(view, symbol))
    for size, price in standing:
        held = None if held is None or price is None else held + size * price
    entries = [order for order in view.orders(symbol) if not order.is_exit]
    resting, unpriced = _resting(view, entries)
    filled = _filled(view, symbol)
    return _Part(standing, held, filled + resting, unpriced, bool(standing or entries or filled))


def _resting(view: AccountView, orders: Iterable[Order]) -> tuple[Decimal, Decimal | None]:
    """(what entries with a price may still add, what those without one have open, None where there is none)."""
    resting, unpriced = ZERO, None
    for order in orders:
        if order.is_exit:
            continue
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
    told = sum((e.price * (e.qty - e.closed_qty) for e in view.newer_executions(symbol)), ZERO)
    orders = (view.order(order_id) for order_id in view.unsettled.get(symbol, ()))
    return told + sum((_untold(order) for order in orders if order is not None and not order.is_exit), ZERO)


def _untold(order: Order) -> Decimal:
    return order.filled_qty * (order.avg_price or price_of(order) or ZERO)
