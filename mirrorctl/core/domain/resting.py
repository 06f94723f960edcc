"""Entries of ours that rest with no order of main's behind them: what a catch-up policy leaves on the book (A20).

catch_up = "limit": growth that no twin stands for is one limit order at the slippage bound; what does not fill at once
waits there, and stands for the difference. catch_up = "wait": a twin that lags stays at its price for what is lacking.
Both are taken off the book as soon as growth is held or main asks for less; their stops move with main's (A84).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from mirrorctl.core.domain.account import Order
from mirrorctl.core.domain.actions import AmendOrder, CancelOrder
from mirrorctl.core.domain.cycle import Copy
from mirrorctl.core.domain.delay import ripe_part
from mirrorctl.core.domain.due import cancel_due
from mirrorctl.core.domain.growth import other_side_block
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.ours import OurOrder
from mirrorctl.core.domain.own_approach import entry_block
from mirrorctl.core.domain.policy import CatchUp
from mirrorctl.core.domain.protection import attached_stop, main_trigger
from mirrorctl.core.domain.refusals import NO_ANSWER, lost, lost_text, lost_until_ms
from mirrorctl.core.domain.scene import AHEAD_WAIT_MS, Held, Need, NeedKind, Planned, Scene, SymbolPlan
from mirrorctl.core.domain.values import PositionSide, StopKind, TimeInForce

_RESTING = frozenset((TimeInForce.GTC, TimeInForce.POST_ONLY))


def is_resting(scene: Scene, ours: OurOrder) -> bool:
    """Whether a correction stands on the book, and waits there: no IOC that is on its way."""
    return _on_book(scene, ours) is not None


def is_standing_entry(scene: Scene, ours: OurOrder) -> bool:
    """Whether an order of ours is an entry that may fill at any time: a twin, or a resting correction."""
    return ours.is_live and (ours.link.role is Role.TWIN or is_resting(scene, ours))


def tend_resting(
    scene: Scene, plan: SymbolPlan, side: PositionSide, copy: Copy, have: Decimal, want: Decimal, lag: Decimal
) -> Decimal:
    """Keep or cancel the correction that rests on one side; returns what it may still fill.

    It is for exactly what is lacking: less or more is one order anew, once this one is known to be over.
    """
    open_qty = ZERO
    for ours in scene.ours.live:
        placed = _on_book(scene, ours)
        if placed is None or ours.side is not side.entry:
            continue
        open_qty += ours.open_qty
        lacking = _lacking(scene, plan, copy, have, want, lag)
        reason = _needless(scene, side, copy, placed, ours.open_qty, lacking)
        if reason:
            cancel_entry(scene, plan, ours, reason)
            continue
        change_resting(scene, plan, side, ours, ours.qty)
        if catch_up_late(scene, plan, ours):
            hold_resting(scene, plan, copy, placed, ours.open_qty)
    return open_qty


def stay(scene: Scene, plan: SymbolPlan, copy: Copy, twin: OurOrder, behind: Decimal) -> None:
    """A twin whose order on main is over stays at its price for what the side lacks (catch_up = "wait")."""
    change_resting(scene, plan, copy.side, twin, min(twin.filled + behind, twin.qty))


def change_resting(scene: Scene, plan: SymbolPlan, side: PositionSide, ours: OurOrder, qty: Decimal) -> None:
    """Bring the quantity of an entry that no order of main's stands behind to `qty`, and its stop to main's."""
    placed = scene.mirror.by_link(str(ours.link))
    if placed is None or not placed.is_open or f"amend:{placed.order_id}" in scene.busy:
        return
    stop = attached_stop(scene, side, placed, placed.price or placed.trigger_price or ZERO)
    # 110059: the attached stop of a partly filled order cannot change; each fill brings the position's own back
    moved = stop is not None and stop != placed.stop_loss and not scene.mirror.filled(placed)
    if not moved and qty == placed.qty:
        return
    by = main_trigger(scene, side, StopKind.STOP_LOSS) or placed.stop_loss_by
    plan.actions.append(
        Planned(
            AmendOrder(
                account=scene.account,
                symbol=scene.symbol,
                order_id=placed.order_id,
                link_id=placed.link_id,
                reason="as main's stop" if qty == placed.qty else f"{plain(qty - ours.filled)} are still lacking",
                qty=qty if qty != placed.qty else None,
                stop_loss=stop if moved else None,
                stop_loss_by=by if moved else None,
                protective=moved,
            )
        )
    )


def hold_resting(scene: Scene, plan: SymbolPlan, copy: Copy, placed: Order, qty: Decimal) -> None:
    """Say that growth waits at a price, by policy: it is neither drift nor in flight (A82)."""
    have = scene.have[copy.side]
    raw = copy.raw_want(scene.main_size[copy.side])
    where = plain(placed.price or placed.trigger_price or ZERO)
    reason = f"catch_up = {scene.policy.follow.catch_up}: {plain(qty)} rests at {where}"
    plan.held.append(Held(scene.account, scene.symbol, copy.side, raw, have, reason))


def catch_up_late(scene: Scene, plan: SymbolPlan, ours: OurOrder) -> bool:
    """Whether an entry lags for longer than the grace time: nothing is said, and nothing done, before.

    What lags is not ordered before it is ripe, so its twin may as well stand until then.
    """
    follow, what = scene.policy.follow, f"lag {ours.link}"
    began = scene.since.get(what, _lags_since_ms(scene, ours))
    plan.since[what] = began
    until = began + int(max(follow.grace_s, follow.delay_s) * 1000)
    if scene.now_ms >= until:
        return True
    plan.wake_at(until)
    return False


def _lags_since_ms(scene: Scene, ours: OurOrder) -> int:
    """When an entry began to lag, for whoever sees it first: main's order last filled then, or it was placed then."""
    order, placed = scene.main.order(ours.main_order_id), scene.mirror.by_link(str(ours.link))
    told = 0
    if order is not None and order.filled_qty >= scene.main.filled(order):  # else its row is older than the fill
        told = order.updated_ms
    elif placed is not None and not ours.main_order_id:
        told = placed.created_ms
    return min(told - scene.clock_offset_ms, scene.now_ms) if told else scene.now_ms


