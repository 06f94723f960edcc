"""Order writes (docs v5/order/create-order, amend-order, cancel-order, cancel-all)."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from mirrorctl.core.paper import matching
from mirrorctl.core.paper.call import Call
from mirrorctl.core.paper.margin import affordable
from mirrorctl.core.paper.model import Order, Status
from mirrorctl.core.paper.order_checks import (
    TRIGGER_BY,
    build_order,
    check_tpsl,
    check_trigger,
    most_qty,
    reprice,
)
from mirrorctl.core.paper.params import amount, choice, instrument, linear, price, text
from mirrorctl.core.paper.protection import unbind
from mirrorctl.core.paper.refusals import Refusal, bad

Result = dict[str, Any]
CANCEL_ALL_MOST = 500


def create(call: Call) -> Result:
    """Checks and accepts an order; a reduce-only one above the maximum is split into several."""
    linear(call.params)
    order = build_order(call.floor, call.account, call.params)
    parts = _split(order, most_qty(call.state.instruments[order.symbol], order))
    for part in parts:
        part.n, part.order_id = call.state.new_id()
    for part in parts:
        matching.accept(call.floor, part)
    return {"orderId": parts[0].order_id, "orderLinkId": order.link_id}


def _split(order: Order, most: Decimal) -> list[Order]:
    parts: list[Order] = []
    left = order.qty
    while left > most:
        parts.append(replace(order, qty=most, link_id="" if parts else order.link_id))
        left -= most
    parts.append(replace(order, qty=left, link_id="" if parts else order.link_id))
    return parts


def amend(call: Call) -> Result:
    """Changes quantity, price, trigger or attached take-profit and stop-loss of an open order."""
    linear(call.params)
    order = _named(call)
    if not order.is_open:
        raise Refusal(110001, "order not exists or too late to replace")
    draft = replace(order)
    item, market = call.state.instruments[order.symbol], call.state.markets[order.symbol]
    qty, limit = amount(call.params, "qty"), price(call.params, "price", item)
    trigger = price(call.params, "triggerPrice", item)
    if qty is not None:
        if qty <= order.filled:
            raise Refusal(110064, "The modified contract quantity cannot be less than or equal to the filled quantity.")
        if qty % item.step or qty < item.min_qty or qty > most_qty(item, order):
            raise bad("params error: qty invalid")
        draft.qty = qty
    if limit and order.order_type == "Limit":
        draft.price = limit if order.trigger_price else reprice(market, item, order.side, limit)
    if trigger:
        if order.status is not Status.UNTRIGGERED:
            raise bad("params error: triggerPrice cannot be changed on an active order")
        draft.trigger_price = trigger
        draft.trigger_by = choice(call.params, "triggerBy", TRIGGER_BY, order.trigger_by or "LastPrice")
        check_trigger(market, trigger, order.trigger_direction, draft.trigger_by)
    _amend_tpsl(call, draft)
    if draft == order:
        raise bad("The order remains unchanged as the parameters entered match the existing ones.")
    _check_amended(call, order, draft)
    _replace(call, order, draft)
    return {"orderId": order.order_id, "orderLinkId": order.link_id}


def _amend_tpsl(call: Call, draft: Order) -> None:
    item, market = call.state.instruments[draft.symbol], call.state.markets[draft.symbol]
    take, stop = price(call.params, "takeProfit", item), price(call.params, "stopLoss", item)
    if take is None and stop is None:
        return
    if draft.reduce_only:
        raise bad("params error: TP/SL cannot be set when reduceOnly is true")
    if draft.filled:
        raise Refusal(110059, "Not allowed to modify the TP/SL of a partially filled open order")
    draft.take_profit = draft.take_profit if take is None else take
    draft.stop_loss = draft.stop_loss if stop is None else stop
    draft.tpsl_mode = choice(call.params, "tpslMode", ("Full", "Partial"), draft.tpsl_mode or "Full")
    draft.tp_trigger_by = choice(call.params, "tpTriggerBy", TRIGGER_BY, draft.tp_trigger_by or "LastPrice")
    draft.sl_trigger_by = choice(call.params, "slTriggerBy", TRIGGER_BY, draft.sl_trigger_by or "LastPrice")
    base = draft.price if draft.order_type == "Limit" else draft.trigger_price or market.last
    check_tpsl(draft.side, draft.take_profit, draft.stop_loss, base, "LastPrice")


def _check_amended(call: Call, order: Order, draft: Order) -> None:
    item = call.state.instruments[order.symbol]
    basis = draft.price or draft.trigger_price
    exempt = draft.reduce_only and call.state.reductions_exempt
    if not exempt and draft.qty * basis < item.min_notional:
        raise Refusal(110094, "Order does not meet minimum order value 5USDT")
    if order.resting and not order.reduce_only:
        # Its own reservation is given back before the new one is asked for.
        enough = affordable(call.state, draft, draft.price, without=order)
        if not enough:
            raise Refusal(110007, "ab not enough for new order")


def _replace(call: Call, order: Order, draft: Order) -> None:
    for name in Order.__dataclass_fields__:
        setattr(order, name, getattr(draft, name))
    if order.protective:
        unbind(call.floor, order)
        if order.trail and not order.extreme:
            order.active_price = order.trigger_price
    if order.resting:
        matching.activate(call.floor, order)
    else:
        call.floor.tell_order(order)
    call.floor.tell_leg(order.uid, order.symbol, order.idx)


def cancel(call: Call) -> Result:
    """Cancels one open order."""
    linear(call.params)
    order = _named(call)
    if not order.is_open:
        raise Refusal(110001, "order not exists or too late to cancel")
    matching.cancel(call.floor, order)
    return {"orderId": order.order_id, "orderLinkId": order.link_id}


def cancel_all(call: Call) -> Result:
    """Cancels by symbol, baseCoin or settleCoin; without a filter conditionals and TP/SL go too."""
    linear(call.params)
    scope = call.scope(required=True)
    assert scope is not None
    wanted = choice(call.params, "orderFilter", ("", "Order", "StopOrder", "OpenOrder"), "")
    only = text(call.params, "stopOrderType")
    gone: list[dict[str, str]] = []
    for order in call.state.live(call.account.uid):
        waiting = order.status is Status.UNTRIGGERED
        if order.symbol not in scope or (wanted and waiting != (wanted == "StopOrder")):
            continue
        if wanted == "StopOrder" and only == "Stop" and order.protective:
            continue
        if order.is_open and len(gone) < CANCEL_ALL_MOST:
            matching.cancel(call.floor, order)
            gone.append({"orderId": order.order_id, "orderLinkId": order.link_id})
    return {"list": gone, "success": "1"}


def _named(call: Call) -> Order:
    item = instrument(call.state.instruments, call.params)
    order_id, link_id = text(call.params, "orderId"), text(call.params, "orderLinkId")
    if not (order_id or link_id):
        raise bad("params error: orderId or orderLinkId is required")
    uid = call.account.uid
    # orderId wins when both are given and disagree.
    order = call.state.order(uid, order_id or call.state.links.get((uid, link_id), ""))
    if order is None or order.symbol != item.symbol:
        raise Refusal(110001, "order not exists or too late to operate")
    return order
