"""The schema as numbered steps. A step and its record share one transaction; a step that was released never changes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mirrorctl.core.store.chain import begin
from mirrorctl.core.store.database import Database
from mirrorctl.core.store.errors import StoreError, StoreTooNew, StoreUnavailable, place


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: from schema `version - 1` to `version`. `fill` is what no statement can do, in the same transaction."""

    version: int
    name: str
    statements: tuple[str, ...]
    fill: Callable[[Database], None] | None = None


# Prices, quantities and ratios are decimal text, times are milliseconds since the epoch, flags are 0 or 1.
MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        1,
        "first schema",
        (
            "CREATE TABLE fact (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
            """CREATE TABLE cycle (
                symbol TEXT NOT NULL, side TEXT NOT NULL, tag TEXT NOT NULL, origin TEXT NOT NULL,
                started_ms INTEGER NOT NULL, opened INTEGER NOT NULL,
                PRIMARY KEY (symbol, side)
            ) WITHOUT ROWID""",
            """CREATE TABLE ended_cycle (
                id INTEGER PRIMARY KEY,
                symbol TEXT NOT NULL, side TEXT NOT NULL, tag TEXT NOT NULL, origin TEXT NOT NULL,
                started_ms INTEGER NOT NULL, opened INTEGER NOT NULL, ended_ms INTEGER NOT NULL
            )""",
            "CREATE INDEX ended_cycle_by_time ON ended_cycle (ended_ms)",
            """CREATE TABLE copy (
                account TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, tag TEXT NOT NULL,
                ratio TEXT NOT NULL, formula TEXT NOT NULL, cap TEXT, main_size TEXT NOT NULL,
                out TEXT NOT NULL, held TEXT NOT NULL, opened INTEGER NOT NULL, ended INTEGER NOT NULL,
                explained INTEGER NOT NULL,
                PRIMARY KEY (account, symbol, side)
            ) WITHOUT ROWID""",
            # The journal is written on the way to the exchange: each further index, and AUTOINCREMENT, would be one
            # more page in the log for every intent. `prune` keeps the newest row instead, so no id is given twice.
            """CREATE TABLE intent (
                intent_id INTEGER PRIMARY KEY,
                account TEXT NOT NULL, action TEXT NOT NULL, state TEXT NOT NULL, over INTEGER NOT NULL,
                created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,
                main_order_id TEXT NOT NULL, main_filled TEXT, filled TEXT NOT NULL,
                by_us INTEGER NOT NULL, code INTEGER NOT NULL, message TEXT NOT NULL
            )""",
            "CREATE INDEX intent_open ON intent (intent_id) WHERE over = 0",
            """CREATE TABLE standing (
                kind TEXT NOT NULL, account TEXT NOT NULL, symbol TEXT NOT NULL,
                reason TEXT NOT NULL, since_ms INTEGER NOT NULL,
                PRIMARY KEY (kind, account, symbol)
            ) WITHOUT ROWID""",
            """CREATE TABLE alert (
                id INTEGER PRIMARY KEY,
                key TEXT NOT NULL UNIQUE, at_ms INTEGER NOT NULL, severity TEXT NOT NULL, kind TEXT NOT NULL,
                account TEXT NOT NULL, symbol TEXT NOT NULL, text TEXT NOT NULL, delivered_ms INTEGER
            )""",
            "CREATE INDEX alert_undelivered ON alert (id) WHERE delivered_ms IS NULL",
            "CREATE INDEX alert_by_time ON alert (at_ms)",
            """CREATE TABLE measured_copy (
                id INTEGER PRIMARY KEY,
                account TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, link_id TEXT NOT NULL,
                main_exec_ms INTEGER NOT NULL, mirror_exec_ms INTEGER NOT NULL, slippage_bps TEXT,
                UNIQUE (account, link_id)
            )""",
            "CREATE INDEX measured_copy_by_time ON measured_copy (mirror_exec_ms)",
        ),
    ),
    # `done` holds keys of rungs, one blank between two. A trade is one JSON document: nothing searches inside it.
    Migration(
        2,
        "trades, done rungs, open and closed positions, naked times",
        (
            "ALTER TABLE cycle ADD COLUMN done TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE ended_cycle ADD COLUMN done TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE copy ADD COLUMN done TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE copy ADD COLUMN own_stop TEXT",
            "ALTER TABLE copy ADD COLUMN skipped TEXT NOT NULL DEFAULT '0'",
            "ALTER TABLE copy ADD COLUMN raised TEXT NOT NULL DEFAULT '0'",
            "ALTER TABLE copy ADD COLUMN counted TEXT NOT NULL DEFAULT ''",
            """CREATE TABLE trade (
                symbol TEXT NOT NULL, side TEXT NOT NULL, created_ms INTEGER NOT NULL, document TEXT NOT NULL,
                PRIMARY KEY (symbol, side)
            ) WITHOUT ROWID""",
            """CREATE TABLE open_position (
                account TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, tag TEXT NOT NULL,
                approach TEXT NOT NULL, opened_ms INTEGER NOT NULL,
                PRIMARY KEY (account, symbol, side)
            ) WITHOUT ROWID""",
            """CREATE TABLE closed_position (
                id INTEGER PRIMARY KEY,
                account TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, tag TEXT NOT NULL,
                reason TEXT NOT NULL, opened_ms INTEGER NOT NULL, closed_ms INTEGER NOT NULL, late INTEGER NOT NULL,
                approach TEXT NOT NULL,
                UNIQUE (account, symbol, side, tag, closed_ms)
            )""",
            "CREATE INDEX closed_position_by_time ON closed_position (closed_ms)",
            """CREATE TABLE naked_time (
                account TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, from_ms INTEGER NOT NULL,
                ms INTEGER NOT NULL, ended INTEGER NOT NULL,
                PRIMARY KEY (account, symbol, side, from_ms)
            ) WITHOUT ROWID""",
            "CREATE INDEX naked_time_by_time ON naked_time (from_ms)",
        ),
    ),
    Migration(
        3,
        "what sizes a copy, which cycle it follows, and the order of an intent",
        (
            "ALTER TABLE copy ADD COLUMN unsized TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE copy ADD COLUMN value TEXT",
            "ALTER TABLE copy ADD COLUMN follows TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE copy ADD COLUMN own_target TEXT",
            "ALTER TABLE copy ADD COLUMN spared TEXT NOT NULL DEFAULT '0'",
            "ALTER TABLE copy ADD COLUMN ladder TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE intent ADD COLUMN order_id TEXT NOT NULL DEFAULT ''",
        ),
    ),
    # See chain.py. `at_ms` of a fact is kept where it is to be forgotten one day.
    Migration(
        4,
        "a journal that is only added to, in a hash chain",
        (
            # A row for every write of an intent: the first holds what it is, the later ones what became of it.
            """CREATE TABLE journal (
                seq INTEGER PRIMARY KEY,
                intent_id INTEGER NOT NULL, at_ms INTEGER NOT NULL,
                account TEXT, action TEXT, created_ms INTEGER, main_order_id TEXT, main_filled TEXT,
                state TEXT NOT NULL, updated_ms INTEGER NOT NULL, filled TEXT NOT NULL, by_us INTEGER NOT NULL,
                code INTEGER NOT NULL, message TEXT NOT NULL, order_id TEXT NOT NULL,
                hash BLOB NOT NULL
            )""",
            """CREATE TABLE chain (
                id INTEGER PRIMARY KEY CHECK (id = 1),
                head INTEGER NOT NULL, head_hash BLOB NOT NULL, anchor INTEGER NOT NULL, anchor_hash BLOB NOT NULL
            )""",
            "INSERT INTO chain VALUES (1, 0, zeroblob(32), 0, zeroblob(32))",
            "ALTER TABLE fact ADD COLUMN at_ms INTEGER NOT NULL DEFAULT 0",
        ),
        begin,
    ),
    # A moment that is not known is NULL. `ended_copy` is what a copy was when its cycle ended on main.
    Migration(
        5,
        "the way of a copy, samples of equity, times of holds, copies of ended cycles",
        (
            "ALTER TABLE measured_copy ADD COLUMN received_ms INTEGER",
            "ALTER TABLE measured_copy ADD COLUMN planned_ms INTEGER",
            "ALTER TABLE measured_copy ADD COLUMN sent_ms INTEGER",
            "ALTER TABLE measured_copy ADD COLUMN acked_ms INTEGER",
            """CREATE TABLE equity (
                id INTEGER PRIMARY KEY,
                account TEXT NOT NULL, at_ms INTEGER NOT NULL,
                equity TEXT, ideal TEXT, want TEXT, have TEXT
            )""",
            "CREATE INDEX equity_by_time ON equity (at_ms)",
            """CREATE TABLE hold_time (
                account TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, from_ms INTEGER NOT NULL,
                reason TEXT NOT NULL, until_ms INTEGER,
                PRIMARY KEY (account, symbol, side, from_ms)
            ) WITHOUT ROWID""",
            "CREATE INDEX hold_time_by_time ON hold_time (from_ms)",
            """CREATE TABLE ended_copy (
                id INTEGER PRIMARY KEY,
                account TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, tag TEXT NOT NULL,
                main_symbol TEXT NOT NULL, main_side TEXT NOT NULL,
                started_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL,
                ratio TEXT NOT NULL, formula TEXT NOT NULL, unsized TEXT NOT NULL, out TEXT NOT NULL,
                held TEXT NOT NULL, multiplier TEXT
            )""",
            "CREATE INDEX ended_copy_by_time ON ended_copy (ended_ms)",
        ),
    ),
)

