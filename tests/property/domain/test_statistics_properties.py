"""Whatever was traded and however much of it is read: all trades together are all records together (A68)."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorctl.core.domain.account import ClosedPnl, Execution, Position
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.statistics import cycles_of, figures
from mirrorctl.core.domain.values import ExecutionKind, PositionSide, Side
from tests.unit.domain.scenes import row

SYMBOLS = ("BTCUSDT", "ETHUSDT")
STEP = Decimal("0.001")


@dataclass
class Account:
    """An exchange account in one-way or hedge mode, kept apart from what is tested: it knows its own cycles."""

    hedged: bool
    sizes: dict[tuple[str, PositionSide], Decimal] = field(default_factory=dict)
    seqs: dict[tuple[str, PositionSide], int] = field(default_factory=dict)
    executions: list[Execution] = field(default_factory=list)
    records: dict[str, ClosedPnl] = field(default_factory=dict)
    ended: list[int] = field(default_factory=list)
    seq: int = 0

    def trade(self, symbol: str, side: PositionSide, qty: Decimal, pnl: Decimal, *, close: bool) -> None:
        """An order of its own, in one fill. In one-way mode an opening order closes the other side first."""
        order_side = side.exit if close else side.entry
        shrinks = side if close else side.opposite
        held = self.sizes.get((symbol, shrinks), ZERO)
        closed = min(held, qty) if close or not self.hedged else ZERO
        opened = ZERO if close else qty - closed
        if not (closed or opened):
            return
        self.seq += 1
        order_id = f"order{self.seq}"
        self._execute(symbol, order_side, closed, opened, order_id)
        if closed:
            price = Decimal(100)
            self.records[order_id] = ClosedPnl(symbol, shrinks, order_id, closed, price, price, pnl, self.seq, self.seq)
            self._change(symbol, shrinks, -closed)
            if not self.sizes[(symbol, shrinks)]:
                self.ended.append(self.seq)
        if opened:
            self._change(symbol, side, opened)

    def _change(self, symbol: str, side: PositionSide, qty: Decimal) -> None:
        self.sizes[(symbol, side)] = self.sizes.get((symbol, side), ZERO) + qty
        self.seqs[(symbol, side)] = self.seq

    def _execute(self, symbol: str, side: Side, closed: Decimal, opened: Decimal, order_id: str) -> None:
        self.executions.append(
            Execution(
                f"x{self.seq}",
                order_id,
                "",
                symbol,
                side,
                Decimal(100),
                closed + opened,
                ExecutionKind.TRADE,
                seq=self.seq,
                time_ms=self.seq,
                closed_qty=closed,
                fee=Decimal("0.01"),
            )
        )

    def standing(self) -> list[Position]:
        return [
            row(side, str(size), self.seqs[(symbol, side)], symbol=symbol, idx=side.hedge_idx if self.hedged else 0)
            for (symbol, side), size in self.sizes.items()
            if size
        ]


steps = st.tuples(
    st.sampled_from(SYMBOLS),
    st.sampled_from(PositionSide),
    st.integers(1, 400).map(lambda units: units * STEP),
    st.integers(-10_000, 10_000).map(lambda cents: Decimal(cents) / 100),
    st.booleans(),
)


@st.composite
def accounts(draw: st.DrawFn) -> Account:
    account = Account(hedged=draw(st.booleans()))
    for symbol, side, qty, pnl, close in draw(st.lists(steps, max_size=40)):
        account.trade(symbol, side, qty, pnl, close=close)
    return account


def legs(execution: Execution) -> set[tuple[str, PositionSide]]:
    """What an execution changed."""
    found = set()
    if execution.closed_qty:
        found.add((execution.symbol, PositionSide.shrunk_by(execution.side)))
    if execution.qty > execution.closed_qty:
        found.add((execution.symbol, PositionSide.grown_by(execution.side)))
    return found


def total(records: list[ClosedPnl]) -> Decimal:
    return sum((record.pnl for record in records), ZERO)


@pytest.mark.proves("A68")
@given(accounts())
def test_every_cycle_is_one_trade_and_their_sum_is_that_of_the_records(account: Account) -> None:
    records = list(account.records.values())
    cycles = cycles_of(account.executions, records, account.standing())
    found = figures(cycles, account.executions)
    assert found.net_pnl == total(records)
    assert (found.trades, found.standing) == (len(account.ended), sum(1 for size in account.sizes.values() if size))
    assert (found.cut, found.unrecorded) == (0, 0)
    assert found.wins + found.losses <= found.trades
    assert found.fees == len(account.executions) * Decimal("0.01")


@given(accounts(), st.integers(0, 40))
def test_a_window_cuts_cycles_and_loses_no_record(account: Account, start: int) -> None:
    executions = [execution for execution in account.executions if execution.time_ms >= start]
    records = [record for record in account.records.values() if record.updated_ms >= start]
    cycles = cycles_of(executions, records, account.standing())
    assert sum((cycle.pnl for cycle in cycles), ZERO) == total(records)
    assert sum((cycle.closed_qty for cycle in cycles), ZERO) == sum((record.qty for record in records), ZERO)
    touched = {leg for execution in executions for leg in legs(execution)}
    held = {leg for leg, size in account.sizes.items() if size}
    assert {(cycle.symbol, cycle.side) for cycle in cycles if cycle.closed_ms is None} == touched & held
    assert figures(cycles, executions).trades == sum(seq >= start for seq in account.ended)


@given(accounts(), st.sets(st.integers(0, 40)), st.sets(st.integers(0, 40)))
def test_whatever_was_not_read_every_record_counts_once(account: Account, lost: set[int], unseen: set[int]) -> None:
    executions = [execution for execution in account.executions if execution.seq not in lost]
    records = [record for record in account.records.values() if record.updated_ms not in unseen]
    cycles = cycles_of(executions, records, account.standing())
    assert sum((cycle.pnl for cycle in cycles), ZERO) == total(records)
    for cycle in cycles:
        assert cycle.closed_qty >= ZERO
        assert cycle.opened_ms is None or cycle.closed_ms is None or cycle.opened_ms <= cycle.closed_ms
