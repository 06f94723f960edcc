"""Orders of one account over the trade socket: written at once, answered later (websocket/trade/guideline).

An order that was written and not answered is in doubt, whatever happened to it (rule 2). Nothing is written to a
socket that is not live: `take` says so, and HTTP has it.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, NamedTuple, cast

from mirrorctl.core.bybit.encode import encode
from mirrorctl.core.bybit.failures import Failure, FailureKind
from mirrorctl.core.bybit.fields import Row
from mirrorctl.core.bybit.outcomes import outcome_of
from mirrorctl.core.bybit.quotas import Quota, quota_of, reset_s
from mirrorctl.core.bybit.rest import BybitRest, urgency_of
from mirrorctl.core.bybit.supervisor import Attempt, StreamTiming, Supervisor
from mirrorctl.core.bybit.traffic import Ticket
from mirrorctl.core.domain.actions import Accepted, Action, Outcome
from mirrorctl.core.engine.ports import Deliver, SendDone

if TYPE_CHECKING:
    from mirrorctl.core.bybit.connection import Connection
    from mirrorctl.core.bybit.trade_socket import TradeSocket

ANSWER_S = 3.0
"""How long an answer may take; an order without one is in doubt from then on."""

MOST_UNANSWERED = 200
"""Requests on their way at once; more than fit into a send buffer would block whoever decides."""

# HTTP stands in meanwhile, and every account's tries count against the 500 connections in 5 minutes of one address.
_TIMING = StreamTiming(first_pause_s=0.5, longest_pause_s=60.0)
_TOO_MANY = 10006
_RESTARTING = 10019
_OPERATIONS = {"place_order": "order.create", "amend_order": "order.amend", "cancel_order": "order.cancel"}
_NO_ANSWER = "no answer over the trade socket in time"

_log = logging.getLogger(__name__)


class _Sent(NamedTuple):
    """A request that was written, or is about to be. `at`: monotonic seconds; `began_ms`: local clock."""

    intent_id: int
    action: Action
    ticket: Ticket
    at: float
    began_ms: int


class OrderEntry(Supervisor):
    """Keeps a trade socket open and sends what it is given over it. Exactly one SendDone follows each `take`.

    Its state is `socket_trouble` of the account's link.
    """

    def __init__(
        self,
        rest: BybitRest,
        deliver: Deliver,
        *,
        timing: StreamTiming | None = None,
        answer_s: float = ANSWER_S,
    ) -> None:
        """Shares keys, addresses, clock, breaker and budgets with `rest`. Nothing is opened before `start`."""
        super().__init__(rest, "entry", timing=timing or _TIMING)
        self._deliver = deliver
        self._answer_s = answer_s
        self._look_s = answer_s / 3
        self._socket: TradeSocket | None = None
        self._sent: dict[str, _Sent] = {}
        self._draining = False
        self._clock_is_off = threading.Event()
        self._link.socket_trouble = "not connected yet"

    def take(self, intent_id: int, action: Action) -> bool:
        """Write an order to the socket. False: nothing was written, and nothing will be told of it.

        So it is while the socket is not live, for what has no operation (trading stops, leverage), and where breaker
        or budgets hold it back.
        """
        socket = self._socket
        if socket is None or socket.is_over or len(self._sent) >= MOST_UNANSWERED:
            return False
        try:
            call = encode(action)
        except ValueError:
            return False
        operation = _OPERATIONS.get(call.method)
        if operation is None:
            return False
        admitted = self._link.traffic.admit(call.method, urgency_of(action), writes=True, by_socket=True)
        if not isinstance(admitted, Ticket):
            return False
        req_id = socket.next_id()
        with self._lock:
            if self._socket is not socket:
                self._link.traffic.dropped(admitted)
                return False
            began_ms = self._link.clock.local_ms()
            self._sent[req_id] = _Sent(intent_id, action, admitted, time.monotonic(), began_ms)
        if not socket.write(req_id, operation, call.params):
            self._fail(req_id, "the trade socket was lost while the order was written")
        return True

    def stop(self, timeout_s: float = 2.0) -> bool:
        """Wait a moment for answers that are due, then close; what is unanswered is told as in doubt."""
        ends = time.monotonic() + timeout_s / 2
        while self._sent and time.monotonic() < ends:
            time.sleep(0.01)
        with self._lock:
            self._socket = None
            self._link.socket_trouble = "stopped"
        stopped = super().stop(timeout_s)
        self._fail_all("stopped before it was answered")
        return stopped

    # --- the supervisor's hooks ---

    def _open(self, attempt: Attempt) -> TradeSocket:
        from mirrorctl.core.bybit.trade_socket import TradeSocket  # late: pybit costs 140 ms

        return TradeSocket(
            self._link,
            on_ready=lambda socket: self._on_ready(attempt, socket),
            on_answer=self._on_answer,
            on_end=attempt.end,
        )

    def _on_ready(self, attempt: Attempt, socket: TradeSocket) -> None:
        attempt.connection = socket
        self._is_up(attempt)

    def _came_up(self, attempt: Attempt) -> None:
        self._socket = cast("TradeSocket", attempt.connection)
        self._link.socket_trouble = ""

    def _went_down(self, attempt: Attempt, final: bool) -> None:
        with self._lock:
            self._socket, self._draining = None, False
            self._link.socket_trouble = attempt.reason or "not connected"
        if attempt.live_since is not None or final:
            _log.warning("%s: the trade socket is down: %s; orders go over HTTP", self.account, attempt.reason)
        self._fail_all("the trade socket was lost before the answer")

    def _look(self, attempt: Attempt, connection: Connection, now: float) -> float:
        """End what waits too long for its answer, and a connection that says nothing while it owes one.

        A silence that another process of this machine was asked for is looked at here, for `take` does not.
        """
        self._link.traffic.address.silent_s(now)
        if self._clock_is_off.is_set():
            self._clock_is_off.clear()
            self._measure_clock()
        for req_id, sent in list(self._sent.items()):  # the oldest first
            left_s = sent.at + self._answer_s - now
            if left_s > 0:
                return min(left_s, self._look_s)
            if connection.last_frame < sent.at:
                attempt.end("silent while it owed an answer")
            self._fail(req_id, _NO_ANSWER)
        if self._draining:
            attempt.end("the trade service restarts")
        return self._look_s

    # --- answers ---

    def _on_answer(self, message: Row) -> None:
        """One answer; what nobody waits for any more is settled by asking already."""
        sent = self._sent.pop(str(message.get("reqId")), None)
        if sent is None:
            return
        code, quota = message.get("retCode"), _quota(message)
        if code == 0:
            self._link.traffic.answered(sent.ticket, quota)
            data = message.get("data")
            self._tell(sent, Accepted(str(data.get("orderId") or "") if isinstance(data, dict) else ""))
            return
        now_ms = self._link.clock.now_ms()
        if isinstance(code, int):
            said = self._link.redact(str(message.get("retMsg") or ""))
            pause_s = reset_s(quota, now_ms) if code == _TOO_MANY else None
            failure = Failure(FailureKind.REFUSED, said, code, pause_s)
        else:
            failure = Failure(FailureKind.UNREADABLE, "the answer is not one of Bybit's")
        if failure.is_clock:
            self._clock_is_off.set()
        if code == _RESTARTING:
            self._drain()
        self._end(sent, failure, quota)

    def _drain(self) -> None:
        """Nothing new goes over a service that restarts; what is on its way is still answered (trade/guideline)."""
        with self._lock:
            if self._socket is not None:
                self._socket, self._draining = None, True
                self._link.socket_trouble = "the trade service restarts"

    def _fail_all(self, reason: str) -> None:
        for req_id in list(self._sent):
            self._fail(req_id, reason)

    def _fail(self, req_id: str, reason: str) -> None:
        """In doubt, unless its answer came meanwhile."""
        sent = self._sent.pop(req_id, None)
        if sent is not None:
            self._end(sent, Failure(FailureKind.INTERRUPTED, reason), None)

    def _end(self, sent: _Sent, failure: Failure, quota: Quota | None) -> None:
        self._link.traffic.failed(sent.ticket, failure, quota, self._link.clock.now_ms())
        self._tell(sent, outcome_of(failure, sent.action))

    def _tell(self, sent: _Sent, outcome: Outcome) -> None:
        done_ms = self._link.clock.local_ms()
        self._deliver(SendDone(self.account, sent.intent_id, outcome, sent.began_ms, done_ms))


def _quota(message: Row) -> Quota | None:
    header = message.get("header")
    return quota_of({name: str(value) for name, value in header.items()}) if isinstance(header, dict) else None
