"""Foreign positions on a mirror that become ours, where `foreign = "adopt"` says so: on the side that main holds.

Nothing changes by it at once: the ratio is the observed one, the stop and the target that stand are kept (A63). A
position on another side than main's, or of a symbol that main does not hold, stays parked (A81).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mirrorctl.core.domain.breakeven import better
from mirrorctl.core.domain.cycle import Copy, entry_orders, observed
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.policy import Foreign
from mirrorctl.core.domain.selection import selection_block
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.domain.wish import LEFT_OUT
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.reconcile import MirrorPass
from mirrorctl.core.engine.records import Severity
from mirrorctl.core.engine.state import EngineState

_QUIET_MS = 1_000


def adopt_foreign(state: EngineState, mirror: MirrorPass, symbols: Iterable[str]) -> None:
    """Take over what the mirror holds of these symbols beside main. Both accounts are known when called.

    Main's position must have stood still for a second and no entry of its may be half filled: the ratio of a position
    that is being built would be far too large.
    """
    if mirror.policy.follow.foreign is not Foreign.ADOPT or not state.policy.mirroring:
        return
    account = mirror.mirror
    for symbol in symbols:
        copies = _adoptable(state, mirror, symbol)
        if copies and not _stands_still(state, account, symbol, copies):
            state.dirty[account.name].add(symbol)
            continue
        if any(_is_building(state, copy) for copy in copies):
            continue
        for copy in copies:
            _adopt(state, account, copy)


def _adoptable(state: EngineState, mirror: MirrorPass, symbol: str) -> list[Copy]:
    """The copies that the foreign legs of a symbol may become; none where one of the legs cannot be ours.

    What the filter leaves out of main's symbols and sides, or the trader of this trade, stays the trader's own.
    """
    account, found = mirror.mirror, []
    chosen = replace(mirror.policy.filter, windows=(), close_only=False)
    for side in PositionSide:
        copy = state.keeper.copies.get((account.name, symbol, side))
        if not account.view.size(symbol, side) or (copy is not None and copy.opened):
            continue
        if copy is None or copy.ended or not state.keeper.main_size(copy, state.main.view):
            return []
        if copy.held == LEFT_OUT or selection_block(chosen, *copy.source, state.exchange_now_ms()):
            return []
        found.append(copy)
    return found


def _stands_still(state: EngineState, account: Account, symbol: str, copies: list[Copy]) -> bool:
    there = copies[0].source[0]
    views = ((account.view, symbol), (state.main.view, there))
    if any(not view.is_settled(name) or view.is_ahead(name) for view, name in views):
        return False
    return state.now_ms() - max(view.touched_ms(name) for view, name in views) >= _QUIET_MS


def _is_building(state: EngineState, copy: Copy) -> bool:
    """Whether an entry of main's on this side has filled in part and rests."""
    view = state.main.view
    return any(view.filled(order) and view.leaves(order) for order in entry_orders(view, *copy.source))


def _adopt(state: EngineState, account: Account, copy: Copy) -> None:
    view = account.view
    have, row = view.size(copy.symbol, copy.side), view.position(copy.symbol, copy.side)
    ratio, formula = observed(have, state.keeper.main_size(copy, state.main.view))
    state.keeper.adopt(
        replace(
            copy,
            ratio=ratio,
            formula=formula.replace("observed", "adopted"),
            opened=True,
            held="",
            unsized="",
            own_stop=better(copy.side, copy.own_stop, row.stop_loss if row is not None else None),
            own_target=row.take_profit if row is not None else None,
        )
    )
    text = f"a foreign {copy.side} of {plain(have)} is adopted: r = {plain(round(ratio, 8))}"
    state.outbox.tell(
        state.now_ms(), Severity.WARNING, "adopted", account.name, copy.symbol, text, f"{copy.tag}:{copy.side}"
    )
