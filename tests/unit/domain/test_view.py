"""The size that a view answers with is that of what it holds now, however often it was asked before.

And of rows of one moment the one that shows more of what is bound counts, whichever came last.
"""

from __future__ import annotations

import sys
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from random import Random

import pytest

from mirrorctl.core.domain.account import Execution, Order, Position
from mirrorctl.core.domain.values import PositionSide, Side
from mirrorctl.core.domain.view import AccountView
from tests.unit.domain.scenes import SYMBOL, execution, order

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT


def row(size: str, seq: int) -> Position:
    return Position(SYMBOL, 0, LONG if Decimal(size) else None, Decimal(size), seq=seq, updated_ms=seq)


def test_every_message_that_changes_a_size_shows_at_once() -> None:
    view = AccountView("main")
    assert view.size(SYMBOL, LONG) == 0
    view.apply_execution(execution("x1", "o1", "0.1", 1), 1)
    assert (view.size(SYMBOL, LONG), view.size(SYMBOL, SHORT)) == (Decimal("0.1"), Decimal(0))
    view.apply_execution(execution("x2", "o2", "0.2", 2), 2)
    assert view.size(SYMBOL, LONG) == Decimal("0.3")
    view.apply_position(row("0.1", 1), 3)
    assert view.size(SYMBOL, LONG) == Decimal("0.3"), "the second one is newer than the row"
    sold = replace(execution("x3", "o3", "0.3", 3, side=Side.SELL), closed_qty=Decimal("0.3"))
    view.apply_execution(sold, 4)
    assert view.size(SYMBOL, LONG) == 0
    view.apply_position(replace(row("0.5", 9), idx=1), 5)
    assert view.size(SYMBOL, LONG) == Decimal("0.5"), "the symbol is in hedge mode now"


def test_a_size_that_is_kept_up_is_the_one_that_is_added_up_at_the_end() -> None:
    """Executions, rows and order rows of both modes in any order, asked for after each of them or never before."""
    for seed in range(60):
        drawn = Random(seed)
        asked, fresh = AccountView("main"), AccountView("main")
        for step in range(1, 40):
            message = _drawn(drawn, step, hedge=bool(seed % 2))
            for view in (asked, fresh):
                if isinstance(message, Position):
                    view.apply_position(message, step)
                elif isinstance(message, Order):
                    view.apply_order(message, step)
                else:
                    view.apply_execution(message, step)
            kept = [asked.size(SYMBOL, side) for side in (LONG, SHORT)]
            if drawn.random() < 0.2:
                assert kept == [fresh.size(SYMBOL, side) for side in (LONG, SHORT)], (seed, step)
                fresh = deepcopy(asked)
                fresh._sizes.forget(SYMBOL)


def _drawn(drawn: Random, step: int, *, hedge: bool) -> Position | Order | Execution:
    seq, idx = step + drawn.randint(-3, 3), drawn.choice((1, 2)) if hedge else 0
    which = drawn.random()
    if which < 0.2:
        side = drawn.choice((LONG, SHORT)) if not hedge else LONG if idx == 1 else SHORT
        size = Decimal(drawn.randint(0, 3)) / 10
        return Position(SYMBOL, idx, side if size else None, size, seq=max(seq, 0), updated_ms=step)
    if which < 0.4:
        return order(f"o{drawn.randint(1, 9)}", "0.5", position_idx=idx, updated_ms=step)
    way, qty = drawn.choice((Side.BUY, Side.SELL)), Decimal(drawn.randint(1, 3)) / 10
    closed = drawn.choice((Decimal(0), qty, qty / 2))
    return replace(execution(f"x{step}", f"o{drawn.randint(1, 9)}", str(qty), seq, side=way), closed_qty=closed)


def test_asking_again_adds_nothing_up_again() -> None:
    view = AccountView("main")
    view.apply_execution(execution("x1", "o1", "0.1", 1), 1)
    assert view.size(SYMBOL, LONG) == Decimal("0.1")
    before = sys.getprofile()
    called: list[str] = []
    sys.setprofile(lambda frame, event, _: called.append(frame.f_code.co_name) if event == "call" else None)
    try:
        view.size(SYMBOL, LONG)
        view.apply_execution(execution("x2", "o2", "0.2", 2), 2)
        view.size(SYMBOL, LONG)
    finally:
        sys.setprofile(before)
    assert "add_up" not in called
    assert view.size(SYMBOL, LONG) == Decimal("0.3")


@pytest.mark.proves("A54", "A21")
@pytest.mark.parametrize("bound", ["stop_loss", "take_profit", "trailing_stop"])
@pytest.mark.parametrize("turned", [False, True])
def test_what_was_set_in_the_moment_of_a_fill_shows_whichever_row_comes_last(bound: str, turned: bool) -> None:
    filled = replace(row("0.1", 7), told_ms=7)
    pushed = [filled, replace(filled, **{bound: Decimal(900)})]  # type: ignore[arg-type]  # a price each
    view = AccountView("main")
    for each in reversed(pushed) if turned else pushed:
        view.apply_position(each, 1)
    assert view.position(SYMBOL, LONG) == pushed[1]
    view.apply_position(replace(filled, told_ms=8), 2)
    assert view.position(SYMBOL, LONG) == filled, "told later: it was taken off again"


def test_the_later_of_two_moves_in_one_moment_is_the_one_that_came_last() -> None:
    view = AccountView("main")
    for stop in (900, 901):
        view.apply_position(replace(row("0.1", 7), stop_loss=Decimal(stop)), 1)
    standing = view.position(SYMBOL, LONG)
    assert standing is not None
    assert standing.stop_loss == 901
