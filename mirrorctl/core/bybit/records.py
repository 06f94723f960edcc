"""Account records that are read for statistics: fee rates and closed PnL (account/fee-rate, position/close-pnl)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from mirrorctl.core.bybit.fields import Row, integer, maybe_text, number, order_side, size, text
from mirrorctl.core.domain.values import Side


@dataclass(frozen=True, slots=True)
class FeeRate:
    """Fractions of the notional; negative is a rebate."""

    symbol: str
    maker: Decimal
    taker: Decimal


@dataclass(frozen=True, slots=True)
class ClosedPnl:
    """One closing order. Prices are cost-based and contain fees: they are not fill prices. `side` is the order's."""

    symbol: str
    order_id: str
    side: Side
    closed_qty: Decimal
    avg_entry_price: Decimal
    avg_exit_price: Decimal
    pnl: Decimal
    exec_type: str
    created_ms: int
    updated_ms: int


def fee_rate(row: Row) -> FeeRate:
    """One row of account/fee-rate."""
    return FeeRate(text(row, "symbol"), maker=number(row, "makerFeeRate"), taker=number(row, "takerFeeRate"))


def closed_pnl(row: Row) -> ClosedPnl:
    """One row of position/closed-pnl."""
    return ClosedPnl(
        symbol=text(row, "symbol"),
        order_id=text(row, "orderId"),
        side=order_side(row),
        closed_qty=size(row, "closedSize"),
        avg_entry_price=number(row, "avgEntryPrice"),
        avg_exit_price=number(row, "avgExitPrice"),
        pnl=number(row, "closedPnl"),
        exec_type=maybe_text(row, "execType"),
        created_ms=integer(row, "createdTime"),
        updated_ms=integer(row, "updatedTime"),
    )
