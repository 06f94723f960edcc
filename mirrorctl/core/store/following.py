"""What the exchange cannot tell of the following: facts, cycles, copies, trades (see records.Store)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from mirrorctl.core.domain.cycle import Copy, Cycle, CycleKey
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.trade import Trade
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.store.codec import (
    copy_of,
    cycle_key_text,
    cycle_of,
    decimal_text,
    decimal_value,
    decode_trade,
    encode_trade,
    keys_text,
    ladder_text,
)
from mirrorctl.core.store.database import Row
from mirrorctl.core.store.tables import Tables

_CYCLE = "symbol, side, tag, origin, started_ms, opened, done"
_COPY = (
    "account, symbol, side, tag, ratio, formula, cap, main_size, out, held, opened, ended, explained, done, own_stop,"
    " skipped, raised, counted, unsized, value, follows, own_target, spared, ladder"
)
_ENDED_COPY = (
    "account, symbol, side, tag, main_symbol, main_side, started_ms, ended_ms, ratio, formula, unsized, out, held,"
    " multiplier"
)
_END_COPIES = (
    f"INSERT INTO ended_copy ({_ENDED_COPY})"
    " SELECT copy.account, copy.symbol, copy.side, copy.tag, cycle.symbol, cycle.side, cycle.started_ms, ?, copy.ratio,"
    " copy.formula, copy.unsized, copy.out, copy.held,"
    " (SELECT value FROM fact WHERE key = 'multiplier.' || copy.account || '.' || copy.symbol || '.' || copy.side)"
    " FROM cycle JOIN copy ON copy.tag = cycle.tag"
    " WHERE cycle.symbol = ? AND cycle.side = ? AND cycle.opened AND NOT copy.ended"
)


@dataclass(frozen=True, slots=True)
class EndedCycle:
    """A cycle of the history and when main was flat again."""

    cycle: Cycle
    ended_ms: int


@dataclass(frozen=True, slots=True)
class EndedCopy:
    """What a mirror made of a cycle, as it was when main was flat again. Times are the exchange's, in ms.

    `source` is main's symbol and side. `ratio` None: it never had one, and `unsized` says why. `multiplier` is that of
    the map where the mirror's symbol is another one; None where it is not known.
    """

    account: str
    symbol: str
    side: PositionSide
    tag: str
    source: CycleKey
    started_ms: int
    ended_ms: int
    ratio: Decimal | None
    formula: str
    unsized: str
    out: str
    held: str
    multiplier: Decimal | None


class FollowingTables(Tables):
    """Facts, open and ended cycles, copies, trades."""

    def fact(self, key: str) -> str | None:
        found = self._database.rows("SELECT value FROM fact WHERE key = ?", (key,))
        return str(found[0][0]) if found else None

    def facts(self, prefix: str) -> dict[str, str]:
        """Every fact whose key begins so."""
        sql = "SELECT key, value FROM fact WHERE substr(key, 1, ?) = ? ORDER BY key"
        return dict(self._read(sql, (len(prefix), prefix), lambda row: (str(row[0]), str(row[1]))))

    def set_fact(self, key: str, value: str, at_ms: int = 0) -> None:
        """Keep a fact; one with a time is forgotten by a prune of later."""
        sql = "INSERT OR REPLACE INTO fact (key, value, at_ms) VALUES (?, ?, ?)"
        self._database.run(sql, (key, value, at_ms))

    def cycles(self) -> list[Cycle]:
        """The open cycles, oldest first."""
        sql = f"SELECT {_CYCLE} FROM cycle ORDER BY started_ms, symbol, side"
        return self._read(sql, (), cycle_of)

    def save_cycle(self, cycle: Cycle) -> None:
        self._database.run(
            f"INSERT OR REPLACE INTO cycle ({_CYCLE}) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                cycle.symbol,
                cycle.side,
                cycle.tag,
                cycle.origin,
                cycle.started_ms,
                cycle.opened,
                keys_text(cycle.done),
            ),
        )

    def end_cycle(self, key: CycleKey, at_ms: int) -> None:
        """The cycle moves to the history, with what its copies are by now. Without such a cycle nothing happens."""
        with self._database.batch():
            self._database.run(_END_COPIES, (at_ms, *key))
            self._database.run(
                f"INSERT INTO ended_cycle ({_CYCLE}, ended_ms)"
                f" SELECT {_CYCLE}, ? FROM cycle WHERE symbol = ? AND side = ?",
                (at_ms, *key),
            )
            self._database.run("DELETE FROM cycle WHERE symbol = ? AND side = ?", key)

    def ended_cycles(self, since_ms: int) -> list[EndedCycle]:
        """The cycles that ended since then, in the order in which they ended."""
        sql = f"SELECT {_CYCLE}, ended_ms FROM ended_cycle WHERE ended_ms >= ? ORDER BY ended_ms, id"
        return self._read(sql, (since_ms,), lambda row: EndedCycle(cycle_of(row[:-1]), row[-1]))

    def ended_copies(self, since_ms: int) -> list[EndedCopy]:
        """What the mirrors made of the cycles that ended since then, in the order in which they ended."""
        sql = f"SELECT {_ENDED_COPY} FROM ended_copy WHERE ended_ms >= ? ORDER BY ended_ms, id"
        return self._read(sql, (since_ms,), _ended_copy_of)

    def newest_ended(self, limit: int, symbol: str | None = None) -> list[EndedCycle]:
        """At most `limit` of the ended cycles in which main held something, of a symbol or of all, the newest first."""
        sql = (
            f"SELECT {_CYCLE}, ended_ms FROM ended_cycle WHERE opened AND symbol = coalesce(?, symbol)"
            " ORDER BY ended_ms DESC, id DESC LIMIT ?"
        )
        return self._read(sql, (symbol, limit), lambda row: EndedCycle(cycle_of(row[:-1]), row[-1]))

    def copies(self) -> list[Copy]:
        """Every copy, by account, symbol, side."""
        return self._read(f"SELECT {_COPY} FROM copy ORDER BY account, symbol, side", (), copy_of)

    def save_copy(self, copy: Copy) -> None:
        self._database.run(
            f"INSERT OR REPLACE INTO copy ({_COPY}) VALUES ({_placeholders(_COPY)})",
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
                keys_text(copy.done),
                decimal_text(copy.own_stop),
                plain(copy.skipped),
                plain(copy.raised),
                keys_text(copy.counted),
                copy.unsized,
                decimal_text(copy.value),
                cycle_key_text(copy.follows),
                decimal_text(copy.own_target),
                plain(copy.spared),
                ladder_text(copy.ladder),
            ),
        )

    def drop_copy(self, key: tuple[str, str, PositionSide]) -> None:
        self._database.run("DELETE FROM copy WHERE account = ? AND symbol = ? AND side = ?", key)

    def trades(self) -> list[Trade]:
        """Every trade, oldest first."""
        sql = "SELECT document FROM trade ORDER BY created_ms, symbol, side"
        return self._read(sql, (), lambda row: decode_trade(row[0]))

    def save_trade(self, trade: Trade) -> None:
        self._database.run(
            "INSERT OR REPLACE INTO trade (symbol, side, created_ms, document) VALUES (?, ?, ?, ?)",
            (trade.symbol, trade.side, trade.created_ms, encode_trade(trade)),
        )

    def drop_trade(self, key: CycleKey) -> None:
        self._database.run("DELETE FROM trade WHERE symbol = ? AND side = ?", key)


def _placeholders(columns: str) -> str:
    return ", ".join("?" for _ in columns.split(","))


def _ended_copy_of(row: Row) -> EndedCopy:
    """From the columns of `ended_copy`."""
    account, symbol, side, tag, main_symbol, main_side, started_ms, ended_ms, ratio, *texts, multiplier = row
    formula, unsized, out, held = texts
    return EndedCopy(
        account=account,
        symbol=symbol,
        side=PositionSide(side),
        tag=tag,
        source=(main_symbol, PositionSide(main_side)),
        started_ms=started_ms,
        ended_ms=ended_ms,
        ratio=None if unsized else Decimal(ratio),
        formula=formula,
        unsized=unsized,
        out=out,
        held=held,
        multiplier=decimal_value(multiplier),
    )
