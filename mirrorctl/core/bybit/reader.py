"""The reader port over HTTP: lists on one thread, single reads on another, so no decision waits for a list."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from math import inf

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
_NO_FEE_RATE_S = 60.0  # demo has no fee-rate at all (demo): asking again is for an account that gets one


class AccountReader:
    """Answers each `ask` with exactly one ReadDone.

    Identical queries that wait together are read once. `requested_ms` of the event is when the read began, so whatever
    the stream pushed after it may be newer than the answer. The clock is measured with the first relist and then every
    `clock_every_s`, and told as ClockMeasured.
    """

    def __init__(self, rest: BybitRest, deliver: Deliver, *, clock_every_s: float = 60.0) -> None:
        """Takes two siblings of `rest` for its own two threads, which start here."""
        self.account = rest.account
        self._deliver = deliver
        self._clock_every_s = clock_every_s
        self._clock_due = -inf
        self._relists = _Lane(f"relist-{self.account}", rest.sibling(), self._answer, deliver)
        self._singles = _Lane(f"read-{self.account}", rest.sibling(), self._answer, deliver)

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

    def _answer(self, rest: BybitRest, query: Query) -> Answer:
        try:
            if isinstance(query, Relist):
                self._tend_clock(rest)
            return read(rest, query)
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

    def __init__(
        self, name: str, rest: BybitRest, answer: Callable[[BybitRest, Query], Answer], deliver: Deliver
    ) -> None:
        self._rest = rest
        self._answer = answer
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
        while (asked := self._next()) is not None:
            query, times = asked
            began_ms = self._rest.link.clock.local_ms()
            self._report(query, times, self._answer(self._rest, query), began_ms)
        for query, times in self._waiting.items():
            self._report(query, times, ReadFailed("stopping"), self._rest.link.clock.local_ms())

    def _next(self) -> tuple[Query, int] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._waiting)
            if self._closing:
                return None
            relists = (query for query in self._waiting if isinstance(query, Relist))
            query = next(relists, None) or next(iter(self._waiting))  # decisions wait for a relist, words for the rest
            return query, self._waiting.pop(query)

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
