"""The book of intents: an intent ends only by what was seen of it, and its id is free again only if it never left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.account import Wallet
from mirrorctl.core.domain.actions import (
    Accepted,
    Action,
    AmendOrder,
    CancelOrder,
    DoubtfulOutcome,
    NotSent,
    Outcome,
    PlaceOrder,
    RejectedOutcome,
    SetLeverage,
    SetTradingStop,
)
from mirrorctl.core.domain.ids import LinkId, Role, step_tag
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.scene import Planned
from mirrorctl.core.domain.values import OrderStatus, OrderType, Side
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.engine.intents import IntentBook
from mirrorctl.core.engine.looks import CONFIRM_MS, RECV_WINDOW_MS
from mirrorctl.core.engine.ports import FindOrder, ReadPosition
from mirrorctl.core.store.sqlite import SqliteStore
from tests.unit.domain.scenes import LONG, NOW, SYMBOL, TAG, execution, order, row

LINK = LinkId(TAG, "abcdefg", Role.TWIN, 0, step_tag("a"), 0)
PLACE = PlaceOrder(
    "mirror", SYMBOL, Side.BUY, OrderType.LIMIT, Decimal("0.05"), str(LINK), Role.TWIN, "twin", price=Decimal(59_000)
)
TWIN = Planned(PLACE, "main-order", Decimal("0.01"))
SHOWN = order("exchange-id", "0.05", link_id=str(LINK))
STOP = SetTradingStop("mirror", SYMBOL, 0, "as on main", stop_loss=Decimal(55_000))
LEVERAGE = SetLeverage("mirror", SYMBOL, Decimal(5), "as on main")
CANCEL = CancelOrder("mirror", SYMBOL, "exchange-id", str(LINK), "gone")
AMEND = AmendOrder("mirror", SYMBOL, "exchange-id", str(LINK), "amended", price=Decimal(58_000))
REFUSED = RejectedOutcome(110007, "no balance")
DOUBT = DoubtfulOutcome("timed out")


class Desk:
    """A book over a store in memory, and the mirror's view."""

    def __init__(self) -> None:
        self.store = SqliteStore(None)
        self.book = IntentBook(self.store)
        self.view = AccountView("mirror")
        self.now = NOW

    def send(self, planned: Planned | Action = TWIN) -> int:
        item = planned if isinstance(planned, Planned) else Planned(planned)
        return self.book.open_all([item], self.now)[0].intent_id

    def answer(self, intent_id: int, outcome: Outcome) -> None:
        self.book.on_outcome(intent_id, outcome, self.now, self.now)

    def show(self, **changes: Any) -> None:
        seen = replace(SHOWN, **changes)
        self.view.apply_order(seen, self.now)
        self.book.on_order("mirror", seen, self.now)

    def look_in_vain(self) -> None:
        self.book.on_absent("mirror", str(LINK), self.now, self.now)
        self.book.confirm("mirror", SYMBOL, self.view, self.now, read_ms=self.now)

    def state(self, intent_id: int = 1) -> IntentState | None:
        found = self.book.get(intent_id)
        return found.state if found else None

    def restart(self) -> None:
        self.book = IntentBook(self.store)
        self.view = AccountView("mirror")
        self.book.load(self.now, 0)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.proves("A47")
@pytest.mark.parametrize(
    ("outcome", "state", "live"),
    [
        (None, IntentState.PENDING, True),
        (Accepted("exchange-id"), IntentState.ACCEPTED, True),
        (REFUSED, IntentState.REJECTED, False),
        (DOUBT, IntentState.DOUBT, True),
    ],
)
def test_a_placement_is_what_was_heard_of_it(
    desk: Desk, outcome: Outcome | None, state: IntentState, live: bool
) -> None:
    desk.send()
    if outcome is not None:
        desk.answer(1, outcome)
    assert desk.state() is state
    [ours] = desk.book.ours("mirror", SYMBOL, desk.view)
    assert (ours.link, ours.state, ours.is_live) == (LINK, state, live)
    assert (ours.main_order_id, ours.main_filled) == ("main-order", Decimal("0.01"))
    assert bool(desk.book.in_doubt()) is (state is IntentState.DOUBT)


