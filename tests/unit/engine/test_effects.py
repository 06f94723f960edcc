"""What a change keeps busy, when it shows, in which turn it goes, and how a plan prints it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.actions import Action, AmendOrder, PlaceOrder, Priority, SetTradingStop
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.scene import Planned
from mirrorctl.core.domain.values import OrderType, Side, StopKind
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.engine.effects import busy_key, effect_seen
from mirrorctl.core.engine.status import action_json
from tests.unit.domain.scenes import LONG, NOW, SYMBOL, order, row

SET = SetTradingStop("mirror", SYMBOL, 0, "as on main")
AMEND = AmendOrder("mirror", SYMBOL, "id", "", "as on main")
PRICE, OTHER, DISTANCE = Decimal(58_000), Decimal(57_000), Decimal(500)


def view_of(**changes: Any) -> AccountView:
    view = AccountView("mirror")
    view.apply_position(row(LONG, "0.1", 1, **changes), NOW)
    return view


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"stop_loss": PRICE}, "stop"),
        ({"stop_loss": PRICE, "take_profit": PRICE, "trailing_stop": DISTANCE}, "stop"),
        ({"take_profit": PRICE, "trailing_stop": DISTANCE}, "target"),
        ({"trailing_stop": DISTANCE, "active_price": PRICE}, "trailing"),
        ({"trailing_stop": Decimal(0)}, "trailing"),
    ],
)
def test_what_a_set_keeps_busy(changes: dict[str, Any], key: str) -> None:
    assert busy_key(replace(SET, **changes)) == key


def test_two_changes_of_one_order_share_what_they_keep_busy() -> None:
    moved, protected = replace(AMEND, price=PRICE), replace(AMEND, stop_loss=PRICE, protective=True)
    assert busy_key(moved) == busy_key(protected) == "amend:id"
    assert busy_key(replace(moved, order_id="other")) != busy_key(moved)


def test_a_trailing_stop_shows_when_the_position_carries_its_distance() -> None:
    wanted = replace(SET, trailing_stop=DISTANCE)
    assert effect_seen(wanted, view_of(trailing_stop=DISTANCE))
    assert not effect_seen(wanted, view_of(trailing_stop=DISTANCE + 1))
    assert not effect_seen(wanted, view_of())
    removed = replace(SET, trailing_stop=Decimal(0))
    assert effect_seen(removed, view_of())
    assert not effect_seen(removed, view_of(trailing_stop=DISTANCE))


def test_an_active_price_shows_as_the_trigger_of_the_trailing_order() -> None:
    view = view_of(trailing_stop=DISTANCE)
    wanted = replace(SET, trailing_stop=DISTANCE, active_price=PRICE)
    assert not effect_seen(wanted, view)
    trailing = order("trailing", "0.1", side=Side.SELL, stop_kind=StopKind.TRAILING_STOP, trigger_price=OTHER)
    view.apply_order(trailing, NOW)
    assert not effect_seen(wanted, view)
    view.apply_order(replace(trailing, trigger_price=PRICE, updated_ms=NOW + 1), NOW)
    assert effect_seen(wanted, view)


def test_every_part_of_a_set_must_show() -> None:
    both = replace(SET, stop_loss=PRICE, trailing_stop=DISTANCE)
    assert effect_seen(both, view_of(stop_loss=PRICE, trailing_stop=DISTANCE))
    assert not effect_seen(both, view_of(stop_loss=PRICE))
    assert not effect_seen(both, view_of(trailing_stop=DISTANCE))


@pytest.mark.proves("A84")
def test_an_amended_attached_stop_is_done_when_the_order_shows_it() -> None:
    view = view_of()
    view.apply_order(order("id", "0.1", stop_loss=OTHER), NOW)
    moved, removed = replace(AMEND, stop_loss=PRICE), replace(AMEND, stop_loss=Decimal(0))
    assert not effect_seen(moved, view)
    assert not effect_seen(removed, view)
    assert effect_seen(replace(AMEND, qty=Decimal("0.1")), view), "a stop that was not asked for does not matter"
    view.apply_order(order("id", "0.1", stop_loss=PRICE, updated_ms=NOW + 1), NOW)
    assert effect_seen(moved, view)
    view.apply_order(order("id", "0.1", updated_ms=NOW + 2), NOW)
    assert effect_seen(removed, view)


@pytest.mark.parametrize(
    ("action", "priority"),
    [
        (AMEND, Priority.ENTRY),
        (replace(AMEND, role=Role.TWIN), Priority.ENTRY),
        (replace(AMEND, role=Role.TARGET), Priority.TARGET),
        (replace(AMEND, role=Role.TARGET, protective=True), Priority.STOP),
        (replace(AMEND, protective=True), Priority.STOP),
        (replace(SET, trailing_stop=DISTANCE), Priority.STOP),
    ],
)
def test_the_turn_of_a_change(action: AmendOrder | SetTradingStop, priority: Priority) -> None:
    assert action.priority is priority


def placed(role: Role, *, reduce_only: bool = True) -> PlaceOrder:
    return PlaceOrder(
        "main",
        SYMBOL,
        Side.SELL,
        OrderType.LIMIT,
        Decimal(1),
        "link",
        role,
        "why",
        price=PRICE,
        reduce_only=reduce_only,
    )


@pytest.mark.parametrize(
    ("action", "word"),
    [
        (placed(Role.REDUCTION), "close"),
        (placed(Role.FLATTEN), "close"),
        (placed(Role.TARGET), "place"),
        (placed(Role.TWIN), "place"),
        (placed(Role.CORRECTION, reduce_only=False), "place"),
        (AMEND, "amend"),
    ],
)
def test_only_what_is_sent_to_close_is_called_a_close(action: Action, word: str) -> None:
    assert action_json(Planned(action))["action"] == word


@pytest.mark.parametrize(
    ("changes", "price", "sets"),
    [
        ({"stop_loss": PRICE}, "58000", {"stop": "58000"}),
        ({"take_profit": OTHER}, "57000", {"target": "57000"}),
        ({"stop_loss": PRICE, "take_profit": OTHER}, "58000", {"stop": "58000", "target": "57000"}),
        ({"trailing_stop": DISTANCE}, None, {"trailing": "500"}),
        ({"stop_loss": Decimal(0)}, "0", {"stop": "0"}),
    ],
)
def test_a_set_says_what_it_sets(changes: dict[str, Any], price: str | None, sets: dict[str, str]) -> None:
    printed = action_json(Planned(replace(SET, **changes)))
    assert (printed["action"], printed["price"], printed["sets"]) == ("set-stop", price, sets)
