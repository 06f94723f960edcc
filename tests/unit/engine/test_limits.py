"""Limits of an account: what counts towards them, and that what cannot be computed is refused."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.account import Ticker
from mirrorctl.core.domain.actions import AmendOrder, PlaceOrder
from mirrorctl.core.domain.day_limits import Day
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.policy import Limits
from mirrorctl.core.domain.values import OrderStatus, OrderType, Side
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.engine.limits import Allowance, Exposure, Growth, OrderRate, growth_of
from tests.unit.domain.scenes import LONG, NOW, PRICE, SHORT, SYMBOL, execution, order, row

OPEN = Limits(max_leverage=None, max_position_notional=None, max_total_notional=None, max_orders_per_minute=None)


def exposure(view: AccountView | None = None, sent: int = 0, **limits: Any) -> Exposure:
    return Exposure(view or AccountView("mirror"), replace(OPEN, **limits), sent)


@pytest.mark.parametrize(
    ("limits", "qty", "refused"),
    [
        ({}, "1000", ""),
        ({"max_position_notional": Decimal(6_000)}, "0.1", ""),
        ({"max_position_notional": Decimal(6_000)}, "0.101", "max_position_notional"),
        ({"max_total_notional": Decimal(6_000)}, "0.1", ""),
        ({"max_total_notional": Decimal(6_000)}, "0.101", "max_total_notional"),
        ({"max_orders_per_minute": 0}, "0.001", "max_orders_per_minute"),
    ],
)
def test_an_entry_is_refused_by_the_limit_it_would_break(limits: dict[str, Any], qty: str, refused: str) -> None:
    assert refused in exposure(**limits).refusal(SYMBOL, Decimal(qty), PRICE)
    assert bool(exposure(**limits).refusal(SYMBOL, Decimal(qty), PRICE)) is bool(refused)


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_positions_resting_entries_and_what_is_planned_all_count(side: Any) -> None:
    view = AccountView("mirror")
    view.apply_position(row(side, "0.02", 1), NOW)
    view.apply_order(order("a", "0.03", price=PRICE, side=side.entry), NOW)
    found = exposure(view, max_position_notional=Decimal(6_000), max_total_notional=Decimal(6_000))
    assert found.refusal(SYMBOL, Decimal("0.05"), PRICE) == ""
    found.charge(SYMBOL, Decimal("0.05"), PRICE)
    assert "max_position_notional" in found.refusal(SYMBOL, Decimal("0.001"), PRICE)
    assert "max_total_notional" in found.refusal("ETHUSDT", Decimal("0.001"), PRICE)


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, True),
        ({"price": None, "trigger_price": PRICE, "status": OrderStatus.UNTRIGGERED}, True),
        ({"reduce_only": True, "side": Side.SELL}, False),
        ({"status": OrderStatus.CANCELLED}, False),
    ],
)
def test_an_order_counts_while_it_can_still_grow_a_position(changes: dict[str, Any], counts: bool) -> None:
    view = AccountView("mirror")
    view.apply_order(replace(order("a", "0.1", price=PRICE, order_type=OrderType.LIMIT), **changes), NOW)
    assert bool(exposure(view, max_total_notional=Decimal(6_000)).refusal(SYMBOL, Decimal("0.001"), PRICE)) is counts


def test_entries_on_their_way_count_before_the_exchange_shows_them() -> None:
    limits = replace(OPEN, max_total_notional=Decimal(6_000), max_open_positions=1)
    coming = [Growth("ETHUSDT", Decimal("1.9"), Decimal(3_000))]
    found = Exposure(AccountView("mirror"), limits, on_the_way=coming)
    assert "max_open_positions: 1 of 1" in found.refusal(SYMBOL, Decimal("0.001"), PRICE)
    assert found.refusal("ETHUSDT", Decimal("0.1"), Decimal(3_000)) == ""
    assert "max_total_notional: 6003 over 6000" in found.refusal("ETHUSDT", Decimal("0.101"), Decimal(3_000))


@pytest.mark.proves("A75")
def test_what_comes_at_market_counts_at_the_last_price_and_refuses_without_one() -> None:
    limits, coming = replace(OPEN, max_total_notional=Decimal(6_000)), [Growth("ETHUSDT", Decimal(1), None)]
    unknown = Exposure(AccountView("mirror"), limits, on_the_way=coming).refusal(SYMBOL, Decimal("0.001"), PRICE)
    assert unknown == "limit of notionals cannot be computed: the price of ETHUSDT is unknown"
    tickers = {"ETHUSDT": Ticker("ETHUSDT", *(Decimal(5_950),) * 3, None, None, 0)}
    found = Exposure(AccountView("mirror"), limits, on_the_way=coming, tickers=tickers)
    assert "max_total_notional" in found.refusal(SYMBOL, Decimal("0.001"), PRICE)


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({"qty": "0.15"}, "0.05"),
        ({"qty": "0.05"}, None),
        ({"price": "60000"}, "0.05"),
        ({"price": "30000"}, None),
        ({"qty": "0.15", "price": "60000"}, "0.1"),
        ({"stop_loss": "20000"}, None),
    ],
)
def test_an_amend_adds_what_it_makes_of_an_order(changes: dict[str, str], more: str | None) -> None:
    """0.1 at 30000 rests. In coins at the price that it will have."""
    view = AccountView("mirror")
    view.apply_order(order("a", "0.1", price=Decimal(30_000)), NOW)
    values: dict[str, Any] = {key: Decimal(value) for key, value in changes.items()}
    amend = AmendOrder("mirror", SYMBOL, "a", "", "why", **values)
    growth = growth_of(amend, view)
    assert (None if growth is None else growth.qty) == (None if more is None else Decimal(more))


def test_what_a_symbol_reserved_gives_way_to_what_it_plans() -> None:
    limits = replace(OPEN, max_total_notional=Decimal(6_000), max_orders_per_minute=2)
    found = Exposure(AccountView("mirror"), limits)
    found.charge(SYMBOL, Decimal("0.1"), PRICE)
    assert "max_total_notional" in found.refusal("ETHUSDT", Decimal(1), Decimal(3_000))
    found.settle([])
    assert found.refusal("ETHUSDT", Decimal(1), Decimal(3_000)) == "", "it was held after all"
    entry = PlaceOrder(
        "mirror", SYMBOL, Side.SELL, OrderType.LIMIT, Decimal("0.1"), "x", Role.CORRECTION, "", price=PRICE
    )
    found.settle([entry])
    assert "max_total_notional" in found.refusal("ETHUSDT", Decimal(1), Decimal(3_000)), "asked or not"
    found.settle([replace(entry, reduce_only=True)])
    assert "max_orders_per_minute: 2 of 2" in found.refusal("ETHUSDT", Decimal(0), Decimal(3_000))


@pytest.mark.proves("A85")
def test_a_fill_that_only_its_order_row_tells_counts() -> None:
    view = AccountView("mirror")
    view.apply_position(row(None, "0", 1), NOW)
    view.apply_order(order("a", "0.1", price=PRICE), NOW)
    filled = order("a", "0.1", price=PRICE, filled_qty=Decimal("0.1"), status=OrderStatus.FILLED, updated_ms=NOW + 1)
    view.apply_order(filled, NOW)
    found = exposure(view, max_total_notional=Decimal(6_000), max_open_positions=1)
    assert "max_open_positions" in found.refusal("ETHUSDT", Decimal("0.01"), Decimal(3_000))
    assert "max_total_notional" in found.refusal(SYMBOL, Decimal("0.001"), PRICE)


@pytest.mark.parametrize(("mark", "refused"), [("60000", True), ("30000", False), (None, False)])
def test_what_is_held_counts_at_its_mark_where_that_is_above_the_entry(mark: str | None, refused: bool) -> None:
    view = AccountView("mirror")
    price = None if mark is None else Decimal(mark)
    view.apply_position(replace(row(LONG, "0.1", 1), mark_price=price, entry_price=None), NOW)
    found = exposure(view, max_position_notional=Decimal(6_000)).refusal(SYMBOL, Decimal("0.01"), Decimal(30_000))
    assert bool(found) is refused


@pytest.mark.proves("A85")
def test_a_fill_whose_position_row_has_not_come_counts() -> None:
    view = AccountView("mirror")
    view.apply_position(row(None, "0", 1), NOW)
    view.apply_execution(execution("x", "o", "0.1", 2), NOW)
    for limit in ("max_position_notional", "max_total_notional"):
        limits: dict[str, Any] = {limit: Decimal(6_000)}
        assert limit in exposure(view, **limits).refusal(SYMBOL, Decimal("0.001"), PRICE)


@pytest.mark.proves("A75")
def test_a_total_that_cannot_be_computed_refuses() -> None:
    view = AccountView("mirror")
    view.apply_position(replace(row(LONG, "1", 1), symbol="ETHUSDT", mark_price=None, entry_price=None), NOW)
    assert "cannot be computed" in exposure(view, max_total_notional=Decimal(10**9)).refusal(SYMBOL, Decimal(1), PRICE)
    assert exposure(view, max_position_notional=Decimal(10**9)).refusal(SYMBOL, Decimal(1), PRICE) == ""


def test_placements_of_the_last_minute_count_and_older_ones_do_not() -> None:
    rate = OrderRate()
    for at in (NOW - 60_000, NOW - 59_999, NOW - 1):
        rate.note(at)
    assert rate.count(NOW) == 2
    assert exposure(sent=rate.count(NOW), max_orders_per_minute=3).refusal(SYMBOL, Decimal(1), PRICE) == ""
    assert exposure(sent=rate.count(NOW), max_orders_per_minute=2).refusal(SYMBOL, Decimal(1), PRICE) != ""


def test_what_a_pass_has_planned_counts_towards_the_rate() -> None:
    found = exposure(max_orders_per_minute=2)
    for expected in ("", "", "limit max_orders_per_minute: 2 of 2 sent"):
        assert found.refusal(SYMBOL, Decimal("0.001"), PRICE) == expected
        found.charge(SYMBOL, Decimal("0.001"), PRICE)


@pytest.mark.proves("A75")
@pytest.mark.parametrize(
    ("loss", "refused"),
    [(None, "cannot be computed"), (Decimal(999), ""), (Decimal(1_000), "1000 lost today"), (Decimal(-5), "")],
)
def test_a_days_loss_that_is_reached_or_unreadable_refuses(loss: Decimal | None, refused: str) -> None:
    limits = replace(OPEN, max_daily_loss=Decimal(1_000))
    found = Exposure(AccountView("mirror"), limits, day=Day(loss)).refusal(SYMBOL, Decimal("0.1"), PRICE)
    assert refused in found
    assert bool(found) is bool(refused)


def test_what_a_symbol_had_reserved_and_does_not_use_is_free_for_the_next() -> None:
    allowance = Allowance(lambda: exposure(max_total_notional=Decimal(6_000)))
    assert allowance.ask(SYMBOL, Decimal("0.1"), PRICE) == ""
    assert "max_total_notional" in allowance.ask("ETHUSDT", Decimal("0.1"), PRICE)
    allowance.settle([])  # it was held after all: it waited for something else
    assert allowance.ask("ETHUSDT", Decimal("0.1"), PRICE) == ""
