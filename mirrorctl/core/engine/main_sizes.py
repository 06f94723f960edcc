"""What main's positions were before: for mirrors that follow growth later (follow.delay_s).

A position's history is read off its executions where all of them were seen, after a start too: those since the oldest
open cycle are read again. Where one is missing, what was looked at counts, from when it was looked at: nobody can say
that main held it before.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from mirrorctl.core.domain.cycle import Copy
from mirrorctl.core.domain.delay import SizeHistory, history_of
from mirrorctl.core.domain.policy import MirrorPolicy
from mirrorctl.core.domain.scene import Ripening
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.entry_fees import EntryFees

_KEPT_MS = 86_400_000


class MainSizes:
    """Histories by cycle; all calls on the engine's thread. Times are the exchange's."""

    def __init__(self, main: Account, fees: EntryFees) -> None:
        self._main = main
        self._fees = fees
        self._known: dict[tuple[str, PositionSide], tuple[str, SizeHistory]] = {}
        self._joined: dict[tuple[str, str, PositionSide], tuple[str, SizeHistory]] = {}

    def ripening(
        self,
        policy: MirrorPolicy,
        copies: Mapping[PositionSide, Copy],
        at_ms: int,
        joined: Mapping[PositionSide, Decimal] | None = None,
    ) -> dict[PositionSide, Ripening]:
        """What each copy does not follow yet; nothing of a mirror without delay.

        `joined`: what is followed of each side where one position stands for both of main's legs, in the mirror's coin.
        """
        delay_ms = int(policy.follow.delay_s * 1000)
        if not delay_ms:
            return {}
        found = {}
        for side, copy in copies.items():
            if not copy.ended:
                size = None if joined is None else joined.get(side)
                history = self._scaled(policy, copy, at_ms) if size is None else self._beside(policy, copy, size, at_ms)
                found[side] = history.ripening(at_ms, delay_ms)
        return found

    def _beside(self, policy: MirrorPolicy, copy: Copy, size: Decimal, at_ms: int) -> SizeHistory:
        """The history of what is followed of a leg: it grows, too, when main's other leg is closed."""
        tag, before = self._joined.get(copy.key, ("", SizeHistory()))
        if tag != copy.tag:
            leg = self._scaled(policy, copy, at_ms)
            before = leg if leg.size == size else SizeHistory()
        history = before.then(at_ms, size)
        self._joined[copy.key] = (copy.tag, history.without_before(at_ms - _KEPT_MS))
        return history

    def _scaled(self, policy: MirrorPolicy, copy: Copy, at_ms: int) -> SizeHistory:
        """The history of main's side in the mirror's coin."""
        history, mapped = self._history(copy, at_ms), policy.map.get(copy.source[0])
        if mapped is None:
            return history
        return SizeHistory(tuple((since, size * mapped.multiplier) for since, size in history.levels))

    def _history(self, copy: Copy, at_ms: int) -> SizeHistory:
        """`copy.tag` names the cycle: a position that began anew has no history."""
        key = copy.source
        size = self._main.view.size(*key)
        seen = self._fees.sizes(self._main.name, *key)
        if seen and seen[-1][1] == size:
            history = history_of(seen)
        else:
            tag, before = self._known.get(key, ("", SizeHistory()))
            history = (before if tag == copy.tag else SizeHistory()).then(at_ms, size)
        self._known[key] = (copy.tag, history.without_before(at_ms - _KEPT_MS))
        return history
