"""Twins one decision at a time: what stands on the mirror for an entry order of main, and what it explains."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.ids import parse
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.values import OrderStatus, OrderType, PositionMode, Side, TimeInForce, TriggerBy
from tests.unit.domain.scenes import LONG, SHORT, Desk, amends, cancels, copy_of, order, placed, told

GRACE_MS = 5_000


@pytest.fixture
def desk() -> Desk:
    """Main and mirror flat at leverage 10, r = 0.5."""
    return Desk.opened()


def test_an_entry_order_has_a_twin_at_its_price_with_a_scaled_quantity(desk: Desk) -> None:
    desk.main.rest(order("a", "0.021", stop_loss=Decimal(58_000), stop_loss_by=TriggerBy.MARK))
    [twin] = placed(desk.plan())
    assert (twin.side, twin.qty, twin.price) == (Side.BUY, Decimal("0.010"), Decimal(59_000))
    assert (twin.order_type, twin.time_in_force, twin.reduce_only) == (OrderType.LIMIT, TimeInForce.GTC, False)
    assert (twin.stop_loss, twin.stop_loss_by) == (Decimal(58_000), TriggerBy.MARK)


@pytest.mark.parametrize("changes", [{"reduce_only": True}, {"close_on_trigger": True}, {"side": Side.SELL}])
def test_what_cannot_open_this_side_has_no_twin(desk: Desk, changes: dict[str, Any]) -> None:
    desk.main.rest(order("a", "0.02", **changes))
    assert placed(desk.plan()) == []


@pytest.mark.parametrize(
    ("side", "direction", "by"), [(LONG, 1, TriggerBy.LAST), (LONG, 2, TriggerBy.MARK), (SHORT, 2, TriggerBy.INDEX)]
)
@pytest.mark.parametrize("price", [None, Decimal(59_100)])
def test_a_conditional_entry_is_twinned_as_one(
    desk: Desk, side: Any, direction: int, by: TriggerBy, price: Decimal | None
) -> None:
    desk.copies = {side: copy_of(side)}
    conditional = order("a", "0.02", side=side.entry, price=price, trigger_price=Decimal(59_050))
    conditional = replace(conditional, trigger_direction=direction, trigger_by=by, status=OrderStatus.UNTRIGGERED)
    desk.main.rest(replace(conditional, order_type=OrderType.MARKET if price is None else OrderType.LIMIT))
    [twin] = placed(desk.plan())
    assert (twin.trigger_price, twin.trigger_direction, twin.trigger_by) == (Decimal(59_050), direction, by)
    assert (twin.price, twin.side) == (price, side.entry)


@pytest.mark.proves("A2")
@pytest.mark.parametrize(
    ("changes", "amended"),
    [
        ({"price": Decimal(58_500)}, (None, Decimal(58_500))),
        ({"qty": Decimal("0.03")}, (Decimal("0.015"), None)),
        ({"qty": Decimal("0.01"), "price": Decimal(58_500)}, (Decimal("0.005"), Decimal(58_500))),
        ({}, None),
    ],
)
def test_a_twin_follows_an_amended_order(desk: Desk, changes: dict[str, Any], amended: Any) -> None:
    desk.main.rest(replace(order("a", "0.02"), **changes))
    desk.twin("a", "0.010")
    plan = desk.plan()
    assert [(change.qty, change.price) for change in amends(plan)] == ([amended] if amended else [])
    assert (placed(plan), cancels(plan)) == ([], [])


def test_a_twin_of_an_order_that_is_gone_is_cancelled(desk: Desk) -> None:
    desk.main.rest(order("a", "0.02"))
    desk.main.end("a")
    desk.twin("a", "0.010")
    assert told(desk.plan()) == ["CancelOrder"]


# --- lead: the twin filled first ----------------------------------------------------------------------------------


def led(desk: Desk, twin_filled: str, main_filled: str = "0") -> None:
    """Main's order of 0.02 with its twin of 0.010; both filled so far as given."""
    desk.main.rest(order("a", "0.02"))
    twin = desk.twin("a", "0.010")
    if Decimal(main_filled):
        desk.main.fill("a", Decimal(main_filled))
    if Decimal(twin_filled):
        desk.mirror.fill("on-mirror-a-0", Decimal(twin_filled))
    over = Decimal(twin_filled) == twin.qty
    desk.ours[-1] = replace(twin, filled=Decimal(twin_filled), state=IntentState.DONE if over else IntentState.LIVE)


