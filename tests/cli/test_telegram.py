"""Alerts on Telegram from the real program: told at the start, delivered, and told when nobody runs any more."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.cli import main
from mirrorctl.commands import staleness
from mirrorctl.commands.session import Session
from mirrorctl.commands.staleness import Depth
from mirrorctl.commands.terminal import Terminal
from mirrorctl.core.profile.catalogue import find_home
from tests.bot_api import PERSON, TOKEN, BotApi
from tests.cli.conftest import Done, Program

PROFILE = """\
schema = 1
environment = "paper"
[[mirrors]]
name = "mirror"
[mirrors.sizing]
value = "0.5"
[telegram]
enabled = {enabled}
chat_id = {chat_id}
api_base = "{url}"
"""
ENV = {"TELEGRAM_BOT_TOKEN": TOKEN, "MIRRORCTL_PROFILE": "tg"}


@pytest.fixture
def api() -> Iterator[BotApi]:
    with BotApi(spacing_s=0) as server:
        yield server


def write_profile(
    program: Program, api: BotApi, *, chat_id: int = PERSON, enabled: str = "true", more: str = ""
) -> None:
    folder = program.home / "config" / "profiles"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tg.toml").write_text(PROFILE.format(enabled=enabled, chat_id=chat_id, url=api.url) + more)


def status(program: Program) -> dict[str, Any]:
    return program("status", "--json", env=ENV).document


def eventually(what: Callable[[], bool]) -> bool:
    """Whether it becomes true in time; each look is a process."""
    for _ in range(20):
        if what():
            return True
        time.sleep(0.5)
    return False


def log_of(program: Program) -> str:
    return (program.home / "log" / "tg.log").read_text()


@pytest.mark.proves("A69")
def test_alerts_of_a_day_each_arrive_once(program: Program, api: BotApi) -> None:
    """A trade over an outage of Telegram, a daemon that is killed, cron that tells it once, and the next start."""
    write_profile(program, api)
    daemon = program.start("run", env=ENV)
    api.fail("down", method="sendmessage")
    program("paper", "price", "BTCUSDT", "60000", env=ENV)
    order = ("trade", "open", "BTCUSDT", "long", "--qty", "0.1", "--stop", "57000", "--yes")
    assert program(*order, env=ENV).code == 0
    assert api.wait_for(lambda: any("BTCUSDT" in text for text in api.texts()))
    assert eventually(lambda: status(program)["alerts_waiting"] == 0)
    telegram = status(program)["telegram"]
    assert (telegram["enabled"], telegram["state"], telegram["error"]) == (True, "ok", None)
    assert telegram["delivered"] >= 1
    heads = [line for text in api.texts() for line in text.split("\n") if line.startswith(("main ", "mirror "))]
    assert heads
    assert not any(line.startswith("mirror ") for line in heads), "off until they are switched on"

    daemon.end(signal.SIGKILL)
    before = len(api.messages)
    looks = [program("status", "--max-age", "60", "--alert", "--json", env=ENV) for _ in range(2)]
    assert [look.code for look in looks] == [3, 3]
    assert [look.document["alerted"] for look in looks] == [True, False]
    assert looks[0].document["telegram"] == {**telegram, "state": None, "since": None, "delivered": None}
    assert len(api.messages) == before + 1
    assert "the daemon does not run" in api.texts()[-1]

    daemon = program.start("run", env=ENV)
    well = program("status", "--max-age", "60", "--alert", "--json", env=ENV)
    assert (well.code, well.document["stale"]) == (0, None)
    assert api.wait_for(lambda: "daemon started" in api.texts()[-1])
    time.sleep(1)  # a message a second: the last one need not wait
    assert daemon.end() == 0
    assert "daemon stopped" in api.texts()[-1], "also the last word"
    assert program("status", "--max-age", "60", "--alert", env=ENV).code == 3, "another outage"
    texts = api.texts()
    assert len(texts) == len(set(texts)), "each once"
    assert sum("the daemon does not run" in text for text in texts) == 2
    everything = log_of(program) + "".join(look.out + look.err for look in looks) + "\n".join(daemon.lines())
    assert TOKEN.partition(":")[2] not in everything


@pytest.mark.proves("A70")
def test_a_wrong_chat_is_told_at_the_start_and_positions_are_kept_anyway(program: Program, api: BotApi) -> None:
    write_profile(program, api, chat_id=4711)
    daemon = program.start("run", env=ENV)
    lines = daemon.lines()
    told = next(number for number, line in enumerate(lines) if line.startswith("error: telegram: the bot cannot write"))
    assert lines[told + 1].startswith("hint: is the id right")
    assert told < lines.index("ready")
    assert "telegram: the bot cannot write to chat 4711" in log_of(program)
    shown = status(program)
    assert shown["telegram"]["state"] == "refused"
    assert shown["daemon"]["answering"]
    assert daemon.end() == 0
    assert api.messages == []


@dataclass
class Desk:
    """Commands of one home, run in this process; nothing runs beside them."""

    program: Program
    capture: pytest.CaptureFixture[str]

    def __call__(self, *args: str) -> Done:
        code = main([*args, "--profile", "tg"])
        said = self.capture.readouterr()
        return Done(code, said.out, said.err)


@pytest.fixture
def desk(program: Program, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    for name, value in {**program.environ(), **ENV}.items():
        monkeypatch.setenv(name, value)
    return Desk(program, capsys)


@pytest.mark.proves("A70")
def test_telegram_test_says_whether_token_and_chat_are_right(
    desk: Desk, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It works before telegram.enabled is true; a wrong token or chat exits 2, a Telegram that is away 4."""
    write_profile(desk.program, api, enabled="false")
    good = desk("telegram", "test", "--json")
    assert good.code == 0
    assert (good.document["bot"], good.document["chat"]) == ("@mirror_test_bot", "Ada Trader")
    assert "This is a test" in api.texts()[0]
    assert "no alerts are sent" in desk("telegram", "test").err

    for token, said in (
        ("", "is not set: TELEGRAM_BOT_TOKEN"),
        ("x y", "is not one"),
        ("110201543:AAwrong", "does not know this bot"),
    ):
        monkeypatch.setenv("TELEGRAM_BOT_TOKEN", token)
        wrong = desk("telegram", "test", "--json")
        assert wrong.code == 2
        assert said in wrong.error["message"]
        assert wrong.error["hint"]
        assert "AAwrong" not in wrong.out + wrong.err
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", TOKEN)

    for chat_id, said in ((0, "telegram.chat_id"), (4711, "chat 4711")):
        write_profile(desk.program, api, chat_id=chat_id, enabled="false")
        nowhere = desk("telegram", "test")
        assert nowhere.code == 2
        assert said in nowhere.err
    write_profile(desk.program, api)
    api.fail("down", times=9)
    assert desk("telegram", "test").code == 4


