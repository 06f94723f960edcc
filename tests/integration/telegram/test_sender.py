"""The sender against a loopback Bot API that enforces the documented limits: in order, once, over all outages."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from mirrorctl.core.domain.values import Severity
from mirrorctl.core.engine.channel import ChannelState
from mirrorctl.core.engine.records import Alert
from mirrorctl.telegram_notify import sender as sender_module
from mirrorctl.telegram_notify.choice import Choice
from mirrorctl.telegram_notify.client import BotClient
from mirrorctl.telegram_notify.errors import TokenRefused
from mirrorctl.telegram_notify.messages import Words
from mirrorctl.telegram_notify.sender import Marks, Sender
from tests.bot_api import PERSON, TOKEN, BotApi

UGLY = 'a<b> & "c" _*[]()~`>#+-=|{}.!\\ /flatten @all https://example.org \x00 \ud83d 1000PEPEUSDT −0,5 €𝛑'


def alert(key: str, text: str = "", severity: Severity = Severity.INFO) -> Alert:
    return Alert(key, 0, severity, "closed", "main", "BTCUSDT", text or f"text of {key}")


class Beside:
    """What stands in for the engine: it takes the marks as they come."""

    def __init__(self) -> None:
        self.marks: Marks = []
        self._lock = threading.Lock()
        self.sender: Sender

    def settle(self) -> None:
        with self._lock:
            self.marks += self.sender.take_marks()

    @property
    def keys(self) -> list[str]:
        with self._lock:
            return [key for key, _ in self.marks]


@contextmanager
def sending(
    api: BotApi, *, chat_id: int = PERSON, token: str = TOKEN, choice: Choice | None = None, timeout_s: float = 5.0
) -> Iterator[Beside]:
    beside = Beside()
    beside.sender = Sender(
        BotClient(token, api.url, timeout_s=timeout_s),
        chat_id,
        choice or Choice(),
        Words("live"),
        now_ms=lambda: int(time.time() * 1000),
        settled=beside.settle,
    )
    beside.sender.start()
    try:
        yield beside
    finally:
        beside.sender.close(0.5)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that a test need not sit out."""
    monkeypatch.setattr(sender_module, "_FIRST_S", 0.05)
    monkeypatch.setattr(sender_module, "_LONGEST_S", 0.1)
    monkeypatch.setattr(sender_module, "_REFUSED_S", 0.1)
    monkeypatch.setattr("mirrorctl.telegram_notify.pace._EVERY_S", 0.0)


@pytest.fixture
def api() -> Iterator[BotApi]:
    with BotApi(spacing_s=0) as server:
        yield server


def lines(api: BotApi) -> list[str]:
    """The second line of every message: the text of its alert."""
    return [text.split("\n")[1] for text in api.texts()]


@pytest.mark.proves("A69")
@pytest.mark.parametrize(
    "fault", [("down", None), ("status", 502), ("flood", 1), ("junk", "{}"), ("junk", "\xff<html>")]
)
@pytest.mark.usefixtures("quick")
def test_alerts_survive_an_outage_in_order_and_once(api: BotApi, fault: tuple[str, object]) -> None:
    kind, value = fault
    with sending(api) as beside:
        beside.sender.offer(alert("a"))
        assert api.wait_for(lambda: beside.keys == ["a"])
        api.fail(kind, method="sendmessage", value=value, times=1 if kind == "flood" else 3)
        for key in ("b", "c", "d"):
            beside.sender.offer(alert(key))
        assert api.wait_for(lambda: beside.keys == ["a", "b", "c", "d"])
        health = beside.sender.health()
    assert lines(api) == [f"text of {key}" for key in "abcd"]
    assert (health.state, health.delivered, health.waiting) == (ChannelState.OK, 4, 0)


@pytest.mark.parametrize("kind", ["lose", "hang"])
@pytest.mark.usefixtures("quick")
def test_a_message_that_was_perhaps_taken_is_sent_again_and_says_so(api: BotApi, kind: str) -> None:
    with sending(api, timeout_s=0.5) as beside:
        api.fail(kind, method="sendmessage", value=0.8)
        beside.sender.offer(alert("a"))
        assert api.wait_for(lambda: beside.keys == ["a"])
    assert api.texts()[-1].endswith("(sent again: nobody knows whether the first one arrived)")
    assert len(api.texts()) >= (2 if kind == "lose" else 1)


@pytest.mark.usefixtures("quick")
def test_any_text_arrives(api: BotApi) -> None:
    with sending(api) as beside:
        beside.sender.offer(alert("ugly", UGLY))
        beside.sender.offer(alert("long", "word 𝛑𝛑 " * 1200))
        beside.sender.offer(alert("blank", "\n\x00\n"))
        assert api.wait_for(lambda: len(beside.keys) == 3)
    assert api.texts()[0].split("\n")[1] == UGLY.replace("\x00", "\ufffd").replace("\ud83d", "\ufffd")
    assert "".join(api.texts()).count("word") == 1200


