"""What the planner is shown of our orders is kept up, and equal to what a look at every one of them would show."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from types import FrameType

import pytest

from mirrorctl.core.domain.account import Order
from mirrorctl.core.domain.actions import (
    Accepted,
    Action,
    CancelOrder,
    DoubtfulOutcome,
    NotSent,
    PlaceOrder,
    RejectedOutcome,
    SetLeverage,
    SetTradingStop,
)
from mirrorctl.core.domain.ids import LinkId, Role, step_tag
from mirrorctl.core.domain.ours import IntentState, OurOrder
from mirrorctl.core.domain.scene import Planned
from mirrorctl.core.domain.values import OrderStatus, OrderType, Side
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.engine.attempts import attempt_of
from mirrorctl.core.engine.effects import busy_key
from mirrorctl.core.engine.intents import IntentBook
from mirrorctl.core.engine.looks import RECV_WINDOW_MS
from mirrorctl.core.engine.records import Intent
from mirrorctl.core.store.sqlite import SqliteStore
from tests.unit.domain.scenes import NOW, SYMBOL, TAG, execution, order

SIDES = {Role.TWIN: Side.BUY, Role.CORRECTION: Side.BUY, Role.TARGET: Side.SELL}
OUTCOMES = (Accepted(), RejectedOutcome(110007, "no balance"), DoubtfulOutcome("timed out"), NotSent("not connected"))


class Bench:
    """A book, and an exchange that takes, fills, ends and loses its orders at random."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.book = IntentBook(SqliteStore(None))
        self.view = AccountView("mirror")
        self.now = NOW
        self.sent: list[Intent] = []
        self.rows: dict[str, Order] = {}
        self.attempts: dict[tuple[Role, str], int] = {}

    def step(self) -> None:
        self.now += self.random.randrange(0, 4_000)
        deeds: list[Callable[[], None]] = [self.place, self.change, self.answer, self.show, self.fill, self.lose]
        self.random.choice(deeds)()
        if self.random.random() < 0.02:
            self.book.forget_old(self.now, lambda _account, _symbol: True)
        if self.random.random() < 0.02:
            self.book.forgive(None, None, self.now)

    def place(self) -> None:
        role, step = self.random.choice(list(SIDES)), step_tag(self.random.choice("abc"))
        attempt = self.attempts[(role, step)] = self.attempts.get((role, step), -1) + 1
        link = LinkId(TAG, "abcdefg", role, 0, step, attempt)
        place = PlaceOrder("mirror", SYMBOL, SIDES[role], OrderType.LIMIT, Decimal("0.05"), str(link), role, "reason")
        self.sent += self.book.open_all([Planned(place, f"main-{step}")], self.now)

    def change(self) -> None:
        stop = SetTradingStop("mirror", SYMBOL, 0, "as on main", stop_loss=Decimal(self.random.randrange(1, 9)))
        leverage = SetLeverage("mirror", SYMBOL, Decimal(5), "as on main")
        links = [i.action.link_id for i in self.sent if isinstance(i.action, PlaceOrder)] or [""]
        cancel = CancelOrder("mirror", SYMBOL, "some-order", self.random.choice(links), "gone")
        actions: list[Action] = [stop, leverage, cancel]
        self.sent += self.book.open_all([Planned(self.random.choice(actions))], self.now)

    def answer(self) -> None:
        if self.sent:
            sent = self.random.choice(self.sent[-6:])
            self.book.on_outcome(sent.intent_id, self.random.choice(OUTCOMES), self.now, self.now)

    def show(self) -> None:
        """A row of an order comes: open with more filled, or over."""
        placed = self._placed()
        if placed is None:
            return
        known = self.rows.get(placed.link_id)
        if known is None:
            known = replace(order(f"id-{placed.link_id}", "0.05", link_id=placed.link_id), side=placed.side)
        if known.is_open:
            filled = min(known.filled_qty + Decimal(self.random.randrange(3)) / 100, known.qty)
            over = self.random.random() < 0.4
            known = replace(
                known,
                status=OrderStatus.CANCELLED if over else OrderStatus.PARTIALLY_FILLED,
                filled_qty=filled,
                updated_ms=self.now,
            )
        self.rows[placed.link_id] = known
        self.view.apply_order(known, self.now)
        self.book.on_order("mirror", known, self.now)

    def fill(self) -> None:
        """An execution comes ahead of its order's row, which shows it from the next time on."""
        placed = self._placed()
        known = None if placed is None else self.rows.get(placed.link_id)
        if placed is not None and known is not None and known.is_open and known.filled_qty < known.qty:
            self.rows[placed.link_id] = replace(known, filled_qty=known.filled_qty + Decimal("0.01"))
            told = execution(f"x{self.now}", known.order_id, "0.01", self.now - NOW, link_id=placed.link_id)
            self.view.apply_execution(told, self.now)

    def lose(self) -> None:
        placed = self._placed()
        if placed is not None and placed.link_id not in self.rows:
            self.now += RECV_WINDOW_MS + 3_000
            for _ in range(3):
                self.book.on_absent("mirror", placed.link_id, self.now, self.now)
            self.book.confirm("mirror", SYMBOL, self.view, self.now + 1, read_ms=self.now + 1)

    def _placed(self) -> PlaceOrder | None:
        """One of the newest placements; none that never left."""
        placed = [i.action for i in self.sent if isinstance(i.action, PlaceOrder)]
        left = [action for action in placed[-6:] if self.book.by_link("mirror", action.link_id) is not None]
        return self.random.choice(left) if left else None

    def looked_at(self) -> list[OurOrder]:
        """Every placement in memory, looked at anew."""
        found = self.book.of_symbol("mirror", SYMBOL)
        late = {intent.intent_id for intent in self.book.overdue()}
        return [
            attempt_of(i, i.action, self.view, overdue=i.intent_id in late).order
            for i in found
            if isinstance(i.action, PlaceOrder)
        ]

    def refused(self) -> dict[str, tuple[int, str]]:
        found = [i for i in self.book.of_symbol("mirror", SYMBOL) if not isinstance(i.action, PlaceOrder)]
        newest = {busy_key(i.action): i for i in found}
        return {key: (i.code, i.message) for key, i in newest.items() if i.state is IntentState.REJECTED}


