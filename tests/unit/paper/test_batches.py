"""Batches on the gateway: a verdict for each order, limits counted by order (docs v5/order/batch-*, v5/rate-limit)."""

from typing import Any

import pytest

from mirrorctl.core.paper.faults import Fault, FaultKind
from mirrorctl.core.paper.gateway import Gateway
from mirrorctl.core.paper.rates import RateRules

NOW = 1_700_000_000_000
CREATE, AMEND, CANCEL = (f"/v5/order/{kind}-batch" for kind in ("create", "amend", "cancel"))
ORDER = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.001", "price": "50000"}


@pytest.fixture
def gateway(fresh: Any) -> Gateway:
    return Gateway(fresh(), rules=RateRules())


def ask(gateway: Gateway, path: str, orders: Any, now: int = NOW, **more: Any) -> dict[str, Any]:
    envelope = gateway.request(1, "POST", path, {"category": "linear", "request": orders} | more, now).envelope
    assert envelope is not None
    return envelope


def codes(envelope: dict[str, Any]) -> list[int]:
    assert envelope["retCode"] == 0, envelope
    return [row["code"] for row in envelope["retExtInfo"]["list"]]


def links(count: int) -> list[dict[str, Any]]:
    return [ORDER | {"orderLinkId": f"n-{number}"} for number in range(count)]


def test_every_order_has_its_own_verdict_and_the_outer_code_is_0(gateway: Gateway) -> None:
    said = ask(gateway, CREATE, [ORDER | {"qty": "0"}, *links(1), ORDER | {"symbol": "NOPE", "orderLinkId": "x"}])
    assert [code == 0 for code in codes(said)] == [False, True, False]
    assert [row["orderLinkId"] for row in said["result"]["list"]] == ["", "n-0", "x"]
    assert [bool(row["orderId"]) for row in said["result"]["list"]] == [False, True, False]
    assert [row["createAt"] for row in said["result"]["list"]] == ["", str(NOW), ""]


@pytest.mark.parametrize("orders", [None, [], "text", [1], [ORDER] * 21])
def test_what_is_no_batch_is_refused_whole(gateway: Gateway, orders: Any) -> None:
    assert ask(gateway, CREATE, orders)["retCode"] == 10001
    assert gateway.exchange.state.live(1) == []


def test_a_batch_of_another_category_is_refused_whole(gateway: Gateway) -> None:
    assert ask(gateway, CREATE, links(2), category="spot")["retCode"] == 10001


def test_each_order_is_counted_and_what_finds_no_room_fails(gateway: Gateway) -> None:
    assert codes(ask(gateway, CREATE, links(6))) == [0] * 6
    more = [order | {"orderLinkId": f"m-{order['orderLinkId']}"} for order in links(8)]
    assert codes(ask(gateway, CREATE, more)) == [0] * 4 + [10006] * 4
    assert len(gateway.exchange.state.live(1)) == 10
    assert ask(gateway, CREATE, [ORDER])["retCode"] == 10006
    assert codes(ask(gateway, CREATE, [ORDER], NOW + 1000)) == [0]


def test_batches_and_single_orders_have_buckets_of_their_own(gateway: Gateway) -> None:
    assert codes(ask(gateway, CREATE, links(10))) == [0] * 10
    single = gateway.request(1, "POST", "/v5/order/create", {"category": "linear"} | ORDER, NOW)
    assert single.envelope is not None
    assert single.envelope["retCode"] == 0
    assert single.headers["X-Bapi-Limit-Status"] == "9"


def test_the_log_of_writes_has_a_line_for_each_order(gateway: Gateway) -> None:
    ask(gateway, CREATE, [*links(2), ORDER | {"qty": "0"}])
    rows = [(row.path, row.body.get("orderLinkId"), row.ret_code == 0) for row in gateway.exchange.state.writes]
    assert rows == [(CREATE, "n-0", True), (CREATE, "n-1", True), (CREATE, None, False)]


def test_orders_are_amended_and_cancelled_together(gateway: Gateway) -> None:
    ask(gateway, CREATE, links(3))
    named = [{"symbol": "BTCUSDT", "orderLinkId": f"n-{number}"} for number in range(3)]
    assert codes(ask(gateway, AMEND, [row | {"qty": "0.002"} for row in named])) == [0, 0, 0]
    assert {str(order.qty) for order in gateway.exchange.state.live(1)} == {"0.002"}
    assert codes(ask(gateway, CANCEL, [*named, named[0]])) == [0, 0, 0, 110001]
    assert gateway.exchange.state.live(1) == []


def test_a_batch_cannot_amend_a_conditional_order(gateway: Gateway) -> None:
    waits = ORDER | {"triggerPrice": "70000", "triggerDirection": 1, "orderLinkId": "c", "price": "70000"}
    assert codes(ask(gateway, CREATE, [waits])) == [0]
    assert codes(ask(gateway, AMEND, [{"symbol": "BTCUSDT", "orderLinkId": "c", "qty": "0.002"}])) == [10001]


def test_a_fault_meets_a_batch_as_any_request(gateway: Gateway) -> None:
    gateway.faults.add(Fault(FaultKind.RET_CODE, None, CREATE, 1, {"code": 10016, "after": True}))
    assert ask(gateway, CREATE, links(2))["retCode"] == 10016
    assert len(gateway.exchange.state.live(1)) == 2
