"""A frame of the dashboard as a file: SVG or HTML that needs nothing else, no font, style or script from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

_FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"
_PAPER, _INK = "#0d1117", "#d1d9e0"
_COLOURS = {"red": "#ff7b72", "green": "#56d364", "yellow": "#e3b341", "cyan": "#56d4dd"}
_CELL, _LINE, _SIZE, _MARGIN = 8.4, 19, 14, 16  # pixels of the picture

_CLASSES = ".b { font-weight: 700 } .d { opacity: 0.65 } " + " ".join(
    f".{name} {{ color: {code}; fill: {code} }}" for name, code in _COLOURS.items()
)

_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" \
role="img">
<title>mirrorctl dashboard</title>
<style>text {{ font: {size}px {font}; fill: {ink}; white-space: pre }} {classes}</style>
<rect width="100%" height="100%" rx="8" fill="{paper}"/>
{body}
</svg>
"""

_HTML = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>mirrorctl dashboard</title>
<style>
body {{ color: {ink}; background: {paper}; margin: 1.5rem }}
pre {{ font: 0.875rem/1.4 {font}; overflow-x: auto }}
{classes}
</style>
</head>
<body>
<pre>{body}</pre>
</body>
</html>
"""


def svg(lines: Sequence[Text], width: int) -> str:
    """A picture of the lines, `width` cells wide. Every piece of text is as wide as its cells, whatever the font."""
    drawn = [piece for at, line in enumerate(lines) for piece in _drawn(line, _MARGIN + at * _LINE + _SIZE)]
    return _SVG.format(
        width=2 * _MARGIN + width * _CELL,
        height=2 * _MARGIN + len(lines) * _LINE,
        size=_SIZE,
        font=_FONT,
        ink=_INK,
        paper=_PAPER,
        classes=_CLASSES,
        body="\n".join(drawn),
    )


def html(lines: Sequence[Text], _width: int) -> str:
    """A page with the lines."""
    body = "\n".join("".join(map(_span, _pieces(line))) for line in lines)
    return _HTML.format(font=_FONT, ink=_INK, paper=_PAPER, classes=_CLASSES, body=body)


def _drawn(line: Text, y: int) -> Iterator[str]:
    at = 0
    for text, style in _pieces(line):
        before = cell_len(text) - cell_len(text.lstrip())
        shown = text.strip()
        if shown:
            x, length = _MARGIN + (at + before) * _CELL, cell_len(shown) * _CELL
            place = f'x="{x:g}" y="{y}" textLength="{length:g}"'
            yield f"<text {place}{_class(style)}>{escape(shown)}</text>"
        at += cell_len(text)


def _span(piece: tuple[str, Style]) -> str:
    text, style = piece
    named = _class(style)
    return f"<span{named}>{escape(text)}</span>" if named else escape(text)


def _class(style: Style) -> str:
    names = [*(["b"] if style.bold else []), *(["d"] if style.dim else [])]
    if style.color is not None and style.color.name in _COLOURS:
        names.append(style.color.name)
    return f' class="{" ".join(names)}"' if names else ""


def _pieces(line: Text) -> Iterable[tuple[str, Style]]:
    """Stretches of one style."""
    console = Console(width=max(line.cell_len, 1), color_system="truecolor", force_terminal=True, _environ={})
    for text, style, _ in Segment.simplify(Text.assemble(line).render(console)):  # with the line's own style as a span
        yield text, style or Style.null()
