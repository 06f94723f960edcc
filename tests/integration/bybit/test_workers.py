"""The reader and writer ports: one event for each call, priorities, independence, and no hammering of the dead."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from mirrorctl.core.bybit.breaker import Breaker
from mirrorctl.core.bybit.order_entry import OrderEntry
from mirrorctl.core.bybit.reader import AccountReader
from mirrorctl.core.bybit.rest import BybitRest
from mirrorctl.core.bybit.writer import MOST_CONNECTIONS, AccountWriter
from mirrorctl.core.domain.actions import (
    Accepted,
    Action,
    CancelOrder,
    DoubtfulOutcome,
    NotSent,
    PlaceOrder,
    SetTradingStop,
)
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.values import OrderType, Side
from mirrorctl.core.engine.ports import (
    BreakerState,
    ClockMeasured,
    Event,
    FindOrder,
    OrderAnswer,
    ReadClosed,
    ReadDone,
    ReadFailed,
    ReadPosition,
    Relist,
    RelistAnswer,
    SendDone,
)
from tests.integration.bybit.scripted import Answer, Request, ScriptedHttp, envelope, free_port, http, rest_to

WALLET = {
    "totalEquity": "10",
    "totalAvailableBalance": "9",
    "totalInitialMargin": "1",
    "totalMaintenanceMargin": "0",
    "totalPerpUPL": "0",
    "coin": [],
}


def entry(link_id: str = "m1-e") -> PlaceOrder:
    return PlaceOrder("main", "BTCUSDT", Side.BUY, OrderType.MARKET, Decimal("0.01"), link_id, Role.ENTRY, "a test")


def stop() -> SetTradingStop:
    return SetTradingStop("main", "BTCUSDT", 0, "a test", stop_loss=Decimal(59000))


def cancel(order_id: str) -> CancelOrder:
    return CancelOrder("main", "BTCUSDT", order_id, "", "a test")


class Events:
    """What was delivered, by kind."""

    def __init__(self) -> None:
        self.all: queue.Queue[Event] = queue.Queue()

    def sends(self, count: int) -> list[SendDone]:
        found = [self.all.get(timeout=5) for _ in range(count)]
        assert all(isinstance(event, SendDone) for event in found)
        return [event for event in found if isinstance(event, SendDone)]

    def reads(self, count: int) -> list[ReadDone]:
        found: list[ReadDone] = []
        while len(found) < count:
            event = self.all.get(timeout=5)
            if isinstance(event, ReadDone):
                found.append(event)
        return found


@contextlib.contextmanager
def writing(rest: BybitRest) -> Iterator[tuple[AccountWriter, Events]]:
    events = Events()
    writer = AccountWriter(rest, events.all.put)
    try:
        yield writer, events
    finally:
        assert writer.close()


@contextlib.contextmanager
def reading(rest: BybitRest) -> Iterator[tuple[AccountReader, Events]]:
    events = Events()
    reader = AccountReader(rest, events.all.put)
    try:
        yield reader, events
    finally:
        assert reader.close()


def test_what_waits_is_sent_by_priority_and_then_in_order() -> None:
    entered, released = threading.Event(), threading.Event()

    def script(request: Request) -> Answer:
        if b"m1-first" in request.body:
            entered.set()
            released.wait(5)
        return envelope({"orderId": "1"})

    with ScriptedHttp(script) as server, rest_to(server.url, timeout_s=5) as rest, writing(rest) as (writer, events):
        writer.send(1, entry("m1-first"))
        assert entered.wait(5)
        waiting: list[Action] = [entry("m1-second"), cancel("a"), stop(), cancel("b")]
        for intent, action in enumerate(waiting, start=2):
            writer.send(intent, action)
        released.set()
        assert [event.intent_id for event in events.sends(5)] == [1, 4, 3, 5, 2]
        assert len(server.requests) == 5


class Hanging:
    """An exchange that answers about BTCUSDT only when it is let; `begun` are the symbols asked about, in order."""

    def __init__(self) -> None:
        self.begun: queue.Queue[str] = queue.Queue()
        self.go = threading.Event()

    def __call__(self, request: Request) -> Answer:
        symbol = json.loads(request.body)["symbol"]
        self.begun.put(symbol)
        if symbol == "BTCUSDT":
            self.go.wait(5)
        return envelope({"orderId": "1"})

    def next(self, count: int) -> list[str]:
        return [self.begun.get(timeout=5) for _ in range(count)]


def test_a_slow_answer_about_one_symbol_delays_no_other_and_none_of_its_own_overtakes_it() -> None:
    slow = Hanging()
    with ScriptedHttp(slow) as server, rest_to(server.url, timeout_s=5) as rest, writing(rest) as (writer, events):
        for intent, symbol in enumerate(["BTCUSDT", "ETHUSDT", "BTCUSDT", "SOLUSDT", "ETHUSDT"], start=1):
            writer.send(intent, replace(entry(f"m1-{intent}"), symbol=symbol))
        assert sorted(slow.next(4)) == ["BTCUSDT", "ETHUSDT", "ETHUSDT", "SOLUSDT"]
        assert {event.intent_id for event in events.sends(3)} == {2, 4, 5}
        assert events.all.empty()
        assert slow.begun.empty(), "the second order of BTCUSDT waits for the answer to the first"
        slow.go.set()
        assert [event.intent_id for event in events.sends(2)] == [1, 3]


def test_orders_of_many_symbols_share_a_few_connections_and_each_is_answered_once() -> None:
    entered = threading.Semaphore(0)
    go = threading.Event()
    together, most, lock = 0, 0, threading.Lock()

    def script(_: Request) -> Answer:
        nonlocal together, most
        with lock:
            together += 1
            most = max(most, together)
        entered.release()
        go.wait(5)
        with lock:
            together -= 1
        return envelope({"orderId": "1"})

    with ScriptedHttp(script) as server, rest_to(server.url, timeout_s=5) as rest, writing(rest) as (writer, events):
        for intent in range(9):
            writer.send(intent, replace(entry(f"m1-{intent}"), symbol=f"C{intent}USDT"))
        for _ in range(MOST_CONNECTIONS):
            assert entered.acquire(timeout=5)
        go.set()
        assert sorted(event.intent_id for event in events.sends(9)) == list(range(9))
        assert most == MOST_CONNECTIONS


def test_no_entry_overtakes_what_protects_another_symbol() -> None:
    slow = Hanging()
    target = replace(entry("m1-t"), symbol="SOLUSDT", role=Role.TARGET, reduce_only=True)
    with ScriptedHttp(slow) as server, rest_to(server.url, timeout_s=5) as rest, writing(rest) as (writer, events):
        writer.send(1, cancel("a"))
        assert slow.next(1) == ["BTCUSDT"]
        writer.send(2, replace(entry(), symbol="ETHUSDT"))
        writer.send(3, replace(cancel("b"), symbol="XRPUSDT"))
        writer.send(4, target)
        assert [event.intent_id for event in sorted(events.sends(2), key=lambda done: done.intent_id)] == [3, 4]
        slow.go.set()
        assert {event.intent_id for event in events.sends(2)} == {1, 2}
    asked = [json.loads(request.body)["symbol"] for request in server.requests]
    assert asked[-1] == "ETHUSDT", "the entry goes when the first cancel is answered"


def test_where_no_further_thread_can_be_had_the_first_does_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start

    def refused(thread: threading.Thread) -> None:
        if thread.name == "writer-main-1":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refused)
    slow = Hanging()
    with ScriptedHttp(slow) as server, rest_to(server.url, timeout_s=5) as rest, writing(rest) as (writer, events):
        writer.send(1, entry())
        writer.send(2, replace(entry("m1-2"), symbol="ETHUSDT"))
        assert slow.next(1) == ["BTCUSDT"]
        slow.go.set()
        assert {event.intent_id for event in events.sends(2)} == {1, 2}


class Broken(OrderEntry):
    """A trade socket that stays closed, and fails in a way nobody thought of when a second order comes to it."""

    asked = 0

    def take(self, intent_id: int, action: Action) -> bool:
        self.asked += 1
        if self.asked == 2:
            raise LookupError("nobody thought of this")
        return super().take(intent_id, action)


def test_an_unexpected_failure_of_the_trade_socket_costs_one_order_and_no_connection() -> None:
    with (
        ScriptedHttp(lambda _: envelope({"orderId": "1"})) as server,
        rest_to(server.url) as rest,
    ):
        events = Events()
        writer = AccountWriter(rest, events.all.put, Broken(rest, events.all.put))
        try:
            writer.send(1, entry("m1-1"))
            outcomes = {done.intent_id: done.outcome for done in events.sends(1)}
            writer.send(2, entry("m1-2"))
            outcomes |= {done.intent_id: done.outcome for done in events.sends(1)}
        finally:
            assert writer.close()
    assert isinstance(outcomes[1], DoubtfulOutcome), "it may have been written"
    assert outcomes[2] == Accepted("1")


def test_one_symbol_needs_one_connection() -> None:
    with (
        ScriptedHttp(lambda _: envelope({"orderId": "1"})) as server,
        rest_to(server.url) as rest,
        writing(rest) as (writer, events),
    ):
        for intent in range(5):
            writer.send(intent, entry(f"m1-{intent}"))
        events.sends(5)
        names = [thread.name for thread in threading.enumerate() if thread.name.startswith("writer-")]
    assert names == ["writer-main"]


@pytest.mark.parametrize(
    "none",
    [http(404, ""), envelope({}, 10404, "no such operation"), envelope({}, 10017, "Route not found")],
    ids=["404", "10404", "10017"],
)
def test_where_there_are_no_batches_a_ladder_waits_for_room_and_goes_one_by_one(none: bytes) -> None:
    def script(request: Request) -> Answer:
        return none if "batch" in request.path else envelope({"orderId": "1"})

    with ScriptedHttp(script) as server, rest_to(server.url, timeout_s=5) as rest, writing(rest) as (writer, events):
        for intent in range(1, 16):
            writer.send(intent, cancel(str(intent)))
        assert [event.intent_id for event in events.sends(15)] == list(range(1, 16))
        paths = [request.path for request in server.requests]
        assert paths.count("/v5/order/cancel") == 15
        assert paths.count("/v5/order/cancel-batch") == 1, "there was no room for them all at once"


def test_a_writer_refuses_another_accounts_action() -> None:
    with (
        rest_to("http://127.0.0.1:1", account="mirror") as rest,
        writing(rest) as (writer, _),
        pytest.raises(ValueError, match="handed to the writer of mirror"),
    ):
        writer.send(1, entry())


@pytest.mark.proves("A16", "A10")
def test_a_hanging_account_delays_no_other() -> None:
    released = threading.Event()

    def hanging(_: Request) -> Answer:
        released.wait(5)
        return None

    with (
        ScriptedHttp(hanging) as dead,
        ScriptedHttp(lambda _: envelope({"orderId": "1"})) as alive,
        rest_to(dead.url, timeout_s=5) as dead_rest,
        rest_to(alive.url) as alive_rest,
        writing(dead_rest) as (dead_writer, dead_events),
        writing(alive_rest) as (writer, events),
    ):
        dead_writer.send(1, entry())
        writer.send(2, entry())
        assert events.sends(1)[0].outcome == Accepted("1")
        assert dead_events.all.empty()
        released.set()
        assert isinstance(dead_events.sends(1)[0].outcome, DoubtfulOutcome)


def test_a_dead_account_is_answered_at_once_and_not_hammered() -> None:
    breaker = Breaker(lambda: 1.0, first_s=30)
    with (
        ScriptedHttp(lambda _: http(502, "")) as server,
        rest_to(server.url, breaker=breaker) as rest,
        writing(rest) as (writer, events),
    ):
        began = time.monotonic()
        for intent in range(50):
            writer.send(intent, entry())
        outcomes = [event.outcome for event in events.sends(50)]
        assert [type(outcome) for outcome in outcomes[:3]] == [DoubtfulOutcome] * 3
        assert all(isinstance(outcome, NotSent) and outcome.retry_after_s > 8 for outcome in outcomes[3:])
        assert time.monotonic() - began < 2
        assert len(server.requests) == 3
        writer.send(99, stop())
        stopped = events.sends(1)[0].outcome
        assert isinstance(stopped, NotSent)
        assert stopped.retry_after_s <= 2, "a stop is never held back for long"


def test_a_read_that_succeeds_closes_the_breaker_of_the_writer() -> None:
    breaker = Breaker(lambda: 1.0, first_s=0.2)
    healthy = threading.Event()

    def script(_: Request) -> Answer:
        return envelope({"list": [], "orderId": "1"}) if healthy.is_set() else http(502, "")

    with (
        ScriptedHttp(script) as server,
        rest_to(server.url, breaker=breaker) as rest,
        writing(rest) as (writer, events),
    ):
        writer.send(1, entry())
        writer.send(2, entry())
        writer.send(3, entry())
        assert rest.health().breaker is BreakerState.CLOSED
        writer.send(4, entry())
        assert isinstance(events.sends(4)[-1].outcome, NotSent)
        assert rest.health().breaker is BreakerState.OPEN
        healthy.set()
        time.sleep(0.25)
        rest.open_orders()
        writer.send(5, entry())
        assert events.sends(1)[0].outcome == Accepted("1")


def test_closing_finishes_what_was_sent_and_answers_the_rest() -> None:
    entered, released = threading.Event(), threading.Event()

    def script(_: Request) -> Answer:
        entered.set()
        released.wait(5)
        return envelope({"orderId": "1"})

    with ScriptedHttp(script) as server, rest_to(server.url, timeout_s=5) as rest:
        events = Events()
        writer = AccountWriter(rest, events.all.put)
        writer.send(1, entry())
        assert entered.wait(5)
        writer.send(2, entry())
        threading.Timer(0.1, released.set).start()
        assert writer.close(5)
        writer.send(3, entry())
        outcomes = {event.intent_id: event.outcome for event in events.sends(3)}
        assert outcomes[1] == Accepted("1")
        assert isinstance(outcomes[2], NotSent)
        assert isinstance(outcomes[3], NotSent)
        assert len(server.requests) == 1


def whole(request: Request) -> Answer:
    return envelope({"list": [WALLET] if "wallet" in request.path else [], "nextPageCursor": ""})


def test_a_relist_reads_orders_before_positions_and_tells_the_clock() -> None:
    with ScriptedHttp(whole) as server, rest_to(server.url) as rest, reading(rest) as (reader, events):
        reader.ask(Relist(rest.link.clock.now_ms()))
        assert isinstance(events.all.get(timeout=5), ClockMeasured)
        (done,) = events.reads(1)
        assert isinstance(done.answer, RelistAnswer)
        assert done.answer.wallet is not None
        assert done.answer.wallet.available == Decimal(9)
        assert done.requested_ms <= done.completed_ms
        assert [request.path.rpartition("/v5/")[2] for request in server.requests] == [
            "order/realtime",
            "position/list",
            "execution/list",
            "account/wallet-balance",
        ]


@pytest.mark.proves("A45")
@pytest.mark.parametrize("broken", ["order/realtime", "position/list", "execution/list"])
def test_a_relist_of_which_one_part_fails_is_no_answer(broken: str) -> None:
    def script(request: Request) -> Answer:
        return envelope({}, 10001, "x") if request.path.endswith(broken) else whole(request)

    with ScriptedHttp(script) as server, rest_to(server.url) as rest, reading(rest) as (reader, events):
        reader.ask(Relist(rest.link.clock.now_ms()))
        assert isinstance(events.reads(1)[0].answer, ReadFailed)


@pytest.mark.parametrize("code", [10001, 10016])
def test_a_wallet_that_alone_cannot_be_read_is_unknown_with_its_reason(code: int) -> None:
    def script(request: Request) -> Answer:
        return envelope({}, code, "x") if request.path.endswith("wallet-balance") else whole(request)

    with ScriptedHttp(script) as server, rest_to(server.url) as rest, reading(rest) as (reader, events):
        reader.ask(Relist(rest.link.clock.now_ms()))
        answer = events.reads(1)[0].answer
    assert isinstance(answer, RelistAnswer)
    assert answer.wallet is None
    assert answer.wallet_error.startswith("the wallet cannot be read: ")


def test_equal_reads_that_wait_together_are_read_once_and_answered_each() -> None:
    entered, released = threading.Event(), threading.Event()

    def script(request: Request) -> Answer:
        if "ETHUSDT" in request.query:
            entered.set()
            released.wait(5)
        return envelope({"list": []})

    with ScriptedHttp(script) as server, rest_to(server.url, timeout_s=5) as rest, reading(rest) as (reader, events):
        reader.ask(FindOrder("ETHUSDT", "m1-other"))
        assert entered.wait(5)
        for _ in range(5):
            reader.ask(FindOrder("BTCUSDT", "m1-a"))
        released.set()
        done = events.reads(6)
        assert [event.answer for event in done] == [OrderAnswer(None, ())] * 6
        assert sum("BTCUSDT" in request.query for request in server.requests) == 3


def test_a_single_read_does_not_wait_for_a_long_relist() -> None:
    released = threading.Event()

    def script(request: Request) -> Answer:
        if "settleCoin" in request.query:
            released.wait(5)
        return envelope({"list": []})

    with ScriptedHttp(script) as server, rest_to(server.url, timeout_s=5) as rest, reading(rest) as (reader, events):
        reader.ask(Relist())
        reader.ask(FindOrder("BTCUSDT", "m1-a"))
        assert events.reads(1)[0].query == FindOrder("BTCUSDT", "m1-a")
        released.set()
        events.reads(1)


def test_a_relist_goes_before_the_records_that_wait() -> None:
    """Records of many closes are words; what a gap of the stream hid is decided on."""
    entered, released = threading.Event(), threading.Event()

    def script(request: Request) -> Answer:
        if "closed-pnl" in request.path and not entered.is_set():
            entered.set()
            released.wait(5)
        return envelope({"list": []})

    with ScriptedHttp(script) as server, rest_to(server.url, timeout_s=5) as rest, reading(rest) as (reader, events):
        now = rest.link.clock.now_ms()
        reader.ask(ReadClosed(now, "S0USDT"))
        assert entered.wait(5)
        for number in range(1, 4):
            reader.ask(ReadClosed(now, f"S{number}USDT"))
        reader.ask(Relist(now))
        released.set()
        assert [type(done.query) for done in events.reads(3)] == [ReadClosed, Relist, ReadClosed]
        events.reads(2)


def test_every_question_is_answered_also_when_nothing_listens_and_after_closing() -> None:
    with rest_to(f"http://127.0.0.1:{free_port()}", read_attempts=1) as rest:
        events = Events()
        reader = AccountReader(rest, events.all.put)
        for number in range(20):
            reader.ask(ReadPosition(f"S{number}USDT"))
        answers = [event.answer for event in events.reads(20)]
        assert all(isinstance(answer, ReadFailed) for answer in answers)
        assert isinstance(answers[-1], ReadFailed)
        assert answers[-1].retry_after_s, "it says when to come back"
        assert reader.close()
        reader.ask(Relist())
        assert isinstance(events.reads(1)[0].answer, ReadFailed)
