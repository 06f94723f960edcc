"""Fidelity of mirrors that really followed: ladders, twins, a pause, another step and the other side."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.bootstrap.figures import Ledger, read_ledger
from mirrorctl.commands.fidelity import fidelity
from mirrorctl.core.domain.fidelity import Fidelity, Part
from mirrorctl.core.domain.policy import Direction, Follow
from mirrorctl.core.simulation.stage import Stage, copying
from mirrorctl.core.simulation.world import START_MS

STEPS = {"BTCUSDT": Decimal("0.001")}


def ledger(stage: Stage, name: str) -> Ledger:
    return read_ledger(stage.world.connect(name)[0], START_MS - 1_000)


def compared(stage: Stage, name: str) -> Fidelity:
    policy, store = stage.policy.mirror(name), stage.world.store
    main, mirror = ledger(stage, "main"), ledger(stage, name)
    found = fidelity(policy, main, mirror, store.ended_copies(0), store.hold_times(0), STEPS)
    assert found is not None
    assert sum(found.total(part) for part in Part) == found.pnl - found.ideal
    return found


def ladder(stage: Stage) -> None:
    """Three entries, two of them at limits; the first target fills, the rest is closed by command."""
    targets = [{"price": str(60_000 + 300 * rung)} for rung in (1, 2, 3, 4)]
    stage.command(
        "trade.open",
        symbol="BTCUSDT",
        side="long",
        qty="0.09",
        entries=["59900", "59800"],
        targets=targets,
        stop="58500",
        approach="conservative",
        wait_s="5",
    )
    stage.settle()
    for price in ("59880", "59780", "60310"):
        stage.price(price)
        stage.run(2_000)
    stage.settle()
    stage.command("trade.close", symbol="BTCUSDT", wait_s="5")
    stage.settle()


@pytest.mark.proves("A68")
def test_what_a_ladder_brought_on_every_mirror_is_explained_to_the_cent() -> None:
    reverse = copying("rev", "0.5", follow=Follow(direction=Direction.REVERSE))
    stage = Stage(copying("half", "0.5"), copying("third", "0.333"), reverse)
    ladder(stage)
    main = ledger(stage, "main").figures
    for name, ratio in (("half", Decimal("0.5")), ("third", Decimal("0.333"))):
        found = compared(stage, name)
        assert (len(found.cycles), found.unmeasured) == (1, 0)
        assert found.ideal == (main.net_pnl * ratio).quantize(Decimal("1E-8"))
        assert found.pnl == ledger(stage, name).figures.net_pnl
        assert abs(found.total(Part.REST)) < Decimal("0.01")
        assert not any(found.total(part) for part in (Part.HELD, Part.REJECTION, Part.OWN_EXIT))
    assert compared(stage, "third").total(Part.ROUNDING), "0.02997 of 0.09 is no whole step"
    assert compared(stage, "half").total(Part.ROUNDING) == 0
    other = compared(stage, "rev")
    assert other.ideal < 0 < main.net_pnl
    assert abs(other.total(Part.REST)) < Decimal("0.01")


def test_what_a_pause_kept_from_a_mirror_is_put_to_it() -> None:
    stage = Stage(copying("half", "0.5"), copying("other", "0.5"))
    stage.command("pause", account="half")
    stage.main.buy("0.1", stop="58000")
    stage.run(3_000)
    stage.price("61000")
    stage.run(1_000)
    stage.main.close()
    stage.settle()
    paused, followed = compared(stage, "half"), compared(stage, "other")
    assert paused.pnl == 0
    assert paused.total(Part.HELD) == pytest.approx(Decimal(-50), abs=Decimal("0.1"))
    assert paused.total(Part.FEE) > 0, "what it did not pay"
    assert paused.total(Part.REST) == followed.total(Part.HELD) == 0
