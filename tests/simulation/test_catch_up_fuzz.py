"""Seeded lives of mirrors that catch up by waiting: what rests stands for what is lacking, and for nothing else.

The lives are those of test_fuzz; a mirror may end short of its target by what rests for it, and never beyond it.
"""

from __future__ import annotations

import random
from decimal import ROUND_DOWN, Decimal

import pytest

from mirrorctl.core.domain.policy import CatchUp, Follow
from mirrorctl.core.simulation.stage import Stage, copying
from tests.simulation.test_fuzz import RATIOS, STEP, ExitLife, Life, own_exits

HOUR = Decimal(3600)
POLICIES = {
    "limit": Follow(catch_up=CatchUp.LIMIT, max_slippage_bps=Decimal(5), max_age_s=HOUR),
    "limit later": Follow(catch_up=CatchUp.LIMIT, max_slippage_bps=Decimal(5), max_age_s=HOUR, delay_s=Decimal(3)),
    "wait": Follow(catch_up=CatchUp.WAIT, max_slippage_bps=Decimal(500)),
}


def staged(life: Life, seed: int, follow: Follow) -> Life:
    """The life on a stage of its own, before anything happened on it."""
    life.choose = random.Random(seed)
    life.stage = Stage(*(copying(name, str(ratio), follow=follow) for name, ratio in RATIOS.items()), seed=seed)
    return life


def check(life: Life) -> None:
    stage, held = life.stage, abs(life.stage.main.position())
    sign = 1 if life.stage.main.position() >= 0 else -1
    resting_main = sum((Decimal(row["leavesQty"]) for row in stage.main.orders() if not row["reduceOnly"]), Decimal(0))
    for name, ratio in RATIOS.items():
        mirror, plan = stage.of(name), stage.engine.passes[name].plans.get("BTCUSDT")
        have, want = mirror.position() * sign, (held * ratio).quantize(STEP, ROUND_DOWN)
        rests = sum((Decimal(row["leavesQty"]) for row in mirror.orders() if not row["reduceOnly"]), Decimal(0))
        tolerated = sum((standing.tolerated for standing in plan.standings), Decimal(0)) if plan else Decimal(0)
        copies = stage.engine.passes[name].copies("BTCUSDT").values()
        less = own_exits(stage, name) + sum((copy.skipped for copy in copies), Decimal(0))
        assert have - want < (tolerated + STEP if resting_main else STEP), f"{name}: {have}, want {want}"
        assert want - have <= min(rests, tolerated) + (less + STEP if less else 0), f"{name}: {have}, want {want}"
        assert less or have + rests <= (held + resting_main) * ratio + 3 * STEP, f"{name}: {rests} rest beside {have}"
        assert not have or life.stage.main.stop() in (None, mirror.stop()), name
        assert stage.drift(name) == []
    sent = len(stage.sent())
    stage.run(60_000)
    assert len(stage.sent()) == sent, f"not silent: {[row.action for row in stage.sent()[sent:]]}"


@pytest.mark.proves("A20", "A54")
@pytest.mark.parametrize("policy", sorted(POLICIES))
@pytest.mark.parametrize("kind", [Life, ExitLife])
def test_random_lives_lack_no_more_than_what_rests(policy: str, kind: type[Life]) -> None:
    found = []
    for seed in range(4):
        life = staged(kind(seed), seed, POLICIES[policy])
        try:
            life.live(14)
            life.stage.run(10_000)  # what came last has to be as old as the delay
            life.stage.settle()
            check(life)
        except AssertionError as error:
            found.append(f"seed {seed}: {str(error)[:1500]}\n  {'; '.join(life.story)}")
    assert not found, f"{len(found)} lives:\n" + "\n".join(found)
