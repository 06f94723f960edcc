"""Corrections one decision at a time: growth inside its bound, reductions that never exceed what is held, flips."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.ids import Role, parse
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.scene import MainFill, NeedKind
from mirrorctl.core.domain.values import OrderType, PositionMode, Side, TimeInForce
from tests.unit.domain.scenes import LONG, NOW, PRICE, SHORT, Desk, cancels, copy_of, placed, told

DONE, REJECTED, ABSENT = IntentState.DONE, IntentState.REJECTED, IntentState.ABSENT


@pytest.fixture
def desk() -> Desk:
    """Main and mirror flat at leverage 10, r = 0.5."""
    return Desk.opened()


def sized(desk: Desk, main: str, mirror: str, side: Any = LONG) -> Desk:
    if Decimal(main):
        desk.main.hold(side, main)
    if Decimal(mirror):
        desk.mirror.hold(side, mirror)
    return desk


@pytest.mark.parametrize(
    ("main", "mirror", "said"),
    [
        ("0.1", "0", ["correction buy 0.050"]),
        ("0.1", "0.02", ["correction buy 0.030"]),
        ("0.101", "0.050", []),
        ("0.1", "0.050", []),
        ("0.1", "0.07", ["reduction sell 0.020"]),
        ("0.001", "0.050", ["reduction sell 0.050"]),
        ("0.001", "0", []),
    ],
)
def test_the_mirror_goes_to_ratio_times_main_floored(desk: Desk, main: str, mirror: str, said: list[str]) -> None:
    assert told(sized(desk, main, mirror).plan()) == said


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_growth_is_an_ioc_limit_within_the_slippage_bound(desk: Desk, side: Any) -> None:
    desk.copies = {side: copy_of(side)}
    desk.fills = {side: MainFill(Decimal(61_000), NOW, NOW)}
    [action] = placed(sized(desk, "0.1", "0", side).plan())
    assert (action.order_type, action.time_in_force, action.reduce_only) == (OrderType.LIMIT, TimeInForce.IOC, False)
    assert action.side is side.entry
    assert action.price == Decimal(61_000) * (1 + side.sign * Decimal("0.005"))
    assert "main's fill 61000" in action.reason


@pytest.mark.proves("A25")
@pytest.mark.parametrize("side", [LONG, SHORT])
def test_a_reduction_is_reduce_only_within_its_bound_and_at_market_past_the_deadline(desk: Desk, side: Any) -> None:
    desk.copies = {side: copy_of(side)}
    sized(desk, "0.1", "0.08", side)
    [action] = placed(desk.plan())
    assert (action.reduce_only, action.side, action.qty) == (True, side.exit, Decimal("0.030"))
    assert (action.order_type, action.price) == (OrderType.LIMIT, PRICE * (1 - side.sign * Decimal("0.03")))
    desk.later(10_000)
    [action] = placed(desk.plan())
    assert (action.order_type, action.price, action.reduce_only) == (OrderType.MARKET, None, True)


def test_a_reduction_without_any_price_goes_at_market_after_it_was_asked_for(desk: Desk) -> None:
    desk.ticks = False
    plan = sized(desk, "0.1", "0.08").plan()
    assert (plan.actions, [need.kind for need in plan.needs]) == ([], [NeedKind.TICKER])
    desk.later(1_000)
    assert placed(desk.plan())[0].order_type is OrderType.MARKET


def test_growth_without_any_price_waits(desk: Desk) -> None:
    desk.ticks = False
    plan = sized(desk, "0.1", "0").plan()
    assert (plan.actions, [need.kind for need in plan.needs]) == ([], [NeedKind.TICKER])
    assert [(held.reason, held.waiting) for held in plan.held] == [("price is not known yet", True)]


@pytest.mark.parametrize(("age_ms", "reference"), [(60_000, "main's fill 61000"), (60_001, "the mid 60000")])
def test_mains_fill_is_the_reference_while_it_is_young(desk: Desk, age_ms: int, reference: str) -> None:
    desk.fills = {LONG: MainFill(Decimal(61_000), NOW - age_ms, NOW)}
    assert reference in placed(sized(desk, "0.1", "0").plan())[0].reason


@pytest.mark.parametrize(
    ("past_deadline", "held", "first"), [(False, "250", "100"), (True, "250", "20"), (True, "12", "12")]
)
def test_an_exit_larger_than_one_order_may_be_goes_in_several(
    desk: Desk, past_deadline: bool, held: str, first: str
) -> None:
    sized(desk, "0", held)
    desk.copies = {LONG: copy_of(ended=True)}
    desk.plan()
    if past_deadline:
        desk.later(10_000)
    [action] = placed(desk.plan())
    assert action.qty == Decimal(first)


def test_an_entry_larger_than_one_order_may_be_goes_in_several(desk: Desk) -> None:
    assert told(sized(desk, "250", "0").plan()) == ["correction buy 100"]


@pytest.mark.parametrize("state", [s for s in IntentState if not s.is_over])
@pytest.mark.parametrize(
    ("main", "mirror", "role"), [("0.1", "0.02", Role.CORRECTION), ("0.1", "0.07", Role.REDUCTION)]
)
def test_one_correction_at_a_time(desk: Desk, state: IntentState, main: str, mirror: str, role: Role) -> None:
    sized(desk, main, mirror)
    side = Side.BUY if role is Role.CORRECTION else Side.SELL
    desk.attempt(role, "0.010", side, "0.05", state=state)
    assert desk.plan().actions == []


# --- refusals and backoff -----------------------------------------------------------------------------------------


@pytest.mark.proves("A57")
@pytest.mark.parametrize("code", [110017, 110043, 10005])
def test_a_refusal_that_nothing_heals_parks_the_symbol(desk: Desk, code: int) -> None:
    sized(desk, "0.1", "0")
    desk.attempt(Role.CORRECTION, "0.050", Side.BUY, "0.05", state=REJECTED, code=code, message="no", ended_ms=NOW)
    plan = desk.plan()
    assert plan.actions == []
    assert plan.park == f"refused by the exchange ({code}): no"
    assert [held.reason for held in plan.held] == [plan.park]


@pytest.mark.parametrize("code", [110007, 110012, 110120])
def test_a_refusal_that_may_heal_is_tried_again_ever_more_rarely(desk: Desk, code: int) -> None:
    sized(desk, "0.1", "0")
    for number, wait in enumerate((1_000, 2_000, 4_000)):
        refusal = {"state": REJECTED, "code": code, "message": "no", "ended_ms": desk.now_ms}
        desk.attempt(Role.CORRECTION, "0.050", Side.BUY, "0.05", number, **refusal)
        plan = desk.plan()
        assert (plan.park, plan.actions, plan.wake_ms) == ("", [], desk.now_ms + wait)
        assert str(code) in plan.held[0].reason
        desk.later(wait)
        again = parse(placed(desk.plan())[0].link_id)
        assert again is not None
        assert again.attempt == number + 1


@pytest.mark.parametrize(
    ("ended", "waits"), [({"state": DONE}, "slippage"), ({"state": ABSENT}, ""), ({"state": DONE, "filled": 1}, "")]
)
def test_an_attempt_that_brought_nothing_waits_for_a_better_price(
    desk: Desk, ended: dict[str, Any], waits: str
) -> None:
    sized(desk, "0.1", "0")
    desk.attempt(Role.CORRECTION, "0.050", Side.BUY, "0.05", ended_ms=NOW, **ended)
    plan = desk.plan()
    assert [held.reason.split(":")[0] for held in plan.held] == ([waits] if waits else [])
    assert bool(placed(plan)) is not bool(waits)


@pytest.mark.proves("A29")
def test_a_reduction_is_repeated_at_a_steady_pace(desk: Desk) -> None:
    sized(desk, "0.1", "0.07")
    for number in range(6):
        desk.attempt(Role.REDUCTION, "0.020", Side.SELL, "0.05", number, state=DONE, ended_ms=desk.now_ms)
        desk.later(499)
        assert desk.plan().actions == []
        desk.later(1)
        assert told(desk.plan()) == ["reduction sell 0.020"]


@pytest.mark.proves("A78")
def test_the_same_correction_needed_twice_has_two_ids_and_repeated_has_one(desk: Desk) -> None:
    sized(desk, "0.1", "0.02")
    first = placed(desk.plan())[0].link_id
    assert placed(desk.plan())[0].link_id == first
    desk.mirror.trade(Side.BUY, Decimal("0.03"), "done", first)
    desk.mirror.trade(Side.SELL, Decimal("0.03"), "by-hand")
    [second] = placed(desk.plan())
    assert (second.qty, second.link_id != first) == (Decimal("0.030"), True)


# --- flips --------------------------------------------------------------------------------------------------------


@pytest.mark.proves("A17")
@pytest.mark.parametrize("side", [LONG, SHORT])
def test_a_flip_is_a_close_and_then_an_open(side: Any) -> None:
    desk = Desk.opened(copies={side: copy_of(side, ended=True), side.opposite: copy_of(side.opposite)})
    desk.mirror.hold(side, "0.05")
    desk.main.hold(side.opposite, "0.08")
    [close] = placed(desk.plan())
    assert (close.side, close.qty, close.reduce_only) == (side.exit, Decimal("0.050"), True)
    link = parse(close.link_id)
    assert link is not None
    desk.attempt(Role.REDUCTION, "0.05", side.exit, "0", link=link)
    assert desk.plan().actions == []
    desk.mirror.trade(side.exit, Decimal("0.050"), "close", close.link_id, reduce=True)
    desk.ours[-1] = replace(desk.ours[-1], state=DONE, filled=Decimal("0.050"))
    [entry] = placed(desk.plan())
    assert (entry.side, entry.qty, entry.reduce_only) == (side.opposite.entry, Decimal("0.040"), False)


@pytest.mark.proves("A14")
def test_two_legs_on_main_freeze_a_one_way_mirror() -> None:
    desk = Desk.opened(main_mode=PositionMode.HEDGE, copies={LONG: copy_of(LONG), SHORT: copy_of(SHORT)})
    desk.main.hold(LONG, "0.1")
    desk.mirror.hold(LONG, "0.03")
    desk.main.hold(SHORT, "0.2")
    desk.twin("a", "0.010")
    plan = desk.plan()
    assert plan.parked == "hedge"
    assert told(plan) == ["CancelOrder"]
    assert len(plan.standings) == 2


@pytest.mark.proves("A15")
def test_two_legs_on_main_are_followed_on_a_hedged_mirror() -> None:
    copies = {LONG: copy_of(LONG), SHORT: copy_of(SHORT)}
    desk = Desk.opened(main_mode=PositionMode.HEDGE, mode=PositionMode.HEDGE, copies=copies)
    for side in (LONG, SHORT):
        desk.main.hold(side, "0.1")
    desk.mirror.hold(SHORT, "0.06")
    actions = {action.position_idx: action for action in placed(desk.plan())}
    assert (actions[1].side, actions[1].reduce_only) == (Side.BUY, False)
    assert (actions[2].side, actions[2].reduce_only) == (Side.BUY, True)


# --- own exits ----------------------------------------------------------------------------------------------------


@pytest.mark.proves("A76")
@pytest.mark.parametrize(
    ("changes", "main", "mirror", "said"),
    [
        ({"cap": Decimal("0.02")}, "0.1", "0.02", []),
        ({"cap": Decimal("0.02")}, "0.02", "0.02", ["reduction sell 0.010"]),
        ({"cap": Decimal("0.03")}, "0.1", "0.02", ["correction buy 0.010"]),
        ({"cap": ZERO, "out": "stop"}, "0.1", "0", []),
        ({"cap": Decimal("0.05"), "out": "stop"}, "0.1", "0.02", []),
        ({"ended": True}, "0.1", "0.02", ["reduction sell 0.020"]),
    ],
)
def test_what_an_own_exit_sold_is_not_bought_back(
    desk: Desk, changes: dict[str, Any], main: str, mirror: str, said: list[str]
) -> None:
    desk.copies = {LONG: copy_of(**changes)}
    assert told(sized(desk, main, mirror).plan()) == said


def test_a_foreign_position_beside_no_copy_is_left_alone(desk: Desk) -> None:
    desk.copies = {}
    plan = sized(desk, "0", "0.05").plan()
    assert (plan.actions, [standing.want for standing in plan.standings]) == ([], [ZERO])


@pytest.mark.proves("A81")
def test_a_parked_symbol_is_not_touched(desk: Desk) -> None:
    desk.parked = "foreign position"
    desk.twin("a", "0.010")
    plan = sized(desk, "0.1", "0.02").plan()
    assert (plan.parked, plan.actions, cancels(plan)) == ("foreign position", [], [])
    assert plan.standings[0].want == Decimal("0.050")
