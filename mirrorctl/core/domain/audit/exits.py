"""Stops and targets: whether each position is covered, once, in full, by what its trade intends (A21 to A23, A30)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from mirrorctl.core.domain.account import Order, Position
from mirrorctl.core.domain.actions import Action, AmendOrder, PlaceOrder, SetTradingStop
from mirrorctl.core.domain.audit.findings import Code, Finding, found
from mirrorctl.core.domain.audit.scene import AuditScene, Seen, order_text, role_of, side_of
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.scene import SymbolPlan
from mirrorctl.core.domain.standing_trade import stop_on_book
from mirrorctl.core.domain.values import PositionSide, Severity, StopKind
from mirrorctl.core.domain.view import AccountView

_NAKED = "no stop"


def judge_exits(scene: AuditScene, account: Seen, view: AccountView) -> Iterator[Finding]:
    """What is wrong with the stops and targets of every position of ours on one account."""
    for row in view.positions():
        if row.side is None or not scene.is_ours(account, row.symbol, row.side):
            continue
        actions = [
            planned.action
            for plan in scene.plans_of(account.name, row.symbol)
            for planned in plan.actions
            if side_of(planned.action, view) is row.side
        ]
        yield from _stop(scene, account, view, row, row.side, actions)
        yield from _duplicates(scene, account, view, row, row.side)
        if not scene.is_over(account, row.symbol, row.side):
            yield from _targets(account, view, row, row.side, actions)
    for plan in scene.plans_of(account.name):
        yield from _missing(plan)


def _stop(
    scene: AuditScene, account: Seen, view: AccountView, row: Position, side: PositionSide, actions: Sequence[Action]
) -> Iterator[Finding]:
    """One finding about the stop of a position, or none."""
    place = (account.name, row.symbol, side)
    sets = next((a for a in actions if isinstance(a, SetTradingStop) and _moves_stop(a)), None)
    if row.stop_loss is not None or row.trailing_stop is not None:
        if sets is not None:
            yield found(
                Code.NO_STOP, *place, expected=_set_text(sets), actual=_stop_text(row), severity=Severity.WARNING
            )
        return
    partial = sum((view.leaves(o) for o in _stops(view, row, side) if o.stop_kind.position_bound), ZERO)
    if partial and sets is None:
        if partial < row.size:
            severity = Severity.INFO if account.is_main and not scene.is_managed(row.symbol, side) else None
            covers = f"partial stops for {plain(partial)}"
            yield found(Code.STOP_QTY, *place, expected=plain(row.size), actual=covers, severity=severity)
        return
    yield from _naked(scene, account, view, row, side, sets)


def _naked(
    scene: AuditScene, account: Seen, view: AccountView, row: Position, side: PositionSide, sets: SetTradingStop | None
) -> Iterator[Finding]:
    """A position without the stop that should be bound to it: how grave that is, its trade decides."""
    place = (account.name, row.symbol, side)
    intended = _intended(scene, account, row.symbol, side)
    if sets is not None or intended is not None:
        expected = _set_text(sets) if sets is not None else f"stop {plain(intended or ZERO)}"
        yield found(Code.NO_STOP, *place, expected=expected, actual=_NAKED)
    elif any(_stops(view, row, side)):
        return  # a conditional order of the trader's own covers it
    elif account.is_main:
        remedy = f"`mirrorctl trade stop {row.symbol} PRICE` sets one"
        yield found(Code.NO_STOP, *place, expected="none given", actual=_NAKED, severity=Severity.INFO, remedy=remedy)
    elif scene.source(account, row.symbol, side)[1] is not side:
        expected, remedy = "none: main has no target", f"`mirrorctl trade target {row.symbol} PRICE` sets one on main"
        yield found(Code.NO_STOP, *place, expected=expected, actual=_NAKED, severity=Severity.WARNING, remedy=remedy)
    else:
        unmirrored = next(iter(_main_stops(scene, *scene.source(account, row.symbol, side))), None)
        expected = "none on main" if unmirrored is None else f"main's {order_text(unmirrored)}, which is not mirrored"
        severity = Severity.INFO if unmirrored is None else Severity.WARNING
        remedy = f"set a stop for main's whole position: `mirrorctl trade stop {row.symbol} PRICE`"
        yield found(Code.NO_STOP, *place, expected=expected, actual=_NAKED, severity=severity, remedy=remedy)


def _intended(scene: AuditScene, account: Seen, symbol: str, side: PositionSide) -> Decimal | None:
    """The stop that a position should have: the planner's word, else its trade's, and for a mirror main's."""
    guards = (plan.guarded.get(side) for plan in scene.plans_of(account.name, symbol))
    guard = next((stop for stop in guards if stop is not None), None)
    if guard is not None:
        return guard
    source = scene.source(account, symbol, side)
    if source != (symbol, side):
        return None  # in terms of its own: the planner alone knows them
    trade = scene.trades.get(source)
    stop = trade.stop if trade is not None else None
    if account.is_main or scene.main.view is None:
        return stop
    standing, _, _ = stop_on_book(scene.main.view, symbol, side)
    return standing if standing is not None else stop


