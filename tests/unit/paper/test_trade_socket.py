"""Order entry over WebSocket, frame by frame (docs v5/websocket/trade/guideline), and what can go wrong with it."""

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import websocket

from mirrorctl.core.paper.faults import Fault, FaultKind
from mirrorctl.core.paper.model import PaperAccount
from mirrorctl.core.paper.rates import RateRules
from mirrorctl.core.paper.server import PaperServer
from mirrorctl.core.paper.signing import sign

ACCOUNT = PaperAccount("main", 101, "key-main", "secret-main")
ORDER = {
    "category": "linear",
    "symbol": "BTCUSDT",
    "side": "Buy",
    "orderType": "Limit",
    "qty": "0.001",
    "price": "50000",
}


class Entry:
    """A raw connection to the trade socket."""

    def __init__(self, server: PaperServer) -> None:
        self.socket = websocket.create_connection(server.trade_ws_url, timeout=5, http_no_proxy=["*"])

    def say(self, frame: dict[str, Any]) -> None:
        self.socket.send(json.dumps(frame))

    def hear(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.socket.recv())
        return answer

    def ask(self, frame: dict[str, Any]) -> dict[str, Any]:
        self.say(frame)
        return self.hear()

    def auth(self, secret: str = ACCOUNT.api_secret, lead_ms: int = 5000) -> dict[str, Any]:
        expires = now_ms() + lead_ms
        return self.ask(
            {"op": "auth", "args": [ACCOUNT.api_key, expires, sign(secret, f"GET/realtime{expires}".encode())]}
        )

    def ended(self) -> bool:
        try:
            return not self.socket.recv()
        except (OSError, websocket.WebSocketException):
            return True


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def create(req_id: str | None = "r-1", stamp: int = 0, **order: Any) -> dict[str, Any]:
    named = {} if req_id is None else {"reqId": req_id}
    header = {"X-BAPI-TIMESTAMP": str(now_ms() + stamp)}
    return {**named, "header": header, "op": "order.create", "args": [ORDER | order]}


@pytest.fixture
def server() -> Iterator[PaperServer]:
    with PaperServer([ACCOUNT], volatility=Decimal(0)) as running:
        yield running


@pytest.fixture
def entry(server: PaperServer) -> Iterator[Entry]:
    """Connected and authenticated."""
    connected = Entry(server)
    assert connected.auth()["retCode"] == 0
    yield connected
    connected.socket.close(timeout=0.1)


def put(server: PaperServer, kind: FaultKind, **args: Any) -> None:
    server.run(lambda gateway, _: gateway.faults.add(Fault(kind, "main", "/v5/order/create", 1, args)))


def live(server: PaperServer) -> int:
    return server.run(lambda gateway, _: len(gateway.exchange.state.live(101)))


def test_auth_is_answered_with_codes_and_a_second_one_is_told_so(server: PaperServer) -> None:
    entry = Entry(server)
    first = entry.auth()
    assert (first["retCode"], first["retMsg"], first["op"]) == (0, "OK", "auth")
    assert "reqId" not in first
    assert entry.auth()["retCode"] == 20001


@pytest.mark.parametrize(("how", "code"), [({"secret": "wrong"}, 10004), ({"lead_ms": -1}, 10001)])
def test_a_bad_auth_is_refused_and_the_connection_ends(server: PaperServer, how: dict[str, Any], code: int) -> None:
    entry = Entry(server)
    assert entry.auth(**how)["retCode"] == code
    assert entry.ended()


def test_no_order_without_auth(server: PaperServer) -> None:
    assert Entry(server).ask(create())["retCode"] == 10005
    assert live(server) == 0


