"""`stats` and `history` where little or nothing can be read, and on words that cannot be."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mirrorctl.cli import main
from mirrorctl.commands.session import Session
from mirrorctl.commands.stats import Measured, mirror, stored
from mirrorctl.commands.terminal import Terminal
from mirrorctl.core.domain.actions import SetTradingStop
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.records import LEGS, ClosedPosition, MeasuredCopy, NakedTime
from mirrorctl.core.profile.catalogue import Home, find_home
from mirrorctl.core.store.sqlite import SqliteStore

LONG = PositionSide.LONG
AT = 1_767_323_045_678


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """An empty home; nothing listens anywhere."""
    monkeypatch.setenv("MIRRORCTL_HOME", str(tmp_path))
    return find_home({"MIRRORCTL_HOME": str(tmp_path)})


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, dict[str, Any]]:
    code = main([*args, "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    "args",
    [
        ("history", "--account", "nobody"),
        ("history", "--limit", "0"),
        ("history", "--symbol", "BTC USDT"),
        ("history", "--verify", "--symbol", "BTCUSDT"),
        ("stats", "--account", "nobody"),
        ("stats", "--days", "0"),
        ("stats", "--days", "731"),
        ("stats", "--days", "x"),
    ],
)
def test_words_that_cannot_be(home: Home, capsys: pytest.CaptureFixture[str], args: tuple[str, ...]) -> None:
    code, document = run(capsys, *args)
    assert (code, document["error"]["kind"]) == (2, "usage")


def test_a_history_before_anything_was_sent(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    code, document = run(capsys, "history")
    assert (code, document["journal"], document["trades"], document["cycles"]) == (0, [], [], [])
    assert not home.store_path("paper").exists(), "looking makes no store"


def test_a_store_that_cannot_be_trusted_is_said(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    path = home.store_path("paper")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"nothing of ours" * 400)
    code, document = run(capsys, "history")
    assert (code, document["error"]["kind"]) == (6, "store")


def test_statistics_of_accounts_that_nobody_serves(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    code, document = run(capsys, "stats")
    assert (code, document["error"]["exit_code"]) == (4, 4)


def test_the_journal_and_what_ended_by_symbol_and_account(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    path = home.store_path("paper")
    path.parent.mkdir(parents=True)
    with SqliteStore(path) as store:
        for account, symbol in (("mirror", "BTCUSDT"), ("second", "BTCUSDT"), ("mirror", "ETHUSDT")):
            stop = SetTradingStop(account, symbol, 0, "as on main", stop_loss=Decimal(57_000))
            store.record_intent(stop, AT)
            store.add_closed(ClosedPosition(account, symbol, LONG, "tag", "stop", 0, AT + 1, late=True))
    _, document = run(capsys, "history", "--symbol", "btcusdt", "--account", "mirror")
    [sent], [ended] = document["journal"], document["trades"]
    assert (sent["account"], sent["symbol"], sent["action"], sent["sets"]) == (
        "mirror",
        "BTCUSDT",
        "set-stop",
        {"stop": "57000"},
    )
    assert (sent["at"], sent["state"], sent["reason"]) == ("2026-01-02T03:04:05.678Z", "pending", "as on main")
    assert (ended["reason"], ended["opened_at"], ended["closed_at"]) == ("stop", None, "2026-01-02T03:04:05.679Z")
    _, newest = run(capsys, "history", "--limit", "1")
    assert [(row["account"], row["symbol"]) for row in newest["journal"] + newest["trades"]] == [
        ("mirror", "ETHUSDT")
    ] * 2


UNMEASURED = {"p50": None, "p95": None, "p99": None}


def test_the_way_of_a_copy_is_told_in_legs_and_a_leg_that_is_not_known_is_none() -> None:
    way = MeasuredCopy("half", "BTCUSDT", LONG, "id", AT, AT + 100, None, AT + 30, AT + 32, AT + 35, AT + 120)
    assert way.legs_ms() == {
        "main_to_frame": 30,
        "frame_to_plan": 2,
        "plan_to_send": 3,
        "send_to_ack": 85,
        "ack_to_fill": -20,
    }
    partly = replace(way, link_id="other", mirror_exec_ms=AT + 50, acked_ms=None)
    found = mirror("half", Measured([way, partly], []))["latency_ms"]
    assert found["send_to_ack"] == dict.fromkeys(("p50", "p95", "p99"), 85), "of the one of which it is known"
    assert (found["total"]["p50"], found["total"]["p99"], found["main_to_frame"]["p50"]) == (50, 100, 30)


def copied(account: str, latency_ms: int, slippage: str | None) -> MeasuredCopy:
    bps = None if slippage is None else Decimal(slippage)
    return MeasuredCopy(account, "BTCUSDT", LONG, f"id{latency_ms}", AT, AT + latency_ms, bps)


def test_how_well_a_mirror_copied_is_told_from_its_own_copies() -> None:
    copies = [copied("half", 40, "1.5"), copied("half", 10, "-2"), copied("half", 20, None), copied("other", 999, "99")]
    naked = [
        NakedTime("half", "BTCUSDT", LONG, AT, 80, ended=True),
        NakedTime("half", "ETHUSDT", LONG, AT, 7, ended=False),
    ]
    assert mirror("half", Measured(copies, naked)) == {
        "account": "half",
        "copies": 3,
        "latency_ms": {**dict.fromkeys(LEGS, UNMEASURED), "total": {"p50": 20, "p95": 40, "p99": 40}},
        "slippage_bps": {"p50": Decimal(-2), "p95": Decimal("1.5")},
        "naked_ms_max": 80,
    }


def test_a_time_without_a_stop_that_lasts_is_as_long_as_it_is_by_now(home: Home) -> None:
    """It is written down when it begins, with what it was then."""
    path = home.store_path("paper")
    path.parent.mkdir(parents=True)
    with SqliteStore(path) as store:
        store.add_naked(NakedTime("half", "ETHUSDT", LONG, AT, 7, ended=False))
        store.add_naked(NakedTime("half", "BTCUSDT", LONG, AT, 80, ended=True))
    session = Session(Terminal(as_json=True), home, "paper", {})
    found = {spell.symbol: spell.ms for spell in stored(session, 0).naked or ()}
    assert found["BTCUSDT"] == 80
    assert found["ETHUSDT"] > 1_000_000


@pytest.mark.parametrize(("measured", "copies"), [(Measured([], []), 0), (Measured(None, None), None)])
def test_what_was_never_measured_is_null(measured: Measured, copies: int | None) -> None:
    found = mirror("half", measured)
    assert found["copies"] == copies
    assert found["latency_ms"] == dict.fromkeys((*LEGS, "total"), UNMEASURED)
    assert (found["slippage_bps"], found["naked_ms_max"]) == ({"p50": None, "p95": None}, None)
