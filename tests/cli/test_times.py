"""Times for people: in their own zone and named, also where the clocks are changed; JSON keeps UTC."""

from __future__ import annotations

import json

import pytest

from mirrorctl.commands.terminal import Terminal
from mirrorctl.commands.times import brief, exact, head, local, localised, zoned
from mirrorctl.core.domain.errors import Refused

WINTER, SUMMER = "2026-01-02T23:04:05.678Z", "2026-07-02T23:04:05.678Z"

pytestmark = pytest.mark.usefixtures("berlin")


def test_a_time_is_that_of_who_reads_it() -> None:
    assert (local(WINTER), local(SUMMER)) == ("2026-01-03 00:04:05", "2026-07-03 01:04:05")
    assert (zoned(WINTER), zoned(SUMMER)) == ("2026-01-03 00:04:05 CET", "2026-07-03 01:04:05 CEST")
    assert (brief(WINTER), exact(WINTER)) == ("01-03 00:04:05", "01-03 00:04:05.678")


def test_a_column_names_its_zone_and_both_where_the_clocks_were_changed() -> None:
    assert head("time", [SUMMER, None, SUMMER]) == "time CEST"
    assert head("time", [SUMMER, WINTER]) == "time CET/CEST"
    assert head("time", [None]) == "time"


def test_an_error_has_its_time_in_utc_for_machines_only(capsys: pytest.CaptureFixture[str]) -> None:
    error = Refused(f"process 12 holds the lock since {WINTER}", "wait")
    assert localised(f"{WINTER}, {SUMMER}") == f"{zoned(WINTER)}, {zoned(SUMMER)}"
    Terminal().error(error)
    assert "since 2026-01-03 00:04:05 CET" in capsys.readouterr().err
    Terminal(as_json=True).error(error)
    assert json.loads(capsys.readouterr().out)["error"]["message"].endswith(WINTER)
