"""Any ladder that stands on main is adopted as it is: the pass after it finds nothing to do."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorctl.core.domain.approach import CONSERVATIVE
from mirrorctl.core.domain.ladder import spread, stored_ladder
from mirrorctl.core.domain.standing_trade import read_off, stop_on_book
from mirrorctl.core.domain.values import PositionSide, StopKind, TriggerBy
from mirrorctl.core.domain.view import AccountView
from tests.unit.domain.scenes import BTC, NOW, SYMBOL, Book, order, stop_row

STEP = Decimal("0.001")
SIDES = st.sampled_from(list(PositionSide))
RUNGS = st.lists(st.integers(1, 400), min_size=1, max_size=10)


def adopt(side: PositionSide, rungs: list[int], rest: int, filled: int = 0) -> tuple[Book, list[Decimal]]:
    """A position of which `rungs` steps stand in targets and `rest` steps do not; the first one filled a part."""
    book = Book(AccountView("main"))
    book.hold(side, (sum(rungs) + rest) * STEP)
    for leg, steps in enumerate(rungs):
        price = Decimal(60_000 + (leg + 1) * 100 * side.sign)
        book.rest(replace(order(f"t{leg}", "0", side=side.exit, price=price, reduce_only=True), qty=steps * STEP))
    if filled:
        book.fill("t0", filled * STEP)
    return book, [steps * STEP for steps in rungs]


@pytest.mark.proves("A63")
@given(SIDES, RUNGS, st.integers(0, 500), st.data())
def test_what_stands_is_what_the_adopted_ladder_wants(
    side: PositionSide, rungs: list[int], rest: int, data: st.DataObject
) -> None:
    filled = data.draw(st.integers(0, rungs[0] - 1), label="filled")
    book, quantities = adopt(side, rungs, rest, filled)
    found = read_off(book.view, SYMBOL, side, "abcdefg", CONSERVATIVE, NOW)
    assert found is not None
    trade = found.trade
    assert sum((t.percent for t in trade.targets), trade.uncovered) == 100
    wanted = spread(stored_ladder(trade), book.view.size(SYMBOL, side), {trade.rung_key(0): filled * STEP}, BTC)
    assert {rung.order_id: rung.open_qty for rung in wanted} == {
        f"t{leg}": qty - (filled * STEP if leg == 0 else 0) for leg, qty in enumerate(quantities)
    }


@given(SIDES, st.lists(st.tuples(st.integers(1, 1000), st.integers(1, 50)), max_size=8))
def test_the_chosen_partial_stop_covers_half_with_those_before_it(
    side: PositionSide, stops: list[tuple[int, int]]
) -> None:
    """Named or chosen, none is lost; a stop is found exactly when all of them together cover half."""
    book = Book(AccountView("main"))
    book.hold(side, Decimal(1))
    for number, (steps, far) in enumerate(stops):
        row = stop_row(side, TriggerBy.LAST, order_id=f"s{number}", stop_kind=StopKind.PARTIAL_STOP_LOSS)
        book.rest(replace(row, qty=steps * STEP, trigger_price=Decimal(60_000 - far * 100 * side.sign)))
    price, _, others = stop_on_book(book.view, SYMBOL, side)
    covered = sum(steps for steps, _ in stops)
    assert (price is not None) == (2 * covered >= 1000)
    assert len(others) == len(stops) - (price is not None)
    if price is not None:
        nearer = sum(steps for steps, far in stops if (60_000 - far * 100 * side.sign - price) * side.sign >= 0)
        assert 2 * nearer >= 1000
