"""What the measuring exchange knows: accounts that hold positions, and orders that fill at once. Pure.

It is no simulation: one price a symbol, no fees that matter, no margin, no order that rests. It holds just enough for a
client to find its own doing in every list and every push. Quantities are counted in steps of 0.001 (whole numbers).
Shapes of rows: order/open-order, order/execution, position/position, account/wallet-balance and the pages of the
private topics.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import msgspec

Row = dict[str, Any]

FRAME_BYTES = 718
PRICE = "60000.0"
STEP_DIGITS = 3
_KEPT = 5_000


def steps(qty: str) -> int:
    """A quantity as text, in steps."""
    whole, _, part = qty.partition(".")
    return int(whole + part.ljust(STEP_DIGITS, "0")[:STEP_DIGITS])


def text(qty: int) -> str:
    """Steps as a quantity."""
    return f"{qty // 1000}.{qty % 1000:03d}"


@dataclass(slots=True)
class Holding:
    """One position: signed steps, and the number of its last change."""

    size: int = 0
    seq: int = 1
    updated_ms: int = 0


@dataclass(slots=True)
class Fill:
    """An order that filled at once, as its three pushes and its answer."""

    order_id: str
    order: Row
    execution: Row
    position: Row


@dataclass(slots=True)
class Book:
    """One account. `orders`, `executions`, `closed`: the newest, for what a client asks afterwards."""

    name: str
    uid: int
    holdings: dict[str, Holding] = field(default_factory=dict)
    orders: deque[Row] = field(default_factory=lambda: deque(maxlen=_KEPT))
    executions: deque[Row] = field(default_factory=lambda: deque(maxlen=_KEPT))
    closed: deque[Row] = field(default_factory=lambda: deque(maxlen=_KEPT))
    numbers: count[int] = field(default_factory=lambda: count(1))

    def fill(self, symbol: str, side: str, qty: int, now_ms: int, link_id: str = "") -> Fill:
        """An order of `qty` steps fills whole."""
        number = next(self.numbers)
        holding = self.holdings.setdefault(symbol, Holding())
        before, signed = holding.size, qty if side == "Buy" else -qty
        holding.size += signed
        holding.seq += 1
        holding.updated_ms = now_ms
        closed = min(abs(before), qty) if before * signed < 0 else 0
        order_id = f"{self.uid:08d}-0000-4000-8000-{number:012d}"
        order = order_row(order_id, link_id, symbol, side, qty, now_ms)
        execution = execution_row(order, f"{self.uid:08d}-0000-4000-9000-{number:012d}", closed, holding.seq, now_ms)
        if closed:
            self.closed.append(closed_row(order, closed))
        self.orders.append(order)
        self.executions.append(execution)
        return Fill(order_id, order, execution, self.position(symbol))

    def position(self, symbol: str) -> Row:
        """The position topic's row of a symbol, flat or not."""
        holding = self.holdings.get(symbol) or Holding(seq=0)
        return position_row(symbol, holding)


def order_row(order_id: str, link_id: str, symbol: str, side: str, qty: int, now_ms: int) -> Row:
    """A market order that is filled."""
    quantity, stamp = text(qty), str(now_ms)
    return {
        "category": "linear",
        "symbol": symbol,
        "orderId": order_id,
        "orderLinkId": link_id,
        "side": side,
        "orderType": "Market",
        "orderStatus": "Filled",
        "qty": quantity,
        "price": PRICE,
        "avgPrice": PRICE,
        "leavesQty": "0.000",
        "leavesValue": "0",
        "cumExecQty": quantity,
        "cumExecValue": "60",
        "cumExecFee": "0.033",
        "cumFeeDetail": {"USDT": "0.033"},
        "timeInForce": "IOC",
        "reduceOnly": False,
        "closeOnTrigger": False,
        "positionIdx": 0,
        "stopOrderType": "",
        "triggerPrice": "",
        "triggerDirection": 0,
        "triggerBy": "",
        "takeProfit": "",
        "stopLoss": "",
        "tpTriggerBy": "",
        "slTriggerBy": "",
        "tpslMode": "",
        "tpLimitPrice": "0",
        "slLimitPrice": "0",
        "lastPriceOnCreated": PRICE,
        "createType": "CreateByUser",
        "cancelType": "UNKNOWN",
        "rejectReason": "EC_NoError",
        "isLeverage": "",
        "blockTradeId": "",
        "orderIv": "",
        "marketUnit": "",
        "placeType": "",
        "smpType": "None",
        "smpGroup": 0,
        "smpOrderId": "",
        "ocoTriggerBy": "",
        "closedPnl": "0",
        "feeCurrency": "USDT",
        "createdTime": stamp,
        "updatedTime": stamp,
    }


