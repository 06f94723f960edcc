"""A mirror's own ladder on its own position: the rungs of main's trade, each standing for its share here.

A rung that main filled and the mirror did not lags: for the grace time its order stands for the difference. After it
the rest is reduced: what main filled to the end is cancelled first, of what main filled in part the order shrinks
first. Nothing is ever ordered beside it for what it stands for (A20). A rung that the mirror filled first is an own
exit, and final (A76).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from mirrorctl.core.domain.account import Order
from mirrorctl.core.domain.actions import PlaceOrder
from mirrorctl.core.domain.cycle import Copy
from mirrorctl.core.domain.exit_orders import key_of
from mirrorctl.core.domain.exits import Holding, Rested, cancel_target, differ, is_moving, plan_targets, rested
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.ladder import Ladder, RungOrder, spread, without
from mirrorctl.core.domain.resting import awaits_fill, is_resting
from mirrorctl.core.domain.scene import Need, NeedKind, Scene, SymbolPlan
from mirrorctl.core.domain.values import OrderStatus, PositionSide


@dataclass(slots=True)
class RungBalance:
    """What a mirror's rungs explain of its excess: `lag` is still to be sold by them. Base coin.

    `wanted`: what rests once nothing lags, by key. `waiting`: what a rung may still sell beyond that, within the grace
    time. `keep` stand as they are.
    """

    standing: dict[str, Rested]
    wanted: dict[str, RungOrder]
    lag: Decimal = ZERO
    waiting: dict[str, Decimal] = field(default_factory=dict)
    keep: set[str] = field(default_factory=set)


_NO_RUNGS = RungBalance({}, {})
"""Nobody changes a balance once it was returned."""


def settle_rungs(scene: Scene, plan: SymbolPlan, side: PositionSide, copy: Copy, lead: Decimal) -> RungBalance:
    """What the mirror's rungs still owe of main's, and what should rest; one that owed it for too long gives way."""
    left = Ladder((), ZERO) if copy.ended else scene.background.ladder(side)
    if copy.done:
        left = without(left, copy.done)
    if not left.rungs and (Role.TARGET, side.exit) not in scene.ours.by_role:
        return _NO_RUNGS
    holding = holding_of(scene, side, copy)
    standing = rested(holding)
    want = copy.want(scene.main_size[side], scene.instrument)
    sold = _sold(scene, side, copy, left, standing)
    rungs = spread(left, min(holding.size, scene.instrument.floor_qty(want + lead)), sold, scene.instrument)
    balance = RungBalance(standing, {rung.key: rung for rung in rungs})
    excess = max(scene.instrument.floor_qty(holding.size - want - lead), ZERO)
    for key, rung in standing.items():
        if not rung.live:
            continue
        owed, finished = _owed(scene, plan, side, rung)
        stays = balance.wanted.get(key) if not finished else None
        if stays is not None:
            owed = min(owed, max(rung.open_qty - stays.open_qty, ZERO))
        behind = min(owed, excess - balance.lag)
        if behind <= ZERO:
            continue
        late = is_late(scene, plan, rung)
        if stays is None:
            balance.keep.add(key)
            if late:
                reason = f"main's is filled, {plain(behind)} lag here: what is left is reduced"
                cancel_target(holding, plan, rung, reason)
        elif not late:
            balance.waiting[key] = behind
        if late and not want:
            continue  # all of it is closed now: the order beside the close cannot sell too much
        balance.lag += behind
    return balance


def plan_ladder(scene: Scene, plan: SymbolPlan, side: PositionSide, copy: Copy, balance: RungBalance) -> None:
    """Bring the standing targets to the ladder, spread over what the mirror shall hold."""
    if not balance.wanted and not balance.standing:
        return
    wanted = [
        replace(rung, open_qty=rung.open_qty + balance.waiting.get(key, ZERO)) for key, rung in balance.wanted.items()
    ]
    passing = (ours.is_growth_correction and not (ours.overdue or is_resting(scene, ours)) for ours in scene.ours.live)
    growing = any(passing) or any(
        isinstance(item.action, PlaceOrder) and item.action.role is Role.CORRECTION for item in plan.actions
    )
    if not growing and differ(wanted, balance.standing):
        touched = scene.mirror.touched_ms(scene.symbol)
        growing = is_moving(scene.now_ms, touched, scene.since_ms(plan, f"resize {side}"), plan)
    growing = growing or (bool(wanted) and awaits_fill(scene, plan))
    holding = holding_of(scene, side, copy)
    plan_targets(holding, plan, wanted, balance.standing, keep=balance.keep, may_grow=not growing)


def _sold(
    scene: Scene, side: PositionSide, copy: Copy, left: Ladder, standing: Mapping[str, Rested]
) -> dict[str, Decimal]:
    """What each rung counts as filled here (ladder arithmetic: a partly filled rung counts its filled part).

    What its own orders filled; or, where that is more, what the mirror has to sell for what main's rung filled: the
    part of it that came too late was reduced in its stead, and the rung does not sell it again.
    """
    main_size = scene.main_size[side]
    want = copy.want(main_size, scene.instrument)
    on_main = scene.background.rungs_sold(side)
    found = {}
    for rung in left.rungs:
        own = standing[rung.key].filled if rung.key in standing else ZERO
        main_size += on_main.get(rung.key, ZERO)
        if copy.cap is not None:
            copy = replace(copy, cap=copy.cap + own)
        before = copy.want(main_size, scene.instrument)
        found[rung.key] = max(own, before - want)
        want = before
    return found


def holding_of(scene: Scene, side: PositionSide, copy: Copy) -> Holding:
    """The mirror's position of one side, as its targets are kept."""
    return Holding(
        scene.now_ms,
        scene.account,
        scene.tag,
        copy.tag,
        scene.symbol,
        side,
        scene.idx(side),
        scene.instrument,
        scene.mirror,
        scene.ours,
        scene.busy,
    )


def _owed(scene: Scene, plan: SymbolPlan, side: PositionSide, rung: Rested) -> tuple[Decimal, bool]:
    """What a live rung may still have to sell for main's, at most, and whether main's is done."""
    if rung.key in scene.background.rungs_done(side):
        return rung.open_qty, True
    counterpart = _on_main(scene, rung)
    if counterpart is None:
        order_id = rung.attempts[-1].main_order_id if rung.attempts else ""
        if not order_id or scene.main.is_gone(order_id):
            return ZERO, False
        plan.needs.append(Need(NeedKind.ORDER, scene.main.account, scene.symbol, order_id))
        return rung.open_qty, True  # nobody knows yet: it may stand for all of the difference
    if counterpart.status is OrderStatus.FILLED:
        return rung.open_qty, True
    if not counterpart.is_open or not scene.main.filled(counterpart):
        return ZERO, False
    return rung.open_qty, False


def _on_main(scene: Scene, rung: Rested) -> Order | None:
    """Main's order for the same rung: open, or known by the id it had when ours was placed."""
    for order in scene.main.orders(scene.symbol):
        if key_of(order) == rung.key:
            return order
    order_id = rung.attempts[-1].main_order_id if rung.attempts else ""
    return scene.main.order(order_id) if order_id else None


def is_late(scene: Scene, plan: SymbolPlan, rung: Rested) -> bool:
    """Whether a rung has lagged behind main's for the grace time."""
    until = scene.since_ms(plan, f"rung {rung.key}") + int(scene.policy.follow.grace_s * 1000)
    if scene.now_ms >= until:
        return True
    plan.wake_at(until)
    return False
