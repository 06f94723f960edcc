"""A trade read off main's book: its rungs, its stop, and what it lacks; nothing is made up."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.account import Order
from mirrorctl.core.domain.approach import CONSERVATIVE
from mirrorctl.core.domain.ids import LinkId, Role, account_tag, step_tag
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.ladder import Ladder, spread, stored_ladder
from mirrorctl.core.domain.standing_trade import ReadOff, ladder_on_book, read_off, stop_on_book
from mirrorctl.core.domain.trade import order_key
from mirrorctl.core.domain.values import (
    OrderStatus,
    OrderType,
    PositionMode,
    PositionSide,
    StopKind,
    TimeInForce,
    TriggerBy,
)
from mirrorctl.core.domain.view import AccountView
from tests.unit.domain.scenes import BTC, LONG, NOW, SHORT, SYMBOL, Book, dec, order, stop_row

MODES = [
    (PositionMode.ONE_WAY, LONG),
    (PositionMode.ONE_WAY, SHORT),
    (PositionMode.HEDGE, LONG),
    (PositionMode.HEDGE, SHORT),
]
EVERY_LEG = pytest.mark.parametrize(("mode", "side"), MODES, ids=lambda value: str(value))


def desk(mode: PositionMode = PositionMode.ONE_WAY, side: PositionSide = LONG, size: str = "1") -> Book:
    book = Book(AccountView("main"), mode)
    book.hold(side, size)
    return book


def beyond(side: PositionSide, distance: int) -> Decimal:
    """A price on the profit side of 60000 (negative: on the loss side)."""
    return dec(60_000 + distance * side.sign)


def target(name: str, qty: str, distance: int, book: Book, side: PositionSide = LONG, **changes: Any) -> Order:
    """A reduce-only limit of the trader's own."""
    idx = book.mode.idx(side)
    made = order(name, qty, side=side.exit, price=beyond(side, distance), reduce_only=True, position_idx=idx)
    return book.rest(replace(made, **changes))


def partial(
    kind: StopKind,
    name: str,
    qty: str,
    distance: int,
    book: Book,
    side: PositionSide = LONG,
    by: TriggerBy = TriggerBy.LAST,
) -> Order:
    """A Partial stop or take-profit as the exchange makes it."""
    made = stop_row(side, by, order_id=name, qty=dec(qty), stop_kind=kind, trigger_price=beyond(side, distance))
    return book.rest(replace(made, order_type=OrderType.MARKET, position_idx=book.mode.idx(side)))


def stop(
    name: str, qty: str, distance: int, book: Book, side: PositionSide = LONG, by: TriggerBy = TriggerBy.LAST
) -> Order:
    return partial(StopKind.PARTIAL_STOP_LOSS, name, qty, -distance, book, side, by)


# --- the ladder -----------------------------------------------------------------------------------------------------


@EVERY_LEG
def test_rungs_are_limits_and_partial_take_profits_nearest_first(mode: PositionMode, side: PositionSide) -> None:
    book = desk(mode, side)
    target("far", "0.2", 3_000, book, side)
    target("near", "0.5", 500, book, side)
    partial(StopKind.PARTIAL_TAKE_PROFIT, "between", "0.1", 1_500, book, side)
    ladder = ladder_on_book(book.view, SYMBOL, side)
    assert [(rung.order_id, rung.price, rung.weight) for rung in ladder.rungs] == [
        ("near", beyond(side, 500), dec("0.5")),
        ("between", beyond(side, 1_500), dec("0.1")),
        ("far", beyond(side, 3_000), dec("0.2")),
    ]
    assert [rung.key for rung in ladder.rungs] == [order_key(name) for name in ("near", "between", "far")]
    assert ladder.whole_weight == 1, "it covers 0.8 of 1"