def test_a_refusal_keeps_its_code_and_when_it_came(desk: Desk) -> None:
    desk.send()
    desk.now += 70
    desk.answer(1, REFUSED)
    [ours] = desk.book.ours("mirror", SYMBOL, desk.view)
    assert (ours.code, ours.message, ours.ended_ms) == (110007, "no balance", NOW + 70)


def test_what_was_never_sent_keeps_its_id_free(desk: Desk) -> None:
    desk.send()
    desk.answer(1, NotSent("not connected"))
    assert list(desk.book.ours("mirror", SYMBOL, desk.view)) == []
    assert desk.book.by_link("mirror", str(LINK)) is None
    desk.send()
    desk.answer(2, Accepted())
    assert [ours.link for ours in desk.book.ours("mirror", SYMBOL, desk.view)] == [LINK]


@pytest.mark.parametrize(("action", "waits_ms"), [(LEVERAGE, 2_500), (AMEND, 2_500), (STOP, 1_000), (CANCEL, 1_000)])
def test_what_was_never_sent_and_has_no_id_waits_as_it_was_told_and_protection_a_second(
    desk: Desk, action: Action, waits_ms: int
) -> None:
    desk.send(action)
    desk.answer(1, NotSent("rate limited", 2.5))
    busy, wake = desk.book.busy("mirror", SYMBOL, desk.now + waits_ms - 1)
    assert (len(busy), wake) == (1, desk.now + waits_ms)
    assert desk.book.busy("mirror", SYMBOL, desk.now + waits_ms) == (frozenset(), None)


@pytest.mark.parametrize(
    ("shown", "state", "filled"),
    [
        ({}, IntentState.LIVE, "0"),
        ({"filled_qty": Decimal("0.02"), "status": OrderStatus.PARTIALLY_FILLED}, IntentState.LIVE, "0.02"),
        ({"filled_qty": Decimal("0.05"), "status": OrderStatus.FILLED}, IntentState.DONE, "0.05"),
        ({"filled_qty": Decimal("0.02"), "status": OrderStatus.CANCELLED}, IntentState.DONE, "0.02"),
    ],
)
@pytest.mark.parametrize("outcome", [None, Accepted(), DOUBT])
def test_an_order_that_is_seen_says_how_its_intent_stands(
    desk: Desk, shown: dict[str, Any], state: IntentState, filled: str, outcome: Outcome | None
) -> None:
    desk.send()
    if outcome is not None:
        desk.answer(1, outcome)
    desk.show(**shown)
    assert desk.state() is state
    desk.answer(1, REFUSED)
    assert desk.state() is state, "what was seen stands against a late answer"
    assert next(iter(desk.book.ours("mirror", SYMBOL, desk.view))).filled == Decimal(filled)
    assert desk.book.next_look_ms() is None


def test_a_late_row_does_not_reopen_what_is_done(desk: Desk) -> None:
    desk.send()
    desk.show(status=OrderStatus.CANCELLED)
    desk.book.on_order("mirror", SHOWN, desk.now)
    assert desk.state() is IntentState.DONE


# --- in doubt -----------------------------------------------------------------------------------------------------


def test_a_doubt_is_looked_for_ever_more_rarely(desk: Desk) -> None:
    desk.send()
    desk.answer(1, DOUBT)
    waits = []
    for _ in range(8):
        due = desk.book.next_look_ms()
        assert due is not None
        assert list(desk.book.looks_due(due - 1)) == []
        assert list(desk.book.looks_due(due)) == [("mirror", FindOrder(SYMBOL, link_id=str(LINK)))]
        waits.append(due - desk.now)
        desk.now = due
    assert waits == [250, 250, 500, 1_000, 2_000, 4_000, 8_000, 10_000]


