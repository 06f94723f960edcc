"""A copy without a ratio: nothing of it grows, and how much it would be is not known (A4, A82).

What the mirror still holds of ours then is of the cycle before: main was flat since, so it is closed (A8). A ratio
that is about to be made is waited for first, for the grace time: it may make that position the new cycle's.
"""

from __future__ import annotations

from mirrorctl.core.domain.corrections import plan_side
from mirrorctl.core.domain.cycle import Copy, entry_orders
from mirrorctl.core.domain.growth import standing_block
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.ours import OurOrder
from mirrorctl.core.domain.own_ladder import settle_own
from mirrorctl.core.domain.resting import cancel_entry
from mirrorctl.core.domain.rungs import plan_ladder, settle_rungs
from mirrorctl.core.domain.scene import AHEAD_WAIT_MS, Held, Need, NeedKind, Scene, SymbolPlan
from mirrorctl.core.domain.sizing import is_waiting
from mirrorctl.core.domain.twins import NO_TWINS, twin_step
from mirrorctl.core.domain.values import PositionSide


def plan_unsized(scene: Scene, plan: SymbolPlan, side: PositionSide, copy: Copy) -> None:
    """Say why the mirror follows nothing of main's position or entries yet; end what is left of the cycle before."""
    have = scene.have[side]
    block = standing_block(scene, copy)
    # an order of main's against its own position is no entry: there is nothing to follow, and nothing to wait for
    asked = scene.main_size[side] or entry_orders(scene.main, scene.symbol, side)
    waiting = bool(asked) and not block and is_waiting(copy.unsized)
    if asked:
        plan.held.append(Held(scene.account, scene.symbol, side, None, have, block or copy.unsized, waiting))
    if waiting:
        plan.settling = copy.unsized
        _attribute(scene, plan)
    soon = waiting and not _grace_over(scene, plan, side)
    for entry in _entries(scene, side):
        if not soon or _is_over(scene, side, entry):
            cancel_entry(scene, plan, entry, "there is no ratio for it")
    if have and copy.opened and not soon:
        settle = settle_rungs if scene.approach is None else settle_own
        rungs = settle(scene, plan, side, copy, ZERO)
        plan_side(scene, plan, side, copy, NO_TWINS, rungs.lag)
        plan_ladder(scene, plan, side, copy, rungs)


def _grace_over(scene: Scene, plan: SymbolPlan, side: PositionSide) -> bool:
    until = scene.since_ms(plan, f"unsized {side}") + int(scene.policy.follow.grace_s * 1000)
    if scene.now_ms < until:
        plan.wake_at(until)
    return scene.now_ms >= until


def _entries(scene: Scene, side: PositionSide) -> list[OurOrder]:
    """Entries of ours that may still fill: of the cycle before, or twins of orders that outlasted it."""
    live = (ours for ours in scene.ours.live if ours.side is side.entry and not ours.reduce_only)
    return [ours for ours in live if ours.link.role in (Role.TWIN, Role.CORRECTION)]


def _is_over(scene: Scene, side: PositionSide, twin: OurOrder) -> bool:
    """Whether an entry stands for no order that rests on main; what nothing was seen of may rest (rule 1)."""
    resting = entry_orders(scene.main, scene.symbol, side)
    if any(twin.link.step == twin_step(order.order_id) or twin.main_order_id == order.order_id for order in resting):
        return False
    unknown = bool(twin.main_order_id) and scene.main.order(twin.main_order_id) is None
    return not unknown or scene.main.is_gone(twin.main_order_id)


def _attribute(scene: Scene, plan: SymbolPlan) -> None:
    """While main's position is ahead of its executions no whole entry is known: in the end its orders are read."""
    if not scene.main.is_ahead(scene.symbol):
        return
    until = scene.since_ms(plan, "ahead") + AHEAD_WAIT_MS
    if scene.now_ms < until:
        plan.wake_at(until)
    else:
        plan.needs.append(Need(NeedKind.ORDERS, scene.main.account, scene.symbol))
