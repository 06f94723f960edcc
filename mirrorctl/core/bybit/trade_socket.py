"""One order-entry WebSocket on pybit's class, made event-driven. Import it late: pybit costs 140 ms.

The connection is signed once, at its start; an order is one text frame, and its answer names the request
(websocket/trade/guideline).
"""

from __future__ import annotations

import itertools
import os
import secrets
import struct
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from pybit.unified_trading import WebSocketTrading

from mirrorctl.core.bybit.connection import Connection, Phase
from mirrorctl.core.bybit.link import AccountLink
from mirrorctl.core.bybit.retcodes import Reaction, lookup

_RECV_WINDOW_MS = "5000"
_KEYS = 1024
_LATER = (Reaction.QUERY, Reaction.AGAIN)


class TradeSocket(Connection, WebSocketTrading):  # type: ignore[misc]  # pybit ships no types
    """A `pybit.unified_trading.WebSocketTrading` of one account.

    `on_ready(self)` once the key is accepted, and `on_answer(message)` for each answer to a request; `on_end` as for
    every Connection.
    """

    def __init__(
        self,
        link: AccountLink,
        *,
        on_ready: Callable[[TradeSocket], None],
        on_answer: Callable[[dict[str, Any]], None],
        on_end: Callable[[str, bool], None],
    ) -> None:
        self._on_ready = on_ready
        self._on_answer = on_answer
        self._prefix = secrets.token_hex(8)  # the exchange refuses an id that it has seen, on which connection ever
        self._numbers = itertools.count(1)
        self._keys = MaskKeys()
        super().__init__(**self._born(link, link.endpoints.trade_ws or "", on_end))

    def next_id(self) -> str:
        """A request id that no connection had before, at most 36 characters."""
        return f"{self._prefix}-{next(self._numbers)}"

    def write(self, req_id: str, operation: str, order: dict[str, Any]) -> bool:
        """Send one request; whoever waits for its answer has to be known before. False: perhaps not all of it went."""
        header = {"X-BAPI-TIMESTAMP": str(self._link.clock.now_ms()), "X-BAPI-RECV-WINDOW": _RECV_WINDOW_MS}
        body = msgspec.json.encode({"reqId": req_id, "header": header, "op": operation, "args": [order]})
        frame = text_frame(body, self._keys.take())
        connection = self.ws.sock
        raw = connection.sock if connection is not None else None
        if connection is None or raw is None:
            return False
        try:
            with connection.lock:  # the library's own: pings, and answers to them, are frames of the same stream
                raw.sendall(frame)
        except OSError:
            return False
        return True

    # --- pybit's hooks ---

    def _handle_incoming_message(self, message: dict[str, Any]) -> None:
        if message.get("op") == "auth":
            self._process_auth_message(message)
        else:
            self._on_answer(message)

    def _process_auth_message(self, message: dict[str, Any]) -> None:
        code = message.get("retCode")
        if code != 0:
            refused = not isinstance(code, int) or lookup(code, self._said(message)).reaction not in _LATER
            self._finish(f"authentication refused: {self._said(message)}", refused=refused)
            self.shut()
        elif self.phase is Phase.AUTHENTICATING:
            self._enter(Phase.LIVE)
            self._on_ready(self)


class MaskKeys:
    """Four random bytes for each frame. The system is asked for many at once, not on the way of each order."""

    def __init__(self) -> None:
        self._left: Iterator[tuple[bytes]] = iter(())

    def take(self) -> bytes:
        """One that was not taken before; from any thread."""
        found = next(self._left, None)
        while found is None:
            self._left = left = struct.iter_unpack("4s", os.urandom(4 * _KEYS))
            found = next(left, None)
        return found[0]


def text_frame(payload: bytes, key: bytes) -> bytes:
    """One whole text message of a client (RFC 6455, 5.2 and 5.3), masked with the four bytes of `key`.

    The library takes several times as long: an order is written by whoever decides.
    """
    length = len(payload)
    if length < 126:
        head = struct.pack("!BB", 0x81, 0x80 | length)
    elif length < 1 << 16:
        head = struct.pack("!BBH", 0x81, 0x80 | 126, length)
    else:
        head = struct.pack("!BBQ", 0x81, 0x80 | 127, length)
    mask = int.from_bytes((key * (length // 4 + 1))[:length])
    return head + key + (int.from_bytes(payload) ^ mask).to_bytes(length)
