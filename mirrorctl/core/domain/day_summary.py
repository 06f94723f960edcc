"""What one UTC day brought on one account, from the exchange's own records (rule 15, A68)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from mirrorctl.core.domain.account import ClosedPnl, Execution, Position
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.statistics import cycles_of


@dataclass(frozen=True, slots=True)
class DayFigures:
    """In the settle coin. `trades` are positions that closed; one that brought nothing is neither won nor lost.

    `net_pnl` sums every record of the day, after fees, those of positions that still stand included. `unrecorded`:
    positions that closed and whose record has not come.
    """

    trades: int
    wins: int
    losses: int
    fees: Decimal
    net_pnl: Decimal
    unrecorded: int = 0


def day_figures(
    records: Sequence[ClosedPnl],
    executions: Sequence[Execution],
    standing: Iterable[Position],
    start_ms: int,
    end_ms: int,
) -> DayFigures:
    """The figures of [start_ms, end_ms), exchange clock. Records and executions are all since `start_ms`, until now."""
    closed = [
        cycle
        for cycle in cycles_of(executions, records, standing)
        if cycle.closed_ms is not None and start_ms <= cycle.closed_ms < end_ms
    ]
    counted = [cycle for cycle in closed if cycle.counts]
    return DayFigures(
        trades=len(closed),
        wins=sum(cycle.pnl > ZERO for cycle in counted),
        losses=sum(cycle.pnl < ZERO for cycle in counted),
        fees=sum((row.fee for row in executions if row.kind.moves_position and row.time_ms < end_ms), ZERO),
        net_pnl=sum((row.pnl for row in records if row.updated_ms < end_ms), ZERO),
        unrecorded=len(closed) - len(counted),
    )
