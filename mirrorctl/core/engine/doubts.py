"""What is in doubt for longer than is stated: its symbol is parked on its account until an answer settles it (A47).

Nothing is sent again and nothing is taken for lost: entries stop there, what is open stays protected, the trader is
told once, and the exchange is asked on. The park ends by itself with the doubt, or by `resume`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.parks import IN_DOUBT, remedy, told
from mirrorctl.core.engine.effects import question_of
from mirrorctl.core.engine.ports import ReadPosition
from mirrorctl.core.engine.records import Intent, Severity, StandingKind
from mirrorctl.core.engine.state import EngineState
from mirrorctl.core.engine.times import stamp


def tend_doubts(state: EngineState, now_ms: int) -> None:
    """Park what has been in doubt for too long, and end the parks of settled doubts."""
    for intent in state.book.overdue():
        symbol = intent.action.symbol
        reason = f"{IN_DOUBT}: {_what(intent)}: {_why(state, intent)}"
        if not _is_news(state, intent.account, symbol, reason, now_ms):
            continue
        readable = intent.account in state.accounts and state.is_known(state.accounts[intent.account])
        then = "entries stop there, stops and reductions go on"
        text = f"{reason}; {then if readable else 'nothing is done there until it can be read'}"
        about = str(intent.intent_id)
        state.outbox.tell(now_ms, Severity.CRITICAL, "in-doubt", intent.account, symbol, text, about)
        if intent.account in state.accounts:
            state.mark(state.accounts[intent.account], symbol)
    state.doubted = {place for place in state.doubted if _in_doubt(state, *place)}
    for park in state.standings.parked():
        if not park.reason.startswith(IN_DOUBT) or _in_doubt(state, park.account, park.symbol):
            continue
        state.standings.end(park)
        text = f"not in doubt any more, and not parked: {park.reason.removeprefix(IN_DOUBT + ': ')}"
        state.outbox.tell(now_ms, Severity.INFO, "in-doubt", park.account, park.symbol, text, f"over:{park.since_ms}")
        if park.account in state.accounts:
            state.mark(state.accounts[park.account], park.symbol)


def _is_news(state: EngineState, account: str, symbol: str, reason: str, now_ms: int) -> bool:
    """Park the symbol. Whether its doubt was not told yet: also where it is parked for something else."""
    if state.standings.set(StandingKind.PARK, account, symbol, reason, now_ms):
        state.doubted.add((account, symbol))
        return True
    known = state.standings.park_of(account, symbol)
    if (account, symbol) in state.doubted or known.startswith(IN_DOUBT):
        return False
    state.doubted.add((account, symbol))
    return True


def doubts_json(state: EngineState) -> list[dict[str, Any]]:
    """Everything that was sent and whose outcome is not known: account, symbol, what, since, why, remedy."""
    return [
        {
            "account": intent.account,
            "symbol": intent.action.symbol,
            "what": told(intent.action),
            "since": stamp(intent.created_ms),
            "why": _why(state, intent),
            "remedy": remedy(IN_DOUBT, intent.account, intent.action.symbol)
            if state.standings.is_parked(intent.account, intent.action.symbol)
            else "nothing to do: the exchange is being asked",
        }
        for intent in state.book.in_doubt()
    ]


def _in_doubt(state: EngineState, account: str, symbol: str) -> bool:
    return any(intent.state is IntentState.DOUBT for intent in state.book.of_symbol(account, symbol))


def _what(intent: Intent) -> str:
    return f"{told(intent.action)}, sent {_utc(intent.created_ms):%H:%M:%S} UTC"


def _why(state: EngineState, intent: Intent) -> str:
    """What keeps it from being settled, as far as it is known."""
    account = state.accounts.get(intent.account)
    if account is None:
        return "the account cannot be read"
    questions = (question_of(intent.action), ReadPosition(intent.action.symbol))
    failed = next((account.read_errors[query] for query in questions if query in account.read_errors), "")
    if failed:
        return failed.removeprefix(f"{account.name}: ")
    if not state.is_known(account):
        return account.error or "the account is not read now"
    return intent.message or "no read shows what became of it"


def _utc(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
