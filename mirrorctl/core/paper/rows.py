"""How orders, executions, positions, closed PnL and markets look in JSON.

Shapes: docs v5/order/open-order, v5/order/execution, v5/position/position, v5/position/close-pnl,
v5/market/tickers and the websocket pages of the same names.
"""

from decimal import Decimal
from typing import Any

from mirrorctl.core.paper.decimals import ZERO, money
from mirrorctl.core.paper.guards import PositionGuards
from mirrorctl.core.paper.instruments import Instrument
from mirrorctl.core.paper.model import Account, ClosedPnl, Execution, Market, Order, Position, Side, Transfer

Row = dict[str, Any]
TAKER_FLOOR = Decimal("0.00055")


def _optional(item: Instrument, value: Decimal, nothing: str = "") -> str:
    return item.price(value) if value else nothing


def order_row(order: Order, item: Instrument) -> Row:
    """An entry of order/realtime and order/history."""
    average = order.filled_value / order.filled if order.filled else ZERO
    leaves = order.leaves
    return {
        "orderId": order.order_id,
        "orderLinkId": order.link_id,
        "parentOrderLinkId": order.parent_link_id,
        "blockTradeId": "",
        "symbol": order.symbol,
        "price": item.price(order.price),
        "qty": item.qty(order.qty),
        "side": order.side.value,
        "isLeverage": "",
        "positionIdx": order.idx,
        "orderStatus": order.status.value,
        "createType": order.create_type,
        "cancelType": order.cancel_type,
        "rejectReason": order.reject_reason,
        "avgPrice": money(average) if average else "",
        "leavesQty": item.qty(leaves),
        "leavesValue": money(leaves * (order.price or order.last_on_created)),
        "cumExecQty": item.qty(order.filled),
        "cumExecValue": money(order.filled_value),
        "cumExecFee": money(order.fee),
        "cumFeeDetail": {"USDT": money(order.fee)} if order.filled else {},
        "timeInForce": order.tif,
        "orderType": order.order_type,
        "stopOrderType": order.stop_type,
        "orderIv": "",
        "marketUnit": "",
        "slippageToleranceType": order.slippage_type,
        "slippageTolerance": order.slippage,
        "triggerPrice": _optional(item, order.trigger_price),
        "takeProfit": _optional(item, order.take_profit),
        "stopLoss": _optional(item, order.stop_loss),
        "tpslMode": order.tpsl_mode,
        "tpLimitPrice": _optional(item, order.tp_limit),
        "slLimitPrice": _optional(item, order.sl_limit),
        "tpTriggerBy": order.tp_trigger_by,
        "slTriggerBy": order.sl_trigger_by,
        "triggerDirection": order.trigger_direction,
        "triggerBy": order.trigger_by,
        "lastPriceOnCreated": item.price(order.last_on_created),
        "reduceOnly": order.reduce_only,
        "closeOnTrigger": order.close_on_trigger,
        "placeType": "",
        "smpType": order.smp_type,
        "smpGroup": 0,
        "smpOrderId": "",
        "createdTime": str(order.created_ms),
        "updatedTime": str(order.updated_ms),
    }


def history_row(order: Order, item: Instrument) -> Row:
    """An entry of order/history."""
    return order_row(order, item) | {"extraFees": "", "rpiTakerAccess": False, "rpiMatchedQty": "0"}


def order_push(order: Order, item: Instrument) -> Row:
    """An entry of the private topic `order`."""
    return order_row(order, item) | {
        "category": "linear",
        "brokerOrderPrice": "",
        "closedPnl": money(order.closed_pnl),
        "feeCurrency": "USDT" if order.filled else "",
        "ocoTriggerBy": "OcoTriggerByUnknown",
        "rpiTakerAccess": False,
        "rpiMatchedQty": "0",
    }


def execution_row(row: Execution, item: Instrument) -> Row:
    """An entry of execution/list."""
    return {
        "symbol": row.symbol,
        "orderId": row.order_id,
        "orderLinkId": row.link_id,
        "side": row.side.value,
        "orderPrice": item.price(row.order_price),
        "orderQty": item.qty(row.order_qty),
        "leavesQty": item.qty(row.leaves),
        "createType": row.create_type,
        "orderType": row.order_type,
        "stopOrderType": row.stop_type or "UNKNOWN",
        "execFee": money(row.fee),
        "execId": row.exec_id,
        "execPrice": item.price(row.price),
        "execQty": item.qty(row.qty),
        "execType": row.exec_type,
        "execValue": money(row.price * row.qty),
        "execTime": str(row.time_ms),
        "feeCurrency": "USDT",
        "isMaker": row.is_maker,
        "feeRate": format(row.fee_rate, "f"),
        "tradeIv": "",
        "markIv": "",
        "markPrice": item.price(row.mark),
        "indexPrice": "",
        "underlyingPrice": "",
        "blockTradeId": "",
        "closedSize": item.qty(row.closed_size) if row.closed_size else "0",
        "extraFees": "",
        "seq": row.seq,
    }


