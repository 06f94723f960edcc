"""Account records outside positions and orders (account/fee-rate, position/close-pnl, account/transaction-log)."""

from __future__ import annotations

from mirrorctl.core.bybit.fields import Row, integer, maybe_number, maybe_text, number, order_side, size, text
from mirrorctl.core.domain.account import ClosedPnl, Transfer
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.ports import FeeRateAnswer

TRANSFER_IN, TRANSFER_OUT = "TRANSFER_IN", "TRANSFER_OUT"  # enum, type(uta-translog)


def fee_rate(row: Row) -> FeeRateAnswer:
    """One row of account/fee-rate."""
    return FeeRateAnswer(text(row, "symbol"), taker=number(row, "takerFeeRate"), maker=number(row, "makerFeeRate"))


def transfer(row: Row) -> Transfer:
    """One row of account/transaction-log that moved money in or out. `change` is signed; the type says it again."""
    amount = abs(number(row, "change"))
    return Transfer(
        transfer_id=text(row, "id"),
        amount=-amount if text(row, "type") == TRANSFER_OUT else amount,
        coin=text(row, "currency"),
        time_ms=integer(row, "transactionTime"),
    )


def closed_pnl(row: Row) -> ClosedPnl:
    """One row of position/closed-pnl. Its side is the closing order's: a sell closed a long."""
    return ClosedPnl(
        symbol=text(row, "symbol"),
        side=PositionSide.shrunk_by(order_side(row)),
        order_id=text(row, "orderId"),
        qty=size(row, "closedSize"),
        entry_price=number(row, "avgEntryPrice"),
        exit_price=number(row, "avgExitPrice"),
        pnl=number(row, "closedPnl"),
        created_ms=integer(row, "createdTime"),
        updated_ms=integer(row, "updatedTime"),
        open_fee=maybe_number(row, "openFee"),
        close_fee=maybe_number(row, "closeFee"),
        exec_type=maybe_text(row, "execType"),
    )
