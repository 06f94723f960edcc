"""A table that fits its terminal: a figure, a symbol or an id is never broken over two lines.

Columns move closer first. Where even that is too wide, each row becomes a block of named values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

_GAPS = (3, 2, 1)
_PROSE_WIDTH = 20  # a sentence may be folded down to this, and no further
_INDENT = "  "


class Grid:
    """Columns of text, then of figures, then text, then figures. Those named in `prose` are sentences and may fold."""

    def __init__(
        self,
        left: Iterable[str],
        right: Iterable[str] = (),
        rest: Iterable[str] = (),
        more: Iterable[str] = (),
        *,
        prose: Iterable[str] = (),
    ) -> None:
        columns = [(left, False), (right, True), (rest, False), (more, True)]
        self._columns = [(name, is_figure) for names, is_figure in columns for name in names]
        self._prose = frozenset(prose)
        self._rows: list[list[Text]] = []

    @property
    def row_count(self) -> int:
        """Rows so far."""
        return len(self._rows)

    def add_row(self, *cells: str | Text) -> None:
        """One cell for each column."""
        self._rows.append([cell if isinstance(cell, Text) else Text(cell) for cell in cells])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        least = self._least_width()
        gap = next((gap for gap in _GAPS if least + gap * (len(self._columns) - 1) <= options.max_width), None)
        if gap is None:
            yield from self._blocks(options.max_width)
        else:
            yield self._table(gap)

    def _least_width(self) -> int:
        """Cells that the columns take without the gaps between them."""
        total = 0
        for index, (name, _) in enumerate(self._columns):
            widest = max([cell_len(name), *(row[index].cell_len for row in self._rows)])
            total += min(widest, _PROSE_WIDTH) if name in self._prose else widest
        return total

    def _table(self, gap: int) -> Table:
        table = Table(
            box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold", padding=(0, gap - 1, 0, 0)
        )
        for name, is_figure in self._columns:
            folds = name in self._prose
            table.add_column(name, justify="right" if is_figure else "left", overflow="fold", no_wrap=not folds)
        for row in self._rows:
            table.add_row(*row)
        return table

    def _blocks(self, width: int) -> Iterator[Text]:
        """Each row as `name value` pairs, broken between pairs only."""
        for row in self._rows:
            line = Text()
            for (name, _), cell in zip(self._columns, row, strict=True):
                pair = Text.assemble((f"{name} ", "bold"), cell) if name else cell
                if line.cell_len and line.cell_len + len(_INDENT) + pair.cell_len > width:
                    yield line
                    line = Text(_INDENT)
                elif line.cell_len and pair.cell_len:
                    line.append(_INDENT)
                line.append_text(pair)
            yield line
