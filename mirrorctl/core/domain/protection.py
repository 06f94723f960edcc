"""What is bound to a mirror's position: main's stop and take-profit, with main's trigger price type.

The mirror's stop is only ever set or moved here, never removed because main's vanished.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mirrorctl.core.domain.account import Order
from mirrorctl.core.domain.actions import SetTradingStop
from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.scene import Need, NeedKind, Planned, Scene, SymbolPlan
from mirrorctl.core.domain.values import PositionSide, StopKind, TriggerBy
from mirrorctl.core.domain.view import AccountView

_ROW_WAIT_MS = 300
_NAKED_LOOK_MS = 500


def plan_protection(scene: Scene, plan: SymbolPlan, side: PositionSide) -> None:
    """Bring the stop and take-profit of one side in step with main's position."""
    if not scene.mirror.size(scene.symbol, side) or not scene.main.size(scene.symbol, side):
        return
    row = scene.mirror.position(scene.symbol, side)
    main = scene.main.position(scene.symbol, side)
    if row is None or main is None:
        _wait_for_rows(scene, plan, side)
        return
    stop, profit = main.stop_loss, main.take_profit
    stop_by = bound_trigger(scene.main, scene.symbol, main.idx, StopKind.STOP_LOSS)
    if stop is not None and row.stop_loss is None and _is_naked(scene, plan, side, stop, stop_by):
        return
    actual_by = bound_trigger(scene.mirror, scene.symbol, row.idx, StopKind.STOP_LOSS)
    if stop is not None and (stop != row.stop_loss or _differs(stop_by, actual_by)) and "stop" not in scene.busy:
        _set(
            scene,
            plan,
            row.idx,
            f"as on main: stop {_text(row.stop_loss)} → {_text(stop)}",
            stop_loss=stop,
            stop_loss_by=stop_by or TriggerBy.LAST,
        )
    profit_by = bound_trigger(scene.main, scene.symbol, main.idx, StopKind.TAKE_PROFIT)
    actual_by = bound_trigger(scene.mirror, scene.symbol, row.idx, StopKind.TAKE_PROFIT)
    moved = profit != row.take_profit or (profit is not None and _differs(profit_by, actual_by))
    if moved and "target" not in scene.busy:
        _set(
            scene,
            plan,
            row.idx,
            f"as on main: take-profit {_text(row.take_profit)} → {_text(profit)}",
            take_profit=profit or ZERO,
            take_profit_by=profit_by or TriggerBy.LAST,
        )


def _set(scene: Scene, plan: SymbolPlan, idx: int, reason: str, **change: Any) -> None:
    """Stop and take-profit go out apart: one that is refused must not keep the other from standing."""
    plan.actions.append(Planned(SetTradingStop(scene.account, scene.symbol, idx, reason, **change)))


def _is_naked(scene: Scene, plan: SymbolPlan, side: PositionSide, stop: Decimal, by: TriggerBy | None) -> bool:
    """The position stands without the stop it should have. True when it is closed instead of protected.

    A stop that is to be placed first and that a fresh price of its own trigger has passed cannot protect any more:
    the position is closed at market (rule 7, A24). An unknown price, or one of an unknown trigger, closes nothing.
    """
    naked_ms = scene.now_ms - scene.since_ms(plan, f"naked {side}")
    plan.wake_at(scene.now_ms + _NAKED_LOOK_MS)
    if naked_ms > scene.policy.naked_bound_ms:
        plan.unprotected.append(side)
    if naked_ms < _NAKED_LOOK_MS or by is None:
        return False
    ticker = scene.fresh_ticker()
    if ticker is None:
        plan.needs.append(Need(NeedKind.TICKER, scene.account, scene.symbol))
        return False
    price = {TriggerBy.LAST: ticker.last, TriggerBy.MARK: ticker.mark, TriggerBy.INDEX: ticker.index}[by]
    if (price - stop) * side.sign > 0:
        return False
    plan.passed_stops[side] = f"stop {plain(stop)} is passed by {plain(price)}"
    return True


def main_trigger(scene: Scene, side: PositionSide, kind: StopKind) -> TriggerBy | None:
    """By which price main's own stop or target of a side triggers."""
    idx = scene.main.mode(scene.symbol).idx(side)
    return bound_trigger(scene.main, scene.symbol, idx, kind)


def bound_trigger(view: AccountView, symbol: str, idx: int, kind: StopKind) -> TriggerBy | None:
    """By which price the position's stop or target triggers; only its order row tells. None when that is not seen."""
    return next(
        (o.trigger_by for o in view.orders(symbol) if o.stop_kind is kind and _same_leg(o, idx)),
        None,
    )


def _same_leg(order: Order, idx: int) -> bool:
    return order.position_idx == idx


def _differs(wanted: TriggerBy | None, actual: TriggerBy | None) -> bool:
    return wanted is not None and actual is not None and wanted is not actual


def _wait_for_rows(scene: Scene, plan: SymbolPlan, side: PositionSide) -> None:
    """A fill came before its position row: the push follows at once, or the row is read."""
    until = scene.since_ms(plan, f"row {side}") + _ROW_WAIT_MS
    if scene.now_ms < until:
        plan.wake_at(until)
        return
    for view in (scene.mirror, scene.main):
        if view.position(scene.symbol, side) is None:
            plan.needs.append(Need(NeedKind.POSITION, view.account, scene.symbol))


def _text(price: Decimal | None) -> str:
    return "none" if price is None else plain(price)
