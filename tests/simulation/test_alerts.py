"""Every type of alert, as an observed fact with its account: told once, of the right type, also over a restart."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest

from mirrorctl.core.domain.alert_types import AlertType, type_of
from mirrorctl.core.domain.day_summary import DayFigures
from mirrorctl.core.domain.errors import StoreError
from mirrorctl.core.engine.daemon_events import daemon_started, daemon_stopped
from mirrorctl.core.engine.event_texts import DayLine, day_line
from mirrorctl.core.engine.records import MeasuredCopy, StandingKind
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying
from mirrorctl.core.store.sqlite import SqliteStore

CREATE = "/v5/order/create"
CLOSED = "/v5/position/closed-pnl"
STOP_PATH = "/v5/position/trading-stop"
CLOSED_PNL = "/v5/position/closed-pnl"
LADDER = [{"price": price} for price in ("61000", "62000", "63000", "64000")]
HOUR_MS = 3_600_000


def told(stage: Stage, what: AlertType, name: str = "") -> list[str]:
    return [alert.text for alert in stage.alerts(name) if type_of(alert.kind) is what]


def types(stage: Stage, name: str) -> list[AlertType]:
    return [type_of(alert.kind) for alert in stage.alerts(name)]


def silent(stage: Stage, name: str = "") -> None:
    """Restarts bring nothing new."""
    before = [alert.key for alert in stage.alerts(name)]
    for _ in range(2):
        stage.restart()
        stage.settle()
        stage.run(15_000)
    assert [alert.key for alert in stage.alerts(name)] == before


def conservative(stage: Stage) -> None:
    stage.command(
        "trade.open",
        symbol="BTCUSDT",
        side="long",
        qty="0.3",
        approach="conservative",
        entries=["59800", "59600"],
        targets=LADDER,
        stop="58000",
    )


@pytest.mark.proves("A69")
def test_the_life_of_a_trade_is_told_type_by_type_on_every_account() -> None:
    stage = Stage(copying("half", "0.5"))
    conservative(stage)
    for price in ("59800", "59600", "61000", "62000", "63000"):
        stage.settle()
        stage.price(price)
    stage.settle()
    stage.run(2_000)
    stage.price("59500")
    stage.settle()
    stage.run(3_000)
    expected = [
        AlertType.TRADE_OPENED,
        *[AlertType.ENTRY_FILLED] * 3,
        AlertType.TARGET_HIT,
        AlertType.BREAKEVEN,
        *[AlertType.TARGET_HIT] * 2,
        AlertType.STOP_HIT,
        AlertType.CLOSED,
    ]
    assert types(stage, "main") == expected
    of_half = Counter(types(stage, "half")) - Counter({AlertType.OTHER: 99})
    assert of_half == Counter(expected)
    assert told(stage, AlertType.TRADE_OPENED) == [
        "trade opened: long 0.1 BTCUSDT at 60000.1 (1 of 3), stop 58000, conservative",
        "trade opened: long 0.05 BTCUSDT at 60000.1, stop 58000, r = 0.5",
    ]
    assert [text[-8:] for text in told(stage, AlertType.ENTRY_FILLED, "half")[1:]] == ["(2 of 3)", "(3 of 3)"]
    for text in told(stage, AlertType.BREAKEVEN):
        assert text.startswith("breakeven: stop moved from 58000 to 598")
    silent(stage)


@pytest.mark.proves("A68")
@pytest.mark.parametrize("way", ["one exit", "two exits", "a flip", "after a restart", "the stop"])
def test_a_close_is_told_once_with_what_the_exchanges_records_say_it_brought(way: str) -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.2", stop="58000")
    stage.settle()
    if way != "one exit":
        stage.main.sell("0.05", reduceOnly=True)
        stage.settle()
    if way == "after a restart":
        stage.run(120_000)
        stage.restart()
        stage.settle()
        stage.run(60_000)
    if way == "a flip":
        stage.main.sell("0.3")
    elif way == "the stop":
        stage.price("57990")
    else:
        stage.main.close()
    stage.settle()
    stage.run(3_000)
    for name, trader in (("main", stage.main), ("half", stage.of("half"))):
        records = trader._read("/v5/position/closed-pnl", category="linear", symbol="BTCUSDT")
        brought = sum((Decimal(row["closedPnl"]) for row in records), Decimal(0))
        (text,) = told(stage, AlertType.CLOSED, name)
        (said,) = re.findall(r"net PnL \+?(-?[\d.]+) USDT", text)
        assert Decimal(said) == brought.quantize(Decimal("0.01")), text
        (fees,) = re.findall(r"fees ([\d.]+) USDT", text)
        paid = sum((Decimal(row["openFee"]) + Decimal(row["closeFee"]) for row in records), Decimal(0))
        assert Decimal(fees) == paid.quantize(Decimal("0.01"))
    silent(stage)


def test_a_result_that_cannot_be_read_is_not_waited_for_for_ever_and_never_guessed() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.world.fault(FaultKind.RET_CODE, "half", CLOSED_PNL, count=None, code=10016, message="not now")
    stage.main.close()
    stage.run(8_000)
    assert told(stage, AlertType.CLOSED, "half") == []
    assert len(told(stage, AlertType.CLOSED, "main")) == 1
    stage.run(4_000)
    (text,) = told(stage, AlertType.CLOSED, "half")
    assert text == "closed: followed main, long at 59999.9, net PnL not known yet"
    stage.world.gateway.faults.clear()
    silent(stage)


@pytest.mark.proves("A69")
@pytest.mark.parametrize("wait_ms", [0, 60, 3_000])
def test_killed_while_the_result_is_awaited_the_close_is_told_once_all_the_same(wait_ms: int) -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    fault = stage.world.fault(FaultKind.RET_CODE, "half", CLOSED_PNL, count=None, code=10016, message="not now")
    stage.main.close()
    stage.settle()
    stage.run(wait_ms)
    stage.world.gateway.faults.clear(fault)
    silent_from = len(told(stage, AlertType.CLOSED, "half"))
    assert silent_from == 0
    stage.restart()
    stage.settle()
    stage.run(5_000)
    (text,) = told(stage, AlertType.CLOSED, "half")
    assert text.startswith("closed: followed main, long at 59999.9, net PnL -3.31 USDT, fees 3.3 USDT")
    silent(stage)


def test_a_daemon_that_ends_in_order_leaves_nothing_untold() -> None:
    stage = Stage(copying("half", "0.5"))
    daemon_started(stage.engine)
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.world.fault(FaultKind.RET_CODE, None, CLOSED_PNL, count=None, code=10016, message="not now")
    stage.main.close()
    stage.settle()
    daemon_stopped(stage.engine, "SIGTERM")
    assert len(told(stage, AlertType.CLOSED)) == 2
    (text,) = told(stage, AlertType.DAEMON_STOPPED)
    assert text.startswith(
        "daemon stopped: SIGTERM; nothing is followed until it runs again; positions: main 0, half 0"
    )
    stage.world.kill()
    stage.run(60_000)
    stage.start()
    stage.settle()
    assert len(told(stage, AlertType.CLOSED)) == 2


def test_a_daemon_says_what_it_found_and_that_the_one_before_it_said_no_word() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    daemon_started(stage.engine)
    stage.restart()
    stage.settle()
    stage.world.go_down("half")
    stage.run(61_000)
    daemon_started(stage.engine)
    first, second = told(stage, AlertType.DAEMON_STARTED)
    assert first == "daemon started: positions: main 1, half 1; in step"
    assert second.startswith(
        "daemon started: positions: main 1, half not read; not in step yet; the run before it, of "
    )
    assert second.endswith(", ended without a word")
    daemon_stopped(stage.engine, "SIGINT")
    daemon_stopped(stage.engine, "SIGINT")
    assert len(told(stage, AlertType.DAEMON_STOPPED)) == 1


def test_one_refusal_of_an_entry_is_one_alert() -> None:
    for code, kind in ((110007, AlertType.REFUSED), (110013, AlertType.PARKED), (110009, AlertType.REFUSED)):
        stage = Stage(copying("half", "0.5"))
        stage.world.fault(FaultKind.RET_CODE, "half", CREATE, count=None, code=code, message="no")
        stage.main.buy("0.1", stop="58000")
        stage.run(10_000)
        assert types(stage, "half") == [kind], code
        assert f"({code})" in stage.alerts("half")[0].text


@pytest.mark.parametrize("what", ["cancel", "stop"])
def test_the_same_refusal_of_another_order_or_position_is_told_again(what: str) -> None:
    stage = Stage(copying("half", "0.5"))
    path = "/v5/order/cancel" if what == "cancel" else "/v5/position/trading-stop"
    for number in (1, 2):
        order = stage.main.bid("0.1", "50000") if what == "cancel" else stage.main.buy("0.1")
        stage.settle()
        stage.world.fault(FaultKind.RET_CODE, "half", path, count=1, code=10001, message="no")
        if what == "cancel":
            stage.main.cancel(order)
        else:
            stage.main.protect(stop="58000")
            stage.run(30_000)
            stage.main.close()
        stage.run(30_000)
        assert len(told(stage, AlertType.REFUSED, "half")) == number


def test_an_amend_and_a_leverage_that_are_refused_for_good_are_one_alert_each() -> None:
    stage = Stage(copying("half", "0.5"))
    order = stage.main.bid("0.1", "59000", stop="58000")
    stage.settle()
    stage.world.fault(FaultKind.RET_CODE, "half", "/v5/order/amend", count=None, code=10001, message="no")
    stage.main.amend(order, price="59100")
    stage.run(10_000)
    assert types(stage, "half") == [AlertType.PARKED]
    stage = Stage(copying("half", "0.5"))
    stage.world.fault(FaultKind.RET_CODE, "half", "/v5/position/set-leverage", count=None, code=110013, message="no")
    stage.main.set_leverage("5")
    stage.main.buy("0.1")
    stage.run(10_000)
    assert types(stage, "half") == [AlertType.PARKED]


def test_what_keeps_an_entry_back_has_a_type_of_its_own() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.world.stream_down("main")
    stage.main.buy("0.1", stop="50000")
    stage.price("62000")
    stage.world.stream_up("main")
    stage.run(20_000)
    (text,) = told(stage, AlertType.SLIPPAGE, "half")
    assert text.startswith("held: slippage: ")
    stage = Stage(copying("half", "0.5"))
    stage.of("half").buy("0.01")
    stage.settle()
    stage.main.buy("0.1", stop="58000")
    stage.run(5_000)
    assert told(stage, AlertType.PARKED, "half") == ["parked: foreign position"]


def test_adding_to_a_trade_is_a_merge_and_its_own_later_entries_are_none() -> None:
    stage = Stage(copying("half", "0.5"))
    conservative(stage)
    stage.settle()
    stage.run(30_000)
    stage.price("59800")
    stage.settle()
    assert told(stage, AlertType.MERGE) == []
    stage.command("trade.open", symbol="BTCUSDT", side="long", qty="0.1")
    stage.settle()
    assert told(stage, AlertType.MERGE) == ["merged: 0.1 BTCUSDT at 59800.1, the long is 0.3 now"]
    assert len(told(stage, AlertType.TRADE_OPENED, "main")) == 1


def test_an_order_by_hand_beside_a_position_that_stands_is_a_merge_too() -> None:
    stage = Stage(copying("half", "0.5"))
    early = stage.main.bid("0.05", "59500")
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.run(20_000)
    stage.main.fill(early, "0.05")
    stage.settle()
    assert told(stage, AlertType.MERGE) == []
    stage.main.buy("0.02")
    stage.settle()
    assert told(stage, AlertType.MERGE, "main") == ["merged: 0.02 BTCUSDT at 60000.1, the long is 0.17 now"]


def test_an_entry_that_fills_in_part_and_rests_on_has_opened_a_trade() -> None:
    stage = Stage(copying("half", "0.5"))
    order = stage.main.bid("0.1", "59500", stop="58000")
    stage.settle()
    stage.main.fill(order, "0.04")
    stage.run(4_000)
    assert told(stage, AlertType.TRADE_OPENED, "main") == ["trade opened: long 0.04 BTCUSDT at 59500, stop 58000"]
    assert told(stage, AlertType.ENTRY_FILLED, "main") == []
    stage.main.fill(order, "0.06")
    stage.run(4_000)
    assert len(told(stage, AlertType.TRADE_OPENED, "main")) == 1
    assert told(stage, AlertType.ENTRY_FILLED, "main") == ["entry filled: 0.1 BTCUSDT at 59500"]
    silent(stage, "main")


@pytest.mark.proves("A46")
@pytest.mark.parametrize("watched", [False, True])
def test_an_entry_that_filled_in_part_at_night_and_rests_on_is_told_in_the_morning(watched: bool) -> None:
    """Also where the daemon was killed in the two seconds in which it waited for more."""
    stage = Stage(copying("half", "0.5"))
    order = stage.main.bid("0.1", "59500", stop="58000")
    stage.settle()
    if not watched:
        stage.world.kill()
    stage.main.fill(order, "0.04")
    stage.run(1_000)
    if watched:
        stage.world.kill()
    stage.run(60_000)
    stage.start()
    stage.run(20_000)
    (text,) = told(stage, AlertType.TRADE_OPENED, "main")
    assert text.startswith("trade opened: long 0.04 BTCUSDT at 59500, stop 58000, 2027-01-15 08:00:0")
    assert text.endswith("(late)")
    stage.restart()
    stage.main.fill(order, "0.06")
    stage.run(20_000)
    assert told(stage, AlertType.TRADE_OPENED, "main") == [text]
    assert told(stage, AlertType.ENTRY_FILLED, "main") == ["entry filled: 0.1 BTCUSDT at 59500"]


@pytest.mark.parametrize("night", [False, True])
def test_a_flip_is_told_as_the_end_of_one_position_and_then_the_beginning_of_the_other(night: bool) -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.run(3_000)
    before = len(stage.alerts("main"))
    if night:
        stage.world.kill()
    slow = stage.world.fault(FaultKind.EMPTY, "main", CLOSED, count=None)
    stage.main.sell("0.3", stop="63000")
    stage.run(3_000)
    if night:
        stage.start()
    stage.run(3_000)
    stage.world.gateway.faults.clear(slow)
    stage.run(15_000)
    assert [alert.kind for alert in stage.alerts("main")[before:]] == ["closed", "opened", "fill"]


@pytest.mark.proves("A69")
def test_what_happened_in_a_gap_of_the_stream_is_told_in_the_order_of_time() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="50000")
    stage.settle()
    stage.run(3_000)
    before = len(stage.alerts("main"))
    stage.world.stream_down("main")
    stage.run(300)
    stage.main.close()
    stage.run(300)
    stage.main.buy("0.2")
    stage.run(300)
    stage.main.sell("0.05", reduceOnly=True)
    stage.run(300)
    stage.world.stream_up("main")
    stage.run(15_000)
    rows = [alert for alert in stage.alerts("main")[before:] if type_of(alert.kind) is not AlertType.STREAM]
    assert [(alert.kind, alert.text.split(" BTCUSDT")[0]) for alert in rows] == [
        ("fill", "reduced by hand: 0.1"),
        ("closed", "closed: manual, long at 59999.9, net PnL -6.62 USDT, fees 6.6 USDT"),
        ("opened", "trade opened: long 0.2"),
        ("entry", "entry filled: 0.2"),
        ("fill", "reduced by hand: 0.05"),
    ]


@pytest.mark.proves("A46")
def test_what_opened_and_was_moved_at_night_is_told_late() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("1", "ETHUSDT")
    stage.main.protect(stop="2000", symbol="ETHUSDT")
    stage.settle()
    stage.world.kill()
    stage.main.buy("0.1")
    stage.run(30_000)
    stage.main.close()
    stage.run(30_000)
    stage.main.buy("0.2", stop="58000")
    stage.main.protect(stop="2100", symbol="ETHUSDT")
    stage.run(60_000)
    stage.start()
    stage.settle()
    stage.run(15_000)
    late = [(alert.kind, alert.symbol) for alert in stage.alerts("main") if alert.text.endswith("(late)")]
    opened = [("opened", "BTCUSDT"), ("entry", "BTCUSDT")]
    assert [row for row in late if row[1] == "BTCUSDT"] == [
        *opened,
        ("fill", "BTCUSDT"),
        ("closed", "BTCUSDT"),
        *opened,
    ]
    assert told(stage, AlertType.STOP_MOVED, "main") == ["stop moved by hand from 2000 to 2100 (late)"]
    assert told(stage, AlertType.STOP_MOVED, "half") == ["stop moved from 2000 to 2100"]
    silent(stage)


def test_what_was_told_as_filled_by_a_version_that_told_no_openings_is_not_told_as_opened_late() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.main.buy("1", "ETHUSDT")
    stage.settle()
    stage.main.close("ETHUSDT")
    stage.run(15_000)
    stage.world.kill()
    stage.world.store._database.run("DELETE FROM alert WHERE kind = 'opened'")  # as that version left it
    before = [alert.key for alert in stage.alerts()]
    stage.start()
    stage.settle()
    stage.run(15_000)
    assert [alert.text for alert in stage.alerts()[len(before) :]] == []


def test_a_stop_that_is_taken_away_and_comes_back_is_told_and_one_that_is_replaced_is_a_move() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.main.protect(stop="0")
    stage.main.protect(stop="58500")
    stage.settle()
    stage.main.protect(stop="0")
    stage.run(5_000)
    stage.main.protect(stop="58600")
    stage.run(31_000)
    assert told(stage, AlertType.STOP_MOVED, "main") == [
        "stop moved by hand from 58000 to 58500",
        "stop removed: it was 58500",
        "stop set again by hand: 58600",
    ]
    assert told(stage, AlertType.STOP_MOVED, "half") == [
        "stop moved from 58000 to 58500",
        "stop moved from 58500 to 58600",
    ]
    stage.main.close()
    stage.settle()
    stage.main.buy("0.1", stop="57000")
    stage.settle()
    assert len(told(stage, AlertType.STOP_MOVED)) == 5, "the next position's first stop is no move"


def test_a_stop_that_is_trailed_by_the_second_is_told_now_and_then_and_where_it_ended() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="57000")
    stage.settle()
    for step in range(1, 61):
        stage.main.protect(stop=str(57_000 + step))
        stage.run(1_000)
    stage.run(31_000)
    for name in ("main", "half"):
        moves = told(stage, AlertType.STOP_MOVED, name)
        assert 2 <= len(moves) <= 8, moves
        assert "from 57000 " in moves[0]
        assert moves[-1].endswith(" to 57060")


@pytest.mark.proves("A26")
def test_a_position_without_its_stop_is_told_each_time_and_when_it_has_it_again() -> None:
    """Also while growth is held, which keeps everything else that is held from being news."""
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.command("pause", account="half")
    stage.main.buy("0.1")
    for _ in range(2):
        fault = stage.world.fault(FaultKind.RET_CODE, "half", STOP_PATH, count=None, code=10001, message="not now")
        stage.of("half").protect(stop="0")
        stage.run(6_000)
        stage.world.gateway.faults.clear(fault)
        stage.run(30_000)
    spell = ["naked: the long stands without its stop", "the long has its stop again"]
    assert told(stage, AlertType.NAKED, "half") == spell * 2


@pytest.mark.parametrize("restarted", [False, True])
def test_drift_that_lasts_is_told_once_and_when_it_is_over(restarted: bool) -> None:
    """Main flips; the mirror cannot close what it has, so it does not open what it should have."""
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    fault = stage.world.fault(FaultKind.RET_CODE, "half", CREATE, count=None, code=110007, message="no")
    stage.main.sell("0.2")
    stage.run(60_000)
    (text,) = told(stage, AlertType.DRIFT)
    assert text.startswith("the long could not be reduced since 1")
    stage.run(40_000)
    if restarted:
        stage.restart()
        stage.run(100_000)
    _, text = told(stage, AlertType.DRIFT)
    assert text.startswith("drift: the short is 0 and should be 0.05, since 6")
    stage.world.gateway.faults.clear(fault)
    stage.run(90_000)
    assert stage.of("half").position() == Decimal("-0.05")
    over = told(stage, AlertType.DRIFT)[2:]
    assert [text.partition(" after ")[0] for text in over] == ["the long is reduced", "the short is in step again"]


@pytest.mark.parametrize("why", ["paused", "parked"])
def test_drift_that_turns_into_a_hold_is_not_told_to_be_over(why: str) -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.world.fault(FaultKind.RET_CODE, "half", CREATE, count=None, code=110007, message="no")
    stage.main.sell("0.2")
    stage.until(lambda: any(text.startswith("drift: the short") for text in told(stage, AlertType.DRIFT)), 200_000)
    if why == "paused":
        stage.command("pause", account="half", symbol=None)
    else:
        stage.engine.standings.set(StandingKind.PARK, "half", "BTCUSDT", "why", stage.engine.now_ms())
        stage.engine.mark(stage.engine.accounts["half"], "BTCUSDT")
    stage.run(30_000)
    assert not [text for text in told(stage, AlertType.DRIFT) if "in step again" in text]
    stage.main.close()
    stage.run(30_000)
    assert [text for text in told(stage, AlertType.DRIFT) if text.startswith("the short is in step again")]


def test_drift_is_told_although_every_try_is_followed_by_a_wait() -> None:
    """A rate limit keeps a mirror small: between two tries its growth is held, and nobody would ever hear of it."""
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    fault = stage.world.fault(FaultKind.RET_CODE, "half", CREATE, count=None, code=10006, message="too many visits")
    stage.main.buy("0.2")
    stage.run(180_000)
    (text,) = told(stage, AlertType.DRIFT)
    assert text.startswith("drift: the long is 0.05 and should be 0.15, since 6")
    stage.world.gateway.faults.clear(fault)
    stage.run(60_000)
    assert told(stage, AlertType.DRIFT)[1].startswith("the long is in step again")


def busy_day(crash_at: int, *, after: bool) -> Stage:
    """A trade that is opened, moved, half sold and closed; the process dies at one call and comes back.

    What was journaled and not sent is looked for before it is sent: each step has the time for that.
    """
    stage = Stage(copying("half", "0.5"))
    stage.world.crash_at, stage.world.crash_after = (crash_at and len(stage.world.calls) + crash_at), after
    stage.main.buy("0.1", stop="58000")
    stage.run(20_000)
    stage.main.protect(stop="58500")
    stage.run(20_000)
    stage.main.sell("0.04", reduceOnly=True)
    stage.run(20_000)
    stage.price("61000")
    stage.main.protect(stop="60500")
    stage.run(20_000)
    stage.main.close()
    stage.run(20_000)
    return stage


@pytest.mark.proves("A69", "A43")
@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
def test_killed_at_any_call_of_a_day_the_same_facts_are_told_once(after: bool) -> None:
    kinds = ("opened", "entry", "fill", "stop-moved", "breakeven", "closed")

    def facts(stage: Stage) -> Counter[tuple[str, str, str]]:
        late = re.compile(r"(, 2027[^(]*)? ?\(late\)")
        return Counter((a.kind, a.account, late.sub("", a.text)) for a in stage.alerts() if a.kind in kinds)

    calm = busy_day(0, after=False)
    expected = facts(calm)
    assert {kind for kind, _, _ in expected} == set(kinds)
    assert set(expected.values()) == {1}
    calls = len(calm.world.calls) - len(Stage(copying("half", "0.5")).world.calls)
    for number in range(2 if after else 1, calls + 1, 6):
        assert facts(busy_day(number, after=after)) == expected, f"killed at call {number} of {calls}"


def morning(stage: Stage) -> None:
    """From eight o'clock, when the world begins, to ten minutes before midnight, with nobody there."""
    stage.run(16 * HOUR_MS - 600_000)


