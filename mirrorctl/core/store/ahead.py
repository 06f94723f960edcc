"""Orders written ahead of their rows in the journal, in a small file beside it: one write of some hundred bytes.

A row costs a transaction, which an order must not wait for. A record counts as long as the journal still ends where it
ended when the record was made: the transaction that writes the rows down makes it stale, and nothing is ever cleared.
So neither an older file beside a newer journal nor a newer one beside an older is taken for what it is not.

As durable as the journal itself: the kernel has it when `add` returns, and after a loss of power the deterministic id
is the guard. What was torn by one is told by its checksum.
"""

from __future__ import annotations

import os
from pathlib import Path
from struct import Struct
from zlib import crc32

import msgspec

from mirrorctl.core.engine.records import Ahead
from mirrorctl.core.store.codec import decimal_text, decimal_value, decode_action, encode_action
from mirrorctl.core.store.errors import StoreCorrupt, StoreError, StoreUnavailable, unopened

_ROOM = 1 << 16
_HEAD = Struct("<II")  # length of what follows, and its checksum
_TIP = Struct("<q32s")  # where the journal ended; behind it the rows, as JSON
_Row = tuple[int, str, int, str, str | None]
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(list[_Row])

Tip = tuple[int, bytes]
"""Where the journal ends: (number, hash) of its newest row."""


class AheadFile:
    """Of the one writer of a journal. `path` None keeps it in memory, with `content` of the file `source`."""

    def __init__(self, path: Path | None, content: bytes = b"", source: Path | None = None) -> None:
        self.source = path or source
        self._path = path
        self._memory = bytearray(content.ljust(_ROOM, b"\0")) if path is None else bytearray()
        self._file: int | None = None
        self._tip: Tip | None = None
        self._at = self._newest = 0

    def add(self, tip: Tip, rows: list[Ahead]) -> bool:
        """Write rows down behind the journal's `tip`. False when they do not: no room, or numbers lack."""
        if tip != self._tip:
            self._tip, self._at, self._newest = tip, 0, tip[0]
        newest = self._newest + len(rows)
        if [row[0] for row in rows] != list(range(self._newest + 1, newest + 1)):
            return False
        made = [(number, encode_action(action), at, main, decimal_text(f)) for number, action, at, main, f in rows]
        body = _TIP.pack(*tip) + _ENCODER.encode(made)
        record = _HEAD.pack(len(body), crc32(body)) + body
        ends = self._at + len(record)
        if ends > _ROOM or not self._put(record):
            return False
        self._at, self._newest = ends, newest
        return True

    def left(self, tip: Tip) -> list[Ahead]:
        """What stands here and not in the journal that ends with `tip`, in its order. Raises StoreError."""
        content, at, found = self.content(), 0, list[Ahead]()
        counts = _TIP.pack(*tip)
        while at + _HEAD.size <= len(content):
            length, checksum = _HEAD.unpack_from(content, at)
            body = content[at + _HEAD.size : at + _HEAD.size + length]
            if not body.startswith(counts) or crc32(body) != checksum:
                break
            try:
                rows = _DECODER.decode(body[_TIP.size :])
                found += [(each, decode_action(text), ms, main, decimal_value(f)) for each, text, ms, main, f in rows]
            except (ValueError, ArithmeticError) as error:
                raise self._unread(StoreCorrupt, f"holds an order that cannot be read ({error})") from error
            at += _HEAD.size + length
        return found

    def content(self) -> bytes:
        """All that stands here. Raises StoreError."""
        if self._path is None:
            return bytes(self._memory)
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise self._unread(StoreUnavailable, f"cannot be read ({error.strerror or error})") from error

    def forget(self) -> None:
        """Nothing that stands here counts: the journal is new. Raises StoreError."""
        if self._path is not None:
            try:
                self._path.unlink(missing_ok=True)
            except OSError as error:
                raise unopened(self._path, error) from error

    def keep(self) -> None:
        """Make the file anew with the next record where it is not the one that was opened any more."""
        if self._file is None or self._path is None:
            return
        try:
            opened, found = os.fstat(self._file), self._path.stat()
        except OSError:
            self.close()
        else:
            if (opened.st_dev, opened.st_ino) != (found.st_dev, found.st_ino):
                self.close()

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        if self._file is not None:
            os.close(self._file)
            self._file = self._tip = None

    def _put(self, record: bytes) -> bool:
        if self._path is None:
            self._memory[self._at : self._at + len(record)] = record
            return True
        try:
            file = self._opened(self._path) if self._file is None else self._file
            return os.pwrite(file, record, self._at) == len(record)
        except OSError:
            return False

    def _unread(self, kind: type[StoreError], what: str) -> StoreError:
        return kind(
            f"{self.source} {what}: orders of the last run may stand in it alone",
            f"let the user who runs mirrorctl read it, or move {self.source} away: the next run finds those orders"
            " on the exchange by their ids",
        )

    def _opened(self, path: Path) -> int:
        """The file with all its room, so that a full disk has it still; of the store's owner, as SQLite's own are."""
        self._file = file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        found = os.fstat(file)
        if os.geteuid() == 0:
            owner = path.with_suffix("").stat()
            if (owner.st_uid, owner.st_gid) != (found.st_uid, found.st_gid):
                os.fchown(file, owner.st_uid, owner.st_gid)
        size = found.st_size
        os.pwrite(file, bytes(max(_ROOM - size, 0)), size)
        return file
