"""Rows the engine keeps: intents, pauses and parks, alerts, measured copies. And the port that keeps them."""

from __future__ import annotations

from collections.abc import Container, Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from mirrorctl.core.domain.actions import Action, PlaceOrder
from mirrorctl.core.domain.cycle import Copy, Cycle, CycleKey
from mirrorctl.core.domain.frozen import value
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.trade import Trade
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.domain.values import Severity as Severity


@value(frozen=True, slots=True)
class Intent:
    """An action journaled before it is sent. `main_order_id` and `main_filled` are of a twin (see OurOrder).

    `order_id` is the exchange's for a placement, once it was told.
    """

    intent_id: int
    account: str
    action: Action
    state: IntentState
    created_ms: int
    updated_ms: int
    main_order_id: str = ""
    main_filled: Decimal | None = None
    filled: Decimal = ZERO
    by_us: bool = False
    code: int = 0
    message: str = ""
    order_id: str = ""

    def after(
        self, state: IntentState, now_ms: int, filled: Decimal | None, code: int, message: str, order_id: str
    ) -> Intent:
        """The intent in another state. What is None, 0 or "" stays as it was."""
        return Intent(
            self.intent_id,
            self.account,
            self.action,
            state,
            self.created_ms,
            now_ms,
            self.main_order_id,
            self.main_filled,
            self.filled if filled is None else filled,
            self.by_us,
            code or self.code,
            message or self.message,
            (order_id if isinstance(self.action, PlaceOrder) else "") or self.order_id,
        )


class StandingKind(StrEnum):
    """PAUSE: by the trader. HALT: by a limit of the day, until the trader resumes. PARK: a symbol that cannot go on."""

    PAUSE = "pause"
    PARK = "park"
    HALT = "halt"


@value(frozen=True, slots=True)
class Standing:
    """A pause, a halt or a parked symbol. Empty `account` or `symbol` means every one. Survives restarts."""

    kind: StandingKind
    account: str
    symbol: str
    reason: str
    since_ms: int


@value(frozen=True, slots=True)
class Alert:
    """One row of the outbox (rule 18). `key` makes it unique: the same event is told once."""

    key: str
    at_ms: int
    severity: Severity
    kind: str
    account: str
    symbol: str
    text: str


LEGS = ("main_to_frame", "frame_to_plan", "plan_to_send", "send_to_ack", "ack_to_fill")


@value(frozen=True, slots=True)
class MeasuredCopy:
    """One copy: from main's execution to the mirror's first execution of the order that followed it.

    Times are the exchange's, in ms. Slippage in basis points of main's price, positive when the mirror did worse. What
    happened in between was stamped by the local clock and is brought to the exchange's by the mirror's offset, None
    where that or the moment is not known: `received_ms` when the news of main's fill came in, `planned_ms` when the
    order was decided and journaled, `sent_ms` when it left, `acked_ms` when its acceptance came in.
    """

    account: str
    symbol: str
    side: PositionSide
    link_id: str
    main_exec_ms: int
    mirror_exec_ms: int
    slippage_bps: Decimal | None
    received_ms: int | None = None
    planned_ms: int | None = None
    sent_ms: int | None = None
    acked_ms: int | None = None

    @property
    def total_ms(self) -> int:
        """From main's execution to the mirror's first."""
        return self.mirror_exec_ms - self.main_exec_ms

    def legs_ms(self) -> dict[str, int | None]:
        """The way in legs, which add up to `total_ms`. The last is negative where the fill was before its answer."""
        way = (
            self.main_exec_ms,
            self.received_ms,
            self.planned_ms,
            self.sent_ms,
            self.acked_ms,
            self.mirror_exec_ms,
        )
        ends = zip(LEGS, way[:-1], way[1:], strict=True)
        return {leg: None if start is None or end is None else end - start for leg, start, end in ends}


@value(frozen=True, slots=True)
class EquitySample:
    """One account at one moment (local clock), in the settle coin at mark prices; None: not known then.

    `ideal` is what the open cycles ask of a mirror, r x main's size; `want` the same after step, cap and holds of the
    trader; `have` what it holds. None of the three on main.
    """

    account: str
    at_ms: int
    equity: Decimal | None
    ideal: Decimal | None = None
    want: Decimal | None = None
    have: Decimal | None = None


