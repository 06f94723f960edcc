"""How a mirror makes up for what a twin did not fill (follow.catch_up), and the bounds that no price may pass (A20).

All accounts trade on one book. A twin lags where the market fills main's order alone.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.actions import CancelOrder, PlaceOrder, SetTradingStop
from mirrorctl.core.domain.audit.findings import Code
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.policy import CatchUp, Follow, MappedSymbol
from mirrorctl.core.domain.values import OrderType, Severity, TimeInForce
from mirrorctl.core.simulation.stage import Stage, copying

GRACE_MS = 5_000
HOUR = Decimal(3600)


def catching_up(how: CatchUp, **follow: Any) -> Stage:
    """Half of main. Main's fill is the reference for as long as a test lasts."""
    chosen = Follow(catch_up=how, **{"max_age_s": HOUR, **follow})
    return Stage(copying("half", "0.5", follow=chosen))


def lagging(how: CatchUp, price: str, filled: str = "0.1", **follow: Any) -> tuple[Stage, str]:
    """Main's bid for 0.1 at 59500 has filled, the twin of 0.05 has not, and the price is elsewhere."""
    stage = catching_up(how, **follow)
    order = stage.main.bid("0.1", "59500", stop="58000")
    stage.settle()
    stage.main.fill(order, filled)
    stage.price(price)
    return stage, order


def corrections(stage: Stage) -> list[PlaceOrder]:
    return [order for order in stage.placed("half") if order.role is Role.CORRECTION]


def bids(*rows: tuple[str, str]) -> list[tuple[str, Decimal, Decimal]]:
    return [("Buy", Decimal(qty), Decimal(price)) for qty, price in rows]


# --- wait -------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("A20", "A82")
@pytest.mark.parametrize("restarted", [False, True])
def test_wait_leaves_a_lagging_twin_at_its_price_until_it_fills(restarted: bool) -> None:
    stage, _ = lagging(CatchUp.WAIT, "60500")
    half = stage.of("half")
    stage.run(GRACE_MS + 60_000)
    if restarted:
        stage.restart()
        stage.run(GRACE_MS + 1_000)
    assert half.book() == bids(("0.05", "59500"))
    assert stage.held("half") == ["catch_up = wait: 0.05 rests at 59500"]
    assert stage.drift("half") == []
    assert stage.status()["in_sync"] is True
    assert len(stage.alerts("half", "catch_up")) == 1
    assert (corrections(stage), stage.sent("half", CancelOrder)) == ([], [])
    stage.price("59500")
    stage.settle()
    assert half.volume() == (Decimal("0.05"), Decimal(0))
    assert half.stop() == Decimal(58000)
    assert stage.held("half") == []


@pytest.mark.proves("A64", "A82")
@pytest.mark.parametrize("how", [CatchUp.WAIT, CatchUp.LIMIT])
def test_the_audit_that_looks_for_the_first_time_names_what_waits_by_policy(how: CatchUp) -> None:
    stage, _ = lagging(how, "60500")
    stage.run(2 * GRACE_MS + 2_000)
    held = [finding.actual for finding in stage.audit() if finding.code is Code.HELD]
    assert len(held) == 1, stage.audit()
    assert "catch_up" in str(held)


@pytest.mark.proves("A20")
def test_wait_keeps_what_is_lacking_when_mains_order_ends_and_when_main_reduces() -> None:
    """Main filled 0.06 of 0.1: 0.03 are lacking; main then sells 0.02 and holds 0.04: 0.02 are."""
    stage, order = lagging(CatchUp.WAIT, "60500", filled="0.06")
    half = stage.of("half")
    stage.run(GRACE_MS + 1_000)
    assert half.book() == bids(("0.05", "59500")), "0.03 lag, and 0.02 are for what still rests on main"
    stage.main.cancel(order)
    stage.run(GRACE_MS + 1_000)
    assert half.book() == bids(("0.03", "59500"))
    stage.main.sell("0.02", reduceOnly=True)
    stage.run(GRACE_MS + 1_000)
    assert half.book() == bids(("0.02", "59500"))
    assert stage.held("half") == ["catch_up = wait: 0.02 rests at 59500"]
    stage.main.close()
    stage.settle()
    assert (half.book(), half.held()) == ([], {})
    assert corrections(stage) == []


