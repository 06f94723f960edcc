"""Main's cycles and trades kept in step with its positions.

And positions that become managed without a command: `manage = "all"`, and our own after the store was lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mirrorctl.core.domain.approach import CONSERVATIVE
from mirrorctl.core.domain.cycle import Cycle
from mirrorctl.core.domain.ids import Role, parse, trade_tag
from mirrorctl.core.domain.policy import Manage
from mirrorctl.core.domain.standing_trade import ReadOff, read_off, rebased
from mirrorctl.core.domain.values import SIDES, PositionSide
from mirrorctl.core.engine.copies import opened_by_us
from mirrorctl.core.engine.ports import FindOrder, ReadPosition
from mirrorctl.core.engine.questions import UNSETTLED_WAIT_MS
from mirrorctl.core.engine.state import EngineState


def take_over(state: EngineState) -> None:
    """Write down a trade for every position on main that is to be managed and is not. Main is known when called.

    With a new store the positions that our own entries opened are taken up again as they stand: the intent was lost
    with the store, what stands on the exchange was not (A44).
    """
    new_store, waits = not state.main_taken, False
    if not new_store and state.policy.manage is not Manage.ALL:
        return
    for row in list(state.main.view.positions()):
        if row.side is None or state.trades.get(row.symbol, row.side) is not None:
            continue
        key = (row.symbol, row.side)
        ours = new_store and opened_by_us(state.main, key)
        chosen = ours or state.policy.manage is Manage.ALL
        if not chosen:
            continue
        known = key in state.keeper.cycles and state.main.view.is_settled(row.symbol)
        found = read_trade(state, row.symbol, row.side, resumed=ours) if known else None
        if found is not None:
            state.trades.save(found.trade)
            state.dirty_main.add(row.symbol)
        waits |= ours and found is None
    if new_store and not waits:
        state.mark_main_taken()


def tend_cycles(state: EngineState, now: int) -> None:
    """Bring the cycles of every symbol that changed in step with main, and ask for what proves them. Main is known."""
    keeper, main, view = state.keeper, state.main, state.main.view
    symbols = state.stale_cycles
    if symbols or state.to_prove:
        state.to_prove = keeper.unproven(view, state.to_prove | symbols)
    for symbol in state.to_prove:
        if not view.newer_executions(symbol) or now >= view.touched_ms(symbol) + UNSETTLED_WAIT_MS:
            main.ask(ReadPosition(symbol), now)
    if keeper.unopened:
        for symbol, order_id in keeper.unseen(view):
            main.ask(FindOrder(symbol, order_id=order_id), now)
    if symbols:
        state.stale_cycles = set()
        state.to_prove |= symbols  # what begins or ends here is looked at once more
        for symbol in sorted(symbols):
            if symbol not in view.unsettled and (sides := _sides_to_advance(state, symbol)):
                with state.store.batch():  # a cycle never stands without its copies
                    advance_cycles(state, symbol, sides)
    if keeper.unexplained:
        keeper.explain_closes()


def _sides_to_advance(state: EngineState, symbol: str) -> list[PositionSide]:
    """Sides of main on which a cycle may begin, end or become another one; a fill more of a position is none."""
    view, name, keeper = state.main.view, state.main.name, state.keeper
    resting, found = view.orders(symbol), []
    for side in SIDES:
        size = view.size(symbol, side)
        if not size and not resting and (symbol, side) not in keeper.cycles:
            continue
        if not size or not keeper.goes_on((symbol, side), state.entry_fees.proven(name, symbol, side, size)):
            found.append(side)
    return found


def advance_cycles(state: EngineState, symbol: str, sides: Sequence[PositionSide]) -> None:
    """Bring the cycles of one symbol in step with main, and the trades with them: each belongs to one position.

    Main may have been flat in between without anybody looking: then executions say so.
    """
    main, keeper, now = state.main, state.keeper, state.exchange_now_ms()
    mirrors = {mirror.name: mirror for mirror in state.policy.mirrors if mirror.enabled}
    begun: dict[PositionSide, int] = {}
    for side in sides:
        entered = state.entry_fees.proven(main.name, symbol, side, main.view.size(symbol, side))
        begun[side] = entered.began_ms if entered is not None else 0
        if entered is not None and entered.flat_ms:  # it was flat in between, as executions prove
            keeper.end_unseen((symbol, side), entered.flat_ms, entered.origin, now)
    before = [keeper.cycles.get((symbol, side)) for side in sides]
    keeper.advance(symbol, main.view, mirrors, now, begun, sides)
    for side, known in zip(sides, before, strict=True):
        cycle = keeper.cycles.get((symbol, side))
        if cycle is not None and cycle.opened and (known is None or not known.opened or known.tag != cycle.tag):
            _leave_behind(state, cycle)


def _leave_behind(state: EngineState, cycle: Cycle) -> None:
    """A position began. A trade that had one before it is over, though its orders may not all be cleared away.

    Unless one of its own entries opened this one too, or still rests: it goes on with a ladder that is whole, and with
    the stop that stands.
    """
    trade, view = state.trades.get(*cycle.key), state.main.view
    if trade is None or not trade.opened:
        return
    opener = state.entry_fees.opener(state.main.name, cycle.symbol, cycle.side)
    links = [parse(opener), *(parse(order.link_id) for order in view.orders(cycle.symbol))]
    if any(link is not None and link.role is Role.ENTRY and link.trade == trade.tag for link in links):
        state.trades.save(replace(trade, revision=trade.revision + 1, stop=None, stood=None, breakeven_entry=None))
    else:
        state.trades.drop(cycle.key)


def read_trade(state: EngineState, symbol: str, side: PositionSide, *, resumed: bool = False) -> ReadOff | None:
    """The trade that stands on one side of main, to be managed from now on; None when no position is known.

    Rungs that were done before the trader handed it over count for nothing: it keeps the stop it has (A63). Those of a
    trade of ours that is `resumed` do.
    """
    cycle = state.keeper.cycles.get((symbol, side))
    tag = cycle.tag if cycle is not None else trade_tag(state.main.uid, symbol, side, "position")
    terms = state.policy.approaches.get(CONSERVATIVE.name, CONSERVATIVE)
    found = read_off(state.main.view, symbol, side, tag, terms, state.now_ms())
    done = len(cycle.done) if cycle is not None and not resumed else 0
    if found is None or not done:
        return found
    return replace(found, trade=rebased(found.trade, found.trade, done))
