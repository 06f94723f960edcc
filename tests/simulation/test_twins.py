"""Twins of main's resting entries: placed, amended, cancelled, leading, lagging, and never corrected beside."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.core.domain.actions import AmendOrder, CancelOrder, PlaceOrder
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.policy import Follow, Limits
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying

GRACE_MS = 5_000


def corrections(stage: Stage, name: str) -> list[PlaceOrder]:
    return [order for order in stage.placed(name) if order.role is Role.CORRECTION]


@pytest.mark.proves("A2")
def test_a_resting_entry_is_twinned_amended_and_cancelled_with_main() -> None:
    stage = Stage()
    order = stage.main.bid("0.05", "59500", stop="58000")
    stage.settle()
    assert stage.of("half").book() == [("Buy", Decimal("0.025"), Decimal(59500))]
    assert stage.of("quarter").book() == [("Buy", Decimal("0.012"), Decimal(59500))]
    assert stage.of("half").orders()[0]["stopLoss"] == "58000.00"
    stage.main.amend(order, price="59400")
    stage.settle()
    stage.main.amend(order, qty="0.08")
    stage.settle()
    assert stage.of("half").book() == [("Buy", Decimal("0.04"), Decimal(59400))]
    assert stage.of("quarter").book() == [("Buy", Decimal("0.02"), Decimal(59400))]
    stage.main.cancel(order)
    stage.settle()
    assert stage.of("half").book() == stage.of("quarter").book() == []
    for name in ("half", "quarter"):
        kinds = [type(row.action) for row in stage.sent(name)]
        assert kinds == [PlaceOrder, AmendOrder, AmendOrder, CancelOrder]


@pytest.mark.proves("A2")
@pytest.mark.parametrize(
    ("side", "trigger", "direction", "price", "moved"),
    [("Buy", "61000", 1, "61010", "61000"), ("Sell", "59000", 2, "58990", "59000"), ("Buy", "61000", 1, "", "61000")],
)
def test_a_conditional_entry_is_twinned_as_a_conditional_and_fills_with_it(
    side: str, trigger: str, direction: int, price: str, moved: str
) -> None:
    stage = Stage()
    place = stage.main.buy if side == "Buy" else stage.main.sell
    more = {"price": price} if price else {}
    place("0.1", triggerPrice=trigger, triggerDirection=direction, **more)
    stage.settle()
    for name in ("half", "quarter"):
        [twin] = stage.of(name).orders()
        assert (twin["orderStatus"], Decimal(twin["triggerPrice"])) == ("Untriggered", Decimal(trigger))
        assert twin["triggerDirection"] == direction
    stage.price(moved)
    stage.settle()
    stage.run(GRACE_MS + 1_000)
    stage.settle()
    sign = 1 if side == "Buy" else -1
    assert stage.main.position() == sign * Decimal("0.1")
    assert stage.of("half").position() == sign * Decimal("0.05")
    assert stage.of("quarter").position() == sign * Decimal("0.025")


@pytest.mark.proves("A2", "A61")
def test_entry_limits_that_wait_with_no_position_stay() -> None:
    stage = Stage()
    for price in ("59500", "59000", "58500"):
        stage.main.bid("0.04", price)
    stage.settle()
    stage.restart()
    stage.settle()
    stage.run(300_000)
    wanted = [("Buy", Decimal("0.02"), Decimal(price)) for price in ("59500", "59000", "58500")]
    assert sorted(stage.of("half").book(), key=lambda row: -row[2]) == wanted
    assert len(stage.placed("half")) == 3
    assert stage.sent("half", CancelOrder) == []


@pytest.mark.proves("A20")
@pytest.mark.parametrize("filled", ["0.01", "0.03", "0.05"])
def test_a_lagging_twin_stands_for_the_grace_then_the_rest_is_ordered(filled: str) -> None:
    stage = Stage(copying("half", "0.5"))
    order = stage.main.bid("0.05", "59950")
    stage.settle()
    stage.main.fill(order, filled)
    stage.run(GRACE_MS - 500)
    assert stage.of("half").position() == 0
    assert corrections(stage, "half") == []
    assert stage.drift("half") == []
    stage.run(1_000)
    stage.settle()
    want = (Decimal(filled) / 2).quantize(Decimal("0.001"), rounding="ROUND_DOWN")
    assert stage.of("half").position() == want
    [correction] = corrections(stage, "half")
    assert correction.qty == want
    rest = Decimal("0.05") - Decimal(filled)
    assert stage.of("half").book() == ([("Buy", rest / 2, Decimal(59950))] if rest else [])


@pytest.mark.proves("A20")
def test_what_the_twin_filled_in_the_grace_is_not_ordered_again() -> None:
    stage = Stage(copying("half", "0.5"))
    order = stage.main.bid("0.1", "59950")
    stage.settle()
    stage.main.fill(order, "0.1")
    stage.run(1_000)
    [twin] = stage.of("half").orders()
    stage.of("half").fill(twin["orderId"], "0.02")
    stage.run(GRACE_MS)
    stage.settle()
    assert stage.of("half").position() == Decimal("0.05")
    assert [order.qty for order in corrections(stage, "half")] == [Decimal("0.03")]
    assert stage.of("half").volume() == (Decimal("0.05"), Decimal(0))


@pytest.mark.proves("A20")
@pytest.mark.parametrize("fill_after_ms", range(0, 60, 7))
def test_a_twin_that_fills_while_its_cancel_travels_is_counted(fill_after_ms: int) -> None:
    """The correction waits until the twin is terminal, and takes its last cumExecQty."""
    stage = Stage(copying("half", "0.5"), seed=fill_after_ms + 1)
    order = stage.main.bid("0.1", "59950")
    stage.settle()
    stage.main.fill(order, "0.1")
    [twin] = stage.of("half").orders()
    stage.until(lambda: any(isinstance(i.action, CancelOrder) for i in stage.engine.book.open_intents()))
    stage.run(fill_after_ms)
    if stage.of("half").orders():
        stage.of("half").fill(twin["orderId"], "0.03")
    stage.settle()
    assert stage.of("half").position() == Decimal("0.05")
    assert stage.of("half").volume() == (Decimal("0.05"), Decimal(0))


@pytest.mark.proves("A20", "A82")
def test_beyond_the_slippage_bound_nothing_is_chased_and_an_alert_says_so() -> None:
    stage = Stage(copying("half", "0.5", follow=Follow(max_age_s=Decimal(3600))))
    order = stage.main.bid("0.05", "59500")
    stage.settle()
    stage.main.fill(order, "0.05")
    stage.price("60500")
    stage.run(GRACE_MS + 20_000)
    assert stage.of("half").position() == 0
    assert any("slippage" in reason for reason in stage.held("half"))
    assert len(stage.alerts("half", "slippage")) == 1
    assert stage.drift("half") == []
    for correction in corrections(stage, "half"):
        assert correction.price is not None
        assert correction.price <= Decimal(59500) * (1 + Decimal(50) / 10_000)
    stage.price("59600")
    stage.run(60_000)
    stage.settle()
    assert stage.of("half").position() == Decimal("0.025")


@pytest.mark.proves("A20")
@pytest.mark.parametrize("partly", ["", "0.02"])
def test_a_twin_that_filled_first_is_kept_while_mains_order_is_open_and_undone_when_it_ends(partly: str) -> None:
    stage = Stage(copying("half", "0.5"))
    order = stage.main.bid("0.1", "59500")
    stage.settle()
    [twin] = stage.of("half").orders()
    stage.of("half").fill(twin["orderId"], "0.05")
    stage.settle()
    stage.run(60_000)
    assert stage.of("half").position() == Decimal("0.05"), "a lead is not excess"
    assert stage.drift("half") == []
    if partly:
        stage.main.fill(order, partly)
        stage.settle()
        assert stage.of("half").position() == Decimal("0.05")
    stage.main.cancel(order)
    stage.run(500)
    stage.settle()
    assert stage.of("half").position() == Decimal(partly or 0) / 2
    assert stage.of("half").orders() == []


@pytest.mark.proves("A20")
def test_a_lead_becomes_the_position_when_mains_order_fills_too() -> None:
    stage = Stage(copying("half", "0.5"))
    order = stage.main.bid("0.1", "59500")
    stage.settle()
    [twin] = stage.of("half").orders()
    stage.of("half").fill(twin["orderId"], "0.05")
    stage.settle()
    stage.main.fill(order, "0.1")
    stage.settle()
    stage.run(30_000)
    assert stage.of("half").volume() == (Decimal("0.05"), Decimal(0))
    assert len(stage.placed("half")) == 1


@pytest.mark.proves("A20", "A54")
@pytest.mark.parametrize("seed", range(12))
def test_fills_of_both_orders_in_any_order_of_messages_need_no_correction(seed: int) -> None:
    """Price trades through both at once; pushes overtake each other; nobody corrects what the twin already did."""
    stage = Stage(seed=seed)
    stage.main.buy("0.1", stop="50000")
    stage.settle()
    stage.main.bid("0.08", "59500")
    stage.settle()
    before = {name: len(corrections(stage, name)) for name in stage.mirrors}
    stage.price("59500")
    stage.settle()
    stage.run(GRACE_MS + 2_000)
    assert stage.of("half").position() == Decimal("0.09")
    assert stage.of("quarter").position() == Decimal("0.045")
    assert {name: len(corrections(stage, name)) for name in stage.mirrors} == before


@pytest.mark.proves("A20")
def test_a_twin_that_the_exchange_ended_is_not_placed_again_at_the_same_price() -> None:
    stage = Stage(copying("half", "0.5"))
    order = stage.main.bid("0.05", "59500")
    stage.settle()
    [twin] = stage.of("half").orders()
    stage.of("half").cancel(twin["orderId"])
    stage.run(60_000)
    assert stage.of("half").orders() == []
    stage.main.amend(order, price="59400")
    stage.settle()
    assert stage.of("half").book() == [("Buy", Decimal("0.025"), Decimal(59400))]


@pytest.mark.proves("A2", "A17")
def test_an_order_beyond_the_position_is_followed_after_main_has_flipped() -> None:
    """On a one-way main a resting sell of more than the position is an exit first: nothing may open on the mirror."""
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1")
    stage.settle()
    stage.main.offer("0.3", "60500")
    stage.settle()
    stage.run(10_000)
    assert all(row["reduceOnly"] for row in stage.of("half").orders())
    stage.price("60500")
    stage.settle()
    stage.run(GRACE_MS + 2_000)
    stage.settle()
    assert stage.main.position() == Decimal("-0.2")
    assert stage.of("half").position() == Decimal("-0.1")
    assert stage.of("half").volume() == (Decimal("0.05"), Decimal("0.15"))


@pytest.mark.proves("A75")
def test_an_amended_entry_does_not_carry_its_twin_past_a_limit() -> None:
    limits = Limits(Decimal(100), Decimal(2_000), None, None)
    stage = Stage(copying("half", "0.5", limits=limits))
    order = stage.main.bid("0.05", "59500")
    stage.settle()
    assert stage.of("half").book() == [("Buy", Decimal("0.025"), Decimal(59500))]
    stage.main.amend(order, qty="0.5")
    stage.run(2_000)
    assert sum(qty * price for _, qty, price in stage.of("half").book()) <= Decimal(2_000)
    assert any("max_position_notional" in reason for reason in stage.held("half"))
    stage.main.amend(order, qty="0.04")
    stage.settle()
    assert stage.of("half").book() == [("Buy", Decimal("0.02"), Decimal(59500))]
    assert stage.held("half") == []


@pytest.mark.proves("A45", "A20")
@pytest.mark.parametrize("spoilt", [FaultKind.TRUNCATE, FaultKind.EMPTY])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_truncated_order_page_cancels_no_twin(spoilt: FaultKind, restarted: bool) -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.bid("0.05", "59500")
    stage.main.bid("0.05", "59000")
    stage.settle()
    stage.world.fault(spoilt, "main", "/v5/order/realtime", count=3, keep=0)
    if restarted:
        stage.restart()
    else:
        stage.engine.relist_all()
    stage.run(40_000)
    assert stage.sent("half", CancelOrder) == []
    assert len(stage.placed("half")) == 2
    assert len(stage.of("half").orders()) == 2
