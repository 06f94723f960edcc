"""How orders live and end: time in force, partial fills, reduce-only clipping, flips, cancels, leverage and mode."""

from decimal import Decimal
from typing import Any

import pytest


def test_a_large_market_order_walks_the_book_and_a_huge_one_runs_dry(trader: Any) -> None:
    trader.exchange.set_depth("BTCUSDT", Decimal(1000), 3)
    order_id = trader.market("Buy", "0.2")
    row = trader.order(order_id)
    fills = trader.get("/v5/execution/list")
    assert len(fills) == 3
    assert len({fill["execPrice"] for fill in fills}) == 3
    assert (row["orderStatus"], row["cumExecQty"], row["leavesQty"]) == ("Cancelled", "0.098", "0.000")
    assert trader.leg()["size"] == "0.098"


@pytest.mark.parametrize(
    ("tif", "price", "status", "reason", "filled"),
    [
        ("PostOnly", "60000.1", "Cancelled", "EC_PostOnlyWillTakeLiquidity", "0.000"),
        ("PostOnly", "60000", "New", "EC_NoError", "0.000"),
        ("IOC", "60000", "Cancelled", "EC_NoImmediateQtyToFill", "0.000"),
        ("IOC", "60000.1", "Cancelled", "EC_CancelForNoFullFill", "0.416"),
        ("FOK", "60000.1", "Cancelled", "EC_NoEnoughQtyToFill", "0.000"),
        ("FOK", "60100", "Filled", "EC_NoError", "1.000"),
        ("GTC", "60000.1", "PartiallyFilled", "EC_NoError", "0.416"),
    ],
)
def test_time_in_force(trader: Any, tif: str, price: str, status: str, reason: str, filled: str) -> None:
    row = trader.order(trader.limit("Buy", "1", price, timeInForce=tif))
    assert (row["orderStatus"], row["rejectReason"], row["cumExecQty"]) == (status, reason, filled)


def test_a_resting_order_fills_as_maker_at_its_price_when_touched(trader: Any) -> None:
    order_id = trader.limit("Buy", "0.1", "59000")
    trader.price("59000.1")
    assert trader.order(order_id)["orderStatus"] == "New"
    trader.price("58000")
    row = trader.order(order_id)
    assert (row["orderStatus"], row["avgPrice"], row["cumExecFee"]) == ("Filled", "59000", "1.18")
    assert trader.get("/v5/execution/list")[0]["isMaker"] is True


def test_a_scripted_partial_fill(trader: Any) -> None:
    order_id = trader.limit("Buy", "0.1", "59000")
    trader.told("order")
    assert trader.exchange.fill_order(1, order_id, Decimal("0.03"), trader.now) == Decimal("0.03")
    (push,) = trader.told("order")
    assert (push["orderStatus"], push["cumExecQty"], push["leavesQty"]) == (
        "PartiallyFilled",
        "0.030",
        "0.070",
    )
    assert trader.refused("/v5/order/amend", orderId=order_id, qty="0.03")[0] == 110064
    trader.post("/v5/order/cancel", orderId=order_id)
    row = trader.order(order_id)
    assert (row["orderStatus"], row["cumExecQty"], row["cancelType"]) == ("Cancelled", "0.030", "CancelByUser")
    assert trader.refused("/v5/order/cancel", orderId=order_id)[0] == 110001


def test_reduce_only_is_clipped_and_its_rest_cancelled(trader: Any) -> None:
    trader.market("Buy", "0.1")
    first = trader.limit("Sell", "0.1", "61000", reduceOnly=True)
    second = trader.limit("Sell", "0.08", "61500", reduceOnly=True)
    plain = trader.limit("Sell", "0.05", "62000")
    trader.price("61000")
    assert trader.order(first)["orderStatus"] == "Filled"
    assert trader.order(second)["cancelType"] == "CancelByReduceOnly"
    assert [o["orderId"] for o in trader.orders()] == [plain]
    assert trader.leg()["size"] == "0"