_RECORDS = "CREATE TABLE IF NOT EXISTS migration (version INTEGER PRIMARY KEY, name TEXT NOT NULL)"


def schema_version(database: Database) -> int:
    """The last step that was applied; 0 for an empty file. Raises StoreError for a file of somebody else."""
    tables = {name for (name,) in database.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "migration" in tables:
        return int(database.rows("SELECT coalesce(max(version), 0) FROM migration")[0][0])
    if tables:
        raise StoreError(
            f"{database.path} is an SQLite file, but not a store of mirrorctl",
            hint="move it away, or choose another state folder",
        )
    return 0


def refuse_newer(database: Database, version: int, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Raise StoreTooNew when the file knows more steps than we do: reading it could only guess."""
    known = migrations[-1].version
    if version > known:
        raise StoreTooNew(
            f"{place(database.path)} has schema {version}; this version of mirrorctl knows {known}",
            hint="upgrade mirrorctl, or move the file away: the next run rebuilds it from the exchange",
        )


def migrate(database: Database, migrations: Sequence[Migration] = MIGRATIONS) -> bool:
    """Bring the schema up to date; True when it was created now. A file with content is copied beside itself first."""
    found = schema_version(database)
    refuse_newer(database, found, migrations)
    pending = [migration for migration in migrations if migration.version > found]
    if not pending:
        return False
    saved = backup(database, found) if found and database.path is not None else None
    for migration in pending:
        _apply(database, migration, saved)
    return found == 0


def backup(database: Database, version: int) -> Path:
    """A whole copy of the file as FILE.v<version>.backup beside it, synced to the disk. Replaces an older one."""
    if database.path is None:
        raise ValueError("a store in memory has no file to copy")
    target = database.path.with_name(f"{database.path.name}.v{version}.backup")
    partial = target.with_name(f"{target.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600)
        database.run("VACUUM INTO ?", (str(partial),))
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(target)
    except OSError as error:
        raise StoreUnavailable(
            f"no backup of {place(database.path)} could be written to {target}: {error.strerror or error}",
            hint="free space beside the file and make its folder writable; nothing was changed",
        ) from error
    return target


def _apply(database: Database, migration: Migration, saved: Path | None) -> None:
    try:
        with database.batch():
            database.run(_RECORDS)
            for statement in migration.statements:
                database.run(statement)
            if migration.fill is not None:
                migration.fill(database)
            database.run("INSERT INTO migration (version, name) VALUES (?, ?)", (migration.version, migration.name))
    except StoreUnavailable as error:
        raise StoreUnavailable(
            f"{error.message} (schema step {migration.version}, {migration.name}; it stays at {migration.version - 1})",
            hint=error.hint + (f"; a copy from before is {saved}" if saved else ""),
        ) from error
