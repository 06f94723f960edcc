"""A program in a terminal of its own, and what that terminal shows."""

from __future__ import annotations

import os
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pexpect
import pyte

ROOT = Path(__file__).parents[2]
PYTHON = sys.executable
_WAIT_S = 10.0


class PtyProgram:
    """Runs a command. Use it as a context: it ends what still runs, by its own pid."""

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str] | None = None, size: tuple[int, int] = (24, 80)
    ) -> None:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "HOME") if name in os.environ}
        rows, columns = size
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self._child: Any = pexpect.spawn(
            command[0],
            list(command[1:]),
            env={**kept, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **(env or {})},
            dimensions=size,
            cwd=str(ROOT),
        )
        self.modes_before = self.modes()

    def __enter__(self) -> PtyProgram:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.close(force=True)

    @property
    def pid(self) -> int:
        found: int = self._child.pid
        return found

    def modes(self) -> list[Any]:
        """How the terminal treats what is typed."""
        return termios.tcgetattr(self._child.child_fd)

    def send(self, keys: str) -> None:
        self._child.send(keys)

    def resize(self, rows: int, columns: int) -> None:
        self.screen.resize(rows, columns)
        self._child.setwinsize(rows, columns)

    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.screen.display]

    def text(self) -> str:
        return "\n".join(self.lines())

    def wait_for(self, shown: str | Callable[[PtyProgram], bool]) -> None:
        """Until the screen shows it. Raises AssertionError with what it shows instead."""
        seen = shown if callable(shown) else lambda program: shown in program.text()
        until = time.monotonic() + _WAIT_S
        while not seen(self):
            if time.monotonic() > until or not self._take_in():
                raise AssertionError(f"{shown!r} is not shown:\n{self.text()}")

    def listen(self, seconds: float) -> int:
        """Take in what comes for a while; how many bytes that was."""
        before, until = len(self.raw), time.monotonic() + seconds
        while time.monotonic() < until and self._take_in():
            pass
        return len(self.raw) - before

    def ended(self) -> int:
        """Its exit code, once it has ended and everything it wrote was taken in; -N for signal N."""
        until = time.monotonic() + _WAIT_S
        while self._take_in():
            if time.monotonic() > until:
                raise AssertionError(f"it does not end:\n{self.text()}")
        self._child.wait()
        signalled = self._child.signalstatus
        code: int = self._child.exitstatus if signalled is None else -signalled
        return code

    def _take_in(self) -> bool:
        """Feed the screen with what was written; False when the program has closed its terminal."""
        try:
            data = self._child.read_nonblocking(65536, timeout=0.05)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.raw += data
        self._stream.feed(data)
        return True
