"""The reader port over HTTP: lists on one thread, single reads on another, so no decision waits for a list."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf
from typing import TypeVar

from mirrorctl.core.bybit.rest import BybitRest
from mirrorctl.core.domain.day_summary import day_figures
from mirrorctl.core.domain.errors import ExchangeError, Rejected, Unavailable
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.engine.ports import (
    Answer,
    ClockMeasured,
    ClosedAnswer,
    DayAnswer,
    Deliver,
    ExecutionsAnswer,
    FiguresAnswer,
    FindOrder,
    Query,
    ReadClosed,
    ReadDay,
    ReadDone,
    ReadExecutions,
    ReadFailed,
    ReadFeeRate,
    ReadFigures,
    ReadInstrument,
    ReadPosition,
    ReadTicker,
    ReadTransfers,
    ReadWallet,
    Relist,
    TransfersAnswer,
    WalletAnswer,
)

_log = logging.getLogger(__name__)
_SLOW = Relist | ReadTransfers | ReadClosed | ReadFigures  # several pages: no short read waits behind them
_LISTED = ReadInstrument | ReadFeeRate  # of one symbol; a list holds those of all
_MANY = 4  # that wait together: fewer are read one by one, for a list is long
_NO_FEE_RATE_S = 60.0  # demo has no fee-rate at all (demo): asking again is for an account that gets one

Found = TypeVar("Found")
Answering = Callable[[BybitRest, Sequence[Query]], Iterator[tuple[Query, Answer]]]


class AccountReader:
    """Answers each `ask` with exactly one ReadDone.

    Identical queries that wait together are read once; trading rules, and fees, of several symbols that wait together
    are read in one list, so that a start with many positions costs pages and not symbols (A50). `requested_ms` of the
    event is when the read began, so whatever the stream pushed after it may be newer than the answer. The clock is
    measured with the first relist and then every `clock_every_s`, and told as ClockMeasured.
    """

    def __init__(self, rest: BybitRest, deliver: Deliver, *, clock_every_s: float = 60.0) -> None:
        """Takes two siblings of `rest` for its own two threads, which start here."""
        self.account = rest.account
        self._deliver = deliver
        self._clock_every_s = clock_every_s
        self._clock_due = -inf
        self._relists = _Lane(f"relist-{self.account}", rest.sibling(), self._answers, deliver)
        self._singles = _Lane(f"read-{self.account}", rest.sibling(), self._answers, deliver)

    def ask(self, query: Query) -> None:
        """Queue a read; never blocks."""
        lane = self._relists if isinstance(query, _SLOW) else self._singles
        lane.add(query)

    def close(self, timeout_s: float = 2.0) -> bool:
        """Finish the reads in flight, answer the rest with ReadFailed. False when one did not end in time."""
        deadline = time.monotonic() + timeout_s
        lanes = (self._relists, self._singles)
        for lane in lanes:
            lane.end()
        ended = [lane.join(deadline - time.monotonic()) for lane in lanes]
        return all(ended)

    def _answers(self, rest: BybitRest, queries: Sequence[Query]) -> Iterator[tuple[Query, Answer]]:
        """An answer for each; what a list lacks, or all of them where it failed, is read by itself."""
        found: Mapping[Query, Answer] | ReadFailed = {}
        if len(queries) > 1:
            found = self._tried(queries[0], lambda: listed(rest, type(queries[0])))
        for query in queries:
            answer = None if isinstance(found, ReadFailed) else found.get(query)
            yield query, answer or self._answer(rest, query)

    def _answer(self, rest: BybitRest, query: Query) -> Answer:
        def one() -> Answer:
            if isinstance(query, Relist):
                self._tend_clock(rest)
            return read(rest, query)

        return self._tried(query, one)

    def _tried(self, query: Query, what: Callable[[], Found]) -> Found | ReadFailed:
        try:
            return what()
        except ExchangeError as error:
            return failed(query, error)
        except Exception as error:  # noqa: BLE001 - thread boundary
            _log.exception("%s: a read failed in an unexpected way", self.account)
            return ReadFailed(f"{self.account}: unexpected {type(error).__name__}")

    def _tend_clock(self, rest: BybitRest) -> None:
        if time.monotonic() < self._clock_due:
            return
        try:
            offset_ms = rest.measure_clock()
        except ExchangeError:
            return  # the relist that follows shows what is wrong, or works with the last measurement
        self._clock_due = time.monotonic() + self._clock_every_s
        self._deliver(ClockMeasured(self.account, offset_ms))


class _Lane:
    """One thread with its own session and a queue in which equal queries stand once."""

    def __init__(self, name: str, rest: BybitRest, answers: Answering, deliver: Deliver) -> None:
        self._rest = rest
        self._answers = answers
        self._deliver = deliver
        self._changed = threading.Condition()
        self._waiting: dict[Query, int] = {}
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def add(self, query: Query) -> None:
        with self._changed:
            if not self._closing:
                self._waiting[query] = self._waiting.get(query, 0) + 1
                self._changed.notify()
                return
        self._report(query, 1, ReadFailed("stopping"), self._rest.link.clock.local_ms())

    def end(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._rest.close()

    def join(self, timeout_s: float) -> bool:
        self._thread.join(max(timeout_s, 0.0))
        return not self._thread.is_alive()

    def _run(self) -> None:
        while asked := self._next():
            began_ms = self._rest.link.clock.local_ms()
            for query, answer in self._answers(self._rest, list(asked)):
                self._report(query, asked[query], answer, began_ms)
        for query, times in self._waiting.items():
            self._report(query, times, ReadFailed("stopping"), self._rest.link.clock.local_ms())

    def _next(self) -> dict[Query, int]:
        """What is read next, and how often each was asked for; empty when the lane ends."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._waiting)
            if self._closing:
                return {}
            relists = (query for query in self._waiting if isinstance(query, Relist))
            query = next(relists, None) or next(iter(self._waiting))  # decisions wait for a relist, words for the rest
            alike = [each for each in self._waiting if type(each) is type(query)] if isinstance(query, _LISTED) else ()
            chosen = alike if len(alike) >= _MANY else (query,)
            return {each: self._waiting.pop(each) for each in chosen}

    def _report(self, query: Query, times: int, answer: Answer, began_ms: int) -> None:
        done = ReadDone(self._rest.account, query, answer, began_ms, self._rest.link.clock.local_ms())
        for _ in range(times):
            try:
                self._deliver(done)
            except Exception:  # noqa: BLE001 - thread boundary
                _log.exception("%s: an answer could not be handed over", self._rest.account)


