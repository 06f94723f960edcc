"""How one mirror sees main: which symbol and side of its own stands for which of main's, and how much of it.

Cycles are main's; copies are keyed by the mirror's own symbol and side. The lens of a mirror turns one key into the
other, both ways, and nothing else does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.policy import Direction, Hedge, MappedSymbol, MirrorPolicy
from mirrorctl.core.domain.values import PositionMode, PositionSide

if TYPE_CHECKING:
    from mirrorctl.core.domain.cycle import CycleKey
    from mirrorctl.core.domain.sight import Sight

_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Lens:
    """`reverse`: main's long is this mirror's short. `map` by main's symbol; no two of them lead to one symbol.

    `hedge`: what a one-way mirror follows while both legs of a symbol stand on main (A14).
    """

    reverse: bool = False
    map: Mapping[str, MappedSymbol] = field(default_factory=dict)
    hedge: Hedge = Hedge.REFUSE

    # --- keys ------------------------------------------------------------------------------------------------

    def here(self, key: CycleKey) -> CycleKey:
        """The mirror's (symbol, side) for main's."""
        symbol, side = key
        return self.symbol_here(symbol), self.side(side)

    def there(self, key: CycleKey) -> CycleKey:
        """Main's (symbol, side) for the mirror's."""
        if not self.map and not self.reverse:
            return key
        symbol, side = key
        return self.symbol_there(symbol), self.side(side)

    def side(self, side: PositionSide) -> PositionSide:
        """The mirror's side for main's, and main's for the mirror's."""
        return side.opposite if self.reverse else side

    def symbol_here(self, symbol: str) -> str:
        """The mirror's symbol for main's."""
        to = self.map.get(symbol)
        return symbol if to is None else to.symbol

    def symbol_there(self, symbol: str) -> str:
        """Main's symbol for the mirror's."""
        if not self.map:
            return symbol
        return next((main for main, to in self.map.items() if to.symbol == symbol), symbol)

    def multiplier(self, symbol: str) -> Decimal:
        """The mirror's coins for one of main's `symbol`; prices are divided by it."""
        to = self.map.get(symbol)
        return _ONE if to is None else to.multiplier

    def follows(self, symbol: str) -> bool:
        """Whether main's symbol is followed: not where its name stands for another one of main's on this mirror."""
        return not self.map or symbol in self.map or all(to.symbol != symbol for to in self.map.values())

    def is_idle(self, symbol: str) -> bool:
        """Whether the mirror's symbol stands for nothing on main: main's symbol of this name is followed elsewhere."""
        return symbol in self.map and all(to.symbol != symbol for to in self.map.values())

    # --- sizes -----------------------------------------------------------------------------------------------

    def size(self, main: Sight, key: CycleKey, *, one_way: bool) -> Decimal:
        """What a mirror follows of one side of main, main's key, in the mirror's own coins."""
        return self.grown(main, key, ZERO, one_way=one_way)

    def grown(self, main: Sight, key: CycleKey, qty: Decimal, *, one_way: bool) -> Decimal:
        """The same once main holds `qty` more of it, main's coins."""
        symbol, side = key
        size = main.size(symbol, side) + qty
        if one_way and self.hedge is not Hedge.REFUSE and size:
            size = self._beside(size, main.size(symbol, side.opposite), side)
        return size * self.map[symbol].multiplier if symbol in self.map else size

    def _beside(self, size: Decimal, other: Decimal, side: PositionSide) -> Decimal:
        """What counts of a leg while the other one is `other`."""
        if not other:
            return size
        if self.hedge is Hedge.NET:
            return max(size - other, ZERO)
        return size if side is self.favoured else ZERO

    @property
    def favoured(self) -> PositionSide | None:
        """Main's leg that is followed alone while both stand; None where none is."""
        if self.hedge is Hedge.LONG_ONLY:
            return PositionSide.LONG
        return PositionSide.SHORT if self.hedge is Hedge.SHORT_ONLY else None

    def joins_legs(self, main: Sight, symbol: str, *, one_way: bool) -> bool:
        """Whether main's legs of a symbol are followed by one position."""
        return one_way and self.hedge is not Hedge.REFUSE and main.mode(symbol) is PositionMode.HEDGE

    def is_plain(self, main: Sight, symbol: str, *, one_way: bool) -> bool:
        """Whether the mirror's `symbol` follows main's of the same name as it stands."""
        if self.reverse or (self.map and (symbol in self.map or self.symbol_there(symbol) != symbol)):
            return False
        return not self.joins_legs(main, symbol, one_way=one_way)


PLAIN = Lens()


def lens_of(policy: MirrorPolicy) -> Lens:
    """The lens of a mirror; `PLAIN` itself where its policy changes neither side, symbol nor legs."""
    mapped = {main: to for main, to in policy.map.items() if to != MappedSymbol(main)}
    lens = Lens(policy.follow.direction is Direction.REVERSE, mapped, policy.follow.hedge)
    return PLAIN if lens == PLAIN else lens
