"""A mirror with an approach of its own: what counts as its rungs, and what its ladder answers in place of main's.

Main's target fills make main smaller, and this mirror sells what its own ladder says: what they sold is *spared*.
Everything else that makes main smaller is followed, by the same fraction. Spared is room to hold, never a reason to
buy: growth follows main's own size alone. Unknown is not spared, so a mirror then follows main.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_CEILING, Context, Decimal

from mirrorctl.core.domain.account import Execution
from mirrorctl.core.domain.approach import Approach
from mirrorctl.core.domain.cycle import Copy
from mirrorctl.core.domain.growth import standing_block
from mirrorctl.core.domain.ids import Role, parse, step_tag
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.scene import Scene
from mirrorctl.core.domain.values import ExecutionKind, PositionSide, StopKind

_TARGETS = frozenset((StopKind.TAKE_PROFIT, StopKind.PARTIAL_TAKE_PROFIT))
_UP = Context(rounding=ROUND_CEILING)


def rung_key(copy: Copy, approach: Approach, leg: int) -> str:
    """The name of one rung of a mirror's own ladder: the step in the link ids of its orders."""
    percents = " ".join(plain(percent) for percent in approach.targets)
    return step_tag("own rung", copy.tag, approach.name, percents, str(leg))


def rungs_filled(copy: Copy, approach: Approach | None) -> int:
    """How many rungs this mirror has filled in this cycle: of its own ladder, else of main's."""
    if approach is None:
        return len(copy.done)
    return sum(1 for leg in range(len(approach.targets)) if rung_key(copy, approach, leg) in copy.done)


def entry_block(scene: Scene, copy: Copy) -> str:
    """Why no entry may go, whatever the size: what holds for every mirror, then what its own approach says."""
    block = standing_block(scene, copy)
    return block if block or scene.approach is None else approach_block(copy, scene.approach)


def approach_block(copy: Copy, approach: Approach | None) -> str:
    """Why a mirror's own approach takes no entry in this cycle any more (`cancel_entries_after`)."""
    if approach is None:
        return ""
    done = rungs_filled(copy, approach)
    if done >= len(approach.targets):
        return f"approach {approach.name}: all of its targets are filled"
    if 0 < approach.cancel_entries_after <= done:
        return f"approach {approach.name}: no entry after target {approach.cancel_entries_after}"
    return ""


def wanted(scene: Scene, side: PositionSide, copy: Copy, raw: Decimal) -> Decimal:
    """What the mirror shall hold now: what main's size asks for, and what its own ladder has not sold yet.

    `raw`: r × main's size (Copy.raw_want).
    """
    main_size = scene.main_size[side]
    want = scene.instrument.floor_qty(raw if copy.cap is None else min(raw, copy.cap))
    if scene.approach is None or not copy.spared:
        return want
    kept = scene.instrument.floor_qty(copy.kept(main_size))
    return max(want, min(scene.have[side], kept))


def is_by_target(execution: Execution) -> bool:
    """Whether a closing execution on main was of a target: ours, one bound to the position, or an exit that rested.

    A taker's is a hand's (or a stop's): it wanted out now.
    """
    if execution.kind is not ExecutionKind.TRADE:
        return False
    link = parse(execution.link_id)
    if link is not None:
        return link.role is Role.TARGET
    return execution.stop_kind in _TARGETS or (execution.stop_kind is StopKind.NONE and execution.is_maker)


def after_main_exit(copy: Copy, execution: Execution, closed: Decimal, left: Decimal) -> Copy:
    """The copy after main sold `closed` and holds `left`, both in the mirror's own coins."""
    if is_by_target(execution):
        return replace(copy, spared=copy.spared + closed)
    if not copy.spared:
        return copy
    return replace(copy, spared=copy.spared * left / (left + closed))


def first_seen(copy: Copy, have: Decimal, main_size: Decimal) -> Copy | None:
    """The copy of a position that is held already, where nothing is known of what main's targets sold.

    More than the profile's ratio is what the own ladder has not sold; less is the ratio that is observed: None.
    """
    if not copy.ratio or have <= copy.ratio * main_size:
        return None
    spared = _UP.divide(have, copy.ratio) - main_size
    return replace(copy, formula=f"{copy.formula}; {plain(have)} beside main's {plain(main_size)}", spared=spared)
