"""One measured client's own exchange: a main, its mirrors, their connections, and when each order was read.

    incoming bytes -> stamp of the last byte -> `Connection.feed` -> orders noted, answers queued or sent

While `holding`, answers to orders wait: they must not land between two orders of a fan-out unless that is measured.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from benchmarks import answers, wire
from benchmarks.books import Book, Fill, execution_push, push, steps

MAIN = "main"
SYMBOL = "BTCUSDT"
Kind = Literal["http", "private", "trade"]


def symbol(number: int) -> str:
    """The name of a contract: BTCUSDT, C001USDT, …"""
    return f"C{number:03d}USDT" if number else SYMBOL


def now_ms() -> int:
    """The exchange's clock."""
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class Placed:
    """An order as it was read: whose, how much of which symbol (signed steps), and when its last byte was."""

    account: str
    symbol: str
    qty: int
    stamp_ns: int


class Connection:
    """One client's connection. Writes are whole: what the socket does not take waits in `unsent`."""

    def __init__(self, sock: socket.socket, venue: Venue) -> None:
        self.sock = sock
        self.venue = venue
        self.kind: Kind = "http"
        self.book: Book | None = None
        self.topics: set[str] = set()
        self.buffer = bytearray()
        self.unsent = bytearray()
        self.closed = False

    def write(self, data: bytes) -> None:
        """Send now, or as soon as the client reads."""
        if self.unsent:
            self.unsent += data
            return
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.closed = True
            return
        if sent < len(data):
            self.unsent += data[sent:]
            self.venue.unsent.add(self)

    def flush(self) -> None:
        """Send what waited."""
        self.venue.unsent.discard(self)
        waiting, self.unsent = bytes(self.unsent), bytearray()
        self.write(waiting)

    def feed(self, data: bytes, stamp_ns: int) -> None:
        """Bytes of the client, read at `stamp_ns`."""
        self.buffer += data
        if self.kind == "http":
            while self.kind == "http" and (request := wire.take_request(self.buffer)) is not None:
                self.venue.on_request(self, request, stamp_ns)
        if self.kind != "http":
            while (message := wire.take_message(self.buffer)) is not None:
                self._on_message(message, stamp_ns)

    def _on_message(self, message: wire.Message, stamp_ns: int) -> None:
        if message.is_ping:
            self.write(wire.pong(message.payload))
        elif message.is_close:
            self.closed = True
        elif message.is_text:
            self.venue.on_text(self, msgspec.json.decode(message.payload), stamp_ns)


