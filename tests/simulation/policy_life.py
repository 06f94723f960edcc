"""A random history of main, with random mirrors beside it, and what has to be so whenever it comes to rest."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal

from mirrorctl.core.domain.ids import parse
from mirrorctl.core.domain.policy import ManualEdit
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.simulation.stage import NotSettledError, Stage
from mirrorctl.core.simulation.trader import Refusal
from tests.simulation import draws
from tests.simulation.at_rest import AtRest
from tests.simulation.books import Cycle, Span
from tests.simulation.draws import BTC, NAMES, PRICES, SYMBOLS
from tests.simulation.main_books import ZERO, Leg, floor, step_of
from tests.simulation.mishaps import Mishaps

SIZES = {BTC: (10, 80), "ETHUSDT": (20, 160)}  # in units of 0.001 BTC and 0.01 ETH


class PolicyLife(AtRest, Mishaps):
    """One life. Every choice comes from the seed."""

    def __init__(self, seed: int) -> None:
        self.choose = random.Random(seed)
        chance = self.choose.random
        self.hedged_main = chance() < 0.3
        hedged = {name for name in NAMES if chance() < (0.4 if self.hedged_main else 0.15)}
        mirrors = [
            draws.mirror(self.choose, name, main_hedged=self.hedged_main, hedged=name in hedged) for name in NAMES
        ]
        everyone = hedged | ({"main"} if self.hedged_main else set())
        super().__init__(Stage(*mirrors, seed=seed, hedged=everyone))
        self.story: list[str] = []

    # --- living --------------------------------------------------------------------------------------------------

    def live(self, turns: int) -> None:
        deeds: list[Callable[[], str]] = [
            self.grow, self.grow, self.rest, self.rest, self.cut, self.cut, self.close, self.flip, self.protect,
            self.aim, self.take_back, self.move, self.shake, self.leverage, self.stop_out, self.edit, self.own_stop,
        ]  # fmt: skip
        troubles = [self.spoil, self.lose, self.cut_stream, self.kill, self.refuse]
        for _ in range(turns):
            self.do(self.choose.choice(deeds))
            if self.choose.random() < 0.3:
                self.do(self.choose.choice(troubles))
            self.fill()
            self.books.run(self.choose.choice((5, 30, 100, 700, 6_000)))
            if self.choose.random() < 0.15:
                self.come_to_rest()
                self.check()
        self.last_entries_go()
        self.come_to_rest()
        self.check()

    def do(self, deed: Callable[[], str]) -> None:
        try:
            self.story.append(deed())
        except Refusal as refusal:
            self.story.append(f"{refusal}")
        self.books.look()

    def last_entries_go(self) -> None:
        for symbol in SYMBOLS:
            for order in self.stage.main.orders(symbol):
                if not order["reduceOnly"]:
                    self.stage.main.cancel(order["orderId"], symbol)
        self.story.append("cancel all entries")
        self.books.look()

    def come_to_rest(self) -> None:
        world = self.stage.world
        world.gateway.faults.clear()
        if world.engine is None:
            world.start()
        for name in tuple(world.cut):
            world.stream_up(name)
        self.books.run(75_000)  # longer than every delay, deadline and minute
        self.stage.command("sync")
        self.books.look()
        if not self.frozen():
            self.stage.settle()
        self.books.look()
        self.story.append("REST")

    # --- what main does ------------------------------------------------------------------------------------------

    def symbol(self) -> str:
        return self.choose.choice((BTC, BTC, "ETHUSDT"))

    def side(self, symbol: str) -> PositionSide:
        """A side on which main may grow: of a one-way main the one it holds."""
        held = [side for side in PositionSide if self.books.main_size((symbol, side))]
        if self.hedged_main or not held:
            return self.choose.choice(tuple(PositionSide))
        return held[0]

    def leg(self) -> Leg | None:
        """A leg that main holds."""
        held = [leg for leg in ((s, side) for s in SYMBOLS for side in PositionSide) if self.books.main_size(leg)]
        return self.choose.choice(held) if held else None

    def idx(self, side: PositionSide) -> int:
        return side.hedge_idx if self.hedged_main else 0

    def qty(self, symbol: str) -> str:
        low, high = SIZES[symbol]
        return str(self.choose.randint(low, high) * step_of(symbol))

    def price(self, symbol: str, percent: Decimal) -> str:
        """So many percent above today's usual price, on the tick."""
        return str((PRICES[symbol] * (1 + percent / 100)).quantize(Decimal("0.1")))

    def exits(self, symbol: str, side: PositionSide) -> dict[str, str]:
        """A stop on most entries, a target on many: 3 to 6 percent away."""
        found = {}
        if self.choose.random() < 0.7:
            found["stop"] = self.price(symbol, -side.sign * Decimal(self.choose.choice((3, 4, 5))))
        if self.choose.random() < 0.4:
            found["target"] = self.price(symbol, side.sign * Decimal(self.choose.choice((4, 5, 6))))
        return found

    def grow(self) -> str:
        symbol = self.symbol()
        side, qty = self.side(symbol), self.qty(symbol)
        enter = self.stage.main.buy if side is PositionSide.LONG else self.stage.main.sell
        more = self.exits(symbol, side)
        enter(qty, symbol, idx=self.idx(side), **more)
        return f"{side} {qty} {symbol} {more}"

    def rest(self) -> str:
        symbol = self.symbol()
        side, qty = self.side(symbol), self.qty(symbol)
        price = self.price(symbol, -side.sign * Decimal(self.choose.randint(1, 10)) / 10)
        enter = self.stage.main.bid if side is PositionSide.LONG else self.stage.main.offer
        more = self.exits(symbol, side)
        enter(qty, price, symbol, idx=self.idx(side), **more)
        return f"rest {side} {qty} {symbol} at {price} {more}"

    def cut(self, share: Decimal | None = None) -> str:
        leg = self.leg()
        if leg is None:
            return "nothing to cut"
        symbol, side = leg
        part = share or self.choose.choice((Decimal("0.3"), Decimal("0.5")))
        qty = floor(symbol, self.books.main_size(leg) * part) or step_of(symbol)
        leave = self.stage.main.sell if side is PositionSide.LONG else self.stage.main.buy
        leave(str(qty), symbol, idx=self.idx(side), reduceOnly=True)
        return f"cut {qty} {symbol} {side}"

    def close(self) -> str:
        return self.cut(Decimal(1))

    def flip(self) -> str:
        leg = self.leg()
        if leg is None or self.hedged_main:
            return "nothing to flip"
        symbol, side = leg
        qty = self.books.main_size(leg) + Decimal(self.qty(symbol))
        (self.stage.main.sell if side is PositionSide.LONG else self.stage.main.buy)(str(qty), symbol)
        return f"flip {symbol} {side} with {qty}"

    def protect(self) -> str:
        leg = self.leg()
        if leg is None:
            return "nothing to protect"
        symbol, side = leg
        stop = self.price(symbol, -side.sign * Decimal(self.choose.randint(25, 60)) / 10)
        target = self.price(symbol, side.sign * Decimal(self.choose.randint(35, 60)) / 10)
        more = {"target": target} if self.choose.random() < 0.4 else {}
        self.stage.main.protect(stop=stop, symbol=symbol, idx=self.idx(side), **more)
        return f"protect {symbol} {side}: {stop} {more}"

    def aim(self) -> str:
        """A reduce-only limit order for a part of what main holds."""
        leg = self.leg()
        if leg is None:
            return "nothing to aim with"
        symbol, side = leg
        qty = floor(
            symbol, self.books.main_size(leg) * self.choose.choice((Decimal("0.3"), Decimal("0.5"), Decimal(1)))
        )
        price = self.price(symbol, side.sign * Decimal(self.choose.randint(4, 30)) / 10)
        leave = self.stage.main.offer if side is PositionSide.LONG else self.stage.main.bid
        leave(str(qty or step_of(symbol)), price, symbol, idx=self.idx(side), reduceOnly=True)
        return f"aim {qty} {symbol} {side} at {price}"

    def take_back(self) -> str:
        symbol = self.symbol()
        orders = self.stage.main.orders(symbol)
        if not orders:
            return "nothing to take back"
        order = self.choose.choice(orders)
        if self.choose.random() < 0.4:
            qty = str(Decimal(order["cumExecQty"]) + Decimal(self.qty(symbol)))
            self.stage.main.amend(order["orderId"], symbol, qty=qty)
            return f"amend an order of {symbol} to {qty}"
        self.stage.main.cancel(order["orderId"], symbol)
        return f"cancel an order of {symbol}"

    def to(self, percent: Decimal) -> None:
        for symbol in SYMBOLS:
            self.stage.price(self.price(symbol, percent), symbol)
        self.books.look()

    def move(self) -> str:
        """Prices go somewhere and stay, short of every stop."""
        percent = Decimal(self.choose.randint(-12, 12)) / 10
        self.to(percent)
        return f"prices {percent}%"

    def shake(self) -> str:
        """Prices go somewhere and come back."""
        percent = Decimal(self.choose.randint(-15, 15)) / 10
        self.to(percent)
        self.books.run(self.choose.choice((1, 40, 900)))
        self.to(ZERO)
        return f"prices {percent}% and back"

    def stop_out(self) -> str:
        """Prices go through main's stops on one side, and come back."""
        if self.choose.random() < 0.6:
            return "no storm"
        percent = Decimal(self.choose.choice((-7, 7)))
        self.to(percent)
        self.books.run(self.choose.choice((40, 900, 5_000)))
        self.to(ZERO)
        return f"storm of {percent}%"

    def leverage(self) -> str:
        leverage, symbol = str(self.choose.choice((4, 10, 15))), self.symbol()
        self.stage.main.set_leverage(leverage, symbol)
        return f"leverage {leverage} {symbol}"

    def fill(self) -> None:
        """The market takes parts of resting orders, on any account."""
        for trader in (self.stage.main, *self.stage.mirrors.values()):
            for symbol in SYMBOLS:
                for order in trader.orders(symbol):
                    stands = any(row["orderId"] == order["orderId"] for row in trader.orders(symbol))
                    if self.choose.random() < 0.15 and stands:
                        part = floor(symbol, Decimal(order["leavesQty"]) * self.choose.choice((Decimal("0.4"), 1)))
                        trader.fill(order["orderId"], str(part or step_of(symbol)))
                        self.books.look()
                        self.story.append(f"{trader.name} fills {part} {symbol} at {order['price']}")

    # --- what a mirror's own hand and the market do ----------------------------------------------------------------

    def copied(self) -> tuple[str, Cycle, Leg, Decimal] | None:
        """A mirror, the cycle it copies and has never left, its own leg and what it holds."""
        found = []
        for name in NAMES:
            for cycle in self.books.cycles.values():
                here = self.books.here(name, cycle.leg)
                if here is None or self.joins(name) or name in cycle.out or not self.books.main_size(cycle.leg):
                    continue
                have = self.books.position(name, *here) * here[1].sign
                if have > 0:
                    found.append((name, cycle, here, have))
        return self.choose.choice(found) if found else None

    def joins(self, name: str) -> bool:
        """Whether main's legs may share one position of this mirror: whose exit is whose is another question then."""
        return self.hedged_main and not self.stage.world.exchange.state.accounts[self.stage.world.uids[name]].hedge

    def edit(self) -> str:
        """A mirror's size is changed by hand while everything stands still."""
        if self.choose.random() < 0.5:
            return "no edit"
        self.come_to_rest()
        self.check()
        chosen = self.copied()
        if chosen is None or chosen[0] in chosen[1].own_sales or self.excuses(chosen[0], chosen[2][0]):
            return "nothing to edit"
        name, cycle, (symbol, side), have = chosen
        trader, idx = self.stage.of(name), self.mirror_idx(name, side)
        grows = self.choose.random() < 0.4
        part = self.choose.choice((Decimal("0.3"), Decimal(1)))
        qty = floor(symbol, have * part) or step_of(symbol)
        order = trader.buy if (side is PositionSide.LONG) is grows else trader.sell
        order(str(qty), symbol, idx=idx, **({} if grows else {"reduceOnly": True}))
        self.books.look()
        left = have + (qty if grows else -qty)
        if self.policies[name].follow.manual_edit is ManualEdit.RESPECT:
            size = self.books.effective(name, cycle.leg)
            if not left:
                cycle.out[name] = "the hand"
            elif size:
                cycle.sized[name] = Span(left / size, (left + step_of(symbol)) / size)
        self.books.run(3_000)
        return f"{name} changes {have} {symbol} by hand to {left}"

    def own_stop(self) -> str:
        """A mirror's stop is hit while main's is not."""
        chosen = self.copied()
        if chosen is None or self.choose.random() < 0.4:
            return "no stop is hit"
        name, _, (symbol, side), _ = chosen
        last = self.stage.world.exchange.state.markets[symbol].last
        trader = self.stage.of(name)
        if self.choose.random() < 0.3:
            trader.liquidate()
            return f"{name} is liquidated"
        stop = (last - side.sign * PRICES[symbol] / 1000).quantize(Decimal("0.1"))
        trader.protect(stop=str(stop), symbol=symbol, idx=self.mirror_idx(name, side))
        self.stage.price(str(stop), symbol)
        self.books.look()
        return f"{name}'s own stop of {symbol} at {stop}"

    def mirror_idx(self, name: str, side: PositionSide) -> int:
        hedged = self.stage.world.exchange.state.accounts[self.stage.world.uids[name]].hedge
        return side.hedge_idx if hedged else 0


def twins_left(life: PolicyLife) -> list[str]:
    """Link ids of our entries that still rest on a mirror."""
    rows = [row for name in NAMES for symbol in SYMBOLS for row in life.stage.of(name).orders(symbol)]
    return [row["orderLinkId"] for row in rows if not row["reduceOnly"] and parse(row["orderLinkId"])]


def lived(seed: int, turns: int = 12) -> PolicyLife:
    """A whole life; raises AssertionError with what was wrong."""
    life = PolicyLife(seed)
    try:
        life.live(turns)
        assert not twins_left(life), "an entry rests that main does not have"
    except (AssertionError, NotSettledError) as error:
        policies = "\n  ".join(str(policy) for policy in life.stage.policy.mirrors)
        raise AssertionError(f"seed {seed}: {str(error)[:1500]}\n  {'; '.join(life.story)}\n  {policies}") from error
    return life
