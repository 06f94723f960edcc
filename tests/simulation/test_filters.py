"""What a mirror does not follow, and when: symbols, sides, windows, close only. What is open stays protected (A12)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from mirrorctl.core.domain.policy import Filter, MirrorPolicy
from mirrorctl.core.domain.values import PositionSide, Severity
from mirrorctl.core.simulation.stage import Stage, copying
from mirrorctl.core.simulation.world import START_MS

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT
MINUTE_MS = 60_000


def choosing(**chosen: object) -> MirrorPolicy:
    """Half of main, under a filter."""
    return replace(copying("half", "0.5"), filter=Filter(**chosen))  # type: ignore[arg-type]


def clock(minutes: int) -> str:
    """The time of day that many minutes after a world begins, HH:MM UTC."""
    return datetime.fromtimestamp((START_MS + minutes * MINUTE_MS) / 1000, UTC).strftime("%H:%M")


def between(first: int, last: int) -> str:
    """A window from so many minutes after the beginning to so many."""
    return f"{clock(first)}-{clock(last)} UTC"


@pytest.mark.proves("A12", "A82")
@pytest.mark.parametrize(
    ("chosen", "reason"),
    [
        ({"symbols": ("ETH*", "SOL*")}, "filter: BTCUSDT is not in filter.symbols"),
        ({"exclude": ("BTC*",)}, "filter: excluded by BTC*"),
        ({"sides": (SHORT,)}, "filter: long is not followed"),
        ({"windows": (between(60, 120),)}, "filter: outside of windows"),
        ({"close_only": True}, "filter: close only"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_the_filter_leaves_out_is_held_with_its_reason_and_the_rest_is_followed(
    chosen: dict[str, object], reason: str
) -> None:
    stage = Stage(choosing(**chosen), copying("quarter", "0.25"))
    stage.main.buy("0.1", stop="58000")
    stage.main.bid("0.05", "59000")
    stage.main.sell("1", "ETHUSDT")
    stage.settle()
    everything = chosen.keys() & {"windows", "close_only"}
    assert stage.of("half").held() == ({} if everything else {"ETHUSDT": Decimal("-0.5")})
    assert stage.of("half").orders() == []
    assert stage.of("quarter").held() == {"BTCUSDT": Decimal("0.025"), "ETHUSDT": Decimal("-0.25")}
    assert reason in stage.held("half")
    assert stage.drift("half") == []
    assert stage.status()["in_sync"] is True
    stage.restart()
    stage.settle()
    assert reason in stage.held("half")
    assert not [row for row in stage.command("preview")["plan"] if row["account"] == "half"]
    assert {finding.severity for finding in stage.audit()} <= {Severity.INFO}
    assert stage.alerts("half", "filter") == [], "nothing happened that anybody must look at"


@pytest.mark.proves("A12")
def test_a_filter_that_comes_later_leaves_what_is_open_protected_and_reduced_with_main() -> None:
    """The profile is edited, the daemon restarted: no entry any more, everything else goes on."""
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.main.offer("0.05", "62000", reduceOnly=True)
    stage.main.bid("0.04", "59000")
    stage.settle()
    target, twin = ("Sell", Decimal("0.025"), Decimal(62000)), ("Buy", Decimal("0.02"), Decimal(59000))
    assert sorted(stage.of("half").book()) == [twin, target]
    stage.world.kill()
    stage.world.policy = replace(stage.policy, mirrors=(choosing(close_only=True),))
    stage.start()
    stage.settle()
    half = stage.of("half")
    assert half.book() == [target], "the twin is gone, the target stands"
    stage.main.buy("0.1")
    stage.settle()
    stage.main.protect(stop="58500")
    stage.settle()
    assert half.position() == Decimal("0.05")
    assert half.stop() == Decimal(58500)
    stage.main.sell("0.16", reduceOnly=True)
    stage.settle()
    assert half.position() == Decimal("0.02"), "half of the 0.04 that main has left"
    assert "filter: close only" in stage.held("half")
    stage.main.close()
    stage.settle()
    assert half.held() == {}


@pytest.mark.proves("A12")
def test_when_a_window_closes_twins_go_and_when_it_opens_what_main_holds_is_followed() -> None:
    """Open for ten minutes from the start, shut for ten, open again: the edges are acted on, not just seen."""
    stage = Stage(choosing(windows=(between(0, 10), between(20, 30))), tick_s=Decimal(3600), relist_s=Decimal(3600))
    half = stage.of("half")
    stage.main.buy("0.1", stop="58000")
    stage.main.bid("0.06", "59000")
    stage.settle()
    assert (half.position(), half.book()) == (Decimal("0.05"), [("Buy", Decimal("0.03"), Decimal(59000))])
    stage.run(10 * MINUTE_MS + 500)
    assert (half.position(), half.book(), half.stop()) == (Decimal("0.05"), [], Decimal(58000))
    assert "filter: outside of windows" in stage.held("half")
    stage.main.buy("0.02")
    stage.run(9 * MINUTE_MS)
    assert half.position() == Decimal("0.05")
    stage.price("60400")  # more than 50 bps from main's fill, which is too old to count: the mid does
    stage.run(MINUTE_MS)
    stage.settle()
    assert (half.position(), half.book()) == (Decimal("0.06"), [("Buy", Decimal("0.03"), Decimal(59000))])
    assert stage.held("half") == []


@pytest.mark.proves("A12")
def test_outside_of_windows_main_closes_and_the_mirror_with_it() -> None:
    stage = Stage(choosing(windows=(between(0, 2),)))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.run(3 * MINUTE_MS)
    stage.main.close()
    stage.settle()
    assert stage.of("half").held() == {}
    stage.main.buy("0.1")
    stage.settle()
    assert stage.of("half").held() == {}
    assert stage.held("half") == ["filter: outside of windows"]


def test_the_preview_of_a_trade_says_that_the_filter_leaves_it_out() -> None:
    stage = Stage(choosing(symbols=("ETHUSDT",)), copying("quarter", "0.25"))
    rows = stage.command("trade.open", symbol="BTCUSDT", side="long", notional="6000", dry_run=True)["preview"]
    held = {row["account"]: row["held"] for row in rows}
    assert held == {"main": None, "half": "filter: BTCUSDT is not in filter.symbols", "quarter": None}
