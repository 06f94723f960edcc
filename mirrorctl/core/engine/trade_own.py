"""What a trade comes to on a mirror with exits of its own, before it is sent: its ladder and its stop, not main's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from mirrorctl.core.domain.breakeven import better
from mirrorctl.core.domain.cycle import Copy
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.own_approach import rung_key
from mirrorctl.core.domain.own_ladder import Aims, places
from mirrorctl.core.domain.own_stop import farthest
from mirrorctl.core.domain.trade import Target
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.reconcile import MirrorPass
from mirrorctl.core.engine.trade_plan import OpenPlan


def own_terms(engine: Engine, seen: OpenPlan, mirror: MirrorPass, copy: Copy) -> OpenPlan:
    """The plan as the mirror sees it, with the ladder of its own approach where it has one."""
    own, trade = engine.policy.approach_of(mirror.mirror.name), seen.trade
    if own is None:
        return seen
    aims = Aims(tuple((trade.rung_key(leg), target.price) for leg, target in enumerate(trade.targets)))
    found = places(aims, _average(seen, mirror), len(own.targets), trade.side, seen.instrument) or ()
    targets = tuple(
        Target(price, percent, key=rung_key(copy, own, leg))
        for leg, ((_, price), percent) in enumerate(zip(found, own.targets, strict=False))
    )
    return replace(seen, trade=replace(trade, approach=own.name, targets=targets))


def own_stop(
    seen: OpenPlan, mirror: MirrorPass, copy: Copy, quantities: Sequence[Decimal]
) -> tuple[Decimal | None, frozenset[int]]:
    """The stop of a mirror that bounds it (`max_stop_bps`) once its entries filled, and which of them come before it.

    From the average entry as it grows, the nearest entry first, and never loosened (see domain/own_stop.py). An entry
    beyond the stop that stands by then does not fill: what it would add to is closed before.
    """
    side, rules, bps = seen.trade.side, seen.instrument, mirror.policy.max_stop_bps
    every = frozenset(range(len(seen.entries)))
    if not bps:
        return seen.trade.stop, every
    row = mirror.mirror.view.position(*seen.key)
    size = ZERO if row is None or row.entry_price is None else row.size
    value = size * ((row.entry_price if row is not None else None) or ZERO)
    own = copy.own_stop
    if size:
        own = better(side, own, farthest(mirror.policy, rules, side, value / size))
    for place in sorted(every, key=lambda place: -seen.entries[place].price * side.sign):
        price, qty = seen.entries[place].price, quantities[place]
        stop = better(side, seen.trade.stop, own)
        if not qty:
            continue
        if size and stop is not None and (price - stop) * side.sign <= 0:
            nearest = [p for p in every if (seen.entries[p].price - stop) * side.sign > 0]
            return stop, frozenset(nearest)
        size, value = size + qty, value + qty * price
        own = better(side, own, farthest(mirror.policy, rules, side, value / size))
    return better(side, seen.trade.stop, own), every


def _average(seen: OpenPlan, mirror: MirrorPass) -> Decimal:
    """Main's average entry once everything has filled, as the mirror sees it; of what is asked for where unknown."""
    mean = sum((entry.price for entry in seen.entries), ZERO) / len(seen.entries)
    row = mirror.sight.of(seen.trade.symbol, seen.instrument).position(*seen.key)
    if row is None or row.entry_price is None:
        return mean
    return (row.size * row.entry_price + seen.qty * mean) / (row.size + seen.qty)
