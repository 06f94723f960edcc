"""Which system orders protect a position, read from the live orders."""

from dataclasses import dataclass
from decimal import Decimal

from mirrorctl.core.paper.decimals import ZERO
from mirrorctl.core.paper.model import Order, Position
from mirrorctl.core.paper.state import State

FULL_TYPES = ("TakeProfit", "StopLoss", "TrailingStop")


@dataclass(frozen=True, slots=True)
class PositionGuards:
    """Trigger prices bound to a whole position and the trailing distance, zero for none."""

    take_profit: Decimal = ZERO
    stop_loss: Decimal = ZERO
    trailing: Decimal = ZERO


def protective_orders(state: State, leg: Position) -> list[Order]:
    """Every live system order of a leg, full and partial, oldest first."""
    return [
        order
        for order in state.orders_by_symbol[leg.symbol].values()
        if order.protective and order.uid == leg.uid and order.idx == leg.idx
    ]


def full_guard(state: State, leg: Position, stop_type: str) -> Order | None:
    """The position-wide order of one of `FULL_TYPES`, or None."""
    for order in protective_orders(state, leg):
        if order.stop_type == stop_type:
            return order
    return None


def guards_of(state: State, leg: Position) -> PositionGuards:
    """What the position row shows as takeProfit, stopLoss and trailingStop."""
    if not leg.size:
        return PositionGuards()
    found = {order.stop_type: order for order in protective_orders(state, leg)}
    take, stop, trail = (found.get(kind) for kind in FULL_TYPES)
    return PositionGuards(
        take.trigger_price if take else ZERO,
        stop.trigger_price if stop else ZERO,
        trail.trail if trail else ZERO,
    )
