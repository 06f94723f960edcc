"""What order/create refuses, with the retCode that Bybit documents (docs v5/order/create-order, v5/error)."""

from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.paper.exchange import PaperExchange

BUY: dict[str, Any] = {"side": "Buy", "orderType": "Market", "qty": "0.1"}
LIMIT: dict[str, Any] = {"side": "Buy", "orderType": "Limit", "qty": "0.1", "price": "59000"}


@pytest.mark.parametrize(
    ("params", "code"),
    [
        (BUY | {"category": "spot"}, 10001),
        (BUY | {"symbol": "NOPEUSDT"}, 10001),
        (BUY | {"side": "buy"}, 10001),
        (BUY | {"orderType": "Stop"}, 10001),
        (BUY | {"qty": 0.1}, 10001),
        (BUY | {"qty": "abc"}, 10001),
        (BUY | {"qty": "-1"}, 10001),
        (BUY | {"qty": "0"}, 10001),
        (BUY | {"qty": "0.0015"}, 10001),
        (BUY | {"qty": "0.0009"}, 110017),
        (BUY | {"qty": "501"}, 10001),
        (BUY | {"qty": "40"}, 110007),
        (LIMIT | {"price": "59000.05"}, 10001),
        (LIMIT | {"price": "0"}, 10001),
        (LIMIT | {"price": "100", "qty": "0.001"}, 110094),
        (LIMIT | {"timeInForce": "DAY"}, 10001),
        (LIMIT | {"timeInForce": "RPI"}, 110119),
        (BUY | {"positionIdx": 1}, 10001),
        (BUY | {"orderLinkId": "x" * 37}, 10001),
        (BUY | {"orderLinkId": "a b"}, 10001),
        (BUY | {"reduceOnly": "true"}, 10001),
        (BUY | {"reduceOnly": True}, 110017),
        (BUY | {"closeOnTrigger": True}, 110017),
        (BUY | {"triggerPrice": "61000"}, 10001),
        (BUY | {"triggerPrice": "59000", "triggerDirection": 1}, 110092),
        (BUY | {"triggerPrice": "61000", "triggerDirection": 2}, 110093),
        (BUY | {"stopLoss": "61000"}, 10001),
        (BUY | {"takeProfit": "59000"}, 10001),
        (LIMIT | {"stopLoss": "59500"}, 10001),
        (BUY | {"takeProfit": "61000", "tpOrderType": "Limit", "tpLimitPrice": "61000"}, 10001),
        (BUY | {"slippageToleranceType": "Percent", "slippageTolerance": "11"}, 110109),
        (BUY | {"slippageToleranceType": "TickSize", "slippageTolerance": "0.5"}, 110108),
    ],
)
def test_refused_without_a_trace(trader: Any, params: dict[str, Any], code: int) -> None:
    assert trader.refused("/v5/order/create", **params)[0] == code
    assert trader.orders() == []
    assert trader.leg()["size"] == "0"
    assert trader.told("order") == []


def test_hedge_mode_wants_the_leg_and_closes_only_what_is_there(hedger: Any) -> None:
    assert hedger.refused("/v5/order/create", **BUY) == (10001, "position idx not match position mode")
    assert hedger.refused("/v5/order/create", **BUY | {"side": "Sell", "positionIdx": 1})[0] == 110017
    hedger.market("Buy", "0.1", positionIdx=1)
    hedger.market("Sell", "0.2", positionIdx=2)
    legs = hedger.get("/v5/position/list")
    assert [(leg["positionIdx"], leg["side"], leg["size"]) for leg in legs] == [
        (1, "Buy", "0.100"),
        (2, "Sell", "0.200"),
    ]
    hedger.market("Sell", "0.3", positionIdx=1, reduceOnly=True)
    legs = hedger.get("/v5/position/list")
    assert [leg["size"] for leg in legs] == ["0", "0.200"]


def test_reduce_only_refusal_texts_tell_flat_from_wrong_side(trader: Any) -> None:
    assert "position is zero" in trader.refused("/v5/order/create", **BUY | {"reduceOnly": True})[1]
    trader.market("Buy", "0.1")
    assert "rule not satisfied" in trader.refused("/v5/order/create", **BUY | {"reduceOnly": True})[1]
    reduce = {"side": "Sell", "orderType": "Market", "qty": "0.1", "reduceOnly": True}
    assert trader.refused("/v5/order/create", **reduce | {"stopLoss": "59000"})[0] == 10001


def test_quantity_zero_closes_the_position(trader: Any) -> None:
    trader.market("Buy", "0.1")
    trader.market("Sell", "0", reduceOnly=True, closeOnTrigger=True)
    assert trader.leg()["size"] == "0"


def test_the_eleventh_conditional_and_the_501st_order_are_refused(trader: Any) -> None:
    for _ in range(10):
        trader.market("Buy", "0.001", triggerPrice="61000", triggerDirection=1)
    more = BUY | {"triggerPrice": "61000", "triggerDirection": 1}
    assert trader.refused("/v5/order/create", **more)[0] == 110009
    trader.post("/v5/order/cancel-all")
    for _ in range(500):
        trader.limit("Buy", "0.001", "50000")
    assert trader.refused("/v5/order/create", **LIMIT | {"qty": "0.001"})[0] == 110020


def test_a_buy_above_the_band_is_repriced_without_a_word(trader: Any) -> None:
    order_id = trader.limit("Buy", "0.001", "70000", timeInForce="GTC")
    assert trader.order(order_id)["price"] == "61200.00"


def test_orders_reserve_margin_and_conditionals_do_not(trader: Any, fresh: Any) -> None:
    trader.limit("Buy", "1.5", "59000")
    assert trader.refused("/v5/order/create", **LIMIT | {"qty": "0.5"})[0] == 110007
    order_id = trader.market("Buy", "1.5", triggerPrice="60500", triggerDirection=1)
    trader.price("60600")
    dead = trader.order(order_id)
    assert (dead["orderStatus"], dead["cumExecQty"]) == ("Cancelled", "0.000")


def test_reduce_only_above_the_maximum_is_split(trader: Any, fresh: Any) -> None:
    exchange: PaperExchange = fresh()
    exchange.state.accounts[1].wallet = Decimal(100_000_000)
    trader.exchange = exchange
    for _ in range(2):
        trader.market("Buy", "400")
    trader.market("Sell", "600", reduceOnly=True, orderLinkId="big")
    sells = [o for o in trader.get("/v5/order/history") if o["side"] == "Sell"]
    assert sorted((o["qty"], o["orderLinkId"]) for o in sells) == [("100.000", ""), ("500.000", "big")]
    assert trader.leg()["size"] == "200.000"
