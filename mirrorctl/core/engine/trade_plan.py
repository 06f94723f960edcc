"""What `trade open` comes to: the request checked, sized and turned into orders and a trade. Nothing here sends."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from decimal import Decimal

from mirrorctl.core.domain.actions import PlaceOrder, SetLeverage
from mirrorctl.core.domain.approach import LIMIT, MARKET, PLAIN, Approach, approach_named
from mirrorctl.core.domain.cycle import CycleKey
from mirrorctl.core.domain.errors import LimitReached, Unavailable, UsageError
from mirrorctl.core.domain.ids import LinkId, Role, step_tag, trade_tag
from mirrorctl.core.domain.instruments import ZERO, Instrument, plain
from mirrorctl.core.domain.trade import Trade
from mirrorctl.core.domain.trade_scene import rungs_done
from mirrorctl.core.domain.values import OrderType, PositionMode, TimeInForce
from mirrorctl.core.domain.wish import Wish
from mirrorctl.core.engine.client_ids import free_link
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.handover import read_trade
from mirrorctl.core.engine.modes import check_mode
from mirrorctl.core.engine.ports import ReadPosition
from mirrorctl.core.engine.tasks import Wait
from mirrorctl.core.engine.trade_intent import (
    MOST,
    UNNAMED,
    check_stop,
    check_targets,
    exit_policy,
    known_counts,
    ladder_of,
    let_go,
    replaced,
    with_policy,
)
from mirrorctl.core.engine.trade_limits import check_entries, check_leverage, known_day
from mirrorctl.core.engine.trade_reads import READ_MS, instrument_of, known_main, ticker_of
from mirrorctl.core.engine.trade_request import OpenRequest
from mirrorctl.core.engine.trade_state import is_winding_up, managed_trade
from mirrorctl.core.engine.trade_wishes import check_wishes, wishes_of

_SHOWN = Decimal("0.00000001")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry order to be. `price` of a market entry is what it is counted at: ask for a long, bid for a short."""

    kind: str
    price: Decimal


@dataclass(frozen=True, slots=True)
class OpenPlan:
    """The orders on main that a request comes to, and the trade they belong to.

    `standing`: the trade without what is asked for. `adds`: to a trade or a position that stands already; `takes_over`:
    to a position that no trade stood for, and which the daemon manages from now on. `let_go`: ids of the trader's own
    orders that stood for a target and stand for none any more. `asked_ms`: equities that were read after it count.
    `wishes`: what is asked of single mirrors for this trade alone.
    """

    orders: tuple[PlaceOrder, ...]
    entries: tuple[Entry, ...]
    leverage: SetLeverage | None
    trade: Trade
    standing: Trade
    adds: bool
    takes_over: bool
    let_go: frozenset[str]
    instrument: Instrument
    asked_ms: int = 0
    wishes: tuple[Wish, ...] = ()

    @property
    def key(self) -> CycleKey:
        return self.trade.key

    @property
    def qty(self) -> Decimal:
        """Of all entries together."""
        return sum((order.qty for order in self.orders), ZERO)


