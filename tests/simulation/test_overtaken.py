"""Executions that overtake one another: what one closed tells of those that are still on their way (A54, A85)."""

from __future__ import annotations

from decimal import Decimal
from itertools import accumulate

import pytest

from mirrorctl.core.domain.account import Execution
from mirrorctl.core.domain.values import ExecutionKind, PositionSide, Side
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying


@pytest.mark.proves("A85", "A54")
@pytest.mark.parametrize("seed", range(6))
def test_a_flip_that_is_seen_before_what_it_closed_is_not_followed_twice(seed: int) -> None:
    stage = Stage(copying("half", "0.5"), seed=seed)
    stage.world.fault(FaultKind.PUSH_REORDER, "main", "execution")
    stage.world.fault(FaultKind.PUSH_DROP, "main", "position", count=2)
    stage.world.fault(FaultKind.PUSH_DROP, "main", "order", count=2)
    stage.main.buy("1.17", "ETHUSDT")
    stage.run(3)
    stage.main.sell("2.31", "ETHUSDT")
    stage.run(100)
    stage.settle()
    fills = stage.of("half").fills("ETHUSDT")
    moved = [Decimal(row["execQty"]) * (1 if row["side"] == "Buy" else -1) for row in fills]
    assert stage.of("half").held() == {"ETHUSDT": Decimal("-0.57")}
    assert min(accumulate(moved)) == Decimal("-0.57")


@pytest.mark.proves("A20", "A85")
@pytest.mark.parametrize("seed", range(5, 8))
def test_a_fill_that_mains_position_shows_first_is_not_twinned_as_if_it_were_open(seed: int) -> None:
    """An entry rests, another fills at once, and the resting one fills in part before a twin of it stands."""
    stage = Stage(copying("half", "0.5"), seed=seed)
    stage.main.buy("0.010")
    stage.settle()  # the contract's rules and the cycle's ratio are known from here on
    resting = stage.main.bid("0.060", "59500")
    stage.main.buy("0.080")
    stage.main.fill(resting, "0.040")
    half, seen = stage.of("half"), []
    for _ in range(300):
        stage.run(1)
        seen.append(half.position() + sum((qty for _, qty, _ in half.book()), Decimal(0)))
    assert max(seen) == Decimal("0.075")


def fill(seq: int, side: Side, qty: str, closed: str = "0") -> Execution:
    return Execution(
        f"x{seq}", f"o{seq}", "", "ETHUSDT", side, Decimal(3000), Decimal(qty), ExecutionKind.TRADE, seq, seq,
        closed_qty=Decimal(closed),
    )  # fmt: skip


@pytest.mark.proves("A85")
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1)])
def test_the_size_is_right_once_all_came_and_never_on_a_side_that_was_not_held(order: tuple[int, ...]) -> None:
    rows = [fill(1, Side.BUY, "1.17"), fill(2, Side.SELL, "0.40", "0.40"), fill(3, Side.SELL, "1.00", "0.77")]
    view = AccountView("main")
    for n in order:
        view.apply_execution(rows[n], 10)
        assert view.size("ETHUSDT", PositionSide.SHORT) in (Decimal(0), Decimal("0.23"))
    assert view.size("ETHUSDT", PositionSide.SHORT) == Decimal("0.23")
    assert view.size("ETHUSDT", PositionSide.LONG) == 0