def execution_row(order: Row, exec_id: str, closed: int, seq: int, now_ms: int) -> Row:
    """The one execution of an order."""
    return {
        "category": "linear",
        "symbol": order["symbol"],
        "execFee": "0.033",
        "execId": exec_id,
        "execPrice": PRICE,
        "execQty": order["qty"],
        "execType": "Trade",
        "execValue": "60",
        "feeRate": "0.00055",
        "tradeIv": "",
        "markIv": "",
        "blockTradeId": "",
        "markPrice": PRICE,
        "indexPrice": "",
        "underlyingPrice": "",
        "leavesQty": "0.000",
        "orderId": order["orderId"],
        "orderLinkId": order["orderLinkId"],
        "orderPrice": PRICE,
        "orderQty": order["qty"],
        "orderType": "Market",
        "stopOrderType": "UNKNOWN",
        "side": order["side"],
        "execTime": str(now_ms),
        "isLeverage": "0",
        "isMaker": False,
        "seq": seq,
        "createType": "CreateByUser",
        "closedSize": text(closed),
        "execPnl": "0",
    }


def closed_row(order: Row, closed: int) -> Row:
    """What a closing order brought (position/close-pnl)."""
    return {
        "symbol": order["symbol"],
        "orderId": order["orderId"],
        "side": order["side"],
        "qty": order["qty"],
        "closedSize": text(closed),
        "orderPrice": PRICE,
        "orderType": "Market",
        "execType": "Trade",
        "avgEntryPrice": PRICE,
        "avgExitPrice": PRICE,
        "cumEntryValue": "60",
        "cumExitValue": "60",
        "closedPnl": "-0.066",
        "openFee": "0.033",
        "closeFee": "0.033",
        "fillCount": "1",
        "leverage": "10",
        "createdTime": order["createdTime"],
        "updatedTime": order["updatedTime"],
    }


def position_row(symbol: str, holding: Holding) -> Row:
    """A position in one-way mode, for list and push: both names of its price are there."""
    size, stamp = holding.size, str(holding.updated_ms)
    return {
        "category": "linear",
        "symbol": symbol,
        "side": "Buy" if size > 0 else "Sell" if size < 0 else "",
        "size": text(abs(size)),
        "positionIdx": 0,
        "entryPrice": PRICE if size else "0",
        "avgPrice": PRICE if size else "0",
        "positionValue": "60",
        "riskId": 1,
        "riskLimitValue": "2000000",
        "tradeMode": 0,
        "positionStatus": "Normal",
        "autoAddMargin": 0,
        "adlRankIndicator": 2,
        "leverage": "10",
        "breakEvenPrice": PRICE,
        "positionBalance": "0",
        "markPrice": PRICE,
        "liqPrice": "",
        "bustPrice": "",
        "positionIM": "6",
        "positionMM": "0.3",
        "tpslMode": "Full",
        "takeProfit": "0",
        "stopLoss": "0",
        "trailingStop": "0",
        "sessionAvgPrice": "0",
        "unrealisedPnl": "0",
        "curRealisedPnl": "0",
        "cumRealisedPnl": "0",
        "isReduceOnly": False,
        "seq": holding.seq,
        "mmrSysUpdatedTime": "",
        "leverageSysUpdatedTime": "",
        "createdTime": stamp,
        "updatedTime": stamp,
    }


def push(topic: str, row: Row, now_ms: int) -> bytes:
    """A message of a private topic, as it is sent."""
    message = {"topic": topic, "id": f"{row['symbol']}-{now_ms}", "creationTime": now_ms, "data": [row]}
    return msgspec.json.encode(message)


def execution_push(row: Row, now_ms: int) -> bytes:
    """A message of the execution topic of the length of Bybit's: its id is filled up to it."""
    bare = push("execution", row, now_ms)
    missing = FRAME_BYTES - len(bare)
    return bare.replace(b'"id":"', b'"id":"' + b"0" * missing, 1) if missing > 0 else bare
