"""The ladder's invariants over any position, any rungs and any fills (A30)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorctl.core.domain.instruments import ZERO, Instrument
from mirrorctl.core.domain.ladder import Ladder, Rung, spread, without
from tests.unit.domain.scenes import BTC

Fills = dict[str, Decimal]
KEYS = "abcdefgh"


@st.composite
def instruments(draw: st.DrawFn) -> Instrument:
    step = draw(st.sampled_from([Decimal(text) for text in ("0.001", "0.01", "1", "10", "0.1")]))
    least = step * draw(st.integers(1, 20))
    return replace(BTC, qty_step=step, min_qty=least, min_notional=Decimal(draw(st.sampled_from((0, 5, 5_000)))))


@st.composite
def ladders(draw: st.DrawFn, covering: bool) -> Ladder:
    weights = [Decimal(n) / 4 for n in draw(st.lists(st.integers(1, 400), min_size=1, max_size=6))]
    rungs = tuple(Rung(KEYS[leg], leg, Decimal(100 + leg), weight) for leg, weight in enumerate(weights))
    total = sum(weights, ZERO)
    whole = total if covering else total * draw(st.integers(5, 60)) / 20
    return Ladder(rungs, whole)


@st.composite
def cases(draw: st.DrawFn, covering: bool) -> tuple[Ladder, Decimal, Fills, Instrument]:
    rules, made = draw(instruments()), draw(ladders(covering))
    have = rules.qty_step * draw(st.integers(0, 500))
    filled = {rung.key: rules.qty_step * draw(st.integers(0, 60)) for rung in made.rungs if draw(st.booleans())}
    return made, have, filled, rules


def total(made: Ladder, have: Decimal, filled: Fills, rules: Instrument) -> Decimal:
    return sum((order.open_qty for order in spread(made, have, filled, rules)), ZERO)


@pytest.mark.proves("A30")
@given(cases(covering=True))
def test_a_ladder_covers_the_position_exactly(case: tuple[Ladder, Decimal, Fills, Instrument]) -> None:
    made, have, filled, rules = case
    assert total(made, have, filled, rules) == have


@pytest.mark.proves("A30")
@given(cases(covering=False))
def test_no_ladder_ever_asks_for_more_than_is_held(case: tuple[Ladder, Decimal, Fills, Instrument]) -> None:
    made, have, filled, rules = case
    assert ZERO <= total(made, have, filled, rules) <= have


@given(st.booleans().flatmap(lambda covering: cases(covering)))
def test_what_rests_is_on_step_above_nothing_and_in_the_order_of_the_ladder(
    case: tuple[Ladder, Decimal, Fills, Instrument],
) -> None:
    made, have, filled, rules = case
    orders = spread(made, have, filled, rules)
    assert all(order.open_qty > 0 and order.open_qty % rules.qty_step == 0 for order in orders)
    by_key = {rung.key: rung for rung in made.rungs}
    assert [order.leg for order in orders] == sorted({order.leg for order in orders})
    assert all((order.leg, order.price) == (by_key[order.key].leg, by_key[order.key].price) for order in orders)


@pytest.mark.proves("A30")
@given(st.booleans().flatmap(lambda covering: cases(covering)))
def test_a_rung_that_nothing_filled_meets_the_minimum_or_stands_alone(
    case: tuple[Ladder, Decimal, Fills, Instrument],
) -> None:
    made, have, _, rules = case
    orders = spread(made, have, {}, rules)
    small = [order for order in orders if not rules.meets_minimum(order.open_qty, order.price)]
    assert not small or (len(orders) == 1 and orders[0].open_qty == have)


@given(ladders(covering=True), st.integers(1, 500))
def test_where_every_rung_is_large_enough_each_has_its_share_to_the_step(made: Ladder, steps: int) -> None:
    have = BTC.qty_step * 400 * steps * len(made.rungs)
    rules = replace(BTC, min_notional=ZERO)
    for order, rung in zip(spread(made, have, {}, rules), made.rungs, strict=True):
        share = have * rung.weight / made.whole_weight
        assert abs(order.open_qty - share) < rules.qty_step


@pytest.mark.proves("A30", "A32")
@given(cases(covering=True), st.data())
def test_a_fill_of_one_rung_leaves_the_others_as_they_are(
    case: tuple[Ladder, Decimal, Fills, Instrument], data: st.DataObject
) -> None:
    """Whatever rests, any part of any of it may fill: nothing else has to be amended for it."""
    made, have, filled, rules = case
    orders = spread(made, have, filled, rules)
    if not orders:
        return
    hit = data.draw(st.sampled_from(orders))
    part = rules.qty_step * data.draw(st.integers(1, int(hit.open_qty / rules.qty_step)))
    after = spread(made, have - part, {**filled, hit.key: filled.get(hit.key, ZERO) + part}, rules)
    expected = [replace(order, open_qty=order.open_qty - part) if order is hit else order for order in orders]
    assert list(after) == [order for order in expected if order.open_qty]


@pytest.mark.proves("A37", "A30")
@given(cases(covering=True), st.data())
def test_rungs_done_are_gone_and_the_rest_covers_what_is_left(
    case: tuple[Ladder, Decimal, Fills, Instrument], data: st.DataObject
) -> None:
    made, have, filled, rules = case
    done = data.draw(st.sets(st.sampled_from([rung.key for rung in made.rungs]), max_size=len(made.rungs) - 1))
    left = without(made, done)
    orders = spread(left, have, filled, rules)
    assert done.isdisjoint(order.key for order in orders)
    assert sum((order.open_qty for order in orders), ZERO) == have
    assert left.whole_weight == sum((rung.weight for rung in left.rungs), ZERO)


@given(cases(covering=True), st.integers(2, 9))
def test_only_the_proportions_of_weights_count(case: tuple[Ladder, Decimal, Fills, Instrument], factor: int) -> None:
    made, have, filled, rules = case
    scaled = tuple(replace(rung, weight=rung.weight * factor) for rung in made.rungs)
    assert spread(Ladder(scaled, made.whole_weight * factor), have, filled, rules) == spread(made, have, filled, rules)
