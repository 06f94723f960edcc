"""What every connection of one account shares: its keys, addresses, clock, and how alive it is.

REST sessions of several threads and the private stream of an account hang on one AccountLink, so all of them pass one
gate (`Traffic`: breaker and budgets), and one clock measurement serves all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mirrorctl.core.bybit.environments import Endpoints
from mirrorctl.core.bybit.traffic import Traffic

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


@dataclass(slots=True)
class AccountLink:
    """Bound to one account for good (rule 4). Neither its text nor an error shows a secret (rule 16).

    `socket_trouble`: None while orders go over HTTP anyway, empty while they go over the trade socket, and otherwise
    why they do not.
    """

    account: str
    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)
    endpoints: Endpoints
    traffic: Traffic
    clock: ExchangeClock = field(default_factory=ExchangeClock)
    socket_trouble: str | None = None

    def redact(self, text: str) -> str:
        """What the exchange said, without this account's keys: it answers a wrong signature (10004) with the text that
        was signed, and the API key is part of that.
        """
        for secret in (self.api_secret, self.api_key):
            text = text.replace(secret, "***") if secret else text
        return text
