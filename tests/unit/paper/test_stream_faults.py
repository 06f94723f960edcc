"""Faults of streams, clock and address over real sockets: silence, refusal, close frame, reset, skew, HTTP 403."""

import json
from collections.abc import Iterator
from decimal import Decimal
from select import select
from typing import Any

import pytest
import requests
import websocket

from mirrorctl.core.paper.model import PaperAccount
from mirrorctl.core.paper.rates import RateRules
from mirrorctl.core.paper.server import PaperServer, wall_ms
from mirrorctl.core.paper.signing import sign

ACCOUNTS = [PaperAccount("main", 101, "k1", "s1"), PaperAccount("mirror", 102, "k2", "s2")]
ORDER = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.1"}
CREATE, WALLET = "/v5/order/create", "/v5/account/wallet-balance"


class Wire:
    """HTTP and streams of one account, with nothing between the test and the socket."""

    def __init__(self, server: PaperServer, key: str, secret: str) -> None:
        self._server, self._key, self._secret = server, key, secret
        self._http = requests.Session()
        self._http.trust_env = False
        self._open: list[Any] = []

    def signed(self, method: str, path: str, payload: str, now: int | None = None) -> requests.Response:
        stamp, window = str(now or wall_ms()), "5000"
        url = self._server.rest_url + path
        headers = {
            "X-BAPI-API-KEY": self._key,
            "X-BAPI-TIMESTAMP": stamp,
            "X-BAPI-RECV-WINDOW": window,
            "X-BAPI-SIGN": sign(self._secret, f"{stamp}{self._key}{window}{payload}".encode()),
        }
        if method == "GET":
            return self._http.get(f"{url}?{payload}", headers=headers, timeout=5)
        return self._http.post(url, data=payload, headers=headers, timeout=5)

    def wallet(self, now: int | None = None) -> requests.Response:
        return self.signed("GET", WALLET, "accountType=UNIFIED", now)

    def create(self) -> Any:
        return self.signed("POST", CREATE, json.dumps(ORDER)).json()

    def clock(self) -> int:
        return int(self._http.get(f"{self._server.rest_url}/v5/market/time", timeout=5).json()["time"])

    def admin(self, route: str, /, **body: Any) -> Any:
        answer = self._http.post(self._server.rest_url + route, json=body, timeout=5)
        return answer.json() if answer.status_code == 200 else answer.json()["error"]

    def dial(self, topic: str = "order") -> Any:
        """A private stream with one subscription."""
        socket = websocket.create_connection(self._server.private_ws_url, timeout=5)
        self._open.append(socket)
        until = wall_ms() + 60_000
        frame = {"op": "auth", "args": [self._key, until, sign(self._secret, f"GET/realtime{until}".encode())]}
        socket.send(json.dumps(frame))
        assert json.loads(socket.recv())["success"]
        socket.send(json.dumps({"op": "subscribe", "args": [topic]}))
        assert json.loads(socket.recv())["success"]
        return socket

    def close(self) -> None:
        for socket in self._open:
            socket.shutdown()
        self._http.close()


@pytest.fixture
def server() -> Iterator[PaperServer]:
    with PaperServer(ACCOUNTS, volatility=Decimal(0)) as running:
        yield running


@pytest.fixture
def wires(server: PaperServer) -> Iterator[tuple[Wire, Wire]]:
    """main and mirror."""
    both = Wire(server, "k1", "s1"), Wire(server, "k2", "s2")
    yield both
    for wire in both:
        wire.close()


def heard(socket: Any, frames: int, surplus_s: float = 0.05) -> list[str]:
    """Sorted topics or operations of so many frames, and of any that come beyond; protocol pongs as "pong frame"."""
    found: list[str] = []
    while select([socket.sock], [], [], 5.0 if len(found) < frames else surplus_s)[0]:
        opcode, data = socket.recv_data(control_frame=True)
        frame = json.loads(data) if opcode == websocket.ABNF.OPCODE_TEXT else {"op": "pong frame"}
        found.append(frame.get("topic") or frame["op"])
    return sorted(found)


def test_a_silent_stream_stays_open_and_answers_neither_ping_nor_event(wires: tuple[Wire, Wire]) -> None:
    main, mirror = wires
    quiet, other = main.dial(), mirror.dial()
    fault = main.admin("/paper/fault", kind="stream-silent", account="main")["id"]
    for wire, socket in ((main, quiet), (mirror, other)):
        socket.send(json.dumps({"op": "ping"}))
        socket.ping()
        wire.create()
    assert heard(other, 3) == ["order", "pong", "pong frame"]
    assert heard(quiet, 0) == []
    main.admin("/paper/fault/clear", id=fault)
    main.create()
    quiet.ping()
    assert heard(quiet, 2) == ["order", "pong frame"], "what was pushed meanwhile is gone"


