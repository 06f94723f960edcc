"""What stays in doubt: bounded questions, a parked symbol, one alert, and an end with the first answer to it."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest

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
    stage.run(1_200_000)
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
    """It was reduce-only and to execute at once: a second one cannot sell what is not there."""
    stage = Stage(copying("half", "0.5"))
    half = stage.of("half")
    stage.main.buy("0.2", stop="58000")
    stage.settle()
    stage.world.fault(FaultKind.RET_CODE, "half", HISTORY, count=None, code=10016, message="internal error")
    stage.world.fault(FaultKind.HANG, "half", CREATE)
    stage.main.sell("0.1", reduceOnly=True)
    stage.run(IN_DOUBT_MS + 30_000)
    assert half.position() == Decimal("0.05")
    assert stage.parked("half") != []
    stage.main.close()
    stage.run(5_000)
    assert half.held() == {}
    assert half.volume() == (Decimal("0.1"), Decimal("0.1"))


def test_a_dry_run_names_what_is_in_doubt() -> None:
    stage, _ = doubtful()
    stage.run(20_000)
    [row] = stage.command("preview")["in_doubt"]
    assert (row["account"], row["symbol"], row["remedy"]) == (
        "half",
        "BTCUSDT",
        "none needed: the exchange is being asked",
    )
