"""Seeded lives: random trades, delays, lost and doubled pushes, lost replies, cut streams and kills.

Whatever happened, at the end each mirror stands at its target, bought nothing it had to sell again for no reason, never
reduced beyond its holding, and is silent. A failure names its seed; `lived(seed)` repeats it exactly.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import ROUND_DOWN, Decimal

import pytest

from mirrorctl.core.domain.actions import NotSent, PlaceOrder
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying
from mirrorctl.core.simulation.trader import Refusal

RATIOS = {"half": Decimal("0.5"), "odd": Decimal("0.37")}
PUSHES = (FaultKind.PUSH_DROP, FaultKind.PUSH_DOUBLE, FaultKind.PUSH_REORDER, FaultKind.PUSH_STALE)
STEP = Decimal("0.001")


class Life:
    """One random life on one symbol. Every choice comes from the seed."""

    def __init__(self, seed: int) -> None:
        self.choose = random.Random(seed)
        self.stage = Stage(*(copying(name, str(ratio)) for name, ratio in RATIOS.items()), seed=seed)
        self.story: list[str] = []

    def live(self, turns: int) -> None:
        deeds: list[Callable[[], str]] = [self.grow, self.cut, self.flip, self.rest, self.take_back, self.protect]
        troubles: list[Callable[[], str]] = [self.spoil, self.lose, self.cut_stream, self.kill, self.refuse]
        for _ in range(turns):
            deed = self.choose.choice(deeds)
            try:
                self.story.append(deed())
            except Refusal as refusal:
                self.story.append(f"{refusal}")
            if self.choose.random() < 0.6:
                self.story.append(self.choose.choice(troubles)())
            self.fill()
            self.stage.run(self.choose.choice((5, 30, 100, 700, 6_000)))
        self.calm_down()

    def calm_down(self) -> None:
        world = self.stage.world
        world.gateway.faults.clear()
        if world.engine is None:
            world.start()
        for name in tuple(world.cut):
            world.stream_up(name)
        self.stage.run(12_000)
        self.stage.command("sync")
        self.stage.settle()

    # --- what main does ---------------------------------------------------------------------------------------

    def size(self) -> str:
        return str(self.choose.randint(5, 80) * STEP)

    def grow(self) -> str:
        size = self.size()
        (self.stage.main.sell if self.stage.main.position() < 0 else self.stage.main.buy)(size)
        return f"grow {size}"

    def cut(self) -> str:
        held = self.stage.main.position()
        if not held:
            return "nothing to cut"
        size = (abs(held) * self.choose.choice((Decimal("0.3"), Decimal("0.5"), Decimal(1)))).quantize(STEP, ROUND_DOWN)
        (self.stage.main.sell if held > 0 else self.stage.main.buy)(str(size or STEP), reduceOnly=True)
        return f"cut {size}"

    def flip(self) -> str:
        held = self.stage.main.position()
        size = str(abs(held) + self.choose.randint(5, 60) * STEP)
        (self.stage.main.sell if held > 0 else self.stage.main.buy)(size)
        return f"flip with {size}"

    def rest(self) -> str:
        size, price = self.size(), str(60_000 - 5 * self.choose.randint(1, 40))
        if self.stage.main.position() < 0:
            return "no long entry against a short"
        self.stage.main.bid(size, price)
        return f"bid {size} at {price}"

    def take_back(self) -> str:
        orders = self.stage.main.orders()
        if not orders:
            return "nothing to take back"
        order = self.choose.choice(orders)
        if self.choose.random() < 0.5:
            self.stage.main.amend(order["orderId"], qty=str(Decimal(order["cumExecQty"]) + Decimal(self.size())))
            return "amend an order"
        self.stage.main.cancel(order["orderId"])
        return "cancel an order"

    def protect(self) -> str:
        held = self.stage.main.position()
        if not held:
            return "nothing to protect"
        stop = 60_000 + (-1 if held > 0 else 1) * 100 * self.choose.randint(20, 60)
        self.stage.main.protect(stop=str(stop))
        return f"stop at {stop}"

    def fill(self) -> None:
        """The market takes parts of resting orders, on any account."""
        for trader in (self.stage.main, *self.stage.mirrors.values()):
            for order in trader.orders():
                if self.choose.random() < 0.25:
                    part = Decimal(order["leavesQty"]) * self.choose.choice((Decimal("0.4"), Decimal(1)))
                    part = part.quantize(STEP, ROUND_DOWN) or STEP
                    trader.fill(order["orderId"], str(part))
                    self.story.append(f"{trader.name} fills {part}")

    # --- what goes wrong ---------------------------------------------------------------------------------------

    def account(self) -> str:
        return self.choose.choice(("main", *RATIOS))

    def spoil(self) -> str:
        kind, name = self.choose.choice(PUSHES), self.account()
        topic = self.choose.choice(("order", "execution", "position"))
        self.stage.world.fault(kind, name, topic, count=self.choose.randint(1, 3))
        return f"{kind} {topic} of {name}"

    def lose(self) -> str:
        name = self.choose.choice(tuple(RATIOS))
        self.stage.world.fault(FaultKind.LOSE_REPLY, name, "/v5/order/create")
        return f"lose a reply of {name}"

    def refuse(self) -> str:
        name = self.account()
        self.stage.world.fault(FaultKind.REFUSE, name, count=self.choose.randint(1, 4))
        return f"refuse {name}"

    def cut_stream(self) -> str:
        name = self.account()
        self.stage.world.stream_down(name)
        self.stage.world.at(self.choose.randint(1, 8_000), lambda: self.stage.world.stream_up(name))
        return f"cut the stream of {name}"

    def kill(self) -> str:
        if self.stage.world.engine is None:
            return "dead already"
        self.stage.world.kill()
        self.stage.world.at(self.choose.randint(1, 3_000), self.revive)
        return "kill"

    def revive(self) -> None:
        if self.stage.world.engine is None:
            self.stage.start()


def lived(seed: int) -> Life:
    life = Life(seed)
    life.live(14)
    return life


def check(life: Life) -> None:
    stage, main = life.stage, life.stage.main
    for name, ratio in RATIOS.items():
        mirror, held = stage.of(name), main.position()
        want = (abs(held) * ratio).quantize(STEP, ROUND_DOWN) * (1 if held >= 0 else -1)
        have, lead = mirror.position(), lead_of(stage, name)
        off = have - want
        assert abs(off) < lead + STEP if lead else not off, f"{name} holds {have}, wants {want}, lead {lead}"
        if have and main.stop() is not None:
            assert mirror.stop() == main.stop(), name
        asked = [row for row in stage.sent(name, PlaceOrder) if not isinstance(row.outcome, NotSent)]
        links = [row.action.link_id for row in asked if isinstance(row.action, PlaceOrder)]
        assert len(links) == len(set(links)), f"{name}: an id reached the exchange twice"
        for order in mirror.orders():
            assert order["orderLinkId"].startswith("m1-"), "only twins rest"
    assert stage.sent("main") == []
    sent = len(stage.sent())
    stage.run(60_000)
    assert len(stage.sent()) == sent, f"not silent: {[row.action for row in stage.sent()[sent:]]}"


def lead_of(stage: Stage, name: str) -> Decimal:
    """What the plan says the twins filled before their orders, which still rest on main."""
    plan = stage.engine.passes[name].plans.get("BTCUSDT")
    lead = sum((standing.tolerated for standing in plan.standings), Decimal(0)) if plan else Decimal(0)
    return lead if stage.main.orders() else Decimal(0)


@pytest.mark.proves("A54", "A43")
@pytest.mark.parametrize("block", range(5))
def test_random_lives_end_at_the_target_in_silence(block: int) -> None:
    failures = []
    for seed in range(100 * block, 100 * block + 10):
        life = Life(seed)
        try:
            life.live(14)
            check(life)
        except AssertionError as error:
            failures.append(f"seed {seed}: {str(error)[:1500]}\n  {'; '.join(life.story)}")
    assert not failures, f"{len(failures)} lives:\n" + "\n".join(failures)
