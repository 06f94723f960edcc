"""A store that cannot be used, through the program: refused with what to do, and left as it is."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from mirrorctl.cli import main
from mirrorctl.core.profile.catalogue import find_home
from mirrorctl.core.store.sqlite import SqliteStore
from tests.cli.conftest import Program, Running


def damage(path: Path) -> None:
    path.write_bytes(b"nothing of ours" * 400)


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def of_a_newer_version(path: Path) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("INSERT INTO migration VALUES (99, 'from the future')")
    connection.close()


def of_somebody_else(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("CREATE TABLE other (a)")
    connection.close()


CASES = (
    (damage, "is damaged", "the next run rebuilds it from the exchange"),
    (cut, "is damaged", "the next run rebuilds it from the exchange"),
    (of_a_newer_version, "has schema 99; this version of mirrorctl knows", "upgrade mirrorctl"),
    (of_somebody_else, "not a store of mirrorctl", "move it away"),
)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The store of the profile `paper`, made by an earlier run."""
    monkeypatch.setenv("MIRRORCTL_HOME", str(tmp_path))
    found = find_home({"MIRRORCTL_HOME": str(tmp_path)}).store_path("paper")
    found.parent.mkdir(parents=True)
    SqliteStore(found).close()
    return found


@pytest.mark.proves("A74")
@pytest.mark.parametrize("args", [("history",), ("history", "--verify")])
@pytest.mark.parametrize(("spoil", "message", "hint"), CASES)
def test_who_only_looks_is_told(
    path: Path,
    capsys: pytest.CaptureFixture[str],
    args: tuple[str, ...],
    spoil: Callable[[Path], None],
    message: str,
    hint: str,
) -> None:
    spoil(path)
    before = path.read_bytes()
    assert main([*args, "--json"]) == 6
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["kind"], error["exit_code"]) == ("store", 6)
    assert message in error["message"]
    assert str(path) in error["message"]
    assert hint in error["hint"]
    assert path.read_bytes() == before


@pytest.mark.proves("A74", "A44")
@pytest.mark.parametrize(("spoil", "message", "hint"), [CASES[0], CASES[2]])
def test_who_would_write_refuses_and_runs_once_it_was_moved_away(
    program: Program, exchange: Running, spoil: Callable[[Path], None], message: str, hint: str
) -> None:
    assert program("trade", "open", "BTCUSDT", "long", "--qty", "0.02", "--stop", "57000").code == 0
    store = find_home({"MIRRORCTL_HOME": str(program.home)}).store_path("paper")
    held = program("positions", "--json").document["accounts"]
    spoil(store)
    before = store.read_bytes()
    done = program("run", "--once", "--json")
    assert (done.code, done.error["kind"]) == (6, "store")
    assert message in done.error["message"]
    assert hint in done.error["hint"]
    assert store.read_bytes() == before
    for left in store.parent.glob("store.sqlite*"):
        left.unlink()
    assert program("run", "--once").code == 0
    after = program("positions", "--json").document["accounts"]
    for account, was in zip(after, held, strict=True):
        assert [(row["qty"], row["stop"]) for row in account["positions"]] == [
            (row["qty"], row["stop"]) for row in was["positions"]
        ]
    verified = program("history", "--verify", "--json")
    assert (verified.code, verified.document["intact"]) == (0, True)
