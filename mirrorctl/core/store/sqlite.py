"""The durable store of one profile in one SQLite file: what the exchange cannot tell (see records.Store)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from mirrorctl.core.domain.actions import Action
from mirrorctl.core.domain.cycle import Copy, Cycle, CycleKey
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.records import Alert, Intent, MeasuredCopy, Standing, StandingKind
from mirrorctl.core.store.codec import (
    alert_of,
    copy_of,
    cycle_of,
    decimal_text,
    encode_action,
    intent_of,
    measured_copy_of,
)
from mirrorctl.core.store.database import Database, Parameters, Row
from mirrorctl.core.store.errors import StoreUnavailable, corrupt, place, unopened
from mirrorctl.core.store.migrations import MIGRATIONS, Migration, migrate, refuse_newer, schema_version

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class EndedCycle:
    """A cycle of the history and when main was flat again."""

    cycle: Cycle
    ended_ms: int


class SqliteStore:
    """Implements `records.Store`. `path` None keeps it in memory, for the simulator.

    For one thread. A writer creates or migrates the file. With `read_only` nothing is created or changed, so it may
    stand beside a running daemon: a missing file reads as a fresh store, one with an older schema as a migrated copy
    of this moment. Every failure is a StoreError; a call that raised has written nothing.
    """

    def __init__(
        self, path: Path | None, *, read_only: bool = False, migrations: Sequence[Migration] = MIGRATIONS
    ) -> None:
        opened = _open_to_read(path, migrations) if read_only else _open_to_write(path, migrations)
        self._database, self._fresh = opened

    @classmethod
    def scratch(cls, path: Path) -> Self:
        """A private copy of the store in memory, of this moment: for a rehearsal. The file is never changed."""
        store = cls.__new__(cls)
        store._database, store._fresh = _open_copy(path, MIGRATIONS)
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

    # --- facts, cycles, copies ------------------------------------------------------------------------------------

    def fact(self, key: str) -> str | None:
        found = self._database.rows("SELECT value FROM fact WHERE key = ?", (key,))
        return str(found[0][0]) if found else None

    def set_fact(self, key: str, value: str) -> None:
        self._database.run("INSERT OR REPLACE INTO fact (key, value) VALUES (?, ?)", (key, value))

    def cycles(self) -> list[Cycle]:
        """The open cycles, oldest first."""
        sql = "SELECT symbol, side, tag, origin, started_ms, opened FROM cycle ORDER BY started_ms, symbol, side"
        return self._read(sql, (), cycle_of)

    def save_cycle(self, cycle: Cycle) -> None:
        self._database.run(
            "INSERT OR REPLACE INTO cycle (symbol, side, tag, origin, started_ms, opened) VALUES (?, ?, ?, ?, ?, ?)",
            (cycle.symbol, cycle.side, cycle.tag, cycle.origin, cycle.started_ms, cycle.opened),
        )

    def end_cycle(self, key: CycleKey, at_ms: int) -> None:
        """The cycle moves to the history. Without such a cycle nothing happens."""
        with self._database.batch():
            self._database.run(
                "INSERT INTO ended_cycle (symbol, side, tag, origin, started_ms, opened, ended_ms)"
                " SELECT symbol, side, tag, origin, started_ms, opened, ? FROM cycle WHERE symbol = ? AND side = ?",
                (at_ms, *key),
            )
            self._database.run("DELETE FROM cycle WHERE symbol = ? AND side = ?", key)

    def ended_cycles(self, since_ms: int) -> list[EndedCycle]:
        """The cycles that ended since then, in the order in which they ended."""
        sql = (
            "SELECT symbol, side, tag, origin, started_ms, opened, ended_ms FROM ended_cycle"
            " WHERE ended_ms >= ? ORDER BY ended_ms, id"
        )
        return self._read(sql, (since_ms,), lambda row: EndedCycle(cycle_of(row[:-1]), row[-1]))

    def copies(self) -> list[Copy]:
        """Every copy, by account, symbol, side."""
        sql = (
            "SELECT account, symbol, side, tag, ratio, formula, cap, main_size, out, held, opened, ended, explained"
            " FROM copy ORDER BY account, symbol, side"
        )
        return self._read(sql, (), copy_of)

    def save_copy(self, copy: Copy) -> None:
        self._database.run(
            "INSERT OR REPLACE INTO copy"
            " (account, symbol, side, tag, ratio, formula, cap, main_size, out, held, opened, ended, explained)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *copy.key,
                copy.tag,
                plain(copy.ratio),
                copy.formula,
                decimal_text(copy.cap),
                plain(copy.main_size),
                copy.out,
                copy.held,
                copy.opened,
                copy.ended,
                copy.explained,
            ),
        )

    def drop_copy(self, key: tuple[str, str, PositionSide]) -> None:
        self._database.run("DELETE FROM copy WHERE account = ? AND symbol = ? AND side = ?", key)

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
        """Write state, filled, by_us, code, message and updated_ms. Raises LookupError for an id that is not there."""
        cursor = self._database.run(
            "UPDATE intent SET state = ?, over = ?, filled = ?, by_us = ?, code = ?, message = ?, updated_ms = ?"
            " WHERE intent_id = ?",
            (
                intent.state,
                intent.state.is_over,
                plain(intent.filled),
                intent.by_us,
                intent.code,
                intent.message,
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

    # --- measured copies, upkeep ----------------------------------------------------------------------------------

    def add_measured_copy(self, copy: MeasuredCopy) -> None:
        """Keep it. One order is measured once: the same link id again changes nothing."""
        self._database.run(
            "INSERT INTO measured_copy (account, symbol, side, link_id, main_exec_ms, mirror_exec_ms, slippage_bps)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, link_id) DO NOTHING",
            (
                copy.account,
                copy.symbol,
                copy.side,
                copy.link_id,
                copy.main_exec_ms,
                copy.mirror_exec_ms,
                decimal_text(copy.slippage_bps),
            ),
        )

    def measured_copies(self) -> list[MeasuredCopy]:
        """Every measured copy, in the order in which they were added."""
        sql = (
            "SELECT account, symbol, side, link_id, main_exec_ms, mirror_exec_ms, slippage_bps"
            " FROM measured_copy ORDER BY id"
        )
        return self._read(sql, (), measured_copy_of)

    def prune(self, before_ms: int) -> int:
        """Delete what is older: intents that are over (the newest of the journal excepted), alerts (delivered or not),
        ended cycles, measured copies.

        Open intents, open cycles and copies, standings and facts stay. Returns the number of rows. Their space in the
        file is used again; the file does not shrink.
        """
        with self._database.batch():
            return sum(self._database.run(sql, (before_ms,)).rowcount for sql in _PRUNE)

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file: a few ms of disk. For a quiet moment, every minute or so."""
        self._database.checkpoint()

    def _read(self, sql: str, parameters: Parameters, make: Callable[[Row], _Value]) -> list[_Value]:
        rows = self._database.rows(sql, parameters)
        try:
            return [make(row) for row in rows]
        except (ValueError, ArithmeticError, TypeError) as error:
            raise corrupt(self._database.path, f"a row that cannot be read: {error}") from error


