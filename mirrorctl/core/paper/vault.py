"""The exchange's own database: one SQLite file, every change durable before a reply leaves.

Each row of the books is one JSON document under (kind, key). A save writes what changed, in one transaction;
with WAL and synchronous=NORMAL a killed process loses nothing that was committed.
"""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from mirrorctl.core.paper.instruments import Instrument
from mirrorctl.core.paper.model import Account, ClosedPnl, Execution, Market, Order, Position, Transfer, WriteRecord
from mirrorctl.core.paper.state import State

_TYPES: dict[str, type[Any]] = {
    "account": Account,
    "market": Market,
    "position": Position,
    "order": Order,
    "execution": Execution,
    "closed": ClosedPnl,
    "transfer": Transfer,
    "write": WriteRecord,
    "link": str,
    "counter": int,
}


class Vault:
    """Opens or creates the file at `path`. Not thread-safe: one owner, one thread."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS books (kind TEXT, id TEXT, body BLOB, PRIMARY KEY (kind, id)) WITHOUT ROWID"
        )

    def load(self, instruments: Iterable[Instrument], seed: int) -> State:
        """The books as last saved (empty for a new file), tracked from here on."""
        state = State(instruments, seed)
        for kind in _TYPES:
            query = self._db.execute("SELECT id, body FROM books WHERE kind = ?", (kind,))
            decoder = msgspec.json.Decoder(_TYPES[kind])
            rows = [(str(key), decoder.decode(body)) for key, body in query]
            _restore(state, kind, rows)
        state.tracked = True
        return state

    def save(self, state: State) -> None:
        """Writes every changed row in one transaction; does nothing when there is none."""
        if not state.dirty and not state.gone:
            return
        rows = [(kind, key, msgspec.json.encode(row)) for (kind, key), row in state.dirty.items()]
        rows.append(("counter", "n", msgspec.json.encode(state.counter)))
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany("INSERT OR REPLACE INTO books VALUES (?, ?, ?)", rows)
        self._db.executemany("DELETE FROM books WHERE kind = ? AND id = ?", state.gone)
        self._db.execute("COMMIT")
        state.dirty.clear()
        state.gone.clear()

    def wipe(self) -> None:
        """Forgets everything."""
        self._db.execute("DELETE FROM books")

    def close(self) -> None:
        """Closes the file."""
        self._db.close()


def _restore(state: State, kind: str, rows: list[tuple[str, Any]]) -> None:
    if kind in ("execution", "closed", "transfer", "write"):
        _restore_records(state, kind, [row for _, row in sorted(rows, key=lambda pair: int(pair[1].n))])
    elif kind == "order":
        _restore_orders(state, [order for _, order in rows])
    elif kind == "account":
        for _, account in rows:
            state.put_account(account)
    elif kind == "market":
        state.markets.update({market.symbol: market for _, market in rows})
    elif kind == "position":
        for _, leg in rows:
            state.positions[leg.uid][(leg.symbol, leg.idx)] = leg
    elif kind == "link":
        for key, order_id in rows:
            uid, _, link_id = key.partition(":")
            state.links[(int(uid), link_id)] = order_id
    else:
        state.counter = rows[0][1] if rows else 0


def _restore_records(state: State, kind: str, rows: list[Any]) -> None:
    for row in rows:
        if kind == "execution":
            state.history[row.uid].executions.append(row)
        elif kind == "closed":
            state.history[row.uid].closed[row.order_id] = row
        elif kind == "transfer":
            state.history[row.uid].transfers.append(row)
        else:
            state.writes.append(row)


def _restore_orders(state: State, orders: list[Order]) -> None:
    for order in sorted(orders, key=lambda item: item.n):
        if order.is_open:
            state.orders_by_symbol[order.symbol][order.order_id] = order
            state.orders_by_uid[order.uid][order.order_id] = order
    for order in sorted(orders, key=lambda item: (item.updated_ms, item.n)):
        if not order.is_open:
            state.history[order.uid].orders[order.order_id] = order
