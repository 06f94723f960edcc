"""The brakes of a plan: closes that nothing on main explains, and positions that are ahead of their executions."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from mirrorctl.core.domain.actions import SetTradingStop
from mirrorctl.core.domain.planner import apply_brake, plan_symbol
from mirrorctl.core.domain.scene import AHEAD_WAIT_MS, NeedKind, Planned, SymbolPlan
from mirrorctl.core.domain.standing_trade import ladder_on_book
from mirrorctl.core.domain.values import PositionSide, Side
from tests.unit.domain.scenes import LONG, SHORT, SYMBOL, Desk, Told, copy_of, execution, order, row, told


def closing(symbol: str, *, explained: bool = False) -> SymbolPlan:
    """The plan of a mirror that closes because main is flat."""
    desk = Desk.opened(
        copies={LONG: copy_of(ended=True)}, explained=frozenset(PositionSide) if explained else frozenset()
    )
    desk.mirror.hold(LONG, "0.05")
    plan = desk.plan()
    assert told(plan) == ["reduction sell 0.050"]
    plan.symbol = symbol
    return plan


@pytest.mark.proves("A80")
@pytest.mark.parametrize(
    ("unexplained", "explained", "recent", "braked"),
    [
        (3, 0, (), False),
        (4, 0, (), True),
        (0, 9, (), False),
        (3, 9, (), False),
        (1, 0, ("A", "B", "C"), True),
        (0, 4, ("A", "B", "C"), False),
        (1, 0, ("S0", "A", "B"), False),
    ],
)
def test_a_pass_that_would_close_too_much_refuses_itself(
    unexplained: int, explained: int, recent: tuple[str, ...], braked: bool
) -> None:
    plans = [closing(f"S{number}") for number in range(unexplained)]
    fair = [closing(f"E{number}", explained=True) for number in range(explained)]
    assert apply_brake([*plans, *fair], recent, 3) is braked
    assert [bool(plan.actions) for plan in plans] == [not braked] * unexplained
    assert all(plan.blocked.startswith("brake") for plan in plans) is (braked or not plans)
    assert all(plan.actions and not plan.blocked for plan in fair)


@pytest.mark.proves("A29")
def test_a_braked_plan_keeps_its_stops() -> None:
    plan = closing("S0")
    stop = Planned(SetTradingStop("mirror", "S0", 0, "as on main", stop_loss=Decimal(55_000)))
    plan.actions.insert(0, stop)
    assert apply_brake([plan], (), 0)
    assert plan.actions == [stop]


def test_a_close_after_an_own_exit_needs_no_explanation() -> None:
    desk = Desk.opened(copies={LONG: copy_of(out="flatten", cap=Decimal(0))}, explained=frozenset())
    desk.main.hold(LONG, "0.1")
    desk.mirror.hold(LONG, "0.05")
    plan = desk.plan()
    assert told(plan) == ["reduction sell 0.050"]
    assert not plan.closes_unexplained


@pytest.mark.proves("A86")
def test_time_goes_on_while_nothing_can_be_decided() -> None:
    """An exit's deadline counts from its beginning, not from the last fill that was not accounted for."""
    desk = Desk.opened()
    desk.main.hold(LONG, "0.1")
    desk.mirror.hold(LONG, "0.1")
    began = desk.plan().since["excess long"]
    desk.later(300)
    desk.main.rest(order("a", "0.1", filled_qty=Decimal("0.05")))
    plan = desk.plan()
    assert "not accounted for" in plan.blocked
    assert plan.since["excess long"] == began
    desk.later(300)
    desk.main.view.apply_order_executions("a", [execution("x", "a", "0.05", 9)], desk.now_ms)
    assert desk.plan().since["excess long"] == began


