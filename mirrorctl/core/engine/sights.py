"""What one mirror sees of main, symbol by symbol: main itself, its ladders, fills and stops in the mirror's own terms.

Everything that pairs a mirror's (symbol, side) with main's comes from here or from the copy's `source`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from mirrorctl.core.domain.cycle import CycleKey
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.instruments import ZERO, Instrument, plain
from mirrorctl.core.domain.ladder import Ladder, stored_ladder, without
from mirrorctl.core.domain.lens import PLAIN, Lens
from mirrorctl.core.domain.policy import Hedge
from mirrorctl.core.domain.projection import Aim, Projection
from mirrorctl.core.domain.protection import bound_trigger
from mirrorctl.core.domain.scene import Held, MainFill
from mirrorctl.core.domain.sight import Sight
from mirrorctl.core.domain.trade import Trade
from mirrorctl.core.domain.values import SIDES, PositionMode, PositionSide, StopKind, TriggerBy
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.intents import IntentBook
from mirrorctl.core.engine.keeper import Keeper
from mirrorctl.core.engine.main_book import MainBook
from mirrorctl.core.engine.trades import TradeBook

_NO_LADDER = Ladder((), ZERO)


class MirrorSight:
    """Main as one mirror sees it. Symbols and sides are the mirror's unless a name says main's."""

    def __init__(
        self,
        lens: Lens,
        main: Account,
        mirror: Account,
        keeper: Keeper,
        book: IntentBook,
        trades: TradeBook,
        main_book: MainBook,
    ) -> None:
        self.lens = lens
        self._main_book = main_book
        self._main = main
        self._mirror = mirror
        self._keeper = keeper
        self._book = book
        self._trades = trades
        self._nothing = AccountView(main.name)
        self._trivial = lens is PLAIN

    # --- main ------------------------------------------------------------------------------------------------

    def of(self, symbol: str, instrument: Instrument) -> Sight:
        """Main for a decision about one symbol: the view itself where the mirror follows plainly."""
        lens, view = self.lens, self._main.view
        if self._trivial:
            return view
        if lens.is_idle(symbol):
            return self._nothing
        if self.is_plain(symbol):
            return view
        aims = self._aims(lens.symbol_there(symbol)) if lens.reverse else None
        return Projection(view, lens, symbol, instrument, one_way=self.is_one_way(symbol), aims=aims)

    def is_plain(self, symbol: str) -> bool:
        """Whether main's symbol of the same name is followed as it stands."""
        return self.lens.is_plain(self._main.view, symbol, one_way=self.is_one_way(symbol))

    def size(self, symbol: str, side: PositionSide) -> Decimal:
        """What is followed of main's position, in the mirror's own coins."""
        if self.lens.is_idle(symbol):
            return ZERO
        return self.lens.size(self._main.view, self.lens.there((symbol, side)), one_way=self.is_one_way(symbol))

    def grown(self, symbol: str, side: PositionSide, qty: Decimal) -> Decimal:
        """What will be followed once main holds `qty` more of it, main's coins."""
        return self.lens.grown(self._main.view, self.lens.there((symbol, side)), qty, one_way=self.is_one_way(symbol))

    def joined_sizes(self, symbol: str) -> dict[PositionSide, Decimal] | None:
        """What is followed of each side where one position follows both of main's legs; None where each has its own."""
        there = self.lens.symbol_there(symbol)
        if self._trivial or not self.lens.joins_legs(self._main.view, there, one_way=self.is_one_way(symbol)):
            return None
        return {side: self.size(symbol, side) for side in SIDES}

    def is_one_way(self, symbol: str) -> bool:
        return self._mirror.view.mode(symbol) is PositionMode.ONE_WAY

    def trade(self, symbol: str, side: PositionSide) -> Trade | None:
        """The managed trade on main that a side follows."""
        if self._trivial:
            return self._trades.get(symbol, side)
        return self._trades.get(*self.lens.there((symbol, side)))

    def unfollowed(self, symbol: str) -> list[Held]:
        """What main holds and this mirror leaves out by its map or its hedge policy: shown as held, never silently."""
        if self._trivial:
            return []
        lens, view, there = self.lens, self._main.view, self.lens.symbol_there(symbol)
        found = []
        if not lens.follows(symbol):
            reason = f"map: {symbol} stands for main's {there} on this mirror"
            found = [
                Held(self._mirror.name, symbol, lens.side(side), size, ZERO, reason)
                for side in SIDES
                if (size := view.size(symbol, side))
            ]
        left = None if lens.favoured is None else lens.favoured.opposite
        copy = None if left is None else self._keeper.copies.get((self._mirror.name, symbol, lens.side(left)))
        if left is None or copy is None or not self._both_legs(symbol):
            return found
        raw = None if copy.unsized else copy.raw_want(view.size(there, left) * lens.multiplier(there))
        reason = f"hedge: {lens.hedge}, main's {left} is not followed while both legs stand"
        return [*found, Held(self._mirror.name, symbol, lens.side(left), raw, ZERO, reason)]

    def unmirrored(self, symbol: str) -> list[str]:
        """What protects main and has no counterpart on a reverse mirror, in words."""
        if not self.lens.reverse:
            return []
        rows = (self._main.view.position(self.lens.symbol_there(symbol), side) for side in SIDES)
        trailing = [row.trailing_stop for row in rows if row is not None and row.trailing_stop is not None]
        return [f"main's trailing stop of {plain(distance)}: none on a reverse mirror" for distance in trailing]

    # --- ladders ---------------------------------------------------------------------------------------------

    def ladder(self, symbol: str, side: PositionSide, instrument: Instrument) -> Ladder:
        """What is left of main's ladder; empty where main's exits are followed by their fills."""
        lens = self.lens
        if lens.reverse or (lens.hedge is Hedge.NET and self._both_legs(symbol)):
            return _NO_LADDER
        key = lens.there((symbol, side))
        ladder, multiplier = self.main_ladder(key), lens.multiplier(key[0])
        if multiplier == 1 and key[0] == symbol:
            return ladder
        rungs = tuple(
            replace(
                rung,
                price=instrument.price_not_worse(rung.price / multiplier, side.exit),
                weight=rung.weight * multiplier,
            )
            for rung in ladder.rungs
        )
        return Ladder(rungs, ladder.whole_weight * multiplier)

    def main_ladder(self, key: CycleKey) -> Ladder:
        """What is left of one ladder on main: the stored one of a managed trade, else what stands there."""
        trade = self._trades.get(*key)
        if trade is not None and trade.targets:
            return without(stored_ladder(trade), self._keeper.rungs_done(*key))
        return self._main_book.ladder(key)

    def sold(self, symbol: str, side: PositionSide, ladder: Ladder) -> dict[str, Decimal]:
        """What main has filled of each rung: of every attempt at one of ours, of the order at the trader's own."""
        if not ladder.rungs:
            return {}
        there, main_side = self.lens.there((symbol, side))
        multiplier = self.lens.multiplier(there)
        sold: dict[str, Decimal] = {}
        for ours in self._book.ours(self._main.name, there, self._main.view).of(Role.TARGET, main_side.exit):
            sold[ours.link.step] = sold.get(ours.link.step, ZERO) + ours.filled
        for rung in ladder.rungs:
            order = self._main.view.order(rung.order_id)
            if rung.key not in sold and order is not None:
                sold[rung.key] = self._main.view.filled(order)
        return sold if multiplier == 1 else {key: qty * multiplier for key, qty in sold.items()}

    def rungs_done(self, symbol: str, side: PositionSide) -> frozenset[str]:
        return self._keeper.rungs_done(*self.lens.there((symbol, side)))

    # --- fills -----------------------------------------------------------------------------------------------

    def growth_fill(self, symbol: str, side: PositionSide) -> MainFill | None:
        """Main's last fill that made a side grow; of joined legs also one that made the other leg shrink."""
        return self._fill(symbol, side, self._keeper.growth_fill, self._keeper.exit_fill)

    def exit_fill(self, symbol: str, side: PositionSide) -> MainFill | None:
        """Main's last fill that made a side shrink; of joined legs also one that made the other leg grow."""
        return self._fill(symbol, side, self._keeper.exit_fill, self._keeper.growth_fill)

    def joins_legs(self, symbol: str) -> bool:
        """Whether this mirror's one position of a symbol follows both legs of main."""
        there = self.lens.symbol_there(symbol)
        return self.lens.joins_legs(self._main.view, there, one_way=self.is_one_way(symbol))

    def explains_close(self, symbol: str, side: PositionSide) -> bool:
        """Whether a close is explained: by a closing execution on main, or by two legs that one position follows."""
        joined = self.lens.hedge is not Hedge.REFUSE and self._both_legs(symbol)
        return joined or self.lens.there((symbol, side)) in self._keeper.exit_fill

    # --- stops -----------------------------------------------------------------------------------------------

    def intended_stop(self, symbol: str, side: PositionSide, instrument: Instrument) -> Decimal | None:
        """What main's managed trade says a stop shall be, for as long as main's book does not show it."""
        trade = self.trade(symbol, side)
        if trade is None:
            return None
        price = trade.stop
        if self.lens.reverse:
            aim = _furthest(self._rung_aims(trade.key), trade.side) if trade.targets else None
            price = None if aim is None else aim.price
        there = self.lens.symbol_there(symbol)
        if price is None or there == symbol:
            return price
        return instrument.stop_price(price / self.lens.multiplier(there), side)  # another contract has another tick

    # --- inside ----------------------------------------------------------------------------------------------

    def _both_legs(self, symbol: str) -> bool:
        """Whether both legs of main stand and this mirror has one position for them."""
        there = self.lens.symbol_there(symbol)
        return self.is_one_way(symbol) and all(self._main.view.size(there, side) for side in SIDES)

    def _fill(
        self, symbol: str, side: PositionSide, own: Mapping[CycleKey, MainFill], other: Mapping[CycleKey, MainFill]
    ) -> MainFill | None:
        there, main_side = self.lens.there((symbol, side))
        joined, multiplier = self.joins_legs(symbol), self.lens.multiplier(there)
        fills = (own.get((there, main_side)), other.get((there, main_side.opposite)) if joined else None)
        fill = max((fill for fill in fills if fill is not None), key=lambda fill: fill.exchange_ms, default=None)
        return fill if fill is None or multiplier == 1 else replace(fill, price=fill.price / multiplier)

    def _aims(self, symbol: str) -> dict[PositionSide, Aim]:
        """Main's furthest target of each side: a rung, or the take-profit of the whole position."""
        found = {}
        for side in SIDES:
            aims = self._rung_aims((symbol, side))
            row = self._main.view.position(symbol, side)
            if row is not None and row.take_profit is not None:
                by = bound_trigger(self._main.view, symbol, row.idx, StopKind.TAKE_PROFIT)
                aims.append(Aim(row.take_profit, by))
            aim = _furthest(aims, side)
            if aim is not None:
                found[side] = aim
        return found

    def _rung_aims(self, key: CycleKey) -> list[Aim]:
        """The rungs of main's ladder; one that is a Partial take-profit has a trigger of its own."""
        aims = []
        for rung in self.main_ladder(key).rungs:
            order = self._main.view.order(rung.order_id)
            bound = order is not None and order.stop_kind is StopKind.PARTIAL_TAKE_PROFIT
            aims.append(Aim(rung.price, order.trigger_by if order is not None and bound else TriggerBy.LAST))
        return aims


def _furthest(aims: list[Aim], side: PositionSide) -> Aim | None:
    return max(aims, key=lambda aim: aim.price * side.sign, default=None)
