"""Stops and take-profits of main on the mirror: set, moved, with main's trigger price, and never removed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.scene import NeedKind
from mirrorctl.core.domain.values import OrderStatus, PositionMode, Side, StopKind, TriggerBy
from tests.unit.domain.scenes import LONG, NOW, SHORT, Desk, copy_of, execution, placed, stop_row, stops, told

STOP, NEW, TARGET = Decimal(55_000), Decimal(56_000), Decimal(70_000)


def held(main: dict[str, Any], mirror: dict[str, Any], **settings: Any) -> Desk:
    """A long of 0.1 on main, followed in step by 0.05."""
    desk = Desk.opened(**settings)
    desk.main.hold(LONG, "0.1", **main)
    desk.mirror.hold(LONG, "0.05", **mirror)
    return desk


@pytest.mark.parametrize(
    ("main", "mirror", "changes"),
    [
        ({"stop_loss": STOP}, {}, [(STOP, None)]),
        ({"stop_loss": NEW}, {"stop_loss": STOP}, [(NEW, None)]),
        ({"stop_loss": STOP}, {"stop_loss": STOP}, []),
        ({"stop_loss": STOP, "take_profit": TARGET}, {"stop_loss": STOP}, [(None, TARGET)]),
        ({"stop_loss": NEW, "take_profit": TARGET}, {"stop_loss": STOP}, [(NEW, None), (None, TARGET)]),
        ({"take_profit": TARGET}, {"stop_loss": STOP, "take_profit": TARGET}, []),
        ({}, {"stop_loss": STOP}, []),
        ({}, {"stop_loss": STOP, "take_profit": TARGET}, [(None, Decimal(0))]),
        ({}, {}, []),
    ],
)
def test_a_mirror_takes_mains_stop_and_keeps_its_own_when_mains_is_gone(
    main: dict[str, Any], mirror: dict[str, Any], changes: list[tuple[Decimal | None, Decimal | None]]
) -> None:
    found = stops(held(main, mirror).plan())
    assert [(action.stop_loss, action.take_profit) for action in found] == changes


@pytest.mark.parametrize("by", TriggerBy)
@pytest.mark.parametrize("kind", [StopKind.STOP_LOSS, StopKind.TAKE_PROFIT])
def test_it_triggers_by_the_same_price_as_on_main(by: TriggerBy, kind: StopKind) -> None:
    both = {"stop_loss": STOP, "take_profit": TARGET}
    desk = held(both, both)
    desk.main.rest(stop_row(LONG, by, stop_kind=kind))
    desk.mirror.rest(stop_row(LONG, TriggerBy.LAST, stop_kind=kind))
    found = stops(desk.plan())
    if by is TriggerBy.LAST:
        assert found == []
        return
    [action] = found
    if kind is StopKind.STOP_LOSS:
        assert (action.stop_loss, action.stop_loss_by, action.take_profit) == (STOP, by, None)
    else:
        assert (action.take_profit, action.take_profit_by, action.stop_loss) == (TARGET, by, None)


def test_a_trigger_type_that_no_order_row_shows_changes_nothing() -> None:
    desk = held({"stop_loss": STOP}, {"stop_loss": STOP})
    desk.main.rest(stop_row(LONG, TriggerBy.MARK))
    assert stops(desk.plan()) == []


@pytest.mark.parametrize(("busy", "left"), [("stop", (None, TARGET)), ("target", (STOP, None))])
def test_what_is_under_way_is_not_sent_again_and_delays_nothing_else(busy: str, left: Any) -> None:
    both = {"stop_loss": STOP, "take_profit": TARGET}
    [action] = stops(held(both, {}, busy=frozenset([busy])).plan())
    assert (action.stop_loss, action.take_profit) == left


@pytest.mark.proves("A24")
@pytest.mark.parametrize(("by", "closes"), [(TriggerBy.LAST, True), (TriggerBy.MARK, True), (None, False)])
def test_a_stop_that_price_has_passed_before_it_could_be_placed_closes(by: TriggerBy | None, closes: bool) -> None:
    desk = held({"stop_loss": TARGET}, {})
    if by is not None:
        desk.main.rest(stop_row(LONG, by))
    desk.plan()
    desk.later(500)
    assert bool(desk.plan().passed_stops) is closes


@pytest.mark.proves("A24")
def test_a_stop_that_cannot_be_improved_stays_and_an_unknown_price_closes_nothing() -> None:
    for mirror, ticks in (({"stop_loss": STOP}, True), ({}, False)):
        desk = held({"stop_loss": TARGET}, mirror, ticks=ticks)
        desk.plan()
        desk.later(500)
        assert desk.plan().passed_stops == {}


@pytest.mark.proves("A21")
@pytest.mark.parametrize(("ms", "naked"), [(2_000, False), (2_001, True)])
def test_a_position_without_its_stop_beyond_the_bound_is_unprotected(ms: int, naked: bool) -> None:
    desk = held({"stop_loss": STOP}, {}, busy=frozenset(["stop"]))
    desk.plan()
    desk.later(ms)
    assert desk.plan().unprotected == ([LONG] if naked else [])


def test_a_stop_goes_out_before_anything_else() -> None:
    desk = held({"stop_loss": NEW}, {"stop_loss": STOP})
    desk.main.hold(LONG, "0.06")
    desk.twin("gone", "0.010")
    assert told(desk.plan())[0] == "SetTradingStop"


def test_the_stop_of_a_mirror_stands_after_main_went_flat() -> None:
    desk = held({"stop_loss": STOP}, {"stop_loss": STOP}, copies={LONG: copy_of(ended=True)})
    desk.main.hold(LONG, "0")
    assert stops(desk.plan()) == []


@pytest.mark.parametrize("account", ["main", "mirror"])
def test_a_fill_whose_position_row_has_not_come_is_waited_for_and_then_read(account: str) -> None:
    desk = Desk.opened()
    if account == "main":
        desk.mirror.hold(LONG, "0.05")
        desk.main.view.apply_execution(execution("x", "o", "0.1", 9), NOW)
    else:
        desk.main.hold(LONG, "0.1", stop_loss=STOP)
        desk.mirror.view.apply_execution(execution("x", "o", "0.05", 9), NOW)
    plan = desk.plan()
    assert (plan.actions, plan.needs, plan.wake_ms) == ([], [], NOW + 300)
    desk.later(300)
    plan = desk.plan()
    assert [(need.kind, need.account) for need in plan.needs] == [(NeedKind.POSITION, account)]


@pytest.mark.proves("A15")
def test_each_leg_of_a_hedged_mirror_has_its_own_stop() -> None:
    copies = {LONG: copy_of(LONG), SHORT: copy_of(SHORT)}
    desk = Desk.opened(main_mode=PositionMode.HEDGE, mode=PositionMode.HEDGE, copies=copies)
    for side, stop in ((LONG, STOP), (SHORT, TARGET)):
        desk.main.hold(side, "0.1", stop_loss=stop)
        desk.mirror.hold(side, "0.05")
    desk.main.rest(stop_row(SHORT, TriggerBy.MARK, position_idx=2))
    found = {action.position_idx: action for action in stops(desk.plan())}
    assert (found[1].stop_loss, found[1].stop_loss_by) == (STOP, TriggerBy.LAST)
    assert (found[2].stop_loss, found[2].stop_loss_by) == (TARGET, TriggerBy.MARK)


@pytest.mark.parametrize(("side", "stop", "beyond"), [(LONG, STOP, TARGET), (SHORT, TARGET, STOP)])
def test_mains_stop_is_attached_to_an_entry_and_one_that_price_has_passed_holds_it(
    side: Any, stop: Decimal, beyond: Decimal
) -> None:
    desk = Desk.opened(copies={side: copy_of(side)})
    desk.main.hold(side, "0.1", stop_loss=stop)
    [entry] = placed(desk.plan())
    assert entry.stop_loss == stop
    desk.main.change(0, stop_loss=beyond)
    plan = desk.plan()
    assert (plan.actions, len(plan.held)) == ([], 1)


def test_a_stop_row_is_no_entry_and_has_no_twin() -> None:
    desk = held({"stop_loss": STOP}, {"stop_loss": STOP})
    shown = stop_row(LONG, TriggerBy.LAST)
    assert (shown.side, shown.status) == (Side.SELL, OrderStatus.UNTRIGGERED)
    desk.main.rest(shown)
    assert desk.plan().actions == []


@pytest.mark.proves("A24")
@pytest.mark.parametrize(
    ("by", "last", "mark", "closes"),
    [
        (TriggerBy.LAST, "54999", "60000", True),
        (TriggerBy.LAST, "60000", "54999", False),
        (TriggerBy.MARK, "60000", "54999", True),
        (TriggerBy.MARK, "54999", "60000", False),
        (None, "54999", "54999", False),
    ],
)
def test_a_first_stop_that_its_own_trigger_price_has_passed_closes(
    by: TriggerBy | None, last: str, mark: str, closes: bool
) -> None:
    desk = held({"stop_loss": STOP}, {})
    if by is not None:
        desk.main.rest(stop_row(LONG, by))
    desk.plan()
    desk.later(1_000)
    desk.last, desk.mark = Decimal(last), Decimal(mark)
    plan = desk.plan()
    assert bool(plan.passed_stops) is closes
    assert bool(stops(plan)) is not closes


@pytest.mark.proves("A21", "A26")
def test_a_position_without_its_stop_is_unprotected_past_the_bound() -> None:
    desk = held({"stop_loss": STOP}, {})
    assert desk.plan().unprotected == []
    desk.later(2_500)
    assert desk.plan().unprotected == [LONG]
