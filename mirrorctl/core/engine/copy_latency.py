"""How long copies took, leg by leg, in percentiles: what `stats`, `status` and the dashboard show. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mirrorctl.core.domain.statistics import percentile
from mirrorctl.core.engine.records import LEGS, MeasuredCopy

TOTAL = "total"  # from main's execution to the first execution of the mirror's order that followed it
_PERCENTS = (50, 95, 99)

Document = dict[str, Any]


def latency_json(copies: Sequence[MeasuredCopy]) -> Document:
    """{leg: {"p50", "p95", "p99"}} in ms of every leg, over the copies of which it is known, and of the whole way."""
    ways = [copy.legs_ms() for copy in copies]
    spans = {leg: [span for way in ways if (span := way[leg]) is not None] for leg in LEGS}
    spans[TOTAL] = [copy.total_ms for copy in copies]
    return {leg: {f"p{percent}": percentile(found, percent) for percent in _PERCENTS} for leg, found in spans.items()}


def by_mirror(copies: Iterable[MeasuredCopy], mirrors: Iterable[str]) -> list[Document]:
    """Of each mirror how many of these copies are its own, and their latency."""
    rows = list(copies)
    own = {name: [copy for copy in rows if copy.account == name] for name in mirrors}
    return [{"account": name, "copies": len(found), "latency_ms": latency_json(found)} for name, found in own.items()]
