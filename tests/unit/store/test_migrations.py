"""Migrations: each from the schema before it, with its record in the same transaction and a copy of the file first."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from mirrorctl.core.domain.cycle import Cycle
from mirrorctl.core.domain.trade import Trade
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.store.database import Database
from mirrorctl.core.store.errors import StoreError, StoreTooNew, StoreUnavailable
from mirrorctl.core.store.migrations import MIGRATIONS, Migration, migrate, schema_version
from mirrorctl.core.store.sqlite import SqliteStore

ONE = MIGRATIONS[0]
NOTED = Migration(2, "a note for each fact", ("ALTER TABLE fact ADD COLUMN note TEXT NOT NULL DEFAULT 'none'",))
BROKEN = Migration(2, "a broken step", ("CREATE TABLE extra (a)", "INSERT INTO nowhere VALUES (1)"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


def records(path: Path) -> list[tuple[int, str]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT version, name FROM migration ORDER BY version").fetchall()
    finally:
        connection.close()


def backups(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir() if "backup" in entry.name)


def test_the_steps_are_numbered_from_one_without_a_gap() -> None:
    assert [step.version for step in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


@pytest.mark.parametrize("step", MIGRATIONS, ids=lambda step: f"v{step.version}")
def test_each_step_applies_to_the_schema_before_it(path: Path, step: Migration) -> None:
    before = MIGRATIONS[: step.version - 1]
    database = Database(path)
    if before:
        migrate(database, before)
    assert schema_version(database) == step.version - 1
    assert migrate(database, MIGRATIONS[: step.version]) is (step.version == 1)
    assert schema_version(database) == step.version
    database.check()
    database.close()


def test_a_new_file_records_its_steps_and_needs_no_backup(path: Path) -> None:
    SqliteStore(path).close()
    assert records(path) == [(step.version, step.name) for step in MIGRATIONS]
    assert backups(path) == []


def test_an_older_file_is_copied_then_migrated_and_keeps_its_content(path: Path) -> None:
    first = Database(path)
    migrate(first, (ONE,))
    first.run("INSERT INTO fact VALUES ('uid.main', '1')")
    first.close()
    with SqliteStore(path, migrations=(ONE, NOTED)) as store:
        assert not store.fresh
        assert store.fact("uid.main") == "1"
    assert records(path) == [(1, ONE.name), (2, NOTED.name)]
    assert backups(path) == ["store.sqlite.v1.backup"]
    backup = path.with_name("store.sqlite.v1.backup")
    assert backup.stat().st_mode & 0o777 == 0o600
    with SqliteStore(backup, migrations=(ONE,)) as old:
        assert old.fact("uid.main") == "1"


def test_a_file_that_is_up_to_date_is_left_as_it_is(path: Path) -> None:
    for _ in range(2):
        SqliteStore(path, migrations=(ONE, NOTED)).close()
    assert backups(path) == []


def test_a_backup_left_half_written_is_replaced(path: Path) -> None:
    SqliteStore(path, migrations=(ONE,)).close()
    path.with_name("store.sqlite.v1.backup").write_text("old")
    path.with_name("store.sqlite.v1.backup.partial").write_text("half")
    SqliteStore(path, migrations=(ONE, NOTED)).close()
    assert backups(path) == ["store.sqlite.v1.backup"]
    assert records(path.with_name("store.sqlite.v1.backup")) == [(1, ONE.name)]


def test_a_step_that_fails_leaves_neither_its_tables_nor_its_record(path: Path) -> None:
    SqliteStore(path, migrations=(ONE,)).close()
    with pytest.raises(StoreUnavailable, match="it stays at 1") as caught:
        SqliteStore(path, migrations=(ONE, BROKEN))
    assert "store.sqlite.v1.backup" in caught.value.hint
    assert records(path) == [(1, ONE.name)]
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'extra'").fetchall() == []
    connection.close()
    SqliteStore(path, migrations=(ONE,)).close()


def test_the_steps_that_went_through_stay_when_a_later_one_fails(path: Path) -> None:
    SqliteStore(path, migrations=(ONE,)).close()
    third = Migration(3, "a broken step", BROKEN.statements)
    with pytest.raises(StoreUnavailable):
        SqliteStore(path, migrations=(ONE, NOTED, third))
    assert records(path) == [(1, ONE.name), (2, NOTED.name)]


def test_no_step_is_made_when_the_backup_cannot_be_written(path: Path) -> None:
    SqliteStore(path, migrations=(ONE,)).close()
    path.with_name("store.sqlite.v1.backup.partial").mkdir()
    with pytest.raises(StoreUnavailable, match="no backup"):
        SqliteStore(path, migrations=(ONE, NOTED))
    assert records(path) == [(1, ONE.name)]


@pytest.mark.parametrize("read_only", [False, True])
def test_a_newer_store_is_refused_and_not_touched(path: Path, read_only: bool) -> None:
    SqliteStore(path, migrations=(ONE, NOTED)).close()
    before = path.read_bytes()
    with pytest.raises(StoreTooNew, match="has schema 2; this version of mirrorctl knows 1") as caught:
        SqliteStore(path, read_only=read_only, migrations=(ONE,))
    assert (caught.value.exit_code, caught.value.kind) == (6, "store")
    assert "upgrade mirrorctl" in caught.value.hint
    assert str(path) in caught.value.message
    assert path.read_bytes() == before


@pytest.mark.parametrize("read_only", [False, True])
def test_an_sqlite_file_of_somebody_else_is_refused_and_not_touched(path: Path, read_only: bool) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE orders (id)")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="not a store of mirrorctl"):
        SqliteStore(path, read_only=read_only)
    assert backups(path) == []


def test_an_older_store_is_read_without_being_migrated(path: Path) -> None:
    first = Database(path)
    migrate(first, (ONE,))
    first.run("INSERT INTO fact VALUES ('uid.main', '1')")
    with SqliteStore(path, read_only=True, migrations=(ONE, NOTED)) as reader:
        assert not reader.fresh
        assert reader.fact("uid.main") == "1"
        with pytest.raises(StoreUnavailable):
            reader.end_cycle(("BTCUSDT", PositionSide.LONG), 1)
    first.close()
    assert records(path) == [(1, ONE.name)]
    assert backups(path) == []


def test_an_empty_file_is_a_store_that_was_not_made_yet(path: Path) -> None:
    path.touch()
    with SqliteStore(path, read_only=True) as reader:
        assert reader.fresh
    assert path.stat().st_size == 0
    with SqliteStore(path) as store:
        assert store.fresh


def test_a_store_of_the_first_schema_keeps_its_content_and_learns_trades(path: Path) -> None:
    first = Database(path)
    migrate(first, (ONE,))
    first.run("INSERT INTO cycle VALUES ('BTCUSDT', 'long', 'abcdefg', 'order-1', 1000, 1)")
    first.run("INSERT INTO ended_cycle VALUES (1, 'BTCUSDT', 'short', 'bcdefgh', 'order-0', 10, 1, 900)")
    first.run(
        "INSERT INTO copy VALUES ('mirror', 'BTCUSDT', 'long', 'abcdefg', '0.5', 'r = 0.5', '0.006', '0.024',"
        " 'own stop', '', 1, 0, 0)"
    )
    first.close()
    with SqliteStore(path) as store:
        cycle = Cycle("BTCUSDT", PositionSide.LONG, "abcdefg", "order-1", 1_000, opened=True)
        assert not store.fresh
        assert store.cycles() == [cycle]
        assert [ended.cycle.done for ended in store.ended_cycles(0)] == [()]
        copy = store.copies()[0]
        assert (copy.cap, copy.out, copy.done, copy.own_stop) == (Decimal("0.006"), "own stop", (), None)
        store.save_trade(Trade("BTCUSDT", PositionSide.LONG, "abcdefg", "fast", 1_000))
        store.save_cycle(replace(cycle, done=("abcdefgh",)))
    with SqliteStore(path) as again:
        assert [trade.approach for trade in again.trades()] == ["fast"]
        assert again.cycles()[0].done == ("abcdefgh",)
    assert "store.sqlite.v1.backup" in backups(path)
    with SqliteStore(path.with_name("store.sqlite.v1.backup"), read_only=True) as old:
        assert old.cycles() == [cycle]
