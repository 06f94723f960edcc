"""The newest copies on the dashboard: latency and slippage as bars, and the median of each leg of the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.text import Text

from mirrorctl.commands.dashboard_figures import UNKNOWN, decimal, spark
from mirrorctl.commands.mirror_tables import LEG_HEADS
from mirrorctl.core.domain.policy import MAIN
from mirrorctl.core.domain.statistics import percentile

Document = Mapping[str, Any]


def lines(document: Document, account: str | None, bars: int, *, ascii_only: bool) -> Iterator[Text]:
    """Copies of one mirror, or of all (`account` None or main): one bar each, the newest on the right."""
    copies = document.get("copies")
    if copies is None:
        yield Text.assemble(("copies ", "bold"), f"{UNKNOWN} (measured by the daemon)")
        return
    shown = [row for row in copies if account in (None, MAIN, row["account"])]
    if not shown:
        yield Text.assemble(("copies ", "bold"), "none measured yet")
        return
    about = f"last {len(shown)} copies  "
    latencies = _measured([decimal(row["latency_ms"]) for row in shown], "ms", bars, ascii_only)
    slippages = _measured([decimal(row["slippage_bps"]) for row in shown], "bps", bars, ascii_only)
    yield Text.assemble((about, "bold"), "latency   ", latencies)
    yield Text.assemble(" " * len(about), "slippage  ", slippages)
    legs = [f"{words} {_short(median)}" for words, median in _legs(shown)]
    if legs:
        yield Text.assemble(" " * len(about), "legs      ", f"{', '.join(legs)} ms p50")


def _legs(rows: Sequence[Document]) -> Iterator[tuple[str, Decimal]]:
    """The median of each leg, of the copies of which it is known."""
    for leg, words in LEG_HEADS.items():
        known = [Decimal(ms) for row in rows if (ms := (row.get("legs_ms") or {}).get(leg)) is not None]
        found = percentile(known, 50)
        if found is not None:
            yield words, found


def _measured(values: Sequence[Decimal | None], unit: str, bars: int, ascii_only: bool) -> Text:
    known = [value for value in values if value is not None]
    if not known:
        return Text(UNKNOWN)
    drawn = spark(values[-bars:], ascii_only=ascii_only)
    said = f"  p50 {_short(percentile(known, 50))}, worst {_short(max(known))} {unit}"
    return Text.assemble((drawn, "cyan"), said)


def _short(value: Decimal | None) -> str:
    return UNKNOWN if value is None else f"{value:,f}" if value == value.to_integral() else f"{value:.1f}"
