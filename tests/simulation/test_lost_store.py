"""A store that is lost at a bad moment: what our own orders opened is still ours, and waits for the trader's word."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying


def test_a_position_of_ours_is_ours_where_main_closed_and_has_an_entry_resting() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.world.kill()
    stage.world.lose_store()
    stage.main.close()
    stage.main.bid("0.05", "59000")
    stage.start()
    stage.run(5_000)
    half = stage.of("half")
    assert stage.parked("half") == ["new store: main is flat"]
    assert (half.position(), half.stop()) == (Decimal("0.05"), Decimal(58_000))
    stage.command("sync")
    stage.settle()
    assert half.held() == {}
    assert half.book() == [("Buy", Decimal("0.025"), Decimal(59_000))]


def test_a_twin_that_fills_before_main_could_be_read_again_is_ours() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.bid("0.05", "59700")
    stage.settle()
    stage.world.kill()
    stage.world.lose_store()
    number = stage.world.fault(FaultKind.RET_CODE, "main", "/v5/position/list", count=None, code=10016, message="busy")
    stage.start()
    stage.run(3_000)
    stage.price("59700")
    stage.run(3_000)
    stage.world.gateway.faults.clear(number)
    stage.run(10_000)
    assert stage.parked("half") == []
    assert stage.of("half").held() == {"BTCUSDT": Decimal("0.025")}
    stage.main.protect(stop="58000")
    stage.settle()
    assert stage.of("half").stop() == Decimal(58_000)


@pytest.mark.parametrize("kind", [FaultKind.EMPTY, FaultKind.TRUNCATE, FaultKind.HIDE])
def test_a_position_is_ours_once_its_execution_is_seen_however_late(kind: FaultKind) -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.world.kill()
    stage.world.lose_store()
    how = {"ms": 600_000} if kind is FaultKind.HIDE else {}
    number = stage.world.fault(kind, "half", "/v5/execution/list", count=None, **how)
    stage.start()
    stage.run(3_000)
    stage.world.gateway.faults.clear(number)
    stage.run(25_000)
    half = stage.of("half")
    assert stage.parked("half") == []
    assert half.position() == Decimal("0.05")
    stage.main.buy("0.1", stop="58500")
    stage.settle()
    assert (half.position(), half.stop()) == (Decimal("0.1"), Decimal(58_500))
