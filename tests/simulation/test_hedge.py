"""Position modes: one leg is followed as it is, both legs are refused on a one-way mirror, every order has its leg."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.core.domain.actions import PlaceOrder, SetTradingStop
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying

LONG, SHORT = 1, 2


def hedged(*names: str) -> Stage:
    return Stage(copying("half", "0.5"), hedged=names)


@pytest.mark.proves("A14")
@pytest.mark.parametrize("side", ["buy", "sell"])
def test_one_leg_of_a_hedged_main_is_followed_as_it_is(side: str) -> None:
    stage = hedged("main")
    leg, sign = (LONG, 1) if side == "buy" else (SHORT, -1)
    place, reduce = (stage.main.buy, stage.main.sell) if side == "buy" else (stage.main.sell, stage.main.buy)
    place("0.1", idx=leg, stop="58000" if side == "buy" else "62000")
    stage.settle()
    assert stage.of("half").position() == sign * Decimal("0.05")
    assert stage.of("half").stop() == Decimal(58000 if side == "buy" else 62000)
    reduce("0.04", idx=leg, reduceOnly=True)
    stage.settle()
    assert stage.of("half").position() == sign * Decimal("0.03")
    reduce("0.06", idx=leg, reduceOnly=True)
    stage.settle()
    assert stage.of("half").held() == {}


@pytest.mark.proves("A14")
@pytest.mark.parametrize("restarted", [False, True])
def test_both_legs_on_main_freeze_a_one_way_mirror_and_keep_its_stop(restarted: bool) -> None:
    stage = hedged("main")
    stage.main.buy("0.1", idx=LONG, stop="58000")
    stage.main.bid("0.05", "59000", idx=LONG)
    stage.main.buy("1", "ETHUSDT", idx=LONG)
    stage.settle()
    stage.main.sell("0.06", idx=SHORT)
    stage.run(2_000)
    if restarted:
        stage.restart()
        stage.run(2_000)
    stage.main.buy("0.1", idx=LONG)
    stage.main.sell("0.15", idx=LONG, reduceOnly=True)
    stage.main.sell("0.5", "ETHUSDT", idx=LONG, reduceOnly=True)
    stage.run(30_000)
    half = stage.of("half")
    assert half.position() == Decimal("0.05"), "nothing grows, shrinks or closes"
    assert half.stop() == Decimal(58000)
    assert half.orders() == [], "no entry of ours may fill meanwhile"
    assert half.position("ETHUSDT") == Decimal("0.25"), "other symbols go on"
    assert stage.parked("half") == ["hedge"]
    assert len(stage.alerts("half", "parked: hedge")) == 1
    stage.main.buy("0.06", idx=SHORT, reduceOnly=True)
    stage.settle()
    assert half.position() == Decimal("0.025"), "one leg is left, and followed again"
    assert stage.parked("half") == []


@pytest.mark.proves("A14")
def test_both_legs_from_the_start_open_nothing() -> None:
    stage = hedged("main")
    stage.main.buy("0.1", idx=LONG)
    stage.main.sell("0.1", idx=SHORT)
    stage.run(30_000)
    opened = stage.of("half").position()
    assert opened in (0, Decimal("0.05")), "at most what the first leg alone asked for"
    assert stage.parked("half") == ["hedge"]
    stage.main.sell("0.1", idx=LONG, reduceOnly=True)
    stage.settle()
    assert stage.of("half").position() == Decimal("-0.05")


@pytest.mark.proves("A14")
def test_both_legs_closed_at_once_close_the_frozen_mirror() -> None:
    stage = hedged("main")
    stage.main.buy("0.1", idx=LONG)
    stage.settle()
    stage.main.sell("0.1", idx=SHORT)
    stage.run(2_000)
    stage.main.sell("0.1", idx=LONG, reduceOnly=True)
    stage.main.buy("0.1", idx=SHORT, reduceOnly=True)
    stage.settle()
    assert stage.of("half").held() == {}


@pytest.mark.proves("A15")
@pytest.mark.parametrize("modes", [("main", "half"), ("half",)], ids=["both hedged", "only the mirror"])
def test_orders_to_a_hedged_mirror_carry_their_leg(modes: tuple[str, ...]) -> None:
    stage = hedged(*modes)
    long, short = (LONG, SHORT) if "main" in modes else (0, 0)
    stage.main.buy("0.1", idx=long, stop="58000")
    bid = stage.main.bid("0.04", "59500", idx=long)
    stage.settle()
    half = stage.of("half")
    assert half.position(idx=LONG) == Decimal("0.05")
    assert half.orders()[0]["positionIdx"] == LONG
    stage.main.protect(stop="58500", idx=long)
    stage.settle()
    assert half.stop(idx=LONG) == Decimal(58500)
    stage.main.cancel(bid)
    stage.main.sell("0.06", idx=long, reduceOnly=True)
    stage.settle()
    assert half.position(idx=LONG) == Decimal("0.02")
    stage.main.sell("0.04", idx=long, reduceOnly=True)
    stage.settle()
    stage.main.sell("0.1", idx=short)
    stage.settle()
    assert (half.position(idx=LONG), half.position(idx=SHORT)) == (Decimal(0), Decimal("-0.05"))
    for row in stage.sent("half", PlaceOrder):
        order = row.action
        assert isinstance(order, PlaceOrder)
        growing = LONG if order.side.sign > 0 else SHORT
        assert order.position_idx == (SHORT + LONG - growing if order.reduce_only else growing)
    assert {row.action.position_idx for row in stage.sent("half") if isinstance(row.action, SetTradingStop)} == {LONG}


@pytest.mark.proves("A15")
@pytest.mark.parametrize("known", [True, False], ids=["one leg after the other", "both before the daemon starts"])
def test_both_legs_are_copied_to_a_hedged_mirror(known: bool) -> None:
    stage = Stage(copying("half", "0.5"), hedged=("main", "half"), start=known)
    if known:
        stage.settle()
    stage.main.buy("0.1", idx=LONG, stop="58000")
    stage.main.sell("0.06", idx=SHORT, stop="62000")
    if not known:
        stage.start()
        stage.run(2_000)
        stage.command("sync")
    stage.settle()
    half = stage.of("half")
    assert (half.position(idx=LONG), half.position(idx=SHORT)) == (Decimal("0.05"), Decimal("-0.03"))
    assert (half.stop(idx=LONG), half.stop(idx=SHORT)) == (Decimal(58000), Decimal(62000))
    stage.main.sell("0.1", idx=LONG, reduceOnly=True)
    stage.settle()
    assert (half.position(idx=LONG), half.position(idx=SHORT)) == (Decimal(0), Decimal("-0.03"))


@pytest.mark.proves("A45", "A55")
@pytest.mark.parametrize("account", ["main", "half"])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_page_that_shows_one_leg_of_two_closes_nothing(account: str, restarted: bool) -> None:
    stage = Stage(copying("half", "0.5"), hedged=("main", "half"))
    stage.main.buy("0.1", idx=LONG)
    stage.main.sell("0.06", idx=SHORT)
    stage.settle()
    sent = len(stage.sent())
    stage.world.fault(FaultKind.TRUNCATE, account, "/v5/position/list", count=3, keep=1)
    if restarted:
        stage.restart()
    else:
        stage.engine.relist_all()
    stage.run(30_000)
    assert len(stage.sent()) == sent
    assert (stage.of("half").position(idx=LONG), stage.of("half").position(idx=SHORT)) == (
        Decimal("0.05"),
        Decimal("-0.03"),
    )


@pytest.mark.proves("A14", "A21")
def test_a_frozen_mirror_has_the_stop_of_the_leg_that_it_holds() -> None:
    """Nothing of it grows or closes, but its stop is placed, moved and restored as ever."""
    stage = hedged("main")
    half = stage.of("half")
    stage.main.buy("0.1", idx=LONG)
    stage.settle()
    stage.main.sell("0.1", idx=SHORT)
    stage.run(3_000)
    for stop in ("57000", "58000"):
        stage.main.protect(stop=stop, idx=LONG)
        stage.run(3_000)
        assert (half.position(), half.stop()) == (Decimal("0.05"), Decimal(stop))
    half.protect(stop="0")
    stage.run(3_000)
    assert (half.position(), half.stop()) == (Decimal("0.05"), Decimal(58_000))
    assert stage.parked("half") == ["hedge"]


def test_a_trade_on_one_leg_tells_how_the_mirrors_follow_that_leg() -> None:
    stage = hedged("main", "half")
    stage.main.buy("0.1", idx=LONG, stop="58000")
    stage.settle()
    trade = {"symbol": "BTCUSDT", "side": "short"}
    opened = stage.command("trade.open", **trade, qty="0.04", stop="62000", wait_s="5")
    assert [(row["have"], row["want"]) for row in opened["mirrors"]] == [("0.02", "0.02")]
    reduced = stage.command("trade.reduce", **trade, amount="50", percent=True, wait_s="5")
    assert [(row["have"], row["want"]) for row in reduced["mirrors"]] == [("0.01", "0.01")]
