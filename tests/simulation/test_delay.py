"""Entries that are followed later (follow.delay_s), and everything else that is not: exits, stops, closes."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.policy import Direction, Follow, MappedSymbol
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying

DELAY_S = 30


def later(**more: Any) -> Stage:
    """Half of main, half a minute later."""
    return Stage(copying("half", "0.5", follow=Follow(delay_s=Decimal(DELAY_S))), **more)


@pytest.mark.proves("A12", "A82")
def test_an_entry_is_followed_when_main_has_held_it_for_the_delay() -> None:
    stage = later(tick_s=Decimal(3600), relist_s=Decimal(3600))
    half = stage.of("half")
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.run(DELAY_S * 1000 - 1_000)
    assert half.held() == {}
    [reason] = stage.held("half")
    assert reason.startswith("delay: 30 s, until ")
    assert stage.drift("half") == []
    assert stage.status()["in_sync"] is True
    stage.run(1_500)
    assert half.position() == Decimal("0.05")
    assert half.stop() == Decimal(58000)
    assert stage.held("half") == []
    assert stage.alerts("half", "held") == []


@pytest.mark.proves("A12")
def test_the_smallest_size_of_the_delay_is_followed_and_reductions_at_once() -> None:
    """main 0.1 | +0.1 after 20 s | -0.06 after 25 s | +0.02 after 40 s; half of the smallest of the last 30 s."""
    stage = later()
    half = stage.of("half")
    stage.main.buy("0.1")
    stage.run(20_000)
    stage.main.buy("0.1")
    stage.run(5_000)
    stage.main.sell("0.06", reduceOnly=True)
    stage.run(6_000)
    assert half.position() == Decimal("0.05"), "31 s: 0.1 was held all the time"
    stage.run(9_000)
    stage.main.buy("0.02")
    stage.run(11_000)
    assert half.position() == Decimal("0.07"), "51 s: 0.14 is left of the second entry"
    stage.run(10_000)
    assert half.position() == Decimal("0.07")
    stage.main.sell("0.08", reduceOnly=True)
    stage.run(500)
    assert half.position() == Decimal("0.04"), "a reduction goes at once, by what main holds: 0.08"
    stage.run(30_000)
    assert half.position() == Decimal("0.04")
    stage.main.close()
    stage.run(500)
    assert half.held() == {}


@pytest.mark.proves("A12")
def test_what_main_takes_back_within_the_delay_never_reaches_the_mirror() -> None:
    stage = later()
    stage.main.buy("0.1")
    stage.run(20_000)
    stage.main.close()
    stage.run(5_000)
    stage.main.buy("0.1")
    stage.run(25_000)
    assert stage.sent("half") == [], "main's second position is 25 s old"
    stage.run(6_000)
    assert stage.of("half").position() == Decimal("0.05")


@pytest.mark.proves("A2", "A12")
def test_a_resting_entry_is_twinned_when_it_has_rested_for_the_delay_and_fills_with_main() -> None:
    """The twin fills with main's order: the size that main just got is no excess, although it is young."""
    stage = later(tick_s=Decimal(3600), relist_s=Decimal(3600))
    half = stage.of("half")
    stage.main.bid("0.1", "59500", stop="58000")
    stage.settle()
    assert half.orders() == []
    assert stage.held("half")[0].startswith("delay: 30 s, until ")
    stage.run(DELAY_S * 1000 + 500)
    assert half.book() == [("Buy", Decimal("0.05"), Decimal(59500))]
    stage.price("59500")
    stage.run(1_000)
    assert half.position() == Decimal("0.05")
    assert half.stop() == Decimal(58000)
    stage.run(60_000)
    assert half.volume() == (Decimal("0.05"), Decimal(0))


@pytest.mark.proves("A20")
def test_a_twin_that_lags_stands_until_what_it_lacks_may_be_ordered() -> None:
    stage = later()
    order = stage.main.bid("0.1", "59950")
    stage.run(DELAY_S * 1000 + 1_000)
    [twin] = stage.of("half").orders()
    stage.main.fill(order, "0.1")
    stage.run(DELAY_S * 1000 - 1_000)
    assert [row["orderId"] for row in stage.of("half").orders()] == [twin["orderId"]]
    assert stage.drift("half") == []
    stage.run(2_000)
    stage.settle()
    assert stage.of("half").orders() == []
    assert stage.of("half").volume() == (Decimal("0.05"), Decimal(0))


@pytest.mark.proves("A12")
def test_stops_and_targets_are_never_delayed() -> None:
    stage = later()
    half = stage.of("half")
    stage.main.buy("0.1", stop="58000")
    stage.run(31_000)
    stage.main.buy("0.1")
    stage.main.offer("0.1", "62000", reduceOnly=True)
    stage.run(100)
    stage.main.protect(stop="58500")
    stage.run(3_000)
    assert half.position() == Decimal("0.05")
    assert half.stop() == Decimal(58500)
    assert half.book() == [("Sell", Decimal("0.025"), Decimal(62000))], "half of what it holds, as on main"


@pytest.mark.proves("A43")
@pytest.mark.parametrize("down_ms", [500, 20_000])
def test_a_restart_goes_on_counting_where_executions_say_since_when(down_ms: int) -> None:
    stage = later()
    stage.main.buy("0.1")
    stage.run(20_000)
    stage.main.buy("0.1")
    stage.run(2_000)
    stage.world.kill()
    stage.run(down_ms)
    stage.start()
    stage.run(31_000 - 22_000 - down_ms if down_ms < 9_000 else 2_000)
    assert stage.of("half").position() == Decimal("0.05"), "only the first entry is 30 s old"
    stage.run(21_000)
    assert stage.of("half").position() == Decimal("0.1")


@pytest.mark.proves("A13")
def test_a_reverse_mirror_and_a_mapped_one_wait_as_long() -> None:
    """Main's 2 ETH: half of it reversed, and 2 x 0.05 x 0.5 BTC; then 1 more that is young, and 1.2 sold at once."""
    follow = Follow(delay_s=Decimal(DELAY_S))
    reverse = copying("reverse", "0.5", follow=replace(follow, direction=Direction.REVERSE))
    mapped = replace(copying("mapped", "0.5", follow=follow), map={"ETHUSDT": MappedSymbol("BTCUSDT", Decimal("0.05"))})
    stage = Stage(reverse, mapped)
    stage.main.buy("2", "ETHUSDT", target="3300")
    stage.run(29_000)
    assert (stage.of("reverse").held(), stage.of("mapped").held()) == ({}, {})
    stage.run(2_000)
    stage.main.buy("1", "ETHUSDT")
    stage.run(20_000)
    assert stage.of("reverse").held() == {"ETHUSDT": Decimal(-1)}
    assert stage.of("mapped").held() == {"BTCUSDT": Decimal("0.05")}
    stage.main.sell("1.2", "ETHUSDT", reduceOnly=True)
    stage.run(1_000)
    assert stage.of("reverse").held() == {"ETHUSDT": Decimal("-0.9")}
    assert stage.of("mapped").held() == {"BTCUSDT": Decimal("0.045")}
    stage.run(60_000)
    assert stage.of("mapped").held() == {"BTCUSDT": Decimal("0.045")}


def test_after_a_restart_without_executions_main_s_size_counts_as_new() -> None:
    stage = later()
    stage.main.buy("0.1")
    stage.run(20_000)
    stage.world.kill()
    stage.world.fault(FaultKind.EMPTY, "main", "/v5/execution/list", count=None)
    stage.start()
    stage.run(25_000)
    assert stage.of("half").held() == {}
    stage.run(10_000)
    assert stage.of("half").position() == Decimal("0.05")
