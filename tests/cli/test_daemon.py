"""Commands beside a running daemon: they go through it, and what they print is what it and the exchange say."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.cli.conftest import Program, Running
from tests.integration.stage import eventually

WAIT_S = 8.0


@pytest.fixture
def flat(trader: Program, daemon: Running) -> Iterator[None]:
    """For a test that trades: everything is closed after it."""
    yield
    assert trader("flatten", "--yes", "--confirm", "paper", "--json").document["partial"] is False


def held(program: Program) -> dict[str, list[dict[str, Any]]]:
    return {row["account"]: row["positions"] for row in program("positions", "--json").document["accounts"]}


@pytest.mark.usefixtures("flat")
def test_a_trade_stands_on_every_mirror_when_positions_looks(trader: Program) -> None:
    done = trader("trade", "open", "BTCUSDT", "long", "--margin", "100", "--leverage", "5", "--stop", "57000", "--json")
    assert done.code == 0
    assert [(row["account"], row["have"]) for row in done.document["mirrors"]] == [
        ("mirror", "0.004"),
        ("second", "0.002"),
    ]
    found = held(trader)
    assert {name: rows[0]["qty"] for name, rows in found.items()} == {
        "main": "0.008",
        "mirror": "0.004",
        "second": "0.002",
    }
    row = found["mirror"][0]
    assert (row["symbol"], row["side"], row["position_idx"], row["leverage"]) == ("BTCUSDT", "long", 0, "5")
    assert row["stop"] == {"price": "57000", "qty": "0.004"}
    assert (row["want_qty"], row["drift_qty"], row["targets"]) == ("0.004", "0", [])


@pytest.mark.usefixtures("flat")
def test_reduce_stop_limit_and_cancel(trader: Program) -> None:
    assert trader("trade", "open", "BTCUSDT", "short", "--qty", "0.02", "--stop", "63000").code == 0
    assert trader("trade", "reduce", "BTCUSDT", "50%", "--json").document["reduced"] == "0.01"
    assert trader("trade", "stop", "BTCUSDT", "62000", "--json").document["stop"] == "62000"
    entry = ["trade", "open", "BTCUSDT", "short", "--qty", "0.02", "--entry", "61000", "--stop", "62000"]
    assert trader(*entry).code == 0
    rows = [
        (account["account"], order["role"], order["side"], order["price"], order["qty"])
        for account in trader("orders", "--json").document["accounts"]
        for order in account["orders"]
        if order["type"] == "limit"
    ]
    assert rows == [
        ("main", "entry", "sell", "61000", "0.02"),
        ("mirror", "entry", "sell", "61000", "0.01"),
        ("second", "entry", "sell", "61000", "0.005"),
    ]
    assert trader("trade", "cancel", "BTCUSDT", "--json").document["cancelled"] == 1
    found = held(trader)
    assert [(row["qty"], row["stop"]["price"]) for rows in found.values() for row in rows] == [
        ("0.01", "62000"),
        ("0.005", "62000"),
        ("0.002", "62000"),
    ]
    closed = trader("trade", "close", "BTCUSDT", "--json").document
    assert (closed["closed"], [row["have"] for row in closed["mirrors"]]) == ("0.01", ["0", "0"])


@pytest.mark.proves("A74")
@pytest.mark.parametrize(
    ("args", "message", "hint"),
    [
        (["NOSUCHUSDT", "long", "--qty", "1"], "NOSUCHUSDT", "symbols are written as on Bybit"),
        (["BTCUSDT", "long", "--qty", "0.01", "--stop", "61000"], "wrong side of", "the stop of a long lies below"),
        (["BTCUSDT", "short", "--qty", "0.01", "--stop", "59000"], "wrong side of", "the stop of a short lies above"),
        (["BTCUSDT", "long", "--qty", "0.0001"], "0.0001 BTCUSDT at 60000.1 is under the minimum", "at least 0.001"),
        (["BTCUSDT", "long", "--qty", "0.01", "--leverage", "500"], "leverage 500", ""),
    ],
)
def test_a_trade_that_cannot_be(trader: Program, daemon: Running, args: list[str], message: str, hint: str) -> None:
    done = trader("trade", "open", *args, "--json")
    assert done.code == done.error["exit_code"]
    assert done.code == (6 if "--leverage" in args else 2)
    assert message in done.error["message"]
    assert hint in done.error["hint"]


@pytest.mark.proves("A49")
def test_a_second_daemon_names_the_first(trader: Program, daemon: Running) -> None:
    done = trader("run", "--json")
    assert (done.code, done.error["kind"]) == (6, "locked")
    assert f"process {daemon.pid}" in done.error["message"]


def test_status_of_a_daemon(trader: Program, daemon: Running) -> None:
    document = trader("status", "--json").document
    assert document["daemon"]["running"] is True
    assert document["daemon"]["pid"] == daemon.pid
    assert (document["in_sync"], document["drift"], document["parked"], document["in_doubt"]) == (True, [], [], 0)
    assert [(row["account"], row["role"], row["stream"]) for row in document["accounts"]] == [
        ("main", "main", "up"),
        ("mirror", "mirror", "up"),
        ("second", "mirror", "up"),
    ]
    assert trader("status", "--max-age", "60").code == 0
    time.sleep(0.05)
    assert trader("status", "--max-age", "0.001").code == 3


@pytest.mark.proves("A82")
@pytest.mark.usefixtures("flat")
def test_a_pause_holds_growth_and_resume_and_sync_make_it_up(trader: Program) -> None:
    assert trader("trade", "open", "BTCUSDT", "long", "--qty", "0.02").code == 0
    assert trader("pause", "--account", "second").code == 0
    opened = trader("trade", "open", "BTCUSDT", "long", "--qty", "0.02", "--json").document
    assert [row["have"] for row in opened["mirrors"]] == ["0.02", "0.005"]
    status = trader("status", "--json").document
    assert [(row["account"], row["want"], row["raw_want"]) for row in status["held"]] == [("second", "0.005", "0.01")]
    assert "paused" in status["held"][0]["reason"]
    assert (status["drift"], status["in_sync"]) == ([], True)
    position = held(trader)["second"][0]
    assert (position["want_qty"], position["drift_qty"]) == ("0.005", "0")
    assert [row["paused"] for row in status["accounts"]] == [False, False, True]
    assert [row["account"] for row in trader("resume", "--json").document["ended"]] == ["second"]
    synced = trader("sync", "--json")
    assert (synced.code, synced.document["converged"]) == (0, True)
    assert held(trader)["second"][0]["qty"] == "0.01"


@pytest.mark.usefixtures("flat")
def test_looking_sends_nothing(trader: Program) -> None:
    assert trader("trade", "open", "BTCUSDT", "long", "--qty", "0.02").code == 0
    done = trader("run", "--dry-run", "--json")
    assert (done.code, done.document["plan"], done.document["held"]) == (0, [], [])
    planned = trader("trade", "open", "BTCUSDT", "long", "--qty", "0.02", "--dry-run", "--json").document
    assert [(row["account"], row["action"], row["qty"]) for row in planned["plan"]] == [("main", "place", "0.02")]
    flatten = trader("flatten", "--dry-run", "--json").document
    assert [(row["account"], row["action"], row["qty"]) for row in flatten["plan"]] == [
        ("main", "close", "0.02"),
        ("mirror", "close", "0.01"),
        ("second", "close", "0.005"),
    ]
    assert held(trader)["main"][0]["qty"] == "0.02"


def test_flatten_needs_the_profiles_name(trader: Program, daemon: Running) -> None:
    for args in (["--yes"], ["--yes", "--confirm", "live"]):
        done = trader("flatten", *args, "--json")
        assert (done.code, done.error["kind"]) == (6, "confirmation")


def test_balance_and_a_named_account(trader: Program, daemon: Running) -> None:
    accounts = trader("balance", "--account", "second", "--json").document["accounts"]
    assert [row["account"] for row in accounts] == ["second"]
    assert Decimal(accounts[0]["equity"]) > 9000
    assert set(accounts[0]) >= {"available", "initial_margin", "maintenance_margin", "unrealised_pnl"}


def test_an_account_that_cannot_be_read_is_unknown(trader: Program, daemon: Running) -> None:
    assert trader("paper", "fault", "refuse", "--account", "second", "--forever").code == 0
    try:
        done = trader("positions", "--json")
        assert done.code == 5
        second = done.document["accounts"][2]
        assert (second["state"], second["positions"]) == ("unknown", None)
        assert second["error"]
    finally:
        assert trader("paper", "fault", "--clear").code == 0
        until = time.monotonic() + WAIT_S
        while not trader("status", "--json").document["in_sync"] and time.monotonic() < until:
            time.sleep(0.1)


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize(
    "command",
    [
        ("pause", "--symbol", "BTC"),
        ("sync", "BTC", "--dry-run"),
        ("resume", "--symbol", "BTC"),
        ("history", "--symbol", "BTC"),
        ("monitors", "show", "BTC"),
    ],
    ids="{0[0]}".format,
)
def test_a_symbol_that_the_exchange_does_not_have_is_refused(trader: Program, command: tuple[str, ...]) -> None:
    done = trader(*command, "--json")
    assert (done.code, done.error["message"]) == (2, "BTC: the exchange has no such contract")
    assert trader("status", "--json").document["pauses"] == []


@pytest.mark.usefixtures("flat")
def test_positions_tells_what_a_mirror_should_hold_and_does_not(trader: Program) -> None:
    args = ("ret-code", "--account", "mirror", "--target", "/v5/order/create", "--arg", "code=110007", "--forever")
    assert trader("paper", "fault", *args).code == 0
    try:
        assert trader("trade", "open", "BTCUSDT", "long", "--qty", "0.02", "--wait", "2").code == 0
        assert "mirror: no open position" in trader("positions").out

        def held_back() -> list[tuple[str, str, str]]:
            rows = trader("positions", "--json").document["held"]
            return [(row["account"], row["raw_want"], row["want"]) for row in rows if "110007" in row["reason"]]

        # it is tried again, ever more rarely; while a try is under way nothing is held
        assert eventually(lambda: held_back() == [("mirror", "0.01", "0")])
        assert eventually(lambda: "110007" in trader("positions").out), "with its reason"
        assert eventually(lambda: "in step: yes, but for 1 held back" in trader("status").out)
    finally:
        assert trader("paper", "fault", "--clear").code == 0
