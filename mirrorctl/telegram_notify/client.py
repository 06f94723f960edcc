"""A client of Telegram's Bot API (core.telegram.org/bots/api): check a bot and its chat, send texts, hear updates.

The token stands in the path of every request, so nothing that names an address may leave this module: errors of the
library are not chained, its loggers are cut off, and what the server says is cleaned of the token.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from urllib3.exceptions import ConnectTimeoutError, HTTPError, MaxRetryError, NameResolutionError, NewConnectionError

from mirrorctl.telegram_notify.errors import (
    ChatRefused,
    Conflict,
    MessageRefused,
    TelegramError,
    TokenRefused,
    TooMany,
    Unreachable,
)

MOST_UNITS = 4096  # UTF-16 code units of a text, after entities were parsed (sendMessage)
_TOKEN = re.compile(r"[1-9]\d{0,15}:[A-Za-z0-9_-]{3,80}")
_CONNECT_S = 5.0
_LARGEST = 8_000_000
_CHUNK = 65_536
_SAID = 200
_LONGEST_WAIT_S = 86_400
_LOGGERS = ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry", "requests")
_BEFORE_SENDING = (NewConnectionError, NameResolutionError, ConnectTimeoutError)
_OF_THE_CHAT = re.compile(r"chat|rights|peer_id|user not found|topic", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Checked:
    """Who the bot is and which chat it writes to: `bot` is "@name", `chat` the title or the name of the person."""

    bot: str
    chat: str
    kind: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was taken."""

    message_id: int


@dataclass(frozen=True, slots=True)
class Update:
    """One update for the bot. `chat_id` 0: it is no message. `age_s`: since it was sent, both by Telegram's clock."""

    update_id: int
    chat_id: int
    text: str
    age_s: float


class BotClient:
    """One bot. Used from one thread at a time; every call is one request, without a retry, and raises TelegramError."""

    def __init__(self, token: str, api_base: str, *, timeout_s: float = 10.0) -> None:
        """`timeout_s` bounds each request as a whole. Raises TokenRefused for what cannot be a token; sends nothing."""
        if not _TOKEN.fullmatch(token):
            raise TokenRefused("the bot's token is not one: it reads NUMBER:LETTERS", "copy it from @BotFather again")
        for name in _LOGGERS:
            logger = logging.getLogger(name)
            logger.handlers[:] = [logging.NullHandler()]
            logger.propagate = False
        self._token = token
        self._base = api_base.rstrip("/")
        self._timeout_s = timeout_s
        self._session = requests.Session()
        self._session.trust_env = False

    def __repr__(self) -> str:
        return "BotClient(***)"

    def close(self) -> None:
        """Close the kept connections."""
        self._session.close()

    def check(self, chat_id: int) -> Checked:
        """Ask who the bot is, then for the chat, then whether it may write there (it "types" for a moment). A70.

        getMe knows the token. getChat also answers for a person who has blocked the bot; sendChatAction does not.
        """
        bot = self.name()
        chat = self._call("getChat", chat_id=chat_id)
        with contextlib.suppress(MessageRefused):  # a chat that knows no such action may still take texts
            self._call("sendChatAction", chat_id=chat_id, action="typing")
        name = chat.get("title") or " ".join(filter(None, (chat.get("first_name"), chat.get("last_name"))))
        return Checked(bot, str(name or chat_id), str(chat.get("type", "")))

    def name(self) -> str:
        """The bot's own "@name"."""
        return f"@{self._call('getMe').get('username', '?')}"

    def send(self, chat_id: int, text: str, *, html: bool = False, silent: bool = False) -> Sent:
        """Send one text of at most 4096 UTF-16 code units. `html`: tags and `&lt;` are read; else it is sent as it is.

        `silent`: without a sound. Links get no preview.
        """
        params: dict[str, Any] = {"chat_id": chat_id, "text": text, "link_preview_options": {"is_disabled": True}}
        if html:
            params["parse_mode"] = "HTML"
        if silent:
            params["disable_notification"] = True
        message = self._call("sendMessage", **params)
        return Sent(int(message.get("message_id") or 0))

    def updates(self, offset: int, timeout_s: int) -> list[Update]:
        """Messages from `offset` on, waiting up to `timeout_s` for the first; those below `offset` are confirmed.

        Offset 0 confirms nothing and begins with the oldest that waits (getUpdates; kept for 24 hours).
        """
        params = {"offset": offset, "timeout": timeout_s, "limit": 100, "allowed_updates": ["message"]}
        rows, now_s = self._request("getUpdates", params, self._timeout_s + timeout_s)
        if not isinstance(rows, list):
            raise _unread("getUpdates")
        found = (_update(row, now_s) for row in rows)
        return [update for update in found if update is not None]

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        result, _ = self._request(method, params, self._timeout_s)
        if isinstance(result, dict):
            return result
        if result is True:
            return {}
        raise _unread(method)

    def _request(self, method: str, params: dict[str, Any], timeout_s: float) -> tuple[Any, float]:
        """The result of a call, and the server's time in unix seconds."""
        try:
            status, date_s, body = self._exchange(method, params, timeout_s)
        except (requests.RequestException, HTTPError, OSError) as error:
            failure = _network_error(error)
        else:
            return self._result(status, body, params.get("chat_id")), date_s
        raise failure  # out here: an error of the library would be its context, and names the address

    def _exchange(self, method: str, params: dict[str, Any], timeout_s: float) -> tuple[int, float, bytes]:
        until = time.monotonic() + timeout_s
        with self._session.post(
            f"{self._base}/bot{self._token}/{method}",
            json=params,
            timeout=(min(_CONNECT_S, timeout_s), timeout_s),
            allow_redirects=False,
            stream=True,
        ) as response:
            body = bytearray()
            for chunk in response.iter_content(_CHUNK):
                body += chunk
                if len(body) > _LARGEST or time.monotonic() > until:
                    raise requests.Timeout
            return response.status_code, _date_s(response.headers.get("Date")), bytes(body)

    def _result(self, status: int, body: bytes, chat_id: int | None) -> Any:
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or not isinstance(answer.get("ok"), bool):
            raise Unreachable(
                f"the answer is not one of the Bot API's (HTTP {status})",
                "is telegram.api_base right, and is there a portal or a proxy between?",
                maybe_taken=status < 300 or status >= 500,
            )
        if answer["ok"]:
            return answer.get("result")
        code = answer.get("error_code")
        parameters = answer.get("parameters")
        said = self._clean(str(answer.get("description") or ""))
        raise _refusal(
            code if isinstance(code, int) else status, said, parameters if isinstance(parameters, dict) else {}, chat_id
        )

    def _clean(self, text: str) -> str:
        """What the server said, without the token, on one line and not endless."""
        number, _, secret = self._token.partition(":")
        for shown in (self._token, secret, f"bot{number}"):
            text = text.replace(shown, "***")
        return " ".join(text.split())[:_SAID]


