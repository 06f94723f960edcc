"""One run's results as a value, and as JSON."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.ladder import Rebuilt
from benchmarks.measures import Rate, Relisted
from benchmarks.profile import Profiled
from benchmarks.startup import Start
from benchmarks.throughput import Throughput


@dataclass(slots=True)
class Results:
    """What was measured; empty where it was not. `fan_out`: acks after the last order, by mirrors.

    `growth` by open positions, `growth_fills` (p50, µs) by fills of the position before.
    """

    machine: Mapping[str, str]
    seconds: int = 0
    reaction: Sequence[Figure] = ()
    reaction_ahead: Sequence[Figure] = ()
    fan_out: dict[int, Sequence[Figure]] = field(default_factory=dict)
    fan_out_acked: dict[int, Sequence[Figure]] = field(default_factory=dict)
    sustained: Sequence[Rate] = ()
    growth: dict[int, Figure] = field(default_factory=dict)
    growth_fills: dict[int, float] = field(default_factory=dict)
    relists: Sequence[Relisted] = ()
    ladders: Sequence[Rebuilt] = ()
    memory_mib: dict[int, float] = field(default_factory=dict)
    starts: Sequence[Start] = ()
    throughput: Throughput | None = None
    profile: Profiled | None = None


def machine() -> dict[str, str]:
    """Where the run was."""
    versions = {name: version(name) for name in ("pybit", "ccxt", "websocket-client", "requests")}
    return {
        "date": _today(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "load before": f"{os.getloadavg()[0]:.2f}",
        **versions,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _today() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).date().isoformat()
