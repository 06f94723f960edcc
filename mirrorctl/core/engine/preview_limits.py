"""Which entries of a planned trade a mirror's limits will take, by the figures that its pass will use (A75).

As the planner has it: what follows a fill is ordered at the slippage bound and in orders of the contract's largest
quantity, a twin stands at its own price, and each is refused as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from mirrorctl.core.domain.approach import LIMIT
from mirrorctl.core.domain.day_limits import unknown
from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.limits import Exposure
from mirrorctl.core.engine.reconcile import MirrorPass
from mirrorctl.core.engine.trade_plan import Entry, OpenPlan

_MOST_PARTS = 100


@dataclass(frozen=True, slots=True)
class Taken:
    """What one entry comes to: the quantity that may go, and why the rest may not; "" when all of it may."""

    qty: Decimal
    refusal: str = ""


def taken(
    engine: Engine, seen: OpenPlan, mirror: MirrorPass, quantities: Sequence[Decimal], leverage: Decimal | None
) -> list[Taken]:
    """Each entry's quantity as far as the limits let it go, in the order in which they are planned.

    That is main's, but where the mirror has its position or `leverage` still to come: by then twins are planned first.
    What a minute's orders are over waits for the next one and is not refused; `rate_warning` names it.
    """
    limits = mirror.policy.limits
    if limits.max_orders_per_minute:
        limits = replace(limits, max_orders_per_minute=None)
    day = engine.day_of(mirror.mirror)
    exposure = mirror.exposure(engine.tickers, engine.now_ms(), day, limits)
    view, (symbol, side) = mirror.mirror.view, seen.key
    waits = not view.proven(symbol, side) or leverage not in (None, view.leverage.get(symbol))
    order = sorted(range(len(quantities)), key=lambda place: waits and seen.entries[place].kind != LIMIT)
    found = {place: _taken(exposure, seen, mirror, seen.entries[place], quantities[place]) for place in order}
    return [found[place] for place in range(len(quantities))]


def days_unread(engine: Engine) -> bool:
    """Whether a limit of the day of some mirror cannot be computed yet: then its entries would be refused."""
    known = (mirror for mirror in engine.passes.values() if engine.is_known(mirror.mirror))
    return any(unknown(mirror.policy.limits, engine.day_of(mirror.mirror)) for mirror in known)


def rate_warning(engine: Engine, mirror: MirrorPass, orders: int) -> str | None:
    """What is said where so many entries are more than may be placed within this minute."""
    most, name = mirror.policy.limits.max_orders_per_minute, mirror.mirror.name
    sent = engine.book.placements(name, engine.now_ms())
    if most is None or not orders or sent + orders <= most:
        return None
    return f"limit max_orders_per_minute: {sent} of {most} sent, entries wait"


def _taken(exposure: Exposure, seen: OpenPlan, mirror: MirrorPass, entry: Entry, qty: Decimal) -> Taken:
    symbol, rules = seen.trade.symbol, seen.instrument
    price = entry.price
    if entry.kind != LIMIT:
        bound = rules.bounded_price(price, seen.trade.side.entry, mirror.policy.follow.max_slippage_bps)
        price = max(price, bound)
    went = ZERO
    for part in range(_MOST_PARTS):
        left = qty - went
        order = left if part + 1 == _MOST_PARTS or entry.kind == LIMIT else min(left, rules.max_limit_qty)
        if not order:
            break
        if refusal := exposure.refusal(symbol, order, price):
            return Taken(went, refusal)
        exposure.charge(symbol, order, price)
        went += order
    return Taken(went)


def limit_warnings(found: Sequence[Taken]) -> list[str]:
    """One line for each reason, with the entries that it keeps back, counted from 1."""
    reasons: dict[str, list[int]] = {}
    for place, each in enumerate(found, 1):
        if each.refusal:
            reasons.setdefault(each.refusal, []).append(place)
    return [
        f"{'entry' if len(places) == 1 else 'entries'} {', '.join(map(str, places))} will be held"
        f"{_part(found, places)}: {reason}"
        for reason, places in reasons.items()
    ]


def _part(found: Sequence[Taken], places: Sequence[int]) -> str:
    went = sum((found[place - 1].qty for place in places), ZERO)
    return f" beyond {plain(went)}" if went else ""
