"""Keeps one account's private stream alive through refusal, close frame, reset and silence (A53)."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mirrorctl.core.bybit.backoff import Backoff
from mirrorctl.core.bybit.rest import BybitRest
from mirrorctl.core.domain.errors import ExchangeError
from mirrorctl.core.engine.ports import Deliver, Frame, StreamDown, StreamUp

if TYPE_CHECKING:
    from mirrorctl.core.bybit.private_socket import PrivateSocket

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StreamTiming:
    """Seconds. Bybit asks for a ping every 20 (websocket/wss-authentication); more often finds silence sooner."""

    phase_s: float = 5.0  # each of connecting, authenticating, subscribing
    ping_s: float = 5.0  # quiet time after which a ping is sent
    silence_s: float = 12.0  # quiet time after which the connection counts as dead
    stable_s: float = 10.0  # life after which the next loss starts with the shortest pause again
    first_pause_s: float = 0.2
    longest_pause_s: float = 30.0
    refused_pause_s: float = 60.0  # after a refused key


@dataclass(slots=True)
class _Connection:
    """One connection's end, as the supervisor waits for it."""

    epoch: int
    ended: threading.Event = field(default_factory=threading.Event)
    reason: str = ""
    refused: bool = False
    live_since: float | None = None

    def end(self, reason: str, refused: bool = False) -> None:
        if not self.ended.is_set():
            self.reason, self.refused = reason, refused
            self.ended.set()


class PrivateStream:
    """Delivers Frames of order, execution, position and wallet, between one StreamUp and one StreamDown an epoch.

    An attempt that never came up delivers a StreamDown alone. Nothing of a connection is delivered after its
    StreamDown, and nothing before its StreamUp. `stop` delivers nothing.
    """

    def __init__(
        self,
        rest: BybitRest,
        deliver: Deliver,
        *,
        timing: StreamTiming | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Shares keys, addresses and clock with `rest`. Nothing is opened before `start`."""
        self.account = rest.account
        self._link = rest.link
        self._rest = rest.sibling()
        self._deliver = deliver
        self._timing = timing or StreamTiming()
        self._jitter = jitter
        self._pauses = Backoff(
            first_s=self._timing.first_pause_s, cap_s=self._timing.longest_pause_s, free=0, jitter=jitter
        )
        self._lock = threading.Lock()
        self._current: _Connection | None = None
        self._stopping = threading.Event()
        self._epoch = 0
        self._thread = threading.Thread(target=self._run, name=f"supervisor-{self.account}", daemon=True)

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> bool:
        """Close the connection and end. False when the thread did not end in time; it delivers nothing any more."""
        self._stopping.set()
        with self._lock:
            connection, self._current = self._current, None
        if connection is not None:
            connection.end("stopped")
        self._rest.close()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            self._epoch += 1
            connection = _Connection(self._epoch)
            with self._lock:
                self._current = connection
            try:
                self._live(connection)
            except Exception as error:  # noqa: BLE001 - thread boundary
                _log.exception("%s: the stream failed in an unexpected way", self.account)
                connection.end(f"unexpected {type(error).__name__}")
            self._stopping.wait(self._report_end(connection, began))

    def _live(self, connection: _Connection) -> None:
        """From connecting to the end of `connection`; returns when it has ended."""
        from mirrorctl.core.bybit.private_socket import PrivateSocket  # late: pybit costs 140 ms

        if self._link.clock.offset_ms is None:
            self._measure_clock()
        if self._stopping.is_set():
            return
        socket = PrivateSocket(
            self._link,
            on_ready=lambda: self._on_ready(connection),
            on_frame=lambda message: self._on_frame(connection, message),
            on_end=connection.end,
        )
        try:
            self._watch(connection, socket)
        finally:
            socket.shut()

    def _watch(self, connection: _Connection, socket: PrivateSocket) -> None:
        """Wait for the end, and bring it about when a phase takes too long or a live connection is silent."""
        timing = self._timing
        pinged = time.monotonic()
        while not connection.ended.is_set():
            now = time.monotonic()
            if connection.live_since is None:
                left = socket.phase_since + timing.phase_s - now
                if left <= 0:
                    connection.end(f"no answer while {socket.phase.value}")
            else:
                quiet_from = socket.last_frame
                if now >= quiet_from + timing.silence_s:
                    connection.end(f"silent for {timing.silence_s:g} s")
                if now >= max(quiet_from, pinged) + timing.ping_s:
                    pinged = now
                    if not socket.ping():
                        connection.end("a ping could not be sent")
                left = min(quiet_from + timing.silence_s, max(quiet_from, pinged) + timing.ping_s) - now
            connection.ended.wait(max(left, 0.001))

    def _on_ready(self, connection: _Connection) -> None:
        with self._lock:
            if self._current is connection and not connection.ended.is_set():
                connection.live_since = time.monotonic()
                self._deliver(StreamUp(self.account, connection.epoch))

    def _on_frame(self, connection: _Connection, message: dict[str, Any]) -> None:
        with self._lock:
            if self._current is connection:
                self._deliver(Frame(self.account, message, self._link.clock.local_ms()))

    def _report_end(self, connection: _Connection, began: float) -> float:
        """Tell the end of `connection`; returns the pause before the next one."""
        reason, refused = connection.reason, connection.refused
        final = refused and not _about_time(reason)
        with self._lock:
            if self._current is not connection:
                return 0.0
            self._current = None
            self._deliver(StreamDown(self.account, connection.epoch, reason, final))
        if refused:
            self._measure_clock()
        if connection.live_since is not None and time.monotonic() - connection.live_since >= self._timing.stable_s:
            self._pauses.succeeded()
        pause = self._pauses.failed(began)
        return self._timing.refused_pause_s * (0.5 + self._jitter() / 2) if final else pause

    def _measure_clock(self) -> None:
        try:
            self._rest.measure_clock()
        except ExchangeError as error:
            _log.debug("%s: the clock could not be measured: %s", self.account, error.message)


def _about_time(reason: str) -> bool:
    """An expired signature is refused as a bad key is, but in words about parameters or time (field reports)."""
    said = reason.lower()
    return any(word in said for word in ("param", "expire", "time"))
