"""What is bound to a mirror's position: main's stop, take-profit and trailing stop, with main's trigger price type.

The mirror's stop is only ever set or moved here, never removed because main's vanished. A stop of its own (breakeven =
"own") stands where it is better than main's.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mirrorctl.core.domain import own_stop
from mirrorctl.core.domain.account import Order, Position, Ticker
from mirrorctl.core.domain.actions import SetTradingStop
from mirrorctl.core.domain.breakeven import better, breakeven
from mirrorctl.core.domain.cycle import Copy
from mirrorctl.core.domain.due import stop_due
from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.own_approach import rungs_filled
from mirrorctl.core.domain.policy import Breakeven, OnUnprotected
from mirrorctl.core.domain.scene import Need, NeedKind, Planned, Scene, SymbolPlan
from mirrorctl.core.domain.sight import Sight
from mirrorctl.core.domain.standing_trade import StopOnBook
from mirrorctl.core.domain.trade_scene import TradeScene
from mirrorctl.core.domain.values import PositionMode, PositionSide, StopKind, TriggerBy

_ROW_WAIT_MS = 300
_NAKED_LOOK_MS = 500
_WATCH_MS = 1_000
_TRAILING_WAIT_MS = 2_000
_TARGET_BOUND_MS = 10_000


def plan_protection(scene: Scene, plan: SymbolPlan, side: PositionSide, copy: Copy) -> None:
    """Bring the stop, take-profit and trailing stop of one side in step with main's position."""
    if not scene.have[side] or not scene.main_size[side]:
        return
    policy = scene.policy
    row = scene.mirror.position(scene.symbol, side)
    main = scene.main.position(scene.symbol, side)
    standing = scene.main_stop(side)
    own = copy.own_stop
    if row is not None and (policy.max_stop_bps or policy.breakeven is Breakeven.OWN):
        own = _own_stop(scene, plan, side, copy, row, standing[0])
    guard = better(side, standing[0], own)
    if guard is not None:
        plan.guarded[side] = guard
    if row is None or main is None:
        _wait_for_rows(scene, plan, side)
        return
    if guard is not None or standing[2]:
        _plan_stop(scene, plan, side, row, standing, guard)
    if main.take_profit or row.take_profit is not None or copy.own_target is not None:
        _plan_profit(scene, plan, side, main, row, copy.own_target)
    if main.trailing_stop != row.trailing_stop:
        _plan_trailing(scene, plan, side, main, row)


def _plan_stop(
    scene: Scene, plan: SymbolPlan, side: PositionSide, row: Position, standing: StopOnBook, wanted: Decimal | None
) -> None:
    """`standing` on main; `wanted` here, the better one of it and of the mirror's own."""
    stop, stop_by, unmirrored = standing
    for order in unmirrored:
        plan.missing.append(f"main's partial stop of {plain(order.qty)} at {plain(order.trigger_price or ZERO)}")
    first, first_by = (wanted, stop_by or TriggerBy.LAST) if scene.policy.max_stop_bps else (stop, stop_by)
    if first is not None and row.stop_loss is None and _is_naked(scene, plan, side, first, first_by):
        return
    if wanted is None or (wanted == row.stop_loss and (stop_by is None or _triggers_by(scene, row, stop_by))):
        return
    mine = wanted != stop
    improves = mine and not (first == wanted and row.stop_loss is None)
    passed = improves and _is_passed(scene.fresh_ticker(), wanted, stop_by or TriggerBy.LAST, side)
    whose = "its own stop" if mine or scene.needs_stop else "the stop of main"
    stop_due(plan, "stop", side, whose, (wanted, row.stop_loss), scene.policy.naked_bound_ms, named=passed)
    if "stop" in scene.busy:
        return
    if passed:
        name = "stop of its own" if scene.policy.max_stop_bps else "breakeven"
        plan.missing.append(f"{name} {plain(wanted)} is passed by the price: the stop stays")
        watch_price(scene, plan)
        return
    if improves and awaits_price(scene, plan):
        return
    reason = "its own" if mine else _whose(scene, "main's furthest target")
    _set(
        scene,
        plan,
        row.idx,
        f"{reason}: stop {_text(row.stop_loss)} → {_text(wanted)}",
        stop_loss=wanted,
        stop_loss_by=stop_by or TriggerBy.LAST,
    )


