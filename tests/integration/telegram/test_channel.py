"""An engine's outbox and its channel: what is delivered after which start, and what `status` says of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mirrorctl.bootstrap.telegram import close_sender, count_waiting, open_sender
from mirrorctl.core.domain.values import Severity
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.loop import Call
from mirrorctl.core.engine.records import Alert
from mirrorctl.core.profile.load import parse_profile
from mirrorctl.core.profile.model import Profile
from mirrorctl.core.simulation.stage import Stage
from mirrorctl.core.store.sqlite import SqliteStore
from mirrorctl.telegram_notify.sender import Sender
from tests.bot_api import PERSON, TOKEN, BotApi

PROFILE = """
schema = 1
environment = "paper"
[telegram]
enabled = {enabled}
chat_id = {chat}
api_base = "{url}"
[telegram.alerts]
merge = false
"""


def profile(api: BotApi, enabled: str = "true") -> Profile:
    text = PROFILE.format(enabled=enabled, url=api.url, chat=PERSON)
    return parse_profile(text.encode(), Path("live.toml"), {"TELEGRAM_BOT_TOKEN": TOKEN}, private_file=True)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[BotApi]:
    monkeypatch.setattr("mirrorctl.telegram_notify.pace._EVERY_S", 0.0)
    with BotApi(spacing_s=0) as server:
        yield server


@pytest.fixture
def stage() -> Stage:
    found = Stage()
    found.settle()
    return found


def engine_of(stage: Stage) -> Engine:
    assert stage.world.engine is not None
    return stage.world.engine


def tell(stage: Stage, text: str, kind: str = "closed") -> None:
    engine = engine_of(stage)
    engine.outbox.tell(engine.now_ms(), Severity.INFO, kind, "main", "BTCUSDT", text, text)


@contextmanager
def delivering(stage: Stage, found: Profile) -> Iterator[Sender]:
    """A daemon's time with the channel, to its orderly end."""
    engine, calls = engine_of(stage), list[Call]()
    sender = open_sender(found, engine, calls.append)
    assert sender is not None
    try:
        yield sender
    finally:
        for call in calls:
            call()
        close_sender(sender, engine.store, 9.0)
        engine.outbox.channel = None


def said(api: BotApi) -> list[str]:
    """The alerts that arrived, whether alone or several in a message."""
    return [line for text in api.texts() for line in text.split("\n") if line.startswith("fact ")]


@pytest.mark.proves("A69")
def test_each_alert_is_delivered_once_whichever_daemon_told_it(stage: Stage, api: BotApi) -> None:
    tell(stage, "fact 0 of the time before there was a channel")
    with delivering(stage, profile(api)):
        tell(stage, "fact 1")
        assert api.wait_for(lambda: said(api) == ["fact 1"])
    for number in range(2, 9):
        tell(stage, f"fact {number}")  # as a command does, beside no daemon
    with delivering(stage, profile(api)):
        tell(stage, "fact 9")
    with delivering(stage, profile(api)):
        pass
    assert said(api) == [f"fact {number}" for number in range(1, 10)]
    assert engine_of(stage).store.undelivered() == []


def test_what_was_told_while_telegram_was_off_is_not_sent_when_it_is_on_again(stage: Stage, api: BotApi) -> None:
    with delivering(stage, profile(api)):
        tell(stage, "fact 1")
    assert open_sender(profile(api, "false"), engine_of(stage), lambda call: call()) is None
    tell(stage, "fact 2")
    with delivering(stage, profile(api)):
        tell(stage, "fact 3")
    assert said(api) == ["fact 1", "fact 3"]


def test_status_says_how_the_channel_is_and_what_waits(stage: Stage, api: BotApi) -> None:
    assert stage.status()["telegram"]["state"] == "off"
    assert stage.status()["alerts_waiting"] == 0
    api.chats[PERSON].closed = "bot was blocked by the user"
    with delivering(stage, profile(api)) as sender:
        assert api.wait_for(lambda: sender.is_checked)
        tell(stage, "fact 1")
        tell(stage, "fact 2 of a type that is off", kind="merge")
        shown = stage.status()
        assert (shown["telegram"]["state"], shown["telegram"]["delivered"]) == ("refused", 0)
        assert "bot was blocked by the user" in shown["telegram"]["error"]
        assert shown["alerts_waiting"] == 1
    assert [alert.text for alert in engine_of(stage).store.undelivered()] == ["fact 1"]


def test_without_a_daemon_the_store_tells_what_waits(api: BotApi) -> None:
    store = SqliteStore(None)
    rows = (("a", "closed", "main"), ("b", "merge", "main"), ("c", "closed", "mirror"))
    for key, kind, account in rows:
        store.add_alert(Alert(key, 1, Severity.INFO, kind, account, "BTCUSDT", "text"))
    assert count_waiting(profile(api), store) == 0, "there was no channel yet, so none of them will be sent"
    store.set_fact("telegram.since", "1")
    assert count_waiting(profile(api), store) == 1
    assert count_waiting(profile(api, "false"), store) == 0
