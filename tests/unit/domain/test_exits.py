"""Targets brought from what stands to what shall stand: shrunk before grown, never more than is held."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from mirrorctl.core.domain.actions import AmendOrder, CancelOrder, PlaceOrder
from mirrorctl.core.domain.exits import Holding, plan_targets, rested
from mirrorctl.core.domain.ids import LinkId, Role, trade_tag
from mirrorctl.core.domain.ladder import RungOrder
from mirrorctl.core.domain.ours import IntentState, OurOrder, Ours
from mirrorctl.core.domain.scene import SymbolPlan
from mirrorctl.core.domain.values import Side
from tests.unit.domain.scenes import BTC, LONG, NOW, SYMBOL, TAG, Book, books, order

TRADE = trade_tag(101, SYMBOL, LONG, "origin")
KEYS = ("aaaaaaaa", "bbbbbbbb", "cccccccc")
PRICES = (Decimal(61_000), Decimal(62_000), Decimal(63_000))


def link(leg: int, attempt: int = 0) -> LinkId:
    return LinkId(TAG, TRADE, Role.TARGET, leg, KEYS[leg], attempt)


def holding(size: str, *resting: str, filled: dict[int, str] | None = None) -> Holding:
    """A long of `size` with the targets that rest: total quantities, "" for a rung that has no order."""
    book, _ = books()
    book.hold(LONG, size)
    ours = [_rest(book, leg, qty, (filled or {}).get(leg, "0")) for leg, qty in enumerate(resting) if qty]
    return Holding(NOW, "main", TAG, TRADE, SYMBOL, LONG, 0, BTC, book.view, Ours(ours), frozenset())


def _rest(book: Book, leg: int, qty: str, filled: str) -> OurOrder:
    shown = order(f"t{leg}", qty, link_id=str(link(leg)), side=Side.SELL, price=PRICES[leg], reduce_only=True)
    book.rest(replace(shown, filled_qty=Decimal(filled)))
    return OurOrder(
        link(leg), SYMBOL, Side.SELL, Decimal(qty), IntentState.LIVE, PRICES[leg], True, filled=Decimal(filled)
    )


def planned(held: Holding, *wanted: str, may_grow: bool = True) -> list[str]:
    """What is done to have these open quantities rest, "" for no such rung."""
    plan = SymbolPlan("main", SYMBOL)
    rungs = [RungOrder(KEYS[leg], leg, PRICES[leg], Decimal(qty)) for leg, qty in enumerate(wanted) if qty]
    plan_targets(held, plan, rungs, rested(held), may_grow=may_grow)
    said = []
    for item in plan.actions:
        action = item.action
        if isinstance(action, PlaceOrder):
            assert action.reduce_only
            said.append(f"place {action.qty} at {action.price}")
        elif isinstance(action, AmendOrder):
            said.append(f"{action.order_id} to {action.qty or action.price}")
        else:
            assert isinstance(action, CancelOrder)
            said.append(f"cancel {action.order_id}")
    return said


@pytest.mark.proves("A31", "A25")
@pytest.mark.parametrize(
    ("held", "wanted", "done"),
    [
        (holding("0.1"), ("0.06", "0.04"), ["place 0.06 at 61000", "place 0.04 at 62000"]),
        (holding("0.1", "0.06", "0.04"), ("0.06", "0.04"), []),
        (holding("0.2", "0.06", "0.04"), ("0.12", "0.08"), ["t0 to 0.12", "t1 to 0.08"]),
        (holding("0.05", "0.06", "0.04"), ("0.03", "0.02"), ["t0 to 0.03", "t1 to 0.02"]),  # all shrink at once
        (holding("0.09", "0.06", "0.04"), ("0.05", "0.04"), ["t0 to 0.05"]),
        (holding("0.1", "0.06", "0.04"), ("0.05", "0.05"), ["t0 to 0.05"]),  # the other grows when there is room
        (holding("0.1", "0.05", "0.04"), ("0.06", "0.04"), ["t0 to 0.06"]),
        (holding("0.1", "0.06", "0.04"), ("", "0.1"), ["cancel t0"]),
        (holding("0.04", "", "0.04"), ("", "0.04"), []),
    ],
)
def test_what_rests_is_brought_to_what_shall_rest(held: Holding, wanted: tuple[str, ...], done: list[str]) -> None:
    assert planned(held, *wanted) == done


@pytest.mark.parametrize("may_grow", [True, False])
def test_targets_of_more_than_is_held_shrink_even_while_the_position_is_on_its_way(may_grow: bool) -> None:
    held = holding("0.016", "0.007", "0.008", "0.008", filled={1: "0.001"})
    assert planned(held, "0.005", "0.005", "0.006", may_grow=may_grow) == ["t0 to 0.005", "t1 to 0.006", "t2 to 0.006"]


def test_nothing_is_placed_or_grown_while_the_position_is_on_its_way() -> None:
    assert planned(holding("0.1", "0.03"), "0.06", "0.04", may_grow=False) == []


@pytest.mark.parametrize(("busy", "done"), [("amend:t0", ["t1 to 0.03"]), ("amend:t1", ["t0 to 0.04"]), ("stop", None)])
def test_while_a_target_is_being_amended_nothing_grows_and_nothing_is_placed(busy: str, done: list[str] | None) -> None:
    """It may turn out larger than it shows: what had room beside it has none then."""
    held = replace(holding("0.1", "0.05", "0.04"), busy=frozenset([busy]))
    assert planned(held, "0.04", "0.03", "0.01") == (done or ["t0 to 0.04", "t1 to 0.03", "place 0.01 at 63000"])
    assert planned(held, "0.05", "0.05") == ([] if done else ["t1 to 0.05"])