def test_the_limits_of_the_bot_api_are_kept() -> None:
    """One message a second, many alerts in one: the server would refuse anything faster."""
    with BotApi(spacing_s=0.98) as api, sending(api) as beside:
        for number in range(40):
            beside.sender.offer(alert(f"k{number}"))
        assert api.wait_for(lambda: len(beside.keys) == 40)
        assert api.calls.count("sendmessage") == len(api.messages) <= 3, "nothing was refused"
        assert beside.keys == [f"k{number}" for number in range(40)]


class Preempted(Sender):
    """A sender whose thread loses the processor between its look and its sleep, while `meanwhile` happens."""

    meanwhile: Callable[[], None] | None = None

    def _sleep(self, wait_s: float) -> None:
        if wait_s > 60 and self.meanwhile is not None:
            done, self.meanwhile = self.meanwhile, None
            done()
        super()._sleep(wait_s)


def test_an_alert_of_the_moment_before_the_sleep_is_not_overslept(api: BotApi) -> None:
    """Nothing else comes for an hour: a night, a muted warning and then what is critical."""
    client = BotClient(TOKEN, api.url, timeout_s=5.0)
    sender = Preempted(client, PERSON, Choice(), Words("live"), now_ms=lambda: 0, settled=lambda: None)
    sender.start()
    try:
        assert api.wait_for(lambda: sender.is_checked)
        sender.meanwhile = lambda: sender.offer(alert("critical"))
        sender.offer(alert("a"))
        assert api.wait_for(lambda: len(api.texts()) == 2, 5)
    finally:
        sender.close(0.5)


@pytest.mark.proves("A70")
@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("token", "chat_id", "said"),
    [("110201543:AAwrong", PERSON, "does not know this bot"), (TOKEN, 4711, "cannot write to chat 4711: Bad Request")],
)
def test_a_wrong_token_or_chat_is_known_before_anything_is_to_be_sent(
    api: BotApi, token: str, chat_id: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), sending(api, token=token, chat_id=chat_id) as beside:
        assert api.wait_for(lambda: beside.sender.is_checked)
        health = beside.sender.health()
        assert health.state is ChannelState.REFUSED
        assert said in health.error
        assert health.hint
    assert api.messages == []
    assert said in caplog.text
    assert token.partition(":")[2] not in caplog.text


@pytest.mark.usefixtures("quick")
def test_a_chat_that_is_opened_again_gets_what_waited(api: BotApi) -> None:
    api.chats[PERSON].closed = "bot was blocked by the user"
    with sending(api) as beside:
        beside.sender.offer(alert("a"))
        assert api.wait_for(lambda: beside.sender.health().state is ChannelState.REFUSED)
        assert beside.sender.health().waiting == 1
        api.chats[PERSON].closed = ""
        assert api.wait_for(lambda: beside.keys == ["a"])
        assert beside.sender.health().state is ChannelState.OK


def test_without_a_token_alerts_wait_and_the_health_says_why() -> None:
    sender = Sender(
        TokenRefused("not set", "set it"), PERSON, Choice(), Words("x"), now_ms=lambda: 5, settled=lambda: None
    )
    sender.start()
    sender.offer(alert("a"))
    health = sender.health()
    assert (health.state, health.error, health.hint, health.waiting) == (ChannelState.REFUSED, "not set", "set it", 1)
    assert sender.is_checked
    sender.close(1.0)


def test_what_is_not_for_the_channel_is_marked_at_once(api: BotApi) -> None:
    with sending(api) as beside:
        beside.sender.offer(Alert("m", 0, Severity.INFO, "closed", "mirror", "BTCUSDT", "text"))
        assert beside.marks == [("m", 0)]


def test_the_end_delivers_what_is_left(api: BotApi) -> None:
    """Also what was told at the very end; and an end does not wait for a Telegram that hangs."""
    with sending(api) as beside:
        assert api.wait_for(lambda: beside.sender.is_checked)
        for number in range(3):
            beside.sender.offer(alert(f"k{number}"))
        beside.sender.close(9.0)
        beside.settle()
        assert beside.keys == ["k0", "k1", "k2"]
    with sending(api) as beside:
        assert api.wait_for(lambda: beside.sender.is_checked)
        api.fail("hang", value=3)
        beside.sender.offer(alert("a"))
        began = time.monotonic()
        beside.sender.close(0.3)
        assert time.monotonic() - began < 2
