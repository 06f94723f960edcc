"""Inside a measured process: records that are switched on and off by signals, and written down at the end.

A profile is cProfile's of the main thread. What C does (SQLite, sockets, msgspec) is counted to the Python function
that called it. The clock is the wall's: the thread's own would cost more than most functions do.
"""

from __future__ import annotations

import cProfile
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from benchmarks.copiers.arguments import Arguments
from benchmarks.copiers.stamps import Stamps

START, STOP = signal.SIGUSR1, signal.SIGUSR2


class Row(msgspec.Struct, frozen=True):
    """One function: where it is, how often it was called, seconds of its own and with what it called."""

    file: str
    name: str
    calls: int
    own_s: float
    whole_s: float


@contextmanager
def recorded(given: Arguments) -> Iterator[None]:
    """START begins (again), STOP ends and writes what was asked for: rows of a profile, or of stamps; else nothing."""
    if given.profile:
        profile = cProfile.Profile(builtins=False)

        def rows() -> object:
            profile.disable()
            return _rows(profile)

        with _on_signals(lambda: profile.enable(builtins=False), rows, Path(given.profile)):
            yield
    elif given.stamps:
        stamps = Stamps()
        with _on_signals(stamps.clear, lambda: stamps.rows, Path(given.stamps)):
            yield
    else:
        yield


@contextmanager
def _on_signals(start: Callable[[], None], stop: Callable[[], object], into: Path) -> Iterator[None]:
    def write() -> None:
        draft = into.with_suffix(".draft")
        draft.write_bytes(msgspec.json.encode(stop()))
        draft.replace(into)

    before = {
        START: signal.signal(START, lambda _number, _frame: start()),
        STOP: signal.signal(STOP, lambda _number, _frame: write()),
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _rows(profile: cProfile.Profile) -> list[Row]:
    return [
        Row(entry.code.co_filename, entry.code.co_qualname, entry.callcount, entry.inlinetime, entry.totaltime)
        for entry in profile.getstats()
        if not isinstance(entry.code, str)
    ]
