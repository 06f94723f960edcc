"""Main cannot be read: a mirror keeps its stop, whoever took it off, and nothing else happens to it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.core.domain.actions import SetTradingStop
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying

STOP = Decimal(58_000)


def bereft() -> Stage:
    """Main is long under a stop, a mirror follows; then main cannot be reached for longer than it is believed."""
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.world.go_down("main")
    stage.run(30_000)
    assert not stage.engine.is_known(stage.engine.main)
    return stage


@pytest.mark.proves("A21", "A86")
def test_a_stop_that_vanishes_while_main_is_unknown_is_put_back() -> None:
    stage = bereft()
    sent = len(stage.sent())
    stage.of("half").protect(stop="0")
    assert stage.of("half").stop() is None
    stage.run(1_000)
    assert stage.of("half").stop() == STOP
    assert [type(row.action) for row in stage.sent()[sent:]] == [SetTradingStop]
    stage.run(60_000)
    assert len(stage.sent()) == sent + 1
    assert stage.status()["naked"] == []


@pytest.mark.proves("A86")
def test_nothing_else_happens_there_while_main_is_unknown() -> None:
    stage = bereft()
    sent = len(stage.sent())
    stage.of("half").sell("0.02", reduceOnly=True)
    stage.of("half").bid("0.01", "55000")
    stage.run(60_000)
    assert len(stage.sent()) == sent
    assert stage.of("half").position() == Decimal("0.03")


@pytest.mark.proves("A21")
def test_a_stop_that_cannot_be_put_back_is_measured_and_told() -> None:
    stage = bereft()
    stage.of("half").protect(stop="0")
    stage.world.fault(FaultKind.RET_CODE, "half", "/v5/position/trading-stop", count=None, code=10016)
    stage.run(10_000)
    [row] = stage.status()["naked"]
    assert (row["account"], row["symbol"]) == ("half", "BTCUSDT")
    assert row["ms"] > 9_000
    assert len(stage.alerts("half", "naked")) == 1
    stage.world.gateway.faults.clear()
    stage.world.go_down("main")
    stage.run(20_000)
    assert stage.of("half").stop() == STOP
