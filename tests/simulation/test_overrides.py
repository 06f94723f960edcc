"""`trade open --mirror NAME=VALUE` and `--no-mirror NAME`: what is asked of one mirror for one trade alone."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.errors import MirrorctlError, Rejected, UsageError
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.policy import Limits, MirrorPolicy, Sizing, SizingMode
from mirrorctl.core.engine.service import steps
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying

CREATE = "/v5/order/create"
FREE = Limits(Decimal(100), None, None, None)
OPEN: dict[str, Any] = {"symbol": "BTCUSDT", "side": "long", "stop": "50000", "wait_s": "2"}


def value(name: str, text: str, *, percent: bool = False) -> dict[str, Any]:
    return {"name": name, "value": text, "percent": percent}


def sizes(stage: Stage, symbol: str = "BTCUSDT") -> dict[str, str]:
    return {name: plain(trader.position(symbol)) for name, trader in stage.mirrors.items()}


@pytest.mark.parametrize("given", [value("half", "1"), value("half", "100", percent=True)])
def test_a_value_holds_for_this_trade_alone(given: dict[str, Any]) -> None:
    stage = Stage()
    found = stage.command("trade.open", **OPEN, qty="0.1", mirrors=[given], dry_run=True)
    row = next(row for row in found["preview"] if row["account"] == "half")
    assert (row["qty"], row["sizing"]) == ("0.1", "proportion: r = 1")
    stage.command("trade.open", **OPEN, qty="0.1", mirrors=[given])
    stage.settle()
    assert sizes(stage) == {"half": "0.1", "quarter": "0.025"}
    stage.restart()
    stage.settle()
    stage.main.buy("0.1")
    stage.settle()
    assert sizes(stage) == {"half": "0.2", "quarter": "0.05"}, "the rest of the cycle too"
    stage.command("trade.close", symbol="BTCUSDT", wait_s="2")
    stage.settle()
    stage.command("trade.open", **OPEN, qty="0.1")
    stage.settle()
    assert sizes(stage) == {"half": "0.05", "quarter": "0.025"}
    assert stage.engine.trades.wishes.rows == ()


@pytest.mark.proves("A82")
@pytest.mark.parametrize("entries", [[], ["59500"]], ids=["at market", "resting"])
def test_a_mirror_that_is_left_out_stays_out_until_main_was_flat(entries: list[str]) -> None:
    stage = Stage()
    stage.command("trade.open", **OPEN, qty="0.1", entries=entries, without=["half"])
    stage.settle()
    assert stage.held("half") == ["left out by the trader"]
    assert stage.of("half").book() == []
    stage.restart()
    stage.settle()
    stage.price("59400")
    stage.settle()
    stage.main.buy("0.1")
    stage.settle()
    assert sizes(stage) == {"half": "0", "quarter": "0.05"}
    assert stage.held("half") == ["left out by the trader"]
    assert not stage.drift("half")
    stage.main.close()
    stage.settle()
    stage.main.buy("0.1")
    stage.settle()
    assert sizes(stage) == {"half": "0.05", "quarter": "0.025"}


def test_an_add_changes_the_ratio_from_then_on() -> None:
    """What is held and what is added: the ratio is of the whole position, and no mirror that was not named changes."""
    stage = Stage()
    stage.command("trade.open", **OPEN, qty="0.1")
    stage.settle()
    assert sizes(stage) == {"half": "0.05", "quarter": "0.025"}
    asked = {**OPEN, "qty": "0.1", "mirrors": [value("quarter", "0.75")]}
    rows = {row["account"]: row for row in stage.command("trade.open", **asked, dry_run=True)["preview"]}
    assert (rows["quarter"]["qty"], rows["quarter"]["qty_after"]) == ("0.125", "0.15")
    stage.command("trade.open", **asked)
    stage.settle()
    assert sizes(stage) == {"half": "0.1", "quarter": "0.15"}
    assert len(stage.placed("quarter")) == 2, "never at the old ratio first"
    stage.main.sell("0.1", reduceOnly=True)
    stage.settle()
    assert sizes(stage) == {"half": "0.05", "quarter": "0.075"}
    stage.command("trade.open", **{**asked, "mirrors": [value("quarter", "0.25")]})
    stage.settle()
    assert sizes(stage) == {"half": "0.1", "quarter": "0.05"}, "a smaller one reduces"


def test_a_mirror_that_follows_cannot_be_left_out_of_an_add() -> None:
    stage = Stage()
    stage.main.buy("0.1")
    stage.settle()
    sent = len(stage.sent())
    with pytest.raises(UsageError, match="half follows main's long BTCUSDT already") as caught:
        stage.command("trade.open", **OPEN, qty="0.1", without=["half"])
    assert caught.value.exit_code == 2
    assert "mirrorctl pause --account half" in caught.value.hint
    assert len(stage.sent()) == sent


def test_what_was_left_out_follows_from_an_add_that_names_it() -> None:
    stage = Stage()
    stage.command("trade.open", **OPEN, qty="0.1", without=["half"])
    stage.settle()
    stage.command("trade.open", **OPEN, qty="0.1", mirrors=[value("half", "0.5")])
    stage.settle()
    assert sizes(stage) == {"half": "0.1", "quarter": "0.05"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"mirrors": [value("main", "1")]}, '"main" is no mirror'),
        ({"without": ["nobody"]}, '"nobody" is no mirror'),
        ({"without": ["off"]}, '"off" is disabled'),
        ({"mirrors": [value("half", "1")], "without": ["half"]}, "named twice"),
        ({"mirrors": [value("risky", "101")]}, "up to 100"),
        ({"mirrors": [value("fixed", "50", percent=True)]}, "base coin"),
    ],
)
def test_a_slip_of_the_hand_is_refused_before_anything_is_read(wrong: dict[str, Any], said: str) -> None:
    stage = Stage(
        copying("half", "0.5"),
        MirrorPolicy("off", enabled=False),
        copying("risky", sizing=Sizing(SizingMode.RISK, Decimal(1))),
        copying("fixed", sizing=Sizing(SizingMode.FIXED_QTY, Decimal(1))),
        start=False,
    )
    stage.world.start(without=("off",))
    stage.settle()
    with pytest.raises(UsageError, match=said) as caught:
        stage.command("trade.open", **OPEN, qty="0.1", **wrong)
    assert caught.value.hint or "allowed" in caught.value.message
    assert stage.sent() == []


@pytest.mark.proves("A3")
@pytest.mark.parametrize(
    ("mode", "policy", "given", "r"),
    [
        # 20,000 ÷ 100,000 × 25% of main's 1 BTC
        (SizingMode.EQUITY, "1", value("copy", "25", percent=True), "0.05"),
        # 2% of 20,000 lost over 9,000
        (SizingMode.RISK, "1", value("copy", "2", percent=True), "0.044"),
        (SizingMode.FIXED_QTY, "1", value("copy", "0.07"), "0.07"),
    ],
)
def test_a_value_has_the_unit_of_the_mirrors_mode(mode: SizingMode, policy: str, given: dict[str, Any], r: str) -> None:
    copy = copying("copy", sizing=Sizing(mode, Decimal(policy)), limits=FREE)
    stage = Stage(copy, balances={"copy": Decimal(20_000)}, main_limits=FREE)
    asked = {**OPEN, "qty": "1", "entries": ["59000"], "mirrors": [given]}
    (row,) = stage.command("trade.open", **asked, dry_run=True)["mirrors"]
    stage.command("trade.open", **asked)
    stage.settle()
    assert (row["qty"], stage.of("copy").book()) == (r, [("Buy", Decimal(r), Decimal(59000))])


# --- what comes to nothing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("adds", [False, True], ids=["a new trade", "an add"])
def test_of_a_trade_that_the_exchange_refuses_nothing_stays(adds: bool) -> None:
    stage = Stage()
    if adds:
        stage.command("trade.open", **OPEN, qty="0.1")
        stage.settle()
    held = sizes(stage)
    stage.world.fault(FaultKind.RET_CODE, "main", CREATE, code=110007, message="ab not enough")
    with pytest.raises(Rejected):
        stage.command(
            "trade.open", **OPEN, qty="0.1", mirrors=[value("half", "2")], without=[] if adds else ["quarter"]
        )
    stage.settle()
    assert sizes(stage) == held
    assert stage.engine.trades.wishes.rows == ()
    stage.main.buy("0.1")
    stage.settle()
    whole = stage.main.position()
    assert stage.of("half").position() == whole / 2
    assert stage.of("quarter").position() == whole / 4


@pytest.mark.parametrize("seed", range(12))
def test_whatever_main_shows_first_a_mirror_orders_once_at_the_ratio_asked_for(seed: int) -> None:
    """Row, execution and acknowledgement arrive in any order, half a second late."""
    stage = Stage(copying("half", "0.5"), seed=seed)
    stage.command("trade.open", **OPEN, qty="0.1")
    stage.settle()
    stage.world.latency_ms["main"] = 500
    stage.command("trade.open", **OPEN, qty="0.1", mirrors=[value("half", "0.75")])
    stage.settle()
    assert [order.qty for order in stage.placed("half")] == [Decimal("0.05"), Decimal("0.1")]


# --- kills ------------------------------------------------------------------------------------------------------------


def lived(before: bool, crash: int, after: bool) -> Stage:
    stage = Stage(copying("half", "0.5"))
    if before:
        stage.command("trade.open", **OPEN, qty="0.1")
        stage.settle()
    world = stage.world
    world.crash_at, world.crash_after = (len(world.calls) + crash if crash else 0), after

    asked = {**OPEN, "qty": "0.1", "mirrors": [value("half", "1")], "wait_s": "0"}
    stage.engine.tasks.start(
        steps(stage.engine, "trade.open", asked, lambda _event: None),
        lambda _result, _error: None,
    )
    stage.run(40_000)
    stage.settle()
    return stage


@pytest.mark.proves("A43")
@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
@pytest.mark.parametrize("before", [False, True], ids=["a new trade", "an add"])
def test_killed_at_any_call_the_value_holds_if_and_only_if_main_traded(before: bool, after: bool) -> None:
    calm = lived(before, 0, after)
    traded = calm.main.position()
    assert calm.of("half").position() == traded
    ends = set()
    for crash in range(1, 20 if before else 30):
        stage = lived(before, crash, after)
        assert stage.world.kills == 1
        main, half = stage.main.position(), stage.of("half").position()
        assert half == (main if main == traded else main / 2), f"killed at call {crash}: {main}, {half}"
        assert stage.of("half").volume()[0] == half, "nothing was ordered at another ratio"
        ends.add(main)
    assert traded in ends
    assert len(ends) == 2


def test_a_ratio_that_cannot_be_made_for_what_is_held_refuses_the_add() -> None:
    stage = Stage(copying("copy", sizing=Sizing(SizingMode.EQUITY, Decimal(1))))
    stage.command("trade.open", **OPEN, qty="0.1")
    stage.settle()
    stage.world.go_down("copy")
    stage.until(lambda: not stage.engine.is_known(stage.engine.accounts["copy"]), 300_000)
    with pytest.raises(MirrorctlError, match="copy cannot have another ratio now"):
        stage.command("trade.open", **OPEN, qty="0.1", mirrors=[value("copy", "2")])
    assert stage.main.position() == Decimal("0.1")
