"""Positions on main that become managed without a command: `manage = "all"`, and our own after the store was lost."""

from __future__ import annotations

from dataclasses import replace

from mirrorctl.core.domain.approach import CONSERVATIVE
from mirrorctl.core.domain.ids import Role, parse, trade_tag
from mirrorctl.core.domain.policy import Manage
from mirrorctl.core.domain.standing_trade import ReadOff, read_off, rebased
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.keeper import opened_by_us
from mirrorctl.core.engine.state import EngineState

_TAKEN = "main.taken"


def take_over(state: EngineState) -> None:
    """Write down a trade for every position on main that is to be managed and is not. Main is known when called.

    With a new store the positions that our own entries opened are taken up again as they stand: the intent was lost
    with the store, what stands on the exchange was not (A44).
    """
    new_store, waits = not state.store.fact(_TAKEN), False
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
        state.store.set_fact(_TAKEN, str(state.now_ms()))


def notice_reopening(state: EngineState, symbol: str) -> None:
    """Main was flat and holds the symbol again, and nobody saw it flat: the cycle before is over, and its trade.

    A trade that has entries of its own left, or was opened again by one of them, goes on with a ladder that is whole
    and with the stop that stands.
    """
    for side in PositionSide:
        main, key = state.main, (symbol, side)
        again = state.entry_fees.opened_again(main.name, symbol, side, main.view.size(symbol, side))
        if again is None or not state.keeper.end_unseen(key, again.flat_ms, again.origin, state.exchange_now_ms()):
            continue
        trade = state.trades.get(symbol, side)
        if trade is None:
            continue
        links = [parse(again.link_id), *(parse(order.link_id) for order in main.view.orders(symbol))]
        if any(link is not None and link.role is Role.ENTRY and link.trade == trade.tag for link in links):
            fresh = replace(trade, revision=trade.revision + 1, stop=None, stood=None, breakeven_entry=None)
            state.trades.save(fresh)
        else:
            state.trades.drop(key)


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