def _triggers_by(scene: Scene, row: Position, wanted: TriggerBy | None) -> bool:
    """Whether the mirror's stop triggers as it should, as far as both are known."""
    return not _differs(wanted, bound_trigger(scene.mirror, scene.symbol, row.idx, StopKind.STOP_LOSS))


def _own_stop(
    scene: Scene, plan: SymbolPlan, side: PositionSide, copy: Copy, row: Position, standing: Decimal | None
) -> Decimal | None:
    """The stop this mirror has of its own, by its bound or at breakeven; never worse again (A35)."""
    bound = own_stop.of_position(scene, side, copy, row, standing)
    best = better(side, bound, _own_breakeven(scene, plan, side, copy, row))
    if best is not None and best != copy.own_stop:
        plan.own_stops[side] = best
    return best


def _own_breakeven(scene: Scene, plan: SymbolPlan, side: PositionSide, copy: Copy, row: Position) -> Decimal | None:
    """Breakeven on the mirror's own entry, after its own rung (breakeven = "own"); None while that is not due."""
    if scene.policy.breakeven is not Breakeven.OWN:
        return None
    terms = scene.background.breakeven(side)
    due = terms is not None and 0 < terms.after <= rungs_filled(copy, scene.approach)
    if terms is None or not due or row.entry_price is None:
        return None
    if terms.waits(scene.since_ms(plan, f"fees {side}"), scene.now_ms, plan):
        return None
    return breakeven(
        side, row.entry_price, terms.entry_fees, terms.entry_qty, terms.taker, terms.margin_bps, scene.instrument
    )


def _plan_profit(
    scene: Scene, plan: SymbolPlan, side: PositionSide, main: Position, row: Position, own: Decimal | None
) -> None:
    """Main's take-profit; while it has none, the one that an adopted position came with (A63)."""
    profit = main.take_profit or own
    profit_by = bound_trigger(scene.main, scene.symbol, main.idx, StopKind.TAKE_PROFIT)
    actual_by = bound_trigger(scene.mirror, scene.symbol, row.idx, StopKind.TAKE_PROFIT)
    moved = profit != row.take_profit or (profit is not None and _differs(profit_by, actual_by))
    if moved:
        bound = (profit, row.take_profit)
        named = "its own take-profit" if scene.needs_stop else "the take-profit of main"
        stop_due(plan, "target", side, named, bound, _TARGET_BOUND_MS)
    if moved and "target" not in scene.busy:
        whose = _whose(scene, "main's stop")
        _set(
            scene,
            plan,
            row.idx,
            f"{whose}: take-profit {_text(row.take_profit)} → {_text(profit)}",
            take_profit=profit or ZERO,
            take_profit_by=profit_by or TriggerBy.LAST,
        )


def _plan_trailing(scene: Scene, plan: SymbolPlan, side: PositionSide, main: Position, row: Position) -> None:
    """The same distance as main's, from the same price on. Removed only where a stop of main's takes its place."""
    if main.trailing_stop is None and (main.stop_loss is None or row.stop_loss is None):
        return
    bound = (main.trailing_stop, row.trailing_stop)
    stop_due(plan, "trailing", side, "the trailing stop of main", bound, _TARGET_BOUND_MS)
    if "trailing" in scene.busy:
        return
    active = None
    order = _bound(scene.main, scene.symbol, main.idx, StopKind.TRAILING_STOP)
    if main.trailing_stop is not None and order is None:  # where it begins to trail only its order tells
        until = scene.since_ms(plan, f"trailing {main.side}") + _TRAILING_WAIT_MS
        if scene.now_ms < until:
            plan.settling = "main's trailing stop is not seen yet"
            plan.wake_at(until)
            return
    if main.trailing_stop is not None and order is not None and order.trigger_price:
        ticker = scene.fresh_ticker()
        if ticker is None:
            plan.needs.append(Need(NeedKind.TICKER, scene.account, scene.symbol))
            return
        waits = (order.trigger_price - ticker.last) * (1 if main.side is PositionSide.LONG else -1) > 0
        active = order.trigger_price if waits else None  # of a trailing stop the row's trigger is where it begins
    _set(
        scene,
        plan,
        row.idx,
        f"as on main: trailing stop {_text(row.trailing_stop)} → {_text(main.trailing_stop)}",
        trailing_stop=main.trailing_stop or ZERO,
        active_price=active,
    )


