"""What happens to main without its trader: funding, auto-deleveraging, liquidation. It leads like every other size."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.core.simulation.stage import Stage
from mirrorctl.core.simulation.trader import SYMBOL


def standing() -> Stage:
    stage = Stage()
    stage.main.buy("0.4", stop="50000")
    stage.settle()
    return stage


@pytest.mark.proves("A19")
def test_funding_is_no_trade_on_any_account() -> None:
    stage = standing()
    sent = len(stage.sent())
    for rate in ("0.0003", "-0.0003"):
        stage.world.exchange.fund(SYMBOL, Decimal(rate), stage.world.now_ms())
        stage.world.spread_pushes()
        stage.run(25_000)
    rows = [row for row in stage.of("half").fills() if row["execType"] == "Funding"]
    assert len(rows) == 2, "it was there to be mistaken"
    assert len(stage.sent()) == sent
    assert stage.of("half").position() == Decimal("0.2")
    assert stage.alerts(containing="filled") == [a for a in stage.alerts(containing="filled") if "0.4" in a.text]
    stage.restart()
    stage.settle()
    assert len(stage.sent()) == sent
    stage.main.close()
    stage.settle()
    assert stage.of("half").held() == {}


@pytest.mark.proves("A19", "A7")
def test_a_main_that_is_deleveraged_leads_its_mirrors_to_the_new_size() -> None:
    stage = standing()
    stage.main.deleverage("0.1")
    stage.settle()
    assert (stage.of("half").position(), stage.of("quarter").position()) == (Decimal("0.15"), Decimal("0.075"))
    stage.main.buy("0.1")
    stage.settle()
    assert stage.of("half").position() == Decimal("0.2"), "it may grow again: main did"


@pytest.mark.proves("A19", "A8")
@pytest.mark.parametrize("seen", [True, False], ids=["its stream is up", "nobody hears of it"])
def test_a_main_that_is_liquidated_leaves_no_mirror_with_a_position(seen: bool) -> None:
    stage = standing()
    if not seen:
        stage.world.stream_down("main", "socket is already closed")
        stage.run(100)
    stage.main.liquidate()
    stage.run(5_000)
    assert stage.main.held() == {}
    assert (stage.of("half").held(), stage.of("quarter").held()) == ({}, {})
