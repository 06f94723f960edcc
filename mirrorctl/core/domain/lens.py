"""How one mirror sees main: which symbol and side of its own stands for which of main's.

Cycles are main's; copies are keyed by the mirror's own symbol and side. The lens of a mirror turns one key into the
other, both ways, and nothing else does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mirrorctl.core.domain.cycle import CycleKey
from mirrorctl.core.domain.policy import Direction, MappedSymbol, MirrorPolicy


@dataclass(frozen=True, slots=True)
class Lens:
    """`reverse`: main's long is this mirror's short. `map` by main's symbol; no two of them lead to one symbol."""

    reverse: bool = False
    map: Mapping[str, MappedSymbol] = field(default_factory=dict)

    def here(self, key: CycleKey) -> CycleKey:
        """The mirror's (symbol, side) for main's."""
        symbol, side = key
        return self.symbol_here(symbol), side.opposite if self.reverse else side

    def there(self, key: CycleKey) -> CycleKey:
        """Main's (symbol, side) for the mirror's."""
        symbol, side = key
        return self.symbol_there(symbol), side.opposite if self.reverse else side

    def symbol_here(self, symbol: str) -> str:
        """The mirror's symbol for main's."""
        to = self.map.get(symbol)
        return symbol if to is None else to.symbol

    def symbol_there(self, symbol: str) -> str:
        """Main's symbol for the mirror's."""
        return next((main for main, to in self.map.items() if to.symbol == symbol), symbol)


PLAIN = Lens()


def lens_of(policy: MirrorPolicy) -> Lens:
    """The lens of a mirror. A plain one where its policy changes neither side nor symbol."""
    return Lens(policy.follow.direction is Direction.REVERSE, policy.map)
