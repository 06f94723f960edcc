"""Stock pybit's WebSocket against the paper exchange, with its own threads, pings and subscriptions."""

import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from pybit.unified_trading import HTTP, WebSocket

from mirrorctl.core.paper.server import PaperServer

Frame = dict[str, Any]
LINEAR = {"category": "linear", "symbol": "BTCUSDT"}


def stock_socket(server: PaperServer, **options: Any) -> Any:
    base = server.private_ws_url.rpartition("/v5")[0]

    class Loopback(WebSocket):  # type: ignore[misc] # pybit ships no types
        def _connect(self, url: str) -> None:
            super()._connect(base + url[url.index("/v5") :])

    return Loopback(testnet=False, **options)


def eventually(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


@pytest.fixture
def heard(server: PaperServer) -> Iterator[list[Frame]]:
    """Every private frame of main, in order of arrival."""
    frames: list[Frame] = []
    socket = stock_socket(
        server, channel_type="private", api_key="key-main", api_secret="secret-main", private_auth_expire=10
    )
    for subscribe in (
        socket.order_stream,
        socket.execution_stream,
        socket.position_stream,
        socket.wallet_stream,
    ):
        subscribe(callback=frames.append)
    eventually(lambda: server.subscribed("main") == 4, "subscriptions were not acknowledged")
    yield frames
    socket.exit()


@pytest.fixture
def main(server: PaperServer) -> Any:
    session = HTTP(api_key="key-main", api_secret="secret-main")
    session.endpoint = server.rest_url
    return session


def of(frames: list[Frame], topic: str) -> list[Frame]:
    return [row for frame in frames if frame["topic"] == topic for row in frame["data"]]


def test_a_fill_is_told_on_all_four_topics(heard: list[Frame], main: Any) -> None:
    placed = main.place_order(**LINEAR, side="Buy", orderType="Market", qty="0.1", orderLinkId="ws-1")
    eventually(lambda: len({frame["topic"] for frame in heard}) == 4, "a topic stayed silent")
    (fill,) = of(heard, "execution")
    assert (fill["orderLinkId"], fill["execQty"], fill["closedSize"]) == ("ws-1", "0.100", "0")
    assert of(heard, "order")[-1]["orderStatus"] == "Filled"
    assert of(heard, "order")[-1]["orderId"] == placed["result"]["orderId"]
    leg = of(heard, "position")[-1]
    assert (leg["size"], leg["entryPrice"], leg["seq"]) == ("0.100", "60000.1", fill["seq"])
    assert Decimal(of(heard, "wallet")[-1]["coin"][0]["walletBalance"]) < 10000


def test_every_create_amend_and_cancel_pushes_the_position_changed_or_not(heard: list[Frame], main: Any) -> None:
    main.place_order(**LINEAR, side="Buy", orderType="Limit", qty="0.1", price="59000", orderLinkId="w-2")
    main.amend_order(**LINEAR, orderLinkId="w-2", price="58000")
    main.cancel_order(**LINEAR, orderLinkId="w-2")
    eventually(lambda: len(of(heard, "order")) == 3, "order pushes are missing")
    assert [row["orderStatus"] for row in of(heard, "order")] == ["New", "New", "Cancelled"]
    assert [row["size"] for row in of(heard, "position")] == ["0", "0", "0"]
    assert of(heard, "wallet") == []


def test_nothing_is_replayed_to_a_late_subscriber(server: PaperServer, main: Any) -> None:
    main.place_order(**LINEAR, side="Buy", orderType="Market", qty="0.1")
    frames: list[Frame] = []
    socket = stock_socket(
        server, channel_type="private", api_key="key-main", api_secret="secret-main", private_auth_expire=10
    )
    socket.position_stream(callback=frames.append)
    eventually(lambda: server.subscribed("main") == 1, "subscription was not acknowledged")
    main.place_order(**LINEAR, side="Sell", orderType="Market", qty="0.1", reduceOnly=True)
    eventually(lambda: frames, "no push")
    socket.exit()
    assert of(frames, "position")[0]["size"] == "0"


def test_stock_pybit_reconnects_after_a_reset_and_hears_again(
    server: PaperServer, heard: list[Frame], main: Any
) -> None:
    assert server.cut_streams("main") == 4
    eventually(lambda: server.subscribed("main") == 0, "the old connection is still there")
    eventually(lambda: server.subscribed("main") == 4, "not subscribed again")
    main.place_order(**LINEAR, side="Buy", orderType="Market", qty="0.1")
    eventually(lambda: of(heard, "execution"), "nothing heard after the reconnect")


def test_public_ticker_starts_with_a_snapshot_and_follows_the_price(server: PaperServer) -> None:
    frames: list[Frame] = []
    socket = stock_socket(server, channel_type="linear")
    socket.ticker_stream(symbol="BTCUSDT", callback=frames.append)
    eventually(lambda: frames, "no snapshot")
    first = frames[0]["data"]
    assert (first["lastPrice"], first["bid1Price"], first["ask1Price"]) == ("60000.00", "59999.90", "60000.10")
    server.set_price("BTCUSDT", Decimal(60500))
    eventually(lambda: frames[-1]["data"]["lastPrice"] == "60500.00", "the price did not arrive")
    socket.exit()
