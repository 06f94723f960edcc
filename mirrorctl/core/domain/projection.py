"""Main as a mirror sees it whose side, symbol or legs are others than main's: the same facts in the mirror's terms.

Quantities are main's times the multiplier, prices main's divided by it and brought to the mirror's tick: entries no
worse, stops no later. For a reverse mirror stop and target change places: main's stop is its take-profit, main's
furthest target its stop, and no order of main's has a counterpart (A13).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, Context, Decimal

from mirrorctl.core.domain.account import Order, Position
from mirrorctl.core.domain.instruments import Instrument
from mirrorctl.core.domain.lens import Lens
from mirrorctl.core.domain.policy import Hedge
from mirrorctl.core.domain.sight import Sight
from mirrorctl.core.domain.standing_trade import stop_on_book
from mirrorctl.core.domain.values import SIDES, OrderStatus, OrderType, PositionMode, PositionSide, StopKind, TriggerBy

_EXACT = Context(prec=40)
_DOWN = Context(prec=40, rounding=ROUND_FLOOR)
_RISES = 1  # triggerDirection (order/create-order)


@dataclass(frozen=True, slots=True)
class Aim:
    """Main's furthest target of one side, main's price. `by` None: what triggers it was not seen."""

    price: Decimal
    by: TriggerBy | None = TriggerBy.LAST


class Projection:
    """One symbol of main, in the terms of one mirror (domain.sight.Sight). For one decision: main stands still.

    `symbol` and `instrument` are the mirror's; `aims` main's furthest targets by main's side, for a reverse mirror.
    """

    def __init__(
        self,
        main: Sight,
        lens: Lens,
        symbol: str,
        instrument: Instrument,
        *,
        one_way: bool,
        aims: Mapping[PositionSide, Aim] | None = None,
    ) -> None:
        self._main = main
        self._lens = lens
        self._here = symbol
        self._there = lens.symbol_there(symbol)
        self._multiplier = lens.multiplier(self._there)
        self._instrument = instrument
        self._one_way = one_way
        self._joined = lens.joins_legs(main, self._there, one_way=one_way)
        self._aims = aims or {}

    # --- what is known ---------------------------------------------------------------------------------------

    @property
    def account(self) -> str:
        return self._main.account

    @property
    def leverage(self) -> Mapping[str, Decimal]:
        known = self._main.leverage.get(self._there)
        return {} if known is None else {self._here: known}

    def is_settled(self, symbol: str) -> bool:
        return self._main.is_settled(self._of(symbol))

    def is_ahead(self, symbol: str) -> bool:
        return self._main.is_ahead(self._of(symbol))

    def proven(self, symbol: str, side: PositionSide | None = None) -> bool:
        return self._main.proven(self._of(symbol), None if side is None else self._lens.side(side))

    def mode(self, symbol: str) -> PositionMode:
        return self._main.mode(self._of(symbol))

    def size(self, symbol: str, side: PositionSide) -> Decimal:
        return self._lens.size(self._main, (self._of(symbol), self._lens.side(side)), one_way=self._one_way)

    def position(self, symbol: str, side: PositionSide) -> Position | None:
        """The row in the mirror's terms; None also while main's leg does not count."""
        row, size = self._main.position(self._there, self._lens.side(side)), self.size(symbol, side)
        if row is None or not size:
            return None
        stop, profit, trailing = row.stop_loss, row.take_profit, row.trailing_stop
        if self._lens.reverse:
            aim = self._aims.get(self._lens.side(side))
            stop, profit = (None if aim is None else aim.price), self._main_stop(side)[0]
            trailing = None
        if self._nets:
            profit = None  # of two legs every exit is followed by its fill
        return replace(
            row,
            symbol=self._here,
            idx=self.mode(symbol).idx(side),
            side=side,
            size=size,
            entry_price=self._price(row.entry_price),
            mark_price=self._price(row.mark_price),
            stop_loss=None if stop is None else self._stop_price(stop, side),
            take_profit=None if profit is None else self._target_price(profit, side),
            trailing_stop=None if trailing is None else self._distance(trailing),
        )

    # --- orders ----------------------------------------------------------------------------------------------

    def orders(self, symbol: str) -> Collection[Order]:
        """Main's orders that have a counterpart here; for a reverse mirror what its own stop and target stand for."""
        if self._lens.reverse:
            return [order for side in SIDES for order in self._bound(side)]
        return [
            self._order(order) for order in self._main.orders(self._of(symbol)) if not self._is_followed_by_fill(order)
        ]

    def order(self, order_id: str) -> Order | None:
        order = self._main.order(order_id)
        return None if order is None else self._order(order)

    def is_gone(self, order_id: str) -> bool:
        return self._main.is_gone(order_id)

    def filled(self, order: Order) -> Decimal:
        known = self._main.order(order.order_id)
        return order.filled_qty if known is None else self._main.filled(known) * self._multiplier

    def leaves(self, order: Order) -> Decimal:
        known = self._main.order(order.order_id)
        return order.leaves_qty if known is None else self._main.leaves(known) * self._multiplier

    def target_price(self, price: Decimal, side: PositionSide) -> Decimal:
        """A target of main's at its counterpart here, never a worse one."""
        return self._target_price(price, side)

    def stop_price(self, price: Decimal, side: PositionSide) -> Decimal:
        """A stop at a price of main's as it protects `side` here, never later."""
        return self._stop_price(price, side)

    # --- inside ----------------------------------------------------------------------------------------------

    def _of(self, symbol: str) -> str:
        """Main's symbol. ValueError for one that this projection is not about."""
        if symbol != self._here:
            raise ValueError(f"main was projected for {self._here}, not for {symbol}")
        return self._there

    @property
    def _nets(self) -> bool:
        both = all(self._main.size(self._there, side) for side in SIDES)
        return self._joined and self._lens.hedge is Hedge.NET and both

    def _is_followed_by_fill(self, order: Order) -> bool:
        """An entry of main's that would fill against what one position holds for main's other leg, and exits of a net.

        The favoured leg alone has entries of its own while both stand; of a net no order stands for one of main's.
        """
        if not self._joined:
            return False
        if order.is_exit:
            return self._nets and not order.stop_kind.position_bound
        side = PositionSide.grown_by(order.side)
        other = self._main.size(self._there, side.opposite)
        followed = side is self._lens.favoured and self._main.size(self._there, side)
        return bool(other) and not followed

    def _bound(self, side: PositionSide) -> Iterator[Order]:
        """The orders behind the stop and the take-profit that a reverse mirror's position shall have."""
        row = self.position(self._here, side)
        if row is None:
            return
        aim = self._aims.get(self._lens.side(side))
        if row.stop_loss is not None and aim is not None and aim.by is not None:
            yield self._bound_order(row, side, StopKind.STOP_LOSS, row.stop_loss, aim.by)
        by = self._main_stop(side)[1]
        if row.take_profit is not None and by is not None:
            yield self._bound_order(row, side, StopKind.TAKE_PROFIT, row.take_profit, by)

    def _bound_order(self, row: Position, side: PositionSide, kind: StopKind, price: Decimal, by: TriggerBy) -> Order:
        return Order(
            f"{kind}-{side}",
            "",
            self._here,
            side.exit,
            OrderType.MARKET,
            row.size,
            OrderStatus.UNTRIGGERED,
            reduce_only=True,
            close_on_trigger=True,
            position_idx=row.idx,
            stop_kind=kind,
            trigger_price=price,
            trigger_by=by,
        )

    def _main_stop(self, side: PositionSide) -> tuple[Decimal | None, TriggerBy | None]:
        """Main's stop of the leg that `side` follows, main's price."""
        stop, by, _ = stop_on_book(self._main, self._there, self._lens.side(side))
        return stop, by

    def _order(self, order: Order) -> Order:
        side = order.side.opposite if self._lens.reverse else order.side
        price, trigger = order.price, order.trigger_price
        owner = PositionSide.shrunk_by(side) if order.is_exit else PositionSide.grown_by(side)
        return replace(
            order,
            symbol=self._here,
            side=side,
            qty=order.qty * self._multiplier,
            filled_qty=order.filled_qty * self._multiplier,
            price=None if price is None else self._instrument.price_not_worse(self._divided(price), side),
            trigger_price=None if trigger is None else self._trigger(trigger, order),
            stop_loss=None if order.stop_loss is None else self._stop_price(order.stop_loss, owner),
            take_profit=None if order.take_profit is None else self._target_price(order.take_profit, owner),
        )

    def _trigger(self, price: Decimal, order: Order) -> Decimal:
        """A trigger on the tick: a stop's no later than main's, every other one no earlier."""
        owner = PositionSide.shrunk_by(order.side)
        if order.stop_kind in (StopKind.STOP_LOSS, StopKind.PARTIAL_STOP_LOSS):
            return self._stop_price(price, owner)
        if order.stop_kind in (StopKind.TAKE_PROFIT, StopKind.PARTIAL_TAKE_PROFIT):
            return self._target_price(price, owner)
        waits = PositionSide.LONG if order.trigger_direction == _RISES else PositionSide.SHORT
        return self._stop_price(price, waits)  # up for a rising one, down for a falling one

    def _stop_price(self, price: Decimal, side: PositionSide) -> Decimal:
        return self._instrument.stop_price(self._divided(price), side)

    def _target_price(self, price: Decimal, side: PositionSide) -> Decimal:
        return self._instrument.price_not_worse(self._divided(price), side.exit)

    def _distance(self, distance: Decimal) -> Decimal:
        """A trailing distance on the tick, never a wider one."""
        tick = self._instrument.tick_size
        ticks = _DOWN.divide(self._divided(distance), tick).to_integral_value(rounding=ROUND_FLOOR)
        return max(ticks, Decimal(1)) * tick

    def _price(self, price: Decimal | None) -> Decimal | None:
        return None if price is None else self._divided(price)

    def _divided(self, price: Decimal) -> Decimal:
        return price if self._multiplier == 1 else _EXACT.divide(price, self._multiplier)