@value(frozen=True, slots=True)
class HoldTime:
    """A time in which policy, or a refusal, kept growth of one side of a mirror back (A82). Local clock.

    `until_ms` None: it lasts.
    """

    account: str
    symbol: str
    side: PositionSide
    from_ms: int
    reason: str
    until_ms: int | None = None


@value(frozen=True, slots=True)
class OpenPosition:
    """A position that was seen with size: what is known of it when it closes, also after a restart.

    `tag` is the trade's on main, else the cycle's; `approach` the trade's. `opened_ms` is the exchange's time of its
    first fill, 0 when that was not seen.
    """

    account: str
    symbol: str
    side: PositionSide
    tag: str = ""
    approach: str = ""
    opened_ms: int = 0

    @property
    def key(self) -> tuple[str, str, PositionSide]:
        return (self.account, self.symbol, self.side)


@value(frozen=True, slots=True)
class ClosedPosition:
    """One position from its first fill to proven zero, and what closed it (A41). Times are the exchange's, in ms.

    `reason` is the closing execution's: target, stop, manual, liquidation, adl, emergency, followed main; "unknown"
    when no closing execution was seen. `late`: it closed while no daemon watched. `tag` is the cycle's or the trade's.
    `opened_ms` 0: its beginning was not seen.
    """

    account: str
    symbol: str
    side: PositionSide
    tag: str
    reason: str
    opened_ms: int
    closed_ms: int
    late: bool
    approach: str = ""


@value(frozen=True, slots=True)
class NakedTime:
    """How long a position stood without a stop that was read back (rule 6).

    `from_ms` is its first fill, on the local clock; `ms` runs to the first read that shows the stop. While the stop
    is still missing `ended` is False and `ms` is what is known so far.
    """

    account: str
    symbol: str
    side: PositionSide
    from_ms: int
    ms: int
    ended: bool


Ahead = tuple[int, Action, int, str, Decimal | None]
"""What `Store.record_intent` is to be called with: id, action, moment, main's order and what of it had filled."""


