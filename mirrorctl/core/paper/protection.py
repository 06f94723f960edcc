"""Take-profits, stop-losses and trailing stops: system orders bound to a position.

They are live orders with status Untriggered, an empty link id and reduceOnly, visible in order/realtime
(docs v5/position/trading-stop). They follow the size of the position and vanish with it.
"""

from dataclasses import dataclass
from decimal import Decimal

from mirrorctl.core.paper.decimals import ZERO
from mirrorctl.core.paper.floor import Floor
from mirrorctl.core.paper.guards import FULL_TYPES, full_guard, protective_orders
from mirrorctl.core.paper.model import Order, Position, Side, Status

CREATE_TYPES = {
    "TakeProfit": "CreateByTakeProfit",
    "StopLoss": "CreateByStopLoss",
    "TrailingStop": "CreateByTrailingStop",
    "PartialTakeProfit": "CreateByPartialTakeProfit",
    "PartialStopLoss": "CreateByPartialStopLoss",
}


@dataclass(frozen=True, slots=True)
class GuardSpec:
    """What a protective order shall be. `limit` zero means market when triggered."""

    stop_type: str
    trigger_price: Decimal
    trigger_by: str = "LastPrice"
    qty: Decimal = ZERO
    limit: Decimal = ZERO
    trail: Decimal = ZERO
    parent_link_id: str = ""

    @property
    def is_profit(self) -> bool:
        """Fires when price moves in favour of the position."""
        return self.stop_type.endswith("TakeProfit")


def trigger_direction(leg_side: Side, profit: bool) -> int:
    """1 to fire on a rise, 2 on a fall."""
    return 1 if (leg_side is Side.BUY) == profit else 2


def place_guard(floor: Floor, leg: Position, spec: GuardSpec) -> Order:
    """Creates a protective order for the leg, or moves the position-wide one that stands."""
    assert leg.side is not None
    standing = full_guard(floor.state, leg, spec.stop_type) if spec.stop_type in FULL_TYPES else None
    market = floor.state.markets[leg.symbol]
    if standing is None:
        n, order_id = floor.state.new_id()
        standing = Order(
            order_id=order_id,
            n=n,
            uid=leg.uid,
            symbol=leg.symbol,
            side=leg.side.opposite,
            order_type="Limit" if spec.limit else "Market",
            qty=spec.qty or leg.size,
            price=spec.limit,
            tif="GTC" if spec.limit else "IOC",
            idx=leg.idx,
            created_ms=floor.now,
            updated_ms=floor.now,
            last_on_created=market.last,
            parent_link_id=spec.parent_link_id,
            reduce_only=True,
            close_on_trigger=True,
            status=Status.UNTRIGGERED,
            create_type=CREATE_TYPES[spec.stop_type],
            stop_type=spec.stop_type,
            trigger_direction=trigger_direction(leg.side, spec.is_profit),
            tpsl_mode="Partial" if spec.qty else "Full",
        )
        floor.state.add_order(standing)
    elif spec.parent_link_id:
        standing.parent_link_id = spec.parent_link_id
    standing.trigger_price = spec.trigger_price
    standing.trigger_by = spec.trigger_by
    if spec.trail:
        standing.trail = spec.trail
        standing.active_price = spec.trigger_price
        standing.extreme = ZERO if spec.trigger_price else market.last
    floor.tell_order(standing)
    return standing


def bind(first: Order | None, second: Order | None) -> None:
    """Makes two orders cancel each other; with one missing, unbinds the other."""
    for order, other in ((first, second), (second, first)):
        if order is not None:
            order.pair_id = other.order_id if other is not None else ""


def drop_guard(floor: Floor, order: Order, cancel_type: str) -> None:
    """Cancels a protective order that has not fired."""
    floor.finish(order, Status.DEACTIVATED, cancel_type, "EC_PerCancelRequest")


def unbind(floor: Floor, order: Order) -> None:
    """Loosens a pair after a one-sided change (docs v5/position/trading-stop)."""
    other = floor.state.orders_by_uid[order.uid].get(order.pair_id)
    order.pair_id = ""
    if other is not None:
        other.pair_id = ""
        floor.state.touch_order(other)


def cancel_pair(floor: Floor, fired: Order) -> None:
    """Cancels the other half of a pair when one half has fired."""
    other = floor.state.orders_by_uid[fired.uid].get(fired.pair_id)
    if other is not None and other.status is Status.UNTRIGGERED:
        profit = fired.stop_type.endswith("TakeProfit")
        kind = "CancelByOCOSlCanceledByTpTriggered" if profit else "CancelByOCOTpCanceledBySlTriggered"
        drop_guard(floor, other, kind)


def follow_position(floor: Floor, leg: Position, side_before: Side | None) -> None:
    """After a change of size: resizes what protects the leg, or clears it when the leg closed or turned."""
    closed = not leg.size or (side_before is not None and leg.side is not side_before)
    for order in protective_orders(floor.state, leg):
        if order.status is not Status.UNTRIGGERED:
            continue
        if closed:
            drop_guard(floor, order, "CancelByTpSlTsClear")
        elif order.stop_type in FULL_TYPES and order.qty != leg.size:
            order.qty = leg.size
            floor.tell_order(order)
    if closed:
        _cancel_reducers(floor, leg)


def _cancel_reducers(floor: Floor, leg: Position) -> None:
    for order in floor.state.live(leg.uid, leg.symbol):
        waits = order.idx == leg.idx and order.reduce_only and order.resting and order.leaves
        if waits and not floor.state.held(leg.uid, leg.symbol, leg.idx, order.side):
            floor.finish(order, Status.CANCELLED, "CancelByReduceOnly", "EC_PerCancelRequest")


def attach(floor: Floor, order: Order, leg: Position, opened: Decimal) -> None:
    """Applies the take-profit and stop-loss attached to an entry once part of it has filled."""
    if not (order.take_profit or order.stop_loss):
        return
    partial = order.tpsl_mode == "Partial"
    made: list[Order | None] = []
    for profit, price, by, kind, limit in (
        (True, order.take_profit, order.tp_trigger_by, order.tp_order_type, order.tp_limit),
        (False, order.stop_loss, order.sl_trigger_by, order.sl_order_type, order.sl_limit),
    ):
        if not price:
            made.append(None)
            continue
        name = "TakeProfit" if profit else "StopLoss"
        spec = GuardSpec(
            stop_type=f"Partial{name}" if partial else name,
            trigger_price=price,
            trigger_by=by or "LastPrice",
            qty=opened if partial else ZERO,
            limit=limit if partial and kind == "Limit" else ZERO,
            parent_link_id=order.link_id,
        )
        made.append(place_guard(floor, leg, spec))
    if made[0] is not None and made[1] is not None:
        bind(made[0], made[1])
