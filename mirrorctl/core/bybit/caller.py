"""How calls are made: the one retry policy, all pages of a list, and the exchange's clock.

Only reads are retried. A write goes out once; whether it may go again is the engine's decision, made on its outcome.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from mirrorctl.core.bybit.encode import Call
from mirrorctl.core.bybit.failures import CallFailed, Failure, FailureKind, Malformed, read_error
from mirrorctl.core.bybit.fields import Row, integer, maybe_integer
from mirrorctl.core.bybit.link import AccountLink
from mirrorctl.core.bybit.quotas import Quota, Urgency, urgency_of_read
from mirrorctl.core.bybit.traffic import Held, Ticket

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection

    from mirrorctl.core.bybit.session import Session

_MAX_PAGES = 200
_CLOCK_SAMPLES = 3
_GOOD_ROUND_TRIP_MS = 200
_FIRST_WAIT_S = 0.2
_LONGEST_WAIT_S = 3.0
_NANOS_IN_MS = 1_000_000


class CallSession(Protocol):
    """Carries one call out: the envelope of a retCode 0, or CallFailed. `quota`: what its reply said of the limits."""

    @property
    def quota(self) -> Quota | None: ...

    def call(self, method: str, **params: Any) -> dict[str, Any]: ...

    def close(self) -> None: ...


class Posted(NamedTuple):
    """A write that left, and waits for its answer."""

    ticket: Ticket
    connection: HTTPConnection


OpenSession = Callable[[AccountLink], CallSession]


class Caller:
    """Calls of one account over one HTTP session. One thread at a time; `close` may come from another.

    `answered_ms`: when the exchange answered the last read (its clock); 0 where it does not say.
    """

    def __init__(
        self,
        link: AccountLink,
        *,
        timeout_s: float,
        recv_window_ms: int,
        read_attempts: int,
        patience_s: float,
        jitter: Callable[[], float] = random.random,
        open_session: OpenSession | None = None,
    ) -> None:
        """A read waits up to `patience_s` for room in the budgets. `open_session` replaces the HTTP session."""
        self._open_session = open_session or self._open_http
        self.link = link
        self._timeout_s = timeout_s
        self._recv_window_ms = recv_window_ms
        self._patience_s = patience_s
        self._jitter = jitter
        self._session: CallSession | None = None
        self._kept: Session | None = None
        self.answered_ms = 0
        self._closing = threading.Event()
        self._retrying = Retrying(
            stop=stop_after_attempt(read_attempts),
            wait=self._wait_s,
            retry=retry_if_exception(self._may_retry),
            before_sleep=self._mend,
            sleep=self._sleep,
            reraise=True,
        )

    def close(self) -> None:
        """End waits between retries and drop the kept connections."""
        self._closing.set()
        if self._session is not None:
            self._session.close()

    # --- reads ---

    def read(self, method: str, **params: Any) -> Row:
        """`result` of one read. Raises Unavailable (AddressBlocked, Malformed) or Rejected (AccountRefused)."""
        urgency = urgency_of_read(method, params)
        try:
            self._ensure_clock()
            envelope = self._retrying(self._patiently, Call(method, params), urgency)
        except CallFailed as error:
            raise read_error(error.failure, self.link.account) from None
        result = envelope.get("result")
        if not isinstance(result, dict):
            raise Malformed(f"{self.link.account}: {method} answered without a result")
        self.answered_ms = maybe_integer(envelope, "time")
        return result

    def rows(self, method: str, **params: Any) -> Sequence[Row]:
        """The `list` of a read that has no further page."""
        return _rows(self.read(method, **params), method)

    def pages(self, method: str, **params: Any) -> list[Row]:
        """The rows of all pages. A page that fails, or a cursor that comes twice, fails the whole read (A45).

        The cursor is handed back as it came: it arrives URL-encoded and is signed that way.
        """
        rows: list[Row] = []
        seen: set[str] = set()
        cursor = ""
        for _ in range(_MAX_PAGES):
            result = self.read(method, **params, **({"cursor": cursor} if cursor else {}))
            rows.extend(_rows(result, method))
            cursor = result.get("nextPageCursor") or ""
            if not cursor:
                return rows
            if cursor in seen:
                raise Malformed(f"{self.link.account}: {method} sent the same page cursor twice")
            seen.add(cursor)
        raise Malformed(f"{self.link.account}: {method} did not end after {_MAX_PAGES} pages")

    # --- writes ---

    def send(self, call: Call, urgency: Urgency, orders: int = 1) -> dict[str, Any]:
        """One attempt at a write; its envelope. Raises CallFailed; after a clock refusal the clock is new.

        It never waits for room: whoever queues writes does, so that a stop that comes meanwhile goes first. `orders`:
        how many are in a batch.
        """
        try:
            self._ensure_clock()
            return self._carry(call, self._ticket(call.method, urgency, writes=True, orders=orders))
        except CallFailed as error:
            if error.failure.is_clock:
                self._try_measure()
            raise

    def post(self, call: Call, urgency: Urgency) -> Posted | None:
        """The first half of `send`, which waits for nothing; `answer` is the other.

        None where nothing was written: no connection stands open, there is no room, or the clock was never measured.
        """
        session = self._kept
        connection = session.take() if session is not None and self.link.clock.offset_ms is not None else None
        if session is None or connection is None:
            return None
        admitted = self.link.traffic.admit(call.method, urgency, writes=True)
        if isinstance(admitted, Held):
            session.put_back(connection)
            return None
        session.post(connection, call.method, call.params)
        return Posted(admitted, connection)

    def answer(self, posted: Posted) -> dict[str, Any]:
        """What `send` returns and raises, for what was posted."""
        session = self._kept
        if session is None:
            raise RuntimeError("nothing was posted")
        try:
            return self._told(posted.ticket, session, lambda: session.answer(posted.connection))
        except CallFailed as error:
            if error.failure.is_clock:
                self._try_measure()
            raise

    # --- clock ---

    def measure_clock(self) -> int:
        """Exchange minus local clock in ms, from market/time at the middle of the shortest of a few round trips.

        Raises what a read raises.
        """
        try:
            return self._measure()
        except CallFailed as error:
            raise read_error(error.failure, self.link.account) from None

    def _measure(self) -> int:
        clock = self.link.clock
        best: tuple[int, int] | None = None
        for _ in range(_CLOCK_SAMPLES):
            ticket = self._ticket("get_server_time", Urgency.SETTLING)
            before = clock.local_ms()
            envelope = self._carry(Call("get_server_time", {}), ticket)
            after = clock.local_ms()
            exchange_ms = integer(envelope.get("result") or {}, "timeNano") // _NANOS_IN_MS
            sample = (after - before, exchange_ms - (before + after) // 2)
            if sample[0] >= 0 and (best is None or sample < best):
                best = sample
            if 0 <= sample[0] <= _GOOD_ROUND_TRIP_MS:
                break
        if best is None:
            raise Malformed(f"{self.link.account}: the local clock went backwards while it was measured")
        clock.set(best[1])
        return best[1]

    def _ensure_clock(self) -> None:
        if self.link.clock.offset_ms is None:
            self._try_measure()

    def _try_measure(self) -> None:
        """Without a measurement the signed call itself shows what is wrong."""
        try:
            self._measure()
        except (CallFailed, Malformed):
            return

    # --- the gate ---

    def _patiently(self, call: Call, urgency: Urgency) -> dict[str, Any]:
        """One attempt at a read. For room in the budgets it waits; for an account that does not answer it does not."""
        patience_s = self._patience_s
        while True:
            admitted = self.link.traffic.admit(call.method, urgency)
            if isinstance(admitted, Ticket):
                return self._carry(call, admitted)
            if admitted.kind is not FailureKind.LIMITED or admitted.wait_s > patience_s or self._closing.is_set():
                raise admitted.error()
            patience_s -= admitted.wait_s
            self._sleep(admitted.wait_s)

    def _ticket(self, method: str, urgency: Urgency, *, writes: bool = False, orders: int = 1) -> Ticket:
        admitted = self.link.traffic.admit(method, urgency, writes=writes, orders=orders)
        if isinstance(admitted, Held):
            raise admitted.error()
        return admitted

    def _carry(self, call: Call, ticket: Ticket) -> dict[str, Any]:
        """Make an admitted call."""
        session = self._opened()
        return self._told(ticket, session, lambda: session.call(call.method, **call.params))

    def _told(self, ticket: Ticket, session: CallSession, carry: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What carrying it out brings, and tell how it ended."""
        traffic = self.link.traffic
        try:
            envelope = carry()
        except CallFailed as error:
            traffic.failed(ticket, error.failure, session.quota, self.link.clock.now_ms())
            raise
        except BaseException:
            traffic.dropped(ticket)
            raise
        traffic.answered(ticket, session.quota)
        return envelope

    # --- the retry policy ---

    def _may_retry(self, error: BaseException) -> bool:
        return isinstance(error, CallFailed) and error.failure.is_transient and not self._closing.is_set()

    def _wait_s(self, state: RetryCallState) -> float:
        failure = _failure_of(state)
        if failure is not None and failure.retry_after_s is not None:
            return failure.retry_after_s + self._jitter() * _FIRST_WAIT_S
        longest = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** (state.attempt_number - 1))
        return longest * (0.5 + self._jitter() / 2)

    def _mend(self, state: RetryCallState) -> None:
        failure = _failure_of(state)
        if failure is not None and failure.is_clock:
            self._try_measure()

    def _sleep(self, seconds: float) -> None:
        self._closing.wait(seconds)

    def _opened(self) -> CallSession:
        if self._session is None:
            self._session = self._open_session(self.link)
        return self._session

    def _open_http(self, link: AccountLink) -> CallSession:
        from mirrorctl.core.bybit.session import Session  # late: pybit costs 140 ms

        self._kept = Session(link, self._timeout_s, self._recv_window_ms)
        return self._kept


def _failure_of(state: RetryCallState) -> Failure | None:
    error = state.outcome.exception() if state.outcome is not None else None
    return error.failure if isinstance(error, CallFailed) else None


def _rows(result: Row, method: str) -> Sequence[Row]:
    rows = result.get("list")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Malformed(f"{method} answered without a list")
    return rows
