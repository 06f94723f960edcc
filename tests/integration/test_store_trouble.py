"""A real daemon whose disk is full, and whose store is deleted under it: it goes on, says so, and loses nothing."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from mirrorctl.core.store.sqlite import SqliteStore
from tests.integration.stage import Stage, eventually


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    opened = Stage.open(tmp_path)
    yield opened
    opened.close()


FULL = "no entries until it can be written"


def store_path(stage: Stage) -> Path:
    [found] = stage.home.glob("state/**/store.sqlite")
    return found


def sizes(stage: Stage) -> tuple[Decimal, Decimal]:
    return stage.size("half"), stage.size("quarter")


def stops(stage: Stage) -> tuple[Decimal, Decimal]:
    return Decimal(stage.stop_price("half")), Decimal(stage.stop_price("quarter"))


def said(stage: Stage, text: str) -> bool:
    """Whether the daemon said so on stderr."""
    return text in (stage.home / "stderr-0").read_text()


def move_stop(stage: Stage, price: int) -> None:
    """Main's stop, and that both mirrors follow."""
    stage.call("main", "POST", "/v5/position/trading-stop", category="linear", symbol="BTCUSDT", tpslMode="Full",
               stopLoss=str(price), positionIdx=0)  # fmt: skip
    assert eventually(lambda: stops(stage) == (Decimal(price), Decimal(price)))


def until_full(stage: Stage) -> None:
    """A log that was just moved into the file begins anew, and has room for a while."""
    for price in range(57_100, 57_900, 5):
        if said(stage, FULL):
            break
        move_stop(stage, price)
    assert eventually(lambda: said(stage, FULL))
    move_stop(stage, 58_000)


@pytest.mark.proves("A29", "A44")
def test_a_daemon_outlives_a_full_disk_and_a_deleted_store(stage: Stage) -> None:
    daemon = stage.start_daemon()
    stage.order("main", "Buy", "0.1", stopLoss="57000")
    assert eventually(lambda: sizes(stage) == (Decimal("0.05"), Decimal("0.025")))
    assert eventually(lambda: stops(stage) == (Decimal(57_000), Decimal(57_000)))

    # The log of the store may not grow: what a full disk is to it.
    unlimited = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE)
    size = store_path(stage).with_name("store.sqlite-wal").stat().st_size
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (size, unlimited[1]))
    until_full(stage)
    stage.order("main", "Sell", "0.06", reduceOnly=True)
    assert eventually(lambda: sizes(stage) == (Decimal("0.02"), Decimal("0.01")))
    stage.order("main", "Buy", "0.1")
    refused = stage.run("trade", "open", "BTCUSDT", "long", "--qty", "0.1", "--stop", "57000")
    assert (refused.returncode, "no entry is sent" in refused.stderr) == (6, True)
    status = stage.json("status")
    assert not status["store"]["writable"]
    assert status["store"]["waiting"] > 0
    assert {(row["account"], row["reason"]) for row in status["held"]} == {
        (name, status["store"]["error"]) for name in ("half", "quarter")
    }
    assert any("no entries until it can be written" in row["text"] for row in status["alerts"])
    assert "entries are held since" in stage.run("status").stdout
    assert sizes(stage) == (Decimal("0.02"), Decimal("0.01"))

    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, unlimited)
    assert eventually(lambda: sizes(stage) == (Decimal("0.07"), Decimal("0.035")))
    assert stage.json("status")["store"]["writable"]
    for left in store_path(stage).parent.glob("store.sqlite*"):
        left.unlink()
    assert eventually(lambda: said(stage, "the store was written anew"))
    assert stage.run("history", "--verify").returncode == 0
    daemon.kill()
    daemon.wait(6)
    assert "Traceback" not in (stage.home / "stderr-0").read_text()
    with SqliteStore(store_path(stage)) as store:
        assert not store.fresh
        assert store.verify().fault is None
        told = [alert.text for alert in store.alerts(100) if alert.kind == "store"]
    assert ["no entries" in told[2], "entries go on" in told[1], "was written anew" in told[0]] == [True] * 3
    stage.start_daemon()
    assert stage.volume("half") == (Decimal("0.1"), Decimal("0.03"))
    assert stage.volume("quarter") == (Decimal("0.05"), Decimal("0.015"))
    assert stage.json("status")["in_sync"]


@pytest.mark.proves("A44")
def test_a_store_that_was_deleted_meanwhile_is_rebuilt_and_stops_stand(stage: Stage) -> None:
    daemon = stage.start_daemon()
    stage.order("main", "Buy", "0.1", stopLoss="57000")
    assert eventually(lambda: sizes(stage) == (Decimal("0.05"), Decimal("0.025")))
    daemon.kill()
    daemon.wait(6)
    for left in store_path(stage).parent.glob("store.sqlite*"):
        left.unlink()
    stage.start_daemon()
    assert stops(stage) == (Decimal(57_000), Decimal(57_000))
    assert stage.volume("half") == (Decimal("0.05"), Decimal(0))
    stage.order("main", "Sell", "0.1", reduceOnly=True)
    assert eventually(lambda: sizes(stage) == (Decimal(0), Decimal(0)))
