"""The synthetic order book around a price: finite size at every level, the counterparty of every fill.

Best bid and ask stand one tick beside the last price. A level holds `market.level_value` USDT times its
number, so a large order fills in several executions and a huge one runs out of book.
"""

from collections.abc import Iterator
from decimal import Decimal

from mirrorctl.core.paper.decimals import ZERO, floor_to
from mirrorctl.core.paper.instruments import Instrument
from mirrorctl.core.paper.model import Market, Side

SPACING = Decimal("0.00005")


def best(market: Market, item: Instrument, taker: Side) -> Decimal:
    """The first price a taker of that side meets: the ask for a buyer, the bid for a seller."""
    tick = item.tick if taker is Side.BUY else -item.tick
    return max(market.last + tick, item.min_price)


def levels(
    market: Market, item: Instrument, taker: Side, count: int | None = None
) -> Iterator[tuple[Decimal, Decimal]]:
    """(price, quantity) from the best level outwards, as met by a taker of that side."""
    gap = max(item.tick, floor_to(market.last * SPACING, item.tick))
    sign = 1 if taker is Side.BUY else -1
    first = best(market, item, taker)
    for number in range(min(count, market.levels) if count else market.levels):
        price = first + sign * number * gap
        if price < item.min_price or price > item.max_price:
            return
        yield price, level_qty(market, item, price, number)


def level_qty(market: Market, item: Instrument, price: Decimal, number: int) -> Decimal:
    """Size of level `number` (0 is the best), at least one step."""
    return max(item.step, floor_to(market.level_value * (number + 1) / price, item.step))


def sweep(
    market: Market, item: Instrument, taker: Side, qty: Decimal, worst: Decimal
) -> Iterator[tuple[Decimal, Decimal]]:
    """(price, quantity) fills of a taker for up to `qty` at prices no worse than `worst`."""
    left = qty
    for price, size in levels(market, item, taker):
        beyond = price > worst if taker is Side.BUY else price < worst
        if beyond or left <= ZERO:
            return
        part = min(left, size)
        yield price, part
        left -= part


def available(market: Market, item: Instrument, taker: Side, worst: Decimal) -> Decimal:
    """Total size a taker could get at prices no worse than `worst`."""
    total = ZERO
    for price, size in levels(market, item, taker):
        if price > worst if taker is Side.BUY else price < worst:
            break
        total += size
    return total


def worst_market_price(market: Market, item: Instrument, taker: Side) -> Decimal:
    """The limit a market order is converted to: the band around mark (docs v5/order/create-order)."""
    if taker is Side.BUY:
        return min(item.max_price, floor_to(market.mark_price * (1 + item.band_y), item.tick))
    return max(item.min_price, floor_to(market.mark_price * (1 - item.band_y), item.tick))
