"""Decimals as Bybit writes them: plain digits, never an exponent."""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal, InvalidOperation

ZERO = Decimal(0)
MONEY = Decimal("0.00000001")
LEDGER = Decimal("0.000000000001")
_PLACES = tuple(Decimal(1).scaleb(-n) for n in range(16))


def fixed(value: Decimal, places: int) -> str:
    """`value` with exactly `places` decimals."""
    return format(value.quantize(_PLACES[places]), "f")


def money(value: Decimal) -> str:
    """At most eight decimals, trailing zeros dropped, zero as `"0"`."""
    text = format(value.quantize(MONEY), "f").rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def ledger(value: Decimal) -> Decimal:
    """Rounds an amount that enters the books, so that sums stay exact."""
    return value.quantize(LEDGER, rounding=ROUND_HALF_EVEN)


def places(step: Decimal) -> int:
    """Decimals needed to write a multiple of `step`."""
    exponent = step.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` not above `value`."""
    return (value / step).to_integral_value(rounding=ROUND_FLOOR) * step


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of `step` not below `value`."""
    return (value / step).to_integral_value(rounding=ROUND_CEILING) * step


def parse(text: object) -> Decimal | None:
    """A finite decimal from the wire, or None when the text is not one (numbers travel as strings)."""
    if not isinstance(text, str):
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None
