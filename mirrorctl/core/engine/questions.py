"""What is asked of the exchange because a decision needs it, or because a message seems lost."""

from __future__ import annotations

from mirrorctl.core.domain.scene import Need, NeedKind
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.ports import (
    FindOrder,
    ReadExecutions,
    ReadInstrument,
    ReadPosition,
    ReadTicker,
    ReadWallet,
    Relist,
)
from mirrorctl.core.engine.state import OVERLAP_MS, READ_RETRY_MS, EngineState

UNSETTLED_WAIT_MS = 250
_WEEK_MS = 7 * 86_400_000
_UNSETTLED_LONG_MS = 3_000


def ask_due_relists(state: EngineState, now: int) -> None:
    """Read every account anew whose time has come, with its executions since they were read for good."""
    for account in state.accounts.values():
        if now >= account.relist_due_ms and not any(isinstance(query, Relist) for query in account.asked):
            since = state.known_until_ms(account)
            if not account.relisted_ms:  # fees of open positions are counted from executions, and not stored
                since = min([since, *(cycle.started_ms - OVERLAP_MS for cycle in state.keeper.cycles.values())])
            account.ask(Relist(max(since, state.exchange_now_ms() - _WEEK_MS)), now)


def ask_looks(state: EngineState, now: int) -> None:
    """Ask what became of intents that should long be seen."""
    for name, query in state.book.looks_due(now):
        if name in state.accounts:
            state.accounts[name].ask(query, now)


def ask_unsettled(state: EngineState, now: int) -> None:
    """A fill that only an order row told: its push is lost or late, so its executions are read."""
    for account in state.accounts.values():
        for symbol, orders in account.view.unsettled.items():
            for order_id, untold in orders.items():
                if now >= untold.since_ms + UNSETTLED_WAIT_MS:
                    account.ask(ReadExecutions(symbol, order_id), now, every_ms=READ_RETRY_MS)
                if now >= untold.since_ms + _UNSETTLED_LONG_MS:
                    account.ask(ReadPosition(symbol), now, every_ms=READ_RETRY_MS)


def ask_need(state: EngineState, need: Need, now: int) -> None:
    """Ask for what a plan could not do without."""
    account = state.accounts[need.account]
    if need.kind is NeedKind.ORDERS:
        _attribute(state, account, need.symbol, now)
    elif need.kind is NeedKind.EXECUTIONS:
        if now >= account.relisted_ms + READ_RETRY_MS:
            account.relist_due_ms = now
    elif need.kind is NeedKind.ORDER:
        account.ask(FindOrder(need.symbol, order_id=need.order_id), now, every_ms=READ_RETRY_MS)
    elif need.kind is NeedKind.POSITION:
        account.ask(ReadPosition(need.symbol), now, every_ms=READ_RETRY_MS)
    elif need.kind is NeedKind.WALLET:
        account.ask(ReadWallet(), now, every_ms=READ_RETRY_MS)
    elif need.kind is NeedKind.TICKER:
        account.ask(ReadTicker(need.symbol), now, every_ms=READ_RETRY_MS)
    else:
        account.ask(ReadInstrument(need.symbol), now, every_ms=READ_RETRY_MS)


def _attribute(state: EngineState, account: Account, symbol: str, now: int) -> None:
    """Read every resting order of a symbol whose position is ahead of its executions."""
    seq = account.view.row_seq(symbol)
    waiting = {order.order_id for order in account.view.orders(symbol) if not order.stop_kind.position_bound}
    known, left = state.attributing.get((account.name, symbol), (-1, set()))
    if known != seq:
        left = waiting
        state.attributing[(account.name, symbol)] = (seq, left)
    left &= waiting
    for order_id in left:
        account.ask(FindOrder(symbol, order_id=order_id), now)
    if not left:
        account.view.explain(symbol, seq)
        del state.attributing[(account.name, symbol)]
        state.mark(account, symbol)
