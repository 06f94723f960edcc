"""A decision that does not converge parks its symbol on its account, with the plan that made it (see brake.py)."""

from __future__ import annotations

from typing import Any

from mirrorctl.core.domain.parks import LOOP, remedy
from mirrorctl.core.engine.brake import Loop
from mirrorctl.core.engine.records import Severity, StandingKind
from mirrorctl.core.engine.state import EngineState


def note_accepted(state: EngineState, account: str, symbol: str, intent_id: int, now_ms: int) -> None:
    """The exchange took an action: where it is one too many of the same, stop it and say so."""
    parked = (park.reason for park in state.standings.parked() if (park.account, park.symbol) == (account, symbol))
    before_start = any(reason.startswith(LOOP) for reason in parked) and not state.brake.knows(account, symbol)
    loop = state.brake.accepted(intent_id, now_ms, at_once=before_start)
    if loop is None:
        return
    reason = f"{LOOP}: {loop.what}: {loop.times} times in {(now_ms - loop.since_ms) // 1000} s and it does not last"
    reason += f"; plan: {', '.join(loop.plan)}"
    if loop.held_back or not _is_bound(loop):
        state.standings.set(StandingKind.PARK, account, symbol, reason, now_ms)
        then = "it is not tried any more, and no entry is made there" if loop.held_back else "no entry is made there"
    else:
        then = "it is tried on, ever more rarely"
    text = f"{reason}; {then}"
    state.outbox.tell(now_ms, Severity.CRITICAL, "loop", account, symbol, text, f"{loop.what}:{now_ms}")
    state.mark(state.accounts[account], symbol)


def loops_json(state: EngineState) -> list[dict[str, Any]]:
    """Decisions that came to nothing again and again: account, symbol, what, times, held_back, plan, remedy."""
    return [
        {
            "account": loop.account,
            "symbol": loop.symbol,
            "what": loop.what,
            "times": loop.times,
            "held_back": loop.held_back,
            "plan": list(loop.plan),
            "remedy": remedy(LOOP, loop.account, loop.symbol),
        }
        for loop in state.brake.loops()
    ]


def _is_bound(loop: Loop) -> bool:
    """Whether it is about what is bound to a position: protection is paced, and parks nothing (A21)."""
    return loop.what.startswith(("stop", "take-profit", "trailing"))