def test_new_streams_are_refused_for_one_account_or_before_they_begin(wires: tuple[Wire, Wire]) -> None:
    main, mirror = wires
    main.admin("/paper/fault", kind="stream-refuse", account="main", count=2)
    for _ in range(2):
        with pytest.raises((ConnectionError, websocket.WebSocketException)):
            main.dial()
        mirror.dial()
    main.dial()
    main.admin("/paper/fault", kind="stream-refuse", for_ms=60_000)
    for wire in wires:
        with pytest.raises((ConnectionError, websocket.WebSocketException)):
            wire.dial()
    main.admin("/paper/fault/clear")
    main.dial()


@pytest.mark.parametrize(("how", "ending"), [("close", None), ("rst", ConnectionResetError)])
def test_streams_of_all_accounts_end_by_close_frame_or_reset(
    wires: tuple[Wire, Wire], how: str, ending: type[Exception] | None
) -> None:
    sockets = [wire.dial() for wire in wires]
    assert wires[0].admin("/paper/disconnect", how=how) == {"cut": 2}
    for socket in sockets:
        seen = None
        try:
            while socket.recv():
                pass
        except OSError as error:
            seen = type(error)
        assert seen is ending


def test_an_event_arrives_before_its_answer(wires: tuple[Wire, Wire]) -> None:
    main, _ = wires
    socket = main.dial()
    main.admin("/paper/fault", kind="event-first", target=CREATE, args={"ms": 30})
    assert main.create()["retCode"] == 0
    assert heard(socket, 0, 0) == ["order"], "it was there when the answer came"


def test_a_skewed_clock_refuses_a_stamp_that_is_ahead_of_it(wires: tuple[Wire, Wire]) -> None:
    main, _ = wires
    main.admin("/paper/fault", kind="clock-skew", args={"ms": -3000})
    assert -3_500 < main.clock() - wall_ms() < -2_500
    assert main.wallet().json()["retCode"] == 10002
    main.admin("/paper/fault/clear")
    assert main.wallet().json()["retCode"] == 0


def test_one_request_too_many_gets_10006_with_headers_over_the_socket() -> None:
    now = wall_ms()
    with PaperServer(ACCOUNTS, volatility=Decimal(0), clock=lambda: now) as server:
        wire = Wire(server, "k1", "s1")
        wire.admin("/paper/fault", kind="rate-limit", account="main", target=WALLET, args={"limit": 2})
        answers = [wire.wallet(now) for _ in range(3)]
        assert [answer.json()["retCode"] for answer in answers] == [0, 0, 10006]
        assert [answer.headers["X-Bapi-Limit-Status"] for answer in answers] == ["1", "0", "0"]
        assert answers[2].headers["X-Bapi-Limit-Reset-Timestamp"] == str(now + 1_000)
        wire.close()


def test_too_many_requests_from_an_address_are_a_403_for_every_account() -> None:
    with PaperServer(ACCOUNTS, volatility=Decimal(0), rules=RateRules(per_address=5)) as server:
        main, mirror = Wire(server, "k1", "s1"), Wire(server, "k2", "s2")
        assert [main.wallet().status_code for _ in range(5)] == [200] * 5
        refused = mirror.wallet()
        assert (refused.status_code, refused.text) == (403, "access too frequent")
        assert main.wallet().status_code == 403
        assert main.admin("/paper/fault/clear") == {}, "what is done by hand is not counted"
        assert main.wallet().status_code == 200
        main.close()
        mirror.close()


def test_limits_are_widened_for_load_tests(wires: tuple[Wire, Wire]) -> None:
    main, _ = wires

    def cap() -> str | None:
        return main.wallet().headers.get("X-Bapi-Limit")

    assert cap() == "50"
    main.admin("/paper/switches", rates=20)
    assert cap() == "1000"
    main.admin("/paper/switches", rates=0)
    assert cap() is None


def test_wrong_faults_are_refused_with_what_is_allowed(wires: tuple[Wire, Wire]) -> None:
    main, _ = wires
    assert "allowed: ms" in main.admin("/paper/fault", kind="hang", args={"s": 1})
    assert main.admin("/paper/fault", kind="funding", args={"symbol": "BTCUSDT", "rate": "0.0001"}) == (
        "funding happens at once: POST /paper/funding"
    )
    assert "allowed: a whole number above 0" in main.admin("/paper/fault", kind="refuse", count=0)
    assert main.admin("/paper/fault", kind="refuse", account="nobody") == "unknown account nobody"
