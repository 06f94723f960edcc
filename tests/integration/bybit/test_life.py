"""A trading life against the paper exchange, through the ports: place, fill, amend, cancel, protect, reconnect."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import requests

from mirrorctl.core.bybit.encode import encode
from mirrorctl.core.bybit.frames import decode_frame
from mirrorctl.core.bybit.link import ExchangeClock
from mirrorctl.core.bybit.reader import AccountReader
from mirrorctl.core.bybit.rest import BybitRest
from mirrorctl.core.bybit.streams import PrivateStream, StreamTiming
from mirrorctl.core.bybit.writer import AccountWriter
from mirrorctl.core.domain.account import Execution, Order, Position, Wallet
from mirrorctl.core.domain.actions import (
    Accepted,
    Action,
    AmendOrder,
    CancelOrder,
    DoubtfulOutcome,
    NotSent,
    Outcome,
    PlaceOrder,
    RejectedOutcome,
    SetLeverage,
    SetTradingStop,
)
from mirrorctl.core.domain.errors import Rejected
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.values import (
    ExecutionKind,
    OrderStatus,
    OrderType,
    PositionMode,
    PositionSide,
    Side,
    StopKind,
)
from mirrorctl.core.engine.ports import (
    Answer,
    Event,
    FindOrder,
    Frame,
    OrderAnswer,
    PositionAnswer,
    Query,
    ReadDone,
    ReadPosition,
    Relist,
    RelistAnswer,
    SendDone,
    StreamDown,
    StreamUp,
)
from mirrorctl.core.paper.faults import Fault, FaultKind
from mirrorctl.core.paper.gateway import Gateway
from mirrorctl.core.paper.server import PaperServer
from tests.integration.bybit.conftest import ACCOUNT, connect

SYMBOL = "BTCUSDT"
FAST = StreamTiming(phase_s=2, first_pause_s=0.02, longest_pause_s=0.2)
Value = Order | Execution | Position | Wallet


class Desk:
    """The ports of one account and everything they delivered."""

    def __init__(self, rest: BybitRest) -> None:
        self.events: queue.Queue[Event] = queue.Queue()
        self.values: list[Value] = []
        self.streams: list[StreamUp | StreamDown] = []
        self._answers: list[Answer] = []
        self._outcomes: list[Outcome] = []
        self._intent = 0
        self.reader = AccountReader(rest, self.events.put)
        self.writer = AccountWriter(rest, self.events.put)
        self.stream = PrivateStream(rest, self.events.put, timing=FAST)
        self.stream.start()
        self.until(lambda: bool(self.streams))

    def close(self) -> None:
        assert self.stream.stop()
        assert self.reader.close()
        assert self.writer.close()

    def until(self, condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
        """Take events in until `condition` holds."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            self._take(self.events.get(timeout=max(deadline - time.monotonic(), 0.001)))

    def _take(self, event: Event) -> None:
        if isinstance(event, Frame):
            self.values.extend(decode_frame(event.payload))
        elif isinstance(event, (StreamUp, StreamDown)):
            self.streams.append(event)
        elif isinstance(event, ReadDone):
            self._answers.append(event.answer)
        elif isinstance(event, SendDone):
            self._outcomes.append(event.outcome)

    def send(self, action: Action) -> Outcome:
        self._intent += 1
        self.writer.send(self._intent, action)
        self.until(lambda: bool(self._outcomes))
        return self._outcomes.pop()

    def ask(self, query: Query) -> Answer:
        self.reader.ask(query)
        self.until(lambda: bool(self._answers))
        return self._answers.pop()

    def relist(self) -> RelistAnswer:
        answer = self.ask(Relist(time.time_ns() // 1_000_000 - 60_000))
        assert isinstance(answer, RelistAnswer)
        return answer

    def pushed(self, wanted: Callable[[Value], bool]) -> Value:
        """The first pushed value that is wanted, waiting for it."""
        found: list[Value] = []

        def there() -> bool:
            found.extend(filter(wanted, self.values))
            return bool(found)

        self.until(there)
        return found[0]


@pytest.fixture
def desk(rest: BybitRest) -> Iterator[Desk]:
    opened = Desk(rest)
    yield opened
    opened.close()


def place(link_id: str, side: Side, qty: str, price: str | None = None, **more: object) -> PlaceOrder:
    kind = OrderType.MARKET if price is None else OrderType.LIMIT
    return PlaceOrder(
        "main",
        SYMBOL,
        side,
        kind,
        Decimal(qty),
        link_id,
        Role.ENTRY,
        "a test",
        price=None if price is None else Decimal(price),
        **more,  # type: ignore[arg-type]
    )


def order_with(link_id: str, status: OrderStatus) -> Callable[[Value], bool]:
    return lambda value: isinstance(value, Order) and value.link_id == link_id and value.status is status


def stops(orders: Sequence[Order]) -> list[Order]:
    return [order for order in orders if order.stop_kind is StopKind.STOP_LOSS]


@pytest.mark.proves("A48")
def test_a_whole_life(paper: PaperServer, desk: Desk) -> None:
    assert desk.streams == [StreamUp("main", 1)]

    assert desk.send(SetLeverage("main", SYMBOL, Decimal(5), "a test")) == Accepted()
    assert desk.send(SetLeverage("main", SYMBOL, Decimal(5), "a test")) == Accepted(), "already so"

    opened = desk.send(place("m1-open", Side.BUY, "0.01", stop_loss=Decimal(59000)))
    assert isinstance(opened, Accepted)
    fill = desk.pushed(lambda value: isinstance(value, Execution) and value.link_id == "m1-open")
    assert isinstance(fill, Execution)
    assert (fill.kind, fill.qty, fill.order_id) == (ExecutionKind.TRADE, Decimal("0.01"), opened.order_id)
    held = desk.pushed(lambda value: isinstance(value, Position) and value.size > 0)
    assert isinstance(held, Position)
    assert (held.side, held.size, held.seq) == (PositionSide.LONG, Decimal("0.01"), fill.seq)
    filled = desk.pushed(order_with("m1-open", OrderStatus.FILLED))
    assert isinstance(filled, Order)
    assert filled.price is None, "the bound of a market order is no price of a fill"

    resting = desk.send(place("m1-add", Side.BUY, "0.02", "58000"))
    assert isinstance(resting, Accepted)
    amended = desk.send(AmendOrder("main", SYMBOL, resting.order_id, "m1-add", "a test", price=Decimal(58500)))
    assert amended == Accepted(resting.order_id)
    desk.pushed(lambda value: isinstance(value, Order) and value.price == Decimal(58500))

    moved = SetTradingStop("main", SYMBOL, 0, "a test", stop_loss=Decimal(59500))
    assert desk.send(moved) == Accepted()
    assert desk.send(moved) == Accepted(), "already so"
    listed = desk.relist()
    assert [order.trigger_price for order in stops(listed.orders)] == [Decimal(59500)]
    assert [order.price for order in listed.orders if order.link_id == "m1-add"] == [Decimal(58500)]
    assert [(position.leverage, position.stop_loss) for position in listed.positions] == [(Decimal(5), Decimal(59500))]
    assert [execution.link_id for execution in listed.executions] == ["m1-open"]

    assert isinstance(desk.send(CancelOrder("main", SYMBOL, resting.order_id, "", "a test")), Accepted)
    desk.pushed(order_with("m1-add", OrderStatus.CANCELLED))
    again = desk.send(CancelOrder("main", SYMBOL, resting.order_id, "", "a test"))
    assert again == Accepted(), "gone is gone; whether it filled is read afterwards"
    found = desk.ask(FindOrder(SYMBOL, "m1-add"))
    assert isinstance(found, OrderAnswer)
    assert found.order is not None
    assert (found.order.status, found.order.filled_qty) == (OrderStatus.CANCELLED, Decimal(0))

    assert isinstance(desk.send(place("m1-close", Side.SELL, "0.01", reduce_only=True)), Accepted)
    closing = desk.pushed(lambda value: isinstance(value, Execution) and value.link_id == "m1-close")
    assert isinstance(closing, Execution)
    assert closing.closed_qty == Decimal("0.01")
    flat = desk.ask(ReadPosition(SYMBOL))
    assert isinstance(flat, PositionAnswer)
    assert flat.mode is PositionMode.ONE_WAY
    assert [(position.side, position.size) for position in flat.positions] == [(None, Decimal(0))]
    assert desk.relist().orders == ()
    assert isinstance(desk.send(moved), RejectedOutcome), "no position to protect"


@pytest.mark.proves("A47")
def test_a_lost_reply_is_in_doubt_and_found_by_its_link_id(paper: PaperServer, desk: Desk) -> None:
    fault = Fault(FaultKind.LOSE_REPLY, "main", "/v5/order/create")
    paper.run(lambda gateway, _now: gateway.faults.add(fault))
    assert isinstance(desk.send(place("m1-lost", Side.BUY, "0.01")), DoubtfulOutcome)
    found = desk.ask(FindOrder(SYMBOL, "m1-lost"))
    assert isinstance(found, OrderAnswer)
    assert found.order is not None
    assert found.order.status is OrderStatus.FILLED
    assert sum(execution.qty for execution in found.executions) == Decimal("0.01")
    assert isinstance(desk.send(place("m1-lost", Side.BUY, "0.01")), DoubtfulOutcome), "the link id is taken"
    assert [position.size for position in desk.relist().positions] == [Decimal("0.01")]


@pytest.mark.proves("A53")
@pytest.mark.parametrize("how", ["close", "rst"])
def test_the_stream_comes_back_and_goes_on(paper: PaperServer, desk: Desk, rest: BybitRest, how: str) -> None:
    requests.post(f"{paper.rest_url}/paper/disconnect", json={"account": "main", "how": how}, timeout=5)
    desk.until(lambda: len(desk.streams) == 3)
    assert [type(event) for event in desk.streams] == [StreamUp, StreamDown, StreamUp]
    assert [event.epoch for event in desk.streams] == [1, 1, 2]
    desk.send(place("m1-after", Side.BUY, "0.01"))
    desk.pushed(lambda value: isinstance(value, Execution) and value.link_id == "m1-after")


@pytest.mark.proves("A52")
@pytest.mark.parametrize("skew_ms", [-20_000, 20_000])
def test_a_skewed_client_trades_and_streams(paper: PaperServer, skew_ms: int) -> None:
    clock = ExchangeClock(lambda: time.time_ns() // 1_000_000 + skew_ms)
    with contextlib.closing(connect(paper, clock=clock)) as rest, contextlib.closing(Desk(rest)) as desk:
        assert isinstance(desk.send(place("m1-skewed", Side.BUY, "0.01")), Accepted)
        desk.pushed(lambda value: isinstance(value, Execution) and value.link_id == "m1-skewed")


def test_a_wrong_key_is_refused_everywhere_without_a_storm(paper: PaperServer) -> None:
    with contextlib.closing(connect(paper, api_key="wrong")) as rest, contextlib.closing(Desk(rest)) as desk:
        down = desk.streams[0]
        assert isinstance(down, StreamDown)
        assert down.final
        with pytest.raises(Rejected) as caught:
            rest.identity()
        assert caught.value.code == 10003
        outcomes = [desk.send(place(f"m1-{number}", Side.BUY, "0.01")) for number in range(3)]
        assert isinstance(outcomes[0], RejectedOutcome)
        assert isinstance(outcomes[-1], NotSent)


def test_what_the_account_is_and_costs(rest: BybitRest) -> None:
    identity = rest.identity()
    assert (identity.uid, identity.can_trade, identity.can_withdraw, identity.unified) == (101, True, False, True)
    fees = rest.fee_rate(SYMBOL)
    assert (fees.maker, fees.taker) == (Decimal("0.0002"), Decimal("0.00055"))
    rules = {instrument.symbol: instrument for instrument in rest.instruments()}
    assert rules[SYMBOL] == rest.instrument(SYMBOL)
    assert len(rules) >= 8
    with pytest.raises(Rejected):
        rest.instrument("NOSUCHUSDT")
    ticker = rest.ticker(SYMBOL)
    assert ticker.bid is not None
    assert ticker.ask is not None
    assert ticker.bid < ticker.ask


@pytest.mark.proves("A68")
def test_closed_pnl_is_read_over_all_pages(paper: PaperServer, rest: BybitRest) -> None:
    """A page holds a hundred records at most (position/close-pnl)."""
    for number in range(105):
        opening = place(f"m1-o{number}", Side.BUY, "0.01")
        for action in (opening, place(f"m1-c{number}", Side.SELL, "0.01", reduce_only=True)):
            paper.run(partial(_past_all_limits, encode(action).params))
    records = rest.closed_pnl(time.time_ns() // 1_000_000 - 60_000)
    assert [record.qty for record in records] == [Decimal("0.01")] * 105
    assert all(record.pnl < 0 for record in records)
    assert len({record.order_id for record in records}) == 105


def test_a_hundred_orders_take_three_pages(paper: PaperServer, rest: BybitRest) -> None:
    prices = [str(50_000 + number) for number in range(120)]
    for price in prices:
        order = encode(place(f"m1-{price}", Side.BUY, "0.001", price)).params
        paper.run(partial(_past_all_limits, order))
    assert sorted(order.link_id for order in rest.open_orders()) == sorted(f"m1-{price}" for price in prices)


def _past_all_limits(order: dict[str, Any], gateway: Gateway, now_ms: int) -> None:
    assert gateway.exchange.handle(ACCOUNT.uid, "POST", "/v5/order/create", order, now_ms)["retCode"] == 0
