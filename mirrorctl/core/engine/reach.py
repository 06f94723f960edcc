"""Whether the accounts can be reached: told once when it lasts, and in `status` with what rate limits leave."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.outbox import Outbox
from mirrorctl.core.engine.ports import BreakerState, Budget
from mirrorctl.core.engine.records import Severity

_LASTING_MS = 10_000
_LOOK_MS = 100


class ReachWatch:
    """Tells of an account that cannot be reached for a while, and of its return. Times in ms on the engine's clock."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._due_ms = 0
        self._since: dict[str, int] = {}
        self._told: dict[str, bool] = {}  # by account: whether it was its breaker that kept it off

    def look(self, accounts: Iterable[Account], now_ms: int) -> None:
        """Look at every account, now and then; a short trouble is nobody's news."""
        if now_ms < self._due_ms:
            return
        self._due_ms = now_ms + _LOOK_MS
        for account in accounts:
            trouble = "" if account.reach is None else account.reach.trouble()
            if trouble:
                self._troubled(account, trouble, now_ms)
            elif (since := self._since.pop(account.name, None)) is not None and account.name in self._told:
                by_breaker = self._told.pop(account.name)
                kind, begins = ("breaker", "breaker closed: ") if by_breaker else ("reached", "")
                text = f"{begins}reached again after {(now_ms - since) / 1000:.0f} s"
                self._outbox.tell(now_ms, Severity.INFO, kind, account.name, "", text, f"closed {since}")

    def _troubled(self, account: Account, trouble: str, now_ms: int) -> None:
        since = self._since.setdefault(account.name, now_ms)
        if account.reach is not None and account.name not in self._told and now_ms - since >= _LASTING_MS:
            by_breaker = self._told[account.name] = account.reach.health().breaker is not BreakerState.CLOSED
            kind, begins = ("breaker", "breaker open: ") if by_breaker else ("unreachable", "")
            text = f"{begins}cannot be reached since {(now_ms - since) / 1000:.0f} s: {trouble}"
            self._outbox.tell(now_ms, Severity.WARNING, kind, account.name, "", text, f"open {since}")


def reach_json(account: Account, *, unread: bool) -> dict[str, Any]:
    """Breaker, budgets and order entry of one account. Where nobody can tell, one that is `unread` counts as cut off.

    `order_entry` is what orders go over now; `entry_trouble` why it is not the trade socket that was asked for.
    """
    if account.reach is None:
        state = BreakerState.OPEN if unread else BreakerState.CLOSED
        return {"breaker": state.value, "next_try_s": None, "budget": None, "order_entry": None, "entry_trouble": None}
    health = account.reach.health()
    return {
        "breaker": health.breaker.value,
        "next_try_s": round(health.next_try_s, 1),
        "budget": [_budget_json(row) for row in health.budgets],
        "order_entry": "ws" if health.socket_trouble == "" else "http",
        "entry_trouble": health.socket_trouble or None,
    }


def address_json(accounts: Iterable[Account]) -> dict[str, Any] | None:
    """What this machine's address may still send, for all accounts together; None where nobody knows."""
    reach = next((account.reach for account in accounts if account.reach is not None), None)
    if reach is None:
        return None
    health = reach.health()
    return {**_budget_json(health.address), "silent_s": round(health.silent_s, 1)}


def _budget_json(budget: Budget) -> dict[str, Any]:
    """`wait_s`: how long an entry that needs it waits now."""
    return {
        "group": budget.name,
        "limit": budget.limit,
        "window_s": budget.window_s,
        "left": budget.left,
        "wait_s": round(budget.wait_s, 1),
    }
