"""What is bound to a mirror's position: main's stop and take-profit, with main's trigger price type.

The mirror's stop is only ever set or moved here, never removed because main's vanished.
"""

from __future__ import annotations

from decimal import Decimal

from mirrorctl.core.domain.account import Order
from mirrorctl.core.domain.actions import SetTradingStop
from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.scene import Need, NeedKind, Planned, Scene, SymbolPlan
from mirrorctl.core.domain.values import PositionSide, StopKind, TriggerBy
from mirrorctl.core.domain.view import AccountView

_ROW_WAIT_MS = 300


def plan_protection(scene: Scene, plan: SymbolPlan, side: PositionSide) -> None:
    """Bring the stop and take-profit of one side in step with main's position."""
    if not scene.mirror.size(scene.symbol, side) or not scene.main.size(scene.symbol, side):
        return
    row = scene.mirror.position(scene.symbol, side)
    main = scene.main.position(scene.symbol, side)
    if row is None or main is None:
        _wait_for_rows(scene, plan, side)
        return
    if "stop" in scene.busy:
        return
    stop, stop_by = main.stop_loss, bound_trigger(scene.main, scene.symbol, main.idx, StopKind.STOP_LOSS)
    profit, profit_by = main.take_profit, bound_trigger(scene.main, scene.symbol, main.idx, StopKind.TAKE_PROFIT)
    actual_stop_by = bound_trigger(scene.mirror, scene.symbol, row.idx, StopKind.STOP_LOSS)
    set_stop = stop is not None and (stop != row.stop_loss or _differs(stop_by, actual_stop_by))
    actual_profit_by = bound_trigger(scene.mirror, scene.symbol, row.idx, StopKind.TAKE_PROFIT)
    set_profit = profit != row.take_profit or (profit is not None and _differs(profit_by, actual_profit_by))
    if not set_stop and not set_profit:
        return
    changes = []
    if set_stop:
        changes.append(f"stop {_text(row.stop_loss)} → {_text(stop)}")
    if set_profit:
        changes.append(f"take-profit {_text(row.take_profit)} → {_text(profit)}")
    plan.actions.append(
        Planned(
            SetTradingStop(
                account=scene.account,
                symbol=scene.symbol,
                position_idx=row.idx,
                reason="as on main: " + ", ".join(changes),
                stop_loss=stop if set_stop else None,
                stop_loss_by=stop_by or TriggerBy.LAST,
                take_profit=(profit or ZERO) if set_profit else None,
                take_profit_by=profit_by or TriggerBy.LAST,
            )
        )
    )


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
