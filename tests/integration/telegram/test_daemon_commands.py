"""The bot beside a real daemon: asked over real sockets, ended in the middle of a poll, and its token in no file."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from mirrorctl.core.domain.alert_types import AlertType
from tests.bot_api import GROUP, PERSON, TOKEN, BotApi
from tests.integration.stage import Stage, eventually


@pytest.fixture
def api() -> Iterator[BotApi]:
    with BotApi() as server:
        yield server


@pytest.fixture
def stage(tmp_path: Path, api: BotApi, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", TOKEN)
    opened = Stage.open(tmp_path)
    with opened.profile.open("a", encoding="utf-8") as profile:
        profile.write(f"\n[telegram]\nenabled = true\nchat_id = {PERSON}\nallowed_chats = [{PERSON}, {GROUP}]\n")
        profile.write(f'api_base = "{api.url}"\n[telegram.alerts]\n')
        profile.writelines(f"{name} = false\n" for name in AlertType)  # answers alone: one message takes a second
    yield opened
    opened.close()


def ask(api: BotApi, text: str, answer: str, chat: int = PERSON) -> str:
    """Say something to the bot; its answer, by words that it holds."""
    before = len(api.texts(chat))
    api.says(chat, text)
    assert api.wait_for(lambda: any(answer in said for said in api.texts(chat)[before:])), api.texts(chat)
    return next(said for said in api.texts(chat)[before:] if answer in said)


def test_a_daemon_hears_its_chat_and_ends_at_once(stage: Stage, api: BotApi) -> None:
    daemon = stage.start_daemon()
    stage.order("main", "Buy", "0.1", stopLoss="50000")
    assert eventually(lambda: stage.size("half") == Decimal("0.05"))
    assert "half · fresh" in ask(api, "/positions", "BTCUSDT long 0.05")
    assert stage.json("status")["telegram"]["commands"] == {"heard": True, "error": None}
    stats = ask(api, "/stats 3", "the last 3 days", GROUP)
    assert "main: net " in stats
    assert "quarter: last 1 copies: median " in stats
    code = ask(api, "/flatten", "To do it")[-6:]
    daemon.send_signal(signal.SIGTERM)  # a poll is under way
    began = time.monotonic()
    assert daemon.wait(6) == 0
    assert time.monotonic() - began < 4

    api.says(PERSON, f"/flatten {code}")
    stage.start_daemon()
    assert api.wait_for(lambda: "nothing was done" in api.texts()[-1]), api.texts()
    assert stage.size("main") == Decimal("0.1")
    code = ask(api, "/flatten", "To do it", GROUP)[-6:]
    ask(api, f"/flatten {code}", "has begun", GROUP)
    assert eventually(lambda: not stage.size("half") and not stage.size("quarter"))
    assert stage.size("main") == Decimal("0.1"), "opened by hand: not ours to close"
    written = [path for path in stage.home.rglob("*") if path.is_file()]
    assert [path.name for path in written if TOKEN.partition(":")[2].encode() in path.read_bytes()] == []
