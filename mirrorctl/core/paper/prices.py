"""Prices move here, and everything that waits for a price reacts on the way."""

from collections.abc import Iterator
from decimal import Decimal
from hashlib import blake2b

from mirrorctl.core.paper.decimals import ZERO, floor_to
from mirrorctl.core.paper.floor import Floor
from mirrorctl.core.paper.incidents import liquidate
from mirrorctl.core.paper.instruments import Instrument
from mirrorctl.core.paper.margin import totals
from mirrorctl.core.paper.matching import fill_resting, trigger
from mirrorctl.core.paper.model import Market, Order, Side, Status

_SPREAD = 4 * 65535


def move(floor: Floor, symbol: str, target: Decimal, *, gap: bool = False) -> None:
    """Brings the last price to `target`, trading through every order on the way.

    With `gap` nothing trades in between: waiting orders meet the target price at once.
    """
    market = floor.state.markets[symbol]
    rising = target > market.last
    while True:
        _print_price(floor, market, target if gap else _next_stop(floor, market, target, rising))
        react(floor, market)
        floor.flush()
        if market.last == target:
            return


def set_mark(floor: Floor, symbol: str, mark: Decimal | None) -> None:
    """Sets the mark price apart from last, or (None) joins them again."""
    market = floor.state.markets[symbol]
    market.mark = mark
    floor.state.touch_market(market)
    floor.moved.add(symbol)
    react(floor, market)


def react(floor: Floor, market: Market) -> None:
    """Fires triggers, fills touched limits and liquidates at the present prices, oldest order first."""
    _trail(floor, market)
    for order in list(floor.state.orders_by_symbol[market.symbol].values()):
        if order.status is Status.UNTRIGGERED:
            if _fires(order, market):
                trigger(floor, order)
        elif order.resting and _touched(order, market):
            fill_resting(floor, order, order.leaves)
    # A fill may have brought a stop into being whose price has been passed already: it fires now, too.
    while (late := _first_firing(floor, market)) is not None:
        trigger(floor, late)
    for uid, legs in list(floor.state.positions.items()):
        exposed = any(leg.size for (symbol, _), leg in legs.items() if symbol == market.symbol)
        if exposed and totals(floor.state, uid).underwater:
            liquidate(floor, uid)


def _first_firing(floor: Floor, market: Market) -> Order | None:
    for order in floor.state.orders_by_symbol[market.symbol].values():
        if order.status is Status.UNTRIGGERED and _fires(order, market):
            return order
    return None


def walk_price(market: Market, item: Instrument, seed: int, volatility: Decimal) -> Decimal:
    """The next price of the seeded walk: a bell-shaped step of standard deviation `volatility`, on the tick."""
    digest = blake2b(f"{seed}:{market.symbol}:{market.steps}".encode(), digest_size=8).digest()
    total = sum(int.from_bytes(digest[i : i + 2], "big") for i in (0, 2, 4, 6))
    # The mean of four uniforms on [-1, 1] has a standard deviation of 1 / 3.4641.
    shift = (Decimal(2 * total - _SPREAD) / _SPREAD) * Decimal("3.4641") * volatility
    price = floor_to(market.last * (1 + shift) + item.tick / 2, item.tick)
    return min(max(price, item.tick * 10), item.max_price - item.tick * 10)


def _print_price(floor: Floor, market: Market, price: Decimal) -> None:
    if price != market.last:
        market.direction = "PlusTick" if price > market.last else "MinusTick"
    market.last = price
    market.high = max(market.high, price)
    market.low = min(market.low, price)
    market.updates += 1
    floor.state.touch_market(market)
    floor.moved.add(market.symbol)


def _next_stop(floor: Floor, market: Market, target: Decimal, rising: bool) -> Decimal:
    nearest = target
    for order in floor.state.orders_by_symbol[market.symbol].values():
        for price in _waits_for(order, market, rising):
            if (rising and market.last < price < nearest) or (not rising and nearest < price < market.last):
                nearest = price
    return nearest


def _waits_for(order: Order, market: Market, rising: bool) -> Iterator[Decimal]:
    if order.resting:
        if (order.side is Side.SELL) == rising:
            yield order.price
    elif order.status is not Status.UNTRIGGERED or (order.trigger_by != "LastPrice" and market.mark is not None):
        return
    elif order.trail:
        if not order.extreme:
            yield order.active_price
        else:
            yield _trail_price(order)
    elif (order.trigger_direction == 1) == rising:
        yield order.trigger_price


def _touched(order: Order, market: Market) -> bool:
    return market.last <= order.price if order.side is Side.BUY else market.last >= order.price


def _fires(order: Order, market: Market) -> bool:
    price = market.last if order.trigger_by in ("", "LastPrice") else market.mark_price
    if order.trail:
        if not order.extreme:
            return False
        return price <= _trail_price(order) if order.side is Side.SELL else price >= _trail_price(order)
    return price >= order.trigger_price if order.trigger_direction == 1 else price <= order.trigger_price


def _trail_price(order: Order) -> Decimal:
    return order.extreme - order.trail if order.side is Side.SELL else order.extreme + order.trail


def _trail(floor: Floor, market: Market) -> None:
    price = market.last
    for order in floor.state.orders_by_symbol[market.symbol].values():
        if not order.trail or order.status is not Status.UNTRIGGERED:
            continue
        long = order.side is Side.SELL
        before = order.extreme
        if before == ZERO:
            if price >= order.active_price if long else price <= order.active_price:
                order.extreme = price
        else:
            order.extreme = max(before, price) if long else min(before, price)
        if order.extreme != before:
            floor.state.touch_order(order)
