"""Many mirrors at once: each order leaves when its row stands, and none waits for all the others."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

import pytest

from mirrorctl.core.engine.reconcile import MirrorPass
from mirrorctl.core.simulation.stage import Stage, copying

NAMES = [f"m{number:02}" for number in range(20)]


def stage_of_many() -> Stage:
    """Twenty mirrors that hold what main holds, so that its next fill is one order of each."""
    stage = Stage(*(copying(name) for name in NAMES))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.world.calls.clear()
    return stage


def written_and_sent(stage: Stage) -> list[str]:
    """What makes orders durable, and sends, in their order: "rows" and the name of a mirror."""
    calls = [call for call in stage.world.calls if call == "store record_ahead" or " send PlaceOrder" in call]
    return ["rows" if call.startswith("store") else call.split()[0] for call in calls]


def test_orders_are_journaled_in_groups_that_grow_and_each_stands_before_it_leaves() -> None:
    stage = stage_of_many()
    stage.main.buy("0.1")
    stage.run(20)
    done, names = written_and_sent(stage), iter(NAMES)
    expected = [["rows", *(next(names) for _ in range(size))] for size in (1, 2, 4, 8, 5)]
    assert done == [each for group in expected for each in group]


def test_a_mirror_that_cannot_be_planned_for_keeps_no_other_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug that shows with one mirror, the sixth: those before it were planned already, in a group with it."""
    stage = stage_of_many()
    plan = MirrorPass.plan

    def failing(self: MirrorPass, *args: object, **named: object) -> object:
        if self.mirror.name == "m05":
            raise ZeroDivisionError
        return plan(self, *args, **named)  # type: ignore[arg-type]  # passed on as they came

    with monkeypatch.context() as broken:
        broken.setattr(MirrorPass, "plan", failing)
        stage.main.buy("0.1")
        for _ in range(20):
            with suppress(ZeroDivisionError):  # the daemon's loop logs it and goes on
                stage.run(1)
    assert sorted(each for each in written_and_sent(stage) if each != "rows") == [n for n in NAMES if n != "m05"]
    stage.main.buy("0.1")
    stage.settle()
    assert {trader.position() for trader in stage.mirrors.values()} == {Decimal("0.15")}
