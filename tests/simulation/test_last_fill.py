"""A copy ends with its last fill: what told of it was lost, so it is looked up, and nothing of the copy stays."""

from __future__ import annotations

import pytest

from mirrorctl.core.simulation.stage import Stage, copying


@pytest.mark.proves("A66")
@pytest.mark.parametrize("gone_ms", range(0, 30, 5))
def test_a_copy_that_ended_unseen_is_gone_from_the_record(gone_ms: int) -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.030", stop="57624")
    stage.settle()
    stage.main.bid("0.018", "59712", stop="58254")
    stage.run(30)
    stage.world.kill()
    stage.run(100)
    stage.start()
    stage.run(gone_ms)
    stage.price("57566.30")
    stage.settle()
    stage.run(10_000)
    assert stage.of("half").held() == {}
    assert stage.world.store.copies() == []
    assert stage.audit() == []