def test_a_market_reduce_beyond_the_position_never_flips(trader: Any) -> None:
    trader.market("Buy", "0.1")
    row = trader.order(trader.market("Sell", "0.3", reduceOnly=True))
    assert (row["orderStatus"], row["cumExecQty"], row["cancelType"]) == (
        "Cancelled",
        "0.100",
        "CancelByReduceOnly",
    )
    assert trader.leg()["side"] == ""


def test_a_flip_in_one_order_closes_then_opens(trader: Any) -> None:
    trader.market("Buy", "0.1", stopLoss="59000")
    trader.market("Sell", "0.3")
    leg = trader.leg()
    assert (leg["side"], leg["size"], leg["stopLoss"]) == ("Sell", "0.200", "")
    fill = trader.get("/v5/execution/list", limit="1")[0]
    assert (fill["execQty"], fill["closedSize"]) == ("0.300", "0.100")
    assert trader.orders() == []
    (closed,) = trader.get("/v5/position/closed-pnl")
    assert closed["closedSize"] == "0.100"


def test_cancel_all_filters(trader: Any) -> None:
    trader.market("Buy", "0.1", stopLoss="55000")
    limit = trader.limit("Buy", "0.01", "50000")
    stop = trader.market("Buy", "0.01", triggerPrice="65000", triggerDirection=1)

    def left() -> set[str]:
        return {order["stopOrderType"] or "limit" for order in trader.orders()}

    gone = trader.post("/v5/order/cancel-all", orderFilter="StopOrder", stopOrderType="Stop")
    assert [row["orderId"] for row in gone["list"]] == [stop]
    assert left() == {"limit", "StopLoss"}
    gone = trader.post("/v5/order/cancel-all", orderFilter="Order")
    assert [row["orderId"] for row in gone["list"]] == [limit]
    trader.post("/v5/order/cancel-all")
    assert trader.orders() == []
    assert trader.leg()["stopLoss"] == ""


def test_leverage_and_mode_changes_and_their_refusals(trader: Any) -> None:
    lever = "/v5/position/set-leverage"
    trader.post(lever, buyLeverage="20", sellLeverage="20")
    assert trader.leg()["leverage"] == "20"
    assert trader.refused(lever, buyLeverage="20", sellLeverage="20")[0] == 110043
    assert trader.refused(lever, buyLeverage="20", sellLeverage="10")[0] == 10001
    assert trader.refused(lever, buyLeverage="200", sellLeverage="200")[0] == 110013
    trader.market("Buy", "3")
    assert trader.refused(lever, buyLeverage="1", sellLeverage="1")[0] == 110044
    assert trader.leg()["leverage"] == "20"
    switch = "/v5/position/switch-mode"
    assert trader.refused(switch, mode=0)[0] == 110025
    assert trader.refused(switch, mode=3)[0] == 110024
    trader.market("Sell", "3", reduceOnly=True)
    order_id = trader.limit("Buy", "0.01", "50000")
    assert trader.refused(switch, mode=3)[0] == 110028
    trader.post("/v5/order/cancel", orderId=order_id)
    trader.post(switch, mode=3)
    assert [leg["positionIdx"] for leg in trader.get("/v5/position/list")] == [1, 2]


def test_a_coin_wide_switch_spares_busy_symbols(trader: Any) -> None:
    trader.market("Buy", "0.1")
    trader.post("/v5/position/switch-mode", symbol=None, coin="USDT", mode=3)
    assert [leg["positionIdx"] for leg in trader.get("/v5/position/list")] == [0]
    assert [leg["positionIdx"] for leg in trader.get("/v5/position/list", symbol="ETHUSDT")] == [1, 2]


def test_position_list_by_coin_leaves_flat_symbols_out(trader: Any) -> None:
    trader.market("Buy", "0.1")
    trader.market("Buy", "0.1", symbol="ETHUSDT")
    trader.market("Sell", "0.1", symbol="ETHUSDT", reduceOnly=True)
    assert [leg["symbol"] for leg in trader.get("/v5/position/list", symbol=None, settleCoin="USDT")] == ["BTCUSDT"]
    assert trader.call("GET", "/v5/position/list", symbol=None)["retCode"] == 10001
