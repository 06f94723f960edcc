"""What main's trader binds to its position: Partial take-profits and stops, a Full target, a trailing stop."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.actions import SetTradingStop
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.simulation.stage import Stage
from tests.simulation.hand import Hand

NAMES = ("main", "half", "quarter")
GRACE_MS = 5_000


def held(side: PositionSide = PositionSide.LONG, *, stop: str = "") -> Hand:
    hand = Hand(Stage(), side)
    hand.enter("0.2", stop=stop)
    hand.stage.settle()
    return hand


def partial(hand: Hand, *, target: str = "", stop: str = "", qty: str, **more: Any) -> None:
    """A Partial take-profit or stop on main."""
    if target:
        more |= {"takeProfit": hand.at(target), "tpSize": qty}
    else:
        more |= {"stopLoss": hand.at(stop), "slSize": qty}
    hand.stage.main.protect(tpslMode="Partial", **more)


def bound(hand: Hand, name: str, kind: str) -> list[dict[str, Any]]:
    """The rows of what is bound to an account's position."""
    rows = hand.stage.world.call(name, "GET", "/v5/order/realtime", category="linear", symbol="BTCUSDT")
    return [row for row in rows["result"]["list"] if row["stopOrderType"] == kind]


# --- partial take-profits -------------------------------------------------------------------------------------------


@pytest.mark.proves("A30", "A79")
@pytest.mark.parametrize("side", PositionSide)
@pytest.mark.parametrize("limit", [False, True], ids=["market", "limit"])
def test_partial_take_profits_become_rungs_that_follow_them(limit: bool, side: PositionSide) -> None:
    hand = held(side, stop="57000")
    stage = hand.stage
    more: dict[str, Any] = {"tpOrderType": "Limit", "tpLimitPrice": hand.at("61000")} if limit else {}
    partial(hand, target="61000", qty="0.1", **more)
    partial(hand, target="62000", qty="0.06")
    hand.silent()
    assert hand.shown("half") == "0.1 | 61000:0.05 62000:0.03 | - | 57000 | monitoring"
    assert hand.shown("quarter") == "0.05 | 61000:0.025 62000:0.015 | - | 57000 | monitoring"
    [far] = [
        row
        for row in bound(hand, "main", "PartialTakeProfit")
        if Decimal(row["triggerPrice"]) == Decimal(hand.at("62000"))
    ]
    hand.stage.main.amend(far["orderId"], triggerPrice=hand.at("62500"))
    hand.silent()
    assert hand.shown("half") == "0.1 | 61000:0.05 62500:0.03 | - | 57000 | monitoring"
    stage.restart()
    hand.silent()
    hand.market("61000")
    hand.market("61010")
    stage.run(GRACE_MS + 1_000)
    hand.silent()
    assert hand.size("main") == Decimal("0.1")
    assert hand.shown("half") == "0.05 | 62500:0.03 | - | 57000 | profit-taking"
    assert hand.shown("quarter") == "0.025 | 62500:0.015 | - | 57000 | profit-taking"
    stage.main.cancel(far["orderId"])
    hand.silent()
    assert hand.shown("half") == "0.05 | - | - | 57000 | profit-taking"
    assert stage.sent("main") == []


# --- partial stops ---------------------------------------------------------------------------------------------------


@pytest.mark.proves("A22", "A28")
@pytest.mark.parametrize("side", PositionSide)
@pytest.mark.parametrize(
    ("parts", "stop", "named"),
    [
        ([("59000", "0.04"), ("58000", "0.12"), ("57000", "0.04")], "58000", ["0.04 at 59000", "0.04 at 57000"]),
        ([("58000", "0.1"), ("57000", "0.1")], "58000", ["0.1 at 57000"]),
        ([("59000", "0.06"), ("58500", "0.05"), ("58000", "0.1")], "58000", ["0.06 at 59000", "0.05 at 58500"]),
        ([("59000", "0.06"), ("58000", "0.06"), ("57000", "0.06")], "58000", ["0.06 at 59000", "0.06 at 57000"]),
        ([("58000", "0.09")], "", ["0.09 at 58000"]),
    ],
)
def test_of_partial_stops_the_nearest_that_covers_half_is_the_mirrors_stop_and_the_rest_are_named(
    parts: list[tuple[str, str]], stop: str, named: list[str], side: PositionSide
) -> None:
    hand = held(side)
    for price, qty in parts:
        partial(hand, stop=price, qty=qty)
    hand.silent()
    for name in ("half", "quarter"):
        assert hand.stop(name) == (Decimal(stop) if stop else None), name
        told = " ".join(alert.text for alert in hand.stage.alerts(name))
        assert all(f"{part.split(' at ')[0]} at {hand.at(part.split(' at ')[1])}" in told for part in named), told


