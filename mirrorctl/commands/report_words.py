"""Figures of a report as HTML text: the sign is written, colour only repeats it."""

from __future__ import annotations

from decimal import Decimal

NOT_AVAILABLE = '<span class="soft">n/a</span>'
UNKNOWN = '<span class="soft">unknown</span>'
_CENT = Decimal("0.01")
_ZERO = Decimal("0.00")
_TENTH = Decimal("0.1")


def amount(value: Decimal | None) -> str:
    """An amount to the cent."""
    return UNKNOWN if value is None else f"{value.quantize(_CENT):,f}"


def money(value: Decimal | None) -> str:
    """A result to the cent, with its sign."""
    if value is None:
        return UNKNOWN
    cents = value.quantize(_CENT)
    if not cents:
        return "0.00"
    return f'<span class="{"gain" if cents > 0 else "loss"}">{cents:+,f}</span>'


def percent(value: Decimal) -> str:
    """A fraction in percent."""
    return f"{(value * 100).quantize(_CENT) or _ZERO}%"  # a zero has no sign


def percent_tick(value: Decimal) -> str:
    """A fraction in percent with all of its figures: ticks of a scale are round."""
    return f"{(value * 100).normalize():f}%"


def rate(value: Decimal | None) -> str:
    """A win rate; there is none without a trade won or lost."""
    return NOT_AVAILABLE if value is None else f"{(value * 100).quantize(_TENTH)}%"


def share(value: Decimal | None) -> str:
    """A profit factor; there is none without a loss."""
    return NOT_AVAILABLE if value is None else f"{value.quantize(_CENT)}"
