"""Deposits and withdrawals noticed: told once, where a sizing mode counts the equity that they change.

They change no open cycle (A77): the trader is told that the next one uses the new equity. The log is read at a slow
pace; an exchange that does not serve it is asked again hours later.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from mirrorctl.core.domain.account import Transfer
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.policy import MAIN, Policy
from mirrorctl.core.domain.sizing import BY_EQUITY, BY_MAIN_EQUITY
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.ports import ReadFailed, ReadTransfers
from mirrorctl.core.engine.records import Severity
from mirrorctl.core.engine.state import EngineState

_EVERY_MS = 60_000
_NOT_SERVED_MS = 6 * 3_600_000
_WEEK_MS = 7 * 86_400_000 - 60_000  # one window of the log
_LATE_MS = 600_000  # a row may be listed well after its time (account/transaction-log)

log = logging.getLogger(__name__)


class Transfers:
    """What was read and told of. All calls on the engine's thread."""

    def __init__(self, state: EngineState) -> None:
        self._state = state
        self._due_ms: dict[str, int] = {}
        self._missing: set[str] = set()
        self._concerned = _concerned(state.policy)

    def tend(self, now_ms: int) -> None:
        """Ask what is due."""
        for name in self._concerned:
            account = self._state.accounts.get(name)
            if account is not None and account.relisted_ms and now_ms >= self._due_ms.get(name, 0):
                self._due_ms[account.name] = now_ms + _EVERY_MS
                account.ask(ReadTransfers(self._since_ms(account)), now_ms)

    def on_rows(self, account: Account, rows: Sequence[Transfer], now_ms: int) -> None:
        """Tell each once, whatever was read before: of accounts whose equity counts for a size."""
        self._missing.discard(account.name)
        if account.name not in self._concerned:
            return
        since_ms = self._since_ms(account)
        rows = [row for row in rows if row.time_ms >= since_ms]  # others were read for the day's limits
        for row in rows:
            what = "deposit" if row.amount > 0 else "withdrawal"
            text = f"{what} of {plain(abs(row.amount))} {row.coin}: open cycles keep their ratio, the next one uses it"
            self._state.outbox.tell(now_ms, Severity.INFO, "transfer", account.name, "", text, row.transfer_id)
        newest = max((row.time_ms for row in rows), default=0)
        first, known = self._cursor(account)
        if newest > known:
            self._state.store.set_fact(_key(account), f"{first} {newest}")

    def on_failed(self, account: Account, answer: ReadFailed, now_ms: int) -> None:
        """Nothing depends on it: the next read is soon enough, or far off where the exchange said no."""
        if answer.refused:
            self._due_ms[account.name] = now_ms + _NOT_SERVED_MS
        if account.name not in self._missing:
            self._missing.add(account.name)
            log.warning("deposits are not noticed: %s", answer.message)

    def _since_ms(self, account: Account) -> int:
        """From when to read: not from before the account was first looked at, late rows again, a week at most."""
        first, newest = self._cursor(account)
        return max(first, newest - _LATE_MS, self._state.exchange_now_ms() - _WEEK_MS)

    def _cursor(self, account: Account) -> tuple[int, int]:
        """(when the account was first looked at, the newest row told of), exchange clock."""
        known = self._state.store.fact(_key(account))
        if not known:
            now = self._state.exchange_now_ms()
            known = f"{now} {now}"
            self._state.store.set_fact(_key(account), known)
        first, newest = known.split()
        return int(first), int(newest)


def _concerned(policy: Policy) -> frozenset[str]:
    """Accounts whose equity a mirror's sizing mode counts."""
    modes = {mirror.name: mirror.sizing.mode for mirror in policy.mirrors if mirror.enabled}
    names = {name for name, mode in modes.items() if mode in BY_EQUITY}
    return frozenset(names | {MAIN} if any(mode in BY_MAIN_EQUITY for mode in modes.values()) else names)


def _key(account: Account) -> str:
    return f"transfers.{account.name}"
