"""Rows of REST and streams become values; what is missing or malformed is never zero."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.bybit import decode, records
from mirrorctl.core.bybit.failures import Malformed
from mirrorctl.core.bybit.frames import decode_frame
from mirrorctl.core.domain.values import (
    ExecutionKind,
    MarginMode,
    OrderStatus,
    OrderType,
    PositionSide,
    Side,
    StopKind,
    TimeInForce,
    TriggerBy,
)

ORDER: dict[str, Any] = {
    "orderId": "9c1f",
    "orderLinkId": "m1-abcde-abcdefg-e0-abcdefgh-0",
    "symbol": "BTCUSDT",
    "price": "60000.5",
    "qty": "0.010",
    "side": "Sell",
    "positionIdx": 0,
    "orderStatus": "PartiallyFilled",
    "createType": "CreateByUser",
    "cancelType": "UNKNOWN",
    "rejectReason": "EC_NoError",
    "avgPrice": "",
    "cumExecQty": "0.004",
    "timeInForce": "PostOnly",
    "orderType": "Limit",
    "stopOrderType": "UNKNOWN",
    "triggerPrice": "0.00",
    "stopLoss": "",
    "takeProfit": "0",
    "slTriggerBy": "UNKNOWN",
    "triggerDirection": 0,
    "triggerBy": "",
    "reduceOnly": False,
    "closeOnTrigger": False,
    "createdTime": "1700000000000",
    "updatedTime": "1700000000005",
}
POSITION: dict[str, Any] = {
    "symbol": "ETHUSDT",
    "positionIdx": 2,
    "side": "Sell",
    "size": "1.5",
    "avgPrice": "3000.25",
    "leverage": "10",
    "markPrice": "3001",
    "liqPrice": "",
    "unrealisedPnl": "-1.125",
    "stopLoss": "3100",
    "takeProfit": "0.00",
    "trailingStop": "0",
    "seq": 4711,
    "updatedTime": "1700000000005",
    "openTime": 1700000000001,
}
EXECUTION: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "orderId": "9c1f",
    "orderLinkId": "",
    "side": "Buy",
    "execId": "e-1",
    "execPrice": "60000",
    "execQty": "0.004",
    "execType": "Trade",
    "execFee": "-0.01",
    "feeRate": "0.0002",
    "execTime": "1700000000003",
    "isMaker": True,
    "closedSize": "0.002",
    "seq": 4712,
    "createType": "CreateByUser",
    "stopOrderType": "",
}
WALLET: dict[str, Any] = {
    "accountType": "UNIFIED",
    "totalEquity": "1000.5",
    "totalAvailableBalance": "900",
    "totalInitialMargin": "100.5",
    "totalMaintenanceMargin": "10",
    "totalPerpUPL": "-2",
    "coin": [],
}


def test_nothing_in_all_its_spellings_is_nothing() -> None:
    order = decode.order(ORDER)
    assert (order.trigger_price, order.stop_loss, order.take_profit, order.avg_price) == (None, None, None, None)
    assert (order.cancel_type, order.reject_reason, order.stop_kind) == ("", "", StopKind.NONE)
    assert (order.trigger_by, order.stop_loss_by) == (TriggerBy.LAST, TriggerBy.LAST)
    assert (order.side, order.status, order.time_in_force) == (
        Side.SELL,
        OrderStatus.PARTIALLY_FILLED,
        TimeInForce.POST_ONLY,
    )
    assert order.leaves_qty == Decimal("0.006")


@pytest.mark.parametrize(
    ("spelling", "kind"),
    [
        ("Stop", StopKind.CONDITIONAL),
        ("StopLoss", StopKind.STOP_LOSS),
        ("TakeProfit", StopKind.TAKE_PROFIT),
        ("TrailingStop", StopKind.TRAILING_STOP),
        ("PartialStopLoss", StopKind.PARTIAL_STOP_LOSS),
        ("PartialTakeProfit", StopKind.PARTIAL_TAKE_PROFIT),
        ("MmRateClose", StopKind.OTHER),
        ("InventedNextYear", StopKind.OTHER),
        (None, StopKind.NONE),
    ],
)
def test_stop_order_types_that_are_new_stop_nothing(spelling: str | None, kind: StopKind) -> None:
    assert decode.order({**ORDER, "stopOrderType": spelling}).stop_kind is kind


def test_a_market_order_has_no_price_and_a_new_order_type_is_unknown() -> None:
    assert decode.order({**ORDER, "orderType": "Market"}).price is None
    assert decode.order({**ORDER, "orderType": "UNKNOWN"}).order_type is OrderType.UNKNOWN
    assert decode.order({**ORDER, "createType": "CreateByDreaming"}).create_type == "CreateByDreaming"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("orderId", None),
        ("orderId", ""),
        ("symbol", 5),
        ("qty", ""),
        ("qty", "-1"),
        ("qty", "many"),
        ("qty", 0.01),
        ("qty", "NaN"),
        ("qty", "Infinity"),
        ("cumExecQty", None),
        ("side", "Both"),
        ("orderStatus", "Dreaming"),
        ("updatedTime", "yesterday"),
        ("reduceOnly", "false"),
    ],
)
def test_half_a_row_is_unknown_not_zero(field: str, value: object) -> None:
    with pytest.raises(Malformed, match=field):
        decode.order({**ORDER, field: value})


def test_positions_of_rest_and_stream_read_the_same() -> None:
    pushed = {**POSITION, "entryPrice": POSITION["avgPrice"], "category": "linear"}
    del pushed["avgPrice"]
    position = decode.position(POSITION)
    assert position == decode.position(pushed)
    assert (position.side, position.size, position.idx, position.seq) == (
        PositionSide.SHORT,
        Decimal("1.5"),
        2,
        4711,
    )
    assert (position.entry_price, position.stop_loss, position.take_profit) == (
        Decimal("3000.25"),
        Decimal(3100),
        None,
    )
    assert position.liq_price is None


@pytest.mark.parametrize("side", ["", None, "Buy", "None"])
def test_a_flat_row_has_no_side(side: str | None) -> None:
    flat = decode.position({**POSITION, "side": side, "size": "0", "avgPrice": "0", "seq": -1, "updatedTime": ""})
    assert (flat.side, flat.signed, flat.entry_price, flat.seq) == (None, Decimal(0), None, -1)


@pytest.mark.parametrize(("field", "value"), [("size", ""), ("size", None), ("side", ""), ("seq", None), ("seq", "")])
def test_a_position_that_cannot_be_read_is_not_flat(field: str, value: object) -> None:
    with pytest.raises(Malformed):
        decode.position({**POSITION, field: value})


@pytest.mark.parametrize(
    ("exec_type", "create_type", "kind"),
    [
        ("Trade", "CreateByUser", ExecutionKind.TRADE),
        ("Trade", "", ExecutionKind.TRADE),
        ("BlockTrade", "", ExecutionKind.TRADE),
        ("Trade", "CreateByLiq", ExecutionKind.LIQUIDATION),
        ("Trade", "CreateByTakeOver_PassThrough", ExecutionKind.LIQUIDATION),
        ("Trade", "CreateByAdl_PassThrough", ExecutionKind.ADL),
        ("BustTrade", "CreateByTakeOver_PassThrough", ExecutionKind.LIQUIDATION),
        ("AdlTrade", "CreateByAdl_PassThrough", ExecutionKind.ADL),
        ("Funding", "", ExecutionKind.FUNDING),
        ("Settle", "", ExecutionKind.OTHER),
        ("InventedNextYear", "CreateByUser", ExecutionKind.OTHER),
        ("", "", ExecutionKind.OTHER),
    ],
)
def test_executions_are_told_apart(exec_type: str, create_type: str, kind: ExecutionKind) -> None:
    execution = decode.execution({**EXECUTION, "execType": exec_type, "createType": create_type})
    assert execution.kind is kind
    assert execution.signed == (Decimal("0.004") if kind.moves_position else 0)


@pytest.mark.proves("A19")
def test_a_funding_row_moves_no_position() -> None:
    row = {**EXECUTION, "execType": "Funding", "orderType": "UNKNOWN", "createType": None, "closedSize": ""}
    assert decode.execution(row).signed == 0


def test_the_wallet_of_cross_margin_is_account_wide() -> None:
    wallet = decode.wallet(WALLET)
    assert (wallet.equity, wallet.available, wallet.unrealised_pnl) == (Decimal("1000.5"), Decimal(900), Decimal(-2))


def test_the_wallet_of_isolated_margin_is_the_settle_coins() -> None:
    coin = {
        "coin": "USDT",
        "walletBalance": "500",
        "equity": "490",
        "totalPositionIM": "100",
        "totalOrderIM": "20",
        "totalPositionMM": "5",
        "locked": "3",
        "bonus": "1",
        "unrealisedPnl": "-10",
    }
    empty = dict.fromkeys(("totalAvailableBalance", "totalInitialMargin", "totalMaintenanceMargin", "totalPerpUPL"), "")
    wallet = decode.wallet({**WALLET, **empty, "coin": [{"coin": "BTC"}, coin]})
    assert (wallet.equity, wallet.available) == (Decimal("1000.5"), Decimal(376))
    assert (wallet.initial_margin, wallet.maintenance_margin, wallet.unrealised_pnl) == (
        Decimal(120),
        Decimal(5),
        Decimal(-10),
    )


@pytest.mark.proves("A4")
@pytest.mark.parametrize("coins", [None, [{"coin": "USDT", "walletBalance": ""}]])
def test_a_wallet_that_cannot_be_read_is_unknown(coins: object) -> None:
    with pytest.raises(Malformed):
        decode.wallet({**WALLET, "totalAvailableBalance": "", "coin": coins})


def test_an_empty_side_of_the_book_is_none() -> None:
    row = {"symbol": "X", "lastPrice": "1", "markPrice": "1", "indexPrice": "1", "bid1Price": "", "ask1Price": "0"}
    ticker = decode.ticker(row, 5)
    assert (ticker.bid, ticker.ask, ticker.mid, ticker.at_ms) == (None, None, Decimal(1), 5)
    with pytest.raises(Malformed):
        decode.ticker({**row, "lastPrice": "0"}, 5)


def test_rules_of_a_contract() -> None:
    row = {
        "symbol": "BTCUSDT",
        "status": "Trading",
        "priceFilter": {"tickSize": "0.10", "minPrice": "0.1", "maxPrice": "1999999.80"},
        "lotSizeFilter": {
            "qtyStep": "0.001",
            "minOrderQty": "0.001",
            "minNotionalValue": "5",
            "maxOrderQty": "1190",
            "maxMktOrderQty": "500",
        },
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
    }
    instrument = decode.instrument(row)
    assert (instrument.tick_size, instrument.qty_step, instrument.trading) == (Decimal("0.10"), Decimal("0.001"), True)
    assert not decode.instrument({**row, "status": "PreLaunch"}).trading
    with pytest.raises(Malformed):
        decode.instrument({**row, "lotSizeFilter": None})


KEY_INFO: dict[str, Any] = {
    "userID": 24617703,
    "readOnly": 0,
    "permissions": {"ContractTrade": ["Order", "Position"], "Wallet": ["AccountTransfer"]},
    "ips": ["10.1.2.3"],
    "deadlineDay": -2,
}
ACCOUNT_INFO = {"unifiedMarginStatus": 5, "marginMode": "REGULAR_MARGIN"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"can_trade": True, "can_withdraw": False, "ip_bound": True, "expires_in_days": None}),
        ({"readOnly": 1}, {"can_trade": False, "read_only": True}),
        ({"permissions": {"ContractTrade": ["Order"]}}, {"can_trade": False}),
        ({"permissions": {"ContractTrade": None, "Wallet": ["Withdraw"]}}, {"can_trade": False, "can_withdraw": True}),
        ({"ips": ["*"], "deadlineDay": 12}, {"ip_bound": False, "expires_in_days": 12}),
        ({"ips": [], "deadlineDay": 0}, {"ip_bound": False, "expires_in_days": 0}),
        ({"deadlineDay": 40}, {"ip_bound": True, "expires_in_days": 40}),  # the password was changed since
        ({"ips": ["*"], "deadlineDay": None}, {"ip_bound": False, "expires_in_days": None}),
    ],
)
def test_whose_keys_and_what_they_may(changes: dict[str, Any], expected: dict[str, object]) -> None:
    identity = decode.identity({**KEY_INFO, **changes}, ACCOUNT_INFO)
    assert identity.uid == 24617703
    assert {name: getattr(identity, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ("REGULAR_MARGIN", MarginMode.CROSS),
        ("ISOLATED_MARGIN", MarginMode.ISOLATED),
        ("PORTFOLIO_MARGIN", MarginMode.PORTFOLIO),
        ("SOMETHING_NEW", None),
        (None, None),
    ],
)
def test_how_positions_are_backed(said: str | None, known: MarginMode | None) -> None:
    """A mode that is not known here is unknown, and keeps nobody from starting (account/account-info)."""
    assert decode.identity(KEY_INFO, {**ACCOUNT_INFO, "marginMode": said}).margin_mode is known


def frame(topic: str, *rows: object) -> dict[str, Any]:
    return {"id": "1", "topic": topic, "creationTime": 1, "data": list(rows)}


def test_frames_hold_several_rows_and_other_products_are_left_out() -> None:
    spot = {"category": "spot", "orderId": "half a row"}
    assert decode_frame(frame("order", {**ORDER, "category": "linear"}, spot)) == [decode.order(ORDER)]
    assert decode_frame(frame("order.linear", ORDER)) == [decode.order(ORDER)]
    assert decode_frame(frame("execution", EXECUTION, EXECUTION)) == [decode.execution(EXECUTION)] * 2
    assert decode_frame(frame("position", POSITION)) == [decode.position(POSITION)]
    assert decode_frame(frame("wallet", WALLET)) == [decode.wallet(WALLET)]


@pytest.mark.parametrize(("symbol", "taken"), [("BTCUSDT-21FEB25", True), ("BTCPERP", False), ("BTC-24MAR23", False)])
def test_contracts_that_settle_in_another_coin_are_left_out_as_relists_leave_them_out(symbol: str, taken: bool) -> None:
    found = decode_frame(frame("position", {**POSITION, "symbol": symbol, "category": "linear"}))
    assert list(found) == ([decode.position({**POSITION, "symbol": symbol})] if taken else [])


@pytest.mark.parametrize(
    "payload",
    [None, "text", 5, [], {}, {"op": "pong"}, {"topic": None}, frame("greeks", 1), frame("execution.fast", {})],
)
def test_messages_of_no_interest_give_nothing(payload: object) -> None:
    assert list(decode_frame(payload)) == []


@pytest.mark.parametrize("data", [None, {}, ["row"], [{}], [{**ORDER, "qty": None}]])
def test_a_known_topic_that_cannot_be_read_says_so(data: object) -> None:
    with pytest.raises(Malformed):
        decode_frame({"topic": "order", "data": data})


def test_a_row_that_moves_no_position_may_be_unreadable() -> None:
    """A funding row without a side must not keep everything else from being read."""
    funding = {**EXECUTION, "execType": "Funding", "side": "None", "execId": "f"}
    assert decode.executions([funding, EXECUTION]) == [decode.execution(EXECUTION)]
    assert decode_frame(frame("execution", funding, EXECUTION)) == [decode.execution(EXECUTION)]


def test_an_unreadable_trade_is_a_gap_in_a_push_and_a_loss_in_the_history() -> None:
    trade = {**EXECUTION, "side": "None"}
    with pytest.raises(Malformed):
        decode.executions([trade, EXECUTION])
    assert decode.executions([trade, EXECUTION], history=True) == [decode.execution(EXECUTION)]


def test_a_closed_pnl_record_is_told_by_the_side_of_the_position() -> None:
    """The record's side is the closing order's: on position/close-pnl a sell at a lower price has lost."""
    fields = {
        "symbol": "ETHUSDT",
        "orderId": "closing",
        "side": "Sell",
        "closedSize": "3",
        "avgEntryPrice": "1200.5",
        "avgExitPrice": "1180",
        "closedPnl": "-65.2",
        "createdTime": "1672214887231",
        "updatedTime": "1672214887236",
    }
    record = records.closed_pnl(fields)
    assert (record.side, record.qty, record.pnl) == (PositionSide.LONG, Decimal(3), Decimal("-65.2"))
    assert (record.open_fee, record.close_fee) == (None, None), "older records have none"
    short = records.closed_pnl({**fields, "side": "Buy", "openFee": "1.9", "closeFee": "1.8"})
    assert (short.side, short.open_fee, short.close_fee) == (PositionSide.SHORT, Decimal("1.9"), Decimal("1.8"))
    for name in ("closedSize", "closedPnl", "orderId", "updatedTime"):
        with pytest.raises(Malformed):
            records.closed_pnl({key: value for key, value in fields.items() if key != name})
