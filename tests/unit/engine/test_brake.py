"""The brake on loops: what counts as the same decision again, what makes it a new one, and what is held back."""

from __future__ import annotations

import itertools
from dataclasses import replace
from decimal import Decimal

import pytest

from mirrorctl.core.domain.account import Order
from mirrorctl.core.domain.actions import Action, AmendOrder, CancelOrder, PlaceOrder, SetTradingStop
from mirrorctl.core.domain.ids import LinkId, Role, step_tag
from mirrorctl.core.domain.lens import PLAIN
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.scene import Planned, SymbolPlan
from mirrorctl.core.domain.values import OrderType, Side, TimeInForce
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.engine.brake import BURST, PASSES, SPAN_MS, TURNS, Brake, Loop
from mirrorctl.core.engine.records import Intent
from tests.unit.domain.scenes import LONG, NOW, SYMBOL, TAG, Book, order


class Desk:
    """Main, one mirror, and a brake that sees what is sent for the mirror."""

    def __init__(self) -> None:
        self.main, self.mirror = Book(AccountView("main")), Book(AccountView("mirror"))
        self.main.hold(LONG, "0.1")
        self.mirror.hold(LONG, "0.05")
        self.brake = Brake()
        self.now = NOW
        self._ids = itertools.count(1)

    def send(self, action: Action) -> Loop | None:
        number = next(self._ids)
        intent = Intent(number, "mirror", action, IntentState.PENDING, self.now, self.now)
        self.brake.sent([intent], self.main.view, PLAIN, self.mirror.view)
        return self.brake.accepted(number, self.now)

    def send_often(self, action: Action, times: int, every_ms: int) -> list[Loop]:
        found = []
        for _ in range(times):
            loop = self.send(action)
            found += [loop] if loop is not None else []
            self.now += every_ms
        return found


def placing(role: Role, side: Side, qty: str, *, attempt: int = 0) -> PlaceOrder:
    link = LinkId(TAG, "abcdefg", role, 0, step_tag("one"), attempt)
    reduces = role in (Role.TARGET, Role.REDUCTION)
    price, kind = Decimal(62_000), OrderType.LIMIT
    made = PlaceOrder("mirror", SYMBOL, side, kind, Decimal(qty), str(link), role, "why", price=price)
    return replace(made, reduce_only=reduces, time_in_force=TimeInForce.GTC if role is Role.TARGET else TimeInForce.IOC)


RUNG = placing(Role.TARGET, Side.SELL, "0.05")
AMEND = AmendOrder("mirror", SYMBOL, "x", str(placing(Role.TWIN, Side.BUY, "1").link_id), "why", price=Decimal(59_000))
CANCEL = CancelOrder("mirror", SYMBOL, "x", AMEND.link_id, "why")
STOP = SetTradingStop("mirror", SYMBOL, 0, "why", stop_loss=Decimal(58_000))


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.proves("A57")
@pytest.mark.parametrize("action", [RUNG, AMEND, CANCEL, STOP], ids=lambda action: type(action).__name__)
def test_the_same_decision_a_few_times_over_a_minute_is_a_loop_and_told_once(desk: Desk, action: Action) -> None:
    every_ms = SPAN_MS // (PASSES - 1)
    assert desk.send_often(action, PASSES - 1, every_ms) == []
    [loop] = desk.send_often(action, 10, every_ms)
    assert (loop.times, loop.since_ms) == (PASSES, NOW)
    assert loop.held_back is (action in (RUNG, AMEND))


def test_however_quickly_it_comes_a_burst_is_enough(desk: Desk) -> None:
    assert desk.send_often(RUNG, BURST - 1, 10) == []
    assert desk.send(RUNG) is not None


def test_what_comes_seldom_is_no_loop(desk: Desk) -> None:
    assert desk.send_often(RUNG, 30, 121_000) == []


def test_another_attempt_or_reason_is_the_same_decision_another_price_is_not(desk: Desk) -> None:
    for number in range(PASSES * 2):
        again = placing(Role.TARGET, Side.SELL, "0.05", attempt=number)
        loop = desk.send(replace(again, reason=f"try {number}"))
        desk.now += SPAN_MS // PASSES
        if loop is not None:
            break
    else:
        raise AssertionError("attempts of one decision were not counted together")
    other = Desk()
    for number in range(40):
        assert other.send(replace(RUNG, price=Decimal(62_000 + number))) is None
        other.now += 5_000


