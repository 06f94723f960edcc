"""Processes of the program that begin warm: each is forked from a server that has imported all of it.

A test that needs the program's pid, signals, environment or end needs a process, but not Python's start and the import
of a client library for each of hundreds of commands. A forked process is the same in all else: its own pid and session
of the interpreter, its own file descriptors, an orderly end with exit code, and a SIGKILL that leaves nothing behind.
The cold start itself is tested where it matters, in tests/cli/test_help.py and wherever `python -m mirrorctl` is run.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).parent.parent
_LATE = ("pybit.unified_trading", "typer._adapters")  # loaded when a client is made, when an option is read


class TimedOutError(AssertionError):
    """A process did not end in time."""


class Process:
    """A process of the program. `returncode` is None while it runs, and -N when signal N ended it."""

    def __init__(self, server: _Server, pid: int) -> None:
        self._server = server
        self.pid = pid

    @property
    def returncode(self) -> int | None:
        return self._server.ended.get(self.pid)

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""
        self._server.listen(0)
        return self.returncode

    def wait(self, timeout_s: float) -> int:
        """Its exit code. Raises TimedOutError."""
        until = time.monotonic() + timeout_s
        while (code := self.returncode) is None:
            left_s = until - time.monotonic()
            if left_s <= 0:
                raise TimedOutError(f"process {self.pid} runs after {timeout_s} s")
            self._server.listen(left_s)
        return code

    def send_signal(self, number: int) -> None:
        """Signal it, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(
    args: Sequence[str], env: Mapping[str, str], out: Path | None, err: Path, module: str = "mirrorctl.cli"
) -> Process:
    """Start `mirrorctl ARGS` (or another module's `main`) with nothing on stdin; `out` None throws stdout away."""
    server = _server()
    order = {"module": module, "args": list(args), "env": dict(env), "out": str(out or os.devnull), "err": str(err)}
    return Process(server, server.start(order))


class _Server:
    """The server as seen by the tests: orders go in as lines of JSON, `[pid, code]` comes back, null for a start."""

    def __init__(self) -> None:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.forkserver"],
            cwd=ROOT,
            env={**kept, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._rest = b""
        self._started: list[int] = []
        self.ended: dict[int, int] = {}
        atexit.register(self._close)

    def start(self, order: Mapping[str, Any]) -> int:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        while not self._started:
            self.listen(None)
        return self._started.pop()

    def listen(self, timeout_s: float | None) -> None:
        """Take in what the server has said; wait that long for it to say something."""
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], timeout_s)
        if not ready:
            return
        said = os.read(self._process.stdout.fileno(), 65536)
        if not said:
            raise AssertionError("the fork server ended")
        *lines, self._rest = (self._rest + said).split(b"\n")
        for line in lines:
            pid, code = json.loads(line)
            if code is None:
                self.ended.pop(pid, None)  # a number that the system gives out again
                self._started.append(pid)
            else:
                self.ended[pid] = code

    def _close(self) -> None:
        self._process.communicate()


@functools.cache
def _server() -> _Server:
    return _Server()


# --- in the server -------------------------------------------------------------------------------------------------


def serve() -> None:
    """Fork for each line on stdin and tell every start and end on stdout, until stdin ends."""
    for name in _modules():
        with contextlib.suppress(ImportError, SyntaxError):  # a process that needs it will say so
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # what was imported is never garbage, and stays shared
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    rest = b""
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _tell_ends()
        if 0 in ready:
            orders = os.read(0, 65536)
            if not orders:
                return
            *lines, rest = (rest + orders).split(b"\n")
            for line in lines:
                pid = os.fork()
                if not pid:
                    os.close(woken)
                    os.close(waker)
                    _become(json.loads(line))
                _tell(pid, None)


def _modules() -> list[str]:
    package = importlib.import_module("mirrorctl")
    found = [each.name for each in pkgutil.walk_packages(package.__path__, "mirrorctl.")]
    return [*(name for name in found if not name.endswith("__main__")), *_LATE]


def _tell_ends() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        _tell(pid, os.waitstatus_to_exitcode(status))


def _tell(pid: int, code: int | None) -> None:
    os.write(1, json.dumps([pid, code]).encode() + b"\n")


def _become(order: dict[str, Any]) -> None:
    """Be the process that was ordered, to its end."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    writing = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for number, path, flags in ((0, os.devnull, os.O_RDONLY), (1, order["out"], writing), (2, order["err"], writing)):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(order["env"])
    sys.argv = [order["module"], *order["args"]]
    try:
        code = importlib.import_module(order["module"]).main()
    except SystemExit as told:
        code = told.code
    _end(code if isinstance(code, int) else int(code is not None))


def _end(code: int) -> NoReturn:
    """End as the interpreter ends: its threads, what was registered for the end, what is not yet written. Only the
    memory is left to the system: to give back each object of all modules takes longer than most commands.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # what the interpreter itself calls
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    serve()
