"""Breakeven: the stop at which a trade ends without a loss, fees of both legs paid (A35)."""

from __future__ import annotations

from decimal import Decimal

from mirrorctl.core.domain.instruments import Instrument
from mirrorctl.core.domain.values import PositionSide

# Bybit's taker fee of a non-VIP account on linear contracts; taken where account/fee-rate is missing, as on demo.
DEFAULT_TAKER = Decimal("0.00055")
_BPS = Decimal(10_000)


def breakeven(
    side: PositionSide,
    entry_price: Decimal,
    entry_fees: Decimal | None,
    qty: Decimal,
    taker: Decimal,
    margin_bps: Decimal,
    instrument: Instrument,
) -> Decimal:
    """Average entry ± (entry fees + exit at the taker rate + margin), each for one coin, rounded to the safe side.

    `entry_fees` in the settle coin paid for `qty` base coins; None where not all executions are known: the taker rate
    is taken. `taker` is a rate (0.00055), `margin_bps` basis points of the entry price.
    """
    fees = entry_price * taker if entry_fees is None or not qty else entry_fees / qty
    away = fees + entry_price * taker + entry_price * margin_bps / _BPS
    return instrument.stop_price(entry_price + side.sign * away, side)


def better(side: PositionSide, a: Decimal | None, b: Decimal | None) -> Decimal | None:
    """The stop that protects earlier: the higher one of a long, the lower one of a short. None is no stop."""
    if a is None or b is None:
        return b if a is None else a
    return max(a, b) if side is PositionSide.LONG else min(a, b)
