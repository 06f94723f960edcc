"""Potential PnL: what stands on the book is counted, each quantity once; what nothing stands for is left out."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from mirrorctl.core.domain.account import Order
from mirrorctl.core.domain.potential import (
    Level,
    Potential,
    at_stops,
    at_targets,
    stop_distance_pct,
    stops_of,
    targets_of,
    total,
)
from mirrorctl.core.domain.values import OrderType, PositionSide, StopKind, TimeInForce, TriggerBy
from tests.unit.domain.scenes import LONG, SHORT, SYMBOL, order, row, stop_row

ONE, NONE = Decimal(1), Decimal(0)
ENTRY = Decimal(60_000)


def levels(*pairs: tuple[str, str]) -> list[Level]:
    return [Level(Decimal(price), Decimal(qty)) for price, qty in pairs]


@pytest.mark.parametrize(
    ("side", "at", "pnl", "left"),
    [
        (LONG, levels(("61000", "0.85"), ("62000", "0.15")), "1150", "0"),
        (LONG, levels(("62000", "0.15"), ("61000", "0.85")), "1150", "0"),
        (SHORT, levels(("58000", "0.5"), ("59000", "0.5")), "1500", "0"),
        (LONG, levels(("61000", "0.4")), "400", "0.6"),  # the rest has no target: left out, not assumed
        (LONG, levels(("61000", "0.4"), ("65000", "0")), "3400", "0"),  # quantity 0 takes all that is left
        (LONG, levels(("61000", "0"), ("65000", "0.4")), "1000", "0"),  # nothing is left for what comes later
        (LONG, levels(("61000", "0.7"), ("62000", "0.7")), "1300", "0"),  # a ladder beyond the position
    ],
)
def test_targets_fill_the_nearest_first(side: PositionSide, at: list[Level], pnl: str, left: str) -> None:
    assert at_targets(side, ONE, ENTRY, at) == Potential(Decimal(pnl), Decimal(left))


@pytest.mark.parametrize(
    ("side", "at", "pnl", "left"),
    [
        (LONG, levels(("58000", "0")), "-2000", "0"),
        (SHORT, levels(("62000", "0")), "-2000", "0"),
        (LONG, levels(("60100", "0")), "100", "0"),  # beyond breakeven
        (LONG, levels(("57000", "0"), ("59000", "0.4")), "-2200", "0"),  # a Partial one comes before the whole
        (SHORT, levels(("61000", "0.4")), "-400", "0.6"),
    ],
)
def test_stops_trigger_the_nearest_first(side: PositionSide, at: list[Level], pnl: str, left: str) -> None:
    assert at_stops(side, ONE, ENTRY, at) == Potential(Decimal(pnl), Decimal(left))


def test_without_a_level_or_an_entry_price_there_is_no_figure() -> None:
    assert at_targets(LONG, ONE, ENTRY, ()) == Potential(None, ONE)
    assert at_stops(LONG, ONE, None, levels(("58000", "0"))) == Potential(None, NONE, known=False)


def test_an_account_s_sum_is_unknown_with_one_position_that_is() -> None:
    known, bare = Potential(Decimal(5), NONE), Potential(None, ONE)
    assert total([]) == 0
    assert total([known, known]) == 10
    assert total([known, bare]) == 5  # left out, and named beside the sum
    assert total([bare]) is None
    assert total([known, Potential(None, NONE, known=False)]) is None


@pytest.mark.parametrize(
    ("side", "mark", "stop", "pct"), [(LONG, 60_000, 57_000, 5), (SHORT, 60_000, 63_000, 5), (LONG, 60_000, 60_600, -1)]
)
def test_the_distance_to_the_stop_is_positive_while_there_is_room(
    side: PositionSide, mark: int, stop: int, pct: int
) -> None:
    assert stop_distance_pct(side, Decimal(mark), Decimal(stop)) == pct
    assert stop_distance_pct(side, None, Decimal(stop)) is None
    assert stop_distance_pct(side, Decimal(mark), None) is None


def left_of(found: Order) -> Decimal:
    return found.leaves_qty


def test_a_conditional_exit_and_one_that_passes_by_are_no_targets() -> None:
    """A stop-limit by hand is reduce-only with a price too; so is an order of the mirror that reduces at once."""
    exits = order("limit", "0.4", side=LONG.exit, reduce_only=True, price=Decimal(61_000))
    stop = replace(exits, order_id="hand", stop_kind=StopKind.CONDITIONAL, trigger_price=Decimal(58_000), price=ENTRY)
    passing = replace(exits, order_id="ioc", time_in_force=TimeInForce.IOC, price=Decimal(58_200))
    assert targets_of(row(LONG, "1", 5), [stop, passing, exits], left_of) == (Level(Decimal(61_000), Decimal("0.4")),)


def test_a_limit_against_a_one_way_position_is_a_target_and_in_hedge_mode_it_opens_the_other_leg() -> None:
    against = order("limit", "0.4", side=LONG.exit, price=Decimal(61_000))
    assert targets_of(row(LONG, "1", 5), [against], left_of) == (Level(Decimal(61_000), Decimal("0.4")),)
    hedged = replace(row(LONG, "1", 5), idx=1)
    assert targets_of(hedged, [replace(against, position_idx=1)], left_of) == ()


def test_levels_are_read_off_the_book() -> None:
    made = stop_row(LONG, TriggerBy.LAST, order_id="p", stop_kind=StopKind.PARTIAL_STOP_LOSS)
    part = replace(made, qty=Decimal("0.4"), order_type=OrderType.MARKET, trigger_price=Decimal(59_000))
    whole = replace(part, order_id="w", qty=NONE, trigger_price=Decimal(58_500))
    filled = replace(part, order_id="f", filled_qty=Decimal("0.4"), trigger_price=Decimal(59_500))
    held = row(LONG, "1", 5, stop_loss=Decimal(58_000))
    assert stops_of(held, [whole, part, filled], left_of) == (
        Level(Decimal(58_000)),
        Level(Decimal(59_000), Decimal("0.4")),
        Level(Decimal(58_500)),
    )
    entry = order("entry", "0.3", price=Decimal(59_000))
    other = replace(part, symbol=f"NOT{SYMBOL}")
    assert stops_of(row(LONG, "1", 5), [entry, other], left_of) == targets_of(row(LONG, "1", 5), [entry], left_of) == ()
