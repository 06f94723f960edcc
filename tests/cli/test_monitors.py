"""`monitors` and `status` as a user meets them: with a daemon and without one, and from one to the other."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.cli.conftest import KEYS, Program, Running

WAIT_S = 8.0


def call(exchange: Running, account: str, path: str, **params: Any) -> None:
    """A call as the account's own trader makes it in the phone app."""
    body = {"account": account, "path": path, "params": {"category": "linear", "symbol": "BTCUSDT", **params}}
    request = Request(f"{exchange.url()}/paper/call", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=5) as answer:
        found = json.load(answer)
    assert found["retCode"] == 0, found


def trade_by_phone(exchange: Running, account: str = "main") -> None:
    """0.02 long with a stop and a target for half of it."""
    order = {"side": "Buy", "orderType": "Market", "qty": "0.02", "stopLoss": "57000"}
    call(exchange, account, "/v5/order/create", **order)
    target = {"side": "Sell", "orderType": "Limit", "qty": "0.01", "price": "66000", "reduceOnly": True}
    call(exchange, account, "/v5/order/create", **target)


def rows(program: Program, *args: str, **more: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """Monitors by account and symbol."""
    found = program("monitors", *args, "--json", **more)
    assert found.code == 0
    return {(row["account"], row["symbol"]): row for row in found.document["monitors"]}


def wait_for(what: Any) -> None:
    until = time.monotonic() + WAIT_S
    while not what():
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.proves("A63", "A66")
def test_a_position_made_elsewhere_is_handed_over_and_taken_back(program: Program, exchange: Running) -> None:
    program.write_profile("live", int(exchange.url().rpartition(":")[2]))
    daemon = program.start("run", "-p", "live", env=KEYS)
    trade_by_phone(exchange)
    wait_for(lambda: program("status", "-p", "live", "--json", env=KEYS).document["monitors"]["total"] == 2)
    refused = program("monitors", "add", "BTCUSDT", "-p", "live", "--json", env=KEYS)
    assert (refused.code, refused.error["kind"]) == (6, "confirmation")
    added = program("monitors", "add", "BTCUSDT", "-p", "live", "--yes", env=KEYS)
    assert added.code == 0
    assert added.out.splitlines() == [
        "main's BTCUSDT long is managed now: stop 57000, targets 66000 (50%)",
        "missing: a target for 50% of the position; nothing is made up for it",
    ]
    assert daemon.end() == 0
    found = rows(program, "-p", "live", env=KEYS)
    assert {key: (row["approach"], row["managed"], row["phase"]) for key, row in found.items()} == {
        ("main", "BTCUSDT"): ("adopted", True, "monitoring"),
        ("mirror", "BTCUSDT"): ("adopted", True, "monitoring"),
    }
    positions = program("positions", "-p", "live", "--json", env=KEYS).document["accounts"]
    assert [row["monitor"] for account in positions for row in account["positions"]] == ["monitoring", "monitoring"]
    removed = program("monitors", "remove", "BTCUSDT", "-p", "live", env=KEYS)
    assert removed.out.splitlines() == [
        "main's BTCUSDT long is yours again: nothing is written for it any more",
        "its stop and its orders stay where they are",
    ]
    again = program("monitors", "remove", "BTCUSDT", "-p", "live", "--json", env=KEYS)
    assert (again.code, again.error["message"]) == (2, "main's BTCUSDT is not managed")


def test_without_a_daemon_a_position_is_written_down_for_the_next_one(program: Program, exchange: Running) -> None:
    trade_by_phone(exchange)
    assert program("sync").code == 0
    done = program("monitors", "add", "BTCUSDT")
    assert done.code == 0
    assert "no daemon runs: it is kept from the next `mirrorctl run` on" in done.err
    status = program("status", "--json").document
    assert status["monitors"] == {"total": 3, "main": 1, "mirror": 2}
    assert [row["monitors"] for row in status["accounts"]] == [1, 1, 1]
    daemon = program.start("run")
    assert program("status", "--json").document["monitors"] == status["monitors"]
    assert "is managed already (adopted)" in program("monitors", "add", "BTCUSDT").out
    call(exchange, "main", "/v5/position/trading-stop", positionIdx=0, tpslMode="Full", stopLoss="0")
    wait_for(lambda: rows(program, "show", "BTCUSDT")[("main", "BTCUSDT")]["stop"] == "57000")
    shown = program("monitors", "show", "BTCUSDT").out
    assert "main BTCUSDT long  monitoring  0_BTCUSDT_adopted" in shown
    assert "50% of the position has no target" in shown
    assert daemon.end() == 0


def test_status_names_pauses_and_what_a_disabled_mirror_holds(program: Program, exchange: Running) -> None:
    program.write_profile("live", int(exchange.url().rpartition(":")[2]))
    path = program.home / "config" / "profiles" / "live.toml"
    path.write_text(path.read_text().replace('adopt = "all"', "enabled = false"))
    trade_by_phone(exchange, "mirror")
    assert program("pause", "-p", "live", "--symbol", "BTCUSDT").code == 0
    daemon = program.start("run", "-p", "live", env=KEYS)
    for running in (True, False):
        document = program("status", "-p", "live", "--json", env=KEYS).document
        assert document["daemon"]["running"] is running
        (row,) = (row for row in document["accounts"] if row["account"] == "mirror")
        assert (row["state"], row["holds"]) == ("disabled", [{"symbol": "BTCUSDT", "side": "long", "qty": "0.02"}])
        assert [(pause["account"], pause["symbol"]) for pause in document["pauses"]] == [(None, "BTCUSDT")]
        assert document["monitors"] == {"total": 0, "main": 0, "mirror": 0}
        assert program("status", "-p", "live", "--max-age", "60", env=KEYS).code == (0 if running else 3)
        if running:
            assert daemon.end() == 0
    without = {name: value for name, value in KEYS.items() if not name.startswith("MIRROR")}
    said = program("status", "-p", "live", env=without).out
    assert "mirror is disabled; what it holds is unknown: the keys of mirror are not set" in said


@pytest.mark.proves("A74")
def test_what_cannot_be_meant_is_refused(program: Program, exchange: Running) -> None:
    for args, message in (
        (["add", "BTCUSDT"], "main holds no BTCUSDT"),
        (["remove", "BTCUSDT"], "main's BTCUSDT is not managed"),
        (["add", "NOSUCHUSDT"], "NOSUCHUSDT"),
        (["add", "BTCUSDT", "--side", "up"], '--side: found "up"'),
    ):
        done = program("monitors", *args, "--json")
        assert (done.code, done.error["kind"]) == (2, "usage")
        assert message in done.error["message"]
    assert program("monitors").out.strip() == "nothing is watched: no position, no entry"
    assert program("monitors", "show", "BTCUSDT").out.strip() == "BTCUSDT is not watched: no position, no entry"
    assert not (program.home / "state" / "paper" / "store.sqlite").exists(), "looking leaves no trace"
    exchange.end()
    assert program("monitors", "--json").code == 4
