"""Seeded lives: random trades, delays, lost and doubled pushes, lost replies, cut streams and kills.

Whatever happened, at the end each mirror stands at its target, bought nothing it had to sell again for no reason, never
reduced beyond its holding, and is silent. In lives with exits main rests targets, moves them, hands its trade over to
mirrorctl, and price trades through them: at the end a mirror lacks nothing but what its own targets sold, and every
ladder is spread over its position. A failure names its seed; `lived(seed, Life or ExitLife)` repeats it exactly.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal

import pytest

from mirrorctl.core.domain.actions import NotSent, PlaceOrder
from mirrorctl.core.domain.ids import Role, parse
from mirrorctl.core.domain.policy import Follow
from mirrorctl.core.domain.trade import Target, Trade
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.simulation.stage import Stage, copying
from mirrorctl.core.simulation.trader import Refusal
from tests.simulation.mishaps import Mishaps

RATIOS = {"half": Decimal("0.5"), "odd": Decimal("0.37")}
STEP = Decimal("0.001")


class Life(Mishaps):
    """One random life on one symbol. Every choice comes from the seed."""

    def __init__(self, seed: int) -> None:
        self.choose = random.Random(seed)
        follow = Follow(max_slippage_bps=Decimal(500))
        mirrors = (copying(name, str(ratio), follow=follow) for name, ratio in RATIOS.items())
        self.stage = Stage(*mirrors, seed=seed)
        self.story: list[str] = []

    def deeds(self) -> list[Callable[[], str]]:
        return [self.grow, self.cut, self.flip, self.rest, self.take_back, self.protect]

    def live(self, turns: int) -> None:
        deeds = self.deeds()
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
                stands = any(row["orderId"] == order["orderId"] for row in trader.orders())
                if self.choose.random() < 0.25 and stands:
                    part = Decimal(order["leavesQty"]) * self.choose.choice((Decimal("0.4"), Decimal(1)))
                    part = part.quantize(STEP, ROUND_DOWN) or STEP
                    trader.fill(order["orderId"], str(part))
                    self.story.append(f"{trader.name} fills {part}")


class ExitLife(Life):
    """A life with targets: of main's own hand, of a trade that mirrorctl manages, of mirrors that fill first."""

    def deeds(self) -> list[Callable[[], str]]:
        return [*super().deeds(), self.aim, self.aim, self.move, self.trade_through, self.hand_over]

    def aim(self) -> str:
        """A reduce-only limit order for a part of what main holds."""
        held = self.stage.main.position()
        if not held:
            return "nothing to aim with"
        size = (abs(held) * self.choose.choice((Decimal("0.3"), Decimal("0.5"), Decimal(1)))).quantize(STEP, ROUND_DOWN)
        price = str(60_000 + (1 if held > 0 else -1) * 50 * self.choose.randint(4, 20))
        (self.stage.main.offer if held > 0 else self.stage.main.bid)(str(size or STEP), price, reduceOnly=True)
        return f"aim {size} at {price}"

    def move(self) -> str:
        """Main's hand moves a target, its own or one of the managed trade, or resizes it."""
        exits = [row for row in self.stage.main.orders() if row["reduceOnly"]]
        if not exits:
            return "nothing to move"
        order = self.choose.choice(exits)
        if order["orderLinkId"] or self.choose.random() < 0.5:
            away = 1 if order["side"] == "Sell" else -1
            price = str(60_000 + away * 50 * self.choose.randint(4, 20))
            self.stage.main.amend(order["orderId"], price=price)
            return f"move a target to {price}"
        self.stage.main.amend(order["orderId"], qty=str(Decimal(order["cumExecQty"]) + Decimal(self.size())))
        return "resize a target"

    def trade_through(self) -> str:
        """Price goes somewhere and back, through entries and targets, short of every stop."""
        price = str(60_000 + 50 * self.choose.randint(-24, 24))
        self.stage.price(price)
        self.stage.run(self.choose.choice((1, 40, 900)))
        self.stage.price("60000")
        return f"price {price}"

    def hand_over(self) -> str:
        """From now on mirrorctl manages main's trade, with a ladder of its own."""
        held, engine = self.stage.main.position(), self.stage.world.engine
        if not held or engine is None or engine.trades.symbols():
            return "nothing to hand over"
        side = PositionSide.LONG if held > 0 else PositionSide.SHORT
        percents = self.choose.choice(((100,), (50, 50), (85, 5, 5, 5), (40, 30, 30)))
        prices = sorted(50 * n for n in self.choose.sample(range(4, 21), len(percents)))
        targets = tuple(
            Target(Decimal(60_000 + side.sign * away), Decimal(percent))
            for away, percent in zip(prices, percents, strict=True)
        )
        for row in self.stage.main.orders():
            if row["reduceOnly"]:
                self.stage.main.cancel(row["orderId"])
        tag = f"fuzz{''.join(self.choose.choices('abc', k=3))}"  # a tag is minted once
        made = Trade("BTCUSDT", side, tag, "custom", self.stage.world.now_ms(), targets, opened=True)
        after = self.choose.choice((0, 1))
        stop = Decimal(60_000 - side.sign * 3_000)
        engine.trades.save(replace(made, stop=stop, breakeven_after=after, cancel_entries_after=1))
        return f"hand over with {percents}, breakeven after {after}"


def lived(seed: int, kind: type[Life] = Life) -> Life:
    life = kind(seed)
    life.live(14)
    return life


