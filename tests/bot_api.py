"""A Bot API server on loopback that holds a bot to the documented limits; `python -m tests.bot_api` runs it alone.

What it enforces, and where that is written: a text has 1 to 4096 characters after its entities were parsed, counted in
UTF-16 code units; tags of parse_mode HTML have to be known and closed (core.telegram.org/bots/api, sendMessage and
formatting options); one message a second in a chat, 20 a minute in a group, 30 a second in all, else 429 with
`retry_after` (bots/faq, ResponseParameters); a chat that is not there, a bot that was blocked or put out; getUpdates
keeps what an `offset` has not confirmed, and a second one ends the first with 409. The words are those of the server's
source (tdlib/telegram-bot-api). Stricter than Telegram in one thing: no burst is let through.
"""

from __future__ import annotations

import argparse
import contextlib
import html
import json
import math
import re
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
PERSON, GROUP = 42, -1001
_GROUP_A_MINUTE, _EVERY_A_SECOND = 20, 30

Answer = dict[str, Any]


class Refusal(Exception):
    """An answer with `ok` false."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.body: Answer = {"ok": False, "error_code": code, "description": description}
        if parameters:
            self.body["parameters"] = parameters


@dataclass
class Chat:
    """A chat that the bot knows. `closed`: the words with which writing there is forbidden."""

    title: str
    closed: str = ""
    moved_to: int = 0
    times: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Message:
    """A message that was taken: when, where, the text as it was sent, and the text that people see."""

    at: float
    chat_id: int
    raw: str
    text: str
    params: Answer


class BotApi:
    """One bot's server. Use it as a context manager; all of it may be called from any thread."""

    def __init__(self, *, port: int = 0, spacing_s: float = 1.0, minute_s: float = 60.0) -> None:
        """`spacing_s` between messages in a chat, `minute_s` for 20 in a group: shorter only where time itself is not
        what is tested."""
        self.token = TOKEN
        self.chats = {PERSON: Chat("Ada Trader"), GROUP: Chat("Desk")}
        self.messages: list[Message] = []
        self.calls: list[str] = []
        self.webhook = False
        self.spacing_s = spacing_s
        self.minute_s = minute_s
        self._changed = threading.Condition()
        self._updates: list[Answer] = []
        self._next_update = 1000
        self._poll = 0
        self._faults: list[tuple[str, str, Any]] = []
        self._stopping = False
        api = self

        class Handler(_Handler):
            bot_api = api

        self._server = _Server(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> BotApi:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()

    # --- what a test says ------------------------------------------------------------------------------------------

    def fail(self, kind: str, *, method: str = "", times: int = 1, value: Any = None) -> None:
        """The next `times` calls (of a method; empty: any) go wrong.

        "down": the connection is closed unread. "status": HTTP `value` with a page of HTML. "hang": no answer for
        `value` seconds. "lose": carried out, and the answer is lost. "flood": 429 with `value` seconds. "junk": 200
        with `value` as the body. "redirect": to the address `value`.
        """
        with self._changed:
            self._faults += [(method.lower(), kind, value)] * times

    def heal(self) -> None:
        """End all faults."""
        with self._changed:
            self._faults.clear()

    def says(self, chat_id: int, text: str | None, *, age_s: float = 0.0, **message: Any) -> int:
        """Somebody writes to the bot; returns the id of the update."""
        with self._changed:
            self._next_update += 1
            body = {"message_id": self._next_update, "date": int(time.time() - age_s), "text": text, **message}
            body["chat"] = {"id": chat_id, "type": "private" if chat_id > 0 else "supergroup"}
            self._updates.append({"update_id": self._next_update, "message": body})
            self._changed.notify_all()
            return self._next_update

    def unconfirmed(self) -> list[int]:
        """The ids of the updates that wait, or that no offset has confirmed."""
        with self._changed:
            return [update["update_id"] for update in self._updates]

    def texts(self, chat_id: int = PERSON) -> list[str]:
        """What people see in a chat, oldest first."""
        with self._changed:
            return [message.text for message in self.messages if message.chat_id == chat_id]

    def wait_for(self, what: Callable[[], bool], within_s: float = 10.0) -> bool:
        """Whether something becomes true in time; looked at with every change here, and every 20 ms."""
        until = time.monotonic() + within_s
        while not what():
            if time.monotonic() > until:
                return False
            with self._changed:
                self._changed.wait(0.02)
        return True

    # --- what the bot asks -----------------------------------------------------------------------------------------

    def take_fault(self, method: str) -> tuple[str, Any]:
        """The fault of this call; an empty kind: none."""
        with self._changed:
            for number, (of, kind, value) in enumerate(self._faults):
                if of in ("", method):
                    del self._faults[number]
                    return kind, value
        return "", None

    def handle(self, token: str, method: str, params: Answer, here: Callable[[], bool]) -> Any:
        """The result of a call; Refusal otherwise. `here`: whether the caller still waits."""
        if ":" not in token or token.startswith("0") or len(token) > 80:
            raise Refusal(401, "Unauthorized: invalid token specified")
        if token != self.token:
            raise Refusal(401, "Unauthorized")
        if method == "getupdates":
            return self._get_updates(params, here)
        with self._changed:
            self.calls.append(method)
            try:
                return self._handle(method, params)
            finally:
                self._changed.notify_all()

    def _handle(self, method: str, params: Answer) -> Any:
        if method == "getme":
            return {"id": int(self.token.partition(":")[0]), "is_bot": True, "username": "mirror_test_bot"}
        if method == "getchat":
            chat_id = self._chat_id(params)
            kind, name = ("private", "first_name") if chat_id > 0 else ("supergroup", "title")
            return {"id": chat_id, "type": kind, name: self.chats[chat_id].title}
        if method == "sendchataction":
            self._writable(params)
            return True
        if method == "sendmessage":
            return self._send(params)
        raise Refusal(404, "Not Found: method not found")

    def _chat_id(self, params: Answer) -> int:
        chat_id = params.get("chat_id")
        if chat_id is None or chat_id == "":
            raise Refusal(400, "Bad Request: chat_id is empty")
        if isinstance(chat_id, str) and chat_id.lstrip("-").isdigit():
            chat_id = int(chat_id)
        if chat_id not in self.chats:
            raise Refusal(400, "Bad Request: chat not found")
        return int(chat_id)

    def _writable(self, params: Answer) -> int:
        chat_id = self._chat_id(params)
        chat = self.chats[chat_id]
        if chat.moved_to:
            said = "Bad Request: group chat was upgraded to a supergroup chat"
            raise Refusal(400, said, migrate_to_chat_id=chat.moved_to)
        if chat.closed:
            raise Refusal(403, f"Forbidden: {chat.closed}")
        return chat_id

    def _send(self, params: Answer) -> Answer:
        chat_id = self._writable(params)
        raw = params.get("text")
        if not isinstance(raw, str) or not raw:
            raise Refusal(400, "Bad Request: message text is empty")
        if len(raw.encode("utf-8", "replace")) > 1 << 15:
            raise Refusal(400, "Bad Request: Text is too long")
        text = _parsed(raw, str(params.get("parse_mode") or "")).strip()
        if not text:
            raise Refusal(400, "Bad Request: message text is empty")
        if units(text) > 4096:
            raise Refusal(400, "Bad Request: message is too long")
        now = time.monotonic()
        self._flood(chat_id, now)
        self.chats[chat_id].times.append(now)
        self.messages.append(Message(now, chat_id, raw, text, params))
        return {"message_id": len(self.messages), "chat": {"id": chat_id}, "date": int(time.time()), "text": text}

    def _flood(self, chat_id: int, now: float) -> None:
        own = self.chats[chat_id].times
        every = [message.at for message in self.messages if message.at > now - self.spacing_s]
        waits = [own[-1] + self.spacing_s - now] if own else []
        if chat_id < 0 and len(own) >= _GROUP_A_MINUTE:
            waits.append(own[-_GROUP_A_MINUTE] + self.minute_s - now)
        if len(every) >= _EVERY_A_SECOND:
            waits.append(every[-_EVERY_A_SECOND] + self.spacing_s - now)
        wait = max(waits, default=0.0)
        if wait > 0:
            seconds = math.ceil(wait)
            raise Refusal(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)

    def _get_updates(self, params: Answer, here: Callable[[], bool]) -> list[Answer]:
        offset, limit = int(params.get("offset") or 0), min(max(int(params.get("limit") or 100), 1), 100)
        until = time.monotonic() + min(max(int(params.get("timeout") or 0), 0), 50)
        if self.webhook:
            raise Refusal(
                409,
                "Conflict: can't use getUpdates method while webhook is active; "
                "use deleteWebhook to delete the webhook first",
            )
        with self._changed:
            self.calls.append("getupdates")
            self._poll += 1
            mine = self._poll
            known = [update["update_id"] for update in self._updates]
            if offset < 0:
                del self._updates[:offset]
            elif known and known[0] <= offset <= self._next_update + 1:
                self._updates = [update for update in self._updates if update["update_id"] >= offset]
            self._changed.notify_all()
            while not self._updates and time.monotonic() < until and here() and not self._stopping:
                self._changed.wait(0.05)
                if mine != self._poll:
                    raise Refusal(
                        409,
                        "Conflict: terminated by other getUpdates request; "
                        "make sure that only one bot instance is running",
                    )
            return self._updates[:limit]


def units(text: str) -> int:
    """The length of a text as Telegram counts: UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


# --- entities --------------------------------------------------------------------------------------------------------


_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]*)?(?:\s[^<>]*)?(>?)")
_TAGS = frozenset(
    ("b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "span", "tg-spoiler", "a", "code", "pre")
)


def _parsed(raw: str, mode: str) -> str:
    """The text that people see. Tags have to be known, whole, and closed in order."""
    if not mode:
        return raw
    if mode.lower() != "html":
        raise Refusal(400, "Bad Request: unsupported parse_mode")  # a mode that this server does not read
    inside: list[str] = []
    text, at = "", 0
    for tag in _TAG.finditer(raw):
        ends, name, whole = tag.groups()
        where = f"at byte offset {len(raw[: tag.start()].encode())}"
        if not whole or (not ends and name not in _TAGS):
            raise Refusal(400, f'Bad Request: can\'t parse entities: Unsupported start tag "{name or ""}" {where}')
        if not ends:
            inside.append(name)
        elif not inside or inside.pop() != (name or ""):
            raise Refusal(400, f"Bad Request: can't parse entities: Unexpected end tag {where}")
        text, at = text + raw[at : tag.start()], tag.end()
    if inside:
        raise Refusal(400, f"Bad Request: can't parse entities: Can't find end tag corresponding to {inside[-1]}")
    return html.unescape(text + raw[at:])


# --- HTTP ------------------------------------------------------------------------------------------------------------


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536
    bot_api: BotApi

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        _, _, rest = self.path.partition("/bot")
        token, _, method = rest.partition("?")[0].partition("/")
        method = method.lower()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind, value = self.bot_api.take_fault(method)
        if kind == "down":
            self.close_connection = True
            return
        if kind == "hang":
            time.sleep(value)
            self.close_connection = True
            return
        if kind == "redirect":
            self._answer(307, b"", "text/html", value)
            return
        if kind in ("status", "junk"):
            page = "<html><body>Bad Gateway</body></html>" if kind == "status" else str(value)
            self._answer(value if kind == "status" else 200, page.encode(), "text/html")
            return
        status, answer = self._carried_out(token, method, body, kind, value)
        if kind == "lose":
            self.close_connection = True
            return
        self._answer(status, json.dumps(answer).encode(), "application/json")

    def _carried_out(self, token: str, method: str, body: bytes, kind: str, value: Any) -> tuple[int, Answer]:
        try:
            if kind == "flood":
                raise Refusal(429, f"Too Many Requests: retry after {value}", retry_after=value)
            if not token or not method:
                raise Refusal(404, "Not Found")
            params = json.loads(body) if body else {}
            return 200, {"ok": True, "result": self.bot_api.handle(token, method, params, self._here)}
        except Refusal as refusal:
            return refusal.code, refusal.body

    def _here(self) -> bool:
        """Whether the caller still holds its end of the connection."""
        try:
            self.connection.setblocking(False)
            return len(self.connection.recv(1, socket.MSG_PEEK)) > 0
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            with contextlib.suppress(OSError):
                self.connection.setblocking(True)

    def _answer(self, status: int, body: bytes, kind: str, location: str = "") -> None:
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the path holds the token."""


def main() -> None:
    """Run until Ctrl-C; each message that is taken is written to stdout, each line of stdin is one of PERSON's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8799)
    port = parser.parse_args().port
    with BotApi(port=port) as api:
        sys.stdout.write(f"{api.url}  token {api.token}  chats {PERSON} (a person), {GROUP} (a group)\n")
        sys.stdout.flush()
        threading.Thread(target=_hear, args=(api,), daemon=True).start()
        shown = 0
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                time.sleep(0.1)
                for message in api.messages[shown:]:
                    sys.stdout.write(f"[{message.chat_id}] {message.text}\n")
                    sys.stdout.flush()
                    shown += 1


def _hear(api: BotApi) -> None:
    for line in sys.stdin:
        api.says(PERSON, line.strip())


if __name__ == "__main__":
    main()
