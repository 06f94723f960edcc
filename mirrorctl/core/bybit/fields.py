"""Single fields of Bybit's rows, read strictly: what is missing or malformed raises, "nothing" becomes None.

Bybit spells nothing as "", "0", "0.00", "UNKNOWN" or null, depending on the endpoint. Which of these mean nothing is a
matter of the field, so the caller chooses the reader. No message here repeats more of a row than one field's value.

The readers of several fields give them in the order in which they are named: a row of an order has thirty fields, and
its message is news that somebody waits for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from mirrorctl.core.bybit.failures import Malformed
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.values import Side

Row = Mapping[str, Any]

_SHOWN = 40


def malformed(row: Row, field: str, value: object) -> Malformed:
    """The error for a field that cannot be read."""
    where = row.get("symbol") or row.get("coin") or "row"
    return Malformed(f"{where}: field {field} cannot be read: {str(value)[:_SHOWN]!r}", "the state is unknown")


def text(row: Row, field: str) -> str:
    """A text that must be there and not be empty."""
    value = row.get(field)
    if not isinstance(value, str) or not value:
        raise malformed(row, field, value)
    return value


def maybe_text(row: Row, field: str) -> str:
    """A text; "" for null, a missing field and "UNKNOWN"."""
    value = row.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise malformed(row, field, value)
    return "" if value == "UNKNOWN" else value


def texts(row: Row, fields: Iterable[str]) -> list[str]:
    """Texts that must be there and not be empty."""
    found = []
    for field in fields:
        value = row.get(field)
        if not isinstance(value, str) or not value:
            raise malformed(row, field, value)
        found.append(value)
    return found


def maybe_texts(row: Row, fields: Iterable[str]) -> list[str]:
    """Texts; "" for null, a missing field and "UNKNOWN"."""
    found = []
    for field in fields:
        value = row.get(field)
        if value is None or value == "UNKNOWN":
            value = ""
        elif not isinstance(value, str):
            raise malformed(row, field, value)
        found.append(value)
    return found


def number(row: Row, field: str) -> Decimal:
    """A decimal that must be there."""
    value = maybe_number(row, field)
    if value is None:
        raise malformed(row, field, row.get(field))
    return value


def size(row: Row, field: str) -> Decimal:
    """A decimal that must be there and not be negative."""
    value = number(row, field)
    if value < ZERO:
        raise malformed(row, field, value)
    return value


def price(row: Row, field: str) -> Decimal:
    """A price that must be there and be above zero."""
    value = number(row, field)
    if value <= ZERO:
        raise malformed(row, field, value)
    return value


def maybe_number(row: Row, field: str) -> Decimal | None:
    """A decimal; None for null, a missing field and ""."""
    return maybe_numbers(row, (field,))[0]


def maybe_numbers(row: Row, fields: Iterable[str]) -> list[Decimal | None]:
    """Decimals; None for null, a missing field and ""."""
    found: list[Decimal | None] = []
    for field in fields:
        value = row.get(field)
        if value is None or value == "":
            found.append(None)
            continue
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise malformed(row, field, value)
        try:
            parsed = Decimal(value)
        except InvalidOperation:
            raise malformed(row, field, value) from None
        if not parsed.is_finite():
            raise malformed(row, field, value)
        found.append(parsed)
    return found


def sizes(row: Row, fields: Sequence[str]) -> list[Decimal]:
    """Decimals that must be there and not be negative."""
    found = []
    for field, value in zip(fields, maybe_numbers(row, fields), strict=True):
        if value is None or value < ZERO:
            raise malformed(row, field, row.get(field))
        found.append(value)
    return found


def maybe_price(row: Row, field: str) -> Decimal | None:
    """A price; None also for zero, which no price can be."""
    return maybe_number(row, field) or None


def integer(row: Row, field: str) -> int:
    """A whole number that must be there, as JSON number or text."""
    return integers(row, (field,))[0]


def integers(row: Row, fields: Iterable[str]) -> list[int]:
    """Whole numbers that must be there, as JSON numbers or texts."""
    found = []
    for field in fields:
        value = row.get(field)
        if isinstance(value, str):
            try:
                value = int(value)
            except ValueError:
                raise malformed(row, field, value) from None
        elif isinstance(value, bool) or not isinstance(value, int):
            raise malformed(row, field, value)
        found.append(value)
    return found


def maybe_integer(row: Row, field: str) -> int:
    """A whole number; 0 for null, a missing field and ""."""
    return 0 if row.get(field) in (None, "") else integer(row, field)


def maybe_integers(row: Row, fields: Iterable[str]) -> list[int]:
    """Whole numbers, as JSON numbers or texts; 0 for null, a missing field and ""."""
    found = []
    for field in fields:
        value = row.get(field)
        if value is None or value == "":
            value = 0
        elif value.__class__ is not int:
            (value,) = integers(row, (field,))
        found.append(value)
    return found


def flag(row: Row, field: str) -> bool:
    """A boolean; False for null, a missing field and ""."""
    value = row.get(field)
    if value in (None, ""):
        return False
    if not isinstance(value, bool):
        raise malformed(row, field, value)
    return value


def order_side(row: Row) -> Side:
    """`side` of an order or an execution."""
    side = ORDER_SIDES.get(text(row, "side"))
    if side is None:
        raise malformed(row, "side", row["side"])
    return side


ORDER_SIDES = {"Buy": Side.BUY, "Sell": Side.SELL}
"""The sides of orders and executions by Bybit's names."""
