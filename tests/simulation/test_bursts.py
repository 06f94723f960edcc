"""What one burst brings is decided on once, and told as if each message had come alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from mirrorctl.core.simulation.stage import Stage, copying


def flips(stage: Stage) -> None:
    stage.main.sell("0.3")


def opens_again(stage: Stage) -> None:
    stage.main.close()
    stage.main.buy("0.2")


def opens_the_same_again(stage: Stage) -> None:
    stage.main.close()
    stage.main.buy("0.1")


def turns_and_turns_back(stage: Stage) -> None:
    stage.main.close()
    stage.main.sell("0.1")
    stage.main.close()
    stage.main.buy("0.1")


def opens_and_closes_again(stage: Stage) -> None:
    stage.main.close()
    stage.main.buy("0.1")
    stage.main.close()


BURSTS: dict[str, tuple[Callable[[Stage], object], list[str], list[str]]] = {
    "a flip": (flips, ["long"], ["short 0.2"]),
    "closed and opened larger": (opens_again, ["long"], ["long 0.2"]),
    "closed and opened as it was": (opens_the_same_again, ["long"], ["long 0.1"]),
    "turned twice": (turns_and_turns_back, ["long", "short"], ["short 0.1", "long 0.1"]),
    "closed, opened and closed": (opens_and_closes_again, ["long", "long"], ["long 0.1"]),
}


@pytest.mark.proves("A41")
@pytest.mark.parametrize("burst", BURSTS)
def test_positions_that_end_and_begin_within_one_burst_are_each_told_once(burst: str) -> None:
    act, closed, opened = BURSTS[burst]
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1")
    stage.settle()
    stage.run(3_000)
    before = len(stage.alerts("main"))
    travel = itertools.count(1)
    stage.world.delay_ms = lambda: next(travel)  # type: ignore[method-assign]  # in the order they were sent
    stage.world.grain_ms = 400  # all of them before the engine looks
    act(stage)
    stage.run(450)
    del stage.world.delay_ms
    stage.world.grain_ms = 1
    stage.settle()
    stage.run(25_000)

    told = [(alert.kind, alert.text) for alert in stage.alerts("main")[before:]]
    ends = [text.removeprefix("closed: manual, ").partition(" at ")[0] for kind, text in told if kind == "closed"]
    assert sorted(ends) == sorted(closed)
    found = [text.removeprefix("trade opened: ").split(" BTCUSDT")[0] for kind, text in told if kind == "opened"]
    assert sorted(found) == sorted(opened)
    assert len(stage.world.store.open_positions()) == (0 if stage.main.position() == 0 else 2)
