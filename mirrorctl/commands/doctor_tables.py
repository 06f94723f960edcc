"""What `doctor` prints, made from the document of `--json`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from mirrorctl.commands.cells import NONE, UNKNOWN
from mirrorctl.commands.grid import Grid

Document = Mapping[str, Any]

_STYLES = {"critical": "bold red", "warning": "yellow", "info": "dim"}


def doctor(document: Document) -> RenderableType:
    """The accounts, what is wrong with them, then what every mirror can copy."""
    parts: list[RenderableType] = [_accounts(document)]
    parts += [_check(row) for row in document["checks"]]
    for mirror in document["mirrors"]:
        parts += [Text(""), Text(f"what {mirror['account']} copies", "bold"), *_mirror(mirror)]
    verdict = "healthy: nothing found" if document["healthy"] else "not healthy: see above"
    return Group(*parts, Text(""), Text(verdict, "green" if document["healthy"] else "red"))


def _accounts(document: Document) -> Grid:
    table = Grid(("account",), ("uid", "equity"), ("trades", "withdraws", "address", "mode"), ("expires", "clock ms"))
    for row in document["accounts"]:
        known = row["state"] != UNKNOWN
        days = row["expires_in_days"]
        table.add_row(
            row["account"],
            str(row["uid"]) if known else Text(UNKNOWN, "red"),
            row["equity"] or UNKNOWN,
            _yes(row["can_trade"]),
            _yes(row["can_withdraw"]),
            UNKNOWN if row["ip_bound"] is None else "bound" if row["ip_bound"] else "any",
            row["position_mode"] or NONE,
            NONE if days is None else f"{days} days",
            NONE if row["clock_skew_ms"] is None else str(row["clock_skew_ms"]),
        )
    return table


def _check(row: Document) -> Text:
    where = f"{row['account']}: " if row["account"] else ""
    hint = f"; {row['hint']}" if row["hint"] else ""
    return Text(f"{row['severity']}: {where}{row['text']}{hint}", _STYLES[row["severity"]])


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


def _yes(value: bool | None) -> str:
    return UNKNOWN if value is None else "yes" if value else "no"
