"""Breakeven to the tick: fees of both legs, margin, the safe side, and which of two stops is the better (A35)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.core.domain.breakeven import DEFAULT_TAKER, better, breakeven
from mirrorctl.core.domain.values import PositionSide
from tests.unit.domain.scenes import BTC, LONG, SHORT

TABLE = [
    # (side, entry, entry fees, qty, taker, margin bps, breakeven)
    (LONG, "60000", "3.30", "0.1", "0.00055", "2", "60078.0"),  # 33 + 33 + 12 a coin
    (SHORT, "60000", "3.30", "0.1", "0.00055", "2", "59922.0"),
    (LONG, "60000", "1.20", "0.1", "0.00055", "0", "60045.0"),  # entered as maker: 12 + 33
    (LONG, "60000", None, "0.1", "0.00055", "0", "60066.0"),  # fees unknown: the taker rate
    (LONG, "60000", "0", "0.1", "0.00055", "0", "60033.0"),
    (LONG, "60000", "-0.60", "0.1", "0.00055", "0", "60027.0"),  # a rebate
    (LONG, "60000.04", None, "0.1", "0", "0", "60000.1"),  # up for a long
    (SHORT, "60000.04", None, "0.1", "0", "0", "60000.0"),  # down for a short
    (LONG, "60000", "1", "0", "0.00055", "0", "60066.0"),
]


@pytest.mark.proves("A35")
@pytest.mark.parametrize(("side", "entry", "fees", "qty", "taker", "margin", "expected"), TABLE)
def test_breakeven_pays_both_legs_and_the_margin(
    side: PositionSide, entry: str, fees: str | None, qty: str, taker: str, margin: str, expected: str
) -> None:
    paid = None if fees is None else Decimal(fees)
    price = breakeven(side, Decimal(entry), paid, Decimal(qty), Decimal(taker), Decimal(margin), BTC)
    assert f"{price:f}" == expected


@pytest.mark.proves("A35")
@pytest.mark.parametrize("side", [LONG, SHORT])
def test_a_stop_hit_at_breakeven_loses_nothing(side: PositionSide) -> None:
    entry, qty = Decimal("0.12345"), Decimal(1000)
    fees = entry * qty * DEFAULT_TAKER
    stop = breakeven(side, entry, fees, qty, DEFAULT_TAKER, Decimal(0), BTC)
    assert (stop - entry) * side.sign * qty - fees - stop * qty * DEFAULT_TAKER >= -entry * qty / 10**6


@pytest.mark.proves("A35")
@pytest.mark.parametrize(
    ("a", "b", "long", "short"),
    [
        ("1", "2", "2", "1"),
        ("2", "1", "2", "1"),
        (None, "1", "1", "1"),
        ("1", None, "1", "1"),
        (None, None, None, None),
    ],
)
def test_the_better_stop_protects_earlier(a: str | None, b: str | None, long: str | None, short: str | None) -> None:
    def price(text: str | None) -> Decimal | None:
        return None if text is None else Decimal(text)

    assert better(LONG, price(a), price(b)) == price(long)
    assert better(SHORT, price(a), price(b)) == price(short)
