"""Public REST endpoints (docs v5/market)."""

from typing import Any

from mirrorctl.core.paper import public_feed
from mirrorctl.core.paper.call import Call
from mirrorctl.core.paper.decimals import ceil_to, floor_to, money
from mirrorctl.core.paper.instruments import info_row
from mirrorctl.core.paper.paging import keyed, limit_of
from mirrorctl.core.paper.params import instrument, linear, text
from mirrorctl.core.paper.refusals import bad

Result = dict[str, Any]
CATEGORIES = ("spot", "linear", "inverse", "option")


def time(call: Call) -> Result:
    """Server time in seconds and nanoseconds."""
    now = call.floor.clock
    return {"timeSecond": str(now // 1000), "timeNano": str(now * 1_000_000)}


def instruments_info(call: Call) -> Result:
    """All listed contracts, page by page; other categories are valid and empty."""
    category = _category(call)
    symbols = sorted(call.state.instruments)
    if category != "linear" or text(call.params, "status") not in ("", "Trading"):
        symbols = []
    elif text(call.params, "symbol"):
        symbols = [instrument(call.state.instruments, call.params).symbol]
    elif base := text(call.params, "baseCoin"):
        symbols = [symbol for symbol in symbols if call.state.instruments[symbol].base == base]
    page, cursor = keyed(symbols, call.params, 500, 1000)
    rows = [info_row(call.state.instruments[symbol]) for symbol in page]
    return {"category": category, "list": rows, "nextPageCursor": cursor}


def tickers(call: Call) -> Result:
    """Latest prices of one symbol or of all."""
    category = _category(call)
    symbols = list(call.state.instruments) if category == "linear" else []
    if category == "linear" and text(call.params, "symbol"):
        symbols = [instrument(call.state.instruments, call.params).symbol]
    return {"category": category, "list": [public_feed.ticker_rest(call.floor, symbol) for symbol in symbols]}


def orderbook(call: Call) -> Result:
    """The synthetic book."""
    linear(call.params)
    item = instrument(call.state.instruments, call.params)
    depth = limit_of(call.params, 25, 1000)
    stamp = {"ts": call.floor.now, "cts": call.floor.now}
    return public_feed.orderbook(call.floor, item.symbol, depth) | stamp


def risk_limit(call: Call) -> Result:
    """The lowest tier of every symbol, fifteen to a page."""
    linear(call.params)
    symbols = sorted(call.scope(required=False) or call.state.instruments)
    page, cursor = keyed(symbols, call.params, 15, 15)
    rows = []
    for symbol in page:
        item = call.state.instruments[symbol]
        rows.append(
            {
                "id": item.symbol_id,
                "symbol": symbol,
                "riskLimitValue": str(item.risk_limit),
                "maintenanceMargin": format(item.maintenance_rate, "f"),
                "initialMargin": money(1 / item.max_leverage),
                "isLowestRisk": 1,
                "maxLeverage": format(item.max_leverage, ".2f"),
                "mmDeduction": "",
            }
        )
    return {"category": "linear", "list": rows, "nextPageCursor": cursor}


def price_limit(call: Call) -> Result:
    """Highest buy and lowest sell price right now."""
    item = instrument(call.state.instruments, call.params)
    mark = call.state.markets[item.symbol].mark_price
    return {
        "symbol": item.symbol,
        "buyLmt": item.price(floor_to(mark * (1 + item.band_y), item.tick)),
        "sellLmt": item.price(ceil_to(mark * (1 - item.band_y), item.tick)),
        "ts": str(call.floor.now),
    }


def _category(call: Call) -> str:
    category = text(call.params, "category")
    if category not in CATEGORIES:
        raise bad("params error: Category is invalid")
    return category
