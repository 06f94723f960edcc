"""Main as the exchange's books have it: what it holds, what rests, and the ratio that a policy makes of it.

Worked out from the words of the policies a second time; nothing here asks the engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_DOWN, Decimal
from itertools import combinations

from mirrorctl.core.domain.policy import MAIN, Direction, MirrorPolicy, SizingMode
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.paper.margin import totals
from mirrorctl.core.paper.model import Order, Side
from mirrorctl.core.simulation.stage import Stage
from tests.simulation.draws import BTC

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT
ZERO = Decimal(0)
STEPS = {BTC: Decimal("0.001")}
STEP = Decimal("0.01")
Leg = tuple[str, PositionSide]


def step_of(symbol: str) -> Decimal:
    return STEPS.get(symbol, STEP)


def floor(symbol: str, qty: Decimal) -> Decimal:
    step = step_of(symbol)
    return (qty / step).to_integral_value(ROUND_DOWN) * step


class MainBooks:
    """Main's part of a stage's exchange. A leg is (symbol, side); quantities in main's coins."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.world = stage.world
        self.state = stage.world.exchange.state

    def main_size(self, leg: Leg) -> Decimal:
        """What main holds on one side, never negative."""
        symbol, side = leg
        uid = self.world.uids[MAIN]
        idx = (1 if side is LONG else 2) if self.state.accounts[uid].hedged(symbol) else 0
        return max(self.state.position(uid, symbol, idx).signed * side.sign, ZERO)

    def entries(self, leg: Leg) -> list[Order]:
        """Main's resting orders that would open or grow a side."""
        symbol, side = leg
        uid = self.world.uids[MAIN]
        hedged = self.state.accounts[uid].hedged(symbol)
        if not hedged and self.main_size((symbol, side.opposite)):
            return []
        return self.asked(leg)

    def asked(self, leg: Leg) -> list[Order]:
        """Main's resting orders of a side, those too that are an exit while the other side stands."""
        symbol, side = leg
        uid = self.world.uids[MAIN]
        hedged = self.state.accounts[uid].hedged(symbol)
        return [
            order
            for order in self.state.live(uid, symbol)
            if order.is_open
            and not order.reduce_only
            and not order.protective
            and (order.side is Side.BUY) is (side is LONG)
            and (not hedged or order.idx == (1 if side is LONG else 2))
        ]

    def ratios(self, policy: MirrorPolicy, leg: Leg, size: Decimal, entries: list[Order]) -> list[Decimal]:
        """What the policy makes of main as it stands; with two stops to measure by, both."""
        symbol, side = leg
        sizing = policy.sizing
        value = sizing.symbols.get(symbol, sizing.value)
        if sizing.mode is SizingMode.PROPORTION:
            return [value]
        mains, mirrors = (totals(self.state, self.world.uids[name]).equity for name in (MAIN, policy.name))
        if sizing.mode is SizingMode.EQUITY:
            return [value * mirrors / mains]
        if sizing.mode is SizingMode.SAME_MARGIN_PERCENT:
            leverage = self.state.accounts[self.world.uids[MAIN]].leverage_of(symbol)
            own = min(leverage * sizing.leverage_factor, policy.limits.max_leverage or leverage)
            return [value * mirrors / mains * max(own, Decimal(1)) / leverage]
        found = []
        for qty, worth in self._asked_for(leg, size, entries):
            if sizing.mode is SizingMode.FIXED_QTY:
                found.append(value / (qty * (policy.map[symbol].multiplier if symbol in policy.map else 1)))
            elif sizing.mode is SizingMode.FIXED_NOTIONAL:
                found.append(value / worth)
            else:
                sign = side.sign if policy.follow.direction is Direction.SAME else -side.sign
                away = [(worth / qty - stop) * sign for stop in self.risk_stops(policy, leg)]
                found += [mirrors * value / 100 / distance / qty for distance in away if distance > 0]
        return found

    def _asked_for(self, leg: Leg, size: Decimal, entries: list[Order]) -> Iterator[tuple[Decimal, Decimal]]:
        """Quantity and worth of main's entry, with each resting order or without: news of one may be late."""
        worth = self._main_leg(leg)[0]
        for count in range(len(entries) + 1):
            for chosen in combinations(entries, count):
                qty = size + sum((order.leaves for order in chosen), ZERO)
                if qty:
                    yield qty, worth + sum((order.leaves * order.price for order in chosen), ZERO)

    def _main_leg(self, leg: Leg) -> tuple[Decimal, int]:
        symbol, side = leg
        uid = self.world.uids[MAIN]
        idx = (1 if side is LONG else 2) if self.state.accounts[uid].hedged(symbol) else 0
        row = self.state.position(uid, symbol, idx)
        return (row.entry_value if self.main_size(leg) else ZERO), idx

    def risk_stops(self, policy: MirrorPolicy, leg: Leg) -> list[Decimal]:
        """What may end a mirror's position, in main's prices: its stop, of a reverse mirror its furthest target."""
        if policy.follow.direction is Direction.SAME:
            return self._bounds(leg, 0)
        prices = [order.price for order in self.targets(leg)] + self._bounds(leg, 1)
        return [max(prices, key=lambda price: price * leg[1].sign)] if prices else []

    def _bounds(self, leg: Leg, which: int) -> list[Decimal]:
        """Stops (0) or take-profits (1) of main's position and of its resting entries."""
        found = {order.take_profit if which else order.stop_loss for order in self.entries(leg)}
        if self.main_size(leg):
            found.add(self.stage.main.bound(leg[0], self._main_leg(leg)[1])[which] or ZERO)
        return sorted(found - {ZERO})

    def aimed(self, leg: Leg) -> bool:
        """Whether main's position has a target, so that a reverse mirror has a stop (A13)."""
        bound = self.stage.main.bound(leg[0], self._main_leg(leg)[1])[1]
        return bool(self.targets(leg)) or bound is not None

    def targets(self, leg: Leg) -> list[Order]:
        """Main's resting exits of one side: on a one-way main every order against the position is one."""
        symbol, side = leg
        uid = self.world.uids[MAIN]
        idx = self._main_leg(leg)[1]
        against = (order for order in self.state.live(uid, symbol) if (order.side is Side.SELL) is (side is LONG))
        plain = (order for order in against if order.is_open and not order.protective and order.idx == idx)
        return [order for order in plain if order.reduce_only or not idx]
