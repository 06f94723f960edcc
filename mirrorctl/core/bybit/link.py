"""What every connection of one account shares: its keys, addresses, clock, and how alive it is.

REST sessions of several threads and the private stream of an account hang on one AccountLink, so a success on one
of them ends the backoff of all, and one clock measurement serves all.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mirrorctl.core.bybit.environments import Endpoints

_RUNNING = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # goes on while the machine sleeps, where it can
_STARTED_NS = time.time_ns() - time.clock_gettime_ns(_RUNNING)


def wall_ms() -> int:
    """Local wall clock in ms since the epoch, as it was at the start and running steadily since.

    A step of the system's clock (NTP, a virtual machine that resumes) moves no timer; what it should have been shows
    in the measured offset to the exchange.
    """
    return (_STARTED_NS + time.clock_gettime_ns(_RUNNING)) // 1_000_000


class ExchangeClock:
    """The exchange's clock, seen from here: the local wall clock plus a measured offset (A52).

    Bybit refuses a timestamp one second ahead whatever the window (guide), so the offset is applied to every signature.
    """

    def __init__(self, now_ms: Callable[[], int] = wall_ms) -> None:
        self.local_ms = now_ms
        self._offset_ms: int | None = None

    @property
    def offset_ms(self) -> int | None:
        """Exchange minus local; positive when the local clock is slow. None: never measured."""
        return self._offset_ms

    def now_ms(self) -> int:
        """Exchange time; local time while nothing was measured."""
        return self.local_ms() + (self._offset_ms or 0)

    def set(self, offset_ms: int) -> None:
        """Take a new measurement."""
        self._offset_ms = offset_ms


class Backoff:
    """Capped, jittered pauses that grow with consecutive outages. Seconds. Safe to share between threads.

    The first outage costs nothing, so that a single lost reply is settled at once. Calls that ran side by side count
    as one: an outage that began before the last one was noted adds nothing.
    """

    def __init__(
        self,
        *,
        first_s: float = 0.5,
        cap_s: float = 30.0,
        free: int = 1,
        monotonic: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._first_s = first_s
        self._cap_s = cap_s
        self._free = free
        self._monotonic = monotonic
        self._jitter = jitter
        self._lock = threading.Lock()
        self._outages = 0
        self._noted_at = float("-inf")
        self._pause_s = 0.0

    def succeeded(self) -> None:
        """The exchange answered."""
        with self._lock:
            self._outages = 0
            self._pause_s = 0.0

    def failed(self, began_at: float) -> float:
        """An outage of a call that began at `began_at` (monotonic). Returns the pause that follows it."""
        with self._lock:
            if began_at < self._noted_at:
                return self._pause_s
            self._noted_at = self._monotonic()
            self._outages += 1
            grown = self._outages - 1 - self._free
            if grown < 0:
                self._pause_s = 0.0
            else:
                longest = min(self._cap_s, self._first_s * 2.0 ** min(grown, 16))
                self._pause_s = longest * (0.5 + self._jitter() / 2)
            return self._pause_s

    def remaining_s(self, at_most_s: float = float("inf")) -> float:
        """How long to stay silent still; `at_most_s` bounds the whole pause."""
        with self._lock:
            pause = min(self._pause_s, at_most_s)
            return max(0.0, self._noted_at + pause - self._monotonic()) if pause else 0.0


class Gate:
    """Stops all traffic of this address after an HTTP 403 (rate-limit/rate-limit: at least ten minutes).

    Every account behind one IP address should share one gate.
    """

    def __init__(self, stop_s: float = 600.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.stop_s = stop_s
        self._monotonic = monotonic
        self._closed_until = float("-inf")

    def close(self) -> None:
        """The exchange asked this address to be silent."""
        self._closed_until = self._monotonic() + self.stop_s

    def remaining_s(self) -> float:
        """Seconds until traffic may flow; 0 when it may."""
        return max(0.0, self._closed_until - self._monotonic())


@dataclass(slots=True)
class AccountLink:
    """Bound to one account for good (rule 4). Neither its text nor an error shows a secret (rule 16)."""

    account: str
    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)
    endpoints: Endpoints
    clock: ExchangeClock = field(default_factory=ExchangeClock)
    gate: Gate = field(default_factory=Gate)
    backoff: Backoff = field(default_factory=Backoff)
