"""What the exchange does to an account unasked: funding, liquidation, auto-deleveraging."""

from decimal import Decimal

from mirrorctl.core.paper.decimals import ZERO, ledger
from mirrorctl.core.paper.fills import fill
from mirrorctl.core.paper.floor import Floor
from mirrorctl.core.paper.matching import cancel
from mirrorctl.core.paper.model import Execution, Order, Position, Side, Status


def settle_funding(floor: Floor, symbol: str, rate: Decimal) -> None:
    """Charges funding on every open leg of `symbol`: longs pay a positive rate, shorts receive it."""
    for legs in list(floor.state.positions.values()):
        for (name, _), leg in list(legs.items()):
            if name == symbol and leg.size:
                _fund(floor, leg, rate)


def _fund(floor: Floor, leg: Position, rate: Decimal) -> None:
    state = floor.state
    assert leg.side is not None
    market, account = state.markets[leg.symbol], state.accounts[leg.uid]
    cost = ledger(leg.size * market.mark_price * rate)
    fee = cost if leg.side is Side.BUY else -cost
    account.wallet -= fee
    account.realised -= fee
    leg.realised -= fee
    leg.cum_realised -= fee
    leg.seq = state.next_seq(leg.symbol)
    leg.updated_ms = floor.now
    state.touch_account(account)
    state.touch_position(leg)
    n, exec_id = state.new_id()
    row = Execution(
        exec_id=exec_id,
        n=n,
        uid=leg.uid,
        symbol=leg.symbol,
        order_id=exec_id,
        link_id="",
        side=leg.side,
        order_price=ZERO,
        order_qty=ZERO,
        leaves=ZERO,
        create_type="",
        order_type="UNKNOWN",
        stop_type="",
        price=market.mark_price,
        qty=leg.size,
        fee=fee,
        fee_rate=rate,
        exec_type="Funding",
        time_ms=floor.now,
        is_maker=False,
        closed_size=ZERO,
        pnl=ZERO,
        mark=market.mark_price,
        seq=leg.seq,
        idx=leg.idx,
    )
    state.add_execution(row)
    floor.tell_execution(row)
    floor.tell_leg(leg.uid, leg.symbol, leg.idx)
    floor.tell_wallet(leg.uid)


def liquidate(floor: Floor, uid: int) -> None:
    """Cancels everything, then takes every position over at the mark price (execType BustTrade)."""
    for order in floor.state.live(uid):
        if order.is_open:
            cancel(floor, order, "CancelAllBeforeLiq")
    for leg in list(floor.state.positions[uid].values()):
        if leg.size:
            take_over(floor, leg, leg.size, "CreateByTakeOver_PassThrough", "BustTrade")


def deleverage(floor: Floor, leg: Position, qty: Decimal) -> Decimal:
    """Closes part of a leg by auto-deleveraging at the mark price (execType AdlTrade)."""
    return take_over(floor, leg, min(qty, leg.size), "CreateByAdl_PassThrough", "AdlTrade")


def take_over(floor: Floor, leg: Position, qty: Decimal, create_type: str, exec_type: str) -> Decimal:
    """One system order that closes `qty` of the leg at mark, with no link id; returns what was closed."""
    if leg.side is None or qty <= ZERO:
        return ZERO
    market = floor.state.markets[leg.symbol]
    n, order_id = floor.state.new_id()
    order = Order(
        order_id=order_id,
        n=n,
        uid=leg.uid,
        symbol=leg.symbol,
        side=leg.side.opposite,
        order_type="Market",
        qty=qty,
        price=market.mark_price,
        tif="IOC",
        idx=leg.idx,
        created_ms=floor.now,
        updated_ms=floor.now,
        last_on_created=market.last,
        reduce_only=True,
        create_type=create_type,
    )
    floor.state.add_order(order)
    done = fill(floor, order, qty, market.mark_price, maker=False, exec_type=exec_type)
    if order.is_open:
        floor.finish(order, Status.FILLED)
    return done
