"""The engine's store where the file cannot be written: the disk is full, read-only, or the file is gone.

What is to be written waits in memory, in its order, and is written down in one transaction once the file takes it. So
nothing in a pass ever fails on the store: stops, reductions and cancels go on, for their ids are functions of the
decision and a restart finds them on the exchange. Entries do not: whoever plans or journals them looks at `error`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

from mirrorctl.core.domain.actions import Action
from mirrorctl.core.domain.cycle import Copy, Cycle, CycleKey
from mirrorctl.core.domain.errors import StoreError
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
    Store,
)

_WRITTEN = "store.written"
_DECISIONS = frozenset(
    (
        "save_standing",
        "drop_standing",
        "save_trade",
        "drop_trade",
        "save_copy",
        "drop_copy",
        "save_cycle",
        "end_cycle",
    )
)
"""What a restart cannot find on the exchange, as it finds the orders of the journal."""
_Read = TypeVar("_Read")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Write:
    method: str
    args: tuple[Any, ...]
    named: dict[str, Any] = field(default_factory=dict)

    def do(self, store: Store) -> Any:
        return getattr(store, self.method)(*self.args, **self.named)


class GuardedStore:
    """A records.Store over another one. No write of it raises StoreError, and a read only where nothing is known.

    `error` is why writes wait, "" while each is durable when it returns; `hint` says what to do about it. `failures`
    counts how often they began to wait.
    """

    def __init__(self, store: Store) -> None:
        self.error = store.error
        self.hint = store.hint
        self._store = store
        self.failures = 0
        self._marked = False
        self.was_waiting = store.was_waiting
        self._waiting: list[_Write] = []
        self._batch: list[_Write] | None = None
        self._outer: AbstractContextManager[None] | None = None
        self._facts: dict[str, str] = {}  # as they were last read, for when they cannot be
        self._row = store.newest_row()

    # --- what is asked -----------------------------------------------------------------------------------------

    @property
    def fresh(self) -> bool:
        return self._store.fresh

    @property
    def waiting(self) -> int:
        """How many writes wait."""
        return len(self._waiting)

    def fact(self, key: str) -> str | None:
        for write in reversed([*self._waiting, *(self._batch or [])] if self.error else []):
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
        return self._store.open_intents()

    def recent_intents(self, since_ms: int) -> list[Intent]:
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
        return self._store.measured_copies()

    def measured_since(self, since_ms: int) -> list[MeasuredCopy]:
        nothing: list[MeasuredCopy] = []
        return self._known(lambda: self._store.measured_since(since_ms), nothing)

    def newest_measured(self, limit: int) -> list[MeasuredCopy]:
        return self._store.newest_measured(limit)

    def hold_times(self, since_ms: int) -> list[HoldTime]:
        return self._store.hold_times(since_ms)

    def open_positions(self) -> list[OpenPosition]:
        return self._store.open_positions()

    def closed_positions(self, since_ms: int) -> list[ClosedPosition]:
        waiting = [row for row in self._of("add_closed") if row.closed_ms >= since_ms]
        nothing: list[ClosedPosition] = []
        found = self._known(lambda: self._store.closed_positions(since_ms), nothing)
        return sorted(found + waiting, key=lambda row: row.closed_ms)

    def naked_times(self, since_ms: int) -> list[NakedTime]:
        nothing: list[NakedTime] = []
        return self._known(lambda: self._store.naked_times(since_ms), nothing)

    # --- what is written ---------------------------------------------------------------------------------------

    @contextmanager
    def batch(self) -> Iterator[None]:
        """One transaction, now or later; an exception undoes it all, and no part of it is written later."""
        if self._batch is not None:
            mark = len(self._batch)
            try:
                yield  # a part of the outer one: nobody goes on after a part that failed
            except BaseException:
                del self._batch[mark:]
                raise
            return
        self._batch, row = [], self._row
        try:
            yield
        except BaseException as error:
            self._batch, self._row = None, row
            outer, self._outer = self._outer, None
            if outer is not None:
                self._leave(outer, error)
            raise
        staged, self._batch = self._batch, None
        outer, self._outer = self._outer, None
        if outer is not None and not self.error:
            self._leave(outer, None)
        elif outer is not None:  # it failed midway
            self._leave(outer, StoreError(self.error, self.hint))
        if self.error:
            self._keep(staged)

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
        self._write("record_intent", action, at_ms, main_order_id, main_filled, intent_id=chosen)
        self._row += 1
        return chosen

    def update_intent(self, intent: Intent) -> None:
        self._write("update_intent", intent)
        self._row += 1

    def save_standing(self, standing: Standing) -> None:
        self._write("save_standing", standing)

    def drop_standing(self, kind: StandingKind, account: str, symbol: str) -> None:
        self._write("drop_standing", kind, account, symbol)

    def add_alert(self, alert: Alert) -> bool:
        if self.error and self.has_alert(alert.key):
            return False
        added = self._write("add_alert", alert)
        return True if added is None else bool(added)

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
        """As the store's; not while writes wait."""
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
        self.set_fact(_WRITTEN, str(now_ms))
        return not self.error

    def catch_up(self, now_ms: int) -> bool:
        """Try to write down what waits. Whether every write is durable again."""
        if not self.error:
            return True
        try:
            self._store.keep_file()
            with self._store.batch():
                for write in self._waiting:
                    write.do(self._store)
                self._store.set_fact(_WRITTEN, str(now_ms))  # a transaction of nothing proves nothing
        except StoreError as error:
            self._fail(error)
            return False
        self._waiting.clear()
        self.error = self.hint = ""
        if self._marked:
            self._marked = False
            self._store.note_waiting(False)
        self._row = self._known(self._store.newest_row, self._row)
        return True

    # --- inside ------------------------------------------------------------------------------------------------

    def _write(self, method: str, *args: Any, **named: Any) -> Any:
        """Write now, or keep it for later; None where it is kept."""
        write = _Write(method, args, named)
        if self._batch is not None:
            if self._outer is None:  # it begins with the first write: most batches have none
                self._outer = self._begun()
            self._batch.append(write)
        if not self.error:
            try:
                return write.do(self._store)
            except StoreError as error:
                self._fail(error)
        if self._batch is None:
            self._keep([write])
        return None

    def _keep(self, writes: list[_Write]) -> None:
        """Let writes wait. Where one carries a decision, a kill must not make it forgotten unnoticed."""
        self._waiting += writes
        if not self._marked and any(write.method in _DECISIONS for write in writes):
            self._marked = True
            self._store.note_waiting(True)

    def _begun(self) -> AbstractContextManager[None] | None:
        """The store's own transaction, begun; None where there is none."""
        if self.error:
            return None
        outer = self._store.batch()
        try:
            outer.__enter__()
        except StoreError as error:
            self._fail(error)
            return None
        return outer

    def _leave(self, outer: AbstractContextManager[None], error: BaseException | None) -> None:
        """End the store's own transaction: undone where there is an error, which is not raised here."""
        self._tried(lambda: outer.__exit__(None if error is None else type(error), error, None))

    def _tried(self, what: Callable[[], _Read]) -> _Read | None:
        try:
            return what()
        except StoreError as error:
            self._fail(error)
            return None

    def _known(self, read: Callable[[], _Read], otherwise: _Read) -> _Read:
        """What a read gives, or what is known without the file."""
        try:
            return read()
        except StoreError as error:
            self._fail(error)
            return otherwise

    def _fail(self, error: StoreError) -> None:
        if not self.error:
            self.failures += 1
        self.error, self.hint = error.message, error.hint

    def _of(self, method: str) -> list[Any]:
        """The values that wait to be written by a method, in their order."""
        return [write.args[0] for write in [*self._waiting, *(self._batch or [])] if write.method == method]
