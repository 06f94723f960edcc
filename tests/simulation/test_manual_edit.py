"""A size changed by hand on a mirror position that is ours: brought back, or the mirror's new target."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.policy import Follow, ManualEdit
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying
from tests.simulation.hand import Hand

RESPECT = Follow(manual_edit=ManualEdit.RESPECT)


def held(follow: Follow = RESPECT, *, seed: int = 1, qty: str = "0.1") -> Stage:
    """Main holds `qty`, the mirror half of it, both with a stop; at rest."""
    stage = Stage(copying("half", "0.5", follow=follow), seed=seed)
    stage.main.buy(qty, stop="57000")
    stage.settle()
    return stage


def formula(stage: Stage) -> str:
    [copy] = stage.world.store.copies()
    return copy.formula


@pytest.mark.proves("A78")
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("change", "qty"), [("sell", "0.02"), ("sell", "0.05"), ("buy", "0.02")])
def test_restore_brings_the_size_back_and_the_targets_with_it(change: str, qty: str, seed: int) -> None:
    stage = held(Follow(), seed=seed)
    hand = Hand(stage)
    hand.reduce("0.1", "61000")
    stage.settle()
    more = {"reduceOnly": True} if change == "sell" else {}
    getattr(stage.of("half"), change)(qty, **more)
    stage.run(25_000)
    hand.silent()
    assert hand.shown("half") == "0.05 | 61000:0.05 | - | 57000 | monitoring"
    corrected = [order.role for order in stage.placed("half") if order.role is not Role.TARGET]
    assert corrected == [Role.CORRECTION, Role.REDUCTION if change == "buy" else Role.CORRECTION]
    assert stage.alerts("half", "hand-edit") == []


@pytest.mark.parametrize("then", ["runs on", "is restarted", "is killed before it hears of it", "loses its stream"])
@pytest.mark.parametrize(
    ("change", "qty", "left", "r"), [("sell", "0.02", "0.03", "0.3"), ("buy", "0.03", "0.08", "0.8")]
)
def test_respect_makes_the_changed_size_the_target(change: str, qty: str, left: str, r: str, then: str) -> None:
    """r' = (0.05 ± qty) ÷ 0.1: main's halving takes half of what is left, its add r' times what it adds."""
    stage = held()
    hand, half = Hand(stage), stage.of("half")
    more = {"reduceOnly": True} if change == "sell" else {}
    match then:
        case "is killed before it hears of it":
            stage.world.kill()
            getattr(half, change)(qty, **more)
            stage.run(5_000)
            stage.start()
        case "loses its stream":
            stage.world.stream_down("half")
            stage.run(100)
            getattr(half, change)(qty, **more)
            stage.run(3_000)
            stage.world.stream_up("half")
        case _:
            getattr(half, change)(qty, **more)
            stage.run(1_000)
            if then == "is restarted":
                stage.restart()
    stage.run(25_000)
    hand.silent()
    assert half.position() == Decimal(left)
    assert formula(stage) == f"by hand: 0.05 → {left}, r = {r}"
    assert [alert.text for alert in stage.alerts("half", "hand-edit")] == [formula(stage)]
    assert [row for row in stage.placed("half") if row.role is Role.REDUCTION] == []
    assert stage.audit() == []
    stage.restart()
    stage.main.sell("0.05", reduceOnly=True)
    hand.silent()
    assert half.position() == Decimal(left) / 2
    stage.main.buy("0.15")
    hand.silent()
    assert half.position() == Decimal(left) * 2
    assert half.stop() == Decimal(57_000)
    stage.main.close()
    stage.settle()
    assert half.held() == {}


@pytest.mark.parametrize("restarted", [False, True])
def test_respect_leaves_a_position_that_the_hand_closed_closed_until_main_was_flat(restarted: bool) -> None:
    stage = held()
    half = stage.of("half")
    order = stage.main.bid("0.1", "59000", stop="57000")
    stage.settle()
    half.close()
    stage.settle()
    if restarted:
        stage.restart()
        stage.run(25_000)
        stage.settle()
    assert (half.held(), half.orders()) == ({}, []), "its twin is gone too"
    assert set(stage.held("half")) == {"own exit: closed by hand"}
    assert [alert.text for alert in stage.alerts("half", "hand-edit")] == ["out of this cycle: closed by hand"]
    stage.main.buy("0.1")
    stage.settle()
    assert half.held() == {}
    stage.main.cancel(order)
    stage.main.close()
    stage.settle()
    stage.main.buy("0.1", stop="57000")
    stage.settle()
    assert half.position() == Decimal("0.05"), "the next cycle has the profile's ratio again"


def test_respect_counts_every_part_of_an_edit_once_whatever_order_the_messages_come_in() -> None:
    """Sold in three parts and bought back in one: 0.05 − 0.03 + 0.02 = 0.04."""
    for seed in range(8):
        stage = held(seed=seed)
        half = stage.of("half")
        for qty in ("0.01", "0.015", "0.005"):
            half.sell(qty, reduceOnly=True)
        half.buy("0.02")
        stage.settle()
        stage.run(5_000)
        assert half.position() == Decimal("0.04")
        assert stage.placed("half")[1:] == [], "nothing of ours was sent"
        [copy] = stage.world.store.copies()
        assert copy.want(Decimal("0.1"), stage.engine.instruments["BTCUSDT"]) == Decimal("0.04")


def test_respect_does_not_undo_a_purchase_whose_messages_are_lost() -> None:
    stage = held()
    half = stage.of("half")
    for topic in ("execution", "order"):
        stage.world.fault(FaultKind.PUSH_DROP, "half", topic, count=None)
    half.buy("0.02")
    stage.run(10_000)
    assert half.position() == Decimal("0.07")
    assert formula(stage) == "by hand: 0.05 → 0.07, r = 0.7"


@pytest.mark.proves("A76")
@pytest.mark.parametrize("restarted", [False, True])
def test_respect_after_an_own_exit_scales_what_was_left_and_buys_nothing_back(restarted: bool) -> None:
    """Its target sold 0.05 of 0.1 first; the hand sells a fifth of the rest: 0.04 = r' 0.4 × main's 0.1 later."""
    stage = Stage(copying("half", "0.5", follow=RESPECT))
    hand = Hand(stage)
    hand.enter("0.2", stop="57000")
    hand.reduce("0.1", "61000")
    stage.settle()
    hand.market("60900")
    stage.of("half").fill(hand.rung("half", "61000"), "0.05")
    hand.silent()
    stage.of("half").sell("0.01", reduceOnly=True)
    if restarted:
        stage.run(500)
        stage.restart()
    hand.silent()
    assert hand.size("half") == Decimal("0.04")
    hand.market("61000")
    stage.run(6_000)
    hand.silent()
    assert (hand.size("main"), hand.size("half")) == (Decimal("0.1"), Decimal("0.04"))
    hand.enter("0.05")
    hand.silent()
    assert hand.size("half") == Decimal("0.06"), "0.04 + 0.4 × 0.05"


def test_respect_takes_no_foreign_position_for_an_edit() -> None:
    """What the mirror's trader opened on his own stays parked, and its close says nothing about main's trade."""
    stage = Stage(copying("half", "0.5", follow=RESPECT))
    stage.of("half").buy("0.02")
    stage.settle()
    stage.main.buy("0.1", stop="57000")
    stage.run(5_000)
    assert stage.parked("half") == ["foreign position"]
    stage.of("half").close()
    stage.settle()
    stage.run(2_000)
    assert stage.of("half").position() == Decimal("0.05")
