"""The server's own manners over real sockets: authentication, HTTP statuses, faults, admin routes, streams."""

import json
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from select import select
from typing import Any

import pytest
import requests
import websocket

from mirrorctl.core.paper.desk import Switches
from mirrorctl.core.paper.model import PaperAccount
from mirrorctl.core.paper.refusals import PortInUseError
from mirrorctl.core.paper.server import PaperServer, wall_ms
from mirrorctl.core.paper.signing import sign

ACCOUNTS = [PaperAccount("main", 101, "k1", "s1"), PaperAccount("mirror", 102, "k2", "s2")]
ORDER = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.1"}
CREATE = "/v5/order/create"


@pytest.fixture
def server() -> Iterator[PaperServer]:
    with PaperServer(ACCOUNTS, volatility=Decimal(0)) as running:
        yield running


class Caller:
    """Signs by hand, so that stamps, windows and bodies can be wrong on purpose."""

    def __init__(self, server: PaperServer, key: str = "k1", secret: str = "s1") -> None:
        self.base, self.key, self.secret = server.rest_url, key, secret
        self.session = requests.Session()
        self.session.trust_env = False

    def headers(self, payload: str, shift: int = 0, window: str = "5000") -> dict[str, str]:
        stamp = str(wall_ms() + shift)
        return {
            "X-BAPI-API-KEY": self.key,
            "X-BAPI-TIMESTAMP": stamp,
            "X-BAPI-RECV-WINDOW": window,
            "X-BAPI-SIGN": sign(self.secret, f"{stamp}{self.key}{window}{payload}".encode()),
        }

    def get(self, path: str, query: str, **how: Any) -> requests.Response:
        return self.session.get(f"{self.base}{path}?{query}", headers=self.headers(query, **how), timeout=5)

    def post(self, path: str, body: str) -> requests.Response:
        return self.session.post(self.base + path, data=body, headers=self.headers(body), timeout=5)

    def create(self, **more: Any) -> Any:
        return self.post(CREATE, json.dumps(ORDER | more)).json()

    def admin(self, route: str, /, **body: Any) -> Any:
        answer = self.session.post(self.base + route, json=body, timeout=5)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def requests(self) -> list[Any]:
        rows: list[Any] = self.session.get(f"{self.base}/paper/requests", timeout=5).json()["list"]
        return rows


@pytest.fixture
def caller(server: PaperServer) -> Caller:
    return Caller(server)


WALLET = ("/v5/account/wallet-balance", "accountType=UNIFIED")


def test_the_clock_rule_is_asymmetric(caller: Caller) -> None:
    def code(shift: int, window: str = "5000") -> int:
        return int(caller.get(*WALLET, shift=shift, window=window).json()["retCode"])

    assert code(-4000) == 0
    assert code(-6000) == 10002
    assert code(-6000, "10000") == 0
    assert code(1500, "60000") == 10002


def test_the_signature_covers_the_raw_bytes(caller: Caller) -> None:
    odd = '{ "category":"linear",  "symbol":"BTCUSDT","buyLeverage":"5","sellLeverage":"5"}'
    assert caller.post("/v5/position/set-leverage", odd).json()["retCode"] == 0
    body = json.dumps(ORDER)
    answer = caller.session.post(caller.base + CREATE, data=body + " ", headers=caller.headers(body), timeout=5)
    assert answer.json()["retCode"] == 10004
    assert caller.get("/v5/order/realtime", "category=linear&symbol=BTCUSDT&cursor=").json()["retCode"] == 0


def test_http_statuses_and_the_envelope(caller: Caller) -> None:
    assert caller.get("/v5/nothing", "").status_code == 404
    assert caller.get(CREATE, "").status_code == 400
    assert caller.session.get(caller.base + WALLET[0], timeout=5).status_code == 401
    assert caller.post(CREATE, "[1]").json()["retCode"] == 10001
    answer = caller.get(*WALLET)
    assert set(answer.json()) == {"retCode", "retMsg", "result", "retExtInfo", "time"}
    assert "X-Bapi-Limit-Status" in answer.headers


def test_a_lost_reply_closes_the_connection_after_the_order_was_accepted(caller: Caller) -> None:
    caller.admin("/paper/fault", kind="lose-reply", account="main", target=CREATE)
    with pytest.raises(requests.ConnectionError):
        caller.create(orderLinkId="lost")
    assert caller.create(orderLinkId="lost")["retCode"] == 110072
    log = caller.requests()
    assert [(row["account"], row["retCode"], row["body"]["orderLinkId"]) for row in log] == [
        ("main", 0, "lost"),
        ("main", 110072, "lost"),
    ]


def test_refuse_hang_and_status_faults_reach_the_socket(caller: Caller) -> None:
    caller.admin("/paper/fault", kind="refuse", account="main")
    with pytest.raises(requests.ConnectionError):
        caller.create()
    caller.admin("/paper/fault", kind="hang", account="main", args={"ms": 100})
    with pytest.raises(requests.ConnectionError):
        caller.create()
    caller.admin("/paper/fault", kind="http-status", account="main", args={"status": 502})
    answer = caller.post(CREATE, json.dumps(ORDER))
    assert (answer.status_code, answer.headers["Content-Type"]) == (502, "text/html; charset=utf-8")
    assert caller.create()["retCode"] == 0
    assert len(caller.requests()) == 1


