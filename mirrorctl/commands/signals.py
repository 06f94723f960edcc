"""SIGTERM and SIGINT: an orderly stop, and everything down within 5 s whatever hangs."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_STOP_S = 4.5


class Stopped(Exception):
    """The signal came before there was a loop to stop."""


class Signals:
    """What a signal does: ends the start while nothing runs yet, stops the loop afterwards. `name`: of the first."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self.loop_runs = False
        self.name = ""
        self._stop = stop
        self._timer: threading.Timer | None = None

    def on_signal(self, number: int, _frame: FrameType | None) -> None:
        self.name = self.name or signal.Signals(number).name
        self._stop()
        if self._timer is None:
            # What hangs on a dead exchange must not hold up a stop: the journal is written, the kernel frees the locks.
            self._timer = threading.Timer(_STOP_S, os._exit, (0,))
            self._timer.daemon = True
            self._timer.start()
            if not self.loop_runs:
                raise Stopped

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


@contextmanager
def stopping_on_signals(stop: Callable[[], None]) -> Iterator[Signals]:
    """SIGTERM and SIGINT stop the loop, and everything is down within 5 s."""
    signals = Signals(stop)
    before = {number: signal.signal(number, signals.on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield signals
    except Stopped:
        stop()
    finally:
        signals.end()
        for number, handler in before.items():
            signal.signal(number, handler)
