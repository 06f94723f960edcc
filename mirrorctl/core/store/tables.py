"""What every group of tables stands on: the database, and rows read as values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from mirrorctl.core.store.database import Database, Parameters, Row
from mirrorctl.core.store.errors import corrupt
from mirrorctl.core.store.retention import Retention

_Value = TypeVar("_Value")


class Tables:
    """A group of tables of one store. Every failure is a StoreError."""

    _database: Database
    _retention = Retention()

    def _read(self, sql: str, parameters: Parameters, make: Callable[[Row], _Value]) -> list[_Value]:
        rows = self._database.rows(sql, parameters)
        try:
            return [make(row) for row in rows]
        except (ValueError, ArithmeticError, TypeError) as error:
            raise corrupt(self._database.path, f"a row that cannot be read: {error}") from error

    def _stream(self, sql: str, parameters: Parameters, make: Callable[[Row], _Value]) -> Iterator[_Value]:
        """As `_read`, one by one, for a reader that may have enough before the end."""
        for row in self._database.stream(sql, parameters):
            try:
                value = make(row)
            except (ValueError, ArithmeticError, TypeError) as error:
                raise corrupt(self._database.path, f"a row that cannot be read: {error}") from error
            yield value
