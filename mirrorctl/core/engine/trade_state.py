"""What stands on main for a trade: its side, its orders, its stop, the rungs it has done."""

from __future__ import annotations

from decimal import Decimal

from mirrorctl.core.domain.account import Order
from mirrorctl.core.domain.errors import UsageError
from mirrorctl.core.domain.ids import Role, parse
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.ladder import RungOrder, spread, stored_ladder, without
from mirrorctl.core.domain.trade import Trade, order_key
from mirrorctl.core.domain.values import PositionSide, Side
from mirrorctl.core.engine.engine import Engine


def managed_trade(engine: Engine, symbol: str, side: PositionSide) -> Trade | None:
    """The trade that stands on one side of a symbol. One that is over, or whose entries are gone, stands no more."""
    trade = engine.trades.get(symbol, side)
    if trade is None or engine.main.view.size(symbol, side):
        return trade
    return trade if not trade.opened and _entries_work(engine, symbol, side) else None


def is_winding_up(engine: Engine, symbol: str, side: PositionSide) -> bool:
    """Whether a trade that is over still has orders to be cancelled."""
    trade = engine.trades.get(symbol, side)
    return trade is not None and trade.opened and not engine.main.view.size(symbol, side)


def _entries_work(engine: Engine, symbol: str, side: PositionSide) -> bool:
    ours = engine.book.ours(engine.main.name, symbol, engine.main.view)
    return any(o.is_live and o.link.role is Role.ENTRY and o.side is side.entry for o in ours)


def holding(engine: Engine, symbol: str, side: PositionSide | None) -> PositionSide:
    """The side of main's position; named by the user where both legs stand."""
    held = [s for s in PositionSide if engine.main.view.size(symbol, s)]
    return _one_side(symbol, side, held)


def trading_side(engine: Engine, symbol: str, side: PositionSide | None) -> PositionSide:
    """The same, where a trade whose entries have not filled yet counts as well."""
    held = [s for s in PositionSide if engine.main.view.size(symbol, s) or managed_trade(engine, symbol, s)]
    return _one_side(symbol, side, held)


def _one_side(symbol: str, side: PositionSide | None, held: list[PositionSide]) -> PositionSide:
    if side is not None and side not in held:
        raise UsageError(f"main holds no {side} {symbol}", "`mirrorctl positions` shows what it holds")
    if not held:
        raise UsageError(f"main holds no {symbol}", "`mirrorctl positions` shows what it holds")
    if side is None and len(held) > 1:
        raise UsageError(f"main holds both legs of {symbol}", "say which: --side long or --side short")
    return side or held[0]


def our_entries(engine: Engine, symbol: str, side: PositionSide | None = None) -> list[Order]:
    """Our entry orders that rest on main, of one side or of both."""
    found = _ours(engine, symbol, Role.ENTRY)
    return [order for order in found if side is None or _is_of(engine, order, side, side.entry)]


def our_targets(engine: Engine, symbol: str, side: PositionSide) -> list[Order]:
    """Our take-profits that rest on main."""
    return [order for order in _ours(engine, symbol, Role.TARGET) if _is_of(engine, order, side, side.exit)]


def _ours(engine: Engine, symbol: str, role: Role) -> list[Order]:
    main = engine.main
    links = ((order, parse(order.link_id)) for order in main.view.orders(symbol))
    return [order for order, link in links if link is not None and link.account == main.tag and link.role is role]


def _is_of(engine: Engine, order: Order, side: PositionSide, order_side: Side) -> bool:
    return order.side is order_side and order.position_idx == engine.main.view.mode(order.symbol).idx(side)


def rungs_filled(engine: Engine, account: str, symbol: str) -> dict[str, Decimal]:
    """What our targets on an account have filled, by the rung's key."""
    filled: dict[str, Decimal] = {}
    for order in engine.book.ours(account, symbol, engine.accounts[account].view):
        if order.link.role is Role.TARGET:
            filled[order.link.step] = filled.get(order.link.step, ZERO) + order.filled
    return filled


def wanted_rungs(engine: Engine, trade: Trade, size: Decimal) -> tuple[RungOrder, ...]:
    """What should rest on main for a position of `size`."""
    left = without(stored_ladder(trade), engine.keeper.rungs_done(*trade.key))
    filled = rungs_filled(engine, engine.main.name, trade.symbol)
    filled |= {order_key(order.order_id): engine.main.view.filled(order) for order in _theirs(engine, trade)}
    return spread(left, size, filled, engine.instruments[trade.symbol])


def exits_stand(engine: Engine, symbol: str, side: PositionSide) -> bool:
    """Whether the stop and the targets that main's trade shall have are seen on the exchange."""
    trade, view = engine.trades.get(symbol, side), engine.main.view
    size = view.size(symbol, side)
    if trade is None or not size:
        return True
    if trade.stop is not None and stop_of(engine, symbol, side) != trade.stop:
        return False
    wanted = {rung.key: (rung.open_qty, rung.price) for rung in wanted_rungs(engine, trade, size)}
    return not trade.targets or wanted == _resting(engine, trade)


def _resting(engine: Engine, trade: Trade) -> dict[str, tuple[Decimal, Decimal | None]]:
    """(open quantity, price) of what rests on main for each rung, by its key."""
    ours = ((parse(order.link_id), order) for order in our_targets(engine, trade.symbol, trade.side))
    found = {link.step: order for link, order in ours if link is not None}
    found |= {order_key(order.order_id): order for order in _theirs(engine, trade)}
    return {
        key: (engine.main.view.leaves(order), order.trigger_price if order.stop_kind.position_bound else order.price)
        for key, order in found.items()
    }


def _theirs(engine: Engine, trade: Trade) -> list[Order]:
    """Open orders of the trader's own that stand for a rung."""
    known = (engine.main.view.order(target.order_id) for target in trade.targets if target.order_id)
    return [order for order in known if order is not None and order.is_open]


def stop_of(engine: Engine, symbol: str, side: PositionSide) -> Decimal | None:
    """The stop that is seen on main's position."""
    row = engine.main.view.position(symbol, side)
    return row.stop_loss if row else None
