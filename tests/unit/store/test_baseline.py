"""The baseline file: private, replaced whole, and never a reason to stop."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from mirrorctl.core.domain.cycle import Cycle
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.baseline import Sighting, Stood
from mirrorctl.core.store.baseline import BaselineFile

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT
SEEN = Sighting(101, 102, 5_000, (Stood("BTCUSDT", LONG, 1_000), Stood("ETHUSDT", SHORT)))


def test_what_was_noted_is_read_again_by_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "state" / "baseline.json"
    assert BaselineFile(path).sighting(101, 102) is None
    book = BaselineFile(path)
    book.note(SEEN)
    book.note(Sighting(101, 103, 6_000))
    again = BaselineFile(path)
    assert again.sighting(101, 102) == SEEN
    assert again.sighting(101, 103) == Sighting(101, 103, 6_000)
    assert again.sighting(102, 101) is None
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["baseline.json"]
    assert json.loads(path.read_text())["schema"] == 1


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"schema": "one"}', b"\xff", b'{"schema": 1, "sightings": 3}'])
def test_what_cannot_be_read_is_said_and_made_anew(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "baseline.json"
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        book = BaselineFile(path)
    assert "cannot be read" in caplog.text
    assert book.sighting(101, 102) is None
    book.note(SEEN)
    assert BaselineFile(path).sighting(101, 102) == SEEN


@pytest.mark.parametrize("newer", [False, True])
def test_a_rehearsal_and_a_file_of_a_newer_version_write_nothing(tmp_path: Path, newer: bool) -> None:
    path = tmp_path / "baseline.json"
    written = b'{"schema": 2, "future": true}' if newer else b""
    if newer:
        path.write_bytes(written)
    book = BaselineFile(path, read_only=not newer)
    book.note(SEEN)
    assert book.sighting(101, 102) == SEEN
    assert (path.read_bytes() if newer else path.exists()) == (written if newer else False)


def test_a_folder_that_takes_no_file_is_said_and_nothing_stops(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").write_text("a file, no folder")
    with caplog.at_level(logging.WARNING):
        book = BaselineFile(tmp_path / "state" / "baseline.json")
        book.note(SEEN)
    assert "cannot be written" in caplog.text
    assert book.sighting(101, 102) == SEEN


@pytest.mark.parametrize(
    ("key", "started_ms", "opened_ms", "held"),
    [
        (("BTCUSDT", LONG), 9_000, 1_000, True),
        (("BTCUSDT", LONG), 1_000, 1_001, False),
        (("BTCUSDT", LONG), 1_000, 0, True),
        (("BTCUSDT", LONG), 5_001, 0, False),
        (("BTCUSDT", SHORT), 1_000, 1_000, False),
        (("ETHUSDT", SHORT), 5_000, 4_000, True),
        (("ETHUSDT", SHORT), 5_001, 4_000, False),
        (("SOLUSDT", LONG), 1_000, 1_000, False),
    ],
)
def test_a_position_is_known_by_when_it_was_opened_else_by_when_its_cycle_began(
    key: tuple[str, PositionSide], started_ms: int, opened_ms: int, held: bool
) -> None:
    assert SEEN.holds(Cycle(*key, "tag", "origin", started_ms, opened=True), opened_ms) is held
