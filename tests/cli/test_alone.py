"""Commands without a daemon: they do the work themselves, or look without leaving a trace."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from typing import Any

import pytest

from tests.cli.conftest import KEYS, Program, Running


def requests_of(exchange: Running) -> list[dict[str, Any]]:
    """Every write the exchange has seen."""
    with urllib.request.urlopen(f"{exchange.url()}/paper/requests") as answer:
        rows: list[dict[str, Any]] = json.load(answer)["list"]
    return rows


def post(exchange: Running, path: str, body: dict[str, Any]) -> None:
    request = urllib.request.Request(f"{exchange.url()}{path}", json.dumps(body).encode())
    with urllib.request.urlopen(request):
        pass


def buy_by_phone(exchange: Running, qty: str) -> None:
    """A market order on main that no daemon made."""
    params = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": qty}
    post(exchange, "/paper/call", {"account": "main", "path": "/v5/order/create", "params": params})


def port_of(exchange: Running) -> int:
    return int(exchange.url().rpartition(":")[2])


def test_without_an_exchange_nothing_can_be_read(program: Program) -> None:
    for command in (["positions"], ["trade", "open", "BTCUSDT", "long", "--qty", "1"], ["sync", "--dry-run"]):
        done = program(*command, "--json")
        assert (done.code, done.error["kind"]) == (4, "unavailable")
        assert "paper serve" in done.error["hint"]
    status = program("status", "--json")
    assert status.code == 0
    assert status.document["daemon"] == {"running": False, "pid": None, "since": None}
    assert (status.document["in_sync"], status.document["drift"], status.document["held"]) == (None, None, None)
    assert {row["state"] for row in status.document["accounts"]} == {"unknown"}
    assert program("status", "--max-age", "60").code == 3


def test_one_trade_and_one_converging_run(program: Program, exchange: Running) -> None:
    opened = program("trade", "open", "BTCUSDT", "long", "--qty", "0.02", "--stop", "57000", "--json")
    assert [row["have"] for row in opened.document["mirrors"]] == ["0.01", "0.005"]
    buy_by_phone(exchange, "0.02")
    before = len(requests_of(exchange))
    planned = program("run", "--dry-run", "--json")
    assert planned.code == 3
    assert {row["account"] for row in planned.document["plan"]} == {"mirror", "second"}
    assert len(requests_of(exchange)) == before
    rows = program("positions", "--json").document["accounts"]
    assert [(row["positions"][0]["want_qty"], row["positions"][0]["drift_qty"]) for row in rows[1:]] == [
        ("0.02", "0.01"),
        ("0.01", "0.005"),
    ]
    synced = program("sync", "--json")
    assert (synced.code, synced.document["converged"]) == (0, True)
    assert {row["account"] for row in synced.document["plan"]} == {"mirror", "second"}
    assert program("run", "--once", "--json").document["converged"] is True
    rows = program("positions", "--json").document["accounts"]
    assert [row["positions"][0]["qty"] for row in rows] == ["0.04", "0.02", "0.01"]
    flat = program("flatten", "--yes", "--confirm", "paper", "--json")
    assert (flat.code, flat.document["partial"]) == (0, False)


def test_a_rehearsal_leaves_no_trace(program: Program, exchange: Running) -> None:
    buy_by_phone(exchange, "0.02")
    done = program("sync", "--dry-run", "--json")
    assert (done.code, done.document["plan"]) == (0, [])
    assert {row["reason"] for row in done.document["held"]} == {"new store"}
    assert "`mirrorctl sync` releases 2 held by a new store" in program("sync", "--dry-run").out
    assert requests_of(exchange) == []
    assert not (program.home / "state" / "paper" / "store.sqlite").exists()
    assert not (program.home / "state" / "locks").exists()
    assert program("sync", "--json").document["converged"] is True
    rows = program("positions", "--json").document["accounts"]
    assert [row["positions"][0]["qty"] for row in rows] == ["0.02", "0.01", "0.005"]


def test_real_accounts_need_a_yes(program: Program, exchange: Running) -> None:
    program.write_profile("live", port_of(exchange))
    order = ["trade", "open", "BTCUSDT", "long", "--qty", "0.02", "-p", "live"]
    for command in (order, ["trade", "close", "BTCUSDT", "-p", "live"], ["sync", "-p", "live"]):
        done = program(*command, "--json", env=KEYS)
        assert (done.code, done.error["kind"]) == (6, "confirmation")
    assert requests_of(exchange) == []
    assert program(*order, "--yes", env=KEYS).code == 0


def test_a_terminal_is_asked(program: Program, exchange: Running) -> None:
    program.write_profile("live", port_of(exchange))
    for answer, code, orders in (("n", 6, 0), ("y", 0, 2)):
        master, slave = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "mirrorctl", "trade", "open", "BTCUSDT", "long", "--qty", "0.02", "-p", "live"],
            env=program.environ(KEYS),
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(slave)
        os.write(master, f"{answer}\n".encode())
        _, err = process.communicate(timeout=30)
        os.close(master)
        assert process.returncode == code, err
        assert "Open BTCUSDT long on testnet (profile live)? [y/N]" in err
        assert sum(row["path"] == "/v5/order/create" for row in requests_of(exchange)) == orders


@pytest.mark.proves("A74")
def test_wrong_keys(program: Program, exchange: Running) -> None:
    program.write_profile("live", port_of(exchange))
    missing = program("positions", "-p", "live", "--json")
    assert missing.code == 2
    assert "MAIN_KEY, MAIN_SECRET" in missing.error["message"]
    wrong = {**KEYS, "MAIN_SECRET": "guessed"}
    for command in (["run"], ["trade", "close", "BTCUSDT", "--yes"]):
        done = program(*command, "-p", "live", "--json", env=wrong)
        assert done.code == 4
        assert "check the API key" in done.error["hint"]
        assert "guessed" not in done.out + done.err
    partly = program("balance", "-p", "live", "--json", env=wrong)
    assert partly.code == 5
    assert [(row["state"], row["equity"]) for row in partly.document["accounts"]] == [
        ("unknown", None),
        ("fresh", "10000"),
    ]


@pytest.mark.proves("A80")
def test_another_account_in_the_same_role_is_refused_until_it_is_accepted(program: Program, exchange: Running) -> None:
    program.write_profile("live", port_of(exchange))
    assert program("run", "--once", "-p", "live", env=KEYS).code == 0
    other = {**KEYS, "MIRROR_KEY": "paper-second", "MIRROR_SECRET": "paper-second-secret"}
    done = program("run", "--once", "-p", "live", "--json", env=other)
    assert (done.code, done.error["kind"]) == (6, "identity")
    assert "profile use" in done.error["hint"]
    assert program("profile", "use", "live", "--repin", env=other).code == 0
    assert program("run", "--once", env=other).code == 0


def test_an_exchange_that_is_down(program: Program, exchange: Running) -> None:
    program.write_profile("live", port_of(exchange))
    exchange.end()
    for command in (["run"], ["positions"], ["trade", "close", "BTCUSDT", "--yes"]):
        done = program(*command, "-p", "live", "--json", env=KEYS)
        assert (done.code, done.error["kind"]) == (4, "unavailable")


@pytest.mark.proves("A49")
def test_a_daemon_that_is_stopped_is_not_waited_for_and_not_gone_around(program: Program, exchange: Running) -> None:
    program.write_profile("live", port_of(exchange))
    daemon = program.start("run", "-p", "live", env=KEYS)
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        done = program("pause", "-p", "live", "--json", env=KEYS)
        assert (done.code, done.error["kind"]) == (6, "locked")
        assert time.monotonic() - began < 8
        status = program("status", "-p", "live", "--json", env=KEYS)
        assert (status.code, status.document["in_sync"]) == (0, None)
        assert (status.document["daemon"]["running"], status.document["daemon"]["answering"]) == (True, False)
        assert {(row["state"], row["stream"]) for row in status.document["accounts"]} == {("fresh", None)}
    finally:
        daemon.process.send_signal(signal.SIGCONT)
    accounts = program("status", "-p", "live", "--json", env=KEYS).document["accounts"]
    assert [row["paused"] for row in accounts] == [False, False]
    assert daemon.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_daemon_stops_in_time_whatever_hangs(program: Program, exchange: Running, number: int) -> None:
    program.write_profile("live", port_of(exchange))
    daemon = program.start("run", "-p", "live", env=KEYS)
    post(exchange, "/paper/fault", {"kind": "hang", "count": None})
    time.sleep(0.5)
    began = time.monotonic()
    assert daemon.end(number) == 0
    assert time.monotonic() - began < 5


def test_a_daemon_says_that_mirroring_is_disabled(program: Program) -> None:
    daemon = program.start("run", env={"ENABLE_MIRROR_TRADING": "false"})
    said = "\n".join(daemon.lines())
    assert daemon.end() == 0
    assert "ENABLE_MIRROR_TRADING is false" in said


def test_a_trade_without_a_daemon_says_that_nobody_watches_it(program: Program, exchange: Running) -> None:
    done = program("trade", "open", "BTCUSDT", "long", "--qty", "0.02")
    assert done.code == 0
    assert "no daemon runs" in done.err
    assert "no stop: nothing ends this position" in done.err


def test_a_client_id_that_was_used_prints_no_empty_table(program: Program, exchange: Running) -> None:
    order = ("trade", "open", "BTCUSDT", "long", "--qty", "0.02", "--client-id", "morning")
    assert program(*order).code == 0
    again = program(*order)
    assert (again.code, len(again.out.splitlines())) == (0, 1)
    assert "this client id was used" in again.out


def test_the_paper_exchange_begins_anew_only_when_no_daemon_remembers(program: Program) -> None:
    daemon = program.start("run")
    assert program("trade", "open", "BTCUSDT", "long", "--qty", "0.02", "--stop", "50000").code == 0
    refused = program("paper", "reset", "--json")
    assert (refused.code, refused.error["exit_code"]) == (6, 6)
    assert f"process {daemon.pid}" in refused.error["message"]
    assert [len(row["positions"]) for row in program("positions", "--json").document["accounts"]] == [1, 1, 1]
    ladder = ("--target", "90000:50", "--target", "95000:50")
    assert program("trade", "open", "BTCUSDT", "long", "--qty", "0.02", "--entry", "55000", *ladder).code == 0
    assert daemon.end() == 0
    assert program("paper", "reset").code == 0
    exchange = program.start("paper", "serve", "--volatility", "0")
    daemon = program.start("run")
    try:
        assert [row["positions"] for row in program("positions", "--json").document["accounts"]] == [[], [], []]
        assert program("monitors", "--json").document["monitors"] == []
        buy_by_phone(exchange, "0.02")
        until = time.monotonic() + 10
        while not (found := program("monitors", "--json").document["monitors"]) and time.monotonic() < until:
            time.sleep(0.1)
        assert (found[0]["account"], found[0]["approach"]) == ("main", "followed"), "the old trade is not that of this"
    finally:
        exchange.end()
        assert daemon.end() == 0


def test_a_paper_exchange_comes_back_where_it_was_and_the_daemon_finds_it(program: Program) -> None:
    exchange = program.start("paper", "serve", "--volatility", "0")
    daemon = program.start("run")
    exchange.end(signal.SIGKILL)
    until = time.monotonic() + 10
    plan = program("sync", "--dry-run", "--json")
    while plan.code == 0 and time.monotonic() < until:
        time.sleep(0.1)
        plan = program("sync", "--dry-run", "--json")
    assert (plan.code, plan.document["unread"]) == (4, ["main", "mirror", "second"])
    assert program("sync", "--dry-run").out.strip() == "not read, so this plan is not all of it: main, mirror, second"
    back = program.start("paper", "serve", "--volatility", "0")
    try:
        assert back.url() == exchange.url()
        while not (in_sync := program("status", "--json").document["in_sync"]) and time.monotonic() < until + 30:
            time.sleep(0.2)
        assert in_sync is True  # asked once: a stream that comes up asks for a relist, and is unknown until it is there
    finally:
        assert daemon.end() == 0
        back.end()


def test_a_port_that_is_taken_by_another_program_is_given_up(program: Program) -> None:
    first = program.start("paper", "serve", "--volatility", "0")
    first.end()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port_of(first)))
        other.listen()
        second = program.start("paper", "serve", "--volatility", "0")
        second.end()
    assert second.url() != first.url()
