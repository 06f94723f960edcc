"""The bot's answers: what a trader reads on the phone, with unknown said and nothing made up."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.errors import PartlyDone
from mirrorctl.core.domain.statistics import Figures
from mirrorctl.core.simulation.stage import Stage
from mirrorctl.telegram_notify.answers import Answers
from mirrorctl.telegram_notify.messages import parts

ANSWERS = Answers("desk", UTC)

POSITIONS = """\
desk

main · fresh · 2027-01-15 08:00:00 UTC
BTCUSDT long 0.1  PnL -0.01
  entry 60000.1, mark 60000
  stop 58000 (3.33% away), targets 0 of 2 done
  monitoring

half · fresh · 2027-01-15 08:00:00 UTC
BTCUSDT long 0.05  PnL 0.00
  entry 60000.1, mark 60000
  stop 58000 (3.33% away), targets 0 of 2 done
  monitoring

quarter · fresh · 2027-01-15 08:00:00 UTC
BTCUSDT long holds nothing
  held: paused: by the trader"""


@pytest.fixture(scope="module")
def stage() -> Stage:
    stage = Stage()
    stage.command("pause", account="quarter")
    targets = [{"price": "61000", "percent": "50"}, {"price": "63000", "percent": "50"}]
    stage.command("trade.open", symbol="BTCUSDT", side="long", qty="0.1", stop="58000", targets=targets)
    stage.settle()
    return stage


@pytest.fixture(scope="module")
def document(stage: Stage) -> dict[str, Any]:
    return stage.command("published", max_age_s=None)


def unread(document: dict[str, Any], name: str) -> dict[str, Any]:
    """The same with one account that was never read."""
    desk = dict.fromkeys(document["desk"][name], None) | {"role": "mirror", "state": "unknown"}
    accounts = [
        dict.fromkeys(row, None) | {"account": name, "state": "unknown", "error": f"{name}: HTTP 502"}
        if row["account"] == name
        else row
        for row in document["accounts"]
    ]
    counts = {"total": None, "main": 1, "mirror": None}
    changed = {"desk": document["desk"] | {name: desk}, "accounts": accounts, "monitors": counts, "in_sync": False}
    return document | changed


def test_positions_of_every_account(document: dict[str, Any]) -> None:
    assert ANSWERS.positions(document) == POSITIONS


def test_status_says_what_waits_for_somebody(document: dict[str, Any]) -> None:
    lines = ANSWERS.status(document).splitlines()
    assert lines[:4] == [
        "desk: in step",
        "main: fresh, stream up",
        "half: fresh, stream up",
        "quarter: fresh, stream up, paused",
    ]
    assert "monitors: 2 (main 1, mirrors 1)" in lines
    assert "held: quarter BTCUSDT: paused: by the trader" in lines
    assert "pause: quarter, every symbol: by the trader" in lines


@pytest.mark.proves("A67")
def test_what_was_not_read_is_unknown_and_never_nothing(document: dict[str, Any]) -> None:
    dark = unread(document, "half")
    assert "half · unknown · never read\npositions: unknown" in ANSWERS.positions(dark)
    status = ANSWERS.status(dark)
    assert status.startswith("desk: in step or not is unknown: half cannot be read\n")
    assert "half: unknown, stream unknown, breaker unknown, HTTP 502" in status
    assert "monitors: unknown (main 1, mirrors unknown)" in status
    board = ANSWERS.dashboard(dark)
    assert "equity unknown, available unknown\nmargin used unknown, PnL unknown\ntoday unknown realised" in board


def test_trouble_is_named_first(document: dict[str, Any]) -> None:
    row = document["desk"]["half"]["positions"][0]
    bad = row | {"stop": None, "naked_ms": 3400, "drift_qty": "0.01", "drift_since": "2027-01-15T08:00:00.000Z"}
    bad |= {"parked": "refused (10001)", "hold": "max_leverage", "want_qty": "0.06", "entry_price": None}
    desk = document["desk"] | {"half": document["desk"]["half"] | {"positions": [bad]}}
    said = ANSWERS.positions(document | {"desk": desk})
    assert "entry unknown" in said
    assert "NO STOP, targets 0 of 2" in said
    for line in (
        "  NAKED for 3 s",
        "  PARKED: refused (10001)",
        "  held: max_leverage",
        "  drift 0.01 (wants 0.06) since 2027-01-15 08:00:00 UTC",
    ):
        assert line in said.splitlines()
    unprotected = [{"account": "half", "symbol": "BTCUSDT", "side": "long"}]
    status = ANSWERS.status(document | {"unprotected": unprotected, "in_doubt": 2, "in_sync": False})
    assert status.startswith("desk: NOT in step")
    assert "NO STOP: half BTCUSDT long" in status
    assert "in doubt: 2" in status


def test_monitors_name_their_ladder(stage: Stage) -> None:
    stage_answer = ANSWERS.monitors(stage.command("monitors"))
    assert "main BTCUSDT long 0.1\n  0_BTCUSDT_custom: monitoring\n  stop 58000 (3.33% away), targets" in stage_answer


def test_statistics_are_the_records(document: dict[str, Any]) -> None:
    found = Figures(3, 2, 1, Decimal("0.6667"), Decimal(3), Decimal("4.5"), Decimal("120.456"), Decimal(0), 1, 0, 1)
    none = Figures(0, 0, 0, None, None, Decimal(0), Decimal(0), Decimal(0), 0, 0, 0)
    said = ANSWERS.stats(7, [("main", found), ("half", none), ("quarter", "HTTP 502")], document)
    assert "desk: the last 7 days" in said
    assert "main: net +120.46, fees 4.50\n3 trades, 2 won, 1 lost (67%)\n1 still stand\n1 not recorded by the" in said
    assert "half: net 0.00, fees 0.00\nno trade is over" in said
    assert "quarter: unknown: HTTP 502" in said
    assert "half: last 1 copies: median " in said


def test_a_proposal_says_what_would_happen_and_how_to_have_it(stage: Stage) -> None:
    said = ANSWERS.proposal("flatten", None, "4F7K2Q", stage.command("flatten", dry_run=True) | {"unread": ["quarter"]})
    assert said.startswith(
        "desk: cancel our orders and close our positions on every account\nmain: close BTCUSDT (sell 0.1)"
    )
    assert "quarter: unknown, it cannot be read" in said
    assert said.endswith("To do it, send within 60 s:\n/flatten 4F7K2Q")
    assert "nothing of ours stands there" in ANSWERS.proposal("flatten", None, "4F7K2Q", {"plan": [], "unread": []})


def test_results_name_what_remains() -> None:
    rows = [
        {"account": "main", "error": None, "remains": []},
        {"account": "half", "error": "half: no answer", "remains": []},
        {"account": "quarter", "error": None, "remains": ["long 0.1 BTCUSDT", "order 7 BTCUSDT"]},
    ]
    assert ANSWERS.flattened({"partial": True, "accounts": rows}).splitlines() == [
        "desk: flatten is PARTIAL",
        "main: nothing of ours is left",
        "half: unknown: no answer",
        "quarter: remains: long 0.1 BTCUSDT, order 7 BTCUSDT",
    ]
    ended = [{"kind": "halt", "account": "half", "symbol": ""}]
    again = [{"account": "half", "reason": "max_daily_loss"}]
    assert ANSWERS.resumed({"ended": ended, "still": again}).splitlines() == [
        "desk: resumed",
        "ended: halt of half, every symbol",
        "half halts again: max_daily_loss",
    ]
    assert ANSWERS.failed("pause", PartlyDone("paused, but not written", "make room")) == (
        "desk: /pause: paused, but not written\nmake room"
    )


def test_many_positions_are_cut_and_counted(document: dict[str, Any]) -> None:
    desk = document["desk"]["half"]
    rows = [desk["positions"][0] | {"symbol": f"A{number}USDT"} for number in range(200)]
    said = ANSWERS.positions(document | {"desk": {"half": desk | {"positions": rows}}})
    assert "+ 160 more" in said
    assert len(parts(said)) <= 3


def test_a_trade_whose_entries_only_rest_is_told_with_them() -> None:
    stage = Stage()
    stage.main.bid("0.1", "58000", stop="57000")
    stage.settle()
    found = stage.command("published", max_age_s=None)
    assert "BTCUSDT long holds nothing yet\n  entries wait: 0.05 at 58000" in ANSWERS.positions(found)
    assert "monitors: 0 (main 0, mirrors 0), and 3 building" in ANSWERS.status(found).splitlines()
