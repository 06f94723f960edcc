"""The hash chain of the journal: every row is bound to the row before it.

A row is written once and never changed, so its hash covers all of it:

    hash = sha256(hash of the row before, every column of the row)

What is changed, taken out, put in or moved behind the store's back breaks the hashes from there on. The ends are
written down beside it: the newest row, so that a cut at the end shows, and the anchor, the last row that was pruned. A
prune adds a row of its own that names the anchor, so only the store itself can let the beginning go.

The chain has no secret: whoever knows it can write a whole new one. It shows what was changed, not who did it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from mirrorctl.core.store.database import Column, Database
from mirrorctl.core.store.errors import Unwritable

GENESIS = bytes(32)
ABOUT_CHAIN = 0
"""The intent id of a row that is about the chain itself."""
PRUNED = "pruned"
LEFT_OUT = "left-out"

FIXED = "account, action, created_ms, main_order_id, main_filled"
SAID = "state, updated_ms, filled, by_us, code, message, order_id"
COLUMNS = f"intent_id, at_ms, {FIXED}, {SAID}"
_INSERT = f"INSERT INTO journal (seq, {COLUMNS}, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_NO_FIXED = (None,) * 5


@dataclass(frozen=True, slots=True)
class Ends:
    """The newest row that was written down as such, and the anchor before the oldest that is kept; 0: before all.

    Rows may stand behind the head: it is written down with what becomes of an intent, not with each new one.
    """

    head: int
    head_hash: bytes
    anchor: int
    anchor_hash: bytes


def row_hash(before: bytes, values: Sequence[Column]) -> bytes:
    """The hash of a row, its values in the order of COLUMNS, behind the row with the hash `before`."""
    lengths, texts = [], []
    for value in values:
        if value is None:
            lengths.append("-")
            continue
        text = str(value)
        lengths.append(str(len(text)))
        texts.append(text)
    # All lengths first, so that no two rows read alike; NULL has none.
    return sha256(before + f"{' '.join(lengths)}|{''.join(texts)}".encode()).digest()


# SQLite lets anybody put a text where a hash was: read as bytes it is a hash that does not fit.
_ENDS = "SELECT head, CAST(head_hash AS BLOB), anchor, CAST(anchor_hash AS BLOB) FROM chain WHERE id = 1"


def ends(database: Database) -> Ends | None:
    """The ends as they are written down; None where somebody removed them."""
    rows = database.rows(_ENDS)
    return Ends(*rows[0]) if rows else None


class Chain:
    """The end of the chain, where the one writer of a file adds rows."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tip: tuple[int, bytes] | None = None
        self._undone = -1
        self._head_is_old = False
        database.before_commit = self._write_head

    def tip(self) -> tuple[int, bytes]:
        """(number, hash) of the newest row; (0, GENESIS) for none.

        It is remembered, so that what is cut off behind our back leaves a gap, and forgotten with every transaction
        that was undone. After a start the head that was written down counts when its row is gone.
        """
        if self._tip is None or self._undone != self._database.undone:
            rows = self._database.rows("SELECT seq, CAST(hash AS BLOB) FROM journal ORDER BY seq DESC LIMIT 1")
            known = ends(self._database)
            self._tip = max(rows[0] if rows else (0, GENESIS), (known.head, known.head_hash) if known else (0, GENESIS))
            self._undone = self._database.undone
        return self._tip

    def append(self, values: Sequence[Column]) -> None:
        """Add a row. What somebody did to the chain keeps no write back: it is `verify` that tells."""
        number, before = self.tip()
        made = row_hash(before, values)
        try:
            self._database.run(_INSERT, (number + 1, *values, made))
        except Unwritable:  # somebody added rows: go on behind them
            if self.tip()[0] == number:
                raise
            self.append(values)
        else:
            self._tip = (number + 1, made)

    def append_said(self, intent_id: int, at_ms: int, said: Sequence[Column]) -> None:
        """Add a row of what became of an intent; with it, that the chain goes up to here: once for a transaction."""
        with self._database.together():
            self.append((intent_id, at_ms, *_NO_FIXED, *said))
            self._head_is_old = True

    def leave_out(self) -> None:
        """Add a row that only says that one could not be written, so that the numbers go on as they were counted."""
        rows = self._database.rows("SELECT at_ms FROM journal ORDER BY seq DESC LIMIT 1")
        at_ms = rows[0][0] if rows else 0
        self.append_said(ABOUT_CHAIN, at_ms, (LEFT_OUT, at_ms, "0", 0, 0, "", ""))

    def let_go(self, last: int, now_ms: int) -> None:
        """Delete the rows up to `last`, which becomes the anchor, and say so in the chain."""
        [(hash_,)] = self._database.rows("SELECT hash FROM journal WHERE seq <= ? ORDER BY seq DESC LIMIT 1", (last,))
        self._database.run("DELETE FROM journal WHERE seq <= ?", (last,))
        self._database.run("UPDATE chain SET anchor = ?, anchor_hash = ? WHERE id = 1", (last, hash_))
        self.append_said(ABOUT_CHAIN, now_ms, (PRUNED, now_ms, "0", 0, 0, pruned_text(last, hash_), ""))

    def _write_head(self) -> None:
        if self._head_is_old:
            self._database.run("UPDATE chain SET head = ?, head_hash = ? WHERE id = 1", self.tip())
            self._head_is_old = False


def pruned_text(anchor: int, anchor_hash: bytes) -> str:
    """What the row of a prune says: which row was the last to go."""
    return f"{anchor} {anchor_hash.hex()}"


def begin(database: Database) -> None:
    """Begin the chain over intents from before there was one, in the order in which they were last written."""
    old = (
        "SELECT intent_id, updated_ms, account, action, created_ms, main_order_id, main_filled, state, updated_ms,"
        " filled, by_us, code, message, order_id FROM intent ORDER BY updated_ms, intent_id"
    )
    # An id is the number of its first row: the numbers go on behind the ids, so none is given again.
    highest = database.rows("SELECT coalesce(max(intent_id), 0) FROM intent")[0][0]
    database.run("UPDATE chain SET head = ?, anchor = ? WHERE id = 1", (highest, highest))
    chain = Chain(database)
    for row in database.rows(old):
        chain.append(row)
    database.run("UPDATE chain SET head = ?, head_hash = ? WHERE id = 1", chain.tip())
    database.run("DROP TABLE intent")
