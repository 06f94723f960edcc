"""What a trade comes to on a mirror with an approach of its own, before it is sent: its ladder, not main's."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from mirrorctl.core.domain.cycle import Copy
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.own_approach import rung_key
from mirrorctl.core.domain.own_ladder import Aims, places
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


def _average(seen: OpenPlan, mirror: MirrorPass) -> Decimal:
    """Main's average entry once everything has filled, as the mirror sees it; of what is asked for where unknown."""
    mean = sum((entry.price for entry in seen.entries), ZERO) / len(seen.entries)
    row = mirror.sight.of(seen.trade.symbol, seen.instrument).position(*seen.key)
    if row is None or row.entry_price is None:
        return mean
    return (row.size * row.entry_price + seen.qty * mean) / (row.size + seen.qty)