@pytest.mark.proves("A22")
def test_a_full_stop_is_the_mirrors_stop_beside_partial_ones() -> None:
    hand = held(stop="57000")
    partial(hand, stop="58000", qty="0.15")
    hand.silent()
    assert [hand.stop(name) for name in NAMES] == [Decimal(57_000)] * 3
    hand.stage.main.protect(stop="0")
    hand.stage.run(2_000)  # after a second it is told that it is gone
    hand.silent()
    assert hand.stop("main") is None
    assert [hand.stop(name) for name in NAMES[1:]] == [Decimal(58_000)] * 2


@pytest.mark.proves("A76")
def test_a_mirrors_stop_that_stood_for_a_partial_one_sells_all_and_nothing_is_bought_back() -> None:
    hand = held()
    partial(hand, stop="59000", qty="0.12")
    hand.silent()
    hand.market("58990")
    hand.stage.run(GRACE_MS + 1_000)
    hand.silent()
    assert hand.size("main") == Decimal("0.08")
    assert [hand.size(name) for name in NAMES[1:]] == [0, 0]
    hand.stage.restart()
    hand.silent()
    assert [hand.size(name) for name in NAMES[1:]] == [0, 0]


# --- a full target, a trailing stop -----------------------------------------------------------------------------------


@pytest.mark.parametrize("side", PositionSide)
def test_a_full_target_is_bound_to_the_mirrors_position_and_goes_with_mains(side: PositionSide) -> None:
    hand = held(side, stop="57000")
    main = hand.stage.main
    main.protect(target=hand.at("62000"))
    hand.silent()
    assert [hand.of(name).bound()[1] for name in NAMES] == [Decimal(hand.at("62000"))] * 3
    main.protect(target=hand.at("62500"))
    hand.silent()
    assert [hand.of(name).bound()[1] for name in NAMES] == [Decimal(hand.at("62500"))] * 3
    main.protect(target="0")
    hand.silent()
    assert [hand.of(name).bound()[1] for name in NAMES] == [None] * 3
    assert [hand.stop(name) for name in NAMES] == [Decimal(57_000)] * 3
    main.protect(target=hand.at("62000"))
    hand.stage.settle()
    hand.market("62010")
    hand.silent()
    assert [hand.size(name) for name in NAMES] == [0, 0, 0]


@pytest.mark.proves("A36")
@pytest.mark.parametrize("side", PositionSide)
@pytest.mark.parametrize("active", ["", "60500"], ids=["at once", "from a price on"])
def test_a_trailing_stop_trails_on_the_mirrors_as_on_main(active: str, side: PositionSide) -> None:
    hand = held(side, stop="57000")
    stage, main = hand.stage, hand.stage.main
    more: dict[str, Any] = {"activePrice": hand.at(active)} if active else {}
    main.protect(trailingStop="500", **more)
    hand.silent()
    for name in NAMES:
        [row] = bound(hand, name, "TrailingStop")
        assert Decimal(row["qty"]) == hand.size(name)
        assert Decimal(row["triggerPrice"] or 0) == Decimal(bound(hand, "main", "TrailingStop")[0]["triggerPrice"] or 0)
    main.protect(trailingStop="400")
    stage.restart()
    hand.silent()
    sent = len(stage.sent(kind=SetTradingStop))
    hand.market("60600")
    hand.market("61000")
    hand.silent()
    assert len(stage.sent(kind=SetTradingStop)) == sent, "a stop that trails is not moved by hand"
    hand.market("60590")
    hand.silent()
    assert [hand.size(name) for name in NAMES] == [0, 0, 0]


def test_a_trailing_stop_goes_where_a_stop_of_mains_takes_its_place() -> None:
    hand = held()
    main = hand.stage.main
    main.protect(trailingStop="500")
    hand.silent()
    main.protect(trailingStop="0")
    hand.silent()
    assert [len(bound(hand, name, "TrailingStop")) for name in NAMES] == [0, 1, 1], "without a stop it stays"
    main.protect(stop="58000")
    hand.silent()
    assert [len(bound(hand, name, "TrailingStop")) for name in NAMES] == [0, 0, 0]
    assert [hand.stop(name) for name in NAMES] == [Decimal(58_000)] * 3