@pytest.mark.proves("A20")
@pytest.mark.parametrize(
    ("twin", "main", "tolerated"),
    [("0.010", "0", "0.010"), ("0.004", "0", "0.004"), ("0.006", "0.004", "0.004"), ("0.010", "0.012", "0.004")],
)
def test_a_lead_is_kept_while_mains_order_is_open(desk: Desk, twin: str, main: str, tolerated: str) -> None:
    led(desk, twin, main)
    plan = desk.plan()
    assert plan.actions == []
    assert plan.standings[0].tolerated == Decimal(tolerated)


@pytest.mark.proves("A20")
@pytest.mark.parametrize(("twin", "main", "excess"), [("0.010", "0", "0.010"), ("0.010", "0.012", "0.004")])
def test_a_lead_is_undone_when_mains_order_ends_unfilled(desk: Desk, twin: str, main: str, excess: str) -> None:
    led(desk, twin, main)
    desk.main.end("a")
    assert told(desk.plan()) == [f"reduction sell {excess}"]


def test_a_lead_never_stands_against_a_position_of_main(desk: Desk) -> None:
    """Main, hedged, has an open long and a short that only rests; the mirror's short twin filled first."""
    desk = Desk.opened(main_mode=PositionMode.HEDGE, copies={LONG: copy_of(LONG), SHORT: copy_of(SHORT)})
    desk.main.rest(order("a", "0.02", side=Side.SELL, position_idx=2))
    twin = desk.twin("a", "0.010", side=Side.SELL)
    desk.mirror.fill("on-mirror-a-0")
    desk.ours[-1] = replace(twin, filled=twin.qty, state=IntentState.DONE)
    assert desk.plan().actions == []
    desk.main.hold(LONG, "0.02")
    assert told(desk.plan()) == ["reduction buy 0.010"]


# --- lag: main's order filled first -------------------------------------------------------------------------------


@pytest.mark.proves("A20")
@pytest.mark.parametrize(
    ("twin", "main", "remainder"), [("0", "0.02", "0.010"), ("0.004", "0.02", "0.006"), ("0.001", "0.01", "0.004")]
)
def test_a_lagging_twin_stands_for_the_difference_until_the_grace_is_over(
    desk: Desk, twin: str, main: str, remainder: str
) -> None:
    led(desk, twin, main)
    assert desk.plan().actions == []
    desk.later(GRACE_MS - 1)
    assert desk.plan().actions == []
    desk.later(1)
    assert told(desk.plan()) == ["CancelOrder"]
    desk.busy = frozenset(["cancel:on-mirror-a-0"])
    assert desk.plan().actions == []
    desk.busy = frozenset()
    desk.mirror.end("on-mirror-a-0")
    desk.ours[-1] = replace(desk.ours[-1], state=IntentState.DONE, by_us=True)
    again = [] if main == "0.02" else ["twin buy 0.005"]
    assert told(desk.plan()) == [*again, f"correction buy {remainder}"]


def test_a_twin_of_an_order_that_grew_and_filled_stands_for_all_of_it(desk: Desk) -> None:
    desk.main.rest(order("a", "0.02"))
    desk.twin("a", "0.010")
    desk.main.rest(replace(desk.main.orders["a"], qty=Decimal("0.06")))
    desk.main.fill("a", Decimal("0.04"))
    plan = desk.plan()
    assert told(plan) == ["AmendOrder"]
    assert amends(plan)[0].qty == Decimal("0.030")


def test_nothing_is_ordered_beside_a_twin_that_is_being_amended(desk: Desk) -> None:
    desk.main.rest(order("a", "0.06"))
    desk.twin("a", "0.010")
    desk.main.fill("a")
    desk.busy = frozenset(["amend:on-mirror-a-0"])
    assert desk.plan().actions == []
    desk.busy = frozenset()
    assert told(desk.plan()) == ["correction buy 0.020"]


