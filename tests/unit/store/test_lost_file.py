"""The file of a store that is taken away while it is in use: found, written anew, and nothing is lost."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mirrorctl.core.domain.actions import CancelOrder
from mirrorctl.core.store.sqlite import SqliteStore

CANCEL = CancelOrder("mirror", "BTCUSDT", "order-9", "", "main cancelled it")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "paper" / "store.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """One that was moved into its file once, and has newer rows in its log."""
    with SqliteStore(path) as opened:
        opened.record_intent(CANCEL, 1)
        opened.checkpoint()
        opened.record_intent(CANCEL, 2)
        opened.set_fact("a", "1")
        yield opened


def delete_all(path: Path) -> None:
    for left in path.parent.iterdir():
        left.unlink()


def delete_file(path: Path) -> None:
    path.unlink()


def delete_log(path: Path) -> None:
    path.with_name("store.sqlite-wal").unlink()


def delete_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def replace_by_another(path: Path) -> None:
    delete_all(path)
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("CREATE TABLE other (a)")
    connection.close()


def replace_by_nonsense(path: Path) -> None:
    path.unlink()
    path.write_bytes(b"nothing of ours" * 400)


@pytest.mark.proves("A44")
@pytest.mark.parametrize(
    "gone", [delete_all, delete_file, delete_log, delete_folder, replace_by_another, replace_by_nonsense]
)
def test_what_was_taken_away_is_written_anew(store: SqliteStore, path: Path, gone: Callable[[Path], None]) -> None:
    assert store.keep_file() == ""
    gone(path)
    store.record_intent(CANCEL, 3)  # before anybody looked
    assert "while it was in use" in store.keep_file()
    assert store.keep_file() == ""
    store.record_intent(CANCEL, 4)
    assert path.stat().st_mode & 0o777 == 0o600
    with SqliteStore(path, read_only=True) as reader:
        assert [intent.created_ms for intent in reader.open_intents()] == [1, 2, 3, 4]
        assert reader.fact("a") == "1"
        assert reader.verify().fault is None
    store.close()
    with SqliteStore(path) as again:
        assert (again.fresh, again.was_waiting) == (False, False)
        assert len(again.open_intents()) == 4
    assert not path.with_name("store.sqlite.anew").exists()


def test_what_stood_in_its_place_is_put_aside(store: SqliteStore, path: Path) -> None:
    replace_by_nonsense(path)
    assert "was replaced" in store.keep_file()
    assert path.with_name("store.sqlite.replaced").read_bytes().startswith(b"nothing of ours")


def test_a_file_in_use_that_is_only_read_is_left_alone(store: SqliteStore, path: Path) -> None:
    with SqliteStore(path, read_only=True) as reader, SqliteStore(None) as memory:
        path.unlink()
        assert reader.keep_file() == memory.keep_file() == ""
        assert not path.exists()
