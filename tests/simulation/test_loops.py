"""The brake on loops: what comes to nothing again and again is stopped, named and told; an honest long day never is."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from mirrorctl.core.domain.actions import AmendOrder, CancelOrder, PlaceOrder, SetTradingStop
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.paper import matching
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.paper.model import Order
from mirrorctl.core.simulation.stage import Stage, copying
from mirrorctl.core.simulation.trader import SYMBOL

FOUR_MINUTES_MS = 240_000


def with_ladder() -> Stage:
    """A managed trade with four targets, full on main and on the mirror."""
    stage = Stage(copying("half", "0.5"))
    targets = [{"price": str(price), "percent": "25"} for price in (62_000, 63_000, 64_000, 65_000)]
    stage.command("trade.open", symbol=SYMBOL, side="long", qty="0.4", targets=targets, stop="58000")
    stage.settle()
    return stage


def each_step(stage: Stage, do: Callable[[], None]) -> None:
    """Do something of the exchange's after everything that happens."""
    stage.world.after_step = do


def take_off(stage: Stage, account: str, which: Callable[[Order], bool]) -> None:
    """The exchange takes every such order off the book as soon as it stands."""
    world = stage.world

    def look() -> None:
        floor = world.exchange.floor
        for order in [o for o in floor.state.live(world.uids[account]) if o.is_open and which(o)]:
            matching.cancel(floor, order, "CancelByReduceOnly")
        world.spread_pushes()

    each_step(stage, look)


def looped(stage: Stage, account: str) -> list[str]:
    return [row["what"] for row in stage.status()["loops"] if row["account"] == account]


@pytest.mark.proves("A57")
def test_a_rung_that_the_exchange_takes_off_for_a_hand_made_order_is_given_up_and_told() -> None:
    """A reduce-only order made by hand beside a full ladder: an exchange may cancel the surplus, our outermost rung."""
    stage = with_ladder()
    by_hand = stage.main.offer("0.2", "61000", reduceOnly=True)
    take_off(stage, "main", lambda order: order.price == Decimal(65_000))
    stage.run(FOUR_MINUTES_MS)
    tries = [order for order in stage.placed("main") if order.price == Decimal(65_000)]
    assert len(tries) <= 8
    [park] = [row for row in stage.status()["parked"] if row["account"] == "main"]
    assert park["reason"].startswith("loop: place sell 0.1 at 65000 reduce-only: 6 times in ")
    assert "resume --account main" in park["remedy"]
    [alert] = stage.alerts("main", "loop: ")
    assert "plan: " in alert.text
    assert looped(stage, "main") == ["place sell 0.1 at 65000 reduce-only"]
    assert stage.command("preview")["plan"] == [], "a dry run shows what would be sent: nothing"
    # what is left is kept, and protected: a stop that vanished comes back
    assert stage.main.book()[:3] != []
    stage.main.protect(stop="58500")
    stage.run(2_000)
    assert stage.of("half").stop() == Decimal(58_500)
    # the cause goes, the trader resumes
    stage.world.after_step = None
    stage.main.cancel(by_hand)
    stage.command("resume", account="main", symbol=SYMBOL)
    stage.settle()
    assert ("Sell", Decimal("0.1"), Decimal(65_000)) in stage.main.book()
    assert stage.status()["loops"] == []


@pytest.mark.proves("A57")
def test_a_mirrors_rung_that_never_stays_parks_the_symbol_there_and_nothing_else() -> None:
    stage = with_ladder()
    take_off(stage, "half", lambda order: order.reduce_only and order.price == Decimal(64_000))
    stage.run(FOUR_MINUTES_MS)
    tries = [order for order in stage.placed("half") if order.price == Decimal(64_000)]
    assert len(tries) <= 8
    assert [text.split(":")[0] for text in stage.parked("half")] == ["loop"]
    stage.main.buy("1", "ETHUSDT")
    stage.main.sell("0.2", reduceOnly=True)
    stage.run(3_000)
    assert stage.of("half").held() == {SYMBOL: Decimal("0.1"), "ETHUSDT": Decimal("0.5")}


@pytest.mark.proves("A57")
def test_a_change_that_is_taken_and_never_shows_is_given_up() -> None:
    """The exchange answers that it changed the order, and every read and push shows it as it was."""
    stage = Stage(copying("half", "0.5"))
    order = stage.main.bid("0.05", "59500")
    stage.settle()
    world = stage.world
    [twin] = stage.of("half").orders()

    def undo() -> None:
        known = world.exchange.floor.state.orders_by_uid[world.uids["half"]].get(twin["orderId"])
        if known is not None and known.is_open and known.price != Decimal(59_500):
            stage.of("half").amend(twin["orderId"], price="59500")

    each_step(stage, undo)
    stage.main.amend(order, price="59400")
    stage.run(FOUR_MINUTES_MS)
    assert len(stage.sent("half", AmendOrder)) <= 8
    assert stage.parked("half")[0].startswith("loop: change of ")
    assert stage.of("half").orders() == [], "no entry stands where main has none"


