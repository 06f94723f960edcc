"""The baseline as a small JSON file in the profile's state folder, beside the store and apart from it."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import msgspec

from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.baseline import Sighting, Sightings, Stood

SCHEMA = 1

log = logging.getLogger(__name__)


class _Position(msgspec.Struct, frozen=True):
    symbol: str
    side: PositionSide
    opened_ms: int = 0


class _Row(msgspec.Struct, frozen=True):
    main: int
    mirror: int
    seen_ms: int
    positions: list[_Position] = []


class _File(msgspec.Struct, frozen=True):
    schema: int
    sightings: list[_Row] = []


class BaselineFile(Sightings):
    """Sightings in a file of mode 0600, replaced whole. One that cannot be read counts as not there, and is said.

    With `read_only` nothing is written: what is noted stays in memory. So too where a newer mirrorctl wrote the file.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        super().__init__()
        self._path = path
        self._read_only = read_only
        self._load()

    def note(self, sighting: Sighting) -> None:
        super().note(sighting)
        if self._read_only:
            return
        try:
            self._write()
        except OSError as error:
            log.warning("%s cannot be written: %s; a lost store will be held back longer", self._path, error)

    def _load(self) -> None:
        try:
            file = msgspec.json.decode(self._path.read_bytes(), type=_File)
        except FileNotFoundError:
            return
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("%s cannot be read: %s; it is made anew", self._path, error)
            return
        if file.schema > SCHEMA:
            log.warning("%s was made by a newer mirrorctl: it is left alone", self._path)
            self._read_only = True
            return
        for row in file.sightings:
            stood = tuple(Stood(at.symbol, at.side, at.opened_ms) for at in row.positions)
            super().note(Sighting(row.main, row.mirror, row.seen_ms, stood))

    def _write(self) -> None:
        rows = [
            _Row(s.main_uid, s.uid, s.seen_ms, [_Position(at.symbol, at.side, at.opened_ms) for at in s.stood])
            for s in self.known.values()
        ]
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self._path.with_suffix(f".{os.getpid()}")
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(_File(SCHEMA, rows))) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
