"""Which alerts go to Telegram and when: types, mirrors, severities, mute hours."""

from __future__ import annotations

import pytest

from mirrorctl.core.domain.alert_types import AlertType
from mirrorctl.core.domain.values import Severity
from mirrorctl.core.engine.records import Alert
from mirrorctl.telegram_notify.choice import Choice

HOUR = 3_600_000
INFO, WARNING, CRITICAL = Severity.INFO, Severity.WARNING, Severity.CRITICAL


def alert(account: str = "main", severity: Severity = INFO, kind: str = "closed") -> Alert:
    return Alert("k", 0, severity, kind, account, "BTCUSDT", "text")


@pytest.mark.proves("A71")
@pytest.mark.parametrize(
    ("account", "severity", "mirrors", "closed", "wanted"),
    [
        ("main", INFO, (), None, True),
        ("", WARNING, (), None, True),
        ("mirror", INFO, (), None, False),
        ("mirror", WARNING, (), None, False),
        ("mirror", CRITICAL, (), None, True),
        ("mirror", INFO, ("mirror",), None, True),
        ("mirror", INFO, ("other",), None, False),
        ("mirror", INFO, (), True, False),
        ("mirror", INFO, ("mirror",), False, False),
        ("main", INFO, (), False, False),
        ("main", CRITICAL, (), False, False),
        ("mirror", CRITICAL, ("mirror",), False, False),
    ],
)
def test_mirrors_and_types_are_switched(
    account: str, severity: Severity, mirrors: tuple[str, ...], closed: bool | None, wanted: bool
) -> None:
    """Mirrors are silent unless they are switched on; a critical alert is silenced by its type alone."""
    types = {} if closed is None else {AlertType.CLOSED: closed}
    choice = Choice({**types, AlertType.STOP_HIT: False}, frozenset(mirrors))
    assert choice.wants(alert(account, severity)) is wanted


def test_a_kind_of_an_older_store_is_of_type_other() -> None:
    assert Choice().wants(alert(kind="of-long-ago"))
    assert not Choice({AlertType.OTHER: False}).wants(alert(kind="of-long-ago"))


def test_mute_hours_hold_back_what_is_not_critical_and_end() -> None:
    choice = Choice(mute="22:00-07:00 UTC")
    for hour, is_mute in ((21, False), (22, True), (23, True), (30, True), (31, False)):
        assert choice.is_due(alert(severity=WARNING), hour * HOUR) is not is_mute
        assert choice.is_due(alert(severity=CRITICAL), hour * HOUR)
    assert choice.next_change_ms(23 * HOUR) == 31 * HOUR
    assert Choice().next_change_ms(0) is None
    assert Choice().is_due(alert(), 0)