def cancel_entry(scene: Scene, plan: SymbolPlan, ours: OurOrder, reason: str) -> None:
    """Cancel an entry that stands on the book, unless its cancel is on the way."""
    placed = scene.mirror.by_link(str(ours.link))
    if placed is None or not placed.is_open:
        return
    cancel_due(plan, placed.order_id, placed.link_id, reason)
    if f"cancel:{placed.order_id}" in scene.busy:
        return
    plan.actions.append(Planned(CancelOrder(scene.account, scene.symbol, placed.order_id, placed.link_id, reason)))


def lost_wait(scene: Scene, plan: SymbolPlan, attempts: Sequence[OurOrder]) -> str:
    """Why an entry is not sent again that was sent, not answered and nowhere afterwards; asks for a park in the end."""
    if given_up := lost_text(attempts):
        plan.park = given_up
        return given_up
    until = lost_until_ms(attempts)
    if scene.now_ms >= until:
        return ""
    plan.wake_at(until)
    return f"{NO_ANSWER} {lost(attempts)} times, and not on the exchange"


def _on_book(scene: Scene, ours: OurOrder) -> Order | None:
    """A correction as it rests; None for every other order."""
    placed = scene.mirror.by_link(str(ours.link)) if ours.is_live and ours.is_growth_correction else None
    return placed if placed is not None and placed.is_open and placed.time_in_force in _RESTING else None


def _lacking(scene: Scene, plan: SymbolPlan, copy: Copy, have: Decimal, want: Decimal, lag: Decimal) -> Decimal:
    ripe, _ = ripe_part(scene, plan, copy, scene.main_size[copy.side])
    qty = scene.instrument.floor_qty(min(want - have - lag, ripe - have))
    return min(max(qty, ZERO), scene.instrument.max_limit_qty)


def _needless(scene: Scene, side: PositionSide, copy: Copy, placed: Order, open_qty: Decimal, lacking: Decimal) -> str:
    """Why a resting correction must go; "" while it is what is wanted."""
    if block := entry_block(scene, copy) or other_side_block(scene, side):
        return f"growth is held: {block}"
    if scene.policy.follow.catch_up is not CatchUp.LIMIT:
        return f"catch_up is {scene.policy.follow.catch_up} now"
    if open_qty != lacking:
        return f"{plain(lacking)} are lacking now"
    stop = scene.main_stop(side)[0]
    if stop is not None and placed.price is not None and (placed.price - stop) * side.sign <= 0:
        return "main's stop is beyond its price: it would stand naked"
    return ""


def awaits_fill(scene: Scene, plan: SymbolPlan) -> bool:
    """Main's row tells of a fill whose execution was not seen: it may be one of an order that is to be followed (A20).

    The side is brought to main's size now; a twin, or a target, for all that seems open would stand for it once more.
    """
    if not scene.main.is_ahead(scene.symbol):
        return False
    plan.settling = "main's position is ahead of its executions"
    until = scene.since_ms(plan, "ahead") + AHEAD_WAIT_MS
    if scene.now_ms < until:
        plan.wake_at(until)
    else:
        plan.needs.append(Need(NeedKind.ORDERS, scene.main.account, scene.symbol))
    return True
