"""What a trade comes to, for people: its entries and targets side by side for every account, and what is at risk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from mirrorctl.commands.cells import NONE, UNKNOWN, money, number
from mirrorctl.commands.grid import Grid
from mirrorctl.core.domain.policy import MAIN

Row = Mapping[str, Any]


def preview(rows: Sequence[Row]) -> RenderableType:
    """The preview of `trade open`: what is ordered, the position once every entry has filled, the loss at its stop."""
    known = [row for row in rows if row["state"] != UNKNOWN]
    parts: list[RenderableType] = [_orders(known), _risks(known)]
    if any(row["account"] == MAIN and row["stop"] is None for row in known):
        parts.append(Text("no stop: nothing ends this position when the price goes against it", "red"))
    parts += [Text(f"{row['account']}: {row['sizing']}", "dim") for row in known if row.get("sizing")]
    parts += [Text(f"{row['account']}: {row['terms']}", "dim") for row in known if row.get("terms")]
    parts += [Text(f"{row['account']}: does not follow: {row['held']}", "yellow") for row in known if row["held"]]
    parts += [Text(f"{row['account']}: {text}", "yellow") for row in known for text in _warnings(row)]
    parts += [Text(f"{row['account']}: unknown: {row['error']}", "red") for row in rows if row["state"] == UNKNOWN]
    return Group(*parts)


def notes(result: Row) -> list[Text]:
    """What came out otherwise than asked, one line each."""
    lines = [
        Text(f"refused: entry {row['entry']} of {row['qty']} at {row['price'] or 'market'}: {row['reason']}", "red")
        for row in result.get("refused") or ()
    ]
    if result.get("managed"):
        lines.append(Text("this position was opened elsewhere: from now on mirrorctl manages it", "yellow"))
    if result.get("standing") is False:
        lines.append(Text("the targets do not all stand yet: `mirrorctl orders` shows what does", "yellow"))
    lines += [
        Text(f"entry {row['order_id']} keeps the stop it carries: {row['reason']}", "yellow")
        for row in result.get("entries_kept") or ()
    ]
    return lines


def _warnings(row: Row) -> Sequence[str]:
    """What is said of a mirror that follows; of one that does not, the reason says it."""
    return () if row["held"] else row.get("warnings") or ()


def _orders(rows: Sequence[Row]) -> Grid:
    table = Grid(("", ""), ("price", "percent", *(row["account"] for row in rows)))
    for place, entry in enumerate(rows[0]["entries"]):
        cells = [_entry_cell(row, place) for row in rows]
        table.add_row("entry", entry["type"], entry["price"], NONE, *cells)
    mains = {target["leg"]: target for target in rows[0]["targets"]}
    for leg in sorted({target["leg"] for row in rows for target in row["targets"]}):
        price, percent = (mains[leg]["price"], mains[leg]["percent"]) if leg in mains else (NONE, NONE)
        table.add_row("target", str(leg), price, percent, *(_target_cell(row, leg, price) for row in rows))
    return table


def _entry_cell(row: Row, place: int) -> str:
    return str(row["entries"][place]["qty"]) if row["entries"] else "0"


def _target_cell(row: Row, leg: int, price: str) -> str:
    """The quantity, with its price where that is not main's; or the target whose order a small share goes with."""
    found = next((target for target in row["targets"] if target["leg"] == leg), None)
    if found is None:
        return NONE
    if found["joined"]:
        return f"with {found['joined']}"
    return str(found["qty"]) if found["price"] == price else f"{found['qty']} at {found['price']}"


def _risks(rows: Sequence[Row]) -> Grid:
    """What the orders cost, then the whole position with what stands already. Risk is what is lost at the stop."""
    table = Grid(
        ("account",),
        ("order value", "margin", "lev", "qty", "average", "stop", "risk", "risk %", "R:R"),
    )
    for row in rows:
        missing = UNKNOWN if Decimal(row["qty_after"]) else NONE
        stop = row["stop"]
        loss = _money(row["loss_at_stop"], missing), _percent(row["loss_percent"], missing)
        table.add_row(
            row["account"],
            _money(row["notional"], missing),
            _money(row["margin"], missing),
            number(row["leverage"]),
            row["qty_after"],
            number(row["entry_price"], missing),
            Text("none", "red") if stop is None else stop,
            *(loss if stop is not None else (NONE, NONE)),
            number(row["reward_risk"], NONE),
        )
    return table


def _money(text: str | None, missing: str) -> Text:
    return Text(missing, "dim") if text is None else money(Decimal(text))


def _percent(text: str | None, missing: str) -> Text:
    return Text(missing, "dim") if text is None else Text(f"{text}%")
