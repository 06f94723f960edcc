"""Tables of how well the mirrors copied: speed by leg, and what their results are beside main's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from mirrorctl.commands.cells import UNKNOWN, money, number
from mirrorctl.commands.grid import Grid

Document = Mapping[str, Any]

_NOT_AVAILABLE = "n/a"
LEG_WORDS = {
    "main_to_frame": "main's fill to its news",
    "frame_to_plan": "news to decision",
    "plan_to_send": "decision to send",
    "send_to_ack": "send to answer",
    "ack_to_fill": "answer to fill",
    "total": "all the way",
}
LEG_HEADS = {
    "main_to_frame": "to news",
    "frame_to_plan": "decision",
    "plan_to_send": "sent",
    "send_to_ack": "answer",
    "ack_to_fill": "fill",
}
"""The same where there is little room, without the whole way."""

_FILLED_FIRST = f"{LEG_WORDS['ack_to_fill']} below 0: the order had filled before its answer came in"
_PARTS = ("latency", "rounding", "held", "rejection", "fee", "own_exit", "rest")


def mirrors(rows: Iterable[Document]) -> Iterator[RenderableType]:
    """Copies, their legs where any is known, and fidelity where any cycle could be compared."""
    rows = list(rows)
    yield _copies(rows)
    measured = [row for row in rows if row["latency_ms"].get("main_to_frame", {}).get("p50") is not None]
    if measured:
        yield _legs(measured)
        if any((value or 0) < 0 for row in measured for value in row["latency_ms"]["ack_to_fill"].values()):
            yield Text(_FILLED_FIRST, "dim")
    compared = [row for row in rows if row.get("fidelity") and row["fidelity"]["cycles"]]
    if compared:
        yield _fidelity(compared)
        yield _parts(compared)
    for row in rows:
        found = row.get("fidelity")
        if found and found["unmeasured"]:
            text = f"{row['account']}: {found['unmeasured']} of main's cycles cannot be compared with it"
            yield Text(text, "dim")


def _copies(rows: Iterable[Document]) -> Grid:
    table = Grid(
        ("mirror",),
        ("copies", "ms p50", "p95", "p99", "slippage bps p50", "p95", "longest naked ms"),
    )
    for row in rows:
        latency, slippage = row["latency_ms"]["total"], row["slippage_bps"]
        table.add_row(
            row["account"],
            _count(row["copies"]),
            *(_count(latency[name], _NOT_AVAILABLE) for name in ("p50", "p95", "p99")),
            *(number(slippage[name], _NOT_AVAILABLE) for name in ("p50", "p95")),
            _count(row["naked_ms_max"], _NOT_AVAILABLE),
        )
    return table


def _legs(rows: Iterable[Document]) -> Grid:
    table = Grid(("mirror", "leg of a copy"), ("ms p50", "p95", "p99"))
    for row in rows:
        for leg, words in LEG_WORDS.items():
            spans = row["latency_ms"][leg]
            table.add_row(
                row["account"], words, *(_count(spans[name], _NOT_AVAILABLE) for name in ("p50", "p95", "p99"))
            )
    return table


def _fidelity(rows: Iterable[Document]) -> Grid:
    table = Grid(("mirror",), ("cycles", "main's pnl x ratio", "net pnl", "tracking error"))
    for row in rows:
        found = row["fidelity"]
        amounts = (found[name] for name in ("ideal_pnl", "net_pnl", "tracking_error"))
        table.add_row(row["account"], str(found["cycles"]), *(money(amount, signed=True) for amount in amounts))
    return table


def _parts(rows: Iterable[Document]) -> Grid:
    table = Grid(("error of",), tuple(part.replace("_", " ") for part in _PARTS))
    for row in rows:
        parts = row["fidelity"]["parts"]
        table.add_row(row["account"], *(money(parts[part], signed=True) for part in _PARTS))
    return table


def _count(value: int | None, missing: str = UNKNOWN) -> Text:
    return Text(missing, "dim") if value is None else Text(str(value))
