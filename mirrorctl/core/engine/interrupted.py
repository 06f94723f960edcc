"""Entries of a trade on main that a kill left in the journal: sent after all while they are young, told otherwise.

A trade of three entries whose process died after the first is completed, so that a kill changes nothing (A43). One of
which nothing reached the exchange was refused to the trader with an error and is not sent behind his back.
"""

from __future__ import annotations

from dataclasses import replace

from mirrorctl.core.domain.actions import PlaceOrder
from mirrorctl.core.domain.errors import LimitReached, StoreError
from mirrorctl.core.domain.ids import parse
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.scene import Planned
from mirrorctl.core.engine.records import Intent, Severity
from mirrorctl.core.engine.state import EngineState
from mirrorctl.core.engine.trade_limits import check_entries, check_not_paused

_YOUNG_MS = 60_000
_SEEN = (IntentState.LIVE, IntentState.DONE)


def finish_interrupted(state: EngineState, now_ms: int) -> None:
    """Look at what was in flight at the last kill; what is settled leaves the list."""
    left = []
    for intent_id in state.book.interrupted:
        intent = state.book.get(intent_id)
        if intent is not None and not intent.state.is_over and intent.state is not IntentState.LIVE:
            left.append(intent_id)
        elif intent is not None and intent.state is IntentState.ABSENT:
            _finish(state, intent, now_ms)
    state.book.interrupted = left


def _finish(state: EngineState, intent: Intent, now_ms: int) -> None:
    action = intent.action
    link = parse(action.link_id) if isinstance(action, PlaceOrder) else None
    if not isinstance(action, PlaceOrder) or link is None:
        return
    begun = any(
        isinstance(other.action, PlaceOrder)
        and other.state in _SEEN
        and (known := parse(other.action.link_id)) is not None
        and (known.trade, known.step) == (link.trade, link.step)
        for other in state.book.of_symbol(intent.account, action.symbol)
    )
    refused = _refusal(state, action)
    if begun and now_ms - intent.created_ms <= _YOUNG_MS and not refused:
        again = replace(
            action, link_id=str(link.next_attempt()), reason=f"{action.reason}, not sent before the restart"
        )
        for opened in state.book.open_all([Planned(again)], now_ms):
            state.main.writer.send(opened.intent_id, again)
        return
    price = "at market" if action.price is None else f"at {plain(action.price)}"
    text = f"an entry of {plain(action.qty)} {price} was not sent before the restart and is not sent now"
    text += f": {refused}" if refused else ""
    state.outbox.tell(
        now_ms, Severity.WARNING, "interrupted", intent.account, action.symbol, text, str(intent.intent_id)
    )


def _refusal(state: EngineState, action: PlaceOrder) -> str:
    """Why an entry may not be sent after all: main was paused meanwhile, or a limit of its is reached."""
    ticker = state.tickers.get(action.symbol)
    price = action.price or (ticker.last if ticker is not None else None)
    if price is None:
        return "the price is unknown"
    try:
        check_not_paused(state, action.symbol)
        check_entries(state, action.symbol, [(action.qty, price)])
    except (LimitReached, StoreError) as error:
        return error.message
    return ""
