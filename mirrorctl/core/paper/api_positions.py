"""Positions and what is set on them (docs v5/position)."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mirrorctl.core.paper.call import Call
from mirrorctl.core.paper.decimals import ZERO
from mirrorctl.core.paper.guards import full_guard, protective_orders
from mirrorctl.core.paper.instruments import Instrument
from mirrorctl.core.paper.margin import totals
from mirrorctl.core.paper.model import Market, Order, Position, Side
from mirrorctl.core.paper.order_checks import TRIGGER_BY, check_tpsl
from mirrorctl.core.paper.paging import keyed
from mirrorctl.core.paper.params import amount, choice, instrument, integer, linear, price, text
from mirrorctl.core.paper.protection import GuardSpec, bind, drop_guard, place_guard, unbind
from mirrorctl.core.paper.refusals import Refusal, bad

Result = dict[str, Any]
PARTIAL_CAP = 20


def listing(call: Call) -> Result:
    """By symbol: its legs even when flat. By settleCoin: only legs with size."""
    linear(call.params)
    uid = call.account.uid
    if text(call.params, "symbol"):
        legs = call.state.legs(uid, instrument(call.state.instruments, call.params).symbol)
    else:
        scope = call.scope(required=True)
        assert scope is not None
        legs = [leg for leg in call.state.positions[uid].values() if leg.size and leg.symbol in scope]
        legs.sort(key=lambda leg: (leg.symbol, leg.idx))
    by_key = {f"{leg.symbol}:{leg.idx}": leg for leg in legs}
    page, cursor = keyed(list(by_key), call.params, 20, 200)
    sums = totals(call.state, uid)
    rows = [call.floor.leg_row(by_key[key], sums) for key in page]
    return {"list": rows, "nextPageCursor": cursor, "category": "linear"}


def set_leverage(call: Call) -> Result:
    """One leverage for both sides under cross margin; 110043 when it is set already."""
    linear(call.params)
    item = instrument(call.state.instruments, call.params)
    buy, sell = amount(call.params, "buyLeverage"), amount(call.params, "sellLeverage")
    if buy is None or sell is None or buy != sell or buy % Decimal("0.01") or buy < 1:
        raise bad("params error: buyLeverage and sellLeverage must be equal, at least 1 and a multiple of 0.01")
    if buy > item.max_leverage:
        raise Refusal(110013, f"cannot set leverage [{buy}] gt maxLeverage [{item.max_leverage}] by risk limit")
    account, before = call.account, call.account.leverage_of(item.symbol)
    if buy == before:
        raise Refusal(110043, "leverage not modified")
    account.leverage[item.symbol] = buy
    if buy < before and totals(call.state, account.uid).available < ZERO:
        account.leverage[item.symbol] = before
        raise Refusal(110044, "Available margin is insufficient.")
    call.state.touch_account(account)
    for leg in call.state.legs(account.uid, item.symbol):
        call.floor.tell_leg(account.uid, item.symbol, leg.idx)
    return {}


def switch_mode(call: Call) -> Result:
    """One-way (0) or hedge (3), for a symbol, or for every symbol of a coin that has no position and no order."""
    linear(call.params)
    mode = integer(call.params, "mode")
    if mode not in (0, 3):
        raise bad("params error: mode invalid")
    account, hedge = call.account, mode == 3
    if text(call.params, "symbol"):
        symbol = instrument(call.state.instruments, call.params).symbol
        if account.hedged(symbol) == hedge:
            raise Refusal(110025, "Position mode is not modified")
        if _has_position(call, symbol):
            raise Refusal(110024, "You have an existing position, so the position mode cannot be switched.")
        if call.state.live(account.uid, symbol):
            raise Refusal(110028, "You have existing open orders, so the position mode cannot be switched.")
        account.modes[symbol] = hedge
    elif text(call.params, "coin") == "USDT":
        for symbol in call.state.instruments:
            busy = _has_position(call, symbol) or bool(call.state.live(account.uid, symbol))
            account.modes[symbol] = account.hedged(symbol) if busy else hedge
        account.hedge = hedge
    else:
        raise bad("params error: symbol or coin is required")
    call.state.touch_account(account)
    return {}


def _has_position(call: Call, symbol: str) -> bool:
    return any(leg.size for leg in call.state.legs(call.account.uid, symbol))


@dataclass(frozen=True, slots=True)
class _Stop:
    call: Call
    leg: Position
    item: Instrument
    market: Market

    @property
    def side(self) -> Side:
        assert self.leg.side is not None
        return self.leg.side


def trading_stop(call: Call) -> Result:
    """Sets, moves or removes what protects a position; flat is refused with 10001."""
    linear(call.params)
    item = instrument(call.state.instruments, call.params)
    mode = choice(call.params, "tpslMode", ("Full", "Partial"))
    idx = integer(call.params, "positionIdx") or 0
    if idx not in ((1, 2) if call.account.hedged(item.symbol) else (0,)):
        raise bad("position idx not match position mode")
    leg = call.state.position(call.account.uid, item.symbol, idx)
    if leg.side is None:
        raise bad("can not set tp/sl/ts for zero position")
    stop = _Stop(call, leg, item, call.state.markets[item.symbol])
    if mode == "Full":
        _set_full(stop)
    else:
        _add_partial(stop)
    call.floor.tell_leg(leg.uid, leg.symbol, leg.idx)
    return {}


def _set_full(stop: _Stop) -> None:
    params = stop.call.params
    for key in ("tpOrderType", "slOrderType"):
        if choice(params, key, ("Market", "Limit"), "Market") == "Limit":
            raise bad(f"params error: tpslMode Full supports {key} Market only")
    take, take_by = _wanted(stop, "takeProfit", "tpTriggerBy")
    loss, loss_by = _wanted(stop, "stopLoss", "slTriggerBy")
    trail = price(params, "trailingStop", stop.item)
    active = price(params, "activePrice", stop.item) or ZERO
    _check_side(stop, take or ZERO, ZERO, take_by)
    _check_side(stop, ZERO, loss or ZERO, loss_by)
    if active and (active <= stop.market.last if stop.side is Side.BUY else active >= stop.market.last):
        raise bad("TrailingProfit active price invalid for the side of the position")
    specs = (
        (take, GuardSpec("TakeProfit", take or ZERO, take_by)),
        (loss, GuardSpec("StopLoss", loss or ZERO, loss_by)),
        (trail, GuardSpec("TrailingStop", active, "LastPrice", trail=trail or ZERO)),
    )
    changed = [spec for value, spec in specs if value is not None and _differs(stop, value, spec)]
    if not changed:
        raise Refusal(34040, "not modified")
    placed: dict[str, Order | None] = {}
    for spec in changed:
        placed[spec.stop_type] = _apply(stop, spec)
    pair = placed.get("TakeProfit"), placed.get("StopLoss")
    if pair[0] is not None and pair[1] is not None:
        bind(*pair)
    else:
        for order in pair:
            if order is not None:
                unbind(stop.call.floor, order)


def _wanted(stop: _Stop, key: str, by_key: str) -> tuple[Decimal | None, str]:
    return price(stop.call.params, key, stop.item), choice(stop.call.params, by_key, TRIGGER_BY, "LastPrice")


def _check_side(stop: _Stop, take: Decimal, loss: Decimal, by: str) -> None:
    base = stop.market.last if by == "LastPrice" else stop.market.mark_price
    check_tpsl(stop.side, take, loss, base, by)


def _differs(stop: _Stop, value: Decimal, spec: GuardSpec) -> bool:
    standing = full_guard(stop.call.state, stop.leg, spec.stop_type)
    if standing is None:
        return value != ZERO
    if spec.stop_type == "TrailingStop":
        return value != standing.trail or (spec.trigger_price not in (ZERO, standing.active_price))
    return (value, spec.trigger_by) != (standing.trigger_price, standing.trigger_by)


def _apply(stop: _Stop, spec: GuardSpec) -> Order | None:
    if spec.trail or (spec.trigger_price and spec.stop_type != "TrailingStop"):
        return place_guard(stop.call.floor, stop.leg, spec)
    standing = full_guard(stop.call.state, stop.leg, spec.stop_type)
    if standing is not None:
        unbind(stop.call.floor, standing)
        drop_guard(stop.call.floor, standing, "CancelByUser")
    return None


def _add_partial(stop: _Stop) -> None:
    params = stop.call.params
    take, take_by = _wanted(stop, "takeProfit", "tpTriggerBy")
    loss, loss_by = _wanted(stop, "stopLoss", "slTriggerBy")
    if not (take or loss):
        raise Refusal(34040, "not modified")
    take_size, loss_size = amount(params, "tpSize"), amount(params, "slSize")
    if take and loss and take_size != loss_size:
        raise bad("params error: tpSize and slSize must be equal")
    _check_side(stop, take or ZERO, ZERO, take_by)
    _check_side(stop, ZERO, loss or ZERO, loss_by)
    made: list[Order | None] = []
    for value, by, size, kind in (
        (take, take_by, take_size, "PartialTakeProfit"),
        (loss, loss_by, loss_size, "PartialStopLoss"),
    ):
        if not value:
            made.append(None)
            continue
        _check_partial(stop, size)
        assert size is not None
        prefix = "tp" if "Take" in kind else "sl"
        limit = ZERO
        if choice(params, f"{prefix}OrderType", ("Market", "Limit"), "Market") == "Limit":
            limit = price(params, f"{prefix}LimitPrice", stop.item) or ZERO
            if not limit:
                raise bad(f"params error: {prefix}LimitPrice is required")
        made.append(place_guard(stop.call.floor, stop.leg, GuardSpec(kind, value, by, qty=size, limit=limit)))
    if made[0] is not None and made[1] is not None:
        bind(made[0], made[1])


def _check_partial(stop: _Stop, size: Decimal | None) -> None:
    if not size or size % stop.item.step:
        raise bad("params error: tpSize or slSize invalid")
    if size > stop.leg.size:
        raise Refusal(
            110058, "You can't set take profit and stop loss due to insufficient size of remaining position size."
        )
    partials = [o for o in protective_orders(stop.call.state, stop.leg) if o.stop_type.startswith("Partial")]
    if len(partials) >= PARTIAL_CAP:
        raise Refusal(110061, "Not allowed to have more than 20 TP/SLs under Partial tpSlMode")
