"""A managed trade on main: its ladder, its stop and its entries are brought to what the trader intends.

Only trades made by `mirrorctl trade`, or named by `monitors add`, come here (A79). What the trader moves on main by
hand is his word and becomes the intent; what vanished while the position stands is restored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from mirrorctl.core.domain.account import Order, Position
from mirrorctl.core.domain.actions import AmendOrder, CancelOrder, PlaceOrder, SetTradingStop
from mirrorctl.core.domain.breakeven import better, breakeven
from mirrorctl.core.domain.due import cancel_due, keep_time, stop_due
from mirrorctl.core.domain.exits import Holding, Rested, differ, is_moving, plan_targets, rested
from mirrorctl.core.domain.ids import LinkId, Role, step_tag
from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.ladder import spread, stored_ladder, without
from mirrorctl.core.domain.ours import IntentState, OurOrder
from mirrorctl.core.domain.protection import awaits_price, bound_trigger, trigger_value, watch_price
from mirrorctl.core.domain.refusals import retry_at_ms
from mirrorctl.core.domain.scene import AHEAD_WAIT_MS, Need, NeedKind, Planned, SymbolPlan
from mirrorctl.core.domain.standing_trade import ladder_on_book, read_off, rebased
from mirrorctl.core.domain.trade import Trade
from mirrorctl.core.domain.trade_scene import TradePlan, TradeScene, rungs_done, trade_entries
from mirrorctl.core.domain.values import OrderType, Side, StopKind, TimeInForce, TriggerBy

_NAKED_LOOK_MS = 500
_NAKED_BOUND_MS = 2_000
_UNOPENED_MS = 60_000


def plan_trade(scene: TradeScene) -> TradePlan:
    """Everything to do now about one managed trade on main. The view must be known; the caller sees to that."""
    decided = _decide(scene)
    keep_time(scene, decided.plan)
    return decided


def _decide(scene: TradeScene) -> TradePlan:
    plan = SymbolPlan(scene.account, scene.symbol)
    decided = TradePlan(plan, scene.trade, stood_seq=scene.stood_seq)
    if not scene.view.is_settled(scene.symbol):
        plan.blocked = "a fill on main is not accounted for yet"
        return decided
    size = scene.view.size(scene.symbol, scene.side)
    if not size:
        _wind_up(scene, decided)
        return decided
    if not scene.trade.opened:
        if _never_opened(scene):
            decided.over = True
            return decided
        decided.trade = replace(decided.trade, opened=True)
    if scene.trade.stop is not None:
        plan.guarded[scene.side] = scene.trade.stop
    row = scene.view.position(scene.symbol, scene.side)
    if row is None:
        plan.needs.append(Need(NeedKind.POSITION, scene.account, scene.symbol))
        plan.wake_at(scene.now_ms + _NAKED_LOOK_MS)
        return decided
    _take_word(scene, decided, row)
    _plan_stop(scene, decided, row)
    _plan_entries(scene, decided)
    if not _is_ahead(scene, plan):
        _plan_targets(scene, decided, size, row)
    plan.actions.sort(key=lambda planned: planned.action.priority)
    return decided


def _is_ahead(scene: TradeScene, plan: SymbolPlan) -> bool:
    """The position moved and its execution was not seen: it may be a target's, which must not be shrunk for it."""
    standing = any(ours.link.role is Role.TARGET for ours in scene.ours.live)
    standing = standing or any(_standing_order(scene, scene.trade, leg) for leg in range(len(scene.trade.targets)))
    if not standing or not scene.view.is_ahead(scene.symbol):
        return False
    plan.settling = "the position is ahead of its executions"
    until = scene.since_ms(plan, "ahead") + AHEAD_WAIT_MS
    if scene.now_ms < until:
        plan.wake_at(until)
    else:
        plan.needs.append(Need(NeedKind.ORDERS, scene.account, scene.symbol))
    return True


def _wind_up(scene: TradeScene, decided: TradePlan) -> None:
    """Flat. Before the first fill its entries wait (A61); afterwards none of our orders stays (A62)."""
    live = [ours for ours in scene.ours.live if ours.link.role in (Role.ENTRY, Role.TARGET)]
    mine = [ours for ours in live if ours.side is (scene.side.entry if _is_entry(ours) else scene.side.exit)]
    if not scene.trade.opened:
        decided.over = not mine and scene.now_ms - scene.trade.created_ms > _UNOPENED_MS
        decided.plan.wake_at(scene.now_ms + _UNOPENED_MS)
        return
    if not scene.view.proven(scene.symbol, scene.side) or scene.view.position(scene.symbol, scene.side) is not None:
        decided.plan.settling = "the position is not proven flat"  # executions alone may come in any order
        decided.plan.needs.append(Need(NeedKind.POSITION, scene.account, scene.symbol))
        return
    for ours in mine:
        placed = scene.view.by_link(str(ours.link))
        if placed is not None and placed.is_open:
            _cancel(scene, decided.plan, placed, "the trade is closed")
    decided.over = not mine


