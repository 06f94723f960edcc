"""Limits are reserved when an entry is intended: what is planned, in flight or resting counts before the next one.

BTC stands at 60000, ETH at 3000, SOL at 150. A mirror with half of main's 0.1 BTC holds 3000, of 1 ETH 1500.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.actions import PlaceOrder
from mirrorctl.core.domain.errors import LimitReached, MirrorctlError
from mirrorctl.core.domain.policy import BelowMinimum, CatchUp, Follow, Limits, Sizing
from mirrorctl.core.engine.records import StandingKind
from mirrorctl.core.engine.service import steps
from mirrorctl.core.engine.standings import Standings
from mirrorctl.core.simulation.stage import Stage, copying
from mirrorctl.core.simulation.trader import Refusal

NONE = Limits(Decimal(100), None, None, None, max_orders_per_minute=None)
TOTAL: dict[str, Any] = {"max_total_notional": Decimal(4_000)}


def limited(**limits: Any) -> Stage:
    return Stage(copying("half", limits=replace(NONE, **limits)))


def one_pass(stage: Stage, *what: Callable[[], object]) -> None:
    """Main does all of it while the mirror is paused; what it comes to is decided in one pass."""
    stage.command("pause", account="half")
    for each in what:
        each()
    stage.run(1_000)
    stage.command("resume", account="half")
    stage.run(3_000)


def known(stage: Stage) -> None:
    """Both symbols were traded: the mirror's position and leverage are read, so the next entry goes at once."""
    stage.main.buy("0.002")
    stage.main.buy("0.02", "ETHUSDT")
    stage.settle()


def notional(stage: Stage, name: str) -> Decimal:
    """What an account holds and has resting, by the exchange."""
    trader = stage.of(name) if name != "main" else stage.main
    marks = {symbol: market.last for symbol, market in stage.world.exchange.state.markets.items()}
    held = sum(abs(size) * marks[symbol] for symbol, size in trader.held().items())
    rows = [row for symbol in marks for row in trader.orders(symbol) if not row["reduceOnly"]]
    return held + sum((Decimal(row["leavesQty"]) * Decimal(row["price"]) for row in rows), Decimal(0))


@pytest.mark.proves("A75")
@pytest.mark.parametrize(
    ("limits", "reason"), [(TOTAL, "max_total_notional"), ({"max_open_positions": 1}, "of 1 open")]
)
def test_what_one_pass_plans_counts_for_the_rest_of_it(limits: dict[str, Any], reason: str) -> None:
    stage = limited(**limits)
    for symbol, qty in (("BTCUSDT", "0.002"), ("ETHUSDT", "0.02")):  # so that both are known to be flat
        stage.main.buy(qty, symbol)
        stage.settle()
        stage.main.close(symbol)
        stage.settle()
    one_pass(stage, lambda: stage.main.buy("0.1"), lambda: stage.main.buy("1", "ETHUSDT"))
    assert stage.of("half").held() == {"BTCUSDT": Decimal("0.05")}
    [held] = stage.held("half")
    assert reason in held
    assert stage.drift("half") == []


@pytest.mark.proves("A75")
def test_twins_of_one_symbol_share_its_room() -> None:
    """Three twins of 0.02 at about 59000 are 1180 each; the third would be the one over 3000."""
    stage = limited(max_position_notional=Decimal(3_000))
    one_pass(stage, *(lambda price=price: stage.main.bid("0.04", price) for price in ("59000", "58900", "58800")))
    assert [price for _, _, price in stage.of("half").book()] == [Decimal(59_000), Decimal(58_900)]
    assert any("max_position_notional" in reason for reason in stage.held("half"))