def test_the_watch_tells_once_in_each_outage_and_again_where_it_could_not(desk: Desk, api: BotApi) -> None:
    watch = ("status", "--max-age", "60", "--alert", "--json")
    write_profile(desk.program, api, enabled="false")
    useless = desk(*watch)
    assert (useless.code, "telegram.enabled is false" in useless.error["message"]) == (2, True)
    assert desk("status", "--alert").code == 2, "without an age nothing is too old"

    write_profile(desk.program, api)
    api.fail("down")
    missed = desk(*watch)
    assert (missed.code, missed.document["alerted"]) == (3, False)
    assert "warning: telegram: the connection to Telegram was lost" in missed.err
    assert [desk(*watch).document["alerted"] for _ in range(3)] == [True, False, False]
    assert "the daemon does not run" in desk(*watch).document["stale"]
    assert len(api.texts()) == 1

    write_profile(desk.program, api, more="[telegram.alerts]\ndaemon_stale = false")
    (desk.program.home / "state" / "tg" / "stale.json").unlink()
    silent = desk(*watch)
    assert (silent.code, silent.document["alerted"]) == (3, False), "its type is off"


def test_a_daemon_that_goes_again_is_told_again_although_it_saw_nothing_in_between(desk: Desk, api: BotApi) -> None:
    write_profile(desk.program, api)
    session = Session(Terminal(), find_home(os.environ), "tg", os.environ)
    gone, silent, unseen = (staleness.Stale(depth, depth.name) for depth in reversed(Depth))
    steps = [gone, silent, gone, unseen, unseen, gone, None, unseen, silent]
    told = [staleness.tell(session, step) for step in steps]
    assert told == [True, False, False, False, False, True, False, True, True]


AGE = Decimal(60)
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def seen(account: str, second: int | None, state: str = "fresh") -> dict[str, Any]:
    at = None if second is None else f"2026-03-02T11:59:{second:02}.000Z"
    return {"account": account, "state": state, "last_event_at": None, "last_read_at": at}


@pytest.mark.parametrize(
    ("daemon", "accounts", "depth", "words"),
    [
        ({"running": False}, [], Depth.GONE, "does not run"),
        ({"running": True, "pid": 7, "since": "noon", "answering": False}, [], Depth.SILENT, "(process 7 since noon)"),
        ({"running": True, "answering": True}, [seen("main", 30), seen("mirror", None)], Depth.UNSEEN, "seen: mirror"),
        ({"running": True, "answering": True}, [seen("main", 0), seen("off", None, "disabled")], None, ""),
    ],
)
def test_what_is_too_old(
    daemon: dict[str, Any], accounts: list[dict[str, Any]], depth: Depth | None, words: str
) -> None:
    found = staleness.find({"daemon": daemon, "accounts": accounts}, AGE, NOW)
    assert (found and found.depth) == depth
    assert words in (found.text if found else "")
    later = staleness.find({"daemon": daemon, "accounts": accounts}, AGE, NOW + timedelta(seconds=1))
    assert later is not None
    if depth is None:
        assert later.text.endswith("seen: main since 2026-03-02T11:59:00.000Z")