def plan_open(engine: Engine, request: OpenRequest) -> Generator[Wait, bool, OpenPlan]:
    """Everything `trade open` would send and write down, checked; nothing is sent."""
    asked_ms = engine.now_ms()
    check_wishes(engine, request)
    yield from known_main(engine)
    instrument = yield from instrument_of(engine, request.symbol)
    ticker = yield from ticker_of(engine, request.symbol)
    view = engine.main.view
    if not view.proven(request.symbol):
        engine.main.ask(ReadPosition(request.symbol), engine.now_ms())
        yield Wait(lambda: view.proven(request.symbol), engine.now_ms() + READ_MS)
    check_mode(engine, request.symbol)
    if view.mode(request.symbol) is PositionMode.ONE_WAY and view.size(request.symbol, request.side.opposite):
        raise UsageError(
            f"main holds a {request.side.opposite} {request.symbol}, and it is one-way: this would reduce it",
            "use `mirrorctl trade reduce` or `mirrorctl trade close` first",
        )
    yield from known_day(engine)
    market = (ticker.ask if request.side.sign > 0 else ticker.bid) or ticker.last
    approach = approach_named(request.approach, engine.policy.approaches) if request.approach else None
    entries = _entries(request, approach, instrument, market)
    yield Wait(lambda: not is_winding_up(engine, request.symbol, request.side), engine.now_ms() + READ_MS)
    before = managed_trade(engine, request.symbol, request.side)
    takes_over = before is None and bool(view.size(request.symbol, request.side))
    origin = _origin(engine, request)
    standing = before or _unwritten(engine, request, origin)
    trade = _trade(engine, request, instrument, approach, standing, entries)
    leverage = _leverage(engine, request, instrument)
    total = _total_qty(engine, request, entries, leverage or view.leverage.get(request.symbol))
    asked = total / len(entries)
    part = instrument.floor_qty(asked)
    _check(request, instrument, asked, entries)
    held = [market] if view.size(request.symbol, request.side) else []
    _check_exits(request, trade, [*held, *(entry.price for entry in entries)])
    check_entries(engine, request.symbol, [(part, entry.price) for entry in entries])
    check_leverage(engine, leverage or view.leverage.get(request.symbol))
    step = step_tag("entry", origin)
    orders = tuple(_entry(engine, trade, part, entry, step, (leg, len(entries))) for leg, entry in enumerate(entries))
    change = None
    if leverage is not None and leverage != view.leverage.get(request.symbol):
        change = SetLeverage(engine.main.name, request.symbol, leverage, "asked for by the trade")
    return OpenPlan(
        orders=orders,
        entries=entries,
        leverage=change,
        trade=trade,
        standing=standing,
        adds=before is not None or takes_over,
        takes_over=takes_over,
        let_go=let_go(standing, trade),
        instrument=instrument,
        asked_ms=asked_ms,
        wishes=wishes_of(engine, request, step),
    )


# --- entries ------------------------------------------------------------------------------------------------------


def _entries(
    request: OpenRequest, approach: Approach | None, instrument: Instrument, market: Decimal
) -> tuple[Entry, ...]:
    """As the approach has them; without one a limit for each price, or one order at market."""
    prices = iter([instrument.round_price(price) for price in request.entries])
    count = len(request.entries)
    if count > MOST:
        raise UsageError(f"{count} entries are too many", f"a trade takes at most {MOST}")
    kinds = approach.entry_kinds(count) if approach is not None else (LIMIT,) * count or (MARKET,)
    return tuple(Entry(kind, next(prices) if kind == LIMIT else market) for kind in kinds)


def _entry(engine: Engine, trade: Trade, qty: Decimal, entry: Entry, step: str, place: tuple[int, int]) -> PlaceOrder:
    """`place`: which of how many entries it is."""
    main, (leg, legs) = engine.main, place
    limit = entry.kind == LIMIT
    return PlaceOrder(
        account=main.name,
        symbol=trade.symbol,
        side=trade.side.entry,
        order_type=OrderType.LIMIT if limit else OrderType.MARKET,
        qty=qty,
        link_id=str(free_link(engine, LinkId(main.tag, trade.tag, Role.ENTRY, leg, step, 0))),
        role=Role.ENTRY,
        reason=f"entry {leg + 1} of the trade" if legs == 1 else f"entry {leg + 1} of {legs} of the trade",
        position_idx=main.view.mode(trade.symbol).idx(trade.side),
        price=entry.price if limit else None,
        time_in_force=TimeInForce.GTC if limit else TimeInForce.IOC,
        stop_loss=trade.stop,
    )


def _origin(engine: Engine, request: OpenRequest) -> str:
    """What names this request for good, made from its client id or the moment it came: the tag of a new trade."""
    origin = request.client_id or f"{engine.now_ms()}-{engine.main.view.seq(request.symbol)}"
    return trade_tag(engine.main.uid, request.symbol, request.side, origin)


# --- the trade ----------------------------------------------------------------------------------------------------


