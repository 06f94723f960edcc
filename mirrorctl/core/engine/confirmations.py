"""What only confirms: messages that come along with news, and bring nothing to decide by themselves.

A fill is told by its execution, its order's row, its position's row and, on a mirror, the answer to the order, all
within moments. One round of decisions serves them all: whoever calls the engine may wait a moment for what comes with
a confirmation, never with news (loop.py). What is a confirmation is said narrowly; everything else is news.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from decimal import Decimal

from mirrorctl.core.domain.account import Execution, Order
from mirrorctl.core.domain.ids import Role, parse
from mirrorctl.core.domain.standing_trade import stop_on_book
from mirrorctl.core.domain.values import SIDES, OrderStatus, OrderType, PositionSide, StopKind
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.engine.accounts import Account

_FOLLOWING = (Role.TWIN, Role.CORRECTION, Role.REDUCTION)


def is_expected_order(account: Account, order: Order) -> bool:
    """An order that filled, for its execution is the news; or one of ours on a mirror that rests as it was sent."""
    if order.status is OrderStatus.FILLED:
        return True
    return order.status.is_open and not account.is_main and _follows(account, order.link_id)


def is_expected_fill(account: Account, execution: Execution) -> bool:
    """What a mirror was sent to follow main has filled: it counted as held since it was sent."""
    return _follows(account, execution.link_id)


def _follows(account: Account, link_id: str) -> bool:
    link = parse(link_id)
    return link is not None and link.account == account.tag and link.role in _FOLLOWING


def filled_at_once(view: AccountView, order: Order) -> bool:
    """Whether an order that nobody saw resting filled at market, as its executions told: it says nothing new."""
    at_market = order.order_type is OrderType.MARKET and order.stop_kind is StopKind.NONE
    told = at_market and order.status is OrderStatus.FILLED and view.order(order.order_id) is None
    return told and not view.tells_more(order)


def followed(view: AccountView, symbol: str) -> Hashable:
    """What of a symbol on main its mirrors decide by, but for its fills: a message that leaves it equal is none of
    their business, however many they are.

    A row that shows a fill that was told changes its size, its price and its seq: mirrors go by the size with all
    executions, and by the price of the fill itself.
    """
    orders = tuple(view.orders(symbol))
    known = (view.modes.get(symbol), view.is_settled(symbol), view.is_ahead(symbol), view.leverage.get(symbol))
    return (known, orders, *[_leg(view, symbol, side, orders) for side in SIDES])


def _leg(view: AccountView, symbol: str, side: PositionSide, orders: tuple[Order, ...]) -> Hashable:
    row = view.position(symbol, side)
    if row is None:
        return view.size(symbol, side), view.proven(symbol, side)
    # the age of an order behind the stop counts against that of the row
    stop = stop_on_book(view, symbol, side) if orders else row.stop_loss
    return view.size(symbol, side), stop, row.stop_loss, row.take_profit, row.trailing_stop, row.opened_ms


@dataclass(frozen=True, slots=True)
class Shown:
    """What a view shows of a symbol that a position's row may change: both sizes, and what is bound to a leg."""

    long: Decimal
    short: Decimal
    bound: tuple[Decimal | None, ...]

    @classmethod
    def of(cls, view: AccountView, symbol: str) -> Shown:
        """Before a row is taken, and after."""
        known = view.position(symbol, PositionSide.LONG) or view.position(symbol, PositionSide.SHORT)
        bound = (None, None, None) if known is None else (known.stop_loss, known.take_profit, known.trailing_stop)
        return cls(
            view.size(symbol, PositionSide.LONG),
            view.size(symbol, PositionSide.SHORT),
            (*bound, view.leverage.get(symbol)),
        )
