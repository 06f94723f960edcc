"""What is measured of a copy on its way, how near a mirror is to main once a minute, and how long growth was held."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.core.domain.policy import Follow, Hedge
from mirrorctl.core.engine.records import EquitySample, HoldTime, MeasuredCopy
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying

ORDER_PATH = "/v5/order/create"


def staged(ahead_ms: int = 7_000) -> Stage:
    """An exchange whose clock is ahead of ours, both measured."""
    stage = Stage(copying("half", "0.5"))
    stage.world.step_exchange_clock(ahead_ms)
    stage.run(30_000)
    return stage


def copies(stage: Stage) -> list[MeasuredCopy]:
    return stage.world.store.measured_copies()


def test_the_legs_of_a_copy_add_up_to_its_way_on_the_exchanges_clock() -> None:
    stage = staged()
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    (copy,) = copies(stage)
    legs = copy.legs_ms()
    assert sum(leg or 0 for leg in legs.values()) == copy.total_ms
    known = [legs[name] for name in ("main_to_frame", "frame_to_plan", "plan_to_send", "send_to_ack")]
    assert all(leg is not None and 0 <= leg < 500 for leg in known), legs
    assert known[0], "a push travels"
    assert legs["ack_to_fill"] is not None
    assert legs["ack_to_fill"] < 0, "it was filled before we knew that it was accepted"


def test_without_a_measured_clock_only_the_whole_way_is_known() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    (copy,) = copies(stage)
    assert 0 < copy.total_ms < 500
    assert set(copy.legs_ms().values()) == {None}


def test_an_answer_that_was_lost_leaves_its_legs_unknown() -> None:
    stage = staged()
    stage.world.fault(FaultKind.LOSE_REPLY, "half", ORDER_PATH)
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    (copy,) = copies(stage)
    legs = copy.legs_ms()
    assert (legs["send_to_ack"], legs["ack_to_fill"]) == (None, None)
    assert legs["plan_to_send"] is not None


def test_a_fill_is_copied_once_whatever_is_ordered_for_it_later() -> None:
    """A position that somebody changed much later is put right, and that is no slow copy."""
    stage = staged()
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.run(600_000)
    stage.of("half").sell("0.02", reduceOnly=True)
    stage.settle()
    assert stage.of("half").position() == Decimal("0.05")
    assert len(copies(stage)) == 1
    stage.main.buy("0.1")
    stage.settle()
    assert len(copies(stage)) == 2
    assert max(copy.total_ms for copy in copies(stage)) < 1_000
    assert list(stage.engine.meter.newest) == copies(stage)
    stage.restart()
    assert list(stage.engine.meter.newest) == copies(stage)


def samples(stage: Stage, name: str) -> list[EquitySample]:
    return [sample for sample in stage.world.store.samples(0) if sample.account == name]


def test_every_minute_has_a_sample_of_equity_and_of_what_a_mirror_holds() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.run(61_000)
    before = samples(stage, "main")[-1]
    assert (before.equity, before.want) == (Decimal(100_000), None)
    assert samples(stage, "half")[-1] == EquitySample(
        "half", before.at_ms, Decimal(100_000), Decimal(0), Decimal(0), Decimal(0)
    )
    stage.main.buy("0.015", stop="58000")
    stage.settle()
    stage.run(600_000)
    found = samples(stage, "half")
    assert 8 <= len(found) <= 12
    last = found[-1]
    assert last.ideal is not None
    assert last.have is not None
    assert last.want == last.have < last.ideal, "a step of it is missing"
    assert last.have == pytest.approx(Decimal("0.007") * 60_000, rel=Decimal("0.01"))
    assert last.equity == stage.engine.accounts["half"].view.wallet.equity  # type: ignore[union-attr]  # it is known


def test_a_minute_in_which_an_account_is_not_known_has_no_sample() -> None:
    stage = Stage(copying("half", "0.5"), copying("other", "0.5"))
    stage.run(61_000)
    known = len(samples(stage, "half"))
    stage.world.go_down("half")
    stage.run(300_000)
    assert len(samples(stage, "half")) <= known + 1
    assert len(samples(stage, "other")) >= known + 4


def holds(stage: Stage) -> list[HoldTime]:
    return stage.world.store.hold_times(0)


def test_a_hold_is_timed_from_its_beginning_to_its_end_over_a_restart() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.command("pause", account="half")
    stage.main.buy("0.1", stop="58000")
    stage.run(2_000)
    (hold,) = holds(stage)
    assert (hold.account, hold.symbol, hold.side.value, hold.until_ms) == ("half", "BTCUSDT", "long", None)
    assert hold.reason == "paused: by the trader"
    stage.restart()
    stage.run(5_000)
    assert holds(stage) == [hold]
    stage.command("resume", account="half")
    stage.settle()
    (over,) = holds(stage)
    assert over.until_ms is not None
    assert 6_000 < over.until_ms - over.from_ms < 20_000


def test_what_is_refused_and_tried_again_is_one_hold() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.world.fault(FaultKind.RET_CODE, "half", ORDER_PATH, count=None, code=110094, message="no")
    stage.main.buy("0.1", stop="58000")
    stage.run(60_000)
    assert len(stage.placed("half")) > 3
    assert [(hold.account, hold.until_ms) for hold in holds(stage)] == [("half", None)]
    assert "refused" in holds(stage)[0].reason


def test_a_copy_of_the_net_of_two_legs_is_measured_from_the_leg_that_moved() -> None:
    """Main's short is over: the net grows, and what made it grow was no fill of the long."""
    stage = Stage(copying("half", "0.5", follow=Follow(hedge=Hedge.NET)), hedged=("main",))
    stage.main.buy("0.1", idx=1, stop="58000")
    stage.settle()
    stage.main.sell("0.04", idx=2)
    stage.run(30_000)
    stage.main.buy("0.04", idx=2, reduceOnly=True)
    stage.settle()
    assert [copy.total_ms < 1_000 for copy in copies(stage)] == [True] * 3
