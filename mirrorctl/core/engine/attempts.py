"""Our orders as the planner sees them: what the journal says of an attempt, and what the exchange shows of it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from mirrorctl.core.domain.account import Order
from mirrorctl.core.domain.actions import PlaceOrder
from mirrorctl.core.domain.ids import parse
from mirrorctl.core.domain.ours import IntentState, OurOrder
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.engine.records import Intent


@dataclass(frozen=True, slots=True)
class Attempt:
    """An order of ours and what it was made of. The last hour's are looked at in every pass, and seldom change."""

    intent: Intent
    shown: Order | None
    seen: Decimal
    overdue: bool
    order: OurOrder


def attempt_of(
    intent: Intent, action: PlaceOrder, view: AccountView, *, overdue: bool = False, before: Attempt | None = None
) -> Attempt:
    """A journaled placement. Quantity and price are those of its row once it was seen, for it may have been amended.

    What it filled is known from its row, its executions or, after a restart, the journal: whichever says more (A85).
    `before` is given back where nothing changed since.
    """
    shown = view.by_link(action.link_id)
    seen = min(view.link_filled(action.link_id), action.qty) if shown is None else view.filled(shown)
    now = (id(intent), id(shown), seen, overdue)
    if before is not None and now == (id(before.intent), id(before.shown), before.seen, before.overdue):
        return before
    link = parse(action.link_id)
    if link is None:
        raise ValueError(f"{action.link_id!r} is not one of our link ids")
    order = OurOrder(
        link=link,
        symbol=action.symbol,
        side=action.side,
        qty=action.qty if shown is None else shown.qty,
        state=intent.state,
        price=action.price if shown is None else shown.price,
        reduce_only=action.reduce_only,
        filled=max(intent.filled, seen),
        main_order_id=intent.main_order_id,
        main_filled=intent.main_filled,
        by_us=intent.by_us,
        code=intent.code,
        message=intent.message,
        ended_ms=intent.updated_ms if intent.state.is_over or overdue else 0,
        overdue=overdue,
    )
    return Attempt(intent, shown, seen, overdue, order)


def attempt_on_book(order: Order, view: AccountView) -> OurOrder | None:
    """An order that carries an id of ours and that no journal knows (a lost store); None for everybody else's."""
    link = parse(order.link_id)
    if link is None:
        return None
    return OurOrder(
        link=link,
        symbol=order.symbol,
        side=order.side,
        qty=order.qty,
        state=IntentState.LIVE,
        price=order.price,
        reduce_only=order.reduce_only,
        filled=view.filled(order),
    )