@pytest.mark.proves("A68")
def test_a_day_is_summed_up_once_after_it_from_what_was_read() -> None:
    stage = Stage(copying("half", "0.5"), copying("dead", "0.5"), start=False)
    morning(stage)
    stage.start()
    stage.settle()
    daemon_started(stage.engine)
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.main.close()
    stage.settle()
    stage.world.go_down("dead")
    stage.main.buy("0.1", "ETHUSDT")
    stage.run(620_000)
    assert told(stage, AlertType.DAILY_SUMMARY) == []
    stage.run(90_000)
    (text,) = told(stage, AlertType.DAILY_SUMMARY)
    day, main, half, dead = text.split("; ")
    assert day == "2027-01-15 (UTC)"
    assert main.startswith("main: 1 trade, 0 won, 1 lost, net PnL -6.62 USDT, fees 6.7")
    assert half.startswith("half: 1 trade, 0 won, 1 lost, net PnL -3.31 USDT, fees 3.3")
    assert re.search(r"equity 999\d\d\.\d\d now, \d copies, p50 \d+ ms, worst naked \d+ ms", half)
    assert dead.startswith("dead: its records could not be read")
    stage.restart()
    stage.run(3_000)
    daemon_started(stage.engine)
    stage.run(120_000)
    assert len(told(stage, AlertType.DAILY_SUMMARY)) == 1