def test_no_correction_rounds_up_what_a_twin_is_about_to_fill(desk: Desk) -> None:
    desk.main.hold(LONG, "0.001")
    desk.main.rest(order("a", "0.002"))
    desk.twin("a", "0.001")
    desk.main.fill("a", Decimal("0.001"))
    assert desk.plan().actions == []


def test_a_fill_that_closed_a_short_of_main_is_not_copied(desk: Desk) -> None:
    desk.main.rest(order("a", "0.02"))
    desk.twin("a", "0.010")
    desk.main.hold(SHORT, "0.02")
    desk.main.fill("a")
    assert told(desk.plan()) == ["CancelOrder"]


def test_a_twin_placed_again_counts_from_what_main_had_filled_then(desk: Desk) -> None:
    desk.main.rest(order("a", "0.02"))
    desk.main.fill("a", Decimal("0.01"))
    desk.mirror.hold(LONG, "0.005")
    first = desk.twin("a", "0.010", state=IntentState.DONE, by_us=True)
    plan = desk.plan()
    assert told(plan) == ["twin buy 0.005"]
    again = parse(placed(plan)[0].link_id)
    assert again is not None
    assert again.attempt == first.link.attempt + 1
    assert plan.actions[0].main_filled == Decimal("0.01")
    desk.twin("a", "0.005", attempt=1, main_filled=Decimal("0.01"))
    assert desk.plan().actions == []


@pytest.mark.parametrize(
    ("ratio", "size", "led_qty"), [("0.7", "0.02", "0.009"), ("0.3", "0.1", "0.001"), ("1.7", "0.1", "0.001")]
)
def test_a_lead_carried_over_to_the_next_twin_rounds_to_the_same_quantity(
    desk: Desk, ratio: str, size: str, led_qty: str
) -> None:
    """Part of the first twin led, it was cancelled and placed again: its base, a division, must not lose a step."""
    desk.copies = {LONG: copy_of(ratio=ratio)}
    desk.main.rest(order("a", size))
    whole, lead = Decimal(ratio) * Decimal(size), Decimal(led_qty)
    desk.twin("a", str(desk.instrument.floor_qty(whole)), state=IntentState.DONE, by_us=True, filled=lead)
    desk.mirror.hold(LONG, lead)
    plan = desk.plan()
    [twin] = placed(plan)
    assert twin.qty == desk.instrument.floor_qty(whole - lead)
    desk.twin("a", str(twin.qty), attempt=1, main_filled=plan.actions[0].main_filled)
    assert desk.plan().actions == []


@pytest.mark.parametrize(
    ("ratio", "size", "qty"), [("0.3", "1", "0.300"), ("0.7", "0.01", "0.007"), ("3", "0.1", "0.300")]
)
@pytest.mark.parametrize("filled", ["0", "0.003"])
def test_a_twin_found_with_a_lost_store_is_left_as_it_stands(
    desk: Desk, ratio: str, size: str, qty: str, filled: str
) -> None:
    desk.copies = {LONG: copy_of(ratio=ratio)}
    desk.main.rest(order("a", size))
    twin = desk.twin("a", qty, main_order_id="", main_filled=None)
    if Decimal(filled):
        desk.mirror.fill("on-mirror-a-0", Decimal(filled))
        desk.ours[-1] = replace(twin, filled=Decimal(filled))
    assert desk.plan().actions == []


# --- ended by the exchange ----------------------------------------------------------------------------------------

DONE, REJECTED, ABSENT = IntentState.DONE, IntentState.REJECTED, IntentState.ABSENT
HEALS, FINAL = 110007, 110017