def test_an_accepted_order_that_does_not_show_is_looked_for(desk: Desk) -> None:
    desk.send()
    desk.answer(1, Accepted())
    assert desk.book.next_look_ms() == NOW + CONFIRM_MS


@pytest.mark.proves("A47", "A45")
def test_it_is_absent_only_after_it_could_no_longer_be_accepted_and_several_looks(desk: Desk) -> None:
    desk.send()
    desk.answer(1, DOUBT)
    for _ in range(5):
        desk.look_in_vain()
        desk.now += 500
    assert desk.state() is IntentState.DOUBT, "the exchange may still accept it"
    desk.now = NOW + RECV_WINDOW_MS + 3_000
    desk.look_in_vain()
    desk.now += 1
    desk.look_in_vain()
    assert desk.state() is IntentState.ABSENT
    [ours] = desk.book.ours("mirror", SYMBOL, desk.view)
    assert not ours.is_live, "the next attempt takes the next id"


def test_one_look_in_vain_proves_nothing_however_late(desk: Desk) -> None:
    desk.send()
    desk.answer(1, DOUBT)
    desk.now += 60_000
    for _ in range(2):
        desk.look_in_vain()
        desk.now += 1
    assert desk.state() is IntentState.DOUBT


def test_an_order_found_in_time_is_not_absent(desk: Desk) -> None:
    desk.send()
    desk.answer(1, DOUBT)
    desk.now += 60_000
    for _ in range(3):
        desk.look_in_vain()
    desk.show()
    desk.now += 1
    desk.book.confirm("mirror", SYMBOL, desk.view, desk.now, read_ms=desk.now)
    assert desk.state() is IntentState.LIVE


# --- restart ------------------------------------------------------------------------------------------------------


@pytest.mark.proves("A56", "A47")
@pytest.mark.parametrize("outcome", [None, Accepted(), DOUBT])
def test_what_was_under_way_is_in_doubt_after_a_restart(desk: Desk, outcome: Outcome | None) -> None:
    desk.send()
    if outcome is not None:
        desk.answer(1, outcome)
    desk.restart()
    assert desk.state() is IntentState.DOUBT
    assert [query for _, query in desk.book.looks_due(desk.now)] == [FindOrder(SYMBOL, link_id=str(LINK))]
    [ours] = desk.book.ours("mirror", SYMBOL, desk.view)
    assert ours.is_live
    desk.show()
    assert desk.state() is IntentState.LIVE
    assert desk.book.next_look_ms() is None


def test_a_live_order_is_looked_for_once_after_a_restart(desk: Desk) -> None:
    desk.send()
    desk.show()
    desk.restart()
    assert desk.state() is IntentState.LIVE
    assert len(list(desk.book.looks_due(desk.now))) == 1
    desk.show()
    assert desk.book.next_look_ms() is None


@pytest.mark.parametrize(("outcome", "state"), [(REFUSED, IntentState.REJECTED)])
def test_what_ended_lately_is_still_known_after_a_restart(desk: Desk, outcome: Outcome, state: IntentState) -> None:
    desk.send()
    desk.answer(1, outcome)
    desk.restart()
    [ours] = desk.book.ours("mirror", SYMBOL, desk.view)
    assert (ours.state, ours.code) == (state, 110007)


@pytest.mark.proves("A85")
def test_a_fill_after_a_restart_counts_before_its_order_row_comes(desk: Desk) -> None:
    """0.02 filled before the restart; then one more execution arrives ahead of its order row."""
    desk.send()
    partly: dict[str, Any] = {"filled_qty": Decimal("0.02"), "status": OrderStatus.PARTIALLY_FILLED}
    desk.show(**partly)
    desk.restart()
    wallet = Wallet(ZERO, ZERO, ZERO, ZERO, ZERO)
    desk.view.apply_relist([replace(SHOWN, **partly)], [row(LONG, "0.02", 4)], wallet, NOW, NOW)
    desk.view.apply_execution(execution("x", SHOWN.order_id, "0.01", 5, link_id=str(LINK)), NOW)
    assert desk.view.size(SYMBOL, LONG) == Decimal("0.03")
    assert next(iter(desk.book.ours("mirror", SYMBOL, desk.view))).filled == Decimal("0.03")


