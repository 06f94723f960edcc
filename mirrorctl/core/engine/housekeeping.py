"""What is tidied up once a minute: what nobody needs any more, in memory and in the store.

The store's part syncs the disk, for tens of ms. It waits for a moment when nothing happens, though not for ever.
"""

from __future__ import annotations

from mirrorctl.core.engine.samples import sample
from mirrorctl.core.engine.state import EngineState

_EVERY_MS = 60_000
_LATEST_MS = 300_000
_KEPT_MS = 30 * 86_400_000


class Housekeeping:
    """Of one engine. All calls on its thread."""

    def __init__(self, state: EngineState) -> None:
        self._state = state
        self._done_ms = self._swept_ms = 0

    def tend(self, now_ms: int) -> None:
        """Tidy up, if it is time."""
        if now_ms - self._done_ms < _EVERY_MS:
            return
        self._done_ms = now_ms
        state, keeper = self._state, self._state.keeper
        followed = {key[:2] for key in keeper.copies} | {(state.main.name, key[0]) for key in keeper.cycles}
        state.book.forget_old(now_ms, lambda account, symbol: (account, symbol) in followed)
        for account in state.accounts.values():
            account.forget_asks(now_ms - _EVERY_MS)
        state.store.add_samples(sample(state, now_ms))
        if now_ms - self._swept_ms >= _LATEST_MS:
            self._sweep(now_ms)

    def rest(self) -> None:
        """Nothing happens just now: sweep the store, if it is time."""
        now_ms = self._state.now_ms()
        if now_ms - self._swept_ms >= _EVERY_MS:
            self._sweep(now_ms)

    def _sweep(self, now_ms: int) -> None:
        self._swept_ms = now_ms
        self._state.store.prune(now_ms - _KEPT_MS, now_ms, self._state.book.ids())
        self._state.store.checkpoint()
