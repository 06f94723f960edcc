"""The day of every account, for its limits: what was lost since 00:00 UTC, and the highest equity that was seen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from mirrorctl.core.domain.account import Execution, Transfer, Wallet
from mirrorctl.core.domain.day_limits import Day
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.ports import ReadFailed
from mirrorctl.core.engine.records import Store

COUNTED_MS = 1_000  # a closed-PnL record may show this much later than the execution that made it
_DOLLARS = frozenset(("USDT", "USDC"))  # of other coins the log tells no value in the wallet's terms


@dataclass(frozen=True, slots=True)
class _High:
    """The highest equity of a day. `at_ms`: when it was seen, or of the last transfer counted in (exchange clock)."""

    day_ms: int
    equity: Decimal
    at_ms: int


class DayBook:
    """Written through: the highest equity of a day survives a restart.

    What is paid in or out is neither won nor lost: the highest equity moves with it.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._highs: dict[str, _High | None] = {}
        self._wallets: dict[str, tuple[Wallet, int]] = {}
        self._closed_ms: dict[str, int] = {}
        self._transfers_ms: dict[str, int] = {}

    def note(self, account: Account, execution: Execution, now_ms: int) -> None:
        """An execution was seen: one that closed something is in no closed PnL that was read before it."""
        if execution.closed_qty:
            at_ms = min(execution.time_ms - (account.clock_offset_ms or 0), now_ms)
            self._closed_ms[account.name] = max(self._closed_ms.get(account.name, 0), at_ms)

    def counted_from_ms(self, account: Account) -> int:
        """A read of the day's closed PnL asked from then on holds every close that was seen; 0 where none was."""
        closed = self._closed_ms.get(account.name, 0)
        return closed + COUNTED_MS if closed else 0

    def look(self, account: Account, day_start_ms: int, now_ms: int) -> None:
        """The account is known: remember its equity where it is the day's highest."""
        wallet = account.view.wallet
        if wallet is None:
            return
        came = self._wallets.get(account.name)
        if came is None or came[0] is not wallet:  # what it says is as of when it came, however late it is looked at
            came = self._wallets[account.name] = (wallet, now_ms + (account.clock_offset_ms or 0))
        high = self._high(account.name, day_start_ms)
        if high is None or wallet.equity > high.equity:
            self._save(account.name, _High(day_start_ms, wallet.equity, came[1]))

    def of(self, account: Account, day_start_ms: int, now_ms: int, *, known: bool) -> Day:
        """What is known of an account's day; nothing but its high while the account itself is not `known`."""
        high = self._high(account.name, day_start_ms)
        wallet = account.view.wallet
        if not known or wallet is None:
            return Day(high=None if high is None else high.equity)
        counted = account.day_read_ms >= self.counted_from_ms(account)
        loss = account.day_loss(now_ms, day_start_ms) if counted else None
        return Day(loss, wallet.equity if high is None else max(high.equity, wallet.equity), wallet.equity)

    def transfers_read_ms(self, account: Account) -> int:
        """When the transfers of the day were asked for last and told, or refused for good; 0 for never."""
        return self._transfers_ms.get(account.name, 0)

    def on_transfers(self, account: Account, rows: Iterable[Transfer], day_start_ms: int, requested_ms: int) -> None:
        """Move the day's highest equity by what was paid in or out after it; each once, also over a restart."""
        self._transfers_ms[account.name] = requested_ms
        high = self._high(account.name, day_start_ms)
        if high is None:
            return
        late = [row for row in rows if row.time_ms > high.at_ms and row.coin in _DOLLARS]
        if late:
            moved = high.equity + sum((row.amount for row in late), Decimal(0))
            self._save(account.name, _High(high.day_ms, moved, max(row.time_ms for row in late)))

    def on_transfers_failed(self, account: Account, answer: ReadFailed, now_ms: int) -> None:
        """An exchange that does not serve the log is not waited for."""
        if answer.refused:
            self._transfers_ms[account.name] = now_ms

    def _save(self, name: str, high: _High) -> None:
        self._highs[name] = high
        self._store.set_fact(_key(name), f"{high.day_ms} {plain(high.equity)} {high.at_ms}")

    def _high(self, name: str, day_start_ms: int) -> _High | None:
        if name not in self._highs:
            words = (self._store.fact(_key(name)) or "").split()
            self._highs[name] = _High(int(words[0]), Decimal(words[1]), int(words[2])) if len(words) == 3 else None
        found = self._highs[name]
        return found if found is not None and found.day_ms == day_start_ms else None


def _key(name: str) -> str:
    return f"day.high.{name}"
