"""Main's ladders and stops as they stand on its book, read off once for all mirrors: anew when their symbol changed."""

from __future__ import annotations

from mirrorctl.core.domain.cycle import CycleKey
from mirrorctl.core.domain.ladder import Ladder
from mirrorctl.core.domain.standing_trade import StopOnBook, ladder_on_book
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.domain.view import AccountView


class _Standing:
    """What was read off one symbol at one revision of its view."""

    __slots__ = ("ladders", "revision", "stops")

    def __init__(self, revision: int) -> None:
        self.revision = revision
        self.ladders: dict[PositionSide, Ladder] = {}
        self.stops: dict[PositionSide, StopOnBook] = {}


class MainBook:
    """What stands on main, by symbol, in main's own terms. All calls on the engine's thread."""

    def __init__(self, view: AccountView) -> None:
        self._view = view
        self._known: dict[str, _Standing] = {}

    def stops(self, symbol: str) -> dict[PositionSide, StopOnBook]:
        """The stops of a symbol as far as one was looked for (Scene.stops): whoever looks adds what it found."""
        return self._of(symbol).stops

    def ladder(self, key: CycleKey) -> Ladder:
        """The take-profits of one position, with the orders against it (standing_trade.ladder_on_book)."""
        known = self._of(key[0]).ladders
        ladder = known.get(key[1])
        if ladder is None:
            ladder = known[key[1]] = ladder_on_book(self._view, *key, opposite=True)
        return ladder

    def _of(self, symbol: str) -> _Standing:
        revision, known = self._view.revisions.of.get(symbol, 0), self._known.get(symbol)
        if known is None or known.revision != revision:
            known = self._known[symbol] = _Standing(revision)
        return known