def _refusal(code: int, said: str, parameters: dict[str, Any], chat_id: int | None) -> TelegramError:
    """The error behind an answer with `ok` false. Codes and texts as the Bot API server gives them."""
    if code in (401, 404, 421):
        return TokenRefused(f"Telegram does not know this bot: {said}", "copy the token from @BotFather again")
    if code == 429:
        wait = parameters.get("retry_after")
        wait_s = min(max(wait, 1), _LONGEST_WAIT_S) if isinstance(wait, int) else 1
        return TooMany(f"Telegram takes no message for {wait_s} s", "it is sent again after that", wait_s)
    if code == 409:
        return Conflict(f"the bot's messages go elsewhere: {said}", "let one program use this bot, and no webhook")
    if code >= 500:
        return Unreachable(f"Telegram cannot answer now: {said}", "it is tried again", maybe_taken=True)
    moved = parameters.get("migrate_to_chat_id")
    if isinstance(moved, int):
        return ChatRefused(f"chat {chat_id} has moved: {said}", f"its id is {moved} now: put it in the profile", moved)
    if chat_id is not None and (code == 403 or _OF_THE_CHAT.search(said)):
        hint = "is the id right, and was the bot started there, or added with the right to write?"
        return ChatRefused(f"the bot cannot write to chat {chat_id}: {said}", hint)
    return MessageRefused(f"Telegram refused it ({code}): {said}", "the log says which message it was")


def _network_error(error: Exception) -> Unreachable:
    """What happened, without an address: the texts of requests name the path, and with it the token."""
    hint = "check the network; where Telegram is not reachable no alert is delivered"
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    if isinstance(reason, NameResolutionError):
        return Unreachable("no connection to Telegram: the host name is unknown", hint)
    if isinstance(error, requests.ConnectTimeout) or isinstance(reason, _BEFORE_SENDING):
        return Unreachable("no connection to Telegram: refused or unreachable", hint)
    if isinstance(error, requests.exceptions.SSLError):
        trusted = "CERTIFICATE_VERIFY_FAILED" not in str(reason)
        return Unreachable(
            f"no connection to Telegram: {'TLS failed' if trusted else 'the certificate is wrong'}", hint
        )
    if isinstance(error, requests.Timeout) or "timed out" in str(reason):
        return Unreachable("no answer from Telegram in time", hint, maybe_taken=True)
    return Unreachable("the connection to Telegram was lost before its answer", hint, maybe_taken=True)


def _unread(method: str) -> Unreachable:
    return Unreachable(f"Telegram's answer to {method} cannot be read", "is telegram.api_base right?", maybe_taken=True)


def _date_s(header: str | None, now: Callable[[], float] = time.time) -> float:
    """The time of the answer by the server's clock, in unix seconds; by ours where it says none."""
    if header is not None:
        try:
            return parsedate_to_datetime(header).timestamp()
        except ValueError:
            pass
    return now()


def _update(row: object, now_s: float) -> Update | None:
    if not isinstance(row, dict) or not isinstance(row.get("update_id"), int):
        return None
    message = row.get("message")
    message = message if isinstance(message, dict) else {}
    chat = message.get("chat")
    chat_id = chat.get("id") if isinstance(chat, dict) else None
    text, date = message.get("text"), message.get("date")
    if not isinstance(chat_id, int) or not isinstance(text, str) or not isinstance(date, int):
        return Update(row["update_id"], 0, "", 0.0)
    return Update(row["update_id"], chat_id, text, max(0.0, now_s - date))
