"""Windows of the week: which minutes they hold, on which clock, and when they open and close next."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from mirrorctl.core.domain.policy import Filter
from mirrorctl.core.domain.selection import selection_block
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.domain.windows import is_open, next_edge_ms, parse_window

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT
BERLIN = "Mon-Fri 08:00-20:00 Europe/Berlin"


def at(text: str, zone: str = "UTC", fold: int = 0) -> int:
    """ "2026-01-05 08:00" (a Monday) on the clock of a zone, in ms since the epoch."""
    clock = datetime.fromisoformat(text).replace(tzinfo=UTC if zone == "UTC" else ZoneInfo(zone), fold=fold)
    return int(clock.timestamp() * 1000)


@pytest.mark.parametrize(
    ("window", "opened", "shut"),
    [
        ("Mon-Fri 08:00-20:00", ["2026-01-05 08:00", "2026-01-09 19:59"], ["2026-01-05 07:59", "2026-01-05 20:00"]),
        ("Mon-Fri 08:00-20:00", ["2026-01-07 12:00"], ["2026-01-10 12:00", "2026-01-11 12:00"]),
        ("Mon,Wed 08:00-20:00", ["2026-01-05 12:00", "2026-01-07 12:00"], ["2026-01-06 12:00"]),
        ("Mon-Tue,Sat 08:00-09:00", ["2026-01-06 08:30", "2026-01-10 08:30"], ["2026-01-07 08:30"]),
        ("Sat-Mon", ["2026-01-10 00:00", "2026-01-12 23:59"], ["2026-01-13 00:00", "2026-01-09 23:59"]),
        ("22:00-07:00", ["2026-01-05 22:00", "2026-01-06 06:59"], ["2026-01-06 07:00", "2026-01-06 21:59"]),
        ("Fri 22:00-07:00", ["2026-01-09 23:00", "2026-01-10 06:59"], ["2026-01-09 06:00", "2026-01-10 23:00"]),
        ("Sun 22:00-07:00", ["2026-01-12 06:59"], ["2026-01-12 07:00"]),
        ("Tue 18:00-24:00", ["2026-01-06 23:59"], ["2026-01-07 00:00"]),
        ("Tue 18:00-00:00", ["2026-01-06 23:59"], ["2026-01-07 00:00"]),
    ],
)
def test_a_window_holds_its_minutes(window: str, opened: list[str], shut: list[str]) -> None:
    assert [is_open((window,), at(text)) for text in opened + shut] == [True] * len(opened) + [False] * len(shut)


@pytest.mark.parametrize("day", ["2026-01-05", "2026-03-27", "2026-03-30", "2026-07-01", "2026-10-23", "2026-10-26"])
def test_a_window_goes_by_the_clock_of_its_zone_in_summer_and_winter(day: str) -> None:
    for text, opened in (("07:59", False), ("08:00", True), ("19:59", True), ("20:00", False)):
        assert is_open((BERLIN,), at(f"{day} {text}", "Europe/Berlin")) is opened
    utc = 7 if "-01-" in day or day in ("2026-03-27", "2026-10-26") else 6
    assert is_open((BERLIN,), at(f"{day} 0{utc}:00"))
    assert not is_open((BERLIN,), at(f"{day} 0{utc - 1}:59"))


def test_the_night_in_which_the_clock_goes_back_is_an_hour_longer_and_the_other_one_shorter() -> None:
    """29 March and 25 October 2026, 01:00 UTC. What repeats is held both times."""
    night = ("Sat 22:00-02:30 Europe/Berlin",)
    assert is_open(night, at("2026-10-25 02:29", "Europe/Berlin", fold=1))
    assert not is_open(night, at("2026-10-25 02:30", "Europe/Berlin", fold=1))
    assert next_edge_ms(night, at("2026-10-24 23:00", "Europe/Berlin")) == at("2026-10-25 01:30")
    assert next_edge_ms(night, at("2026-03-28 23:00", "Europe/Berlin")) == at("2026-03-29 01:30")


def test_the_next_edge_is_the_first_opening_or_closing_of_any_window() -> None:
    windows = (BERLIN, "Sat 10:00-11:00")
    edges = ["2026-01-09 07:00", "2026-01-09 19:00", "2026-01-10 10:00", "2026-01-10 11:00", "2026-01-12 07:00"]
    now = at("2026-01-08 20:00")
    for edge in edges:
        found = next_edge_ms(windows, now)
        assert found == at(edge)
        now = found
    assert next_edge_ms((), now) is None
    assert is_open((), now)


def test_two_windows_hold_what_either_holds() -> None:
    windows = ("08:00-12:00", "11:00-13:00 Asia/Tokyo")
    assert [is_open(windows, at(f"2026-01-05 {text}")) for text in ("02:00", "03:30", "04:00", "11:59")] == [
        True,
        True,
        False,
        True,
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8-20",
        "08:00",
        "08:00-08:00",
        "25:00-26:00",
        "08:00-20:60",
        "Mon-Foo 08:00-20:00",
        "Mon,,Tue",
        "mon 08:00-20:00",
        "Mon 08:00-20:00 Europe/Nowhere",
        "Mon 08:00-20:00 Europe",
        "Mon 08:00-20:00 ../../etc/passwd",
        "Mon 08:00-20:00 UTC UTC",
        "Europe/Berlin",
        "08:00-20:00 Mon",
    ],
)
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_window(text)


@pytest.mark.proves("A12")
@pytest.mark.parametrize(
    ("chosen", "symbol", "side", "reason"),
    [
        (Filter(), "BTCUSDT", LONG, ""),
        (Filter(symbols=("BTC*", "ETHUSDT")), "BTCUSDT", LONG, ""),
        (Filter(symbols=("BTC*",)), "ETHUSDT", LONG, "filter: ETHUSDT is not in filter.symbols"),
        (Filter(exclude=("1000*", "*PERP")), "1000PEPEUSDT", LONG, "filter: excluded by 1000*"),
        (Filter(symbols=("BTC*",), exclude=("BTC*",)), "BTCUSDT", LONG, "filter: excluded by BTC*"),
        (Filter(sides=(LONG,)), "BTCUSDT", SHORT, "filter: short is not followed"),
        (Filter(sides=(SHORT,)), "BTCUSDT", LONG, "filter: long is not followed"),
        (Filter(windows=(BERLIN,)), "BTCUSDT", LONG, "filter: outside of windows"),
        (Filter(close_only=True), "BTCUSDT", LONG, "filter: close only"),
    ],
)
def test_the_filter_names_why_an_entry_is_not_followed(
    chosen: Filter, symbol: str, side: PositionSide, reason: str
) -> None:
    assert selection_block(chosen, symbol, side, at("2026-01-10 12:00")) == reason


@pytest.mark.parametrize(
    ("window", "always"),
    [("Mon-Sun", True), ("00:00-24:00", True), ("08:00-07:59", False), ("Mon-Sat", False), ("22:00-07:00 UTC", False)],
)
def test_a_window_that_never_closes_is_known(window: str, always: bool) -> None:
    assert parse_window(window).is_always is always
