"""The disk is full while the daemon runs: entries wait, protection goes on, and nothing is missing afterwards."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from mirrorctl.core.domain.actions import PlaceOrder, Priority, SetTradingStop
from mirrorctl.core.domain.errors import MirrorctlError, PartlyDone, StoreError
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.policy import OnUnprotected
from mirrorctl.core.engine.service import steps
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying
from mirrorctl.core.store.sqlite import SqliteStore


def following() -> Stage:
    """One mirror in step with main: long with a stop."""
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    assert stage.of("half").position() == Decimal("0.05")
    return stage


def entries(stage: Stage) -> list[PlaceOrder]:
    return [order for order in stage.placed("half") if order.priority is Priority.ENTRY]


def journal(stage: Stage) -> SqliteStore:
    store = stage.world.store
    assert isinstance(store, SqliteStore)
    return store


@pytest.mark.proves("A29")
def test_stops_and_reductions_go_on_and_entries_are_held_until_it_can_be_written() -> None:
    stage = following()
    stage.main.bid("0.04", "50000")
    stage.settle()
    before, rests = len(entries(stage)), stage.of("half").book()
    stage.world.store_full = True
    stage.main.protect(stop="59000")
    stage.run(3_000)
    assert stage.of("half").stop() == Decimal(59_000)
    stage.main.sell("0.04", reduceOnly=True)
    stage.run(3_000)
    assert stage.of("half").position() == Decimal("0.03")
    stage.main.buy("0.1")
    stage.run(3_000)
    assert stage.of("half").position() == Decimal("0.03")
    assert len(entries(stage)) == before
    assert any("disk is full" in reason for reason in stage.held("half"))
    assert stage.drift("half") == []
    assert stage.of("half").book() == rests, "what rests is written down: it goes on resting"
    status = stage.status()["store"]
    assert (status["writable"], status["hint"]) == (False, "free space")
    assert status["waiting"] > 0
    told = [alert["text"] for alert in stage.status()["alerts"]]
    assert any("no entries until it can be written; stops, reductions and cancels go on" in text for text in told)
    assert stage.alerts(containing="store:") == [], "the outbox itself cannot be written"

    stage.world.store_full = False
    stage.settle()
    assert stage.of("half").position() == Decimal("0.08")
    assert stage.of("half").stop() == Decimal(59_000)
    assert stage.status()["store"] == {"writable": True, "since": None, "error": None, "hint": None, "waiting": 0}
    assert [alert.severity for alert in stage.alerts(containing="store:")] == ["critical", "warning"]
    assert "entries go on" in stage.alerts(containing="store:")[1].text


def test_what_was_sent_meanwhile_is_in_the_journal_afterwards() -> None:
    stage = following()
    stage.world.store_full = True
    stage.main.protect(stop="59000")
    stage.run(3_000)
    stage.main.sell("0.04", reduceOnly=True)
    stage.run(3_000)
    known = {intent.intent_id for intent in journal(stage).recent_intents(0)}
    stage.world.store_full = False
    stage.settle()
    added = [intent for intent in journal(stage).recent_intents(0) if intent.intent_id not in known]
    assert {type(intent.action) for intent in added} == {SetTradingStop, PlaceOrder}
    assert all(intent.state is IntentState.DONE for intent in added)
    assert journal(stage).verify().fault is None
    stage.restart()
    stage.settle()
    assert stage.of("half").position() == Decimal("0.03")


@pytest.mark.parametrize("at_commit", [False, True])
def test_an_entry_whose_journal_row_fails_is_not_sent(at_commit: bool) -> None:
    stage = following()
    before = len(entries(stage))
    stage.world.store_full, stage.world.store_full_at_commit = not at_commit, at_commit
    stage.main.buy("0.1")
    stage.run(5_000)
    assert len(entries(stage)) == before
    assert stage.of("half").position() == Decimal("0.05")
    stage.world.store_full = stage.world.store_full_at_commit = False
    stage.settle()
    assert len(entries(stage)) == before + 1
    assert stage.of("half").position() == Decimal("0.1")
    assert journal(stage).verify().fault is None


@pytest.mark.parametrize("at_commit", [False, True])
def test_a_trade_is_refused_with_what_to_do_and_nothing_of_it_is_left(at_commit: bool) -> None:
    stage = Stage(copying("half", "0.5"))
    order = {"symbol": "BTCUSDT", "side": "long", "qty": "0.1", "stop": "58000", "wait_s": "5"}
    stage.world.store_full, stage.world.store_full_at_commit = not at_commit, at_commit
    with pytest.raises(StoreError, match="disk is full") as caught:
        stage.command("trade.open", **order)
    assert (caught.value.exit_code, caught.value.hint) == (6, "free space")
    assert stage.sent("main") == []
    assert stage.engine.trades.all() == []
    stage.world.store_full = stage.world.store_full_at_commit = False
    stage.run(2_000)
    stage.command("trade.open", **order)
    stage.settle()
    assert stage.of("half").position() == Decimal("0.05")


def test_a_disk_that_fills_up_with_the_trade_itself_sends_nothing_of_it() -> None:
    stage = Stage(copying("half", "0.5"))
    errors: list[MirrorctlError | None] = []

    def told(event: dict[str, object]) -> None:
        stage.world.store_full_at_commit = event["event"] == "preview"  # the last that comes before the journal

    order = {"symbol": "BTCUSDT", "side": "long", "qty": "0.1", "stop": "58000"}
    stage.engine.tasks.start(steps(stage.engine, "trade.open", order, told), lambda _, error: errors.append(error))
    stage.run(5_000)
    assert [type(error) for error in errors] == [StoreError]
    assert stage.sent("main") == []
    assert stage.engine.trades.all() == []
    stage.world.store_full_at_commit = False
    stage.settle()
    assert {intent.state for intent in journal(stage).recent_intents(0)} == {IntentState.ABSENT}


def test_what_closes_for_the_trader_goes_on() -> None:
    stage = following()
    stage.world.store_full = True
    stage.command("trade.close", symbol="BTCUSDT", wait_s="5")
    stage.run(2_000)
    assert stage.main.position() == stage.of("half").position() == 0
    stage.world.store_full = False
    stage.settle()
    assert stage.engine.keeper.cycles == {}


@pytest.mark.proves("A43")
def test_a_kill_while_it_cannot_be_written_sends_nothing_twice() -> None:
    stage = following()
    stage.world.store_full = True
    stage.main.protect(stop="59000")
    stage.main.sell("0.04", reduceOnly=True)
    stage.run(3_000)
    assert stage.of("half").position() == Decimal("0.03")
    sent = len(stage.sent("half"))
    stage.world.store_full = False
    stage.restart()
    stage.settle()
    assert len(stage.sent("half")) == sent
    assert (stage.of("half").position(), stage.of("half").stop()) == (Decimal("0.03"), Decimal(59_000))
    stage.main.buy("0.04")
    stage.settle()
    assert stage.of("half").position() == Decimal("0.05")


def test_a_whole_cycle_that_nobody_could_write_down_ends_in_the_history() -> None:
    stage = following()
    stage.world.store_full = True
    stage.main.sell("0.1", reduceOnly=True)
    stage.run(5_000)
    assert stage.of("half").position() == 0
    stage.main.buy("0.1", stop="58000")
    stage.run(5_000)
    assert stage.of("half").position() == 0
    stage.world.store_full = False
    stage.settle()
    assert len(journal(stage).ended_cycles(0)) == 1
    assert [row.reason for row in journal(stage).closed_positions(0) if row.account == "half"] == ["followed main"]
    assert stage.of("half").position() == Decimal("0.05")


def test_a_disk_that_is_full_in_turns_tells_once_a_minute() -> None:
    stage = following()
    for _ in range(10):
        stage.world.store_full = True
        stage.main.protect(stop="59000")
        stage.run(1_500)
        stage.world.store_full = False
        stage.main.protect(stop="58500")
        stage.run(1_500)
    stage.settle()
    assert len(stage.alerts(containing="no entries until")) <= 2


def lost(stage: Stage) -> None:
    """The process dies before the disk takes what waited; the next one starts on a disk with room, and is resumed."""
    stage.world.store_full = False
    stage.restart()
    stage.run(3_000)
    reason = "writes of the last run were lost: look what stands, then `mirrorctl resume`"
    assert [row["reason"] for row in stage.status()["pauses"]] == [reason]
    assert stage.alerts(containing="writes of the last run were lost")
    stage.restart()
    stage.run(3_000)
    assert stage.status()["pauses"], "it is written down by now"
    stage.command("resume")
    stage.settle()


@pytest.mark.proves("A76", "A72")
def test_what_was_flattened_is_not_bought_back_after_a_kill() -> None:
    stage = following()
    stage.world.store_full = True
    assert stage.command("flatten", account="half")["partial"] is False
    assert stage.of("half").position() == 0
    lost(stage)
    assert stage.of("half").position() == 0
    stage.main.buy("0.1")
    stage.run(3_000)
    assert stage.of("half").position() == 0
    assert any("flatten" in reason for reason in stage.held("half"))


@pytest.mark.proves("A76", "A26")
def test_what_was_closed_for_want_of_a_stop_is_not_bought_back_after_a_kill() -> None:
    unprotected = replace(copying("half", "0.5"), on_unprotected=OnUnprotected.CLOSE)
    stage = Stage(unprotected)
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    fault = stage.world.fault(FaultKind.RET_CODE, "half", "/v5/position/trading-stop", count=None, code=10_001)
    stage.of("half").protect(stop="0")
    stage.world.store_full = True
    stage.until(lambda: stage.of("half").position() == 0)
    stage.world.gateway.faults.clear(fault)
    lost(stage)
    assert stage.of("half").position() == 0
    assert any("closed by mirrorctl" in reason for reason in stage.held("half"))


def test_a_pause_that_cannot_be_written_says_so_and_holds_after_a_kill() -> None:
    stage = following()
    stage.world.store_full = True
    stage.run(2_000)
    with pytest.raises(PartlyDone, match="not written down") as caught:
        stage.command("pause")
    assert caught.value.exit_code == 5
    stage.world.store_full = False
    stage.restart()
    stage.main.buy("0.1")
    stage.run(5_000)
    assert stage.of("half").position() == Decimal("0.05")


@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("trade.target", {"symbol": "BTCUSDT", "targets": [{"price": "62000", "percent": "50"}]}),
        ("resume", {}),
        ("sync", {}),
        ("monitors.add", {"symbol": "BTCUSDT"}),
        ("monitors.remove", {"symbol": "BTCUSDT"}),
    ],
)
def test_what_would_be_forgotten_is_refused(command: str, args: dict[str, object]) -> None:
    stage = following()
    stage.world.store_full = True
    stage.run(2_000)
    with pytest.raises(StoreError, match="disk is full"):
        stage.command(command, **args)


def test_what_was_written_in_time_is_no_reason_to_pause() -> None:
    stage = following()
    stage.world.store_full = True
    stage.main.protect(stop="59000")
    stage.run(3_000)
    stage.world.store_full = False
    stage.settle()
    stage.restart()
    stage.settle()
    assert stage.status()["pauses"] == []
