"""Frames of the dashboard as they are drawn, at the widths that terminals have, from documents made by hand.

`MIRRORCTL_WRITE_FRAMES=1 pytest tests/cli/test_dashboard_frames.py` writes the golden frames anew: look at them then.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text

from mirrorctl.commands.dashboard_frame import View, frame
from tests.cli import dashboard_documents as documents
from tests.cli.dashboard_documents import NOW, ZONE

FRAMES = Path(__file__).parent / "frames"
STATES = ("normal", "no_daemon", "unknown_mirror", "trouble", "many")
FOOTER = Text("q quit")


def drawn(document: dict[str, Any], width: int, height: int | None = None, **more: Any) -> list[str]:
    return [line.plain for line in frame(document, View(width, NOW, height, ZONE, **more))]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("state", STATES)
def test_golden_frame(state: str, width: int) -> None:
    path = FRAMES / f"{state}-{width}.txt"
    text = "".join(f"{line.rstrip()}\n" for line in drawn(getattr(documents, state)(), width))
    if os.environ.get("MIRRORCTL_WRITE_FRAMES"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("account", [None, "mirror"])
@pytest.mark.parametrize("state", ["trouble", "unknown_mirror"])
def test_a_frame_is_never_wider_or_higher_than_its_screen(state: str, account: str | None) -> None:
    document = getattr(documents, state)()
    for width in (20, 40, 60, 79, 80, 100, 200):
        for height in (1, 2, 5, 10, 24, 60):
            lines = frame(document, View(width, NOW, height, ZONE, account=account, footer=FOOTER))
            assert len(lines) == height
            assert all(line.cell_len <= width for line in lines)
            assert lines[-1].plain == FOOTER.plain


def test_what_a_narrow_screen_has_no_room_for_is_named() -> None:
    lines = drawn(documents.trouble(), 50)

    assert lines[0] == "50 columns: 80 show everything"
    assert any(line.startswith("no room for: ") and "phase" in line for line in lines)


@pytest.mark.parametrize("width", [80, 100, 120])
def test_every_column_has_room_from_80_columns_up_with_prices_as_they_are(width: int) -> None:
    """The widest that a trader meets: a price of eight digits, a quantity of millions, a loss of five figures."""
    wide = {"entry_price": "98765.43219", "mark_price": "98123.5", "stop": "95123.5", "unrealised_pnl": "-12345.67"}
    small = {"entry_price": "0.0123456", "mark_price": "0.0123456", "stop": "0.0135123", "unrealised_pnl": "812.35"}
    small |= {"at_targets": "5123.45", "at_stop": "-1234.56"}
    wide |= {"at_targets": "51234.56", "at_stop": "-12345.67"}
    rows = [
        documents.position("BTCUSDT", "long", "12.345", **wide, phase="profit-taking", drift_since=documents.ago(60)),
        documents.position("1000PEPEUSDT", "short", "12345678", **small),
    ]
    lines = drawn(documents.document({"main": documents.desk("main", "1234567.89", *rows)}), width)

    assert not any("no room" in line or "…" in line for line in lines)


@pytest.mark.proves("A67")
def test_what_is_unknown_is_a_question_mark_and_no_figure() -> None:
    lines = drawn(documents.unknown_mirror(), 120)

    row = next(line for line in lines if line.startswith("small "))
    assert row.split() == ["small", *"????????", "unknown,", "breaker", "open"]
    assert any("positions unknown: small" in line for line in lines)
    assert any(line.startswith("at all targets") and "mirrors ?" in line for line in lines)
    assert any(line.startswith("monitors ? (main 2, mirrors ?)") for line in lines)


@pytest.mark.proves("A67")
def test_a_document_without_any_figure_shows_none() -> None:
    """All that is left of an account that nobody could read: no zero, no dash that could be taken for one."""
    unread = {**dict.fromkeys(documents.desk("main", "1")), "role": "main", "state": "unknown"}
    error = "the exchange does not answer"
    account = documents.account("main", state="unknown", error=error, paused=None, clock_skew_ms=None)
    account.update(last_event_at=None, last_read_at=None)
    found = documents.document({"main": unread}, accounts=[account], age_ms=None, copies=None, in_sync=None)
    found.update(monitors=dict.fromkeys(("total", "main", "mirror")), in_doubt=None, parked=None, drift=None)

    for name in (None, "main"):
        lines = drawn({**found, "alerts": None, "held": None}, 120, account=name)
        assert "positions: unknown" in lines
        assert not any(character.isdigit() for line in lines[1:] for character in line if "process" not in line)


def test_the_legs_of_the_newest_copies_are_shown_as_far_as_they_are_known() -> None:
    lines = drawn(documents.normal(), 120)
    (legs,) = [line.strip() for line in lines if line.strip().startswith("legs ")]
    assert legs == "legs      to news 40, decision 2, sent 1 ms p50"


def test_no_target_at_all_is_known_and_no_question() -> None:
    shown = documents.normal()
    for desk in shown["desk"].values():
        names = [f"{row['symbol']} {row['side']}" for row in desk["positions"]]
        desk |= {"at_targets": None, "without_targets": names}
    (line,) = [line for line in drawn(shown, 160) if "at all targets" in line]
    assert "main -  mirrors -" in line
    assert not any("?" in line for line in drawn(shown, 160)[:8])


def test_a_trade_whose_entries_only_rest_has_a_line_with_its_entries_and_the_stop_they_carry() -> None:
    found = documents.normal()
    entries = [{"price": "3100", "qty": "1.5", "stop": "3300"}, {"price": "3150", "qty": "0.5", "stop": "3300"}]
    row: dict[str, Any] = {"symbol": "ETHUSDT", "side": "long", "position_idx": 0, "qty": "0", "phase": "building"}
    row |= {"hold": None, "hold_since": None, "parked": None, "drift_since": None, "approach": "followed"}
    found["desk"]["main"]["building"] = [row | {"want_qty": None, "resting": entries}]
    found["desk"]["mirror"]["building"] = [row | {"want_qty": "0", "resting": [entries[0] | {"qty": "0.75"}]}]
    held: dict[str, Any] = {
        "want_qty": "0",
        "resting": [],
        "phase": None,
        "hold": "paused",
        "hold_since": documents.ago(90),
    }
    found["desk"]["small"]["building"] = [row | held]
    found["building"] = {"total": 2, "main": 1, "mirror": 1}
    for width, phase in ((80, "build"), (120, "building")):
        lines = drawn(found, width)
        at = next(i for i, line in enumerate(lines) if line.startswith(("ETHUSDT long", "ETHUSDT L", "ETH L")))
        assert lines[at].split()[2:10] == ["0", "-", "-", "-", "3300", "-", "-", phase]
        assert lines[at].endswith("2 entries of 2 at 3100 to 3150" if width > 80 else "2 entries")
        assert lines[at + 1].split()[:2] == ["small", "0"]
        assert ("held 2m" if width > 80 else "held") in lines[at + 1]
        assert lines[at + 2].split()[:2] == ["mirror", "0"]
        assert lines[at + 2].split()[1:4] == ["0", "3100", "-"]
        assert "entry" in lines[at + 2][40:]
        assert any("(main 2, mirrors 4), and 2 building" in line for line in lines)


def test_it_says_whence_the_figures_are_and_how_old() -> None:
    document = documents.normal()
    silent = {**documents.no_daemon(), "daemon": {"running": True, "pid": 12, "since": None, "answering": False}}

    assert "from the daemon (process 4711), 4s old" in drawn({**document, "age_ms": 3_000}, 80)[1]
    assert "from the exchange, 1s old: no daemon runs" in drawn(documents.no_daemon(), 80)[1]
    assert "the daemon (process 12) does not answer" in drawn(silent, 100)[1]


def test_of_many_positions_the_urgent_ones_are_shown_and_the_others_counted() -> None:
    lines = drawn(documents.many(accounts=10, symbols=5), 80, 30, footer=FOOTER)

    positions = [line for line in lines if "/4" in line]
    assert any("mirror-09" in line and "drift 7m" in line for line in positions)
    assert f"+ {50 - len(positions)} more positions" in lines
    accounts = [line.split()[0] for line in lines if line.startswith(("main ", "mirror-"))]
    assert accounts[:3] == ["main", "mirror-09", "mirror-08"]  # main, then what is stale, then what is paused
    assert f"+ {10 - len(accounts)} more accounts" in lines


def test_scrolling_shows_the_rest_and_counts_what_is_above() -> None:
    many = documents.many(accounts=10, symbols=5)
    top = drawn(many, 80, 30, footer=FOOTER)
    below = drawn(many, 80, 30, footer=FOOTER, skip=49)

    assert "S03USDT long, continued" in below
    assert not any("S03USDT" in line for line in top)
    assert "49 above" in below
    assert drawn(many, 80, 30, footer=FOOTER, skip=500) == below  # positions were closed meanwhile


def test_a_mirror_without_the_position_has_a_line_and_a_position_that_main_lacks_one_for_main() -> None:
    document = documents.trouble()
    document["desk"]["mirror"]["positions"].append(documents.position("DOGEUSDT", "short", "100", stop=None))
    lines = drawn(document, 120)

    lacking = lines[next(i for i, line in enumerate(lines) if line.startswith("SOLUSDT long")) + 1]
    assert lacking.split()[:2] == ["mirror", "0"]
    assert lacking.endswith("held 3m")
    orphan = next(line for line in lines if line.startswith("DOGEUSDT short"))
    assert set(orphan.split()[2:]) == {"-"}


def test_an_account_has_a_view_of_its_own() -> None:
    lines = drawn(documents.trouble(), 80, 40, account="mirror", footer=FOOTER)
    text = "\n".join(lines)

    assert " all  main [mirror] small" in text
    assert "equity 10,432.10" in text
    assert "maintenance 125.19 1.2%" in text
    assert "stream down   breaker open" in text
    assert "parked: small" not in text
    assert "without a stop: mirror BTCUSDT long, for 12s" in text
    assert "BTCUSDT" in text


def test_the_tab_that_is_shown_is_seen_however_many_there_are() -> None:
    lines = drawn(documents.many(), 80, 40, account="mirror-11", footer=FOOTER)

    assert "[mirror-11]" in lines[2]


def test_on_paper_nothing_is_cut_off() -> None:
    """A screen cuts a long sentence; a frame that is printed or exported folds it."""
    remedy = 'to do: close it, or set foreign = "adopt"'
    printed = " ".join(line.strip() for line in drawn(documents.trouble(), 80))

    assert remedy in printed
    assert not any(remedy in line for line in drawn(documents.trouble(), 80, 40))


def test_a_terminal_without_unicode_gets_ascii() -> None:
    document = documents.trouble()
    document["alerts"][0]["text"] = "größer"

    lines = drawn(document, 60, 40, footer=FOOTER, ascii_only=True)
    assert all(line.isascii() for line in lines)


def test_a_text_from_elsewhere_moves_no_cursor_and_breaks_no_line() -> None:
    document = documents.trouble()
    document["alerts"][0]["text"] = "first\nsecond \x1b[2Jthird\r\x07"
    document["notes"] = ["a\tnote\n"]

    for height in (None, 40):
        lines = drawn(document, 80, height)
        assert all(line.isprintable() for line in lines)
    assert any("first second" in line for line in lines)


IDENTITY = {
    "account",
    "daemon",
    "desk",
    "environment",
    "monitors",
    "ms",
    "profile",
    "qty",
    "severity",
    "side",
    "symbol",
}
"""What a document always has, and what its rows go by."""


def test_any_figure_can_be_unknown() -> None:
    """One field after the other unknown wherever it stands: there is a frame all the same."""
    names = set(fields(documents.trouble())) - IDENTITY - {"main", "mirror", "small", "accounts"}

    assert len(names) > 60
    for name in sorted(names):
        document = without(documents.trouble(), name)
        for account in (None, "mirror"):
            assert len(drawn(document, 80, 24, account=account, footer=FOOTER)) == 24


def fields(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from fields(each)


def without(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: None if key == name else without(each, name) for key, each in value.items()}
    return [without(each, name) for each in value] if isinstance(value, list) else value


def test_times_are_local_and_name_their_zone_once() -> None:
    lines = drawn(documents.normal(), 80)

    assert lines[0].endswith("2026-03-09 14:45:30 CET")
    assert any(line.startswith("14:40:30  info") for line in lines)
    assert sum("CET" in line for line in lines) == 1


def test_help_names_every_key_and_fits() -> None:
    lines = drawn(documents.normal(), 80, 24, help=True, footer=FOOTER)

    for key in ("q", "p", "r", "tab", "?"):
        assert any(line.split()[:1] == [key] for line in lines)
    assert not any("…" in line for line in lines)
