"""Sizes that a mirror's own hand changed, taken for its trader's word where `manual_edit = "respect"` says so."""

from __future__ import annotations

from mirrorctl.core.domain.account import Execution
from mirrorctl.core.domain.hand_edit import changes, edited, is_by_hand
from mirrorctl.core.domain.policy import ManualEdit
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.records import Severity
from mirrorctl.core.engine.state import EngineState


def respect_hand(state: EngineState, account: Account, execution: Execution, *, live: bool) -> None:
    """Take a mirror's execution that no order of ours made into its copy, exactly once, also over a restart."""
    if state.passes[account.name].policy.follow.manual_edit is not ManualEdit.RESPECT or not is_by_hand(execution):
        return
    for side, change in changes(execution):
        copy = state.keeper.copies.get((account.name, execution.symbol, side))
        if copy is None or not copy.opened or not state.keeper.is_uncounted(copy, execution, live=live):
            continue
        main_size = state.keeper.main_size(copy, state.main.view)
        if not main_size:
            continue
        after = edited(copy, change, account.view.size(execution.symbol, side), main_size)
        state.keeper.count(after, execution)
        if after is not copy:
            what = f"out of this cycle: {after.out}" if after.out else after.formula
            state.outbox.tell(
                state.now_ms(), Severity.INFO, "hand-edit", account.name, execution.symbol, what, execution.exec_id
            )
