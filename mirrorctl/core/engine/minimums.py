"""Entries under a contract's minimum: what was left out, or raised, is written down before anything is sent (A9)."""

from __future__ import annotations

from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.scene import SymbolPlan
from mirrorctl.core.engine.reconcile import MirrorPass
from mirrorctl.core.engine.records import Severity
from mirrorctl.core.engine.state import EngineState


def write_down_minimum(state: EngineState, mirror: MirrorPass, plan: SymbolPlan, now: int) -> None:
    """Write down what was left out, or raised, because an entry was under the contract's minimum (A9)."""
    account = mirror.mirror
    for side, skipped in plan.skipped.items():
        state.keeper.skip(plan.account, plan.symbol, side, skipped, mirror.sight.size(plan.symbol, side))
        text = f"skipped: {plain(skipped.qty)} is below the minimum of an order"
        about = f"{side}:{now}"
        state.outbox.tell(now, Severity.WARNING, "below-minimum", plan.account, plan.symbol, text, about)
        state.mark(account, plan.symbol)
    for side, size in plan.raised.items():
        state.keeper.raise_to(plan.account, plan.symbol, side, size, mirror.sight.size(plan.symbol, side))
