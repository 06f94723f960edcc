"""Orders over the trade socket, against the paper exchange: answers, refusals, doubts, and HTTP where it is down."""

from __future__ import annotations

import queue
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import websocket

from mirrorctl.core.bybit.environments import Endpoints, endpoints_for
from mirrorctl.core.bybit.link import ExchangeClock
from mirrorctl.core.bybit.order_entry import OrderEntry
from mirrorctl.core.bybit.rest import BybitRest
from mirrorctl.core.bybit.streams import StreamTiming
from mirrorctl.core.bybit.writer import AccountWriter
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
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.values import OrderType, Side
from mirrorctl.core.engine.ports import Event, SendDone
from mirrorctl.core.paper.faults import Fault, FaultKind
from mirrorctl.core.paper.rates import RateRules
from mirrorctl.core.paper.server import PaperServer
from tests.integration.bybit.conftest import ACCOUNT

CREATE = "/v5/order/create"
QUICK = StreamTiming(phase_s=1, ping_s=0.3, silence_s=1.0, first_pause_s=0.05, longest_pause_s=0.1)


def order(link_id: str, qty: str = "0.01", price: str = "50000", **more: Any) -> PlaceOrder:
    return PlaceOrder(
        "main",
        "BTCUSDT",
        Side.BUY,
        OrderType.LIMIT,
        Decimal(qty),
        link_id,
        Role.ENTRY,
        "a test",
        price=Decimal(price),
        **more,
    )


class Desk:
    """A writer with a trade socket, and what it told."""

    def __init__(self, server: PaperServer, *, answer_s: float = 0.4, clock: ExchangeClock | None = None) -> None:
        self.server = server
        self.told: queue.Queue[Event] = queue.Queue()
        self.rest = BybitRest(
            account="main",
            api_key=ACCOUNT.api_key,
            api_secret=ACCOUNT.api_secret,
            endpoints=endpoints_of(server),
            timeout_s=2.0,
            clock=clock,
        )
        self.entry = OrderEntry(self.rest, self.told.put, timing=QUICK, answer_s=answer_s)
        self.writer = AccountWriter(self.rest, self.told.put, self.entry)
        self.sent = 0

    def up(self) -> None:
        eventually(lambda: self.rest.health().socket_trouble == "", "the trade socket did not come up")

    def send(self, action: Action) -> None:
        self.sent += 1
        self.writer.send(self.sent, action)

    def outcome(self) -> Outcome:
        event = self.told.get(timeout=5)
        assert isinstance(event, SendDone)
        return event.outcome

    def do(self, action: Action) -> Outcome:
        self.send(action)
        return self.outcome()

    def paths(self) -> list[str]:
        """What the exchange was asked to write, in its order."""
        return self.server.run(lambda gateway, _: [row.path for row in gateway.exchange.state.writes])

    def live(self) -> list[str]:
        return self.server.run(lambda gateway, _: [row.link_id for row in gateway.exchange.state.live(ACCOUNT.uid)])

    def fault(self, kind: FaultKind, target: str = CREATE, count: int | None = 1, **args: Any) -> None:
        self.server.run(lambda gateway, _: gateway.faults.add(Fault(kind, None, target, count, args)))

    def over_socket(self) -> int:
        """Order requests that came over WebSocket."""
        return self.server.run(lambda gateway, _: gateway.rates.over_socket)


def endpoints_of(server: PaperServer) -> Endpoints:
    return endpoints_for(
        "paper",
        rest=server.rest_url,
        private_ws=server.private_ws_url,
        public_ws=server.public_ws_url,
        trade_ws=server.trade_ws_url,
    )


