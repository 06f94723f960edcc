"""Trades on main as tasks: open, close, reduce, cancel.

Each is a list of steps on the engine's thread: read what is missing, check, write down, journal and send, wait for the
exchange's word, then tell how the mirrors follow. What is asked for is checked against limits before anything is sent.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from decimal import Decimal

from mirrorctl.core.domain.actions import PlaceOrder
from mirrorctl.core.domain.errors import (
    ExchangeError,
    MirrorctlError,
    Rejected,
    StoreError,
    Unavailable,
    UsageError,
)
from mirrorctl.core.domain.ids import LinkId, Role, step_tag, trade_tag
from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.scene import Planned
from mirrorctl.core.domain.values import OrderType, PositionSide, TimeInForce
from mirrorctl.core.engine.client_ids import note_client_id, said_before
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.records import Intent
from mirrorctl.core.engine.tasks import Progress, Steps, Wait
from mirrorctl.core.engine.trade_intent import added
from mirrorctl.core.engine.trade_limits import check_entries, check_not_paused
from mirrorctl.core.engine.trade_plan import OpenPlan, plan_open
from mirrorctl.core.engine.trade_preview import preview_open
from mirrorctl.core.engine.trade_reads import READ_MS, instrument_of, known_main
from mirrorctl.core.engine.trade_request import OpenRequest
from mirrorctl.core.engine.trade_seen import plan_seen
from mirrorctl.core.engine.trade_sending import cancel, follow, send_and_wait, send_journaled
from mirrorctl.core.engine.trade_sizing import planned_copy, read_equities, sized_wishes
from mirrorctl.core.engine.trade_state import holding, our_entries, our_targets, trading_side

_CLEARED_MS = 1_000
_EQUITIES_MS = 500


def open_trade(engine: Engine, request: OpenRequest, progress: Progress) -> Steps:
    """Open a trade on main; returns once its orders are accepted and the mirrors followed or the wait is over.

    A new trade is written down before its first order is sent, and forgotten when the exchange takes none of them. What
    is added to a trade changes its stop and ladder only once an entry was taken: else the earlier ones stay (A40).
    """
    check_not_paused(engine, request.symbol)
    if (before := said_before(engine, request)) is not None:
        return before
    plan = yield from plan_open(engine, request)
    yield from read_equities(engine, plan.asked_ms, within_ms=_EQUITIES_MS)  # no mirror delays main for longer (A10)
    yield from read_equities(engine, plan.asked_ms, names=[wish.mirror for wish in plan.wishes])
    plan = replace(plan, wishes=sized_wishes(engine, plan))
    preview = preview_open(engine, plan)
    progress({"event": "preview", "symbol": request.symbol, "side": request.side.value, "preview": preview})
    if plan.leverage is not None:
        yield from send_and_wait(engine, plan.leverage)
    placed, refused = yield from _enter(engine, plan, request, progress)
    yield from cancel(engine, [o for o in engine.main.view.orders(request.symbol) if o.order_id in plan.let_go])
    yield Wait(lambda: all(_shown(engine, order.link_id) for order in placed), engine.now_ms() + READ_MS)
    result: dict[str, object] = {
        "placed": plain(sum((order.qty for order in placed), ZERO)),
        "approach": plan.trade.approach,
        "refused": refused,
        "preview": preview,
    }
    if plan.takes_over:
        result["managed"] = True
    return (yield from follow(engine, request.symbol, request.wait_s, progress, result, side=request.side))


def expected(engine: Engine, plan: OpenPlan) -> list[dict[str, object]]:
    """What the request comes to on each mirror by its ratio alone; `preview_open` has all of it."""
    rows: list[dict[str, object]] = []
    for name, mirror in engine.passes.items():
        copy = planned_copy(engine, plan, mirror)
        known, seen = not copy.unsized, plan_seen(engine, plan, mirror)
        qty = None if seen is None else seen.instrument.floor_qty(seen.qty * copy.ratio)
        rows.append(
            {
                "account": name,
                "qty": plain(qty) if known and qty is not None else None,
                "factor": plain(copy.ratio) if known else None,
                "sizing": copy.formula or copy.unsized,
            }
        )
    return rows


def _enter(
    engine: Engine, plan: OpenPlan, request: OpenRequest, progress: Progress
) -> Generator[Wait, bool, tuple[list[PlaceOrder], list[dict[str, object]]]]:
    """Send every entry. Returns what the exchange took and what it refused; raises when it took nothing."""
    placed: list[PlaceOrder] = []
    errors: list[ExchangeError] = []
    refused: list[dict[str, object]] = []
    check_not_paused(engine, plan.trade.symbol)  # what came meanwhile counts as well: nothing waits from here on
    entries = zip(plan.orders, plan.entries, strict=True)
    check_entries(engine, plan.trade.symbol, [(order.qty, entry.price) for order, entry in entries])
    # All in one transaction: a kill between two of them leaves in the journal what is still to be sent (A43).
    with engine.store.batch():
        if not plan.adds:
            engine.trades.save(plan.trade)
        engine.trades.wishes.add(plan.wishes)
        note_client_id(engine, request, plan.orders[0].link_id)
        journaled = engine.book.open_all([Planned(order) for order in plan.orders], engine.now_ms())
    if engine.store.error:  # it failed just now: nothing of it is sent
        for intent in journaled:
            engine.book.withdraw(intent.intent_id, engine.now_ms())
        if not plan.adds:
            engine.trades.drop(plan.key)
        raise StoreError(f"no entry is sent: {engine.store.error}", engine.store.hint)
    try:
        yield from _send_entries(engine, plan, journaled, placed, errors, refused, progress)
    except MirrorctlError:
        for intent in journaled:
            engine.book.withdraw(intent.intent_id, engine.now_ms())
        raise
    if placed:
        return placed, refused
    if not plan.adds:
        engine.trades.drop(plan.key)
    raise errors[0]


def _send_entries(
    engine: Engine,
    plan: OpenPlan,
    journaled: Sequence[Intent],
    placed: list[PlaceOrder],
    errors: list[ExchangeError],
    refused: list[dict[str, object]],
    progress: Progress,
) -> Generator[Wait, bool, None]:
    """Send one entry after the other and sort them by what became of them."""
    for leg, (order, entry) in enumerate(zip(plan.orders, journaled, strict=True)):
        try:
            intent = yield from send_journaled(engine, entry)
        except (Rejected, Unavailable) as error:
            errors.append(error)
            price = None if order.price is None else plain(order.price)
            refused.append({"entry": leg + 1, "price": price, "qty": plain(order.qty), "reason": error.message})
            continue
        if plan.adds and not placed:
            _write_added(engine, plan)
        placed.append(order)
        progress({"event": "main", "symbol": order.symbol, "link_id": order.link_id, "state": intent.state.value})


def _write_added(engine: Engine, plan: OpenPlan) -> None:
    """Write down what the request changes of the trade as it stands by now."""
    now = engine.trades.get(*plan.key)
    engine.trades.save(plan.trade if now is None else added(now, plan.standing, plan.trade))
    engine.mark(engine.main, plan.trade.symbol)


def close_trade(engine: Engine, symbol: str, side: PositionSide | None, wait_s: Decimal, progress: Progress) -> Steps:
    """Cancel our resting entries and close main's position with a reduce-only market order; then no target stays."""
    yield from known_main(engine)
    yield from instrument_of(engine, symbol)
    chosen = trading_side(engine, symbol, side)
    yield from cancel(engine, our_entries(engine, symbol, chosen))
    size = engine.main.view.size(symbol, chosen)
    if size:
        yield from _reduce_main(engine, symbol, chosen, size)
    if not engine.main.view.size(symbol, chosen):
        # The exchange clears reduce-only orders of a flat position by itself, sooner or later.
        yield Wait(lambda: not our_targets(engine, symbol, chosen), engine.now_ms() + _CLEARED_MS)
        yield from cancel(engine, our_targets(engine, symbol, chosen))
    return (yield from follow(engine, symbol, wait_s, progress, {"closed": plain(size)}, side=chosen))


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
    chosen = holding(engine, symbol, side)
    size = engine.main.view.size(symbol, chosen)
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
    yield from _reduce_main(engine, symbol, chosen, qty)
    return (yield from follow(engine, symbol, wait_s, progress, {"reduced": plain(qty)}, side=chosen))