class Store(Protocol):
    """The durable store of one profile. Calls are fast, local and made on the engine's thread only.

    Every call is durable against SIGKILL when it returns; inside `batch` when the block ends.
    """

    @property
    def fresh(self) -> bool:
        """True when this store was created now: nothing is known of what came before."""
        ...

    def batch(self) -> AbstractContextManager[None]:
        """One transaction around several calls. Nests."""
        ...

    def fact(self, key: str) -> str | None: ...
    @property
    def error(self) -> str:
        """Why writes wait in memory; "" where each is durable when it returns. Then no entry may be sent."""
        ...

    @property
    def hint(self) -> str:
        """What to do about `error`."""
        ...

    def set_fact(self, key: str, value: str, at_ms: int = 0) -> None:
        """Keep a fact; one with a time is forgotten by a prune of later."""

    def cycles(self) -> list[Cycle]: ...
    def save_cycle(self, cycle: Cycle) -> None: ...
    def end_cycle(self, key: CycleKey, at_ms: int) -> None:
        """The cycle moves to the history."""

    def copies(self) -> list[Copy]: ...
    def save_copy(self, copy: Copy) -> None: ...
    def drop_copy(self, key: tuple[str, str, PositionSide]) -> None: ...

    def trades(self) -> list[Trade]: ...
    def save_trade(self, trade: Trade) -> None: ...
    def drop_trade(self, key: CycleKey) -> None: ...

    def record_intent(
        self,
        action: Action,
        at_ms: int,
        main_order_id: str = "",
        main_filled: Decimal | None = None,
        *,
        intent_id: int | None = None,
    ) -> int:
        """Journal an action as PENDING before it is sent; returns its id, rising."""
        ...

    def newest_row(self) -> int:
        """The number of the journal's newest row, and the highest id; 0 for an empty one."""
        ...

    def update_intent(self, intent: Intent) -> None:
        """Write state, filled, by_us, code, message, order_id and updated_ms."""

    def open_intents(self) -> list[Intent]:
        """Every intent that is not over, oldest first."""
        ...

    def recent_intents(self, since_ms: int) -> list[Intent]:
        """Every intent updated since then, oldest first."""
        ...

    def standings(self) -> list[Standing]: ...
    def save_standing(self, standing: Standing) -> None: ...
    def drop_standing(self, kind: StandingKind, account: str, symbol: str) -> None: ...

    def add_alert(self, alert: Alert) -> bool:
        """Put it in the outbox; False when its key is there already."""
        ...

    def has_alert(self, key: str) -> bool: ...
    def alerts(self, limit: int) -> list[Alert]:
        """The newest alerts, newest first."""
        ...

    def undelivered(self) -> list[Alert]:
        """The alerts that no channel has delivered, in the order in which they were added (A69)."""
        ...

    def mark_delivered(self, key: str, at_ms: int) -> None:
        """A channel delivered the alert, or (0) none was to deliver it. The first mark counts."""

    def prune(self, before_ms: int, now_ms: int, keep: Container[int] = ()) -> int:
        """Delete what ended before then: intents that are not in `keep`, cycles, alerts, measures, closed positions.

        Beyond a number of rows the oldest go, whatever their age. A call does a part of it. Returns how many rows went.
        """
        ...

    @property
    def was_waiting(self) -> bool:
        """Whether writes of the process before this one waited in memory when it died."""
        ...

    def note_waiting(self, waiting: bool) -> None:
        """Note, where a kill leaves it, that writes wait in memory, or that none does any more."""

    def keep_file(self) -> str:
        """Look after the file: one that was deleted or replaced is written anew. Says what was done, "" for nothing."""
        ...

    def checkpoint(self) -> None:
        """Fold the write-ahead log into the file now, so no later call pays for it."""

    def add_measured_copy(self, copy: MeasuredCopy) -> None: ...
    def measured_copies(self) -> list[MeasuredCopy]: ...
    def measured_since(self, since_ms: int) -> list[MeasuredCopy]:
        """Copies that were filled on the mirror at that time (exchange clock) or later, oldest first."""
        ...

    def newest_measured(self, limit: int) -> list[MeasuredCopy]:
        """At most `limit` of the measured copies, oldest first."""
        ...

    def add_samples(self, samples: Sequence[EquitySample]) -> None: ...
    def add_hold(self, row: HoldTime) -> None:
        """Keep it, in place of what was known of the same spell (account, symbol, side, from_ms)."""

    def hold_times(self, since_ms: int) -> list[HoldTime]:
        """Spells that lasted at that time or later, oldest first."""
        ...

    def open_positions(self) -> list[OpenPosition]: ...
    def save_open(self, row: OpenPosition) -> None: ...
    def drop_open(self, key: tuple[str, str, PositionSide]) -> None: ...

    def add_closed(self, row: ClosedPosition) -> None:
        """Keep it. The same position (account, symbol, side, tag, closed_ms) again changes nothing."""

    def closed_positions(self, since_ms: int) -> list[ClosedPosition]:
        """What closed since then, in the order in which it closed."""
        ...

    def add_naked(self, row: NakedTime) -> None:
        """Keep it, in place of what was known of the same spell (account, symbol, side, from_ms)."""

    def naked_times(self, since_ms: int) -> list[NakedTime]:
        """Spells that began since then, and every one that has not ended, oldest first."""
        ...


class StoreFile(Store, Protocol):
    """The store as it is opened; the engine's own is one over it (guarded_store.py)."""

    def record_ahead(self, rows: list[Ahead]) -> bool:
        """Make these as durable as `record_intent` does, which has to follow for each before anything else is written.

        Cheaper than that, for what is about to be sent. False where it is not possible now.
        """
        ...

    def leave_out_row(self) -> None:
        """Add a row of nothing to the journal, in the place of one that can never be written."""
        ...

    def left_ahead(self) -> list[Ahead]:
        """What a process before this one wrote ahead and did not come to write down, in its order."""
        ...