def test_the_day_before_a_start_is_summed_up_and_no_day_before_the_store() -> None:
    stage = Stage(copying("half", "0.5"), start=False)
    morning(stage)
    stage.start()
    stage.settle()
    daemon_started(stage.engine)
    stage.run(30_000)
    assert told(stage, AlertType.DAILY_SUMMARY) == []
    stage.world.kill()
    stage.run(6 * HOUR_MS)
    stage.start()
    stage.settle()
    stage.run(30_000)
    assert told(stage, AlertType.DAILY_SUMMARY) == [], "a command of one shot sums up nothing"
    daemon_started(stage.engine)
    stage.run(30_000)
    (text,) = told(stage, AlertType.DAILY_SUMMARY)
    assert text.startswith("2027-01-15 (UTC); main: 0 trades, net PnL 0 USDT, fees 0 USDT, equity 100000 now; half: ")


def test_a_store_that_cannot_be_read_for_the_summary_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(copying("half", "0.5"), start=False)
    morning(stage)
    stage.start()
    stage.settle()
    daemon_started(stage.engine)

    def unreadable(_store: SqliteStore, _since_ms: int) -> list[MeasuredCopy]:
        raise StoreError("a row that cannot be read", "restore it")

    monkeypatch.setattr(SqliteStore, "measured_since", unreadable)
    stage.run(640_000)
    assert len(told(stage, AlertType.DAILY_SUMMARY)) == 1
    assert len(told(stage, AlertType.STORE)) == 2, "once that it is so, once that it is over"
    stage.main.buy("0.1")
    stage.settle()
    assert stage.of("half").position() == Decimal("0.05")


