"""The pace of passes: what is waited for is looked at again when it is due, not in every millisecond until it comes."""

from __future__ import annotations

from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying

_PASSES_A_SECOND = 20


def looks(stage: Stage, for_ms: int) -> int:
    """How often something happened in the world, the engine's own wakes included."""
    count = 0

    def count_one() -> None:
        nonlocal count
        count += 1

    stage.world.after_step = count_one
    stage.run(for_ms)
    stage.world.after_step = None
    return count


def test_an_execution_that_is_not_seen_is_waited_for_in_peace() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1")
    stage.settle()
    stage.world.fault(FaultKind.PUSH_DROP, "half", "execution", count=None)
    stage.world.fault(FaultKind.PUSH_DROP, "half", "order", count=None)
    stage.world.fault(FaultKind.HIDE, "half", "/v5/execution/list", count=None, ms=600_000)
    stage.world.fault(FaultKind.HIDE, "half", "/v5/order/realtime", count=None, ms=600_000)
    stage.of("half").sell("0.02", reduceOnly=True)
    stage.main.buy("0.1")
    stage.run(3_000)
    assert "the position shrank and its execution was not seen yet" in stage.held("half")
    assert looks(stage, 10_000) < 10 * _PASSES_A_SECOND
    stage.world.gateway.faults.clear()
    stage.settle()