def _whose(scene: Scene, swapped: str) -> str:
    """What of main's a stop or target stands for; `swapped` on a reverse mirror."""
    return swapped if scene.needs_stop else "as on main"


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
        if scene.policy.on_unprotected is OnUnprotected.CLOSE:
            plan.passed_stops[side] = f"no stop could be placed for {naked_ms} ms: on_unprotected = close"
            return True
    if naked_ms < _NAKED_LOOK_MS or by is None:
        return False
    ticker = scene.fresh_ticker()
    if ticker is None:
        plan.needs.append(Need(NeedKind.TICKER, scene.account, scene.symbol))
        return False
    if not _is_passed(ticker, stop, by, side):
        return False
    plan.passed_stops[side] = f"stop {plain(stop)} is passed by {plain(trigger_value(ticker, by))}"
    return True


def watch_price(scene: Scene | TradeScene, plan: SymbolPlan) -> None:
    """A stop that the price has passed is tried again: the price is read once a second meanwhile."""
    due = scene.now_ms if scene.ticker is None else scene.ticker.at_ms + _WATCH_MS
    if scene.now_ms < due:
        plan.wake_at(due)
    else:
        plan.needs.append(Need(NeedKind.TICKER, scene.account, scene.symbol))


def awaits_price(scene: Scene | TradeScene, plan: SymbolPlan) -> bool:
    """Whether a better stop waits for a price that says whether it can be placed: for a second at most."""
    until = scene.since_ms(plan, "price for a stop") + _WATCH_MS
    if scene.fresh_ticker() is not None or scene.now_ms >= until:
        return False
    watch_price(scene, plan)
    plan.wake_at(until)
    return True


def trigger_value(ticker: Ticker, by: TriggerBy) -> Decimal:
    """The price that a stop with this trigger looks at."""
    return {TriggerBy.LAST: ticker.last, TriggerBy.MARK: ticker.mark, TriggerBy.INDEX: ticker.index}[by]


def _is_passed(ticker: Ticker | None, stop: Decimal, by: TriggerBy, side: PositionSide) -> bool:
    """Whether a known price has reached the stop; an unknown one has not."""
    return ticker is not None and (trigger_value(ticker, by) - stop) * side.sign <= 0


def attached_stop(scene: Scene, side: PositionSide, order: Order, price: Decimal) -> Decimal | None:
    """The stop that a twin of main's `order` carries: what stands on main's position, else what the order carries.

    Only one on the right side of the entry's price can be attached (A84).
    """
    standing, _, _ = scene.main_stop(side)
    copy = scene.copies.get(side)
    best = better(side, standing, copy.own_stop if copy is not None else None)
    for stop in (best, standing, order.stop_loss):
        if stop is not None and (price - stop) * side.sign > 0:
            return own_stop.of_entry(scene, side, stop, price)
    return own_stop.of_entry(scene, side, None, price)


def main_trigger(scene: Scene, side: PositionSide, kind: StopKind) -> TriggerBy | None:
    """By which price main's own stop or target of a side triggers."""
    idx = side.hedge_idx if scene.main.mode(scene.symbol) is PositionMode.HEDGE else 0
    order = _bound(scene.main, scene.symbol, idx, kind)
    return None if order is None else order.trigger_by


def bound_trigger(view: Sight, symbol: str, idx: int, kind: StopKind) -> TriggerBy | None:
    """By which price the position's stop or target triggers; only its order row tells. None when that is not seen."""
    order = _bound(view, symbol, idx, kind)
    return order.trigger_by if order is not None else None


def _bound(view: Sight, symbol: str, idx: int, kind: StopKind) -> Order | None:
    for order in view.orders(symbol):
        if order.stop_kind is kind and order.position_idx == idx:
            return order
    return None


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
