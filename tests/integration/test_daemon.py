"""The daemon as a user meets it: real processes, real sockets, a real SIGKILL."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from decimal import Decimal
from itertools import cycle
from pathlib import Path
from statistics import median

import pytest

from mirrorctl.core.store.sqlite import SqliteStore
from tests import forkserver
from tests.integration.stage import Stage, eventually

CRASHING = "tests.integration.crashing_daemon"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    opened = Stage.open(tmp_path)
    yield opened
    opened.close()


def shown(stage: Stage) -> dict[str, list[tuple[str, str, str]]]:
    """(size, wanted size, stop) of every position of every mirror, as `positions` prints them."""
    accounts = stage.json("positions")["accounts"]
    return {
        row["account"]: [(held["qty"], held["want_qty"], held["stop"]["price"]) for held in row["positions"]]
        for row in accounts
        if row["role"] == "mirror"
    }


@pytest.mark.proves("A1")
def test_positions_one_second_after_a_trade_show_the_mirrors(stage: Stage) -> None:
    stage.start_daemon()
    wanted = {"half": [("0.041", "0.041", "50000")], "quarter": [("0.02", "0.02", "50000")]}
    in_step = []
    for _ in range(5):
        opened = stage.run(
            "trade", "open", "BTCUSDT", "long", "--margin", "1000", "--leverage", "5", "--stop", "50000", "--yes"
        )
        assert opened.returncode == 0, opened.stderr
        in_step.append(eventually(lambda: shown(stage) == wanted, 1))
        closed = stage.run("trade", "close", "BTCUSDT", "--yes")
        assert closed.returncode == 0, closed.stderr
        assert eventually(lambda: not stage.size("half") and not stage.size("quarter"))
    assert median(in_step) == 1


@pytest.mark.proves("A49")
def test_a_second_daemon_names_the_first_and_commands_go_through_it(stage: Stage) -> None:
    first = stage.start_daemon()
    second = stage.run("run")
    assert second.returncode == 6
    assert str(first.pid) in second.stderr
    assert stage.run("pause").returncode == 0
    stage.order("main", "Buy", "0.1")
    assert eventually(lambda: [row["account"] for row in stage.json("status")["held"]] == ["half", "quarter"])
    assert stage.size("half") == 0
    assert "paused" in stage.json("status")["held"][0]["reason"]
    assert stage.run("resume").returncode == 0
    assert eventually(lambda: stage.size("half") == Decimal("0.050"))


def test_sigterm_ends_it_within_five_seconds_and_leaves_everything_standing(stage: Stage) -> None:
    daemon = stage.start_daemon()
    stage.order("main", "Buy", "0.1", stopLoss="58000")
    assert eventually(lambda: stage.size("half") == Decimal("0.050"))
    began = time.monotonic()
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(5) == 0
    assert time.monotonic() - began < 5
    assert stage.size("half") == Decimal("0.050")
    assert stage.stop_price("half") == "58000.00"
    baseline = stage.home / "state" / "stage" / "baseline.json"
    assert len(json.loads(baseline.read_text())["sightings"]) == 2
    assert baseline.stat().st_mode & 0o777 == 0o600


class Life:
    """A trade's life on main; after each step the mirrors must stand where they should, whoever died meanwhile."""

    def __init__(self, stage: Stage, number: int, when: str) -> None:
        self._stage = stage
        self._when = when
        self._daemon = self._start(number)
        self.deaths = 0

    def _start(self, number: int) -> forkserver.Process:
        return self._stage.start(str(self._stage.profile), str(number), self._when, module=CRASHING)

    def begin(self) -> None:
        """Wait until every mirror was seen once: what main does from then on is new to the daemon."""

        def seen() -> bool:
            self._revive()
            with SqliteStore(self._stage.home / "state" / "stage" / "store.sqlite", read_only=True) as store:
                return all(store.fact(f"seen.{name}") for name in ("half", "quarter"))

        assert eventually(seen, 25)

    def _revive(self) -> None:
        if self._daemon.poll() is not None:
            self.deaths += 1
            assert self._daemon.returncode == -signal.SIGKILL
            self._daemon = self._start(0)

    def settle(self, half: str, quarter: str, resting: int = 0) -> None:
        def stands() -> bool:
            self._revive()
            sizes = self._stage.size("half"), self._stage.size("quarter")
            orders = [len(self._stage.resting(name)) for name in ("half", "quarter")]
            return sizes == (Decimal(half), Decimal(quarter)) and orders == [resting, resting]

        assert eventually(stands, 25), (self._stage.size("half"), self._stage.resting("half"))


# 28 to 31 kill between an order's record and its sending: that doubt ends with Bybit's receive window, 8 s later. The
# simulated crashes, which die at every call there is, do not have to wait for it.
@pytest.mark.proves("A43")
@pytest.mark.parametrize(
    ("number", "when"),
    list(zip((12, 17, 22, 27, 36, 50), cycle(("after", "before")), strict=False)),
)
def test_a_real_sigkill_at_a_port_call_doubles_and_loses_nothing(stage: Stage, number: int, when: str) -> None:
    life = Life(stage, number, when)
    life.begin()
    stage.order("main", "Buy", "0.1", stopLoss="58000")
    life.settle("0.050", "0.025")
    stage.order("main", "Buy", "0.04", price="59500")
    life.settle("0.050", "0.025", resting=1)
    stage.server.set_price("BTCUSDT", Decimal(59500))
    life.settle("0.070", "0.035")
    stage.order("main", "Sell", "0.07", reduceOnly=True)
    life.settle("0.035", "0.017")
    stage.order("main", "Sell", "0.07", reduceOnly=True)
    life.settle("0", "0")
    assert stage.volume("half") == (Decimal("0.070"), Decimal("0.070"))
    assert stage.volume("quarter") == (Decimal("0.035"), Decimal("0.035"))
    assert life.deaths == 1
