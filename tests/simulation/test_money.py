"""Money rules: own exits are final, prices size nothing, corrections are sent once, brakes, held is not drift."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from mirrorctl.core.domain.actions import PlaceOrder
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.policy import Follow
from mirrorctl.core.domain.values import OrderType
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying

FIVE = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "DOGEUSDT")
SIZES = {"BTCUSDT": "0.1", "ETHUSDT": "1", "SOLUSDT": "20", "XRPUSDT": "1000", "DOGEUSDT": "1000"}


def stopped(stage: Stage) -> None:
    """Only the mirror's stop is passed: its trader had pulled it closer, and the price is there at once."""
    stage.of("half").protect(stop="59950")
    stage.price("59950")


def at_target(stage: Stage) -> None:
    stage.of("half").protect(target="60050")
    stage.price("60050")


OWN_EXITS: dict[str, tuple[Callable[[Stage], None], str]] = {
    "stop": (stopped, "0"),
    "target": (at_target, "0"),
    "liquidation": (lambda stage: stage.of("half").liquidate(), "0"),
    "adl": (lambda stage: stage.of("half").deleverage("0.02"), "0.03"),
}


@pytest.mark.proves("A76")
@pytest.mark.parametrize("then", ["runs on", "is restarted", "is killed before it hears of it", "loses its stream"])
@pytest.mark.parametrize("cause", sorted(OWN_EXITS))
@pytest.mark.parametrize("seed", [1, 2])
def test_what_a_mirrors_own_exit_sold_is_not_bought_back(cause: str, then: str, seed: int) -> None:
    stage = Stage(copying("half", "0.5"), seed=seed)
    stage.main.buy("0.1", stop="58000", target="63000")
    stage.settle()
    strike, left = OWN_EXITS[cause]
    match then:
        case "is killed before it hears of it":
            stage.world.kill()
            strike(stage)
            stage.run(5_000)
            stage.start()
        case "loses its stream":
            stage.world.stream_down("half")
            stage.run(100)
            strike(stage)
            stage.run(3_000)
            stage.world.stream_up("half")
        case _:
            strike(stage)
            stage.run(1_000)
            if then == "is restarted":
                stage.restart()
    stage.run(60_000)
    assert stage.of("half").position() == Decimal(left)
    assert len(stage.placed("half")) == 1
    assert stage.drift("half") == []
    assert stage.alerts("half", "own-exit")


@pytest.mark.proves("A76", "A54")
@pytest.mark.parametrize("cause", sorted(OWN_EXITS))
@pytest.mark.parametrize("topic", ["execution", "order", "execution and order"])
@pytest.mark.parametrize("seed", [1, 2])
def test_an_own_exit_whose_messages_are_lost_is_not_bought_back_either(cause: str, topic: str, seed: int) -> None:
    """The position push says the size is gone; nobody may order until it is known what took it."""
    stage = Stage(copying("half", "0.5"), seed=seed)
    stage.main.buy("0.1", stop="58000", target="63000")
    stage.settle()
    for name in topic.split(" and "):
        stage.world.fault(FaultKind.PUSH_DROP, "half", name, count=None)
    OWN_EXITS[cause][0](stage)
    stage.run(3_000)
    stage.world.gateway.faults.clear()
    stage.run(60_000)
    assert stage.of("half").position() == Decimal(OWN_EXITS[cause][1])
    assert len(stage.placed("half")) == 1


@pytest.mark.proves("A76")
def test_a_partial_target_caps_the_copy_and_later_increases_of_main_raise_it() -> None:
    """Cap becomes what was left; it rises by r × each later increase, whatever main's reductions in between."""
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1")
    stage.settle()
    stage.of("half").protect(
        target="60100", tpSize="0.02", slSize="0.02", tpslMode="Partial"
    )  # the mirror's own trader takes 0.02 off at 60100
    stage.price("60100")
    stage.settle()
    assert stage.of("half").position() == Decimal("0.03")
    stage.main.buy("0.04")
    stage.settle()
    assert stage.of("half").position() == Decimal("0.05")
    stage.main.sell("0.1", reduceOnly=True)
    stage.settle()
    assert stage.of("half").position() == Decimal("0.02")
    stage.main.buy("0.02")
    stage.settle()
    assert stage.of("half").position() == Decimal("0.03")