def test_of_a_day_that_nobody_could_read_the_next_summary_waits_for_every_account_again() -> None:
    stage = Stage(copying("half", "0.5"))
    daemon_started(stage.engine)
    main, half = (
        stage.world.fault(FaultKind.RET_CODE, name, CLOSED, count=None, code=10016) for name in ("main", "half")
    )

    def pass_over(hours: int) -> None:
        stage.world.step_exchange_clock(hours * HOUR_MS)
        stage.world.step_local_clock(hours * HOUR_MS)
        stage.run(30_000)

    pass_over(16)
    pass_over(23)
    stage.world.gateway.faults.clear(main)
    pass_over(1)
    assert told(stage, AlertType.DAILY_SUMMARY) == []
    stage.world.gateway.faults.clear(half)
    stage.run(30_000)
    (text,) = told(stage, AlertType.DAILY_SUMMARY)
    assert text.startswith("2027-01-16 (UTC)")
    assert "could not be read" not in text


def test_the_words_of_a_day() -> None:
    nothing = DayLine("half", None, None, 0, None, None)
    assert day_line(nothing, "USDT") == "half: its records could not be read"
    figures = DayFigures(2, 1, 0, Decimal("1.234"), Decimal("12.3456"), unrecorded=1)
    whole = DayLine("half", figures, Decimal("1000.123"), 3, 85, 130)
    assert day_line(whole, "USDT") == (
        "half: 2 trades, 1 won, 0 lost, 1 without a record yet, net PnL +12.35 USDT, fees 1.23 USDT,"
        " equity 1000.12 now, 3 copies, p50 85 ms, worst naked 130 ms"
    )
    assert day_line(replace(whole, figures=replace(figures, net_pnl=Decimal("-0.00123"))), "USDT").count("-0.0012 USDT")


@pytest.mark.proves("A69", "A82")
def test_what_is_held_back_is_told_once_and_a_restart_is_no_news() -> None:
    """The stop of the mirror alone put it out of this cycle; the next cycle is news again."""
    stage = Stage(copying("half", "0.5"))
    for number in (1, 2):
        stage.main.buy("0.1")
        stage.settle()
        stage.of("half").protect(stop="59900")
        stage.price("59800")
        stage.run(15_000)
        for _ in range(3):
            stage.restart()
            stage.run(15_000)
        assert stage.held("half") == ["own exit: stop"]
        assert len(stage.alerts("half", "held: own exit")) == number
        stage.price("60000")
        stage.main.close()
        stage.run(15_000)
