"""`report`: a page that needs nothing from elsewhere, shows what was measured and says what was not."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from mirrorctl.cli import main
from mirrorctl.commands.report_charts import BUCKETS, axis_of, histogram, line_chart, thinned
from mirrorctl.commands.report_page import MARK, Account, Report, drawdown, errors, page, tracking
from mirrorctl.core.domain.fidelity import Fidelity, Part, Tracking
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.statistics import CycleResult, Figures
from mirrorctl.core.domain.values import PositionSide, Severity
from mirrorctl.core.engine.records import Alert, EquitySample, MeasuredCopy, NakedTime
from mirrorctl.core.profile.catalogue import Home, find_home

AT = 1_767_323_045_678
MINUTE = 60_000
LONG = PositionSide.LONG
FIGURES = Figures(
    trades=1,
    wins=1,
    losses=0,
    win_rate=Decimal(1),
    profit_factor=None,
    fees=Decimal("12.345"),
    net_pnl=Decimal("1093.951"),
    funding=Decimal("-3.2"),
    standing=2,
    cut=0,
    unrecorded=0,
)
CYCLE = CycleResult("BTCUSDT", LONG, AT, AT + 90 * MINUTE, Decimal("0.1"), Decimal("93.95"))
VOID = {"meta"}


@pytest.fixture(autouse=True)
def east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An hour east of Greenwich."""
    monkeypatch.setenv("TZ", "UTC-1")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def samples(*equities: str | None, name: str = "main", start: int = 0) -> list[EquitySample]:
    return [
        EquitySample(name, AT + (start + n) * MINUTE, None if each is None else Decimal(each))
        for n, each in enumerate(equities)
    ]


def mirror(name: str = "half") -> Account:
    copies = [
        MeasuredCopy(name, "BTCUSDT", LONG, f"l{n}", AT, AT + n, Decimal(n) / 10, AT + 1, AT + 2, AT + 3, AT + 4)
        for n in range(10, 60)
    ]
    held = [EquitySample(name, AT + n * MINUTE, Decimal(500), Decimal(3), Decimal(3), Decimal(2)) for n in range(5)]
    parts = {**dict.fromkeys(Part, Decimal(0)), Part.LATENCY: Decimal("-1.1"), Part.FEE: Decimal("0.025")}
    compared = Tracking(
        "BTCUSDT", LONG, AT, AT, Decimal("0.5"), Decimal("93.95"), Decimal(47), Decimal("45.925"), parts
    )
    closed = replace(CYCLE, pnl=Decimal("45.925"), closed_ms=AT + 30_000)
    spells = [NakedTime(name, "BTCUSDT", LONG, AT, 1_480, ended=True)]
    return Account(name, "", FIGURES, [closed], held, copies, spells, Fidelity([compared], 3))


def report(*accounts: Account, **more: Any) -> Report:
    return Report("live", "testnet", AT + 100 * MINUTE, AT - 30 * MINUTE, accounts, **more)


