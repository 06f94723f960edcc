"""What a mirror's decisions about one symbol may ask beside main's view: looked up when it is asked, not before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from mirrorctl.core.domain.instruments import Instrument
from mirrorctl.core.domain.ladder import Ladder
from mirrorctl.core.domain.scene import BreakevenTerms, MainFill
from mirrorctl.core.domain.trade import Trade
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.keeper import Keeper
from mirrorctl.core.engine.sights import MirrorSight
from mirrorctl.core.engine.trades import TradeBook

Terms = Callable[[Account, Trade | None, str, PositionSide], BreakevenTerms]


class Outlook:
    """One symbol of one mirror (domain.scene.Background), kept from pass to pass. `symbol` is the mirror's own."""

    __slots__ = ("_mirror", "_sight", "_symbol", "_terms", "instrument")

    def __init__(self, sight: MirrorSight, mirror: Account, symbol: str, instrument: Instrument, terms: Terms) -> None:
        """`instrument`: the rules of the symbol as they were read last. `terms` of a position's breakeven."""
        self.instrument = instrument
        self._sight = sight
        self._mirror = mirror
        self._symbol = symbol
        self._terms = terms

    def growth_fill(self, side: PositionSide) -> MainFill | None:
        return self._sight.growth_fill(self._symbol, side)

    def exit_fill(self, side: PositionSide) -> MainFill | None:
        return self._sight.exit_fill(self._symbol, side)

    def explains_close(self, side: PositionSide) -> bool:
        return self._sight.explains_close(self._symbol, side)

    def ladder(self, side: PositionSide) -> Ladder:
        return self._sight.ladder(self._symbol, side, self.instrument)

    def rungs_sold(self, side: PositionSide) -> Mapping[str, Decimal]:
        return self._sight.sold(self._symbol, side, self.ladder(side))

    def rungs_done(self, side: PositionSide) -> frozenset[str]:
        return self._sight.rungs_done(self._symbol, side)

    def intended_stop(self, side: PositionSide) -> Decimal | None:
        return self._sight.intended_stop(self._symbol, side, self.instrument)

    def breakeven(self, side: PositionSide) -> BreakevenTerms | None:
        return self._terms(self._mirror, self._sight.trade(self._symbol, side), self._symbol, side)

    def unmirrored(self) -> Sequence[str]:
        return self._sight.unmirrored(self._symbol)


class PlainOutlook(Outlook):
    """The same where the mirror follows plainly: main's facts are its own, and nothing is to be turned."""

    __slots__ = ("_keeper", "_trades")

    def __init__(
        self,
        sight: MirrorSight,
        mirror: Account,
        symbol: str,
        instrument: Instrument,
        terms: Terms,
        *,
        keeper: Keeper,
        trades: TradeBook,
    ) -> None:
        super().__init__(sight, mirror, symbol, instrument, terms)
        self._keeper = keeper
        self._trades = trades

    def growth_fill(self, side: PositionSide) -> MainFill | None:
        return self._keeper.growth_fill.get((self._symbol, side))

    def exit_fill(self, side: PositionSide) -> MainFill | None:
        return self._keeper.exit_fill.get((self._symbol, side))

    def ladder(self, side: PositionSide) -> Ladder:
        return self._sight.main_ladder((self._symbol, side))

    def intended_stop(self, side: PositionSide) -> Decimal | None:
        trade = self._trades.get(self._symbol, side)
        return None if trade is None else trade.stop
