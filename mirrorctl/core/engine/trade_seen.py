"""A planned trade as one mirror will see it: in its own symbol, side, quantities and prices, for the preview."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from mirrorctl.core.domain.growth import NO_STOP, mode_block
from mirrorctl.core.domain.instruments import Instrument, plain
from mirrorctl.core.domain.policy import Hedge
from mirrorctl.core.domain.trade import Trade
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.ports import ReadInstrument
from mirrorctl.core.engine.reconcile import MirrorPass
from mirrorctl.core.engine.state import READ_RETRY_MS
from mirrorctl.core.engine.trade_plan import OpenPlan

BY_FILL = "fill"


def plan_seen(engine: Engine, plan: OpenPlan, mirror: MirrorPass) -> OpenPlan | None:
    """The plan in the mirror's terms; the same plan for one that follows plainly. None: a contract is not read yet.

    A reverse mirror has no orders of its own for main's: what fills is followed, main's furthest target is its stop.
    """
    lens = mirror.sight.lens
    symbol, side = lens.here(plan.key)
    if (symbol, side) == plan.key:
        return plan
    instrument = engine.instruments.get(symbol)
    if instrument is None:
        engine.main.ask(ReadInstrument(symbol), engine.now_ms(), every_ms=READ_RETRY_MS)
        return None
    times = lens.multiplier(plan.trade.symbol)
    return replace(
        plan,
        trade=_trade(plan.trade, symbol, side, times, instrument, reverse=lens.reverse),
        entries=tuple(
            replace(
                entry,
                kind=BY_FILL if lens.reverse else entry.kind,
                price=instrument.price_not_worse(entry.price / times, side.entry),
            )
            for entry in plan.entries
        ),
        orders=tuple(replace(order, qty=order.qty * times) for order in plan.orders),
        instrument=instrument,
    )


def seen_block(engine: Engine, plan: OpenPlan, mirror: MirrorPass) -> str:
    """Why this mirror would not follow for the way it sees main; "" when it would."""
    sight, (symbol, side) = mirror.sight, plan.key
    lens, here = sight.lens, sight.lens.here(plan.key)
    if not lens.follows(symbol):
        return f"map: {symbol} stands for main's {lens.symbol_there(symbol)} on this mirror"
    if blocked := mode_block(mirror.policy, mirror.mirror.view, here[0]):
        return blocked
    if lens.reverse and not plan.trade.targets:
        return NO_STOP
    if not sight.is_one_way(here[0]) or not engine.main.view.size(symbol, side.opposite):
        return ""
    if lens.hedge is Hedge.REFUSE:
        return "hedge: both legs of main would stand, and the mirror is one-way"
    if lens.hedge is Hedge.NET and not sight.grown(*here, plan.qty):
        return f"hedge: net, main's {side} beside its {side.opposite} only reduces what is followed"
    if lens.favoured is side.opposite:
        return f"hedge: {lens.hedge}, main's {side} is not followed while both legs stand"
    return ""


def terms_of(plan: OpenPlan, seen: OpenPlan, mirror: MirrorPass, stop: Decimal | None) -> str | None:
    """In words, how a mirror trades what main does in another way; None for one that follows plainly.

    `stop`: the one that it will have, main's or a nearer one of its own.
    """
    lens, trade = mirror.sight.lens, seen.trade
    parts = []
    bound = "" if stop == trade.stop else f"max_stop_bps = {plain(mirror.policy.max_stop_bps)}"
    if lens.reverse:
        target = reverse_target(plan, seen, mirror)
        ends = [("stop", stop, bound or "main's furthest target"), ("target", target, "main's stop")]
        told = [f"{name} {plain(price)} ({why})" for name, price, why in ends if price is not None]
        parts.append(", ".join([f"reverse: {trade.side} by main's fills", *told]))
    elif bound and stop is not None:
        parts.append(f"stop {plain(stop)} ({bound})")
    if trade.symbol != plan.trade.symbol:
        parts.append(f"as {trade.symbol}, {plain(lens.multiplier(plan.trade.symbol))} of it for 1 of main's")
    return "; ".join(parts) or None


def _trade(
    trade: Trade, symbol: str, side: PositionSide, times: Decimal, instrument: Instrument, *, reverse: bool
) -> Trade:
    stop, targets = trade.stop, trade.targets
    if reverse:
        prices = [target.price for target in targets]
        stop, targets = max(prices, key=lambda price: price * trade.side.sign, default=None), ()
    return replace(
        trade,
        symbol=symbol,
        side=side,
        stop=None if stop is None else instrument.stop_price(stop / times, side),
        targets=tuple(
            replace(target, price=instrument.price_not_worse(target.price / times, side.exit)) for target in targets
        ),
    )


def reverse_target(plan: OpenPlan, seen: OpenPlan, mirror: MirrorPass) -> Decimal | None:
    """The take-profit of a reverse mirror: where main's stop is. None without one, and for every other mirror."""
    if plan.trade.stop is None or not mirror.sight.lens.reverse:
        return None
    times = mirror.sight.lens.multiplier(plan.trade.symbol)
    return seen.instrument.price_not_worse(plan.trade.stop / times, seen.trade.side.exit)
