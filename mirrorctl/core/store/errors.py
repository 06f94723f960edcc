"""What can be wrong with the store. Each is a refusal: nothing was written, and the exchange is untouched.

Refused                     6
└── StoreError                  kind "store": the file cannot be used as it is
    ├── Unwritable                  one value breaks a rule of the file; see domain/errors.py
    ├── StoreUnavailable            it cannot be read or written now: disk full, read-only, held by another process
    ├── StoreCorrupt                its content cannot be trusted
    └── StoreTooNew                 a newer mirrorctl made it
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from mirrorctl.core.domain.errors import StoreError as StoreError
from mirrorctl.core.domain.errors import Unwritable as Unwritable

_CORRUPT = frozenset((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB))
_HINTS = {
    sqlite3.SQLITE_FULL: "free space on the disk that holds it; entries go on by themselves once it can be written",
    sqlite3.SQLITE_READONLY: "make the file and its folder writable for the user who runs mirrorctl",
    sqlite3.SQLITE_CANTOPEN: "make sure that the folder exists and is writable for the user who runs mirrorctl",
    sqlite3.SQLITE_PERM: "make the file and its folder writable for the user who runs mirrorctl",
    sqlite3.SQLITE_BUSY: "another process holds it: end that one, or wait for it",
    sqlite3.SQLITE_LOCKED: "another process holds it: end that one, or wait for it",
}
_REPORT = "a fault of mirrorctl: report it with the log of this moment"
_DISK_HINT = "check the disk that holds it: space, permissions, health"


class StoreUnavailable(StoreError):
    """The store cannot be read or written now; a later call may succeed. The call that raised it changed nothing."""


class StoreCorrupt(StoreError):
    """The content of the store cannot be trusted."""


class StoreTooNew(StoreError):
    """The store has a schema that this version does not know."""


def place(path: Path | None) -> str:
    """How messages name the store."""
    return "the store in memory" if path is None else f"the store {path}"


def corrupt(path: Path | None, what: str) -> StoreCorrupt:
    """The error for a file that cannot be trusted. The exchange is the truth, so a lost store is rebuilt (A44)."""
    return StoreCorrupt(
        f"{place(path)} is damaged: {what}",
        hint=f"move {path} away, with its -wal, -shm and .ahead files; the next run rebuilds it from the exchange",
    )


def unopened(path: Path | None, error: OSError) -> StoreUnavailable:
    """The error for a file or folder that the system does not let us open or make."""
    return StoreUnavailable(
        f"{place(path)} cannot be opened: {error.strerror or error}", hint=_HINTS[sqlite3.SQLITE_CANTOPEN]
    )


def typed(error: sqlite3.Error, path: Path | None) -> StoreError | None:
    """The store's own error for one of SQLite; None for misuse, which only a bug can cause."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the low byte: the primary result code
    if code in _CORRUPT:
        return corrupt(path, str(error))
    if isinstance(error, sqlite3.OperationalError):
        return StoreUnavailable(f"{place(path)} cannot be used now: {error}", hint=_HINTS.get(code, _DISK_HINT))
    if isinstance(error, sqlite3.IntegrityError | sqlite3.DataError):
        return Unwritable(f"{place(path)} does not take a value: {error}", _REPORT)
    return None
