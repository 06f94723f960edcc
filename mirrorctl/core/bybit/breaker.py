"""The circuit breaker of one account: when the exchange does not answer for it, calls stop before they are made.

    closed      everything goes; so many outages in a row open it
    open        nothing goes until the pause is over, except protective writes, one every two seconds (A29)
    half-open   the pause was over and exactly one call is out to find out; its success closes, its failure opens again

Pure: time comes with each call, randomness as a function. What counts as an outage is decided in `failures`; a refusal
of any kind is a sign of life. Not locked: `Traffic` does that.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from math import inf
from typing import NamedTuple

from mirrorctl.core.engine.ports import BreakerState

_PROBING_WAIT_S = 0.5  # for those who come while a probe is out


class Turn(Enum):
    """As what a call was let through."""

    PLAIN = "plain"  # while closed
    PROBE = "probe"  # the one call that finds out
    PROTECTIVE = "protective"  # out of turn, while open


class Passage(NamedTuple):
    """One call that was let through. Seconds of the caller's monotonic clock."""

    began: float
    turn: Turn
    tried_before: float


class Breaker:
    """Counts outages in a row. All times are seconds of one monotonic clock.

    The first `after - 1` outages cost nothing, so that a single lost reply is settled at once. Calls that ran side by
    side count as one: an outage of a call that began before the last one was noted adds nothing.
    """

    def __init__(
        self,
        jitter: Callable[[], float],
        *,
        after: int = 3,
        first_s: float = 0.5,
        longest_s: float = 10.0,
        protective_every_s: float = 2.0,
        lease_s: float = 30.0,
    ) -> None:
        """`jitter` gives 0 to 1 and shortens a pause by at most half. A silent probe ends after `lease_s`."""
        self._jitter = jitter
        self._after = after
        self._first_s = first_s
        self._longest_s = longest_s
        self._protective_every_s = protective_every_s
        self._lease_s = lease_s
        self._outages = 0
        self._noted_at = -inf
        self._open_until = -inf
        self._tried_at = -inf
        self._probe: Passage | None = None

    # --- what it says ----------------------------------------------------------------------------------------------

    def state(self, now: float) -> BreakerState:
        """Open until a probe is let out, however long ago the pause ended."""
        if self._outages < self._after:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self._probing(now) is None else BreakerState.HALF_OPEN

    def next_try_s(self, now: float) -> float:
        """Seconds until any call may go: 0 while closed, and when the next call will be the probe."""
        if self._outages < self._after:
            return 0.0
        if now < self._open_until:
            return self._open_until - now
        return _PROBING_WAIT_S if self._probing(now) is not None else 0.0

    # --- what it decides -------------------------------------------------------------------------------------------

    def admit(self, now: float, *, protective: bool = False) -> Passage | float:
        """A passage, or the seconds to wait. Every passage is given back by exactly one of the three calls below."""
        if self._outages < self._after:
            return Passage(now, Turn.PLAIN, self._tried_at)
        wait_s = self.next_try_s(now)
        if not wait_s:
            self._probe = Passage(now, Turn.PROBE, self._tried_at)
            self._tried_at = now
            return self._probe
        if not protective:
            return wait_s
        in_turn_s = self._tried_at + self._protective_every_s - now
        if in_turn_s > 0:
            return min(in_turn_s, wait_s)
        passage = Passage(now, Turn.PROTECTIVE, self._tried_at)
        self._tried_at = now
        return passage

    def answered(self, passage: Passage) -> None:
        """The exchange answered for this account, whatever it said: closed, whoever asked."""
        self._outages = 0
        self._open_until = -inf
        self._release(passage)
        self._probe = None

    def failed(self, now: float, passage: Passage) -> None:
        """The exchange did not answer, or refuses the whole account.

        A protective write that was let through out of turn proves nothing new: it must not put off the probe that
        others wait for.
        """
        self._release(passage)
        if passage.turn is Turn.PROTECTIVE or passage.began < self._noted_at:
            return
        self._noted_at = now
        self._tried_at = now
        self._outages += 1
        grown = self._outages - self._after
        if grown >= 0:
            longest = min(self._longest_s, self._first_s * 2.0 ** min(grown, 16))
            self._open_until = now + longest * (0.5 + self._jitter() / 2)

    def withdraw(self, passage: Passage) -> None:
        """The call was not made after all, or says nothing about the account: as if it had not been let through."""
        self._release(passage)
        if self._tried_at == passage.began:
            self._tried_at = passage.tried_before

    # --- parts -----------------------------------------------------------------------------------------------------

    def _probing(self, now: float) -> Passage | None:
        probe = self._probe
        return probe if probe is not None and now < probe.began + self._lease_s else None

    def _release(self, passage: Passage) -> None:
        if passage is self._probe:
            self._probe = None