def test_admin_price_fill_incidents_and_reset(caller: Caller, server: PaperServer) -> None:
    order_id = caller.create(orderType="Limit", price="59000")["result"]["orderId"]
    assert caller.admin("/paper/fill", account="main", order_id=order_id, qty="0.04") == {"filled": "0.04"}
    caller.admin("/paper/price", symbol="BTCUSDT", price="58900")
    assert caller.admin("/paper/adl", account="main", symbol="BTCUSDT", qty="0.01") == {"closed": "0.01"}
    caller.admin("/paper/funding", symbol="BTCUSDT", rate="0.0001")
    app = caller.admin("/paper/call", account="main", path=CREATE, params=ORDER | {"side": "Sell", "qty": "0.02"})
    assert app["retCode"] == 0
    state = caller.session.get(f"{caller.base}/paper/state", timeout=5).json()
    (leg,) = state["accounts"]["main"]["positions"]
    assert (leg["size"], state["prices"]["BTCUSDT"]["last"]) == ("0.070", "58900.00")
    assert len(caller.requests()) == 1
    caller.admin("/paper/liquidate", account="main")
    bad = caller.session.post(f"{caller.base}/paper/price", json={"symbol": "X", "price": "1"}, timeout=5)
    assert bad.status_code == 400
    caller.admin("/paper/reset")
    state = caller.session.get(f"{caller.base}/paper/state", timeout=5).json()
    assert state["accounts"]["main"]["wallet"]["totalEquity"] == "10000"
    assert caller.requests() == []


def test_a_taken_port_is_a_typed_error_and_servers_are_apart(server: PaperServer) -> None:
    with pytest.raises(PortInUseError):
        PaperServer(ACCOUNTS, port=server.port).start()
    with PaperServer(ACCOUNTS, volatility=Decimal(0)) as other:
        assert other.port != server.port
        Caller(server).create()
        assert Caller(other).requests() == []


# streams by hand


def dial(url: str) -> websocket.WebSocket:
    return websocket.create_connection(url, timeout=5)


def ask(socket: websocket.WebSocket, **frame: Any) -> Any:
    socket.send(json.dumps(frame))
    return json.loads(socket.recv())


def login(server: PaperServer, secret: str = "s1", expires: int | None = None) -> Any:
    socket = dial(server.private_ws_url)
    until = wall_ms() + 5000 if expires is None else expires
    return socket, ask(socket, op="auth", args=["k1", until, sign(secret, f"GET/realtime{until}".encode())])


def test_private_control_frames(server: PaperServer) -> None:
    socket, answer = login(server)
    assert (answer["success"], answer["op"], answer["ret_msg"]) == (True, "auth", "")
    assert ask(socket, op="ping", req_id="p1")["op"] == "pong"
    before = time.monotonic()
    ack = ask(socket, op="subscribe", args=["order", "execution"], req_id="r1")
    assert time.monotonic() - before >= 0.05
    assert (ack["success"], ack["req_id"], ack["op"]) == (True, "r1", "subscribe")
    refused = ask(socket, op="subscribe", args=["position", "position.linear"])
    assert refused["success"] is False
    assert "req_id" not in refused
    assert ask(socket, op="subscribe", args=["nothing"])["success"] is False
    assert ask(socket, op="unsubscribe", args=["order"])["success"] is True
    socket.close()


def test_a_stream_without_or_with_wrong_auth_hears_nothing(server: PaperServer) -> None:
    socket = dial(server.private_ws_url)
    assert ask(socket, op="subscribe", args=["order"])["success"] is False
    socket.close()
    assert login(server, secret="wrong")[1]["success"] is False
    assert login(server, expires=wall_ms() - 1)[1]["ret_msg"] == "Params Error"


def test_public_ping_and_snapshot(server: PaperServer) -> None:
    socket = dial(server.public_ws_url)
    pong = ask(socket, op="ping")
    assert (pong["ret_msg"], pong["op"], pong["req_id"]) == ("pong", "ping", "")
    assert ask(socket, op="subscribe", args=["orderbook.1.BTCUSDT"])["success"] is True
    assert json.loads(socket.recv())["data"]["b"][0][0] == "59999.90"
    assert ask(socket, op="subscribe", args=["tickers.NOPE"])["success"] is False
    socket.close()


def test_events_come_after_the_reply_or_before_it(server: PaperServer, caller: Caller) -> None:
    socket, _ = login(server)
    ask(socket, op="subscribe", args=["execution"])

    def heard_when_answered() -> bool:
        caller.create()
        readable, _, _ = select([socket.sock], [], [], 0)
        json.loads(socket.recv())
        return bool(readable)

    caller.admin("/paper/switches", event_ms=200)
    assert heard_when_answered() is False
    caller.admin("/paper/switches", events_first=True)
    assert heard_when_answered() is True
    socket.close()


def _closed_by(cut: Callable[[], object], socket: websocket.WebSocket) -> type[BaseException] | None:
    cut()
    try:
        while socket.recv():
            pass
    except (websocket.WebSocketException, OSError) as error:
        return type(error)
    return None


def test_disconnect_by_close_frame_and_by_reset(server: PaperServer, caller: Caller) -> None:
    closed, _ = login(server)
    assert _closed_by(lambda: caller.admin("/paper/disconnect", account="main"), closed) is None
    reset, _ = login(server)
    cut = _closed_by(lambda: caller.admin("/paper/disconnect", account="main", how="rst"), reset)
    assert cut is ConnectionResetError
    caller.admin("/paper/fault", kind="refuse", account="main", target="/v5/private")
    with pytest.raises((ConnectionResetError, websocket.WebSocketConnectionClosedException)):
        login(server)


def test_no_delay_before_the_ack_when_switched_off() -> None:
    with PaperServer(ACCOUNTS, volatility=Decimal(0), switches=Switches(ack_ms=0)) as quick:
        socket, _ = login(quick)
        before = time.monotonic()
        ask(socket, op="subscribe", args=["order"])
        assert time.monotonic() - before < 0.05
        socket.close()
