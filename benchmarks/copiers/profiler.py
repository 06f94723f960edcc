"""Inside a measured process: records that are switched on and off by signals, and written down at the end.

A profile is cProfile's of whoever has the turn to decide, thread by thread, added up. What C does (SQLite, sockets,
msgspec) is counted to the Python function that called it. The clock is the wall's: a thread's own would cost more than
most functions do.
"""

from __future__ import annotations

import cProfile
import functools
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.copiers.arguments import Arguments
from benchmarks.copiers.stamps import Stamps
from mirrorctl.core.engine.loop import Loop

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
        turns = Turns()
        with _on_signals(turns.begin, turns.rows, Path(given.profile)):
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


class Turns:
    """Profiles what the loop does with the turn, on each thread that has it, from `begin` to `rows`."""

    def __init__(self) -> None:
        self._on = False
        self._of: dict[int, cProfile.Profile] = {}
        for name in ("_take", "_decide"):
            self._around(name)

    def begin(self) -> None:
        """Begin to add up, anew."""
        self._of = {}
        self._on = True

    def rows(self) -> list[Row]:
        """What was added up, each function once."""
        self._on = False
        found: dict[tuple[str, str], Row] = {}
        for profile in self._of.values():
            for entry in profile.getstats():
                if isinstance(entry.code, str):
                    continue
                key = (entry.code.co_filename, entry.code.co_qualname)
                row = found.get(key, Row(*key, 0, 0.0, 0.0))
                calls, own_s, whole_s = entry.callcount, entry.inlinetime, entry.totaltime
                found[key] = Row(*key, row.calls + calls, row.own_s + own_s, row.whole_s + whole_s)
        return list(found.values())

    def _around(self, name: str) -> None:
        plain = getattr(Loop, name)

        @functools.wraps(plain)
        def profiled(*args: Any) -> None:
            if not self._on:
                plain(*args)
                return
            profile = self._of.setdefault(threading.get_ident(), cProfile.Profile(builtins=False))
            profile.enable(builtins=False)
            try:
                plain(*args)
            finally:
                profile.disable()

        setattr(Loop, name, profiled)
