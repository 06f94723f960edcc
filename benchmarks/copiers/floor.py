"""The floor: a raw socket, and an order that was built beforehand. It reads nothing of what it is told.

What Python and the kernel need at least to be woken by a frame and to write a request.
"""

from __future__ import annotations

import json
import socket

from benchmarks import wire
from benchmarks.copiers.arguments import Arguments, arguments, order


def main() -> None:
    """Answer every message of the execution topic with one order for each mirror."""
    given = arguments()
    stream = _open(given, "/v5/private")
    orders = [(_open(given, "/v5/trade"), _text(_login(name)), _request()) for name in given.names]
    for sock, login, _ in orders:
        sock.sendall(login)
        sock.recv(65536)
    stream.sendall(_text(_login("main")))
    stream.recv(65536)
    stream.sendall(_text({"op": "subscribe", "args": ["execution"], "req_id": "1"}))
    stream.recv(65536)
    requests = [(sock, request) for sock, _, request in orders]
    _answer(stream, requests)


def _answer(stream: socket.socket, requests: list[tuple[socket.socket, bytes]]) -> None:
    while data := stream.recv(65536):
        for _ in range(max(data.count(b'"topic":"execution"'), 1)):
            for sock, request in requests:
                sock.send(request)
        for sock, _ in requests:
            _drain(sock)


def _drain(sock: socket.socket) -> None:
    """Throw away what was acknowledged so far."""
    try:
        sock.recv(1 << 20, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return


def _open(given: Arguments, path: str) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", given.port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    lines = (
        f"GET {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    )
    sock.sendall("\r\n".join((*lines, "", "")).encode())
    sock.recv(65536)
    return sock


def _login(name: str) -> dict[str, object]:
    return {"op": "auth", "args": [f"paper-{name}", 0, ""]}


def _request() -> bytes:
    return _text({"reqId": "1", "header": {"X-BAPI-TIMESTAMP": "0"}, "op": "order.create", "args": [order("0.001")]})


def _text(message: dict[str, object]) -> bytes:
    return wire.masked_frame(json.dumps(message).encode())


if __name__ == "__main__":
    main()
