"""The texts of the ladder's rules, case by case: boundaries, joining, rungs done, rungs partly filled (A30)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from mirrorctl.core.domain.instruments import ZERO, Instrument
from mirrorctl.core.domain.ladder import Ladder, Rung, spread, stored_ladder, without
from mirrorctl.core.domain.trade import Target, Trade
from tests.unit.domain.scenes import BTC, LONG, NOW, SYMBOL

CONSERVATIVE = ("85", "5", "5", "5")
DOGE = replace(BTC, symbol="DOGEUSDT", qty_step=Decimal(1), min_qty=Decimal(1), tick_size=Decimal("0.00001"))
DIMES = Decimal("0.1")


def ladder(*weights: str, whole: str | None = None, first: Decimal = Decimal(61_000)) -> Ladder:
    """Rungs a, b, c … 1% of `first` apart; without `whole` they cover everything."""
    rungs = tuple(
        Rung("abcdefgh"[leg], leg, first + leg * first / 100, Decimal(weight)) for leg, weight in enumerate(weights)
    )
    return Ladder(rungs, sum((rung.weight for rung in rungs), ZERO) if whole is None else Decimal(whole))


def resting(
    made: Ladder, have: str, filled: dict[str, str] | None = None, instrument: Instrument = BTC
) -> dict[str, str]:
    """Open quantities by rung."""
    done = {key: Decimal(value) for key, value in (filled or {}).items()}
    return {order.key: f"{order.open_qty:f}" for order in spread(made, Decimal(have), done, instrument)}


TABLE = [
    # Boundaries are floored cumulative shares; the last rung takes the rest.
    (CONSERVATIVE, "0.100", {"a": "0.085", "b": "0.005", "c": "0.005", "d": "0.005"}),
    (CONSERVATIVE, "0.037", {"a": "0.031", "b": "0.002", "c": "0.002", "d": "0.002"}),
    (("50", "30", "20"), "0.011", {"a": "0.005", "b": "0.003", "c": "0.003"}),
    (("33.33", "33.33", "33.34"), "0.100", {"a": "0.033", "b": "0.033", "c": "0.034"}),
    (("100",), "0.005", {"a": "0.005"}),
    # A rung without a whole step of its own joins the one nearer to entry.
    (CONSERVATIVE, "0.010", {"a": "0.008", "b": "0.001", "d": "0.001"}),
    (CONSERVATIVE, "0.003", {"a": "0.002", "d": "0.001"}),
    # The first joins the next.
    (("5", "5", "90"), "0.010", {"b": "0.001", "c": "0.009"}),
    # One rung left: the first rung's price, everything; also below the minimum.
    (("5", "95"), "0.010", {"a": "0.010"}),
    (CONSERVATIVE, "0.001", {"a": "0.001"}),
    (CONSERVATIVE, "0", {}),
]


@pytest.mark.proves("A30")
@pytest.mark.parametrize(("weights", "have", "expected"), TABLE)
def test_a_position_is_spread_by_the_rules(weights: tuple[str, ...], have: str, expected: dict[str, str]) -> None:
    assert resting(ladder(*weights), have) == expected


@pytest.mark.proves("A30")
@pytest.mark.parametrize(
    ("have", "expected"),
    [
        ("2000", {"a": "1700", "b": "100", "c": "100", "d": "100"}),
        ("800", {"a": "720", "c": "80"}),  # 4 USDT each is too little: d joins c, b joins a
        ("400", {"a": "340", "b": "60"}),  # 2 USDT each: d joins c, both join b
        ("200", {"a": "200"}),
    ],
)
def test_the_minimum_in_money_joins_rungs_from_the_outermost_inwards(have: str, expected: dict[str, str]) -> None:
    assert resting(ladder(*CONSERVATIVE, first=DIMES), have, instrument=DOGE) == expected


def test_one_rung_left_after_the_first_joined_the_next_has_the_first_price() -> None:
    made = ladder("5", "95")
    (order,) = spread(made, Decimal("0.010"), {}, BTC)
    assert (order.key, order.leg, order.price) == ("a", 0, made.rungs[0].price)


@pytest.mark.proves("A37")
@pytest.mark.parametrize(
    ("done", "have", "expected"),
    [
        ({"a"}, "0.015", {"b": "0.005", "c": "0.005", "d": "0.005"}),
        ({"a", "b"}, "0.010", {"c": "0.005", "d": "0.005"}),
        ({"a"}, "0.100", {"b": "0.033", "c": "0.033", "d": "0.034"}),  # added to: equal parts of what is left
        ({"a"}, "0.001", {"b": "0.001"}),  # one rung left: the first price of those left
        ({"a", "b", "c", "d"}, "0.004", {}),
    ],
)
def test_rungs_done_never_come_back_and_the_others_share_what_is_left(
    done: set[str], have: str, expected: dict[str, str]
) -> None:
    assert resting(without(ladder(*CONSERVATIVE), done), have) == expected


@pytest.mark.proves("A32")
@pytest.mark.parametrize(
    ("have", "filled", "expected"),
    [
        ("0.060", {"a": "0.040"}, {"a": "0.045", "b": "0.005", "c": "0.005", "d": "0.005"}),
        ("0.160", {"a": "0.040"}, {"a": "0.130", "b": "0.010", "c": "0.010", "d": "0.010"}),
        # Reduced by hand below what the first had filled of its share: it is done, the others take what is held.
        ("0.006", {"a": "0.080"}, {"b": "0.002", "c": "0.002", "d": "0.002"}),
        ("0.001", {"a": "0.002"}, {"d": "0.001"}),
    ],
)
def test_a_partly_filled_rung_counts_what_it_filled(
    have: str, filled: dict[str, str], expected: dict[str, str]
) -> None:
    assert resting(ladder(*CONSERVATIVE), have, filled) == expected


def test_a_rung_that_took_in_the_whole_ladder_keeps_it_while_it_fills() -> None:
    made = ladder("5", "95")
    assert resting(made, "0.010") == {"a": "0.010"}
    assert resting(made, "0.001", {"a": "0.009"}) == {"a": "0.001"}


READ_OFF = [
    # (weights on main, main's position, mirror holds, expected)
    (("0.2", "0.3"), "1", "0.500", {"a": "0.100", "b": "0.150"}),  # half of main has a target: half of the mirror
    (("0.7", "0.7"), "1", "0.500", {"a": "0.350", "b": "0.150"}),  # main's orders ask for more than it holds
    (("1", "1"), "1", "0.500", {"a": "0.500"}),
    (("0.5", "0.5"), "1", "0.001", {"a": "0.001"}),
    (("0.001", "0.001"), "1", "0.500", {"a": "0.001"}),  # each half a step: one rung, both shares
    (("0.001",), "1", "0.500", {}),  # half a step is nothing, and nothing is invented
]


@pytest.mark.parametrize(("weights", "whole", "have", "expected"), READ_OFF)
def test_a_ladder_read_off_main_covers_as_much_as_on_main(
    weights: tuple[str, ...], whole: str, have: str, expected: dict[str, str]
) -> None:
    assert resting(ladder(*weights, whole=whole), have) == expected


def test_a_rung_done_on_main_takes_its_weight_out_of_the_whole() -> None:
    left = without(ladder("0.2", "0.3", whole="1"), {"a"})
    assert left.whole_weight == Decimal("0.8")
    assert resting(left, "0.400") == {"b": "0.150"}


def test_a_share_under_the_minimum_that_is_not_everything_rests_nothing() -> None:
    small = replace(BTC, min_qty=Decimal("0.010"))
    assert resting(ladder("0.1", whole="1"), "0.050", instrument=small) == {}
    assert resting(ladder("1", whole="1"), "0.005", instrument=small) == {"a": "0.005"}


@pytest.mark.proves("A37")
def test_the_rungs_of_a_stored_ladder_are_named_for_good() -> None:
    targets = (Target(Decimal(61_000), Decimal(85)), Target(Decimal(62_000), Decimal(15)))
    trade = Trade(SYMBOL, LONG, "abcdefg", "custom", NOW, targets)
    made = stored_ladder(trade)
    assert made.whole_weight == 100
    assert [(rung.key, rung.leg, rung.price, rung.weight) for rung in made.rungs] == [
        (trade.rung_key(0), 0, Decimal(61_000), Decimal(85)),
        (trade.rung_key(1), 1, Decimal(62_000), Decimal(15)),
    ]
    replaced = stored_ladder(replace(trade, revision=1))
    assert {rung.key for rung in made.rungs}.isdisjoint(rung.key for rung in replaced.rungs)
    assert stored_ladder(replace(trade, targets=())).rungs == ()


def test_an_adopted_ladder_leaves_uncovered_what_no_order_stands_for() -> None:
    targets = (Target(Decimal(61_000), Decimal(30), order_id="x1"), Target(Decimal(62_000), Decimal(20), order_id="x2"))
    trade = Trade(SYMBOL, LONG, "abcdefg", "adopted", NOW, targets, uncovered=Decimal(50), adopted=True)
    made = stored_ladder(trade)
    assert [rung.order_id for rung in made.rungs] == ["x1", "x2"]
    assert [order.open_qty for order in spread(made, Decimal("0.1"), {}, BTC)] == [Decimal("0.03"), Decimal("0.02")]
