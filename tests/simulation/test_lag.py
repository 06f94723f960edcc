"""Records that lag, stops that are refused, mirrors that come late: what a fresh review reproduced, kept mended."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.core.domain.actions import PlaceOrder
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying

RECORDS = ("/v5/order/realtime", "/v5/order/history", "/v5/execution/list")


def one_mirror() -> Stage:
    return Stage(copying("half", "0.5"))


@pytest.mark.proves("A47", "A78")
@pytest.mark.parametrize("lag_ms", [5_000, 9_000, 12_000])
def test_records_that_lag_behind_a_lost_reply_do_not_double_the_order(lag_ms: int) -> None:
    """The position is right all the time; it is read before an order counts as never placed."""
    stage = one_mirror()
    for path in RECORDS:
        stage.world.fault(FaultKind.HIDE, "half", path, count=None, ms=lag_ms)
    for topic in ("order", "execution", "position"):
        stage.world.fault(FaultKind.PUSH_DROP, "half", topic, count=None)
    stage.world.fault(FaultKind.LOSE_REPLY, "half", "/v5/order/create")
    stage.main.buy("0.1")
    stage.run(60_000)
    assert len(stage.placed("half")) == 1
    assert stage.of("half").position() == Decimal("0.05")


@pytest.mark.proves("A85")
def test_a_stale_position_does_not_settle_a_fill_that_an_order_row_told() -> None:
    stage = one_mirror()
    stage.main.buy("0.1")
    stage.settle()
    stage.engine.relist_all()
    stage.run(1_000)
    stage.world.fault(FaultKind.HIDE, "half", "/v5/execution/list", count=None, ms=12_000)
    stale = stage.world.fault(FaultKind.STALE, "half", "/v5/position/list", count=None)
    for topic in ("execution", "position"):
        stage.world.fault(FaultKind.PUSH_DROP, "half", topic, count=None)
    before = len(stage.placed("half"))
    stage.main.buy("0.1")
    stage.run(6_000)
    stage.world.gateway.faults.clear(stale)
    stage.run(60_000)
    assert len(stage.placed("half")) == before + 1
    assert stage.of("half").position() == Decimal("0.1")


@pytest.mark.proves("A26")
def test_a_stop_that_is_refused_leaves_the_mirror_out_of_step_and_is_told() -> None:
    stage = one_mirror()
    stage.world.fault(
        FaultKind.RET_CODE, "half", "/v5/position/trading-stop", count=None, code=10001, message="not now"
    )
    stage.main.buy("0.1")
    stage.settle()
    stage.main.protect(stop="58000")
    stage.run(10_000)
    status = stage.status()
    assert status["unprotected"] == [{"account": "half", "symbol": "BTCUSDT", "side": "long"}]
    assert status["in_sync"] is False
    assert [alert.severity.value for alert in stage.alerts("half", "naked")] == ["critical"]
    assert stage.of("half").position() == Decimal("0.05")


def test_a_mirror_that_is_absent_at_the_start_follows_what_began_without_it() -> None:
    stage = one_mirror()
    stage.world.kill()
    stage.world.start(without=("half",))
    stage.run(3_000)
    stage.main.buy("0.1", stop="58000")
    stage.run(10_000)
    assert stage.of("half").position() == 0
    stage.world.join("half")
    stage.settle()
    assert stage.of("half").position() == Decimal("0.05")
    assert all(isinstance(order, PlaceOrder) and order.stop_loss for order in stage.placed("half"))


def test_the_breaker_of_a_mirror_that_is_gone_shows_open() -> None:
    stage = Stage()
    stage.world.go_down("half")
    stage.run(30_000)
    assert [row["breaker"] for row in stage.status()["accounts"]] == ["closed", "open", "closed"]
    stage.world.come_back("half")
    stage.settle()
    assert [row["breaker"] for row in stage.status()["accounts"]] == ["closed"] * 3
