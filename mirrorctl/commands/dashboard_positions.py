"""The dashboard's table of positions: main's line leads, those of its mirrors follow, what needs a look comes first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import chain
from typing import Any

from rich.text import Text

from mirrorctl.commands.dashboard_columns import Cell, Column, Fitted, Row, cell, fit
from mirrorctl.commands.dashboard_figures import (
    NONE,
    UNKNOWN,
    age,
    decimal,
    exact,
    money,
    percent,
    rounded,
    seconds_since,
)
from mirrorctl.core.domain.lifecycle import Phase
from mirrorctl.core.domain.policy import MAIN

Document = Mapping[str, Any]

_COLUMNS = (
    Column(("position",), right=False),
    Column(("size",)),
    Column(("entry",), need=7),
    Column(("mark",), need=8),
    Column(("PnL",)),
    Column(("stop",)),
    Column(("away",), need=9),
    Column(("rungs",), need=6),
    Column(("phase",), right=False, need=5),
    Column(("lev",), need=2, extra=True),
    Column(("liquidation",), need=4, extra=True),
    Column(("at targets",), need=1, extra=True),
    Column(("at stop",), need=3, extra=True),
    Column(("note",), right=False),
)
ALWAYS = frozenset(("entry", "mark", "away", "rungs", "phase"))
"""Columns that 80 columns of a terminal have room for; the others are for wider ones."""

_PHASES = {
    Phase.BUILDING: cell("building", "build"),
    Phase.MONITORING: cell("monitoring", "watch"),
    Phase.PROFIT_TAKING: cell("profit-taking", "profit"),
    Phase.CLOSED: cell("closed"),
}
_NAME_CUT = 10
_CALM = 99
_SETTLED = "USDT"  # of a symbol; nearly all end in it
_WHOLE_FROM = 1_000  # an amount from which on its cents may go
_LONG_SIZE = 7  # digits of a quantity that may be shortened
_UNITS = ((Decimal(10**9), "G"), (Decimal(10**6), "M"), (Decimal(10**3), "k"))


@dataclass(frozen=True, slots=True)
class Note:
    """Why a position needs a look. `rank`: the lower the more urgent."""

    rank: int
    word: str
    age: str
    style: str

    @property
    def text(self) -> str:
        return f"{self.word} {self.age}".rstrip()


@dataclass(frozen=True, slots=True)
class Line:
    """One line to come: a position, what a mirror lacks, entries that rest, or (`row` None) that main holds nothing."""

    account: str
    symbol: str
    side: str
    row: Document | None
    notes: tuple[Note, ...] = ()

    @property
    def rank(self) -> int:
        """How urgent it is: that of its most urgent note."""
        return self.notes[0].rank if self.notes else _CALM


def lines(document: Document, account: str | None, now: datetime) -> list[Line]:
    """Positions of every account, or of one, by symbol and side: main first, then and between symbols by urgency."""
    desk: Mapping[str, Document] = document["desk"]
    groups: dict[tuple[str, str], list[Line]] = {}
    for name in desk if account is None else [account] if account in desk else []:
        for row in chain(*(desk[name].get(kind) or () for kind in ("positions", "missing", "building"))):
            notes = tuple(sorted(_each_note(row, desk[name], now), key=lambda note: note.rank))
            key = (row["symbol"], row["side"])
            groups.setdefault(key, []).append(Line(name, *key, row, notes))
    found: list[Line] = []
    leading = account or MAIN
    for key, group in sorted(groups.items(), key=lambda item: (min(line.rank for line in item[1]), item[0])):
        group.sort(key=lambda line: (line.account != leading, line.rank))
        if group[0].account != leading:
            found.append(Line(leading, *key, None))
        found += group
    return found


def fitted(shown: Sequence[Line], leading: str, *, leading_is_unknown: bool, width: int) -> Fitted:
    """The table of those lines. Lines of the `leading` account carry the symbol, others their account's name."""
    rows: list[Row] = []
    for line in shown:
        label = _symbol(line.symbol, line.side) if line.account == leading else _indented(line.account)
        if line.row is None:
            rows.append(_nothing(label, UNKNOWN if leading_is_unknown else NONE))
        elif "resting" in line.row:
            rows.append(_building(label, line.row, line.notes))
        elif "qty" in line.row:
            rows.append(_row(label, line.row, line.notes))
        else:
            rows.append(_lacking(label, line.notes))
    return fit(_COLUMNS, rows, width)


def _each_note(row: Document, account: Document, now: datetime) -> Iterator[Note]:
    naked_ms = row.get("naked_ms")
    if naked_ms is not None:
        yield Note(0, "naked", age(naked_ms / 1000), "bold red")
    if row.get("parked"):
        yield Note(1, "parked", "", "yellow")
    off = decimal(row.get("drift_qty", row.get("want_qty")))
    if row.get("drift_since"):
        yield Note(2, "drift", age(seconds_since(row["drift_since"], now)), "yellow")
    elif off and not row.get("hold") and not row.get("parked"):
        yield Note(4, f"off {exact(off).plain}", "", "yellow")
    if row.get("hold"):
        since = row.get("hold_since")
        yield Note(3, "held", age(seconds_since(since, now)) if since else "", "yellow")
    covered = decimal(row.get("stop_qty"))
    if covered is not None and covered < Decimal(row["qty"]):
        yield Note(5, "stop for part", "", "yellow")
    if account["state"] == "stale":
        yield Note(6, "stale", "", "red")
    if row.get("resting"):
        yield _resting(row["resting"])


