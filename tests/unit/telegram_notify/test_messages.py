"""Alerts as messages: what they say, and that every text fits what the Bot API takes."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorctl.core.domain.values import Severity
from mirrorctl.core.engine.records import Alert
from mirrorctl.telegram_notify.messages import MOST_UNITS, Words, again, parts, shown, units

BERLIN = Words("live", ZoneInfo("Europe/Berlin"))
AT = 1_700_000_000_000  # 2023-11-14T22:13:20Z


def alert(text: str, severity: Severity = Severity.INFO, account: str = "mirror", symbol: str = "BTCUSDT") -> Alert:
    return Alert(text[:9], AT, severity, "closed", account, symbol, text)


@pytest.mark.proves("A69")
@pytest.mark.parametrize(
    ("given_alert", "text"),
    [
        (alert("closed by its stop"), "mirror BTCUSDT\nclosed by its stop\nlive · 2023-11-14 23:13:20 CET"),
        (
            alert("naked: the long stands without its stop", Severity.CRITICAL),
            "🔴 CRITICAL · mirror BTCUSDT\nnaked: the long stands without its stop\nlive · 2023-11-14 23:13:20 CET",
        ),
        (
            alert("the disk is full", Severity.WARNING, "", ""),
            "🟡 warning\nthe disk is full\nlive · 2023-11-14 23:13:20 CET",
        ),
        (alert("started", account="", symbol=""), "started\nlive · 2023-11-14 23:13:20 CET"),
    ],
)
def test_a_message_names_the_account_the_fact_and_the_time(given_alert: Alert, text: str) -> None:
    assert BERLIN.one(given_alert) == text


def test_many_alerts_share_a_message_as_far_as_they_fit() -> None:
    alerts = [alert(f"target {number}") for number in range(7)]
    text, count = BERLIN.several(alerts)
    assert count == 7
    assert text.startswith("live: 7 alerts\n\nmirror BTCUSDT · 2023-11-14 23:13:20 CET\ntarget 0\n\nmirror BTCUSDT")
    text, count = BERLIN.several([alert("x" * 1500) for _ in range(7)])
    assert count == 2
    assert text.startswith("live: 2 alerts\n\n")
    assert units(again(text)) <= MOST_UNITS
    assert BERLIN.several([alert("x" * 4000), alert("y")]) == ("", 0)


def test_what_no_message_can_carry_is_replaced() -> None:
    assert shown(" a\x00b\ud800c\r\nd\te\x1b[31m ") == "a\ufffdb\ufffdc\nd e\ufffd[31m"
    assert shown("\n \n") == "\ufffd"


def test_a_text_is_cut_where_it_reads_well() -> None:
    assert parts("one two three four", 8) == ["one two", "three", "four"]
    assert parts("one\ntwo three", 9) == ["one\ntwo", "three"]
    assert parts("𝛑" * 5, 4) == ["𝛑𝛑", "𝛑𝛑", "𝛑"]
    assert parts("short") == ["short"]


@given(st.text(alphabet=st.sampled_from("ab \n𝛑€<&_*\x07\ud83d"), max_size=60), st.integers(2, 12))
def test_every_part_is_a_message(text: str, most: int) -> None:
    """None is empty or too long, none is lost, and they keep their order: only blanks at the cuts go."""
    clean = shown(text)
    found = parts(clean, most)
    assert found
    for part in found:
        assert 0 < len(part.encode("utf-16-le")) // 2 <= most
        assert part == part.strip()
    assert "".join("".join(found).split()) == "".join(clean.split())


@given(st.text(max_size=50), st.text(max_size=10))
def test_any_text_makes_a_message_that_can_be_sent_again(text: str, symbol: str) -> None:
    for part in parts(BERLIN.one(alert(text * 200, Severity.CRITICAL, "m", symbol))):
        assert again(again(part)) == again(part)
        assert units(again(part)) == len(again(part).encode("utf-16-le")) // 2 <= MOST_UNITS