def _never_opened(scene: TradeScene) -> bool:
    """Whether its entries are gone and filled nothing: what stands now was opened by somebody else (A79)."""
    entries = [ours for side in Side for ours in scene.ours.of(Role.ENTRY, side) if ours.link.trade == scene.trade.tag]
    ended = any(ours.state is IntentState.DONE for ours in entries)
    return ended and not any(ours.is_live or ours.filled for ours in entries)


def _is_entry(ours: OurOrder) -> bool:
    return ours.link.role is Role.ENTRY


def _take_word(scene: TradeScene, decided: TradePlan, row: Position) -> None:
    """A stop or target that stands at neither the intended nor the last seen price was moved by the trader."""
    trade = decided.trade
    if row.stop_loss is not None and "stop" not in scene.busy:
        if row.stop_loss in (trade.stop, trade.stood):
            decided.stood_seq = row.seq
        if row.stop_loss == trade.stop:
            trade = replace(trade, stood=row.stop_loss)
        elif trade.stood is None:  # first seen: what stood before the trade was made, until its own stop is placed
            trade = replace(trade, stop=trade.stop or row.stop_loss, stood=row.stop_loss)
        elif row.stop_loss != trade.stood and not _is_stale(scene, row, row.stop_loss):
            trade = replace(trade, stop=row.stop_loss, stood=row.stop_loss)
            if not _is_brought(scene, row, row.stop_loss):  # else an entry brought a better one with it
                decided.told.append(f"stop moved on main by hand to {plain(row.stop_loss)}")
    trade = _with_new_exits(scene, decided, trade)
    targets = list(trade.targets)
    for leg, target in enumerate(targets):
        order = _standing_order(scene, trade, leg)
        price = None if order is None else order.trigger_price if order.stop_kind.position_bound else order.price
        if order is None or price is None or f"amend:{order.order_id}" in scene.busy:
            continue
        if price not in (target.price, target.stood) and target.stood is not None:
            decided.told.append(f"target {leg + 1} moved on main by hand to {plain(price)}")
            targets[leg] = replace(target, price=price, stood=price)
        elif price == target.price != target.stood:
            targets[leg] = replace(target, stood=price)
    decided.trade = replace(trade, targets=tuple(targets))


def _with_new_exits(scene: TradeScene, decided: TradePlan, trade: Trade) -> Trade:
    """An exit that the trader added to an adopted trade is his word: the ladder is read off anew.

    Its first ladder brings the usual exit policy with it; rungs that were done before count for nothing there.
    """
    if not trade.adopted:
        return trade
    known = {trade.rung_key(leg) for leg in range(len(trade.targets))}
    new = [rung for rung in ladder_on_book(scene.view, scene.symbol, scene.side).rungs if rung.key not in known]
    found = read_off(scene.view, scene.symbol, scene.side, trade.tag, scene.usual, trade.created_ms) if new else None
    if found is None or {found.trade.rung_key(leg) for leg in range(len(found.trade.targets))} <= known:
        return trade  # what is new lies beyond the whole position
    decided.told.append(f"targets read off main anew: {len(found.trade.targets)} of them")
    read = replace(trade, targets=found.trade.targets, uncovered=found.trade.uncovered)
    return read if len(trade.targets) > 1 else rebased(read, found.trade, len(scene.done))


def _is_stale(scene: TradeScene, row: Position, stop: Decimal) -> bool:
    """Whether an entry that filled brought an older attached stop with it: not the trader's word (A35, A84)."""
    worse = better(scene.side, stop, scene.trade.stop) != stop
    return worse and _is_brought(scene, row, stop)


def _is_brought(scene: TradeScene, row: Position, stop: Decimal) -> bool:
    """Whether a fill may have put the stop there: a row's seq is that of its last fill, and a hand does not move it."""
    return stop in scene.attached and (scene.stood_seq is None or row.seq > scene.stood_seq)


