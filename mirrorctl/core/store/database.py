"""One SQLite connection: opened, checked, with typed errors and transactions that nest."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from mirrorctl.core.store.errors import StoreUnavailable, corrupt, place, typed, unopened

Row = tuple[Any, ...]
Parameters = Sequence[str | int | None]

# Writers never meet (one per profile, by a lock) and readers of a WAL file never block: waiting is for the moment of
# opening, and it is short because the decision thread waits here.
_BUSY_S = 1.0

# A checkpoint syncs the disk for milliseconds. SQLite's own would come in the middle of a pass every 1000 pages; ours
# are made by `checkpoint` in a quiet moment, and this many pages (32 MB) only bound the log if nobody calls it.
_CHECKPOINT_PAGES = 8000
_WAL_BYTES_KEPT = 4 * 1024 * 1024


class Database:
    """A connection for the thread that made it. `path` None is memory. Raises StoreError for all that can go wrong.

    Outside `batch`, each statement is its own transaction, durable against SIGKILL when the call returns: the page is
    in the kernel by then (WAL, synchronous=NORMAL).
    """

    def __init__(self, path: Path | None, *, read_only: bool = False) -> None:
        self.path = path
        self.read_only = read_only
        self._depth = 0
        try:
            self._connection = self._open()
        except OSError as error:
            raise unopened(self.path, error) from error
        except sqlite3.Error as error:
            self._fail(error)
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._connection.close()

    def run(self, sql: str, parameters: Parameters = ()) -> sqlite3.Cursor:
        """Execute one statement."""
        if self._depth and not self._connection.in_transaction:
            # SQLite undoes a whole transaction when the disk is full; what follows in the batch must not slip through
            # as single writes.
            raise StoreUnavailable(f"{place(self.path)}: the transaction was undone by an earlier failure")
        try:
            return self._connection.execute(sql, parameters)
        except sqlite3.Error as error:
            self._fail(error)

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Every row of a query."""
        cursor = self.run(sql, parameters)
        try:
            return cursor.fetchall()
        except sqlite3.Error as error:
            self._fail(error)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """One transaction. An inner batch that fails undoes its own part only, if the outer one goes on."""
        outermost = self._depth == 0
        if outermost:
            # The write lock is taken at once: a transaction that read first and writes later could be refused midway.
            self.run("BEGIN" if self.read_only else "BEGIN IMMEDIATE")
        else:
            self.run("SAVEPOINT inner_batch")
        self._depth += 1
        try:
            yield
            self.run("COMMIT" if outermost else "RELEASE inner_batch")
        except BaseException:
            self._undo(outermost=outermost)
            raise
        finally:
            self._depth -= 1

    def checkpoint(self) -> None:
        """Move what the log holds into the file, as far as readers allow. Blocks for a disk sync."""
        self.run("PRAGMA wal_checkpoint(PASSIVE)")

    def check(self) -> None:
        """Raise StoreCorrupt unless SQLite finds the file well formed."""
        found = self.rows("PRAGMA quick_check(1)")
        if found != [("ok",)]:
            raise corrupt(self.path, str(found[0][0]) if found else "the check gave no answer")

    def copy_to_memory(self) -> Database:
        """A private copy of the committed content, in memory."""
        copy = Database(None)
        try:
            self._connection.backup(copy._connection)
        except sqlite3.Error as error:
            copy.close()
            self._fail(error)
        return copy

    def forbid_writes(self) -> None:
        """From now on a write raises StoreUnavailable."""
        self.run("PRAGMA query_only = ON")
        self.read_only = True

    def _open(self) -> sqlite3.Connection:
        if self.path is None:
            return sqlite3.connect(":memory:", isolation_level=None)
        if not self.read_only:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch(mode=0o600)  # SQLite gives its -wal and -shm files the mode of the file
        mode = "ro" if self.read_only else "rw"
        return sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode={mode}", uri=True, timeout=_BUSY_S, isolation_level=None
        )

    def _prepare(self) -> None:
        if self.path is not None and not self.read_only:
            self.run("PRAGMA journal_mode = WAL")
            self.run("PRAGMA synchronous = NORMAL")
            self.run(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            self.run(f"PRAGMA journal_size_limit = {_WAL_BYTES_KEPT}")
        self.run("PRAGMA foreign_keys = ON")
        if self.path is not None:
            self.check()

    def _undo(self, *, outermost: bool) -> None:
        if not self._connection.in_transaction:
            return
        if outermost:
            self.run("ROLLBACK")
        else:
            self.run("ROLLBACK TO inner_batch")
            self.run("RELEASE inner_batch")

    def _fail(self, error: sqlite3.Error) -> NoReturn:
        found = typed(error, self.path)
        if found is None:
            raise error
        raise found from error
