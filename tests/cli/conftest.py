"""The real program as processes of their own, each in an isolated home, each ended by its own pid."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import forkserver

_READY_S = 15.0
_END_S = 8.0

PROFILE = """\
schema = 1
name = "{name}"
environment = "{environment}"
[endpoints]
rest = "http://127.0.0.1:{port}"
private_ws = "ws://127.0.0.1:{port}/v5/private"
public_ws = "ws://127.0.0.1:{port}/v5/public/linear"
[main]
api_key_env = "MAIN_KEY"
api_secret_env = "MAIN_SECRET"
[[mirrors]]
name = "mirror"
adopt = "all"
api_key_env = "MIRROR_KEY"
api_secret_env = "MIRROR_SECRET"
[mirrors.sizing]
value = "0.5"
"""
KEYS = {
    "MAIN_KEY": "paper-main",
    "MAIN_SECRET": "paper-main-secret",
    "MIRROR_KEY": "paper-mirror",
    "MIRROR_SECRET": "paper-mirror-secret",
}


@dataclass(frozen=True)
class Done:
    """How a command ended. `document` is what stdout holds, which must be one JSON document."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = self.document["error"]
        return found


class Program:
    """mirrorctl with one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._count = 0
        self._started: list[Running] = []

    def environ(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
        return {**kept, "MIRRORCTL_HOME": str(self.home), "NO_COLOR": "1", "COLUMNS": "100", **(more or {})}

    def __call__(self, *args: str, env: Mapping[str, str] | None = None, timeout_s: float = 40.0) -> Done:
        """Run one command to its end; nobody sits at a terminal."""
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder) / "out", Path(folder) / "err"
            process = forkserver.start(args, self.environ(env), out, err)
            try:
                code = process.wait(timeout_s)
            finally:
                process.kill()
            done = Done(code, out.read_text(), err.read_text())
        assert "Traceback" not in done.out + done.err
        return done

    def start(self, *args: str, env: Mapping[str, str] | None = None) -> Running:
        """Start a command that stays, and wait for its line `ready`."""
        self._count += 1
        log = self.home / f"stderr-{self._count}"
        running = Running(forkserver.start(args, self.environ(env), None, log), log)
        self._started.append(running)
        running.await_ready()
        return running

    def end_all(self) -> None:
        """End what a test that failed left running."""
        for running in self._started:
            running.process.kill()
            running.process.wait(_END_S)

    def write_profile(self, name: str, port: int, environment: str = "testnet") -> None:
        folder = self.home / "config" / "profiles"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.toml").write_text(PROFILE.format(name=name, environment=environment, port=port))


@dataclass
class Running:
    """A process that stays."""

    process: forkserver.Process
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def lines(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def await_ready(self) -> None:
        until = time.monotonic() + _READY_S
        while not any(line.startswith("ready") for line in self.lines()):
            if self.process.poll() is not None or time.monotonic() > until:
                self.end()
                raise AssertionError("not ready:\n" + "\n".join(self.lines()))
            time.sleep(0.02)

    def url(self) -> str:
        """Of `paper serve`: where it serves."""
        return next(line.removeprefix("ready: ") for line in self.lines() if line.startswith("ready: "))

    def end(self, number: int = signal.SIGTERM) -> int:
        """Signal it and return its exit code."""
        self.process.send_signal(number)
        try:
            return self.process.wait(_END_S)
        except forkserver.TimedOutError:
            self.process.kill()
            raise


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """A program with an empty home."""
    found = Program(tmp_path)
    yield found
    found.end_all()


@pytest.fixture
def berlin() -> Iterator[None]:
    """People sit in Berlin, whatever the machine's own zone is; the rules are given, so no zone file is needed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def exchange(program: Program) -> Iterator[Running]:
    """A paper exchange whose prices stand still, served alone for the profile `paper`."""
    running = program.start("paper", "serve", "--volatility", "0")
    yield running
    running.end()


@pytest.fixture(scope="module")
def trader(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """A program whose home all tests of a module share."""
    return Program(tmp_path_factory.mktemp("trader"))


@pytest.fixture(scope="module")
def daemon(trader: Program) -> Iterator[Running]:
    """One daemon on paper, with the exchange it starts, for all tests of a module."""
    running = trader.start("run")
    trader("paper", "price", "BTCUSDT", "60000")
    yield running
    assert running.end() == 0
