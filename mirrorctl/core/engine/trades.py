"""The trades that the daemon manages on main, held in memory and written through to the store."""

from __future__ import annotations

from mirrorctl.core.domain.trade import Trade
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.records import Store
from mirrorctl.core.engine.wish_book import WishBook


class TradeBook:
    """Every managed trade, keyed (symbol, side), and what was asked of single mirrors with them.

    All calls on the engine's thread.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.wishes = WishBook(store)
        self._trades: dict[tuple[str, PositionSide], Trade] = {trade.key: trade for trade in store.trades()}

    def get(self, symbol: str, side: PositionSide) -> Trade | None:
        """The trade of one side of a symbol; None when the daemon manages none there."""
        return self._trades.get((symbol, side))

    @property
    def has_any(self) -> bool:
        """Whether the daemon manages a trade at all."""
        return bool(self._trades)

    def all(self) -> list[Trade]:
        return list(self._trades.values())

    def symbols(self) -> set[str]:
        return {symbol for symbol, _ in self._trades}

    def save(self, trade: Trade) -> None:
        """Write a trade down; what the store knows already is not written again."""
        if self._trades.get(trade.key) != trade:
            self._store.save_trade(trade)
            self._trades[trade.key] = trade

    def drop(self, key: tuple[str, PositionSide]) -> None:
        """Forget a trade: it is over, or the trader took it back."""
        if key in self._trades:
            self._store.drop_trade(key)
            del self._trades[key]