def _trade(
    engine: Engine,
    request: OpenRequest,
    instrument: Instrument,
    approach: Approach | None,
    standing: Trade,
    entries: tuple[Entry, ...],
) -> Trade:
    """The trade as it will stand. One that stood keeps its tag and its done rungs; what is given replaces (A40)."""
    trade = standing
    done = engine.keeper.rungs_done(*trade.key)
    if request.stop is not None:
        trade = replace(trade, stop=instrument.stop_price(request.stop, request.side))
    if not request.targets and approach is None:
        return _counted_anew(trade, rungs_done(trade, done), stop_given=request.stop is not None)
    counts = known_counts(trade, engine.policy.approaches.get(trade.approach), done)
    targets = ladder_of(request.targets, request.side, instrument, approach, counts)
    if approach is None and trade.approach not in UNNAMED:
        trade = replaced(trade, targets, done)
    else:
        policy = exit_policy(approach, engine.policy.approaches, len(targets), len(entries))
        trade = with_policy(replaced(trade, targets, done), policy)
    return _counted_anew(trade, rungs_done(trade, done), stop_given=request.stop is not None)


def _counted_anew(trade: Trade, done: int, *, stop_given: bool) -> Trade:
    """Rungs that were done before neither cancel the entries asked for now nor move the stop given with them."""
    if not done:
        return trade
    entries, stop = trade.cancel_entries_after, trade.breakeven_after
    return replace(
        trade,
        cancel_entries_after=entries + done if 0 < entries <= done else entries,
        breakeven_after=stop + done if stop_given and 0 < stop <= done else stop,
    )


def _unwritten(engine: Engine, request: OpenRequest, tag: str) -> Trade:
    """A new trade without exits; where main holds a position already, with what stands for it there."""
    found = read_trade(engine, request.symbol, request.side)
    return found.trade if found else Trade(request.symbol, request.side, tag, PLAIN, created_ms=engine.now_ms())


def _check_exits(request: OpenRequest, trade: Trade, prices: list[Decimal]) -> None:
    """Exits lie on their side of every entry and, where something is held, of the price: else they fill at once."""
    for price in prices:
        if trade.stop is not None:
            check_stop(trade.symbol, trade.side, trade.stop, price)
    if request.targets:
        check_targets(trade.symbol, trade.side, trade.targets, prices)


# --- size and limits ----------------------------------------------------------------------------------------------


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


def _total_qty(engine: Engine, request: OpenRequest, entries: tuple[Entry, ...], leverage: Decimal | None) -> Decimal:
    mean = sum((entry.price for entry in entries), ZERO) / len(entries)
    if request.qty is not None:
        return request.qty
    if request.notional is not None:
        return request.notional / mean
    if request.risk_percent is not None:
        return _risked(engine, request, request.risk_percent, mean)
    if leverage is None:
        raise UsageError(f"--margin needs a leverage, and main's for {request.symbol} is unknown", "give --leverage")
    margin = request.margin
    if margin is None:
        wallet = engine.main.view.wallet
        if wallet is None or request.margin_percent is None:
            raise Unavailable("main's available balance is unknown", "try again")
        margin = wallet.available * request.margin_percent / 100
    return margin * leverage / mean


def _risked(engine: Engine, request: OpenRequest, percent: Decimal, mean: Decimal) -> Decimal:
    """The quantity that loses `percent` of main's equity from the mean entry to the stop, fees apart."""
    if request.stop is None:
        raise UsageError("--risk needs a stop: the risk is what is lost at it", "give --stop PRICE")
    check_stop(request.symbol, request.side, request.stop, mean)
    wallet = engine.main.view.wallet
    if wallet is None:
        raise Unavailable("main's equity is unknown", "try again")
    return wallet.equity * percent / 100 / abs(mean - request.stop)


def _check(request: OpenRequest, instrument: Instrument, asked: Decimal, entries: tuple[Entry, ...]) -> None:
    """`asked` is the quantity of each order before it is floored to the step."""
    part = instrument.floor_qty(asked)
    if not instrument.trading:
        raise UsageError(f"{request.symbol} is not trading now", "choose another symbol")
    for entry in entries:
        if part <= 0 or not instrument.meets_minimum(part, entry.price):
            qty = plain(part or asked.quantize(_SHOWN))
            raise UsageError(
                f"{qty} {request.symbol} at {plain(entry.price)} is under the minimum",
                f"each order takes at least {plain(instrument.min_qty)} and {plain(instrument.min_notional)} USDT",
            )
        most = instrument.max_qty(OrderType.LIMIT if entry.kind == LIMIT else OrderType.MARKET)
        if part > most:
            raise UsageError(
                f"{plain(part)} {request.symbol} is over the most that one order takes",
                f"it takes {plain(most)}; use several --entry prices",
            )
