"""A copier as pybit's own examples suggest it: a stream callback that places orders, over HTTP or WebSocket."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pybit.unified_trading import HTTP, WebSocket, WebSocketTrading

from benchmarks.copiers.arguments import Arguments, arguments, order, stay


def main() -> None:
    """Copy until the process is ended."""
    given = arguments()
    place = _over_http(given) if given.entry == "http" else _over_websocket(given)

    def on_execution(message: dict[str, Any]) -> None:
        for row in message["data"]:
            if row["category"] == "linear" and row["execType"] == "Trade":
                place(order(row["execQty"], row["side"]))

    class Stream(WebSocket):  # type: ignore[misc]  # pybit ships no types
        def _connect(self, url: str) -> None:  # noqa: ARG002 - pybit's template
            super()._connect(given.private)

    stream = Stream("private", testnet=False, api_key="paper-main", api_secret="paper-main-secret")
    stream.order_stream(lambda _: None)
    stream.position_stream(lambda _: None)
    stream.execution_stream(on_execution)
    stay()


def _over_http(given: Arguments) -> Any:
    sessions = [HTTP(api_key=f"paper-{name}", api_secret=f"paper-{name}-secret") for name in given.names]
    for session in sessions:
        session.endpoint = given.rest
    if len(sessions) == 1:
        return lambda params: sessions[0].place_order(**params)
    pool = ThreadPoolExecutor(len(sessions))

    def place(params: dict[str, str]) -> None:
        for session in sessions:
            pool.submit(session.place_order, **params)

    return place


def _over_websocket(given: Arguments) -> Any:
    class Trading(WebSocketTrading):  # type: ignore[misc]  # pybit ships no types
        def _connect(self, url: str) -> None:  # noqa: ARG002 - pybit's template
            super()._connect(given.trade)

    names = given.names
    sockets = [
        Trading(testnet=False, api_key=f"paper-{name}", api_secret=f"paper-{name}-secret", ping_interval=3600)
        for name in names
    ]
    acked = threading.Event()

    def place(params: dict[str, str]) -> None:
        for one in sockets:
            one.place_order(lambda _: acked.set(), **params)

    return place


if __name__ == "__main__":
    main()
