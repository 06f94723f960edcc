"""A trade as it stands on main, read off the book: its ladder and its stop, whoever placed the orders.

Bybit's position holds one Full stop beside up to 20 Partial ones (position/trading-stop); take-profits stand as
reduce-only limit orders or as Partial take-profits. What does not stand is not returned: nothing is invented (A63).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal

from mirrorctl.core.domain.account import Order, Position
from mirrorctl.core.domain.approach import Approach
from mirrorctl.core.domain.exit_orders import key_of
from mirrorctl.core.domain.ids import Role, parse
from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.ladder import Ladder, Rung
from mirrorctl.core.domain.sight import Sight
from mirrorctl.core.domain.trade import Target, Trade, order_key
from mirrorctl.core.domain.values import OrderType, PositionMode, PositionSide, StopKind, TimeInForce, TriggerBy
from mirrorctl.core.domain.view import AccountView

ADOPTED = "adopted"

StopOnBook = tuple[Decimal | None, TriggerBy | None, tuple[Order, ...]]
"""(price, what triggers it, Partial stops it does not stand for); price None: none stands."""

_RESTING = frozenset((TimeInForce.GTC, TimeInForce.POST_ONLY))
_WHOLE = Decimal(100)
_SHARE = Decimal("1E-12")  # rounded up to this, so that floor_to_step of a share gives back what stands, exactly


@dataclass(frozen=True, slots=True)
class ReadOff:
    """A trade made elsewhere, as it stands. `missing`: what it lacks; `beside`: what stands and is no part of it.

    Both in words for the trader: neither is invented nor removed (A63).
    """

    trade: Trade
    missing: tuple[str, ...]
    beside: tuple[str, ...]


def read_off(
    view: AccountView, symbol: str, side: PositionSide, tag: str, terms: Approach, now_ms: int
) -> ReadOff | None:
    """The trade that stands on one side of main; None when no position does.

    Its rungs are main's orders, each with its share of the position. `terms` says after which rung the stop goes to
    breakeven and entries are cancelled; they hold for a ladder of more than one rung.
    """
    row = view.position(symbol, side)
    if row is None or not view.size(symbol, side):
        return None
    targets, surplus = _targets(ladder_on_book(view, symbol, side))
    uncovered = _WHOLE - sum((target.percent for target in targets), ZERO)
    laddered = len(targets) > 1
    trade = Trade(
        symbol,
        side,
        tag,
        ADOPTED,
        now_ms,
        targets=targets,
        uncovered=uncovered,
        stop=row.stop_loss,
        stood=row.stop_loss,
        breakeven_after=terms.breakeven_after if laddered else 0,
        breakeven_margin_bps=terms.breakeven_margin_bps,
        cancel_entries_after=terms.cancel_entries_after if laddered else 0,
        adopted=True,
        opened=True,
    )
    return ReadOff(trade, tuple(_missing(row, uncovered)), tuple(_beside(view, row, side, surplus)))


def rebased(trade: Trade, policy: Trade, done: int) -> Trade:
    """The trade under the exit policy of another, where `done` rungs were done before it and count for nothing."""
    return replace(
        trade,
        breakeven_after=policy.breakeven_after and policy.breakeven_after + done,
        cancel_entries_after=policy.cancel_entries_after and policy.cancel_entries_after + done,
    )


def ladder_on_book(view: Sight, symbol: str, side: PositionSide, *, opposite: bool = False) -> Ladder:
    """The take-profits of one position, nearest first: reduce-only limit orders and Partial take-profits.

    With `opposite` also the limit orders against a one-way position that may open beyond it: up to its size they are
    exits, and what goes beyond is followed after main has flipped.

    A rung weighs its order's quantity, the whole what the position was before these orders filled: the ladder may
    cover less than the position, or more. The key belongs to the order and outlasts changes of its price; a `leg` is
    that of our own order, 0 for the trader's, so it does not change when another rung comes nearer.
    """
    if not view.orders(symbol):
        return Ladder((), view.size(symbol, side))
    exits = _exits(view, symbol, side)
    if opposite:
        exits += _against(view, symbol, side)
    found = [(price, order) for order in exits if (price := _target_price(order)) is not None]
    if not found:
        return Ladder((), view.size(symbol, side))
    found.sort(key=lambda pair: (pair[0] * side.sign, pair[1].created_ms, pair[1].order_id))
    rungs = tuple(_rung(price, order) for price, order in found)
    return Ladder(rungs, view.size(symbol, side) + sum((view.filled(order) for _, order in found), ZERO))


def stop_on_book(view: Sight, symbol: str, side: PositionSide) -> StopOnBook:
    """(price, what triggers it, Partial stops it does not stand for) of one position's stop; price None: none stands.

    The Full stop; else, of the Partial stops, the one nearest to the price that covers half of the position by itself;
    else the one at which the nearest together reach half. Partial stops that do not cover half stand for no stop of
    the position: all of them are named. The trigger is None where the order behind a Full stop was not seen yet.
    """
    exits = _exits(view, symbol, side)
    partial = _nearest_first(exits, side) if exits else []
    row = view.position(symbol, side)
    full = next((order for order in exits if order.stop_kind is StopKind.STOP_LOSS), None) if exits else None
    stop = None if row is None else _full_stop(row, full)
    if stop is not None:
        return stop, None if full is None else full.trigger_by, tuple(partial)
    chosen = _covering_half(view, partial, view.size(symbol, side)) if partial else None
    if chosen is None:
        return None, None, tuple(partial)
    return chosen.trigger_price, chosen.trigger_by, tuple(order for order in partial if order is not chosen)


def _full_stop(row: Position, order: Order | None) -> Decimal | None:
    """The stop of the whole position by the later word: that of its row, or of the open order behind the stop.

    Either push may come first, or be lost (A54). Of words of one moment the one that tells of a stop counts (A21). An
    order that is older than the position was behind the stop of another one.
    """
    if order is None or order.trigger_price is None or order.updated_ms < row.told_ms:
        return row.stop_loss
    if order.created_ms < row.opened_ms or (row.stop_loss is not None and order.updated_ms == row.told_ms):
        return row.stop_loss
    return order.trigger_price


def _covering_half(view: Sight, partial: list[Order], size: Decimal) -> Order | None:
    """`partial` nearest to the price first."""
    if not size:
        return None
    alone = next((order for order in partial if 2 * view.leaves(order) >= size), None)
    if alone is not None:
        return alone
    covered = ZERO
    for order in partial:
        covered += view.leaves(order)
        if 2 * covered >= size:
            return order
    return None


def _nearest_first(exits: list[Order], side: PositionSide) -> list[Order]:
    """The Partial stops among the exits, nearest to the price first."""
    partial = [o for o in exits if o.stop_kind is StopKind.PARTIAL_STOP_LOSS and o.trigger_price]
    return sorted(
        partial, key=lambda order: (-(order.trigger_price or ZERO) * side.sign, order.created_ms, order.order_id)
    )


def _exits(view: Sight, symbol: str, side: PositionSide) -> list[Order]:
    """Open orders that can only reduce this position."""
    orders = view.orders(symbol)
    if not orders:
        return []
    idx = side.hedge_idx if view.mode(symbol) is PositionMode.HEDGE else 0
    return [o for o in orders if o.side is side.exit and o.position_idx == idx and o.is_exit]


def _against(view: Sight, symbol: str, side: PositionSide) -> list[Order]:
    """Open orders against a one-way position that are not marked reduce-only."""
    if view.mode(symbol) is PositionMode.HEDGE or not view.size(symbol, side):
        return []
    return [o for o in view.orders(symbol) if o.side is side.exit and not o.is_exit]


def _target_price(order: Order) -> Decimal | None:
    """At which price an exit takes profit; None for a stop, and for a reduction of ours or at market that passes by."""
    if order.stop_kind is StopKind.PARTIAL_TAKE_PROFIT:
        return order.trigger_price
    if order.stop_kind is not StopKind.NONE or order.order_type is not OrderType.LIMIT:
        return None
    link = parse(order.link_id)
    passing = order.time_in_force not in _RESTING or (link is not None and link.role is not Role.TARGET)
    return None if passing else order.price


def _rung(price: Decimal, order: Order) -> Rung:
    link = parse(order.link_id)
    return Rung(key_of(order), 0 if link is None else link.leg, price, order.qty, order.order_id)


def _targets(ladder: Ladder) -> tuple[tuple[Target, ...], list[Rung]]:
    """The rungs as shares of the position, and those that come after all of it is sold: they could never fill."""
    targets: list[Target] = []
    surplus = []
    left = _WHOLE
    for rung in ladder.rungs:
        share = min((rung.weight * _WHOLE / ladder.whole_weight).quantize(_SHARE, ROUND_CEILING), left)
        if share > 0:
            targets.append(_target(rung, share))
        else:
            surplus.append(rung)
        left -= share
    return tuple(targets), surplus


def _target(rung: Rung, share: Decimal) -> Target:
    """An order of the trader's own is named by its id; one of ours keeps its name, and the daemon knows it already."""
    if rung.key == order_key(rung.order_id):
        return Target(rung.price, share, rung.order_id, stood=rung.price)
    return Target(rung.price, share, stood=rung.price, key=rung.key)


def _missing(row: Position, uncovered: Decimal) -> Iterator[str]:
    if row.stop_loss is None:
        yield "a stop for the whole position"
    if uncovered and row.take_profit is None:
        yield "a target" if uncovered == _WHOLE else f"a target for {plain(round(uncovered, 2))}% of the position"


def _beside(view: AccountView, row: Position, side: PositionSide, surplus: list[Rung]) -> Iterator[str]:
    for order in _nearest_first(_exits(view, row.symbol, side), side):
        yield f"Partial stop of {plain(order.qty)} at {plain(order.trigger_price or ZERO)}"
    if row.take_profit is not None:
        yield f"take-profit of the position at {plain(row.take_profit)}"
    if row.trailing_stop is not None:
        yield f"trailing stop of {plain(row.trailing_stop)}"
    for rung in surplus:
        yield f"target of {plain(rung.weight)} at {plain(rung.price)}, beyond the whole position"
