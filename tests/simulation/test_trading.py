"""Commands of the trader on main, with what a hurried hand gets wrong."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.errors import MirrorctlError, Refused, UsageError
from mirrorctl.core.simulation.stage import Stage

OPEN: dict[str, Any] = {"symbol": "BTCUSDT", "side": "long", "wait_s": "1"}


def test_a_client_id_opens_once() -> None:
    stage = Stage()
    first = stage.command("trade.open", **OPEN, qty="0.01", client_id="q1")
    again = stage.command("trade.open", **OPEN, qty="0.01", client_id="q1")
    assert (first["placed"], again["placed"]) == ("0.01", "0")
    assert again["already"]
    assert stage.main.position() == Decimal("0.01")


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
