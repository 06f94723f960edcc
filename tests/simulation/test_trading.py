"""Commands of the trader on main, with what a hurried hand gets wrong."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.errors import MirrorctlError, Refused, UsageError
from mirrorctl.core.engine.service import steps
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying

OPEN: dict[str, Any] = {"symbol": "BTCUSDT", "side": "long", "wait_s": "1"}


def test_a_client_id_opens_once() -> None:
    stage = Stage()
    first = stage.command("trade.open", **OPEN, qty="0.01", client_id="q1")
    again = stage.command("trade.open", **OPEN, qty="0.01", client_id="q1")
    assert (first["placed"], again["placed"]) == ("0.01", "0")
    assert again["already"]
    assert stage.main.position() == Decimal("0.01")


def test_a_client_id_whose_trade_was_refused_may_be_used_again_for_the_same() -> None:
    stage = Stage()
    stage.world.fault(FaultKind.RET_CODE, "main", "/v5/order/create", code=110007, message="no margin")
    with pytest.raises(MirrorctlError, match="110007"):
        stage.command("trade.open", **OPEN, qty="0.01", client_id="q1")
    again = stage.command("trade.open", **OPEN, qty="0.01", client_id="q1")
    assert again["placed"] == "0.01"
    third = stage.command("trade.open", **OPEN, qty="0.01", client_id="q1")
    assert third["placed"] == "0"
    assert stage.main.position() == Decimal("0.01")


@pytest.mark.proves("A43")
@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
def test_a_client_id_makes_it_safe_to_ask_again_after_a_kill_at_any_call(after: bool) -> None:
    """The trader's command ends with an unknown outcome; he asks for the same once more when the daemon is back."""
    for crash in range(1, 22):
        stage = Stage(copying("half", "0.5"))
        world = stage.world
        world.crash_at, world.crash_after = len(world.calls) + crash, after
        asked = {**OPEN, "qty": "0.04", "entries": ["59900", "59800"], "client_id": "q1"}
        stage.engine.tasks.start(
            steps(stage.engine, "trade.open", asked, lambda _event: None), lambda _result, _error: None
        )
        stage.run(15_000)
        world.crash_at = 0
        stage.settle()
        stage.command("trade.open", **asked)
        stage.settle()
        assert sorted(stage.main.book()) == [("Buy", Decimal("0.02"), Decimal(price)) for price in (59_800, 59_900)]
        assert len(stage.of("half").book()) == 2, f"killed at call {crash}"


@pytest.mark.parametrize("other", [{"qty": "0.02"}, {"qty": "0.01", "symbol": "ETHUSDT"}, {"notional": "600"}])
def test_a_client_id_of_another_trade_is_refused(other: dict[str, str]) -> None:
    stage = Stage()
    stage.command("trade.open", **OPEN, qty="0.01", client_id="q1")
    with pytest.raises(Refused, match="another trade"):
        stage.command("trade.open", **{**OPEN, **other}, client_id="q1")
    assert stage.main.position() == Decimal("0.01")
    assert stage.main.position("ETHUSDT") == 0


@pytest.mark.parametrize(
    ("name", "args", "said"),
    [
        ("trade.reduce", {"symbol": "BTCUSDT", "amount": "5", "percent": False}, "more than the 0.1"),
        ("trade.open", {**OPEN, "side": "short", "qty": "0.01"}, "one-way"),
        ("trade.cancel", {"symbol": "NOPE"}, "NOPE"),
        ("trade.close", {"symbol": "NOPE"}, "NOPE"),
        ("sync", {"symbol": "NOPE"}, "NOPE"),
    ],
)
def test_a_slip_of_the_hand_is_refused_and_leaves_no_trace(name: str, args: dict[str, Any], said: str) -> None:
    stage = Stage()
    stage.main.buy("0.1")
    stage.settle()
    sent = len(stage.sent())
    with pytest.raises(MirrorctlError, match=said) as caught:
        stage.command(name, **args)
    assert isinstance(caught.value, UsageError)
    stage.run(5_000)
    assert len(stage.sent()) == sent
    assert stage.status()["in_sync"] is True
    assert [row["error"] for row in stage.status()["accounts"]] == [None, None, None]
