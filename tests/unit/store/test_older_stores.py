"""Stores of every older schema open with all that was in them; those of schema 3 and 4 are dumps of real ones."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest

from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.records import StandingKind
from mirrorctl.core.store.database import Database
from mirrorctl.core.store.migrations import MIGRATIONS, migrate
from mirrorctl.core.store.sqlite import SqliteStore

DUMP, DUMP_4 = (Path(__file__).with_name(f"schema{version}.sql") for version in (3, 4))
INTENT = (
    "account, action, state, over, created_ms, updated_ms, main_order_id, main_filled, filled, by_us, code, message"
)
CANCEL = '{"action":"cancel","account":"half","symbol":"BTCUSDT","order_id":"o","link_id":"","reason":"why"}'


NEW = ("(4, ", "(5, ", "('store.marked'")
"""Rows that opening an older store adds: its migrations, and the mark beside it."""


def columns_of(database: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in database.execute(f"PRAGMA table_info({table})")]


def contents(database: sqlite3.Connection, table: str, columns: list[str]) -> list[str]:
    rows = map(repr, database.execute(f"SELECT {', '.join(columns)} FROM {table}"))
    return sorted(row for row in rows if table not in ("migration", "fact") or not row.startswith(NEW))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


def test_a_real_store_of_schema_3_keeps_all_it_had(path: Path) -> None:
    old = sqlite3.connect(path)
    old.executescript(DUMP.read_text())
    tables = [
        name for (name,) in old.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name != 'intent'")
    ]
    columns = {table: columns_of(old, table) for table in tables}
    before = {table: contents(old, table, columns[table]) for table in tables}
    intents = old.execute(f"SELECT intent_id, {INTENT}, order_id FROM intent ORDER BY intent_id").fetchall()
    old.close()
    with SqliteStore(path) as store:
        assert not store.fresh
        found = store.recent_intents(0)
        assert [(i.intent_id, i.account, i.state.value, i.created_ms, i.updated_ms) for i in found] == [
            (row[0], row[1], row[3], row[5], row[6]) for row in intents
        ]
        assert [(i.main_order_id, i.filled, i.by_us, i.code, i.message, i.order_id) for i in found] == [
            (row[7], Decimal(row[9]), bool(row[10]), *row[11:]) for row in intents
        ]
        assert [i.intent_id for i in store.open_intents()] == [row[0] for row in intents if not row[4]]
        assert store.open_intents(), "a twin rests"
        assert store.verify().fault is None
        assert store.newest_row() > max(row[0] for row in intents), "no id is given again"
        assert store.record_intent(found[0].action, 1) == store.newest_row()
        assert len(store.trades()) == len(store.standings()) == 1
        assert store.standings()[0].kind is StandingKind.PAUSE
        assert (store.fact("client.first") or "").startswith("BTCUSDT long qty 0.02")
        now = sqlite3.connect(path)
        for table in tables:
            assert contents(now, table, columns[table]) == before[table], table
        now.close()
    copy = sqlite3.connect(path.with_name("store.sqlite.v3.backup"))
    assert copy.execute(f"SELECT intent_id, {INTENT}, order_id FROM intent ORDER BY intent_id").fetchall() == intents
    copy.close()


def test_a_real_store_of_schema_4_keeps_all_it_had_and_learns_the_way_of_a_copy(path: Path) -> None:
    old = sqlite3.connect(path)
    old.executescript(DUMP_4.read_text())
    tables = [name for (name,) in old.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    columns = {table: columns_of(old, table) for table in tables}
    before = {table: contents(old, table, columns[table]) for table in tables}
    old.close()
    with SqliteStore(path, read_only=True) as reader:
        assert reader.is_migrated_copy
        assert len(reader.measured_copies()) == 3
    with SqliteStore(path) as store:
        copies = store.measured_copies()
        assert [(copy.account, copy.mirror_exec_ms > copy.main_exec_ms) for copy in copies] == [("half", True)] * 3
        assert {(c.received_ms, c.planned_ms, c.sent_ms, c.acked_ms) for c in copies} == {(None,) * 4}, "not known"
        assert (store.samples(0), store.hold_times(0), store.ended_copies(0)) == ([], [], [])
        assert store.verify().fault is None
        now = sqlite3.connect(path)
        assert {table: contents(now, table, columns[table]) for table in tables} == before
        now.close()
        store.end_cycle(("SOLUSDT", PositionSide.LONG), copies[-1].mirror_exec_ms)
        (ended,) = store.ended_copies(0)
        assert (ended.account, ended.ratio, ended.source) == ("half", Decimal("0.5"), ("SOLUSDT", PositionSide.LONG))
    assert path.with_name("store.sqlite.v4.backup").exists()


@pytest.mark.parametrize("version", [1, 2, 3])
def test_the_journal_of_every_older_schema_is_taken_over(path: Path, version: int) -> None:
    older = Database(path)
    migrate(older, MIGRATIONS[:version])
    values = "?, 'half', ?, ?, ?, 1, ?, 'main-1', '0.5', '0.25', 1, 7, 'said'"
    row = f"INSERT INTO intent (intent_id, {INTENT}) VALUES ({values})"
    for intent_id, state, updated_ms in (
        (3, IntentState.LIVE, 30),
        (5, IntentState.DONE, 10),
        (9, IntentState.ABSENT, 20),
    ):
        older.run(row, (intent_id, CANCEL, state.value, int(state.is_over), updated_ms))
    older.run("INSERT INTO fact VALUES ('uid.main', '501')")
    older.close()
    with SqliteStore(path) as store:
        found = store.recent_intents(0)
        assert [(i.intent_id, i.state, i.updated_ms) for i in found] == [
            (3, "live", 30),
            (5, "done", 10),
            (9, "absent", 20),
        ]
        assert {(i.main_order_id, i.main_filled, i.filled, i.by_us, i.code, i.message) for i in found} == {
            ("main-1", Decimal("0.5"), Decimal("0.25"), True, 7, "said")
        }
        assert store.fact("uid.main") == "501"
        assert store.record_intent(found[0].action, 40) > 9
        found_now = store.verify()
        assert (found_now.fault, found_now.rows, found_now.intents) == (None, 4, 4)
    assert path.with_name(f"store.sqlite.v{version}.backup").exists()
    with SqliteStore(path) as again:
        assert again.verify().fault is None


def test_an_empty_older_store_has_an_empty_journal(path: Path) -> None:
    older = Database(path)
    migrate(older, MIGRATIONS[:3])
    older.close()
    with SqliteStore(path) as store:
        assert (store.recent_intents(0), store.verify().fault, store.newest_row()) == ([], None, 0)
