"""Commands from Telegram over real sockets: who is heard, what is answered, and that a change happens once or not."""

from __future__ import annotations

import contextlib
import logging
import queue
import re
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from itertools import count
from typing import ClassVar

import pytest

from mirrorctl.bootstrap.telegram_commands import EngineDesk
from mirrorctl.core.simulation.stage import Stage
from mirrorctl.telegram_notify.answers import Answers
from mirrorctl.telegram_notify.client import BotClient
from mirrorctl.telegram_notify.inbound import Inbound
from mirrorctl.telegram_notify.inbox import Inbox
from tests.bot_api import GROUP, PERSON, TOKEN, BotApi

STRANGER = 4711


class Room:
    """A bot beside an engine on a virtual clock. The test's own thread is the engine's."""

    names: ClassVar = ["main", "half", "quarter"]

    def __init__(self, api: BotApi) -> None:
        self.api = api
        self.stage = Stage()
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._codes = count(222222)
        self.inbound: Inbound | None = None
        self.late_s = 0.0
        api.chats[STRANGER] = api.chats[PERSON]

    def open(self, *allowed: int) -> None:
        """A daemon's bot begins to listen."""
        desk = EngineDesk(self.stage.engine, self._calls.put, dict, self.names, lambda: time.monotonic() + self.late_s)
        listener, talker = (BotClient(TOKEN, self.api.url, timeout_s=1.0) for _ in range(2))
        inbox = partial(Inbox, allowed or (PERSON, GROUP), self.names, self._code)
        self.inbound = Inbound(listener, talker, desk, Answers("stage"), inbox)
        self.inbound.start()

    def _code(self) -> str:
        return str(next(self._codes))

    def close(self) -> None:
        if self.inbound is not None:
            self.inbound.close(0.05)
            self.inbound = None

    def until(self, what: Callable[[], bool], within_s: float = 8.0) -> None:
        """Let the engine work until something is so."""

        def look() -> bool:
            with contextlib.suppress(queue.Empty):
                while True:
                    self._calls.get_nowait()()
                    self.stage.world.at(0, lambda: None)
            self.stage.run(50)
            return what()

        assert self.api.wait_for(look, within_s), self.api.texts()

    def ask(self, text: str, chat: int = PERSON) -> str:
        """Say something to the bot; what it answers first."""
        before = len(self.api.texts(chat))
        self.api.says(chat, text)
        self.until(lambda: len(self.api.texts(chat)) > before)
        return self.api.texts(chat)[before]

    def code(self, text: str, chat: int = PERSON) -> str:
        """The code that the bot asks to be sent."""
        found = re.search(r"/\w+ (\S{6})$", self.ask(text, chat))
        assert found
        return found[1]


@pytest.fixture
def room() -> Iterator[Room]:
    with BotApi(spacing_s=0) as api:
        room = Room(api)
        yield room
        room.close()


