"""Stock pybit over HTTP against the paper exchange: orders, positions, pages, refusals and signatures."""

from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from pybit.exceptions import InvalidRequestError
from pybit.unified_trading import HTTP

from mirrorctl.core.paper.gateway import Gateway
from mirrorctl.core.paper.server import PaperServer

LINEAR = {"category": "linear", "symbol": "BTCUSDT"}


def client(server: PaperServer, key: str = "key-main", secret: str = "secret-main") -> Any:
    session = HTTP(api_key=key, api_secret=secret, retry_codes={999999}, max_retries=1)
    session.endpoint = server.rest_url
    session.client.trust_env = False
    return session


def _by_hand(order: dict[str, Any], gateway: Gateway, now: int) -> dict[str, Any]:
    return gateway.exchange.handle(101, "POST", "/v5/order/create", order, now)


@pytest.fixture
def main(server: PaperServer) -> Any:
    return client(server)


def test_market_order_opens_a_position_with_its_stop_and_the_stop_closes_it(server: PaperServer, main: Any) -> None:
    order = main.place_order(**LINEAR, side="Buy", orderType="Market", qty="0.1", stopLoss="59000", takeProfit="63000")[
        "result"
    ]
    leg = main.get_positions(**LINEAR)["result"]["list"][0]
    assert (leg["side"], leg["size"], leg["avgPrice"]) == ("Buy", "0.100", "60000.1")
    assert (leg["stopLoss"], leg["takeProfit"]) == ("59000.00", "63000.00")
    guards = main.get_open_orders(**LINEAR)["result"]["list"]
    assert {(g["stopOrderType"], g["orderStatus"], g["qty"], g["orderLinkId"]) for g in guards} == {
        ("StopLoss", "Untriggered", "0.100", ""),
        ("TakeProfit", "Untriggered", "0.100", ""),
    }

    server.set_price("BTCUSDT", Decimal(58500))
    assert main.get_positions(**LINEAR)["result"]["list"][0]["size"] == "0"
    assert main.get_open_orders(**LINEAR)["result"]["list"] == []
    closed = main.get_closed_pnl(category="linear")["result"]["list"]
    assert len(closed) == 1
    assert Decimal(closed[0]["closedPnl"]) < -100
    fills = main.get_executions(category="linear")["result"]["list"]
    assert [f["createType"] for f in fills] == ["CreateByStopLoss", "CreateByUser"]
    assert fills[1]["orderId"] == order["orderId"]
    assert fills[0]["seq"] > fills[1]["seq"]


def test_limit_order_rests_is_amended_cancelled_and_found_in_history(main: Any) -> None:
    placed = main.place_order(**LINEAR, side="Buy", orderType="Limit", qty="0.01", price="59000", orderLinkId="l-1")
    main.amend_order(**LINEAR, orderLinkId="l-1", price="59100.5", qty="0.02")
    row = main.get_open_orders(**LINEAR, orderLinkId="l-1")["result"]["list"][0]
    assert (row["orderId"], row["price"], row["qty"]) == (placed["result"]["orderId"], "59100.50", "0.020")
    main.cancel_order(**LINEAR, orderId=row["orderId"])
    assert main.get_open_orders(**LINEAR)["result"]["list"] == []
    past = main.get_order_history(**LINEAR)["result"]["list"]
    assert [(o["orderStatus"], o["cancelType"]) for o in past] == [("Cancelled", "CancelByUser")]
    closed = main.get_open_orders(**LINEAR, openOnly=1)["result"]["list"]
    assert [o["orderId"] for o in closed] == [row["orderId"]]


