"""Random histories of main × random policies of mirrors, judged by the exchange's own books.

What is drawn: sizing modes, filters, delay, reverse, symbol maps, hedge policies, limits, hands on mirrors; trades,
exits and price moves on main; lost pushes and replies, cut streams, kills. `books.py` says what must never be and what
a mirror should hold, worked out anew; `policy_life.py` lives one history, and `lived(seed)` repeats it exactly.

MIRRORCTL_SEEDS=1000:2000 lives these seeds instead of the fixed ones.
"""

from __future__ import annotations

import os
from decimal import Decimal

import pytest

from mirrorctl.core.domain.policy import Direction, Follow
from mirrorctl.core.simulation.stage import Stage, copying
from tests.simulation.policy_life import lived

FIXED = range(12)
OF_A_BLOCK = 4


def blocks() -> list[range]:
    """The fixed seeds, or those that the environment asks for, in blocks that workers share."""
    first, _, last = os.environ.get("MIRRORCTL_SEEDS", "").partition(":")
    every = range(int(first), int(last)) if last else FIXED
    return [every[at : at + OF_A_BLOCK] for at in range(0, len(every), OF_A_BLOCK)]


@pytest.mark.proves("A75", "A82")
@pytest.mark.timeout(180)
@pytest.mark.parametrize("block", blocks(), ids=lambda block: f"{block.start}-{block.stop - 1}")
def test_whatever_the_policies_no_rule_is_broken_and_every_mirror_ends_where_it_should(block: range) -> None:
    found = []
    for seed in block:
        try:
            lived(seed)
        except AssertionError as error:
            found.append(str(error))
    assert not found, f"{len(found)} lives:\n" + "\n".join(found)


@pytest.mark.proves("A76")
@pytest.mark.parametrize("seed", range(6))
def test_a_stop_that_fires_as_main_closes_does_not_end_the_next_cycle(seed: int) -> None:
    """Main's target is a reverse mirror's stop: both fire at once, and what rests on main begins a new cycle."""
    follow = Follow(direction=Direction.REVERSE, max_slippage_bps=Decimal(900))
    stage = Stage(copying("half", "0.5", follow=follow), seed=seed)
    stage.main.sell("0.02", stop="61800", target="57000")
    stage.settle()
    order = stage.main.offer("0.04", "60240", stop="61800", target="55000")
    stage.settle()
    assert stage.of("half").position() == Decimal("0.01")
    stage.price("57000")
    stage.settle()
    assert stage.of("half").held() == {}
    stage.main.fill(order, "0.04")
    stage.settle()
    assert stage.held("half") == []
    assert stage.of("half").position() == Decimal("0.02")