def _resting(entries: Sequence[Document]) -> Note:
    """The entries that a trade waits for: how much, and at which prices."""
    qty = exact(sum((Decimal(entry["qty"]) for entry in entries), Decimal(0))).plain
    prices = sorted({Decimal(entry["price"]) for entry in entries if entry["price"] is not None})
    at = " to ".join(dict.fromkeys(exact(price).plain for price in (prices[0], prices[-1]))) if prices else "market"
    return Note(_CALM, "entry" if len(entries) == 1 else f"{len(entries)} entries", f"of {qty} at {at}", "")


def _row(label: Cell, row: Document, notes: Sequence[Note]) -> Row:
    stop = Text("none", "red") if row["stop"] is None else exact(row["stop"])
    stops = cell(stop) if row["stop"] is None else cell(stop, stop, rounded(row["stop"], 6))
    phase = row.get("phase")
    return (
        label,
        _size(row["qty"]),
        cell(rounded(row["entry_price"], 7), rounded(row["entry_price"], 6), rounded(row["entry_price"], 5)),
        cell(exact(row["mark_price"]), exact(row["mark_price"]), rounded(row["mark_price"], 5)),
        _pnl(row["unrealised_pnl"]),
        stops,
        cell(NONE) if row["stop"] is None else cell(percent(row.get("stop_distance_pct"))),
        _rungs(row.get("rungs_done"), row.get("rungs_total")),
        _PHASES.get(phase, cell(phase)) if phase else cell(Text(UNKNOWN)),
        cell(exact(row["leverage"])),
        cell(exact(row["liquidation_price"], NONE), rounded(row["liquidation_price"], 6, NONE)),
        cell(money(row["at_targets"], signed=True) if row["targets"] else NONE),
        cell(NONE if row["stop"] is None else money(row["at_stop"], signed=True)),
        _note(notes),
    )


def _nothing(label: Cell, mark: str) -> Row:
    """The line of main where only mirrors hold."""
    blank = cell(Text(mark, "dim"))
    return (label, *[blank] * (len(_COLUMNS) - 2), cell(""))


def _lacking(label: Cell, notes: Sequence[Note]) -> Row:
    """The line of a mirror that should hold what main does, and holds nothing."""
    return (label, cell(Text("0", "yellow")), *[cell(Text(NONE, "dim"))] * (len(_COLUMNS) - 3), _note(notes))


def _building(label: Cell, row: Document, notes: Sequence[Note]) -> Row:
    """The line of a trade that holds nothing yet: entry and stop are those of all its resting entries, if alike."""
    stops = {entry["stop"] for entry in row["resting"]}
    carried = next(iter(stops)) if len(stops) == 1 else None
    stop = Text("none", "red") if stops == {None} else Text(NONE if carried is None else exact(carried).plain)
    blank, phase = cell(Text(NONE, "dim")), row["phase"]
    prices = [*{entry["price"] for entry in row["resting"]}]
    price = cell(exact(prices[0], NONE)) if len(prices) == 1 else blank
    known = {
        "size": cell("0"),
        "entry": price,
        "stop": cell(stop),
        "phase": _PHASES.get(phase, cell(phase)) if phase else blank,
    }
    return (label, *(known.get(column.names[0], blank) for column in _COLUMNS[1:-1]), _note(notes))


def _symbol(symbol: str, side: str) -> Cell:
    letter = side[:1].upper()
    forms = (f"{symbol} {side}", f"{symbol} {letter}", f"{symbol.removesuffix(_SETTLED)} {letter}")
    return cell(*(Text(form, "bold") for form in forms))


def _indented(name: str) -> Cell:
    short = name if len(name) <= _NAME_CUT else f"{name[: _NAME_CUT - 1]}…"
    return cell(f"  {name}", f"  {short}")


def _size(value: Any) -> Cell:
    whole = exact(value)
    size = decimal(value)
    if size is None or whole.cell_len <= _LONG_SIZE:
        return cell(whole)
    for unit, letter in _UNITS:
        if size >= unit:
            return cell(whole, whole, f"{rounded(size / unit, 4).plain}{letter}")
    return cell(whole)


def _pnl(value: Any) -> Cell:
    amount, full = decimal(value), money(value, signed=True)
    if amount is None or abs(amount) < _WHOLE_FROM:
        return cell(full)
    return cell(full, full, money(value, signed=True, cents=False))


def _rungs(done: int | None, of: int | None) -> Cell:
    if of == 0:
        return cell(NONE)
    if done is None and of is None:
        return cell(Text(UNKNOWN))
    return cell("/".join(UNKNOWN if count is None else str(count) for count in (done, of)))


def _note(notes: Sequence[Note]) -> Cell:
    """Everything, the most urgent with its age, or just its word."""
    if not notes:
        return cell("")
    everything = Text(", ").join(Text(note.text, note.style) for note in notes)
    first = notes[0]
    return cell(everything, Text(first.text, first.style), Text(first.word, first.style))