@pytest.mark.parametrize("seed", range(12))
def test_what_is_kept_up_is_what_a_look_at_everything_shows(seed: int) -> None:
    bench = Bench(seed)
    for _ in range(150):
        bench.step()
        ours = bench.book.ours("mirror", SYMBOL, bench.view)
        every = bench.looked_at()
        assert list(ours) == every
        assert list(ours.live) == [each for each in every if each.is_live]
        for role, side in SIDES.items():
            of_role = [each for each in every if each.link.role is role]
            assert ours.of(role, side) == sorted(of_role, key=lambda each: each.link.attempt)
            for each in of_role:
                same = [other for other in every if other.link.intent == each.link.intent]
                assert ours.attempts(each.link) == sorted(same, key=lambda each: each.link.attempt)
        assert bench.book.refused("mirror", SYMBOL) == bench.refused()


def test_what_is_over_costs_nothing_to_look_past() -> None:
    counts = []
    for past in (10, 400):
        bench = Bench(0)
        for _ in range(past):
            bench.place()
        for intent in bench.sent:
            bench.book.on_outcome(intent.intent_id, RejectedOutcome(110007, "no balance"), bench.now, bench.now)
        assert len(bench.book.ours("mirror", SYMBOL, bench.view)) == past
        bench.place()
        counts.append(_calls(partial(bench.book.ours, "mirror", SYMBOL, bench.view)))
        assert len(bench.book.ours("mirror", SYMBOL, bench.view)) == past + 1
    assert counts[1] <= counts[0] + 10


def _calls(what: Callable[[], object]) -> int:
    """How many Python functions are called."""
    calls = 0

    def count(_frame: FrameType, event: str, _arg: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        what()
    finally:
        sys.setprofile(before)
    return calls
