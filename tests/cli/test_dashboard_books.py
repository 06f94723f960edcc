"""`dashboard --once --json` of a real daemon and a real exchange equals the raw answers of that exchange."""

from __future__ import annotations

import os
import signal
from decimal import Decimal
from typing import Any

import pytest
from pybit.unified_trading import HTTP

from tests.cli.conftest import KEYS, Program, Running

WALLET = {
    "equity": "totalEquity",
    "available": "totalAvailableBalance",
    "initial_margin": "totalInitialMargin",
    "maintenance_margin": "totalMaintenanceMargin",
    "unrealised_pnl": "totalPerpUPL",
}
POSITION = {"qty": "size", "entry_price": "avgPrice", "mark_price": "markPrice", "unrealised_pnl": "unrealisedPnl"}


class Books:
    """The raw answers of the exchange to each account's own keys."""

    def __init__(self, url: str) -> None:
        self._sessions = {
            name: HTTP(api_key=KEYS[f"{key}_KEY"], api_secret=KEYS[f"{key}_SECRET"])
            for name, key in (("main", "MAIN"), ("mirror", "MIRROR"))
        }
        for session in self._sessions.values():
            session.endpoint = url

    def wallet(self, name: str) -> dict[str, Decimal]:
        [row] = self._sessions[name].get_wallet_balance(accountType="UNIFIED")["result"]["list"]
        return {ours: Decimal(row[theirs]) for ours, theirs in WALLET.items()}

    def position(self, name: str) -> dict[str, Decimal]:
        [row] = self._sessions[name].get_positions(category="linear", settleCoin="USDT")["result"]["list"]
        return {ours: Decimal(row[theirs]) for ours, theirs in POSITION.items()}

    def realised(self, name: str) -> Decimal:
        rows = self._sessions[name].get_closed_pnl(category="linear", limit=100)["result"]["list"]
        return sum((Decimal(row["closedPnl"]) for row in rows), Decimal(0))


def check(document: dict[str, Any], books: Books) -> None:
    for name in ("main", "mirror"):
        shown = document["desk"][name]
        assert {k: Decimal(shown[k]) for k in WALLET} == books.wallet(name)
        [row] = shown["positions"]
        assert {k: Decimal(row[k]) for k in POSITION} == books.position(name)
        assert Decimal(shown["realised_today"]) == books.realised(name)


@pytest.mark.proves("A67")
def test_the_dashboard_equals_the_books_with_and_without_a_daemon(program: Program, exchange: Running) -> None:
    port = int(exchange.url().rsplit(":", 1)[1])
    program.write_profile("desk", port)

    def run(*args: str) -> dict[str, Any]:
        done = program(*args, "--profile", "desk", "--json", env=KEYS)
        assert done.code == 0, done.out + done.err
        return done.document

    books = Books(exchange.url())
    daemon = program.start("run", "--profile", "desk", env=KEYS)
    run("trade", "open", "BTCUSDT", "long", "--qty", "0.1", "--stop", "50000", "--target", "90000", "--yes")
    run("trade", "reduce", "BTCUSDT", "20%", "--wait", "5", "--yes")
    for price in ("60000", "61234.5"):
        program("paper", "price", "BTCUSDT", price)
        document = run("dashboard", "--once")
        assert (document["source"], document["notes"]) == ("daemon", [])
        check(document, books)
    run("trade", "open", "ETHUSDT", "short", "--qty", "2", "--entry", "4000", "--stop", "4400", "--yes")
    os.kill(daemon.pid, signal.SIGSTOP)
    try:
        document = run("dashboard", "--once")
    finally:
        os.kill(daemon.pid, signal.SIGCONT)
    assert document["source"] == "exchange"
    assert "did not answer within 2 s" in document["notes"][0]
    check(document, books)
    assert daemon.end() == 0
    program("paper", "price", "BTCUSDT", "58765.4")
    document = run("dashboard", "--once")
    assert (document["source"], document["daemon"]["running"], document["notes"]) == ("exchange", False, [])
    check(document, books)
    assert document["desk"]["mirror"]["positions"][0]["want_qty"] == "0.04"
    rows = {name: row for name, desk in document["desk"].items() for row in desk["building"]}
    assert {name: (row["qty"], row["want_qty"], row["resting"][0]["qty"]) for name, row in rows.items()} == {
        "main": ("0", None, "2"),
        "mirror": ("0", "0", "1"),
    }
    assert document["building"] == {"total": 2, "main": 1, "mirror": 1}
    assert exchange.end() == 0
    done = program("dashboard", "--once", "--json", "--profile", "desk", env=KEYS)
    assert done.code == 4
    unread = done.document["desk"]["mirror"]
    assert {value for name, value in unread.items() if name not in ("role", "state")} == {None}
