"""The trades that the daemon manages on main, held in memory and written through to the store."""

from __future__ import annotations

from mirrorctl.core.domain.trade import Trade
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.records import Store
from mirrorctl.core.engine.wish_book import WishBook


class TradeBook:
    """Every managed trade, keyed (symbol, side), and what was asked of single mirrors with them.

    All calls on the engine's thread. `known`: every one, by key.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.wishes = WishBook(store)
        self.known: dict[tuple[str, PositionSide], Trade] = {trade.key: trade for trade in store.trades()}

    def get(self, symbol: str, side: PositionSide) -> Trade | None:
        """The trade of one side of a symbol; None when the daemon manages none there."""
        return self.known.get((symbol, side))

    def all(self) -> list[Trade]:
        return list(self.known.values())

    def symbols(self) -> set[str]:
        return {symbol for symbol, _ in self.known}

    def save(self, trade: Trade) -> None:
        """Write a trade down; what the store knows already is not written again."""
        if self.known.get(trade.key) != trade:
            self._store.save_trade(trade)
            self.known[trade.key] = trade

    def drop(self, key: tuple[str, PositionSide]) -> None:
        """Forget a trade: it is over, or the trader took it back."""
        if key in self.known:
            self._store.drop_trade(key)
            del self.known[key]
