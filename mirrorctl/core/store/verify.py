"""The check of the journal's hash chain: whether every row is as it was written, and where the first is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from mirrorctl.core.store.chain import ABOUT_CHAIN, COLUMNS, GENESIS, PRUNED, Ends, ends, pruned_text, row_hash
from mirrorctl.core.store.database import Database, Row

_STATE = 7
_MESSAGE = 12


class FaultKind(StrEnum):
    """What was done to the journal."""

    CHANGED = "changed"
    CUT = "cut"
    REORDERED = "reordered"
    REMOVED = "removed"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class Fault:
    """One place where the journal is not as it was written. `row` is its number, None where it is about the whole.

    `at_ms` is when that row was written, as it says itself; None where it is gone.
    """

    kind: FaultKind
    text: str
    row: int | None = None
    intent_id: int | None = None
    at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """What a check found. `fault` is the first place in the order of writing; None when all is as it was written.

    `first` and `last` are the oldest and the newest row that are there, both 0 for none; `last_hash` is the newest
    one's, in hex: whoever keeps it elsewhere can tell whether the whole chain was made anew.
    """

    rows: int
    intents: int
    first: int
    last: int
    last_hash: str
    fault: Fault | None


def verify(database: Database) -> Verified:
    """Recompute the chain, of one moment, also beside a writer. Raises StoreError when the file cannot be read."""
    with database.batch():
        bounds = ends(database)
        check = _Check(database, bounds or Ends(0, b"", 0, GENESIS))
        faults = list(check.faults())
    if bounds is None:
        faults.append(Fault(FaultKind.REMOVED, "the ends of the chain are not written down any more"))
    return Verified(
        check.rows,
        len(check.intents),
        check.first,
        check.last,
        check.before.hex() if check.rows else "",
        faults[0] if faults else None,
    )


_LINKS = f"SELECT seq, {COLUMNS}, CAST(hash AS BLOB) FROM journal ORDER BY seq"
_OTHERS = "SELECT seq, CAST(hash AS BLOB) FROM journal WHERE seq != ? ORDER BY seq"


class _Check:
    """One reading of the chain from its anchor to its end."""

    def __init__(self, database: Database, bounds: Ends) -> None:
        self.rows = self.first = self.last = 0
        self.intents: set[int] = set()
        self.before = bounds.anchor_hash
        self._database = database
        self._bounds = bounds
        self._pruned: str | None = None
        self._head_hash: bytes | None = None

    def faults(self) -> Iterator[Fault]:
        """Every place where a row does not follow the one before it, then what is wrong with the ends."""
        expected = self._bounds.anchor + 1
        for seq, *values, found in self._database.stream(_LINKS):
            if seq != expected:
                yield self._gap(expected, seq)
            elif row_hash(self.before, values) != found:
                yield self._unlinked(seq, tuple(values), found)
            expected = seq + 1
            self._count(seq, tuple(values), found)
        yield from self._wrong_end()
        if self._pruned is None and self._bounds.anchor_hash != GENESIS:
            yield self._cut_at_anchor("no prune let them go")
        elif self._pruned not in (None, pruned_text(self._bounds.anchor, self._bounds.anchor_hash)):
            yield self._cut_at_anchor(f"a prune let go those up to {str(self._pruned).split()[0]}")

    def _count(self, seq: int, values: Row, found: bytes) -> None:
        self.rows, self.first, self.last, self.before = self.rows + 1, self.first or seq, seq, found
        if values[0] == ABOUT_CHAIN:
            self._pruned = values[_MESSAGE] if values[_STATE] == PRUNED else self._pruned
        else:
            self.intents.add(values[0])
        if seq == self._bounds.head:
            self._head_hash = found

    def _gap(self, expected: int, seq: int) -> Fault:
        if seq < expected:
            return Fault(FaultKind.ADDED, f"row {seq} stands before the first that was kept, {expected}", seq)
        what = f"row {expected} is" if seq == expected + 1 else f"rows {expected} to {seq - 1} are"
        if not self.rows:
            return Fault(FaultKind.CUT, f"{what} gone, at the beginning; only mirrorctl prunes", expected)
        return Fault(FaultKind.REMOVED, f"{what} gone", expected)

    def _unlinked(self, seq: int, values: Row, found: bytes) -> Fault:
        """A row that does not follow the one before it: it belongs behind another one, or it is not as it was."""
        place = (seq, values[0] or None, values[1])
        others = self._database.rows(_OTHERS, (seq,))
        for other, hash_ in others:
            if hash_ == found:
                return Fault(FaultKind.ADDED, f"row {seq} is a copy of row {other}", *place)
        for other, hash_ in others:
            if row_hash(hash_, values) == found:
                return Fault(FaultKind.REORDERED, f"row {seq} was written behind row {other}", *place)
        return Fault(FaultKind.CHANGED, f"row {seq} was changed, or what stood before it was", *place)

    def _wrong_end(self) -> Iterator[Fault]:
        """The newest row that was written down must be there, as it was; later ones may follow."""
        head = self._bounds.head
        if not self._bounds.head_hash or head == self._bounds.anchor:
            return
        if self.last < head:
            what = f"row {head} is" if self.last + 1 == head else f"rows {self.last + 1} to {head} are"
            yield Fault(FaultKind.CUT, f"{what} gone, at the end", self.last + 1)
        elif self._head_hash != self._bounds.head_hash:
            yield Fault(FaultKind.CHANGED, f"row {head} is not the one that was written there", head)

    def _cut_at_anchor(self, why: str) -> Fault:
        anchor = self._bounds.anchor
        return Fault(FaultKind.CUT, f"the rows up to {anchor} are gone, and {why}", anchor)
