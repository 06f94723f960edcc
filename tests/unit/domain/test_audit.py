"""The audit as a whole: unknown accounts, doubts, monitors, the order of findings, two looks, and its own table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mirrorctl.core.domain.audit.findings import TABLE, Code, Finding, found
from mirrorctl.core.domain.audit.judge import confirmed, is_clean, judge
from mirrorctl.core.domain.audit.scene import Doubt, Recorded, Seen
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.scene import SymbolPlan
from mirrorctl.core.domain.values import Severity
from tests.unit.domain.audits import MAIN_TAG, audited, desk_holding, look, our_link, told, trade_of
from tests.unit.domain.scenes import LONG, SYMBOL, TAG, Desk, copy_of, dec, order


def test_the_table_has_a_row_for_every_code_of_the_contract() -> None:
    assert list(TABLE) == list(Code)
    assert " ".join(sorted(Code)) == (
        "ACCOUNT_UNREADABLE DUPLICATE_STOP DUST FOREIGN_ORDER HELD IN_DOUBT LEVERAGE_MISMATCH MISSING_MONITOR"
        " MODE_MISMATCH NOT_MIRRORED NO_STOP ORPHAN_MONITOR ORPHAN_ORDER PARKED RATIO_DRIFT STOP_QTY TARGET_QTY"
        " UNEXPECTED_POSITION"
    )


# --- rule 1 ----------------------------------------------------------------------------------------------------------


@pytest.mark.proves("A45", "A64")
def test_of_an_unknown_mirror_only_that_is_said() -> None:
    desk = desk_holding("0.1", "0.01", stop=None)
    doubts = [Doubt("main", SYMBOL, "place buy: lost", "7")]
    findings = judge(
        look(desk, mirrors=(Seen("mirror", TAG, None, "timed out"),), plans=[], off=frozenset(), doubts=doubts)
    )
    assert told(findings) == ["critical ACCOUNT_UNREADABLE mirror", "warning IN_DOUBT main", "info NO_STOP main"]
    assert (findings[0].expected, findings[0].actual) == ("read", "unknown: timed out")


@pytest.mark.proves("A86")
def test_with_main_unknown_nothing_is_said_of_drift_orphans_or_monitors() -> None:
    desk = desk_holding("0.1", "0.01")
    main = Seen("main", MAIN_TAG, None, "refused")
    assert audited(desk, main=main, plans=[], off=frozenset(), recorded=Recorded()) == [
        "critical ACCOUNT_UNREADABLE main"
    ]


@pytest.mark.proves("A45", "A61")
def test_with_main_unknown_no_order_of_ours_is_called_an_orphan() -> None:
    desk = Desk.opened(copies={})
    desk.mirror.rest(order("ours", "0.01", link_id=our_link(Role.TWIN)))
    assert audited(desk, SymbolPlan("mirror", SYMBOL)) == ["warning ORPHAN_ORDER mirror"]
    assert audited(desk, main=Seen("main", MAIN_TAG, None), plans=[]) == ["critical ACCOUNT_UNREADABLE main"]


@pytest.mark.proves("A86")
def test_with_main_unknown_the_intent_on_record_still_tells_that_a_mirror_is_naked() -> None:
    desk = desk_holding("0.1", "0.05", stop=None)
    trade = trade_of(stop=dec(58_000))
    main = Seen("main", MAIN_TAG, None)
    findings = audited(desk, main=main, plans=[], off=frozenset(), trades={trade.key: trade})
    assert findings == ["critical ACCOUNT_UNREADABLE main", "critical NO_STOP mirror"]


def test_a_disabled_mirror_that_cannot_be_read_leaves_it_clean() -> None:
    findings = judge(look(desk_holding("0.1", "0.05"), disabled=(Seen("off", "", None, "no keys"),)))
    assert told(findings) == ["info ACCOUNT_UNREADABLE off"]
    assert is_clean(findings)


# --- doubt -----------------------------------------------------------------------------------------------------------


def test_a_doubt_names_its_account_and_what_was_sent() -> None:
    doubts = [Doubt("mirror", SYMBOL, "place buy 0.05: no answer in time", "7")]
    [finding] = judge(look(desk_holding("0.1", "0.05"), doubts=doubts))
    assert told([finding]) == ["warning IN_DOUBT mirror"]
    assert (finding.symbol, finding.actual, finding.subject) == (SYMBOL, "place buy 0.05: no answer in time", "7")


def test_what_could_not_be_decided_is_not_clean() -> None:
    plan = SymbolPlan("mirror", SYMBOL, blocked="a fill on main is not accounted for yet")
    [finding] = judge(look(desk_holding("0.1", "0.05"), plan))
    assert (told([finding]), finding.actual) == (["warning IN_DOUBT mirror"], plan.blocked)


def test_a_brake_is_no_doubt_for_what_it_holds_back_is_found() -> None:
    desk = desk_holding("0.1", "0.06")
    plan = replace(desk.plan(), blocked="brake: 4 closes without a closing execution on main")
    assert audited(desk, plan) == ["warning RATIO_DRIFT mirror"]


# --- monitors --------------------------------------------------------------------------------------------------------


@pytest.mark.proves("A66")
def test_positions_that_nothing_has_on_record() -> None:
    desk = desk_holding("0.1", "0.05")
    key = (SYMBOL, LONG)
    missing = ["warning MISSING_MONITOR main", "warning MISSING_MONITOR mirror"]
    assert audited(desk, recorded=Recorded()) == missing
    assert audited(desk, recorded=Recorded(cycles=frozenset((key,)))) == missing[1:]
    assert audited(desk, recorded=Recorded(copies=frozenset((("mirror", *key),)))) == missing[:1]


def test_a_foreign_position_needs_no_monitor() -> None:
    desk = desk_holding("0", "0.05", copies={}, parked="foreign position")
    assert not any("MONITOR" in line for line in audited(desk))


@pytest.mark.proves("A66")
def test_records_whose_position_is_gone() -> None:
    desk = Desk.opened(copies={})
    key = (SYMBOL, LONG)
    recorded = Recorded(frozenset((key,)), frozenset((("mirror", *key), ("removed", *key))), frozenset((key,)))
    assert audited(desk, recorded=recorded) == ["warning ORPHAN_MONITOR main", "warning ORPHAN_MONITOR mirror"]


@pytest.mark.proves("A61")
def test_a_cycle_whose_entries_wait_is_no_orphan() -> None:
    desk = Desk.opened()
    assert audited(desk) == []


@pytest.mark.proves("A45")
def test_a_record_of_a_symbol_that_was_not_read_is_not_called_an_orphan() -> None:
    desk = Desk.opened(copies={})
    assert audited(desk, recorded=Recorded(cycles=frozenset((("ETHUSDT", LONG),)))) == []


def test_a_copy_that_ends_and_still_holds_is_on_record() -> None:
    desk = desk_holding("0", "0.05", copies={LONG: copy_of(LONG, ended=True)})
    recorded = Recorded(copies=frozenset((("mirror", SYMBOL, LONG),)))
    assert not any("MONITOR" in line for line in audited(desk, recorded=recorded))


# --- the result ------------------------------------------------------------------------------------------------------


def make(code: Code, account: str = "mirror", severity: Severity | None = None, subject: str = "") -> Finding:
    return found(code, account, SYMBOL, LONG, expected="1", actual="2", severity=severity, subject=subject)


def test_the_gravest_come_first_then_account_by_account() -> None:
    desk = desk_holding("0.1", "0.04", stop=None)
    off = Seen("off", "", None)
    findings = audited(desk, disabled=(off,), recorded=Recorded())
    assert findings == [
        "warning MISSING_MONITOR main",
        "warning MISSING_MONITOR mirror",
        "warning RATIO_DRIFT mirror",
        "info NO_STOP main",
        "info NO_STOP mirror",
        "info ACCOUNT_UNREADABLE off",
    ]


@pytest.mark.parametrize(("severity", "clean"), [("info", True), ("warning", False), ("critical", False)])
def test_severity_info_alone_is_clean(severity: str, clean: bool) -> None:
    assert is_clean([make(Code.DUST, severity=Severity(severity))]) is clean
    assert is_clean([]) is True


def test_only_what_two_looks_saw_counts_and_it_is_told_as_the_later_one_saw_it() -> None:
    drift, naked = make(Code.RATIO_DRIFT), make(Code.NO_STOP)
    held = make(Code.HELD)
    moved = replace(drift, actual="3")
    assert confirmed([drift, naked], [moved, held]) == [moved, held]
    assert confirmed([drift], [make(Code.RATIO_DRIFT, account="second")]) == []
    one, other = make(Code.ORPHAN_ORDER, subject="a"), make(Code.ORPHAN_ORDER, subject="b")
    assert confirmed([one], [other]) == []
