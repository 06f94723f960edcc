"""The care of the store while the daemon runs: what is wrong with it is told, tried again, and told when it is over."""

from __future__ import annotations

from mirrorctl.core.engine.records import Severity, StandingKind
from mirrorctl.core.engine.state import EngineState

_TRY_MS = 1_000
_LOOK_MS = 1_000
_TOLD_MS = 60_000


class StoreCare:
    """Looks after the file once a second. `since_ms` is when writes began to wait, 0 while none does."""

    def __init__(self, state: EngineState) -> None:
        self.since_ms = 0
        self._state = state
        self._due_ms = 0
        self._failures = 0
        self._lost = state.store.was_waiting

    def tend(self, now_ms: int) -> bool:
        """Tell what is new, and try what is due. Whether entries are held from now on, or go on from now on."""
        store = self._state.store
        if self._lost:
            self._pause(now_ms)
            return True
        if store.error and not self.since_ms:
            self.since_ms, self._due_ms = now_ms, now_ms + _TRY_MS
            self._tell(
                Severity.CRITICAL,
                f"{store.error}: no entries until it can be written; stops, reductions and cancels go on, and what they"
                f" leave in the journal is written later. {store.hint}",
                f"since {now_ms // _TOLD_MS}",  # on a disk that is full and not full in turns: once a minute
            )
            return True
        if self.since_ms and (not store.error or (now_ms >= self._due_ms and store.catch_up(now_ms))):
            self._failures = store.failures
            self._over(now_ms)
            return True
        if store.failures != self._failures:  # over before it was looked at
            self._failures = store.failures
            return True
        if now_ms >= self._due_ms:
            self._due_ms = now_ms + (_TRY_MS if store.error else _LOOK_MS)
            self._keep_file(now_ms)
        return False

    def _over(self, now_ms: int) -> None:
        waited_s = (now_ms - self.since_ms) / 1000
        text = f"the store is written again after {waited_s:.0f} s, with all that waited: entries go on"
        self._tell(Severity.WARNING, text, f"until {self.since_ms // _TOLD_MS}")
        self.since_ms = 0

    def _pause(self, now_ms: int) -> None:
        """What the process before this one decided last was never written down: a pause, an exit, a trade of ours.

        Nothing grows until somebody has looked.
        """
        self._lost = False
        reason = "writes of the last run were lost: look what stands, then `mirrorctl resume`"
        self._state.standings.set(StandingKind.PAUSE, "", "", reason, now_ms)
        self._tell(Severity.CRITICAL, f"paused: {reason}; stops and reductions go on", f"lost {now_ms}")
        if not self._state.store.error:
            self._state.store.note_waiting(False)

    def _keep_file(self, now_ms: int) -> None:
        """A file that was taken away is written anew from what is still open."""
        found = self._state.store.keep_file()
        if found:
            text = f"{found}: the store was written anew, with everything in it; nothing was lost"
            self._tell(Severity.CRITICAL, text, f"file {now_ms}")

    def _tell(self, severity: Severity, text: str, about: str) -> None:
        self._state.outbox.tell(self._state.now_ms(), severity, "store", "", "", text, about)
