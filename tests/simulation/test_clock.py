"""Clocks that disagree: the exchange's goes forward, the machine's is set while no process runs (A52)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.core.simulation.stage import Stage, copying


def test_what_ended_before_an_entry_was_placed_belongs_to_no_cycle_of_it() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.06", stop="58000")
    stage.settle()
    stage.world.step_exchange_clock(2_300)
    stage.price("57900")
    stage.run(5)
    stage.main.bid("0.02", "57000")
    stage.settle()
    assert stage.held("half") == []
    assert stage.audit() == []
    stage.restart()
    stage.settle()
    stage.price("57000")
    stage.settle()
    assert stage.of("half").held() == {"BTCUSDT": Decimal("0.01")}


@pytest.mark.proves("A52")
@pytest.mark.parametrize("by_ms", [-600_000, -2_500, 2_500, 600_000])
def test_a_clock_that_was_set_while_no_process_ran_loses_no_order(by_ms: int) -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.06", stop="58000")
    stage.main.bid("0.02", "59000")
    stage.settle()
    stage.world.kill()
    stage.world.step_local_clock(by_ms)
    stage.main.buy("0.04", stop="58500")
    stage.start()
    stage.settle()
    stage.price("59000")
    stage.settle()
    half = stage.of("half")
    assert (half.position(), half.stop()) == (Decimal("0.06"), Decimal(58_500))
    assert half.volume() == (Decimal("0.06"), Decimal(0))
    assert stage.audit() == []


@pytest.mark.proves("A52")
def test_an_exchange_whose_clock_goes_forward_is_followed_all_the_same() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.06", stop="58000")
    stage.settle()
    for _ in range(4):
        stage.world.step_exchange_clock(1_700)
        stage.main.buy("0.02")
        stage.main.sell("0.01", reduceOnly=True)
        stage.settle()
    stage.run(10_000)
    half = stage.of("half")
    assert (half.position(), half.stop()) == (Decimal("0.05"), Decimal(58_000))
    assert half.volume()[0] - half.volume()[1] == Decimal("0.05")
    assert stage.audit() == []
