"""What was observed: measured copies, samples, open and closed positions, times (see records.Store)."""

from __future__ import annotations

from collections.abc import Sequence

from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.records import (
    ClosedPosition,
    EquitySample,
    HoldTime,
    MeasuredCopy,
    NakedTime,
    OpenPosition,
)
from mirrorctl.core.store.codec import (
    closed_of,
    decimal_text,
    hold_of,
    measured_copy_of,
    naked_of,
    open_of,
    sample_of,
)
from mirrorctl.core.store.tables import Tables

_MEASURED = (
    "account, symbol, side, link_id, main_exec_ms, mirror_exec_ms, slippage_bps,"
    " received_ms, planned_ms, sent_ms, acked_ms"
)


class MeasuredTables(Tables):
    """Measured copies, samples, open and closed positions, naked times and times of holds."""

    def add_measured_copy(self, copy: MeasuredCopy) -> None:
        """Keep it. One order is measured once: the same link id again changes nothing."""
        self._database.run(
            f"INSERT INTO measured_copy ({_MEASURED}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (account, link_id) DO NOTHING",
            (
                copy.account,
                copy.symbol,
                copy.side,
                copy.link_id,
                copy.main_exec_ms,
                copy.mirror_exec_ms,
                decimal_text(copy.slippage_bps),
                copy.received_ms,
                copy.planned_ms,
                copy.sent_ms,
                copy.acked_ms,
            ),
        )

    def measured_copies(self) -> list[MeasuredCopy]:
        """Every measured copy, in the order in which they were added."""
        return self._read(f"SELECT {_MEASURED} FROM measured_copy ORDER BY id", (), measured_copy_of)

    def measured_since(self, since_ms: int) -> list[MeasuredCopy]:
        """Copies that were filled on the mirror at that time (exchange clock) or later, oldest first."""
        sql = f"SELECT {_MEASURED} FROM measured_copy WHERE mirror_exec_ms >= ? ORDER BY mirror_exec_ms, id"
        return self._read(sql, (since_ms,), measured_copy_of)

    def newest_measured(self, limit: int) -> list[MeasuredCopy]:
        """At most `limit` of the measured copies, oldest first."""
        sql = f"SELECT {_MEASURED} FROM measured_copy ORDER BY id DESC LIMIT ?"
        return self._read(sql, (max(limit, 0),), measured_copy_of)[::-1]

    def add_samples(self, samples: Sequence[EquitySample]) -> None:
        """Keep them, as one transaction."""
        if not samples:
            return
        with self._database.together():
            for sample in samples:
                amounts = (sample.equity, sample.ideal, sample.want, sample.have)
                self._database.run(
                    "INSERT INTO equity (account, at_ms, equity, ideal, want, have) VALUES (?, ?, ?, ?, ?, ?)",
                    (sample.account, sample.at_ms, *map(decimal_text, amounts)),
                )

    def samples(self, since_ms: int) -> list[EquitySample]:
        """Every sample since then, oldest first."""
        sql = "SELECT account, at_ms, equity, ideal, want, have FROM equity WHERE at_ms >= ? ORDER BY at_ms, id"
        return self._read(sql, (since_ms,), sample_of)

    def add_hold(self, row: HoldTime) -> None:
        """Keep it, in place of what was known of the same spell (account, symbol, side, from_ms)."""
        self._database.run(
            "INSERT OR REPLACE INTO hold_time (account, symbol, side, from_ms, reason, until_ms)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (row.account, row.symbol, row.side, row.from_ms, row.reason, row.until_ms),
        )

    def hold_times(self, since_ms: int) -> list[HoldTime]:
        """Spells that lasted at that time or later, oldest first."""
        sql = (
            "SELECT account, symbol, side, from_ms, reason, until_ms FROM hold_time"
            " WHERE until_ms IS NULL OR until_ms >= ? ORDER BY from_ms, account, symbol, side"
        )
        return self._read(sql, (since_ms,), hold_of)

    def open_positions(self) -> list[OpenPosition]:
        """Every position that was seen with size and not seen to close."""
        sql = "SELECT account, symbol, side, tag, approach, opened_ms FROM open_position ORDER BY account, symbol, side"
        return self._read(sql, (), open_of)

    def save_open(self, row: OpenPosition) -> None:
        self._database.run(
            "INSERT OR REPLACE INTO open_position (account, symbol, side, tag, approach, opened_ms)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (*row.key, row.tag, row.approach, row.opened_ms),
        )

    def drop_open(self, key: tuple[str, str, PositionSide]) -> None:
        self._database.run("DELETE FROM open_position WHERE account = ? AND symbol = ? AND side = ?", key)

    def add_closed(self, row: ClosedPosition) -> None:
        """Keep it. The same position (account, symbol, side, tag, closed_ms) again changes nothing."""
        self._database.run(
            "INSERT INTO closed_position (account, symbol, side, tag, reason, opened_ms, closed_ms, late, approach)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, symbol, side, tag, closed_ms) DO NOTHING",
            (
                row.account,
                row.symbol,
                row.side,
                row.tag,
                row.reason,
                row.opened_ms,
                row.closed_ms,
                row.late,
                row.approach,
            ),
        )

    def closed_positions(self, since_ms: int) -> list[ClosedPosition]:
        """What closed since then, in the order in which it closed."""
        sql = (
            "SELECT account, symbol, side, tag, reason, opened_ms, closed_ms, late, approach FROM closed_position"
            " WHERE closed_ms >= ? ORDER BY closed_ms, id"
        )
        return self._read(sql, (since_ms,), closed_of)

    def newest_closed(self, limit: int, symbol: str | None = None, account: str | None = None) -> list[ClosedPosition]:
        """At most `limit` of what closed, of a symbol and an account or of all, the newest first."""
        sql = (
            "SELECT account, symbol, side, tag, reason, opened_ms, closed_ms, late, approach FROM closed_position"
            " WHERE symbol = coalesce(?, symbol) AND account = coalesce(?, account)"
            " ORDER BY closed_ms DESC, id DESC LIMIT ?"
        )
        return self._read(sql, (symbol, account, limit), closed_of)

    def add_naked(self, row: NakedTime) -> None:
        """Keep it, in place of what was known of the same spell (account, symbol, side, from_ms)."""
        self._database.run(
            "INSERT OR REPLACE INTO naked_time (account, symbol, side, from_ms, ms, ended) VALUES (?, ?, ?, ?, ?, ?)",
            (row.account, row.symbol, row.side, row.from_ms, row.ms, row.ended),
        )

    def naked_times(self, since_ms: int) -> list[NakedTime]:
        """Spells that began since then, and every one that has not ended, oldest first."""
        sql = (
            "SELECT account, symbol, side, from_ms, ms, ended FROM naked_time WHERE from_ms >= ? OR ended = 0"
            " ORDER BY from_ms, account, symbol, side"
        )
        return self._read(sql, (since_ms,), naked_of)