def test_an_answer_has_id_data_and_limits(entry: Entry) -> None:
    said = entry.ask(create(orderLinkId="a-1"))
    assert (said["reqId"], said["retCode"], said["op"], said["retExtInfo"]) == ("r-1", 0, "order.create", {})
    assert said["data"]["orderId"]
    assert said["data"]["orderLinkId"] == "a-1"
    assert {"X-Bapi-Limit", "X-Bapi-Limit-Status", "X-Bapi-Limit-Reset-Timestamp"} < set(said["header"])
    assert "reqId" not in entry.ask(create(None))


def test_the_bucket_is_the_one_of_rest_and_one_too_many_is_10006(entry: Entry) -> None:
    said = [entry.ask(create(f"r-{number}")) for number in range(11)]
    assert [answer["retCode"] for answer in said] == [0] * 10 + [10006]
    assert said[-1]["header"]["X-Bapi-Limit-Status"] == "0"


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (create("x" * 37), 10001),
        (create() | {"op": "order.unknown"}, 10404),
        (create(category="inverse"), 10404),
        (create() | {"args": []}, 10001),
        ({"op": "order.create", "args": [ORDER]}, 10001),
        (create(qty="abc"), 10001),
    ],
)
def test_what_is_wrong_with_a_request_is_said(
    entry: Entry, server: PaperServer, frame: dict[str, Any], code: int
) -> None:
    if "header" in frame:  # the frames are made when the tests are collected
        frame["header"] = {"X-BAPI-TIMESTAMP": str(now_ms())}
    assert entry.ask(frame)["retCode"] == code
    assert live(server) == 0


@pytest.mark.parametrize("off_ms", [1500, -6000])
def test_a_stamp_outside_the_window_is_refused(entry: Entry, server: PaperServer, off_ms: int) -> None:
    assert entry.ask(create(stamp=off_ms))["retCode"] == 10002
    assert live(server) == 0


def test_an_id_may_not_come_twice(entry: Entry, server: PaperServer) -> None:
    assert [entry.ask(create())["retCode"] for _ in range(2)] == [0, 20006]
    assert live(server) == 1


def test_a_ping_is_answered_in_its_own_shape(entry: Entry) -> None:
    pong = entry.ask({"op": "ping"})
    assert (pong["op"], pong["retCode"], pong["retMsg"]) == ("pong", 0, "OK")
    assert abs(int(pong["data"][0]) - now_ms()) < 5000


def test_an_address_that_writes_too_much_is_told_10403(server: PaperServer, entry: Entry) -> None:
    server.run(lambda gateway, _: setattr(gateway.rates, "rules", RateRules(per_socket_address=1)))
    assert [entry.ask(create(f"r-{number}"))["retCode"] for number in range(2)] == [0, 10403]


def test_a_lost_reply_cuts_the_connection_after_the_order_was_taken(server: PaperServer, entry: Entry) -> None:
    put(server, FaultKind.LOSE_REPLY)
    entry.say(create())
    assert entry.ended()
    assert live(server) == 1


def test_a_lost_reply_may_leave_the_connection_open(server: PaperServer, entry: Entry) -> None:
    put(server, FaultKind.LOSE_REPLY, open=True)
    entry.say(create("lost"))
    assert entry.ask(create("answered"))["reqId"] == "answered"
    assert live(server) == 2


def test_a_lost_request_is_not_carried_out(server: PaperServer, entry: Entry) -> None:
    put(server, FaultKind.LOSE_REQUEST)
    entry.say(create())
    assert entry.ended()
    assert live(server) == 0


def test_an_error_of_the_server_is_a_code(server: PaperServer, entry: Entry) -> None:
    put(server, FaultKind.HTTP_STATUS, status=502)
    assert entry.ask(create())["retCode"] == 10016


def test_later_requests_do_not_wait_for_an_answer_that_is_late(server: PaperServer, entry: Entry) -> None:
    put(server, FaultKind.EVENT_FIRST, ms=150)
    entry.say(create("late"))
    assert [entry.ask(create("quick"))["reqId"], entry.hear()["reqId"]] == ["quick", "late"]