def test_what_a_rung_filled_belongs_to_the_whole() -> None:
    book = desk()
    target("near", "0.5", 500, book)
    target("far", "0.5", 900, book)
    book.fill("near", dec("0.2"))
    ladder = ladder_on_book(book.view, SYMBOL, LONG)
    assert book.view.size(SYMBOL, LONG) == dec("0.8")
    assert [rung.weight for rung in ladder.rungs] == [dec("0.5"), dec("0.5")]
    assert ladder.whole_weight == 1


def test_a_rung_of_ours_keeps_the_name_of_its_order() -> None:
    book = desk()
    link = LinkId(account_tag(101), "abcdefg", Role.TARGET, 2, step_tag("rung", "x"), 3)
    target("ours", "0.5", 500, book, link_id=str(link))
    (rung,) = ladder_on_book(book.view, SYMBOL, LONG).rungs
    assert (rung.key, rung.leg) == (link.step, 2)


def test_a_rung_keeps_its_name_and_leg_when_a_nearer_one_comes_or_its_price_moves() -> None:
    book = desk()
    far = target("far", "0.5", 900, book)
    (before,) = ladder_on_book(book.view, SYMBOL, LONG).rungs
    target("near", "0.2", 500, book)
    book.rest(replace(far, price=beyond(LONG, 1_200)))
    after = ladder_on_book(book.view, SYMBOL, LONG).rungs[1]
    assert (after.key, after.leg) == (before.key, before.leg)
    assert after.price == beyond(LONG, 1_200)


