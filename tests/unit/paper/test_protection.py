"""Take-profits, stops and trailing stops bound to positions (docs v5/position/trading-stop)."""

from typing import Any

import pytest


def kinds(trader: Any) -> dict[str, str]:
    return {order["stopOrderType"]: order["qty"] for order in trader.orders()}


def test_refused_on_a_flat_position_as_documented_in_the_field(trader: Any) -> None:
    stop = {"tpslMode": "Full", "positionIdx": 0, "stopLoss": "59000"}
    assert trader.refused("/v5/position/trading-stop", **stop) == (
        10001,
        "can not set tp/sl/ts for zero position",
    )


def test_set_move_remove_and_not_modified(trader: Any) -> None:
    trader.market("Buy", "0.1")
    trader.stop(stopLoss="59000")
    (order,) = trader.orders()
    assert (order["stopOrderType"], order["createType"], order["triggerBy"], order["triggerDirection"]) == (
        "StopLoss",
        "CreateByStopLoss",
        "LastPrice",
        2,
    )
    assert (order["reduceOnly"], order["closeOnTrigger"], order["orderLinkId"]) == (True, True, "")
    same = {"tpslMode": "Full", "positionIdx": 0}
    assert trader.refused("/v5/position/trading-stop", **same, stopLoss="59000")[0] == 34040
    assert trader.refused("/v5/position/trading-stop", **same)[0] == 34040
    assert trader.refused("/v5/position/trading-stop", **same, stopLoss="60001")[0] == 10001
    assert trader.refused("/v5/position/trading-stop", **same, takeProfit="59999")[0] == 10001
    assert trader.refused("/v5/position/trading-stop", stopLoss="58000", positionIdx=0)[0] == 10001
    trader.stop(stopLoss="59500")
    (moved,) = trader.orders()
    assert (moved["orderId"], moved["triggerPrice"]) == (order["orderId"], "59500.00")
    trader.stop(stopLoss="0")
    assert trader.orders() == []
    assert trader.leg()["stopLoss"] == ""


def test_it_follows_the_size_and_vanishes_with_the_position(trader: Any) -> None:
    trader.market("Buy", "0.1")
    trader.stop(stopLoss="59000", takeProfit="62000")
    trader.market("Buy", "0.2")
    assert kinds(trader) == {"StopLoss": "0.300", "TakeProfit": "0.300"}
    trader.market("Sell", "0.25", reduceOnly=True)
    assert kinds(trader) == {"StopLoss": "0.050", "TakeProfit": "0.050"}
    trader.told("order")
    trader.market("Sell", "0.05", reduceOnly=True)
    assert trader.orders() == []
    ended = [row for row in trader.told("order") if row["stopOrderType"]]
    assert {row["cancelType"] for row in ended} == {"CancelByTpSlTsClear"}


@pytest.mark.parametrize(
    ("price", "fired", "cancelled"), [("62100", "TakeProfit", "StopLoss"), ("58900", "StopLoss", "TakeProfit")]
)
def test_one_of_a_pair_fires_and_takes_the_other_with_it(trader: Any, price: str, fired: str, cancelled: str) -> None:
    trader.market("Buy", "0.1")
    trader.stop(stopLoss="59000", takeProfit="62000")
    trader.price(price)
    ends = {row["stopOrderType"]: row for row in trader.get("/v5/order/history") if row["stopOrderType"]}
    assert ends[fired]["orderStatus"] == "Filled"
    assert ends[cancelled]["orderStatus"] == "Deactivated"
    assert trader.leg()["size"] == "0"
    assert trader.orders() == []


def test_cancelling_one_of_a_bound_pair_cancels_both_until_a_one_sided_change_unbinds(trader: Any) -> None:
    trader.market("Buy", "0.1")
    trader.stop(stopLoss="59000", takeProfit="62000")
    trader.post("/v5/order/cancel", orderId=trader.orders()[0]["orderId"])
    assert trader.orders() == []
    trader.stop(stopLoss="59000", takeProfit="62000")
    trader.stop(stopLoss="59100")
    stop = next(order for order in trader.orders() if order["stopOrderType"] == "StopLoss")
    trader.post("/v5/order/cancel", orderId=stop["orderId"])
    assert list(kinds(trader)) == ["TakeProfit"]


