"""Writes the measured tables between two marks of docs/performance.md; the words around them are written by hand."""

from __future__ import annotations

from pathlib import Path

from benchmarks.results import Results
from benchmarks.tables import markdown

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def write_docs(results: Results, page: Path = PAGE) -> None:
    """Put the tables of a run in place of those that stand there. ValueError when the marks are missing."""
    text = page.read_text(encoding="utf-8")
    before, begun, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not begun or not ended:
        raise ValueError(f"{page} has no place for the tables")
    page.write_text(f"{before}{BEGIN}\n\n{markdown(results)}\n{END}{after}", encoding="utf-8")
