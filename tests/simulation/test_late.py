"""What should long be done and is not: never called in step, named in `status`, told once with why, and its end."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.actions import SetTradingStop
from mirrorctl.core.engine.records import Severity
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying
from tests.simulation.hand import Hand

CREATE, CANCEL, STOP = "/v5/order/create", "/v5/order/cancel", "/v5/position/trading-stop"
DEADLINE_MS = 10_000  # follow.exit_deadline_s
WAYS: dict[str, tuple[FaultKind, dict[str, Any], str]] = {
    "rate limit": (FaultKind.RET_CODE, {"code": 10006, "message": "Too many visits"}, "not sent: "),
    "clock": (FaultKind.RET_CODE, {"code": 10002, "message": "timestamp"}, "not sent: "),
    "502": (FaultKind.HTTP_STATUS, {"status": 502}, "502"),
    "hang": (FaultKind.HANG, {}, "answer"),
    "no connection": (FaultKind.REFUSE, {}, "not sent: no connection"),
    "refused": (FaultKind.RET_CODE, {"code": 10001, "message": "no"}, "refused (10001)"),
}
PRICE, LONG_S = "59500", 120


def following(name: str = "half", **how: Any) -> Stage:
    stage = Stage(copying(name, "0.5"), **how)
    stage.main.buy("0.2", stop="58000")
    stage.settle()
    return stage


def failing(stage: Stage, way: str, path: str) -> int:
    kind, how, _ = WAYS[way]
    return stage.world.fault(kind, "half", path, count=None, **how)


def rows(stage: Stage) -> list[str]:
    """What `status` names as late."""
    return [row["what"] for row in stage.status()["missing"] if "since" in row]


def told(stage: Stage, severity: Severity = Severity.CRITICAL) -> list[str]:
    return [a.text for a in stage.alerts("half") if a.key.startswith("late:") and a.severity is severity]


@pytest.mark.proves("A21", "A29")
@pytest.mark.parametrize("way", WAYS)
def test_a_stop_that_cannot_be_set_is_never_in_step_and_told_once_with_why(way: str) -> None:
    stage = following()
    fault = failing(stage, way, STOP)
    stage.main.protect(stop=PRICE)
    stage.run(1_000)
    assert told(stage) == [], "a change is on its way for a moment"
    stage.run(1_000)
    for _ in range(LONG_S):
        status = stage.status()
        assert not status["in_sync"]
        assert not stage.converged()
        assert rows(stage) != []
        stage.run(1_000)
    [row] = [row for row in stage.status()["missing"] if row["symbol"] == "BTCUSDT"]
    assert row["what"].startswith("the stop of main could not be set: ")
    assert row["what"].endswith("wanted 59500, standing 58000")
    assert WAYS[way][2] in row["what"]
    [text] = told(stage)
    assert text.startswith("the stop of main could not be set since ")
    assert 2 <= int(text.split("since ")[1].split(" ")[0]) <= 4, "after naked_bound_ms"
    stage.world.gateway.faults.clear(fault)
    stage.run(45_000)
    stage.settle()
    assert stage.of("half").stop() == Decimal(PRICE)
    assert stage.status()["in_sync"]
    assert rows(stage) == []
    assert told(stage) == [text]
    [end] = told(stage, Severity.INFO)
    assert end.startswith("the stop of main is set again after 1")


@pytest.mark.proves("A8", "A29")
@pytest.mark.parametrize("way", WAYS)
def test_a_reduction_that_does_not_happen_is_told_once_after_the_deadline_whatever_keeps_it(way: str) -> None:
    stage = following()
    fault = failing(stage, way, CREATE)
    stage.main.close()
    stage.run(DEADLINE_MS)
    assert told(stage) == []
    assert not stage.status()["in_sync"]
    stage.run(290_000)
    assert stage.of("half").held() == {"BTCUSDT": Decimal("0.1")}
    [text] = told(stage)
    assert text.startswith("the long could not be reduced since 1")
    assert text.endswith("want 0, have 0.1")
    [row] = rows(stage)
    assert row.startswith("the long could not be reduced: ")
    assert (WAYS[way][2] if way != "502" else "answer") in row
    stage.world.gateway.faults.clear(fault)
    stage.run(65_000)
    stage.settle()
    assert stage.of("half").held() == {}
    assert (len(told(stage)), rows(stage)) == (1, [])
    assert told(stage, Severity.INFO)[0].startswith("the long is reduced after ")


@pytest.mark.proves("A29")
def test_a_part_that_is_not_reduced_is_told_as_well() -> None:
    stage = following()
    failing(stage, "rate limit", CREATE)
    stage.main.sell("0.1", reduceOnly=True)
    stage.run(DEADLINE_MS + 3_000)
    assert told(stage)[0].endswith("want 0.05, have 0.1")


@pytest.mark.proves("A29")
def test_nothing_is_told_of_a_mirror_while_main_is_not_known() -> None:
    stage = following()
    failing(stage, "rate limit", STOP)
    stage.world.go_down("main")
    stage.run(60_000)
    assert told(stage) == []


@pytest.mark.proves("A29")
def test_a_cancel_that_is_not_sent_is_no_step_and_told_as_a_warning() -> None:
    stage = following()
    order = stage.main.bid("0.1", PRICE)
    stage.settle()
    fault = failing(stage, "rate limit", CANCEL)
    stage.main.cancel(order)
    stage.run(2_000)
    assert not stage.status()["in_sync"]
    [row] = rows(stage)
    assert "could not be cancelled: not sent: " in row
    stage.run(20_000)
    [text] = told(stage, Severity.WARNING)
    assert "could not be cancelled since 1" in text
    stage.world.gateway.faults.clear(fault)
    stage.settle()
    assert stage.of("half").book() == []
    assert told(stage, Severity.INFO)[0].startswith(text.split(" could")[0] + " is off the book after ")


@pytest.mark.proves("A21")
def test_what_was_told_is_no_news_after_a_restart_and_its_end_is_told() -> None:
    stage = following()
    fault = failing(stage, "rate limit", STOP)
    stage.main.protect(stop=PRICE)
    stage.run(10_000)
    stage.restart()
    stage.run(10_000)
    assert len(told(stage)) == 1
    stage.world.kill()
    stage.world.gateway.faults.clear(fault)
    stage.start()
    stage.settle()
    stage.run(2_000)
    assert len(told(stage)) == 1
    [end] = told(stage, Severity.INFO)
    assert end.startswith("the stop of main is set again after 2")


@pytest.mark.proves("A21")
def test_a_position_that_closed_meanwhile_has_no_stop_to_be_set_again() -> None:
    stage = following()
    failing(stage, "rate limit", STOP)
    stage.main.protect(stop=PRICE)
    stage.run(10_000)
    stage.main.close()
    stage.settle()
    assert told(stage, Severity.INFO)[0].startswith("its position is closed after ")


@pytest.mark.proves("A21")
def test_a_position_without_any_stop_is_told_by_its_naked_time_alone() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.2")
    stage.settle()
    failing(stage, "rate limit", STOP)
    stage.main.protect(stop=PRICE)
    stage.run(20_000)
    assert not stage.status()["in_sync"]
    assert rows(stage)[0].endswith("wanted 59500, standing none")
    assert told(stage) == []
    assert len(stage.alerts("half", "naked")) == 1


@pytest.mark.proves("A21")
def test_the_stop_of_a_managed_trade_on_main_counts_as_well() -> None:
    hand = Hand(Stage(copying("half", "0.5")))
    stage = hand.stage
    hand.trade("61000:50 62000:50", stop="57000")
    hand.enter("0.2", stop="57000", leg=0)
    stage.settle()
    stage.world.fault(FaultKind.RET_CODE, "main", STOP, count=None, code=10006, message="Too many visits")
    stage.main.protect(stop="0")
    stage.run(5_000)
    assert not stage.status()["in_sync"]
    [row] = [row for row in stage.status()["missing"] if row["account"] == "main"]
    assert row["what"].startswith("the stop could not be set: not sent: ")


@pytest.mark.proves("A21", "A36")
def test_honest_passes_are_in_step_all_the_time_and_nothing_is_told() -> None:
    """Main's stop is moved twice a second, and its position made smaller: no row, no alert, no flicker."""
    stage = following()
    for step in range(40):
        stage.main.protect(stop=str(58_010 + 10 * step))
        if step % 4 == 3:
            stage.main.sell("0.01", reduceOnly=True)
        for _ in range(10):
            stage.run(50)
            assert rows(stage) == []
    assert len(stage.sent("half", SetTradingStop)) >= 30
    stage.settle()
    assert [alert for alert in stage.alerts("half") if alert.key.startswith("late:")] == []
    assert stage.status()["in_sync"]