@pytest.mark.parametrize(
    "changes",
    [
        {"reduce_only": False},
        {"order_type": OrderType.MARKET},
        {"time_in_force": TimeInForce.IOC},
        {"side": LONG.entry},
        {"position_idx": 1},
        {"status": OrderStatus.CANCELLED},
        {"stop_kind": StopKind.TAKE_PROFIT, "trigger_price": dec(61_000)},
        {"stop_kind": StopKind.CONDITIONAL, "trigger_price": dec(61_000)},
        {"link_id": str(LinkId(account_tag(101), "abcdefg", Role.REDUCTION, 0, step_tag("x"), 0))},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_is_no_rung(changes: dict[str, Any]) -> None:
    book = desk()
    book.rest(replace(target("x", "0.5", 500, book), **changes))
    assert ladder_on_book(book.view, SYMBOL, LONG).rungs == ()


def test_the_legs_of_a_hedge_account_have_a_ladder_each() -> None:
    book = desk(PositionMode.HEDGE, LONG)
    book.hold(SHORT, "0.4")
    target("of the long", "0.5", 500, book, LONG)
    target("of the short", "0.4", 500, book, SHORT)
    for side, name, whole in ((LONG, "of the long", "1"), (SHORT, "of the short", "0.4")):
        ladder = ladder_on_book(book.view, SYMBOL, side)
        assert [rung.order_id for rung in ladder.rungs] == [name]
        assert ladder.whole_weight == dec(whole)


def test_flat_is_no_ladder() -> None:
    book = Book(AccountView("main"))
    ladder = ladder_on_book(book.view, SYMBOL, LONG)
    assert ladder == Ladder((), ZERO)


# --- the stop -------------------------------------------------------------------------------------------------------


@EVERY_LEG
def test_the_full_stop_is_the_stop_and_partial_ones_are_named(mode: PositionMode, side: PositionSide) -> None:
    book = desk(mode, side)
    book.change(mode.idx(side), stop_loss=beyond(side, -2_000))
    book.rest(stop_row(side, TriggerBy.MARK, position_idx=mode.idx(side), trigger_price=beyond(side, -2_000)))
    stop("p1", "0.9", 1_000, book, side)
    price, by, others = stop_on_book(book.view, SYMBOL, side)
    assert (price, by) == (beyond(side, -2_000), TriggerBy.MARK)
    assert [order.order_id for order in others] == ["p1"]


def test_what_triggers_a_full_stop_is_unknown_until_its_order_is_seen() -> None:
    book = desk()
    book.change(0, stop_loss=dec(58_000))
    assert stop_on_book(book.view, SYMBOL, LONG) == (dec(58_000), None, ())


# What main's row shows and when it was told, beside an order behind the stop at 57000 that changed at 1: what stands.
@pytest.mark.proves("A54", "A21")
@pytest.mark.parametrize(
    ("shown", "told_ms", "stands"),
    [
        (None, 0, "57000"),
        (None, 1, "57000"),
        (None, 2, None),
        ("58000", 0, "57000"),
        ("58000", 1, "58000"),
        ("58000", 2, "58000"),
    ],
)
def test_the_full_stop_is_what_the_later_word_says_of_its_row_and_its_order(
    shown: str | None, told_ms: int, stands: str | None
) -> None:
    book = desk()
    book.change(0, stop_loss=shown and dec(shown), told_ms=NOW + told_ms)
    guard = stop_row(LONG, TriggerBy.MARK, trigger_price=dec(57_000), updated_ms=NOW + 1)
    book.view.apply_order(guard, NOW)
    assert stop_on_book(book.view, SYMBOL, LONG)[:2] == (
        (dec(stands), TriggerBy.MARK) if stands is not None else (None, None)
    )


def test_an_order_that_is_older_than_the_position_says_nothing() -> None:
    book = desk()
    book.change(0, opened_ms=NOW)
    for created_ms, stands in ((NOW - 1, None), (NOW, dec(57_000))):
        guard = stop_row(LONG, TriggerBy.LAST, trigger_price=dec(57_000), created_ms=created_ms)
        book.rest(guard)
        assert stop_on_book(book.view, SYMBOL, LONG)[0] == stands


def test_an_order_behind_a_stop_that_is_over_says_nothing() -> None:
    book = desk()
    guard = book.rest(stop_row(LONG, TriggerBy.LAST, trigger_price=dec(57_000)))
    book.end(guard.order_id, OrderStatus.DEACTIVATED)
    assert stop_on_book(book.view, SYMBOL, LONG) == (None, None, ())


# Quantities and distances of Partial stops of a position of 1, the one that is chosen, and those left over.
HALVES = [
    ([("a", "0.5", 1_000)], "a", []),
    ([("a", "0.4", 500), ("b", "0.6", 1_000), ("c", "1", 2_000)], "b", ["a", "c"]),
    ([("a", "0.3", 500), ("b", "0.3", 1_000), ("c", "0.3", 2_000)], "b", ["a", "c"]),
    ([("a", "0.2", 500), ("b", "0.2", 1_000), ("c", "0.1", 2_000)], "c", ["a", "b"]),
    ([("a", "0.2", 500), ("b", "0.29", 1_000)], None, ["a", "b"]),
    ([], None, []),
]


@EVERY_LEG
@pytest.mark.parametrize(("stops", "chosen", "others"), HALVES, ids=lambda value: str(value)[:40])
def test_the_nearest_partial_stop_that_covers_half_is_the_stop(
    stops: list[tuple[str, str, int]], chosen: str | None, others: list[str], mode: PositionMode, side: PositionSide
) -> None:
    book = desk(mode, side)
    placed = {name: stop(name, qty, far, book, side, TriggerBy.INDEX) for name, qty, far in reversed(stops)}
    price, by, left = stop_on_book(book.view, SYMBOL, side)
    assert price == (placed[chosen].trigger_price if chosen else None)
    assert by is (TriggerBy.INDEX if chosen else None)
    assert [order.order_id for order in left] == others


def test_without_a_position_no_stop_stands() -> None:
    book = Book(AccountView("main"))
    stop("a", "1", 500, book)
    price, _, left = stop_on_book(book.view, SYMBOL, LONG)
    assert price is None
    assert len(left) == 1


# --- the whole trade ------------------------------------------------------------------------------------------------


def read(book: Book, side: PositionSide = LONG) -> ReadOff:
    found = read_off(book.view, SYMBOL, side, "abcdefg", CONSERVATIVE, NOW)
    assert found is not None
    return found


@EVERY_LEG
@pytest.mark.proves("A63")
def test_an_adopted_trade_is_what_stands_and_a_pass_over_it_changes_nothing(
    mode: PositionMode, side: PositionSide
) -> None:
    """Thirds have no exact percent: the quantities that stand must come back from the stored ladder all the same."""
    book = desk(mode, side, "0.037")
    book.change(mode.idx(side), stop_loss=beyond(side, -2_000))
    for name, qty, far in (("a", "0.017", 500), ("b", "0.011", 900), ("c", "0.009", 1_500)):
        target(name, qty, far, book, side)
    found = read(book, side)
    trade = found.trade
    assert (trade.adopted, trade.opened, trade.approach) == (True, True, "adopted")
    assert (trade.stop, trade.stood) == (beyond(side, -2_000), beyond(side, -2_000))
    assert (trade.breakeven_after, trade.cancel_entries_after) == (1, 1)
    assert (found.missing, found.beside) == ((), ())
    rests = spread(stored_ladder(trade), dec("0.037"), {}, BTC)
    assert [(rung.order_id, rung.open_qty, rung.price) for rung in rests] == [
        ("a", dec("0.017"), beyond(side, 500)),
        ("b", dec("0.011"), beyond(side, 900)),
        ("c", dec("0.009"), beyond(side, 1_500)),
    ]


@pytest.mark.proves("A63")
def test_what_is_missing_is_said_and_not_made_up() -> None:
    book = desk()
    found = read(book)
    assert found.missing == ("a stop for the whole position", "a target")
    assert (found.trade.stop, found.trade.targets) == (None, ())
    assert found.trade.uncovered == 100
    target("a", "0.25", 500, book)
    book.change(0, stop_loss=dec(58_000))
    found = read(book)
    assert found.missing == ("a target for 75% of the position",)
    assert found.trade.breakeven_after == 0, "one rung is no ladder"
    (rest,) = spread(stored_ladder(found.trade), dec(1), {}, BTC)
    assert rest.open_qty == dec("0.25")


def test_what_stands_beside_the_trade_is_named() -> None:
    book = desk()
    stop("a", "0.6", 1_000, book)
    book.change(0, take_profit=dec(70_000), trailing_stop=dec(300))
    found = read(book)
    assert found.trade.stop is None, "a Partial stop is not widened to the whole position"
    assert found.missing == ("a stop for the whole position",)
    assert found.beside == (
        "Partial stop of 0.6 at 59000",
        "take-profit of the position at 70000",
        "trailing stop of 300",
    )


def test_orders_beyond_the_position_are_cut_where_it_ends() -> None:
    """The nearest fill first: what comes after the whole position was sold can never fill."""
    book = desk()
    for name, qty, far in (("a", "0.6", 500), ("b", "0.6", 900), ("c", "0.5", 1_500)):
        target(name, qty, far, book)
    found = read(book)
    assert [(t.order_id, t.percent) for t in found.trade.targets] == [("a", dec(60)), ("b", dec(40))]
    assert found.trade.uncovered == 0
    assert found.beside == ("target of 0.5 at 61500, beyond the whole position",)


def test_a_rung_of_ours_that_is_read_back_is_known_by_its_name() -> None:
    """Removed and added again: its orders are found among ours, so they are no orders of the trader's beside them."""
    book = desk()
    link = LinkId(account_tag(101), "abcdefg", Role.TARGET, 0, step_tag("rung", "x"), 0)
    target("ours", "0.5", 500, book, link_id=str(link))
    trade = read(book).trade
    assert trade.rung_key(0) == link.step
    assert trade.targets[0].order_id == ""


def test_there_is_nothing_to_read_off_a_flat_side() -> None:
    assert read_off(desk().view, SYMBOL, SHORT, "abcdefg", CONSERVATIVE, NOW) is None
