"""The daemon loop: one thread that takes events, decides, and sleeps until the next event or wake.

Everything that happens elsewhere is put on its queue by `deliver`, which never blocks. This is one of the two outermost
loops: a bug in handling one event is logged with its traceback and the loop goes on, for positions need their stops.

News is decided on at once. What only confirms waits a moment for what comes with it, so that a fill, which is told in
three messages and an answer, is not decided on four times.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from functools import partial

from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.ports import Event

log = logging.getLogger(__name__)

_PATIENCE_S = 0.002
_REST_S = 0.1

Call = Callable[[], None]


class Loop:
    """Drives one engine. `deliver` and `call` may be used from any thread; everything else from the one that runs.

    `patience_s`: how long what only confirms may wait at most (`Engine.may_wait`). `at_rest` is called where nothing
    came for a while, for what shall not delay a decision.
    """

    def __init__(self, patience_s: float = _PATIENCE_S) -> None:
        self.at_rest: Call | None = None
        self._patience_s = patience_s
        self._queue: queue.SimpleQueue[Event | Call] = queue.SimpleQueue()
        self._stop = threading.Event()
        self.failures = 0

    def deliver(self, event: Event) -> None:
        """Hand over an event."""
        self._queue.put(event)

    def call(self, what: Call) -> None:
        """Run something on the engine's thread."""
        self._queue.put(what)

    def stop(self) -> None:
        """Make `run` return soon. Safe from a signal handler."""
        self._stop.set()
        self._queue.put(_nothing)

    def wake(self) -> None:
        """Make the next round come now."""
        self._queue.put(_nothing)

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def run(self, engine: Engine, *, until: Callable[[], bool] | None = None) -> None:
        """Run until `stop`, or until `until()` holds after a round of decisions."""
        while not self._stop.is_set():
            wait_s = max(engine.next_wake_ms() - engine.now_ms(), 0) / 1000
            self._take(engine, wait_s)
            self._guarded(engine.process)
            if until is not None and until():
                return

    def _take(self, engine: Engine, wait_s: float) -> None:
        """Wait for one event, then take all that are there: a burst becomes one round of decisions (A18)."""
        news, until = False, 0.0
        while True:
            try:
                item = self._queue.get(timeout=wait_s)
            except queue.Empty:
                if self.at_rest is not None and wait_s >= _REST_S:
                    self._guarded(self.at_rest)
                return
            if callable(item):
                news = True
                self._guarded(item)
            else:
                self._guarded(partial(engine.handle, item))
            if self._queue.empty():
                if news or not engine.may_wait:
                    return
                until = until or time.monotonic() + self._patience_s
            wait_s = max(until - time.monotonic(), 0.0)

    def _guarded(self, what: Call) -> None:
        try:
            what()
        except Exception:
            self.failures += 1
            log.exception("unexpected error in the decision loop")


def _nothing() -> None:
    return None