_INTENT = (
    "SELECT intent_id, account, action, state, created_ms, updated_ms, main_order_id, main_filled, filled, by_us,"
    " code, message FROM intent"
)
_ALERT = "SELECT key, at_ms, severity, kind, account, symbol, text FROM alert"
_PRUNE = (
    # The newest intent stays: it keeps its id, and all below it, from being given again.
    "DELETE FROM intent WHERE over = 1 AND updated_ms < ? AND intent_id < (SELECT max(intent_id) FROM intent)",
    "DELETE FROM alert WHERE at_ms < ?",
    "DELETE FROM ended_cycle WHERE ended_ms < ?",
    "DELETE FROM measured_copy WHERE mirror_exec_ms < ?",
)


def _open_to_write(path: Path | None, migrations: Sequence[Migration]) -> tuple[Database, bool]:
    database = Database(path)
    try:
        return database, migrate(database, migrations)
    except BaseException:
        database.close()
        raise


def _open_to_read(path: Path | None, migrations: Sequence[Migration]) -> tuple[Database, bool]:
    """The file itself if its schema is ours; otherwise a copy in memory that is brought up to date."""
    if path is None or _missing(path):
        copy = Database(None)
    else:
        database = Database(path, read_only=True)
        try:
            version = schema_version(database)
            refuse_newer(database, version, migrations)
            if version == migrations[-1].version:
                return database, False
            copy = database.copy_to_memory()
        except BaseException:
            database.close()
            raise
        database.close()
    created = migrate(copy, migrations)
    copy.forbid_writes()
    return copy, created


def _open_copy(path: Path, migrations: Sequence[Migration]) -> tuple[Database, bool]:
    if _missing(path):
        return _open_to_write(None, migrations)
    database = Database(path, read_only=True)
    try:
        refuse_newer(database, schema_version(database), migrations)
        copy = database.copy_to_memory()
    finally:
        database.close()
    return copy, migrate(copy, migrations)


def _missing(path: Path) -> bool:
    try:
        return not path.exists()
    except OSError as error:  # a folder that may not be searched: unknown is not missing
        raise unopened(path, error) from error
