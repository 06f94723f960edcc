"""A table that fits its terminal: a figure, a symbol or an id is never broken over two lines.

Columns move closer first, then lists fold between their items and ids are cut to their beginning. Where even that is
too wide, each row becomes a block of named values.
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
_ID_WIDTH = 8  # of an id that is cut; enough to tell the orders of a few accounts apart
_INDENT = "  "


class Grid:
    """Columns of text, then of figures, then text, then figures.

    Those named in `prose` are sentences and may fold; those in `lists` fold between their items; those in `ids` may be
    cut to their first characters.
    """

    def __init__(
        self,
        left: Iterable[str],
        right: Iterable[str] = (),
        rest: Iterable[str] = (),
        more: Iterable[str] = (),
        *,
        prose: Iterable[str] = (),
        lists: Iterable[str] = (),
        ids: Iterable[str] = (),
    ) -> None:
        columns = [(left, False), (right, True), (rest, False), (more, True)]
        self._columns = [(name, is_figure) for names, is_figure in columns for name in names]
        self._prose, self._lists, self._ids = frozenset(prose), frozenset(lists), frozenset(ids)
        self._rows: list[list[Text]] = []

    @property
    def row_count(self) -> int:
        """Rows so far."""
        return len(self._rows)

    def add_row(self, *cells: str | Text) -> None:
        """One cell for each column."""
        self._rows.append([cell if isinstance(cell, Text) else Text(cell) for cell in cells])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        for tight in (False, True):
            least = self._least_width(tight)
            gaps = _GAPS[::-1] if tight and self._lists else _GAPS  # a list takes what the gaps leave it
            gap = next((gap for gap in gaps if least + gap * (len(self._columns) - 1) <= options.max_width), None)
            if gap is not None:
                yield self._table(gap, tight)
                return
        yield from self._blocks(options.max_width)

    def _least_width(self, tight: bool) -> int:
        """Cells that the columns take without the gaps between them; `tight`: with folded lists and cut ids."""
        total = 0
        for index, (name, _) in enumerate(self._columns):
            cells = [row[index] for row in self._rows]
            widest = max(cell_len(name), *(cell.cell_len for cell in cells), 0)
            if name in self._prose:
                widest = min(widest, _PROSE_WIDTH)
            elif tight and name in self._lists:
                widest = max(cell_len(name), *(cell_len(item) for cell in cells for item in cell.plain.split()), 0)
            elif tight and name in self._ids:
                widest = max(cell_len(name), min(widest, _ID_WIDTH))
            total += widest
        return total

    def _table(self, gap: int, tight: bool) -> Table:
        table = Table(
            box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold", padding=(0, gap - 1, 0, 0)
        )
        for name, is_figure in self._columns:
            folds = name in self._prose or (tight and name in self._lists)
            table.add_column(name, justify="right" if is_figure else "left", overflow="fold", no_wrap=not folds)
        cut = {index for index, (name, _) in enumerate(self._columns) if tight and name in self._ids}
        for row in self._rows:
            table.add_row(*(cell[:_ID_WIDTH] if index in cut else cell for index, cell in enumerate(row)))
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
