"""What `explain` says to people: sizes, what is held now, then events in the order of time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from mirrorctl.commands.grid import Grid
from mirrorctl.commands.record_tables import local
from mirrorctl.core.domain.instruments import plain

Document = Mapping[str, Any]

_YEAR = len("2026-")


def explanation(document: Document) -> RenderableType:
    """Sizes of the open cycle, holds, events; the newest last."""
    title = f"order {document['order']}, {document['symbol']}" if document["order"] else document["symbol"]
    parts: list[RenderableType] = [Text(title, "bold")]
    parts += [_size(row) for row in document["sizes"]]
    parts += list(_now(document["now"], bool(document["sizes"])))
    if document["left_out"]:
        parts.append(Text(f"{document['left_out']} earlier events left out: --limit shows more", "dim"))
    if document["events"]:
        table = Grid(("time", "account", "what"), ("qty", "price"), ("why", "outcome"), prose=("why", "outcome"))
        for row in document["events"]:
            table.add_row(
                _clock(row["at"]),
                row["account"],
                " ".join(word for word in (row["kind"], row.get("side")) if word),
                row.get("qty") or "",
                row.get("price") or "",
                row["text"],
                row["outcome"] or "",
            )
        parts.append(table)
    else:
        parts.append(Text("nothing was sent"))
    return Group(*parts)


def _size(row: Document) -> Text:
    """One mirror's arithmetic, in one line."""
    words = [f"{row['account']} {row['symbol']} {row['side']}: {row['formula']}"]
    if (row["follows"]["symbol"], row["follows"]["side"]) != (row["symbol"], row["side"]):
        words.append(f"follows main's {row['follows']['symbol']} {row['follows']['side']}")
    if row["cap"] is not None:
        words.append(f"capped at {plain(row['cap'])}")
    if row["own_stop"] is not None:
        words.append(f"its own stop {plain(row['own_stop'])}")
    words += [f"{name}: {row[name]}" for name in ("out", "held") if row[name]]
    if row["ended"]:
        words.append("main is flat")
    return Text("; ".join(words))


def _now(now: Document | None, sized: bool) -> Iterable[Text]:
    if now is None:
        if sized:
            yield Text("what is held now is unknown: no daemon answers", "dim")
        return
    for row in now["held"]:
        yield Text(f"{row['account']} is held: {row['reason']}", "yellow")
    for row in now["parked"]:
        yield Text(f"{row['account']} is parked: {row['reason']}", "yellow")
    for row in now["drift"]:
        yield Text(f"{row['account']} drifts: has {row['have']}, wants {row['want']}", "red")


def _clock(at: str) -> str:
    """To the millisecond: what follows what is the point here."""
    return f"{local(at)[_YEAR:]}.{at[-4:-1]}"