@pytest.mark.proves("A21")
def test_a_stop_that_never_shows_is_tried_on_told_once_and_parks_nothing() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.world.fault(FaultKind.RET_CODE, "half", "/v5/position/trading-stop", count=None, code=34040, message="same")
    stage.main.protect(stop="58500")
    stage.run(FOUR_MINUTES_MS)
    tries = stage.sent("half", SetTradingStop)
    assert 8 <= len(tries) <= 20, "paced, and never given up"
    assert len(stage.alerts("half", "loop: stop to 58500")) == 1
    assert looped(stage, "half") == ["stop to 58500"]
    assert stage.parked("half") == []
    stage.main.buy("0.1")
    stage.run(3_000)
    assert stage.of("half").position() == Decimal("0.1")


@pytest.mark.proves("A57")
def test_a_resume_tries_again_and_after_a_restart_one_more_time_is_enough() -> None:
    stage = with_ladder()
    take_off(stage, "half", lambda order: order.reduce_only and order.price == Decimal(64_000))
    stage.run(FOUR_MINUTES_MS)
    before = len(stage.placed("half"))
    stage.restart()
    stage.run(FOUR_MINUTES_MS)
    assert len(stage.placed("half")) - before <= 2
    stage.command("resume", account="half")
    stage.run(2 * FOUR_MINUTES_MS)
    assert 4 <= len(stage.placed("half")) - before <= 10
    assert stage.parked("half") != []


def test_an_honest_long_day_is_never_taken_for_a_loop() -> None:
    """Bursts of fills, a limit chased up and down, stops and ladders moved: every decision has a new reason."""
    stage = Stage(copying("half", "0.5"))
    half = stage.of("half")
    order = stage.main.bid("0.05", "59500")
    stage.settle()
    for number in range(50):  # between two prices, again and again
        stage.main.amend(order, price=("59400", "59500")[number % 2])
        stage.run(400)
    stage.settle()
    stage.main.cancel(order)
    for _ in range(10):
        chased = stage.main.bid("0.05", "59500")
        stage.run(500)
        stage.main.cancel(chased)
        stage.run(500)
    for _ in range(10):
        stage.main.buy("0.02", stop="58000")
        stage.run(300)
        stage.main.sell("0.02", reduceOnly=True)
        stage.run(300)
    stage.main.buy("0.2", stop="58000")
    stage.settle()
    for number in range(12):
        stage.main.protect(stop=("58000", "58500")[number % 2], target=("63000", "63500")[number % 2])
        stage.run(400)
    rung = stage.main.offer("0.1", "62000", reduceOnly=True)
    for number in range(12):
        stage.main.amend(rung, price=("62100", "62000")[number % 2])
        stage.run(400)
    for _ in range(8):  # a hand on the mirror, brought back each time
        half.sell("0.02", reduceOnly=True)
        stage.run(3_500)
    stage.settle()
    assert stage.status()["loops"] == []
    assert stage.alerts(containing="loop: ") == []
    assert stage.parked("half") == []
    assert half.position() == Decimal("0.1")


@pytest.mark.proves("A57")
def test_a_fight_with_another_program_over_a_size_ends_and_is_told() -> None:
    """Somebody sells on the mirror whatever is bought back there: a dozen times are enough."""
    stage = Stage(copying("half", "0.5"))
    half = stage.of("half")
    stage.main.buy("0.2", stop="58000")
    stage.settle()
    for _ in range(40):
        if half.position() >= Decimal("0.1"):
            half.sell("0.04", reduceOnly=True)
        stage.run(3_500)
    bought = [order for order in stage.placed("half") if order.role is Role.CORRECTION]
    assert 10 <= len(bought) <= 16
    assert stage.parked("half")[0].startswith("loop: place buy 0.04")
    assert len(stage.alerts("half", "loop: ")) == 1
    stage.main.close()
    stage.run(2_000)
    assert half.held() == {}


def test_a_target_moved_to_and_fro_by_command_is_the_traders_word_and_no_loop() -> None:
    stage = Stage(copying("half", "0.5"))
    opened = {"symbol": SYMBOL, "side": "long", "qty": "0.4", "stop": "58000"}
    stage.command("trade.open", **opened, targets=[{"price": "65000"}])
    stage.settle()
    for number in range(14):
        price = ("64000", "65000")[number % 2]
        answer = stage.command("trade.target", symbol=SYMBOL, targets=[{"price": price}])
        stage.run(6_000)
        assert answer["standing"] is True
        assert [row[2] for row in stage.main.book() + stage.of("half").book()] == [Decimal(price)] * 2
    assert stage.status()["loops"] == []
    assert stage.status()["parked"] == []


def test_a_market_that_stays_beyond_the_slippage_bound_is_no_loop() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.world.exchange.set_depth(SYMBOL, Decimal(1), 1)
    stage.main.buy("0.1")
    stage.price("61000")
    stage.run(FOUR_MINUTES_MS)
    assert stage.status()["loops"] == []
    assert stage.parked("half") == []
    roles = {order.role for order in stage.placed("half")}
    assert roles <= {Role.CORRECTION}
    assert all(isinstance(row.action, PlaceOrder | CancelOrder) for row in stage.sent("half"))
