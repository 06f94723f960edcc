"""What came of a send, and what follows from it besides the intent's own state: pauses, parks, alerts, reads.

Which refusals park and which wait is decided where the next attempt is planned (domain/refusals.py). What has no next
attempt to plan is parked here: a change of an entry that the exchange refuses for good leaves an order that main does
not have, and an order whose cancel is refused again and again does not go away.
"""

from __future__ import annotations

import logging

from mirrorctl.core.domain.actions import (
    Accepted,
    Action,
    AmendOrder,
    CancelOrder,
    DoubtfulOutcome,
    NotSent,
    Outcome,
    PlaceOrder,
    Priority,
    RejectedOutcome,
    SetLeverage,
)
from mirrorctl.core.domain.ids import Role, parse
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.parks import REFUSED, told
from mirrorctl.core.domain.refusals import NOTHING_TO_REDUCE, heals
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.loops import note_accepted
from mirrorctl.core.engine.ports import FindOrder, ReadPosition, SendDone
from mirrorctl.core.engine.records import Intent, Severity, StandingKind
from mirrorctl.core.engine.state import EngineState

_CANCELS = 3

log = logging.getLogger(__name__)


def take_answer(state: EngineState, account: Account, event: SendDone) -> None:
    """Take the outcome of one journaled intent."""
    now, before = state.now_ms(), state.book.get(event.intent_id)
    intent = state.book.on_outcome(event.intent_id, event.outcome, event.sent_ms, now)
    if before is None or intent is None:
        return
    action, outcome = intent.action, event.outcome
    if not _is_expected(account, before, outcome):
        state.mark(account, action.symbol)
    state.meter.on_answer(account, action, outcome, event.sent_ms, event.completed_ms, state.keeper)
    if isinstance(outcome, NotSent):
        account.not_sent(action.priority, outcome, now)
    else:
        account.pace.sent(action.priority)
    if isinstance(outcome, Accepted | DoubtfulOutcome):
        note_accepted(state, account.name, action.symbol, event.intent_id, now)
    else:
        state.brake.dropped(event.intent_id)
    if isinstance(outcome, RejectedOutcome):
        _refused(state, account, action, outcome, now)
    state.book.confirm(account.name, action.symbol, account.view, now)


def _is_expected(account: Account, before: Intent, outcome: Outcome) -> bool:
    """Whether a mirror's order was taken and nothing waited for that: it counted as on its way since it was sent."""
    taken = isinstance(outcome, Accepted) and isinstance(before.action, PlaceOrder)
    return taken and before.state is not IntentState.DOUBT and not account.is_main and not account.pace.waits


def _refused(state: EngineState, account: Account, action: Action, outcome: RejectedOutcome, now: int) -> None:
    if not _is_race(action, outcome):
        hopeless = _is_hopeless(state, action, outcome)
        text = f"{told(action)}: refused ({outcome.code}): {outcome.message}"
        if hopeless:
            reason = f"{REFUSED} ({outcome.code}): {told(action)}: {outcome.message}"
            state.standings.set(StandingKind.PARK, account.name, action.symbol, reason, now)
        if hopeless or _is_planned(account, action, outcome):
            log.warning("%s %s: %s", account.name, action.symbol, text)
        else:
            severity = Severity.WARNING if action.priority is Priority.ENTRY else Severity.CRITICAL
            about = f"{_decision(state, account, action)}:{outcome.code}"
            state.outbox.tell(now, severity, "refused", account.name, action.symbol, text, about)
    account.ask(ReadPosition(action.symbol), now)
    if isinstance(action, AmendOrder | CancelOrder):
        account.ask(FindOrder(action.symbol, order_id=action.order_id), now)


def _is_planned(account: Account, action: Action, outcome: RejectedOutcome) -> bool:
    """Whether the next plan says what follows from the refusal: it is told once, with that."""
    if isinstance(action, PlaceOrder) and action.role is Role.TARGET:
        return True
    if account.is_main:
        return False
    if isinstance(action, SetLeverage):
        return not heals(outcome.code, outcome.message)
    return isinstance(action, PlaceOrder) and action.priority is Priority.ENTRY


def _is_hopeless(state: EngineState, action: Action, outcome: RejectedOutcome) -> bool:
    """Whether the symbol is parked for a refused change or cancel: no try of the same can succeed (A57)."""
    if isinstance(action, CancelOrder):
        return state.book.refusals.count(action) >= _CANCELS
    if not isinstance(action, AmendOrder) or heals(outcome.code, outcome.message):
        return False
    link = parse(action.link_id)
    return link is not None and link.role in (Role.TWIN, Role.CORRECTION)


def _decision(state: EngineState, account: Account, action: Action) -> str:
    """What all attempts at one decision share, so that a refusal is told once and not for every attempt.

    The same of another order, or of a later position, is another decision.
    """
    link = parse(action.link_id) if isinstance(action, PlaceOrder) else None
    if link is not None:
        return str(link.intent)
    of = action.order_id if isinstance(action, AmendOrder | CancelOrder) else _cycles(state, account, action.symbol)
    return f"{type(action).__name__}:{of}:{action.reason}"


def _cycles(state: EngineState, account: Account, symbol: str) -> str:
    """The tags of what stands there: of our copies, or of main's trades."""
    places = [(symbol, side) for side in PositionSide]
    if account.is_main:
        return "+".join(trade.tag for place in places if (trade := state.trades.get(*place)) is not None)
    copies = (state.keeper.copies.get((account.name, *place)) for place in places)
    return "+".join(copy.tag for copy in copies if copy is not None)


def _is_race(action: Action, outcome: RejectedOutcome) -> bool:
    """Whether it only came too late: a stop was faster than a reduction, or an order ended before its amend.

    What is wrong after that is told by who finds it: a position without its stop, for one.
    """
    if isinstance(action, PlaceOrder):
        return outcome.code == NOTHING_TO_REDUCE and action.reduce_only
    return outcome.overtaken
