"""What a reset of the paper exchange leaves of a store: nothing that the next one could take up."""

from __future__ import annotations

from pathlib import Path

from mirrorctl.bootstrap.paper import _remove_database


def test_the_orders_written_ahead_go_with_the_store(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    for suffix in ("", "-wal", "-shm", ".ahead"):
        path.with_name(path.name + suffix).touch()
    path.with_name("other.sqlite").touch()
    _remove_database(path)
    assert [left.name for left in tmp_path.iterdir()] == ["other.sqlite"]
