"""The price of main's fill bounds a copy also when the position tells of the fill before its execution does (A20)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying


@pytest.mark.proves("A20")
def test_a_young_position_that_is_read_first_bounds_the_copy_by_its_entry() -> None:
    """Main's execution is not told. 60000.1 + 50 bps = 60300.1; the mid is 60600 by then."""
    stage = Stage(copying("half", "0.5"))
    stage.world.stream_down("main")
    stage.world.fault(FaultKind.EMPTY, "main", "/v5/execution/list", count=None)
    stage.main.buy("0.1")
    stage.price("60600")
    stage.world.stream_up("main")
    stage.run(3_000)
    assert {order.price for order in stage.placed("half")} == {Decimal("60300.1")}
    assert stage.of("half").held() == {}


@pytest.mark.proves("A20")
@pytest.mark.parametrize("seed", range(1, 5))
def test_an_add_whose_row_comes_first_waits_for_the_price_of_its_fill(seed: int) -> None:
    """The fill before is too old to measure by, the mid is 1 % away: the execution is a moment behind the row."""
    stage = Stage(copying("half", "0.5"), seed=seed)
    stage.main.buy("0.1")
    stage.run(70_000)
    before = len(stage.placed("half"))
    stage.world.fault(FaultKind.PUSH_DROP, "main", "execution")
    stage.main.buy("0.1")
    stage.price("60600")
    stage.run(3_000)
    assert {order.price for order in stage.placed("half")[before:]} == {Decimal("60300.1")}
    assert stage.of("half").position() == Decimal("0.05")
