"""The store's disk work waits for a quiet moment, and not for ever."""

from __future__ import annotations

import pytest

from mirrorctl.core.simulation.stage import Stage, copying
from mirrorctl.core.store.sqlite import SqliteStore

MINUTE_MS = 60_000


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One for each time that the log was moved into the file."""
    found: list[int] = []
    checkpoint = SqliteStore.checkpoint

    def counted(self: SqliteStore) -> None:
        found.append(1)
        checkpoint(self)

    monkeypatch.setattr(SqliteStore, "checkpoint", counted)
    return found


def test_the_log_is_moved_once_a_minute_where_something_is_quiet(moved: list[int]) -> None:
    stage = Stage(copying("half"))
    stage.settle()
    moved.clear()
    for _ in range(10):
        stage.run(MINUTE_MS // 2)
        stage.engine.housekeeping.rest()
        stage.engine.housekeeping.rest()
    assert len(moved) in (4, 5)


def test_where_it_is_never_quiet_it_is_moved_all_the_same(moved: list[int]) -> None:
    stage = Stage(copying("half"))
    stage.settle()
    moved.clear()
    stage.run(4 * MINUTE_MS)
    assert not moved
    stage.run(11 * MINUTE_MS)
    assert len(moved) in (2, 3)
