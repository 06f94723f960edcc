"""Public data: tickers, the top of the book, trades; REST rows and stream frames."""

from typing import Any

from mirrorctl.core.paper import book
from mirrorctl.core.paper.decimals import fixed
from mirrorctl.core.paper.floor import Floor, Push
from mirrorctl.core.paper.model import Side

Row = dict[str, Any]
_REST_ONLY = {
    "predictedDeliveryPrice": "",
    "basisRate": "",
    "deliveryFeeRate": "",
    "deliveryTime": "0",
    "basis": "",
    "basisRateYear": "",
}


def ticker(floor: Floor, symbol: str) -> Row:
    """Fields that the ticker stream and market/tickers share (docs v5/websocket/public/ticker)."""
    market, item = floor.state.markets[symbol], floor.state.instruments[symbol]
    bid, bid_size = next(book.levels(market, item, Side.SELL))
    ask, ask_size = next(book.levels(market, item, Side.BUY))
    last, mark = item.price(market.last), item.price(market.mark_price)
    return {
        "symbol": symbol,
        "tickDirection": market.direction,
        "price24hPcnt": fixed(market.last / market.open_24h - 1, 6),
        "lastPrice": last,
        "prevPrice24h": item.price(market.open_24h),
        "highPrice24h": item.price(market.high),
        "lowPrice24h": item.price(market.low),
        "prevPrice1h": item.price(market.open_24h),
        "markPrice": mark,
        "indexPrice": mark,
        "openInterest": "0",
        "openInterestValue": "0",
        "turnover24h": fixed(market.turnover, 4),
        "volume24h": fixed(market.volume, 4),
        "fundingIntervalHour": str(item.funding_minutes // 60),
        "fundingCap": "0.00375",
        "nextFundingTime": str(market.next_funding_ms),
        "fundingRate": format(market.funding_rate, "f"),
        "bid1Price": item.price(bid),
        "bid1Size": item.qty(bid_size),
        "ask1Price": item.price(ask),
        "ask1Size": item.qty(ask_size),
        "preOpenPrice": "",
        "preQty": "",
        "curPreListingPhase": "",
    }


def ticker_rest(floor: Floor, symbol: str) -> Row:
    """One entry of market/tickers."""
    row = ticker(floor, symbol)
    del row["tickDirection"]
    return row | _REST_ONLY


def orderbook(floor: Floor, symbol: str, depth: int) -> Row:
    """Bids descending, asks ascending, `depth` levels each."""
    market, item = floor.state.markets[symbol], floor.state.instruments[symbol]
    bids, asks = (
        [[item.price(p), item.qty(q)] for p, q in book.levels(market, item, side, depth)]
        for side in (Side.SELL, Side.BUY)
    )
    return {"s": symbol, "b": bids, "a": asks, "u": market.updates, "seq": market.updates}


def snapshot(floor: Floor, topic: str) -> Push | None:
    """The frame a new subscriber gets; None for publicTrade, which only tells what comes."""
    kind, _, symbol = topic.rpartition(".")
    if kind == "tickers":
        return _frame(floor, topic, "snapshot", ticker(floor, symbol), {"cs": floor.state.markets[symbol].updates})
    if kind.startswith("orderbook."):
        data = orderbook(floor, symbol, int(kind.partition(".")[2]))
        return _frame(floor, topic, "snapshot", data, {"cts": floor.now})
    return None


def known_topic(floor: Floor, topic: str) -> bool:
    """Whether a public topic can be subscribed here."""
    kind, _, symbol = topic.rpartition(".")
    served = ("tickers", "publicTrade", "orderbook.1", "orderbook.50", "orderbook.200")
    return kind in served and symbol in floor.state.instruments


def changes(floor: Floor, watched: dict[str, int], published: dict[str, Row]) -> list[Push]:
    """Frames for watched topics whose symbol moved or traded; clears what the floor had noted."""
    trades, floor.trades = floor.trades, []
    moved, floor.moved = floor.moved | {symbol for symbol, _ in trades}, set()
    out: list[Push] = []
    for topic in watched:
        kind, _, symbol = topic.rpartition(".")
        if symbol not in moved:
            continue
        if kind == "tickers":
            row = ticker(floor, symbol)
            before = published.get(topic)
            published[topic] = row
            delta = row if before is None else {k: v for k, v in row.items() if before.get(k) != v}
            if delta:
                fields = {"cs": floor.state.markets[symbol].updates}
                out.append(_frame(floor, topic, "delta", {"symbol": symbol} | delta, fields))
        elif kind == "publicTrade":
            if rows := [trade for name, trade in trades if name == symbol]:
                out.append(_frame(floor, topic, "snapshot", rows, {}))
        elif (push := snapshot(floor, topic)) is not None:
            out.append(push)
    return out


def _frame(floor: Floor, topic: str, kind: str, data: Any, fields: Row) -> Push:
    return Push(None, topic, {"topic": topic, "type": kind, "ts": floor.now, "data": data} | fields)
