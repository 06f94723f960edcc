"""ccxt's bybit class, unchanged but for its addresses, trades on the paper exchange."""

from decimal import Decimal
from typing import Any

import ccxt
import pytest

from mirrorctl.core.paper.server import PaperServer

BTC = "BTC/USDT:USDT"


@pytest.fixture
def exchange(server: PaperServer) -> Any:
    bybit = ccxt.bybit(
        {
            "apiKey": "key-main",
            "secret": "secret-main",
            "enableRateLimit": False,
            "options": {"defaultType": "swap"},
        }
    )
    bybit.session.trust_env = False
    for name in bybit.urls["api"]:
        bybit.urls["api"][name] = server.rest_url
    return bybit


def test_markets_load_with_their_rules(exchange: Any) -> None:
    markets = exchange.load_markets()
    assert len(markets) >= 8
    assert all(market["swap"] and market["linear"] and market["active"] for market in markets.values())
    assert markets[BTC]["precision"] == {"amount": 0.001, "price": 0.1}
    assert markets[BTC]["limits"]["cost"]["min"] == 5
    assert "1000PEPE/USDT:USDT" in markets


def test_market_order_shows_in_position_trades_and_balance(exchange: Any) -> None:
    assert exchange.fetch_balance()["USDT"]["total"] == 10000
    placed = exchange.create_order(BTC, "market", "buy", 0.1)
    (position,) = exchange.fetch_positions()
    assert (position["side"], position["contracts"], position["entryPrice"]) == ("long", 0.1, 60000.1)
    (trade,) = exchange.fetch_my_trades(BTC)
    assert (trade["order"], trade["takerOrMaker"]) == (placed["id"], "taker")
    assert trade["fee"]["cost"] == pytest.approx(60000.1 * 0.1 * 0.00055)
    balance = exchange.fetch_balance()["USDT"]
    assert balance["total"] < 10000
    assert balance["used"] > 0
    assert exchange.fetch_closed_order(placed["id"], BTC)["status"] == "closed"


def test_limit_and_stop_orders_rest_and_cancel(server: PaperServer, exchange: Any) -> None:
    limit = exchange.create_order(BTC, "limit", "buy", 0.01, 59000)
    exchange.create_order(BTC, "market", "buy", 0.01)
    stop = exchange.create_order(
        BTC,
        "market",
        "sell",
        0.01,
        None,
        {"triggerPrice": 58000, "triggerDirection": "descending", "reduceOnly": True},
    )
    orders = {order["id"]: order for order in exchange.fetch_open_orders(BTC)}
    assert (orders[limit["id"]]["type"], orders[limit["id"]]["price"]) == ("limit", 59000)
    assert (orders[stop["id"]]["triggerPrice"], orders[stop["id"]]["reduceOnly"]) == (58000, True)
    exchange.cancel_order(limit["id"], BTC)
    assert [order["id"] for order in exchange.fetch_open_orders(BTC)] == [stop["id"]]
    assert {o["id"]: o["status"] for o in exchange.fetch_canceled_and_closed_orders(BTC)}[limit["id"]] == ("canceled")
    server.set_price("BTCUSDT", Decimal(57900))
    assert exchange.fetch_positions() == []


def test_leverage_ticker_and_book(exchange: Any) -> None:
    exchange.set_leverage(5, BTC)
    exchange.create_order(BTC, "market", "sell", 0.1)
    (position,) = exchange.fetch_positions([BTC])
    assert (position["side"], position["leverage"]) == ("short", 5)
    assert exchange.fetch_ticker(BTC)["last"] == 60000
    book = exchange.fetch_order_book(BTC, 5)
    assert len(book["bids"]) == 5
    assert book["bids"][0][0] < 60000 < book["asks"][0][0]


def test_refusals_reach_the_caller_as_its_own_errors(exchange: Any) -> None:
    with pytest.raises(ccxt.InsufficientFunds):
        exchange.create_order(BTC, "market", "buy", 50)
    with pytest.raises(ccxt.OrderNotFound):
        exchange.cancel_order("none", BTC)
