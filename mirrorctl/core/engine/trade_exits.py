"""The exits of a trade on main, changed by the trader: its stop, its breakeven, its ladder.

For a managed trade the change is written down first and the daemon keeps it; where mirrorctl does not manage the
position, a stop is only set, and a ladder makes it managed.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from decimal import Decimal
from functools import partial

from mirrorctl.core.domain.account import Order
from mirrorctl.core.domain.actions import AmendOrder, SetTradingStop
from mirrorctl.core.domain.breakeven import better, breakeven
from mirrorctl.core.domain.errors import ExchangeError, Rejected, Unavailable, UsageError
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.protection import bound_trigger, trigger_value
from mirrorctl.core.domain.trade import Trade
from mirrorctl.core.domain.values import PositionSide, StopKind, TriggerBy
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.handover import read_trade
from mirrorctl.core.engine.tasks import Progress, Steps, Wait
from mirrorctl.core.engine.trade_intent import (
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
from mirrorctl.core.engine.trade_reads import READ_MS, instrument_of, known_main, taker_rate, ticker_of
from mirrorctl.core.engine.trade_request import TargetWish
from mirrorctl.core.engine.trade_sending import cancel, follow, send_and_wait
from mirrorctl.core.engine.trade_state import (
    exits_stand,
    holding,
    managed_trade,
    our_entries,
    stop_of,
    trading_side,
)

_FOLLOW_S = Decimal(5)


def move_stop(engine: Engine, symbol: str, side: PositionSide | None, price: Decimal, progress: Progress) -> Steps:
    """Set the stop of main's position, and the one attached to every entry of ours that waits (A84)."""
    yield from known_main(engine)
    instrument = yield from instrument_of(engine, symbol)
    ticker = yield from ticker_of(engine, symbol)
    chosen = trading_side(engine, symbol, side)
    stop = instrument.stop_price(price, chosen)
    if engine.main.view.size(symbol, chosen):
        check_stop(symbol, chosen, stop, trigger_value(ticker, _trigger(engine, symbol, chosen)))
    moved = yield from _stand(engine, symbol, chosen, stop, "asked for by `trade stop`")
    return (yield from follow(engine, symbol, _FOLLOW_S, progress, {"stop": plain(stop), **moved}, side=chosen))


def move_to_breakeven(engine: Engine, symbol: str, side: PositionSide | None, progress: Progress) -> Steps:
    """Bring the stop to breakeven now; never to a worse price than the one that stands (A35)."""
    yield from known_main(engine)
    instrument = yield from instrument_of(engine, symbol)
    yield from taker_rate(engine, symbol)
    ticker = yield from ticker_of(engine, symbol)
    chosen = holding(engine, symbol, side)
    row = engine.main.view.position(symbol, chosen)
    if row is None or row.entry_price is None:
        raise Unavailable(f"main's entry price of {symbol} is unknown", "try again")
    trade = managed_trade(engine, symbol, chosen)
    terms = engine.breakeven_terms(engine.main, trade, symbol, chosen)
    even = breakeven(
        chosen, row.entry_price, terms.entry_fees, terms.entry_qty, terms.taker, terms.margin_bps, instrument
    )
    standing = better(chosen, row.stop_loss, trade.stop if trade is not None else None)
    found = {"breakeven": plain(even), "entry_price": plain(row.entry_price), "fees": _fees(terms.entry_fees)}
    if standing is not None and better(chosen, standing, even) == standing:
        found["stop"] = plain(standing)
        return (yield from follow(engine, symbol, _FOLLOW_S, progress, {**found, "moved": False}, side=chosen))
    now = trigger_value(ticker, _trigger(engine, symbol, chosen))
    if (now - even) * chosen.sign <= 0:
        kept = f"the stop at {plain(standing)} stays" if standing is not None else "no stop was set"
        raise UsageError(
            f"breakeven {plain(even)} is passed by the price {plain(now)}: {kept}",
            "a stop there would close the position at once; try again when the price is beyond it",
        )
    moved = yield from _stand(engine, symbol, chosen, even, "asked for by `trade breakeven`", row.entry_price)
    result = {**found, "stop": plain(even), "moved": True, **moved}
    return (yield from follow(engine, symbol, _FOLLOW_S, progress, result, side=chosen))


def set_targets(
    engine: Engine, symbol: str, side: PositionSide | None, wishes: tuple[TargetWish, ...], progress: Progress
) -> Steps:
    """Replace the ladder of main's trade. A position that was not managed is from now on."""
    yield from known_main(engine)
    instrument = yield from instrument_of(engine, symbol)
    ticker = yield from ticker_of(engine, symbol)
    chosen = trading_side(engine, symbol, side)
    managed = managed_trade(engine, symbol, chosen)
    before = managed or _taken_over(engine, symbol, chosen)
    done = engine.keeper.rungs_done(symbol, chosen)
    counts = known_counts(before, engine.policy.approaches.get(before.approach), done)
    targets = ladder_of(wishes, chosen, instrument, None, counts)
    check_targets(symbol, chosen, targets, _beyond(engine, symbol, chosen, ticker.last))
    trade = replaced(before, targets, done)
    if before.approach in UNNAMED:
        trade = with_policy(trade, exit_policy(None, engine.policy.approaches, len(targets), 1))
    engine.trades.save(trade)
    engine.mark(engine.main, symbol)
    freed = let_go(before, trade)
    yield from cancel(engine, [order for order in engine.main.view.orders(symbol) if order.order_id in freed])
    yield Wait(lambda: exits_stand(engine, symbol, chosen), engine.now_ms() + READ_MS)
    result: dict[str, object] = {
        "targets": [{"price": plain(t.price), "percent": plain(round(t.percent, 2))} for t in trade.targets],
        "standing": exits_stand(engine, symbol, chosen),
    }
    if managed is None:
        result["managed"] = True
    return (yield from follow(engine, symbol, _FOLLOW_S, progress, result, side=chosen))


