"""What the engine does, counted: calls of functions, passes, requests, statements. The same on every machine.

    with counted(stage) as counts:
        stage.main.buy("0.1")
        stage.run(900)
    assert counts.sends == 1

Only `Engine.handle` and `Engine.process` are counted, not the world around them. Messages take the same times in every
run meanwhile, so that every run counts the same: a few, so that those of many mirrors come together, or (`apart`) each
another, so that none comes with another.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from types import FrameType
from typing import Any

import mirrorctl
from mirrorctl.core.engine.reconcile import MirrorPass
from mirrorctl.core.simulation.ports import Port
from mirrorctl.core.simulation.stage import Stage

_CORE = Path(mirrorctl.__file__).parent / "core"
_TOGETHER_MS, _APART_MS = (3, 5, 7, 9), range(3, 303)
_COUNTED = tuple(f"{_CORE / part}/" for part in ("domain", "engine", "store", "bybit"))


@dataclass(slots=True)
class Counts:
    """`calls`: Python functions of the core that were called, by name; `at_send`: how many by then, for each send.

    `events` handled, `rounds` of decisions, `passes` over a mirror that had something to look at, the symbols
    `planned` in them. `port` counts port calls by their words, `statements` SQL by its first word.
    """

    events: int = 0
    rounds: int = 0
    passes: int = 0
    planned: set[str] = field(default_factory=set)
    port: Counter[str] = field(default_factory=Counter)
    statements: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    at_send: list[int] = field(default_factory=list)

    @property
    def sends(self) -> int:
        """Requests that write."""
        return sum(number for words, number in self.port.items() if " send " in words)

    @property
    def asks(self) -> int:
        """Requests that read."""
        return sum(number for words, number in self.port.items() if " ask " in words)

    @property
    def transactions(self) -> int:
        """Those that were begun, and single writes that are their own."""
        return self.statements["BEGIN"] + self.statements["single"]

    @property
    def total(self) -> int:
        """Calls of functions of the core."""
        return self.calls.total()


@contextmanager
def counted(stage: Stage, *, apart: bool = False) -> Iterator[Counts]:
    """Count what the engine of a stage does meanwhile."""
    engine, world, counts = stage.engine, stage.world, Counts()
    database: Any = world.store._database._connection
    handle, process, plan_mirror = engine.handle, engine.process, engine.plan_mirror
    before = len(world.calls)

    def plan(mirror: MirrorPass, symbols: set[str], *args: Any, **kwargs: Any) -> Any:
        counts.passes += 1
        counts.planned |= symbols
        return plan_mirror(mirror, symbols, *args, **kwargs)

    def sql(statement: str) -> None:
        word = statement.split(None, 1)[0].upper()
        counts.statements[word] += 1
        if word in ("INSERT", "UPDATE", "DELETE") and not within[0]:
            counts.statements["single"] += 1
        within[0] = word == "BEGIN" or (within[0] and word not in ("COMMIT", "ROLLBACK"))

    within = [database.in_transaction]

    def on_event(event: Any) -> None:
        counts.events += 1
        with _profiled(counts):
            handle(event)

    def on_round() -> None:
        counts.rounds += 1
        with _profiled(counts):
            process()

    mutable: Any = engine
    changed: Any = world
    changed.delay_ms = cycle(_APART_MS if apart else _TOGETHER_MS).__next__
    mutable.handle, mutable.process, mutable.plan_mirror = on_event, on_round, plan
    database.set_trace_callback(sql)
    try:
        yield counts
    finally:
        database.set_trace_callback(None)
        mutable.handle, mutable.process, mutable.plan_mirror = handle, process, plan_mirror
        del changed.delay_ms
        counts.port.update(world.calls[before:])


@contextmanager
def _profiled(counts: Counts) -> Iterator[None]:
    def called(frame: FrameType, event: str, _what: Any) -> None:
        code = frame.f_code
        if event != "call":
            return
        if code.co_filename.startswith(_COUNTED):
            counts.calls[f"{code.co_filename.removeprefix(str(_CORE))}:{code.co_qualname}"] += 1
        elif code is Port.send.__code__:
            counts.at_send.append(counts.total)

    sys.setprofile(called)
    try:
        yield
    finally:
        sys.setprofile(None)