@pytest.mark.proves("A84")
def test_the_stop_of_a_twin_that_waits_moves_with_mains() -> None:
    stage, _ = lagging(CatchUp.WAIT, "60500")
    stage.run(GRACE_MS)
    stage.main.protect(stop="58700")
    stage.settle()
    [twin] = stage.of("half").orders()
    assert Decimal(twin["stopLoss"]) == Decimal(58700)


@pytest.mark.proves("A12")
def test_a_pause_takes_a_twin_that_waits_off_the_book() -> None:
    stage, _ = lagging(CatchUp.WAIT, "60500")
    stage.run(GRACE_MS + 1_000)
    stage.command("pause", account="half")
    stage.settle()
    assert stage.of("half").orders() == []
    assert stage.held("half") == ["paused: by the trader"]


@pytest.mark.parametrize(("how", "price"), [(CatchUp.WAIT, "59800"), (CatchUp.LIMIT, "60099")])
def test_a_mapped_twin_that_lags_waits_at_its_own_price_or_bound(how: CatchUp, price: str) -> None:
    """Main's 2 ETH at 2990 are 2 x 0.05 x 0.5 BTC at 59800 here; the bound is 50 bps above."""
    policy = copying("half", "0.5", follow=Follow(catch_up=how, max_age_s=HOUR))
    stage = Stage(replace(policy, map={"ETHUSDT": MappedSymbol("BTCUSDT", Decimal("0.05"))}))
    order = stage.main.bid("2", "2990", "ETHUSDT")
    stage.settle()
    assert stage.of("half").book() == bids(("0.05", "59800"))
    stage.main.fill(order, "2")
    stage.price("61000")
    stage.run(GRACE_MS + 60_000)
    assert stage.of("half").book() == bids(("0.05", price))
    assert stage.held("half") == [f"catch_up = {how}: 0.05 rests at {price}"]
    stage.main.sell("1", "ETHUSDT", reduceOnly=True)
    stage.run(GRACE_MS + 1_000)
    assert stage.of("half").book() == bids(("0.025", price))


def test_wait_is_the_twins_a_market_entry_of_main_is_followed_as_always() -> None:
    stage = catching_up(CatchUp.WAIT)
    stage.main.buy("0.1")
    stage.settle()
    assert stage.of("half").position() == Decimal("0.05")


# --- limit ------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("A20")
def test_limit_inside_the_bound_fills_at_once() -> None:
    """The bound is 59500 + 50 bps = 59797.5; the price 59700 is inside."""
    stage, _ = lagging(CatchUp.LIMIT, "59700")
    stage.run(GRACE_MS + 1_000)
    stage.settle()
    [order] = corrections(stage)
    assert (order.qty, order.price, order.time_in_force) == (Decimal("0.05"), Decimal("59797.5"), TimeInForce.GTC)
    assert stage.of("half").volume() == (Decimal("0.05"), Decimal(0))
    assert stage.of("half").orders() == []


@pytest.mark.proves("A20", "A82")
@pytest.mark.parametrize("restarted", [False, True])
def test_limit_beyond_the_bound_rests_at_it_once_the_twin_is_gone(restarted: bool) -> None:
    stage, _ = lagging(CatchUp.LIMIT, "60500")
    half = stage.of("half")
    stage.run(GRACE_MS + 1_000)
    assert half.book() == bids(("0.05", "59797.5"))
    assert stage.drift("half") == []
    stage.run(120_000)
    if restarted:
        stage.restart()
        stage.run(GRACE_MS + 1_000)
    assert half.book() == bids(("0.05", "59797.5"))
    assert stage.held("half") == ["catch_up = limit: 0.05 rests at 59797.5"]
    assert stage.status()["in_sync"] is True
    assert len(corrections(stage)) == 1
    assert len(stage.alerts("half", "catch_up")) == 1
    assert Decimal(half.orders()[0]["stopLoss"]) == Decimal(58000)
    stage.price("59750")
    stage.settle()
    assert half.volume() == (Decimal("0.05"), Decimal(0))
    assert half.stop() == Decimal(58000)
    assert stage.held("half") == []


