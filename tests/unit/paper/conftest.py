"""One in-process exchange with a main account (one-way) and a hedge account, prices standing still."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.paper.exchange import PaperExchange
from mirrorctl.core.paper.model import PaperAccount

NOW = 1_700_000_000_000
MAIN, HEDGE = 1, 2


def opened(**options: Any) -> PaperExchange:
    """A fresh exchange; options go to PaperExchange."""
    accounts = [
        PaperAccount("main", MAIN, "k1", "s1"),
        PaperAccount("hedge", HEDGE, "k2", "s2", position_mode="hedge"),
    ]
    settings: dict[str, Any] = {"now_ms": NOW, "volatility": Decimal(0), "funding": False}
    return PaperExchange(accounts, **(settings | options))


@dataclass
class Trader:
    """Short calls as one account on BTCUSDT; every answer is checked or returned whole."""

    exchange: PaperExchange
    uid: int = MAIN
    now: int = NOW
    pushes: list[Any] = field(default_factory=list)

    def call(self, method: str, path: str, **params: Any) -> dict[str, Any]:
        body = {"category": "linear", "symbol": "BTCUSDT"} | params
        return self.exchange.handle(self.uid, method, path, body, self.now)

    def get(self, path: str, **params: Any) -> list[dict[str, Any]]:
        answer = self.call("GET", path, **params)
        assert answer["retCode"] == 0, answer
        rows: list[dict[str, Any]] = answer["result"]["list"]
        return rows

    def post(self, path: str, **params: Any) -> dict[str, Any]:
        answer = self.call("POST", path, **params)
        assert answer["retCode"] == 0, answer
        result: dict[str, Any] = answer["result"]
        return result

    def refused(self, path: str, **params: Any) -> tuple[int, str]:
        answer = self.call("POST", path, **params)
        return answer["retCode"], answer["retMsg"]

    def market(self, side: str, qty: str, **more: Any) -> str:
        return str(self.post("/v5/order/create", side=side, orderType="Market", qty=qty, **more)["orderId"])

    def limit(self, side: str, qty: str, price: str, **more: Any) -> str:
        return str(self.post("/v5/order/create", side=side, orderType="Limit", qty=qty, price=price, **more)["orderId"])

    def stop(self, **params: Any) -> None:
        self.post("/v5/position/trading-stop", **({"tpslMode": "Full", "positionIdx": 0} | params))

    def price(self, value: str, **more: Any) -> None:
        self.now += 1000
        self.exchange.set_price("BTCUSDT", Decimal(value), self.now, **more)

    def leg(self, **params: Any) -> dict[str, Any]:
        return self.get("/v5/position/list", **params)[0]

    def orders(self, **params: Any) -> list[dict[str, Any]]:
        return self.get("/v5/order/realtime", **params)

    def order(self, order_id: str) -> dict[str, Any]:
        return (self.orders(orderId=order_id) or self.get("/v5/order/history", orderId=order_id))[0]

    def told(self, topic: str) -> list[dict[str, Any]]:
        """Rows pushed on a topic since the last call."""
        self.pushes += self.exchange.drain()
        mine = [p for p in self.pushes if p.topic == topic and p.uid == self.uid]
        self.pushes = [p for p in self.pushes if p not in mine]
        return [row for push in mine for row in push.frame["data"]]


@pytest.fixture
def trader() -> Trader:
    return Trader(opened())


@pytest.fixture
def hedger() -> Trader:
    return Trader(opened(), HEDGE)


@pytest.fixture
def fresh() -> Callable[..., PaperExchange]:
    return opened
