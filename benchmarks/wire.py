"""HTTP and WebSocket on bytes, as little as the measuring exchange needs. Pure.

It reads what ordinary clients send: requests with a Content-Length, masked text frames in one piece. Sources: RFC 9112,
RFC 6455.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. `target` is path and query as sent; header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """One WebSocket message of a client."""

    opcode: int
    payload: bytes

    @property
    def is_text(self) -> bool:
        return self.opcode == _TEXT

    @property
    def is_ping(self) -> bool:
        return self.opcode == _PING

    @property
    def is_close(self) -> bool:
        return self.opcode == _CLOSE


def take_request(buffer: bytearray) -> Request | None:
    """Take the first whole request out of `buffer`; None while it is not whole."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    lines = bytes(buffer[:end]).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    length = int(headers.get("content-length", "0"))
    if len(buffer) < end + 4 + length:
        return None
    method, target, _ = lines[0].split(" ", 2)
    body = bytes(buffer[end + 4 : end + 4 + length])
    del buffer[: end + 4 + length]
    return Request(method, target, headers, body)


def response(body: bytes, headers: bytes = b"") -> bytes:
    """A reply with status 200 that keeps the connection. `headers`: further lines, each with its line end."""
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s" % (
        headers,
        len(body),
        body,
    )


def upgrade(request: Request) -> bytes:
    """The answer that makes a connection a WebSocket (RFC 6455, 4.2.2)."""
    key = request.headers["sec-websocket-key"].encode()
    accept = base64.b64encode(hashlib.sha1(key + _MAGIC, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %s\r\n\r\n" % accept
    )


def frame(payload: bytes, opcode: int = _TEXT) -> bytes:
    """A message of the server: one frame, not masked."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    if size < 65536:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big") + payload


def masked_frame(payload: bytes, mask: bytes = b"\0\0\0\0") -> bytes:
    """A message of a client."""
    plain = frame(payload)
    head = len(plain) - len(payload)
    return bytes((plain[0], plain[1] | 0x80)) + plain[2:head] + mask + _masked(payload, mask)


def pong(payload: bytes) -> bytes:
    """The answer to a ping of the protocol."""
    return frame(payload, _PONG)


def take_message(buffer: bytearray) -> Message | None:
    """Take the first whole message of a client out of `buffer`; None while it is not whole."""
    if len(buffer) < 6:
        return None
    size, at = buffer[1] & 0x7F, 2
    if size == 126:
        size, at = int.from_bytes(buffer[2:4], "big"), 4
    elif size == 127:
        size, at = int.from_bytes(buffer[2:10], "big"), 10
    if not buffer[1] & 0x80 or not buffer[0] & 0x80:
        raise ValueError("a frame of a client is masked and in one piece")
    if len(buffer) < at + 4 + size:
        return None
    mask, payload = bytes(buffer[at : at + 4]), bytes(buffer[at + 4 : at + 4 + size])
    opcode = buffer[0] & 0x0F
    del buffer[: at + 4 + size]
    return Message(opcode, _masked(payload, mask))


def _masked(payload: bytes, mask: bytes) -> bytes:
    size = len(payload)
    long_mask = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(long_mask, "big")).to_bytes(size, "big")
