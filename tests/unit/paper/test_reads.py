"""The read endpoints: windows, filters, pages, the closed cache and what history forgets."""

from typing import Any

DAY = 24 * 3600 * 1000


def test_history_forgets_unfilled_orders_after_a_day_and_keeps_filled_ones(trader: Any) -> None:
    trader.market("Buy", "0.1")
    trader.post("/v5/order/cancel", orderId=trader.limit("Buy", "0.1", "50000"))
    assert len(trader.get("/v5/order/history")) == 2
    trader.now += 2 * DAY
    assert [row["orderStatus"] for row in trader.get("/v5/order/history")] == ["Filled"]


def test_time_windows_are_at_most_seven_days(trader: Any) -> None:
    trader.market("Buy", "0.1")
    start = trader.now
    trader.now += 8 * DAY
    assert trader.get("/v5/execution/list") == []
    assert len(trader.get("/v5/execution/list", startTime=str(start), endTime=str(start + 7 * DAY))) == 1
    wide = trader.call("GET", "/v5/execution/list", startTime=str(start), endTime=str(start + 8 * DAY))
    assert wide["retCode"] == 10001


def test_the_closed_cache_is_lost_by_a_service_restart_and_history_is_not(trader: Any) -> None:
    order_id = trader.market("Buy", "0.1", orderLinkId="c-1")
    assert [o["orderId"] for o in trader.orders(openOnly="1")] == [order_id]
    assert [o["orderId"] for o in trader.orders(orderLinkId="c-1")] == [order_id]
    trader.exchange.clear_closed_cache()
    assert trader.orders(openOnly="1") == []
    assert trader.orders(orderLinkId="c-1") == []
    assert [o["orderId"] for o in trader.get("/v5/order/history", orderLinkId="c-1")] == [order_id]


def test_realtime_wants_a_scope_and_scopes_by_coin(trader: Any) -> None:
    trader.limit("Buy", "0.01", "50000")
    trader.limit("Buy", "1", "2000", symbol="ETHUSDT")
    assert trader.call("GET", "/v5/order/realtime", symbol=None)["retCode"] == 10001
    assert len(trader.orders(symbol=None, settleCoin="USDT")) == 2
    assert [o["symbol"] for o in trader.orders(symbol=None, baseCoin="ETH")] == ["ETHUSDT"]


def test_executions_page_backwards_without_loss(trader: Any) -> None:
    for _ in range(130):
        trader.market("Buy", "0.001")
    seen: list[int] = []
    cursor = ""
    while True:
        result = trader.call("GET", "/v5/execution/list", limit="100", cursor=cursor)["result"]
        seen += [row["seq"] for row in result["list"]]
        cursor = result["nextPageCursor"]
        if not cursor:
            break
    assert seen == list(range(130, 0, -1))
    assert trader.call("GET", "/v5/execution/list", cursor="rubbish")["retCode"] == 10001


def test_closed_pnl_counts_both_fees(trader: Any) -> None:
    trader.market("Buy", "0.1")
    trader.price("61000")
    trader.market("Sell", "0.1", reduceOnly=True)
    (row,) = trader.get("/v5/position/closed-pnl")
    assert (row["cumEntryValue"], row["cumExitValue"]) == ("6000.01", "6099.99")
    assert (row["openFee"], row["closeFee"], row["closedPnl"]) == ("3.3000055", "3.3549945", "93.325")
    wallet = trader.get("/v5/account/wallet-balance", accountType="UNIFIED")[0]
    assert wallet["totalEquity"] == "10093.325"


def test_routes_and_categories_that_do_not_exist(trader: Any) -> None:
    assert trader.call("GET", "/v5/order/nothing")["retCode"] == 10017
    assert trader.call("GET", "/v5/position/list", category="option")["retCode"] == 10001
    assert trader.exchange.handle(None, "GET", "/v5/order/realtime", {}, trader.now)["retCode"] == 10003


def test_the_request_log_keeps_order_and_outcome(trader: Any) -> None:
    order_id = trader.limit("Buy", "0.01", "50000", orderLinkId="log-1")
    trader.refused("/v5/order/create", side="Buy", orderType="Market", qty="0.01", orderLinkId="log-1")
    log = [(w.path, w.ret_code, w.order_id) for w in trader.exchange.state.writes]
    assert log == [("/v5/order/create", 0, order_id), ("/v5/order/create", 110072, "")]
