"""The engine's store: every method of records.Store, with the writes in a queue that a full disk only makes longer.

Nothing in a pass ever fails on the store. What waits to be written is seen by whoever asks.
"""

from __future__ import annotations

import logging
from collections.abc import Container, Sequence
from decimal import Decimal

from mirrorctl.core.domain.actions import Action
from mirrorctl.core.domain.cycle import Copy, Cycle, CycleKey
from mirrorctl.core.domain.errors import StoreError
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.trade import Trade
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.records import (
    Alert,
    ClosedPosition,
    EquitySample,
    HoldTime,
    Intent,
    MeasuredCopy,
    NakedTime,
    OpenPosition,
    Standing,
    StandingKind,
    StoreFile,
)
from mirrorctl.core.engine.write_queue import WRITTEN, WriteQueue

log = logging.getLogger(__name__)


class GuardedStore(WriteQueue):
    """A records.Store over another one. No write of it raises StoreError, and a read only where nothing is known."""

    def __init__(self, store: StoreFile) -> None:
        super().__init__(store)
        self.was_waiting = store.was_waiting
        self._facts: dict[str, str] = {}  # as they were last read, for when they cannot be

    # --- what is asked -----------------------------------------------------------------------------------------

    @property
    def fresh(self) -> bool:
        return self._store.fresh

    def fact(self, key: str) -> str | None:
        for write in reversed([*self._queue, *(self._batch or ())]):
            if write.method == "set_fact" and write.args[0] == key:
                return str(write.args[1])
        found = self._known(lambda: self._store.fact(key), self._facts.get(key))
        if found is not None:
            self._facts[key] = found
        return found

    def cycles(self) -> list[Cycle]:
        return self._store.cycles()

    def copies(self) -> list[Copy]:
        return self._store.copies()

    def trades(self) -> list[Trade]:
        return self._store.trades()

    def newest_row(self) -> int:
        return self._row

    def open_intents(self) -> list[Intent]:
        """As the store's, and those that wait for the file: what the process before this one wrote ahead, too."""
        self._write_down()
        found = {intent.intent_id: intent for intent in self._store.open_intents()}
        for write in self._queue:
            if write.method == "record_intent":
                action, at_ms, *main = write.args
                number, pending = write.named["intent_id"], IntentState.PENDING
                known = Intent(number, action.account, action, pending, at_ms, at_ms, *main)
            elif write.method == "update_intent":
                known = write.args[0]
            else:
                continue
            found[known.intent_id] = known
        return [intent for intent in found.values() if not intent.state.is_over]

    def recent_intents(self, since_ms: int) -> list[Intent]:
        self._write_down()
        return self._store.recent_intents(since_ms)

    def standings(self) -> list[Standing]:
        return self._store.standings()

    def has_alert(self, key: str) -> bool:
        waits = any(alert.key == key for alert in self._of("add_alert"))
        return waits or self._known(lambda: self._store.has_alert(key), False)

    def alerts(self, limit: int) -> list[Alert]:
        nothing: list[Alert] = []
        found = self._known(lambda: self._store.alerts(limit), nothing)
        return (self._of("add_alert")[::-1] + found)[: max(limit, 0)]

    def undelivered(self) -> list[Alert]:
        """As the store's; [] where it cannot be read: they are found again at the next start."""
        nothing: list[Alert] = []
        found = {alert.key: alert for alert in self._known(self._store.undelivered, nothing) + self._of("add_alert")}
        for key in self._of("mark_delivered"):
            found.pop(key, None)
        return list(found.values())

    def measured_copies(self) -> list[MeasuredCopy]:
        self._write_down()
        return self._store.measured_copies()

    def measured_since(self, since_ms: int) -> list[MeasuredCopy]:
        self._write_down()
        nothing: list[MeasuredCopy] = []
        return self._known(lambda: self._store.measured_since(since_ms), nothing)

    def newest_measured(self, limit: int) -> list[MeasuredCopy]:
        self._write_down()
        return self._store.newest_measured(limit)

    def hold_times(self, since_ms: int) -> list[HoldTime]:
        self._write_down()
        return self._store.hold_times(since_ms)

    def open_positions(self) -> list[OpenPosition]:
        self._write_down()
        return self._store.open_positions()

    def closed_positions(self, since_ms: int) -> list[ClosedPosition]:
        waiting = [row for row in self._of("add_closed") if row.closed_ms >= since_ms]
        nothing: list[ClosedPosition] = []
        found = self._known(lambda: self._store.closed_positions(since_ms), nothing)
        return sorted(found + waiting, key=lambda row: row.closed_ms)

    def naked_times(self, since_ms: int) -> list[NakedTime]:
        self._write_down()
        nothing: list[NakedTime] = []
        return self._known(lambda: self._store.naked_times(since_ms), nothing)

    # --- what is written ---------------------------------------------------------------------------------------

    def set_fact(self, key: str, value: str, at_ms: int = 0) -> None:
        self._write("set_fact", key, value, at_ms)

    def save_cycle(self, cycle: Cycle) -> None:
        self._write("save_cycle", cycle)

    def end_cycle(self, key: CycleKey, at_ms: int) -> None:
        self._write("end_cycle", key, at_ms)

    def save_copy(self, copy: Copy) -> None:
        self._write("save_copy", copy)

    def drop_copy(self, key: tuple[str, str, PositionSide]) -> None:
        self._write("drop_copy", key)

    def save_trade(self, trade: Trade) -> None:
        self._write("save_trade", trade)

    def drop_trade(self, key: CycleKey) -> None:
        self._write("drop_trade", key)

    def record_intent(
        self,
        action: Action,
        at_ms: int,
        main_order_id: str = "",
        main_filled: Decimal | None = None,
        *,
        intent_id: int | None = None,
    ) -> int:
        """As the store's. The id is that of the row it is or will be: what waits is written in this order."""
        chosen = self._row + 1 if intent_id is None else intent_id
        self._row += 1
        self._write("record_intent", action, at_ms, main_order_id, main_filled, intent_id=chosen)
        return chosen

    def update_intent(self, intent: Intent) -> None:
        if intent.intent_id not in self._lost:
            self._row += 1
            self._write("update_intent", intent)

    def save_standing(self, standing: Standing) -> None:
        self._write("save_standing", standing)

    def drop_standing(self, kind: StandingKind, account: str, symbol: str) -> None:
        self._write("drop_standing", kind, account, symbol)

    def add_alert(self, alert: Alert) -> bool:
        if self.has_alert(alert.key):
            return False
        self._write("add_alert", alert)
        return True

    def mark_delivered(self, key: str, at_ms: int) -> None:
        self._write("mark_delivered", key, at_ms)

    def add_measured_copy(self, copy: MeasuredCopy) -> None:
        self._write("add_measured_copy", copy)

    def add_samples(self, samples: Sequence[EquitySample]) -> None:
        if not self.error:  # a gap in a curve is not worth the memory that it would wait in
            self._write("add_samples", samples)

    def add_hold(self, row: HoldTime) -> None:
        self._write("add_hold", row)

    def save_open(self, row: OpenPosition) -> None:
        self._write("save_open", row)

    def drop_open(self, key: tuple[str, str, PositionSide]) -> None:
        self._write("drop_open", key)

    def add_closed(self, row: ClosedPosition) -> None:
        self._write("add_closed", row)

    def add_naked(self, row: NakedTime) -> None:
        self._write("add_naked", row)

    # --- upkeep ------------------------------------------------------------------------------------------------

    def prune(self, before_ms: int, now_ms: int, keep: Container[int] = ()) -> int:
        """As the store's; not while writes wait for the file."""
        self._write_down()
        if self.error:
            return 0
        pruned = self._tried(lambda: self._store.prune(before_ms, now_ms, keep))
        self._row = self._known(self._store.newest_row, self._row)
        return int(pruned or 0)

    def checkpoint(self) -> None:
        """As the store's. One that fails leaves the log as it is: the next one does its work."""
        if not self.error:
            try:
                self._store.checkpoint()
            except StoreError as error:
                log.warning("%s; tried again in a minute", error.message)

    def note_waiting(self, waiting: bool) -> None:
        self._store.note_waiting(waiting)

    def keep_file(self) -> str:
        """As the store's."""
        return "" if self.error else str(self._tried(self._store.keep_file) or "")

    def can_write(self, now_ms: int) -> bool:
        """Try a write: a full disk, or one with room again, shows with nothing else."""
        if self.error:
            return self.catch_up(now_ms)
        self.set_fact(WRITTEN, str(now_ms))
        return not self.error