def _standing_order(scene: TradeScene, trade: Trade, leg: int) -> Order | None:
    target = trade.targets[leg]
    if target.order_id:
        order = scene.view.order(target.order_id)
        if order is not None and order.is_open:
            return order
    key = trade.rung_key(leg)
    for ours in scene.ours.live:
        if ours.link.role is Role.TARGET and ours.link.step == key:
            placed = scene.view.by_link(str(ours.link))
            if placed is not None and placed.is_open:
                return placed
    return None


def _plan_stop(scene: TradeScene, decided: TradePlan, row: Position) -> None:
    """Breakeven when it is due, then the stop that shall stand, on the position and on what may still fill."""
    _breakeven(scene, decided, row)
    intended = decided.trade.stop
    if intended is None:
        return
    stop = intended
    if row.stop_loss is None:
        stop = _vanished(scene, decided.trade, intended)
        if _is_naked(scene, decided, stop):
            return
    by = bound_trigger(scene.view, scene.symbol, row.idx, StopKind.STOP_LOSS) or TriggerBy.LAST
    if row.stop_loss != stop:
        _move_stop(scene, decided, row, stop, by)
    for order in trade_entries(scene):
        price = order.price or order.trigger_price or ZERO
        busy = {f"amend:{order.order_id}", f"cancel:{order.order_id}"} & scene.busy
        fixed = scene.view.filled(order) > ZERO  # 110059: of a partly filled order it cannot change
        if order.stop_loss != intended and not (busy or fixed) and (price - intended) * scene.side.sign > 0:
            decided.plan.actions.append(
                Planned(
                    AmendOrder(
                        scene.account,
                        scene.symbol,
                        order.order_id,
                        order.link_id,
                        f"the stop moved: attached {plain(intended)}",
                        stop_loss=intended,
                        stop_loss_by=order.stop_loss_by,
                        protective=True,
                    )
                )
            )


def _move_stop(scene: TradeScene, decided: TradePlan, row: Position, stop: Decimal, by: TriggerBy) -> None:
    plan, stands = decided.plan, row.stop_loss
    ticker = scene.fresh_ticker()  # where none can be had the exchange itself says whether the price has passed
    passed = ticker is not None and (trigger_value(ticker, by) - stop) * scene.side.sign <= 0
    passed = passed and stands is not None
    stop_due(plan, "stop", scene.side, "the stop", (stop, stands), _NAKED_BOUND_MS, named=passed)
    if "stop" in scene.busy:
        return
    if stands is not None and stands == decided.trade.stood and awaits_price(scene, plan):
        return  # what stands protects meanwhile
    if passed and stands is not None:
        plan.missing.append(f"stop {plain(stop)} is passed by the price: {plain(stands)} stays")
        watch_price(scene, plan)
        return
    what = "restored" if stands is None else f"{plain(stands)} → {plain(stop)}"
    plan.actions.append(
        Planned(SetTradingStop(scene.account, scene.symbol, row.idx, f"stop {what}", stop_loss=stop, stop_loss_by=by))
    )


def _vanished(scene: TradeScene, trade: Trade, intended: Decimal) -> Decimal:
    """The stop to restore first: what stood, where it could not be brought to a better price yet (rule 7, A27)."""
    if trade.stood is None or better(scene.side, intended, trade.stood) != intended:
        return intended
    return trade.stood


def _breakeven(scene: TradeScene, decided: TradePlan, row: Position) -> None:
    """After the agreed rung the stop goes to breakeven, once for each average entry price; never to a worse one."""
    trade, terms = decided.trade, scene.terms
    due = 0 < trade.breakeven_after <= rungs_done(trade, scene.done)
    if not due or terms is None or row.entry_price is None or row.entry_price == trade.breakeven_entry:
        return
    if terms.waits(scene.since_ms(decided.plan, "fees"), scene.now_ms, decided.plan):
        return
    price = breakeven(
        scene.side,
        row.entry_price,
        terms.entry_fees,
        terms.entry_qty,
        terms.taker,
        trade.breakeven_margin_bps,
        scene.instrument,
    )
    stop = better(scene.side, trade.stop, price)
    if stop != trade.stop:
        decided.told.append(f"stop to breakeven {plain(price)}")
    decided.trade = replace(trade, stop=stop, breakeven_entry=row.entry_price)


