"""The daemon loop: events are taken, decided on, and then there is quiet until the next event or wake.

Everything that happens elsewhere is put where the loop finds it by `deliver`, which never blocks. Whoever has the turn
decides, one thread at a time: the thread that runs the loop, or the one that brought the news. Main's stream decides by
`drive` on the very thread that read the message, for a hand-over to another thread costs more than the fastest
decisions. What comes while somebody has the turn is left to the loop's thread, and so are bursts, which become one
round of decisions (A18).

News is decided on at once. What only confirms waits a moment for what comes with it, so that a fill, which is told in
three messages and an answer, is not decided on four times.

This is one of the outermost loops: a bug in handling one event is logged with its traceback and the loop goes on, for
positions need their stops.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial

from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.ports import Event

log = logging.getLogger(__name__)

_PATIENCE_S = 0.002
_REST_S = 0.1
_ANYWAY_MS = 1_000

Call = Callable[[], None]


class Loop:
    """Drives one engine. Every method but `run` may be used from any thread.

    `patience_s`: how long what only confirms may wait at most (`Engine.may_wait`). `at_rest` is called where nothing
    came for a while, for what shall not delay a decision.
    """

    def __init__(self, patience_s: float = _PATIENCE_S) -> None:
        self.at_rest: Call | None = None
        self.failures = 0
        self._patience_s = patience_s
        self._came: deque[Event | Call] = deque()
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._turn = threading.Lock()  # what follows is of whoever has it
        self._engine: Engine | None = None
        self._called = False
        self._undecided_since: float | None = None
        self._decided = False
        self._wake_ms = 0

    # --- from any thread ---------------------------------------------------------------------------------------

    def deliver(self, event: Event) -> None:
        """Hand over an event."""
        self._came.append(event)
        self._bell.put(None)

    def call(self, what: Call) -> None:
        """Run something between two decisions, by whoever has the turn then."""
        self._came.append(what)
        self._bell.put(None)

    def leave(self, event: Event) -> None:
        """Put an event where the next decision finds it. `drive` or `wake` has to follow."""
        self._came.append(event)

    def drive(self) -> None:
        """Decide on what came, on this thread; if somebody is at it, or nothing runs yet, it is left to the loop's.

        Nothing that a decision may need can be locked by the caller.
        """
        if not self._turn.acquire(blocking=False):
            self._bell.put(None)
            return
        try:
            if self._engine is not None:
                self._take(self._engine)
                if self._is_urgent(self._engine):
                    self._decide(self._engine)
        finally:
            self._turn.release()
        self._bell.put(None)  # it has to look when to wake, and what came since

    def wake(self) -> None:
        """Make the loop's thread look now."""
        self._bell.put(None)

    def stop(self) -> None:
        """Make `run` return soon. Safe from a signal handler."""
        self._stop.set()
        self._bell.put(None)

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    # --- the loop's thread -------------------------------------------------------------------------------------

    def run(self, engine: Engine, *, until: Callable[[], bool] | None = None) -> None:
        """Run until `stop`, or until `until()` holds after a round of decisions. Nobody decides any more after it."""
        with self._turn:
            self._engine, self._decided = engine, False
            self._wake_ms = engine.next_wake_ms()
        try:
            while not self._stop.is_set():
                wait_s = self._wait_s(engine)
                woken = self._listen(wait_s)
                with self._turn:
                    self._take(engine)
                    if not woken and wait_s >= _REST_S and self._undecided_since is None and self.at_rest is not None:
                        self._guarded(self.at_rest)
                    if not woken or self._is_urgent(engine) or self._is_time(engine):
                        self._decide(engine)
                    decided, self._decided = self._decided, False
                    if decided and until is not None and until():
                        return
        finally:
            with self._turn:
                self._engine = None

    def _wait_s(self, engine: Engine) -> float:
        """How long nothing has to be done if nothing comes."""
        with self._turn:
            if self._undecided_since is not None:
                return max(self._undecided_since + self._patience_s - time.monotonic(), 0.0)
            return max(self._wake_ms - engine.now_ms(), 0) / 1000

    def _listen(self, wait_s: float) -> bool:
        """Whether the bell rang within that time. However often it did: what came is taken all at once."""
        try:
            self._bell.get(timeout=wait_s)
            while not self._bell.empty():
                self._bell.get_nowait()
        except queue.Empty:
            return False
        return True

    # --- with the turn -----------------------------------------------------------------------------------------

    def _take(self, engine: Engine) -> None:
        """Apply all that came."""
        while self._came:
            item = self._came.popleft()
            if callable(item):
                self._called = True
                self._guarded(item)
            else:
                self._guarded(partial(engine.handle, item))
            if self._undecided_since is None:
                self._undecided_since = time.monotonic()

    def _is_urgent(self, engine: Engine) -> bool:
        """Whether something came that is to be decided on now."""
        return self._undecided_since is not None and (self._called or not engine.may_wait)

    def _is_time(self, engine: Engine) -> bool:
        if self._undecided_since is not None:
            return time.monotonic() >= self._undecided_since + self._patience_s
        return engine.now_ms() >= self._wake_ms

    def _decide(self, engine: Engine) -> None:
        self._undecided_since, self._called = None, False
        self._guarded(engine.process)
        self._decided = True
        self._wake_ms = engine.now_ms() + _ANYWAY_MS
        self._guarded(partial(self._look_ahead, engine))

    def _look_ahead(self, engine: Engine) -> None:
        self._wake_ms = engine.next_wake_ms()

    def _guarded(self, what: Call) -> None:
        try:
            what()
        except Exception:
            self.failures += 1
            log.exception("unexpected error in the decision loop")
