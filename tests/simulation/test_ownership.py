"""Whose is it: foreign positions and orders, main's own trades, the trader's word on stops."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.core.domain.actions import CancelOrder, SetTradingStop
from mirrorctl.core.simulation.stage import Stage, copying


@pytest.mark.proves("A81", "A60")
@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_symbol_with_a_foreign_position_is_parked_until_it_is_flat(side: str, restarted: bool) -> None:
    stage = Stage(copying("half", "0.5"))
    getattr(stage.of("half"), side)("0.02", stop="57000" if side == "buy" else "63000")
    stage.settle()
    if restarted:
        stage.restart()
        stage.settle()
    stop = stage.of("half").stop()
    stage.main.buy("0.1", stop="58000")
    stage.main.bid("0.05", "59000")
    stage.main.buy("1", "ETHUSDT")
    stage.run(30_000)
    own = Decimal("0.02") if side == "buy" else Decimal("-0.02")
    assert stage.of("half").held() == {"BTCUSDT": own, "ETHUSDT": Decimal("0.5")}
    assert [row.action for row in stage.sent("half") if row.action.symbol == "BTCUSDT"] == []
    assert stage.of("half").stop() == stop
    assert "foreign position" in stage.parked("half")
    assert len(stage.alerts("half", "foreign position")) == 1
    stage.of("half").close()
    stage.settle()
    stage.run(2_000)
    assert stage.of("half").position() == Decimal("0.05")
    assert stage.of("half").book() == [("Buy", Decimal("0.025"), Decimal(59000))]
    assert stage.parked("half") == []


@pytest.mark.proves("A81", "A62")
def test_a_foreign_position_that_outlives_mains_trade_is_not_closed_with_it() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.of("half").buy("0.02")
    stage.settle()
    stage.main.buy("0.1")
    stage.run(5_000)
    stage.main.close()
    stage.run(30_000)
    assert stage.of("half").held() == {"BTCUSDT": Decimal("0.02")}
    assert stage.sent("half") == []


@pytest.mark.proves("A60", "A62")
def test_foreign_orders_are_never_touched_nor_counted() -> None:
    stage = Stage(copying("half", "0.5"))
    half = stage.of("half")
    foreign = [half.bid("0.01", "55000"), half.offer("0.01", "65000"), half.bid("0.3", "2500", "ETHUSDT")]
    half.buy("0.03", triggerPrice="66000", triggerDirection=1)
    stage.settle()
    stage.main.buy("0.1", stop="58000")
    order = stage.main.bid("0.05", "59000")
    stage.settle()
    assert half.position() == Decimal("0.05")
    assert len(half.orders()) == 4
    stage.main.close()
    stage.main.cancel(order)
    stage.settle()
    stage.run(60_000)
    assert half.held() == {}
    left = [row["orderId"] for symbol in ("BTCUSDT", "ETHUSDT") for row in half.orders(symbol)]
    assert set(foreign) < set(left)
    assert len(left) == 4
    cancelled = [row.action.order_id for row in stage.sent("half") if isinstance(row.action, CancelOrder)]
    assert not set(cancelled) & set(left)


@pytest.mark.proves("A62")
def test_after_flat_our_orders_are_gone_within_one_sync_and_manual_ones_remain() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1")
    orders = [stage.main.bid("0.02", price) for price in ("59000", "58500", "58000")]
    manual = stage.of("half").bid("0.01", "57000")
    stage.settle()
    assert len(stage.of("half").orders()) == 4
    stage.main.close()
    for order in orders:
        stage.main.cancel(order)
    stage.run(300)
    assert [row["orderId"] for row in stage.of("half").orders()] == [manual]
    assert stage.of("half").held() == {}


@pytest.mark.proves("A79")
def test_nothing_on_main_is_ever_written_while_it_is_followed() -> None:
    """A life with everything in it; on main there is only what the trader's own hand did."""
    stage = Stage()
    stage.main.buy("0.1", stop="58000", target="63000")
    orders = [stage.main.bid("0.05", "59000"), stage.main.offer("0.05", "61000", reduceOnly=True)]
    stage.settle()
    stage.main.protect(stop="0")  # main's trader takes the stop away
    stage.settle()
    stage.restart(new_store=True)
    stage.settle()
    stage.command("sync")
    stage.command("flatten", account="half")
    stage.main.cancel(orders[0])
    stage.main.close()
    stage.settle()
    assert stage.sent("main") == []
    assert stage.main.writes() == 6, "its trader's own"


@pytest.mark.proves("A79", "A60")
def test_flatten_leaves_what_mirrorctl_did_not_make_on_main() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.command("trade.open", symbol="ETHUSDT", side="long", qty="1", stop="2900")
    stage.main.buy("0.1", stop="58000")
    order = stage.main.bid("0.05", "59000")
    stage.settle()
    stage.command("flatten")
    stage.settle()
    assert stage.main.held() == {"BTCUSDT": Decimal("0.1")}
    assert [row["orderId"] for row in stage.main.orders()] == [order]
    assert stage.main.stop() == Decimal(58000)
    assert stage.of("half").held() == {}


@pytest.mark.proves("A27", "A21")
@pytest.mark.parametrize("restarted", [False, True])
def test_a_moved_stop_is_mirrored_and_one_that_vanishes_on_main_stays_on_the_mirror(restarted: bool) -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    for stop in ("58500", "57000", "59500"):
        stage.main.protect(stop=stop)
        stage.settle()
        assert stage.of("half").stop() == Decimal(stop)
    stage.main.protect(stop="0")
    stage.settle()
    if restarted:
        stage.restart()
        stage.settle()
    stage.run(30_000)
    assert stage.of("half").stop() == Decimal(59500)
    assert len(stage.sent("half", SetTradingStop)) == 3


@pytest.mark.proves("A21", "A23")
def test_a_stop_taken_off_the_mirror_by_hand_is_put_back_with_mains_trigger() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1")
    stage.main.protect(stop="58000", slTriggerBy="MarkPrice")
    stage.settle()
    stage.of("half").protect(stop="0")
    stage.settle()
    assert stage.of("half").stop() == Decimal(58000)
    sets = [row.action for row in stage.sent("half") if isinstance(row.action, SetTradingStop)]
    assert {action.stop_loss_by.value for action in sets} == {"mark"}


@pytest.mark.proves("A44")
@pytest.mark.parametrize("managed", [True, False])
def test_a_twin_that_outlived_the_store_opens_a_position_of_ours(managed: bool) -> None:
    """Nothing was held when the store was lost; the entry and its twins rested, and fill afterwards."""
    stage = Stage(copying("half", "0.5"))
    if managed:
        stage.command("trade.open", symbol="BTCUSDT", side="long", qty="0.1", entries=["59500"], stop="57000")
    else:
        stage.main.bid("0.1", "59500", stop="57000")
    stage.settle()
    stage.restart(new_store=True)
    stage.settle()
    stage.price("59400")
    stage.settle()
    half = stage.of("half")
    assert (stage.parked("half"), half.position(), half.stop()) == ([], Decimal("0.05"), Decimal(57_000))
    stage.main.protect(stop="58000")
    stage.settle()
    assert half.stop() == Decimal(58_000)
    stage.main.close()
    stage.settle()
    assert half.held() == {}
