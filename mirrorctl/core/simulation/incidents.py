"""Incidents on an account: what the exchange, the market or somebody's hand does there beyond main's own deeds."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import ROUND_DOWN, Decimal

from mirrorctl.core.paper.exchange import PaperExchange
from mirrorctl.core.paper.model import Market, Position, Side
from mirrorctl.core.simulation.schedule import Trouble
from mirrorctl.core.simulation.stage import Stage
from mirrorctl.core.simulation.trader import Refusal, Trader

HAND = "hand-"
"""How the link ids begin of orders that somebody's hand leaves on a mirror."""
_THIN = Decimal(400)  # USDT at each price, of which a common order takes several
_FAR = Decimal("0.12")  # nothing here moves a price so far
_POOR, _DEPOSIT = Decimal(20_000), Decimal(100_000)
_SHARES = (Decimal("0.3"), Decimal("0.6"), Decimal(1))

_Told = tuple[str, int]


class Incidents:
    """Lets incidents happen. Each says what it did and how often it really struck."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._world = stage.world
        self._exchange: PaperExchange = stage.world.exchange
        self._chance = random.Random(0)
        self._thinned: dict[str, tuple[Market, Decimal, int]] = {}
        self._incidents: dict[Trouble, Callable[[], _Told]] = {
            Trouble.PARTIAL_FILLS: self._thin_book,
            Trouble.FUNDING: self._fund,
            Trouble.LIQUIDATION: self._liquidate,
            Trouble.ADL: self._deleverage,
            Trouble.OWN_STOP: self._own_stop,
            Trouble.EDIT_MIRROR: self._edit_mirror,
            Trouble.EDIT_MAIN: self._edit_main,
            Trouble.FOREIGN_ORDER: self._foreign_order,
        }

    def do(self, trouble: Trouble, chance: random.Random) -> _Told:
        """Let one happen; what the exchange refuses did not."""
        self._chance = chance
        try:
            told, struck = self._incidents[trouble]()
        except Refusal as refusal:
            return f"{trouble}: {refusal}", 0
        self._world.spread_pushes()
        return f"{trouble}: {told}", struck

    # --- the market and the exchange -----------------------------------------------------------------------------

    def _thin_book(self) -> _Told:
        """From now on market orders fill in several parts."""
        symbol = self._chance.choice(self._symbols())
        market = self._exchange.state.markets[symbol]
        if symbol not in self._thinned:
            self._thinned[symbol] = (market, market.level_value, len(self._split_orders()))
        self._exchange.set_depth(symbol, _THIN, 100)
        return f"the book of {symbol} is thin", 0

    def deepen(self) -> int:
        """Books are as deep as ever; returns how many orders had filled in parts meanwhile."""
        split = 0
        for symbol, (market, value, before) in self._thinned.items():
            self._exchange.set_depth(symbol, value, market.levels)
            split = max(split, len(self._split_orders()) - before)
        self._thinned.clear()
        return split

    def _split_orders(self) -> set[str]:
        """Orders with more than one execution."""
        seen: set[str] = set()
        split: set[str] = set()
        for history in self._exchange.state.history.values():
            for row in history.executions:
                (split if row.order_id in seen else seen).add(row.order_id)
        return split

    def _fund(self) -> _Told:
        leg = self._chosen(self._everybody())
        if leg is None:
            return "nobody holds anything", 0
        rate = Decimal(self._chance.choice(("0.0001", "-0.0005", "0.003")))
        self._exchange.fund(leg.symbol, rate, self._world.exchange_ms())
        return f"{leg.symbol} at {rate}", 1

    def _liquidate(self) -> _Told:
        """The exchange takes an account over, and its owner fills it up again."""
        leg = self._chosen(self._everybody())
        if leg is None:
            return "nobody holds anything", 0
        trader = self._trader(leg.uid)
        trader.liquidate()
        if self._exchange.state.accounts[leg.uid].wallet < _POOR:
            self._exchange.deposit(leg.uid, _DEPOSIT, self._world.exchange_ms())
        return trader.name, 1

    def _deleverage(self) -> _Told:
        leg = self._chosen(self._everybody())
        if leg is None:
            return "nobody holds anything", 0
        trader, qty = self._trader(leg.uid), self._part(leg)
        trader.deleverage(qty, leg.symbol, leg.idx)
        return f"{qty} {leg.symbol} of {trader.name}", 1

    def _own_stop(self) -> _Told:
        """A mirror's stop is hit and main's is not."""
        leg = self._chosen(tuple(self._stage.mirrors.values()))
        if leg is None:
            return "no mirror holds anything", 0
        trader, last = self._trader(leg.uid), self._exchange.state.markets[leg.symbol].last
        tick = self._exchange.state.instruments[leg.symbol].tick
        away = last * Decimal("0.001") * (-1 if leg.side is Side.BUY else 1)
        stop = (last + away) // tick * tick
        trader.protect(stop=str(stop), symbol=leg.symbol, idx=leg.idx)
        self._stage.price(str(stop), leg.symbol)
        self._stage.price(str(last), leg.symbol)
        return f"{trader.name} {leg.symbol} at {stop}", 1

    # --- somebody's hand -----------------------------------------------------------------------------------------

    def _edit_mirror(self) -> _Told:
        """A mirror's size is changed by hand."""
        leg = self._chosen(tuple(self._stage.mirrors.values()))
        if leg is None or leg.side is None:
            return "no mirror holds anything", 0
        trader, qty, grows = self._trader(leg.uid), self._part(leg), self._chance.random() < 0.3
        buys = (leg.side is Side.BUY) is grows
        more = {} if grows else {"reduceOnly": True}
        (trader.buy if buys else trader.sell)(qty, leg.symbol, idx=leg.idx, **more)
        return f"{trader.name} {'buys' if buys else 'sells'} {qty} {leg.symbol}", 1

    def _edit_main(self) -> _Told:
        """Main's own hand cuts a position or takes a target away, its trade's own ones included."""
        leg = self._chosen((self._stage.main,))
        if leg is None:
            return "main holds nothing", 0
        exits = [order for order in self._exchange.state.live(leg.uid, leg.symbol) if order.reduce_only]
        exits = [order for order in exits if not order.protective]
        if exits and self._chance.random() < 0.5:
            order = self._chance.choice(exits)
            self._stage.main.cancel(order.order_id, leg.symbol)
            return f"main takes its target of {order.leaves} {leg.symbol} back", 1
        qty = self._part(leg)
        sell = self._stage.main.sell if leg.side is Side.BUY else self._stage.main.buy
        sell(qty, leg.symbol, idx=leg.idx, reduceOnly=True)
        return f"main cuts {qty} {leg.symbol}", 1

    def _foreign_order(self) -> _Told:
        """Somebody's own order rests on a mirror, far from the price."""
        trader = self._chance.choice(tuple(self._stage.mirrors.values()))
        symbol = self._chance.choice(self._symbols())
        item, last = self._exchange.state.instruments[symbol], self._exchange.state.markets[symbol].last
        buys = self._chance.random() < 0.5
        price = last * (1 - _FAR if buys else 1 + _FAR) // item.tick * item.tick
        qty = max(Decimal(200) / last // item.step, Decimal(1)) * item.step
        link = f"{HAND}{self._chance.getrandbits(32)}"
        (trader.bid if buys else trader.offer)(str(qty), str(price), symbol, orderLinkId=link)
        return f"{trader.name} {'bids' if buys else 'offers'} {qty} {symbol} at {price}", 1

    # --- choosing ------------------------------------------------------------------------------------------------

    def _symbols(self) -> tuple[str, ...]:
        """What main trades, or has traded."""
        uid = self._world.uids[self._stage.main.name]
        return tuple(dict.fromkeys(symbol for symbol, _ in self._exchange.state.positions[uid])) or ("BTCUSDT",)

    def _everybody(self) -> tuple[Trader, ...]:
        return (self._stage.main, *self._stage.mirrors.values())

    def _chosen(self, traders: tuple[Trader, ...]) -> Position | None:
        uids = [self._world.uids[trader.name] for trader in traders]
        legs = [leg for uid in uids for leg in self._exchange.state.positions[uid].values() if leg.size]
        return self._chance.choice(legs) if legs else None

    def _trader(self, uid: int) -> Trader:
        return next(trader for trader in self._everybody() if self._world.uids[trader.name] == uid)

    def _part(self, leg: Position) -> str:
        step = self._exchange.state.instruments[leg.symbol].step
        return str((leg.size * self._chance.choice(_SHARES) / step).quantize(Decimal(1), ROUND_DOWN) * step or step)