@dataclass(slots=True)
class Venue:
    """Accounts and connections of one client. `placed`: orders since `begin`; `requests`: calls by path, ever.

    `mute`: orders move no position and are pushed to nobody, for clients that only send.
    """

    books: dict[str, Book]
    mute: bool = False
    holding: bool = False
    placed: list[Placed] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    private: dict[str, list[Connection]] = field(default_factory=dict)
    later: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    held: list[Callable[[], None]] = field(default_factory=list)
    unsent: set[Connection] = field(default_factory=set)
    last_request: float = 0.0

    @classmethod
    def create(cls, mirrors: int) -> Venue:
        """A main and mirrors m1, m2, …, all flat."""
        names = [MAIN, *(f"m{number}" for number in range(1, mirrors + 1))]
        return cls({name: Book(name, 1000 + number) for number, name in enumerate(names)})

    @property
    def main(self) -> Book:
        return self.books[MAIN]

    # --- what comes in -------------------------------------------------------------------------------------------

    def on_request(self, connection: Connection, request: wire.Request, stamp_ns: int) -> None:
        """One REST call, or the beginning of a WebSocket."""
        path, _, query = request.target.partition("?")
        if request.headers.get("upgrade", "").lower() == "websocket":
            connection.kind = "trade" if path.endswith("/trade") else "private"
            connection.write(wire.upgrade(request))
            return
        self.requests[path] += 1
        self.last_request = time.monotonic()
        book = self._book_of(request.headers.get("x-bapi-api-key", ""))
        if path == "/v5/order/create":
            self._place(book, msgspec.json.decode(request.body), stamp_ns, lambda fill: self._acked(connection, fill))
        else:
            connection.write(wire.response(answers.answer(book, path, query, now_ms()), answers.HEADERS))

    def on_text(self, connection: Connection, message: dict[str, Any], stamp_ns: int) -> None:
        """One message on a WebSocket."""
        op = message.get("op")
        if op == "order.create":
            book = connection.book or self.main
            self._place(book, message["args"][0], stamp_ns, lambda fill: self._acked_ws(connection, message, fill))
        elif op == "auth":
            self._authenticated(connection, message)
        elif op == "subscribe":  # a little later: a stock client dies of an answer before it has noted its question
            self.later.append((time.monotonic() + 0.05, lambda: self._subscribed(connection, message)))
        elif op == "ping":
            connection.write(_text({"op": "pong", "args": [str(now_ms())], "conn_id": "bench"}))

    def tend(self) -> None:
        """Do what had to wait: for its time, or for a client to read."""
        for connection in tuple(self.unsent):
            connection.flush()
        if self.later and self.later[0][0] <= time.monotonic():
            self.later.pop(0)[1]()

    # --- main's trades -------------------------------------------------------------------------------------------

    def trade(self, qty: int, symbol: str = SYMBOL) -> tuple[bytes, bytes, bytes]:
        """Main buys `qty` steps (sells where negative): its execution, order and position, as frames to be written."""
        now = now_ms()
        fill = self.main.fill(symbol, "Buy" if qty > 0 else "Sell", abs(qty), now)
        return tuple(map(wire.frame, _pushes(fill, now)))  # type: ignore[return-value]  # three of three

    def streams(self, account: str, topic: str) -> list[Connection]:
        """The connections that listen to a topic of an account."""
        return [one for one in self.private.get(account, ()) if topic in one.topics and not one.closed]

    def release(self) -> None:
        """Send the answers that were held."""
        held, self.held = self.held, []
        for answer in held:
            answer()

    # --- orders --------------------------------------------------------------------------------------------------

    def _place(self, book: Book, order: dict[str, Any], stamp_ns: int, ack: Callable[[Fill | None], None]) -> None:
        qty, symbol = steps(order["qty"]), order["symbol"]
        self.placed.append(Placed(book.name, symbol, qty if order["side"] == "Buy" else -qty, stamp_ns))
        if self.mute:
            answer: Callable[[], None] = lambda: ack(None)  # noqa: E731 - one of two
        else:
            link_id = str(order.get("orderLinkId", ""))
            answer = lambda: self._filled(book, symbol, order["side"], qty, link_id, ack)  # noqa: E731
        if self.holding:
            self.held.append(answer)
        else:
            answer()

    def _filled(
        self, book: Book, symbol: str, side: str, qty: int, link_id: str, ack: Callable[[Fill | None], None]
    ) -> None:
        now = now_ms()
        fill = book.fill(symbol, side, qty, now, link_id)
        ack(fill)
        execution, order, position = map(wire.frame, _pushes(fill, now))
        for topic, frame in (("order", order), ("execution", execution), ("position", position)):
            for stream in self.streams(book.name, topic):
                stream.write(frame)

    def _acked(self, connection: Connection, fill: Fill | None) -> None:
        result = {"orderId": fill.order_id if fill else "o", "orderLinkId": fill.order["orderLinkId"] if fill else ""}
        connection.write(wire.response(answers.envelope(result, now_ms()), answers.HEADERS))

    def _acked_ws(self, connection: Connection, message: dict[str, Any], fill: Fill | None) -> None:
        data = {"orderId": fill.order_id if fill else "o", "orderLinkId": fill.order["orderLinkId"] if fill else ""}
        stamp = str(now_ms())
        limits = {"X-Bapi-Limit": "100000", "X-Bapi-Limit-Status": "99999", "X-Bapi-Limit-Reset-Timestamp": stamp}
        head = {"reqId": message["reqId"]} if "reqId" in message else {}
        done = {"retCode": 0, "retMsg": "OK", "op": "order.create", "data": data, "retExtInfo": {}}
        header = {**limits, "Traceid": "b" * 32, "Timenow": stamp}
        connection.write(_text({**head, **done, "header": header, "connId": "bench"}))

    # --- streams -------------------------------------------------------------------------------------------------

    def _authenticated(self, connection: Connection, message: dict[str, Any]) -> None:
        connection.book = self._book_of(message["args"][0])
        req_id: dict[str, Any] = {name: message[name] for name in ("req_id", "reqId") if name in message}
        if connection.kind == "trade":
            connection.write(_text({**req_id, "retCode": 0, "retMsg": "OK", "op": "auth", "connId": "bench"}))
            return
        connection.write(_text({**req_id, "success": True, "ret_msg": "", "op": "auth", "conn_id": "bench"}))
        self.private.setdefault(connection.book.name, []).append(connection)

    def _subscribed(self, connection: Connection, message: dict[str, Any]) -> None:
        connection.topics.update(message["args"])
        req_id = {"req_id": message["req_id"]} if "req_id" in message else {}
        connection.write(_text({"success": True, "ret_msg": "", "op": "subscribe", "conn_id": "bench", **req_id}))

    def cut(self) -> None:
        """End every private stream, as a network does."""
        for streams in self.private.values():
            for stream in streams:
                with contextlib.suppress(OSError):
                    stream.sock.shutdown(socket.SHUT_RDWR)
            streams.clear()

    def _book_of(self, key: str) -> Book:
        return self.books.get(key.removeprefix("paper-"), self.main)


def _pushes(fill: Fill, now: int) -> tuple[bytes, bytes, bytes]:
    return execution_push(fill.execution, now), push("order", fill.order, now), push("position", fill.position, now)


def _text(message: dict[str, Any]) -> bytes:
    return wire.frame(msgspec.json.encode(message))
