"""Orders: ours without a live trade, entries of main that a mirror lacks, and those that are not ours (A60 to A62)."""

from __future__ import annotations

from collections.abc import Iterator

from mirrorctl.core.domain.account import Order
from mirrorctl.core.domain.actions import AmendOrder, CancelOrder, PlaceOrder
from mirrorctl.core.domain.audit.findings import Code, Finding, found
from mirrorctl.core.domain.audit.scene import AuditScene, Seen, leg_of, order_text, role_of, side_of
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.scene import Planned
from mirrorctl.core.domain.values import Severity, StopKind
from mirrorctl.core.domain.view import AccountView

_PARTIAL = frozenset((StopKind.PARTIAL_STOP_LOSS, StopKind.PARTIAL_TAKE_PROFIT))


def judge_orders(scene: AuditScene, account: Seen, view: AccountView) -> Iterator[Finding]:
    """What is wrong with the resting orders of one account."""
    unwanted: dict[str, str] = {}
    for plan in scene.plans_of(account.name):
        for planned in plan.actions:
            if isinstance(planned.action, CancelOrder) and _is_unwanted(scene, account, planned.action, view):
                unwanted[planned.action.order_id] = planned.action.reason
            else:
                yield from _entry(account, view, planned)
    for order in view.all_orders():
        reason = unwanted.get(order.order_id) or _orphaned(scene, account, view, order)
        if reason:
            yield _orphan(account, order, reason)
        elif account.link(order) is not None or account.is_main:
            continue
        elif not order.stop_kind.position_bound or order.stop_kind in _PARTIAL:
            yield found(
                Code.FOREIGN_ORDER,
                account.name,
                order.symbol,
                leg_of(order),
                expected="not ours",
                actual=order_text(order),
                subject=order.order_id,
            )


def judge_disabled(account: Seen, view: AccountView) -> Iterator[Finding]:
    """What a disabled mirror holds: named, not judged."""
    for row in view.positions():
        stop = f"stop {plain(row.stop_loss)}" if row.stop_loss is not None else "no stop"
        yield found(
            Code.UNEXPECTED_POSITION,
            account.name,
            row.symbol,
            row.side,
            expected="disabled: not touched",
            actual=f"{plain(row.size)}, {stop}",
            severity=Severity.INFO,
            remedy="enable the mirror, or close it by hand",
        )
    for order in view.all_orders():
        if account.link(order) is not None:
            yield found(
                Code.ORPHAN_ORDER,
                account.name,
                order.symbol,
                leg_of(order),
                expected="disabled: not touched",
                actual=order_text(order),
                severity=Severity.INFO,
                remedy="enable the mirror, or cancel it by hand",
                subject=order.order_id,
            )


def _is_unwanted(scene: AuditScene, account: Seen, action: CancelOrder, view: AccountView) -> bool:
    """Whether a cancel is of an order that has no reason to stand; a rung of a live trade is its ladder's."""
    side = side_of(action, view)
    if role_of(action, view) is not Role.TARGET or side is None:
        return True
    return not view.size(action.symbol, side) or scene.is_over(account, action.symbol, side)


def _entry(account: Seen, view: AccountView, planned: Planned) -> Iterator[Finding]:
    """An entry that the planner would place or change."""
    action = planned.action
    role = role_of(action, view)
    if isinstance(action, PlaceOrder) and role is Role.TWIN:
        price = action.price or action.trigger_price or ZERO
        yield found(
            Code.NOT_MIRRORED,
            account.name,
            action.symbol,
            side_of(action, view),
            expected=f"{action.side} {plain(action.qty)} at {plain(price)}, as main's order",
            actual="no order",
            subject=planned.main_order_id or action.link_id,
        )
    elif isinstance(action, AmendOrder) and role is not Role.TARGET:
        order = view.order(action.order_id)
        stop_only = action.qty is None and action.price is None and action.trigger_price is None
        yield found(
            Code.NO_STOP if stop_only else Code.RATIO_DRIFT,
            account.name,
            action.symbol,
            side_of(action, view),
            expected=_amended_text(action),
            actual="not seen" if order is None else order_text(order) + _attached_text(order),
            severity=Severity.WARNING,
            subject=action.order_id,
        )


def _orphaned(scene: AuditScene, account: Seen, view: AccountView, order: Order) -> str:
    """Why an order of ours has no live trade; "" when it has one, or when nobody can tell.

    An entry of main's own is its trade (A61). With main unknown no trade is known to be over (rule 1).
    """
    side, link = leg_of(order), account.link(order)
    if scene.main.view is None or link is None or not scene.is_over(account, order.symbol, side):
        return ""
    if account.is_main and link.role is not Role.TARGET:
        return ""
    closing = view.size(order.symbol, side) and scene.is_ours(account, order.symbol, side)
    return "" if closing else "main has no such trade"


def _orphan(account: Seen, order: Order, reason: str) -> Finding:
    return found(
        Code.ORPHAN_ORDER,
        account.name,
        order.symbol,
        leg_of(order),
        expected=f"no order: {reason}",
        actual=order_text(order),
        subject=order.order_id,
    )


def _amended_text(action: AmendOrder) -> str:
    parts = [
        ("", action.qty),
        ("at ", action.price),
        ("triggered at ", action.trigger_price),
        ("with stop ", action.stop_loss),
    ]
    return " ".join(f"{name}{plain(value)}" for name, value in parts if value is not None)


def _attached_text(order: Order) -> str:
    return f" with stop {plain(order.stop_loss)}" if order.stop_loss is not None else ""
