"""An account's own hand, and what its exchange shows: the trader with the phone app, past all faults.

Quantities are decimal strings in base coin, prices decimal strings; what is read comes back as Decimal.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from mirrorctl.core.simulation.world import World

SYMBOL = "BTCUSDT"


class Refusal(Exception):
    """The exchange refused what the trader's own hand asked for."""


class Trader:
    """One account of a world. Methods that trade return the exchange's order id and raise Refusal."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name

    # --- trading ---------------------------------------------------------------------------------------------

    def buy(self, qty: str, symbol: str = SYMBOL, **more: Any) -> str:
        """A market buy; `stop` and `target` are attached to the position."""
        return self._order("Buy", qty, symbol, more)

    def sell(self, qty: str, symbol: str = SYMBOL, **more: Any) -> str:
        """A market sell."""
        return self._order("Sell", qty, symbol, more)

    def bid(self, qty: str, price: str, symbol: str = SYMBOL, **more: Any) -> str:
        """A resting limit buy."""
        return self._order("Buy", qty, symbol, {"price": price, **more})

    def offer(self, qty: str, price: str, symbol: str = SYMBOL, **more: Any) -> str:
        """A resting limit sell."""
        return self._order("Sell", qty, symbol, {"price": price, **more})

    def close(self, symbol: str = SYMBOL) -> str:
        """Close a one-way position at market."""
        side = "Sell" if self.position(symbol) > 0 else "Buy"
        return self._order(side, str(abs(self.position(symbol))), symbol, {"reduceOnly": True})

    def amend(self, order_id: str, symbol: str = SYMBOL, **changes: str) -> None:
        self._post("/v5/order/amend", symbol=symbol, orderId=order_id, **changes)

    def cancel(self, order_id: str, symbol: str = SYMBOL) -> None:
        self._post("/v5/order/cancel", symbol=symbol, orderId=order_id)

    def protect(self, stop: str = "", target: str = "", symbol: str = SYMBOL, idx: int = 0, **more: Any) -> None:
        """Set, move or (with "0") remove the position's stop and take-profit."""
        named = {key: value for key, value in (("stopLoss", stop), ("takeProfit", target)) if value}
        params = {"symbol": symbol, "tpslMode": "Full", "positionIdx": idx, **named, **more}
        self._post("/v5/position/trading-stop", **params)

    def set_leverage(self, leverage: str, symbol: str = SYMBOL) -> None:
        self._post("/v5/position/set-leverage", symbol=symbol, buyLeverage=leverage, sellLeverage=leverage)

    def fill(self, order_id: str, qty: str) -> None:
        """The market fills a part of one resting order, at its own price."""
        self.world.exchange.fill_order(self._uid, order_id, Decimal(qty), self.world.exchange_ms())
        self.world.spread_pushes()

    def liquidate(self) -> None:
        """The exchange takes the whole account over."""
        self.world.exchange.liquidate(self._uid, self.world.exchange_ms())
        self.world.spread_pushes()

    def deleverage(self, qty: str, symbol: str = SYMBOL, idx: int = 0) -> None:
        """The exchange closes a part of one leg by auto-deleveraging."""
        self.world.exchange.deleverage(self._uid, symbol, idx, Decimal(qty), self.world.exchange_ms())
        self.world.spread_pushes()

    def _order(self, side: str, qty: str, symbol: str, more: dict[str, Any]) -> str:
        names = {"stop": "stopLoss", "target": "takeProfit", "idx": "positionIdx"}
        params = {names.get(key, key): value for key, value in more.items()}
        kind = "Limit" if "price" in params else "Market"
        answer = self._post("/v5/order/create", symbol=symbol, side=side, orderType=kind, qty=qty, **params)
        return str(answer["orderId"])

    def _post(self, path: str, **params: Any) -> dict[str, Any]:
        answer = self.world.call(self.name, "POST", path, category="linear", **params)
        if answer["retCode"]:
            raise Refusal(f"{self.name} {path}: {answer['retCode']} {answer['retMsg']}")
        return dict(answer["result"])

    # --- what stands -----------------------------------------------------------------------------------------

    def position(self, symbol: str = SYMBOL, idx: int = 0) -> Decimal:
        """Signed size."""
        return self.world.exchange.state.position(self._uid, symbol, idx).signed

    def held(self) -> dict[str, Decimal]:
        """Signed size of every symbol with a position."""
        legs = self.world.exchange.state.positions[self._uid].values()
        return {leg.symbol: leg.signed for leg in legs if leg.size}

    def bound(self, symbol: str = SYMBOL, idx: int = 0) -> tuple[Decimal | None, Decimal | None]:
        """Stop and take-profit of the position."""
        row = self._row(symbol, idx)
        return _price(row["stopLoss"]), _price(row["takeProfit"])

    def stop(self, symbol: str = SYMBOL, idx: int = 0) -> Decimal | None:
        return self.bound(symbol, idx)[0]

    def leverage(self, symbol: str = SYMBOL) -> Decimal:
        return self.world.exchange.state.accounts[self._uid].leverage_of(symbol)

    def orders(self, symbol: str = SYMBOL) -> list[dict[str, Any]]:
        """Open orders, oldest first, without those the exchange bound to a position."""
        query = {"category": "linear", "symbol": symbol, "limit": "50"}
        rows = self._read("/v5/order/realtime", **query)
        plain = [row for row in rows if row["stopOrderType"] in ("", "Stop") and row["orderStatus"] in _OPEN]
        return sorted(plain, key=lambda row: (int(row["createdTime"]), row["orderId"]))

    def book(self, symbol: str = SYMBOL) -> list[tuple[str, Decimal, Decimal]]:
        """(side, quantity still open, price or trigger) of the open orders, oldest first."""
        return [
            (row["side"], Decimal(row["leavesQty"]), _price(row["price"]) or Decimal(row["triggerPrice"]))
            for row in self.orders(symbol)
        ]

    # --- what happened ---------------------------------------------------------------------------------------

    def fills(self, symbol: str = "") -> list[dict[str, Any]]:
        """Every execution, oldest first."""
        narrowed = {"symbol": symbol} if symbol else {"settleCoin": "USDT"}
        rows = self._read("/v5/execution/list", category="linear", limit="100", **narrowed)
        return sorted(rows, key=lambda row: (int(row["execTime"]), row["seq"]))

    def history(self, symbol: str = SYMBOL) -> list[dict[str, Any]]:
        """Orders that are over, newest first."""
        return self._read("/v5/order/history", category="linear", symbol=symbol, limit="50")

    def opened_ms(self, symbol: str = SYMBOL, idx: int = 0) -> int:
        """When the position was opened last."""
        return int(self._row(symbol, idx)["openTime"])

    def volume(self) -> tuple[Decimal, Decimal]:
        """What was bought and sold in all."""
        rows = [row for row in self.fills() if row["execType"] != "Funding"]
        bought = sum((Decimal(row["execQty"]) for row in rows if row["side"] == "Buy"), Decimal(0))
        return bought, sum((Decimal(row["execQty"]) for row in rows), Decimal(0)) - bought

    def writes(self) -> int:
        """How many writes of any kind reached the exchange, the trader's own included."""
        return sum(1 for row in self.world.exchange.state.writes if row.uid == self._uid)

    @property
    def _uid(self) -> int:
        return self.world.uids[self.name]

    def _row(self, symbol: str, idx: int) -> dict[str, Any]:
        rows = self._read("/v5/position/list", category="linear", symbol=symbol)
        return next(row for row in rows if int(row["positionIdx"]) == idx)

    def _read(self, path: str, **params: str) -> list[dict[str, Any]]:
        return list(self._pages(path, params))

    def _pages(self, path: str, params: dict[str, str]) -> Iterator[dict[str, Any]]:
        cursor = ""
        while True:
            sent = {**params, "cursor": cursor} if cursor else params
            result = self.world.call(self.name, "GET", path, **sent)["result"]
            yield from result["list"]
            cursor = result.get("nextPageCursor") or ""
            if not cursor:
                return


_OPEN = ("New", "PartiallyFilled", "Untriggered", "Triggered")


def _price(text: str) -> Decimal | None:
    return Decimal(text) if text and Decimal(text) else None
