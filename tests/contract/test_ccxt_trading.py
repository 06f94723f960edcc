"""ccxt.pro's order entry over WebSocket, unchanged but for its addresses, against the paper exchange."""

import asyncio
from typing import Any

import ccxt.pro
import pytest

from mirrorctl.core.paper.server import PaperServer

BTC = "BTC/USDT:USDT"


async def traded(server: PaperServer) -> list[Any]:
    bybit = ccxt.pro.bybit(
        {"apiKey": "key-main", "secret": "secret-main", "enableRateLimit": False, "options": {"defaultType": "swap"}}
    )
    for name in bybit.urls["api"]:
        if name != "ws":
            bybit.urls["api"][name] = server.rest_url
    bybit.urls["api"]["ws"]["private"]["trade"] = server.trade_ws_url
    try:
        await bybit.load_markets()
        placed = await bybit.create_order_ws(BTC, "limit", "buy", 0.01, 50000)
        edited = await bybit.edit_order_ws(placed["id"], BTC, "limit", "buy", 0.02, 50000)
        (resting,) = await bybit.fetch_open_orders(BTC)
        cancelled = await bybit.cancel_order_ws(placed["id"], BTC)
        left = await bybit.fetch_open_orders(BTC)
        with pytest.raises(ccxt.OrderNotFound):
            await bybit.cancel_order_ws(placed["id"], BTC)
        return [placed["id"], edited["id"], resting["amount"], cancelled["id"], left]
    finally:
        await bybit.close()


def test_an_order_lives_and_ends_over_the_socket(server: PaperServer) -> None:
    placed, edited, amount, cancelled, left = asyncio.run(traded(server))
    assert placed == edited == cancelled
    assert (amount, left) == (0.02, [])
