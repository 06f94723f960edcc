"""The daemon with orders over WebSocket: it uses them, and no fault of the socket makes an order come twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.judge import CREATE, MIRRORS, Judge, accepted_once, fault
from tests.integration.stage import Stage, eventually

SYMBOLS = {"BTCUSDT": ("0.02", "55000"), "ETHUSDT": ("0.4", "2800"), "SOLUSDT": ("8", "140")}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    opened = Stage.open(tmp_path)
    text = opened.profile.read_text()
    address = f'trade_ws = "{opened.server.trade_ws_url}"'
    opened.profile.write_text(
        text.replace("[endpoints]\n", f'[daemon]\norder_entry = "ws"\n\n[endpoints]\n{address}\n')
    )
    yield opened
    opened.close()


def entries(stage: Stage) -> dict[str, str]:
    return {row["account"]: row["order_entry"] for row in stage.json("status")["accounts"]}


def over_socket(stage: Stage) -> int:
    return stage.server.run(lambda gateway, _: gateway.rates.over_socket)


def started(stage: Stage) -> None:
    stage.start_daemon()
    assert eventually(lambda: set(entries(stage).values()) == {"ws"}, 10), entries(stage)


def buy_all(stage: Stage) -> None:
    for symbol, (qty, stop) in SYMBOLS.items():
        stage.order("main", "Buy", qty, symbol=symbol, stopLoss=stop)


def test_copies_are_ordered_over_the_socket_and_status_says_so(stage: Stage) -> None:
    judge = Judge(stage)
    started(stage)
    assert "orders over WebSocket" in stage.run("status").stdout
    buy_all(stage)
    assert eventually(judge.in_step), (judge.held("half"), judge.sent())
    assert over_socket(stage) == len(judge.sent()) == len(SYMBOLS) * len(MIRRORS)
    stage.order("main", "Sell", "0.02", reduceOnly=True)
    assert eventually(judge.in_step), judge.held("half")
    assert accepted_once(judge.sent())
    assert judge.limits() == (0, 0)


def test_replies_lost_and_connections_cut_double_nothing(stage: Stage) -> None:
    """Three answers are lost, each in another way, after the order was carried out."""
    judge = Judge(stage)
    started(stage)
    fault(stage, "lose-reply", "half", CREATE)
    stage.order("main", "Buy", "0.02", stopLoss="55000")
    assert eventually(lambda: len(judge.sent()) == len(MIRRORS)), judge.sent()
    assert eventually(lambda: entries(stage)["half"] == "ws"), "connected again"
    fault(stage, "lose-reply", "half", CREATE, open=True)
    fault(stage, "ret-code", "half", CREATE, code=10016, after=True)
    buy_all(stage)
    assert eventually(judge.in_step, 30), (judge.held("half"), judge.held("quarter"), judge.sent())
    assert stage.server.run(lambda gateway, _: gateway.faults.standing()) == [], "every fault struck"
    for name in MIRRORS:
        assert judge.traded(name) == judge.wanted(name)
    assert accepted_once(judge.sent())
    assert len([row for row in judge.sent() if row.account == "half"]) == len(SYMBOLS) + 1, "found, not sent again"


def test_while_the_socket_is_refused_orders_go_over_http_and_come_back(stage: Stage) -> None:
    judge = Judge(stage)
    started(stage)
    fault(stage, "refuse", "half", "/v5/trade", count=None)
    stage.server.cut_streams("half")
    assert eventually(lambda: entries(stage)["half"] == "http", 10)
    assert "orders: half over HTTP, no trade socket: " in stage.run("status").stdout
    before = over_socket(stage)
    stage.order("main", "Buy", "0.02", stopLoss="55000")
    assert eventually(judge.in_step), judge.sent()
    assert over_socket(stage) == before + 1
    stage.server.run(lambda gateway, _: gateway.calm())
    assert eventually(lambda: entries(stage)["half"] == "ws", 40)
    stage.order("main", "Buy", "0.02")
    assert eventually(lambda: over_socket(stage) == before + 3), "both mirrors' orders go over the socket again"
    assert eventually(judge.in_step), judge.sent()


def test_doctor_tries_the_trade_socket_of_every_account(stage: Stage) -> None:
    fault(stage, "refuse", "half", "/v5/trade", count=None)
    checks = [row for row in stage.json("doctor")["checks"] if row["check"] == "order-entry"]
    assert {row["account"]: row["state"] for row in checks} == {"main": "ok", "half": "warning", "quarter": "ok"}
