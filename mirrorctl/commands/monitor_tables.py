"""Tables of monitors, made from the documents of `--json`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from mirrorctl.commands.cells import NONE, number
from mirrorctl.commands.grid import Grid
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.policy import MAIN

Document = Mapping[str, Any]


def monitors(document: Document) -> RenderableType:
    """Every monitor in a line, then what has none or could not be read."""
    table = Grid(
        ("account", "symbol", "side", "approach", "phase"),
        ("qty", "want", "rests", "stop", "to stop", "targets"),
        ("managed",),
    )
    for row in document["monitors"]:
        table.add_row(
            row["account"],
            row["symbol"],
            row["side"],
            row["approach"],
            row["phase"],
            number(row["qty"]),
            _want(row),
            _resting(row["entries"]),
            _stop(row),
            _distance(row),
            f"{row['rungs_done']}/{row['rungs_total']}" if row["rungs_total"] else NONE,
            "yes" if row["managed"] else "no",
        )
    parts: list[RenderableType] = [table] if table.row_count else [Text("nothing is watched: no position, no entry")]
    parts += [_uncovered(row) for row in document["monitors"] if not row["covered"]]
    return Group(*parts, *_unread(document))


def details(document: Document, symbol: str) -> RenderableType:
    """The monitors of one symbol, each with its rungs and entries."""
    parts: list[RenderableType] = []
    for row in document["monitors"]:
        parts += _one(row)
    if not parts:
        parts.append(Text(f"{symbol} is not watched: no position, no entry"))
    return Group(*parts, *_unread(document))


def added(document: Document) -> Iterator[RenderableType]:
    """What was handed over, what it lacks, what was left as it is."""
    what = f"main's {document['symbol']} {document['side']}"
    if not document["added"]:
        yield Text(f"{what} is managed already ({document['approach']})")
        return
    targets = ", ".join(f"{row['price']} ({row['percent']}%)" for row in document["targets"])
    yield Text(f"{what} is managed now: stop {document['stop'] or 'none'}, targets {targets or 'none'}")
    for text in document["missing"]:
        yield Text(f"missing: {text}; nothing is made up for it", "yellow")
    entries = [f"entry of {row['qty']} at {row['price'] or 'market'}" for row in document["entries"]]
    for text in [*document["beside"], *entries]:
        yield Text(f"left as it is: {text}")


def removed(document: Document) -> Iterator[RenderableType]:
    """What was taken back, and what stays on main."""
    yield Text(f"main's {document['symbol']} {document['side']} is yours again: nothing is written for it any more")
    stays = document["stays"]
    if stays is None:
        yield Text("its stop and its orders stay where they are")
    elif stays:
        yield Text(f"stays on main: {', '.join(stays)}")


def _one(row: Document) -> Iterator[RenderableType]:
    yield Text.assemble(
        (f"{row['account']} {row['symbol']} {row['side']}", "bold"), f"  {row['phase']}  {row['label']}"
    )
    facts = Grid(("",), ("qty", "want", "stop", "to stop", "targets done"), ("managed",))
    done = f"{row['rungs_done']} of {row['rungs_total']}" if row["rungs_total"] else NONE
    facts.add_row(
        "", number(row["qty"]), _want(row), _stop(row), _distance(row), done, "yes" if row["managed"] else "no"
    )
    yield facts
    if row["targets"]:
        yield _targets(row["targets"])
    if row["entries"]:
        yield _entries(row["entries"])
    if row["account"] == MAIN and row["uncovered_pct"] not in (None, "0"):
        yield Text(f"{row['uncovered_pct']}% of the position has no target", "yellow")
    if not row["covered"]:
        yield _uncovered(row)


def _targets(rows: Iterable[Document]) -> Grid:
    table = Grid(("",), ("target", "percent", "rests"), ("state",))
    for row in rows:
        state = "done" if row["done"] else "rests" if row["qty"] != "0" else "not placed"
        table.add_row("", row["price"], NONE if row["percent"] is None else f"{row['percent']}%", row["qty"], state)
    return table


def _entries(rows: Iterable[Document]) -> Grid:
    table = Grid(("",), ("entry", "qty", "stop"))
    for row in rows:
        table.add_row("", row["price"] or "market", row["qty"], row["stop"] or NONE)
    return table


def _resting(entries: Iterable[Document]) -> str:
    """How much the entries that rest would bring."""
    qty = sum((Decimal(row["qty"]) for row in entries), Decimal(0))
    return plain(qty) if qty else NONE


def _want(row: Document) -> Text:
    return Text(NONE) if row["account"] == MAIN or not row["covered"] else number(row["want_qty"])


def _stop(row: Document) -> Text:
    """The position's stop; before there is a position the one that its entries carry."""
    if row["qty"] == "0" and row["stop"] is None and row["entries"]:
        carried = {entry["stop"] for entry in row["entries"]}
        if len(carried) == 1 and None not in carried:
            return Text(carried.pop())
        return Text("none", "red") if carried == {None} else Text("several")
    if row["stop"] is None:
        return Text("none", "red" if row["qty"] != "0" else "")
    return Text(row["stop"])


def _distance(row: Document) -> str:
    return NONE if row["stop_distance_pct"] is None else f"{row['stop_distance_pct']}%"


def _uncovered(row: Document) -> Text:
    where = f"{row['account']} {row['symbol']} {row['side']}"
    return Text(f"{where}: nothing stands for it; `mirrorctl status` shows why", "yellow")


def _unread(document: Document) -> list[Text]:
    names = ", ".join(document["unread"])
    return [Text(f"not read, so not shown or not current: {names}", "red")] if names else []
