"""The trader's own hand on main beside the daemon: his word holds, and nothing of his is taken for the daemon's."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.actions import SetTradingStop
from mirrorctl.core.domain.policy import Manage
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying
from tests.simulation.hand import Hand

GRACE_MS = 5_000
HALVES = [{"price": "61000", "percent": "50"}, {"price": "63000", "percent": "50"}]


def opened(seed: int = 1, **trade: Any) -> Hand:
    """A trade of 0.1 with a ladder of two halves and a stop at 57000, as `trade open` makes it."""
    stage = Stage(copying("half", "0.5"), seed=seed)
    asked = {"symbol": "BTCUSDT", "side": "long", "wait_s": "0", "qty": "0.1", "stop": "57000", "targets": HALVES}
    stage.command("trade.open", **{**asked, **trade})
    stage.settle()
    return Hand(stage)


# --- the stop -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("before", ["by command", "breakeven"])
def test_a_stop_moved_back_by_hand_to_what_an_entry_carried_is_the_traders_word(before: str, seed: int) -> None:
    """The entry that carried it filled long ago: no fill brings it now."""
    hand = opened(seed)
    if before == "by command":
        hand.stage.command("trade.stop", symbol="BTCUSDT", price="58000")
    else:
        hand.market("61100")
    hand.stage.run(GRACE_MS + 1_000)
    hand.silent()
    assert hand.stop("main") != Decimal(57_000)
    hand.protect("57000")
    hand.silent()
    assert [hand.stop(name) for name in ("main", "half")] == [57_000, 57_000]


@pytest.mark.proves("A35", "A84")
@pytest.mark.parametrize("seed", range(6))
def test_a_worse_stop_that_a_fill_brings_is_no_word_of_the_traders(seed: int) -> None:
    """Its entry had filled in part, so its attached stop could not be moved: every fill brings it back."""
    hand = opened(seed, entries=["59500"])
    hand.market("59510")
    entry = hand.entry("main", "59500")["orderId"]
    hand.stage.main.fill(entry, "0.04")
    hand.stage.settle()
    hand.stage.command("trade.stop", symbol="BTCUSDT", price="58000")
    for qty in ("0.02", "0.03"):
        hand.stage.main.fill(entry, qty)
        hand.stage.run(GRACE_MS + 1_000)
        hand.stage.settle()
        assert [hand.stop(name) for name in ("main", "half")] == [58_000, 58_000]
    assert hand.stage.alerts("main", "by hand") == []


@pytest.mark.proves("A27")
def test_a_stop_that_vanishes_while_breakeven_is_passed_is_restored_where_it_stood() -> None:
    hand = opened()
    hand.stage.main.fill(hand.rung("main", "61000"), "0.05")  # the price itself is at 60000, below breakeven
    hand.stage.run(GRACE_MS + 1_000)
    hand.silent()
    assert [hand.stop(name) for name in ("main", "half")] == [57_000, 57_000]
    hand.protect("0")
    hand.stage.run(5_000)
    hand.silent()
    assert [hand.stop(name) for name in ("main", "half")] == [57_000, 57_000]
    assert [hand.size(name) for name in ("main", "half")] == [Decimal("0.05"), Decimal("0.025")]
    hand.market("60500")
    hand.stage.run(3_000)
    hand.silent()
    assert [hand.stop(name) for name in ("main", "half")] == [Decimal(hand.breakeven())] * 2


def test_a_breakeven_that_is_passed_is_not_sent_again_and_again() -> None:
    hand = opened()
    hand.stage.main.fill(hand.rung("main", "61000"), "0.05")
    hand.stage.run(GRACE_MS + 1_000)
    sent = len(hand.stage.sent(kind=SetTradingStop))
    hand.stage.run(120_000)
    assert len(hand.stage.sent(kind=SetTradingStop)) == sent


# --- entries and targets ------------------------------------------------------------------------------------------


@pytest.mark.proves("A79")
def test_a_position_opened_by_hand_after_the_trades_entries_were_cancelled_is_not_the_trades() -> None:
    hand = opened(entries=["59000"])
    hand.stage.command("trade.cancel", symbol="BTCUSDT")
    hand.stage.settle()
    writes = len(hand.stage.sent("main"))
    hand.enter("0.2")
    hand.silent()
    assert hand.shown("main") == "0.2 | - | - | no stop | monitoring"
    assert hand.shown("half") == "0.1 | - | - | no stop | monitoring"
    assert len(hand.stage.sent("main")) == writes
    assert hand.stage.engine.trades.all() == []


@pytest.mark.parametrize("restarted", [False, True])
def test_an_entry_that_the_trader_adds_after_the_first_target_stays(restarted: bool) -> None:
    stage = Stage(copying("half", "0.5"), manage=Manage.ALL)
    hand = Hand(stage)
    hand.enter("0.1", stop="57000")
    hand.enter("0.1", "59000")
    hand.reduce("0.05", "61000")
    hand.reduce("0.05", "63000")
    stage.settle()
    hand.market("61100")
    stage.run(GRACE_MS + 1_000)
    hand.silent()
    assert hand.entries("main") == [], "what rested when the target filled is cancelled"
    if restarted:
        stage.restart()
        hand.silent()
    hand.enter("0.1", "60700")
    hand.silent()
    assert [hand.entries(name) for name in ("main", "half")] == [
        [(Decimal(60_700), Decimal("0.1"))],
        [(Decimal(60_700), Decimal("0.05"))],
    ]
    hand.market("60650")
    hand.silent()
    assert hand.shown("main").startswith("0.15 | 63000:0.15 | - |")


@pytest.mark.proves("A36")
def test_a_target_beyond_the_whole_position_is_told_of_once_at_most() -> None:
    """It could never fill and is no rung: it is not read off again at every look."""
    stage = Stage(copying("half", "0.5"), manage=Manage.ALL)
    hand = Hand(stage)
    hand.enter("0.1", stop="57000")
    hand.reduce("0.1", "61000")
    stage.settle()
    hand.reduce("0.1", "62000")
    hand.silent()
    assert [hand.targets(name) for name in ("main", "half")] == [
        [(Decimal(61_000), Decimal("0.1")), (Decimal(62_000), Decimal("0.1"))],
        [(Decimal(61_000), Decimal("0.05"))],
    ]
    assert len(stage.alerts("main", "anew")) <= 1


@pytest.mark.proves("A33")
@pytest.mark.parametrize("seed", range(4))
def test_a_ladder_placed_after_the_position_was_taken_over_has_its_consequences_too(seed: int) -> None:
    """`manage = "all"` takes the position over when it opens; its exits come later, as they do by hand."""
    stage = Stage(copying("half", "0.5"), manage=Manage.ALL, seed=seed)
    hand = Hand(stage)
    hand.enter("0.1", stop="57000")
    stage.settle()
    hand.enter("0.1", "59000")
    hand.reduce("0.05", "61000")
    stage.settle()
    hand.reduce("0.05", "63000")
    hand.silent()
    hand.market("61100")
    stage.run(GRACE_MS + 1_000)
    hand.silent()
    even = hand.breakeven()
    assert hand.shown("main") == f"0.05 | 63000:0.05 | - | {even} | profit-taking"
    assert hand.shown("half") == f"0.025 | 63000:0.025 | - | {even} | profit-taking"
    assert stage.alerts("", "refused") == [], "what the fill left was not resized before it was known whose it was"


# --- mirrors ------------------------------------------------------------------------------------------------------


@pytest.mark.proves("A24")
def test_a_stop_that_came_too_late_on_a_mirror_is_told_of_once() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1")
    stage.settle()
    stage.world.fault(FaultKind.RET_CODE, "half", "/v5/position/trading-stop", count=None, code=10001, message="no")
    stage.main.protect(stop="59900")
    stage.run(1_000)
    stage.world.cut.add("main")  # what main's own stop does is not heard of
    stage.world.latency_ms["half"] = 300
    stage.price("59800")
    stage.run(10_000)
    assert stage.of("half").position() == 0
    assert len(stage.alerts("half", "stop-passed")) == 1
