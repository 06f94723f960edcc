"""Tables of what has been: statistics, the journal, positions that ended. Made from the documents of `--json`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from mirrorctl.commands.cells import NONE, UNKNOWN, money
from mirrorctl.commands.grid import Grid
from mirrorctl.commands.mirror_tables import mirrors
from mirrorctl.commands.tables import asked
from mirrorctl.commands.times import brief, head, local, zoned
from mirrorctl.core.domain.instruments import plain

Document = Mapping[str, Any]

_NOT_AVAILABLE = "n/a"
_TENTH = Decimal("0.1")
_CENT = Decimal("0.01")


def stats(document: Document) -> RenderableType:
    """Results by account, then how the mirrors copied."""
    table = Grid(
        ("account",), ("trades", "wins", "losses", "win rate", "profit factor", "fees", "funding", "net pnl", "open")
    )
    known = [row for row in document["accounts"] if row["trades"] is not None]
    for row in known:
        table.add_row(
            row["account"],
            *(str(row[name]) for name in ("trades", "wins", "losses")),
            _NOT_AVAILABLE if row["win_rate"] is None else f"{(row['win_rate'] * 100).quantize(_TENTH)}%",
            _NOT_AVAILABLE if row["profit_factor"] is None else f"{row['profit_factor'].quantize(_CENT)}",
            money(row["fees"]),
            money(row["funding"], signed=True),
            money(row["net_pnl"], signed=True),
            str(row["standing"]),
        )
    parts: list[RenderableType] = [Text(f"since {zoned(document['since'])}", "dim")]
    parts += [table] if known else []
    parts += list(_remarks(known))
    parts += [
        Text(f"{row['account']}: unknown: {row['error']}", "red")
        for row in document["accounts"]
        if row["trades"] is None
    ]
    return Group(*parts, *(mirrors(document["mirrors"]) if document["mirrors"] else ()))


def history(document: Document) -> RenderableType:
    """The journal, then the positions that ended; the newest last."""
    parts: list[RenderableType] = []
    if document["journal"]:
        columns = (head("time", (row["at"] for row in document["journal"])), "account", "action", "symbol", "side")
        journal = Grid(columns, ("qty", "price"), ("state", "why"), prose=("why",))
        for row in document["journal"]:
            what = (row["account"], row["action"], row["symbol"], row["side"] or NONE, *asked(row))
            journal.add_row(brief(row["at"]), *what, row["state"], "; ".join(_why(row)))
        parts.append(journal)
    if document["trades"]:
        closed = head("closed", (row["closed_at"] for row in document["trades"]))
        opened_head = head("opened", (row["opened_at"] for row in document["trades"]))
        trades = Grid((closed, "account", "symbol", "side", opened_head, "approach", "reason"), prose=("reason",))
        for row in document["trades"]:
            reason = f"{row['reason']}, while no daemon watched" if row["late"] else row["reason"]
            opened = UNKNOWN if row["opened_at"] is None else local(row["opened_at"])
            trades.add_row(
                local(row["closed_at"]),
                row["account"],
                row["symbol"],
                row["side"],
                opened,
                row["approach"] or NONE,
                reason,
            )
        parts.append(trades)
    return Group(*parts) if parts else Text("nothing yet")


def verified(document: Document) -> RenderableType:
    """Whether the journal is as it was written."""
    count = f"{document['rows']} rows of {document['intents']} intents"
    fault = document["fault"]
    if document["intact"] is None:
        return Text("the store is of an older version: the next `mirrorctl run` begins its chain", "yellow")
    if fault is None and not document["rows"]:
        return Text("nothing was journaled yet")
    if fault is None:
        rows = f"{document['first_row']} to {document['last_row']}"
        return Group(
            Text(f"the journal is as it was written: {count}, row {rows}", "green"),
            Text(f"hash of the newest row: {document['last_hash']}", "dim"),
        )
    when = "" if fault["at"] is None else f", written {zoned(fault['at'])}"
    intent = "" if fault["intent"] is None else f" (intent {fault['intent']}{when})"
    return Group(
        Text(f"the journal is not as it was written: {fault['kind']}: {fault['text']}{intent}", "bold red"),
        Text(f"this is the first such place; {count} were read from {document['store']}", "dim"),
    )


def _why(row: Document) -> Iterable[str]:
    """Why it was sent, what was filled where that is not all of it, and what the exchange said."""
    yield row["reason"]
    if row["filled"] and row["qty"] is not None and row["filled"] != Decimal(row["qty"]):
        yield f"{plain(row['filled'])} filled"
    if row["message"]:
        yield row["message"]


def _remarks(rows: Iterable[Document]) -> Iterable[Text]:
    """What the figures do not say by themselves."""
    for row in rows:
        if row["cut"]:
            yield Text(
                f"{row['account']}: {row['cut']} began before that; what they brought earlier is left out", "dim"
            )
        if row["unrecorded"]:
            text = f"{row['account']}: {row['unrecorded']} not counted: the exchange has no record of the result yet"
            yield Text(text, "yellow")
