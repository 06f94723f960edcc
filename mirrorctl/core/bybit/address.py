"""What this machine's IP address may send: one budget for every account and thread of the process (A51).

Bybit counts 600 requests in 5 s for an address and answers one more with HTTP 403, after which the address must be
silent for ten minutes (rate-limit/rate-limit): no stop could be moved in that time. So the budget keeps far away:
100 at once and 50 a second make at most 350 in any 5 s as they leave, and at most 600 in any 10 s. A request can be on
its way for the 5 s of our time-out, so even a network that delays some and not others never gathers more than 600 into
5 s at the exchange. What is left over belongs to other programs behind the same address, commands beside the daemon
among them: they have budgets of their own.
"""

from __future__ import annotations

import threading
from collections import deque
from math import inf
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from mirrorctl.core.bybit.quotas import Urgency
from mirrorctl.core.bybit.silence import Silence

WINDOW_S = 5.0
# Orders over WebSocket: Bybit takes 3000 a second from an address. This is at most 2500 in any 5 s, however delayed.
_WRITTEN_BURST = 500
_WRITTEN_PER_S = 400.0
_WRITTEN_RESERVE = 100
_ROUNDING = 1e-9


class Address:
    """A token bucket and the silence after a 403. Safe to share between threads. Seconds of one monotonic clock.

    A part of the budget is for protective calls alone, another for them and the reads that settle something: entries
    and lists, however many, leave them that much in every moment.
    """

    def __init__(
        self,
        *,
        burst: int = 100,
        per_s: float = 50.0,
        protective: int = 20,
        settling: int = 20,
        stop_s: float = 600.0,
        silence: Silence | None = None,
    ) -> None:
        """`silence` is where a 403 is remembered: in memory, or in a file for every process of this machine."""
        self.burst = burst
        self.per_s = per_s
        self.stop_s = stop_s
        self._reserves = {Urgency.PROTECTIVE: 0, Urgency.SETTLING: protective, Urgency.ORDINARY: protective + settling}
        self._lock = threading.Lock()
        self._level: float = burst
        self._at = -inf
        self.silence = silence or Silence()
        self._written: float = _WRITTEN_BURST
        self._written_at = -inf
        self._sent: deque[float] = deque()

    @property
    def per_window(self) -> int:
        """The most that leaves in any `WINDOW_S`."""
        return int(self.burst + self.per_s * WINDOW_S)

    def take(self, now: float, urgency: Urgency) -> float:
        """Take one request out; 0 when it may go, else the seconds to wait, with nothing taken."""
        with self._lock:
            self._fill(now)
            wait_s = self._missing_s(urgency)
            if not wait_s:
                self._level -= 1
                self._sent.append(now)
            return wait_s

    def take_written(self, now: float, urgency: Urgency) -> float:
        """`take` for an order over WebSocket, which is counted apart (websocket/trade/guideline)."""
        with self._lock:
            if now > self._written_at:
                self._written = min(self._written + (now - self._written_at) * _WRITTEN_PER_S, _WRITTEN_BURST)
                self._written_at = now
            missing = (_WRITTEN_RESERVE if urgency is not Urgency.PROTECTIVE else 0) + 1 - self._written
            if missing > _ROUNDING:
                return missing / _WRITTEN_PER_S
            self._written -= 1
            return 0.0

    def wait_s(self, now: float, urgency: Urgency) -> float:
        """Seconds until a request of this urgency may go; 0 for now."""
        with self._lock:
            self._fill(now)
            return self._missing_s(urgency)

    def used(self, now: float) -> int:
        """Requests that left within the last `WINDOW_S`."""
        with self._lock:
            self._fill(now)
            return len(self._sent)

    def block(self, now: float) -> None:
        """HTTP 403: be silent for `stop_s`."""
        with self._lock:
            self.silence.begin(now, self.stop_s)

    def silent_s(self, now: float) -> float:
        """Seconds of silence that are left; 0 when requests may flow."""
        with self._lock:
            return self.silence.left_s(now)

    def _fill(self, now: float) -> None:
        if now > self._at:
            gained = (now - self._at) * self.per_s
            self._level = min(self._level + gained, self.burst)
            self._at = now
        while self._sent and self._sent[0] <= now - WINDOW_S:
            self._sent.popleft()

    def _missing_s(self, urgency: Urgency) -> float:
        missing = self._reserves[urgency] + 1 - self._level
        return missing / self.per_s if missing > _ROUNDING else 0.0


_SHARED: WeakValueDictionary[str, Address] = WeakValueDictionary()
_SHARING = threading.Lock()


def shared_address(rest: str, silence: Silence | None = None) -> Address:
    """The process's one budget towards the exchange at the address `rest`, as long as anything uses it."""
    where = urlsplit(rest).netloc
    with _SHARING:
        address = _SHARED.get(where)
        if address is None:
            address = _SHARED[where] = Address(silence=silence)
        return address
