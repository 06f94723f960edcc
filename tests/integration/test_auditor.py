"""Two looks: what is mended between them is no finding, what stays is, and what still moves is looked at again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mirrorctl.bootstrap.auditor import PAUSE_S, audit
from mirrorctl.core.profile.catalogue import find_home
from mirrorctl.core.profile.load import load_profile
from tests.integration.stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A long on main under a stop, followed by both mirrors; no daemon runs."""
    stage = Stage.open(tmp_path)
    try:
        assert stage.run("trade", "open", "BTCUSDT", "long", "--qty", "0.04", "--stop", "50000").returncode == 0
        yield stage
    finally:
        stage.close()


def set_stop(stage: Stage, price: str) -> None:
    params = {"category": "linear", "symbol": "BTCUSDT", "tpslMode": "Full", "positionIdx": 0, "stopLoss": price}
    stage.call("half", "POST", "/v5/position/trading-stop", **params)


def audited(stage: Stage, *meanwhile: Callable[[], object]) -> tuple[list[str], int]:
    """What counts, and after how many pauses, when these things happen in the pauses."""
    environ = {"MIRRORCTL_HOME": str(stage.home)}
    home = find_home(environ)
    pending = list(meanwhile)
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if pending:
            pending.pop(0)()

    found = audit(load_profile(str(stage.profile), environ, home), home, sleep=sleep)
    assert set(pauses) <= {PAUSE_S}
    assert found.clean is (not [f for f in found.findings if f.severity != "info"])
    return [f"{f.code} {f.account} {f.actual}" for f in found.findings], len(pauses)


@pytest.mark.proves("A64")
def test_what_is_mended_between_two_looks_is_no_finding(stage: Stage) -> None:
    assert audited(stage) == ([], 0)
    set_stop(stage, "0")
    assert audited(stage, lambda: set_stop(stage, "50000")) == ([], 1)
    set_stop(stage, "0")
    assert audited(stage) == (["NO_STOP half no stop"], 1)


@pytest.mark.proves("A64")
def test_a_defect_that_still_moves_is_looked_at_once_more(stage: Stage) -> None:
    """And one that only appears in the second look is not told: the next audit will."""
    stage.order("half", "Sell", "0.005", reduceOnly=True)

    def sell_more() -> None:
        stage.order("half", "Sell", "0.002", reduceOnly=True)

    def appear() -> None:
        set_stop(stage, "0")

    assert audited(stage, sell_more, appear) == (["RATIO_DRIFT half 0.013"], 2)


def test_a_disabled_mirror_is_read_and_named(stage: Stage) -> None:
    """It is read for the audit alone; without keys that answer it is unknown, and the audit is clean all the same."""
    profile = stage.profile.read_text()
    stage.profile.write_text(profile.replace('name = "quarter"', 'name = "quarter"\nenabled = false'))
    assert audited(stage) == (["UNEXPECTED_POSITION quarter 0.01, stop 50000"], 0)
    stage.profile.write_text(profile.replace('name = "quarter"', 'name = "fourth"\nenabled = false'))
    [unknown] = audited(stage)[0]
    assert unknown.startswith("ACCOUNT_UNREADABLE fourth unknown: ")
