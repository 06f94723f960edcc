"""What mirrors go by of main: a row that shows a fill that was told is none of their business, everything else is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from mirrorctl.core.domain.account import Execution, Order, Position
from mirrorctl.core.domain.values import OrderStatus, OrderType, PositionSide, Side, StopKind
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.engine.confirmations import filled_at_once, followed
from tests.unit.domain.scenes import NOW, SYMBOL, execution, order, row, stop_row

LONG = PositionSide.LONG
HELD = row(LONG, "0.1", 5, stop_loss=Decimal(50_000))
Change = Callable[[AccountView], object]


def standing(stop: bool = False) -> AccountView:
    """Main holds 0.1 by its row, and 0.2 more by an execution that is newer."""
    view = AccountView("main")
    view.apply_position(HELD, 1)
    view.explain(SYMBOL, 5)
    if stop:
        bound = {"stop_kind": StopKind.STOP_LOSS, "trigger_price": Decimal(50_000), "side": Side.SELL}
        view.apply_order(order("bound", "0.1", reduce_only=True, **bound), 2)
    view.apply_execution(execution("x1", "o1", "0.2", 6), 3)
    return view


def bought(**changes: object) -> Order:
    """The order whose execution was seen."""
    done = order("o1", "0.2", order_type=OrderType.MARKET, status=OrderStatus.FILLED, filled_qty=Decimal("0.2"))
    return replace(done, **changes)  # type: ignore[arg-type]  # by name


def shown(**changes: object) -> Position:
    """The row that shows the execution, with another entry price, seq and time."""
    seen = replace(HELD, size=Decimal("0.3"), seq=6, updated_ms=NOW + 1, entry_price=Decimal(61_000), told_ms=NOW + 2)
    return replace(seen, **changes)  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize("stop", [False, True], ids=["bare", "with a stop order"])
@pytest.mark.parametrize(
    "confirm", [lambda view: view.apply_order(bought(), 4), lambda view: view.apply_position(shown(), 4)]
)
def test_rows_of_a_fill_that_was_told_leave_it_equal(confirm: Change, stop: bool) -> None:
    view = standing(stop)
    before = followed(view, SYMBOL)
    assert confirm(view), "it is news all the same"
    assert followed(view, SYMBOL) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda view: view.apply_execution(execution("x2", "o2", "0.1", 7), 4),
        lambda view: view.apply_position(shown(size=Decimal("0.4")), 4),
        lambda view: view.apply_position(shown(size=Decimal("0.4"), seq=7), 4),
        lambda view: view.apply_position(shown(stop_loss=Decimal(49_000)), 4),
        lambda view: view.apply_position(shown(stop_loss=None), 4),
        lambda view: view.apply_position(shown(take_profit=Decimal(70_000)), 4),
        lambda view: view.apply_position(shown(trailing_stop=Decimal(100)), 4),
        lambda view: view.apply_position(shown(leverage=Decimal(20)), 4),
        lambda view: view.apply_position(shown(opened_ms=NOW), 4),
        lambda view: view.apply_position(shown(idx=1), 4),
        lambda view: view.apply_order(bought(filled_qty=Decimal("0.3"), qty=Decimal("0.3")), 4),
        lambda view: view.apply_order(order("o3", "0.2"), 4),
        lambda view: view.apply_order(stop_row(LONG, order("", "1").trigger_by), 4),
    ],
)
def test_everything_else_that_changes_something_does_not(change: Change) -> None:
    view = standing()
    before = followed(view, SYMBOL)
    change(view)
    assert followed(view, SYMBOL) != before


def test_an_order_behind_the_stop_that_counts_again_is_seen() -> None:
    """Its age is compared with the row's: a row that is newer than it changes which of the two words counts."""
    view = standing()
    bound = {"stop_kind": StopKind.STOP_LOSS, "trigger_price": Decimal(48_000), "side": Side.SELL}
    view.apply_order(order("bound", "0.1", reduce_only=True, updated_ms=NOW + 9, **bound), 4)
    before = followed(view, SYMBOL)
    view.apply_position(shown(told_ms=NOW + 20), 5)
    assert followed(view, SYMBOL) != before


def test_an_order_that_was_seen_before_did_not_fill_at_once() -> None:
    view = standing()
    assert filled_at_once(view, bought())
    resting = bought(status=OrderStatus.NEW, filled_qty=Decimal(0))
    others = [
        bought(order_type=OrderType.LIMIT),
        bought(status=OrderStatus.CANCELLED),
        bought(stop_kind=StopKind.PARTIAL_TAKE_PROFIT),
        resting,
    ]
    assert not any(filled_at_once(view, each) for each in others)
    view.apply_order(resting, 4)
    assert not filled_at_once(view, bought())


def test_an_execution_belongs_to_what_was_told() -> None:
    """Where the row comes first it is ahead: nobody knows yet whose fill it shows, and mirrors look at that."""
    view = AccountView("main")
    view.apply_position(HELD, 1)
    view.explain(SYMBOL, 5)
    before = followed(view, SYMBOL)
    view.apply_position(shown(), 2)
    assert followed(view, SYMBOL) != before
    late: Execution = execution("x1", "o1", "0.2", 6)
    ahead = followed(view, SYMBOL)
    view.apply_execution(late, 3)
    assert followed(view, SYMBOL) != ahead
