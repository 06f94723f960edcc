"""The pace of changes that are accepted and do not show: a stop that the exchange takes and never displays as asked.

The state a change was to bring about is read after it. Where it is not what was asked, the next pass asks again; this
keeps that from becoming a storm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mirrorctl.core.domain.actions import Action
from mirrorctl.core.engine.effects import BOUND, busy_key

_FIRST_MS = 1_000
_LONGEST_MS = 30_000
_FORGOTTEN_MS = 120_000
_KEPT = 500


@dataclass(frozen=True, slots=True)
class _Done:
    action: Action
    times: int
    at_ms: int


class Changes:
    """Changes that were done lately, by account, symbol and kind.

    `bound`: (account, symbol) where what is bound to a position was changed, or refused.
    """

    def __init__(self) -> None:
        self.bound: set[tuple[str, str]] = set()
        self._done: dict[tuple[str, str, str], _Done] = {}

    def done(self, action: Action, kind: str, now_ms: int) -> int:
        """A change is over. Returns for how many ms the same kind of change has to wait.

        Nothing for a new one; doubled each time the very same was done again.
        """
        key = (action.account, action.symbol, kind)
        plain = replace(action, reason="")
        before = self._done.get(key)
        again = before is not None and before.action == plain and now_ms - before.at_ms < _FORGOTTEN_MS
        times = before.times + 1 if before is not None and again else 0
        self._done[key] = _Done(plain, times, now_ms)
        if kind in BOUND:
            self.bound.add(key[:2])
        if len(self._done) > _KEPT:
            self._done = {k: done for k, done in self._done.items() if now_ms - done.at_ms < _FORGOTTEN_MS}
        return min(_FIRST_MS << min(times - 1, 8), _LONGEST_MS) if times else 0

    def forget(self, account: str, symbol: str, kind: str) -> None:
        """What the change was about is gone; the same for what comes after it is a new one."""
        self._done.pop((account, symbol, kind), None)


class Refusals:
    """How often in a row the exchange refused the same kind of change, by account, symbol and kind."""

    def __init__(self, bound: set[tuple[str, str]]) -> None:
        """`bound` of Changes."""
        self._bound = bound
        self._times: dict[tuple[str, str, str], int] = {}

    def note(self, action: Action) -> int:
        """A change was refused. Returns for how many ms its kind has to wait: doubled each time."""
        key = (action.account, action.symbol, busy_key(action))
        self._times[key] = times = self._times.get(key, 0) + 1
        if key[2] in BOUND:
            self._bound.add(key[:2])
        return min(_FIRST_MS << min(times - 1, 8), _LONGEST_MS)

    def count(self, action: Action) -> int:
        """How often in a row so far."""
        return self._times.get((action.account, action.symbol, busy_key(action)), 0)

    def forget(self, account: str, symbol: str, kind: str) -> None:
        """It was done, or what it was about is gone."""
        self._times.pop((account, symbol, kind), None)
