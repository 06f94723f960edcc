"""The durable store of one profile in one SQLite file: what the exchange cannot tell (see records.Store)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Self

from mirrorctl.core.domain.actions import Action
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.engine.records import Alert, Intent, Standing, StandingKind
from mirrorctl.core.store.codec import alert_of, decimal_text, encode_action, intent_of
from mirrorctl.core.store.errors import StoreUnavailable, place
from mirrorctl.core.store.following import EndedCycle, FollowingTables
from mirrorctl.core.store.measured import MeasuredTables
from mirrorctl.core.store.migrations import MIGRATIONS, Migration
from mirrorctl.core.store.opening import open_copy, open_to_read, open_to_write

__all__ = ["EndedCycle", "SqliteStore"]


class SqliteStore(FollowingTables, MeasuredTables):
    """Implements `records.Store`. `path` None keeps it in memory, for the simulator.

    For one thread. A writer creates or migrates the file. With `read_only` nothing is created or changed, so it may
    stand beside a running daemon: a missing file reads as a fresh store, one with an older schema as a migrated copy
    of this moment. Every failure is a StoreError; a call that raised has written nothing.
    """

    def __init__(
        self, path: Path | None, *, read_only: bool = False, migrations: Sequence[Migration] = MIGRATIONS
    ) -> None:
        opened = open_to_read(path, migrations) if read_only else open_to_write(path, migrations)
        self._database, self._fresh = opened

    @classmethod
    def scratch(cls, path: Path) -> Self:
        """A private copy of the store in memory, of this moment: for a rehearsal. The file is never changed."""
        store = cls.__new__(cls)
        store._database, store._fresh = open_copy(path, MIGRATIONS)
        return store

    def snapshot(self) -> Self:
        """A private copy in memory, of this moment: for a rehearsal beside whoever writes this one."""
        store = type(self).__new__(type(self))
        store._database, store._fresh = self._database.copy_to_memory(), self._fresh
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Safe to call twice; every other call after it is an error."""
        self._database.close()

    @property
    def fresh(self) -> bool:
        """True when this open made the schema: nothing is known of what came before.

        It says nothing about a process that died right after: what must survive that is a fact.
        """
        return self._fresh

    def batch(self) -> AbstractContextManager[None]:
        """One transaction around several calls; an exception undoes them all. Nests."""
        return self._database.batch()

    # --- the journal ----------------------------------------------------------------------------------------------

    def record_intent(
        self, action: Action, at_ms: int, main_order_id: str = "", main_filled: Decimal | None = None
    ) -> int:
        """Journal an action as PENDING before it is sent; returns its id, rising and never given twice."""
        cursor = self._database.run(
            "INSERT INTO intent (account, action, state, over, created_ms, updated_ms,"
            " main_order_id, main_filled, filled, by_us, code, message)"
            " VALUES (?, ?, 'pending', 0, ?, ?, ?, ?, '0', 0, 0, '')",
            (action.account, encode_action(action), at_ms, at_ms, main_order_id, decimal_text(main_filled)),
        )
        if cursor.lastrowid is None:
            raise StoreUnavailable(f"{place(self._database.path)} gave no id for an intent")
        return cursor.lastrowid

    def update_intent(self, intent: Intent) -> None:
        """Write what changes of it (see records.Store). Raises LookupError for an id that is not there."""
        cursor = self._database.run(
            "UPDATE intent SET state = ?, over = ?, filled = ?, by_us = ?, code = ?, message = ?, order_id = ?,"
            " updated_ms = ? WHERE intent_id = ?",
            (
                intent.state,
                intent.state.is_over,
                plain(intent.filled),
                intent.by_us,
                intent.code,
                intent.message,
                intent.order_id,
                intent.updated_ms,
                intent.intent_id,
            ),
        )
        if cursor.rowcount != 1:
            raise LookupError(f"no intent {intent.intent_id} in the journal")

    def open_intents(self) -> list[Intent]:
        """Every intent that is not over, oldest first. By an index."""
        return self._read(f"{_INTENT} WHERE over = 0 ORDER BY intent_id", (), intent_of)

    def recent_intents(self, since_ms: int) -> list[Intent]:
        """Every intent updated since then, oldest first. Scans the journal: for a start or a report, not for a pass."""
        return self._read(f"{_INTENT} WHERE updated_ms >= ? ORDER BY intent_id", (since_ms,), intent_of)

    # --- standing orders of the trader ----------------------------------------------------------------------------

    def standings(self) -> list[Standing]:
        """Every pause and parked symbol, oldest first."""
        sql = "SELECT kind, account, symbol, reason, since_ms FROM standing ORDER BY since_ms, kind, account, symbol"
        return self._read(sql, (), lambda row: Standing(StandingKind(row[0]), *row[1:]))

    def save_standing(self, standing: Standing) -> None:
        self._database.run(
            "INSERT OR REPLACE INTO standing (kind, account, symbol, reason, since_ms) VALUES (?, ?, ?, ?, ?)",
            (standing.kind, standing.account, standing.symbol, standing.reason, standing.since_ms),
        )

    def drop_standing(self, kind: StandingKind, account: str, symbol: str) -> None:
        self._database.run(
            "DELETE FROM standing WHERE kind = ? AND account = ? AND symbol = ?", (kind, account, symbol)
        )

    # --- the outbox -----------------------------------------------------------------------------------------------

    def add_alert(self, alert: Alert) -> bool:
        """Put it in the outbox; False when its key is there already."""
        cursor = self._database.run(
            "INSERT INTO alert (key, at_ms, severity, kind, account, symbol, text) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (key) DO NOTHING",
            (alert.key, alert.at_ms, alert.severity, alert.kind, alert.account, alert.symbol, alert.text),
        )
        return cursor.rowcount == 1

    def alerts(self, limit: int) -> list[Alert]:
        """The newest alerts, newest first."""
        return self._read(f"{_ALERT} ORDER BY id DESC LIMIT ?", (max(limit, 0),), alert_of)

    def undelivered(self) -> list[Alert]:
        """The alerts that no channel has delivered, in the order in which they were added (A69)."""
        return self._read(f"{_ALERT} WHERE delivered_ms IS NULL ORDER BY id", (), alert_of)

    def mark_delivered(self, key: str, at_ms: int) -> None:
        """A channel delivered the alert. The first delivery counts; an unknown key is nobody's."""
        self._database.run("UPDATE alert SET delivered_ms = ? WHERE key = ? AND delivered_ms IS NULL", (at_ms, key))

    # --- upkeep ------------------------------------------------------------------------------------------------------

    def prune(self, before_ms: int) -> int:
        """Delete what is older: intents that are over (the newest of the journal excepted), alerts (delivered or not),
        ended cycles, measured copies, closed positions, naked times that ended.

        Open intents, open cycles and copies, trades, open positions, standings and facts stay. Returns the number of
        rows. Their space in the file is used again; the file does not shrink.
        """
        with self._database.batch():
            return sum(self._database.run(sql, (before_ms,)).rowcount for sql in _PRUNE)

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file: a few ms of disk. For a quiet moment, every minute or so."""
        self._database.checkpoint()


_INTENT = (
    "SELECT intent_id, account, action, state, created_ms, updated_ms, main_order_id, main_filled, filled, by_us,"
    " code, message, order_id FROM intent"
)
_ALERT = "SELECT key, at_ms, severity, kind, account, symbol, text FROM alert"
_PRUNE = (
    # The newest intent stays: it keeps its id, and all below it, from being given again.
    "DELETE FROM intent WHERE over = 1 AND updated_ms < ? AND intent_id < (SELECT max(intent_id) FROM intent)",
    "DELETE FROM alert WHERE at_ms < ?",
    "DELETE FROM ended_cycle WHERE ended_ms < ?",
    "DELETE FROM measured_copy WHERE mirror_exec_ms < ?",
    "DELETE FROM closed_position WHERE closed_ms < ?",
    "DELETE FROM naked_time WHERE ended = 1 AND from_ms < ?",
)
