"""How times are written for machines (contract, JSON)."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(ms: int | None) -> str | None:
    """ISO-8601 UTC with milliseconds; None for never."""
    return stamp(ms) if ms else None


def stamp(ms: int) -> str:
    """ISO-8601 UTC with milliseconds."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
