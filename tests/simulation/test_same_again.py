"""The same stop for one position after another: the pace that keeps changes from storming never delays a new one."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.core.simulation.stage import Stage


@pytest.mark.proves("A21")
def test_the_stop_of_the_next_position_does_not_wait_for_the_pace_of_the_last_ones() -> None:
    stage = Stage()
    half = stage.of("half")
    for _ in range(5):
        stage.main.buy("0.1")
        stage.settle()
        stage.main.protect(stop="58000", target="63000")
        stage.until(lambda: half.bound() == (Decimal(58_000), Decimal(63_000)), within_ms=500)
        stage.main.close()
        stage.settle()
