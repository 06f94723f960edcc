"""The dashboard as a picture and as a page: whole, alone, written over nothing unasked; and without a screen."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest
from rich.text import Text

from mirrorctl.commands.dashboard_export import html, svg
from mirrorctl.commands.dashboard_frame import View, frame
from tests.cli import dashboard_documents as documents
from tests.cli.conftest import Program, Running

LOADED = re.compile(r"https?:|@import|@font-face|url\((?!#)|<(script|link|img|image|iframe)\b|(src|href)=")
NAMESPACE = "http://www.w3.org/2000/svg"
WIDTH = 120


def lines() -> list[Text]:
    document = documents.trouble()
    document["alerts"][0]["text"] = 'refused: <b>&amp; "qty" > 5</b>'
    return frame(document, View(WIDTH, documents.NOW, zone=documents.ZONE))


def said(line: Text) -> str:
    return "".join(line.plain.split())


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_picture_holds_every_line_and_loads_nothing() -> None:
    text = svg(lines(), WIDTH)
    root = ElementTree.fromstring(text)
    rows: dict[str, str] = {}
    for element in root.iter(f"{{{NAMESPACE}}}text"):
        rows[element.get("y", "")] = f"{rows.get(element.get('y', ''), '')} {element.text}"
    drawn = ["".join(row.split()) for row in rows.values()]

    assert not LOADED.search(text.replace(NAMESPACE, ""))
    assert [said(line) for line in lines() if line.plain and said(line) not in drawn] == []


def test_the_page_holds_every_line_and_loads_nothing() -> None:
    text = html(lines(), WIDTH)
    page = Page()
    page.feed(text)
    shown = [line.rstrip() for line in page.text.splitlines()]

    assert not LOADED.search(text)
    assert [line.plain for line in lines() if line.plain.rstrip() not in shown] == []


def test_what_is_coloured_on_the_screen_is_coloured_in_both() -> None:
    for text in (svg(lines(), WIDTH), html(lines(), WIDTH)):
        assert re.search(r'class="b red">without a stop: mirror BTCUSDT long', text)
        assert re.search(r'class="red">in step: no<', text)
        assert re.search(r'class="green">\+18.10<', text)


def test_the_same_frame_is_the_same_file() -> None:
    assert svg(lines(), WIDTH) == svg(lines(), WIDTH)


def test_it_is_written_whole_and_over_a_standing_file_only_with_a_yes(program: Program, exchange: Running) -> None:
    """And with nobody at a terminal the command draws one frame, as with --once, and says so."""
    path = program.home / "desk.svg"
    done = program("dashboard", "--export", str(path))
    assert (done.code, done.out.strip()) == (0, f"written: {path}")
    assert ElementTree.parse(path).getroot().tag == f"{{{NAMESPACE}}}svg"

    path.write_text("mine")
    refused = program("dashboard", "--export", str(path), "--json")
    assert (refused.code, refused.error["kind"]) == (6, "confirmation")
    assert path.read_text() == "mine"
    written = program("dashboard", "--export", str(path), "--yes", "--json")
    assert (written.code, written.document["export"]) == (0, str(path))
    assert path.read_text().startswith("<svg")
    assert [each.name for each in path.parent.glob(".desk*")] == []

    printed = program("dashboard")
    assert printed.code == 0
    assert printed.err == "no terminal to draw on: one frame, as with --once\n"
    assert "from the exchange, 0s old: no daemon runs" in printed.out
    assert "\x1b" not in printed.out


@pytest.mark.proves("A74")
@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--json"], "--json needs --once"),
        (["--export", "desk.png"], 'found "desk.png", expected a name that ends in .svg or .html'),
        (["--export", "nowhere/desk.svg"], "there is no folder nowhere"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_read(program: Program, args: list[str], message: str) -> None:
    done = program("dashboard", *args)

    assert done.code == 2
    assert message in done.out + done.err


def test_where_nothing_can_be_read_it_is_unknown_and_the_exit_code_says_so(program: Program) -> None:
    done = program("dashboard", "--once")

    assert done.code == 4
    assert "from the exchange, nothing read: no daemon runs" in done.out
    assert "unknown: main: the paper exchange of profile paper is not running" in done.out
