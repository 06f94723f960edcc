"""What a plan names as due: the same whether it is tried now, waits, is in flight, or nothing can be decided."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.core.domain.due import FLIGHT_MS
from mirrorctl.core.domain.values import OrderStatus
from tests.unit.domain.scenes import LONG, Desk, cancels, execution, order, stops


def guarded(main: str = "59000", mirror: str | None = "58000") -> Desk:
    desk = Desk.opened()
    desk.main.hold(LONG, "0.1", stop_loss=Decimal(main))
    desk.mirror.hold(LONG, "0.05", stop_loss=None if mirror is None else Decimal(mirror))
    return desk


@pytest.mark.proves("A21")
def test_a_stop_is_due_while_it_is_tried_and_while_it_waits() -> None:
    desk = guarded()
    plan = desk.plan()
    assert len(stops(plan)) == 1
    began = plan.due["stop long"].since_ms
    desk.later(5_000)
    desk.busy = frozenset({"stop"})
    plan = desk.plan()
    assert stops(plan) == []
    assert plan.due["stop long"].since_ms == began
    assert plan.due["stop long"].state == "wanted 59000, standing 58000"
    desk.mirror.change(0, stop_loss=Decimal(59_000))
    assert desk.plan().due == {}


@pytest.mark.proves("A21")
def test_the_time_of_a_stop_begins_anew_with_progress_and_not_with_a_new_wish() -> None:
    desk = guarded()
    began = desk.plan().due["stop long"].since_ms
    desk.later(1_000)
    desk.main.change(0, stop_loss=Decimal(59_100))
    assert desk.plan().due["stop long"].since_ms == began
    desk.mirror.change(0, stop_loss=Decimal(59_000))
    assert desk.plan().due["stop long"].since_ms == desk.now_ms


@pytest.mark.proves("A21")
def test_a_missing_stop_is_due_and_told_by_its_naked_time() -> None:
    due = guarded(mirror=None).plan().due["stop long"]
    assert (due.bound_ms, due.state) == (None, "wanted 59000, standing none")


def test_a_bound_is_never_shorter_than_a_flight() -> None:
    assert (guarded().plan().due["stop long"].bound_ms or 0) >= FLIGHT_MS


@pytest.mark.proves("A29", "A86")
def test_a_reduction_is_due_while_nothing_can_be_decided_but_not_while_main_is_in_question() -> None:
    desk = Desk.opened()
    desk.main.hold(LONG, "0.1")
    desk.mirror.hold(LONG, "0.1")
    desk.mirror.rest(order("m", "0.1", filled_qty=Decimal("0.05")))
    plan = desk.plan()
    assert "a fill on mirror is not accounted for" in plan.blocked
    assert plan.due["reduction long"].state == "want 0.05, have 0.1"
    began = plan.due["reduction long"].since_ms
    desk.later(2_000)
    assert desk.plan().due["reduction long"].since_ms == began
    desk.main.rest(order("a", "0.1", filled_qty=Decimal("0.05")))
    assert desk.plan().due == {}
    desk.main.view.apply_order_executions("a", [execution("x", "a", "0.05", 9)], desk.now_ms)
    assert "reduction long" in desk.plan().due


@pytest.mark.proves("A29")
def test_a_cancel_is_due_while_it_is_on_the_way() -> None:
    desk = Desk.opened()
    desk.main.rest(order("a", "0.1"))
    desk.twin("a", "0.050")
    desk.plan()
    desk.main.end("a", OrderStatus.CANCELLED)
    [cancel] = cancels(desk.plan())
    desk.busy = frozenset({f"cancel:{cancel.order_id}"})
    plan = desk.plan()
    assert cancels(plan) == []
    assert list(plan.due) == [f"cancel {cancel.order_id}"]


def test_what_is_in_step_has_nothing_due() -> None:
    desk = guarded(mirror="59000")
    assert desk.plan().due == {}
