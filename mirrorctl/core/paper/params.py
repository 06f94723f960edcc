"""Reading request parameters the way the gateway does: strings for amounts, refusals with code 10001."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from mirrorctl.core.paper.decimals import ZERO, parse
from mirrorctl.core.paper.instruments import Instrument
from mirrorctl.core.paper.refusals import bad

Params = Mapping[str, Any]


def text(params: Params, key: str, default: str = "") -> str:
    """A string parameter; missing or null gives `default`."""
    value = params.get(key)
    if value is None:
        return default
    if not isinstance(value, str):
        raise bad(f"params error: {key} must be a string")
    return value


def choice(params: Params, key: str, allowed: tuple[str, ...], default: str | None = None) -> str:
    """One of the documented words; required when there is no default."""
    value = text(params, key) or (default or "")
    if value not in allowed:
        raise bad(f"params error: {key} invalid")
    return value


def amount(params: Params, key: str) -> Decimal | None:
    """A non-negative decimal string, None when missing or empty."""
    raw = params.get(key)
    if raw is None or raw == "":
        return None
    value = parse(raw)
    if value is None or value < ZERO:
        raise bad(f"params error: {key} invalid")
    return value


def integer(params: Params, key: str) -> int | None:
    """An integer, or digits in a query string; None when missing."""
    raw = params.get(key)
    if raw is None or raw == "":
        return None
    if isinstance(raw, bool) or not isinstance(raw, (int, str)):
        raise bad(f"params error: {key} invalid")
    try:
        return int(raw)
    except ValueError:
        raise bad(f"params error: {key} invalid") from None


def flag(params: Params, key: str) -> bool:
    """A JSON boolean, false when missing."""
    value = params.get(key)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise bad(f"params error: {key} must be a boolean")
    return value


def linear(params: Params) -> None:
    """The paper exchange trades category linear only."""
    if text(params, "category") != "linear":
        raise bad("params error: category only support linear")


def instrument(instruments: Mapping[str, Instrument], params: Params) -> Instrument:
    """The instrument named by `symbol`."""
    symbol = text(params, "symbol")
    item = instruments.get(symbol)
    if item is None:
        raise bad(f"params error: symbol invalid {symbol}")
    return item


def price(params: Params, key: str, item: Instrument) -> Decimal | None:
    """A price on the tick and inside the instrument's range; None when missing, zero allowed."""
    value = amount(params, key)
    if value is None or value == ZERO:
        return value
    if value % item.tick:
        raise bad(f"params error: {key} is not a multiple of the tick size")
    if not item.min_price <= value <= item.max_price:
        raise bad(f"params error: {key} out of range")
    return value
