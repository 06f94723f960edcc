"""Deposits over HTTP: all pages and windows of the transaction log, as pybit asks for them."""

from __future__ import annotations

import time
from decimal import Decimal

import requests

from mirrorctl.core.bybit.rest import BybitRest
from mirrorctl.core.domain.account import Transfer
from mirrorctl.core.paper.server import PaperServer
from tests.integration.bybit.scripted import Request, ScriptedHttp, envelope, rest_to

DAY = 24 * 3600 * 1000
# As in the sample of account/transaction-log, with the fields a transfer leaves empty.
ROW = {
    "id": "in-1",
    "symbol": "",
    "side": "None",
    "transactionTime": "1672128000000",
    "type": "TRANSFER_IN",
    "change": "250.5",
    "cashFlow": "250.5",
    "currency": "USDT",
    "fee": "",
    "funding": "",
    "tradePrice": "",
    "category": "",
}


def deposit(server: PaperServer, amount: str) -> requests.Response:
    return requests.post(f"{server.rest_url}/paper/deposit", json={"account": "main", "amount": amount}, timeout=5)


def test_what_was_paid_in_and_out_is_read_oldest_first(paper: PaperServer, rest: BybitRest) -> None:
    rest.measure_clock()
    start = rest.link.clock.now_ms() - DAY
    assert rest.transfers(start) == ()
    for amount in [*(str(n) for n in range(1, 61)), "-7"]:
        assert deposit(paper, amount).ok
    time.sleep(0.2)  # until the moment of the last one is past by either clock
    found = rest.transfers(start)
    assert [row.amount for row in found] == [*(Decimal(n) for n in range(1, 61)), Decimal(-7)]
    assert len({row.transfer_id for row in found}) == 61
    wallet = rest.wallet()
    assert wallet.equity == Decimal(10_000) + sum(range(1, 61)) - 7
    refused = deposit(paper, "-99999999")
    assert (refused.status_code, "available" in refused.json()["error"]) == (400, True)


def test_a_start_of_just_now_by_another_clock_is_no_range_that_ends_before_it(
    paper: PaperServer, rest: BybitRest
) -> None:
    rest.measure_clock()
    assert rest.transfers(rest.link.clock.now_ms() + 500) == ()


def test_each_window_says_where_it_ends() -> None:
    """Without an end Bybit answers with a single day, and what came later would be missed."""
    asked: list[str] = []

    def script(request: Request) -> bytes:
        asked.append(request.query)
        rows = [ROW] if "type=TRANSFER_IN" in request.query else [{**ROW, "id": "out-1", "type": "TRANSFER_OUT"}]
        return envelope({"list": rows, "nextPageCursor": ""})

    with ScriptedHttp(script) as server, rest_to(server.url) as rest:
        rest.measure_clock()
        found = rest.transfers(rest.link.clock.now_ms() - 10 * DAY)
    assert found == (
        Transfer("in-1", Decimal("250.5"), "USDT", 1672128000000),
        Transfer("out-1", Decimal("-250.5"), "USDT", 1672128000000),
    )
    assert len(asked) == 4, "two windows, each for in and out"
    assert all("startTime=" in query and "endTime=" in query for query in asked)
