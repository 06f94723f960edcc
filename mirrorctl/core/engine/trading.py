"""Trades on main as tasks: open, close, reduce, stop, cancel.

Each is a list of steps on the engine's thread: read what is missing, check, journal and send, wait for the exchange's
word, then tell how the mirrors follow. What the trader asks for is checked against limits before anything is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from decimal import Decimal

from mirrorctl.core.domain.actions import Action, CancelOrder, PlaceOrder, SetTradingStop
from mirrorctl.core.domain.errors import ExchangeError, LimitReached, Refused, Rejected, Unavailable, UsageError
from mirrorctl.core.domain.errors import InDoubt as InDoubtError
from mirrorctl.core.domain.ids import LinkId, Role, parse, step_tag, trade_tag
from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.values import OrderType, PositionSide, TimeInForce
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.records import Intent
from mirrorctl.core.engine.tasks import Steps, Wait
from mirrorctl.core.engine.trade_plan import (
    READ_MS,
    OpenRequest,
    check_stop,
    instrument_of,
    known_main,
    plan_open,
    ticker_of,
)

_SEND_MS = 20_000

Progress = Callable[[dict[str, object]], None]


def open_trade(engine: Engine, request: OpenRequest, progress: Progress) -> Steps:
    """Open a trade on main; returns once its orders are accepted and the mirrors followed or the wait is over."""
    blocked = engine.standings.growth_block(engine.main.name, request.symbol)
    if blocked:
        raise LimitReached(f"{request.symbol} on main is {blocked}", "`mirrorctl resume` ends a pause")
    if (before := _said_before(engine, request)) is not None:
        return before
    plan = yield from plan_open(engine, request)
    if request.client_id:
        engine.store.set_fact(_client_key(request), f"{_described(request)}\n{plan.orders[0].link_id}")
    if plan.leverage is not None:
        yield from send_and_wait(engine, plan.leverage)
    placed = []
    for order in plan.orders:
        intent = yield from send_and_wait(engine, order)
        placed.append(intent)
        progress({"event": "main", "symbol": order.symbol, "link_id": order.link_id, "state": intent.state.value})
    links = [order.link_id for order in plan.orders]
    yield Wait(lambda: all(_shown(engine, link) for link in links), engine.now_ms() + READ_MS)
    total = sum((order.qty for order in plan.orders), ZERO)
    return (yield from _follow(engine, request.symbol, request.wait_s, progress, {"placed": plain(total)}))


def _said_before(engine: Engine, request: OpenRequest) -> dict[str, object] | None:
    """What stands for a client id that was used before: the same request opens nothing more, another one is refused."""
    known = engine.store.fact(_client_key(request)) if request.client_id else None
    if not known:
        return None
    described, _, link_id = known.partition("\n")
    if described != _described(request):
        raise Refused(
            f"client id {request.client_id!r} stands for another trade: {described}",
            "every trade needs an id of its own; nothing was sent",
        )
    order = engine.main.view.by_link(link_id)
    state = order.status.value if order is not None else "not on the book any more"
    return {"already": link_id, "state": state, "placed": "0", "symbol": request.symbol, "mirrors": []}


def _client_key(request: OpenRequest) -> str:
    return f"client.{request.client_id}"


def _described(request: OpenRequest) -> str:
    """The request in words, without what does not change the trade."""
    size = next(
        f"{name} {plain(value)}"
        for name in ("margin", "margin_percent", "qty", "notional")
        if (value := getattr(request, name)) is not None
    )
    entries = " ".join(f"entry {plain(price)}" for price in request.entries)
    rest = [f"{name} {plain(v)}" for name in ("leverage", "stop") if (v := getattr(request, name)) is not None]
    return " ".join(filter(None, [request.symbol, request.side.value, size, entries, *rest]))


def close_trade(engine: Engine, symbol: str, side: PositionSide | None, wait_s: Decimal, progress: Progress) -> Steps:
    """Cancel our resting entries and close main's position with a reduce-only market order."""
    yield from known_main(engine)
    yield from instrument_of(engine, symbol)
    yield from _cancel_entries(engine, symbol)
    holding = _holding(engine, symbol, side)
    result: dict[str, object] = {"closed": plain(engine.main.view.size(symbol, holding))}
    yield from _reduce_main(engine, symbol, holding, engine.main.view.size(symbol, holding))
    return (yield from _follow(engine, symbol, wait_s, progress, result))


