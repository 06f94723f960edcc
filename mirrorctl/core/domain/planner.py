"""The planner: a scene becomes a plan. Pure, and the same for looking and for acting.

A plan is a value with brakes: its actions carry their reasons, are ordered by rule 5, and are refused as a whole where
a fact is missing (A86) or too many positions would close without a closing execution on main (A80).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mirrorctl.core.domain.actions import Priority
from mirrorctl.core.domain.corrections import plan_side
from mirrorctl.core.domain.cycle import Copy
from mirrorctl.core.domain.due import keep_time, undecided_reductions
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.own_ladder import settle_own
from mirrorctl.core.domain.protection import plan_protection
from mirrorctl.core.domain.resting import cancel_entry, is_standing_entry
from mirrorctl.core.domain.rungs import plan_ladder, settle_rungs
from mirrorctl.core.domain.scene import AHEAD_WAIT_MS, Need, NeedKind, Scene, Standing, SymbolPlan
from mirrorctl.core.domain.selection import watch_windows
from mirrorctl.core.domain.twins import NO_TWINS, plan_twins
from mirrorctl.core.domain.unsized import plan_unsized
from mirrorctl.core.domain.values import SIDES, PositionMode, PositionSide

HEDGE_REFUSED = "hedge"


def plan_symbol(scene: Scene) -> SymbolPlan:
    """Everything to do now about one symbol on one mirror. Both views must be known; the caller sees to that."""
    plan = SymbolPlan(scene.account, scene.symbol)
    if scene.policy.filter.windows:
        watch_windows(scene, plan)
    if scene.parked:
        _park(scene, plan)
    elif _undecided(scene, plan):
        _stand_still(scene, plan)
    elif scene.mode is PositionMode.ONE_WAY and all(scene.main_size.values()):
        _freeze(scene, plan)
    else:
        for side in SIDES:
            followed = scene.copies.get(side)
            if followed is not None:
                _follow(scene, plan, side, followed)
            elif scene.have[side]:
                plan_side(scene, plan, side, None, NO_TWINS)
        if scene.ours.live:
            _cancel_strays(scene, plan)
        _await_last_fill(scene, plan)
        if scene.needs_stop:
            plan.missing += scene.background.unmirrored()
        if plan.due:
            keep_time(scene, plan)
        if len(plan.actions) > 1:
            plan.actions.sort(key=lambda planned: planned.action.priority)
    return plan


def _follow(scene: Scene, plan: SymbolPlan, side: PositionSide, copy: Copy) -> None:
    """One side of the symbol, which follows a cycle of main."""
    if copy.unsized and not copy.ended:
        plan_unsized(scene, plan, side, copy)
        plan_protection(scene, plan, side, copy)
        return
    twins = plan_twins(scene, plan, side, copy)
    settle = settle_rungs if scene.approach is None else settle_own
    rungs = settle(scene, plan, side, copy, twins.lead)
    plan_side(scene, plan, side, copy, twins, rungs.lag)
    if not copy.ended:
        plan_protection(scene, plan, side, copy)
    plan_ladder(scene, plan, side, copy, rungs)


def _park(scene: Scene, plan: SymbolPlan) -> None:
    """No order of ours touches the symbol, but the entries of a policy that is no more come off the book."""
    plan.parked = scene.parked
    _standings_only(scene, plan)
    if scene.misfit:
        _take_entries_off(scene, plan, "the profile follows main in another way now")
        keep_time(scene, plan)


def _stand_still(scene: Scene, plan: SymbolPlan) -> None:
    """Nothing can be decided about: stops are kept, and time goes on."""
    for side, copy in scene.copies.items():
        if not copy.ended:
            plan_protection(scene, plan, side, copy)
    undecided_reductions(scene, plan)
    keep_time(scene, plan)
    plan.since = {**scene.since, **plan.since}


def apply_brake(plans: Sequence[SymbolPlan], recent_closes: Collection[str], limit: int) -> bool:
    """Whether a pass would close more positions without a closing execution on main than the profile allows (A80).

    `recent_closes` are the symbols that earlier passes of the last minute closed that way: a close that takes several
    orders is one. Braked plans keep their stops alone.
    """
    closing = [plan for plan in plans if plan.closes_unexplained]
    if not closing:
        return False
    closes = {plan.symbol for plan in closing} | set(recent_closes)
    if len(closes) <= limit:
        return False
    for plan in closing:
        plan.actions = [planned for planned in plan.actions if planned.action.priority is Priority.STOP]
        plan.closes_unexplained = False
        plan.blocked = f"brake: {len(closes)} closes without a closing execution on main"
    return True


def _undecided(scene: Scene, plan: SymbolPlan) -> bool:
    """Whether a fact is missing without which nothing may grow, shrink or be closed (A86)."""
    symbol, main, mirror = scene.symbol, scene.main, scene.mirror
    if not (main.is_settled(symbol) and mirror.is_settled(symbol)):
        unsettled = [view.account for view in (main, mirror) if not view.is_settled(symbol)]
        plan.blocked = f"a fill on {' and '.join(unsettled)} is not accounted for yet"
        return True
    for side, copy in scene.copies.items():
        if not copy.ended and not main.proven(symbol, side):
            plan.blocked = "main's position is not read yet"  # a list that does not name it proves nothing
            plan.needs.append(Need(NeedKind.POSITION, main.account, symbol))
            return True
    return bool(scene.ours.live or scene.approach) and _unattributed(scene, plan)


def _unattributed(scene: Scene, plan: SymbolPlan) -> bool:
    """A position moved and its execution was not seen, while twins or rungs stand: the fill may be one of theirs.

    Deciding now would correct beside a live order, or undo one that filled first (A20). The execution follows at once,
    or the orders are read.
    """
    standing = (o.link.role is Role.TARGET or is_standing_entry(scene, o) for o in scene.ours.live)
    if scene.approach is None and not any(standing):  # else whose order made main smaller decides what is followed
        return False
    ahead = [view.account for view in (scene.main, scene.mirror) if view.is_ahead(scene.symbol)]
    if not ahead:
        return False
    plan.blocked = f"the position of {' and '.join(ahead)} is ahead of its executions"
    _look_for_executions(scene, plan, ahead)
    return True


def _await_last_fill(scene: Scene, plan: SymbolPlan) -> None:
    """A copy that is over and flat goes once every fill is known: what is missing is looked for, or it stays (A66)."""
    for side, copy in scene.copies.items():
        if copy.ended and not scene.have[side] and scene.mirror.is_ahead(scene.symbol):
            _look_for_executions(scene, plan, [scene.account])
            return


def _look_for_executions(scene: Scene, plan: SymbolPlan, accounts: Sequence[str]) -> None:
    """They follow at once, or in the end the orders are read."""
    until = scene.since_ms(plan, "ahead") + AHEAD_WAIT_MS
    if scene.now_ms < until:
        plan.wake_at(until)
    else:
        plan.needs += [Need(NeedKind.ORDERS, account, scene.symbol) for account in accounts]


def _freeze(scene: Scene, plan: SymbolPlan) -> None:
    """Main holds both legs of the symbol and the mirror has one net position: refused (A14).

    Nothing grows, nothing closes, stops are kept; entries that could still fill are taken off the book."""
    plan.parked = HEDGE_REFUSED
    for side, copy in scene.copies.items():
        if not copy.ended:
            plan_protection(scene, plan, side, copy)
    plan.passed_stops.clear()
    _standings_only(scene, plan)
    _take_entries_off(scene, plan, "main holds both legs: frozen")
    keep_time(scene, plan)


def _take_entries_off(scene: Scene, plan: SymbolPlan, reason: str) -> None:
    """No entry of ours may fill; and a row has to show what the mirror holds, and whether it has legs of its own."""
    if not scene.mirror.proven(scene.symbol):
        plan.needs.append(Need(NeedKind.POSITION, scene.account, scene.symbol))
    for ours in scene.ours.live:
        if is_standing_entry(scene, ours):
            cancel_entry(scene, plan, ours, reason)


def _standings_only(scene: Scene, plan: SymbolPlan) -> None:
    for side in SIDES:
        copy = scene.copies.get(side)
        main_size = scene.main_size[side]
        have = scene.have[side]
        raw = copy.raw_want(main_size) if copy else have * 0
        want = copy.want(main_size, scene.instrument) if copy else raw
        if have or want:
            plan.standings.append(Standing(scene.account, scene.symbol, side, have, want, raw))


def _cancel_strays(scene: Scene, plan: SymbolPlan) -> None:
    """Entries of ours on a side that follows no cycle of main any more."""
    for ours in scene.ours.live:
        if is_standing_entry(scene, ours) and PositionSide.grown_by(ours.side) not in scene.copies:
            cancel_entry(scene, plan, ours, "main has no such trade")
