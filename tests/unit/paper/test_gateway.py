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