@pytest.mark.proves("A44")
def test_orders_of_a_lost_store_are_ours_by_their_id(desk: Desk) -> None:
    desk.show(filled_qty=Decimal("0.02"), status=OrderStatus.PARTIALLY_FILLED)
    desk.view.apply_order(order("foreign", "1", link_id="by-hand"), NOW)
    [ours] = desk.book.ours("mirror", SYMBOL, desk.view)
    assert (ours.link, ours.state, ours.qty, ours.filled) == (LINK, IntentState.LIVE, SHOWN.qty, Decimal("0.02"))
    assert (ours.main_order_id, ours.main_filled) == ("", None)


# --- what has no link id ------------------------------------------------------------------------------------------

EFFECTS: list[tuple[Action, Callable[[Desk], object]]] = [
    (STOP, lambda desk: desk.view.apply_position(row(LONG, "1", 5, stop_loss=Decimal(55_000)), NOW)),
    (LEVERAGE, lambda desk: desk.view.apply_position(row(LONG, "1", 5, leverage=Decimal(5)), NOW)),
    (CANCEL, lambda desk: desk.view.apply_order(replace(SHOWN, status=OrderStatus.CANCELLED), NOW)),
    (AMEND, lambda desk: desk.view.apply_order(replace(SHOWN, price=Decimal(58_000), updated_ms=NOW + 1), NOW)),
]


