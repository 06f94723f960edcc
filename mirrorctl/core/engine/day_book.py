"""The day of every account, for its limits: what was lost since 00:00 UTC, and the highest equity that was seen."""

from __future__ import annotations

from decimal import Decimal

from mirrorctl.core.domain.account import Execution
from mirrorctl.core.domain.day_limits import Day
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.records import Store

COUNTED_MS = 1_000  # a closed-PnL record may show this much later than the execution that made it


class DayBook:
    """Written through: the highest equity of a day survives a restart."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._highs: dict[str, tuple[int, Decimal] | None] = {}
        self._closed_ms: dict[str, int] = {}

    def note(self, account: Account, execution: Execution, now_ms: int) -> None:
        """An execution was seen: one that closed something is in no closed PnL that was read before it."""
        if execution.closed_qty:
            at_ms = min(execution.time_ms - (account.clock_offset_ms or 0), now_ms)
            self._closed_ms[account.name] = max(self._closed_ms.get(account.name, 0), at_ms)

    def counted_from_ms(self, account: Account) -> int:
        """A read of the day's closed PnL asked from then on holds every close that was seen; 0 where none was."""
        closed = self._closed_ms.get(account.name, 0)
        return closed + COUNTED_MS if closed else 0

    def look(self, account: Account, day_start_ms: int) -> None:
        """The account is known: remember its equity where it is the day's highest."""
        wallet = account.view.wallet
        if wallet is None:
            return
        high = self._high(account.name, day_start_ms)
        if high is None or wallet.equity > high:
            self._highs[account.name] = (day_start_ms, wallet.equity)
            self._store.set_fact(_key(account.name), f"{day_start_ms} {plain(wallet.equity)}")

    def of(self, account: Account, day_start_ms: int, now_ms: int, *, known: bool) -> Day:
        """What is known of an account's day; nothing while the account itself is not `known`."""
        high = self._high(account.name, day_start_ms)
        wallet = account.view.wallet
        if not known or wallet is None:
            return Day(high=high)
        counted = account.day_read_ms >= self.counted_from_ms(account)
        loss = account.day_loss(now_ms, day_start_ms) if counted else None
        return Day(loss, wallet.equity if high is None else max(high, wallet.equity), wallet.equity)

    def _high(self, name: str, day_start_ms: int) -> Decimal | None:
        if name not in self._highs:
            day, _, equity = (self._store.fact(_key(name)) or "").partition(" ")
            self._highs[name] = (int(day), Decimal(equity)) if equity else None
        found = self._highs[name]
        return found[1] if found is not None and found[0] == day_start_ms else None


def _key(name: str) -> str:
    return f"day.high.{name}"