@pytest.mark.proves("A20")
@pytest.mark.parametrize("part_ms", range(0, 60, 9))
def test_what_a_resting_limit_filled_is_never_ordered_again(part_ms: int) -> None:
    """A part fills while main adds and the order is made anew: what is bought is 0.06 in all, whatever overtakes."""
    stage, _ = lagging(CatchUp.LIMIT, "60500")
    half = stage.of("half")
    stage.run(GRACE_MS + 2_000)
    [resting] = half.orders()
    stage.main.buy("0.02")
    stage.run(part_ms)
    if [row["orderId"] for row in half.orders()] == [resting["orderId"]]:
        half.fill(resting["orderId"], "0.02")
    stage.settle()
    stage.run(30_000)
    stage.settle()
    assert half.volume() == (Decimal("0.06"), Decimal(0)), "main's last fill is at 60500: within 50 bps of it"
    assert half.orders() == []


@pytest.mark.proves("A20")
def test_a_resting_limit_shrinks_with_main_and_goes_with_it() -> None:
    stage, _ = lagging(CatchUp.LIMIT, "60500")
    half = stage.of("half")
    stage.run(GRACE_MS + 2_000)
    stage.main.sell("0.04", reduceOnly=True)
    stage.settle()
    assert half.book() == bids(("0.03", "59797.5"))
    half.fill(half.orders()[0]["orderId"], "0.01")
    stage.settle()
    assert half.book() == bids(("0.02", "59797.5")), "the rest of it stands"
    stage.main.close()
    stage.settle()
    assert (half.book(), half.held()) == ([], {})
    assert half.volume() == (Decimal("0.01"), Decimal("0.01"))


@pytest.mark.proves("A84")
def test_the_stop_of_a_resting_limit_moves_with_mains_and_one_beyond_its_price_ends_it() -> None:
    stage, _ = lagging(CatchUp.LIMIT, "60500")
    half = stage.of("half")
    stage.run(GRACE_MS + 2_000)
    stage.main.protect(stop="58700")
    stage.settle()
    assert Decimal(half.orders()[0]["stopLoss"]) == Decimal(58700)
    stage.main.protect(stop="60000")
    stage.settle()
    assert half.orders() == []
    assert stage.held("half") == ["main's stop is passed: an entry would stand naked"]


@pytest.mark.proves("A12")
@pytest.mark.parametrize("how", ["pause", "flip"])
def test_a_resting_limit_goes_when_growth_is_held_and_before_the_other_side_is_entered(how: str) -> None:
    stage, _ = lagging(CatchUp.LIMIT, "60500")
    half = stage.of("half")
    stage.run(GRACE_MS + 2_000)
    if how == "pause":
        stage.command("pause", account="half")
        stage.settle()
        assert (half.orders(), stage.held("half")) == ([], ["paused: by the trader"])
        stage.command("resume", account="half")
        stage.settle()
        assert half.book() == bids(("0.05", "59797.5"))
    else:
        stage.main.sell("0.3")
        stage.settle()
        assert half.volume() == (Decimal(0), Decimal("0.1"))
        assert half.orders() == []


@pytest.mark.proves("A15")
def test_a_limit_that_rests_for_one_leg_is_not_in_the_way_of_the_other() -> None:
    follow = Follow(catch_up=CatchUp.LIMIT, max_age_s=HOUR)
    stage = Stage(copying("half", "0.5", follow=follow), hedged=("main", "half"))
    half = stage.of("half")
    order = stage.main.bid("0.1", "59500", idx=1)
    stage.settle()
    stage.main.fill(order, "0.1")
    stage.price("60500")
    stage.run(GRACE_MS + 2_000)
    assert half.book() == bids(("0.05", "59797.5"))
    stage.main.sell("0.04", idx=2)
    stage.run(2_000)
    assert (half.position(idx=1), half.position(idx=2)) == (Decimal(0), Decimal("-0.02"))
    assert half.book() == bids(("0.05", "59797.5"))
    stage.price("59700")
    stage.settle()
    assert (half.position(idx=1), half.position(idx=2)) == (Decimal("0.05"), Decimal("-0.02"))


@pytest.mark.proves("A44")
def test_a_lost_store_takes_the_resting_limit_off_until_the_trader_says_so() -> None:
    stage, _ = lagging(CatchUp.LIMIT, "60500")
    half = stage.of("half")
    stage.run(GRACE_MS + 2_000)
    stage.restart(new_store=True)
    stage.run(10_000)
    assert (half.orders(), stage.held("half")) == ([], ["new store"])
    stage.command("sync")
    stage.run(10_000)
    assert half.book() == bids(("0.05", "59797.5"))
    assert stage.alerts("half", "slippage") == []