@pytest.mark.proves("A48")
@pytest.mark.parametrize(("action", "effect"), EFFECTS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("outcome", [Accepted(), DOUBT])
def test_it_is_done_when_its_effect_is_seen(
    desk: Desk, action: Action, effect: Callable[[Desk], object], outcome: Outcome
) -> None:
    desk.view.apply_order(SHOWN, NOW)
    desk.view.apply_position(row(LONG, "1", 4), NOW)
    desk.send(action)
    desk.answer(1, outcome)
    desk.book.confirm("mirror", SYMBOL, desk.view, NOW)
    assert len(desk.book.busy("mirror", SYMBOL, NOW)[0]) == 1, "accepted is not done"
    effect(desk)
    desk.book.confirm("mirror", SYMBOL, desk.view, NOW)
    assert desk.state() is IntentState.DONE
    assert desk.book.busy("mirror", SYMBOL, NOW) == (frozenset(), None)


@pytest.mark.parametrize("action", [STOP, LEVERAGE, CANCEL, AMEND])
@pytest.mark.parametrize(("read_after_ms", "done"), [(-1, False), (0, True)])
def test_a_read_after_the_answer_settles_it(desk: Desk, action: Action, read_after_ms: int, done: bool) -> None:
    desk.send(action)
    desk.now += 100
    desk.answer(1, DOUBT)
    desk.book.confirm("mirror", SYMBOL, desk.view, desk.now, read_ms=desk.now + read_after_ms)
    assert (desk.state() is IntentState.DONE) is done
    question = ReadPosition(SYMBOL) if action in (STOP, LEVERAGE) else FindOrder(SYMBOL, order_id="exchange-id")
    assert [query for _, query in desk.book.looks_due(desk.now + 250)] == ([] if done else [question])


def test_a_refused_change_waits_longer_each_time_and_starts_over_after_a_success(desk: Desk) -> None:
    waits = []
    for _ in range(4):
        desk.answer(desk.send(STOP), RejectedOutcome(10001, "no"))
        _, wake = desk.book.busy("mirror", SYMBOL, desk.now)
        assert wake is not None
        waits.append(wake - desk.now)
        desk.now = wake
    assert waits == [1_000, 2_000, 4_000, 8_000]
    desk.answer(desk.send(STOP), Accepted())
    desk.book.confirm("mirror", SYMBOL, desk.view, desk.now, read_ms=desk.now)
    desk.answer(desk.send(STOP), RejectedOutcome(10001, "no"))
    assert desk.book.busy("mirror", SYMBOL, desk.now)[1] == desk.now + 1_000


@pytest.mark.proves("A51")
@pytest.mark.parametrize("action", [STOP, LEVERAGE, CANCEL, AMEND], ids=lambda action: type(action).__name__)
def test_a_change_that_is_done_and_does_not_show_is_repeated_ever_more_rarely(desk: Desk, action: Action) -> None:
    waits = []
    for number in range(1, 9):
        desk.answer(desk.send(replace(action, reason=f"again {number}")), Accepted())
        desk.book.confirm("mirror", SYMBOL, desk.view, desk.now, read_ms=desk.now)
        busy, wake = desk.book.busy("mirror", SYMBOL, desk.now)
        waits.append((wake or desk.now) - desk.now)
        assert bool(busy) is (number > 1), "what is asked for once is not delayed"
        desk.now = wake or desk.now
    assert waits == [0, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]


def test_another_change_of_the_same_kind_does_not_wait(desk: Desk) -> None:
    for price in (55_000, 55_100, 55_000, 55_100):
        desk.answer(desk.send(replace(STOP, stop_loss=Decimal(price))), Accepted())
        desk.book.confirm("mirror", SYMBOL, desk.view, desk.now, read_ms=desk.now)
        assert desk.book.busy("mirror", SYMBOL, desk.now) == (frozenset(), None)


def test_a_twin_that_we_cancel_is_marked_as_ended_by_us(desk: Desk) -> None:
    desk.send()
    desk.show()
    desk.send(CANCEL)
    desk.show(status=OrderStatus.CANCELLED)
    assert next(iter(desk.book.ours("mirror", SYMBOL, desk.view))).by_us
    desk.restart()
    assert next(iter(desk.book.ours("mirror", SYMBOL, desk.view))).by_us


def test_accounts_do_not_see_each_others_intents(desk: Desk) -> None:
    desk.send()
    assert list(desk.book.ours("other", SYMBOL, AccountView("other"))) == []
    assert desk.book.on_order("other", SHOWN, NOW) is None
    assert desk.book.by_link("other", str(LINK)) is None
    assert desk.book.on_outcome(99, Accepted(), NOW, NOW) is None
    assert desk.state() is IntentState.PENDING
    assert next(iter(desk.book.ours("mirror", SYMBOL, desk.view))).filled == ZERO


def test_an_amended_twin_is_as_large_and_at_the_price_that_its_row_shows(desk: Desk) -> None:
    desk.send()
    desk.show()
    desk.show(qty=Decimal("0.15"), price=Decimal(58_500), updated_ms=NOW + 1)
    [ours] = desk.book.ours("mirror", SYMBOL, desk.view)
    assert (ours.qty, ours.open_qty, ours.price) == (Decimal("0.15"), Decimal("0.15"), Decimal(58_500))
    desk.show(qty=Decimal("0.15"), price=Decimal(58_500), status=OrderStatus.CANCELLED)
    assert next(iter(desk.book.ours("mirror", SYMBOL, desk.view))).price == Decimal(58_500)


def test_what_was_written_down_by_a_clock_that_is_set_back_since_waits_for_nothing(desk: Desk) -> None:
    desk.send()
    desk.answer(1, REFUSED)
    desk.now -= 3_600_000
    desk.restart()
    [ours] = desk.book.ours("mirror", SYMBOL, desk.view)
    assert (ours.ended_ms, ours.code) == (desk.now, 110007)
    assert desk.book.placements("mirror", desk.now) == 1
    assert desk.book.placements("mirror", desk.now + 60_000) == 0
