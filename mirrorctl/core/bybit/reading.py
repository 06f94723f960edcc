"""Reading a WebSocket with one call of the system for a message, where the library takes four and forty of its own.

The library still does everything that is not a whole text message in one frame: it is given what was read, and reads on
from there.
"""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Callable
from typing import Any

import websocket

_CHUNK = 16_384
_WHOLE_TEXT = 0x81  # FIN and the opcode of text (RFC 6455, 5.2)
_SHORT, _MIDDLE = 125, 126


def whole_text(data: bytes) -> tuple[bytes, bytes] | None:
    """(the first message, what follows it) where `data` begins with a whole one in one frame of a server; else None."""
    size = len(data)
    if size < 2 or data[0] != _WHOLE_TEXT:
        return None
    begin, length = 2, data[1]
    if length == _MIDDLE:
        begin, length = 4, int.from_bytes(data[2:4])
    elif length > _SHORT:  # longer than 64 kB, or masked
        return None
    end = begin + length
    return None if size < end else (data[begin:end], data[end:])


class App(websocket.WebSocketApp):
    """A WebSocketApp that hands the bytes of each text message to `take`, unchecked; `take` must not raise."""

    def __init__(self, url: str, take: Callable[[bytes], None], **hooks: Any) -> None:
        super().__init__(url, on_message=lambda _, message: take(message), **hooks)
        self._take = take

    def create_dispatcher(self, *args: Any, **kwargs: Any) -> Any:
        """The library's, with its loop exchanged."""
        made: Any = super().create_dispatcher(*args, **kwargs)
        made.read = self._read
        return made

    @property
    def has_unread(self) -> bool:
        """Whether more was read from the socket than was told of yet."""
        return self.sock is not None and bool(self.sock.frame_buffer.recv_buffer)

    def _read(self, sock: socket.socket, read_on: Callable[[], bool], check: Callable[[], bool]) -> None:
        """Read until the connection ends; returns or raises as the library's own loop. `read_on` takes one frame.

        Another thread may send meanwhile. TLS is not read before something is there, as a read that waits keeps sends
        waiting in some versions of Python (3.13.6: python/cpython#137583).
        """
        ready = select.poll()
        ready.register(sock, select.POLLIN)
        while self.keep_running and self.sock is not None:
            frames, parts = self.sock.frame_buffer, self.sock.cont_frame
            if not frames.recv_buffer:
                if isinstance(sock, ssl.SSLSocket) and not sock.pending():
                    ready.poll()
                data = sock.recv(_CHUNK)
                if not data:
                    raise websocket.WebSocketConnectionClosedException("the other side closed")
                frames.recv_buffer.append(data)
            found = whole_text(frames.recv_buffer[0]) if len(frames.recv_buffer) == 1 else None
            if found is None or parts.recving_frames is not None:
                if not read_on():
                    return
                check()
                continue
            message, rest = found
            frames.recv_buffer = [rest] if rest else []
            self._take(message)
