"""Where mirrorctl's time goes: whoever decides under cProfile, from the first of some events to the end of the last."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from statistics import median

import msgspec

from benchmarks.copiers.profiler import START, STOP, Row
from benchmarks.exchange import Reaction, Remote
from benchmarks.fleet import BY_NAME, MIRRORCTL, Fleet
from benchmarks.measures import Effort

MOST = 25
_WRITTEN_S = 10.0
_PARTS = (
    ("core/domain/", "rules and plan (domain)"),
    ("core/engine/", "engine"),
    ("core/store/", "store, SQLite"),
    ("core/bybit/", "Bybit: frames, requests, sockets"),
    ("mirrorctl/", "the rest of mirrorctl"),
    ("/websocket/", "websocket-client"),
    ("/pybit/", "pybit"),
)
_STAGES = (
    "frame read, to the engine",
    "frame into the views",
    "views to plan (cycles, limits)",
    "plan",
    "journal",
    "order written",
)
_BESIDE = "kernel, socket, WebSocket and JSON of the frame"
_ELSE = "Python's own library and others"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the code: its share of the time, and calls for each event.

    `whole`: the share with everything that it called.
    """

    name: str
    share: float
    calls: float
    whole: float = 0.0


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage on the way from main's fill to the order, and its median without a profiler."""

    name: str
    us: float


@dataclass(frozen=True, slots=True)
class Profiled:
    """`event_us`: of each event, with the profiler's own time; `functions`: those that took most."""

    events: int
    event_us: float
    parts: Sequence[Part]
    functions: Sequence[Part]
    stages: Sequence[Stage] = ()


def profiled(exchange: Remote, core: int | None, effort: Effort, random: Random) -> Profiled:
    """Of mirrorctl over WebSocket with one mirror. TimeoutError when it does not write its records."""
    written, reactions = _recorded(exchange, core, "--profile", effort, random)
    profile = summed(msgspec.json.decode(written, type=list[Row]), len(reactions))
    written, reactions = _recorded(exchange, core, "--stamps", effort, random)
    rows = msgspec.json.decode(written, type=list[tuple[int, ...]])
    return replace(profile, stages=staged(rows, [one.orders_ns[-1] for one in reactions if one.whole]))


def _recorded(
    exchange: Remote, core: int | None, option: str, effort: Effort, random: Random
) -> tuple[bytes, list[Reaction]]:
    """What a process recorded of some events, and how it reacted to them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "record.json"
        variant = replace(BY_NAME[MIRRORCTL], arguments=(option, str(path)))
        with Fleet(exchange, [variant], core) as fleet:
            venue = fleet.venue(MIRRORCTL)
            exchange.call("react", venue, effort.gaps(random, 1))
            exchange.call("linger", 0.1)
            fleet.signal(MIRRORCTL, START)
            found: list[Reaction] = []
            for _ in range(effort.rounds):
                found += exchange.call("react", venue, effort.gaps(random, 1))
            exchange.call("linger", 0.1)
            fleet.signal(MIRRORCTL, STOP)
            until = time.monotonic() + _WRITTEN_S
            while not path.exists():
                if time.monotonic() > until:
                    raise TimeoutError("no records were written")
                exchange.call("linger", 0.05)
            return path.read_bytes(), found


def staged(rows: Sequence[Sequence[int]], reactions_ns: Sequence[int]) -> list[Stage]:
    """The median of each stage; the last is what the reaction took beside them."""
    found = [
        Stage(name, median(row[at + 1] - row[at] for row in rows) / 1000) for at, name in enumerate(_STAGES) if rows
    ]
    whole = median(reactions_ns) / 1000 if reactions_ns else 0.0
    within = sum(stage.us for stage in found)
    return [*found, Stage(_BESIDE, max(whole - within, 0.0)), Stage("in all", whole)]


def summed(rows: Sequence[Row], events: int) -> Profiled:
    """Rows by part of the code, and the functions of most time of their own."""
    total = sum(row.own_s for row in rows) or 1.0
    by_part: dict[str, list[Row]] = {}
    for row in rows:
        by_part.setdefault(_part_of(row.file), []).append(row)
    parts = [
        Part(name, sum(row.own_s for row in found) / total, sum(row.calls for row in found) / events)
        for name, found in by_part.items()
    ]
    most = sorted(rows, key=lambda row: -row.own_s)[:MOST]
    functions = [
        Part(f"{_short(row.file)}: {row.name}", row.own_s / total, row.calls / events, row.whole_s / total)
        for row in most
    ]
    return Profiled(events, total / events * 1e6, sorted(parts, key=lambda part: -part.share), functions)


def _part_of(file: str) -> str:
    return next((name for mark, name in _PARTS if mark in file), _ELSE)


def _short(file: str) -> str:
    """The path within its package."""
    for mark in ("mirrorctl/core/", "site-packages/"):
        _, found, rest = file.partition(mark)
        if found:
            return rest
    return Path(file).name
