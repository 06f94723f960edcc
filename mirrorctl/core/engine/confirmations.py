"""What only confirms: messages that come along with news, and bring nothing to decide by themselves.

A fill is told by its execution, its order's row, its position's row and, on a mirror, the answer to the order, all
within moments. One round of decisions serves them all: whoever calls the engine may wait a moment for what comes with
a confirmation, never with news (loop.py). What is a confirmation is said narrowly; everything else is news.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from mirrorctl.core.domain.account import Execution, Order, Position
from mirrorctl.core.domain.ids import Role, parse
from mirrorctl.core.domain.values import OrderStatus, PositionSide
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.engine.accounts import Account

_FOLLOWING = (Role.TWIN, Role.CORRECTION, Role.REDUCTION)


def is_expected_order(account: Account, order: Order) -> bool:
    """An order that filled, for its execution is the news; or one of ours on a mirror that rests as it was sent."""
    if order.status is OrderStatus.FILLED:
        return True
    return order.is_open and not account.is_main and _follows(account, order.link_id)


def is_expected_fill(account: Account, execution: Execution) -> bool:
    """What a mirror was sent to follow main has filled: it counted as held since it was sent."""
    return not account.is_main and _follows(account, execution.link_id)


def _follows(account: Account, link_id: str) -> bool:
    link = parse(link_id)
    return link is not None and link.account == account.tag and link.role in _FOLLOWING


@dataclass(frozen=True, slots=True)
class Shown:
    """What a view shows of a symbol that a position's row may change: both sizes, and what is bound to a leg."""

    long: Decimal
    short: Decimal
    bound: tuple[Decimal | None, ...]

    @classmethod
    def of(cls, view: AccountView, row: Position) -> Shown:
        """Before the row is taken, and after."""
        symbol = row.symbol
        known = view.position(symbol, PositionSide.LONG) or view.position(symbol, PositionSide.SHORT)
        bound = (None, None, None) if known is None else (known.stop_loss, known.take_profit, known.trailing_stop)
        return cls(
            view.size(symbol, PositionSide.LONG),
            view.size(symbol, PositionSide.SHORT),
            (*bound, view.leverage.get(symbol)),
        )

    def confirmed(self, view: AccountView, row: Position) -> bool:
        """Whether the row that was taken showed what was known; or an execution is on its way, without which nobody
        can say whose fill it shows."""
        if row.idx:
            return False  # two legs: the other one has a row of its own
        return self == Shown.of(view, row) or view.is_ahead(row.symbol) or not view.is_settled(row.symbol)
