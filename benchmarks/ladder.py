"""A ladder of five placed, resized and cancelled at the paper exchange, which grants ten of each a second like Bybit.

The account's writer over HTTP, as in `mirrorctl run`; orders beyond the budget of single ones go in batches.
"""

from __future__ import annotations

import queue
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mirrorctl.core.bybit.breaker import Breaker
from mirrorctl.core.bybit.environments import endpoints_for
from mirrorctl.core.bybit.rest import BybitRest
from mirrorctl.core.bybit.writer import AccountWriter
from mirrorctl.core.domain.actions import Accepted, Action, AmendOrder, CancelOrder, PlaceOrder
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.values import OrderType, Side
from mirrorctl.core.engine.ports import Event, SendDone
from mirrorctl.core.paper.model import PaperAccount
from mirrorctl.core.paper.server import PaperServer

RUNGS = 5
_ACCOUNT = PaperAccount("main", 101, "key-of-main", "secret-of-main")
_ORDERS = "/v5/order/"
_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """So many rebuilds one after the other: their time, requests alone and in batches, and what was refused."""

    rebuilds: int
    ms: float
    single: int
    batches: int
    refused: int


def rebuilt(rebuilds: int) -> Rebuilt:
    """Place, resize and cancel five rungs that often, without a pause. TimeoutError when an order has no answer."""
    with PaperServer([_ACCOUNT], volatility=Decimal(0)) as server:
        paths: Counter[str] = Counter()
        server.run(lambda gateway, now: _prepare(gateway, now, paths))
        endpoints = endpoints_for(
            "paper", rest=server.rest_url, private_ws=server.private_ws_url, public_ws=server.public_ws_url
        )
        rest = BybitRest(
            account=_ACCOUNT.name,
            api_key=_ACCOUNT.api_key,
            api_secret=_ACCOUNT.api_secret,
            endpoints=endpoints,
            timeout_s=2.0,
            clock=None,
            breaker=Breaker(lambda: 1.0),
        )
        rest.measure_clock()
        told: queue.Queue[Event] = queue.Queue()
        writer = AccountWriter(rest, told.put)
        began = time.perf_counter()
        unaccepted = 0
        for number in range(rebuilds):
            links = [f"bench-{number}-{rung}" for rung in range(RUNGS)]
            for change in (_placed, _resized, _cancelled):
                unaccepted += _send(writer, told, [change(link, rung) for rung, link in enumerate(links)])
        took_ms = (time.perf_counter() - began) * 1000
        writer.close()
        rest.close()
        batches = sum(number for path, number in paths.items() if path.endswith("-batch"))
        return Rebuilt(rebuilds, took_ms, paths.total() - batches, batches, unaccepted)


def _prepare(gateway: Any, now_ms: int, paths: Counter[str]) -> None:
    """A long position for the rungs to reduce, and a count of the requests about orders from now on."""
    order = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "1"}
    gateway.exchange.handle(_ACCOUNT.uid, "POST", f"{_ORDERS}create", order, now_ms)
    carry: Callable[..., Any] = gateway.carry

    def counted(uid: int | None, method: str, path: str, *more: Any) -> Any:
        paths[path] += path.startswith(_ORDERS)
        return carry(uid, method, path, *more)

    gateway.carry = counted


def _send(writer: AccountWriter, told: queue.Queue[Event], actions: Sequence[Action]) -> int:
    """How many of them were not accepted."""
    for number, action in enumerate(actions):
        writer.send(number, action)
    try:
        events = [told.get(timeout=_PATIENCE_S) for _ in actions]
    except queue.Empty:
        raise TimeoutError("an order of the ladder was not answered") from None
    return sum(not isinstance(event.outcome, Accepted) for event in events if isinstance(event, SendDone))


def _placed(link: str, rung: int) -> Action:
    return PlaceOrder(
        _ACCOUNT.name,
        "BTCUSDT",
        Side.SELL,
        OrderType.LIMIT,
        Decimal("0.01"),
        link,
        Role.TARGET,
        "bench",
        price=Decimal(61000 + 100 * rung),
        reduce_only=True,
    )


def _resized(link: str, _rung: int) -> Action:
    return AmendOrder(_ACCOUNT.name, "BTCUSDT", "", link, "bench", qty=Decimal("0.02"), role=Role.TARGET)


def _cancelled(link: str, _rung: int) -> Action:
    return CancelOrder(_ACCOUNT.name, "BTCUSDT", "", link, "bench")