@pytest.mark.proves("A76")
def test_the_next_cycle_is_copied_again() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stopped(stage)
    stage.settle()
    stage.main.buy("0.1")
    stage.settle()
    assert stage.of("half").position() == 0, "still the same cycle"
    stage.main.close()
    stage.settle()
    stage.main.buy("0.1")
    stage.settle()
    assert stage.of("half").position() == Decimal("0.05")


@pytest.mark.proves("A77")
def test_a_day_of_moving_prices_sends_no_sizing_order() -> None:
    stage = Stage(
        copying("half", "0.5"),
        copying("odd", "0.3337"),
        volatility=Decimal("0.001"),
        tick_s=Decimal(60),
        relist_s=Decimal(600),
    )
    stage.main.buy("0.1")
    stage.main.sell("2", "ETHUSDT")
    stage.settle()
    sent, first = len(stage.sent()), stage.world.exchange.state.markets["BTCUSDT"].last
    stage.run(86_400_000)
    assert stage.world.exchange.state.markets["BTCUSDT"].last != first
    assert len(stage.sent()) == sent
    assert stage.of("odd").position() == Decimal("0.033")


@pytest.mark.proves("A78")
@pytest.mark.parametrize("new_store", [False, True])
def test_the_same_correction_needed_twice_is_sent_twice(new_store: bool) -> None:
    """A hand sells the same on the mirror again and again; each time the same is bought back, once."""
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1")
    stage.settle()
    for n in range(1, 4):
        if new_store:
            stage.restart(new_store=True)
            stage.settle()
        stage.of("half").sell("0.02", reduceOnly=True)
        stage.settle()
        stage.run(30_000)
        assert stage.of("half").position() == Decimal("0.05")
        corrections = [order for order in stage.placed("half") if order.role is Role.CORRECTION]
        assert [order.qty for order in corrections[1:]] == [Decimal("0.02")] * n
        assert len({order.link_id for order in corrections}) == n + 1


@pytest.mark.proves("A78")
def test_an_attempt_after_a_barren_one_gets_an_id_of_its_own_also_with_a_new_store() -> None:
    """Position and target are as at the first attempt, so the id is the same again: the exchange knows it already."""
    stage = Stage(copying("half", "0.5"))
    stage.world.stream_down("half")
    stage.main.buy("0.1")
    stage.world.price("BTCUSDT", "60600")
    stage.world.stream_up("half")
    stage.run(4_000)
    barren = [order.link_id for order in stage.placed("half")]
    assert barren
    stage.restart(new_store=True)
    stage.run(3_000)
    assert stage.of("half").position() == 0
    stage.command("sync")
    stage.price("60000")
    stage.run(60_000)
    stage.settle()
    assert stage.of("half").position() == Decimal("0.05")
    assert stage.of("half").volume() == (Decimal("0.05"), Decimal(0))


@pytest.mark.proves("A80")
@pytest.mark.parametrize(("symbols", "closed"), [(FIVE[:3], True), (FIVE, False)])
def test_closes_without_a_closing_execution_on_main_are_braked(symbols: tuple[str, ...], closed: bool) -> None:
    stage = Stage(copying("half", "0.5"))
    for symbol in symbols:
        stage.main.buy(SIZES[symbol], symbol)
    stage.settle()
    stage.world.fault(FaultKind.PUSH_DROP, "main", "execution", count=None)
    stage.world.fault(FaultKind.PUSH_DROP, "main", "order", count=None)
    silent = stage.world.fault(FaultKind.EMPTY, "main", "/v5/execution/list", count=None)
    for symbol in symbols:
        stage.main.close(symbol)
    stage.run(10_000)
    assert len(stage.of("half").held()) == (0 if closed else len(symbols) - 3)
    assert bool(stage.alerts("half", "brake")) is not closed
    if not closed:
        assert not stage.status()["in_sync"]
    stage.world.gateway.faults.clear(silent)
    stage.engine.relist_all()
    stage.settle()
    assert stage.of("half").held() == {}, "the executions explain it"


