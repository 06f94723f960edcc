"""Rows of figures that fit a width: extra columns go first, then cells take shorter forms, then other columns go.

The result is plain lines, so that whoever stacks them knows how high they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from rich.text import Text

_GAPS = (2, 1)
_BETWEEN = "   "

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `names`: its head, in as many forms as wanted, the longest first.

    `need`: columns of the lowest go first where it is narrow; None never goes. An `extra` one goes before any cell is
    shortened for it.
    """

    names: tuple[str, ...]
    right: bool = True
    need: int | None = None
    extra: bool = False


@dataclass(frozen=True, slots=True)
class Fitted:
    """The head line, one line for each row, and the names of columns that had no room."""

    head: Text
    rows: list[Text]
    left_out: tuple[str, ...]


Cell = tuple[Text, ...]
Row = Sequence[Cell]


def cell(*forms: Text | str) -> Cell:
    """The forms of one cell, the longest first."""
    return tuple(form if isinstance(form, Text) else Text(form) for form in forms)


def fit(columns: Sequence[Column], rows: Sequence[Row], width: int) -> Fitted:
    """The rows within `width` cells of a terminal. A column whose cells are all empty is left out without a word."""
    kept = [i for i, _ in enumerate(columns) if not rows or any(row[i][0].cell_len for row in rows)]
    going = sorted((i for i in kept if columns[i].need is not None), key=lambda i: columns[i].need or 0)
    extras = [i for i in going if columns[i].extra]
    left_out: list[str] = []
    for index in (*extras, None):
        if _fits(columns, rows, kept, (0, _GAPS[0]), width):
            return _fitted(columns, rows, kept, (0, _GAPS[0]), tuple(left_out))
        if index is not None:
            kept.remove(index)
            left_out.append(columns[index].names[0])
    forms = [(level, gap) for level in range(_longest(columns, rows)) for gap in _GAPS]
    for index in (*(i for i in going if i not in extras), None):
        for form in forms:
            if _fits(columns, rows, kept, form, width):
                return _fitted(columns, rows, kept, form, tuple(left_out))
        if index is not None:
            kept.remove(index)
            left_out.append(columns[index].names[0])
        forms = forms[-1:]
    return _fitted(columns, rows, kept, forms[-1], tuple(left_out))


def _longest(columns: Sequence[Column], rows: Sequence[Row]) -> int:
    """How many forms the cell has that has most."""
    return max(*(len(forms) for row in rows for forms in row), *(len(column.names) for column in columns))


Form = tuple[int, int]
"""Which form of every cell, and how many spaces between two columns."""


def _fits(columns: Sequence[Column], rows: Sequence[Row], kept: Sequence[int], form: Form, width: int) -> bool:
    return sum(_widths(columns, rows, kept, form[0])) + form[1] * (len(kept) - 1) <= width


def _widths(columns: Sequence[Column], rows: Sequence[Row], kept: Sequence[int], level: int) -> list[int]:
    return [max(len(_form(columns[i].names, level)), *(_form(row[i], level).cell_len for row in rows), 0) for i in kept]


def _fitted(
    columns: Sequence[Column], rows: Sequence[Row], kept: Sequence[int], form: Form, left_out: tuple[str, ...]
) -> Fitted:
    level, gap = form
    widths = _widths(columns, rows, kept, level)
    head = _line([Text(_form(columns[i].names, level), "bold") for i in kept], columns, kept, widths, gap)
    lines = [_line([_form(row[i], level) for i in kept], columns, kept, widths, gap) for row in rows]
    return Fitted(head, lines, left_out)


def _line(
    cells: Sequence[Text], columns: Sequence[Column], kept: Sequence[int], widths: Sequence[int], gap: int
) -> Text:
    line = Text()
    for at, (text, index, width) in enumerate(zip(cells, kept, widths, strict=True)):
        room = " " * (width - text.cell_len)
        if at:
            line.append(" " * gap)
        if columns[index].right:
            line.append(room).append_text(text)
        else:
            line.append_text(text).append(room)
    line.rstrip()
    return line


def _form(forms: Sequence[T], level: int) -> T:
    return forms[min(level, len(forms) - 1)]


def cropped(line: Text, width: int) -> Text:
    """The line within `width`; what is cut off ends in an ellipsis."""
    if line.cell_len <= width:
        return line
    found = line.copy()
    found.truncate(max(width, 0), overflow="ellipsis")
    return found


def flowed(parts: Sequence[Text], width: int) -> list[Text]:
    """The parts beside each other in lines of `width`, broken between two parts only."""
    lines: list[Text] = []
    for part in parts:
        if lines and lines[-1].cell_len + len(_BETWEEN) + part.cell_len <= width:
            lines[-1].append(_BETWEEN).append_text(part)
        else:
            lines.append(part.copy())
    return lines
