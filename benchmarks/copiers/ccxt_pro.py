"""A copier as ccxt.pro's manual suggests it: `watch_my_trades` in a loop, then `create_order` or `create_order_ws`."""

from __future__ import annotations

import asyncio
from typing import Any

import ccxt.pro

from benchmarks.copiers.arguments import Arguments, arguments

PAIR = "BTC/USDT:USDT"


def main() -> None:
    """Copy until the process is ended."""
    given = arguments()
    asyncio.run(_copy(given))


async def _copy(given: Arguments) -> None:
    source = _client(given, "main")
    mirrors = [_client(given, name) for name in given.names]
    await source.load_markets()
    for mirror in mirrors:
        await mirror.load_markets()
    while True:
        for trade in await source.watch_my_trades(PAIR):
            calls = [_place(mirror, given.entry, trade) for mirror in mirrors]
            await asyncio.gather(*calls)


def _place(mirror: Any, entry: str, trade: dict[str, Any]) -> Any:
    create = mirror.create_order if entry == "http" else mirror.create_order_ws
    return create(PAIR, "market", trade["side"], trade["amount"])


def _client(given: Arguments, name: str) -> Any:
    client = ccxt.pro.bybit(
        {
            "apiKey": f"paper-{name}",
            "secret": f"paper-{name}-secret",
            "enableRateLimit": False,
            "newUpdates": True,
            "options": {"defaultType": "swap", "fetchMarkets": {"types": ["linear"]}, "enableUnifiedAccount": True},
        }
    )
    for api in client.urls["api"]:
        client.urls["api"][api] = given.rest
    socket = {"private": {"unified": given.private, "contract": given.private, "trade": given.trade}}
    client.urls["api"]["ws"] = {**socket, "public": {"linear": given.private}}
    return client


if __name__ == "__main__":
    main()
