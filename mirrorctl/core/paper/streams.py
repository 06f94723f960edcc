"""One WebSocket connection: control frames, subscriptions, and what it wants to hear (docs v5/websocket)."""

import asyncio
import socket
from typing import Any

import msgspec
from aiohttp import web

from mirrorctl.core.paper.floor import Push

PRIVATE_TOPICS = frozenset(
    f"{name}{suffix}" for name in ("order", "execution", "position", "wallet") for suffix in ("", ".linear")
) - {"wallet.linear"} | {"greeks", "dcp.future"}

SLOW_READER_S = 1.0


class Stream:
    """`uid` is None until a private connection has authenticated, and for ever on a public one."""

    def __init__(self, ws: web.WebSocketResponse, request: web.Request, conn_id: str, private: bool) -> None:
        self.ws = ws
        self.conn_id = conn_id
        self.private = private
        self.uid: int | None = None
        self.topics: set[str] = set()
        self.sent_at = 0.0
        self._transport = request.transport

    def wants(self, push: Push) -> bool:
        """Whether the frame is for this connection."""
        if push.uid is None:
            return not self.private and push.topic in self.topics
        return self.uid == push.uid and (push.topic in self.topics or f"{push.topic}.linear" in self.topics)

    async def send(self, frame: dict[str, Any]) -> None:
        """Writes one JSON text frame; a connection that is going away loses it."""
        if self.ws.closed:
            return
        topic = frame.get("topic")
        if self.private and topic and topic not in self.topics:
            frame = frame | {"topic": f"{topic}.linear"}
        self.sent_at = asyncio.get_running_loop().time()
        try:
            await asyncio.wait_for(self.ws.send_str(msgspec.json.encode(frame).decode()), SLOW_READER_S)
        except ConnectionError:
            self.topics.clear()
        except TimeoutError:
            # A reader that stopped must not hold up everyone else's events.
            self.reset()

    def reset(self) -> None:
        """Cuts the connection with a TCP reset, no close frame."""
        abort(self._transport)


def abort(transport: Any) -> None:
    """Resets a TCP connection at once."""
    if transport is None:
        return
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    transport.abort()