@pytest.fixture(autouse=True)
def unpaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers come at once, and so does another try: the pace has tests of its own."""
    monkeypatch.setattr("mirrorctl.telegram_notify.pace._EVERY_S", 0.0)
    monkeypatch.setattr("mirrorctl.telegram_notify.inbound._FIRST_S", 0.05)


def trade(room: Room) -> None:
    room.stage.command("trade.open", symbol="BTCUSDT", side="long", qty="0.1", stop="58000")
    room.stage.settle()


def test_what_stands_is_told_to_allowed_chats(room: Room) -> None:
    trade(room)
    room.open()
    positions = room.ask("/positions")
    assert "BTCUSDT long 0.1 " in positions
    assert "half · fresh" in positions
    assert "BTCUSDT long 0.05 " in positions
    assert "stop 58000" in positions
    assert room.ask("/status@mirror_test_bot", GROUP).startswith("stage: in step\nmain: fresh, stream up")
    assert "equity 99,99" in room.ask("/dashboard")
    assert "half BTCUSDT long 0.05" in room.ask("/monitors")
    assert "/flatten [account]" in room.ask("/help")
    room.stage.world.go_down("half")
    room.stage.run(60_000)
    assert re.search(r"half · (stale|unknown) · 20", room.ask("/positions"))


@pytest.mark.proves("A72")
def test_flatten_takes_two_messages_and_happens_once(room: Room) -> None:
    trade(room)
    room.open()
    asked = room.ask("/flatten")
    assert "half: close BTCUSDT (sell 0.05)" in asked
    code = asked[-6:]
    room.ask("/flatten", GROUP)
    sent = len(room.stage.sent())
    assert "nothing was done" in room.ask(f"/flatten {code}", GROUP)
    assert len(room.stage.sent()) == sent
    assert room.ask(f"/flatten {code}") == "stage: flatten on every account has begun"
    room.until(lambda: "flatten is done" in room.api.texts()[-1])
    assert room.api.texts()[-1].splitlines()[1:] == [f"{name}: nothing of ours is left" for name in room.names]
    assert room.stage.main.held() == room.stage.of("half").held() == {}
    assert "nothing was done" in room.ask(f"/flatten {code}")


def test_pause_and_resume_take_a_code_each(room: Room) -> None:
    room.open()
    paused = room.ask(f"/pause {room.code('/pause half')}")
    assert paused == "stage: paused: half, every symbol; stops and reductions go on"
    trade(room)
    assert room.stage.of("half").held() == {}
    assert "held: half BTCUSDT" in room.ask("/status")
    assert "ended: pause of half" in room.ask(f"/resume {room.code('/resume half')}")
    room.stage.settle()
    assert room.stage.of("half").held() == {"BTCUSDT": Decimal("0.05")}


def test_strangers_get_no_answer_and_the_log_names_them_once(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    trade(room)
    room.open(PERSON)
    code = room.code("/flatten")
    for text in ("/status", "/flatten", f"/flatten {code}", "my secret plan"):
        room.api.says(STRANGER, text)
    room.ask("/help")
    assert len(room.api.texts(STRANGER)) == 0
    assert room.stage.main.held() == {"BTCUSDT": Decimal("0.1")}
    lines = [record.getMessage() for record in caplog.records if str(STRANGER) in record.getMessage()]
    assert len(lines) == 1
    assert "secret plan" not in caplog.text


def test_what_was_sent_while_no_daemon_ran_is_never_carried_out(room: Room) -> None:
    """Even a code that would hold: it was given by a process that is gone, or a minute ago."""
    trade(room)
    room.open()
    code = room.code("/flatten")
    room.close()
    for age_s in (3600, 300, 61):
        room.api.says(PERSON, f"/flatten {code}", age_s=age_s)
    room.api.says(PERSON, f"/flatten {code}")
    room.open()
    room.until(lambda: len(room.api.texts()) >= 3)
    old, unknown = sorted(room.api.texts()[1:], reverse=True)
    assert "3 commands were sent more than 60 s" in old
    assert "nothing was done" in unknown
    assert room.stage.main.held() == {"BTCUSDT": Decimal("0.1")}
    room.until(lambda: room.api.unconfirmed() == [])


def test_outages_hide_nothing_and_double_nothing(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    trade(room)
    api = room.api
    api.fail("status", method="getme", value=502)
    api.fail("down", method="sendmessage")
    room.open()
    code = room.code("/flatten")
    sent = len(room.stage.sent())
    api.fail("lose", method="getupdates", times=2)
    room.ask(f"/flatten {code}")
    room.until(lambda: "is done" in api.texts()[-1] and api.unconfirmed() == [])
    assert len(api.texts()) == 3
    assert len(room.stage.sent()) == sent + 3, "one close for each position"
    assert "no command is heard: the answer is not one of the Bot API's (HTTP 502)" in caplog.text
    assert "telegram: commands are heard" in caplog.text


def test_another_program_on_the_same_bot_is_told_of(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mirrorctl.telegram_notify.inbound._CONFLICT_S", 0.05)
    room.open()
    inbound = room.inbound
    assert inbound is not None
    assert room.ask("/help")
    assert inbound.trouble() == ""
    other = BotClient(TOKEN, room.api.url, timeout_s=1.0)
    other.updates(0, 0)
    other.close()
    room.until(lambda: "go elsewhere" in inbound.trouble())
    room.until(lambda: inbound.trouble() == "")
    assert room.ask("/help")


def test_an_engine_that_is_busy_until_the_code_is_old_does_nothing(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code is checked again on the engine's thread, right before the command begins."""
    trade(room)
    room.open()
    code = room.code("/flatten")
    room.late_s = 61
    room.ask(f"/flatten {code}")
    room.until(lambda: len(room.api.texts()) == 3)
    assert "nothing was done: the daemon was busy" in room.api.texts()[-1]
    assert room.stage.main.held() == {"BTCUSDT": Decimal("0.1")}


def test_a_flood_of_commands_is_not_a_flood_of_work(room: Room) -> None:
    room.open()
    for _ in range(40):
        room.api.says(PERSON, "/status")
    room.api.wait_for(lambda: room.api.unconfirmed() == [])
    room.until(lambda: len(room.api.texts()) >= 5)
    assert room.ask("/help").startswith("stage\n")
    assert len(room.api.texts()) == 6
    assert room.ask("/status").startswith("stage: in step")
