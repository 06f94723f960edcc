"""One row of `positions`: the stop and targets that stand, Full or Partial, and the phase with and without a daemon."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.commands.portfolio import position_row
from mirrorctl.commands.wants import Known
from mirrorctl.core.domain.account import Order
from mirrorctl.core.domain.ids import LinkId, Role, account_tag, step_tag
from mirrorctl.core.domain.values import OrderType, PositionSide, Side, StopKind, TriggerBy
from tests.unit.domain.scenes import LONG, SHORT, SYMBOL, order, row, stop_row

TWIN = str(LinkId(account_tag(202), "abcdefg", Role.TWIN, 0, step_tag("x"), 0))


def partial(kind: StopKind, qty: str, price: str, side: PositionSide = LONG) -> Order:
    made = stop_row(side, TriggerBy.LAST, order_id=f"{kind}{price}", stop_kind=kind, trigger_price=Decimal(price))
    return replace(made, qty=Decimal(qty), order_type=OrderType.MARKET)


def shown(orders: list[Order], side: PositionSide = LONG, known: Known | None = None, **held: Any) -> dict[str, Any]:
    return position_row(row(side, "1", 5, **held), orders, "main", known or Known())


def test_the_full_stop_covers_all_of_it() -> None:
    found = shown([partial(StopKind.PARTIAL_STOP_LOSS, "0.4", "59000")], stop_loss=Decimal(58_000))
    assert found["stop"] == {"price": 58_000, "qty": 1}


@pytest.mark.parametrize(("side", "first"), [(LONG, "59000"), (SHORT, "57000")])
def test_without_a_full_stop_the_first_partial_one_is_shown_with_what_it_covers(side: PositionSide, first: str) -> None:
    stops = [partial(StopKind.PARTIAL_STOP_LOSS, "0.4", price, side) for price in ("57000", "58000", "59000")]
    assert shown(stops, side)["stop"] == {"price": Decimal(first), "qty": Decimal("0.4")}
    assert shown([], side)["stop"] is None


def test_targets_are_the_position_s_own_then_limits_and_partial_ones_nearest_first() -> None:
    limit = order("limit", "0.3", side=Side.SELL, price=Decimal(62_000), reduce_only=True, filled_qty=Decimal("0.1"))
    entry = order("entry", "0.3", price=Decimal(59_000))
    found = shown([limit, partial(StopKind.PARTIAL_TAKE_PROFIT, "0.2", "61000"), entry], take_profit=Decimal(70_000))
    assert [(target["price"], target["qty"]) for target in found["targets"]] == [
        (70_000, 1),
        (61_000, Decimal("0.2")),
        (62_000, Decimal("0.2")),
    ]


@pytest.mark.parametrize(
    ("account", "resting", "done", "phase"),
    [
        ("main", None, 0, "monitoring"),
        ("main", "", 0, "building"),
        ("main", "", 1, "profit-taking"),
        ("mirror", TWIN, 0, "building"),
        ("mirror", "", 0, "monitoring"),  # an order of somebody else's is no entry of the trade
        ("mirror", TWIN, 2, "profit-taking"),
    ],
)
def test_without_a_daemon_the_phase_follows_from_what_stands(
    account: str, resting: str | None, done: int, phase: str
) -> None:
    orders = [] if resting is None else [order("entry", "0.3", link_id=resting)]
    known = Known(done={(account, SYMBOL, LONG): done})
    assert position_row(row(LONG, "1", 5), orders, account, known)["monitor"] == phase


def test_what_nothing_stands_for_has_no_phase() -> None:
    assert shown([])["monitor"] is None
    assert shown([], known=Known(phases={"main": {}}))["monitor"] is None
    assert shown([], known=Known(phases={"main": {f"{SYMBOL} long": "building"}}))["monitor"] == "building"
