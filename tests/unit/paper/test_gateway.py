"""Every fault of the board, through the pure gateway: what happened on the exchange and what the caller saw."""

from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.paper.exchange import PaperExchange
from mirrorctl.core.paper.faults import Fault, FaultKind
from mirrorctl.core.paper.gateway import Ending, Gateway, Reply

NOW = 1_700_000_000_000
CREATE = "/v5/order/create"


@pytest.fixture
def gateway(fresh: Any) -> Gateway:
    exchange: PaperExchange = fresh()
    return Gateway(exchange)


def buy(gateway: Gateway, uid: int = 1, now: int = NOW, **more: Any) -> Reply:
    idx = 1 if uid == 2 else 0
    order = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.1"}
    return gateway.request(uid, "POST", CREATE, order | {"positionIdx": idx} | more, now)


def size(gateway: Gateway) -> Decimal:
    return gateway.exchange.state.position(1, "BTCUSDT", 0).size


def test_a_lost_reply_was_carried_out(gateway: Gateway) -> None:
    gateway.faults.add(Fault(FaultKind.LOSE_REPLY, "main", CREATE))
    assert buy(gateway).ending is Ending.LOST
    assert size(gateway) == Decimal("0.1")
    assert buy(gateway).ending is Ending.ANSWER


@pytest.mark.parametrize(("kind", "ending"), [(FaultKind.REFUSE, Ending.RESET), (FaultKind.HANG, Ending.HUNG)])
def test_refused_and_hung_were_not(gateway: Gateway, kind: FaultKind, ending: Ending) -> None:
    gateway.faults.add(Fault(kind, "main", count=2))
    assert [buy(gateway).ending for _ in range(3)] == [ending, ending, Ending.ANSWER]
    assert size(gateway) == Decimal("0.1")


def test_a_fault_is_for_its_account_and_path_only(gateway: Gateway) -> None:
    gateway.faults.add(Fault(FaultKind.REFUSE, "hedge", CREATE, None))
    assert buy(gateway).ending is Ending.ANSWER
    assert buy(gateway, 2).ending is Ending.RESET
    query = {"category": "linear", "symbol": "BTCUSDT"}
    assert gateway.request(2, "GET", "/v5/position/list", query, NOW).ending is Ending.ANSWER
    gateway.faults.clear()
    assert buy(gateway, 2).ending is Ending.ANSWER


def test_a_code_and_a_status_replace_the_answer(gateway: Gateway) -> None:
    gateway.faults.add(Fault(FaultKind.RET_CODE, args={"code": 10006, "message": "Too many visits!", "reset_ms": -50}))
    gateway.faults.add(Fault(FaultKind.HTTP_STATUS, args={"status": 502}))
    gateway.faults.add(Fault(FaultKind.HTTP_STATUS, args={"status": 504, "body": "late", "after": True}))
    limited = buy(gateway)
    assert limited.envelope is not None
    assert limited.envelope["retCode"] == 10006
    assert limited.headers["X-Bapi-Limit-Reset-Timestamp"] == str(NOW - 50)
    html = buy(gateway)
    assert (html.status, html.envelope) == (502, None)
    assert "<html>" in html.text
    assert size(gateway) == 0
    assert buy(gateway).text == "late"
    assert size(gateway) == Decimal("0.1")


def test_rows_are_hidden_truncated_or_missing(gateway: Gateway) -> None:
    for number in range(4):
        buy(gateway, now=NOW + number, orderType="Limit", price="50000", qty="0.001")
    query = {"category": "linear", "symbol": "BTCUSDT"}

    def rows(now: int = NOW + 10) -> int:
        envelope = gateway.request(1, "GET", "/v5/order/realtime", query, now).envelope
        assert envelope is not None
        assert envelope["retCode"] == 0
        return len(envelope["result"]["list"])

    gateway.faults.add(Fault(FaultKind.HIDE, "main", "/v5/order/realtime", 2, {"ms": 1000}))
    assert (rows(), rows(NOW + 1001), rows(NOW + 1001)) == (0, 2, 4)
    gateway.faults.add(Fault(FaultKind.TRUNCATE, "main", args={"keep": 1}))
    gateway.faults.add(Fault(FaultKind.EMPTY, "main"))
    assert (rows(), rows(), rows()) == (1, 0, 4)


@pytest.mark.parametrize(
    ("kind", "topics"),
    [
        (FaultKind.PUSH_DROP, ["position", "order", "wallet"]),
        (FaultKind.PUSH_DOUBLE, ["execution", "execution", "position", "order", "wallet"]),
        (FaultKind.PUSH_REORDER, ["position", "execution", "order", "wallet"]),
    ],
)
def test_pushes_are_dropped_doubled_and_reordered(gateway: Gateway, kind: FaultKind, topics: list[str]) -> None:
    gateway.faults.add(Fault(kind, "main", "execution"))
    buy(gateway)
    assert [push.topic for push in gateway.drain()] == topics