def test_an_entry_that_is_held_after_all_takes_no_room_from_others() -> None:
    """BTC waits for its leverage; ETH goes at once although both together are over the limit."""
    stage = limited(**TOTAL)
    known(stage)
    stage.main.set_leverage("5")
    one_pass(stage, lambda: stage.main.buy("0.1"), lambda: stage.main.buy("1", "ETHUSDT"))
    assert stage.of("half").held() == {"BTCUSDT": Decimal("0.001"), "ETHUSDT": Decimal("0.51")}
    assert any("max_total_notional" in reason for reason in stage.held("half"))


@pytest.mark.proves("A75")
@pytest.mark.parametrize("kind", ["market", "limit"])
def test_an_entry_in_flight_counts_before_the_exchange_shows_it(kind: str) -> None:
    stage = limited(**TOTAL)
    known(stage)
    before = len(stage.placed("half"))
    stage.world.latency_ms["half"] = 2_000
    if kind == "market":
        stage.main.buy("0.1")
    else:
        stage.main.bid("0.1", "59900")
    stage.run(500)
    stage.main.buy("1", "ETHUSDT")
    stage.run(1_000)
    assert len(stage.placed("half")) == before, "the order is still on its way"
    assert any("max_total_notional" in reason for reason in stage.held("half"))
    stage.run(20_000)
    assert [order.symbol for order in stage.placed("half")[before:]] == ["BTCUSDT"]


@pytest.mark.proves("A75")
def test_an_amend_in_flight_counts_with_what_it_adds() -> None:
    """A twin of 0.01 at 59000 grows to 0.05, which is 2950; half of 1 ETH at 2900 is 1450."""
    stage = limited(**TOTAL)
    known(stage)
    order = stage.main.bid("0.02", "59000")
    stage.settle()
    stage.world.latency_ms["half"] = 2_000
    stage.main.amend(order, qty="0.1")
    stage.run(500)
    stage.main.bid("1", "2900", "ETHUSDT")
    stage.run(20_000)
    assert stage.of("half").book() == [("Buy", Decimal("0.05"), Decimal(59_000))]
    assert "ETHUSDT" not in [order.symbol for order in stage.placed("half")[2:]]
    assert any("max_total_notional" in reason for reason in stage.held("half"))


@pytest.mark.proves("A75")
def test_an_amend_that_grows_by_its_price_is_an_entry_too() -> None:
    """0.025 at 30000 are 750, at 59000 they are 1475 of the 1000 that may be: the twin cannot go along."""
    stage = limited(max_position_notional=Decimal(1_000))
    order = stage.main.bid("0.05", "30000")
    stage.settle()
    stage.main.amend(order, price="59000")
    stage.run(5_000)
    assert stage.of("half").book() == []
    assert stage.held("half") == ["limit max_position_notional: 1475 over 1000"]
    stage.main.amend(order, price="35000")
    stage.run(5_000)
    assert stage.of("half").book() == [("Buy", Decimal("0.025"), Decimal(35_000))]
    stage.main.amend(order, qty="0.1")
    stage.run(5_000)
    assert stage.of("half").book() == [("Buy", Decimal("0.025"), Decimal(35_000))], "what fits stays"
    assert any("max_position_notional" in reason for reason in stage.held("half"))


@pytest.mark.proves("A75", "A9")
def test_an_entry_raised_to_the_minimum_is_checked_as_it_goes_out() -> None:
    """0.0001 BTC is raised to 0.001, which is 60 of 50."""
    sizing = Sizing(value=Decimal("0.001"), below_minimum=BelowMinimum.ROUND_UP)
    stage = Stage(copying("half", sizing=sizing, limits=replace(NONE, max_position_notional=Decimal(50))))
    stage.main.buy("0.1")
    stage.run(10_000)
    assert stage.of("half").held() == {}
    assert any("max_position_notional" in reason for reason in stage.held("half"))