def check(life: Life) -> None:
    stage, main = life.stage, life.stage.main
    for name, ratio in RATIOS.items():
        mirror, held = stage.of(name), main.position()
        want = (abs(held) * ratio).quantize(STEP, ROUND_DOWN) * (1 if held >= 0 else -1)
        have, lead, own = mirror.position(), lead_of(stage, name), own_exits(stage, name)
        less = own + sum((copy.skipped for copy in stage.engine.passes[name].copies("BTCUSDT").values()), Decimal(0))
        off = (have - want) * (1 if held >= 0 else -1)
        least = -less - STEP if less else Decimal(0)
        assert least <= off < lead + STEP if lead or less else not off, (
            f"{name}: {have}, want {want}, {lead}, own {own}"
        )
        if have and main.stop() is not None:
            assert mirror.stop() == main.stop(), name
        asked = [row for row in stage.sent(name, PlaceOrder) if not isinstance(row.outcome, NotSent)]
        links = [row.action.link_id for row in asked if isinstance(row.action, PlaceOrder)]
        assert len(links) == len(set(links)), f"{name}: an id reached the exchange twice"
        check_exits(stage, name)
    check_main(stage)
    sent = len(stage.sent())
    stage.run(60_000)
    assert len(stage.sent()) == sent, f"not silent: {[row.action for row in stage.sent()[sent:]]}"


def check_exits(stage: Stage, name: str) -> None:
    """What rests on a mirror: twins, and targets that are no more than it holds; all of it where main covers all."""
    mirror, main = stage.of(name), stage.main
    targets = [row for row in mirror.orders() if row["reduceOnly"]]
    roles = {link.role for row in mirror.orders() if (link := parse(row["orderLinkId"]))}
    assert len([row for row in mirror.orders() if not parse(row["orderLinkId"])]) == 0
    assert roles <= {Role.TWIN, Role.TARGET}
    resting = sum((Decimal(row["leavesQty"]) for row in targets), Decimal(0))
    assert resting <= abs(mirror.position()), f"{name}: targets of {resting}"
    on_main = [Decimal(row["leavesQty"]) for row in main.orders() if row["reduceOnly"]]
    prices = {Decimal(row["price"]) for row in main.orders()}  # an order against a one-way position is an exit as well
    prices |= {target.price for trade in stage.engine.trades.all() for target in trade.targets}
    assert {Decimal(row["price"]) for row in targets} <= prices, f"{name}: targets where main has none"
    own = own_exits(stage, name) or lead_of(stage, name)
    over = any(trade.targets and not rungs_left(stage, trade) for trade in stage.engine.trades.all())
    if sum(on_main) == abs(main.position()) and not own and not over:
        assert resting == abs(mirror.position()), f"{name}: {resting} of {mirror.position()} rests"


def check_main(stage: Stage) -> None:
    """Main is touched for the managed trade alone, and its ladder covers all that is held."""
    trades = stage.engine.trades.all()
    sent = stage.sent("main")
    assert not sent or all(getattr(row.action, "role", Role.TARGET) is not Role.ENTRY for row in sent)
    for trade in trades:
        held = stage.main.position() * trade.side.sign
        ours = [row for row in stage.main.orders() if row["reduceOnly"] and parse(row["orderLinkId"])]
        if held > 0:
            assert stage.main.stop() in (trade.stop, trade.stood), "a breakeven that price has passed is not placed"
            assert sum(Decimal(row["leavesQty"]) for row in ours) == (held if rungs_left(stage, trade) else 0)


def rungs_left(stage: Stage, trade: Trade) -> list[int]:
    done = stage.engine.keeper.rungs_done(trade.symbol, trade.side)
    return [leg for leg in range(len(trade.targets)) if trade.rung_key(leg) not in done]


def own_exits(stage: Stage, name: str) -> Decimal:
    """What a mirror's own targets have sold since main's trade began: with its first entry, or its position."""
    world = stage.world
    began = world.exchange.state.position(world.uids["main"], "BTCUSDT", 0).opened_ms
    began = min([began, *(cycle.started_ms for cycle in stage.engine.keeper.cycles.values())])
    rows = [row for row in stage.of(name).fills() if int(row["execTime"]) >= began and Decimal(row["closedSize"])]
    sold = [row for row in rows if (link := parse(row["orderLinkId"])) and link.role is Role.TARGET]
    return sum((Decimal(row["execQty"]) for row in sold), Decimal(0))


def lead_of(stage: Stage, name: str) -> Decimal:
    """What the plan says the twins filled before their orders, which still rest on main."""
    plan = stage.engine.passes[name].plans.get("BTCUSDT")
    lead = sum((standing.tolerated for standing in plan.standings), Decimal(0)) if plan else Decimal(0)
    return lead if stage.main.orders() else Decimal(0)


def failures(seeds: range, kind: type[Life]) -> list[str]:
    found = []
    for seed in seeds:
        life = kind(seed)
        try:
            life.live(14)
            check(life)
        except AssertionError as error:
            found.append(f"seed {seed}: {str(error)[:1500]}\n  {'; '.join(life.story)}")
    return found


@pytest.mark.proves("A54", "A43")
@pytest.mark.parametrize("block", range(5))
def test_random_lives_end_at_the_target_in_silence(block: int) -> None:
    found = failures(range(100 * block, 100 * block + 2), Life)
    assert not found, f"{len(found)} lives:\n" + "\n".join(found)


@pytest.mark.proves("A76", "A54")
@pytest.mark.parametrize("block", range(4))
def test_random_lives_with_exits_end_with_every_ladder_on_its_position(block: int) -> None:
    found = failures(range(100 * block, 100 * block + 2), ExitLife)
    assert not found, f"{len(found)} lives:\n" + "\n".join(found)
