"""Stops under stress: always there, over the whole position, on the right side, moved with what may still fill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.actions import AmendOrder
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.policy import MirrorPolicy, OnUnprotected
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.ports import ReadTicker
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying
from tests.simulation.hand import Hand

NAMES = ("main", "half", "quarter")
LADDER = "61000:50 62000:30 63000:20"
BOUND_MS = 2_000
TRADING_STOP = "/v5/position/trading-stop"


def entered(
    qty: str = "0.2", side: PositionSide = PositionSide.LONG, mirrors: tuple[MirrorPolicy, ...] = (), **terms: Any
) -> Hand:
    """A managed trade, entered at market, with its ladder and its stop; the stage is at rest."""
    hand = Hand(Stage(*mirrors), side)
    hand.trade(LADDER, stop="57000", **terms)
    hand.enter(qty, stop="57000", leg=0)
    hand.stage.settle()
    return hand


def stops(hand: Hand) -> list[Decimal | None]:
    return [hand.stop(name) for name in NAMES if name == "main" or name in hand.stage.mirrors]


def refuse_stops(hand: Hand, name: str, code: int = 10001, message: str = "not now") -> int:
    return hand.stage.world.fault(FaultKind.RET_CODE, name, TRADING_STOP, count=None, code=code, message=message)


# --- always, and over everything -------------------------------------------------------------------------------------


def watched(hand: Hand, for_ms: int, naked_ms: dict[str, int]) -> None:
    """Let time pass; count for each account how long a position stood without a stop over all of it."""
    for _ in range(for_ms // 10):
        hand.stage.run(10)
        for name in NAMES:
            size, row = hand.size(name), guard(hand, name)
            if size and (row is None or Decimal(row["qty"]) != size):
                naked_ms[name] = naked_ms.get(name, 0) + 10


def guard(hand: Hand, name: str) -> dict[str, Any] | None:
    """The order that stands for the stop of the position."""
    rows = hand.stage.world.call(name, "GET", "/v5/order/realtime", category="linear", symbol="BTCUSDT")
    found = [row for row in rows["result"]["list"] if row["stopOrderType"] == "StopLoss"]
    assert len(found) <= 1
    return found[0] if found else None


@pytest.mark.proves("A21", "A22")
@pytest.mark.parametrize("side", PositionSide)
def test_no_position_is_without_a_stop_over_all_of_it_whatever_happens_to_it(side: PositionSide) -> None:
    """Entries, partial fills, an add, a reduction by hand, a target, a moved stop, two restarts."""
    hand, naked_ms = Hand(Stage(), side), dict[str, int]()
    stage = hand.stage
    hand.trade(LADDER, stop="57000")
    deeds: list[Callable[[], object]] = [
        lambda: hand.enter("0.1", stop="57000", leg=0),
        lambda: hand.enter("0.1", "59500", stop="57000", leg=1),
        lambda: stage.main.fill(hand.entry("main", "59500")["orderId"], "0.03"),
        lambda: hand.market("59500"),
        stage.restart,
        lambda: hand.enter("0.1"),
        lambda: hand.reduce("0.06"),
        lambda: hand.protect("57500"),
        stage.restart,
        lambda: hand.market("61000"),
        lambda: hand.market("62000"),
    ]
    for deed in deeds:
        deed()
        watched(hand, 1_500, naked_ms)
    hand.silent()
    assert hand.size("main") == Decimal("0.048")
    assert naked_ms == {}
    measured = stage.world.store.naked_times(0)
    assert {row.account for row in measured if row.ended} == set(NAMES), "measured for every position"
    assert max(row.ms for row in measured) < 100, "from the fill to the first read that showed the stop"


@pytest.mark.proves("A21")
@pytest.mark.parametrize("name", ["main", "half"])
def test_a_stop_that_vanishes_is_back_within_the_bound_and_the_time_without_it_is_measured(name: str) -> None:
    hand = entered()
    began_ms = hand.stage.world.now_ms()
    hand.of(name).protect(stop="0")
    assert hand.stop(name) is None
    hand.stage.until(lambda: hand.stop(name) is not None, BOUND_MS)
    hand.silent()
    assert stops(hand) == [Decimal(57_000)] * 3
    [spell] = hand.stage.world.store.naked_times(began_ms)
    assert (spell.account, spell.ended) == (name, True)
    assert 0 < spell.ms <= BOUND_MS


@pytest.mark.proves("A22")
@pytest.mark.parametrize("managed", [True, False], ids=["managed", "by hand"])
def test_every_order_that_can_open_carries_the_stop_of_the_whole_position(managed: bool) -> None:
    stage = Stage()
    hand = Hand(stage)
    if managed:
        hand.trade(LADDER, stop="57000")
    hand.enter("0.1", stop="57000", leg=0 if managed else None)
    hand.enter("0.1", "59500", stop="57000", leg=1 if managed else None)
    stage.settle()
    hand.enter("0.1")
    stage.settle()
    opening = [order for name in stage.mirrors for order in stage.placed(name) if not order.reduce_only]
    assert len(opening) == 6
    assert {order.stop_loss for order in opening} == {Decimal(57_000)}
    for name in stage.mirrors:
        twin = hand.entry(name, "59500")
        assert (twin["stopLoss"], twin["tpslMode"]) == ("57000.00", "Full")


# --- a price that has passed ---------------------------------------------------------------------------------------


@pytest.mark.proves("A24")
@pytest.mark.parametrize("side", PositionSide)
def test_a_first_stop_that_price_has_passed_closes_at_market_with_an_alert(side: PositionSide) -> None:
    """The stop is refused while price falls through it; what it should have protected is closed then, once."""
    hand = Hand(Stage(), side)
    stage = hand.stage
    fault = refuse_stops(hand, "main")
    hand.trade(LADDER, stop="59000")
    hand.enter("0.2")
    stage.run(1_000)
    hand.market("58990")
    stage.run(BOUND_MS + 3_000)
    stage.world.gateway.faults.clear(fault)
    hand.silent()
    assert [hand.size(name) for name in NAMES] == [0, 0, 0]
    told = [alert for alert in stage.alerts("main") if "is passed" in alert.text]
    assert [(alert.kind, alert.severity.value) for alert in told] == [("stop-passed", "critical")]
    assert len([order for order in stage.placed("main") if order.role is Role.REDUCTION]) == 1


@pytest.mark.proves("A24")
def test_a_breakeven_that_price_has_passed_leaves_the_standing_stop_and_is_placed_later() -> None:
    hand = entered()
    for name, qty in (("main", "0.1"), ("half", "0.05"), ("quarter", "0.025")):
        hand.of(name).fill(hand.rung(name, "61000"), qty)
    hand.stage.run(10_000)
    assert stops(hand) == [Decimal(57_000)] * 3, "the market stands below breakeven"
    assert [hand.size(name) for name in NAMES] == [Decimal("0.1"), Decimal("0.05"), Decimal("0.025")]
    said = [alert.text for alert in hand.stage.alerts("main") if "passed" in alert.text or "refused" in alert.text]
    assert len(said) == 1, said
    hand.market("60900")
    hand.stage.run(60_000)
    hand.silent()
    assert stops(hand) == [Decimal(hand.breakeven())] * 3


@pytest.mark.proves("A24")
def test_a_price_that_was_read_long_ago_closes_nothing_and_holds_nothing_back() -> None:
    hand = entered()
    stage = hand.stage
    hand.market("59000")
    stage.engine.main.ask(ReadTicker("BTCUSDT"), stage.world.now_ms())
    stage.run(1_000)
    hand.market("60900")
    stage.run(60_000)
    hand.protect("59500")
    stage.settle()
    fault = refuse_stops(hand, "main")
    stage.main.protect(stop="0")
    stage.run(1_000)
    stage.world.gateway.faults.clear(fault)
    stage.run(5_000)
    assert hand.size("main") == Decimal("0.2")
    assert hand.stop("main") == Decimal(59_500)


# --- a stop that cannot be placed ------------------------------------------------------------------------------------


@pytest.mark.proves("A26")
@pytest.mark.parametrize("policy", OnUnprotected)
def test_a_mirror_without_its_stop_past_the_bound_is_told_and_closed_where_the_policy_says(
    policy: OnUnprotected,
) -> None:
    stage = Stage(replace(copying("half", "0.5"), on_unprotected=policy), copying("quarter", "0.25"))
    hand = Hand(stage)
    refuse_stops(hand, "half")
    hand.enter("0.2")
    stage.settle()
    hand.protect("58000")
    stage.run(BOUND_MS - 500)
    assert hand.size("half") == Decimal("0.1")
    stage.run(5_000)
    told = [alert for alert in stage.alerts("half") if alert.severity.value == "critical" and "stop" in alert.text]
    assert told
    assert hand.size("half") == (Decimal("0.1") if policy is OnUnprotected.ALERT else 0)
    assert hand.size("quarter") == Decimal("0.05")
    if policy is OnUnprotected.ALERT:
        assert {"account": "half", "symbol": "BTCUSDT", "side": "long"} in stage.status()["unprotected"]
    else:
        stage.restart()
        hand.silent()
        hand.enter("0.1")
        hand.silent()
        assert hand.size("half") == 0, "it does not enter this cycle again"


@pytest.mark.proves("A26")
def test_a_managed_trade_without_its_stop_past_the_bound_says_so_and_gets_it_when_it_can() -> None:
    hand = Hand(Stage())
    stage = hand.stage
    hand.trade(LADDER, stop="57000")
    fault = refuse_stops(hand, "main")
    hand.enter("0.2")
    stage.run(BOUND_MS + 2_000)
    assert {"account": "main", "symbol": "BTCUSDT", "side": "long"} in stage.status()["unprotected"]
    assert [a.severity.value for a in stage.alerts("main", "naked")] == ["critical"]
    stage.world.gateway.faults.clear(fault)
    stage.run(40_000)
    hand.silent()
    assert stops(hand) == [Decimal(57_000)] * 3
    assert stage.status()["unprotected"] == []


@pytest.mark.proves("A28")
@pytest.mark.parametrize("name", ["main", "half"])
def test_a_full_order_book_keeps_targets_off_it_but_no_stop_and_they_are_named(name: str) -> None:
    hand = entered()
    stage = hand.stage
    cap = stage.world.fault(
        FaultKind.RET_CODE, name, "/v5/order/create", count=None, code=110020, message="more than 500 active orders"
    )
    for price in ("61000", "62000", "63000"):
        hand.of(name).cancel(hand.rung(name, price))
    stage.run(4_000)
    assert hand.targets(name) == []
    hand.protect("57500")
    stage.run(5_000)
    assert hand.stop(name) == Decimal(57_500)
    said = " ".join(alert.text for alert in stage.alerts(name) if "110020" in alert.text)
    assert all(price in said for price in ("61000", "62000", "63000")), said
    stage.world.gateway.faults.clear(cap)
    stage.run(120_000)
    hand.silent()
    assert len(hand.targets(name)) == 3
    assert sum(qty for _, qty in hand.targets(name)) == hand.size(name)


@pytest.mark.proves("A28")
def test_a_full_set_of_conditionals_keeps_an_entry_off_and_no_stop() -> None:
    stage = Stage()
    hand = Hand(stage)
    stage.world.fault(
        FaultKind.RET_CODE, "half", "/v5/order/create", count=None, code=110009, message="more than 10 stop orders"
    )
    order = stage.main.buy("0.1", triggerPrice="61000", triggerDirection=1, price="61010", stop="57000")
    stage.run(3_000)
    assert hand.of("half").orders() == []
    assert [alert.text for alert in stage.alerts("half") if "110009" in alert.text]
    stage.world.gateway.faults.clear()
    hand.market("61000")
    stage.run(8_000)
    stage.settle()
    assert stage.engine.main.view.order(order) is not None
    assert hand.size("half") == Decimal("0.05"), "followed by fill"
    assert hand.stop("half") == Decimal(57_000)


# --- what was intended ----------------------------------------------------------------------------------------------


@pytest.mark.proves("A27")
@pytest.mark.parametrize("name", NAMES)
def test_a_stop_taken_away_while_no_daemon_ran_is_restored_exactly(name: str) -> None:
    hand = entered()
    hand.protect("57123.4")
    hand.silent()
    hand.stage.world.kill()
    hand.of(name).protect(stop="0")
    hand.stage.run(5_000)
    hand.stage.start()
    hand.stage.run(3_000)
    hand.silent()
    assert stops(hand) == [Decimal("57123.4")] * 3


@pytest.mark.proves("A27", "A33")
@pytest.mark.parametrize("killed_after_ms", range(0, 120, 8))
def test_a_breakeven_that_was_decided_survives_a_kill_before_it_stands(killed_after_ms: int) -> None:
    hand = entered()
    hand.market("61000")
    hand.stage.run(killed_after_ms)
    hand.stage.restart()
    hand.stage.run(8_000)
    hand.silent()
    assert stops(hand) == [Decimal(hand.breakeven())] * 3


# --- moved with what may still fill ---------------------------------------------------------------------------------


@pytest.mark.proves("A84")
@pytest.mark.parametrize("side", PositionSide)
@pytest.mark.parametrize("managed", [True, False], ids=["managed", "by hand"])
def test_moving_the_positions_stop_moves_what_resting_entries_and_twins_carry(
    managed: bool, side: PositionSide
) -> None:
    """By hand on main, with trading-stop. A trade made elsewhere keeps its own entries as they are (A79)."""
    stage = Stage()
    hand = Hand(stage, side)
    if managed:
        hand.trade(LADDER, stop="57000")
    hand.enter("0.2", stop="57000", leg=0 if managed else None)
    for leg, price in ((1, "59500"), (2, "58000")):
        hand.enter("0.1", price, stop="57000", leg=leg if managed else None)
    stage.settle()
    sent = len(stage.sent())
    hand.protect("58100")
    hand.silent()
    assert stops(hand) == [Decimal(58_100)] * 3
    for name in NAMES if managed else NAMES[1:]:
        carried = [Decimal(hand.at(hand.entry(name, price)["stopLoss"])) for price in ("59500", "58000")]
        assert carried == [58_100, 57_000], "no stop can stand beyond the price of the entry that carries it"
    if not managed:
        assert stage.sent("main") == []
    moves = [row for row in stage.sent()[sent:] if isinstance(row.action, AmendOrder)]
    assert len(moves) == (3 if managed else 2)


@pytest.mark.proves("A84", "A35")
@pytest.mark.parametrize("managed", [True, False], ids=["managed", "by hand"])
def test_an_entry_that_was_filled_in_part_brings_its_old_stop_and_the_better_one_comes_back(managed: bool) -> None:
    """Bybit's 110059: the stop attached to a partly filled order cannot be changed."""
    stage = Stage()
    hand = Hand(stage)
    if managed:
        hand.trade(LADDER, stop="57000")
    hand.enter("0.2", stop="57000", leg=0 if managed else None)
    hand.enter("0.1", "59500", stop="57000", leg=1 if managed else None)
    stage.settle()
    for name, part in (("main", "0.04"), ("half", "0.02"), ("quarter", "0.01")):
        hand.of(name).fill(hand.entry(name, "59500")["orderId"], part)
    stage.settle()
    hand.protect("58000")
    hand.silent()
    assert stops(hand) == [Decimal(58_000)] * 3
    assert [row for row in stage.sent() if getattr(row.outcome, "code", 0) == 110059] == []
    for name, part in (("half", "0.03"), ("quarter", "0.015")):
        hand.of(name).fill(hand.entry(name, "59500")["orderId"], part)
        assert hand.stop(name) == Decimal(57_000), "the fill brought the old one"
    stage.run(1_000)
    assert stops(hand) == [Decimal(58_000)] * 3
    stage.main.fill(hand.entry("main", "59500")["orderId"], "0.06")
    stage.run(1_000)
    hand.silent()
    if managed:
        assert stops(hand) == [Decimal(58_000)] * 3
        assert stage.engine.trades.get("BTCUSDT", PositionSide.LONG).stop == 58_000  # type: ignore[union-attr]  # it stands
    else:
        assert hand.stop("main") == hand.stop("half") == Decimal(57_000), "main's own hand is followed"


@pytest.mark.proves("A23")
def test_one_stop_stands_for_a_position_whatever_brought_it() -> None:
    """Attached to each entry, set on the position, moved: never a second one."""
    hand = entered()
    hand.enter("0.1", "59500", stop="56000", leg=1)
    hand.enter("0.1", "59400", stop="56500", leg=2)
    hand.market("59400")
    hand.stage.settle()
    hand.protect("57200")
    hand.silent()
    for name in NAMES:
        row = guard(hand, name)
        assert row is not None
        assert (Decimal(row["qty"]), Decimal(row["triggerPrice"])) == (hand.size(name), Decimal(57_200))
