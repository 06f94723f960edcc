"""What `doctor` prints, made from the document of `--json`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from mirrorctl.commands.cells import NONE, UNKNOWN
from mirrorctl.commands.grid import Grid

Document = Mapping[str, Any]

_MACHINE = "machine"
_STYLES = {"critical": "bold red", "warning": "yellow", "info": "dim"}
_STATES = {"ok": "green", "note": "", "warning": "yellow", "error": "bold red"}


def doctor(document: Document) -> RenderableType:
    """Every check with what it found and what to do, then what every mirror can copy."""
    parts: list[RenderableType] = [_checks(document["checks"])]
    for mirror in document["mirrors"]:
        parts += [Text(""), Text(f"what {mirror['account']} copies", "bold"), *_mirror(mirror)]
    return Group(*parts, Text(""), _verdict(document))


def _checks(rows: Iterable[Document]) -> Grid:
    """An account's name stands at its first check only; what to do follows what was found, after an arrow."""
    table = Grid(("account", "check", "state"), (), ("found",), prose=("found",))
    before = ""
    for row in rows:
        name = row["account"] or _MACHINE
        hint = ("\n→ ", row["hint"]) if row["hint"] else ()
        found = Text.assemble(row["text"], *hint)
        table.add_row("" if name == before else name, row["check"], Text(row["state"], _STATES[row["state"]]), found)
        before = name
    return table


def _verdict(document: Document) -> Text:
    if document["healthy"]:
        return Text("healthy: nothing found", "green")
    notes = [note for mirror in document["mirrors"] for row in mirror["symbols"] for note in row["notes"]]
    found = [row["severity"] for row in (*document["checks"], *notes)]
    counts = (("critical", "error"), ("warning", "warning"))
    told = [f"{n} {word}{'s' if n > 1 else ''}" for severity, word in counts if (n := found.count(severity))]
    return Text(f"not healthy: {', '.join(told)}", "red")


def _mirror(mirror: Document) -> Iterator[RenderableType]:
    if not mirror["symbols"]:
        yield Text("main holds, orders and lately traded nothing: name a SYMBOL")
        return
    table = Grid(("symbol",), ("main ≥", "main now", "copied", "rounding", "lev"), ("sizing",), prose=("sizing",))
    for row in mirror["symbols"]:
        same = row["mirror_symbol"] == row["symbol"]
        table.add_row(
            row["symbol"] if same else f"{row['symbol']} as {row['mirror_symbol']}",
            row["smallest_main_qty"] or UNKNOWN,
            row["main_qty"],
            row["copied_qty"] or NONE,
            NONE if row["rounding_pct"] is None else f"{row['rounding_pct']}%",
            NONE if row["leverage"] is None else row["leverage"],
            row["formula"],
        )
    yield table
    ladders = Grid(("symbol", "approach", "targets now"), ("each from", "requests", "seconds", "of the address"))
    for row in mirror["symbols"]:
        for fit in row["approaches"]:
            ladders.add_row(
                row["symbol"],
                fit["approach"],
                _targets(fit),
                fit["whole_from"] or UNKNOWN,
                str(fit["requests"]),
                fit["seconds"],
                f"{fit['ip_pct']}%",
            )
    yield ladders
    for row in mirror["symbols"]:
        for note in row["notes"]:
            text = f"{note['severity']}: {row['symbol']}: {note['text']}"
            yield Text(text, _STYLES[note["severity"]])


def _targets(fit: Document) -> str:
    """Which targets are too small for orders of their own at main's size now, and its entries."""
    if fit["joined_targets"] is None:
        return NONE
    joined = ", ".join(str(number) for number in fit["joined_targets"])
    small = "; entries too small" if fit["small_entries"] else ""
    return f"{joined} joined{small}" if joined else f"whole{small}"