def test_attached_stops_arrive_with_the_first_fill_and_replace_what_stood(trader: Any) -> None:
    trader.market("Buy", "0.1", stopLoss="58000", orderLinkId="entry-1")
    trader.limit("Buy", "0.1", "59500", stopLoss="57000", orderLinkId="entry-2")
    assert trader.leg()["stopLoss"] == "58000.00"
    trader.price("59500")
    leg = trader.leg()
    assert (leg["size"], leg["stopLoss"]) == ("0.200", "57000.00")
    (stop,) = trader.orders()
    assert (stop["qty"], stop["parentOrderLinkId"]) == ("0.200", "entry-2")


def test_attached_partial_makes_children_of_the_filled_size(trader: Any) -> None:
    trader.market(
        "Buy",
        "0.1",
        tpslMode="Partial",
        takeProfit="61000",
        tpOrderType="Limit",
        tpLimitPrice="61000",
        stopLoss="59000",
        orderLinkId="parent",
    )
    rows = {row["stopOrderType"]: row for row in trader.orders()}
    assert set(rows) == {"PartialTakeProfit", "PartialStopLoss"}
    assert rows["PartialTakeProfit"]["orderType"] == "Limit"
    assert {row["parentOrderLinkId"] for row in rows.values()} == {"parent"}
    trader.price("61000")
    assert trader.orders()[0]["orderStatus"] == "New"  # the limit order that the trigger put in the book
    trader.price("61000.1")
    assert trader.leg()["size"] == "0"


def test_partial_only_adds_and_is_capped(trader: Any) -> None:
    trader.market("Buy", "0.1")
    part = {"tpslMode": "Partial", "positionIdx": 0, "stopLoss": "59000"}
    path = "/v5/position/trading-stop"
    assert trader.refused(path, **part, slSize="0.2")[0] == 110058
    assert trader.refused(path, **part, slSize="0.1", takeProfit="61000", tpSize="0.05")[0] == 10001
    for _ in range(20):
        trader.stop(**part, slSize="0.01")
    assert len(trader.orders(limit="50")) == 20
    assert trader.refused(path, **part, slSize="0.01")[0] == 110061


def test_a_trailing_stop_activates_follows_and_fires(trader: Any) -> None:
    trader.market("Buy", "0.1")
    trader.stop(trailingStop="200", activePrice="60500")
    trader.price("60400")
    trader.price("60100")
    assert trader.leg()["trailingStop"] == "200.00"
    trader.price("60900")
    trader.price("60750")
    assert trader.leg()["size"] == "0.100"
    trader.price("60600")
    assert trader.leg()["size"] == "0"
    fill = trader.get("/v5/execution/list", limit="1")[0]
    assert (fill["createType"], fill["execPrice"]) == ("CreateByTrailingStop", "60699.90")


def test_a_mark_price_stop_ignores_the_last_price(trader: Any) -> None:
    trader.market("Buy", "0.1")
    trader.exchange.set_mark("BTCUSDT", trader.exchange.state.markets["BTCUSDT"].last, trader.now)
    trader.stop(stopLoss="59000", slTriggerBy="MarkPrice")
    trader.price("58000")
    assert trader.leg()["size"] == "0.100"
    trader.exchange.set_mark("BTCUSDT", None, trader.now)
    assert trader.leg()["size"] == "0"


def test_an_amended_stop_moves_and_a_short_is_mirrored(trader: Any) -> None:
    trader.market("Sell", "0.1", stopLoss="61000", takeProfit="59000")
    stop = next(order for order in trader.orders() if order["stopOrderType"] == "StopLoss")
    assert stop["triggerDirection"] == 1
    trader.post("/v5/order/amend", orderId=stop["orderId"], triggerPrice="60500")
    assert trader.leg()["stopLoss"] == "60500.00"
    trader.price("60500")
    assert trader.leg()["size"] == "0"
    assert trader.orders() == []
