"""What every WebSocket connection of an account does alike, put in front of pybit's classes.

pybit signs and dispatches; everything of it that waits in a loop, reconnects by itself or raises into the library is
replaced. A connection lives once: it opens, authenticates, is live, and ends with one reason. A supervisor decides
what follows.
"""

from __future__ import annotations

import json
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

import msgspec
import websocket
from pybit._websocket_stream import generate_signature

from mirrorctl.core.bybit.environments import is_loopback
from mirrorctl.core.bybit.link import AccountLink
from mirrorctl.core.bybit.quiet import silence
from mirrorctl.core.bybit.reading import App

_AUTH_VALID_MS = 10_000
_ANSWER_LIMIT = 120

# As for HTTP, the environment of the process must not decide where signed messages go. The library heeds its list of
# hosts without a proxy only beside a proxy's address, so there is one that is never used.
NO_PROXY: dict[str, Any] = {
    "http_proxy_host": "unused.invalid",
    "http_proxy_port": 1,
    "proxy_type": "http",
    "http_no_proxy": ["*"],
}


class Phase(Enum):
    """How far a connection got; the value completes "no answer while …"."""

    CONNECTING = "connecting"
    AUTHENTICATING = "authenticating"
    SUBSCRIBING = "subscribing"
    LIVE = "live"


class Connection:
    """One life of a socket; first in the bases of a class made of it and one of pybit's managers.

    `on_end(reason, refused)` comes exactly once; `refused` when the exchange did not accept the key. Callbacks run on
    the connection's own thread and must not block.
    """

    callback: Callable[[dict[str, Any]], None]  # pybit's dispatcher

    def _born(self, link: AccountLink, address: str, on_end: Callable[[str, bool], None]) -> dict[str, Any]:
        """To be called before pybit's constructor, which connects; returns the keywords for it."""
        self._link = link
        self._on_end = on_end
        self._end_lock = threading.Lock()
        self._poll = select.poll()
        self._ended = False
        self._shut = False
        self.phase = Phase.CONNECTING
        self.phase_since = self.last_frame = time.monotonic()
        self.endpoint = address
        silence()
        keys = {"api_key": link.api_key, "api_secret": link.api_secret}
        return {"testnet": False, "restart_on_error": False, "trace_logging": False, **keys}

    @property
    def is_over(self) -> bool:
        """Whether it has ended, as far as anyone knows."""
        return self._ended or self._shut

    def has_more(self) -> bool:
        """Whether something can be read already: the next message, or the end."""
        connection = self.ws.sock
        raw = connection.sock if connection is not None else None
        if self.ws.has_unread or raw is None or raw.fileno() < 0:
            return True
        if isinstance(raw, ssl.SSLSocket) and raw.pending():
            return True
        self._poll.register(raw, select.POLLIN)
        return bool(self._poll.poll(0))

    def ping(self) -> bool:
        """Ask for a sign of life (websocket/wss-authentication). False when it could not be sent."""
        try:
            self.ws.send('{"op": "ping"}')
        except (OSError, websocket.WebSocketException):
            return False
        return True

    def shut(self) -> None:
        """End the connection at once, from any thread, without waiting for the other side."""
        self._shut = True
        self.ws.keep_running = False
        connection = self.ws.sock
        raw = connection.sock if connection is not None else None
        if raw is not None:
            try:
                raw.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

    # --- pybit's hooks ---

    def _connect(self, url: str) -> None:  # noqa: ARG002 - pybit's template; the address is the link's
        self.ws = App(
            self.endpoint,
            self._on_message,
            on_open=lambda *_: self._on_open(),
            on_error=lambda _, error: self._on_error(error),
            on_close=lambda *_: self._finish("closed by the exchange"),
        )
        self.wst = threading.Thread(target=self._serve, name=f"stream-{self._link.account}", daemon=True)
        self.wst.start()

    def _serve(self) -> None:
        """The connection's thread. UTF-8 is left to the JSON decoder: the library checks it byte by byte in Python."""
        try:
            self.ws.run_forever(ping_interval=0, skip_utf8_validation=True, **NO_PROXY)
        except Exception as error:  # noqa: BLE001 - thread boundary
            self._finish(f"failed: {type(error).__name__}")
        finally:
            self._finish("connection ended")

    def _on_open(self) -> None:
        if self._shut:
            self.shut()
            return
        if not _leads_to(self.endpoint, self.ws.sock):  # the library follows redirects, to plain addresses too
            self._finish("redirected to another address")
            self.shut()
            return
        self._enter(Phase.AUTHENTICATING)
        self._auth()

    def _auth(self) -> None:
        expires = self._link.clock.now_ms() + _AUTH_VALID_MS
        signature = generate_signature(False, self._link.api_secret, f"GET/realtime{expires}")
        self.ws.send(json.dumps({"op": "auth", "args": [self._link.api_key, expires, signature]}))

    def _on_message(self, message: bytes | str) -> None:
        self.last_frame = time.monotonic()
        try:
            decoded = msgspec.json.decode(message)
            if decoded.get("op") == "pong" or decoded.get("ret_msg") == "pong":
                return
            self.callback(decoded)
        except Exception as error:  # noqa: BLE001 - thread boundary; what is raised here would kill the socket unseen
            self._finish(f"a message could not be read: {type(error).__name__}")
            self.shut()

    def _on_error(self, error: Exception) -> None:
        self._finish(failure_text(error))

    # --- parts ---

    def _enter(self, phase: Phase) -> None:
        self.phase_since = time.monotonic()
        self.phase = phase

    def _said(self, message: dict[str, Any]) -> str:
        said = str(message.get("ret_msg") or message.get("retMsg") or "no reason given")
        return self._link.redact(said)[:_ANSWER_LIMIT]

    def _finish(self, reason: str, *, refused: bool = False) -> None:
        with self._end_lock:
            if self._ended:
                return
            self._ended = True
        self._on_end(reason, refused)


def _leads_to(address: str, connection: websocket.WebSocket | None) -> bool:
    """Whether a connection is the one that `address` asks for: TLS to that host, or plain to a port of this machine."""
    raw = connection.sock if connection is not None else None
    if raw is None:
        return False
    parts = urlsplit(address)
    if parts.scheme == "wss":
        return isinstance(raw, ssl.SSLSocket) and raw.server_hostname == parts.hostname
    host, port = raw.getpeername()[:2]
    return is_loopback(host) and port == (parts.port or 80)


def failure_text(error: Exception) -> str:
    """A reason without addresses or headers, which the library's texts carry."""
    if isinstance(error, websocket.WebSocketBadStatusException):
        return f"the exchange answered HTTP {error.status_code}"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, ConnectionResetError):
        return "connection reset"
    if isinstance(error, websocket.WebSocketAddressException):
        return "the host name is unknown"
    if isinstance(error, websocket.WebSocketConnectionClosedException):
        code = getattr(error, "status_code", None)
        return f"closed by the exchange ({code})" if isinstance(code, int) else "closed by the exchange"
    return f"connection failed: {type(error).__name__}"
