"""Potential PnL: what a position brings where its targets fill, and what where its stop does.

Price differences alone, in the settle coin, from the average entry of what is held: fees and funding are not in them,
nor what was realised before. A quantity that no order stands for is left out and named, never guessed at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from mirrorctl.core.domain.account import Order, Position
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.values import PositionSide, StopKind, TimeInForce

Leaves = Callable[[Order], Decimal]

_HUNDRED = Decimal(100)
_PASSING = frozenset((TimeInForce.IOC, TimeInForce.FOK))  # what does not fill at once never will


@dataclass(frozen=True, slots=True)
class Level:
    """A price at which an exit stands, and what it closes in base coin; 0: all that is left of the position."""

    price: Decimal
    qty: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Potential:
    """`pnl` of the part that `levels` close, None where none does or a price is unknown. `left`: what none closes."""

    pnl: Decimal | None
    left: Decimal
    known: bool = True


def stops_of(row: Position, orders: Iterable[Order], leaves: Leaves) -> tuple[Level, ...]:
    """The position's own stop, which closes all of it, then Partial ones, nearest to the price first.

    A trailing stop has no price of its own and is not among them (position/trading-stop).
    """
    if row.side is None:
        return ()
    sign = row.side.sign
    partial = [
        Level(order.trigger_price, leaves(order))
        for order in _exits(row, orders, leaves)
        if order.stop_kind is StopKind.PARTIAL_STOP_LOSS and order.trigger_price is not None
    ]
    own = [Level(row.stop_loss)] if row.stop_loss else []
    return (*own, *sorted(partial, key=lambda level: -level.price * sign))


def targets_of(row: Position, orders: Iterable[Order], leaves: Leaves) -> tuple[Level, ...]:
    """The position's own take-profit, which closes all of it, then limits and Partial ones, nearest first.

    A limit order against a one-way position is one up to its size, reduce-only or not. A conditional order by hand is
    none: whether it takes profit or stops a loss is not told by its kind.
    """
    if row.side is None:
        return ()
    sign = row.side.sign
    rungs = []
    for order in _exits(row, orders, leaves):
        partial = order.stop_kind is StopKind.PARTIAL_TAKE_PROFIT
        price = order.trigger_price if partial else order.price
        reduces = order.reduce_only or not row.idx
        rests = reduces and order.stop_kind is StopKind.NONE and order.time_in_force not in _PASSING
        if price is not None and (partial or rests):
            rungs.append(Level(price, leaves(order)))
    own = [Level(row.take_profit)] if row.take_profit else []
    return (*own, *sorted(rungs, key=lambda level: level.price * sign))


def at_targets(side: PositionSide, size: Decimal, entry: Decimal | None, levels: Iterable[Level]) -> Potential:
    """What `size` brings when every target fills, the nearest first."""
    return _at(side, size, entry, sorted(levels, key=lambda level: level.price * side.sign))


def at_stops(side: PositionSide, size: Decimal, entry: Decimal | None, levels: Iterable[Level]) -> Potential:
    """What `size` brings when its stops trigger, the nearest first; negative is a loss."""
    return _at(side, size, entry, sorted(levels, key=lambda level: -level.price * side.sign))


def total(potentials: Sequence[Potential]) -> Decimal | None:
    """The sum of an account's positions. None where one is unknown, or where there are some and no level for any."""
    brought = [potential.pnl for potential in potentials if potential.pnl is not None]
    if not all(potential.known for potential in potentials) or (potentials and not brought):
        return None
    return sum(brought, ZERO)


def stop_distance_pct(side: PositionSide, mark: Decimal | None, stop: Decimal | None) -> Decimal | None:
    """How far the mark price is from the stop, in percent of it; negative once it was passed."""
    return None if not mark or stop is None else (mark - stop) * side.sign * _HUNDRED / mark


def _at(side: PositionSide, size: Decimal, entry: Decimal | None, levels: Sequence[Level]) -> Potential:
    left, brought = size, ZERO
    for level in levels:
        qty = min(level.qty or left, left)
        left -= qty
        if entry is not None:
            brought += (level.price - entry) * qty * side.sign
    if not levels or entry is None:
        return Potential(None, left, known=entry is not None)
    return Potential(brought, left)


def _exits(row: Position, orders: Iterable[Order], leaves: Leaves) -> Iterator[Order]:
    """Orders on the exit side of a position that may still fill; one of quantity 0 is for all of it."""
    for order in orders:
        ours = (order.symbol, order.position_idx) == row.key and row.side is not None and order.side is row.side.exit
        if ours and (leaves(order) > ZERO or not order.qty):
            yield order