@pytest.mark.proves("A75")
def test_a_correction_that_rests_counts_as_an_entry_that_waits() -> None:
    """catch_up = "limit": 0.05 BTC rest within 50 bps of 60000, about 3015."""
    follow = Follow(catch_up=CatchUp.LIMIT)
    stage = Stage(copying("half", follow=follow, limits=replace(NONE, **TOTAL)))
    stage.main.buy("0.1")
    stage.world.price("BTCUSDT", "61000")
    stage.run(10_000)
    assert len(stage.of("half").book()) == 1
    stage.main.buy("1", "ETHUSDT")
    stage.run(10_000)
    assert stage.of("half").held() == {}
    assert any("max_total_notional" in reason for reason in stage.held("half"))


@pytest.mark.proves("A75")
def test_the_order_rate_is_that_of_the_account_also_over_a_restart() -> None:
    stage = limited(max_orders_per_minute=2)
    stage.main.buy("0.1")
    stage.main.buy("1", "ETHUSDT")
    stage.settle()
    stage.restart()
    stage.main.buy("10", "SOLUSDT")
    stage.run(10_000)
    assert "SOLUSDT" not in stage.of("half").held()
    assert stage.held("half") == ["limit max_orders_per_minute: 2 of 2 sent"]
    stage.run(60_000)
    assert stage.of("half").held()["SOLUSDT"] == Decimal(5)


@pytest.mark.proves("A75")
@pytest.mark.parametrize("seed", range(12))
def test_whatever_main_does_no_mirror_stands_above_its_limits(seed: int) -> None:
    """Forty hasty acts of main in three symbols, at a still price; the exchange's own figures are looked at."""
    limits = replace(NONE, max_total_notional=Decimal(4_000), max_position_notional=Decimal(2_500))
    stage = Stage(copying("half", limits=limits), seed=seed)
    hand = random.Random(seed)
    sizes = {"BTCUSDT": ("0.02", "59000"), "ETHUSDT": ("0.4", "2950"), "SOLUSDT": ("8", "148")}
    resting: list[tuple[str, str]] = []
    most = Decimal(0)
    for _ in range(40):
        symbol = hand.choice(list(sizes))
        qty, price = sizes[symbol]
        act = hand.choice(("buy", "bid", "amend", "cancel", "reduce"))
        if act == "buy":
            stage.main.buy(qty, symbol)
        elif act == "bid":
            resting.append((stage.main.bid(qty, price, symbol), symbol))
        elif act == "reduce" and stage.main.position(symbol):
            stage.main.sell(qty, symbol, reduceOnly=True)
        elif resting and act == "amend":
            order, of = hand.choice(resting)
            with suppress(Refusal):  # it is as it was
                stage.main.amend(order, of, qty=str(Decimal(sizes[of][0]) * hand.randint(2, 6)))
        elif resting and act == "cancel":
            stage.main.cancel(*resting.pop(hand.randrange(len(resting))))
        stage.run(hand.choice((0, 5, 40, 300)))
        most = max(most, notional(stage, "half"))
        assert most <= Decimal(4_000)
    stage.run(5_000)
    assert notional(stage, "half") <= Decimal(4_000)
    assert most > Decimal(1_500), "something happened"


# --- main -----------------------------------------------------------------------------------------------------------


def managed(**limits: Any) -> Stage:
    return Stage(copying("half"), main_limits=replace(NONE, **limits))


def both(stage: Stage, gap_ms: int, *requests: dict[str, Any]) -> list[dict[str, Any] | MirrorctlError]:
    """Two commands that run beside each other, as two clients of the daemon have them."""
    results: list[dict[str, Any] | MirrorctlError] = []

    def done(result: dict[str, object] | None, error: MirrorctlError | None) -> None:
        results.append(error if error is not None else dict(result or {}))

    for request in requests:
        stage.engine.tasks.start(steps(stage.engine, "trade.open", request, lambda _event: None), done)
        stage.world.at(0, lambda: None)
        stage.run(gap_ms)
    stage.until(lambda: len(results) == len(requests))
    return results


