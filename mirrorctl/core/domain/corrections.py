"""Corrections: orders that move a mirror position to its target when no twin stands for the difference.

Growth is an IOC limit inside the slippage bound, one at a time; it may be held back. A reduction is reduce-only, goes
to min(have, want), and is never held back: an IOC limit at the exit bound, repeated, then at market.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from mirrorctl.core.domain import own_stop
from mirrorctl.core.domain.actions import PlaceOrder
from mirrorctl.core.domain.cycle import Copy
from mirrorctl.core.domain.delay import ripe_part
from mirrorctl.core.domain.due import reduction_due
from mirrorctl.core.domain.growth import NO_STOP, entry_wait, quantity_block, standing_block, stop_wait
from mirrorctl.core.domain.hand_edit import awaits_execution
from mirrorctl.core.domain.ids import OUT_LEG, Role, step_tag
from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.ours import IntentState, OurOrder
from mirrorctl.core.domain.own_approach import entry_block, wanted
from mirrorctl.core.domain.policy import BelowMinimum, CatchUp
from mirrorctl.core.domain.protection import main_trigger, watch_price
from mirrorctl.core.domain.refusals import (
    NO_ANSWER,
    heals,
    last_refusal,
    lost,
    lost_until_ms,
    parks,
    refused_text,
    retry_at_ms,
)
from mirrorctl.core.domain.resting import is_resting, lost_wait, tend_resting
from mirrorctl.core.domain.scene import (
    AHEAD_WAIT_MS,
    Held,
    MainFill,
    Need,
    NeedKind,
    Planned,
    Scene,
    Skipped,
    Standing,
    SymbolPlan,
)
from mirrorctl.core.domain.twins import TwinBalance
from mirrorctl.core.domain.values import OrderType, PositionMode, PositionSide, StopKind, TimeInForce, TriggerBy

_EXIT_REPEAT_MS = 500
_PRICE_WAIT_MS = 1_000
_PASSING_WAIT_MS = 2_000
_OFTEN = 10
_OFTEN_WAIT_MS = 10_000
_SELDOM_WAIT_MS = 30_000
_LASTING_WAIT_MS = 60_000
_LOST_TOLD = 3
_LONGEST_SLIPPAGE_WAIT_MS = 30_000


def plan_side(
    scene: Scene, plan: SymbolPlan, side: PositionSide, copy: Copy | None, twins: TwinBalance, exit_lag: Decimal = ZERO
) -> None:
    """Bring one side to its target, or say why it stays. `exit_lag`: what its rungs are still to sell."""
    main_size, have = scene.main_size[side], scene.have[side]
    raw = want = resting = ZERO
    if copy is not None:
        raw = copy.raw_want(main_size)
        want = wanted(scene, side, copy, raw)
        if scene.ours.live:
            resting = tend_resting(scene, plan, side, copy, have, want, twins.lag)
    if not have and not want and not raw:
        return
    plan.standings.append(
        Standing(
            scene.account,
            scene.symbol,
            side,
            have,
            want,
            raw,
            tolerated=twins.lag + resting if want > have else twins.lead + exit_lag,
        )
    )
    if copy is None:
        return
    if have > want + twins.lead + exit_lag:
        _reduce(scene, plan, side, copy, have, want, twins.lead + exit_lag)
    elif want > have or (not have and copy.asked(main_size) > ZERO):  # also what is less than one step
        _grow(scene, plan, side, copy, have, want, twins.lag)
    elif _is_short(scene, copy, raw, want) and (block := standing_block(scene, copy) or _left_out(copy)):
        plan.held.append(Held(scene.account, scene.symbol, side, raw, want, block))


def _is_short(scene: Scene, copy: Copy, raw: Decimal, want: Decimal) -> bool:
    """Whether the mirror holds less than its ratio says, by more than rounding."""
    return raw - want >= scene.instrument.qty_step or (bool(copy.skipped) and raw > want)


def _left_out(copy: Copy) -> str:
    return f"below minimum: {plain(copy.skipped)} of earlier entries skipped" if copy.skipped else ""


def _reduce(
    scene: Scene, plan: SymbolPlan, side: PositionSide, copy: Copy, have: Decimal, want: Decimal, lead: Decimal
) -> None:
    began = scene.since_ms(plan, f"excess {side}")
    _name_late_exit(scene, plan, side, began)
    qty = scene.instrument.floor_qty(have - want - lead)
    if qty <= 0 or (want and awaits_execution(scene, plan, side)):
        return
    reduction_due(scene, plan, side, have, want + lead, f"excess {side}")
    step = step_tag(scene.symbol, side, str(scene.mirror.seq(scene.symbol)), plain(want))
    link, attempts = scene.next_try(copy, Role.REDUCTION, step, OUT_LEG if copy.out else 0)
    if any(order.side is side.exit and order.delays(link, closes=not want) for order in scene.ours.live):
        return
    if lost(attempts) >= _LOST_TOLD:
        plan.late_exits.append(f"the {side} is not reduced: {NO_ANSWER} {lost(attempts)} times, tried on")
    retry = _exit_retry_ms(attempts)
    if scene.now_ms < retry:
        plan.wake_at(retry)
        return
    reference, source = _exit_reference(scene, plan, side)
    deadline = began + int(scene.policy.follow.exit_deadline_s * 1000)
    closes = not want
    reason = f"main holds {plain(scene.main_size[side])}: want {plain(want)}, have {plain(have)}"
    if closes:
        reason = f"main is flat: close {plain(have)}" if copy.ended else f"want 0, have {plain(have)}"
        explained = copy.out or copy.explained or scene.background.explains_close(side)
        plan.closes_unexplained |= not explained
    if reference is None and scene.now_ms < began + _PRICE_WAIT_MS:
        plan.wake_at(began + _PRICE_WAIT_MS)
        return
    at_market = reference is None or scene.now_ms >= deadline
    order_type = OrderType.MARKET if at_market else OrderType.LIMIT
    price = None
    if reference is not None and not at_market:
        bound = scene.policy.follow.max_exit_slippage_bps
        price = scene.instrument.bounded_price(reference, side.exit, bound)
        reason += f"; within {plain(bound)} bps of {source} {plain(reference)}"
    plan.actions.append(
        Planned(
            PlaceOrder(
                account=scene.account,
                symbol=scene.symbol,
                side=side.exit,
                order_type=order_type,
                qty=min(qty, scene.instrument.max_qty(order_type)),
                link_id=str(link),
                role=Role.REDUCTION,
                reason=reason,
                position_idx=scene.idx(side),
                price=price,
                time_in_force=TimeInForce.IOC,
                reduce_only=True,
            )
        )
    )


def _name_late_exit(scene: Scene, plan: SymbolPlan, side: PositionSide, began_ms: int) -> None:
    """Say when a reduction found no price within its bound: it goes on, and at market in the end."""
    missed = (
        order.state is IntentState.DONE and order.filled < order.qty
        for role in (Role.REDUCTION, Role.FLATTEN)
        for order in scene.ours.of(role, side.exit)
        if order.ended_ms > began_ms
    )
    if any(missed):
        follow = scene.policy.follow
        plan.late_exits.append(
            f"the {side} was not reduced within {plain(follow.max_exit_slippage_bps)} bps: tried again at that bound,"
            f" at market {plain(follow.exit_deadline_s)} s after it began"
        )


def _exit_retry_ms(attempts: list[OurOrder]) -> int:
    """When a reduction may be tried again: at a steady pace at the bound, ever more rarely once it was refused."""
    if not attempts:
        return 0
    refusal = last_refusal(attempts)
    if refusal is not None:
        passing = _PASSING_WAIT_MS if len(attempts) < _OFTEN else _OFTEN_WAIT_MS
        return retry_at_ms(attempts, passing if heals(refusal.code, refusal.message) else _LASTING_WAIT_MS)
    ended, longest = attempts[-1].ended_ms, _OFTEN_WAIT_MS if lost(attempts) < _OFTEN else _SELDOM_WAIT_MS
    return max(ended + _EXIT_REPEAT_MS, min(lost_until_ms(attempts), ended + longest))


def _grow(
    scene: Scene, plan: SymbolPlan, side: PositionSide, copy: Copy, have: Decimal, want: Decimal, lag: Decimal
) -> None:
    main_size = scene.main_size[side]

    def hold(reason: str, *, waiting: bool = False) -> None:
        plan.raised.pop(side, None)
        plan.held.append(Held(scene.account, scene.symbol, side, copy.raw_want(main_size), have, reason, waiting))

    block = entry_block(scene, copy)
    if block:
        hold(block)
        return
    if scene.needs_stop and (lack := stop_wait(scene, plan, side)):
        hold(lack, waiting=lack != NO_STOP)
        return
    if scene.ours.live and any(_is_in_the_way(scene, side, order) for order in scene.ours.live):
        return
    if scene.mode is PositionMode.ONE_WAY and scene.have[side.opposite]:
        return  # a flip is two orders: the close comes first
    growth = _growth(scene, plan, side, copy, have, want, lag, hold)
    if growth is None:
        return
    qty, want = growth
    step = step_tag(scene.symbol, side, str(scene.mirror.seq(scene.symbol)), plain(want))
    link, attempts = scene.next_try(copy, Role.CORRECTION, step)
    reference, source = _entry_reference(scene, plan, side)
    if reference is None:
        hold("price is not known yet", waiting=True)
        return
    bound = scene.policy.follow.max_slippage_bps
    price = scene.instrument.bounded_price(reference, side.entry, bound)
    lowest, highest = min(price, reference), max(price, reference)
    if scene.policy.sizing.below_minimum is BelowMinimum.ROUND_UP:
        qty = _raised(scene, plan, side, copy, qty, have + lag, lowest)
    block = _attempts_block(scene, plan, attempts, side, price) if attempts else ""
    block = block or quantity_block(scene, qty, lowest, highest)
    if block:
        hold(block)
        return
    if wait := entry_wait(scene, plan, side):
        hold(wait, waiting=True)
        return
    stop = scene.main_stop(side)[0] or scene.background.intended_stop(side)
    stop = own_stop.of_correction(scene, side, copy, stop, reference)
    if stop is not None and (price - stop) * side.sign <= 0:
        hold("main's stop is passed: an entry would stand naked")
        return
    plan.actions.append(
        Planned(
            PlaceOrder(
                account=scene.account,
                symbol=scene.symbol,
                side=side.entry,
                order_type=OrderType.LIMIT,
                qty=qty,
                link_id=str(link),
                role=Role.CORRECTION,
                reason=(
                    f"main holds {plain(main_size)}: want {copy.told(want, main_size)}, have {plain(have)};"
                    f" {copy.formula}; within {plain(bound)} bps of {source} {plain(reference)}"
                ),
                position_idx=scene.idx(side),
                price=price,
                time_in_force=TimeInForce.GTC if scene.policy.follow.catch_up is CatchUp.LIMIT else TimeInForce.IOC,
                stop_loss=stop,
                stop_loss_by=(main_trigger(scene, side, StopKind.STOP_LOSS) if stop else None) or TriggerBy.LAST,
            )
        )
    )


def _is_in_the_way(scene: Scene, side: PositionSide, order: OurOrder) -> bool:
    """Whether a live order must be over before a side is grown: but what rests for the other leg may rest."""
    if not (order.is_growth_correction or order.is_reduction):
        return False
    hedged = scene.mode is PositionMode.HEDGE
    return not (hedged and order.side is not side.entry and is_resting(scene, order))


def _growth(
    scene: Scene,
    plan: SymbolPlan,
    side: PositionSide,
    copy: Copy,
    have: Decimal,
    want: Decimal,
    lag: Decimal,
    hold: Callable[[str], None],
) -> tuple[Decimal, Decimal] | None:
    """(what is lacking, the size it leads to) as far as it may be followed now; None for nothing."""
    main_size = scene.main_size[side]
    qty = min(scene.instrument.floor_qty(want - have - lag), scene.instrument.max_limit_qty)
    if qty <= 0 and (have or lag):
        return None
    ripe, delay = ripe_part(scene, plan, copy, main_size) if scene.ripening else (want, "")
    if delay and (not qty or ripe - have < qty):
        hold(delay)
        want, qty = ripe, ripe - have
        if qty <= 0:
            return None
    if _is_small(scene, side, copy, qty):
        asked = qty or copy.asked(main_size)
        young = scene.ripening.get(side)
        _skip(scene, plan, side, want, Skipped(asked, have + lag, main_size - (young.qty if young else ZERO)))
        hold(f"below minimum: {plain(asked)}")
        return None
    return qty, want


def _raised(
    scene: Scene, plan: SymbolPlan, side: PositionSide, copy: Copy, qty: Decimal, base: Decimal, price: Decimal
) -> Decimal:
    """With `round-up`: `qty`, or the minimum in its place, once in a cycle; written down before it is sent (A9)."""
    if copy.raised or scene.instrument.meets_minimum(qty, price):
        return qty
    minimum = scene.instrument.minimum(price)
    plan.raised[side] = base + minimum
    return minimum


def _is_small(scene: Scene, side: PositionSide, copy: Copy, qty: Decimal) -> bool:
    """Whether growth is under the contract's minimum at main's price, and is not raised to it."""
    if scene.policy.sizing.below_minimum is BelowMinimum.ROUND_UP and not copy.raised:
        return False
    row = scene.main.position(scene.symbol, side)
    price = None if row is None else row.mark_price or row.entry_price
    return qty < scene.instrument.min_qty or (price is not None and not scene.instrument.meets_minimum(qty, price))


def _skip(scene: Scene, plan: SymbolPlan, side: PositionSide, want: Decimal, skipped: Skipped) -> None:
    """With `skip`, what stays under the minimum for the grace time is left out for good (A9)."""
    if scene.policy.sizing.below_minimum is not BelowMinimum.SKIP:
        return
    until = scene.since_ms(plan, f"small {side} {plain(want)}") + int(scene.policy.follow.grace_s * 1000)
    if scene.now_ms >= until:
        plan.skipped[side] = skipped
    else:
        plan.wake_at(until)


def _attempts_block(
    scene: Scene, plan: SymbolPlan, attempts: list[OurOrder], side: PositionSide, price: Decimal
) -> str:
    """Why the next attempt must wait for what the earlier ones met; asks for a park when nothing can heal it (A57)."""
    refusal = last_refusal(attempts)
    if refusal is not None and parks(refusal.code, refusal.message):
        plan.park = refused_text(refusal)
        return plan.park
    if missing := lost_wait(scene, plan, attempts):
        return missing
    done = [order for order in attempts if order.state is not IntentState.ABSENT and not order.by_us]
    retry = retry_at_ms(done, 60_000 if refusal else _LONGEST_SLIPPAGE_WAIT_MS)
    if not retry or scene.now_ms >= retry:
        return ""
    plan.wake_at(retry)
    if refusal is not None:
        return refused_text(refusal)
    if scene.policy.follow.catch_up is CatchUp.LIMIT:
        return "the last order ended without a fill"
    if _is_within(scene, plan, attempts[-1], side, price):
        return ""
    return f"slippage: nothing within {plain(scene.policy.follow.max_slippage_bps)} bps"


def _is_within(scene: Scene, plan: SymbolPlan, last: OurOrder, side: PositionSide, price: Decimal) -> bool:
    """Whether the market has come back inside the bound: that ends the wait. The price is read once a second."""
    watch_price(scene, plan)
    ticker = scene.fresh_ticker()
    if ticker is None or min(ticker.at_ms, scene.now_ms) < last.ended_ms + _PRICE_WAIT_MS:
        return False
    offer = ticker.ask if side is PositionSide.LONG else ticker.bid
    return offer is not None and (price - offer) * side.sign >= 0


def _entry_reference(scene: Scene, plan: SymbolPlan, side: PositionSide) -> tuple[Decimal | None, str]:
    """As `_reference`; but while main's row is ahead of its executions the price of a fill is on its way.

    A row that is read before the first execution comes tells it too: the entry of a young position.
    """
    fill = scene.background.growth_fill(side)
    if fill is not None and _is_young(scene, fill.at_ms, scene.now_ms):
        return fill.price, "main's fill"
    row = scene.main.position(scene.symbol, side)
    if row is not None and row.entry_price is not None and _is_young(scene, row.opened_ms, scene.exchange_ms):
        return row.entry_price, "main's entry"
    until = scene.since_ms(plan, f"price {side}") + AHEAD_WAIT_MS if scene.main.is_ahead(scene.symbol) else 0
    if scene.now_ms < until:
        plan.wake_at(until)
        return None, ""
    return _reference(scene, plan, None)


def _is_young(scene: Scene, at_ms: int, now_ms: int) -> bool:
    return now_ms - at_ms <= scene.policy.follow.max_age_s * 1000


def _exit_reference(scene: Scene, plan: SymbolPlan, side: PositionSide) -> tuple[Decimal | None, str]:
    return _reference(scene, plan, scene.background.exit_fill(side))


def _reference(scene: Scene, plan: SymbolPlan, fill: MainFill | None) -> tuple[Decimal | None, str]:
    """Main's fill while it is young, else the mid of a fresh ticker; None asks for one."""
    if fill is not None and _is_young(scene, fill.at_ms, scene.now_ms):
        return fill.price, "main's fill"
    ticker = scene.fresh_ticker()
    if ticker is not None:
        return ticker.mid, "the mid"
    plan.needs.append(Need(NeedKind.TICKER, scene.account, scene.symbol))
    return None, ""
