"""What main's positions were before: for mirrors that follow growth later (follow.delay_s).

A position's history is read off its executions where all of them were seen, after a start too: those since the oldest
open cycle are read again. Where one is missing, what was looked at counts, from when it was looked at: nobody can say
that main held it before.
"""

from __future__ import annotations

from collections.abc import Mapping

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

    def ripening(
        self, policy: MirrorPolicy, copies: Mapping[PositionSide, Copy], at_ms: int
    ) -> dict[PositionSide, Ripening]:
        """What each copy does not follow yet; nothing of a mirror without delay."""
        delay_ms = int(policy.follow.delay_s * 1000)
        if not delay_ms:
            return {}
        return {side: self._of(policy, copy, delay_ms, at_ms) for side, copy in copies.items() if not copy.ended}

    def _of(self, policy: MirrorPolicy, copy: Copy, delay_ms: int, at_ms: int) -> Ripening:
        young = self._history(copy, at_ms).ripening(at_ms, delay_ms)
        mapped = policy.map.get(copy.source[0])
        return young if mapped is None else Ripening(young.qty * mapped.multiplier, young.until_ms)

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
