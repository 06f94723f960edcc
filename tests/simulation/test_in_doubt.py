"""What stays in doubt: bounded questions, a parked symbol, one alert, and an end with the first answer to it."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest

from mirrorctl.core.domain.actions import CancelOrder, SetTradingStop
from mirrorctl.core.engine.looks import IN_DOUBT_MS
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying

CREATE, HISTORY = "/v5/order/create", "/v5/order/history"
SHORT_OF_BOUND_MS = IN_DOUBT_MS - 2_000


def doubtful(*, lost: bool = True) -> tuple[Stage, int]:
    """A mirror that holds ETH and whose BTC entry vanished: no answer, and the history of orders cannot be read.

    `lost`: the entry never arrived. Else it was carried out, and no push tells of it. Returns the fault's number.
    """
    stage = Stage()
    stage.main.buy("1", "ETHUSDT", stop="2800")
    stage.settle()
    number = stage.world.fault(FaultKind.RET_CODE, "half", HISTORY, count=None, code=10016, message="internal error")
    stage.world.fault(FaultKind.HANG if lost else FaultKind.LOSE_REPLY, "half", CREATE)
    stage.main.buy("0.1", stop="58000")
    return stage, number


def asked(stage: Stage, account: str, since: int) -> int:
    """Questions about single orders and positions, relists apart."""
    calls = Counter(stage.world.calls[since:])
    return sum(n for call, n in calls.items() if call.startswith(f"{account} ask") and "Relist" not in call)


@pytest.mark.proves("A47", "A57")
def test_what_stays_in_doubt_parks_its_symbol_is_told_once_and_ends_by_itself() -> None:
    stage, fault = doubtful()
    half = stage.of("half")
    stage.run(SHORT_OF_BOUND_MS)
    assert stage.parked("half") == [], "not before the bound"
    assert stage.status()["in_doubt"] == 1
    stage.run(60_000)
    [row] = [row for row in stage.status()["parked"] if row["account"] == "half"]
    assert row["symbol"] == "BTCUSDT"
    assert row["reason"].startswith("in doubt: place buy 0.05 ")
    assert "internal error" in row["reason"]
    assert "mirrorctl resume --account half --symbol BTCUSDT" in row["remedy"]
    [doubt] = stage.status()["doubts"]
    assert (doubt["account"], doubt["symbol"], doubt["remedy"]) == ("half", "BTCUSDT", row["remedy"])
    assert len(stage.placed("half")) == 2, "ETH, and the one in doubt: never sent again"
    assert not stage.status()["in_sync"]
    # everything else goes on, and what is open stays protected
    assert stage.of("quarter").held() == {"BTCUSDT": Decimal("0.025"), "ETHUSDT": Decimal("0.25")}
    stage.main.protect(stop="2900", symbol="ETHUSDT")
    stage.main.buy("1", "ETHUSDT")
    stage.run(3_000)
    assert half.held() == {"ETHUSDT": Decimal(1)}
    assert half.stop("ETHUSDT") == Decimal(2900)
    stage.run(400_000)
    assert len(stage.alerts("half", "in-doubt")) == 1
    stage.world.gateway.faults.clear(fault)
    stage.run(65_000)
    stage.settle()
    assert stage.parked("half") == []
    assert half.position() == Decimal("0.05") or "slippage" in str(stage.held("half"))
    assert [alert.severity.value for alert in stage.alerts("half", "in-doubt")] == ["critical", "info"]


@pytest.mark.proves("A47")
def test_the_questions_about_a_doubt_are_bounded() -> None:
    stage, _ = doubtful()
    since = len(stage.world.calls)
    stage.run(600_000)
    assert asked(stage, "half", since) <= 60


@pytest.mark.proves("A47")
def test_a_doubt_that_was_carried_out_is_found_when_it_can_be_read_and_not_sent_again() -> None:
    stage, fault = doubtful(lost=False)
    for topic in ("order", "execution"):
        stage.world.fault(FaultKind.PUSH_DROP, "half", topic, count=2)
    stage.run(90_000)
    stage.world.gateway.faults.clear(fault)
    stage.run(65_000)
    stage.settle()
    assert stage.of("half").position() == Decimal("0.05")
    assert len([order for order in stage.placed("half") if order.symbol == "BTCUSDT"]) == 1
    assert stage.status()["in_doubt"] == 0
    assert stage.parked("half") == []


@pytest.mark.proves("A57")
def test_resume_asks_again_at_once_and_a_doubt_that_stays_parks_again() -> None:
    stage, fault = doubtful()
    stage.run(IN_DOUBT_MS + 30_000)
    since = len(stage.world.calls)
    stage.command("resume", account="half", symbol="BTCUSDT")
    assert stage.parked("half") == []
    stage.run(5_000)
    assert asked(stage, "half", since) >= 3
    assert len([order for order in stage.placed("half") if order.symbol == "BTCUSDT"]) == 1
    stage.run(IN_DOUBT_MS + 10_000)
    assert stage.parked("half") != []
    stage.world.gateway.faults.clear(fault)
    stage.command("resume", account="half", symbol="BTCUSDT")
    stage.run(10_000)
    stage.settle()
    assert (stage.parked("half"), stage.status()["in_doubt"]) == ([], 0)


@pytest.mark.proves("A57", "A43")
def test_a_parked_doubt_survives_a_restart_and_nothing_is_sent_again() -> None:
    stage, _ = doubtful()
    stage.run(IN_DOUBT_MS + 30_000)
    sent = len(stage.placed("half"))
    stage.restart()
    stage.run(IN_DOUBT_MS + 30_000)
    assert stage.parked("half") != []
    assert len(stage.placed("half")) == sent
    assert len(stage.alerts("half", "in-doubt")) == 1


@pytest.mark.proves("A8", "A29")
def test_a_reduction_that_stays_in_doubt_keeps_no_other_one_away() -> None:
    """It was reduce-only and to execute at once: once it can arrive no more a second one stands for it."""
    stage = Stage(copying("half", "0.5"))
    half = stage.of("half")
    stage.main.buy("0.2", stop="58000")
    stage.settle()
    stage.world.fault(FaultKind.RET_CODE, "half", HISTORY, count=None, code=10016, message="internal error")
    stage.world.fault(FaultKind.HANG, "half", CREATE)
    stage.main.sell("0.1", reduceOnly=True)
    stage.run(IN_DOUBT_MS + 30_000)
    assert half.position() == Decimal("0.05")
    assert stage.parked("half") == [], "what it did to the position was read, and another one was sent"
    assert stage.status()["in_doubt"] == 0
    stage.main.close()
    stage.run(5_000)
    assert half.held() == {}
    assert half.volume() == (Decimal("0.1"), Decimal("0.1"))


@pytest.mark.proves("A8", "A29")
@pytest.mark.parametrize("then", ["at once", "overdue", "resumed", "restarted"])
def test_a_reduction_in_doubt_keeps_no_close_away(then: str) -> None:
    """A close is reduce-only and for all of it: whatever the one in doubt sold, it cannot sell too much."""
    stage = Stage(copying("half", "0.5"))
    half = stage.of("half")
    stage.main.buy("0.2", stop="58000")
    stage.settle()
    stage.world.fault(FaultKind.RET_CODE, "half", HISTORY, count=None, code=10016, message="internal error")
    stage.world.fault(FaultKind.HANG, "half", CREATE)
    stage.main.sell("0.1", reduceOnly=True)
    stage.run(3_000 if then == "at once" else IN_DOUBT_MS + 30_000)
    if then == "resumed":
        stage.command("resume", account="half", symbol="BTCUSDT")
    elif then == "restarted":
        stage.restart()
        stage.run(1_000)
    stage.main.close()
    stage.run(3_000)
    assert half.held() == {}


@pytest.mark.proves("A29")
def test_a_reduction_in_doubt_gives_way_once_it_can_no_longer_arrive_and_the_position_was_read() -> None:
    stage = Stage(copying("half", "0.5"))
    half = stage.of("half")
    stage.main.buy("0.4", stop="58000")
    stage.settle()
    stage.world.fault(FaultKind.RET_CODE, "half", HISTORY, count=None, code=10016, message="internal error")
    stage.world.fault(FaultKind.HANG, "half", CREATE)
    stage.main.sell("0.1", reduceOnly=True)
    stage.run(7_000)
    assert half.position() == Decimal("0.2"), "it may still arrive"
    stage.run(4_000)
    assert half.position() == Decimal("0.15")
    stage.main.sell("0.1", reduceOnly=True)
    stage.run(2_000)
    assert half.volume() == (Decimal("0.2"), Decimal("0.1"))


@pytest.mark.proves("A21", "A47")
def test_a_stop_in_doubt_keeps_no_later_stop_away() -> None:
    """It is set, not added: once the first can no longer arrive, the wanted one is set."""
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.2", stop="58000")
    stage.settle()
    stage.world.fault(FaultKind.HANG, "half", "/v5/position/trading-stop")
    stage.world.fault(FaultKind.RET_CODE, "half", "/v5/position/list", count=None, code=10016, message="internal error")
    stage.main.protect(stop="58500")
    stage.run(2_000)
    stage.main.protect(stop="59000")
    stage.run(10_000)
    assert stage.of("half").stop() == Decimal(59_000)
    assert len(stage.sent("half", SetTradingStop)) <= 3


@pytest.mark.proves("A48")
def test_a_cancel_in_doubt_is_sent_again_once_it_can_no_longer_arrive() -> None:
    stage = Stage(copying("half", "0.5"))
    order = stage.main.bid("0.2", "59000")
    stage.settle()
    number = stage.world.fault(
        FaultKind.RET_CODE, "half", "/v5/order/realtime", count=None, code=10016, message="internal error"
    )
    stage.world.fault(FaultKind.HANG, "half", "/v5/order/cancel")
    stage.main.cancel(order)
    stage.run(12_000)
    stage.world.gateway.faults.clear(number)
    assert stage.of("half").orders() == []
    assert len(stage.sent("half", CancelOrder)) == 2


@pytest.mark.proves("A31")
def test_an_entry_in_doubt_that_rests_nowhere_keeps_no_target_away() -> None:
    stage = Stage(copying("half", "0.5"))
    targets = [{"price": "65000", "percent": "100"}]
    stage.command("trade.open", symbol="BTCUSDT", side="long", qty="0.4", targets=targets, stop="58000")
    stage.settle()
    stage.world.fault(FaultKind.RET_CODE, "half", HISTORY, count=None, code=10016, message="internal error")
    stage.world.fault(FaultKind.HANG, "half", CREATE)
    stage.main.buy("0.1")
    stage.run(12_000)
    ladder = [{"price": "62000", "percent": "50"}, {"price": "64000", "percent": "50"}]
    stage.command("trade.target", symbol="BTCUSDT", targets=ladder)
    stage.run(5_000)
    assert stage.of("half").position() == Decimal("0.2")
    assert sum(qty for side, qty, _ in stage.of("half").book() if side == "Sell") == Decimal("0.2")


@pytest.mark.proves("A29")
def test_a_close_that_is_never_answered_is_told_and_tried_ever_more_rarely() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.2", stop="58000")
    stage.settle()
    stage.world.fault(FaultKind.HTTP_STATUS, "half", CREATE, count=None, status=502)
    before = len(stage.placed("half"))
    stage.main.close()
    stage.run(600_000)
    assert 10 <= len(stage.placed("half")) - before <= 45
    [alert] = stage.alerts("half", "is not reduced")
    assert alert.severity.value == "critical"
    stage.world.gateway.faults.clear()
    stage.run(45_000)
    assert stage.of("half").held() == {}


@pytest.mark.proves("A47")
def test_a_doubt_on_a_symbol_that_is_parked_for_something_else_is_told_as_well() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.2", stop="58000")
    stage.settle()
    stage.world.fault(FaultKind.RET_CODE, "half", CREATE, code=110090, message="no")
    stage.main.buy("0.1")
    stage.run(3_000)
    stage.world.fault(FaultKind.RET_CODE, "half", HISTORY, count=None, code=10016, message="internal error")
    stage.world.fault(FaultKind.HANG, "half", CREATE)
    stage.main.offer("0.2", "62000", reduceOnly=True)
    stage.run(300_000)
    [told] = stage.alerts("half", "in-doubt: in doubt: place sell")
    assert told.severity.value == "critical"
    assert [text[:32] for text in stage.parked("half")] == ["refused by the exchange (110090)"]


@pytest.mark.proves("A47", "A57")
def test_closes_that_stay_in_doubt_do_not_pile_up_and_are_told() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.2", stop="58000")
    stage.settle()
    stage.world.fault(FaultKind.RET_CODE, "half", CREATE, code=110090, message="no")
    stage.main.buy("0.1")
    stage.run(3_000)
    assert stage.parked("half")[0].startswith("refused by the exchange (110090)")
    stage.world.fault(FaultKind.RET_CODE, "half", HISTORY, count=None, code=10016, message="internal error")
    stage.world.fault(FaultKind.HANG, "half", CREATE, count=None)
    stage.main.close()
    stage.run(600_000)
    assert len(stage.alerts("half", "is not reduced: sent without an answer")) == 1
    assert stage.status()["in_doubt"] <= 5
    since = len(stage.world.calls)
    stage.run(300_000)
    assert asked(stage, "half", since) <= 120
    assert stage.status()["in_doubt"] <= 5
    assert stage.parked("half")[0].startswith("refused by the exchange (110090)"), "that park is another matter"
    stage.world.gateway.faults.clear()
    stage.run(60_000)
    assert stage.of("half").held() == {}


def test_an_account_that_cannot_be_read_is_not_promised_any_stop() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.world.fault(FaultKind.HANG, "half", CREATE)
    stage.main.buy("0.1")
    stage.run(300)
    stage.world.go_down("half")
    stage.run(IN_DOUBT_MS + 20_000)
    [alert] = stage.alerts("half", "in-doubt")
    assert alert.text.endswith("nothing is done there until it can be read")


def test_a_dry_run_names_what_is_in_doubt() -> None:
    stage, _ = doubtful()
    stage.run(20_000)
    [row] = stage.command("preview")["in_doubt"]
    assert (row["account"], row["symbol"], row["remedy"]) == (
        "half",
        "BTCUSDT",
        "nothing to do: the exchange is being asked",
    )
