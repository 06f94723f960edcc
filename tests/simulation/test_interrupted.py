"""`trade open` with several entries, killed in the middle: what was begun is finished, what never began is told."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.engine.service import steps
from mirrorctl.core.simulation.stage import Stage, copying

OPEN: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "side": "long",
    "qty": "0.3",
    "entries": ["59000", "58000"],
    "targets": [{"price": str(price)} for price in (62000, 63000, 64000, 65000)],
    "approach": "conservative",
    "stop": "57000",
    "wait_s": "0",
}


def opened(crash: int = 0, *, after: bool = False, down_ms: int = 500) -> Stage:
    """The trade is asked for and the process dies at a port call counted from there; the trader does not ask again."""
    stage = Stage(copying("half", "0.5"))
    world = stage.world
    world.crash_at, world.crash_after = (len(world.calls) + crash if crash else 0), after
    world.restart_after_ms = down_ms

    stage.engine.tasks.start(steps(stage.engine, "trade.open", OPEN, lambda _event: None), lambda _result, _error: None)
    stage.run(40_000 + down_ms)
    stage.settle()
    return stage


def end(stage: Stage) -> tuple[Decimal, int, int]:
    """Main's size, and how many entries and targets rest on it."""
    book = stage.main.book()
    return stage.main.position(), sum(row[0] == "Buy" for row in book), sum(row[0] == "Sell" for row in book)


WHOLE = (Decimal("0.1"), 2, 4)
NOTHING = (Decimal(0), 0, 0)


@pytest.mark.proves("A43")
@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
def test_killed_at_any_call_the_trade_is_whole_or_never_began(after: bool) -> None:
    calm = opened()
    assert end(calm) == WHOLE
    ends = []
    for crash in range(1, 28):
        stage = opened(crash, after=after)
        assert stage.world.kills == 1
        ends.append(end(stage))
        assert ends[-1] in (WHOLE, NOTHING), f"killed at call {crash}: {ends[-1]}"
        if ends[-1] == WHOLE:
            assert stage.main.volume() == calm.main.volume()
            assert stage.of("half").position() == Decimal("0.05")
        else:
            assert not stage.main.fills()
    assert WHOLE in ends
    assert NOTHING in ends


def test_entries_that_are_old_by_the_next_start_are_told_and_not_sent() -> None:
    for crash in range(1, 28):
        stage = opened(crash, down_ms=300_000)
        if end(stage) not in (WHOLE, NOTHING):
            assert stage.alerts("main", "was not sent before the restart and is not sent now")
            return
    raise AssertionError("no kill fell between two entries")