@pytest.mark.proves("A44")
def test_what_a_resting_limit_opens_after_the_store_was_lost_is_ours() -> None:
    """It fills while its cancel travels: no foreign position, and with main's stop."""
    stage, _ = lagging(CatchUp.LIMIT, "60500")
    half = stage.of("half")
    stage.run(GRACE_MS + 2_000)
    stage.world.kill()
    stage.world.lose_store()
    stage.world.latency_ms["half"] = 2_000
    stage.start()
    stage.until(lambda: any(isinstance(i.action, CancelOrder) for i in stage.engine.book.open_intents()))
    half.fill(half.orders()[0]["orderId"], "0.02")
    stage.run(30_000)
    assert half.position() == Decimal("0.02")
    assert (stage.parked("half"), stage.held("half")) == ([], ["new store"])
    assert half.stop() == Decimal(58000)


@pytest.mark.proves("A64", "A82")
@pytest.mark.parametrize("how", [CatchUp.LIMIT, CatchUp.WAIT])
def test_an_audit_finds_nothing_wrong_with_an_entry_that_waits(how: CatchUp) -> None:
    stage, _ = lagging(how, "60500")
    for after_ms in (GRACE_MS + 2_000, 60_000):
        stage.run(after_ms)
        assert {finding.severity for finding in stage.audit()} <= {Severity.INFO}


def test_a_mirrors_targets_grow_with_what_a_resting_limit_fills() -> None:
    stage, _ = lagging(CatchUp.LIMIT, "60500")
    half = stage.of("half")
    stage.main.offer("0.1", "62000", reduceOnly=True)
    stage.run(GRACE_MS + 2_000)
    half.fill(half.orders()[0]["orderId"], "0.02")
    stage.settle()
    stage.run(3_000)
    assert sorted(half.book()) == [
        ("Buy", Decimal("0.03"), Decimal("59797.5")),
        ("Sell", Decimal("0.02"), Decimal(62000)),
    ]


@pytest.mark.proves("A20")
@pytest.mark.parametrize("how", list(CatchUp))
def test_a_target_that_main_filled_is_completed_whatever_catch_up_says(how: CatchUp) -> None:
    stage = catching_up(how)
    half = stage.of("half")
    stage.main.buy("0.1", stop="58000")
    target = stage.main.offer("0.1", "60100", reduceOnly=True)
    stage.settle()
    assert half.book() == [("Sell", Decimal("0.05"), Decimal(60100))]
    stage.main.fill(target, "0.1")
    stage.run(GRACE_MS + 2_000)
    stage.settle()
    assert (half.held(), half.orders()) == ({}, [])


# --- bounds -----------------------------------------------------------------------------------------------------------


@pytest.mark.proves("A20")
@pytest.mark.parametrize(
    ("side", "price", "bound", "follows"),
    [
        ("buy", "60290", "60300.1", True),
        ("buy", "60320", "60300.1", False),
        ("sell", "59710", "59700", True),
        ("sell", "59680", "59700", False),
    ],
)
def test_growth_beyond_the_bound_of_mains_fill_is_never_sent_and_told_once(
    side: str, price: str, bound: str, follows: bool
) -> None:
    """60000.1 + 50 bps = 60300.1005, on the tick and not worse; 60000 - 50 bps = 59700."""
    stage = Stage(copying("half", "0.5"))
    stage.world.stream_down("half")
    stage.main.buy("0.1") if side == "buy" else stage.main.sell("0.1")
    stage.price(price)
    stage.world.stream_up("half")
    stage.run(50_000)
    orders = corrections(stage)
    assert {order.price for order in orders} == {Decimal(bound)}
    assert {(order.order_type, order.time_in_force) for order in orders} == {(OrderType.LIMIT, TimeInForce.IOC)}
    assert abs(stage.of("half").position()) == (Decimal("0.05") if follows else 0)
    alerts = stage.alerts("half", "slippage")
    assert [alert.severity for alert in alerts] == ([] if follows else [Severity.WARNING])
    assert bool(stage.held("half")) is not follows
    stage.run(60_000)
    assert len(stage.alerts("half", "slippage")) == len(alerts)


