"""What `trade open` comes to: the request checked, sized and turned into orders. Nothing here sends."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from decimal import Decimal

from mirrorctl.core.domain.account import Ticker
from mirrorctl.core.domain.actions import PlaceOrder, SetLeverage
from mirrorctl.core.domain.errors import LimitReached, Unavailable, UsageError
from mirrorctl.core.domain.ids import LinkId, Role, step_tag, trade_tag
from mirrorctl.core.domain.instruments import ZERO, Instrument, plain
from mirrorctl.core.domain.values import OrderType, PositionMode, PositionSide, TimeInForce
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.limits import Exposure, OrderRate
from mirrorctl.core.engine.ports import ReadInstrument, ReadPosition, ReadTicker
from mirrorctl.core.engine.tasks import Wait

READ_MS = 6_000
_SHOWN = Decimal("0.00000001")


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """What `trade open` asks for. Exactly one of margin, margin_percent, qty and notional is given."""

    symbol: str
    side: PositionSide
    margin: Decimal | None = None
    margin_percent: Decimal | None = None
    qty: Decimal | None = None
    notional: Decimal | None = None
    leverage: Decimal | None = None
    entries: tuple[Decimal, ...] = ()
    stop: Decimal | None = None
    client_id: str = ""
    wait_s: Decimal = Decimal(5)


@dataclass(frozen=True, slots=True)
class OpenPlan:
    """The orders on main that a request comes to, and what each mirror would do."""

    orders: tuple[PlaceOrder, ...]
    leverage: SetLeverage | None
    mirrors: tuple[dict[str, object], ...] = field(default_factory=tuple)


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


def plan_open(engine: Engine, request: OpenRequest) -> Generator[Wait, bool, OpenPlan]:
    """Everything `trade open` would send, checked; nothing is sent."""
    yield from known_main(engine)
    instrument = yield from instrument_of(engine, request.symbol)
    ticker = yield from ticker_of(engine, request.symbol)
    view = engine.main.view
    if not view.proven(request.symbol):
        engine.main.ask(ReadPosition(request.symbol), engine.now_ms())
        yield Wait(lambda: view.proven(request.symbol), engine.now_ms() + READ_MS)
    if view.mode(request.symbol) is PositionMode.ONE_WAY and view.size(request.symbol, request.side.opposite):
        raise UsageError(
            f"main holds a {request.side.opposite} {request.symbol}, and it is one-way: this would reduce it",
            "use `mirrorctl trade reduce` or `mirrorctl trade close` first",
        )
    market = (ticker.ask if request.side is PositionSide.LONG else ticker.bid) or ticker.last
    prices = [instrument.round_price(price) for price in request.entries] or [market]
    leverage = _leverage(engine, request, instrument)
    total = _total_qty(engine, request, prices, leverage or view.leverage.get(request.symbol))
    asked = total / len(prices)
    part = instrument.floor_qty(asked)
    _check(request, instrument, asked, prices, market)
    _check_limits(engine, request, part, prices, leverage)
    orders = tuple(_entry(engine, request, instrument, part, leg, price) for leg, price in enumerate(prices))
    change = None
    if leverage is not None and leverage != view.leverage.get(request.symbol):
        change = SetLeverage(engine.main.name, request.symbol, leverage, "asked for by the trade")
    return OpenPlan(orders, change, tuple(_expected(engine, request, instrument, part * len(prices))))


def _expected(
    engine: Engine, request: OpenRequest, instrument: Instrument, qty: Decimal
) -> Generator[dict[str, object], None, None]:
    for name, mirror in engine.passes.items():
        factor = mirror.policy.sizing.value_for(request.symbol)
        yield {"account": name, "qty": plain(instrument.floor_qty(qty * factor)), "factor": plain(factor)}


def _leverage(engine: Engine, request: OpenRequest, instrument: Instrument) -> Decimal | None:
    if request.leverage is None:
        return None
    limit = engine.policy.main_limits.max_leverage
    if limit is not None and request.leverage > limit:
        raise LimitReached(
            f"leverage {plain(request.leverage)} is over [main.limits] max_leverage {plain(limit)}", "ask for less"
        )
    if not instrument.min_leverage <= request.leverage <= instrument.max_leverage:
        raise UsageError(
            f"leverage {plain(request.leverage)} is not possible on {request.symbol}",
            f"it takes {plain(instrument.min_leverage)} to {plain(instrument.max_leverage)}",
        )
    return request.leverage


def _total_qty(engine: Engine, request: OpenRequest, prices: list[Decimal], leverage: Decimal | None) -> Decimal:
    mean = sum(prices, ZERO) / len(prices)
    if request.qty is not None:
        return request.qty
    if request.notional is not None:
        return request.notional / mean
    if leverage is None:
        raise UsageError(f"--margin needs a leverage, and main's for {request.symbol} is unknown", "give --leverage")
    margin = request.margin
    if margin is None:
        wallet = engine.main.view.wallet
        if wallet is None or request.margin_percent is None:
            raise Unavailable("main's available balance is unknown", "try again")
        margin = wallet.available * request.margin_percent / 100
    return margin * leverage / mean


def _check(
    request: OpenRequest, instrument: Instrument, asked: Decimal, prices: list[Decimal], market: Decimal
) -> None:
    """`asked` is the quantity of each order before it is floored to the step."""
    part = instrument.floor_qty(asked)
    if not instrument.trading:
        raise UsageError(f"{request.symbol} is not trading now", "choose another symbol")
    for price in prices:
        if part <= 0 or not instrument.meets_minimum(part, price):
            raise UsageError(
                f"{plain(part or asked.quantize(_SHOWN))} {request.symbol} at {plain(price)} is under the minimum",
                f"each order takes at least {plain(instrument.min_qty)} and {plain(instrument.min_notional)} USDT",
            )
    order_type = OrderType.LIMIT if request.entries else OrderType.MARKET
    if part > instrument.max_qty(order_type):
        raise UsageError(
            f"{plain(part)} {request.symbol} is over the most that one order takes",
            f"it takes {plain(instrument.max_qty(order_type))}; use several --entry prices",
        )
    if request.stop is not None:
        for price in [market, *prices] if not request.entries else prices:
            check_stop(request.symbol, request.side, request.stop, price)


def check_stop(symbol: str, side: PositionSide, stop: Decimal, price: Decimal) -> None:
    if (price - stop) * side.sign <= 0:
        below = "below" if side is PositionSide.LONG else "above"
        raise UsageError(
            f"a stop at {plain(stop)} is on the wrong side of {plain(price)} for a {side} {symbol}",
            f"the stop of a {side} lies {below} its price",
        )


def _check_limits(
    engine: Engine, request: OpenRequest, part: Decimal, prices: list[Decimal], leverage: Decimal | None
) -> None:
    limits = engine.policy.main_limits
    now = engine.now_ms()
    day_loss = engine.main.day_loss(now, engine.day_start_ms())
    exposure = Exposure(engine.main.view, limits, OrderRate(), now, day_loss=day_loss)
    for price in prices:
        refusal = exposure.refusal(request.symbol, part, price)
        if refusal:
            raise LimitReached(f"main: {refusal}", "the limits stand under [main.limits] of the profile")
        exposure.charge(request.symbol, part, price)
    standing = leverage or engine.main.view.leverage.get(request.symbol)
    if limits.max_leverage is not None and standing is not None and standing > limits.max_leverage:
        raise LimitReached(
            f"main's leverage {plain(standing)} is over max_leverage {plain(limits.max_leverage)}", "give --leverage"
        )


def _entry(
    engine: Engine, request: OpenRequest, instrument: Instrument, qty: Decimal, leg: int, price: Decimal
) -> PlaceOrder:
    main = engine.main
    origin = request.client_id or f"{engine.now_ms()}-{main.view.seq(request.symbol)}"
    tag = trade_tag(main.uid, request.symbol, request.side, origin)
    link = LinkId(main.tag, tag, Role.ENTRY, leg, step_tag("entry", tag), 0)
    limit = bool(request.entries)
    return PlaceOrder(
        account=main.name,
        symbol=request.symbol,
        side=request.side.entry,
        order_type=OrderType.LIMIT if limit else OrderType.MARKET,
        qty=qty,
        link_id=str(link),
        role=Role.ENTRY,
        reason=f"entry {leg + 1} of the trade",
        position_idx=main.view.mode(request.symbol).idx(request.side),
        price=price if limit else None,
        time_in_force=TimeInForce.GTC if limit else TimeInForce.IOC,
        stop_loss=None if request.stop is None else instrument.stop_price(request.stop, request.side),
    )
