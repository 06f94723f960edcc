"""How long the program takes to start, beside an interpreter that does nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median

_PASS = "python -c pass"


@dataclass(frozen=True, slots=True)
class Start:
    """A command: the median of its wall time, and ÷ that of `python -c pass`."""

    command: str
    ms: float
    ratio: float


def starts(rounds: int, random: Random) -> list[Start]:
    """Of `--help`, `--version` and a command's own help, in turns with `python -c pass`."""
    program = str(Path(sys.executable).parent / "mirrorctl")
    commands = {
        _PASS: [sys.executable, "-c", "pass"],
        "mirrorctl --help": [program, "--help"],
        "mirrorctl --version": [program, "--version"],
        "mirrorctl run --help": [program, "run", "--help"],
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for name in commands:
        _seconds(commands[name])  # compiles, and fills the page cache
    for _ in range(rounds):
        for name in random.sample(list(commands), len(commands)):
            taken[name].append(_seconds(commands[name]))
    least = median(taken[_PASS])
    return [Start(name, median(times) * 1000, median(times) / least) for name, times in taken.items()]


def _seconds(command: list[str]) -> float:
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environ)
    return time.perf_counter() - began
