"""Keys of the dashboard and what they do, that each is documented, and its figures, bars, ages and columns."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mirrorctl.commands.dashboard_columns import Column, cell, fit
from mirrorctl.commands.dashboard_figures import age, money, rounded, spark, total
from mirrorctl.commands.dashboard_frame import KEYS
from mirrorctl.commands.dashboard_keys import decode
from mirrorctl.commands.dashboard_screen import Asked, Do, Screen, footer, pressed
from tests.cli import dashboard_documents as documents

README = Path(__file__).parents[2] / "README.md"


def after(keys: str, document: dict[str, Any], screen: Screen | None = None) -> tuple[Screen, Do | Asked | None]:
    """The screen after some keys, and what the last one asked for."""
    found, do = screen or Screen(), None
    for key in keys.split():
        found, do = pressed(found, key, document)
    return found, do


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b"qp?", ["q", "p", "?"]),
        (b"\t\x1b[Z", ["tab", "shift-tab"]),
        (b"\x1b[A\x1bOB\x1b[5~\x1b[6~", ["up", "down", "page up", "page down"]),
        (b"\x1b", ["escape"]),
        (b"\x1b[1;5C\x1b[24~", ["", ""]),  # Ctrl-right and F12 mean nothing here, nor do their letters
        ("é".encode(), [""]),
        (b"\r", ["enter"]),
        (b"\x00\x01", ["", ""]),
    ],
)
def test_decode(data: bytes, keys: list[str]) -> None:
    assert decode(data) == keys


def test_tab_goes_through_the_accounts_and_back_to_all() -> None:
    document = documents.normal()

    assert [after("tab " * count, document)[0].account for count in range(5)] == [None, "main", "mirror", "small", None]
    assert after("shift-tab", document)[0].account == "small"
    gone = Screen(account="renamed")
    assert after("tab", document, gone)[0].account == "main"


def test_pausing_asks_and_only_a_yes_is_one() -> None:
    document = documents.normal()
    asked = Asked(Do.PAUSE, None)

    assert after("p", document) == (Screen(asked=asked), None)
    assert after("p y", document)[1] == asked
    for key in ("n", "q", "enter", "escape", "p", "tab"):
        screen, do = after(f"p {key}", document)
        assert (do, screen.asked, screen.message) == (None, None, "pause: not done")


def test_p_on_an_account_pauses_that_one_and_again_resumes_it() -> None:
    document = documents.normal()
    on_mirror = Screen(account="mirror")
    assert after("p y", document, on_mirror)[1] == Asked(Do.PAUSE, "mirror")

    pause = {"kind": "pause", "account": "mirror", "symbol": None, "reason": "by the trader", "since": None}
    document["pauses"] = [pause]
    assert after("p y", document, on_mirror)[1] == Asked(Do.RESUME, "mirror")
    assert after("p y", document)[1] == Asked(Do.PAUSE, None)  # not everything is paused
    document["pauses"] = [{**pause, "account": None}]
    assert after("p y", document)[1] == Asked(Do.RESUME, None)
    screen, do = after("p", document, on_mirror)
    assert (do, screen.asked) == (None, None)
    assert "every account is paused" in screen.message
    document["pauses"] = [{**pause, "symbol": "BTCUSDT"}]
    assert after("p y", document, on_mirror)[1] == Asked(Do.PAUSE, "mirror")  # one symbol is not the account


def test_what_is_paused_is_not_guessed_at() -> None:
    screen, do = after("p", {**documents.normal(), "pauses": None})

    assert (do, screen.asked) == (None, None)
    assert "unknown" in screen.message


def test_the_question_says_what_a_yes_does() -> None:
    document = documents.normal()

    assert footer(after("p", document)[0]).plain == "pause every account? Entries stop; stops and reductions go on. y/n"
    document["pauses"] = [{"kind": "halt", "account": "small", "symbol": None, "reason": "loss", "since": None}]
    text = footer(after("p", document, Screen(account="small"))[0]).plain
    assert text == "resume small? It ends every pause, halt and park there is. y/n"


def test_quit_relist_and_help() -> None:
    document = documents.normal()

    assert after("q", document)[1] is Do.QUIT
    assert after("r", document)[1] is Do.RELIST
    assert after("?", document)[0].help
    assert not after("? x", document)[0].help
    assert after("? q", document)[1] is Do.QUIT
    assert after("x", document) == (Screen(), None)


def test_scrolling_stops_at_both_ends() -> None:
    document = documents.normal()  # six positions

    assert after("up", document)[0].skip == 0
    assert after("down down up", document)[0].skip == 1
    assert after("page-down " * 3, document)[0].skip == 0
    screen = Screen()
    for _ in range(3):
        screen, _ = pressed(screen, "page down", document)
    assert screen.skip == 5
    assert after("tab", document, screen)[0].skip == 0


def test_every_key_is_in_the_readme() -> None:
    text = README.read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith("| `mirrorctl dashboard"))

    assert [key for key, _ in KEYS if key != "up down" and f"`{key}`" not in row] == []


def test_bars_go_from_nothing_to_the_greatest_and_leave_gaps_for_what_is_unknown() -> None:
    values = [Decimal(0), Decimal(50), None, Decimal(100)]

    assert spark(values) == "▁▅ █"
    assert spark(values, ascii_only=True) == "_= #"
    assert spark([Decimal(-1), Decimal(0), Decimal(1)]) == "▁▅█"
    assert spark([Decimal(0), Decimal(0)]) == "▁▁"
    assert spark([None]) == spark([]) == ""


def test_figures() -> None:
    assert [age(seconds) for seconds in (None, 0, 59.4, 60, 7199, 7200, 172_800)] == [
        "?",
        "0s",
        "59s",
        "1m",
        "120m",
        "2h",
        "2d",
    ]
    assert money("1234.567").plain == "1,234.57"
    assert money("-0.001", signed=True).plain == "0.00"
    assert money("1234.5", signed=True, cents=False).plain == "+1,234"
    assert money(None).plain == "?"
    assert rounded("0.000012345678", 5).plain == "0.000012346"
    assert rounded("60000", 3).plain == "60000"
    assert total(["1", "2.5"]) == Decimal("3.5")
    assert total(["1", None]) is None
    assert total([]) is None


def test_columns_lose_extras_first_then_length_then_what_is_least_needed() -> None:
    columns = (
        Column(("name",), right=False),
        Column(("much",), need=2),
        Column(("more",), need=1, extra=True),
        Column(("last",), need=9),
    )
    row = (cell("somebody", "some"), cell("123456", "123"), cell("abc"), cell("xyz"))

    def at(width: int) -> tuple[str, tuple[str, ...]]:
        found = fit(columns, [row], width)
        return found.rows[0].plain, found.left_out

    assert at(30) == ("somebody  123456   abc   xyz", ())
    assert at(24) == ("somebody  123456   xyz", ("more",))
    assert at(20) == ("somebody 123456  xyz", ("more",))
    assert at(17) == ("some   123   xyz", ("more",))
    assert at(12) == ("some  xyz", ("more", "much"))
    assert at(3) == ("some", ("more", "much", "last"))