def _is_naked(scene: TradeScene, decided: TradePlan, stop: Decimal) -> bool:
    """The position stands without its stop. True when it is closed instead: the price has passed the stop (A24)."""
    plan = decided.plan
    naked_ms = scene.now_ms - scene.since_ms(plan, f"naked {scene.side}")
    plan.wake_at(scene.now_ms + _NAKED_LOOK_MS)
    if naked_ms > _NAKED_BOUND_MS:
        plan.unprotected.append(scene.side)
    if naked_ms < _NAKED_LOOK_MS:
        return False
    ticker = scene.fresh_ticker()
    if ticker is None:
        plan.needs.append(Need(NeedKind.TICKER, scene.account, scene.symbol))
        return False
    if (ticker.last - stop) * scene.side.sign > 0:
        return False
    plan.passed_stops[scene.side] = f"stop {plain(stop)} is passed by {plain(ticker.last)}: closed at market"
    _close(scene, plan, f"its stop {plain(stop)} is passed")
    return True


def _plan_entries(scene: TradeScene, decided: TradePlan) -> None:
    """After the agreed rung no entry waits any more (A33). What the trader adds by hand afterwards stays."""
    after, done = decided.trade.cancel_entries_after, rungs_done(decided.trade, scene.done)
    if not 0 < after <= done:
        return
    waiting = trade_entries(scene)
    for order in waiting:
        _cancel(scene, decided.plan, order, f"target {after} is filled")
    if scene.trade.adopted and not waiting:
        decided.trade = replace(decided.trade, cancel_entries_after=done + 1)


def _plan_targets(scene: TradeScene, decided: TradePlan, size: Decimal, row: Position) -> None:
    trade, plan = decided.trade, decided.plan
    holding = Holding(
        scene.now_ms,
        scene.account,
        scene.tag,
        trade.tag,
        scene.symbol,
        scene.side,
        scene.idx,
        scene.instrument,
        scene.view,
        scene.ours,
        scene.busy,
    )
    standing = rested(holding, [target.order_id for target in trade.targets if target.order_id])
    left = without(stored_ladder(trade), scene.done)
    if trade.targets and not left.rungs:
        _sweep(scene, plan, size, row)
    wanted = spread(left, size, _filled(standing), scene.instrument) if left.rungs else ()
    arriving = any(
        ours.link.role is Role.ENTRY and scene.view.by_link(str(ours.link)) is None for ours in scene.ours.live
    )
    arriving = arriving or any(ours.is_reducing for ours in scene.ours.live)
    if not arriving and differ(wanted, standing):
        touched = scene.view.touched_ms(scene.symbol)
        arriving = is_moving(scene.now_ms, touched, scene.since_ms(plan, f"resize {scene.side}"), plan)
    plan_targets(holding, plan, wanted, standing, may_grow=not arriving)


def _filled(standing: Mapping[str, Rested]) -> dict[str, Decimal]:
    return {key: rung.filled for key, rung in standing.items()}


def _sweep(scene: TradeScene, plan: SymbolPlan, size: Decimal, row: Position) -> None:
    """Every rung is done and something is left: dust is closed, more than that stands under its stop (A39)."""
    price = row.mark_price or row.entry_price or ZERO
    if scene.instrument.meets_minimum(size, price):
        plan.missing.append(f"all targets are filled and {plain(size)} is left: it stands under its stop alone")
        return
    _close(scene, plan, "dust after the last target")


def _close(scene: TradeScene, plan: SymbolPlan, reason: str) -> None:
    """Close what is held at market, reduce-only, one order at a time."""
    if any(ours.is_reducing for ours in scene.ours.live):
        return
    size = scene.view.size(scene.symbol, scene.side)
    step = step_tag("close", scene.symbol, scene.side, str(scene.view.seq(scene.symbol)))
    first = LinkId(scene.tag, scene.trade.tag, Role.REDUCTION, 0, step, 0)
    attempts = scene.ours.attempts(first)
    if scene.now_ms < (retry := retry_at_ms(attempts)):
        plan.wake_at(retry)
        return
    link = attempts[-1].link.next_attempt() if attempts else first
    plan.actions.append(
        Planned(
            PlaceOrder(
                account=scene.account,
                symbol=scene.symbol,
                side=scene.side.exit,
                order_type=OrderType.MARKET,
                qty=min(size, scene.instrument.max_market_qty),
                link_id=str(link),
                role=Role.REDUCTION,
                reason=reason,
                position_idx=scene.idx,
                time_in_force=TimeInForce.IOC,
                reduce_only=True,
            )
        )
    )


def _cancel(scene: TradeScene, plan: SymbolPlan, order: Order, reason: str) -> None:
    cancel_due(plan, order.order_id, order.link_id, reason)
    if f"cancel:{order.order_id}" not in scene.busy:
        plan.actions.append(Planned(CancelOrder(scene.account, scene.symbol, order.order_id, order.link_id, reason)))
