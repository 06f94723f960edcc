"""Which symbols changed since when: whoever adds up over all of them looks at those alone."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator


class Revisions:
    """The changes of one view, counted. `number` is that of the newest."""

    __slots__ = ("_of", "number")

    def __init__(self) -> None:
        self.number = 0
        self._of: OrderedDict[str, int] = OrderedDict()  # the newest last

    def note(self, symbol: str) -> None:
        """Something about the symbol is another than before."""
        self.number += 1
        self._of[symbol] = self.number
        self._of.move_to_end(symbol)

    def since(self, number: int) -> Iterator[str]:
        """Symbols that changed after `number`, the newest first."""
        for symbol in reversed(self._of):
            if self._of[symbol] <= number:
                return
            yield symbol
