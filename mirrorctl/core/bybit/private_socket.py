"""One private WebSocket connection on pybit's class, made event-driven. Import it late: pybit costs 140 ms."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pybit.unified_trading import WebSocket

from mirrorctl.core.bybit.connection import Connection, Phase
from mirrorctl.core.bybit.frames import TOPICS
from mirrorctl.core.bybit.link import AccountLink

_REQUEST = "mirrorctl"


class PrivateSocket(Connection, WebSocket):  # type: ignore[misc]  # pybit ships no types
    """A `pybit.unified_trading.WebSocket` of one account.

    `on_ready()` once the subscription is acknowledged, and `on_frame(message, more)` for each message after that,
    `more` where the next can be read already; `on_end` as for every Connection.
    """

    def __init__(
        self,
        link: AccountLink,
        *,
        on_ready: Callable[[], None],
        on_frame: Callable[[dict[str, Any], bool], None],
        on_end: Callable[[str, bool], None],
    ) -> None:
        self._on_ready = on_ready
        self._on_frame = on_frame
        super().__init__("private", **self._born(link, link.endpoints.private_ws, on_end))

    # --- pybit's hooks ---

    def _handle_incoming_message(self, message: dict[str, Any]) -> None:
        if "topic" in message:
            self._process_normal_message(message)
        else:
            super()._handle_incoming_message(message)

    def _process_auth_message(self, message: dict[str, Any]) -> None:
        if message.get("success") is not True:
            self._finish(f"authentication refused: {self._said(message)}", refused=True)
            self.shut()
            return
        self._enter(Phase.SUBSCRIBING)
        request = json.dumps({"op": "subscribe", "req_id": _REQUEST, "args": list(TOPICS)})
        self.subscriptions[_REQUEST] = request  # before sending: the answer may be faster than this thread
        for topic in TOPICS:
            self.callback_directory[topic] = self._on_frame
        self.ws.send(request)

    def _process_subscription_message(self, message: dict[str, Any]) -> None:
        if message.get("success") is not True:
            self._finish(f"subscription refused: {self._said(message)}")
            self.shut()
        elif self.phase is Phase.SUBSCRIBING:
            self._enter(Phase.LIVE)
            self._on_ready()

    def _process_normal_message(self, message: dict[str, Any]) -> None:
        callback = self.callback_directory.get(message.get("topic"))
        if callback is not None and self.phase is Phase.LIVE:
            callback(message, self.has_more())
