"""What is wrong with an account: every rule, and that nothing is said where nothing is wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mirrorctl.core.domain.account import Identity
from mirrorctl.core.domain.account_checks import check_clock, check_identity, check_mode
from mirrorctl.core.domain.values import PositionMode, Severity

SOUND = Identity(7, read_only=False, can_trade=True, can_withdraw=False, ip_bound=True, unified=True)
WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL


def test_a_sound_account_raises_nothing() -> None:
    assert list(check_identity("main", SOUND, pinned="7", real=True)) == []
    assert list(check_identity("main", SOUND, pinned="", real=True)) == []


@pytest.mark.parametrize(
    ("changes", "check", "severity", "text"),
    [
        ({"uid": 8}, "uid", CRITICAL, "its keys belong to UID 8, pinned is 7"),
        ({"unified": False}, "account-type", CRITICAL, "it is no unified account (UTA)"),
        ({"can_trade": False, "read_only": True}, "permission", CRITICAL, "its key is read-only"),
        (
            {"can_trade": False},
            "permission",
            CRITICAL,
            "its key is not allowed to trade contracts (orders and positions)",
        ),
        ({"can_withdraw": True}, "withdrawal", WARNING, "its key may withdraw"),
        ({"ip_bound": False}, "ip", WARNING, "its key is bound to no IP address"),
        ({"expires_in_days": 13}, "expiry", WARNING, "its key expires in 13 days"),
        ({"expires_in_days": 2}, "expiry", CRITICAL, "its key expires in 2 days"),
    ],
)
def test_what_is_wrong_with_keys(changes: dict[str, Any], check: str, severity: Severity, text: str) -> None:
    [found] = check_identity("main", replace(SOUND, **changes), pinned="7", real=True)
    assert (found.check, found.severity, found.account, found.text) == (check, severity, "main", text)
    assert found.hint
    of_paper = [each.check for each in check_identity("main", replace(SOUND, **changes), pinned="7", real=False)]
    assert of_paper == ([check] if check in ("uid", "account-type", "permission") else [])


@pytest.mark.parametrize(
    ("offset", "severity"),
    [(None, None), (499, None), (-499, None), (700, WARNING), (-700, WARNING), (-1_000, CRITICAL)],
)
def test_a_clock_that_is_off(offset: int | None, severity: Severity | None) -> None:
    found = list(check_clock("main", offset))
    assert [check.severity for check in found] == ([severity] if severity else [])
    if offset is not None and found:
        side = "behind" if offset > 0 else "ahead of"
        assert f"{abs(offset)} ms {side} the exchange's" in found[0].text


def test_a_position_mode_other_than_the_profiles() -> None:
    both = {PositionMode.ONE_WAY, PositionMode.HEDGE}
    [found] = check_mode("mirror", PositionMode.HEDGE, both)
    assert found.text == "position_mode = hedge in the profile, and symbols are in hedge and one-way"
    assert list(check_mode("mirror", None, both)) == []
    assert list(check_mode("mirror", PositionMode.HEDGE, ())) == []
