"""Fees of entries: counted from executions in whatever order they come, since the position was last flat."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import permutations

import pytest

from mirrorctl.core.domain.account import Execution
from mirrorctl.core.domain.values import ExecutionKind, PositionSide, Side
from mirrorctl.core.engine import entry_fees
from mirrorctl.core.engine.entry_fees import EntryFees
from tests.unit.domain.scenes import SYMBOL, execution

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT


def fill(number: int, qty: str, fee: str = "0", closed: str = "0", side: Side = Side.BUY) -> Execution:
    """The `number`th execution of main, at that second."""
    made = execution(f"x{number}", f"o{number}", qty, number, side=side, closed_qty=Decimal(closed))
    return replace(made, time_ms=number * 1_000, fee=Decimal(fee))


def noted(*fills: Execution, live: bool = True) -> EntryFees:
    fees = EntryFees()
    for each in fills:
        fees.note("main", each, live=live)
    return fees


LIFE = (
    fill(1, "0.1", "3"),
    fill(2, "0.2", "7"),
    fill(3, "0.05", "1", closed="0.05", side=Side.SELL),
    fill(4, "0.1", "2"),
)


@pytest.mark.proves("A35")
@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_fees_of_all_entries_whatever_came_first(order: tuple[int, ...]) -> None:
    fees = noted(*(LIFE[at] for at in order))
    assert fees.of("main", SYMBOL, LONG, Decimal("0.35")) == (Decimal(12), Decimal("0.4"))
    entered = fees.proven("main", SYMBOL, LONG, Decimal("0.35"))
    assert entered is not None
    assert (entered.began_ms, entered.flat_ms) == (1_000, 0)


@pytest.mark.proves("A35", "A85")
def test_an_execution_that_comes_twice_counts_once_and_a_missing_one_makes_them_unknown() -> None:
    fees = noted(*LIFE, *LIFE)
    assert fees.of("main", SYMBOL, LONG, Decimal("0.35")) == (Decimal(12), Decimal("0.4"))
    assert fees.of("main", SYMBOL, LONG, Decimal("0.4")) == (None, Decimal(0))
    assert noted(*LIFE[1:]).of("main", SYMBOL, LONG, Decimal("0.35")) == (None, Decimal(0))
    assert fees.of("mirror", SYMBOL, LONG, Decimal("0.35")) == (None, Decimal(0))


def test_a_flip_pays_for_what_it_opened_and_other_rows_for_nothing() -> None:
    funding = replace(fill(3, "0.1", "50"), kind=ExecutionKind.FUNDING)
    fees = noted(fill(1, "0.1", "3"), fill(2, "0.3", "9", closed="0.1", side=Side.SELL), funding)
    assert fees.of("main", SYMBOL, LONG, Decimal(0)) == (None, Decimal(0))
    assert fees.of("main", SYMBOL, SHORT, Decimal("0.2")) == (Decimal(6), Decimal("0.2"))


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_position_that_was_flat_in_between_is_another_one(order: tuple[int, ...]) -> None:
    """Executions prove it: all of what was held was closed, and what is held now came after."""
    fills = (fill(1, "0.1", "3"), fill(2, "0.1", closed="0.1", side=Side.SELL), fill(5, "0.2", "4"))
    fees = noted(*(fills[at] for at in order))
    again = fees.proven("main", SYMBOL, LONG, Decimal("0.2"))
    assert again is not None
    assert (again.flat_ms, again.began_ms, again.origin) == (2_000, 5_000, "o5")
    assert fees.of("main", SYMBOL, LONG, Decimal("0.2")) == (Decimal(4), Decimal("0.2"))
    assert fees.proven("main", SYMBOL, LONG, Decimal("0.3")) is None, "not all of it was seen"


def test_a_close_of_more_than_was_seen_proves_nothing() -> None:
    fees = noted(fill(1, "0.1"), fill(2, "0.3", closed="0.3", side=Side.SELL), fill(3, "0.2", "4"))
    found = fees.proven("main", SYMBOL, LONG, Decimal("0.2"))
    assert found is not None
    assert not found.flat_ms


@pytest.mark.parametrize(("live", "first"), [(True, 1_000), (False, None)])
def test_the_first_fill_counts_as_seen_only_when_it_came_live(live: bool, first: int | None) -> None:
    assert noted(*LIFE, live=live).first_fill_ms("main", SYMBOL, LONG) == first


def test_positions_that_closed_long_ago_are_let_go_and_what_stands_is_known() -> None:
    fees = EntryFees()
    for cycle in range(500):
        for each in (fill(2 * cycle + 1, "0.1", "1"), fill(2 * cycle + 2, "0.1", "1", closed="0.1", side=Side.SELL)):
            fees.note("main", each, live=True)
    for number in range(1_001, 1_401):
        fees.note("main", fill(number, "0.1", "1"), live=True)
    fees.note("main", fill(1, "0.1", "1"), live=False)  # read again after it was let go
    assert len(fees.sizes("main", SYMBOL, LONG)) <= 400 + 100
    assert fees.of("main", SYMBOL, LONG, Decimal(40)) == (Decimal(400), Decimal(40))
    entered = fees.proven("main", SYMBOL, LONG, Decimal(40))
    assert entered is not None
    assert entered.began_ms == 1_001_000


def test_what_is_counted_on_from_the_newest_is_what_counting_anew_gives() -> None:
    life = [fill(number, "0.1", "1") for number in range(1, 30)]
    life.append(fill(30, "2.9", "2", closed="2.9", side=Side.SELL))
    life += [fill(number, "0.2", "3") for number in range(31, 40)]
    life.append(fill(40, "0.5", "1", closed="0.5", side=Side.SELL))
    asked, fees = [], EntryFees()
    for each in life:
        fees.note("main", each, live=True)
        asked.append(fees.proven("main", SYMBOL, LONG, Decimal("1.3")))  # so that there is something to go on from
    assert asked[-1] is not None
    assert asked[-1] == noted(*reversed(life)).proven("main", SYMBOL, LONG, Decimal("1.3"))


def test_a_fill_is_counted_once_however_many_came_before(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = 0

    def count(entered: entry_fees.Entered, one: entry_fees._Fill) -> entry_fees.Entered:
        nonlocal counted
        counted += 1
        return after(entered, one)

    after = entry_fees._after
    monkeypatch.setattr(entry_fees, "_after", count)
    fees = EntryFees()
    for number in range(1, 51):
        fees.note("main", fill(number, "0.1", "1"), live=True)
        fees.of("main", SYMBOL, LONG, Decimal(1))
    assert counted == 50
