"""Deeds carried out: main's own trader with the phone app, and the market, past all faults.

What a deed finds nothing to do about becomes an entry, so that nearly every deed is an event on main. Events are
counted by the exchange's books: requests of main's hand that were accepted, and orders of main that the market filled.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal
from itertools import islice
from typing import Any

from mirrorctl.core.domain.ids import step_tag
from mirrorctl.core.domain.trade import Target, Trade
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.paper.model import Order, Position, Side
from mirrorctl.core.simulation.ground import Ground
from mirrorctl.core.simulation.schedule import BURST, Deed
from mirrorctl.core.simulation.stage import Stage
from mirrorctl.core.simulation.trader import Refusal, Trader

_WEIGHTS = (3, 1, 1, 1)  # of the ground's symbols, in their order
_ZERO = Decimal(0)
_BPS = Decimal(10_000)
_SHARES = (Decimal("0.3"), Decimal("0.5"), Decimal(1))
_FURTHEST = Decimal("0.05")


class CountedTrader(Trader):
    """A trader whose requests are counted when the exchange took them."""

    accepted = 0

    def _post(self, path: str, **params: Any) -> dict[str, Any]:
        result = super()._post(path, **params)
        self.accepted += 1
        return result


class Hands:
    """Main's trader and the market of one stage. `events` counts what really happened on main."""

    def __init__(self, stage: Stage, ground: Ground) -> None:
        self._stage = stage
        self._ground = ground
        self._world = stage.world
        self._state = stage.world.exchange.state
        self._main = CountedTrader(stage.world, stage.main.name)
        self._uid = stage.world.uids[stage.main.name]
        self._chance = random.Random(0)
        self._usual = {symbol: self._state.markets[symbol].last for symbol in ground.symbols}
        self._executions = self._state.history[self._uid].executions
        self.events = 0
        self._deeds: dict[Deed, Callable[[str], str]] = {
            Deed.GROW: self._grow,
            Deed.BURST: self._burst,
            Deed.REST: self._rest,
            Deed.CUT: self._cut,
            Deed.CLOSE: self._close,
            Deed.FLIP: self._flip,
            Deed.PROTECT: self._protect,
            Deed.AIM: self._aim,
            Deed.AMEND: self._amend,
            Deed.CANCEL: self._cancel,
            Deed.LEVERAGE: self._leverage,
            Deed.CONDITION: self._condition,
            Deed.HAND_OVER: self._hand_over,
            Deed.FILL: self._fill,
            Deed.MOVE: self._move,
            Deed.SHAKE: self._shake,
            Deed.STOP_OUT: self._stop_out,
            Deed.TAKE_PROFIT: self._take_profit,
        }

    def do(self, deed: Deed, roll: int) -> str:
        """Carry a deed out and say in words what was done."""
        self._chance = random.Random(roll)
        symbol = self._chance.choices(self._ground.symbols, _WEIGHTS[: len(self._ground.symbols)])[0]
        accepted, executed = self._main.accepted, len(self._executions)
        try:
            told = self._deeds[deed](symbol)
        except Refusal as refusal:
            told = f"{deed}: {refusal}"
        by_hand = self._main.accepted - accepted
        filled = {row.order_id for row in islice(self._executions, executed, None)}
        self.events += by_hand or len(filled)
        return told

    # --- orders --------------------------------------------------------------------------------------------------

    def _grow(self, symbol: str) -> str:
        side = self._side(symbol)
        qty, more = self._qty(symbol), self._exits(symbol, side)
        self._order(side, qty, symbol, more)
        return f"{side} {qty} {symbol} {more}"

    def _burst(self, symbol: str) -> str:
        """Several entries in one instant."""
        side = self._side(symbol)
        sizes = [self._qty(symbol, 4 * self._ground.smallest) for _ in range(BURST)]
        for qty in sizes:
            self._order(side, qty, symbol, {})
        return f"{side} {' '.join(sizes)} {symbol}"

    def _rest(self, symbol: str) -> str:
        side = self._side(symbol)
        away = Decimal(self._chance.randint(2, 80)) / _BPS
        price = self._priced(symbol, -away if side is Side.BUY else away)
        more = self._exits(symbol, side) if self._chance.random() < 0.3 else {}
        qty = self._qty(symbol)
        self._order(side, qty, symbol, {"price": price, **more})
        return f"rest {side} {qty} {symbol} at {price} {more}"

    def _condition(self, symbol: str) -> str:
        """An entry that waits for its trigger: a breakout."""
        side, qty = self._side(symbol), self._qty(symbol)
        away = Decimal(self._chance.randint(5, 60)) / _BPS
        price, rises = self._priced(symbol, away if side is Side.BUY else -away), 1 if side is Side.BUY else 2
        self._order(side, qty, symbol, {"triggerPrice": price, "triggerDirection": rises})
        return f"{side} {qty} {symbol} when it trades at {price}"

    def _cut(self, symbol: str, share: Decimal | None = None) -> str:
        leg = self._leg(symbol)
        if leg is None:
            return self._grow(symbol)
        qty = self._part(leg.symbol, leg.size, share or self._chance.choice(_SHARES[:2]))
        self._order(_out_of(leg), qty, leg.symbol, {"reduceOnly": True})
        return f"cut {qty} {leg.symbol}"

    def _close(self, symbol: str) -> str:
        return self._cut(symbol, Decimal(1))

    def _flip(self, symbol: str) -> str:
        leg = self._leg(symbol)
        if leg is None:
            return self._grow(symbol)
        qty = str(leg.size + Decimal(self._qty(leg.symbol)))
        more = self._exits(leg.symbol, _out_of(leg))
        self._order(_out_of(leg), qty, leg.symbol, more)
        return f"flip {leg.symbol} with {_out_of(leg)} {qty} {more}"

    def _aim(self, symbol: str) -> str:
        """A reduce-only limit order for a part of what main holds."""
        leg = self._leg(symbol)
        if leg is None:
            return self._grow(symbol)
        qty = self._part(leg.symbol, leg.size, self._chance.choice(_SHARES))
        away = Decimal(self._chance.randint(30, 200)) / _BPS
        price = self._priced(leg.symbol, away if leg.side is Side.BUY else -away)
        self._order(_out_of(leg), qty, leg.symbol, {"price": price, "reduceOnly": True})
        return f"aim {qty} {leg.symbol} at {price}"

    def _protect(self, symbol: str) -> str:
        """Set or move the position's stop, sometimes its target too."""
        leg = self._leg(symbol)
        if leg is None:
            return self._grow(symbol)
        more = self._exits(leg.symbol, leg.side or Side.BUY, certain=True)
        self._main.protect(more["stop"], more.get("target", ""), leg.symbol)
        return f"protect {leg.symbol} {more}"

    def _amend(self, symbol: str) -> str:
        order = self._open_order()
        if order is None:
            return self._rest(symbol)
        if self._chance.random() < 0.5:
            qty = str(order.filled + Decimal(self._qty(order.symbol)))
            self._main.amend(order.order_id, order.symbol, qty=qty)
            return f"amend {order.symbol} to {qty}"
        away = Decimal(self._chance.randint(2, 120)) / _BPS
        price = self._priced(order.symbol, -away if order.side is Side.BUY else away)
        self._main.amend(order.order_id, order.symbol, price=price)
        return f"amend {order.symbol} to {price}"

    def _cancel(self, symbol: str) -> str:
        order = self._open_order()
        if order is None:
            return self._rest(symbol)
        self._main.cancel(order.order_id, order.symbol)
        return f"cancel {order.side} {order.leaves} {order.symbol}"

    def _leverage(self, symbol: str) -> str:
        leverage = str(self._chance.choice((5, 8, 10, 12)))
        self._main.set_leverage(leverage, symbol)
        return f"leverage {leverage} {symbol}"

    def _hand_over(self, symbol: str) -> str:
        """From now on mirrorctl manages main's position, with a ladder of its own."""
        leg, engine = self._leg(symbol), self._world.engine
        if leg is None or engine is None or engine.trades.symbols():
            return self._protect(symbol)
        side = PositionSide.LONG if leg.side is Side.BUY else PositionSide.SHORT
        percents = self._chance.choice(((100,), (50, 50), (85, 5, 5, 5), (40, 30, 30)))
        away = sorted(self._chance.sample(range(30, 300), len(percents)))
        prices = [Decimal(self._away(leg.symbol, leg.side or Side.BUY, 1, bps)) for bps in away]
        targets = [Target(price, Decimal(percent)) for price, percent in zip(prices, percents, strict=True)]
        self._clear(leg)
        stop = Decimal(self._away(leg.symbol, leg.side or Side.BUY, -1, self._chance.randint(150, 450)))
        tag = step_tag("hand-over", str(self._chance.getrandbits(32)))[:7]
        after = self._chance.choice((0, 1))
        made = Trade(leg.symbol, side, tag, "custom", self._world.clock.now_ms(), tuple(targets), opened=True)
        made = replace(made, stop=stop, breakeven_after=after, cancel_entries_after=1)
        self._world.alive(lambda: engine.trades.save(made))
        engine.mark_everywhere(leg.symbol)
        return f"hand {leg.symbol} over: {percents} at {', '.join(map(str, prices))}, stop {stop}, breakeven {after}"

    def _clear(self, leg: Position) -> None:
        """The trader's own exits make room for the ladder."""
        for order in self._state.live(self._uid, leg.symbol):
            if order.reduce_only and not order.protective:
                self._main.cancel(order.order_id, leg.symbol)

    # --- the market ----------------------------------------------------------------------------------------------

    def _fill(self, symbol: str) -> str:
        """The price comes to a resting order of main, and the market takes a part of it, often of its twins as well."""
        order = self._open_order()
        if order is None or not order.resting:
            return self._rest(symbol)
        symbol, tick = order.symbol, self._state.instruments[order.symbol].tick
        self._stage.price(str(order.price + (tick if order.side is Side.BUY else -tick)), symbol)
        if self._state.orders_by_uid[self._uid].get(order.order_id) is not order:
            return f"{symbol} comes to {order.price}, where it is filled"
        part = self._part(symbol, order.leaves, self._chance.choice((Decimal("0.4"), Decimal(1))))
        self._main.fill(order.order_id, part)
        told = f"{symbol} comes to {order.price}, main fills {part}"
        for mirror in self._stage.mirrors.values():
            if self._chance.random() < 0.4:
                told += self._fill_mirror(mirror, order)
        self._world.run(self._chance.choice((0, 1, 40)))
        self._calm(symbol)
        return told

    def _fill_mirror(self, mirror: Trader, like: Order) -> str:
        live = self._state.live(self._world.uids[mirror.name], like.symbol)
        twins = [order for order in live if order.resting and order.price == like.price and order.side is like.side]
        if not twins:
            return ""
        part = self._part(like.symbol, twins[0].leaves, self._chance.choice((Decimal("0.4"), Decimal(1))))
        mirror.fill(twins[0].order_id, part)
        return f", {mirror.name} {part}"

    def _move(self, symbol: str) -> str:
        """The price goes somewhere near and stays."""
        price = self._near(symbol)
        self._stage.price(price, symbol)
        return f"{symbol} at {price}"

    def _shake(self, symbol: str) -> str:
        """The price goes somewhere near, through what rests on the way, and comes back."""
        price = self._near(symbol)
        self._stage.price(price, symbol)
        self._world.run(self._chance.choice((1, 40, 900)))
        self._calm(symbol)
        return f"{symbol} at {price} and back"

    def _stop_out(self, symbol: str) -> str:
        """The price goes through the stop of what main holds; without a position or a stop there is one first."""
        leg = self._leg(symbol)
        if leg is None:
            symbol, side = symbol, self._side(symbol)
            self._order(side, self._qty(symbol), symbol, {"stopLoss": self._away(symbol, side, -1, 200)})
            self._world.run(self._chance.choice((0, 40, 400)))
            leg = self._leg(symbol)
        if leg is None or leg.side is None:
            return "nothing to stop out"
        stop = self._main.bound(leg.symbol)[0]
        if stop is None:
            stop = Decimal(self._away(leg.symbol, leg.side, -1, 150))
            self._main.protect(stop=str(stop), symbol=leg.symbol)
            self._world.run(self._chance.choice((0, 40, 400)))
        executed, sign = len(self._executions), -1 if leg.side is Side.BUY else 1
        told = self._through(leg.symbol, stop, sign, "stop")
        hit = any("StopLoss" in row.stop_type for row in islice(self._executions, executed, None))
        moved = None if hit else self._main.bound(leg.symbol)[0]  # by an entry on the way that carried another
        return told if moved is None else self._through(leg.symbol, moved, sign, "moved stop")

    def _take_profit(self, symbol: str) -> str:
        """The price goes through a target of what main holds; where none rests there is one first."""
        leg = self._leg(symbol)
        if leg is None:
            side = self._side(symbol)
            self._order(side, self._qty(symbol), symbol, {"takeProfit": self._away(symbol, side, 1, 100)})
            self._world.run(self._chance.choice((0, 40, 400)))
            leg = self._leg(symbol)
        if leg is None or leg.side is None:
            return "nothing to take"
        bound = self._main.bound(leg.symbol)[1]
        if bound is None:
            bound = Decimal(self._away(leg.symbol, leg.side, 1, 80))
            qty = self._part(leg.symbol, leg.size, self._chance.choice(_SHARES))
            self._order(_out_of(leg), qty, leg.symbol, {"price": str(bound), "reduceOnly": True})
            self._world.run(self._chance.choice((0, 40, 400)))
        return self._through(leg.symbol, bound, 1 if leg.side is Side.BUY else -1, "target")

    def _through(self, symbol: str, price: Decimal, sign: int, what: str) -> str:
        beyond = self._rounded(symbol, price * (1 + sign * Decimal("0.001")))
        self._stage.price(str(beyond), symbol)
        self._world.run(self._chance.choice((0, 1, 40, 900)))
        self._calm(symbol)
        return f"{symbol} through the {what} at {price} to {beyond}"

    def _calm(self, symbol: str) -> None:
        """Often back to the usual price, always not too far from it."""
        last, usual = self._state.markets[symbol].last, self._usual[symbol]
        if self._chance.random() < 0.6 or abs(last / usual - 1) > _FURTHEST:
            self._stage.price(str(usual), symbol)

    # --- choosing ------------------------------------------------------------------------------------------------

    def _side(self, symbol: str) -> Side:
        """The side on which main holds, else one by chance."""
        side = self._position(symbol).side
        return side or self._chance.choice((Side.BUY, Side.SELL))

    def _position(self, symbol: str) -> Position:
        return self._state.position(self._uid, symbol, 0)

    def _leg(self, symbol: str) -> Position | None:
        """What main holds of the symbol, else of another one."""
        held = [self._position(each) for each in (symbol, *self._ground.symbols) if self._position(each).size]
        return held[0] if held else None

    def _open_order(self) -> Order | None:
        orders = [order for order in self._state.live(self._uid) if not order.protective]
        return self._chance.choice(orders) if orders else None

    def _qty(self, symbol: str, most: int = 0) -> str:
        step = self._state.instruments[symbol].step
        smallest = self._ground.smallest
        value = self._chance.randint(smallest, max(most or self._ground.largest, smallest + 1))
        return str(value / self._usual[symbol] // step * step)

    def _part(self, symbol: str, size: Decimal, share: Decimal) -> str:
        step = self._state.instruments[symbol].step
        return str((size * share / step).quantize(Decimal(1), ROUND_DOWN) * step or step)

    def _exits(self, symbol: str, side: Side, *, certain: bool = False) -> dict[str, str]:
        found = {}
        if certain or self._chance.random() < 0.6:
            found["stop"] = self._away(symbol, side, -1, self._chance.randint(100, 400))
        if self._chance.random() < 0.3:
            found["target"] = self._away(symbol, side, 1, self._chance.randint(100, 300))
        return found

    def _away(self, symbol: str, side: Side, sign: int, bps: int) -> str:
        """A price so far from the last one, with the position (sign 1) or against it (-1)."""
        return self._priced(symbol, sign * (1 if side is Side.BUY else -1) * Decimal(bps) / _BPS)

    def _near(self, symbol: str) -> str:
        percent = Decimal(self._chance.randint(-80, 80)) / _BPS
        return str(self._rounded(symbol, self._usual[symbol] * (1 + percent)))

    def _priced(self, symbol: str, away: Decimal) -> str:
        return str(self._rounded(symbol, self._state.markets[symbol].last * (1 + away)))

    def _rounded(self, symbol: str, price: Decimal) -> Decimal:
        tick = self._state.instruments[symbol].tick
        return price // tick * tick

    def _order(self, side: Side, qty: str, symbol: str, more: Mapping[str, Any]) -> None:
        enter = self._main.buy if side is Side.BUY else self._main.sell
        enter(qty, symbol, **more)


def _out_of(leg: Position) -> Side:
    return Side.SELL if leg.side is Side.BUY else Side.BUY
