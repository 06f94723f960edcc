"""Whether the streams can be had from here, and how fast: one connection of each kind, closed again.

Import it late: pybit costs 140 ms.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import websocket

from mirrorctl.core.bybit.connection import NO_PROXY, Connection, failure_text
from mirrorctl.core.bybit.link import AccountLink
from mirrorctl.core.bybit.private_socket import PrivateSocket
from mirrorctl.core.bybit.trade_socket import TradeSocket


@dataclass(frozen=True, slots=True)
class Probe:
    """`ms` from the first byte to being of use; None: it did not come so far, and `reason` says why."""

    ms: int | None
    reason: str = ""


def probe_private(link: AccountLink, timeout_s: float) -> Probe:
    """Connect, authenticate and subscribe as the daemon does (websocket/wss-authentication), then close."""
    return _probe(
        lambda up, end: PrivateSocket(link, on_ready=up, on_frame=lambda _message, _more: None, on_end=end), timeout_s
    )


def probe_trade(link: AccountLink, timeout_s: float) -> Probe:
    """Connect and authenticate for order entry as the daemon does (websocket/trade/guideline), then close."""
    return _probe(
        lambda up, end: TradeSocket(link, on_ready=lambda _socket: up(), on_answer=lambda _message: None, on_end=end),
        timeout_s,
    )


def _probe(opened: Callable[[Callable[[], None], Callable[[str, bool], None]], Connection], timeout_s: float) -> Probe:
    over = threading.Event()
    ended: list[str] = []
    began = time.monotonic()

    def on_end(reason: str, _refused: bool) -> None:
        ended.append(reason)
        over.set()

    stream = opened(over.set, on_end)
    came = over.wait(timeout_s)
    found = Probe(round((time.monotonic() - began) * 1000))
    if not came:
        found = Probe(None, f"no answer while {stream.phase.value} within {timeout_s:g} s")
    elif ended:
        found = Probe(None, ended[0])
    stream.shut()
    return found


def probe_public(address: str, timeout_s: float) -> Probe:
    """Connect to the public stream and have a ping answered (websocket/wss-authentication)."""
    began = time.monotonic()
    try:
        stream = websocket.create_connection(address, timeout=timeout_s, redirect_limit=0, **NO_PROXY)
        try:
            stream.send(json.dumps({"op": "ping"}))
            stream.recv()
        finally:
            stream.close(timeout=0.1)
    except websocket.WebSocketTimeoutException:
        return Probe(None, f"no answer within {timeout_s:g} s")
    except (OSError, websocket.WebSocketException) as error:
        return Probe(None, failure_text(error))
    return Probe(round((time.monotonic() - began) * 1000))
