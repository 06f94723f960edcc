"""One SQLite connection: opened, checked, with typed errors and transactions that nest."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NoReturn

from mirrorctl.core.domain.blocks import Block
from mirrorctl.core.store.errors import StoreUnavailable, corrupt, place, typed, unopened

Row = tuple[Any, ...]
_Identity = tuple[int, int] | None
Column = str | int | None
Parameters = Sequence[Column | bytes]

# Writers never meet (one per profile, by a lock) and readers of a WAL file never block: waiting is for the moment of
# opening, and it is short because the decision thread waits here.
_BUSY_S = 1.0
_BUSY_WRITING_MS = 50

# A checkpoint syncs the disk for milliseconds. SQLite's own would come in the middle of a pass every 1000 pages; ours
# are made by `checkpoint` in a quiet moment, and this many pages (32 MB) only bound the log if nobody calls it.
_CHECKPOINT_PAGES = 8000
_ROOM = "see that the disk that holds it has room and lets it be written; the log says what failed first"
_WAL_BYTES_KEPT = 4 * 1024 * 1024


class Database:
    """A connection for one thread at a time. `path` None is memory. Raises StoreError for all that can go wrong.

    Outside `batch`, each statement is its own transaction, durable against SIGKILL when the call returns: the page is
    in the kernel by then (WAL, synchronous=NORMAL). `undone` counts what failed: what was remembered of the content
    from before may not be so. `before_commit` has the last word in each transaction.
    """

    def __init__(self, path: Path | None, *, read_only: bool = False) -> None:
        self.path = path
        self.read_only = read_only
        self.undone = 0
        self.before_commit: Callable[[], None] = _nothing
        self._closed = False
        self._identities: tuple[_Identity, _Identity] = (None, None)
        self._depth = 0
        self._batches = Block(self._begin, self._end)
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

    @classmethod
    def copy_of_unwritable(cls, path: Path) -> Database:
        """A private copy, in memory, of a file beside which nothing can be made; nobody else may have it open now.

        Held alone, a file in WAL mode is read, its log too, without the shared memory that a full disk has no room for.
        """
        copy = cls(None)
        try:
            alone = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=_BUSY_S)
            try:
                alone.execute("PRAGMA locking_mode = EXCLUSIVE")
                alone.backup(copy._connection)
            finally:
                alone.close()
        except sqlite3.Error as error:
            copy.close()
            raise typed(error, path) or error from error
        return copy

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._connection.close()

    def run(self, sql: str, parameters: Parameters = ()) -> sqlite3.Cursor:
        """Execute one statement."""
        if self._closed:
            raise StoreUnavailable(f"{place(self.path)} could not be opened again", _ROOM)
        if self._depth and not self._connection.in_transaction:
            # SQLite undoes a whole transaction when the disk is full; what follows in the batch must not slip through
            # as single writes.
            raise StoreUnavailable(f"{place(self.path)}: the transaction was undone by an earlier failure", _ROOM)
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

    def stream(self, sql: str, parameters: Parameters = ()) -> Iterator[Row]:
        """The rows of a query one by one, for one that may be left before its end."""
        cursor = self.run(sql, parameters)
        try:
            yield from cursor
        except sqlite3.Error as error:
            self._fail(error)
        finally:
            cursor.close()

    def batch(self) -> AbstractContextManager[None]:
        """One transaction. An inner batch that fails undoes its own part only, if the outer one goes on."""
        return self._batches

    def together(self) -> AbstractContextManager[None]:
        """A transaction around a few statements; within a batch they are a part of it, and fail only with all of it."""
        return nullcontext() if self._depth else self._batches

    def checkpoint(self) -> None:
        """Move what the log holds into the file, as far as readers allow. Blocks for a disk sync."""
        self.run("PRAGMA wal_checkpoint(PASSIVE)")

    def check(self) -> None:
        """Raise StoreCorrupt unless SQLite finds the file well formed."""
        found = self.rows("PRAGMA quick_check(1)")
        if found != [("ok",)]:
            raise corrupt(self.path, str(found[0][0]) if found else "the check gave no answer")

    def lost_file(self) -> str:
        """What became of the file since it was opened: "" while it is where it was, its log too."""
        if self.path is None or self.read_only:
            return ""
        if self._closed:
            return "could not be opened again"
        found = _identities(self.path)
        if self._identities[1] is None:  # the log comes with the first write
            self._identities = (self._identities[0], found[1])
        for name, before, now in zip((self.path.name, f"{self.path.name}-wal"), self._identities, found, strict=True):
            if now != before:
                return f"{name} was {'deleted' if now is None else 'replaced'} while it was in use"
        return ""

    def write_anew(self) -> None:
        """Write all that this connection sees into a new file in the place of the old one, and go on with that."""
        if self.path is None:
            raise ValueError("a store in memory has no file")
        draft = self.path.with_name(f"{self.path.name}.anew")
        try:
            if not self._closed:
                draft.unlink(missing_ok=True)
                self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                draft.touch(mode=0o600)
                self.run("VACUUM INTO ?", (str(draft),))
                with draft.open("rb") as written:
                    os.fsync(written.fileno())
                self._closed = True
                self.close()  # before anything stands in its place: it clears the log away by its name
            if draft.exists():
                for left in ("-wal", "-shm"):
                    self.path.with_name(self.path.name + left).unlink(missing_ok=True)
                if self.path.exists():
                    self.path.replace(self.path.with_name(f"{self.path.name}.replaced"))
                draft.replace(self.path)
            self._connection = self._open()
            self._closed = False
            self._prepare()
        except OSError as error:
            raise unopened(self.path, error) from error
        except sqlite3.Error as error:
            self._fail(error)

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
            return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        if not self.read_only:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch(mode=0o600)  # SQLite gives its -wal and -shm files the mode of the file
        uri = f"{self.path.absolute().as_uri()}?mode={'ro' if self.read_only else 'rw'}"
        # A decision is made on the thread that brought the news, under one lock: they take turns, as SQLite wants it.
        return sqlite3.connect(uri, uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)

    def _prepare(self) -> None:
        if self.path is not None and not self.read_only:
            self.run("PRAGMA journal_mode = WAL")
            self.run("PRAGMA synchronous = NORMAL")
            self.run(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            self.run(f"PRAGMA journal_size_limit = {_WAL_BYTES_KEPT}")
            self._identities = _identities(self.path)
            self.run(f"PRAGMA busy_timeout = {_BUSY_WRITING_MS}")
        self.run("PRAGMA foreign_keys = ON")
        if self.path is not None:
            self.check()

    def _begin(self) -> None:
        if self._depth:
            self.run("SAVEPOINT inner_batch")
        else:
            # The write lock is taken at once: a transaction that read first and writes later could be refused midway.
            self.run("BEGIN" if self.read_only else "BEGIN IMMEDIATE")
        self._depth += 1

    def _end(self, undone: bool) -> None:
        outermost = self._depth == 1
        try:
            if undone:
                self._undo(outermost=outermost)
            else:
                self._commit(outermost=outermost)
        finally:
            self._depth -= 1

    def _commit(self, *, outermost: bool) -> None:
        try:
            if outermost:
                self.before_commit()
            self.run("COMMIT" if outermost else "RELEASE inner_batch")
        except BaseException:
            self._undo(outermost=outermost)
            raise

    def _undo(self, *, outermost: bool) -> None:
        self.undone += 1
        if not self._connection.in_transaction:
            return
        if outermost:
            self.run("ROLLBACK")
        else:
            self.run("ROLLBACK TO inner_batch")
            self.run("RELEASE inner_batch")

    def _fail(self, error: sqlite3.Error) -> NoReturn:
        self.undone += 1
        found = typed(error, self.path)
        if found is None:
            raise error
        raise found from error


def _nothing() -> None:
    return None


def _identities(path: Path) -> tuple[_Identity, _Identity]:
    """Which file stands there, and which log beside it."""
    return _identity(path), _identity(path.with_name(f"{path.name}-wal"))


def _identity(path: Path) -> _Identity:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
