"""Cycles and copies: what begins and ends them, what a mirror found may not do by itself, and own exits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.account import Execution
from mirrorctl.core.domain.actions import Action
from mirrorctl.core.domain.cycle import NEW_ONLY, NEW_STORE, Copy
from mirrorctl.core.domain.ids import LinkId, Role, account_tag, step_tag
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.ours import IntentState, OurOrder
from mirrorctl.core.domain.policy import Adopt, MirrorPolicy, Sizing
from mirrorctl.core.domain.values import ExecutionKind, PositionMode, PositionSide, Side, StopKind
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.keeper import Keeper
from mirrorctl.core.engine.ports import Query
from mirrorctl.core.store.sqlite import SqliteStore
from tests.unit.domain.scenes import BTC, LONG, NOW, SHORT, SYMBOL, Book, execution, order

POLICY = MirrorPolicy("mirror", sizing=Sizing(value=Decimal("0.5")))
OURS = str(LinkId(account_tag(202), "abcdefg", Role.CORRECTION, 0, step_tag("a"), 0))
TARGET = str(LinkId(account_tag(202), "abcdefg", Role.TARGET, 0, step_tag("a"), 0))


class Unasked:
    """Ports that nobody uses here."""

    def ask(self, query: Query) -> None:
        raise AssertionError(query)

    def send(self, intent_id: int, action: Action) -> None:
        raise AssertionError(action)


class Desk:
    """A keeper over a store in memory, main's book and one mirror's."""

    def __init__(self, main_mode: PositionMode = PositionMode.ONE_WAY, *, seen: bool = True) -> None:
        self.account = Account.create("mirror", 202, Unasked(), Unasked())
        self.mirror = Book(self.account.view)
        self.main = Book(Account.create("main", 101, Unasked(), Unasked()).view, main_mode)
        self.store = SqliteStore(None)
        self.keeper = Keeper(self.store, 101, {})
        if seen:
            self.store.set_fact("seen.mirror", "1")

    def advance(self) -> None:
        self.keeper.advance(SYMBOL, self.main.view, {"mirror": POLICY}, NOW)

    def meet(self, adopt: Adopt = Adopt.NEW_ONLY) -> None:
        """The mirror is seen for the first time."""
        self.keeper.first_sight(self.account, replace(POLICY, adopt=adopt), self.main.view, NOW)

    def main_trades(self, made: Execution) -> None:
        self.keeper.on_main_execution(made, NOW)

    def copy(self, side: PositionSide = LONG) -> Copy | None:
        again = Keeper(self.store, 101, {})
        assert again.copies == self.keeper.copies, "what is kept in memory is kept in the store"
        assert again.cycles == self.keeper.cycles
        return self.keeper.copies.get(("mirror", SYMBOL, side))

    def own_exit(self, made: Execution, left: str, *, live: bool = True) -> Copy | None:
        self.mirror.hold(LONG, left)
        return self.keeper.on_mirror_execution("mirror", made, self.mirror.view, self.main.view, live=live)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def closing(**changes: Any) -> Execution:
    """An execution that sold part of a long."""
    made = execution("exit", "o", "0.02", 99, side=Side.SELL, closed_qty=Decimal("0.02"))
    return replace(made, **changes)


# --- begin and end ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", PositionSide)
@pytest.mark.parametrize("begins", ["position", "order"])
def test_a_cycle_begins_with_a_position_or_the_order_that_will_open_it(
    desk: Desk, side: PositionSide, begins: str
) -> None:
    if begins == "position":
        desk.main.hold(side, "0.1")
    else:
        desk.main.rest(order("a", "0.1", side=side.entry))
    desk.advance()
    cycle, copy = desk.keeper.cycles[(SYMBOL, side)], desk.copy(side)
    assert copy is not None
    assert (cycle.opened, copy.ratio, copy.tag) == (begins == "position", Decimal("0.5"), cycle.tag)
    assert "0.5" in copy.formula


def test_an_order_and_the_position_it_opens_are_one_cycle(desk: Desk) -> None:
    desk.main.rest(order("a", "0.1"))
    desk.advance()
    tag = desk.keeper.cycles[(SYMBOL, LONG)].tag
    desk.main_trades(execution("x", "a", "0.1", 5))
    desk.main.fill("a")
    desk.advance()
    cycle = desk.keeper.cycles[(SYMBOL, LONG)]
    assert (cycle.tag, cycle.opened, cycle.origin) == (tag, True, "a")


def test_the_tag_of_a_cycle_comes_from_what_opened_it(desk: Desk) -> None:
    other = Desk()
    for at, which in enumerate((desk, other)):
        which.main_trades(execution("x", f"order-{at}", "0.1", 5))
        which.main.hold(LONG, "0.1")
        which.advance()
    tags = {which.keeper.cycles[(SYMBOL, LONG)].tag for which in (desk, other)}
    assert len(tags) == 2


@pytest.mark.parametrize("explained", [True, False])
def test_a_cycle_ends_when_main_is_flat_and_says_whether_a_close_was_seen(desk: Desk, explained: bool) -> None:
    desk.main.hold(LONG, "0.1")
    desk.advance()
    if explained:
        desk.main_trades(closing())
    desk.main.hold(LONG, "0")
    desk.advance()
    copy = desk.copy()
    assert copy is not None
    assert (desk.keeper.cycles, copy.ended, copy.explained) == ({}, True, explained)
    desk.main_trades(closing())
    desk.keeper.explain_closes()
    copy = desk.copy()
    assert copy is not None
    assert copy.explained


@pytest.mark.proves("A45")
def test_a_cycle_whose_position_was_never_read_does_not_end(desk: Desk) -> None:
    desk.main.hold(LONG, "0.1")
    desk.advance()
    restarted = Desk()
    restarted.main.view = type(restarted.main.view)("main")
    restarted.keeper = Keeper(desk.store, 101, {})
    restarted.store = desk.store
    restarted.advance()
    copy = restarted.copy()
    assert copy is not None
    assert not copy.ended
    assert restarted.keeper.unproven(restarted.main.view) == {SYMBOL}


@pytest.mark.proves("A17")
def test_a_flip_ends_one_cycle_and_begins_the_other(desk: Desk) -> None:
    desk.main.hold(LONG, "0.1")
    desk.advance()
    desk.main.trade(Side.SELL, Decimal("0.3"), "flip")
    desk.advance()
    long, short = desk.copy(LONG), desk.copy(SHORT)
    assert long is not None
    assert short is not None
    assert (long.ended, short.ended, list(desk.keeper.cycles)) == (True, False, [(SYMBOL, SHORT)])


def test_a_ratio_is_fixed_for_its_cycle_and_new_for_the_next(desk: Desk) -> None:
    desk.main.hold(LONG, "0.1")
    desk.advance()
    doubled = {"mirror": replace(POLICY, sizing=Sizing(value=Decimal(2)))}
    desk.main.hold(LONG, "0.4")
    desk.keeper.advance(SYMBOL, desk.main.view, doubled, NOW)
    first = desk.copy()
    assert first is not None
    assert first.ratio == Decimal("0.5")
    desk.main.hold(LONG, "0")
    desk.keeper.advance(SYMBOL, desk.main.view, doubled, NOW)
    desk.main.hold(LONG, "0.1")
    desk.keeper.advance(SYMBOL, desk.main.view, doubled, NOW)
    second = desk.copy()
    assert second is not None
    assert second.ratio == Decimal(2)


@pytest.mark.parametrize(("size", "live", "dropped"), [("0", False, True), ("0.05", False, False), ("0", True, False)])
def test_an_ended_copy_goes_when_its_mirror_is_flat_and_quiet(desk: Desk, size: str, live: bool, dropped: bool) -> None:
    desk.main.hold(LONG, "0.1")
    desk.advance()
    desk.main.hold(LONG, "0")
    desk.advance()
    desk.mirror.hold(LONG, size)
    state = IntentState.LIVE if live else IntentState.DONE
    ours = OurOrder(LinkId("m", "t1", Role.CORRECTION, 0, "s", 1), SYMBOL, Side.SELL, Decimal(1), state)
    desk.keeper.drop_done("mirror", SYMBOL, desk.mirror.view, lambda: [ours])
    assert (desk.copy() is None) is dropped


# --- first sight --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("adopt", "reason"), [(Adopt.ALL, NEW_STORE), (Adopt.NEW_ONLY, NEW_ONLY)])
@pytest.mark.parametrize("mirror", ["0", "0.05"])
def test_a_mirror_met_during_a_cycle_grows_only_when_the_trader_says_so(adopt: Adopt, reason: str, mirror: str) -> None:
    desk = Desk(seen=False)
    desk.main.hold(LONG, "0.1")
    if Decimal(mirror):
        desk.mirror.hold(LONG, mirror)
    desk.advance()
    assert desk.copy() is None
    desk.meet(adopt)
    copy = desk.copy()
    assert copy is not None
    assert (copy.held, copy.opened) == (reason, False)
    assert desk.keeper.release(SYMBOL) == (1 if reason == NEW_STORE else 0)


@pytest.mark.proves("A44")
@pytest.mark.parametrize(("have", "main"), [("0.05", "0.1"), ("0.1", "0.3"), ("0.007", "0.011"), ("2", "0.3")])
def test_what_both_hold_becomes_the_ratio_and_moves_nothing(have: str, main: str) -> None:
    desk = Desk(seen=False)
    desk.main.hold(LONG, main)
    desk.mirror.hold(LONG, have)
    desk.account.note_opener(execution("x", "o", have, 1, link_id=OURS))
    desk.advance()
    desk.meet()
    copy = desk.copy()
    assert copy is not None
    assert (copy.held, copy.opened) == ("", True)
    assert copy.want(Decimal(main), BTC) == Decimal(have)
    assert copy.formula == f"observed: r = {have} ÷ {main}"


def test_a_cycle_that_only_rests_is_followed_from_its_beginning() -> None:
    desk = Desk(seen=False)
    desk.main.rest(order("a", "0.1"))
    desk.advance()
    desk.meet()
    copy = desk.copy()
    assert copy is not None
    assert (copy.held, copy.ratio) == ("", Decimal("0.5"))


def test_a_position_of_ours_that_main_does_not_hold_is_not_closed_by_a_new_store() -> None:
    desk = Desk(seen=False)
    desk.mirror.hold(LONG, "0.05")
    desk.account.note_opener(execution("x", "o", "0.05", 1, link_id=OURS))
    desk.meet()
    copy = desk.copy()
    assert copy is not None
    assert (copy.held, copy.ended, copy.opened) == (NEW_STORE, True, True)


# --- own exits ----------------------------------------------------------------------------------------------------

EXITS: Sequence[tuple[Execution, str | None]] = [
    (closing(stop_kind=StopKind.STOP_LOSS), "stop"),
    (closing(stop_kind=StopKind.TRAILING_STOP), "stop"),
    (closing(stop_kind=StopKind.PARTIAL_STOP_LOSS), "stop"),
    (closing(kind=ExecutionKind.LIQUIDATION), "liquidation"),
    (closing(kind=ExecutionKind.ADL), "adl"),
    (closing(stop_kind=StopKind.TAKE_PROFIT), ""),
    (closing(stop_kind=StopKind.PARTIAL_TAKE_PROFIT), ""),
    (closing(link_id=TARGET, time_ms=NOW + 1_000), ""),  # long after the move that began the cycle
    (closing(link_id=OURS), None),
    (closing(link_id="by-hand"), None),
]


@pytest.mark.proves("A76")
@pytest.mark.parametrize(("made", "out"), EXITS)
def test_a_mirrors_own_exit_caps_it_and_a_stop_ends_it(desk: Desk, made: Execution, out: str | None) -> None:
    desk.main.hold(LONG, "0.1")
    desk.advance()
    changed = desk.own_exit(made, "0.03")
    copy = desk.copy()
    assert copy is not None
    if out is None:
        assert (changed, copy.cap, copy.out) == (None, None, "")
        return
    assert changed == copy
    assert (copy.cap, copy.out) == (Decimal("0.03"), out)
    desk.main.hold(LONG, "0.2")
    desk.advance()
    after = desk.copy()
    assert after is not None
    assert after.cap == (Decimal("0.08") if not out else Decimal("0.03"))


@pytest.mark.proves("A46")
@pytest.mark.parametrize(("time_ms", "counts"), [(NOW - 1, False), (NOW, True)])
def test_an_own_exit_read_later_counts_only_in_its_cycle(desk: Desk, time_ms: int, counts: bool) -> None:
    desk.main.hold(LONG, "0.1")
    desk.advance()
    made = closing(stop_kind=StopKind.STOP_LOSS, time_ms=time_ms)
    assert (desk.own_exit(made, "0", live=False) is not None) is counts


def test_a_flattened_account_stays_out_until_main_was_flat(desk: Desk) -> None:
    desk.main.hold(LONG, "0.1")
    desk.advance()
    desk.keeper.mark_out("mirror", "flatten")
    desk.main.hold(LONG, "0.4")
    desk.advance()
    copy = desk.copy()
    assert copy is not None
    assert (copy.out, copy.want(Decimal("0.4"), BTC)) == ("flatten", ZERO)
    desk.main.hold(LONG, "0")
    desk.advance()
    desk.main.hold(LONG, "0.1")
    desk.advance()
    copy = desk.copy()
    assert copy is not None
    assert (copy.out, copy.cap) == ("", None)


def test_an_entry_that_goes_out_makes_the_position_ours(desk: Desk) -> None:
    desk.main.hold(LONG, "0.1")
    desk.advance()
    desk.keeper.mark_opened("mirror", SYMBOL, LONG)
    copy = desk.copy()
    assert copy is not None
    assert copy.opened


@pytest.mark.proves("A76")
def test_an_own_exit_read_again_counts_once_and_one_of_the_same_seq_counts_too(desk: Desk) -> None:
    """Fills concluded together share a seq: what a restart must not count twice is told by its id alone."""
    desk.main.hold(LONG, "0.1")
    desk.advance()
    desk.own_exit(closing(exec_id="a", link_id=TARGET, time_ms=NOW + 1_000), "0.03")
    desk.keeper = Keeper(desk.store, 101, {})
    less = Decimal("0.01")
    twin = closing(exec_id="b", link_id=TARGET, time_ms=NOW + 1_000, qty=less, closed_qty=less)
    caps = []
    for again in (closing(exec_id="a", link_id=TARGET, time_ms=NOW + 1_000), twin, twin):
        desk.own_exit(again, "0.02", live=False)
        copy = desk.copy()
        caps.append(copy.cap if copy is not None else None)
    assert caps == [Decimal("0.03"), Decimal("0.02"), Decimal("0.02")]
