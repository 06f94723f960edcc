"""Trading rules of a symbol and the only place where prices and quantities are rounded and written.

Source of the fields: Bybit market/instrument (`priceFilter`, `lotSizeFilter`, `leverageFilter`).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from mirrorctl.core.domain.values import OrderType, PositionSide, Side

ZERO = Decimal(0)
_ONE = Decimal(1)
_BPS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class Instrument:
    """The rules of one linear contract. Quantities in base coin, prices and notionals in the settle coin."""

    symbol: str
    tick_size: Decimal
    qty_step: Decimal
    min_qty: Decimal
    min_notional: Decimal
    max_limit_qty: Decimal
    max_market_qty: Decimal
    min_leverage: Decimal
    max_leverage: Decimal
    leverage_step: Decimal
    trading: bool = True

    def floor_qty(self, qty: Decimal) -> Decimal:
        """The largest multiple of the step that is not above `qty` in size (A58)."""
        return _to_multiple(qty, self.qty_step, ROUND_DOWN)

    def ceil_qty(self, qty: Decimal) -> Decimal:
        """The smallest multiple of the step that is not below `qty`."""
        return _to_multiple(qty, self.qty_step, ROUND_CEILING)

    def round_price(self, price: Decimal) -> Decimal:
        """The nearest price on the tick."""
        return _to_multiple(price, self.tick_size, ROUND_HALF_UP)

    def price_not_worse(self, price: Decimal, side: Side) -> Decimal:
        """`price` on the tick, never above it for a buy and never below it for a sell."""
        rounding = ROUND_FLOOR if side is Side.BUY else ROUND_CEILING
        return _to_multiple(price, self.tick_size, rounding)

    def stop_price(self, price: Decimal, side: PositionSide) -> Decimal:
        """A stop on the tick, rounded so that it protects no later than asked: up for a long, down for a short."""
        rounding = ROUND_CEILING if side is PositionSide.LONG else ROUND_FLOOR
        return _to_multiple(price, self.tick_size, rounding)

    def bounded_price(self, reference: Decimal, side: Side, bps: Decimal) -> Decimal:
        """The worst price that stays within `bps` basis points of `reference` for an order on `side`."""
        worst = reference * (1 + side.sign * bps / _BPS)
        rounding = ROUND_FLOOR if side is Side.BUY else ROUND_CEILING
        return max(_to_multiple(worst, self.tick_size, rounding), self.tick_size)

    def leverage(self, leverage: Decimal) -> Decimal:
        """`leverage` on its step, within the contract's bounds."""
        on_step = _to_multiple(leverage, self.leverage_step, ROUND_DOWN)
        return min(max(on_step, self.min_leverage), self.max_leverage)

    def max_qty(self, order_type: OrderType) -> Decimal:
        """The largest quantity of one order of this type."""
        return self.max_market_qty if order_type is OrderType.MARKET else self.max_limit_qty

    def minimum(self, price: Decimal) -> Decimal:
        """The smallest opening order at `price`."""
        return max(self.min_qty, self.ceil_qty(self.min_notional / price))

    def meets_minimum(self, qty: Decimal, price: Decimal) -> bool:
        """Whether an opening order of `qty` at `price` reaches the contract's minimum (A9)."""
        return qty >= self.min_qty and qty * price >= self.min_notional


def plain(value: Decimal) -> str:
    """`value` as the wire wants it: no exponent, no padding, never "-0" (A58)."""
    text = str(value)
    if "E" in text:
        text = format(value, "f")
    if text[-1] == "0" and "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _to_multiple(value: Decimal, unit: Decimal, rounding: str) -> Decimal:
    """`value` as a multiple of `unit`. Keeps the unit's exponent, so 60000 never turns into 6E+4."""
    if unit < _ONE and not value % unit:  # nearly always so: what is held and asked for is on the step already
        return value.quantize(unit)
    multiple = (value / unit).to_integral_value(rounding=rounding) * unit
    return multiple.quantize(unit) if unit < _ONE else multiple
