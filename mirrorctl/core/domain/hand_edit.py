"""A size changed by hand on a mirror position that is ours, with `manual_edit = "respect"`: it becomes the new target.

The hand changes the copy's ratio, and its cap with it, by what it bought or sold; a position that it closed is out of
the cycle. With `restore` nothing of this happens: the planner brings the size back.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_CEILING, Context, Decimal

from mirrorctl.core.domain.account import Execution
from mirrorctl.core.domain.cycle import Copy
from mirrorctl.core.domain.exit_orders import own_exit
from mirrorctl.core.domain.ids import parse
from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.policy import ManualEdit
from mirrorctl.core.domain.scene import AHEAD_WAIT_MS, Need, NeedKind, Scene, SymbolPlan
from mirrorctl.core.domain.values import ExecutionKind, PositionSide

CLOSED_BY_HAND = "closed by hand"
_UNSEEN_MS = 3_000
_UP = Context(rounding=ROUND_CEILING)  # so that what stands is the target again


def is_by_hand(execution: Execution) -> bool:
    """Whether a mirror's own trader made this execution: it has no id of ours, and no exit of its own made it."""
    if execution.kind is not ExecutionKind.TRADE or parse(execution.link_id) is not None:
        return False
    return not execution.stop_kind.position_bound and not (execution.closed_qty and own_exit(execution)[0])


def changes(execution: Execution) -> list[tuple[PositionSide, Decimal]]:
    """(side, change of its size) that an execution made; a flip makes two."""
    opened = execution.qty - execution.closed_qty
    found = []
    if execution.closed_qty:
        found.append((PositionSide.shrunk_by(execution.side), -execution.closed_qty))
    if opened > ZERO:
        found.append((PositionSide.grown_by(execution.side), opened))
    return found


def edited(copy: Copy, change: Decimal, left: Decimal, main_size: Decimal) -> Copy:
    """The copy after its mirror's hand changed the size by `change` and left `left`, while main holds `main_size`.

    What the hand did beyond what was to be done anyway counts: a reduction that was due, or an entry that lagged, is
    not turned against the hand. So an edit that a ratio holds already changes nothing.
    """
    if not main_size:
        return copy
    if not left:
        return replace(copy, cap=ZERO, main_size=main_size, out=copy.out or CLOSED_BY_HAND)
    base, asked = main_size + copy.spared, copy.kept(main_size)
    new = max(asked + change, min(left, asked)) if change < ZERO else min(asked + change, max(left, asked))
    if new == asked:
        return copy
    if not asked:  # it was out of the cycle: what the hand made stands, and nothing of ours is added
        ratio, cap = _UP.divide(new, base), new if copy.cap is not None else None
    elif copy.cap is None:
        ratio, cap = _UP.divide(new, base), None
    else:
        ratio = _UP.divide(max(copy.ratio * base, copy.raised) * new, asked * base)
        cap = _UP.divide(copy.cap * new, asked)
    return replace(
        copy,
        ratio=ratio,
        cap=cap,
        main_size=main_size,
        raised=ZERO,
        formula=f"by hand: {plain(asked)} → {plain(new)}, r = {plain(round(ratio, 8))}",
    )


def awaits_execution(scene: Scene, plan: SymbolPlan, side: PositionSide) -> bool:
    """Whether the position shows more than its executions: a hand may have bought, and that is not to be undone.

    The execution follows at once, or is read; what stays unexplained is not waited for.
    """
    if scene.policy.follow.manual_edit is not ManualEdit.RESPECT or not scene.mirror.is_ahead(scene.symbol):
        return False
    waited_ms = scene.now_ms - scene.since_ms(plan, f"unseen {side}")
    if waited_ms >= _UNSEEN_MS:
        return False
    plan.wake_at(scene.now_ms + AHEAD_WAIT_MS)
    if waited_ms >= AHEAD_WAIT_MS:
        plan.needs.append(Need(NeedKind.EXECUTIONS, scene.account, scene.symbol))
    plan.settling = "an execution was not seen yet"
    return True
