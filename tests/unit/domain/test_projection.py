"""Main in a mirror's terms: symbols, sides, quantities and prices, rounded so that the mirror is never worse off."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from mirrorctl.core.domain.lens import Lens
from mirrorctl.core.domain.policy import Hedge, MappedSymbol
from mirrorctl.core.domain.projection import Aim, Projection
from mirrorctl.core.domain.standing_trade import ladder_on_book, stop_on_book
from mirrorctl.core.domain.values import PositionMode, Side, StopKind, TimeInForce, TriggerBy
from tests.unit.domain.scenes import BTC, LONG, SHORT, SYMBOL, Book, books, order, stop_row

OTHER = "1000BTCUSDT"
THERE = replace(BTC, symbol=OTHER, tick_size=Decimal("0.5"))
MAPPED = Lens(map={SYMBOL: MappedSymbol(OTHER, Decimal("0.3"))})


def main_book(mode: PositionMode = PositionMode.ONE_WAY) -> Book:
    return books(mode)[0]


def seen(book: Book, lens: Lens, *, one_way: bool = True, **more: object) -> Projection:
    symbol = OTHER if lens.map else SYMBOL
    instrument = THERE if lens.map else BTC
    return Projection(book.view, lens, symbol, instrument, one_way=one_way, **more)  # type: ignore[arg-type]  # aims


@pytest.mark.parametrize(
    ("side", "stop", "profit"),
    # 58000 / 0.3 = 193333.33, 62000 / 0.3 = 206666.67 on a tick of 0.5
    [(LONG, "193333.5", "207000"), (SHORT, "193333", "206666.5")],
)
def test_a_mapped_position_is_protected_no_later_and_sold_no_worse(side: object, stop: str, profit: str) -> None:
    book = main_book()
    at = LONG if side is LONG else SHORT
    book.hold(at, "0.2", stop_loss=Decimal(58_000), take_profit=Decimal(62_000), trailing_stop=Decimal(100))
    row = seen(book, MAPPED).position(OTHER, at)
    assert row is not None
    assert (row.symbol, row.size) == (OTHER, Decimal("0.06"))
    assert row.stop_loss == Decimal(stop)
    wanted = Decimal("206667") if at is LONG else Decimal(profit)
    assert row.take_profit == wanted
    assert row.trailing_stop == Decimal(333), "100 / 0.3 = 333.33, never wider"


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, "196666.5"), (Side.SELL, "196667")])
def test_a_mapped_entry_is_never_at_a_worse_price(side: Side, price: str) -> None:
    book = main_book()
    book.rest(order("a", "0.2", side=side))  # 59000 / 0.3 = 196666.67
    (found,) = seen(book, MAPPED).orders(OTHER)
    assert (found.symbol, found.qty, found.price) == (OTHER, Decimal("0.06"), Decimal(price))
    assert seen(book, MAPPED).leaves(found) == Decimal("0.06")


@pytest.mark.parametrize(("direction", "trigger"), [(1, "200000"), (2, "200000"), (1, "200333.5"), (2, "200333")])
def test_a_mapped_trigger_is_not_reached_before_mains(direction: int, trigger: str) -> None:
    book = main_book()
    asked = Decimal(60_000) if trigger == "200000" else Decimal(60_100)  # 60100 / 0.3 = 200333.33
    book.rest(order("a", "0.2", trigger_price=asked, trigger_direction=direction, stop_kind=StopKind.CONDITIONAL))
    (found,) = seen(book, MAPPED).orders(OTHER)
    assert found.trigger_price == Decimal(trigger)


def test_a_projection_is_about_one_symbol() -> None:
    with pytest.raises(ValueError, match="not for BTCUSDT"):
        seen(main_book(), MAPPED).size(SYMBOL, LONG)


def test_a_reverse_position_has_stop_and_target_swapped_with_their_triggers() -> None:
    book = main_book()
    book.hold(LONG, "0.2", stop_loss=Decimal(58_000), take_profit=Decimal(61_000))
    book.rest(stop_row(LONG, TriggerBy.MARK))
    book.rest(order("entry", "0.1"))
    here = seen(book, Lens(reverse=True), aims={LONG: Aim(Decimal(62_000), TriggerBy.INDEX)})
    row = here.position(SYMBOL, SHORT)
    assert row is not None
    assert (row.side, row.size) == (SHORT, Decimal("0.2"))
    assert (row.stop_loss, row.take_profit) == (Decimal(62_000), Decimal(58_000))
    assert here.position(SYMBOL, LONG) is None
    assert here.size(SYMBOL, LONG) == 0
    assert stop_on_book(here, SYMBOL, SHORT) == (Decimal(62_000), TriggerBy.INDEX, ())
    kinds = {(o.stop_kind, o.side, o.trigger_by, o.trigger_price) for o in here.orders(SYMBOL)}
    assert kinds == {
        (StopKind.STOP_LOSS, Side.BUY, TriggerBy.INDEX, Decimal(62_000)),
        (StopKind.TAKE_PROFIT, Side.BUY, TriggerBy.MARK, Decimal(58_000)),
    }
    assert ladder_on_book(here, SYMBOL, SHORT).rungs == ()


def test_without_a_target_a_reverse_position_has_no_stop() -> None:
    book = main_book()
    book.hold(SHORT, "0.2", stop_loss=Decimal(62_000))
    here = seen(book, Lens(reverse=True))
    assert stop_on_book(here, SYMBOL, LONG) == (None, None, ())
    row = here.position(SYMBOL, LONG)
    assert row is not None
    assert (row.stop_loss, row.take_profit) == (None, Decimal(62_000))


HEDGED = PositionMode.HEDGE


def legs(long: str, short: str) -> Book:
    book = main_book(HEDGED)
    if Decimal(long):
        book.hold(LONG, long, stop_loss=Decimal(58_000), take_profit=Decimal(63_000))
    if Decimal(short):
        book.hold(SHORT, short, stop_loss=Decimal(62_000))
    return book


@pytest.mark.parametrize(
    ("policy", "long", "short", "sizes"),
    [
        (Hedge.NET, "0.3", "0.1", ("0.2", "0")),
        (Hedge.NET, "0.1", "0.3", ("0", "0.2")),
        (Hedge.NET, "0.2", "0.2", ("0", "0")),
        (Hedge.NET, "0.3", "0", ("0.3", "0")),
        (Hedge.LONG_ONLY, "0.3", "0.1", ("0.3", "0")),
        (Hedge.LONG_ONLY, "0", "0.1", ("0", "0.1")),
        (Hedge.SHORT_ONLY, "0.3", "0.1", ("0", "0.1")),
        (Hedge.SHORT_ONLY, "0.3", "0", ("0.3", "0")),
        (Hedge.REFUSE, "0.3", "0.1", ("0.3", "0.1")),
    ],
)
def test_what_one_position_follows_of_two_legs(policy: Hedge, long: str, short: str, sizes: tuple[str, str]) -> None:
    book, lens = legs(long, short), Lens(hedge=policy)
    here = seen(book, lens)
    assert (here.size(SYMBOL, LONG), here.size(SYMBOL, SHORT)) == tuple(map(Decimal, sizes))
    of_two = seen(book, lens, one_way=False)
    assert (of_two.size(SYMBOL, LONG), of_two.size(SYMBOL, SHORT)) == (Decimal(long), Decimal(short))


def test_a_net_has_the_larger_legs_stop_and_no_orders_of_either() -> None:
    book = legs("0.3", "0.1")
    book.rest(order("bid", "0.1", position_idx=1))
    book.rest(order("offer", "0.1", side=Side.SELL, position_idx=2))
    book.rest(order("rung", "0.3", side=Side.SELL, position_idx=1, reduce_only=True, time_in_force=TimeInForce.GTC))
    here = seen(book, Lens(hedge=Hedge.NET))
    row = here.position(SYMBOL, LONG)
    assert row is not None
    assert (row.size, row.stop_loss, row.take_profit) == (Decimal("0.2"), Decimal(58_000), None)
    assert here.position(SYMBOL, SHORT) is None
    assert list(here.orders(SYMBOL)) == []


def test_the_favoured_leg_keeps_its_orders_beside_the_other() -> None:
    book = legs("0.3", "0.1")
    for name, side, idx in (("bid", Side.BUY, 1), ("offer", Side.SELL, 2)):
        book.rest(order(name, "0.1", side=side, position_idx=idx))
    here = seen(book, Lens(hedge=Hedge.LONG_ONLY))
    assert [o.order_id for o in here.orders(SYMBOL)] == ["bid"]
    alone = legs("0", "0.1")
    for name, side, idx in (("bid", Side.BUY, 1), ("offer", Side.SELL, 2)):
        alone.rest(order(name, "0.1", side=side, position_idx=idx))
    assert [o.order_id for o in seen(alone, Lens(hedge=Hedge.LONG_ONLY)).orders(SYMBOL)] == ["offer"]


def test_a_lens_maps_keys_both_ways_and_names_what_stands_for_nothing() -> None:
    lens = Lens(reverse=True, map={"A": MappedSymbol("B", Decimal(2))})
    assert lens.here(("A", LONG)) == ("B", SHORT)
    assert lens.there(("B", SHORT)) == ("A", LONG)
    assert (lens.follows("A"), lens.follows("B"), lens.follows("C")) == (True, False, True)
    assert (lens.is_idle("A"), lens.is_idle("B"), lens.is_idle("C")) == (True, False, False)