def eventually(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


@pytest.fixture
def server() -> Iterator[PaperServer]:
    with PaperServer([ACCOUNT], volatility=Decimal(0), rules=RateRules().widened(20)) as running:
        yield running


@pytest.fixture
def desk(server: PaperServer) -> Iterator[Desk]:
    opened = Desk(server)
    opened.up()
    yield opened
    assert opened.writer.close()
    opened.rest.close()


def test_an_order_goes_over_the_socket_and_nothing_over_http(desk: Desk) -> None:
    placed = desk.do(order("m1-a"))
    assert isinstance(placed, Accepted)
    assert placed.order_id
    amended = AmendOrder("main", "BTCUSDT", placed.order_id, "", "a test", qty=Decimal("0.02"))
    assert isinstance(desk.do(amended), Accepted)
    assert desk.do(CancelOrder("main", "BTCUSDT", placed.order_id, "", "a test")) == Accepted(placed.order_id)
    assert desk.over_socket() == 3
    assert desk.paths() == [CREATE, "/v5/order/amend", "/v5/order/cancel"]


def test_a_refusal_is_what_it_is_over_http(desk: Desk) -> None:
    outcome = desk.do(order("m1-a", price="50000.01"))
    assert isinstance(outcome, RejectedOutcome)
    assert (outcome.code, "tick size" in outcome.message) == (10001, True)
    assert isinstance(desk.do(CancelOrder("main", "BTCUSDT", "gone", "", "a test")), Accepted)


def test_what_has_no_operation_goes_over_http(desk: Desk) -> None:
    refused = desk.do(SetTradingStop("main", "BTCUSDT", 0, "a test", stop_loss=Decimal(50000)))
    assert isinstance(refused, RejectedOutcome)
    assert desk.over_socket() == 0


def test_many_orders_each_get_their_own_answer(desk: Desk) -> None:
    for number in range(8):
        desk.send(order(f"m1-{number}"))
    events = [desk.told.get(timeout=5) for _ in range(8)]
    assert sorted(event.intent_id for event in events if isinstance(event, SendDone)) == list(range(1, 9))
    assert sorted(desk.live()) == [f"m1-{number}" for number in range(8)]


def test_a_lost_answer_is_in_doubt_and_the_order_is_sent_once(desk: Desk) -> None:
    desk.fault(FaultKind.LOSE_REPLY, open=True)
    assert isinstance(desk.do(order("m1-a")), DoubtfulOutcome)
    assert desk.paths() == [CREATE]
    assert desk.live() == ["m1-a"]
    found = desk.rest.find_order("BTCUSDT", link_id="m1-a")
    assert found.order is not None


def test_an_answer_after_its_time_changes_nothing(desk: Desk) -> None:
    desk.fault(FaultKind.EVENT_FIRST, ms=700)
    assert isinstance(desk.do(order("m1-a")), DoubtfulOutcome)
    time.sleep(0.5)
    assert desk.told.empty()


def test_a_cut_after_the_order_was_taken_puts_everything_unanswered_in_doubt(desk: Desk) -> None:
    desk.fault(FaultKind.EVENT_FIRST, ms=300)
    desk.fault(FaultKind.LOSE_REPLY)
    desk.send(order("m1-a"))  # answered late
    desk.send(order("m1-b"))  # carried out, and the connection is reset
    assert all(isinstance(desk.outcome(), DoubtfulOutcome) for _ in range(2))
    assert desk.paths() == [CREATE, CREATE]
    desk.up()
    assert isinstance(desk.do(order("m1-c")), Accepted)


def test_a_request_that_was_lost_is_in_doubt_too(desk: Desk) -> None:
    desk.fault(FaultKind.LOSE_REQUEST)
    assert isinstance(desk.do(order("m1-a")), DoubtfulOutcome)
    assert desk.rest.find_order("BTCUSDT", link_id="m1-a").order is None


def test_while_the_socket_is_down_orders_go_over_http(desk: Desk) -> None:
    desk.fault(FaultKind.REFUSE, "/v5/trade", None)
    desk.server.cut_streams("main")
    eventually(lambda: desk.rest.health().socket_trouble, "the cut was not seen")
    assert isinstance(desk.do(order("m1-a")), Accepted)
    assert desk.over_socket() == 0
    desk.server.run(lambda gateway, _: gateway.calm())
    desk.up()
    assert isinstance(desk.do(order("m1-b")), Accepted)
    assert desk.over_socket() == 1


def test_a_silent_socket_is_left_and_what_it_owed_is_in_doubt(desk: Desk) -> None:
    desk.fault(FaultKind.STREAM_SILENT, "", None)
    assert isinstance(desk.do(order("m1-a")), DoubtfulOutcome)
    eventually(lambda: desk.rest.health().socket_trouble, "a connection that owes an answer and is silent is dead")


def test_a_full_bucket_waits_for_room_and_then_sends() -> None:
    """The account's own budget holds back before the exchange refuses: eight entries a second, and the rest wait."""
    with PaperServer([ACCOUNT], volatility=Decimal(0)) as server:
        desk = Desk(server)
        desk.up()
        began = time.monotonic()
        for number in range(10):
            desk.send(order(f"m1-{number}"))
        assert all(isinstance(desk.outcome(), Accepted) for _ in range(10))
        assert time.monotonic() - began > 0.5
        assert server.run(lambda gateway, _: gateway.rates.exceeded) == 0
        desk.writer.close()
        desk.rest.close()


def test_a_refused_rate_is_not_sent_and_may_go_again(desk: Desk) -> None:
    desk.fault(FaultKind.RET_CODE, code=10006, message="Too many visits!", reset_ms=300)
    outcome = desk.do(order("m1-a"))
    assert isinstance(outcome, NotSent)
    assert outcome.limited


@pytest.mark.parametrize("code", [10016, 10019, 10403, 10429, 20003, 20006])
def test_a_code_that_leaves_it_open_is_a_doubt(desk: Desk, code: int) -> None:
    desk.fault(FaultKind.RET_CODE, code=code, message="later")
    assert isinstance(desk.do(order("m1-a")), DoubtfulOutcome)


def test_a_service_that_restarts_gets_nothing_new_and_a_new_connection_is_made(desk: Desk) -> None:
    desk.fault(FaultKind.RET_CODE, code=10019, message="restarting")
    desk.do(order("m1-a"))
    desk.up()
    assert isinstance(desk.do(order("m1-b")), Accepted)


def test_a_clock_that_is_off_is_measured_and_the_order_may_go_again(server: PaperServer) -> None:
    clock = ExchangeClock()
    clock.set(0)
    desk = Desk(server, clock=clock)
    desk.up()
    clock.set(5000)
    assert isinstance(desk.do(order("m1-a")), NotSent)
    eventually(lambda: abs(clock.offset_ms or 0) < 1000, "the clock was not measured again")
    assert isinstance(desk.do(order("m1-b")), Accepted)
    desk.writer.close()
    desk.rest.close()


def test_what_is_unanswered_at_the_end_is_told(server: PaperServer) -> None:
    desk = Desk(server, answer_s=30)
    desk.up()
    desk.fault(FaultKind.LOSE_REPLY, open=True)
    desk.send(order("m1-a"))
    assert desk.writer.close(timeout_s=0.4)
    assert isinstance(desk.outcome(), DoubtfulOutcome)
    assert desk.do(order("m1-b")) == NotSent("stopping")
    desk.rest.close()


def test_a_wrong_key_leaves_the_socket_down_and_says_why(server: PaperServer) -> None:
    endpoints = endpoints_of(server)
    rest = BybitRest(account="main", api_key=ACCOUNT.api_key, api_secret="wrong", endpoints=endpoints)
    entry = OrderEntry(rest, lambda _: None, timing=QUICK)
    entry.start()
    eventually(lambda: "refused" in (rest.health().socket_trouble or ""), "the refusal was not told")
    assert "wrong" not in (rest.health().socket_trouble or "")
    assert not entry.take(1, order("m1-a"))
    entry.stop()
    rest.close()


def test_a_ladder_beyond_the_budget_goes_on_in_batches_within_the_same_second() -> None:
    """By Bybit's own limits: eight rungs over the socket, the rest in batches, which have a bucket of their own."""
    with PaperServer([ACCOUNT], volatility=Decimal(0)) as server:
        position = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.2"}
        server.run(lambda gateway, now: gateway.exchange.handle(ACCOUNT.uid, "POST", CREATE, position, now))
        desk = Desk(server)
        desk.up()
        began = time.monotonic()
        for number in range(12):
            rung = order(f"m1-t{number}", price=str(61000 + number), reduce_only=True)
            desk.send(replace(rung, side=Side.SELL, role=Role.TARGET))
        assert all(isinstance(desk.outcome(), Accepted) for _ in range(12))
        assert time.monotonic() - began < 0.9
        assert len(desk.live()) == 12
        assert sorted(desk.paths()) == [CREATE] * 9 + [f"{CREATE}-batch"] * 4
        assert desk.over_socket() == 8
        assert server.run(lambda gateway, _: gateway.rates.exceeded) == 0
        desk.writer.close()
        desk.rest.close()


def test_nothing_overtakes_over_the_socket_what_is_as_urgent_and_under_way_over_http(desk: Desk) -> None:
    desk.fault(FaultKind.EVENT_FIRST, "/v5/position/trading-stop", ms=200)
    desk.send(SetTradingStop("main", "BTCUSDT", 0, "a test", stop_loss=Decimal(50000)))
    desk.send(order("m1-a"))
    time.sleep(0.1)
    assert desk.over_socket() == 0, "the stop is not answered yet"
    assert [type(desk.outcome()) for _ in range(2)] == [RejectedOutcome, Accepted]
    assert desk.over_socket() == 1


def test_what_is_more_urgent_does_not_wait_for_http(desk: Desk) -> None:
    desk.fault(FaultKind.EVENT_FIRST, "/v5/position/set-leverage", ms=400)
    desk.send(SetLeverage("main", "BTCUSDT", Decimal(7), "a test"))
    desk.send(CancelOrder("main", "BTCUSDT", "gone", "", "a test"))
    event = desk.told.get(timeout=5)
    assert isinstance(event, SendDone)
    assert event.intent_id == 2
    assert isinstance(desk.outcome(), Accepted)


def test_an_answer_that_is_faster_than_the_send_returns_is_heard(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    send = websocket.WebSocketApp.send

    def slow(self: websocket.WebSocketApp, *args: Any, **options: Any) -> None:
        send(self, *args, **options)
        time.sleep(0.1)

    monkeypatch.setattr(websocket.WebSocketApp, "send", slow)
    assert isinstance(desk.do(order("m1-a")), Accepted)


def test_whatever_is_cut_every_order_is_sent_once_and_told_once(server: PaperServer) -> None:
    """Connections reset at random moments, some with an order on its way; 300 orders over the socket and over HTTP."""
    dice = random.Random(7)
    desk = Desk(server)
    desk.up()
    for number in range(300):
        desk.send(order(f"m1-{number}", price="10000"))
        chance = dice.random()
        if chance < 0.05:
            server.cut_streams("main")
        elif chance < 0.1:
            desk.fault(dice.choice((FaultKind.LOSE_REPLY, FaultKind.LOSE_REQUEST, FaultKind.REFUSE)))
        time.sleep(dice.random() * 0.008)
    told = Counter(desk.told.get(timeout=5).intent_id for _ in range(300))  # type: ignore[union-attr] # all are SendDone
    assert told == Counter(range(1, 301))
    asked = server.run(lambda gateway, _: Counter(row.body.get("orderLinkId") for row in gateway.exchange.state.writes))
    assert max(asked.values()) == 1
    assert 0 < desk.over_socket() < 300, "both ways were used"
    assert desk.writer.close()
    assert desk.told.empty()
    desk.rest.close()
