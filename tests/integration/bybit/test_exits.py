"""Exits as the exchange shows them: trailing stops, stops attached to entries, partial stops, reduce-only rungs.

Where Bybit's pages are silent the paper exchange takes the harder of two readings; what it does then is written here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.bybit.reader import failed, read
from mirrorctl.core.bybit.rest import BybitRest
from mirrorctl.core.domain.account import Order, Position
from mirrorctl.core.domain.actions import Accepted, AmendOrder, Outcome, PlaceOrder, RejectedOutcome, SetTradingStop
from mirrorctl.core.domain.errors import Rejected
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.values import OrderStatus, OrderType, PositionSide, Side, StopKind
from mirrorctl.core.engine.ports import ClosedAnswer, FeeRateAnswer, ReadClosed, ReadFeeRate, ReadTicker
from mirrorctl.core.paper.faults import Fault, FaultKind
from mirrorctl.core.paper.server import PaperServer
from tests.integration.bybit.conftest import ACCOUNT

SYMBOL = "BTCUSDT"
SET = SetTradingStop("main", SYMBOL, 0, "a test")


class Desk:
    """One account: what is sent for it, and what its owner does in the phone app."""

    def __init__(self, rest: BybitRest, paper: PaperServer) -> None:
        self.rest = rest
        self.paper = paper
        self._count = 0

    def send(self, side: Side, qty: str, price: str | None = None, **more: Any) -> Outcome:
        self._count += 1
        kind = OrderType.MARKET if price is None else OrderType.LIMIT
        limit = None if price is None else Decimal(price)
        link_id, symbol = f"m1-{self._count}", more.pop("symbol", SYMBOL)
        return self.rest.execute(
            PlaceOrder("main", symbol, side, kind, Decimal(qty), link_id, Role.TARGET, "a test", price=limit, **more)
        )

    def place(self, side: Side, qty: str, price: str | None = None, **more: Any) -> str:
        outcome = self.send(side, qty, price, **more)
        assert isinstance(outcome, Accepted), outcome
        return outcome.order_id

    def rung(self, qty: str, price: str) -> str:
        return self.place(Side.SELL, qty, price, reduce_only=True)

    def amend(self, order_id: str, **changes: Decimal) -> Outcome:
        return self.rest.execute(AmendOrder("main", SYMBOL, order_id, "", "a test", **changes))  # type: ignore[arg-type]

    def protect(self, **what: str) -> Outcome:
        changes: dict[str, Any] = {name: Decimal(value) for name, value in what.items()}
        return self.rest.execute(replace(SET, **changes))

    def by_hand(self, path: str, **params: Any) -> None:
        fields = {"category": "linear", "symbol": SYMBOL, "positionIdx": 0, **params}
        answer = self.paper.run(lambda gateway, now: gateway.exchange.handle(ACCOUNT.uid, "POST", path, fields, now))
        assert answer["retCode"] == 0, answer

    def price(self, price: str) -> None:
        self.paper.set_price(SYMBOL, Decimal(price))

    def fill(self, order_id: str, qty: str) -> None:
        self.paper.run(lambda gateway, now: gateway.exchange.fill_order(ACCOUNT.uid, order_id, Decimal(qty), now))

    def position(self) -> Position:
        (row,) = self.rest.position(SYMBOL).positions
        return row

    def orders(self, *kinds: StopKind) -> Sequence[Order]:
        found = [order for order in self.rest.open_orders() if order.stop_kind in (kinds or (StopKind.NONE,))]
        return sorted(found, key=lambda order: order.price or order.trigger_price or Decimal(0))

    def ended(self, order_id: str) -> Order:
        order = self.rest.find_order(SYMBOL, order_id=order_id).order
        assert order is not None
        return order


@pytest.fixture
def desk(rest: BybitRest, paper: PaperServer) -> Desk:
    return Desk(rest, paper)


def test_a_trailing_stop_shows_its_distance_on_the_position_and_its_active_price_as_the_orders_trigger(
    desk: Desk,
) -> None:
    desk.place(Side.BUY, "0.1")
    assert desk.protect(stop_loss="58000", trailing_stop="500", active_price="61000") == Accepted()
    assert (desk.position().trailing_stop, desk.position().stop_loss) == (Decimal(500), Decimal(58000))
    [trailing] = desk.orders(StopKind.TRAILING_STOP)
    assert (trailing.trigger_price, trailing.qty, trailing.side) == (Decimal(61000), Decimal("0.1"), Side.SELL)
    assert trailing.is_exit
    assert desk.protect(trailing_stop="500", active_price="61000") == Accepted(), "already so"

    assert desk.protect(trailing_stop="400") == Accepted()
    [moved] = desk.orders(StopKind.TRAILING_STOP)
    assert (moved.order_id, moved.trigger_price) == (trailing.order_id, None), "it trails at once"
    desk.price("60300")
    desk.price("59900")
    assert desk.position().size == 0, "400 under the highest price"


def test_a_trailing_stop_is_removed_without_touching_the_stop(desk: Desk) -> None:
    desk.place(Side.SELL, "0.1")
    assert desk.protect(stop_loss="62000", trailing_stop="500") == Accepted()
    assert desk.protect(trailing_stop="0") == Accepted()
    assert desk.protect(trailing_stop="0") == Accepted(), "already so"
    assert (desk.position().trailing_stop, desk.position().stop_loss) == (None, Decimal(62000))
    assert desk.orders(StopKind.TRAILING_STOP) == []


@pytest.mark.parametrize(("side", "active"), [(Side.BUY, "59900"), (Side.SELL, "60100")])
def test_an_active_price_that_price_has_passed_is_refused(desk: Desk, side: Side, active: str) -> None:
    desk.place(side, "0.1")
    outcome = desk.protect(trailing_stop="500", active_price=active)
    assert isinstance(outcome, RejectedOutcome)
    assert outcome.code == 10001
    assert desk.position().trailing_stop is None


def test_an_active_price_without_a_distance_is_never_sent(desk: Desk) -> None:
    desk.place(Side.BUY, "0.1")
    for more in ({}, {"trailing_stop": "0"}, {"stop_loss": "58000"}):
        outcome = desk.protect(active_price="61000", **more)
        assert isinstance(outcome, RejectedOutcome)
        assert outcome.code == 0
    assert desk.position().stop_loss is None


@pytest.mark.proves("A84")
def test_an_amended_attached_stop_shows_in_the_order_and_is_the_one_that_arrives(desk: Desk) -> None:
    entry = desk.place(Side.BUY, "0.1", "59500", stop_loss=Decimal(58000))
    assert desk.amend(entry, stop_loss=Decimal(57000)) == Accepted(entry)
    assert [order.stop_loss for order in desk.orders()] == [Decimal(57000)]
    desk.price("59500")
    assert (desk.position().size, desk.position().stop_loss) == (Decimal("0.1"), Decimal(57000))


def test_the_attached_stop_of_a_partly_filled_entry_stays_and_comes_back_with_the_next_fill(desk: Desk) -> None:
    entry = desk.place(Side.BUY, "0.1", "59500", stop_loss=Decimal(58000))
    desk.fill(entry, "0.04")
    assert desk.protect(stop_loss="58500") == Accepted()
    outcome = desk.amend(entry, stop_loss=Decimal(58500))
    assert isinstance(outcome, RejectedOutcome)
    assert outcome.code == 110059
    desk.fill(entry, "0.04")
    assert (desk.position().size, desk.position().stop_loss) == (Decimal("0.08"), Decimal(58000))


def test_removing_an_attached_stop(desk: Desk) -> None:
    entry = desk.place(Side.BUY, "0.1", "59500", stop_loss=Decimal(58000))
    assert desk.amend(entry, stop_loss=Decimal(0)) == Accepted(entry)
    assert [order.stop_loss for order in desk.orders()] == [None]


def test_partial_stops_and_targets_are_orders_with_their_own_quantity(desk: Desk) -> None:
    desk.place(Side.BUY, "0.1")
    part: dict[str, str] = {"tpslMode": "Partial", "tpSize": "0.04", "slSize": "0.04"}
    desk.by_hand("/v5/position/trading-stop", **part, takeProfit="61000", stopLoss="58000")
    limit = {"tpOrderType": "Limit", "tpLimitPrice": "62000"}
    desk.by_hand("/v5/position/trading-stop", **part, **limit, takeProfit="61900")
    targets = desk.orders(StopKind.PARTIAL_TAKE_PROFIT)
    assert [(order.qty, order.trigger_price, order.price, order.order_type) for order in targets] == [
        (Decimal("0.04"), Decimal(61000), None, OrderType.MARKET),
        (Decimal("0.04"), Decimal(61900), Decimal(62000), OrderType.LIMIT),
    ]
    [stop] = desk.orders(StopKind.PARTIAL_STOP_LOSS)
    assert (stop.qty, stop.trigger_price, stop.link_id) == (Decimal("0.04"), Decimal(58000), "")
    assert stop.is_exit
    row = desk.position()
    assert (row.stop_loss, row.take_profit) == (None, None), "the position shows only what holds for all of it"


def test_rungs_may_exceed_the_position_together_and_the_surplus_ends_with_it(desk: Desk) -> None:
    desk.place(Side.BUY, "0.1")
    first, second, third = desk.rung("0.06", "61000"), desk.rung("0.06", "61500"), desk.rung("0.3", "62000")
    assert [order.qty for order in desk.orders()] == [Decimal("0.06"), Decimal("0.06"), Decimal("0.1")], (
        "one order alone is cut to the position when it is placed"
    )
    assert desk.amend(second, qty=Decimal("0.08")) == Accepted(second)
    desk.price("61000")
    assert [order.qty for order in desk.orders()] == [Decimal("0.08"), Decimal("0.1")], "both are more than is left"
    desk.price("61500")
    assert (desk.position().size, desk.orders()) == (Decimal(0), [])
    assert desk.ended(first).status is OrderStatus.FILLED
    cut, never = desk.ended(second), desk.ended(third)
    assert (cut.status, cut.filled_qty, cut.cancel_type) == (
        OrderStatus.CANCELLED,
        Decimal("0.04"),
        "CancelByReduceOnly",
    )
    assert (never.status, never.filled_qty, never.cancel_type) == (
        OrderStatus.CANCELLED,
        Decimal(0),
        "CancelByReduceOnly",
    )


def test_a_tiny_rung_is_accepted_unless_the_exchange_is_strict_about_it(desk: Desk) -> None:
    desk.place(Side.BUY, "100", symbol="DOGEUSDT")
    tiny: dict[str, Any] = {"symbol": "DOGEUSDT", "reduce_only": True}
    assert isinstance(desk.send(Side.SELL, "2", "0.168", **tiny), Accepted), "0.34 USDT, and no minimum holds for it"
    below_lot = desk.send(Side.SELL, "0.5", "0.168", **tiny)
    assert isinstance(below_lot, RejectedOutcome), "the smallest quantity holds for every order"

    def be_strict(gateway: Any, _now: int) -> None:
        gateway.exchange.state.reductions_exempt = False

    desk.paper.run(be_strict)
    refused = desk.send(Side.SELL, "2", "0.168", **tiny)
    assert isinstance(refused, RejectedOutcome)
    assert refused.code == 110094


def test_fees_and_closed_positions_are_answers_of_the_reader(desk: Desk) -> None:
    desk.place(Side.BUY, "0.1")
    desk.place(Side.SELL, "0.1", reduce_only=True)
    assert read(desk.rest, ReadFeeRate(SYMBOL)) == FeeRateAnswer(SYMBOL, Decimal("0.00055"), Decimal("0.0002"))
    answer = read(desk.rest, ReadClosed(0))
    assert isinstance(answer, ClosedAnswer)
    [row] = answer.rows
    assert (row.symbol, row.side, row.qty) == (SYMBOL, PositionSide.LONG, Decimal("0.1"))
    gained = (row.exit_price - row.entry_price) * row.qty
    assert row.open_fee is not None
    assert row.close_fee is not None
    assert row.pnl == gained - row.open_fee - row.close_fee
    assert row.open_fee > 0


def test_an_exchange_without_fee_rates_says_so_and_is_not_asked_again_soon(desk: Desk) -> None:
    fault = Fault(FaultKind.RET_CODE, None, "/v5/account/fee-rate", None, {"code": 10001, "message": "not supported"})
    desk.paper.run(lambda gateway, _now: gateway.faults.add(fault))
    with pytest.raises(Rejected) as caught:
        read(desk.rest, ReadFeeRate(SYMBOL))
    answer = failed(ReadFeeRate(SYMBOL), caught.value)
    assert (answer.refused, answer.retry_after_s) == (True, 60.0)
    other = failed(ReadTicker(SYMBOL), caught.value)
    assert (other.refused, other.retry_after_s) == (True, None), "another refusal is worth asking again"