@pytest.mark.proves("A20")
@pytest.mark.parametrize("account", ["main", "mirror"])
def test_a_position_ahead_of_its_executions_is_not_corrected_beside_a_twin(account: str) -> None:
    desk = Desk.opened()
    desk.main.rest(order("a", "0.1"))
    desk.twin("a", "0.050")
    book = desk.main if account == "main" else desk.mirror
    book.view.apply_position(row(LONG, "0.05", 7), desk.now_ms)
    plan = desk.plan()
    assert (plan.actions, plan.needs, plan.wake_ms) == ([], [], desk.now_ms + AHEAD_WAIT_MS)
    desk.later(AHEAD_WAIT_MS)
    plan = desk.plan()
    assert [(need.kind, need.account) for need in plan.needs] == [(NeedKind.ORDERS, account)]
    book.view.explain(SYMBOL, 7)
    plan = desk.plan()
    assert plan.blocked == ""


@pytest.mark.proves("A20")
def test_an_order_that_may_be_what_moved_mains_position_gets_its_twin_when_that_is_known() -> None:
    desk = Desk.opened()
    desk.main.rest(order("a", "0.1"))
    desk.main.view.apply_position(row(LONG, "0.04", 7, opened_ms=desk.now_ms), desk.now_ms)
    plan = desk.plan()
    assert (told(plan), plan.needs, plan.wake_ms) == (["correction buy 0.020"], [], desk.now_ms + AHEAD_WAIT_MS)
    desk.later(AHEAD_WAIT_MS)
    assert [(need.kind, need.account) for need in desk.plan().needs] == [(NeedKind.ORDERS, "main")]
    desk.main.view.apply_execution(execution("x", "a", "0.04", 7), desk.now_ms)
    assert told(desk.plan()) == ["twin buy 0.030", "correction buy 0.020"]


@pytest.mark.proves("A20")
def test_a_target_that_may_be_what_moved_mains_position_is_placed_when_that_is_known() -> None:
    """The reduction to main's size goes at once: a target for all of main's order would sell the same once more."""
    desk = Desk.opened()
    desk.main.hold(LONG, "0.1")
    desk.mirror.hold(LONG, "0.05")
    desk.main.rest(order("a", "0.06", side=Side.SELL, price=Decimal(61_000), reduce_only=True))
    desk.main.view.apply_position(replace(desk.main.rows[0], size=Decimal("0.06"), seq=7), desk.now_ms)
    desk.later(1_000)

    def plan() -> SymbolPlan:
        scene = desk.scene()
        scene.background = Told(ladders={LONG: ladder_on_book(desk.main.view, SYMBOL, LONG)})
        made = plan_symbol(scene)
        desk.since = made.since
        return made

    made = plan()
    assert (told(made), made.needs, made.wake_ms) == (["reduction sell 0.020"], [], desk.now_ms + AHEAD_WAIT_MS)
    desk.later(AHEAD_WAIT_MS)
    assert [(need.kind, need.account) for need in plan().needs] == [(NeedKind.ORDERS, "main")]
    desk.main.view.apply_execution(execution("x", "a", "0.04", 7, side=Side.SELL), desk.now_ms)
    assert [said.split()[0] for said in told(plan())] == ["reduction", "target"]


def test_entries_that_follow_no_cycle_are_taken_off() -> None:
    desk = Desk.opened()
    desk.twin("gone", "0.010")
    desk.copies = {SHORT: copy_of(SHORT)}
    assert told(desk.plan()) == ["CancelOrder"]


def test_the_order_of_work_is_stops_reductions_cancels_entries() -> None:
    desk = Desk.opened(copies={LONG: copy_of(LONG)})
    desk.main.hold(LONG, "0.1", stop_loss=Decimal(50_000))
    desk.mirror.hold(LONG, "0.07")
    desk.main.rest(order("new", "0.1"))
    desk.main.rest(order("gone", "0.1"))
    desk.main.end("gone")
    desk.twin("gone", "0.050")
    assert told(desk.plan()) == ["SetTradingStop", "reduction sell 0.020", "CancelOrder", "twin buy 0.050"]
