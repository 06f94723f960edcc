"""A copy without a ratio: nothing of it grows or shrinks, and what is unknown is said (A4, A82)."""

from __future__ import annotations

from mirrorctl.core.domain.cycle import Copy
from mirrorctl.core.domain.growth import standing_block
from mirrorctl.core.domain.scene import AHEAD_WAIT_MS, Held, Need, NeedKind, Scene, SymbolPlan
from mirrorctl.core.domain.sizing import is_waiting
from mirrorctl.core.domain.values import PositionSide


def hold_unsized(scene: Scene, plan: SymbolPlan, side: PositionSide, copy: Copy) -> None:
    """Say why the mirror follows nothing of main's position or entries yet; how much it would be is not known."""
    have = scene.mirror.size(scene.symbol, side)
    block = standing_block(scene, copy)
    waiting = not block and is_waiting(copy.unsized)
    plan.held.append(Held(scene.account, scene.symbol, side, None, have, block or copy.unsized, waiting))
    if not waiting:
        return
    plan.settling = copy.unsized
    if scene.main.is_ahead(scene.symbol):
        until = scene.since_ms(plan, "ahead") + AHEAD_WAIT_MS
        if scene.now_ms < until:
            plan.wake_at(until)
        else:
            plan.needs.append(Need(NeedKind.ORDERS, scene.main.account, scene.symbol))
