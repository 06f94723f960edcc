"""Servers that do exactly what a test tells them, over real sockets: HTTP byte by byte, WebSocket frames by hand.

They stand for what a faithful exchange never does on command: half answers, other people's pages, silence.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mirrorctl.core.bybit.address import Address
from mirrorctl.core.bybit.breaker import Breaker
from mirrorctl.core.bybit.environments import Endpoints
from mirrorctl.core.bybit.link import ExchangeClock
from mirrorctl.core.bybit.rest import BybitRest

KEY, SECRET = "key-of-the-test", "secret-of-the-test"


@dataclass(frozen=True)
class Request:
    """One HTTP request as it came."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


Answer = bytes | None
"""Bytes to write as they are; None closes the connection without a word."""


def envelope(result: object, code: int = 0, message: str = "OK", headers: dict[str, str] | None = None) -> bytes:
    """A V5 answer with HTTP 200."""
    return http(200, json.dumps({"retCode": code, "retMsg": message, "result": result, "time": 1}), headers)


def http(status: int, body: str, headers: dict[str, str] | None = None) -> bytes:
    """A whole HTTP answer."""
    raw = body.encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(raw)}", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw


class _Server:
    """Accepts on a free loopback port, a thread for each connection; ends with the `with` block."""

    def __init__(self) -> None:
        self.closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Any:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        for opened in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()
        for thread in self._threads:
            thread.join(2)

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            thread = threading.Thread(target=self._guarded, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _guarded(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError):
            self.serve(connection)
        connection.close()

    def serve(self, connection: socket.socket) -> None:
        raise NotImplementedError


class ScriptedHttp(_Server):
    """Answers each request with what `script(request)` returns. market/time is answered by itself."""

    def __init__(
        self,
        script: Callable[[Request], Answer],
        *,
        exchange_ms: Callable[[], int] | None = None,
        hang_up: bool = False,
    ) -> None:
        """`hang_up` closes each connection after its first answer, without having announced it."""
        super().__init__()
        self._hang_up = hang_up
        self.hung_up = threading.Semaphore(0)
        self._script = script
        self._exchange_ms = exchange_ms or ExchangeClock().local_ms
        self.requests: list[Request] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def to(self, path: str) -> list[Request]:
        """The requests to one path so far."""
        return [request for request in self.requests if request.path == path]

    def serve(self, connection: socket.socket) -> None:
        reader = connection.makefile("rb")
        while (request := _read_request(reader)) is not None:
            if request.path == "/v5/market/time":
                now = self._exchange_ms()
                answer: Answer = envelope({"timeSecond": str(now // 1000), "timeNano": str(now * 1_000_000)})
            else:
                self.requests.append(request)
                answer = self._script(request)
            if answer is None:
                connection.shutdown(socket.SHUT_RDWR)
                return
            connection.sendall(answer)
            if self._hang_up:
                connection.shutdown(socket.SHUT_RDWR)
                self.hung_up.release()
                return


class _Readable(Protocol):
    def readline(self) -> bytes: ...
    def read(self, size: int) -> bytes: ...


def _read_request(reader: _Readable) -> Request | None:
    first = reader.readline().decode().split()
    if len(first) < 2:
        return None
    headers: dict[str, str] = {}
    while line := reader.readline().decode().strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    path, _, query = first[1].partition("?")
    return Request(first[0], path, query, headers, reader.read(int(headers.get("content-length", "0"))))


def _framed(data: bytes, opcode: int = 1) -> bytes:
    """As a server sends it: not masked (RFC 6455)."""
    length = bytes([len(data)]) if len(data) < 126 else b"\x7e" + struct.pack("!H", len(data))
    return bytes([0x80 | opcode]) + length + data


class Wire:
    """The server's end of one WebSocket connection."""

    def __init__(self, connection: socket.socket, reader: _Readable, server: _Server) -> None:
        self._connection = connection
        self._reader = reader
        self._server = server

    def receive(self) -> dict[str, Any]:
        """The next text message. EOFError when the client has gone."""
        while True:
            head = self._reader.read(2)
            if len(head) < 2:
                raise EOFError
            length = head[1] & 127
            if length == 126:
                (length,) = struct.unpack("!H", self._reader.read(2))
            mask = self._reader.read(4)
            data = bytes(byte ^ mask[index % 4] for index, byte in enumerate(self._reader.read(length)))
            if head[0] & 15 == 1:
                return dict(json.loads(data))

    def send(self, message: object) -> None:
        """A text message."""
        self.send_raw(json.dumps(message).encode())

    def send_at_once(self, messages: Sequence[object]) -> None:
        """Several text messages in one write: the first of them is never there alone."""
        self._connection.sendall(b"".join(_framed(json.dumps(message).encode()) for message in messages))

    def write(self, data: bytes) -> None:
        """Bytes as they are."""
        self._connection.sendall(data)

    def send_raw(self, data: bytes, opcode: int = 1) -> None:
        """One whole frame."""
        self._connection.sendall(_framed(data, opcode))

    def close_frame(self, code: int = 1001) -> None:
        """A proper goodbye."""
        self.send_raw(struct.pack("!H", code), opcode=8)

    def reset(self) -> None:
        """RST instead of a goodbye."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()

    def hold(self) -> None:
        """Stay silent, reading nothing, until the test ends."""
        self._server.closing.wait()

    def answer_pings(self) -> None:
        """Answer pings until the client goes."""
        while True:
            message = self.receive()
            if message.get("op") == "ping":
                self.send({"op": "pong", "args": ["1"], "conn_id": "c"})

    def log_in(self) -> None:
        """Accept the auth and the subscription."""
        self.accept(self.receive())
        self.accept(self.receive())

    def accept(self, request: dict[str, Any]) -> None:
        """Acknowledge a request."""
        self.send({"success": True, "ret_msg": "", "op": request["op"], "req_id": request.get("req_id", "")})

    def refuse(self, request: dict[str, Any], message: str) -> None:
        """Refuse a request."""
        self.send({"success": False, "ret_msg": message, "op": request["op"], "req_id": request.get("req_id", "")})


class ScriptedStream(_Server):
    """Plays one script for each connection in turn; the last one for all that follow."""

    def __init__(self, *scripts: Callable[[Wire], None]) -> None:
        super().__init__()
        self._scripts = scripts
        self.connections = 0

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v5/private"

    def serve(self, connection: socket.socket) -> None:
        script = self._scripts[min(self.connections, len(self._scripts) - 1)]
        self.connections += 1
        reader = connection.makefile("rb")
        request = _read_request(reader)
        if request is None:
            return
        digest = hashlib.sha1(request.headers["sec-websocket-key"].encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
        accept = base64.b64encode(digest.digest()).decode()
        lines = ("HTTP/1.1 101 X", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept}")
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        script(Wire(connection, reader, self))


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def rest_to(
    url: str,
    *,
    private_ws: str = "ws://127.0.0.1:1/v5/private",
    account: str = "main",
    timeout_s: float = 0.5,
    read_attempts: int = 3,
    clock: ExchangeClock | None = None,
    address: Address | None = None,
    breaker: Breaker | None = None,
) -> Iterator[BybitRest]:
    """A connection of `account` to `url`."""
    rest = BybitRest(
        account=account,
        api_key=KEY,
        api_secret=SECRET,
        endpoints=Endpoints(url, private_ws, "ws://127.0.0.1:1/v5/public/linear"),
        timeout_s=timeout_s,
        read_attempts=read_attempts,
        clock=clock,
        address=address,
        breaker=breaker,
    )
    try:
        yield rest
    finally:
        rest.close()