def execution_push(row: Execution, item: Instrument) -> Row:
    """An entry of the private topic `execution`."""
    return execution_row(row, item) | {
        "category": "linear",
        "isLeverage": "0",
        "execPnl": money(row.pnl),
        "marketUnit": "",
    }


def break_even(leg: Position, account: Account) -> str:
    """breakEvenPrice by the formula of docs v5/position/position, its fee term on the side of the position."""
    if not leg.size:
        return "0"
    rate = max(account.taker_rate, TAKER_FLOOR)
    if leg.side is Side.BUY:
        return money((leg.entry_value - leg.realised) / (leg.size * (1 - rate)))
    return money((leg.entry_value + leg.realised) / (leg.size * (1 + rate)))


def position_row(
    leg: Position, item: Instrument, account: Account, market: Market, guards: PositionGuards, liq: str
) -> Row:
    """An entry of position/list. `liq` is the estimated liquidation price, "" when there is none."""
    mark = market.mark_price
    value = leg.size * mark
    initial = money(value / account.leverage_of(leg.symbol))
    maintenance = money(value * item.maintenance_rate)
    return {
        "positionIdx": leg.idx,
        "riskId": 1,
        "riskLimitValue": str(item.risk_limit),
        "symbol": leg.symbol,
        "side": leg.side.value if leg.side else "",
        "size": item.qty(leg.size) if leg.size else "0",
        "avgPrice": money(leg.average),
        "positionValue": money(leg.entry_value) if leg.size else "",
        "tradeMode": 0,
        "positionStatus": "Normal",
        "autoAddMargin": 0,
        "adlRankIndicator": leg.adl_rank,
        "leverage": money(account.leverage_of(leg.symbol)),
        "breakEvenPrice": break_even(leg, account) if leg.size else "",
        "positionBalance": "0",
        "markPrice": item.price(mark),
        "liqPrice": liq,
        "bustPrice": "",
        "positionIM": initial,
        "positionIMByMp": initial,
        "positionMM": maintenance,
        "positionMMByMp": maintenance,
        "tpslMode": "Full",
        "takeProfit": _optional(item, guards.take_profit),
        "stopLoss": _optional(item, guards.stop_loss),
        "trailingStop": item.price(guards.trailing),
        "sessionAvgPrice": "",
        "unrealisedPnl": money(leg.unrealised(mark)),
        "curRealisedPnl": money(leg.realised),
        "cumRealisedPnl": money(leg.cum_realised),
        "seq": leg.seq,
        "isReduceOnly": False,
        "mmrSysUpdatedTime": "",
        "leverageSysUpdatedTime": "",
        "createdTime": str(leg.created_ms),
        "updatedTime": str(leg.updated_ms),
        "openTime": leg.opened_ms if leg.size else 0,
    }


def position_push(row: Row) -> Row:
    """The position topic's entry made from the REST one: `entryPrice` in place of `avgPrice`, zeros for nothing."""
    push = {key: value for key, value in row.items() if key not in ("avgPrice", "openTime")}
    push["entryPrice"] = row["avgPrice"]
    push["category"] = "linear"
    for key in ("takeProfit", "stopLoss", "positionValue"):
        push[key] = push[key] or "0"
    return push


def closed_row(row: ClosedPnl, item: Instrument) -> Row:
    """An entry of position/closed-pnl."""
    return {
        "symbol": row.symbol,
        "orderId": row.order_id,
        "side": row.side.value,
        "qty": item.qty(row.qty),
        "orderPrice": item.price(row.order_price),
        "orderType": row.order_type,
        "execType": row.exec_type,
        "closedSize": item.qty(row.closed_size),
        "cumEntryValue": money(row.entry_value),
        "avgEntryPrice": money(row.entry_value / row.closed_size),
        "cumExitValue": money(row.exit_value),
        "avgExitPrice": money(row.exit_value / row.closed_size),
        "closedPnl": money(row.pnl),
        "fillCount": str(row.fills),
        "leverage": money(row.leverage),
        "openFee": money(row.open_fee),
        "closeFee": money(row.close_fee),
        "createdTime": str(row.created_ms),
        "updatedTime": str(row.updated_ms),
    }


def transfer_type(row: Transfer) -> str:
    """Its type in account/transaction-log."""
    return "TRANSFER_IN" if row.amount > ZERO else "TRANSFER_OUT"


def transfer_row(row: Transfer) -> Row:
    """An entry of account/transaction-log for money that was moved in or out."""
    return {
        "id": row.transfer_id,
        "symbol": "",
        "category": "",
        "side": "None",
        "transactionTime": str(row.time_ms),
        "type": transfer_type(row),
        "transSubType": "",
        "qty": money(row.amount),
        "size": "",
        "currency": "USDT",
        "tradePrice": "",
        "funding": "",
        "fee": "",
        "cashFlow": money(row.amount),
        "change": money(row.amount),
        "cashBalance": money(row.balance),
        "feeRate": "",
        "bonusChange": "",
        "tradeId": "",
        "orderId": "",
        "orderLinkId": "",
        "extraFees": "",
    }
