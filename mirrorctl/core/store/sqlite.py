"""The durable store of one profile in one SQLite file: what the exchange cannot tell (see records.Store)."""

from __future__ import annotations

import logging
from collections.abc import Container, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

from mirrorctl.core.engine.records import Ahead, Alert, Standing, StandingKind
from mirrorctl.core.store.ahead import AheadFile
from mirrorctl.core.store.chain import Chain
from mirrorctl.core.store.codec import alert_of
from mirrorctl.core.store.errors import StoreError, StoreUnavailable
from mirrorctl.core.store.following import EndedCycle, FollowingTables
from mirrorctl.core.store.journal import JournalTable
from mirrorctl.core.store.measured import MeasuredTables
from mirrorctl.core.store.migrations import MIGRATIONS, Migration, schema_version
from mirrorctl.core.store.opening import open_copy, open_to_read, open_to_write, open_unwritable
from mirrorctl.core.store.retention import Retention

__all__ = ["EndedCycle", "SqliteStore"]


_MARKED = "store.marked"

log = logging.getLogger(__name__)


class SqliteStore(JournalTable, FollowingTables, MeasuredTables):
    """Implements `records.Store`. `path` None keeps it in memory, for the simulator.

    For one thread at a time. A writer creates or migrates the file. With `read_only` nothing is created or changed, so
    it may stand beside a running daemon: a missing file reads as a fresh store, one with an older schema as a migrated
    copy of this moment. Every failure is a StoreError; a call that raised has written nothing.
    """

    error = ""
    hint = ""
    _waits = False
    _retention = Retention()

    def __init__(
        self,
        path: Path | None,
        *,
        read_only: bool = False,
        migrations: Sequence[Migration] = MIGRATIONS,
        retention: Retention | None = None,
    ) -> None:
        opened = open_to_read(path, migrations) if read_only else open_to_write(path, migrations)
        self._path = path
        self._database, self._fresh = opened
        self._chain, self._ahead = Chain(self._database), _ahead(path)
        if self._fresh and not read_only:
            self._ahead.forget()  # a new journal ends where one before it began
        self._retention = retention or self._retention
        if schema_version(self._database) == MIGRATIONS[-1].version:
            self._read_mark()

    @classmethod
    def for_daemon(cls, path: Path) -> Self:
        """A writer; where an older file can be read and not written, a copy in memory with `error` set.

        Then nothing may be written before `keep_file` went through: it opens the file itself.
        """
        try:
            return cls(path)
        except StoreUnavailable as error:
            if not path.is_file() or not path.stat().st_size:
                raise
            store = cls.__new__(cls)
            store._database, store._fresh = open_unwritable(path, MIGRATIONS), False
            store._chain, store._path, store._ahead = Chain(store._database), path, _ahead(path)
            store.error, store.hint = error.message, error.hint
            store._waits = store._is_mark_gone()
            return store

    @classmethod
    def scratch(cls, path: Path) -> Self:
        """A private copy of the store in memory, of this moment: for a rehearsal. The file is never changed."""
        store = cls.__new__(cls)
        ahead = _ahead(path)
        left = ahead.content()  # first: what is written down meanwhile is not taken up twice
        store._database, store._fresh = open_copy(path, MIGRATIONS)
        store._chain, store._path = Chain(store._database), None
        store._ahead = AheadFile(None, b"" if store._fresh else left, ahead.source)
        return store

    def snapshot(self) -> Self:
        """A private copy in memory, of this moment: for a rehearsal beside whoever writes this one."""
        store = type(self).__new__(type(self))
        store._database, store._fresh = self._database.copy_to_memory(), self._fresh
        store._chain, store._path = Chain(store._database), None
        store._ahead = AheadFile(None, self._ahead.content(), self._ahead.source)
        store._retention = self._retention
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Safe to call twice; every other call after it is an error."""
        self._database.close()
        self._ahead.close()

    @property
    def fresh(self) -> bool:
        """True when this open made the schema: nothing is known of what came before.

        It says nothing about a process that died right after: what must survive that is a fact.
        """
        return self._fresh

    @property
    def is_migrated_copy(self) -> bool:
        """True for a reader whose file has an older schema: what it reads was brought up to date for it alone."""
        return self._path is not None and self._database.path is None and not self._fresh

    def batch(self) -> AbstractContextManager[None]:
        """One transaction around several calls; an exception undoes them all. Nests."""
        return self._database.batch()

    def record_ahead(self, rows: list[Ahead]) -> bool:
        """See records.StoreFile."""
        return self._ahead.add(self._chain.tip(), rows)

    def left_ahead(self) -> list[Ahead]:
        """See records.StoreFile."""
        return self._ahead.left(self._chain.tip())

    # --- standing orders of the trader ----------------------------------------------------------------------------

    def standings(self) -> list[Standing]:
        """Every pause and parked symbol, oldest first."""
        sql = "SELECT kind, account, symbol, reason, since_ms FROM standing ORDER BY since_ms, kind, account, symbol"
        return self._read(sql, (), lambda row: Standing(StandingKind(row[0]), *row[1:]))

    def save_standing(self, standing: Standing) -> None:
        self._database.run(
            "INSERT OR REPLACE INTO standing (kind, account, symbol, reason, since_ms) VALUES (?, ?, ?, ?, ?)",
            (standing.kind, standing.account, standing.symbol, standing.reason, standing.since_ms),
        )

    def drop_standing(self, kind: StandingKind, account: str, symbol: str) -> None:
        self._database.run(
            "DELETE FROM standing WHERE kind = ? AND account = ? AND symbol = ?", (kind, account, symbol)
        )

    # --- the outbox -----------------------------------------------------------------------------------------------

    def add_alert(self, alert: Alert) -> bool:
        """Put it in the outbox; False when its key is there already."""
        cursor = self._database.run(
            "INSERT INTO alert (key, at_ms, severity, kind, account, symbol, text) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (key) DO NOTHING",
            (alert.key, alert.at_ms, alert.severity, alert.kind, alert.account, alert.symbol, alert.text),
        )
        return cursor.rowcount == 1

    def has_alert(self, key: str) -> bool:
        """Whether the outbox has, or had, an alert with this key; not once it was pruned."""
        return bool(self._database.rows("SELECT 1 FROM alert WHERE key = ?", (key,)))

    def alerts(self, limit: int) -> list[Alert]:
        """The newest alerts, newest first."""
        return self._read(f"{_ALERT} ORDER BY id DESC LIMIT ?", (max(limit, 0),), alert_of)

    def undelivered(self) -> list[Alert]:
        """The alerts that no channel has delivered, in the order in which they were added (A69)."""
        return self._read(f"{_ALERT} WHERE delivered_ms IS NULL ORDER BY id", (), alert_of)

    def mark_delivered(self, key: str, at_ms: int) -> None:
        """A channel delivered the alert, or (0) none was to deliver it. The first mark counts; an unknown key is
        nobody's."""
        self._database.run("UPDATE alert SET delivered_ms = ? WHERE key = ? AND delivered_ms IS NULL", (at_ms, key))

    # --- upkeep ------------------------------------------------------------------------------------------------------

    def prune(self, before_ms: int, now_ms: int, keep: Container[int] = ()) -> int:
        """Delete what is older: intents that are over and not in `keep` (see journal.py), alerts (delivered or not),
        ended cycles and their copies, measured copies, closed positions, samples, naked times and holds that ended,
        client ids. And what is more than
        the retention allows of a kind, whatever its age. Returns the number of rows.

        Open intents, open cycles and copies, trades, open positions, standings and other facts stay. Their space in
        the file is used again; the file does not shrink.
        """
        with self._database.batch():
            gone = self.prune_journal(before_ms, now_ms, keep)
            gone += sum(self._database.run(sql, (before_ms,)).rowcount for sql in _PRUNE)
            gone += self._database.run(_PRUNE_ALERTS, (self._retention.alerts,)).rowcount
            gone += self._database.run(_PRUNE_SAMPLES, (self._retention.samples,)).rowcount
            return gone + sum(self._database.run(sql, (self._retention.rows,)).rowcount for sql in _PRUNE_MOST)

    def _open_late(self, path: Path) -> None:
        database, _ = open_to_write(path, MIGRATIONS)
        self._database.close()
        self._database, self._chain = database, Chain(database)
        self.error = self.hint = ""

    @property
    def was_waiting(self) -> bool:
        """Whether writes were lost with the process before this one, as far as a missing mark can tell."""
        return self._waits

    def note_waiting(self, waiting: bool) -> None:
        """Note beside the file that writes wait in memory, or that none does: a kill must not make them forgotten.

        The mark is a file that is there while all is written down: taking it away works on a full disk.
        """
        self._waits = waiting
        if self._path is None or self._database.read_only:
            return
        mark = _mark(self._path)
        try:
            if waiting:
                mark.unlink(missing_ok=True)
            else:
                mark.touch(mode=0o600)
                if not self.error and self.fact(_MARKED) is None:
                    self.set_fact(_MARKED, "1")
        except (OSError, StoreError) as error:
            log.warning("%s: %s; a kill now may make the next start forget or hold back something", mark, error)

    def _read_mark(self) -> None:
        if self._path is None or self._database.read_only or self._database.path is None:
            return
        self._waits = self._is_mark_gone()
        if not self._waits:
            self.note_waiting(False)

    def _is_mark_gone(self) -> bool:
        """Whether the mark was there once and is not now."""
        return self.fact(_MARKED) is not None and self._path is not None and not _mark(self._path).exists()

    def keep_file(self) -> str:
        """Write the file anew where it is not the one that was opened any more. Returns what was found, "" for nothing.

        A deleted file lives on for who holds it open, with all that was written since: nothing is lost as long as this
        process lives. What stands in its place is put aside as FILE.replaced. Cheap while all is as it was.
        """
        if self.error and self._path is not None:
            self._open_late(self._path)
            return ""
        self._ahead.keep()
        found = self._database.lost_file()
        if found:
            self._database.write_anew()
            self.note_waiting(self._waits)
        return found

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file: a few ms of disk. For a quiet moment, every minute or so."""
        self._database.checkpoint()


def _ahead(path: Path | None) -> AheadFile:
    return AheadFile(None if path is None else path.with_name(f"{path.name}.ahead"))


def _mark(path: Path) -> Path:
    """The file that is there while everything is written down."""
    return path.with_name(f"{path.name}.whole")


_ALERT = "SELECT key, at_ms, severity, kind, account, symbol, text FROM alert"
_PRUNE = (
    "DELETE FROM alert WHERE at_ms < ?",
    "DELETE FROM ended_cycle WHERE ended_ms < ?",
    "DELETE FROM measured_copy WHERE mirror_exec_ms < ?",
    "DELETE FROM closed_position WHERE closed_ms < ?",
    "DELETE FROM naked_time WHERE ended = 1 AND from_ms < ?",
    "DELETE FROM equity WHERE at_ms < ?",
    "DELETE FROM hold_time WHERE from_ms < ? AND until_ms IS NOT NULL",
    "DELETE FROM ended_copy WHERE ended_ms < ?",
    "DELETE FROM fact WHERE at_ms BETWEEN 1 AND ? - 1",
)
_PRUNE_SAMPLES = "DELETE FROM equity WHERE id <= (SELECT max(id) FROM equity) - ?"
_PRUNE_ALERTS = "DELETE FROM alert WHERE id <= (SELECT max(id) FROM alert) - ?"
_PRUNE_MOST = (
    "DELETE FROM ended_cycle WHERE id <= (SELECT max(id) FROM ended_cycle) - ?",
    "DELETE FROM measured_copy WHERE id <= (SELECT max(id) FROM measured_copy) - ?",
    "DELETE FROM closed_position WHERE id <= (SELECT max(id) FROM closed_position) - ?",
    "DELETE FROM ended_copy WHERE id <= (SELECT max(id) FROM ended_copy) - ?",
    "DELETE FROM hold_time WHERE until_ms IS NOT NULL AND from_ms < (SELECT from_ms FROM hold_time"
    " ORDER BY from_ms DESC LIMIT 1 OFFSET ?)",
    "DELETE FROM naked_time WHERE ended = 1 AND from_ms < (SELECT from_ms FROM naked_time ORDER BY from_ms DESC"
    " LIMIT 1 OFFSET ?)",
)
