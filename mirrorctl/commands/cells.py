"""Single cells of tables: a figure, an average, an amount of money, each with a word for what is unknown."""

from __future__ import annotations

from decimal import Context, Decimal

from rich.text import Text

from mirrorctl.core.domain.instruments import plain

NONE = "-"
UNKNOWN = "unknown"
_CENT = Decimal("0.01")
_SEVEN_FIGURES = Context(prec=7)


def number(value: Decimal | str | None, missing: str = UNKNOWN) -> Text:
    """A figure as it is, all of its digits."""
    if value is None:
        return Text(missing, "dim")
    return Text(plain(value) if isinstance(value, Decimal) else value)


def average(value: Decimal | None) -> Text:
    """An average price has no tick: to the figures that a trader compares. `--json` has all of them."""
    return number(None if value is None else _SEVEN_FIGURES.plus(value).normalize())


def money(value: Decimal | None, *, signed: bool = False) -> Text:
    """An amount to the cent; green and red where its sign matters."""
    if value is None:
        return Text(UNKNOWN, "dim")
    cents = value.quantize(_CENT)
    text = format(cents, "+,f" if signed else ",f") if cents else "0.00"
    return Text(text, "" if not signed or not cents else "green" if cents > 0 else "red")
