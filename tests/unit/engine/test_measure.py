"""Which fill of main a copy is measured against, in whatever order its news, orders and answers come."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.account import Execution
from mirrorctl.core.domain.actions import Accepted, NotSent, Outcome, PlaceOrder, RejectedOutcome
from mirrorctl.core.domain.ids import LinkId, Role
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.values import ExecutionKind, OrderType, PositionSide, Side
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.keeper import Keeper
from mirrorctl.core.engine.measure import CopyMeter
from mirrorctl.core.engine.records import Intent, MeasuredCopy
from mirrorctl.core.store.sqlite import SqliteStore

AHEAD = 5_000
"""How far the exchange's clock is ahead of ours; every time below is ours."""


class Desk:
    """A meter, main's fills and one mirror."""

    def __init__(self) -> None:
        nobody: Any = None
        self.store = SqliteStore(None)
        self.keeper = Keeper(self.store, 1, {})
        self.mirror = Account.create("half", 2, nobody, nobody)
        self.mirror.clock_offset_ms = AHEAD
        self.meter = CopyMeter(self.store)
        self.orders = 0

    def main(self, at_ms: int, *, told_ms: int | None = None, price: str = "60000", closes: bool = False) -> None:
        """Main filled, and it was told a moment later."""
        fill = self._execution("main", at_ms, Side.SELL if closes else Side.BUY, "", price, closes=closes)
        self.keeper.on_main_execution(fill, at_ms, at_ms + 20 if told_ms is None else told_ms)

    def plan(self, at_ms: int, *, closes: bool = False) -> PlaceOrder:
        """An order of the mirror was decided."""
        self.orders += 1
        role = Role.REDUCTION if closes else Role.CORRECTION
        link = str(LinkId("abcde", "abcdefg", role, 0, "abcdefgh", self.orders))
        side = Side.SELL if closes else Side.BUY
        order = PlaceOrder(
            "half", "BTCUSDT", side, OrderType.LIMIT, Decimal("0.05"), link, role, "why", price=Decimal(60_000)
        )
        self.meter.on_planned([Intent(self.orders, "half", order, IntentState.PENDING, at_ms, at_ms)], self.keeper)
        return order

    def answer(self, order: PlaceOrder, sent_ms: int, at_ms: int, outcome: Outcome | None = None) -> None:
        self.meter.on_answer(self.mirror, order, outcome or Accepted("id"), sent_ms, at_ms, self.keeper)

    def fill(self, order: PlaceOrder, at_ms: int, price: str = "60000") -> None:
        execution = self._execution(
            "half", at_ms, order.side, order.link_id, price, closes=order.role is Role.REDUCTION
        )
        self.meter.on_mirror_execution(self.mirror, execution, self.keeper)

    def copy(self, order: PlaceOrder, at_ms: int) -> None:
        """The order was sent, accepted and filled."""
        self.answer(order, at_ms, at_ms + 10)
        self.fill(order, at_ms + 5)

    def copies(self) -> list[MeasuredCopy]:
        return self.store.measured_copies()

    def totals(self) -> list[int]:
        return [copy.total_ms for copy in self.copies()]

    @staticmethod
    def _execution(name: str, at_ms: int, side: Side, link: str, price: str, *, closes: bool) -> Execution:
        qty = Decimal("0.05")
        return Execution(
            exec_id=f"{name}{at_ms}",
            order_id=f"{name}-order-{at_ms}",
            link_id=link,
            symbol="BTCUSDT",
            side=side,
            price=Decimal(price),
            qty=qty,
            kind=ExecutionKind.TRADE,
            seq=at_ms,
            time_ms=at_ms + AHEAD,
            closed_qty=qty if closes else Decimal(0),
        )


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize("first", ["answer", "fill"])
def test_a_copy_has_every_leg_whichever_of_answer_and_fill_comes_first(desk: Desk, first: str) -> None:
    desk.main(1_000)
    order = desk.plan(1_022)
    if first == "answer":
        desk.answer(order, 1_025, 1_040)
    desk.fill(order, 1_032, price="60006")
    if first == "fill":
        assert desk.copies() == [], "its answer is still to come"
        desk.answer(order, 1_025, 1_040)
    (copy,) = desk.copies()
    assert tuple(copy.legs_ms().values()) == (20, 2, 3, 15, -8)
    assert (copy.total_ms, copy.slippage_bps, copy.side) == (32, Decimal(1), PositionSide.LONG)
    assert list(desk.meter.newest) == [copy]
    desk.fill(order, 1_090)
    assert desk.copies() == [copy], "the first execution counts"


def test_a_fill_whose_position_row_was_faster_is_the_one_that_was_followed(desk: Desk) -> None:
    """When its news came in is not known then: it was a row."""
    desk.main(1_000)
    desk.copy(desk.plan(1_022), 1_025)
    order = desk.plan(2_010)
    desk.main(2_000, told_ms=2_015)
    desk.copy(order, 2_012)
    legs = desk.copies()[1].legs_ms()
    assert desk.totals() == [30, 17]
    assert (legs["main_to_frame"], legs["frame_to_plan"], legs["plan_to_send"]) == (None, None, 2)


def test_a_row_that_was_faster_than_the_first_fill_of_all(desk: Desk) -> None:
    order = desk.plan(2_010)
    desk.main(2_000, told_ms=2_015)
    desk.copy(order, 2_012)
    assert desk.totals() == [17]


def test_a_fill_that_came_after_the_decision_is_not_what_was_followed(desk: Desk) -> None:
    desk.main(1_000)
    order = desk.plan(1_022)
    desk.main(1_200)
    desk.copy(order, 1_300)
    assert desk.totals() == [305]


def test_of_several_fills_the_newest_is_followed_and_an_exit_is_no_entry(desk: Desk) -> None:
    for at_ms in (1_000, 1_004, 1_008):
        desk.main(at_ms)
    desk.copy(desk.plan(1_030), 1_031)
    desk.main(1_500, closes=True)
    desk.copy(desk.plan(1_530, closes=True), 1_531)
    assert desk.totals() == [28, 36]
    assert [copy.side for copy in desk.copies()] == [PositionSide.LONG] * 2


def test_what_follows_no_fill_or_one_that_was_copied_is_no_copy(desk: Desk) -> None:
    desk.copy(desk.plan(500), 501)
    desk.main(1_000)
    desk.copy(desk.plan(1_022), 1_025)
    desk.copy(desk.plan(9_000), 9_001)
    twin = replace(desk.plan(9_500), role=Role.TWIN, link_id="m1-abcde-abcdefg-w0-abcdefgh-9")
    desk.copy(twin, 9_501)
    assert desk.totals() == [30]


@pytest.mark.parametrize("outcome", [NotSent("not now", 1.0), RejectedOutcome(110007, "no")])
def test_what_was_not_taken_is_no_copy_and_the_next_try_is(desk: Desk, outcome: Outcome) -> None:
    desk.main(1_000)
    order = desk.plan(1_022)
    desk.answer(order, 1_025, 1_030, outcome)
    desk.fill(order, 1_040)
    assert desk.copies() == []
    desk.copy(desk.plan(3_000), 3_010)
    assert desk.totals() == [2_015], "as late as it was"


def test_a_clock_that_was_never_measured_leaves_the_legs_unknown(desk: Desk) -> None:
    desk.main(1_000)
    order = desk.plan(1_022)
    desk.mirror.clock_offset_ms = None
    desk.copy(order, 1_025)
    assert desk.totals() == [30]
    assert set(desk.copies()[0].legs_ms().values()) == {None}
