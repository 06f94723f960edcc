"""What people are told: fills, closes with their reason, each exactly once, late ones in order and marked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.policy import OnUnprotected
from mirrorctl.core.domain.values import OrderStatus
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying

STOP_PATH = "/v5/position/trading-stop"
EXECUTIONS = "/v5/execution/list"


FILLS = ("entry", "target", "stop-hit", "fill")


def told(stage: Stage, kind: str, name: str = "") -> list[str]:
    """Texts of one kind; "fill" stands for the fills of every kind."""
    kinds = FILLS if kind == "fill" else (kind,)
    return [alert.text for alert in stage.alerts(name) if alert.kind in kinds]


def reasons(stage: Stage, name: str) -> list[str]:
    """Why positions of an account closed, by the alerts; the history must say the same."""
    alerts = [text.removeprefix("closed: ").split(",")[0] for text in told(stage, "closed", name)]
    rows = [row.reason for row in stage.world.store.closed_positions(0) if row.account == name]
    assert alerts == rows
    return alerts


def keys(stage: Stage) -> list[str]:
    return [alert.key for alert in stage.alerts() if alert.kind in (*FILLS, "closed")]


def restarted(stage: Stage, times: int = 3) -> list[str]:
    """The keys of what was told by so many restarts more."""
    before = keys(stage)
    for _ in range(times):
        stage.restart()
        stage.settle()
        stage.run(25_000)
    return keys(stage)[len(before) :]


def rung(stage: Stage) -> None:
    stage.main.offer("0.1", "61000", reduceOnly=True)
    stage.settle()
    stage.price("61000")


def unprotected(stage: Stage) -> None:
    stage.world.fault(FaultKind.RET_CODE, "half", STOP_PATH, count=None, code=10001, message="not now")
    stage.of("half").protect(stop="0")
    stage.run(10_000)


def own_conditional(stage: Stage) -> None:
    stage.main.sell("0.1", triggerPrice="59000", triggerDirection=2, reduceOnly=True)
    stage.settle()
    stage.price("58999")


def own_stop(stage: Stage) -> None:
    stage.of("half").protect(stop="59950")
    stage.price("59940")


WAYS: dict[str, tuple[Callable[[Stage], object], list[str], list[str]]] = {
    "a rung": (rung, ["target"], ["target"]),
    "a full take-profit": (lambda stage: stage.price("64000"), ["target"], ["target"]),
    "the stop": (lambda stage: stage.price("57900"), ["stop"], ["stop"]),
    "a conditional of main's own": (own_conditional, ["stop"], ["followed main"]),
    "by hand": (lambda stage: stage.main.close(), ["manual"], ["followed main"]),
    "main is liquidated": (lambda stage: stage.main.liquidate(), ["liquidation"], ["followed main"]),
    "main is deleveraged": (lambda stage: stage.main.deleverage("0.1"), ["adl"], ["followed main"]),
    "the mirror is liquidated": (lambda stage: stage.of("half").liquidate(), [], ["liquidation"]),
    "the mirror is deleveraged": (lambda stage: stage.of("half").deleverage("0.05"), [], ["adl"]),
    "by hand on the mirror": (lambda stage: stage.of("half").close(), [], ["manual"]),
    "its own stop": (own_stop, [], ["stop"]),
    "flatten": (lambda stage: stage.command("flatten", account="half"), [], ["emergency"]),
    "nothing protects it": (unprotected, [], ["emergency"]),
    "a flip": (lambda stage: stage.main.sell("0.3"), ["manual"], ["followed main"]),
}


@pytest.mark.proves("A41")
@pytest.mark.parametrize("way", WAYS)
def test_the_reason_of_a_close_is_that_of_its_closing_execution_and_told_once(way: str) -> None:
    act, main, half = WAYS[way]
    stage = Stage(replace(copying("half", "0.5"), on_unprotected=OnUnprotected.CLOSE))
    stage.main.buy("0.1", stop="58000", target="64000")
    stage.settle()
    act(stage)
    stage.run(3_000)
    assert (reasons(stage, "main"), reasons(stage, "half")) == (main, half)
    assert restarted(stage, 2) == []
    for row in stage.world.store.closed_positions(0):
        assert row.tag
        assert row.opened_ms < row.closed_ms
        assert not row.late


@pytest.mark.proves("A41")
@pytest.mark.parametrize("side", ["buy", "sell"])
def test_legs_of_a_hedged_account_close_apart(side: str) -> None:
    stage = Stage(copying("half", "0.5"), hedged=("main", "half"))
    other = {"buy": "sell", "sell": "buy"}[side]
    stage.main.buy("0.1", idx=1, stop="58000")
    stage.main.sell("0.2", idx=2, stop="62000")
    stage.settle()
    idx = 1 if side == "buy" else 2
    getattr(stage.main, other)("0.1" if idx == 1 else "0.2", idx=idx, reduceOnly=True)
    stage.settle()
    closed = "long" if idx == 1 else "short"
    assert [(row.account, row.side.value, row.reason) for row in stage.world.store.closed_positions(0)] == [
        ("main", closed, "manual"),
        ("half", closed, "followed main"),
    ]
    assert len(stage.world.store.open_positions()) == 2


@pytest.mark.parametrize("resting", [False, True])
def test_a_close_whose_execution_was_never_seen_is_unknown_and_never_guessed(resting: bool) -> None:
    """An earlier partial exit is known; that it was the last one is not said. Nor when every order was read."""
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1")
    if resting:
        stage.main.bid("0.02", "50000")
    stage.settle()
    stage.main.sell("0.02", reduceOnly=True)
    stage.settle()
    stage.world.fault(FaultKind.PUSH_DROP, "half", "execution", count=None)
    stage.world.fault(FaultKind.PUSH_DROP, "half", "order", count=None)
    silent = stage.world.fault(FaultKind.EMPTY, "half", EXECUTIONS, count=None)
    stage.of("half").close()
    stage.run(40_000)
    assert reasons(stage, "half") == []
    stage.run(60_000)
    assert reasons(stage, "half") == ["unknown"]
    stage.world.gateway.faults.clear(silent)
    stage.run(60_000)
    assert reasons(stage, "half") == ["unknown"]
    assert restarted(stage) == []


def test_fills_are_told_by_what_the_order_was_for() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    order = stage.main.bid("0.06", "59500")
    stage.settle()
    stage.main.fill(order, "0.02")
    stage.settle()
    stage.main.cancel(order)
    stage.settle()
    stage.main.offer("0.06", "61000", reduceOnly=True)
    stage.settle()
    stage.price("61000")
    stage.settle()
    stage.main.sell("0.02", reduceOnly=True)
    stage.settle()
    stage.price("57900")
    stage.settle()
    assert told(stage, "fill", "main") == [
        "entry filled: 0.1 BTCUSDT at 60000.1",
        "entry filled: 0.02 of 0.06 BTCUSDT at 59500",
        "target filled: 0.06 BTCUSDT at 61000",
        "reduced by hand: 0.02 BTCUSDT at 60999.9",
        "stop hit: 0.04 BTCUSDT at 57999.9",
    ]
    copied = [text.split(":")[0] for text in told(stage, "fill", "half")]
    assert (copied[0], copied[-1]) == ("copied", "stop hit")
    assert {"target filled", "followed main"} < set(copied)


def test_a_foreign_trade_on_a_mirror_is_nobodys_news() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.of("half").buy("0.02")
    stage.settle()
    stage.of("half").close()
    stage.settle()
    assert keys(stage) == []
    assert stage.world.store.open_positions() == []


def test_main_opens_and_closes_while_its_stream_is_lost() -> None:
    """Both ends are read, not pushed, and told once and in order: not late, for the daemon ran."""
    stage = Stage(copying("half", "0.5"))
    stage.world.stream_down("main")
    stage.main.buy("0.1")
    stage.main.close()
    stage.main.buy("0.2")
    stage.run(5_000)
    stage.world.stream_up("main")
    stage.settle()
    stage.run(30_000)
    assert reasons(stage, "main") == ["manual"]
    assert sorted(text.split(":")[0] for text in told(stage, "fill", "main")) == [
        "entry filled",
        "entry filled",
        "reduced by hand",
    ]
    assert not any("late" in text for text in told(stage, "fill") + told(stage, "closed"))


def busy_night(stage: Stage) -> None:
    """Main trades while no daemon runs: reduces, closes, opens and closes again, and is short in the morning."""
    stage.main.sell("0.04", reduceOnly=True)
    stage.run(40_000)
    stage.main.close("ETHUSDT")
    stage.run(40_000)
    stage.main.close()
    stage.run(40_000)
    stage.main.buy("0.2", stop="59000")
    stage.run(40_000)
    stage.price("58900")
    stage.run(40_000)
    stage.main.sell("0.3")
    stage.run(60_000)


def before_night() -> Stage:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="55000")
    stage.main.buy("1", "ETHUSDT")
    stage.main.bid("0.02", "50000")
    stage.settle()
    return stage


NIGHT = [
    ("fill", "reduced by hand: 0.04"),
    ("fill", "reduced by hand: 1 ETHUSDT"),
    ("closed", "closed: manual, long"),
    ("fill", "reduced by hand: 0.06"),
    ("closed", "closed: manual, long"),
    ("fill", "entry filled: 0.2"),
    ("fill", "stop hit: 0.2"),
    ("closed", "closed: stop, long"),
    ("fill", "entry filled: 0.3"),
]


def of_the_night(stage: Stage) -> list[tuple[str, str]]:
    """What was told of main as late, shortened to kind and beginning."""
    rows = [("fill" if row.kind in FILLS else row.kind, row.text) for row in stage.alerts("main")]
    rows = [row for row in rows if row[1].endswith("(late)") and row[0] in ("fill", "closed")]
    starts = [begin for _, begin in NIGHT]
    return [(kind, next((begin for begin in starts if text.startswith(begin)), text)) for kind, text in rows]


@pytest.mark.proves("A46")
def test_what_happened_while_no_daemon_ran_is_told_once_in_order_and_marked_late() -> None:
    stage = before_night()
    stage.world.kill()
    stage.run(5_000)
    before = len(keys(stage))
    busy_night(stage)
    stage.start()
    stage.settle()
    stage.run(30_000)
    assert of_the_night(stage) == NIGHT
    late = [row.late for row in stage.world.store.closed_positions(0) if row.account == "main"]
    assert late == [True, True, True]
    fresh = [alert.text for alert in stage.alerts("half")[before - 1 :] if alert.kind in (*FILLS, "closed")]
    assert fresh
    assert not any("late" in text for text in fresh), "the mirror followed while the daemon ran"
    assert restarted(stage) == []
    assert of_the_night(stage) == NIGHT


@pytest.mark.proves("A46", "A43")
@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
def test_killed_at_any_call_of_the_morning_the_night_is_told_once_all_the_same(after: bool) -> None:
    def morning(crash_at: int) -> Stage:
        stage = before_night()
        stage.world.kill()
        stage.run(5_000)
        busy_night(stage)
        stage.world.crash_at, stage.world.crash_after = (crash_at and len(stage.world.calls) + crash_at), after
        stage.start()
        stage.run(4_000)
        stage.settle()
        return stage

    calm = morning(0)
    evening = before_night()
    calls = len(calm.world.calls) - len(evening.world.calls)
    assert of_the_night(calm) == NIGHT
    failures = [
        (number, of_the_night(stage))
        for number in range(1, calls + 1, 3 if after else 5)  # before a call is after the one before it
        if of_the_night(stage := morning(number)) != NIGHT
    ]
    assert failures == []


@pytest.mark.proves("A46")
def test_a_twin_that_filled_while_no_daemon_ran_is_told_late() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.bid("0.1", "59000", stop="57000")
    stage.settle()
    stage.world.kill()
    stage.price("58990")
    stage.run(120_000)
    stage.price("57900")
    stage.start()
    stage.settle()
    for name, what in (("main", "entry filled: 0.1"), ("half", "copied: 0.05")):
        (text,) = told(stage, "fill", name)
        assert text.startswith(what)
        assert text.endswith("(late)")
    assert restarted(stage) == []


def test_on_a_new_store_nothing_of_the_past_is_told() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.main.close()
    stage.settle()
    stage.main.buy("0.2", stop="58000")
    stage.settle()
    stage.restart(new_store=True)
    stage.settle()
    stage.run(30_000)
    assert keys(stage) == []
    assert restarted(stage) == []
    stage.main.close()
    stage.settle()
    assert reasons(stage, "main") == ["manual"]
    assert len(told(stage, "fill", "main")) == 1


@pytest.mark.parametrize("topic", ["order", "execution", "position"])
def test_lost_pushes_delay_what_is_told_and_change_nothing_of_it(topic: str) -> None:
    calm, lossy = (Stage(copying("half", "0.5")) for _ in range(2))
    lossy.world.fault(FaultKind.PUSH_DROP, "main", topic, count=None)
    lossy.world.fault(FaultKind.PUSH_DROP, "half", topic, count=None)
    for stage in (calm, lossy):
        stage.main.buy("0.1", stop="58000")
        stage.run(50_000)
        stage.main.sell("0.05", reduceOnly=True)
        stage.run(50_000)
        stage.price("57900")
        stage.run(90_000)
    for name in ("main", "half"):
        assert told(lossy, "closed", name) == told(calm, "closed", name)
        assert sorted(told(lossy, "fill", name)) == sorted(told(calm, "fill", name))
    assert len(told(calm, "fill", "main")) == 3


def test_a_rung_filled_while_no_daemon_ran_is_looked_for_so_that_its_row_is_known() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.main.offer("0.04", "61000", reduceOnly=True)
    stage.main.offer("0.06", "63000", reduceOnly=True)
    stage.settle()
    stage.world.kill()
    stage.price("61000")
    stage.run(120_000)
    stage.start()
    stage.settle()
    assert [text.split(",")[0] for text in told(stage, "fill", "half")][-1].startswith("target filled: 0.02 BTCUSDT")
    assert stage.of("half").position() == Decimal("0.03")
    (copy,) = stage.world.store.copies()
    assert len(copy.done) == 1


def test_a_rung_of_the_past_is_looked_for_on_a_new_store_while_its_position_stands() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.main.offer("0.04", "61000", reduceOnly=True)
    stage.settle()
    stage.price("61000")
    stage.settle()
    (filled,) = [order.link_id for order in stage.placed("half") if order.role is Role.TARGET]
    stage.run(120_000)
    stage.restart(new_store=True)
    stage.settle()
    row = stage.engine.accounts["half"].view.by_link(filled)
    assert row is not None
    assert row.status is OrderStatus.FILLED
    assert keys(stage) == []


def test_entries_and_rungs_are_counted_where_their_trade_is_known() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.command(
        "trade.open",
        symbol="BTCUSDT",
        side="long",
        qty="0.3",
        approach="conservative",
        entries=["59800", "59600"],
        targets=[{"price": price} for price in ("61000", "62000", "63000", "64000")],
        stop="58000",
    )
    for price in ("59800", "59600", "61000", "62000", "63000", "64000"):
        stage.settle()
        stage.price(price)
    stage.settle()
    stage.run(3_000)
    assert [text.split(" at ")[-1] for text in told(stage, "fill", "main")[:3]] == [
        "60000.1 (1 of 3)",
        "59800 (2 of 3)",
        "59600 (3 of 3)",
    ]
    rungs = [text.split(", ")[0] for text in told(stage, "fill", "main")[3:]]
    assert rungs == [f"target filled: rung {leg} of 4" for leg in (1, 2, 3, 4)]
    assert "target filled: rung 4 of 4, 0.007 BTCUSDT at 64000" in told(stage, "fill", "half")
    assert reasons(stage, "main") == reasons(stage, "half") == ["target"]
    assert {row.approach for row in stage.world.store.closed_positions(0)} == {"conservative"}


def test_an_order_that_closes_two_positions_is_told_of_both() -> None:
    """It rests on after the first one and is no reduce-only order."""
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1")
    stage.settle()
    order = stage.main.offer("0.3", "61000")
    stage.settle()
    for _ in range(2):
        stage.main.fill(order, "0.1")
        stage.run(15_000)
        assert not stage.main.position()
        stage.main.buy("0.1")
        stage.run(15_000)
    assert reasons(stage, "main") == ["target", "target"]
    assert restarted(stage) == []