class Reader(HTMLParser):
    """Every tag closed in its order, and what a person reads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.attributes: set[str] = set()
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data.strip())


def read(made: Report) -> str:
    return " ".join(word for word in Reader(page(made)).words if word)


def test_the_page_needs_nothing_from_elsewhere() -> None:
    main_account = Account("main", "", FIGURES, [CYCLE], samples("1000", "1010", "990"))
    alert = Alert("k", AT, Severity.WARNING, "held", "half", "BTCUSDT", "<script>alert(1)</script> & more")
    text = page(report(main_account, mirror(), alerts=[alert]))
    assert text.startswith(f"<!doctype html>\n{MARK}\n")
    assert not re.search(r"https?:|//[a-z]|url\(|@import|<script|<link|<img|<iframe", text)
    found = Reader(text)
    assert not {"src", "href", "onclick", "onload", "srcset"} & found.attributes
    assert "default-src 'none'" in text
    assert "<script>alert(1)</script> & more" in found.words, "as text"


def test_what_was_measured_is_on_it() -> None:
    reasons = {("main", "BTCUSDT", LONG): [(AT + 90 * MINUTE + 300, "target")]}
    main_account = Account("main", "", FIGURES, [CYCLE], samples("1000", "1010", "959.5"))
    words = read(report(main_account, mirror(), reasons=reasons))
    for told in (
        "+1,093.95",
        "959.50",
        "-5.00%",
        "1 (1 won, 0 lost)",
        "100.0%",
        "profit factor n/a",
        "still open 2",
        "2026-01-02 05:34:05 2026-01-02 04:04:05 main BTCUSDT long target 0.1 +93.95",
        "BTCUSDT long unknown 0.1 +45.92 +47.00 -1.08",
        "1 cycles: it brought +45.92 , an exact copy of main would have brought +47.00",
        "3 of main's cycles cannot be compared",
        "filled at other prices than main -1.10",
        "tracking error -1.08",
        "send to answer 50 1 1 1",
        "all the way 50 34 57 59",
        "half BTCUSDT long 1,480",
    ):
        assert told in words, told


def test_what_was_not_measured_is_said_and_not_drawn() -> None:
    away = Account("away", "no connection")
    text = page(report(Account("main", "", replace(FIGURES, trades=0, wins=0)), away, store_error="it is <gone>"))
    words = " ".join(Reader(text).words)
    assert text.count("no samples yet") == 9, "equity, drawdown and their cards, and size beside main"
    assert text.count("nothing measured yet") == 2
    assert "<svg" not in text
    assert "away could not be read: no connection" in words
    assert "not compared: main, this mirror or the store could not be read" in words
    assert "copies and alerts are missing: it is <gone>" in words
    assert "no trade ended" in words


def test_drawdown_is_from_the_highest_sample_before_and_skips_what_is_not_known() -> None:
    found = drawdown(samples("100", "120", None, "90", "130", "117"))
    assert [value for _, value in found] == [0, 0, Decimal("-0.25"), 0, Decimal("-0.1")]
    assert found[2][0] == AT + 3 * MINUTE
    assert drawdown(samples("0", "0")) == [], "of nothing there is no fraction"


def test_size_beside_main_is_shown_while_main_holds_something() -> None:
    flat = EquitySample("half", AT, Decimal(1), Decimal(0), Decimal(0), Decimal(0))
    unknown = EquitySample("half", AT + 1, Decimal(1))
    half = EquitySample("half", AT + 2, Decimal(1), Decimal(50), Decimal(50), Decimal(25))
    assert tracking([flat, unknown, half]) == [(AT + 2, Decimal("0.5"))]


def test_the_tracking_error_adds_up_in_the_order_of_time() -> None:
    (first,) = mirror().fidelity.cycles  # type: ignore[union-attr]  # it has one
    later = replace(first, closed_ms=AT + 5, pnl=first.ideal + 3)
    assert errors(Fidelity([later, first], 0)) == [(AT, first.error), (AT + 5, first.error + 3)]


def test_a_line_is_broken_where_nothing_was_sampled() -> None:
    rows = samples("1", "2", "3") + samples("2", "1", start=40) + samples("5", start=90)
    points = [(row.at_ms, row.equity) for row in rows if row.equity is not None]
    drawn = line_chart("Equity", "", points, plain)
    assert (drawn.count('class="line"'), drawn.count('class="line dot"')) == (2, 1), "a sample alone is a dot"
    assert line_chart("Steps", "", points, plain, steps=True).count('class="line"') == 1


def test_a_long_curve_is_thinned_and_keeps_its_worst() -> None:
    points = [(AT + n * MINUTE, Decimal(-50 if n == 7_777 else -(n % 3))) for n in range(20_000)]
    found = thinned(points, min)
    assert len(found) <= BUCKETS + 1
    assert min(value for _, value in found) == -50
    assert thinned(points)[-1] == points[-1]


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        ("0", "100", ["0", "50", "100"]),
        ("19420", "22630", ["19000", "20000", "21000", "22000", "23000"]),
        ("-0.047", "0", ["-0.06", "-0.04", "-0.02", "0"]),
        ("1000", "1000", ["990", "995", "1000", "1005", "1010"]),
        ("0", "0", ["-0.010", "-0.005", "0.000", "0.005", "0.010"]),
    ],
)
def test_ticks_are_round_and_hold_what_is_drawn(low: str, high: str, ticks: list[str]) -> None:
    axis = axis_of(Decimal(low), Decimal(high))
    assert [Decimal(tick) for tick in axis.ticks()] == [Decimal(tick) for tick in ticks]
    assert axis.low <= Decimal(low)
    assert axis.high >= Decimal(high)


def test_a_histogram_counts_all_and_puts_what_is_far_out_in_the_last_bar() -> None:
    drawn = histogram("Latency", "", [*map(Decimal, range(100))] * 5 + [Decimal(9_000), Decimal(9_500)], plain)
    counts = [int(count) for count in re.findall(r": (\d+)</title>", drawn)]
    assert sum(counts) == 502
    assert "90 to 9500: 52" in drawn
    assert "and more" in drawn
    assert histogram("One", "", [Decimal(3)], plain).count("<rect") == 1


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """An empty home; nothing listens anywhere."""
    monkeypatch.setenv("MIRRORCTL_HOME", str(tmp_path))
    return find_home({"MIRRORCTL_HOME": str(tmp_path)})


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, dict[str, Any]]:
    code = main(["report", *args, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_of_accounts_that_nobody_serves_no_report_is_written(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "r.html"
    code, document = run(capsys, "--html", str(file))
    assert (code, document["error"]["exit_code"]) == (4, 4)
    assert not file.exists()


@pytest.mark.proves("A74")
@pytest.mark.parametrize("what", ["other file", "folder", "no folder"])
def test_only_a_report_is_ever_replaced(
    home: Home, what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "there"
    if what == "other file":
        file.write_text("my thesis")
    elif what == "folder":
        file.mkdir()
    else:
        file = file / "below.html"
    code, document = run(capsys, "--html", str(file))
    assert (code, document["error"]["kind"]) == (2, "usage")
    assert str(file) in document["error"]["message"]
    assert document["error"]["hint"]
    if what == "other file":
        assert file.read_text() == "my thesis"


def test_the_file_must_be_named_and_days_be_possible(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    for args in ((), ("--html", "r.html", "--days", "0"), ("--html", "r.html", "--days", "731")):
        assert run(capsys, *args)[0] == 2
    assert not Path("r.html").exists()
