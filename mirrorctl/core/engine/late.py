"""What should long be done and is not: in `status` after its normal flight, told once when it lasts, and its end.

A plan names the stops, reductions and cancels that the exchange does not show yet (domain/due.py), whatever keeps them:
a rate limit, a clock, a breaker, refusals, doubt, or that nothing can be decided (A29, rule 15).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from mirrorctl.core.domain.actions import PlaceOrder, Priority
from mirrorctl.core.domain.due import FLIGHT_MS
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.scene import Due, SymbolPlan
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.effects import busy_key
from mirrorctl.core.engine.records import Intent, Severity
from mirrorctl.core.engine.state import EngineState
from mirrorctl.core.engine.times import stamp

_TOLD = "late.told"
_BOUND = ("stop", "target", "trailing")
_PRIORITIES = {"reduction": Priority.REDUCTION, "cancel": Priority.CANCEL}

Key = tuple[str, str, str]


class LateWatch:
    """Tells of what stays undone past its bound, and of its end. It is written down, so a restart is no news."""

    def __init__(self, state: EngineState) -> None:
        self._state = state
        rows = json.loads(state.store.fact(_TOLD) or "[]")
        self._told: dict[Key, tuple[int, str]] = {(a, s, about): (since, done) for a, s, about, since, done in rows}

    def look(self, now_ms: int) -> None:
        """Look at the newest plans. Nothing is told of mirrors while main is not known: it may be as it should."""
        unfinished = self._state.agenda.unfinished
        if unfinished and self._state.is_known(self._state.main):
            for plan in unfinished.values():
                for about, due in plan.due.items():
                    if due.bound_ms is not None and not due.named and now_ms - due.since_ms > due.bound_ms:
                        self._begin((plan.account, plan.symbol, about), plan, due, now_ms)
        for key in list(self._told):
            if self._is_over(key):
                self._end(key, now_ms)

    def _begin(self, key: Key, plan: SymbolPlan, due: Due, now_ms: int) -> None:
        if key in self._told or not (self._state.policy.mirroring or plan.account == self._state.main.name):
            return
        since_s = (now_ms - due.since_ms) // 1000
        text = f"{due.what} since {since_s} s: {why(self._state, plan, due)}; {due.state}"
        severity = Severity.CRITICAL if due.critical else Severity.WARNING
        with self._state.store.batch():
            self._told[key] = (due.since_ms, due.done)
            about = f"{key[2]}:{due.since_ms}"
            self._state.outbox.tell(now_ms, severity, _kind(key), *key[:2], text, about, subject="late")
            self._write()

    def _is_over(self, key: Key) -> bool:
        """Whether the decision behind a told row was made anew and asks for it no more."""
        account, symbol, about = key
        state = self._state
        if account not in state.accounts:
            return account not in state.absent
        if not (state.is_known(state.main) and state.is_known(state.accounts[account])):
            return False
        if account != state.main.name and not (account in state.passes and state.passes[account].sighted):
            return False
        plans = _plans_there(state, account, symbol)
        return not any(plan.blocked or about in plan.due or _closes(plan, about) for plan in plans)

    def _end(self, key: Key, now_ms: int) -> None:
        since_ms, done = self._told.pop(key)
        account = self._state.accounts.get(key[0])
        if account is None or (key[2].startswith(_BOUND) and not _is_held(self._state, key)):
            done = "its position is closed"
        text = f"{done} after {(now_ms - since_ms) // 1000} s"
        with self._state.store.batch():
            about = f"{key[2]}:{since_ms}:over"
            self._state.outbox.tell(now_ms, Severity.INFO, _kind(key), *key[:2], text, about, subject="late")
            self._write()

    def _write(self) -> None:
        rows = [[*key, since_ms, done] for key, (since_ms, done) in self._told.items()]
        self._state.store.set_fact(_TOLD, json.dumps(rows))


def _kind(key: Key) -> str:
    """A side that is larger than it should be has drifted."""
    return "drift" if key[2].startswith("reduction") else "late"


def plans_of(state: EngineState) -> Iterable[SymbolPlan]:
    """The newest plan of every trade on main and of every symbol on every mirror."""
    of_mirrors = (plan for mirror in state.passes.values() for plan in mirror.plans.values())
    return chain(state.main_pass.plans.values(), of_mirrors)


def _plans_there(state: EngineState, account: str, symbol: str) -> list[SymbolPlan]:
    if account == state.main.name:
        found = [state.main_pass.plans.get((symbol, side)) for side in PositionSide]
    else:
        found = [state.passes[account].plans.get(symbol)]
    return [plan for plan in found if plan is not None]


def late(state: EngineState) -> Iterator[tuple[SymbolPlan, Due]]:
    """What is due for longer than its normal flight."""
    now_ms = state.now_ms()
    for plan in plans_of(state):
        for due in plan.due.values():
            if not due.named and now_ms - due.since_ms > FLIGHT_MS:
                yield plan, due


def late_json(state: EngineState, plan: SymbolPlan, due: Due) -> dict[str, Any]:
    """A row of `missing`: account, symbol, what, and since when."""
    what = f"{due.what}: {why(state, plan, due)}; {due.state}"
    return {"account": plan.account, "symbol": plan.symbol, "what": what, "since": stamp(due.since_ms)}


def why(state: EngineState, plan: SymbolPlan, due: Due) -> str:
    """What keeps it, as far as that is known."""
    account = state.accounts[plan.account]
    if plan.blocked:
        return plan.blocked
    if not state.policy.mirroring and not account.is_main:
        return "mirroring is disabled"
    if not state.is_known(account):
        return account.error or "the account is not read now"
    tries = [intent for intent in state.book.of_symbol(plan.account, plan.symbol) if _is_for(intent, due)]
    last = max(tries, key=lambda intent: intent.intent_id, default=None)
    if last is not None and last.state is IntentState.DOUBT:
        return last.message or "no answer"
    unsent = account.pace.why(_PRIORITIES.get(due.kind.partition(":")[0], Priority.STOP))
    if unsent:
        return f"not sent: {unsent}"
    if last is None or last.updated_ms < due.since_ms:
        return "it waits for its turn"
    return _outcome(last)


def _outcome(last: Intent) -> str:
    """What became of the last try."""
    if last.state is IntentState.PENDING:
        return "not answered yet"
    if last.state is IntentState.REJECTED:
        return f"refused ({last.code}): {last.message}"
    if last.state is IntentState.ACCEPTED:
        return "accepted, and it does not show"
    if last.state is IntentState.ABSENT and isinstance(last.action, PlaceOrder):
        return "sent without an answer, and nowhere on the exchange"
    return last.message or "done, and it does not show"


def _is_for(intent: Intent, due: Due) -> bool:
    action = intent.action
    if isinstance(action, PlaceOrder):
        return due.side is not None and action.side is due.side and action.priority is Priority.REDUCTION
    return busy_key(action) == due.kind


def _closes(plan: SymbolPlan, about: str) -> bool:
    """Whether a side is being closed: no stop is asked for, and none was set."""
    return any(about.endswith(f" {row.side}") and row.have and not row.want for row in plan.standings)


def _is_held(state: EngineState, key: Key) -> bool:
    account, symbol, about = key
    view = state.accounts[account].view
    return any(about.endswith(f" {side}") and view.size(symbol, side) for side in PositionSide)
