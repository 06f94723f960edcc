"""A write in two halves: written over a connection that stands open by whoever has it, answered on another thread."""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
import requests.adapters

from mirrorctl.core.bybit.writer import AccountWriter
from mirrorctl.core.domain.actions import Accepted, Action, DoubtfulOutcome, NotSent, RejectedOutcome, SetLeverage
from mirrorctl.core.engine.ports import Event, SendDone
from tests.integration.bybit.scripted import Answer, Request, ScriptedHttp, envelope, http, rest_to
from tests.integration.bybit.test_transport import TlsHttp, certificate, tls_of
from tests.integration.bybit.test_writes import CANCEL, PLACE, STOP

CREATE = "/v5/order/create"
LEVERAGE = SetLeverage("main", "BTCUSDT", Decimal(5), "a test")
SIGNED = ("x-bapi-timestamp", "x-bapi-sign", "content-length", "accept-encoding")
OK = envelope({"orderId": "order-1"})
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"


def eventually(what: Callable[[], bool]) -> bool:
    ends = time.monotonic() + 3
    while not what():
        if time.monotonic() > ends:
            return False
        time.sleep(0.002)
    return True


def _next(answers: Iterator[Answer], _: Request) -> Answer:
    return next(answers)


@pytest.mark.parametrize("action", [PLACE, CANCEL, STOP, LEVERAGE])
def test_it_is_the_request_that_the_library_makes(action: Action) -> None:
    with ScriptedHttp(lambda _: OK) as server, rest_to(server.url) as rest:
        assert rest.post(action) is None, "no connection stands open"
        assert rest.execute(action) == Accepted("order-1")
        posted = rest.post(action)
        assert posted is not None
        assert eventually(lambda: len(server.requests) == 2), "it leaves before anybody waits for an answer"
        assert rest.answer(action, posted) == Accepted("order-1")
        assert rest.execute(action) == Accepted("order-1")
        theirs, ours, later = server.requests
        assert (ours.method, ours.path, ours.query) == (theirs.method, theirs.path, theirs.query)
        assert json.loads(ours.body) == json.loads(theirs.body) == json.loads(later.body)
        kept = [{name: value for name, value in one.headers.items() if name not in SIGNED} for one in (theirs, ours)]
        assert kept[0] == kept[1]


@pytest.mark.parametrize(
    "answer",
    [
        envelope({}, 110007, "not enough"),
        envelope({}, 10006, "too many"),
        envelope({}, 10002, "time"),
        http(404, ""),
        http(403, ""),
        http(500, "oops"),
        http(200, "<html>"),
        http(200, "[]"),
        http(307, "", {"Location": "http://127.0.0.1:9/v5/order/create"}),
        b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n{",
        b"nonsense\r\n\r\n",
        CHUNKS % (58, b'{"retCode":0,"retMsg":"OK","result":{"orderId":"order-2"}}'),
        None,
    ],
)
def test_what_comes_back_means_the_same(answer: Answer) -> None:
    found = []
    for posts in (True, False):
        answers = iter([OK, answer])
        with ScriptedHttp(partial(_next, answers)) as server, rest_to(server.url) as rest:
            rest.execute(PLACE)
            posted = rest.post(PLACE) if posts else None
            assert (posted is not None) == posts
            found.append(rest.execute(PLACE) if posted is None else rest.answer(PLACE, posted))
    assert type(found[0]) is type(found[1])
    if not isinstance(found[0], DoubtfulOutcome):
        assert found[0] == found[1]


def test_nothing_is_written_where_the_exchange_hung_up_meanwhile() -> None:
    with ScriptedHttp(lambda _: OK, hang_up=True) as server, rest_to(server.url) as rest:
        rest.measure_clock()
        assert server.hung_up.acquire(timeout=3)
        assert rest.execute(PLACE) == Accepted("order-1")
        assert server.hung_up.acquire(timeout=3)
        assert rest.post(PLACE) is None
        assert len(server.requests) == 1
        assert rest.execute(PLACE) == Accepted("order-1")


def test_nothing_is_written_without_room_and_the_connection_is_used_again() -> None:
    with ScriptedHttp(lambda _: OK) as server, rest_to(server.url) as rest:
        for _ in range(12):
            rest.execute(PLACE)
        sent = len(server.requests)
        assert rest.post(PLACE) is None
        assert rest.link.traffic.health().next_try_s == 0
        posted = rest.post(STOP)
        assert posted is not None
        assert rest.answer(STOP, posted) == Accepted("order-1")
        assert len(server.requests) == sent + 1


def test_an_order_over_tls_goes_over_the_connection_that_was_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = certificate(tmp_path, "127.0.0.1")
    monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", str(paths[0]))
    server = TlsHttp(lambda _: OK)
    server.tls = tls_of(paths)
    with server, rest_to(f"https://127.0.0.1:{server.port}") as rest:
        assert rest.execute(PLACE) == Accepted("order-1")
        posted = rest.post(PLACE)
        assert posted is not None
        assert rest.answer(PLACE, posted) == Accepted("order-1")


def test_the_writer_writes_at_once_what_nothing_keeps_back_and_tells_each_outcome_once() -> None:
    events: queue.Queue[Event] = queue.Queue()

    with ScriptedHttp(lambda _: OK) as server, rest_to(server.url) as rest:
        writer = AccountWriter(rest, events.put)
        for number in range(4):
            writer.send(number, STOP if number == 2 else PLACE)
            event = events.get(timeout=3)
            assert isinstance(event, SendDone)
            assert (event.intent_id, event.outcome) == (number, Accepted("order-1"))
            assert event.sent_ms <= event.completed_ms
            time.sleep(0.02)  # its hand has gone back to wait
        assert len(server.requests) == 4
        assert writer.close()
        writer.send(9, PLACE)
        last = events.get(timeout=3)
        assert isinstance(last, SendDone)
        assert isinstance(last.outcome, NotSent)


def test_what_was_written_is_answered_also_where_the_writer_closes() -> None:
    events: queue.Queue[Event] = queue.Queue()

    def slow(_: Request) -> Answer:
        time.sleep(0.2)
        return envelope({}, 110007, "not enough")

    with ScriptedHttp(slow) as server, rest_to(server.url) as rest:
        writer = AccountWriter(rest, events.put)
        writer.send(1, PLACE)
        assert isinstance(events.get(timeout=3), SendDone)
        time.sleep(0.02)
        writer.send(2, PLACE)
        assert eventually(lambda: len(server.requests) == 2)
        assert writer.close()
        last = events.get(timeout=3)
        assert isinstance(last, SendDone)
        assert (last.intent_id, type(last.outcome)) == (2, RejectedOutcome)
