"""One account at run time: its view, its ports, and how much of it may be trusted."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from mirrorctl.core.domain.account import Execution
from mirrorctl.core.domain.actions import NotSent, Priority
from mirrorctl.core.domain.ids import account_tag
from mirrorctl.core.domain.policy import MAIN
from mirrorctl.core.domain.refusals import RATE_LIMIT
from mirrorctl.core.domain.values import Freshness, PositionSide
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.engine.pacing import Pace
from mirrorctl.core.engine.ports import DayAnswer, FeeRateAnswer, Query, Reachability, Reader, Writer

BLIND_RELIST_MS = 2_000
DAY_MS = 86_400_000
_DAY_FRESH_MS = 120_000
_BLIND_FRESH_MS = 6_000


@dataclass(slots=True)
class Account:
    """State of one account on the engine's thread. Times are in ms on the engine's clock; 0 means never.

    `relisted_ms` is when the last whole relist was asked, not when it came back. `openers` holds, per symbol and side,
    the link id of the execution that last grew the position: it says whose position it is when the store is new.
    `fee_rates` by symbol: None where the exchange says that it has none, as on demo; not in it while nothing was read.
    `equity` is what the last ReadWallet told, begun at `equity_read_ms`. `reach` tells how the account can be reached;
    None where nobody knows. `entries_held` is why the last entry was not sent. `tag` names it in the ids of its orders.
    """

    name: str
    uid: int
    reader: Reader
    writer: Writer
    view: AccountView
    reach: Reachability | None = None
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
    pace: Pace = field(default_factory=Pace)
    entries_held: str = ""
    is_main: bool = field(init=False)
    tag: str = field(init=False)

    def __post_init__(self) -> None:
        self.is_main = self.name == MAIN
        self.tag = account_tag(self.uid)

    @classmethod
    def create(cls, name: str, uid: int, reader: Reader, writer: Writer, reach: Reachability | None = None) -> Account:
        return cls(name, uid, reader, writer, AccountView(name), reach)

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

    @property
    def hold_entries_until_ms(self) -> int:
        """Until when no entry is sent, for the last one did not reach the exchange; 0: they may be."""
        return self.pace.until_ms(Priority.ENTRY)

    def not_sent(self, priority: Priority, outcome: NotSent, now_ms: int) -> None:
        """A send did not reach matching: what is as urgent waits, ever longer."""
        if not outcome.limited:
            self.error = outcome.reason
        if priority is Priority.ENTRY:
            unreached = f"the exchange could not be reached: {outcome.reason}"
            self.entries_held = f"{RATE_LIMIT}: {outcome.reason}" if outcome.limited else unreached
        self.pace.not_sent(priority, outcome, now_ms)

    def growth_held(self, now_ms: int) -> str:
        """Why entries wait for a moment although nothing speaks against them; empty when they do not."""
        held = self.entries_held
        return held if held and now_ms < self.hold_entries_until_ms else ""

    def note_opener(self, execution: Execution) -> bool:
        """Remember whose execution grew the position last. False where it grew none."""
        grew = execution.kind.moves_position and execution.qty > execution.closed_qty
        if grew:
            self.openers[(execution.symbol, execution.side.grows)] = execution.link_id
        return grew

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
