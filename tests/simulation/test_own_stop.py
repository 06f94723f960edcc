"""A mirror's stop of its own, never farther from its average entry than `max_stop_bps`: 100 bps of 60000 are 600."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from mirrorctl.core.domain.actions import PlaceOrder
from mirrorctl.core.domain.policy import MirrorPolicy
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.simulation.stage import Stage, copying
from tests.simulation.hand import Hand


def bounded(bps: str = "100") -> MirrorPolicy:
    return replace(copying("half", "0.5"), max_stop_bps=Decimal(bps))


def entered(side: PositionSide = PositionSide.LONG, *, stop: str = "57000", bps: str = "100") -> Hand:
    """Main entered with its stop; beside it a mirror without a bound. Entries cost a tick: 60000.1, or 59999.9."""
    hand = Hand(Stage(bounded(bps), copying("quarter", "0.25")), side)
    hand.enter("0.1", stop=stop)
    hand.stage.settle()
    return hand


def bound_of(hand: Hand, bps: str = "100") -> Decimal:
    """The stop that the mirror's average entry allows, on the tick, on the safe side; told for a long."""
    leg = hand.stage.world.exchange.state.position(hand.stage.world.uids["half"], "BTCUSDT", 0)
    entry = Decimal(hand.at(leg.entry_value / leg.size))
    return (entry * 10 - (leg.entry_value / leg.size) * Decimal(bps) / 1000).to_integral_value("ROUND_CEILING") / 10


@pytest.mark.proves("A22")
@pytest.mark.parametrize("side", PositionSide)
@pytest.mark.parametrize("restarted", [False, True])
def test_the_mirrors_stop_is_never_farther_than_the_bound_and_never_loosened(
    side: PositionSide, restarted: bool
) -> None:
    hand = entered(side)
    own = hand.stop("half")
    assert own is not None
    assert Decimal("59400") <= own <= Decimal("59400.3")
    assert own >= bound_of(hand)
    assert hand.stop("quarter") == Decimal(57_000)
    first = next(order for order in hand.stage.placed("half") if isinstance(order, PlaceOrder))
    assert first.stop_loss is not None, "the entry brings it: the position is never farther from a stop"
    assert Decimal("59399.7") <= Decimal(hand.at(first.stop_loss)) <= Decimal("59400.3")
    for moved, stands in (("58000", own), ("59500", Decimal(59_500)), ("59000", own)):
        hand.protect(moved)
        hand.silent()
        if restarted:
            hand.stage.restart()
            hand.silent()
        assert [hand.stop(name) for name in ("half", "quarter")] == [stands, Decimal(moved)]
    assert hand.stage.audit() == []


@pytest.mark.parametrize("side", PositionSide)
def test_without_a_stop_on_main_the_mirror_has_its_own_and_keeps_it(side: PositionSide) -> None:
    hand = entered(side, stop="")
    own = hand.stop("half")
    assert own is not None
    assert own >= bound_of(hand)
    assert hand.stop("quarter") is None
    hand.stage.of("half").protect(stop="0")
    hand.stage.settle()
    assert hand.stop("half") == own
    hand.market("59390")
    hand.stage.settle()
    assert (hand.size("half"), hand.size("quarter")) == (Decimal(0), Decimal("0.025"))
    assert "own exit: stop" in hand.stage.held("half")


def test_an_average_entry_that_gets_better_leaves_the_stop_and_one_that_gets_worse_brings_it_along() -> None:
    """0.05 at 60000 and 0.05 at 59600 average 59800, whose bound of 59202 is worse than 59400; 61000 lifts it."""
    hand = entered()
    own = hand.stop("half")
    order = hand.enter("0.1", "59600", stop="57000")
    hand.stage.settle()
    assert Decimal(hand.entry("half", "59600")["stopLoss"]) == own, "the twin carries what stands"
    hand.market("59600")
    hand.silent()
    assert hand.stage.engine.main.view.order(order) is not None
    assert (hand.size("half"), hand.stop("half")) == (Decimal("0.1"), own)
    hand.market("61000")
    hand.enter("0.4")
    hand.silent()
    assert hand.size("half") == Decimal("0.3")
    assert hand.stop("half") == bound_of(hand)
    assert Decimal(59_900) < bound_of(hand) < Decimal(60_000), "0.1 at 59800 and 0.2 at 61000, less 1%"


@pytest.mark.proves("A84")
def test_a_twin_carries_the_bound_of_its_own_price_where_no_position_stands() -> None:
    stage = Stage(bounded())
    stage.main.bid("0.1", "59000", stop="57000")
    stage.main.bid("0.1", "58000")
    stage.settle()
    stops = [Decimal(row["stopLoss"]) for row in stage.of("half").orders()]
    assert sorted(stops) == [Decimal(57_420), Decimal(58_410)]
    stage.price("58990")
    stage.settle()
    assert stage.of("half").stop() == Decimal(58_410)


@pytest.mark.proves("A24")
def test_a_first_bound_that_price_has_passed_closes_at_market() -> None:
    """The profile got its bound while the position stood 2% under its entry, with no stop at all."""
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1")
    stage.settle()
    stage.price("58800")
    stage.world.kill()
    stage.world.policy = replace(stage.policy, mirrors=(bounded(),))
    stage.start()
    stage.run(5_000)
    stage.settle()
    assert stage.of("half").held() == {}
    assert [alert.severity.value for alert in stage.alerts("half", "stop-passed")] == ["critical"]


def test_two_legs_whose_bounds_price_has_passed_are_told_of_both() -> None:
    stage = Stage(copying("half", "0.5"), hedged=("main", "half"))
    stage.main.buy("0.1", idx=1)
    stage.settle()
    stage.price("57500")
    stage.main.sell("0.1", idx=2)
    stage.settle()
    stage.price("58800")
    stage.world.kill()
    stage.world.policy = replace(stage.policy, mirrors=(bounded(),))
    stage.start()
    stage.run(5_000)
    stage.settle()
    assert stage.of("half").held() == {}
    assert [alert.severity.value for alert in stage.alerts("half", "stop-passed")] == ["critical"] * 2


def test_a_bound_that_price_has_passed_leaves_a_stop_that_stands() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="57000")
    stage.settle()
    stage.price("58800")
    stage.world.kill()
    stage.world.policy = replace(stage.policy, mirrors=(bounded(),))
    stage.start()
    stage.run(10_000)
    assert (stage.of("half").position(), stage.of("half").stop()) == (Decimal("0.05"), Decimal(57_000))
    assert stage.alerts("half", "stop of its own 59400")
    stage.price("59500")
    stage.run(10_000)
    assert stage.of("half").stop() == Decimal("59400.1")
