"""The three ways to open a store: to write, to read, and as a private copy. Each says whether its schema is new."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mirrorctl.core.store.database import Database
from mirrorctl.core.store.errors import unopened
from mirrorctl.core.store.migrations import Migration, migrate, refuse_newer, schema_version


def open_to_write(path: Path | None, migrations: Sequence[Migration]) -> tuple[Database, bool]:
    """The file, made or migrated where it has to be. `path` None is memory."""
    database = Database(path)
    try:
        return database, migrate(database, migrations)
    except BaseException:
        database.close()
        raise


def open_to_read(path: Path | None, migrations: Sequence[Migration]) -> tuple[Database, bool]:
    """The file itself if its schema is ours; otherwise a copy in memory that is brought up to date."""
    if path is None or _missing(path):
        copy = Database(None)
    else:
        database = Database(path, read_only=True)
        try:
            version = schema_version(database)
            refuse_newer(database, version, migrations)
            if version == migrations[-1].version:
                return database, False
            copy = database.copy_to_memory()
        except BaseException:
            database.close()
            raise
        database.close()
    created = migrate(copy, migrations)
    copy.forbid_writes()
    return copy, created


def open_copy(path: Path, migrations: Sequence[Migration]) -> tuple[Database, bool]:
    """A private, writable copy in memory, brought up to date; the file is never changed."""
    if _missing(path):
        return open_to_write(None, migrations)
    database = Database(path, read_only=True)
    try:
        refuse_newer(database, schema_version(database), migrations)
        copy = database.copy_to_memory()
    finally:
        database.close()
    return copy, migrate(copy, migrations)


def open_unwritable(path: Path, migrations: Sequence[Migration]) -> Database:
    """A private copy in memory of a file that is there and cannot be opened to write; StoreError where it cannot."""
    copy = Database.copy_of_unwritable(path)
    try:
        refuse_newer(copy, schema_version(copy), migrations)
        migrate(copy, migrations)
    except BaseException:
        copy.close()
        raise
    return copy


def _missing(path: Path) -> bool:
    try:
        return not path.exists()
    except OSError as error:  # a folder that may not be searched: unknown is not missing
        raise unopened(path, error) from error
