"""Stock pybit's WebSocketTrading and its batch calls against the paper exchange, with its own threads and pings."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pybit.unified_trading import HTTP, WebSocketTrading

from mirrorctl.core.paper.server import PaperServer

Frame = dict[str, Any]
LINEAR = {"category": "linear", "symbol": "BTCUSDT"}
RESTING = LINEAR | {"side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "50000"}


def trading(server: PaperServer, **options: Any) -> Any:
    class Loopback(WebSocketTrading):  # type: ignore[misc] # pybit ships no types
        def _connect(self, _url: str) -> None:
            super()._connect(server.trade_ws_url)

    return Loopback(testnet=False, api_key="key-main", api_secret="secret-main", private_auth_expire=10, **options)


class Said:
    """The one answer that a request gets, whichever of pybit's two callbacks it comes by."""

    def __init__(self, send: Callable[..., None], **order: Any) -> None:
        self._came = threading.Event()
        self.frame: Frame = {}
        send(self._hear, self._hear, **order)
        assert self._came.wait(5), "no answer"

    def _hear(self, frame: Frame) -> None:
        self.frame = frame
        self._came.set()

    @property
    def code(self) -> int:
        return int(self.frame["retCode"])


@pytest.fixture
def socket(server: PaperServer) -> Iterator[Any]:
    connected = trading(server, recv_window=8000)
    while not connected.auth:
        threading.Event().wait(0.005)
    yield connected
    connected.exit()


@pytest.fixture
def main(server: PaperServer) -> Any:
    session = HTTP(api_key="key-main", api_secret="secret-main")
    session.endpoint = server.rest_url
    session.client.trust_env = False
    return session


def test_an_order_is_placed_amended_and_cancelled_over_the_socket(socket: Any, main: Any) -> None:
    placed = Said(socket.place_order, **RESTING, orderLinkId="a-1").frame
    assert (placed["retCode"], placed["op"]) == (0, "order.create")
    assert placed["data"]["orderLinkId"] == "a-1"
    assert (placed["header"]["X-Bapi-Limit"], placed["header"]["X-Bapi-Limit-Status"]) == ("10", "9")
    order_id = placed["data"]["orderId"]
    assert Said(socket.amend_order, **LINEAR, orderId=order_id, qty="0.02").code == 0
    assert main.get_open_orders(**LINEAR)["result"]["list"][0]["qty"] == "0.020"
    assert Said(socket.cancel_order, **LINEAR, orderLinkId="a-1").code == 0
    assert main.get_open_orders(**LINEAR)["result"]["list"] == []


def test_a_refusal_comes_with_its_code(socket: Any) -> None:
    assert Said(socket.place_order, **(RESTING | {"qty": "0.0001"})).code == 110017
    assert Said(socket.cancel_order, **LINEAR, orderId="unknown").code == 110001
    assert Said(socket.place_order, **(RESTING | {"category": "spot"})).code == 10404


def test_a_wrong_key_never_authenticates(server: PaperServer) -> None:
    """Stock pybit raises on its own thread and ends; nothing of it can be used."""
    connected = trading(server)
    connected.api_secret = "wrong"
    connected._auth()
    connected.wst.join(5)
    assert not connected.is_connected()


def test_a_batch_over_the_socket_has_a_verdict_for_each_order(socket: Any, main: Any) -> None:
    orders = [
        {key: value for key, value in RESTING.items() if key != "category"} | {"orderLinkId": f"b-{n}", "qty": qty}
        for n, qty in enumerate(("0.01", "0.0001", "0.03"))
    ]
    said = Said(socket.place_batch_order, category="linear", request=orders).frame
    assert [row["code"] for row in said["retExtInfo"]["list"]] == [0, 110017, 0]
    assert [bool(row["orderId"]) for row in said["data"]["list"]] == [True, False, True]
    assert {row["orderLinkId"] for row in main.get_open_orders(**LINEAR)["result"]["list"]} == {"b-0", "b-2"}


def test_batches_over_http_place_amend_and_cancel(main: Any) -> None:
    order = {key: value for key, value in RESTING.items() if key != "category"}
    placed = main.place_batch_order(category="linear", request=[order | {"orderLinkId": f"c-{n}"} for n in range(3)])
    assert placed["retExtInfo"]["list"] == [{"code": 0, "msg": "OK"}] * 3
    assert all(int(row["createAt"]) > 0 for row in placed["result"]["list"])
    named = [{"symbol": "BTCUSDT", "orderLinkId": f"c-{n}"} for n in range(3)]
    amended = main.amend_batch_order(category="linear", request=[row | {"qty": "0.05"} for row in named])
    assert [row["code"] for row in amended["retExtInfo"]["list"]] == [0, 0, 0]
    assert {row["qty"] for row in main.get_open_orders(**LINEAR)["result"]["list"]} == {"0.050"}
    gone = main.cancel_batch_order(
        category="linear", request=[*named, {"symbol": "BTCUSDT", "orderLinkId": "never-was"}]
    )
    assert [row["code"] for row in gone["retExtInfo"]["list"]] == [0, 0, 0, 110001]
    assert main.get_open_orders(**LINEAR)["result"]["list"] == []
