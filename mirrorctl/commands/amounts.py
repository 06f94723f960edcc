"""Numbers on the command line: exact, positive, and refused with what was found and what is allowed."""

from __future__ import annotations

import re
from decimal import Decimal

from mirrorctl.core.domain.errors import UsageError
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.values import PositionSide

_NUMBER = re.compile(r"\d{1,18}(\.\d{1,18})?|\.\d{1,18}")
_HUNDRED = Decimal(100)
_ALLOWED = "a number above 0 in plain digits, such as 0.25 or 60000"


def positive(text: str, name: str) -> str:
    """A number above zero, as the command socket takes it: plain text."""
    value = _number(text)
    if value is None or value <= 0:
        raise UsageError(f'{name}: found "{text}"; allowed: {_ALLOWED}')
    return plain(value)


def signed(text: str, name: str) -> str:
    """A number other than zero, as plain text; one with a minus is negative."""
    value = _number(text.removeprefix("-"))
    if not value:
        raise UsageError(f'{name}: found "{text}"; allowed: a number other than 0, such as 1000 or -500')
    return plain(-value if text.startswith("-") else value)


def seconds(text: str, name: str) -> Decimal:
    """Seconds, zero included, at most an hour."""
    value = _number(text)
    if value is None or value > 3600:
        raise UsageError(f'{name}: found "{text}"; allowed: seconds from 0 to 3600')
    return value


def amount_or_percent(text: str, name: str, unit: str) -> tuple[str, bool]:
    """A number above zero, or N% with N up to 100: (value, is percent)."""
    percent = text.endswith("%")
    value = _number(text.removesuffix("%"))
    if value is None or value <= 0 or (percent and value > _HUNDRED):
        raise UsageError(f'{name}: found "{text}"; allowed: {unit} above 0, or up to 100% such as 25%')
    return plain(value), percent


def percent(text: str, name: str) -> str:
    """N% with N above 0 and up to 100, as plain text without the sign."""
    value = _number(text.removesuffix("%"))
    if value is None or not text.endswith("%") or not 0 < value <= _HUNDRED:
        hint = f"{name} {text}%" if value is not None and 0 < value <= _HUNDRED else ""
        raise UsageError(f'{name}: found "{text}"; allowed: a percentage above 0 and up to 100%, such as 1%', hint)
    return plain(value)


def target(text: str, name: str) -> dict[str, str | None]:
    """PRICE or PRICE:PERCENT, the sign left out or not: {"price", "percent"}."""
    price, colon, share = text.partition(":")
    if not colon:
        return {"price": positive(price, name), "percent": None}
    value = _number(share.removesuffix("%"))
    if value is None or not 0 < value <= _HUNDRED:
        raise UsageError(f'{name}: found "{text}"; allowed: PRICE or PRICE:PERCENT, such as 62000:85')
    return {"price": positive(price, name), "percent": plain(value)}


def mirror_value(text: str, name: str) -> dict[str, str | bool]:
    """NAME=VALUE, the value a number or N%: {"name", "value", "percent"}. What it means is the sizing mode's to say."""
    mirror, equals, value = text.partition("=")
    if not (mirror and equals and value):
        raise UsageError(f'{name}: found "{text}"; allowed: NAME=VALUE, such as second=25% or second=0.25')
    percent = value.endswith("%")
    return {"name": mirror, "value": positive(value.removesuffix("%"), name), "percent": percent}


def position_side(text: str | None, name: str = "--side") -> str | None:
    """long or short."""
    if text is None:
        return None
    if text.lower() not in list(PositionSide):
        raise UsageError(f'{name}: found "{text}"; allowed: long | short')
    return text.lower()


def symbol(text: str) -> str:
    """A symbol as Bybit writes it."""
    if not re.fullmatch(r"[A-Za-z0-9-]{2,30}", text):
        raise UsageError(f'"{text}" is not a symbol', "symbols are written as on Bybit, for example BTCUSDT")
    return text.upper()


def _number(text: str) -> Decimal | None:
    return Decimal(text) if _NUMBER.fullmatch(text) else None
