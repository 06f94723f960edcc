"""Orders against a one-way position that are not marked reduce-only: exits up to its size, a flip beyond it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.core.domain.actions import PlaceOrder
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.simulation.stage import Stage


@pytest.mark.proves("A25")
def test_an_order_against_the_position_is_a_reduce_only_rung_on_every_mirror() -> None:
    stage = Stage()
    stage.main.buy("0.1", stop="58000")
    stage.main.offer("0.06", "62000")
    stage.settle()
    assert stage.of("half").book() == [("Sell", Decimal("0.030"), Decimal(62000))]
    assert stage.of("quarter").book() == [("Sell", Decimal("0.015"), Decimal(62000))]
    assert all(order.reduce_only for order in stage.placed("half") if order.role is Role.TARGET)
    stage.price("62001")
    stage.settle()
    assert stage.of("half").position() == Decimal("0.02")
    assert stage.of("quarter").position() == Decimal("0.01")
    assert not [row for row in stage.sent("half", PlaceOrder) if row.action.role is Role.REDUCTION]  # type: ignore[union-attr]  # a placement


def test_what_goes_beyond_the_position_is_followed_after_main_has_flipped() -> None:
    stage = Stage()
    stage.main.buy("0.1", stop="58000")
    stage.main.offer("0.3", "62000")
    stage.settle()
    assert stage.of("half").book() == [("Sell", Decimal("0.050"), Decimal(62000))]
    stage.price("62000.5")
    stage.settle()
    assert stage.main.position() == Decimal("-0.2")
    assert stage.of("half").position() == Decimal("-0.1")
    assert stage.of("half").book() == []


def test_an_order_against_a_leg_in_hedge_mode_opens_the_other_and_is_no_exit() -> None:
    stage = Stage(hedged=("main", "half", "quarter"))
    stage.main.buy("0.1", idx=1)
    stage.main.offer("0.06", "62000", idx=2)
    stage.settle()
    reduce_only = [row["reduceOnly"] for row in stage.of("half").orders()]
    assert reduce_only == [False]
