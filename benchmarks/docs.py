"""Writes what was measured between marks of docs/performance.md and of the README; the words around are by hand."""

from __future__ import annotations

from pathlib import Path

from benchmarks.results import Results
from benchmarks.tables import headline, markdown, profile_markdown

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "performance.md"
README = ROOT / "README.md"
MEASURED, PROFILE, HEADLINE = "measured", "profile", "headline"


def write_docs(results: Results, page: Path = PAGE, readme: Path = README) -> None:
    """Put what a run measured in place of what stands there; what it did not measure stays.

    A run of parts replaces the tables only if reactions are among them. ValueError when the marks are missing.
    """
    if results.reaction:
        put(page, MEASURED, markdown(results))
    if results.profile is not None:
        put(page, PROFILE, profile_markdown(results.profile))
    if line := headline(results):
        put(readme, HEADLINE, line)


def put(page: Path, name: str, content: str) -> None:
    """Replace what stands between the marks `name: begin` and `name: end`."""
    begin, end = (f"<!-- {name}: {edge} -->" for edge in ("begin", "end"))
    text = page.read_text(encoding="utf-8")
    before, begun, rest = text.partition(begin)
    _, ended, after = rest.partition(end)
    if not begun or not ended:
        raise ValueError(f"{page} has no place for {name}")
    page.write_text(f"{before}{begin}\n\n{content.strip()}\n\n{end}{after}", encoding="utf-8")
