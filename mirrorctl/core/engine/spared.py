"""What main's targets sold and the own ladders of mirrors answer instead: counted once, also over a restart."""

from __future__ import annotations

from mirrorctl.core.domain.account import Execution
from mirrorctl.core.domain.own_approach import after_main_exit
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.state import EngineState


def note_main_exit(state: EngineState, execution: Execution, *, live: bool) -> None:
    """Take a closing execution on main into the copies of every mirror with an approach of its own."""
    if not execution.closed_qty or not state.own_approaches:
        return
    symbol, side = execution.symbol, PositionSide.shrunk_by(execution.side)
    for copy in state.keeper.copies_of((symbol, side)):
        own = copy.account in state.own_approaches
        if not own or not state.keeper.is_uncounted(copy, execution, live=live):
            continue
        coins = state.keeper.lens(copy.account).multiplier(symbol)
        left = state.main.view.size(symbol, side)
        after = after_main_exit(copy, execution, execution.closed_qty * coins, left * coins)
        if after is not copy:
            state.keeper.count(after, execution)
