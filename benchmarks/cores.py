"""Cores: who runs where, how much CPU a process used, and keeping a core awake (Linux; elsewhere nothing is pinned)."""

from __future__ import annotations

import contextlib
import multiprocessing as mp
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path


def pin(core: int | None) -> None:
    """Keep this process on one core, where the system can."""
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def pair() -> tuple[int | None, int | None]:
    """(core of the exchange, core of the clients); both None where there is only one."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return (cores[0], cores[1]) if len(cores) > 1 else (None, None)


def cpu_ns(pid: int) -> int:
    """CPU that a process has used so far, threads that ended included; 0 where the system does not say."""
    if sys.platform != "linux":
        return 0
    with contextlib.suppress(OSError):
        return time.clock_gettime_ns((~pid << 3) | 2)  # its clock, as clock_getcpuclockid(3) names it
    return 0


def resident_kib(pid: int) -> int:
    """Resident memory of a process; 0 where the system does not say."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


def _spin(core: int, parent: int) -> None:
    pin(core)
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    while os.getppid() == parent:
        for _ in range(1_000_000):
            pass


@contextlib.contextmanager
def awake(cores: tuple[int | None, ...]) -> Iterator[None]:
    """Keep cores from halting: a process each that spins only when nothing else wants to run (SCHED_IDLE).

    A core that has halted takes longer to wake than a whole reaction: without this the floor itself doubles.
    """
    wanted = [core for core in cores if core is not None] if hasattr(os, "SCHED_IDLE") else []
    context = mp.get_context("spawn")
    spinners = [context.Process(target=_spin, args=(core, os.getpid()), daemon=True) for core in wanted]
    for spinner in spinners:
        spinner.start()
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.terminate()
            spinner.join(2)
