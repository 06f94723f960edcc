"""Domain actions as pybit calls. Pure. Numbers become text without exponent here and nowhere else (A58).

Sources: order/create-order, order/amend-order, order/cancel-order, position/trading-stop, position/leverage.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from mirrorctl.core.domain.actions import Action, AmendOrder, CancelOrder, PlaceOrder, SetLeverage, SetTradingStop
from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.values import OrderType, Side, TimeInForce, TriggerBy

CATEGORY = "linear"

_SIDES = {Side.BUY: "Buy", Side.SELL: "Sell"}
_ORDER_TYPES = {OrderType.LIMIT: "Limit", OrderType.MARKET: "Market"}
_TIMES_IN_FORCE = {
    TimeInForce.GTC: "GTC",
    TimeInForce.IOC: "IOC",
    TimeInForce.FOK: "FOK",
    TimeInForce.POST_ONLY: "PostOnly",
}
_TRIGGERS = {TriggerBy.LAST: "LastPrice", TriggerBy.INDEX: "IndexPrice", TriggerBy.MARK: "MarkPrice"}
_BATCHES = {
    "place_order": "place_batch_order",
    "amend_order": "amend_batch_order",
    "cancel_order": "cancel_batch_order",
}


class Call(NamedTuple):
    """A method of `pybit.unified_trading.HTTP` and its keyword arguments."""

    method: str
    params: dict[str, Any]


def encode(action: Action) -> Call:
    """The call that carries `action` out. Raises ValueError for an action that Bybit can only refuse."""
    match action:
        case PlaceOrder():
            return Call("place_order", _place(action))
        case AmendOrder():
            return Call("amend_order", _amend(action))
        case CancelOrder():
            return Call("cancel_order", _named(action.symbol, action.order_id, action.link_id))
        case SetTradingStop():
            return Call("set_trading_stop", _trading_stop(action))
        case SetLeverage():
            leverage = _positive("leverage", action.leverage)
            params = {"category": CATEGORY, "symbol": action.symbol}
            return Call("set_leverage", params | {"buyLeverage": leverage, "sellLeverage": leverage})


def encode_batch(actions: Sequence[Action]) -> Call:
    """The call that carries several actions of one kind out (order/batch-place, batch-amend, batch-cancel).

    Raises ValueError for kinds that have no batch, for several kinds at once, and as `encode` does.
    """
    calls = [encode(action) for action in actions]
    method = _BATCHES.get(calls[0].method)
    if method is None or any(call.method != calls[0].method for call in calls):
        raise ValueError("no batch of such actions")
    orders = [{name: value for name, value in call.params.items() if name != "category"} for call in calls]
    return Call(method, {"category": CATEGORY, "request": orders})


def _place(action: PlaceOrder) -> dict[str, Any]:
    order_type = _ORDER_TYPES.get(action.order_type)
    if order_type is None:
        raise ValueError(f"an order of type {action.order_type} cannot be placed")
    params: dict[str, Any] = {
        "category": CATEGORY,
        "symbol": action.symbol,
        "side": _SIDES[action.side],
        "orderType": order_type,
        "qty": _positive("qty", action.qty),
        "orderLinkId": action.link_id,
        "positionIdx": action.position_idx,
    }
    if action.order_type is OrderType.LIMIT:
        if action.price is None:
            raise ValueError("a limit order needs a price")
        params["price"] = _positive("price", action.price)
        params["timeInForce"] = _TIMES_IN_FORCE[action.time_in_force]
    if action.reduce_only:
        params["reduceOnly"] = True
    if action.trigger_price is not None:
        if action.trigger_direction not in (1, 2):
            raise ValueError("a conditional order needs a trigger direction: 1 rising, 2 falling")
        params["triggerPrice"] = _positive("trigger_price", action.trigger_price)
        params["triggerDirection"] = action.trigger_direction
        params["triggerBy"] = _TRIGGERS[action.trigger_by]
    if action.stop_loss is not None:
        if action.reduce_only:
            raise ValueError("a reduce-only order cannot carry a stop")
        params["stopLoss"] = _positive("stop_loss", action.stop_loss)
        params["slTriggerBy"] = _TRIGGERS[action.stop_loss_by]
        params["tpslMode"] = "Full"
    return params


def _amend(action: AmendOrder) -> dict[str, Any]:
    params = _named(action.symbol, action.order_id, action.link_id)
    bare = len(params)
    if action.qty is not None:
        params["qty"] = _positive("qty", action.qty)
    if action.price is not None:
        params["price"] = _positive("price", action.price)
    if action.trigger_price is not None:
        params["triggerPrice"] = _positive("trigger_price", action.trigger_price)
    if action.stop_loss is not None:
        params["stopLoss"] = _removable("stop_loss", action.stop_loss)
        if action.stop_loss_by is not None:
            params["slTriggerBy"] = _TRIGGERS[action.stop_loss_by]
    if len(params) == bare:
        raise ValueError("an amendment that changes nothing")
    return params


def _trading_stop(action: SetTradingStop) -> dict[str, Any]:
    params: dict[str, Any] = {
        "category": CATEGORY,
        "symbol": action.symbol,
        "tpslMode": "Full",
        "positionIdx": action.position_idx,
    }
    if action.stop_loss is None and action.take_profit is None and action.trailing_stop is None:
        raise ValueError("neither a stop, nor a target, nor a trailing stop to set")
    if action.stop_loss is not None:
        params["stopLoss"] = _removable("stop_loss", action.stop_loss)
        params["slTriggerBy"] = _TRIGGERS[action.stop_loss_by]
    if action.take_profit is not None:
        params["takeProfit"] = _removable("take_profit", action.take_profit)
        params["tpTriggerBy"] = _TRIGGERS[action.take_profit_by]
    if action.trailing_stop is not None:
        params["trailingStop"] = _removable("trailing_stop", action.trailing_stop)
    if action.active_price is not None:
        if not action.trailing_stop:
            raise ValueError("an active price belongs to a trailing stop")
        params["activePrice"] = _positive("active_price", action.active_price)
    return params


def _named(symbol: str, order_id: str, link_id: str) -> dict[str, Any]:
    """An order named by its id, which wins over the link id where both are sent (order/cancel-order)."""
    params: dict[str, Any] = {"category": CATEGORY, "symbol": symbol}
    if order_id:
        params["orderId"] = order_id
    elif link_id:
        params["orderLinkId"] = link_id
    else:
        raise ValueError("neither an order id nor a link id to name the order")
    return params


def _positive(name: str, value: Decimal) -> str:
    if not value.is_finite() or value <= ZERO:
        raise ValueError(f"{name} must be above zero, not {value}")
    return plain(value)


def _removable(name: str, value: Decimal) -> str:
    if not value.is_finite() or value < ZERO:
        raise ValueError(f"{name} must not be negative, not {value}")
    return plain(value)
