"""What the naked time of positions is measured by: a plan's word on which sides shall have a stop, and their rows."""

from __future__ import annotations

from collections.abc import Iterable

from mirrorctl.core.domain.scene import SymbolPlan
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.state import EngineState


def measure_naked(
    state: EngineState,
    account: Account,
    plan: SymbolPlan,
    now: int,
    sides: Iterable[PositionSide] = (PositionSide.LONG, PositionSide.SHORT),
) -> None:
    """Measure how long a position stands without the stop it shall have (A21).

    What is parked is left as it is: a stop of a copy's that stands is seen all the same, a missing one is not ours.
    """
    if plan.blocked:
        return
    view, symbol = account.view, plan.symbol
    for side in sides:
        if side not in plan.guarded and not plan.parked:
            state.naked.rest(account.name, symbol, side, now)
            continue
        row = view.position(symbol, side)
        copy = state.keeper.copies.get((account.name, symbol, side)) if plan.parked else None
        seen = copy is not None and copy.opened and row is not None and row.stop_loss is not None
        if plan.parked and not seen:
            continue
        first = state.entry_fees.first_fill_ms(account.name, symbol, side)
        state.naked.observe(
            account.name,
            symbol,
            side,
            view.size(symbol, side),
            row.stop_loss if row is not None else None,
            None if first is None else first - (account.clock_offset_ms or 0),
            now,
        )
