"""What closed positions brought, from the exchange's own records (A68): read once they close, for a bounded time.

A record may come a moment after the execution that made it. What is not known by then is told as not known yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from mirrorctl.core.domain.account import ClosedPnl
from mirrorctl.core.domain.closings import Closing
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.ports import ReadClosed
from mirrorctl.core.engine.state import EngineState

_WAIT_MS = 10_000
_AGAIN_MS = 2_000
_LAG_MS = 2_000  # a record may show this much later than the execution that made it
_EARLIER_MS = 60_000  # an order may have been made before the position that it closed
_LONGEST_MS = 30 * 86_400_000


@dataclass(frozen=True, slots=True)
class CloseResult:
    """In the settle coin, after both fees. `fees` None: a record does not show them.

    `whole` False: of the order that closed it alone, for nobody saw the position begin.
    """

    pnl: Decimal
    fees: Decimal | None
    whole: bool


@dataclass(slots=True)
class Awaited:
    """What is read for one close: records since `since_ms` (exchange clock), until `until_ms` (local clock)."""

    since_ms: int
    until_ms: int
    rows: Sequence[ClosedPnl] = ()


class CloseResults:
    """The records that are awaited. All calls on the engine's thread."""

    def __init__(self, state: EngineState) -> None:
        self._state = state
        self._awaited: dict[tuple[str, str, str], Awaited] = {}
        self._since: dict[tuple[str, str], int] = {}  # of the oldest that is awaited: one read serves a whole symbol

    def is_due(self, account: Account, closing: Closing, opened_ms: int) -> bool:
        """Whether the close may be told: its records are here, or are not waited for any longer. Asks for them."""
        now, closed_ms = self._state.now_ms(), closing.execution.time_ms
        awaited = self._awaited.get(_key(account, closing))
        if awaited is None:
            began_ms = (closing.opened_ms or opened_ms or closed_ms) - _EARLIER_MS
            since_ms = max(began_ms, closed_ms - _LONGEST_MS)
            awaited = self._awaited[_key(account, closing)] = Awaited(since_ms, now + _WAIT_MS)
        if self.known(account, closing, opened_ms) is not None or now >= awaited.until_ms:
            return True
        place = (account.name, closing.execution.symbol)
        self._since[place] = min(awaited.since_ms, self._since.get(place, awaited.since_ms))
        account.ask(ReadClosed(self._since[place], closing.execution.symbol), now, every_ms=_AGAIN_MS)
        return False

    def on_records(self, account: Account, query: ReadClosed, rows: Sequence[ClosedPnl]) -> None:
        """Records of one symbol were read."""
        for (name, symbol, _), awaited in self._awaited.items():
            if (name, symbol) == (account.name, query.symbol) and awaited.since_ms >= query.start_ms:
                awaited.rows = rows

    def known(self, account: Account, closing: Closing, opened_ms: int) -> CloseResult | None:
        """What it brought; None while a record of it is missing."""
        awaited = self._awaited.get(_key(account, closing))
        if awaited is None:
            return None
        return result_of(closing, max(closing.opened_ms or opened_ms, 0), awaited)

    def forget(self, account: Account, closing: Closing) -> None:
        """It is told."""
        self._awaited.pop(_key(account, closing), None)
        place = (account.name, closing.execution.symbol)
        if not any(key[:2] == place for key in self._awaited):
            self._since.pop(place, None)


def result_of(closing: Closing, opened_ms: int, awaited: Awaited) -> CloseResult | None:
    """What the records say of one position; None while they do not cover all that its orders closed.

    Where its executions are known from the first on, its orders are; else the time says which records are its own.
    """
    execution = closing.execution
    rows = [row for row in awaited.rows if row.side is closing.side and row.symbol == execution.symbol]
    own = [row for row in rows if row.order_id == execution.order_id]
    whole = True
    if closing.opened_ms:
        mine = [row for row in rows if row.order_id in closing.exits]
        closed = sum(closing.exits.values(), ZERO)
        if awaited.since_ms > closing.opened_ms or sum((row.qty for row in mine), ZERO) != closed:
            return None
    elif opened_ms and awaited.since_ms <= opened_ms:
        mine = [row for row in rows if opened_ms <= row.updated_ms <= execution.time_ms + _LAG_MS or row in own]
    else:
        mine, whole = own, False
    if not own or sum((row.qty for row in own), ZERO) < min(execution.closed_qty, execution.qty):
        return None
    fees = [fee for row in mine for fee in (row.open_fee, row.close_fee)]
    known = [fee for fee in fees if fee is not None]
    pnl = sum((row.pnl for row in mine), ZERO)
    return CloseResult(pnl, sum(known, ZERO) if len(known) == len(fees) else None, whole)


def _key(account: Account, closing: Closing) -> tuple[str, str, str]:
    return (account.name, closing.execution.symbol, closing.execution.exec_id)
