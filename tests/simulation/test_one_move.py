"""One move of the price closes main, opens it again and fills a mirror's target of the position before."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.core.domain.policy import Follow
from mirrorctl.core.simulation.stage import Stage, copying


@pytest.mark.parametrize("seed", [3, 17, 23])
def test_a_target_of_the_position_before_is_no_own_exit_of_the_new_one(seed: int) -> None:
    stage = Stage(copying("half", "0.5", follow=Follow(max_slippage_bps=Decimal(500))), seed=seed)
    stage.main.buy("0.2")
    stage.settle()
    stage.main.offer("0.2", "60500", reduceOnly=True)
    stage.main.buy("0.1", triggerPrice="60550", triggerDirection=1)
    stage.settle()
    stage.run(500)
    stage.price("60600")
    stage.run(500)
    stage.settle()
    stage.run(25_000)
    assert stage.main.position() == Decimal("0.1")
    assert stage.of("half").position() == Decimal("0.05")
    assert stage.held("half") == []