def reduce_trade(
    engine: Engine,
    symbol: str,
    side: PositionSide | None,
    amount: tuple[Decimal, bool],
    wait_s: Decimal,
    progress: Progress,
) -> Steps:
    """Reduce main's position by (value, is percent), floored to the step, never past zero."""
    yield from known_main(engine)
    instrument = yield from instrument_of(engine, symbol)
    holding = _holding(engine, symbol, side)
    size = engine.main.view.size(symbol, holding)
    value, percent = amount
    if not percent and value > size:
        raise UsageError(
            f"{plain(value)} is more than the {plain(size)} {symbol} that main holds",
            f"{plain(value)}% is a percentage; `mirrorctl trade close` closes all of it",
        )
    qty = instrument.floor_qty(min(size * value / 100 if percent else value, size))
    if qty <= 0:
        raise UsageError(
            f"{plain(value)}{'%' if percent else ''} of {plain(size)} is less than one step of {symbol}",
            f"the step is {plain(instrument.qty_step)}",
        )
    yield from _reduce_main(engine, symbol, holding, qty)
    return (yield from _follow(engine, symbol, wait_s, progress, {"reduced": plain(qty)}))


def move_stop(engine: Engine, symbol: str, side: PositionSide | None, price: Decimal, progress: Progress) -> Steps:
    """Set the stop of main's position; the mirrors take it over."""
    yield from known_main(engine)
    instrument = yield from instrument_of(engine, symbol)
    ticker = yield from ticker_of(engine, symbol)
    holding = _holding(engine, symbol, side)
    stop = instrument.stop_price(price, holding)
    check_stop(symbol, holding, stop, ticker.last)
    idx = engine.main.view.mode(symbol).idx(holding)
    action = SetTradingStop(engine.main.name, symbol, idx, "asked for by `trade stop`", stop_loss=stop)
    yield from send_and_wait(engine, action)
    yield Wait(lambda: _stop_of(engine, symbol, holding) == stop, engine.now_ms() + READ_MS)
    if _stop_of(engine, symbol, holding) != stop:
        raise ExchangeError(
            f"the stop was accepted but is not seen on main's {symbol} position", "look at `mirrorctl positions`"
        )
    return (yield from _follow(engine, symbol, Decimal(5), progress, {"stop": plain(stop)}))


def cancel_orders(engine: Engine, symbol: str, wanted: str, progress: Progress) -> Steps:
    """Cancel our resting entries of a symbol on main, or the one order named by its id or link id."""
    yield from known_main(engine)
    yield from instrument_of(engine, symbol)
    cancelled = yield from _cancel_entries(engine, symbol, wanted)
    if wanted and not cancelled:
        raise UsageError(f"main has no open order {wanted} on {symbol}", "`mirrorctl orders` lists them")
    return (yield from _follow(engine, symbol, Decimal(5), progress, {"cancelled": int(cancelled)}))


def send_and_wait(engine: Engine, action: Action) -> Generator[Wait, bool, Intent]:
    """Journal, send, and wait for the exchange's word; a refusal or lasting doubt is raised."""
    account = engine.accounts[action.account]
    intent = engine.book.open(action, engine.now_ms())
    account.writer.send(intent.intent_id, action)

    def current() -> Intent:
        return engine.book.get(intent.intent_id) or intent

    unsent: list[str] = []
    yield Wait(
        lambda: current().state not in (IntentState.PENDING, IntentState.DOUBT) or _unsent(engine, intent, unsent),
        engine.now_ms() + _SEND_MS,
    )
    now = current()
    if unsent or now.state is IntentState.ABSENT:
        raise Unavailable(f"{action.symbol} on {account.name}: not sent: {account.error or now.message}", "try again")
    if now.state is IntentState.REJECTED:
        raise Rejected(f"{action.symbol} on {account.name}: {now.message}", _hint(now.code), now.code)
    if now.state in (IntentState.PENDING, IntentState.DOUBT):
        raise InDoubtError(
            f"{action.symbol} on {account.name}: sent, outcome unknown: {now.message}",
            "do not repeat it; the daemon keeps asking: `mirrorctl status` shows when it is settled",
        )
    return now


def _unsent(engine: Engine, intent: Intent, unsent: list[str]) -> bool:
    """Whether the book forgot the intent because it never left."""
    if engine.book.get(intent.intent_id) is None:
        unsent.append("")
    return bool(unsent)


def _reduce_main(engine: Engine, symbol: str, side: PositionSide, qty: Decimal) -> Generator[Wait, bool, None]:
    main = engine.main
    seq = str(main.view.seq(symbol))
    link = LinkId(
        main.tag, _trade_of(engine, symbol, side), Role.REDUCTION, 0, step_tag(symbol, side, seq, plain(qty)), 0
    )
    while engine.book.by_link(main.name, str(link)) is not None:
        link = link.next_attempt()
    action = PlaceOrder(
        account=main.name,
        symbol=symbol,
        side=side.exit,
        order_type=OrderType.MARKET,
        qty=qty,
        link_id=str(link),
        role=Role.REDUCTION,
        reason="asked for on the command line",
        position_idx=main.view.mode(symbol).idx(side),
        time_in_force=TimeInForce.IOC,
        reduce_only=True,
    )
    before = main.view.size(symbol, side)
    yield from send_and_wait(engine, action)
    yield Wait(lambda: main.view.size(symbol, side) <= before - qty, engine.now_ms() + READ_MS)


