"""The measured clients as processes, all alive at once beside one exchange, so that they can be measured in turns."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.cores import cpu_ns, resident_kib
from benchmarks.exchange import Remote
from benchmarks.figures import FLOOR

ROOT = Path(__file__).parent.parent
MIRRORCTL, MIRRORCTL_HTTP = "mirrorctl → WebSocket", "mirrorctl → HTTP"
_UP_S = 60.0


@dataclass(frozen=True, slots=True)
class Variant:
    """A client: its module under `benchmarks.copiers`, the way its orders take, and what else it is told."""

    name: str
    module: str
    entry: str = "http"
    arguments: tuple[str, ...] = ()

    @property
    def listens(self) -> bool:
        """Whether it also listens to its mirrors' streams."""
        return self.module == "mirrorctl_run"


VARIANTS = (
    Variant(FLOOR, "floor", "ws"),
    Variant(MIRRORCTL, "mirrorctl_run", "ws"),
    Variant(MIRRORCTL_HTTP, "mirrorctl_run"),
    Variant("pybit → WebSocketTrading", "stock_pybit", "ws"),
    Variant("pybit → HTTP", "stock_pybit"),
    Variant("ccxt.pro → WebSocket", "ccxt_pro", "ws"),
    Variant("ccxt.pro → HTTP", "ccxt_pro"),
)
BY_NAME = {variant.name: variant for variant in VARIANTS}


class Fleet:
    """Clients of one exchange, each with so many mirrors. A context manager; entered, all follow and hold a position.

    Raises TimeoutError naming the client that does not come up.
    """

    def __init__(
        self, exchange: Remote, variants: Sequence[Variant], core: int | None, mirrors: int = 1, positions: int = 1
    ) -> None:
        self.exchange = exchange
        self.mirrors = mirrors
        self.names = [variant.name for variant in variants]
        self._variants = variants
        self._core = core
        self._positions = positions
        self._label = f"/{mirrors}/{positions}"
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        try:
            for variant in self._variants:
                self._start(variant)
            for variant in self._variants:
                self._await(variant)
            for name in self.names:
                self.exchange.call("open_positions", self.venue(name), self._positions, mirrors=self.mirrors)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def venue(self, name: str) -> str:
        """The name of a client's own exchange."""
        return name + self._label

    def cpu_ns(self, name: str) -> int:
        """CPU it has used so far."""
        return cpu_ns(self._running[name].pid)

    def resident_kib(self, name: str) -> int:
        """Its resident memory."""
        return resident_kib(self._running[name].pid)

    def signal(self, name: str, number: int) -> None:
        """Send it a signal."""
        self._running[name].send_signal(number)

    def _start(self, variant: Variant) -> None:
        port = self.exchange.call("open_venue", self.venue(variant.name), self.mirrors)
        told = ["--port", str(port), "--mirrors", str(self.mirrors), "--entry", variant.entry]
        told += variant.arguments
        core = -1 if self._core is None else self._core
        self._running[variant.name] = subprocess.Popen(
            [sys.executable, "-m", f"benchmarks.copiers.{variant.module}", *told, "--core", str(core)],
            cwd=ROOT,
            env={**os.environ, "NO_PROXY": "*"},
            stdin=subprocess.DEVNULL,
            stderr=None if os.environ.get("BENCH_VERBOSE") else subprocess.DEVNULL,
        )

    def _await(self, variant: Variant) -> None:
        mirrors = [f"m{number}" for number in range(1, self.mirrors + 1)] if variant.listens else []
        venue, process = self.venue(variant.name), self._running[variant.name]

        def is_up() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"{variant.name} ended with {process.returncode}; see it with BENCH_VERBOSE=1")
            up = self.exchange.call("is_up", venue, ["main", *mirrors])
            return bool(up and self.exchange.call("is_quiet", venue, 0.5))

        self.exchange.wait(is_up, _UP_S, f"{variant.name} does not come up")

    def _stop(self) -> None:
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()
