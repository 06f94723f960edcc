"""Which symbols changed since when: whoever adds up over all of them looks at those alone."""

from __future__ import annotations

from collections import OrderedDict


class Revisions:
    """The changes of one view, counted. `number` is that of the newest; `of` that of each symbol's newest, if any."""

    __slots__ = ("number", "of")

    def __init__(self) -> None:
        self.number = 0
        self.of: OrderedDict[str, int] = OrderedDict()  # the newest last

    def note(self, symbol: str) -> None:
        """Something about the symbol is another than before."""
        self.number += 1
        self.of[symbol] = self.number
        self.of.move_to_end(symbol)

    def since(self, number: int) -> list[str]:
        """Symbols that changed after `number`, the newest first."""
        found = []
        for symbol in reversed(self.of):
            if self.of[symbol] <= number:
                break
            found.append(symbol)
        return found
