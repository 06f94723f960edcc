"""Growing pauses between the attempts of something that keeps failing: the private stream's reconnects."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from math import inf


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
        self._noted_at = -inf
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

    def remaining_s(self, at_most_s: float = inf) -> float:
        """How long to stay silent still; `at_most_s` bounds the whole pause."""
        with self._lock:
            pause = min(self._pause_s, at_most_s)
            return max(0.0, self._noted_at + pause - self._monotonic()) if pause else 0.0
