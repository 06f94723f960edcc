"""What the doctor says of the machine: daemon, store, disk, and the address it sends from."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

import mirrorctl
from mirrorctl.bootstrap import doctor_machine
from mirrorctl.bootstrap.accounts import silence_of
from mirrorctl.bootstrap.examined import read_store
from mirrorctl.core.bybit.environments import Endpoints
from mirrorctl.core.domain.account import Position
from mirrorctl.core.domain.account_checks import Check, State
from mirrorctl.core.domain.actions import CancelOrder
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.engine.command_socket import CommandRequest, CommandServer
from mirrorctl.core.profile.catalogue import Home, find_home
from mirrorctl.core.profile.load import load_profile
from mirrorctl.core.profile.model import Profile
from mirrorctl.core.store.locks import Holder, LockDirectory
from mirrorctl.core.store.sqlite import SqliteStore
from tests.bot_api import PERSON, TOKEN, BotApi

NOWHERE = Endpoints("http://127.0.0.1:1", "ws://127.0.0.1:1/v5/private", "ws://127.0.0.1:1/v5/public/linear")
HOLDER = Holder(pid=77, profile="paper", command="run", since="2026-01-02T03:04:05.000Z", version=mirrorctl.__version__)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home in which nothing was ever started."""
    return find_home({"MIRRORCTL_HOME": str(tmp_path)})


@pytest.fixture
def profile(home: Home) -> Profile:
    """The shipped profile `paper`."""
    return load_profile("paper", {}, home)


def look(profile: Profile, home: Home) -> dict[str, Check]:
    found = doctor_machine.checks(profile, home, NOWHERE, read_store(profile, home))
    return {check.check: check for check in found}


@contextmanager
def serving(home: Home, holder: Holder) -> Iterator[None]:
    """A daemon's lock and socket, that answers every command with nothing."""

    def answer(request: CommandRequest) -> None:
        if request.claim():
            request.reply({})

    server = CommandServer(home.state_root / "d.sock", answer)
    home.state_root.mkdir(parents=True, exist_ok=True)
    server.start()
    try:
        with LockDirectory(home.locks_dir).lock_profile(
            "paper", msgspec.structs.replace(holder, socket=str(server.path))
        ):
            yield
    finally:
        server.close()


def test_no_daemon_matters_where_positions_stand(profile: Profile, home: Home) -> None:
    flat, holding = AccountView("main"), AccountView("mirror")
    found = doctor_machine.daemon(profile, home, [flat, holding])
    assert (found.state, found.hint) == (State.NOTE, "")
    row = Position("BTCUSDT", 0, PositionSide.LONG, Decimal(1), seq=1, updated_ms=1)
    holding.apply_position(row, 0, read=True)
    found = doctor_machine.daemon(profile, home, [flat, holding])
    assert (found.state, found.hint) == (State.WARNING, "start it: `mirrorctl run -p paper`")
    assert "1 position stands: nobody follows main" in found.text


def test_a_daemon_that_answers_one_of_another_version_and_one_that_is_gone(profile: Profile, home: Home) -> None:
    with serving(home, HOLDER):
        found = doctor_machine.daemon(profile, home, [])
        assert (found.state, found.text.startswith("`mirrorctl run`, process 77, answers after")) == (State.OK, True)
    with serving(home, msgspec.structs.replace(HOLDER, version="0.0.1")):
        found = doctor_machine.daemon(profile, home, [])
        assert (found.state, "is version 0.0.1, this is" in found.text) == (State.WARNING, True)
    with LockDirectory(home.locks_dir).lock_profile(
        "paper", msgspec.structs.replace(HOLDER, socket=str(home.state_root / "gone"))
    ):
        found = doctor_machine.daemon(profile, home, [])
        assert (found.state, "does not answer" in found.text) == (State.ERROR, True)
        assert str(home.log_path("paper")) in found.hint
    with LockDirectory(home.locks_dir).lock_profile("paper", HOLDER):
        assert doctor_machine.daemon(profile, home, []).state is State.NOTE, "it starts, or is another command"


def test_a_store_that_is_not_there_sound_changed_or_damaged(profile: Profile, home: Home) -> None:
    path = home.store_path("paper")
    assert (look(profile, home)["store"].state, path.exists()) == (State.NOTE, False)
    path.parent.mkdir(parents=True)
    with SqliteStore(path) as store:
        store.record_intent(CancelOrder("mirror", "BTCUSDT", "order", "", "main's order is gone"), 5)
    found = look(profile, home)["store"]
    assert (found.state, "sound, journal of 1 rows intact" in found.text) == (State.OK, True)
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE journal SET at_ms = 6")
    found = look(profile, home)["store"]
    assert (found.state, "--verify" in found.hint) == (State.WARNING, True)
    path.write_bytes(b"this is no database" * 300)
    found = look(profile, home)["store"]
    assert (found.state, "is damaged" in found.text, bool(found.hint)) == (State.ERROR, True, True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_that_may_not_be_written(profile: Profile, home: Home) -> None:
    path = home.store_path("paper")
    path.parent.mkdir(parents=True)
    SqliteStore(path).close()
    path.chmod(0o400)
    found = look(profile, home)["store"]
    assert (found.state, found.text) == (State.ERROR, f"{path} is not writable")


def test_an_address_that_the_exchange_wants_silent(profile: Profile, home: Home) -> None:
    assert look(profile, home)["address"].state is State.OK
    silence_of(NOWHERE, home).begin(time.monotonic(), 120)
    found = look(profile, home)["address"]
    assert (found.state, "HTTP 403" in found.text) == (State.ERROR, True)


@pytest.mark.proves("A70")
def test_telegram_is_asked_for_its_bot_and_chat(profile: Profile, home: Home) -> None:
    assert look(profile, home)["telegram"].state is State.NOTE, "it is off"

    def asked(token: str, chat_id: int) -> Check:
        settings = replace(profile.telegram, enabled=True, api_base=api.url, chat_id=chat_id, token_env="BOT")
        return look(replace(profile, telegram=settings, environ={"BOT": token}), home)["telegram"]

    with BotApi() as api:
        assert (asked(TOKEN, PERSON).state, TOKEN in asked(TOKEN, PERSON).text) == (State.OK, False)
        for wrong in (asked("", PERSON), asked("123:wrongwrong", PERSON), asked(TOKEN, 4711)):
            assert (wrong.state, bool(wrong.hint)) == (State.ERROR, True)
    gone = asked(TOKEN, PERSON)
    assert (gone.state, "alerts wait" in gone.text) == (State.WARNING, True)
    assert TOKEN not in f"{gone.text} {gone.hint}"


def test_the_disk_is_told_with_what_is_left(profile: Profile, home: Home) -> None:
    found = look(profile, home)["disk"]
    assert found.text.endswith(f"are left on the disk of {home.state_root.parent}")
