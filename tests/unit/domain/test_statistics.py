"""Statistics by hand: what is one trade, what it brought, and what cannot be said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest

from mirrorctl.core.domain.account import ClosedPnl, Execution, Position
from mirrorctl.core.domain.statistics import CycleResult, Figures, cycles_of, figures, percentile
from mirrorctl.core.domain.values import ExecutionKind, PositionSide, Side
from tests.unit.domain.scenes import row

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT
START = 1_700_000_000_000
BTC, ETH = "BTCUSDT", "ETHUSDT"


@dataclass
class Ledger:
    """What one account did, as the exchange tells it: a fill each millisecond, with a fee of 0.5."""

    executions: list[Execution] = field(default_factory=list)
    records: list[ClosedPnl] = field(default_factory=list)
    now: int = START

    def fill(
        self, order_id: str, side: Side, qty: str, *, closed: str = "0", symbol: str = BTC, fee: str = "0.5"
    ) -> Execution:
        self.now += 1
        made = Execution(
            f"x{self.now}",
            order_id,
            "",
            symbol,
            side,
            Decimal(60_000),
            Decimal(qty),
            ExecutionKind.TRADE,
            seq=self.now - START,
            time_ms=self.now,
            closed_qty=Decimal(closed),
            fee=Decimal(fee),
        )
        self.executions.append(made)
        return made

    def opened(self, qty: str, side: PositionSide = LONG, symbol: str = BTC) -> None:
        self.fill(f"open{self.now}", side.entry, qty, symbol=symbol)

    def closed(self, order_id: str, qty: str, pnl: str, side: PositionSide = LONG, symbol: str = BTC) -> None:
        self.fill(order_id, side.exit, qty, closed=qty, symbol=symbol)
        self.record(order_id, qty, pnl, side, symbol)

    def record(self, order_id: str, qty: str, pnl: str, side: PositionSide = LONG, symbol: str = BTC) -> None:
        price = Decimal(60_000)
        made = ClosedPnl(symbol, side, order_id, Decimal(qty), price, price, Decimal(pnl), self.now, self.now)
        self.records.append(made)

    def funded(self, fee: str, qty: str = "1") -> None:
        made = self.fill("", Side.BUY, qty, fee=fee)
        self.executions[-1] = replace(made, kind=ExecutionKind.FUNDING)

    def cycles(self, *standing: Position) -> list[CycleResult]:
        return cycles_of(self.executions, self.records, standing)

    def figures(self, *standing: Position) -> Figures:
        return figures(self.cycles(*standing), self.executions)


def told(cycles: Sequence[CycleResult]) -> list[tuple[str, str, str, bool, bool]]:
    """(side, closed quantity, PnL, whether its beginning was read, whether it is over)."""
    return [
        (c.side.value, str(c.closed_qty), str(c.pnl), c.opened_ms is not None, c.closed_ms is not None) for c in cycles
    ]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.mark.proves("A68")
def test_one_trade_is_one_cycle_however_many_orders_opened_and_closed_it(ledger: Ledger) -> None:
    ledger.opened("0.2")
    ledger.opened("0.1")
    ledger.closed("t1", "0.2", "120")
    ledger.opened("0.1")
    ledger.closed("t2", "0.1", "40.5")
    ledger.closed("stop", "0.1", "-10.25")
    ledger.opened("0.3", SHORT)
    ledger.closed("stop2", "0.3", "-50", SHORT)
    assert told(ledger.cycles()) == [("long", "0.4", "150.25", True, True), ("short", "0.3", "-50", True, True)]
    assert ledger.figures() == Figures(
        trades=2,
        wins=1,
        losses=1,
        win_rate=Decimal("0.5"),
        profit_factor=Decimal("3.005"),
        fees=Decimal("4"),
        net_pnl=Decimal("100.25"),
        funding=Decimal(0),
        standing=0,
        cut=0,
        unrecorded=0,
    )


def test_times_are_those_of_the_first_and_the_last_fill(ledger: Ledger) -> None:
    ledger.opened("0.2")
    ledger.closed("a", "0.1", "1")
    ledger.closed("b", "0.1", "1")
    [cycle] = ledger.cycles()
    assert (cycle.opened_ms, cycle.closed_ms) == (START + 1, START + 3)


def test_a_result_of_zero_is_neither_won_nor_lost(ledger: Ledger) -> None:
    for order_id, pnl in (("a", "0"), ("b", "2"), ("c", "1"), ("d", "-1"), ("e", "0.00")):
        ledger.opened("0.1")
        ledger.closed(order_id, "0.1", pnl)
    found = ledger.figures()
    assert (found.trades, found.wins, found.losses) == (5, 2, 1)
    assert (found.win_rate, found.profit_factor, found.net_pnl) == (Decimal("0.6667"), Decimal(3), Decimal(2))


@pytest.mark.parametrize(
    ("results", "win_rate", "profit_factor"),
    [
        ([], None, None),
        (["0"], None, None),
        (["3", "4"], Decimal(1), None),
        (["-3"], Decimal(0), Decimal(0)),
        (["-3", "0"], Decimal(0), Decimal(0)),
    ],
)
def test_what_cannot_be_computed_is_not_available(
    ledger: Ledger, results: list[str], win_rate: Decimal | None, profit_factor: Decimal | None
) -> None:
    for number, pnl in enumerate(results):
        ledger.opened("0.1")
        ledger.closed(str(number), "0.1", pnl)
    found = ledger.figures()
    assert (found.win_rate, found.profit_factor) == (win_rate, profit_factor)


def test_funding_is_apart_and_moves_nothing(ledger: Ledger) -> None:
    ledger.opened("0.1")
    ledger.funded("1.5", "0.1")
    ledger.funded("-0.25", "0.1")
    ledger.closed("a", "0.1", "10")
    found = ledger.figures()
    assert (found.funding, found.fees, found.net_pnl, found.trades) == (
        Decimal("-1.25"),
        Decimal(1),
        Decimal(10),
        1,
    )


def test_a_flip_ends_one_trade_and_begins_another(ledger: Ledger) -> None:
    ledger.opened("0.1")
    ledger.fill("flip", Side.SELL, "0.3", closed="0.1")
    ledger.record("flip", "0.1", "5")
    ledger.closed("end", "0.2", "-7", SHORT)
    assert told(ledger.cycles()) == [("long", "0.1", "5", True, True), ("short", "0.2", "-7", True, True)]


def test_both_legs_of_a_hedged_symbol_and_other_symbols_are_trades_of_their_own(ledger: Ledger) -> None:
    ledger.opened("0.1")
    ledger.opened("0.2", SHORT)
    ledger.opened("1", symbol=ETH)
    ledger.closed("short", "0.2", "-1", SHORT)
    ledger.closed("eth", "1", "3", symbol=ETH)
    ledger.closed("long", "0.1", "2")
    assert [(c.symbol, c.side, c.pnl) for c in ledger.cycles()] == [
        (BTC, LONG, Decimal(2)),
        (BTC, SHORT, Decimal(-1)),
        (ETH, LONG, Decimal(3)),
    ]


def test_what_still_stands_is_no_trade_yet_and_its_records_are_in_the_sum(ledger: Ledger) -> None:
    ledger.opened("0.3")
    ledger.closed("target", "0.1", "25")
    held = row(LONG, "0.2", ledger.now - START)
    assert told(ledger.cycles(held)) == [("long", "0.1", "25", True, False)]
    found = ledger.figures(held)
    assert (found.trades, found.wins, found.standing, found.net_pnl) == (0, 0, 1, Decimal(25))


@pytest.mark.proves("A68")
def test_a_cycle_cut_by_the_window_is_a_trade_of_its_own_with_the_records_there_are(ledger: Ledger) -> None:
    ledger.closed("rest", "0.2", "-4")
    ledger.opened("0.1")
    ledger.closed("next", "0.1", "3")
    assert told(ledger.cycles()) == [("long", "0.2", "-4", False, True), ("long", "0.1", "3", True, True)]
    found = ledger.figures()
    assert (found.trades, found.wins, found.losses, found.cut) == (2, 1, 1, 1)


def test_a_position_that_was_there_before_and_is_added_to_stays_one_cycle(ledger: Ledger) -> None:
    """0.5 stood before: after closing 0.2 it is not flat, although nothing that was read opened it."""
    ledger.closed("a", "0.2", "1")
    ledger.opened("0.1")
    ledger.closed("b", "0.1", "2")
    held = row(LONG, "0.3", ledger.now - START)
    assert told(ledger.cycles(held)) == [("long", "0.3", "3", False, False)]
    assert [c[4] for c in told(ledger.cycles())] == [True, True], "flat now: 0.2 stood before and no more"


def test_a_fill_after_the_position_was_read_was_not_there_before(ledger: Ledger) -> None:
    ledger.opened("0.1")
    held = row(LONG, "0.1", ledger.now - START)
    ledger.closed("a", "0.1", "1")
    assert told(ledger.cycles(held)) == [("long", "0.1", "1", True, True)]
    ledger.opened("0.4")
    assert [c[3] for c in told(ledger.cycles(held))] == [True, True]
    assert [c[3] for c in told(ledger.cycles())] == [True, True], "flat when it was read, opened a moment later"


def test_a_close_without_a_record_is_not_counted_and_said(ledger: Ledger) -> None:
    ledger.opened("0.2")
    ledger.closed("a", "0.1", "5")
    ledger.fill("b", Side.SELL, "0.1", closed="0.1")
    ledger.opened("0.1")
    ledger.closed("c", "0.1", "-1")
    found = ledger.figures()
    assert (found.trades, found.wins, found.losses, found.unrecorded) == (1, 0, 1, 1)
    assert found.net_pnl == Decimal(4), "the record that is there counts in the sum"


def test_a_record_whose_execution_was_not_read_is_itself_the_close(ledger: Ledger) -> None:
    ledger.opened("0.1")
    ledger.now += 1
    ledger.record("settled", "0.1", "8")
    ledger.opened("0.1")
    ledger.closed("a", "0.1", "1")
    assert told(ledger.cycles()) == [("long", "0.1", "8", True, True), ("long", "0.1", "1", True, True)]


def test_a_record_that_closed_nothing_belongs_to_the_cycle_around_it(ledger: Ledger) -> None:
    ledger.opened("0.1")
    ledger.now += 1
    ledger.record("settlement", "0", "-2")
    ledger.closed("a", "0.1", "5")
    assert told(ledger.cycles()) == [("long", "0.1", "3", True, True)]


def test_an_order_that_closed_in_two_cycles_shares_its_record_by_quantity(ledger: Ledger) -> None:
    ledger.opened("0.1")
    ledger.fill("resting", Side.SELL, "0.1", closed="0.1")
    ledger.opened("0.2")
    ledger.fill("resting", Side.SELL, "0.2", closed="0.2")
    ledger.record("resting", "0.3", "10")
    first, second = ledger.cycles()
    assert (first.pnl, second.pnl) == (Decimal("3.33333333"), Decimal("6.66666667"))
    assert first.pnl + second.pnl == Decimal(10)


def test_two_records_of_one_order_are_one_close(ledger: Ledger) -> None:
    ledger.opened("0.2")
    ledger.fill("a", Side.SELL, "0.2", closed="0.2")
    ledger.record("a", "0.1", "1")
    ledger.record("a", "0.1", "2")
    assert told(ledger.cycles()) == [("long", "0.2", "3", True, True)]


def test_nothing_gives_nothing() -> None:
    assert cycles_of([], [], [row(LONG, "0.1", 5)]) == []
    assert figures([], []).trades == 0


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], (None, None, None)),
        ([7], (7, 7, 7)),
        ([30, 10, 20], (20, 30, 30)),
        (list(range(1, 101)), (50, 95, 99)),
        (list(range(1, 21)), (10, 19, 20)),
    ],
)
def test_percentiles_are_values_that_were_measured(values: list[int], expected: tuple[int | None, ...]) -> None:
    assert tuple(percentile(values, percent) for percent in (50, 95, 99)) == expected
