"""A halt as people see it: in `status`, and ended by `resume`, with and without a daemon."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mirrorctl import cli
from mirrorctl.commands import status_tables
from mirrorctl.core.engine.records import StandingKind
from mirrorctl.core.engine.standings import Standings
from mirrorctl.core.profile.catalogue import find_home
from mirrorctl.core.store.sqlite import SqliteStore
from tests.cli.test_tables import account, printed

REASON = "max_daily_loss: 50 lost today, the limit is 40"


@pytest.fixture
def halted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The store of the profile paper, with a halt of its first mirror; no daemon runs."""
    monkeypatch.setenv("MIRRORCTL_HOME", str(tmp_path))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("MIRRORCTL_PROFILE", raising=False)
    path = find_home({"MIRRORCTL_HOME": str(tmp_path)}).store_path("paper")
    path.parent.mkdir(parents=True)
    with SqliteStore(path) as store:
        Standings(store).set(StandingKind.HALT, "mirror", "", REASON, 1_767_323_045_678)
    return path


def test_status_names_a_halt_and_resume_ends_it(halted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["pauses"] == [
        {"kind": "halt", "account": "mirror", "symbol": None, "reason": REASON, "since": "2026-01-02T03:04:05.678Z"}
    ]
    assert {row["account"]: row["paused"] for row in found["accounts"]} == {
        "main": False,
        "mirror": True,
        "second": False,
    }
    assert cli.main(["resume", "--symbol", "BTCUSDT"]) == 0
    assert "nothing was paused" in capsys.readouterr().out
    assert cli.main(["resume", "--account", "mirror"]) == 0
    assert capsys.readouterr().out.strip() == "ended: halt of mirror, every symbol"
    with SqliteStore(halted, read_only=True) as store:
        assert store.standings() == []


@pytest.mark.usefixtures("berlin")
def test_what_status_prints_of_a_day(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    seen = {"stream": "up", "last_event_at": None, "paused": True, "monitors": 1}
    day = {"loss": "50", "highest_equity": "1000", "drawdown_pct": "5.16"}
    limits = {"max_daily_loss": "40", "max_drawdown_pct": "5"}
    document = {
        "daemon": {"running": True, "pid": 1, "since": "2026-01-02T03:04:05.678Z"},
        "mirroring": True,
        "accounts": [
            account("mirror", **seen, day={**day, **limits}),
            account("other", **seen, day={**dict.fromkeys(day), **limits, "max_daily_loss": None}),
            account("winner", **seen, day={**day, "loss": "-58.8", "highest_equity": "1000.127", **limits}),
            account("free", **seen, day=None),
        ],
        "monitors": {"total": 1, "main": 0, "mirror": 1},
        "in_sync": True,
        "in_doubt": 0,
        "alerts_waiting": 0,
        "pauses": [
            {"kind": "halt", "account": "mirror", "symbol": None, "reason": REASON, "since": "2026-01-02T03:04:05.678Z"}
        ],
        **dict.fromkeys(("drift", "held", "parked", "naked", "alerts"), ()),
    }
    lines = printed(status_tables.status(document), capsys).splitlines()[-4:]
    assert lines == [
        f"halted: mirror: {REASON}, since 2026-01-02 04:04:05 CET; "
        "`mirrorctl resume` ends it, once the limit is not reached any more",
        "today: mirror: 50 of 40 lost, 5.16% of 5% under its highest equity 1000",
        "today: other: unknown of 5% under its highest equity unknown",
        "today: winner: 58.8 won, 40 may be lost, 5.16% of 5% under its highest equity 1000.13",
    ]
