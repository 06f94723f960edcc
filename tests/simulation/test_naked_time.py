"""Naked time of every position, in status and in the store, over restarts too (A21)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying

STOP_PATH = "/v5/position/trading-stop"


def measured(stage: Stage, name: str) -> list[tuple[int, bool]]:
    return [(row.ms, row.ended) for row in stage.world.store.naked_times(0) if row.account == name]


@pytest.mark.proves("A21")
def test_a_position_that_opened_with_its_stop_was_never_naked() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.run(60_000)
    ((ms, ended),) = measured(stage, "half")
    assert ended
    assert ms < 100
    assert stage.status()["naked"] == []


@pytest.mark.proves("A21")
@pytest.mark.parametrize("restarted", [False, True])
def test_a_spell_is_shown_while_it_lasts_and_kept_when_it_is_over(restarted: bool) -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1")
    stage.settle()
    refusing = stage.world.fault(FaultKind.RET_CODE, "half", STOP_PATH, count=None, code=10001, message="not now")
    stage.main.protect(stop="58000")
    stage.run(5_000)
    (spell,) = stage.status()["naked"]
    assert (spell["account"], spell["symbol"], spell["side"]) == ("half", "BTCUSDT", "long")
    assert spell["ms"] >= 4_500
    if restarted:
        stage.restart()
        stage.run(5_000)
    stage.world.gateway.faults.clear(refusing)
    stage.run(60_000)
    assert stage.status()["naked"] == []
    (ms, ended) = measured(stage, "half")[-1]
    assert ended
    assert ms >= 5_000
    assert len(measured(stage, "half")) == 1


@pytest.mark.proves("A21")
def test_the_stop_of_a_copy_that_is_parked_at_once_was_seen_all_the_same() -> None:
    stage = Stage(copying("half", "0.5"), hedged=("main",))
    stage.main.buy("0.1", idx=1, stop="58000")
    stage.run(50)  # the mirror's entry is on its way
    stage.main.sell("0.06", idx=2)
    stage.run(30_000)
    assert (stage.parked("half"), stage.of("half").position()) == (["hedge"], Decimal("0.05"))
    stage.main.buy("0.06", idx=2, reduceOnly=True)
    stage.run(5_000)
    assert [(ms < 100, ended) for ms, ended in measured(stage, "half")] == [(True, True)]


@pytest.mark.proves("A21")
@pytest.mark.parametrize("seed", range(4))
def test_a_stop_set_in_the_moment_of_the_fill_is_followed_whichever_of_mains_rows_comes_last(seed: int) -> None:
    stage = Stage(copying("half", "0.5"), seed=seed)
    stage.main.buy("0.1")
    stage.main.protect(stop="58000")  # a row without and one with the stop, alike in seq and time
    stage.run(1_000)
    assert stage.of("half").bound() == (Decimal(58_000), None)


@pytest.mark.proves("A54")
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("topic", ["position", "order"])
def test_a_stop_that_one_of_two_topics_tells_is_followed_at_once(topic: str, seed: int) -> None:
    """And so is one that is moved: the row and the order behind the stop tell the same, and either may be lost."""
    stage = Stage(copying("half", "0.5"), seed=seed)
    stage.main.buy("0.1")
    stage.settle()
    stage.world.fault(FaultKind.PUSH_DROP, "main", topic, count=None)
    for stop in ("58000", "58500"):
        stage.main.protect(stop=stop)
        stage.run(1_000)
        assert stage.of("half").stop() == Decimal(stop)


@pytest.mark.proves("A84")
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("lost", [False, True])
def test_an_entry_carries_the_stop_that_was_set_in_the_moment_it_was_placed(seed: int, lost: bool) -> None:
    """Whichever of main's rows comes last, and also where the one with the stop is lost: the order behind it tells."""
    stage = Stage(copying("half", "0.5"), seed=seed)
    stage.main.buy("0.1")
    stage.settle()
    stage.main.bid("0.1", "59000")
    if lost:
        stage.world.fault(FaultKind.PUSH_DROP, "main", "position", count=None)
    stage.main.protect(stop="58000")
    stage.run(1_000)
    (twin,) = stage.of("half").orders()
    assert Decimal(twin["stopLoss"]) == 58_000