def _taken_over(engine: Engine, symbol: str, side: PositionSide) -> Trade:
    """The trade of a position that was opened elsewhere."""
    found = read_trade(engine, symbol, side)
    if found is None:
        raise Unavailable(f"main's {symbol} position is not read yet", "try again")
    return found.trade


def _beyond(engine: Engine, symbol: str, side: PositionSide, last: Decimal) -> list[Decimal]:
    """What the targets have to lie beyond: the price once something is held, before that the entries."""
    if engine.main.view.size(symbol, side):
        return [last]
    return [order.price for order in our_entries(engine, symbol, side) if order.price is not None]


# --- the stop -----------------------------------------------------------------------------------------------------


def _stand(
    engine: Engine, symbol: str, side: PositionSide, stop: Decimal, reason: str, even_for: Decimal | None = None
) -> Generator[Wait, bool, dict[str, object]]:
    """Write the stop down, set it, read it back, then move what is attached to entries. A refusal leaves the old.

    `even_for`: the entry price that the stop is breakeven of.
    """
    before = managed_trade(engine, symbol, side)
    if before is not None:
        engine.trades.save(replace(before, stop=stop, breakeven_entry=even_for or before.breakeven_entry))
    if engine.main.view.size(symbol, side):
        by = _trigger(engine, symbol, side)
        idx = engine.main.view.mode(symbol).idx(side)
        action = SetTradingStop(engine.main.name, symbol, idx, reason, stop_loss=stop, stop_loss_by=by)
        try:
            yield from send_and_wait(engine, action)
        except (Rejected, Unavailable):
            _put_back(engine, before, stop)
            raise
        yield Wait(lambda: stop_of(engine, symbol, side) == stop, engine.now_ms() + READ_MS)
        if stop_of(engine, symbol, side) != stop:
            raise ExchangeError(
                f"the stop was accepted but is not seen on main's {symbol} position", "look at `mirrorctl positions`"
            )
    engine.mark(engine.main, symbol)
    return (yield from _attach(engine, symbol, side, stop))


def _put_back(engine: Engine, before: Trade | None, stop: Decimal) -> None:
    """The exchange did not take the stop: the one before is what shall stand."""
    now = engine.trades.get(*before.key) if before is not None else None
    if before is not None and now is not None and now.stop == stop:
        engine.trades.save(replace(now, stop=before.stop, breakeven_entry=before.breakeven_entry))


def _attach(engine: Engine, symbol: str, side: PositionSide, stop: Decimal) -> Generator[Wait, bool, dict[str, object]]:
    """Move the stop attached to every entry of ours that waits. Names the entries that keep theirs, and why."""
    moved, kept = 0, []
    for order in our_entries(engine, symbol, side):
        yield Wait(partial(_is_still, engine, order), engine.now_ms() + READ_MS)
        reason = _cannot_attach(engine, order, side, stop)
        if reason:
            kept.append({"order_id": order.order_id, "reason": reason})
            continue
        known = engine.main.view.order(order.order_id) or order
        if known.stop_loss != stop:
            action = AmendOrder(
                account=engine.main.name,
                symbol=symbol,
                order_id=order.order_id,
                link_id=order.link_id,
                reason=f"the stop moved: attached {plain(stop)}",
                stop_loss=stop,
                stop_loss_by=order.stop_loss_by,
                protective=True,
            )
            try:
                yield from send_and_wait(engine, action)
            except (Rejected, Unavailable) as error:
                kept.append({"order_id": order.order_id, "reason": error.message})
                continue
        moved += 1
    return {"entries_moved": moved, "entries_kept": kept}


def _is_still(engine: Engine, order: Order) -> bool:
    """Whether no amend of an order is on its way: the daemon moves attached stops by itself."""
    busy, _ = engine.book.busy(engine.main.name, order.symbol, engine.now_ms())
    return f"amend:{order.order_id}" not in busy


def _cannot_attach(engine: Engine, order: Order, side: PositionSide, stop: Decimal) -> str:
    """Why an entry keeps the stop it carries; "" when it can take the new one."""
    price = order.price if order.price is not None else order.trigger_price
    if engine.main.view.filled(order):
        return "partly filled: the exchange does not change its stop; the position has it"
    if price is None or (price - stop) * side.sign <= 0:
        return f"it lies beyond the stop {plain(stop)}"
    return ""


def _trigger(engine: Engine, symbol: str, side: PositionSide) -> TriggerBy:
    """By which price the stop triggers: as the standing one, else by the last price."""
    idx = engine.main.view.mode(symbol).idx(side)
    return bound_trigger(engine.main.view, symbol, idx, StopKind.STOP_LOSS) or TriggerBy.LAST


def _fees(fees: Decimal | None) -> str:
    return "taken at the taker rate" if fees is None else plain(fees)
