"""The queue of writes to the store, in their order.

While the file cannot be written (the disk is full, read-only, or the file is gone) what is to be written waits in
memory and is written down in one transaction once the file takes it. So nothing in a pass ever fails on the store:
stops, reductions and cancels go on, for their ids are functions of the decision and a restart finds them on the
exchange. Entries do not: whoever plans or journals them looks at `error`.

Within a round of the engine records of what happened wait as well, for the next write that something depends on or for
the end of the round, and are one transaction with it. A process that dies before that has lost what the exchange tells
again. What is about to be sent, a decision and a fact never wait, and all that came before goes with them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

from mirrorctl.core.domain.blocks import Block
from mirrorctl.core.domain.errors import StoreError, Unwritable
from mirrorctl.core.engine.records import Ahead, Store, StoreFile

WRITTEN = "store.written"
"""The fact that a write is tried with."""
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
_RECORDS = frozenset(
    (
        "update_intent",
        "add_alert",
        "mark_delivered",
        "add_measured_copy",
        "add_hold",
        "save_open",
        "drop_open",
        "add_closed",
        "add_naked",
    )
)
"""What nothing outside depends on before the round is over."""
_JOURNAL = frozenset(("record_intent", "update_intent"))
"""What is a row of the journal, whose number others count on."""
_OF_A_VALUE = (ValueError, ArithmeticError, TypeError, AttributeError, LookupError)
"""What a value can bring about on its way into a row: a text without an encoding, a number without end."""
_REPORT = "a fault of mirrorctl: report it with the log of this moment"
_Read = TypeVar("_Read")

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Write:
    method: str
    args: tuple[Any, ...]
    named: dict[str, Any]

    def do(self, store: Store) -> None:
        try:
            getattr(store, self.method)(*self.args, **self.named)
        except _OF_A_VALUE as error:
            raise Unwritable(f"{self.method} cannot be written: {error}", _REPORT) from error

    def give_up(self) -> None:
        """Leave a row of nothing instead."""
        self.method, self.args, self.named = "leave_out_row", (), {}


class WriteQueue:
    """What is to be written to a store.

    `error` is why writes wait, "" while each is durable when it returns (records of a round: when the round is over);
    `hint` says what to do about it. `failures` counts how often they began to wait.
    """

    def __init__(self, store: StoreFile) -> None:
        self.error = store.error
        self.hint = store.hint
        self.failures = 0
        self._store = store
        self._queue: list[_Write] = []
        self._batch: list[_Write] | None = None
        self._begun: list[tuple[int, int]] = []  # of each batch, where it began
        self._batches = Block(self._begin_batch, self._end_batch)
        self._in_round = self._decides = self._marked = False
        self._ahead = 0  # so many of the queue, its first, are durable without being written down
        self._lost: set[int] = set()  # ids whose row could not be written
        self._row = store.newest_row()
        for number, *row in store.left_ahead():
            if number != self._row + 1:
                log.error("what was written ahead is not taken up: intent %s behind row %s", number, self._row)
                break
            self._row = number
            self._queue.append(_Write("record_intent", tuple(row), {"intent_id": self._row}))
        self._write_down()

    @property
    def waiting(self) -> int:
        """How many writes wait for the file."""
        return len(self._queue) if self.error else 0

    def begin_round(self) -> None:
        """From now on records wait until `end_round`, or until something is written that does not wait."""
        self._in_round = True

    def end_round(self) -> None:
        """Write down what waits: all that was decided and seen is durable, as far as the file can be written."""
        self._in_round = False
        self._write_down()

    def batch(self) -> AbstractContextManager[None]:
        """One transaction, now or later; an exception undoes it all, and no part of it is written later. Nests."""
        return self._batches

    def _begin_batch(self) -> None:
        if self._batch is None:
            self._batch = []
        self._begun.append((len(self._batch), self._row))

    def _end_batch(self, undone: bool) -> None:
        staged = self._batch if self._batch is not None else []
        mark, row = self._begun.pop()
        if undone:
            del staged[mark:]
            self._row = row
        if not self._begun:
            self._batch = None
            if staged:
                self._put(staged)

    def catch_up(self, now_ms: int) -> bool:
        """Try to write down what waits. Whether every write is durable again."""
        if not self.error:
            return True
        try:
            self._store.keep_file()
            self._write_all(_Write("set_fact", (WRITTEN, str(now_ms)), {}))  # a transaction of nothing proves nothing
        except StoreError as error:
            self._fail(error)
            return False
        self._ahead = 0  # a read may have failed within a round, when some of it stood ahead
        self._decides = False
        self.error = self.hint = ""
        if self._marked:
            self._marked = False
            self._store.note_waiting(False)
        self._row = self._known(self._store.newest_row, self._row)
        return True

    # --- inside ------------------------------------------------------------------------------------------------

    def _write(self, method: str, *args: Any, **named: Any) -> None:
        write = _Write(method, args, named)
        if self._batch is not None:
            self._batch.append(write)
        else:
            self._put((write,))

    def _put(self, writes: Sequence[_Write]) -> None:
        """Queue writes that belong together, and write down what waits unless all of it may wait."""
        self._queue += writes
        may_wait = self._in_round
        for write in writes:
            may_wait = may_wait and write.method in _RECORDS
            self._decides = self._decides or write.method in _DECISIONS
        if self.error:
            self._mark()
        elif not may_wait and not self._stands_ahead(writes):
            lost = len(self._lost)
            self._write_down()
            if len(self._lost) > lost:
                raise Unwritable("an action cannot be journaled, and is not sent: the log says why", _REPORT)

    def _stands_ahead(self, writes: Sequence[_Write]) -> bool:
        """Have what is about to be sent written ahead, its rows to follow with the round; where nothing else waits."""
        if not self._in_round or self._ahead + len(writes) != len(self._queue):
            return False
        rows: list[Ahead] = []
        for write in writes:
            if write.method != "record_intent":
                return False
            rows.append((write.named["intent_id"], *write.args))
        try:
            stands = self._store.record_ahead(rows)
        except (StoreError, *_OF_A_VALUE):
            return False
        if stands:
            self._ahead += len(rows)
        return stands

    def _write_down(self) -> None:
        """Write what waits, in its order and in one transaction. It goes on waiting where that fails."""
        if self.error or not self._queue:
            return
        self._ahead = 0
        try:
            self._write_all()
        except StoreError as error:
            self._fail(error)
            self._mark()
        else:
            self._decides = False

    def _write_all(self, *more: _Write) -> None:
        """Write what waits in one transaction, with `more`. Whatever is raised, all of it waits still."""
        writes = [*self._queue, *more]
        try:
            if len(writes) == 1:
                writes[0].do(self._store)
            else:
                with self._store.batch():
                    for write in writes:
                        write.do(self._store)
        except Unwritable:
            with self._store.batch():
                for write in writes:
                    self._write_or_give_up(write)
        self._queue.clear()

    def _write_or_give_up(self, write: _Write) -> None:
        """One that can never be written keeps no other back. A row of nothing stands for one of the journal, so that
        the ids given since are those of their rows."""
        try:
            with self._store.batch():
                write.do(self._store)
        except Unwritable:
            log.exception("%s is dropped: it can never be written", write.method)
            if write.method == "record_intent":
                self._lose(write.named["intent_id"])
            if write.method in _JOURNAL:
                write.give_up()
                write.do(self._store)
            else:
                self._queue[:] = [other for other in self._queue if other is not write]

    def _lose(self, intent_id: int) -> None:
        """Nobody can say what an intent is whose first row is not there: nothing is written of what becomes of it."""
        self._lost.add(intent_id)
        for write in [*self._queue, *(self._batch or ())]:
            if write.method == "update_intent" and write.args[0].intent_id == intent_id:
                write.give_up()

    def _mark(self) -> None:
        """Where a decision waits for the file, a kill must not make it forgotten unnoticed."""
        if self._decides and not self._marked:
            self._marked = True
            self._store.note_waiting(True)

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
        return [write.args[0] for write in [*self._queue, *(self._batch or ())] if write.method == method]
