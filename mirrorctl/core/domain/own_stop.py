"""A mirror's stop of its own: never farther from its own entry than the profile allows (`max_stop_bps`).

It is written down with the copy and only ever moved to a better price, so it is never loosened, whatever main's stop
does; without a stop on main it is the mirror's only one.
"""

from __future__ import annotations

from decimal import Decimal

from mirrorctl.core.domain.account import Position
from mirrorctl.core.domain.breakeven import better
from mirrorctl.core.domain.cycle import Copy
from mirrorctl.core.domain.instruments import ZERO, Instrument
from mirrorctl.core.domain.policy import MirrorPolicy
from mirrorctl.core.domain.scene import Scene
from mirrorctl.core.domain.values import PositionSide

_BPS = Decimal(10_000)


def farthest(policy: MirrorPolicy, instrument: Instrument, side: PositionSide, price: Decimal) -> Decimal | None:
    """How far from an entry at `price` a stop may stand at most; None without a bound."""
    bps = policy.max_stop_bps
    if not bps:
        return None
    stop = instrument.stop_price(price * (1 - side.sign * bps / _BPS), side)
    return stop if stop > ZERO else None


def of_position(
    scene: Scene, side: PositionSide, copy: Copy, row: Position, standing: Decimal | None
) -> Decimal | None:
    """The mirror's own stop by the bound: from its average entry, and no worse than it was. `standing`: main's stop.

    A stop that its entry brought, nearer than both, stays as it is.
    """
    bound = None if row.entry_price is None else farthest(scene.policy, scene.instrument, side, row.entry_price)
    if bound is None:
        return copy.own_stop
    brought = row.stop_loss if copy.own_stop is None else None
    if brought is not None and better(side, brought, better(side, bound, standing)) == brought != standing:
        bound = brought
    return better(side, copy.own_stop, bound)


def of_entry(scene: Scene, side: PositionSide, stop: Decimal | None, price: Decimal) -> Decimal | None:
    """The stop that an entry carries which is to fill at `price`: `stop`, or a better one of the mirror's own.

    Beside a position that is the stop that stands there, where it lies beyond the price; else the bound from the price.
    """
    copy = scene.copies.get(side)
    own = copy.own_stop if copy is not None and scene.have[side] else None
    if own is None or (price - own) * side.sign <= 0:
        own = farthest(scene.policy, scene.instrument, side, price)
    return better(side, stop, own)


def of_correction(
    scene: Scene, side: PositionSide, copy: Copy, stop: Decimal | None, reference: Decimal
) -> Decimal | None:
    """As `of_entry`, for an order that takes what the market gives: no nearer than the last price that is known."""
    if copy.own_stop is None and not scene.policy.max_stop_bps:
        return stop
    ticker = scene.fresh_ticker()
    last = reference if ticker is None else ticker.last
    return of_entry(scene, side, stop, min(reference, last) if side is PositionSide.LONG else max(reference, last))