@pytest.mark.proves("A11", "A20")
def test_a_price_that_comes_back_inside_the_bound_ends_the_wait() -> None:
    """The wait between attempts in vain has grown to 16 s by then; the price is read every second meanwhile."""
    stage = Stage(copying("half", "0.5"))
    stage.world.stream_down("half")
    stage.main.buy("0.1")
    stage.price("60600")
    stage.world.stream_up("half")
    stage.run(20_000)
    tried = len(corrections(stage))
    stage.run(2_500)
    assert (len(corrections(stage)), stage.of("half").held()) == (tried, {}), "not by the clock"
    stage.price("60200")
    stage.run(2_500)
    assert (len(corrections(stage)), stage.of("half").position()) == (tried + 1, Decimal("0.05"))


@pytest.mark.proves("A20")
def test_after_max_age_the_mid_is_the_reference() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.world.stream_down("half")
    stage.world.go_down("half")
    stage.main.buy("0.1")
    stage.price("63000")
    stage.run(61_000)
    stage.world.come_back("half")
    stage.settle()
    assert stage.of("half").position() == Decimal("0.05")
    assert {order.price for order in corrections(stage)} == {Decimal(63315)}, "63000 + 50 bps"


@pytest.mark.proves("A20")
def test_a_reduction_goes_at_its_bound_again_and_again_then_at_market_with_one_critical_alert() -> None:
    """Main closed at 60000; the price is 4% below when the mirror is back, its bound 3%: 58200."""
    stage = Stage(copying("half", "0.5"))
    half = stage.of("half")
    stage.main.buy("0.1")
    stage.settle()
    stage.world.go_down("half")
    stage.main.close()
    stage.price("57600")
    stage.run(3_000)
    stage.world.come_back("half")
    stage.until(lambda: any(order.reduce_only for order in stage.placed("half")))
    began = stage.world.now_ms()
    stage.run(9_000)
    tries = [order for order in stage.placed("half") if order.reduce_only]
    assert {(o.order_type, o.time_in_force, o.price) for o in tries} == {
        (OrderType.LIMIT, TimeInForce.IOC, Decimal(58200))
    }
    assert 10 <= len(tries) <= 20, "every half second"
    assert half.position() == Decimal("0.05")
    [alert] = stage.alerts("half", "300 bps")
    assert alert.severity is Severity.CRITICAL
    stage.run(2_000)
    last = stage.sent("half", PlaceOrder)[-1]
    assert isinstance(last.action, PlaceOrder)
    assert (last.action.order_type, last.action.reduce_only) == (OrderType.MARKET, True)
    assert 9_900 <= last.at_ms - began <= 11_000
    stage.settle()
    assert half.held() == {}
    assert len(stage.alerts("half", "300 bps")) == 1


@pytest.mark.proves("A20", "A29")
def test_a_stop_has_no_bound() -> None:
    """It is a market stop of the exchange: it sells at 50000 what should have been sold at 58000."""
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.price("50000")
    stage.settle()
    assert stage.of("half").held() == {}
    assert stage.sent("half", SetTradingStop) == [], "it came with the entry"


# --- stops of entries -------------------------------------------------------------------------------------------------


@pytest.mark.proves("A84")
@pytest.mark.parametrize("own", ["", "57000"])
def test_an_entry_that_outlives_mains_position_carries_its_own_stop_on_the_mirrors(own: str) -> None:
    """While main held a position its stop was the entry's too; when that is closed, the entry's own counts, or none."""
    stage = Stage()
    stage.main.buy("0.1", stop="58000")
    stage.main.bid("0.1", "59000", **({"stop": own} if own else {}))
    stage.settle()
    assert [Decimal(stage.of(name).orders()[0]["stopLoss"]) for name in stage.mirrors] == [Decimal(58000)] * 2
    stage.main.close()
    stage.settle()
    for name in stage.mirrors:
        [twin] = stage.of(name).orders()
        assert Decimal(twin["stopLoss"] or 0) == Decimal(own or 0)
    sent = len(stage.sent())
    stage.run(30_000)
    assert len(stage.sent()) == sent, "what stands is what is wanted"
    stage.price("59000")
    stage.settle()
    assert stage.of("half").position() == Decimal("0.05")
    assert stage.of("half").stop() == (Decimal(own) if own else None)
