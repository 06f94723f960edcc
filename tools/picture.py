"""Makes docs/dashboard.svg: `make picture`. It is what `mirrorctl dashboard --export` shows of a real run on paper.

A daemon in a home of its own, trades opened by the commands that a trader would type, prices moved until targets fill.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PICTURE = Path(__file__).parent.parent / "docs" / "dashboard.svg"
_READY_S = 30.0
_SETTLING_S = 3.0

RUN = (
    "paper price BTCUSDT 60000",
    "paper price ETHUSDT 3000",
    "paper price SOLUSDT 150",
    "trade open BTCUSDT long --margin 900 --leverage 5 --approach conservative --entry 59000 --entry 58000 --stop 57000"
    " --target 61500 --target 63000 --target 64000 --target 65000",
    "trade open ETHUSDT short --margin 500 --leverage 5 --stop 3120 --target 2960:50 --target 2900:30 --target 2800:20",
    "paper price ETHUSDT 2987.4",
    "paper price ETHUSDT 2959",
    "paper price BTCUSDT 60412.5",
    "trade open XRPUSDT long --margin 100 --leverage 5",
    "trade close XRPUSDT",
    "pause --account second",
    "trade open SOLUSDT long --margin 300 --leverage 5 --stop 141.5 --target 163",
    "paper price SOLUSDT 151.2",
    "paper price ETHUSDT 2951.2",
)
"""What is typed, in order."""


def main() -> int:
    """Write the picture."""
    with tempfile.TemporaryDirectory() as home, _daemon(home):
        for line in RUN:
            _mirrorctl(home, *line.split())
            time.sleep(0.5)
        time.sleep(_SETTLING_S)
        _mirrorctl(home, "dashboard", "--export", str(PICTURE), "--yes")
    sys.stdout.write(f"written: {PICTURE}\n")
    return 0


def _environment(home: str) -> dict[str, str]:
    return {**os.environ, "MIRRORCTL_HOME": home, "MIRRORCTL_PROFILE": "paper", "TZ": "UTC"}


def _mirrorctl(home: str, *args: str) -> None:
    command = [sys.executable, "-m", "mirrorctl", *args]
    subprocess.run(command, env=_environment(home), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextmanager
def _daemon(home: str) -> Iterator[None]:
    """A daemon with its paper exchange, ready until the block ends."""
    log = Path(home) / "stderr"
    with log.open("wb") as file:
        command = [sys.executable, "-m", "mirrorctl", "run"]
        process = subprocess.Popen(command, env=_environment(home), stdout=subprocess.DEVNULL, stderr=file)
    try:
        until = time.monotonic() + _READY_S
        while "ready" not in log.read_text(encoding="utf-8").splitlines():
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(log.read_text(encoding="utf-8"))
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