def _cancel_entries(engine: Engine, symbol: str, wanted: str = "") -> Generator[Wait, bool, Decimal]:
    """Cancel our entries of a symbol on main; with `wanted` that one order, whoever made it. Returns how many."""
    main = engine.main
    chosen = [
        order
        for order in list(main.view.orders(symbol))
        if (wanted in (order.order_id, order.link_id) if wanted else _is_our_entry(order.link_id, main.tag))
    ]
    for order in chosen:
        action = CancelOrder(main.name, symbol, order.order_id, order.link_id, "asked for on the command line")
        yield from send_and_wait(engine, action)
    ids = {order.order_id for order in chosen}
    yield Wait(lambda: not ids & {order.order_id for order in main.view.orders(symbol)}, engine.now_ms() + READ_MS)
    return Decimal(len(chosen))


def _is_our_entry(link_id: str, tag: str) -> bool:
    link = parse(link_id)
    return link is not None and link.account == tag and link.role is Role.ENTRY


def _follow(engine: Engine, symbol: str, wait_s: Decimal, progress: Progress, result: dict[str, object]) -> Steps:
    """Tell how each mirror follows, as it happens, until all are in step or the wait is over."""
    told: set[str] = set()
    until = engine.now_ms() + int(wait_s * 1000)

    def all_told() -> bool:
        for name, mirror in engine.passes.items():
            plan = mirror.plans.get(symbol)
            if name in told or plan is None or mirror.mirror.view.touched_ms(symbol) == 0:
                continue
            if any(not held.waiting for held in plan.held) or plan.parked or _in_step(engine, name, symbol):
                told.add(name)
                progress({"event": "mirror", **_outcome(engine, name, symbol)})
        return len(told) == len(engine.passes)

    yield Wait(all_told, until)
    mirrors = [_outcome(engine, name, symbol) for name in engine.passes]
    return {**result, "symbol": symbol, "mirrors": mirrors}


def _shown(engine: Engine, link_id: str) -> bool:
    """Whether main's view shows an order of ours and accounts for what it filled."""
    order = engine.main.view.by_link(link_id)
    if order is None:
        return False
    resting = order.is_open and order.order_type is OrderType.LIMIT
    return resting or (not order.is_open and engine.main.view.is_settled(order.symbol))


def _in_step(engine: Engine, name: str, symbol: str) -> bool:
    plan = engine.passes[name].plans.get(symbol)
    settled = engine.main.view.is_settled(symbol) and engine.accounts[name].view.is_settled(symbol)
    return bool(
        plan
        and settled
        and not (plan.actions or plan.blocked or plan.held)
        and all(s.have == s.want for s in plan.standings)
    )


def _outcome(engine: Engine, name: str, symbol: str) -> dict[str, object]:
    plan = engine.passes[name].plans.get(symbol)
    standing = next(iter(plan.standings), None) if plan else None
    return {
        "account": name,
        "have": plain(standing.have) if standing else "0" if plan else None,
        "want": plain(standing.want) if standing else "0" if plan else None,
        "held": plan.held[0].reason if plan and plan.held else None,
        "parked": plan.parked or None if plan else None,
    }


def _holding(engine: Engine, symbol: str, side: PositionSide | None) -> PositionSide:
    """The side of main's position; named by the user where both legs stand."""
    held = [s for s in PositionSide if engine.main.view.size(symbol, s)]
    if side is not None and side not in held:
        raise UsageError(f"main holds no {side} {symbol}", "`mirrorctl positions` shows what it holds")
    if not held:
        raise UsageError(f"main holds no {symbol}", "`mirrorctl positions` shows what it holds")
    if side is None and len(held) > 1:
        raise UsageError(f"main holds both legs of {symbol}", "say which: --side long or --side short")
    return side or held[0]


def _trade_of(engine: Engine, symbol: str, side: PositionSide) -> str:
    cycle = engine.keeper.cycles.get((symbol, side))
    return cycle.tag if cycle else trade_tag(engine.main.uid, symbol, side, "unknown")


def _stop_of(engine: Engine, symbol: str, side: PositionSide) -> Decimal | None:
    row = engine.main.view.position(symbol, side)
    return row.stop_loss if row else None


def _hint(code: int) -> str:
    return {
        110007: "main has not enough available balance: trade smaller or add funds",
        110072: "this --client-id was used before",
    }.get(code, f"Bybit's retCode {code}: see docs/troubleshooting.md")