def _main_stops(scene: AuditScene, symbol: str, side: PositionSide) -> Iterator[Order]:
    """Orders that protect main's position and that no mirror can take over."""
    view = scene.main.view
    row = view.position(symbol, side) if view is not None else None
    if view is not None and row is not None:
        yield from _stops(view, row, side)


def _duplicates(
    scene: AuditScene, account: Seen, view: AccountView, row: Position, side: PositionSide
) -> Iterator[Finding]:
    """More than one of our stops that would close all of the position (A23). The trader's own orders do not count."""
    if account.is_main and not scene.is_managed(row.symbol, side):
        return
    bound = [o for o in _on_leg(view, row, side) if o.stop_kind is StopKind.STOP_LOSS]
    ours = [o for o in _stops(view, row, side) if not o.stop_kind.position_bound and account.link(o) is not None]
    count = max(len(bound), int(row.stop_loss is not None)) + len(ours)
    if count > 1:
        prices = [plain(o.trigger_price) for o in bound + ours if o.trigger_price]
        actual = f"{count} stops: {', '.join(prices)}"
        yield found(Code.DUPLICATE_STOP, account.name, row.symbol, side, expected="1 stop", actual=actual)


def _targets(
    account: Seen, view: AccountView, row: Position, side: PositionSide, actions: Sequence[Action]
) -> Iterator[Finding]:
    """Targets that are not the ladder's, or that together would sell more than is held (rule 7)."""
    place = (account.name, row.symbol, side)
    standing = [o for o in _on_leg(view, row, side) if (link := account.link(o)) and link.role is Role.TARGET]
    changes = [a for a in actions if _moves_target(a, view)]
    total = sum((view.leaves(order) for order in standing), ZERO)
    if changes:
        expected = "; ".join(_change_text(action) for action in changes)
        shown = [order_text(order) for order in standing]
        shown += [f"take-profit {plain(row.take_profit)}"] if row.take_profit is not None else []
        yield found(Code.TARGET_QTY, *place, expected=expected, actual=", ".join(shown) or "no target")
    elif total > row.size:
        actual = f"targets for {plain(total)}"
        yield found(Code.TARGET_QTY, *place, expected=f"at most {plain(row.size)}", actual=actual)


def _missing(plan: SymbolPlan) -> Iterator[Finding]:
    """What the exchange does not take, or what is not mirrored, by name (A28)."""
    for text in plan.missing:
        code, severity = next(
            (found_as for start, found_as in _MISSING.items() if text.startswith(start)),
            (Code.TARGET_QTY, Severity.INFO),
        )
        place = (plan.account, plan.symbol)
        yield found(code, *place, expected="as intended", actual=text, severity=severity, subject=text)


_MISSING = {
    "target": (Code.TARGET_QTY, Severity.WARNING),
    "main's partial stop": (Code.STOP_QTY, Severity.INFO),
    "breakeven": (Code.NO_STOP, Severity.INFO),
    "stop": (Code.NO_STOP, Severity.INFO),
}


def _on_leg(view: AccountView, row: Position, side: PositionSide) -> Iterator[Order]:
    """Open orders that can only reduce this position."""
    for order in view.orders(row.symbol):
        if order.is_exit and order.side is side.exit and order.position_idx == row.idx:
            yield order


def _stops(view: AccountView, row: Position, side: PositionSide) -> Iterator[Order]:
    """Partial stops of the position, and conditional exits that trigger when the price goes against it.

    Bybit's triggerDirection is 1 for a rise and 2 for a fall (order/create-order).
    """
    against = 2 if side is PositionSide.LONG else 1
    for order in _on_leg(view, row, side):
        conditional = order.stop_kind is StopKind.CONDITIONAL and order.trigger_direction == against
        if conditional or order.stop_kind is StopKind.PARTIAL_STOP_LOSS:
            yield order


def _moves_stop(action: SetTradingStop) -> bool:
    return action.stop_loss is not None or action.trailing_stop is not None


def _moves_target(action: Action, view: AccountView) -> bool:
    if isinstance(action, SetTradingStop):
        return action.take_profit is not None
    return role_of(action, view) is Role.TARGET


def _set_text(action: SetTradingStop) -> str:
    if action.stop_loss is not None:
        return f"stop {plain(action.stop_loss)} by {action.stop_loss_by} price"
    return f"trailing stop {plain(action.trailing_stop)}" if action.trailing_stop else "no trailing stop"


def _stop_text(row: Position) -> str:
    parts = [("stop", row.stop_loss), ("trailing stop", row.trailing_stop)]
    return ", ".join(f"{name} {plain(price)}" for name, price in parts if price is not None) or _NAKED


def _change_text(action: Action) -> str:
    if isinstance(action, SetTradingStop):
        return f"take-profit {plain(action.take_profit)}" if action.take_profit else "no take-profit"
    if isinstance(action, PlaceOrder):
        return f"{action.side} {plain(action.qty)} at {plain(action.price or ZERO)}"
    if isinstance(action, AmendOrder):
        return action.reason.removeprefix("target ")
    return f"gone: {action.reason.removeprefix('target: ')}"
