"""Single figures of the dashboard, from the strings of its document: short, and never a filler for what is unknown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Context, Decimal
from typing import Any

from rich.text import Text

from mirrorctl.core.domain.instruments import plain

UNKNOWN = "?"
NONE = "-"
BARS, ASCII_BARS = "▁▂▃▄▅▆▇█", "_.-:=+*#"
_CENT, _ONE = Decimal("0.01"), Decimal(1)
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400


def decimal(value: Any) -> Decimal | None:
    """A figure of the document; None stays unknown."""
    return None if value is None else Decimal(value)


def exact(value: Any, missing: str = UNKNOWN) -> Text:
    """All digits."""
    found = decimal(value)
    return Text(missing) if found is None else Text(plain(found))


def rounded(value: Any, digits: int, missing: str = UNKNOWN) -> Text:
    """An average price to that many figures, without an exponent."""
    found = decimal(value)
    if found is None:
        return Text(missing)
    return Text(plain(Context(prec=digits).plus(found).normalize()))


def money(value: Any, *, signed: bool = False, cents: bool = True) -> Text:
    """An amount, to the cent or to the whole unit."""
    found = decimal(value)
    if found is None:
        return Text(UNKNOWN)
    amount = found.quantize(_CENT if cents else _ONE)
    if not amount:
        return Text("0.00" if cents else "0")
    return Text(format(amount, "+,f" if signed else ",f"), _colour(amount) if signed else "")


def percent(value: Any, digits: int = 1) -> Text:
    """A share in percent."""
    found = decimal(value)
    return Text(UNKNOWN) if found is None else Text(f"{found:.{digits}f}%")


def share(part: Any, whole: Any) -> Decimal | None:
    """`part` in percent of `whole`; None where one of them is unknown or the whole is nothing."""
    one, all_of_it = decimal(part), decimal(whole)
    return None if one is None or not all_of_it else one / all_of_it * 100


def seconds_since(moment: str | None, now: datetime) -> float | None:
    """Seconds since a time of the document, 0 for one that is still to come; None for an unknown one."""
    return None if moment is None else max(0.0, (now - datetime.fromisoformat(moment)).total_seconds())


def age(seconds: float | None) -> str:
    """How long, in one unit: 4s, 12m, 3h, 2d."""
    if seconds is None:
        return UNKNOWN
    if seconds < _MINUTE_S:
        return f"{seconds:.0f}s"
    if seconds < 2 * _HOUR_S:
        return f"{seconds / _MINUTE_S:.0f}m"
    if seconds < 2 * _DAY_S:
        return f"{seconds / _HOUR_S:.0f}h"
    return f"{seconds / _DAY_S:.0f}d"


def total(values: Sequence[Any]) -> Decimal | None:
    """Their sum; None where one of them is unknown or there is none."""
    known = [Decimal(value) for value in values if value is not None]
    return sum(known, Decimal(0)) if values and len(known) == len(values) else None


def spark(values: Sequence[Decimal | None], *, ascii_only: bool = False) -> str:
    """One bar for each value, from 0 (or the least, if that is below) to the greatest; a gap where one is unknown."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    bars = ASCII_BARS if ascii_only else BARS
    least, greatest = min(Decimal(0), *known), max(known)
    span = (greatest - least) or _ONE
    return "".join(
        " " if v is None else bars[int((v - least) / span * (len(bars) - 1) + Decimal("0.5"))] for v in values
    )


def _colour(amount: Decimal) -> str:
    return "green" if amount > 0 else "red"
