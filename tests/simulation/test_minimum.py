"""Growth under the contract's minimum: skipped, accumulated or raised as policy says, told, never silently (A9)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.core.domain.policy import BelowMinimum, Limits, MirrorPolicy, Sizing
from mirrorctl.core.simulation.stage import Stage, copying

FREE = Limits(Decimal(100), None, None, None)


def small(mode: BelowMinimum, limits: Limits = FREE) -> MirrorPolicy:
    """A mirror at a quarter; the minimum of BTCUSDT is 0.001, so main's 0.002 is too small for it."""
    return copying("small", sizing=Sizing(value=Decimal("0.25"), below_minimum=mode), limits=limits)


@pytest.mark.proves("A9", "A82")
def test_skip_leaves_out_what_an_entry_was_too_small_for() -> None:
    stage = Stage(small(BelowMinimum.SKIP))
    stage.main.buy("0.002")
    stage.run(1_000)
    assert stage.held("small") == ["below minimum: 0.0005"]
    stage.run(6_000)
    stage.main.buy("0.002")
    stage.run(6_000)
    assert stage.of("small").position() == 0, "0.001 by now, and each entry was too small"
    assert stage.alerts("small", "skipped: 0.0005")
    assert stage.held("small") == ["below minimum: 0.001 of earlier entries skipped"]
    assert not stage.drift("small")
    stage.main.buy("0.1")
    stage.settle()
    assert stage.of("small").position() == Decimal("0.025"), "not the 0.001 of before"
    stage.restart()
    stage.settle()
    stage.main.sell("0.052", reduceOnly=True)
    stage.settle()
    assert stage.of("small").position() == Decimal("0.013")
    stage.main.close()
    stage.settle()
    assert stage.of("small").held() == {}


@pytest.mark.proves("A9")
def test_accumulate_makes_it_up_with_the_next_order_that_reaches_the_minimum() -> None:
    stage = Stage(small(BelowMinimum.ACCUMULATE))
    stage.main.buy("0.002")
    stage.run(9_000)
    assert stage.of("small").position() == 0
    assert stage.held("small") == ["below minimum: 0.0005"]
    stage.main.buy("0.002")
    stage.settle()
    assert stage.of("small").position() == Decimal("0.001")


@pytest.mark.proves("A9")
def test_round_up_raises_one_entry_in_a_cycle_to_the_minimum() -> None:
    stage = Stage(small(BelowMinimum.ROUND_UP))
    stage.main.buy("0.002", stop="58000")
    stage.settle()
    assert stage.of("small").position() == Decimal("0.001")
    assert stage.of("small").stop() == Decimal(58000)
    stage.restart()
    stage.settle()
    stage.main.buy("0.001")
    stage.settle()
    assert stage.of("small").position() == Decimal("0.001"), "0.00075: it holds that already"
    stage.main.buy("0.005")
    stage.settle()
    assert stage.of("small").position() == Decimal("0.002"), "the whole is floored, nothing is added to it"
    stage.main.close()
    stage.settle()
    assert stage.of("small").held() == {}


@pytest.mark.proves("A9")
def test_round_up_never_breaks_a_limit() -> None:
    stage = Stage(small(BelowMinimum.ROUND_UP, Limits(Decimal(100), Decimal(50), None, None)))
    stage.main.buy("0.002")
    stage.run(9_000)
    assert stage.of("small").position() == 0
    assert any("max_position_notional" in reason for reason in stage.held("small"))


@pytest.mark.parametrize("mode", list(BelowMinimum))
def test_a_reduction_is_never_raised_and_a_rest_closes_with_main(mode: BelowMinimum) -> None:
    stage = Stage(small(mode))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.main.sell("0.098", reduceOnly=True)
    stage.settle()
    assert stage.of("small").position() <= Decimal("0.001")
    stage.main.close()
    stage.settle()
    assert stage.of("small").held() == {}


def test_entries_in_quick_succession_are_one() -> None:
    """Each is too small by itself; together they are not, and none was given up before its grace time was over."""
    stage = Stage(small(BelowMinimum.SKIP))
    for _ in range(20):
        stage.main.buy("0.002")
        stage.run(50)
    stage.settle()
    assert stage.of("small").position() == Decimal("0.01")