@pytest.mark.proves("A80")
@pytest.mark.parametrize("seed", range(1, 7))
def test_closes_with_their_executions_are_never_braked(seed: int) -> None:
    """Five at once, with resting entries of the next trades standing beside them."""
    stage = Stage(copying("half", "0.5"), seed=seed)
    prices = {"BTCUSDT": "55000", "ETHUSDT": "2800", "SOLUSDT": "130", "XRPUSDT": "0.48", "DOGEUSDT": "0.1"}
    for symbol in FIVE:
        stage.main.buy(SIZES[symbol], symbol)
        stage.main.bid(SIZES[symbol], prices[symbol], symbol)
    stage.settle()
    for symbol in FIVE:
        stage.main.close(symbol)
    stage.settle(within_ms=5_000)
    assert stage.of("half").held() == {}
    assert stage.alerts("half", "brake") == []
    assert all(len(stage.of("half").orders(symbol)) == 1 for symbol in FIVE)
    exits = [order for order in stage.placed("half") if order.reduce_only]
    assert {order.order_type for order in exits} == {OrderType.LIMIT}, "within the exit bound of main's fill"


HOLDS: dict[str, Callable[[Stage], object]] = {
    "paused": lambda stage: stage.command("pause", account="half"),
    "slippage": lambda stage: stage.price("60600"),
    "refused by the exchange (110007)": lambda stage: stage.world.fault(
        FaultKind.RET_CODE, "half", "/v5/order/create", count=None, code=110007, message="ab not enough for new order"
    ),
}


@pytest.mark.proves("A82")
@pytest.mark.parametrize("reason", sorted(HOLDS))
def test_held_growth_is_shown_as_held_everywhere_and_never_as_drift(reason: str) -> None:
    stage = Stage(copying("half", "0.5", follow=Follow(max_age_s=Decimal(3600))))
    stage.main.buy("0.1")
    if reason != "slippage":
        HOLDS[reason](stage)
    else:
        stage.world.price("BTCUSDT", "60600")
    stage.run(30_000)
    if stage.of("half").position():
        stage.main.buy("0.1")
        stage.run(30_000)
    status = stage.status()
    assert status["drift"] == []
    [held] = [row for row in status["held"] if row["account"] == "half"]
    assert reason in held["reason"]
    assert Decimal(held["raw_want"]) > Decimal(held["want"]) == stage.of("half").position()
    preview = stage.command("preview")
    assert any(reason in row["reason"] for row in preview["held"])
    assert not [row for row in preview["plan"] if row["action"] == "place"]


@pytest.mark.proves("A82")
def test_drift_is_never_shown_as_held() -> None:
    """An order that is lost on its way for long leaves a difference nobody decided on."""
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1")
    stage.settle()
    stage.world.fault(FaultKind.HTTP_STATUS, "half", "/v5/order/create", count=None, status=502)
    stage.main.sell("0.04", reduceOnly=True)
    stage.run(9_000)
    [row] = stage.drift("half")
    assert (row["have"], row["want"]) == ("0.05", "0.03")
    assert stage.held("half") == []
    assert not stage.status()["in_sync"]
    stage.world.gateway.faults.clear()
    stage.settle()
    assert stage.of("half").position() == Decimal("0.03")
    assert stage.drift("half") == []
    assert {
        row.action.reduce_only for row in stage.sent("half", PlaceOrder)[1:] if isinstance(row.action, PlaceOrder)
    } == {True}


@pytest.mark.proves("A76", "A20")
@pytest.mark.parametrize("first", ["the twin", "the target"])
def test_an_own_exit_beside_a_twin_that_filled_first_is_not_bought_back(first: str) -> None:
    """What the twin bought ahead of main's order is not what the target left: the target's part stays sold."""
    stage = Stage(copying("half", "0.5"))
    half = stage.of("half")
    stage.main.buy("0.1", stop="55000")
    bid = stage.main.bid("0.05", "59900")
    stage.main.offer("0.05", "60100", reduceOnly=True)
    stage.settle()
    [twin] = [row for row in half.orders() if row["side"] == "Buy"]
    [rung] = [row for row in half.orders() if row["side"] == "Sell"]
    for order in (twin, rung) if first == "the twin" else (rung, twin):
        half.fill(order["orderId"], "0.025")
        stage.run(1_000)
    assert half.position() == Decimal("0.05"), "0.025 sold by its own target, 0.025 ahead of main"
    stage.main.fill(bid, "0.05")
    stage.settle()
    stage.run(10_000)
    stage.settle()
    assert half.volume()[0] == Decimal("0.075")
    assert half.position() == Decimal("0.05")
