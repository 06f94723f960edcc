"""Which of main's entries a mirror follows: the profile's filter, in main's own symbols and sides.

A filter holds growth alone: what is open keeps its stop, its targets and its reductions (A12). It looks at state: when
a window opens, what main holds then is followed within the slippage bound, as after every hold.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from mirrorctl.core.domain.policy import Filter
from mirrorctl.core.domain.scene import Scene, SymbolPlan
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.domain.windows import is_open, next_edge_ms


def selection_block(chosen: Filter, symbol: str, side: PositionSide, at_ms: int) -> str:
    """Why entries of main's `side` of `symbol` are not followed at `at_ms` (exchange clock); "" when they are."""
    if chosen.close_only:
        return "filter: close only"
    if chosen.symbols and not any(fnmatchcase(symbol, glob) for glob in chosen.symbols):
        return f"filter: {symbol} is not in filter.symbols"
    for glob in chosen.exclude:
        if fnmatchcase(symbol, glob):
            return f"filter: excluded by {glob}"
    if side not in chosen.sides:
        return f"filter: {side} is not followed"
    if chosen.windows and not is_open(chosen.windows, at_ms):
        return "filter: outside of windows"
    return ""


def watch_windows(scene: Scene, plan: SymbolPlan) -> None:
    """Decide again when a window opens or closes next."""
    edge = next_edge_ms(scene.policy.filter.windows, scene.exchange_ms) if scene.copies else None
    if edge is not None:
        plan.wake_at(edge - scene.clock_offset_ms)
