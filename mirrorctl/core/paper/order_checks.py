"""From the parameters of order/create to an order, or to the refusal that Bybit documents.

Sources: docs v5/order/create-order and v5/error. Where neither says, the stricter reading is taken.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from mirrorctl.core.paper import book
from mirrorctl.core.paper.decimals import ZERO, ceil_to, floor_to
from mirrorctl.core.paper.floor import Floor
from mirrorctl.core.paper.instruments import Instrument
from mirrorctl.core.paper.margin import affordable, closes_hedge_leg
from mirrorctl.core.paper.model import Account, Market, Order, Side, Status
from mirrorctl.core.paper.params import Params, amount, choice, flag, instrument, integer, price, text
from mirrorctl.core.paper.refusals import Refusal, bad

ACTIVE_CAP = 500
CONDITIONAL_CAP = 10
TRIGGER_BY = ("LastPrice", "MarkPrice", "IndexPrice")
_LINK = re.compile(r"[A-Za-z0-9_-]{1,36}")


@dataclass(frozen=True, slots=True)
class _Desk:
    floor: Floor
    account: Account
    item: Instrument
    market: Market


def build_order(floor: Floor, account: Account, params: Params) -> Order:
    """A checked order that is not yet accepted. Raises Refusal."""
    item = instrument(floor.state.instruments, params)
    desk = _Desk(floor, account, item, floor.state.markets[item.symbol])
    order = _read(desk, params)
    _check_link(desk, order)
    _check_idx(desk, order)
    _read_trigger(desk, order, params)
    _check_reduce(desk, order, params)
    _check_qty(desk, order)
    _read_price(desk, order, params)
    _read_tpsl(desk, order, params)
    _check_caps(desk, order)
    if not order.trigger_price and not affordable(floor.state, order, order.price or desk.market.last):
        raise Refusal(110007, "ab not enough for new order")
    return order


def check_tpsl(side: Side, take: Decimal, stop: Decimal, base: Decimal, by: str) -> None:
    """Take-profit beyond and stop-loss before `base`, as seen by a position of `side`."""
    rule = ("higher", "lower") if side is Side.BUY else ("lower", "higher")
    if take and (take <= base if side is Side.BUY else take >= base):
        raise bad(f"TakeProfit:{take} set for {side.value} position should be {rule[0]} than base_price:{base}??{by}")
    if stop and (stop >= base if side is Side.BUY else stop <= base):
        raise bad(f"StopLoss:{stop} set for {side.value} position should {rule[1]} than base_price:{base}??{by}")


def check_trigger(market: Market, trigger: Decimal, direction: int, by: str) -> None:
    """A trigger must not have been passed already (110092, 110093)."""
    current = market.last if by == "LastPrice" else market.mark_price
    if direction == 1 and trigger <= current:
        raise Refusal(110092, f"expect Rising, but trigger_price[{trigger}] <= current[{current}]??laste")
    if direction == 2 and trigger >= current:
        raise Refusal(110093, f"expect Falling, but trigger_price[{trigger}] >= current[{current}]??last")


def reprice(market: Market, item: Instrument, side: Side, value: Decimal) -> Decimal:
    """A price beyond the band is moved to its edge without a word (docs v5/account/set-price-limit)."""
    if side is Side.BUY:
        return min(value, floor_to(market.mark_price * (1 + item.band_y), item.tick))
    return max(value, ceil_to(market.mark_price * (1 - item.band_y), item.tick))


def _read(desk: _Desk, params: Params) -> Order:
    order_type = choice(params, "orderType", ("Market", "Limit"))
    side = Side(choice(params, "side", ("Buy", "Sell")))
    tif = choice(params, "timeInForce", ("GTC", "IOC", "FOK", "PostOnly", "RPI"), "GTC")
    if tif == "RPI":
        raise Refusal(110119, "Order failed. RPI orders are restricted to approved market makers only")
    qty = amount(params, "qty")
    if qty is None:
        raise bad("params error: qty invalid")
    if text(params, "bboSideType"):
        raise bad("params error: bboSideType is not served by the paper exchange")
    idx = integer(params, "positionIdx") or 0
    closing = flag(params, "closeOnTrigger")
    return Order(
        order_id="",
        n=0,
        uid=desk.account.uid,
        symbol=desk.item.symbol,
        side=side,
        order_type=order_type,
        qty=qty,
        price=ZERO,
        tif="IOC" if order_type == "Market" else tif,
        idx=idx,
        created_ms=desk.floor.now,
        updated_ms=desk.floor.now,
        last_on_created=desk.market.last,
        link_id=text(params, "orderLinkId"),
        # A close-on-trigger order can only reduce (docs v5/order/create-order), said or not.
        reduce_only=flag(params, "reduceOnly") or closing,
        close_on_trigger=closing,
        smp_type=text(params, "smpType") or "None",
    )


def _check_link(desk: _Desk, order: Order) -> None:
    link = order.link_id
    if link and not _LINK.fullmatch(link):
        raise bad("params error: OrderLinkedID must be at most 36 letters, digits, dashes or underscores")
    if link and (order.uid, link) in desk.floor.state.links:
        raise Refusal(110072, "OrderLinkedID is duplicate")


def _check_idx(desk: _Desk, order: Order) -> None:
    allowed = (1, 2) if desk.account.hedged(order.symbol) else (0,)
    if order.idx not in allowed:
        raise bad("position idx not match position mode")


def _read_trigger(desk: _Desk, order: Order, params: Params) -> None:
    trigger = price(params, "triggerPrice", desk.item)
    if not trigger:
        return
    direction = integer(params, "triggerDirection")
    if direction not in (1, 2):
        raise bad("params error: triggerDirection invalid")
    order.trigger_price, order.trigger_direction = trigger, direction
    order.trigger_by = choice(params, "triggerBy", TRIGGER_BY, "LastPrice")
    order.stop_type = "Stop"
    order.status = Status.UNTRIGGERED
    check_trigger(desk.market, trigger, direction, order.trigger_by)


def _check_reduce(desk: _Desk, order: Order, params: Params) -> None:
    if not (order.reduce_only or closes_hedge_leg(order)):
        return
    leg = desk.floor.state.position(order.uid, order.symbol, order.idx)
    if not leg.size:
        raise Refusal(110017, "current position is zero, cannot fix reduce-only order qty")
    if leg.side is order.side:
        raise Refusal(110017, "Reduce-only rule not satisfied")
    if params.get("takeProfit") or params.get("stopLoss"):
        raise bad("params error: TP/SL cannot be set when reduceOnly is true")
    if order.qty == ZERO and order.reduce_only and order.close_on_trigger:
        order.qty = min(leg.size, most_qty(desk.item, order))
    elif not order.trigger_price and order.order_type == "Limit":
        order.qty = min(order.qty, leg.size)


def most_qty(item: Instrument, order: Order) -> Decimal:
    """The largest quantity of one order of this type."""
    return item.max_market_qty if order.order_type == "Market" else item.max_qty


def _check_qty(desk: _Desk, order: Order) -> None:
    item = desk.item
    if ZERO < order.qty < item.step:
        raise Refusal(110017, "orderQty will be truncated to zero.")
    if order.qty % item.step:
        raise bad("params error: qty is not a multiple of the quantity step")
    if order.qty < item.min_qty:
        raise bad("The number of contracts exceeds minimum limit allowed")
    if order.qty > most_qty(item, order) and not order.reduce_only:
        raise bad("The number of contracts exceeds maximum limit allowed")


def _read_price(desk: _Desk, order: Order, params: Params) -> None:
    item, market = desk.item, desk.market
    if order.order_type == "Limit":
        value = price(params, "price", item)
        if not value:
            raise bad("params error: price invalid")
        order.price = value if order.trigger_price else reprice(market, item, order.side, value)
    elif text(params, "slippageToleranceType"):
        order.price = _slippage_price(desk, order, params)
    basis = order.price if order.order_type == "Limit" else order.trigger_price or market.last
    exempt = order.reduce_only and desk.floor.state.reductions_exempt
    if not exempt and order.qty * basis < item.min_notional:
        raise Refusal(110094, "Order does not meet minimum order value 5USDT")


def _slippage_price(desk: _Desk, order: Order, params: Params) -> Decimal:
    kind = choice(params, "slippageToleranceType", ("TickSize", "Percent"))
    value = amount(params, "slippageTolerance")
    if order.trigger_price:
        raise bad("params error: slippageTolerance is for plain market orders")
    if kind == "TickSize" and (value is None or value % 1 or not 1 <= value <= 10000):
        raise Refusal(110108, "Allowable range: 1 to 10000 tick size")
    if kind == "Percent" and (value is None or value % Decimal("0.01") or not Decimal("0.01") <= value <= 10):
        raise Refusal(110109, "Allowable range: 0.01% to 10%")
    assert value is not None
    order.slippage_type, order.slippage = kind, text(params, "slippageTolerance")
    first = book.best(desk.market, desk.item, order.side)
    room = value * desk.item.tick if kind == "TickSize" else first * value / 100
    if order.side is Side.BUY:
        return floor_to(first + room, desk.item.tick)
    return ceil_to(first - room, desk.item.tick)


def _read_tpsl(desk: _Desk, order: Order, params: Params) -> None:
    item = desk.item
    take, stop = price(params, "takeProfit", item) or ZERO, price(params, "stopLoss", item) or ZERO
    if not (take or stop):
        return
    order.take_profit, order.stop_loss = take, stop
    order.tpsl_mode = choice(params, "tpslMode", ("Full", "Partial"), "Full")
    order.tp_trigger_by = choice(params, "tpTriggerBy", TRIGGER_BY, "LastPrice")
    order.sl_trigger_by = choice(params, "slTriggerBy", TRIGGER_BY, "LastPrice")
    order.tp_order_type = choice(params, "tpOrderType", ("Market", "Limit"), "Market")
    order.sl_order_type = choice(params, "slOrderType", ("Market", "Limit"), "Market")
    order.tp_limit = price(params, "tpLimitPrice", item) or ZERO
    order.sl_limit = price(params, "slLimitPrice", item) or ZERO
    limited = "Limit" in (order.tp_order_type, order.sl_order_type)
    if limited and order.tpsl_mode == "Full":
        raise bad("params error: tpslMode Full supports Market take profit and stop loss only")
    if (order.tp_order_type == "Limit" and not order.tp_limit) or (
        order.sl_order_type == "Limit" and not order.sl_limit
    ):
        raise bad("params error: limit price of take profit or stop loss missing")
    base = order.price if order.order_type == "Limit" else order.trigger_price or desk.market.last
    check_tpsl(order.side, take, stop, base, "LastPrice")


def _check_caps(desk: _Desk, order: Order) -> None:
    live = [o for o in desk.floor.state.live(order.uid, order.symbol) if not o.protective]
    waiting = sum(o.status is Status.UNTRIGGERED for o in live)
    if order.trigger_price:
        if waiting >= CONDITIONAL_CAP:
            raise Refusal(110009, "The number of stop orders exceeds the maximum allowable limit")
    elif len(live) - waiting >= ACTIVE_CAP:
        raise Refusal(110020, "Not allowed to have more than 500 active orders")
