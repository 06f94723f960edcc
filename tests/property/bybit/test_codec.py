"""The codec for every value: no exponent on the wire (A58), what is sent comes back, and failures are always told."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorctl.core.bybit import decode
from mirrorctl.core.bybit.encode import Call, encode
from mirrorctl.core.bybit.failures import Failure, FailureKind, Malformed, read_error
from mirrorctl.core.bybit.frames import decode_frame
from mirrorctl.core.bybit.outcomes import outcome_of
from mirrorctl.core.bybit.retcodes import lookup
from mirrorctl.core.domain.actions import (
    Accepted,
    Action,
    AmendOrder,
    CancelOrder,
    PlaceOrder,
    SetLeverage,
    SetTradingStop,
)
from mirrorctl.core.domain.errors import ExchangeError
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.values import OrderType, Side, TimeInForce, TriggerBy

PLAIN = re.compile(r"(0|[1-9]\d*)(\.\d*[1-9])?")
AMOUNTS = {"qty", "price", "triggerPrice", "stopLoss", "takeProfit", "buyLeverage", "sellLeverage"}
AMOUNTS |= {"trailingStop", "activePrice"}


@st.composite
def amounts(draw: st.DrawFn) -> Decimal:
    """Positive decimals of every scale, in every spelling of the same number: 6E+4, 60000, 60000.00."""
    value = Decimal(draw(st.integers(1, 10**12))).scaleb(draw(st.integers(-12, 6)))
    return value.normalize() if draw(st.booleans()) else value


sides, triggers = st.sampled_from(Side), st.sampled_from(TriggerBy)
some = st.one_of(st.none(), amounts())


@st.composite
def placements(draw: st.DrawFn) -> PlaceOrder:
    limit, reduce_only, conditional = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    return PlaceOrder(
        account="main",
        symbol="BTCUSDT",
        side=draw(sides),
        order_type=OrderType.LIMIT if limit else OrderType.MARKET,
        qty=draw(amounts()),
        link_id="m1-abcde-abcdefg-e0-abcdefgh-0",
        role=Role.ENTRY,
        reason="",
        position_idx=draw(st.sampled_from((0, 1, 2))),
        price=draw(amounts()) if limit else None,
        time_in_force=draw(st.sampled_from(TimeInForce)),
        reduce_only=reduce_only,
        trigger_price=draw(amounts()) if conditional else None,
        trigger_direction=draw(st.sampled_from((1, 2))) if conditional else 0,
        trigger_by=draw(triggers),
        stop_loss=None if reduce_only else draw(some),
        stop_loss_by=draw(triggers),
    )


stops = st.builds(
    SetTradingStop,
    account=st.just("main"),
    symbol=st.just("BTCUSDT"),
    position_idx=st.sampled_from((0, 1, 2)),
    reason=st.just(""),
    stop_loss=st.one_of(amounts(), st.just(Decimal("0.00"))),
    stop_loss_by=triggers,
    take_profit=some,
    take_profit_by=triggers,
    trailing_stop=amounts(),
    active_price=some,
)
amendments = st.builds(
    AmendOrder,
    account=st.just("main"),
    symbol=st.just("BTCUSDT"),
    order_id=st.just("id"),
    link_id=st.just(""),
    reason=st.just(""),
    qty=amounts(),
    price=some,
    trigger_price=some,
    stop_loss=some,
    stop_loss_by=st.one_of(st.none(), triggers),
)
leverages = st.builds(SetLeverage, account=st.just("main"), symbol=st.just("X"), leverage=amounts(), reason=st.just(""))
cancels = st.builds(
    CancelOrder,
    account=st.just("main"),
    symbol=st.just("X"),
    order_id=st.just(""),
    link_id=st.just("m1-x"),
    reason=st.just(""),
)
actions: st.SearchStrategy[Action] = st.one_of(placements(), stops, amendments, leverages, cancels)


@pytest.mark.proves("A58")
@given(actions)
def test_numbers_on_the_wire_are_plain(action: Action) -> None:
    call = encode(action)
    for name in AMOUNTS & call.params.keys():
        assert isinstance(call.params[name], str)
        assert PLAIN.fullmatch(call.params[name]), call.params[name]
    assert json.loads(json.dumps(call.params)) == call.params


def as_row(call: Call) -> dict[str, Any]:
    """The row an exchange shows for a new order with these parameters."""
    return {
        **call.params,
        "orderId": "id",
        "orderStatus": "New",
        "cumExecQty": "0",
        "createdTime": "1",
        "updatedTime": "1",
    }


@given(placements())
def test_an_order_comes_back_as_it_was_sent(action: PlaceOrder) -> None:
    order = decode.order(as_row(encode(action)))
    assert (order.symbol, order.side, order.order_type) == (action.symbol, action.side, action.order_type)
    assert (order.qty, order.price, order.link_id) == (action.qty, action.price, action.link_id)
    assert (order.trigger_price, order.trigger_direction) == (action.trigger_price, action.trigger_direction)
    assert (order.stop_loss, order.reduce_only) == (action.stop_loss, action.reduce_only)
    assert order.position_idx == action.position_idx
    if action.order_type is OrderType.LIMIT:
        assert order.time_in_force is action.time_in_force
    if action.trigger_price is not None:
        assert order.trigger_by is action.trigger_by
    if action.stop_loss is not None:
        assert order.stop_loss_by is action.stop_loss_by


@pytest.mark.proves("A25")
@given(placements())
def test_reduce_only_reaches_the_wire_and_never_carries_a_stop(action: PlaceOrder) -> None:
    params = encode(action).params
    assert params.get("reduceOnly", False) is action.reduce_only
    assert not (action.reduce_only and "stopLoss" in params)


failures = st.builds(
    Failure,
    kind=st.sampled_from(FailureKind),
    message=st.text(max_size=40),
    code=st.one_of(st.integers(-10_000, 4_000_000), st.integers(10_000, 10_100), st.integers(110_000, 110_140)),
    retry_after_s=st.one_of(st.none(), st.floats(0, 600)),
).filter(lambda failure: not (failure.kind is FailureKind.REFUSED and failure.code == 0))


@given(failures, actions)
def test_every_failure_has_an_outcome_and_no_placement_is_accepted_by_one(failure: Failure, action: Action) -> None:
    outcome = outcome_of(failure, action)
    if isinstance(action, PlaceOrder):
        assert not isinstance(outcome, Accepted)
    if failure.kind in (FailureKind.INTERRUPTED, FailureKind.UNREADABLE):
        assert type(outcome).__name__ == "DoubtfulOutcome"
    assert isinstance(read_error(failure, "main"), ExchangeError)


@given(st.integers(), st.text())
def test_the_table_is_total(code: int, message: str) -> None:
    assert lookup(code, message).meaning


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)


@given(st.sampled_from(("order", "execution", "position", "wallet", "greeks")), json_values, json_values)
def test_no_frame_of_whatever_shape_raises_anything_but_malformed(topic: str, data: Any, other: Any) -> None:
    for payload in (other, {"topic": topic, "data": data}, {"topic": topic, "data": [data]}, {"topic": other}):
        try:
            decode_frame(payload)
        except Malformed:
            continue
