"""A store that is lost at a bad moment: what our own orders opened is still ours, and waits for the trader's word."""

from __future__ import annotations

from decimal import Decimal

from mirrorctl.core.simulation.stage import Stage, copying


def test_a_position_of_ours_is_ours_where_main_closed_and_has_an_entry_resting() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.world.kill()
    stage.world.lose_store()
    stage.main.close()
    stage.main.bid("0.05", "59000")
    stage.start()
    stage.run(5_000)
    half = stage.of("half")
    assert stage.parked("half") == ["new store: main is flat"]
    assert (half.position(), half.stop()) == (Decimal("0.05"), Decimal(58_000))
    stage.command("sync")
    stage.settle()
    assert half.held() == {}
    assert half.book() == [("Buy", Decimal("0.025"), Decimal(59_000))]
