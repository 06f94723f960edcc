"""adopt = "new-only" after a lost store: what stood at a mirror's first sight stays left out, the rest does not."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.core.domain.policy import Adopt
from mirrorctl.core.engine.baseline import Sightings
from mirrorctl.core.simulation.stage import Stage, copying

OLD, NEW = "adopt = new-only", "new store"


def left_out() -> Stage:
    """Main holds BTC when the mirror is first seen, and opens ETH while the mirror cannot follow."""
    stage = Stage(copying("half", "0.5", adopt=Adopt.NEW_ONLY), start=False)
    stage.main.buy("0.1", stop="58000")
    stage.start()
    stage.run(3_000)
    stage.command("pause", account="half")
    stage.main.buy("1", "ETHUSDT")
    stage.run(3_000)
    return stage


@pytest.mark.proves("A44", "A82")
def test_a_lost_store_leaves_out_what_stood_at_the_first_sight_and_holds_the_rest_until_the_trader_says_yes() -> None:
    stage = left_out()
    half = stage.of("half")
    stage.restart(new_store=True)
    stage.run(10_000)
    held = {row["symbol"]: row["reason"] for row in stage.status()["held"]}
    assert held == {"BTCUSDT": OLD, "ETHUSDT": NEW}
    assert half.held() == {}
    stage.command("sync")
    stage.run(5_000)
    assert half.held() == {"ETHUSDT": Decimal("0.5")}
    assert stage.held("half") == [OLD]
    stage.main.close()
    stage.settle()
    stage.main.buy("0.1")
    stage.settle()
    assert half.held() == {"ETHUSDT": Decimal("0.5"), "BTCUSDT": Decimal("0.05")}, "another position than that one"


@pytest.mark.proves("A44")
def test_a_position_that_was_opened_anew_is_not_the_one_that_stood() -> None:
    stage = left_out()
    stage.main.close()
    stage.run(3_000)
    stage.main.buy("0.2")
    stage.run(3_000)
    stage.restart(new_store=True)
    stage.run(10_000)
    held = {row["symbol"]: row["reason"] for row in stage.status()["held"]}
    assert held == {"BTCUSDT": NEW, "ETHUSDT": NEW}


@pytest.mark.proves("A44")
def test_without_a_baseline_a_lost_store_leaves_out_all_that_stands() -> None:
    """Nobody can tell what stood before: the rule of a first sight holds, and it is one."""
    stage = left_out()
    stage.world.kill()
    stage.world.lose_store()
    stage.world.baseline = Sightings()
    stage.start()
    stage.run(10_000)
    assert set(stage.held("half")) == {OLD}


@pytest.mark.proves("A44")
def test_a_baseline_that_is_lost_alone_is_written_anew_from_the_store() -> None:
    stage = left_out()
    stage.world.kill()
    stage.world.baseline = Sightings()
    stage.start()
    stage.run(5_000)
    stage.restart(new_store=True)
    stage.run(10_000)
    held = {row["symbol"]: row["reason"] for row in stage.status()["held"]}
    assert held == {"BTCUSDT": OLD, "ETHUSDT": NEW}


def test_with_adopt_all_a_lost_store_waits_for_the_trader_as_before() -> None:
    stage = Stage(copying("half", "0.5", adopt=Adopt.ALL), start=False)
    stage.main.buy("0.1")
    stage.start()
    stage.run(3_000)
    stage.restart(new_store=True)
    stage.run(5_000)
    assert stage.held("half") == [NEW]


def test_an_audit_writes_no_baseline() -> None:
    stage = left_out()
    stage.world.kill()
    stage.world.lose_store()
    stage.world.baseline = Sightings()
    stage.audit()
    assert stage.world.baseline.known == {}


@pytest.mark.proves("A43")
@pytest.mark.parametrize("crash_after", [False, True])
def test_a_kill_at_the_first_sight_changes_nothing_of_it(crash_after: bool) -> None:
    """Killed at each write of the store around the first sight: the baseline is there before the store knows."""
    calm = Stage(copying("half", "0.5", adopt=Adopt.NEW_ONLY), start=False)
    calm.main.buy("0.1")
    calm.start()
    calm.run(3_000)
    first = next(n for n, call in enumerate(calm.world.calls, 1) if call == "store save_copy")
    for crash_at in range(first, first + 3):
        stage = Stage(copying("half", "0.5", adopt=Adopt.NEW_ONLY), start=False)
        stage.main.buy("0.1")
        stage.world.crash_at, stage.world.crash_after = crash_at, crash_after
        stage.start()
        stage.run(10_000)
        assert stage.world.kills == 1
        assert stage.held("half") == [OLD]
        assert len(stage.world.baseline.known) == 1
