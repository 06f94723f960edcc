"""What a command on main has to know before it decides: main itself, the contract's rules, a price read now."""

from __future__ import annotations

from collections.abc import Generator
from decimal import Decimal

from mirrorctl.core.domain.account import Ticker
from mirrorctl.core.domain.breakeven import DEFAULT_TAKER
from mirrorctl.core.domain.errors import Unavailable, UsageError
from mirrorctl.core.domain.instruments import Instrument
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.ports import ReadFeeRate, ReadInstrument, ReadTicker
from mirrorctl.core.engine.tasks import Wait

READ_MS = 6_000
_FEE_RATE_EVERY_MS = 3_600_000


def known_main(engine: Engine) -> Generator[Wait, bool, None]:
    """Wait until main is known; nothing is traded on a view that is not."""
    ready = yield Wait(lambda: engine.is_known(engine.main), engine.now_ms() + READ_MS)
    if not ready:
        raise Unavailable(
            f"main cannot be read: {engine.main.error or 'no answer'}", "look at `mirrorctl status`; try again"
        )


def instrument_of(engine: Engine, symbol: str) -> Generator[Wait, bool, Instrument]:
    """The trading rules of a symbol; a symbol that does not exist is the user's error."""
    if symbol not in engine.instruments:
        query = ReadInstrument(symbol)
        engine.main.ask(query, engine.now_ms())
        yield Wait(lambda: symbol in engine.instruments or query not in engine.main.asked, engine.now_ms() + READ_MS)
    found = engine.instruments.get(symbol)
    if found is None:
        raise UsageError(
            f"{symbol}: {engine.main.read_errors.get(ReadInstrument(symbol), 'its trading rules could not be read')}",
            "symbols are written as on Bybit, for example BTCUSDT",
        )
    return found


def ticker_of(engine: Engine, symbol: str) -> Generator[Wait, bool, Ticker]:
    """A ticker read now."""
    asked_ms = engine.now_ms()
    query = ReadTicker(symbol)
    engine.main.ask(query, asked_ms)
    yield Wait(
        lambda: (
            (symbol in engine.tickers and engine.tickers[symbol].at_ms >= asked_ms) or query not in engine.main.asked
        ),
        asked_ms + READ_MS,
    )
    ticker = engine.tickers.get(symbol)
    if ticker is None or ticker.at_ms < asked_ms:
        raise Unavailable(
            f"the price of {symbol} could not be read: {engine.main.read_errors.get(query, 'no answer')}", "try again"
        )
    return ticker


def taker_rate(engine: Engine, symbol: str) -> Generator[Wait, bool, Decimal]:
    """Main's taker rate; Bybit's usual one where the exchange names none, as on demo (A35)."""
    main, query = engine.main, ReadFeeRate(symbol)
    main.ask(query, engine.now_ms(), every_ms=_FEE_RATE_EVERY_MS)
    yield Wait(lambda: symbol in main.fee_rates or query not in main.asked, engine.now_ms() + READ_MS)
    known = main.fee_rates.get(symbol)
    return DEFAULT_TAKER if known is None else known.taker