BTC: dict[str, Any] = {"symbol": "BTCUSDT", "side": "long", "qty": "0.05", "leverage": "5", "wait_s": "0"}
ETH: dict[str, Any] = {"symbol": "ETHUSDT", "side": "long", "qty": "1", "leverage": "5", "wait_s": "0"}


@pytest.mark.proves("A75")
@pytest.mark.parametrize("gap_ms", [0, 20, 60, 100, 150])
@pytest.mark.parametrize(("limits", "reason"), [(TOTAL, "max_total_notional"), ({"max_open_positions": 1}, "1 of 1")])
def test_two_trades_at_once_share_the_room_there_is(gap_ms: int, limits: dict[str, Any], reason: str) -> None:
    """Each of 3000; both were checked before either was sent."""
    stage = managed(**limits)
    stage.world.latency_ms["main"] = 200
    results = both(stage, gap_ms, BTC, ETH)
    errors = [result for result in results if isinstance(result, LimitReached)]
    assert len(errors) == 1, results
    assert reason in errors[0].message
    assert len(stage.main.held()) == 1


@pytest.mark.proves("A75")
def test_the_order_rate_of_main_counts_the_entries_of_a_trade() -> None:
    stage = managed(max_orders_per_minute=3)
    entries = ["59000", "58000"]
    stage.command("trade.open", **{**BTC, "entries": entries})
    with pytest.raises(LimitReached) as caught:
        stage.command("trade.open", **{**ETH, "entries": ["2900", "2800"]})
    assert "max_orders_per_minute: 3 of 3 sent" in caught.value.message
    assert stage.main.orders("ETHUSDT") == []
    stage.command("trade.open", **ETH)
    assert stage.main.held() == {"ETHUSDT": Decimal(1)}


@pytest.mark.proves("A75")
def test_a_leverage_that_is_unknown_refuses_the_trade() -> None:
    stage = managed()
    stage.command("trade.open", **BTC)
    del stage.engine.main.view.leverage["BTCUSDT"]
    with pytest.raises(LimitReached) as caught:
        stage.command("trade.open", **{**BTC, "leverage": None})
    assert "max_leverage cannot be computed" in caught.value.message


@pytest.mark.proves("A75", "A43")
@pytest.mark.parametrize("why", ["paused", "max_total_notional"])
def test_entries_left_by_a_kill_meet_the_limits_again(why: str) -> None:
    """The second of two entries was journaled and not sent; meanwhile main was paused, or is full."""
    stage = managed(max_total_notional=Decimal(3_100))
    sends: list[str] = []

    def second_send() -> bool:
        sends[:] = [call for call in stage.world.calls if call == "main send PlaceOrder"]
        return bool(sends)

    request = {**BTC, "leverage": None, "qty": "0.05", "entries": ["59000", "58000"], "wait_s": "0"}
    stage.engine.tasks.start(steps(stage.engine, "trade.open", request, lambda _e: None), lambda _r, _e: None)
    stage.world.at(0, lambda: None)
    stage.until(second_send)
    stage.world.kill()
    stage.run(200)
    if why == "paused":
        Standings(stage.world.store).set(StandingKind.PAUSE, "main", "", "by the trader", 1)
    else:
        stage.main.buy("0.5", "ETHUSDT")
    stage.start()
    stage.run(30_000)
    assert len(stage.main.orders()) == 1
    [alert] = stage.alerts("main", "interrupted")
    assert why in alert.text


def test_exits_go_out_whatever_the_limits_say() -> None:
    stage = limited(max_orders_per_minute=1, **TOTAL)
    stage.main.buy("0.1", stop="58000")
    stage.run(3_000)
    stage.main.protect(stop="58500")
    stage.main.sell("0.04", reduceOnly=True)
    stage.run(3_000)
    assert (stage.of("half").position(), stage.of("half").stop()) == (Decimal("0.03"), Decimal(58_500))
    assert len(stage.sent("half", PlaceOrder)) == 2