@pytest.mark.parametrize(
    ("ended", "main_price", "again"),
    [
        ({"state": DONE}, 59_000, False),
        ({"state": DONE}, 58_900, True),
        ({"state": DONE, "by_us": True}, 59_000, True),
        ({"state": DONE, "filled": Decimal("0.004")}, 59_000, False),
        ({"state": ABSENT}, 59_000, True),
        ({"state": REJECTED, "code": FINAL}, 59_000, False),
        ({"state": REJECTED, "code": FINAL}, 58_900, True),
        ({"state": REJECTED, "code": HEALS}, 59_000, False),
    ],
    ids=str,
)
def test_a_twin_that_the_exchange_ended_is_not_placed_again_at_its_price(
    desk: Desk, ended: dict[str, Any], main_price: int, again: bool
) -> None:
    desk.main.rest(order("a", "0.02", price=Decimal(main_price)))
    desk.twin("a", "0.010", ended_ms=desk.now_ms, **ended)
    if ended.get("filled"):
        desk.mirror.hold(LONG, ended["filled"])
    assert bool(placed(desk.plan())) == again


def test_a_twin_refused_for_margin_is_tried_again_ever_more_rarely(desk: Desk) -> None:
    desk.main.rest(order("a", "0.02"))
    for number, wait in enumerate((1_000, 2_000, 4_000, 8_000)):
        desk.twin("a", "0.010", attempt=number, state=REJECTED, code=HEALS, ended_ms=desk.now_ms)
        assert desk.plan().wake_ms == desk.now_ms + wait
        desk.later(wait - 1)
        assert placed(desk.plan()) == []
        desk.later(1)
        [twin] = placed(desk.plan())
        link = parse(twin.link_id)
        assert link is not None
        assert link.attempt == number + 1


# --- the other side -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beyond", [False, True])
def test_an_order_against_a_one_way_position_of_main_is_no_entry(desk: Desk, beyond: bool) -> None:
    desk.copies = {LONG: copy_of(LONG), SHORT: copy_of(SHORT)}
    desk.main.hold(LONG, "0.02")
    desk.mirror.hold(LONG, "0.010")
    desk.main.rest(order("a", "0.05" if beyond else "0.02", side=Side.SELL))
    assert desk.plan().actions == []


def test_no_entry_rests_against_the_leg_that_a_one_way_mirror_follows() -> None:
    desk = Desk.opened(main_mode=PositionMode.HEDGE, copies={LONG: copy_of(LONG), SHORT: copy_of(SHORT)})
    desk.main.hold(LONG, "0.02")
    desk.mirror.hold(LONG, "0.010")
    desk.main.rest(order("a", "0.04", side=Side.SELL, position_idx=2))
    plan = desk.plan()
    assert plan.actions == []
    assert [(held.side, held.reason.split(":")[0]) for held in plan.held] == [(SHORT, "hedge")]
    desk.twin("a", "0.020", side=Side.SELL)
    assert told(desk.plan()) == ["CancelOrder"]


def test_no_twin_is_placed_over_a_position_that_is_still_to_be_closed(desk: Desk) -> None:
    desk.copies = {LONG: copy_of(LONG, ended=True), SHORT: copy_of(SHORT)}
    desk.mirror.hold(LONG, "0.010")
    desk.main.rest(order("a", "0.02", side=Side.SELL))
    assert told(desk.plan()) == ["reduction sell 0.010"]
    desk.mirror.trade(Side.SELL, Decimal("0.010"), "close", reduce=True)
    assert told(desk.plan()) == ["twin sell 0.010"]


def test_a_hedged_mirror_follows_each_leg_for_itself() -> None:
    desk = Desk.opened(
        main_mode=PositionMode.HEDGE, mode=PositionMode.HEDGE, copies={LONG: copy_of(LONG), SHORT: copy_of(SHORT)}
    )
    desk.main.hold(LONG, "0.02")
    desk.mirror.hold(LONG, "0.010")
    desk.main.rest(order("a", "0.04", side=Side.SELL, position_idx=2))
    [twin] = placed(desk.plan())
    assert (twin.side, twin.qty, twin.position_idx) == (Side.SELL, Decimal("0.020"), 2)


@pytest.mark.parametrize(("qty", "reason"), [("0.001", "below minimum"), ("0.0001", "below minimum")])
def test_a_twin_below_the_minimum_is_held_and_says_so(desk: Desk, qty: str, reason: str) -> None:
    desk.main.rest(order("a", qty))
    plan = desk.plan()
    assert plan.actions == []
    assert [held.reason.split(":")[0] for held in plan.held] == [reason]
    assert plan.held[0].want == ZERO
