"""One account at run time: its view, its ports, and how much of it may be trusted."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from mirrorctl.core.domain.account import Execution
from mirrorctl.core.domain.actions import NotSent, Priority
from mirrorctl.core.domain.ids import account_tag
from mirrorctl.core.domain.policy import MAIN
from mirrorctl.core.domain.values import Freshness, PositionSide
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.engine.ports import DayAnswer, FeeRateAnswer, Query, Reader, Writer

BLIND_RELIST_MS = 2_000
DAY_MS = 86_400_000
_DAY_FRESH_MS = 120_000
_BLIND_FRESH_MS = 6_000
_EXIT_RETRY_MS = 1_000


@dataclass(slots=True)
class Account:
    """State of one account on the engine's thread. Times are in ms on the engine's clock; 0 means never.

    `relisted_ms` is when the last whole relist was asked, not when it came back. `openers` holds, per symbol and side,
    the link id of the execution that last grew the position: it says whose position it is when the store is new.
    `fee_rates` by symbol: None where the exchange says that it has none, as on demo; not in it while nothing was read.
    `equity` is what the last ReadWallet told, begun at `equity_read_ms`.
    """

    name: str
    uid: int
    reader: Reader
    writer: Writer
    view: AccountView
    stream_up: bool = False
    epoch: int = -1
    stream_since_ms: int = 0
    last_event_ms: int = 0
    relisted_ms: int = 0
    relist_due_ms: int = 0
    error: str = ""
    clock_offset_ms: int | None = None
    day: DayAnswer | None = None
    day_read_ms: int = 0
    asked: dict[Query, int] = field(default_factory=dict)
    retry_at_ms: dict[Query, int] = field(default_factory=dict)
    read_errors: dict[Query, str] = field(default_factory=dict)
    last_asked_ms: dict[Query, int] = field(default_factory=dict)
    openers: dict[tuple[str, PositionSide], str] = field(default_factory=dict)
    fee_rates: dict[str, FeeRateAnswer | None] = field(default_factory=dict)
    equity: Decimal | None = None
    equity_read_ms: int = 0
    hold_entries_until_ms: int = 0
    hold_exits_until_ms: int = 0

    @classmethod
    def create(cls, name: str, uid: int, reader: Reader, writer: Writer) -> Account:
        return cls(name, uid, reader, writer, AccountView(name))

    @property
    def is_main(self) -> bool:
        return self.name == MAIN

    @property
    def tag(self) -> str:
        return account_tag(self.uid)

    def freshness(self, now_ms: int, relist_ms: int) -> Freshness:
        """Fresh: relisted since its stream came up, or, while the stream is down, relisted a moment ago."""
        if not self.relisted_ms:
            return Freshness.UNKNOWN
        age = now_ms - self.relisted_ms
        if self.stream_up:
            fresh = self.relisted_ms >= self.stream_since_ms and age <= max(3 * relist_ms, 60_000)
        else:
            fresh = self.relisted_ms >= self.stream_since_ms and age <= _BLIND_FRESH_MS
        return Freshness.FRESH if fresh else Freshness.STALE

    def day_loss(self, now_ms: int, day_start_ms: int) -> Decimal | None:
        """Loss since 00:00 UTC, closed and open together; negative when the day won. None: it cannot be computed."""
        wallet = self.view.wallet
        fresh = self.day is not None and self.day.start_ms == day_start_ms
        if self.day is None or not fresh or wallet is None or now_ms - self.day_read_ms > _DAY_FRESH_MS:
            return None
        return -(self.day.realised + wallet.unrealised_pnl)

    def not_sent(self, priority: Priority, outcome: NotSent, now_ms: int) -> None:
        """A send did not reach matching. Entries wait as long as they were told; exits try again within a second."""
        self.error = outcome.reason
        wait_ms = int(outcome.retry_after_s * 1000)
        if priority is Priority.ENTRY:
            self.hold_entries_until_ms = now_ms + wait_ms
        else:
            self.hold_exits_until_ms = now_ms + min(wait_ms, _EXIT_RETRY_MS)

    def note_opener(self, execution: Execution) -> None:
        """Remember whose execution grew the position last; executions come in the order of their time."""
        side = PositionSide.grown_by(execution.side)
        self.openers[(execution.symbol, side)] = execution.link_id

    def ask(self, query: Query, now_ms: int, *, every_ms: int = 0) -> None:
        """Ask the reader once: not while the same question is open, before its retry time, or within `every_ms`."""
        if query in self.asked or now_ms < self.retry_at_ms.get(query, 0):
            return
        if every_ms and now_ms < self.last_asked_ms.get(query, -every_ms) + every_ms:
            return
        self.asked[query] = self.last_asked_ms[query] = now_ms
        self.reader.ask(query)

    def forget_asks(self, before_ms: int) -> None:
        """Forget when questions were asked and refused that long ago."""
        self.read_errors = {query: text for query, text in self.read_errors.items() if query in self.retry_at_ms}
        self.last_asked_ms = {query: at for query, at in self.last_asked_ms.items() if at > before_ms}
        self.retry_at_ms = {query: at for query, at in self.retry_at_ms.items() if at > before_ms}
