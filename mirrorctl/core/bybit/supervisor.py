"""Keeps a WebSocket of one account alive through refusal, close frame, reset and silence (A53)."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from mirrorctl.core.bybit.backoff import Backoff
from mirrorctl.core.bybit.rest import BybitRest
from mirrorctl.core.domain.errors import ExchangeError

if TYPE_CHECKING:
    from mirrorctl.core.bybit.connection import Connection

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


@dataclass(eq=False, slots=True)
class Attempt:
    """One connection's life and end, as its supervisor waits for it."""

    epoch: int
    ended: threading.Event = field(default_factory=threading.Event)
    reason: str = ""
    refused: bool = False
    live_since: float | None = None
    connection: Connection | None = None

    def end(self, reason: str, refused: bool = False) -> None:
        """It is over; the first reason stays."""
        if not self.ended.is_set():
            self.reason, self.refused = reason, refused
            self.ended.set()


class Supervisor:
    """One connection after another, on a thread of its own, until it is stopped.

    Each that came up is told by `_came_up`, and the end of every one by `_went_down`; `stop` tells nothing.
    """

    def __init__(
        self, rest: BybitRest, name: str, *, timing: StreamTiming | None, jitter: Callable[[], float] = random.random
    ) -> None:
        """Shares keys, addresses and clock with `rest`. Nothing is opened before `start`."""
        self.account = rest.account
        self._link = rest.link
        self._rest = rest.sibling()
        self._timing = timing or StreamTiming()
        self._jitter = jitter
        self._pauses = Backoff(
            first_s=self._timing.first_pause_s, cap_s=self._timing.longest_pause_s, free=0, jitter=jitter
        )
        self._lock = threading.Lock()
        self._current: Attempt | None = None
        self._stopping = threading.Event()
        self._epoch = 0
        self._thread = threading.Thread(target=self._run, name=f"{name}-{self.account}", daemon=True)

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> bool:
        """Close the connection and end. False when the thread did not end in time; it tells nothing any more."""
        self._stopping.set()
        with self._lock:
            attempt, self._current = self._current, None
        if attempt is not None:
            attempt.end("stopped")
        self._rest.close()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # --- what a subclass says ---

    def _open(self, attempt: Attempt) -> Connection:
        """A new connection, whose end is told to `attempt`."""
        raise NotImplementedError

    def _came_up(self, attempt: Attempt) -> None:
        """It is live; called with the lock held."""

    def _went_down(self, attempt: Attempt, final: bool) -> None:
        """It is over, and nothing of it is told any more. `final`: no retry can help.

        Called without the lock: whom it is told may send something there and then.
        """

    def _look(self, attempt: Attempt, connection: Connection, now: float) -> float:  # noqa: ARG002 - for subclasses
        """What else there is to see to; seconds until the next look."""
        return inf

    # --- parts ---

    def _run(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            self._epoch += 1
            attempt = Attempt(self._epoch)
            with self._lock:
                self._current = attempt
            try:
                self._live(attempt)
            except Exception as error:  # noqa: BLE001 - thread boundary
                _log.exception("%s: the stream failed in an unexpected way", self.account)
                attempt.end(f"unexpected {type(error).__name__}")
            self._stopping.wait(self._report_end(attempt, began))

    def _live(self, attempt: Attempt) -> None:
        """From connecting to the end of `attempt`; returns when it has ended."""
        if self._link.clock.offset_ms is None:
            self._measure_clock()
        if self._stopping.is_set():
            return
        connection = self._open(attempt)
        try:
            self._watch(attempt, connection)
        finally:
            connection.shut()

    def _watch(self, attempt: Attempt, connection: Connection) -> None:
        """Wait for the end, and bring it about when a phase takes too long or a live connection is silent."""
        timing = self._timing
        pinged = time.monotonic()
        while not attempt.ended.is_set():
            now = time.monotonic()
            if attempt.live_since is None:
                left = connection.phase_since + timing.phase_s - now
                if left <= 0:
                    attempt.end(f"no answer while {connection.phase.value}")
            else:
                quiet_from = connection.last_frame
                if now >= quiet_from + timing.silence_s:
                    attempt.end(f"silent for {timing.silence_s:g} s")
                if now >= max(quiet_from, pinged) + timing.ping_s:
                    pinged = now
                    if not connection.ping():
                        attempt.end("a ping could not be sent")
                left = min(quiet_from + timing.silence_s, max(quiet_from, pinged) + timing.ping_s) - now
            attempt.ended.wait(max(min(left, self._look(attempt, connection, now)), 0.001))

    def _is_up(self, attempt: Attempt) -> None:
        """To be told by the connection when it is live."""
        with self._lock:
            if self._current is attempt and not attempt.ended.is_set():
                attempt.live_since = time.monotonic()
                self._came_up(attempt)

    def _report_end(self, attempt: Attempt, began: float) -> float:
        """Tell the end of `attempt`; returns the pause before the next one."""
        reason, refused = attempt.reason, attempt.refused
        final = refused and not _about_time(reason)
        with self._lock:
            if self._current is not attempt:
                return 0.0
            self._current = None
        self._went_down(attempt, final)
        if refused:
            self._measure_clock()
        if attempt.live_since is not None and time.monotonic() - attempt.live_since >= self._timing.stable_s:
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
