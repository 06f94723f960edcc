"""What crosses on the wire: a change that comes too late is no news, and an order that fills in parts is told once."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying

AMEND, TRADING_STOP = "/v5/order/amend", "/v5/position/trading-stop"


def followed(seed: int = 1) -> tuple[Stage, str]:
    """Main holds 0.1 under a stop and one resting target, by hand; the id of that target."""
    stage = Stage(copying("half", "0.5"), seed=seed)
    stage.main.buy("0.1", stop="58000")
    target = stage.main.offer("0.1", "62000", reduceOnly=True)
    stage.settle()
    stage.until(lambda: bool(stage.of("half").orders()))
    return stage, target


@pytest.mark.proves("A69")
@pytest.mark.parametrize("code", [110001, 110008, 110010, 110064])
def test_an_amend_that_comes_too_late_is_no_news(code: int) -> None:
    stage, target = followed()
    stage.world.fault(FaultKind.RET_CODE, "half", AMEND, code=code, message="too late")
    stage.main.amend(target, price="62500")
    stage.until(lambda: [price for _, _, price in stage.of("half").book()] == [Decimal(62_500)])
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
    stage.until(lambda: [price for _, _, price in stage.of("half").book()] == [Decimal(62_500)])
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


@pytest.mark.proves("A21", "A85")
@pytest.mark.parametrize("seed", range(1, 5))
def test_an_entry_that_outruns_mains_position_row_carries_the_stop_of_the_trade(seed: int) -> None:
    """The execution came first: the stop is not on main's book yet, but the trade says it."""
    stage = Stage(copying("half", "0.5"), seed=seed)
    stage.world.fault(FaultKind.PUSH_DROP, "main", "position", count=2)
    stage.command("trade.open", symbol="BTCUSDT", side="long", qty="0.1", stop="57000", wait_s="5")
    assert stage.of("half").position() == Decimal("0.05")
    assert [order.stop_loss for order in stage.placed("half") if not order.reduce_only] == [Decimal(57_000)]


@pytest.mark.proves("A46", "A69")
@pytest.mark.parametrize("parts", [("0.04", "0.06"), ("0.06", "0.04"), ("0.02", "0.03", "0.05")])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_close_in_parts_concluded_together_is_told_once_also_after_a_restart(
    parts: tuple[str, ...], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fills concluded together share one seq (Bybit, order/execution): which of them was the last is not known."""
    stage, target = followed(seed)
    state = stage.world.exchange.state
    together = state.next_seq("BTCUSDT")
    with monkeypatch.context() as patch:
        patch.setattr(state, "next_seq", lambda _symbol: together)
        for part in parts:
            stage.main.fill(target, part)
    stage.settle()
    for _ in range(2):
        stage.restart()
        stage.settle()
        stage.run(30_000)
    assert [row.reason for row in stage.world.store.closed_positions(0) if row.account == "main"] == ["target"]
    assert len(stage.alerts("main", "closed: ")) == 1
