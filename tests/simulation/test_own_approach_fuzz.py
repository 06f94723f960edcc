"""Seeded lives of mirrors with an approach of their own: whatever happened, each ends with its ladder on its position.

Main lives as in test_fuzz: it enters, flips, rests, moves and fills targets, hands its trade over; pushes are lost,
streams are cut, processes are killed. A failure names its seed.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_DOWN, Decimal

import pytest

from mirrorctl.core.domain.actions import NotSent, PlaceOrder
from mirrorctl.core.domain.approach import BUILT_IN, MARKET, Approach
from mirrorctl.core.domain.ids import Role, parse
from mirrorctl.core.domain.own_approach import rungs_filled
from mirrorctl.core.domain.policy import Follow
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.simulation.stage import Stage, copying
from tests.simulation.test_fuzz import RATIOS, STEP, ExitLife, lead_of

APPROACHES = {**BUILT_IN, "runner": Approach("runner", (MARKET,), (Decimal(25),) * 4, cancel_entries_after=3)}
OWN = {"half": "runner", "odd": "fast"}


class OwnLife(ExitLife):
    """A life with exits, beside two mirrors that have ladders of their own."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        follow = Follow(max_slippage_bps=Decimal(500))
        mirrors = (
            copying(name, str(ratio), follow=replace(follow, approach=OWN[name])) for name, ratio in RATIOS.items()
        )
        self.stage = Stage(*mirrors, seed=seed, approaches=APPROACHES)


def check(life: OwnLife) -> None:
    stage, main = life.stage, life.stage.main
    held = main.position()
    side = PositionSide.LONG if held >= 0 else PositionSide.SHORT
    for name, ratio in RATIOS.items():
        have, resting, lead = stage.of(name).position() * side.sign, targets_of(stage, name), lead_of(stage, name)
        assert have >= 0, f"{name} holds the other side: {have}"
        assert held or have <= lead, f"{name} holds {have} beside a flat main"
        assert resting <= have, f"{name}: targets of {resting} for {have}"
        copy = stage.engine.keeper.copies.get((name, "BTCUSDT", side))
        if copy is not None and have:
            most = (ratio * (abs(held) + copy.spared)).quantize(STEP, ROUND_DOWN)
            assert have < most + lead + STEP, f"{name}: {have} of at most {most} and {lead}"
            left = rungs_filled(copy, APPROACHES[OWN[name]]) < len(APPROACHES[OWN[name]].targets)
            aimed = any(row["reduceOnly"] for row in main.orders())
            if left and aimed and not lead:
                assert resting == have, f"{name}: {resting} of {have} rests"
        asked = [row for row in stage.sent(name, PlaceOrder) if not isinstance(row.outcome, NotSent)]
        links = [row.action.link_id for row in asked if isinstance(row.action, PlaceOrder)]
        assert len(links) == len(set(links)), f"{name}: an id reached the exchange twice"
    assert stage.status()["drift"] == []
    sent = len(stage.sent())
    stage.run(60_000)
    assert len(stage.sent()) == sent, f"not silent: {[row.action for row in stage.sent()[sent:]]}"
    for order in main.orders():
        main.cancel(order["orderId"])
    if held:
        main.close()
    stage.run(8_000)
    stage.settle()
    assert [stage.of(name).held() for name in RATIOS] == [{}, {}], "main is flat"
    assert [stage.of(name).orders() for name in RATIOS] == [[], []]


def targets_of(stage: Stage, name: str) -> Decimal:
    rows = [row for row in stage.of(name).orders() if row["reduceOnly"]]
    links = {link.role for row in rows if (link := parse(row["orderLinkId"]))}
    assert links <= {Role.TARGET}
    return sum((Decimal(row["leavesQty"]) for row in rows), Decimal(0))


@pytest.mark.proves("A76", "A54")
@pytest.mark.parametrize("block", range(2))
def test_random_lives_of_mirrors_with_own_ladders_end_flat_with_main(block: int) -> None:
    found = []
    for seed in range(100 * block, 100 * block + 8):
        life = OwnLife(seed)
        try:
            life.live(14)
            check(life)
        except AssertionError as error:
            found.append(f"seed {seed}: {str(error)[:1500]}\n  {'; '.join(life.story)}")
    assert not found, f"{len(found)} lives:\n" + "\n".join(found)