def test_pages_are_small_and_the_cursor_reaches_every_order(server: PaperServer, main: Any) -> None:
    for number in range(45):  # by hand: the key may place ten a second
        order = {"side": "Buy", "orderType": "Limit", "qty": "0.001", "price": "50000", "orderLinkId": f"p-{number}"}
        placed = server.run(partial(_by_hand, LINEAR | order))
        assert placed["retCode"] == 0, placed
    seen: list[str] = []
    cursor, pages = "", 0
    while True:
        extra = {"cursor": cursor} if cursor else {}
        result = main.get_open_orders(**LINEAR, **extra)["result"]
        seen += [row["orderLinkId"] for row in result["list"]]
        cursor, pages = result["nextPageCursor"], pages + 1
        if not cursor:
            break
        assert "%" in cursor
    assert pages == 3
    assert seen == [f"p-{number}" for number in reversed(range(45))]


def test_instruments_come_in_pages_with_every_rule(main: Any) -> None:
    first = main.get_instruments_info(category="linear", limit=5)["result"]
    second = main.get_instruments_info(category="linear", limit=1000, cursor=first["nextPageCursor"])["result"]
    rows = first["list"] + second["list"]
    assert len(first["list"]) == 5
    assert len({row["symbol"] for row in rows}) == len(rows) >= 8
    assert second["nextPageCursor"] == ""
    for row in rows:
        assert Decimal(row["priceFilter"]["tickSize"]) > 0
        assert Decimal(row["lotSizeFilter"]["qtyStep"]) > 0


@pytest.mark.parametrize(
    ("call", "params", "code"),
    [
        ("place_order", {"side": "Buy", "orderType": "Market", "qty": "0.0001"}, 110017),
        ("place_order", {"side": "Buy", "orderType": "Market", "qty": "50"}, 110007),
        ("place_order", {"side": "Sell", "orderType": "Market", "qty": "0.01", "reduceOnly": True}, 110017),
        ("place_order", {"side": "Buy", "orderType": "Market", "qty": "0.01", "positionIdx": 1}, 10001),
        ("cancel_order", {"orderId": "none"}, 110001),
        ("set_leverage", {"buyLeverage": "10", "sellLeverage": "10"}, 110043),
        ("set_leverage", {"buyLeverage": "101", "sellLeverage": "101"}, 110013),
        ("set_trading_stop", {"stopLoss": "59000", "tpslMode": "Full", "positionIdx": 0}, 10001),
        ("switch_position_mode", {"mode": 0}, 110025),
    ],
)
def test_refusals_carry_the_documented_code(main: Any, call: str, params: dict[str, Any], code: int) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        getattr(main, call)(**LINEAR, **params)
    assert refused.value.status_code == code


def test_a_link_id_is_taken_for_ever(main: Any) -> None:
    order = {**LINEAR, "side": "Buy", "orderType": "Market", "qty": "0.01", "orderLinkId": "once"}
    main.place_order(**order)
    with pytest.raises(InvalidRequestError) as refused:
        main.place_order(**order)
    assert refused.value.status_code == 110072
    assert main.get_positions(**LINEAR)["result"]["list"][0]["size"] == "0.010"


def test_a_wrong_key_and_a_wrong_secret_are_told_apart(server: PaperServer) -> None:
    for key, secret, code in (("nobody", "secret-main", 10003), ("key-main", "guess", 10004)):
        with pytest.raises(InvalidRequestError) as refused:
            client(server, key, secret).get_wallet_balance(accountType="UNIFIED")
        assert refused.value.status_code == code


def test_accounts_are_apart_and_name_themselves(server: PaperServer, main: Any) -> None:
    mirror = client(server, "key-mirror", "secret-mirror")
    main.place_order(**LINEAR, side="Buy", orderType="Market", qty="0.1")
    assert mirror.get_positions(**LINEAR)["result"]["list"][0]["size"] == "0"
    assert mirror.get_wallet_balance(accountType="UNIFIED")["result"]["list"][0]["totalEquity"] == "5000"
    assert mirror.get_api_key_information()["result"]["userID"] == 102
    assert main.get_fee_rates(**LINEAR)["result"]["list"][0]["takerFeeRate"] == "0.00055"
    assert main.get_account_info()["result"]["unifiedMarginStatus"] == 5
