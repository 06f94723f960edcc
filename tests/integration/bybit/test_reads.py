"""Reads over real sockets: all pages or nothing, bounded retries, and lookups that prove what they say."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from urllib.parse import parse_qs

import pytest

from mirrorctl.core.bybit.failures import AccountRefused, AddressBlocked, Malformed
from mirrorctl.core.domain.errors import ExchangeError, Rejected, Unavailable
from mirrorctl.core.domain.values import PositionMode
from tests.integration.bybit.scripted import (
    Answer,
    Request,
    ScriptedHttp,
    envelope,
    http,
    rest_to,
)

ORDER = {
    "orderId": "order-1",
    "orderLinkId": "m1-a-b-1",
    "symbol": "BTCUSDT",
    "side": "Buy",
    "orderType": "Limit",
    "qty": "0.01",
    "orderStatus": "New",
    "cumExecQty": "0",
    "updatedTime": "1",
}


def position_row(idx: int, **changes: object) -> dict[str, object]:
    return {"symbol": "BTCUSDT", "positionIdx": idx, "side": "", "size": "0", "seq": -1, **changes}


@pytest.mark.parametrize("trouble", [None, http(502, "x"), envelope({}, 10016, "x"), http(200, "<html>")])
def test_reads_are_retried_within_bounds(trouble: Answer) -> None:
    answers = [trouble, envelope({"list": [ORDER], "nextPageCursor": ""})]
    with ScriptedHttp(lambda _: answers.pop(0)) as server, rest_to(server.url) as rest:
        assert [order.order_id for order in rest.open_orders()] == ["order-1"]
    with ScriptedHttp(lambda _: trouble) as server, rest_to(server.url) as rest:
        with pytest.raises(Unavailable):
            rest.open_orders()
        assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (envelope({}, 10003, "API key is invalid."), AccountRefused),
        (envelope({}, 10010, "Unmatched IP"), AccountRefused),
        (http(401, ""), AccountRefused),
        (envelope({}, 10001, "params error: symbol invalid"), Rejected),
        (http(403, ""), AddressBlocked),
    ],
)
def test_reads_that_cannot_succeed_are_not_retried(answer: Answer, error: type[ExchangeError]) -> None:
    with ScriptedHttp(lambda _: answer) as server, rest_to(server.url) as rest:
        with pytest.raises(error) as caught:
            rest.open_orders()
        assert len(server.requests) == 1
        assert caught.value.exit_code == 4


def paged(*pages: tuple[list[dict[str, object]], str]) -> Callable[[Request], Answer]:
    """Serves `pages` (rows, next cursor) by the cursor asked for: "" the first, then the one before."""
    cursors = ["", *(cursor for _, cursor in pages[:-1])]

    def script(request: Request) -> Answer:
        asked = request.query.partition("cursor=")[2].partition("&")[0]
        rows, following = pages[cursors.index(asked)]
        return envelope({"list": rows, "nextPageCursor": following})

    return script


def numbered(number: int) -> dict[str, object]:
    return {**ORDER, "orderId": f"order-{number}"}


@pytest.mark.proves("A45")
def test_all_pages_are_read_with_the_cursor_as_it_came() -> None:
    cursor = "page_args%3Dorder-2%26symbol%3D6"
    script = paged(([numbered(1), numbered(2)], cursor), ([], "more%3D1"), ([numbered(3)], ""))
    with ScriptedHttp(script) as server, rest_to(server.url) as rest:
        assert [order.order_id for order in rest.open_orders()] == ["order-1", "order-2", "order-3"]
        assert f"cursor={cursor}" in server.requests[1].query
        assert "limit=50" in server.requests[0].query


@pytest.mark.proves("A45")
@pytest.mark.parametrize(
    "second",
    [
        envelope({"list": [ORDER], "nextPageCursor": "again"}),
        envelope({"nextPageCursor": ""}),
        envelope({"list": [{"orderId": "half a row"}], "nextPageCursor": ""}),
        envelope({"list": None}),
        http(500, ""),
        None,
    ],
)
def test_a_page_that_fails_fails_the_whole_read(second: Answer) -> None:
    first = envelope({"list": [numbered(9)], "nextPageCursor": "again"})

    def script(request: Request) -> Answer:
        return second if "cursor=" in request.query else first

    with ScriptedHttp(script) as server, rest_to(server.url, read_attempts=2) as rest, pytest.raises(Unavailable):
        rest.open_orders()


@pytest.mark.parametrize(
    ("rows", "mode"),
    [
        ([position_row(0)], PositionMode.ONE_WAY),
        ([position_row(1), position_row(2, side="Sell", size="0.5", seq=7)], PositionMode.HEDGE),
        ([], None),
        ([position_row(0), position_row(1)], None),
        ([position_row(0, symbol="ETHUSDT")], None),
        ([position_row(0, size="0.5")], None),
        ([position_row(0, size="")], None),
    ],
)
def test_a_position_read_by_symbol_shows_the_mode_or_is_unknown(
    rows: list[dict[str, object]], mode: PositionMode | None
) -> None:
    with ScriptedHttp(lambda _: envelope({"list": rows})) as server, rest_to(server.url) as rest:
        if mode is None:
            with pytest.raises(Malformed):
                rest.position("BTCUSDT")
        else:
            assert rest.position("BTCUSDT").mode is mode


def place_of(request: Request) -> str:
    return request.path.rpartition("/v5/")[2]


@pytest.mark.proves("A47")
def test_an_order_is_looked_up_in_three_places_before_it_is_called_unknown() -> None:
    empty = envelope({"list": [], "nextPageCursor": ""})
    row = {
        **{key: ORDER[key] for key in ("orderId", "orderLinkId", "symbol", "side", "orderType")},
        "orderPrice": "60000",
        "execId": "e1",
        "execPrice": "59999",
        "execQty": "0.01",
        "execType": "Trade",
        "execTime": "5",
        "seq": 4,
        "leavesQty": "0",
    }
    known: dict[str, dict[str, object]] = {}

    def script(request: Request) -> Answer:
        found = known.get(place_of(request))
        return empty if found is None else envelope({"list": [found], "nextPageCursor": ""})

    with ScriptedHttp(script) as server, rest_to(server.url) as rest:
        assert rest.find_order("BTCUSDT", link_id="m1-a-b-1").order is None
        assert [place_of(request) for request in server.requests] == [
            "order/realtime",
            "order/history",
            "execution/list",
        ]
        assert all(parse_qs(request.query)["orderLinkId"] == ["m1-a-b-1"] for request in server.requests)
        known["order/realtime"] = {**ORDER, "orderLinkId": "somebody-elses"}
        assert rest.find_order("BTCUSDT", link_id="m1-a-b-1").order is None
        known["execution/list"] = {**row, "leavesQty": "0.5"}
        with pytest.raises(Unavailable):
            rest.find_order("BTCUSDT", link_id="m1-a-b-1")
        known["execution/list"] = dict(row)
        by_executions = rest.find_order("BTCUSDT", link_id="m1-a-b-1")
        assert by_executions.order is not None
        assert (by_executions.order.filled_qty, by_executions.order.is_open) == (Decimal("0.01"), False)
        assert [execution.exec_id for execution in by_executions.executions] == ["e1"]
        known["order/history"] = {**ORDER, "orderStatus": "Filled", "cumExecQty": "0.01"}
        found = rest.find_order("BTCUSDT", link_id="m1-a-b-1")
        assert found.order is not None
        assert found.order.order_id == "order-1"
        assert len(found.executions) == 1


@pytest.mark.proves("A45")
def test_a_lookup_of_which_one_read_fails_proves_nothing() -> None:
    def script(request: Request) -> Answer:
        return http(500, "") if place_of(request) == "order/history" else envelope({"list": []})

    with ScriptedHttp(script) as server, rest_to(server.url, read_attempts=1) as rest, pytest.raises(Unavailable):
        rest.find_order("BTCUSDT", link_id="m1-a-b-1")


@pytest.mark.proves("A68")
def test_a_record_that_two_windows_show_is_one_trade() -> None:
    """Closed PnL of more than seven days comes in windows; what is told at the edge of both counts once."""
    day = 86_400_000
    now = time.time_ns() // 1_000_000
    row = {
        "symbol": "BTCUSDT",
        "side": "Sell",
        "orderId": "order-1",
        "closedSize": "0.1",
        "avgEntryPrice": "60000",
        "avgExitPrice": "60100",
        "closedPnl": "10",
        "createdTime": str(now - 3 * day),
        "updatedTime": str(now - 3 * day),
        "execType": "Trade",
    }
    with ScriptedHttp(lambda _: envelope({"list": [row]})) as server, rest_to(server.url) as rest:
        records = rest.closed_pnl(now - 16 * day)
        assert len(server.requests) == 3
    assert [(record.order_id, record.pnl) for record in records] == [("order-1", Decimal(10))]


def test_executions_are_read_in_windows_of_seven_days() -> None:
    day = 86_400_000
    with ScriptedHttp(lambda _: envelope({"list": []})) as server, rest_to(server.url) as rest:
        now = time.time_ns() // 1_000_000
        rest.executions_since(now - 16 * day)
        asked = [parse_qs(request.query) for request in server.requests]
        assert len(asked) == 3
        spans = [int(query["endTime"][0]) - int(query["startTime"][0]) for query in asked[:-1]]
        assert all(span < 7 * day for span in spans)
        assert "endTime" not in asked[-1]
        assert int(asked[1]["startTime"][0]) == int(asked[0]["endTime"][0]) + 1
