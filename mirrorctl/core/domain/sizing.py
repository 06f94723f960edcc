"""Sizing: how a mirror's copy ratio is made when a cycle begins, with the formula and inputs behind it (A3).

A mode that lacks an input makes no ratio and says why; main's size never stands in for what is unknown (A4). What is
made holds for the whole cycle (A77).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_DOWN, Context, Decimal

from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.policy import SizingMode
from mirrorctl.core.domain.values import PositionSide

HUNDRED = Decimal(100)
WAITS = "waits for"
AS_FACTOR = frozenset((SizingMode.PROPORTION, SizingMode.EQUITY, SizingMode.SAME_MARGIN_PERCENT))
BY_MAIN_EQUITY = frozenset((SizingMode.EQUITY, SizingMode.SAME_MARGIN_PERCENT))
BY_EQUITY = BY_MAIN_EQUITY | {SizingMode.RISK}
BY_QTY = frozenset((SizingMode.FIXED_NOTIONAL, SizingMode.FIXED_QTY, SizingMode.RISK))
BY_PRICE = frozenset((SizingMode.FIXED_NOTIONAL, SizingMode.RISK))
BY_LEVERAGE = frozenset((SizingMode.SAME_MARGIN_PERCENT,))

_EXACT = Context(prec=60)
# What is asked for and on the step has to come back from r × main's size, floored to the step: a ratio cut at its last
# digit would lose a whole step. The excess is one in the 28th digit, which the same floor takes off.
_ROUNDED_UP = Context(prec=28, rounding=ROUND_CEILING)
_SHOWN = Decimal("1E-8")


@dataclass(frozen=True, slots=True)
class SizingInputs:
    """What a ratio is made from; None is unknown.

    Equities in USD. `main_qty`: main's whole entry, filled and open, in base coin; `price` the mean of it, `stop` what
    ends it. Leverages: main's, and the one that the mirror's will be set to. `multiplier`: what turns a quantity of
    main's contract into one of the mirror's.
    """

    side: PositionSide = PositionSide.LONG
    main_equity: Decimal | None = None
    mirror_equity: Decimal | None = None
    main_qty: Decimal | None = None
    price: Decimal | None = None
    stop: Decimal | None = None
    main_leverage: Decimal | None = None
    mirror_leverage: Decimal | None = None
    multiplier: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Sized:
    """A ratio, and how it came about."""

    ratio: Decimal
    formula: str


@dataclass(frozen=True, slots=True)
class Unsized:
    """No ratio, and why. One that begins with `WAITS` ends by itself."""

    reason: str


def is_waiting(reason: str) -> bool:
    """Whether a reason for which there is no ratio ends by itself: a read is under way."""
    return reason.startswith(WAITS)


def shown(value: Decimal) -> str:
    """At most 8 digits after the point; what was cut off is shown as such."""
    kept = value.quantize(_SHOWN, ROUND_DOWN, _EXACT)
    return plain(kept) if kept == value else f"{plain(kept)}…"


def ratio_of(mode: SizingMode, value: Decimal, inputs: SizingInputs) -> Sized | Unsized:
    """The copy ratio r of one mirror: want = r × main's size × multiplier.

    `value` is the profile's, the symbol's or the trade's: a factor for proportion, equity and same-margin-percent, USD
    for fixed-notional, base coin of the mirror for fixed-qty, percent of the mirror's equity for risk.
    """
    lacking = _lacking(mode, inputs)
    return Unsized(lacking) if lacking else _MODES[mode](value, inputs)


def check_value(mode: SizingMode, value: Decimal, *, percent: bool) -> str:
    """What is wrong with a sizing value, and what is allowed; "" when nothing is. `percent`: it was written with %."""
    if percent and mode not in AS_FACTOR:
        units = {
            SizingMode.FIXED_NOTIONAL: 'USDT for each position, such as "500"',
            SizingMode.FIXED_QTY: 'base coin for each position, such as "0.05"',
        }
        return units.get(mode, 'percent of the mirror\'s equity without the sign, such as "1"')
    if mode is SizingMode.RISK and value > HUNDRED:
        return "percent of the mirror's equity lost at the stop, above 0 and up to 100"
    return ""


def _lacking(mode: SizingMode, inputs: SizingInputs) -> str:
    """What a mode needs and does not have; "" when it has all of it."""
    equities = {"main's": inputs.main_equity} if mode in BY_MAIN_EQUITY else {}
    if mode in BY_EQUITY:
        equities["the mirror's"] = inputs.mirror_equity
    if None in equities.values():
        return f"{WAITS} both equities" if len(equities) > 1 else f"{WAITS} the mirror's equity"
    for whose, equity in equities.items():
        if equity is not None and equity <= ZERO:
            return f"sizing {mode}: {whose} equity is {plain(equity)}"
    if mode in BY_LEVERAGE and not (inputs.main_leverage and inputs.mirror_leverage):
        return f"{WAITS} main's leverage"
    if mode in BY_QTY and not inputs.main_qty:
        return f"{WAITS} main's order"
    if mode in BY_PRICE and not inputs.price:
        return f"{WAITS} the price"
    return _stop_trouble(inputs) if mode is SizingMode.RISK else ""


def _stop_trouble(inputs: SizingInputs) -> str:
    if inputs.stop is None or inputs.price is None:
        return "sizing risk: main has no stop"
    if (inputs.price - inputs.stop) * inputs.side.sign <= ZERO:
        return f"sizing risk: main's stop {plain(inputs.stop)} loses nothing against {plain(inputs.price)}"
    return ""


# --- the modes ----------------------------------------------------------------------------------------------------


def _proportion(value: Decimal, _inputs: SizingInputs) -> Sized:
    return Sized(value, f"proportion: r = {plain(value)}")


def _equity(value: Decimal, inputs: SizingInputs) -> Sized:
    main, mirror = _known(inputs.main_equity), _known(inputs.mirror_equity)
    return _made("equity", f"{plain(value)} × {plain(mirror)} ÷ {plain(main)}", _times(value, mirror), main)


def _same_margin(value: Decimal, inputs: SizingInputs) -> Sized:
    main, mirror = _known(inputs.main_equity), _known(inputs.mirror_equity)
    from_leverage, to_leverage = _known(inputs.main_leverage), _known(inputs.mirror_leverage)
    shares = f"{plain(mirror)} ÷ {plain(main)} × {plain(to_leverage)} ÷ {plain(from_leverage)}"
    over, under = _times(value, mirror, to_leverage), _times(main, from_leverage)
    return _made("same-margin-percent", f"{plain(value)} × {shares}", over, under)


def _fixed_notional(value: Decimal, inputs: SizingInputs) -> Sized:
    price, qty = _known(inputs.price), _known(inputs.main_qty)
    return _made("fixed-notional", f"{plain(value)} ÷ ({shown(price)} × {plain(qty)})", value, _times(price, qty))


def _fixed_qty(value: Decimal, inputs: SizingInputs) -> Sized:
    qty, multiplier = _known(inputs.main_qty), inputs.multiplier
    under = plain(qty) if multiplier == 1 else f"({plain(qty)} × {plain(multiplier)})"
    return _made("fixed-qty", f"{plain(value)} ÷ {under}", value, _times(qty, multiplier))


def _risk(value: Decimal, inputs: SizingInputs) -> Sized:
    price, stop, qty = _known(inputs.price), _known(inputs.stop), _known(inputs.main_qty)
    mirror = _known(inputs.mirror_equity)
    text = f"{plain(mirror)} × {plain(value)}% ÷ |{shown(price)} − {plain(stop)}| ÷ {plain(qty)}"
    return _made("risk", text, _times(mirror, value), _times(HUNDRED, abs(price - stop), qty))


_MODES: Mapping[SizingMode, Callable[[Decimal, SizingInputs], Sized]] = {
    SizingMode.PROPORTION: _proportion,
    SizingMode.EQUITY: _equity,
    SizingMode.SAME_MARGIN_PERCENT: _same_margin,
    SizingMode.FIXED_NOTIONAL: _fixed_notional,
    SizingMode.FIXED_QTY: _fixed_qty,
    SizingMode.RISK: _risk,
}


def _made(mode: str, text: str, over: Decimal, under: Decimal) -> Sized:
    ratio = _ROUNDED_UP.divide(over, under)
    return Sized(ratio, f"{mode}: r = {text} = {shown(ratio)}")


def _times(*factors: Decimal) -> Decimal:
    product = Decimal(1)
    for factor in factors:
        product = _EXACT.multiply(product, factor)
    return product


def _known(value: Decimal | None) -> Decimal:
    """An input that `_lacking` has found there."""
    if value is None:
        raise ValueError("an input of the sizing mode is missing")
    return value
