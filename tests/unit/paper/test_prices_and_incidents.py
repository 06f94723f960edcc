"""Prices that move through waiting orders, the seeded walk, funding, liquidation and auto-deleveraging."""

from decimal import Decimal
from typing import Any

from mirrorctl.core.paper.exchange import PaperExchange
from mirrorctl.core.paper.model import PaperAccount

NOW = 1_700_000_000_000
EIGHT_HOURS = 8 * 3600 * 1000


def test_a_price_set_by_hand_trades_through_everything_on_the_way(trader: Any) -> None:
    trader.limit("Buy", "0.1", "59500", stopLoss="59000")
    trader.market("Sell", "0.2", triggerPrice="58500", triggerDirection=2)
    trader.price("58000")
    fills = [(f["side"], f["execPrice"]) for f in trader.get("/v5/execution/list")]
    assert fills == [("Sell", "58499.90"), ("Sell", "58999.90"), ("Buy", "59500.00")]


def test_a_gap_jumps_over_a_stop_which_then_fills_far_away(trader: Any) -> None:
    trader.market("Buy", "0.1", stopLoss="59000")
    trader.price("57000", gap=True)
    assert trader.get("/v5/execution/list", limit="1")[0]["execPrice"] == "56999.90"


def test_a_gap_through_an_entry_and_its_own_stop_leaves_no_position(trader: Any) -> None:
    trader.limit("Buy", "0.1", "59500", stopLoss="59000")
    trader.price("57000", gap=True)
    fills = [(f["side"], f["execPrice"]) for f in trader.get("/v5/execution/list")]
    assert fills == [("Sell", "56999.90"), ("Buy", "59500.00")]
    assert trader.orders() == []


def test_a_passed_trigger_costs_no_second_fill(trader: Any) -> None:
    trader.limit("Buy", "0.1", "59500")
    trader.price("59000")
    trader.price("61000")
    trader.price("59000")
    assert len(trader.get("/v5/execution/list")) == 1


def test_the_walk_repeats_from_its_seed_and_steps_by_its_events(fresh: Any) -> None:
    def prices(seed: int, jump: bool) -> list[Decimal]:
        exchange: PaperExchange = fresh(seed=seed, volatility=Decimal("0.001"))
        end = NOW + 60_000
        if jump:
            exchange.advance(end)
        while (due := exchange.next_event_ms()) is not None and due <= end:
            exchange.advance(due)
        return [market.last for market in exchange.state.markets.values()]

    assert prices(7, True) == prices(7, False) != prices(8, True)


def test_a_pinned_price_stays_while_others_walk(fresh: Any) -> None:
    exchange: PaperExchange = fresh(volatility=Decimal("0.001"))
    exchange.set_price("BTCUSDT", Decimal(61000), NOW)
    exchange.advance(NOW + 60_000)
    assert exchange.state.markets["BTCUSDT"].last == 61000
    assert exchange.state.markets["ETHUSDT"].last != 3000


def test_funding_settles_by_itself_every_eight_hours(fresh: Any, trader: Any) -> None:
    trader.exchange = fresh(funding=True)
    trader.market("Buy", "0.1")
    trader.now = NOW + EIGHT_HOURS
    rows = trader.get("/v5/execution/list", execType="Funding")
    assert len(rows) == 1
    assert (rows[0]["orderType"], rows[0]["execFee"], rows[0]["execQty"]) == ("UNKNOWN", "0.6", "0.100")
    assert len(trader.get("/v5/execution/list", execType="Trade")) == 1
    assert trader.leg()["size"] == "0.100"


def test_a_drowned_account_is_liquidated_with_its_orders_cancelled_first(trader: Any) -> None:
    trader.market("Buy", "1.6")
    trader.limit("Buy", "0.001", "50000")
    liq = Decimal(trader.leg()["liqPrice"])
    trader.told("order")
    trader.price(str(liq.quantize(Decimal("0.1")) + 20))
    assert trader.leg()["size"] == "1.600"
    trader.price(str(liq.quantize(Decimal("0.1")) - 20))
    assert trader.leg()["size"] == "0"
    assert trader.told("order")[0]["cancelType"] == "CancelAllBeforeLiq"
    fill = trader.get("/v5/execution/list", limit="1")[0]
    assert (fill["execType"], fill["createType"], fill["orderLinkId"]) == (
        "BustTrade",
        "CreateByTakeOver_PassThrough",
        "",
    )


def test_deleveraging_takes_part_of_a_leg(trader: Any) -> None:
    trader.market("Buy", "0.3")
    assert trader.exchange.deleverage(1, "BTCUSDT", 0, Decimal("0.1"), trader.now) == Decimal("0.1")
    assert trader.leg()["size"] == "0.200"
    fill = trader.get("/v5/execution/list", limit="1")[0]
    assert (fill["execType"], fill["createType"]) == ("AdlTrade", "CreateByAdl_PassThrough")


def test_public_topics_tell_only_what_is_watched() -> None:
    exchange = PaperExchange([PaperAccount("a", 1, "k", "s")], now_ms=NOW, volatility=Decimal(0))
    exchange.set_price("BTCUSDT", Decimal(60100), NOW)
    assert exchange.drain() == []
    for topic in ("tickers.BTCUSDT", "orderbook.1.BTCUSDT", "publicTrade.BTCUSDT"):
        exchange.watch(topic)
    order = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.1"}
    exchange.handle(1, "POST", "/v5/order/create", order, NOW)
    exchange.set_price("BTCUSDT", Decimal(60200), NOW)
    frames = {push.topic: push.frame for push in exchange.drain() if push.uid is None}
    assert frames["tickers.BTCUSDT"]["data"]["lastPrice"] == "60200.00"
    assert frames["orderbook.1.BTCUSDT"]["data"]["a"] == [["60200.10", "0.415"]]
    (trade,) = frames["publicTrade.BTCUSDT"]["data"]
    assert (trade["p"], trade["v"], trade["S"]) == ("60100.10", "0.100", "Buy")