def _by_hand(desk: Desk, number: int) -> None:
    desk.mirror.rest(order(f"hand-{number}", "0.01"))


def _main_bids(desk: Desk, number: int) -> None:
    desk.main.rest(order("a", "0.02", price=Decimal(59_000 + number % 2)))


def _main_fills(desk: Desk, _number: int) -> None:
    desk.main.hold(LONG, "0.1")


def _main_moves_its_stop(desk: Desk, number: int) -> None:
    desk.main.change(0, stop_loss=Decimal(58_000 + number % 2))


def _somebody_acts(desk: Desk, _number: int) -> None:
    desk.brake.outside("main", SYMBOL)


@pytest.mark.parametrize("happens", [_by_hand, _main_bids, _main_fills, _main_moves_its_stop, _somebody_acts])
def test_with_something_new_on_main_or_of_others_it_is_decided_anew(desk: Desk, happens: object) -> None:
    assert callable(happens)
    for number in range(50):
        happens(desk, number)
        assert desk.send(RUNG) is None
        desk.now += 2_000


def test_our_own_orders_on_the_mirror_are_no_new_input(desk: Desk) -> None:
    ours: Order = order("ours", "0.05", link_id=RUNG.link_id, side=Side.SELL)
    found = []
    for number in range(30):
        desk.mirror.rest(replace(ours, order_id=f"ours-{number}"))
        loop = desk.send(RUNG)
        found += [loop] if loop is not None else []
        desk.mirror.end(f"ours-{number}")
        desk.now += 5_000
    assert len(found) == 1


def test_a_size_that_is_bought_and_sold_again_is_a_loop_what_fills_nothing_is_none(desk: Desk) -> None:
    buy, sell = placing(Role.CORRECTION, Side.BUY, "0.05"), placing(Role.REDUCTION, Side.SELL, "0.05")
    assert desk.send_often(buy, 100, 1_000) == [], "an IOC that finds no price"
    desk.now += 200_000
    found = []
    for _ in range(TURNS):
        for action, left in ((sell, "0"), (buy, "0.05")):
            loop = desk.send(replace(action, price=action.price))
            found += [loop] if loop is not None else []
            desk.mirror.hold(LONG, left)
            desk.now += 500
    assert [loop.what.split()[1] for loop in found] == ["sell", "buy"]
    assert [loop.held_back for loop in found] == [False, True]


def test_what_is_held_back_leaves_the_plan_until_it_is_released(desk: Desk) -> None:
    [loop] = desk.send_often(RUNG, 10, SPAN_MS // 5)
    [stop] = desk.send_often(STOP, 10, SPAN_MS // 5)
    assert set(desk.brake.loops()) == {loop, stop}
    plan = SymbolPlan("mirror", SYMBOL, actions=[Planned(RUNG), Planned(STOP), Planned(AMEND)])
    desk.brake.hold_back(plan)
    assert [item.action for item in plan.actions] == [STOP, AMEND]
    assert plan.missing == [f"{loop.what}: 6 times and it does not last, not tried any more"]
    desk.brake.release("another", None)
    assert desk.brake.knows("mirror", SYMBOL)
    desk.brake.release("mirror", SYMBOL)
    assert list(desk.brake.loops()) == []
    assert desk.send_often(RUNG, PASSES - 1, SPAN_MS // PASSES) == []


def test_what_was_refused_or_never_left_is_not_counted(desk: Desk) -> None:
    for number in range(100, 200):
        intent = Intent(number, "mirror", RUNG, IntentState.PENDING, desk.now, desk.now)
        desk.brake.sent([intent], desk.main.view, PLAIN, desk.mirror.view)
        desk.brake.dropped(number)
        assert desk.brake.accepted(number, desk.now) is None
        desk.now += 5_000
    assert desk.send_often(RUNG, PASSES - 1, 5_000) == []
