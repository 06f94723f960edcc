"""What crosses on the wire: a change that comes too late is no news, and an order that fills in parts is told once."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying

AMEND, TRADING_STOP = "/v5/order/amend", "/v5/position/trading-stop"


def followed() -> tuple[Stage, str]:
    """Main holds 0.1 under a stop and one resting target, by hand; the id of that target."""
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    target = stage.main.sell("0.1", "62000", reduceOnly=True)
    stage.settle()
    stage.until(lambda: bool(stage.of("half").orders()))
    return stage, target


@pytest.mark.proves("A69")
@pytest.mark.parametrize("code", [110001, 110008, 110010, 110064])
def test_an_amend_that_comes_too_late_is_no_news(code: int) -> None:
    stage, target = followed()
    stage.world.fault(FaultKind.RET_CODE, "half", AMEND, code=code, message="too late")
    stage.main.amend(target, price="62500")
    stage.until(lambda: [row["price"] for row in stage.of("half").orders()] == ["62500"])
    assert stage.alerts("half", "refused") == []


@pytest.mark.proves("A69")
def test_a_stop_for_a_position_that_has_just_gone_is_no_news() -> None:
    stage, _ = followed()
    message = "can not set tp/sl/ts for zero position"
    stage.world.fault(FaultKind.RET_CODE, "half", TRADING_STOP, code=10001, message=message)
    stage.main.protect(stop="58500")
    stage.until(lambda: stage.of("half").stop() == Decimal(58_500))
    assert stage.alerts("half", "refused") == []


@pytest.mark.proves("A74")
def test_a_change_that_is_refused_for_what_it_asks_is_told() -> None:
    stage, target = followed()
    stage.world.fault(FaultKind.RET_CODE, "half", AMEND, code=10001, message="price invalid")
    stage.main.amend(target, price="62500")
    stage.until(lambda: [row["price"] for row in stage.of("half").orders()] == ["62500"])
    assert len(stage.alerts("half", "refused")) == 1


@pytest.mark.proves("A69", "A76")
def test_a_target_of_the_mirror_that_fills_in_parts_is_told_as_one_exit() -> None:
    stage, _ = followed()
    rung = str(stage.of("half").orders()[0]["orderId"])
    for _ in range(3):
        stage.of("half").fill(rung, "0.01")
        stage.run(500)
    stage.run(20_000)
    assert stage.of("half").position() == Decimal("0.02")
    assert len(stage.alerts("half", "own-exit")) == 1
