"""One fill: position, wallet, fees, records and what hangs on them."""

from dataclasses import dataclass
from decimal import Decimal

from mirrorctl.core.paper.decimals import ZERO, ledger
from mirrorctl.core.paper.floor import Floor
from mirrorctl.core.paper.margin import closes_hedge_leg
from mirrorctl.core.paper.model import Execution, Order, Position, Side, Status
from mirrorctl.core.paper.protection import attach, follow_position


@dataclass(frozen=True, slots=True)
class _Booked:
    closed: Decimal
    opened: Decimal
    pnl: Decimal
    entry_cost: Decimal
    open_fee: Decimal


def fillable(floor: Floor, order: Order, qty: Decimal) -> Decimal:
    """`qty` clipped so that a reduce-only order never passes zero; checked at every fill."""
    if order.reduce_only or closes_hedge_leg(order):
        return min(qty, floor.state.held(order.uid, order.symbol, order.idx, order.side))
    return qty


def fill(floor: Floor, order: Order, qty: Decimal, price: Decimal, *, maker: bool, exec_type: str = "Trade") -> Decimal:
    """Executes up to `qty` of a live order at `price`; returns what was executed, possibly zero."""
    qty = fillable(floor, order, min(qty, order.leaves))
    if qty <= ZERO:
        return ZERO
    state = floor.state
    account, leg = state.accounts[order.uid], state.position(order.uid, order.symbol, order.idx)
    side_before = leg.side
    rate = account.maker_rate if maker else account.taker_rate
    fee = ledger(price * qty * rate)
    booked = _book(floor, leg, order.side, qty, price, fee)
    account.wallet += booked.pnl - fee
    account.realised += booked.pnl - fee
    state.touch_account(account)
    leg.seq = state.next_seq(order.symbol)
    _progress(floor, order, qty, price, fee)
    if booked.closed:
        _record_closed(floor, order, booked, price, fee * booked.closed / qty, exec_type)
    _record_execution(floor, order, leg, booked, qty, price, fee, rate, maker, exec_type)
    market = state.markets[order.symbol]
    market.volume += qty
    market.turnover += price * qty
    follow_position(floor, leg, side_before)
    if booked.opened:
        attach(floor, order, leg, booked.opened)
    floor.tell_leg(order.uid, order.symbol, order.idx)
    floor.tell_wallet(order.uid)
    return qty


def _book(floor: Floor, leg: Position, side: Side, qty: Decimal, price: Decimal, fee: Decimal) -> _Booked:
    closed = min(qty, leg.size) if leg.side is side.opposite else ZERO
    opened = qty - closed
    pnl = cost = open_fee = ZERO
    if closed:
        whole = closed == leg.size
        cost = leg.entry_value if whole else ledger(leg.entry_value * closed / leg.size)
        open_fee = leg.open_fee if whole else ledger(leg.open_fee * closed / leg.size)
        gain = ledger(price * closed) - cost
        pnl = gain if leg.side is Side.BUY else -gain
        leg.size -= closed
        leg.entry_value -= cost
        leg.open_fee -= open_fee
        leg.realised += pnl - fee * closed / qty
    if not leg.size:
        leg.side = None
    if opened:
        if leg.side is None:
            leg.side = side
            leg.realised = ZERO
            leg.opened_ms = floor.now
            leg.created_ms = leg.created_ms or floor.now
        leg.size += opened
        leg.entry_value += ledger(price * opened)
        share = ledger(fee * opened / qty)
        leg.open_fee += share
        leg.realised -= share
    leg.cum_realised += pnl - fee
    leg.adl_rank = 1 if leg.size else 0
    leg.updated_ms = floor.now
    floor.state.touch_position(leg)
    return _Booked(closed, opened, pnl, cost, open_fee)


def _progress(floor: Floor, order: Order, qty: Decimal, price: Decimal, fee: Decimal) -> None:
    order.filled += qty
    order.filled_value += ledger(price * qty)
    order.fee += fee
    order.updated_ms = floor.now
    if order.filled < order.qty:
        order.status = Status.PARTIALLY_FILLED
    floor.state.touch_order(order)


def _record_closed(
    floor: Floor, order: Order, booked: _Booked, price: Decimal, close_fee: Decimal, exec_type: str
) -> None:
    leverage = floor.state.accounts[order.uid].leverage_of(order.symbol)
    row = floor.state.closed_row(order, leverage, exec_type)
    net = booked.pnl - booked.open_fee - close_fee
    row.updated_ms = floor.now
    row.closed_size += booked.closed
    row.entry_value += booked.entry_cost
    row.exit_value += ledger(price * booked.closed)
    row.open_fee += booked.open_fee
    row.close_fee += close_fee
    row.pnl += net
    row.fills += 1
    order.closed_pnl += net


def _record_execution(
    floor: Floor,
    order: Order,
    leg: Position,
    booked: _Booked,
    qty: Decimal,
    price: Decimal,
    fee: Decimal,
    rate: Decimal,
    maker: bool,
    exec_type: str,
) -> None:
    n, exec_id = floor.state.new_id()
    market = floor.state.markets[order.symbol]
    row = Execution(
        exec_id=exec_id,
        n=n,
        uid=order.uid,
        symbol=order.symbol,
        order_id=order.order_id,
        link_id=order.link_id,
        side=order.side,
        order_price=order.price,
        order_qty=order.qty,
        leaves=order.qty - order.filled,
        create_type=order.create_type,
        order_type=order.order_type,
        stop_type=order.stop_type,
        price=price,
        qty=qty,
        fee=fee,
        fee_rate=rate,
        exec_type=exec_type,
        time_ms=floor.now,
        is_maker=maker,
        closed_size=booked.closed,
        pnl=booked.pnl,
        mark=market.mark_price,
        seq=leg.seq,
        idx=leg.idx,
    )
    floor.state.add_execution(row)
    floor.tell_execution(row)
    taker = order.side if not maker else order.side.opposite
    trade = {
        "T": floor.now,
        "s": order.symbol,
        "S": taker.value,
        "v": floor.state.instruments[order.symbol].qty(qty),
        "p": floor.state.instruments[order.symbol].price(price),
        "L": market.direction,
        "i": exec_id,
        "BT": False,
        "RPI": False,
        "seq": leg.seq,
    }
    floor.trades.append((order.symbol, trade))
