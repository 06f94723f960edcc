"""The life of an order against the synthetic book: accept, activate, fill, amend, cancel."""

from decimal import Decimal

from mirrorctl.core.paper import book
from mirrorctl.core.paper.decimals import ZERO
from mirrorctl.core.paper.fills import fill, fillable
from mirrorctl.core.paper.floor import Floor
from mirrorctl.core.paper.margin import affordable
from mirrorctl.core.paper.model import Order, Side, Status
from mirrorctl.core.paper.protection import cancel_pair


def accept(floor: Floor, order: Order) -> None:
    """Takes a validated order in: a conditional waits, everything else meets the book at once."""
    floor.state.add_order(order)
    if order.trigger_price:
        order.status = Status.UNTRIGGERED
        floor.tell_order(order)
    else:
        activate(floor, order)
    floor.tell_leg(order.uid, order.symbol, order.idx)


def trigger(floor: Floor, order: Order) -> None:
    """Fires a conditional or protective order at the present price."""
    order.status = Status.TRIGGERED
    floor.tell_order(order)
    cancel_pair(floor, order)
    market = floor.state.markets[order.symbol]
    if order.reduce_only and not fillable(floor, order, order.leaves):
        floor.finish(order, Status.CANCELLED, "CancelByReduceOnly", "EC_PerCancelRequest")
    elif not affordable(floor.state, order, order.price or market.last):
        # Conditionals reserve nothing: short of margin now, they die (docs v5/order/create-order).
        floor.finish(order, Status.CANCELLED, "UNKNOWN", "EC_Others")
    else:
        order.status = Status.NEW
        activate(floor, order)
    floor.tell_leg(order.uid, order.symbol, order.idx)


def activate(floor: Floor, order: Order) -> None:
    """Matches a live order against the book and leaves, ends or refuses the rest by its time in force."""
    state = floor.state
    market, item = state.markets[order.symbol], state.instruments[order.symbol]
    worst = order.price
    if order.order_type == "Market":
        worst = order.price = order.price or book.worst_market_price(market, item, order.side)
    first = book.best(market, item, order.side)
    crossing = first <= worst if order.side is Side.BUY else first >= worst
    if order.tif == "PostOnly" and crossing:
        floor.finish(order, Status.CANCELLED, "UNKNOWN", "EC_PostOnlyWillTakeLiquidity")
        return
    if order.tif == "FOK" and book.available(market, item, order.side, worst) < order.leaves:
        floor.finish(order, Status.CANCELLED, "UNKNOWN", "EC_NoEnoughQtyToFill")
        return
    if crossing:
        wanted = fillable(floor, order, order.leaves)
        for price, qty in list(book.sweep(market, item, order.side, wanted, worst)):
            if not order.is_open or not fill(floor, order, qty, price, maker=False):
                break
    settle(floor, order)


def settle(floor: Floor, order: Order) -> None:
    """Gives an order that has just met the book its resting or final state, and tells it."""
    if not order.is_open:
        return
    if order.filled >= order.qty:
        floor.finish(order, Status.FILLED)
    elif order.reduce_only and not fillable(floor, order, order.leaves):
        floor.finish(order, Status.CANCELLED, "CancelByReduceOnly", "EC_PerCancelRequest")
    elif order.order_type == "Market" or order.tif in ("IOC", "FOK"):
        reason = "EC_CancelForNoFullFill" if order.filled else "EC_NoImmediateQtyToFill"
        floor.finish(order, Status.CANCELLED, "UNKNOWN", reason)
    else:
        floor.tell_order(order)


def fill_resting(floor: Floor, order: Order, qty: Decimal) -> Decimal:
    """Fills a resting order at its own price as maker, level by level; returns what was executed."""
    state = floor.state
    market, item = state.markets[order.symbol], state.instruments[order.symbol]
    done, number = ZERO, 0
    while done < qty and order.resting and order.leaves:
        part = min(qty - done, book.level_qty(market, item, order.price, number))
        executed = fill(floor, order, part, order.price, maker=True)
        if not executed:
            break
        done += executed
        number += 1
    settle(floor, order)
    return done


def cancel(floor: Floor, order: Order, cancel_type: str = "CancelByUser") -> None:
    """Cancels a live order; an order that never fired ends Deactivated. A bound pair goes together."""
    untriggered = order.status is Status.UNTRIGGERED
    pair = floor.state.orders_by_uid[order.uid].get(order.pair_id)
    status = Status.DEACTIVATED if untriggered else Status.CANCELLED
    floor.finish(order, status, cancel_type, "EC_PerCancelRequest")
    floor.tell_leg(order.uid, order.symbol, order.idx)
    if pair is not None and pair.status is Status.UNTRIGGERED:
        pair.pair_id = ""
        floor.finish(pair, Status.DEACTIVATED, cancel_type, "EC_PerCancelRequest")
