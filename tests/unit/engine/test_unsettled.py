"""Intents that are not over: asked for in the order in which they were made, and not any more once they are over."""

from __future__ import annotations

from decimal import Decimal

from mirrorctl.core.domain.actions import PlaceOrder
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.values import OrderType, Side
from mirrorctl.core.engine.looks import Tracked
from mirrorctl.core.engine.records import Intent
from mirrorctl.core.engine.unsettled import Unsettled


def tracked(intent_id: int, account: str = "mirror", look_ms: int = 0) -> Tracked:
    action = PlaceOrder(
        account, "BTCUSDT", Side.BUY, OrderType.MARKET, Decimal(1), f"link-{intent_id}", Role.CORRECTION, "a test"
    )
    return Tracked(Intent(intent_id, account, action, IntentState.PENDING, 1, 1), 1, look_ms=look_ms)


def test_what_is_due_is_asked_for_in_the_order_in_which_it_was_made() -> None:
    unsettled, made = Unsettled(), [tracked(number) for number in (1, 2, 3)]
    for each in made:
        unsettled.add(each)
    assert unsettled.next_ms() is None, "nothing is to be asked yet"
    for each, at_ms in zip(made, (300, 200, 100), strict=True):
        unsettled.look_at(each, at_ms)
    assert unsettled.next_ms() == 100
    assert unsettled.take_due(250) == [made[1], made[2]]
    assert unsettled.take_due(250) == [], "until it is said when again"
    unsettled.look_at(made[1], 400)
    unsettled.look_at(made[0], 0)
    assert (unsettled.next_ms(), unsettled.take_due(400)) == (400, [made[1]])


def test_what_is_over_is_not_asked_for_and_adds_nothing() -> None:
    unsettled, one, other = Unsettled(), tracked(1, look_ms=50), tracked(2, "other")
    unsettled.add(one)
    unsettled.add(other)
    assert unsettled.next_ms() == 50, "of an earlier life: asked for at once"
    assert list(unsettled.coming("mirror")) == [one]
    unsettled.arrived(one)
    assert not unsettled.coming("mirror")
    assert list(unsettled.known) == [1, 2], "a row shows it, and it is open on"
    unsettled.drop(one)
    unsettled.drop(one)
    assert (list(unsettled.known), unsettled.next_ms()) == ([2], None)
    assert list(unsettled.coming("other")) == [other]
