"""What the measuring exchange answers to reads, and to writes that are not measured. Pure.

Everything is allowed, nothing is ever too many: `X-Bapi-Limit` says so. Signatures are not verified: making one is the
client's work, and it has done that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import msgspec

from benchmarks.books import PRICE, Book, Row

_PAGE = 20
HEADERS = b"X-Bapi-Limit: 100000\r\nX-Bapi-Limit-Status: 99999\r\nX-Bapi-Limit-Reset-Timestamp: 0\r\n"


def envelope(result: Any, now_ms: int) -> bytes:
    """Bybit's envelope around a result (guide)."""
    body = {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": now_ms}
    return msgspec.json.encode(body)


def answer(book: Book, path: str, query: str, now_ms: int) -> bytes:
    """The envelope for a read of an account, or a write that changes nothing here."""
    params = {name: values[0] for name, values in parse_qs(query).items()}
    read = _READS.get(path)
    return envelope(read(book, params, now_ms) if read is not None else {}, now_ms)


def _time(_book: Book, _params: dict[str, str], now_ms: int) -> Row:
    return {"timeSecond": str(now_ms // 1000), "timeNano": str(now_ms * 1_000_000)}


def _key(book: Book, _params: dict[str, str], _now_ms: int) -> Row:
    return {
        "id": str(book.uid),
        "note": book.name,
        "apiKey": f"paper-{book.name}",
        "readOnly": 0,
        "permissions": {"ContractTrade": ["Order", "Position"], "Wallet": [], "Derivatives": ["DerivativesTrade"]},
        "ips": ["127.0.0.1"],
        "type": 1,
        "deadlineDay": 90,
        "uta": 1,
        "userID": book.uid,
        "parentUid": "0",
        "isMaster": True,
    }


def _account(_book: Book, _params: dict[str, str], now_ms: int) -> Row:
    return {"unifiedMarginStatus": 6, "marginMode": "REGULAR_MARGIN", "dcpStatus": "OFF", "updatedTime": str(now_ms)}


def wallet_row() -> Row:
    """An account with more than enough."""
    much = "1000000000"
    coin = {"coin": "USDT", "walletBalance": much, "equity": much, "usdValue": much, "locked": "0", "bonus": "0"}
    coin |= {"totalPositionIM": "0", "totalOrderIM": "0", "totalPositionMM": "0", "unrealisedPnl": "0"}
    totals = dict.fromkeys(("totalEquity", "totalWalletBalance", "totalMarginBalance"), much)
    totals |= {"totalAvailableBalance": much, "totalInitialMargin": "0", "totalMaintenanceMargin": "0"}
    return {"accountType": "UNIFIED", "totalPerpUPL": "0", "coin": [coin], **totals}


def _wallet(_book: Book, _params: dict[str, str], _now_ms: int) -> Row:
    return {"list": [wallet_row()]}


def _positions(book: Book, params: dict[str, str], _now_ms: int) -> Row:
    if "symbol" in params:
        return _paged([book.position(params["symbol"])], params)
    return _paged([book.position(symbol) for symbol, held in sorted(book.holdings.items()) if held.size], params)


def _open_orders(_book: Book, params: dict[str, str], _now_ms: int) -> Row:
    return _paged([], params)


def _history(book: Book, params: dict[str, str], _now_ms: int) -> Row:
    return _paged([row for row in book.orders if _matches(row, params)], params)


def _executions(book: Book, params: dict[str, str], _now_ms: int) -> Row:
    since, until = int(params.get("startTime", 0)), int(params.get("endTime", 2**62))
    rows = (row for row in reversed(book.executions) if _matches(row, params))
    return _paged([row for row in rows if since <= int(row["execTime"]) <= until], params)


def _closed(book: Book, params: dict[str, str], _now_ms: int) -> Row:
    since, until = int(params.get("startTime", 0)), int(params.get("endTime", 2**62))
    rows = (row for row in reversed(book.closed) if _matches(row, params))
    return _paged([row for row in rows if since <= int(row["updatedTime"]) <= until], params)


def _tickers(book: Book, params: dict[str, str], _now_ms: int) -> Row:
    symbols = [params["symbol"]] if "symbol" in params else sorted(book.holdings)
    quote = dict.fromkeys(("lastPrice", "markPrice", "indexPrice", "bid1Price", "ask1Price"), PRICE)
    return {"category": "linear", "list": [{"symbol": symbol, **quote} for symbol in symbols]}


def _instruments(book: Book, params: dict[str, str], _now_ms: int) -> Row:
    if params.get("category") != "linear":
        return {"category": params.get("category", ""), "list": [], "nextPageCursor": ""}
    symbols = [params["symbol"]] if "symbol" in params else sorted({"BTCUSDT", *book.holdings})
    return {"category": "linear", **_paged([instrument_row(symbol) for symbol in symbols], params)}


def instrument_row(symbol: str) -> Row:
    """Trading rules: the same for every symbol."""
    lots = {"minOrderQty": "0.001", "qtyStep": "0.001", "minNotionalValue": "5"}
    return {
        "symbol": symbol,
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": symbol.removesuffix("USDT"),
        "quoteCoin": "USDT",
        "settleCoin": "USDT",
        "launchTime": "1585526400000",
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": "1",
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
        "priceFilter": {"minPrice": "0.10", "maxPrice": "1999999.80", "tickSize": "0.10"},
        "lotSizeFilter": {**lots, "maxOrderQty": "1000000.000", "maxMktOrderQty": "1000000.000"},
        "unifiedMarginTrade": True,
        "fundingInterval": 480,
        "copyTrading": "none",
        "isPreListing": False,
    }


def _fee(book: Book, params: dict[str, str], _now_ms: int) -> Row:
    symbols = [params["symbol"]] if "symbol" in params else sorted({"BTCUSDT", *book.holdings})
    return {"list": [{"symbol": symbol, "takerFeeRate": "0.00055", "makerFeeRate": "0.0002"} for symbol in symbols]}


def _nothing(_book: Book, _params: dict[str, str], _now_ms: int) -> Row:
    return {"list": [], "nextPageCursor": ""}


def _matches(row: Row, params: dict[str, str]) -> bool:
    return all(row.get(name) == params[name] for name in ("symbol", "orderId", "orderLinkId") if name in params)


def _paged(rows: list[Row], params: dict[str, str]) -> Row:
    start, size = int(params.get("cursor") or 0), int(params.get("limit", _PAGE))
    more = str(start + size) if start + size < len(rows) else ""
    return {"category": "linear", "list": rows[start : start + size], "nextPageCursor": more}


_READS: dict[str, Callable[[Book, dict[str, str], int], Row]] = {
    "/v5/market/time": _time,
    "/v5/market/tickers": _tickers,
    "/v5/market/instruments-info": _instruments,
    "/v5/user/query-api": _key,
    "/v5/account/info": _account,
    "/v5/account/wallet-balance": _wallet,
    "/v5/account/fee-rate": _fee,
    "/v5/account/transaction-log": _nothing,
    "/v5/position/list": _positions,
    "/v5/position/closed-pnl": _closed,
    "/v5/order/realtime": _open_orders,
    "/v5/order/history": _history,
    "/v5/execution/list": _executions,
}