def cancel_orders(engine: Engine, symbol: str, side: PositionSide | None, wanted: str, progress: Progress) -> Steps:
    """Cancel our resting entries of a symbol on main, or the one order named by its id or link id, whoever made it."""
    yield from known_main(engine)
    yield from instrument_of(engine, symbol)
    named = [o for o in engine.main.view.orders(symbol) if wanted and wanted in (o.order_id, o.link_id)]
    cancelled = yield from cancel(engine, named if wanted else our_entries(engine, symbol, side))
    if wanted and not cancelled:
        raise UsageError(f"main has no open order {wanted} on {symbol}", "`mirrorctl orders` lists them")
    return (yield from follow(engine, symbol, Decimal(5), progress, {"cancelled": cancelled}, side=side))


def _reduce_main(engine: Engine, symbol: str, side: PositionSide, qty: Decimal) -> Generator[Wait, bool, None]:
    main = engine.main
    seq = str(main.view.seq(symbol))
    link = LinkId(
        main.tag, _cycle_tag(engine, symbol, side), Role.REDUCTION, 0, step_tag(symbol, side, seq, plain(qty)), 0
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


def _cycle_tag(engine: Engine, symbol: str, side: PositionSide) -> str:
    cycle = engine.keeper.cycles.get((symbol, side))
    return cycle.tag if cycle else trade_tag(engine.main.uid, symbol, side, "unknown")


def _shown(engine: Engine, link_id: str) -> bool:
    """Whether main's view shows an order of ours and accounts for what it filled."""
    order = engine.main.view.by_link(link_id)
    if order is None:
        return False
    resting = order.is_open and order.order_type is OrderType.LIMIT
    return resting or (not order.is_open and engine.main.view.is_settled(order.symbol))