def test_an_old_push_comes_again(gateway: Gateway) -> None:
    gateway.faults.add(Fault(FaultKind.PUSH_STALE, "main", "position", 2))
    buy(gateway)
    gateway.drain()
    buy(gateway)
    legs = [push.frame["data"][0]["size"] for push in gateway.drain() if push.topic == "position"]
    assert legs == ["0.200", "0.100"]


def test_a_stale_read_repeats_the_earlier_answer(gateway: Gateway) -> None:
    def legs() -> str:
        query = {"category": "linear", "symbol": "BTCUSDT"}
        envelope = gateway.request(1, "GET", "/v5/position/list", query, NOW).envelope
        assert envelope is not None
        return str(envelope["result"]["list"][0]["size"])

    assert legs() == "0"
    buy(gateway)
    gateway.faults.add(Fault(FaultKind.STALE, "main", "/v5/position/list"))
    assert (legs(), legs()) == ("0", "0.100")


def test_a_lost_request_looks_like_a_lost_reply_and_was_not_carried_out(gateway: Gateway) -> None:
    gateway.faults.add(Fault(FaultKind.LOSE_REQUEST, "main", CREATE))
    assert buy(gateway).ending is Ending.LOST
    assert size(gateway) == 0
    assert list(gateway.exchange.state.writes) == []


def test_a_code_may_come_after_the_order_was_carried_out(gateway: Gateway) -> None:
    gateway.faults.add(Fault(FaultKind.RET_CODE, "main", CREATE, 1, {"code": 10000, "after": True}))
    late = buy(gateway)
    assert late.envelope is not None
    assert late.envelope["retCode"] == 10000
    assert size(gateway) == Decimal("0.1")
    assert [row.ret_code for row in gateway.exchange.state.writes] == [0]


def test_an_event_is_told_before_its_answer(gateway: Gateway) -> None:
    gateway.faults.add(Fault(FaultKind.EVENT_FIRST, "main", CREATE, 1, {"ms": 80}))
    reply = buy(gateway)
    assert (reply.ending, reply.events_first, reply.wait_ms) == (Ending.ANSWER, True, 80)
    assert gateway.drain() != []
    assert buy(gateway).events_first is False


def test_a_filled_order_is_told_twice_and_nothing_else_is(gateway: Gateway) -> None:
    gateway.faults.add(Fault(FaultKind.DOUBLE_FILLED, "main"))
    buy(gateway, orderType="Limit", price="50000")
    buy(gateway)
    buy(gateway)
    rows = [push.frame["data"][0] for push in gateway.drain() if push.topic == "order"]
    assert [(row["orderStatus"], row["cancelType"], row["rejectReason"]) for row in rows] == [
        ("New", "UNKNOWN", "EC_NoError"),
        ("Filled", "UNKNOWN", "EC_NoError"),
        ("Filled", "CancelByUser", "EC_OrigClOrdIDDoesNotExist"),
        ("Filled", "UNKNOWN", "EC_NoError"),
    ]
    assert rows[1]["orderId"] == rows[2]["orderId"]


def test_a_silent_stream_loses_what_is_pushed_to_that_account(gateway: Gateway) -> None:
    number = gateway.faults.add(Fault(FaultKind.STREAM_SILENT, "main", count=None))
    buy(gateway)
    buy(gateway, 2)
    assert {push.uid for push in gateway.drain()} == {2}
    assert (gateway.silent(1), gateway.silent(2)) == (True, False)
    gateway.faults.clear(number)
    buy(gateway)
    assert [push.uid for push in gateway.drain()].count(1) == 4


def test_new_streams_are_refused_as_often_as_asked(gateway: Gateway) -> None:
    gateway.faults.add(Fault(FaultKind.STREAM_REFUSE, "main", count=2))
    assert [gateway.refuses_stream(uid) for uid in (None, 2, 1, 1, 1)] == [False, False, True, True, False]


def test_a_skewed_clock_shows_in_the_time_and_dates_nothing_back(gateway: Gateway) -> None:
    def told(now: int) -> int:
        reply = gateway.request(None, "GET", "/v5/market/time", {}, gateway.clock(now))
        assert reply.envelope is not None
        assert reply.envelope["time"] == int(reply.envelope["result"]["timeNano"]) // 1_000_000
        return int(reply.envelope["time"]) - now

    assert told(NOW) == 0
    gateway.faults.add(Fault(FaultKind.CLOCK_SKEW, count=None, args={"ms": -3000}, until_ms=NOW + 500))
    assert told(NOW + 100) == -3000
    buy(gateway, now=gateway.clock(NOW + 100))
    assert gateway.exchange.state.writes[-1].time_ms == NOW
    assert told(NOW + 500) == 0
    assert gateway.faults.standing() == []