def failed(query: Query, error: ExchangeError) -> ReadFailed:
    """The answer for a read that brought nothing, with when it is worth asking again."""
    if isinstance(error, Rejected):
        wait_s = _NO_FEE_RATE_S if isinstance(query, ReadFeeRate) else None
        return ReadFailed(error.message, wait_s, refused=True)
    return ReadFailed(error.message, error.retry_after_s if isinstance(error, Unavailable) else None)


def read(rest: BybitRest, query: Query) -> Answer:
    """Carry one query out, in the caller's thread. Raises ExchangeError."""
    match query:
        case Relist():
            return rest.relist(query.executions_since_ms)
        case ReadPosition():
            return rest.position(query.symbol)
        case FindOrder():
            return rest.find_order(query.symbol, link_id=query.link_id, order_id=query.order_id)
        case ReadExecutions():
            return ExecutionsAnswer(rest.executions_of(query.symbol, query.order_id))
        case ReadDay() | ReadClosed() | ReadFigures():
            return _records(rest, query)
        case ReadFeeRate():
            return rest.fee_rate(query.symbol)
        case ReadTransfers():
            return TransfersAnswer(rest.transfers(query.start_ms))
        case ReadWallet():
            return WalletAnswer(rest.wallet())
        case ReadTicker():
            return rest.ticker(query.symbol)
        case ReadInstrument():
            return rest.instrument(query.symbol)


def listed(rest: BybitRest, kind: type[Query]) -> dict[Query, Answer]:
    """Everything of a kind that one list holds, by the query that asks for it alone. Raises ExchangeError."""
    if kind is ReadInstrument:
        return {ReadInstrument(found.symbol): found for found in rest.instruments()}
    if kind is ReadFeeRate:
        return {ReadFeeRate(found.symbol): found for found in rest.fee_rates()}
    raise ValueError(f"no list holds what {kind.__name__} asks for")


def _records(rest: BybitRest, query: ReadDay | ReadClosed | ReadFigures) -> Answer:
    """What closed-PnL records tell."""
    if isinstance(query, ReadClosed):
        return ClosedAnswer(rest.closed_pnl(query.start_ms, query.symbol))
    records = rest.closed_pnl(query.start_ms)
    if isinstance(query, ReadDay):
        return DayAnswer(query.start_ms, sum((row.pnl for row in records), ZERO))
    standing = rest.positions()
    executions = rest.executions_since(query.start_ms)  # last: what happens meanwhile has its record still to come
    return FiguresAnswer(query.start_ms, day_figures(records, executions, standing, query.start_ms, query.end_ms))
