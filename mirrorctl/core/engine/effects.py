"""What an action without a link id brings about: what it keeps busy, which read settles it, whether it shows."""

from __future__ import annotations

from mirrorctl.core.domain.actions import Action, AmendOrder, CancelOrder, PlaceOrder, SetLeverage, SetTradingStop
from mirrorctl.core.domain.values import StopKind
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.engine.ports import FindOrder, Query, ReadPosition

BOUND = ("stop", "target", "trailing")


def busy_key(action: Action) -> str:
    """What may be in flight only once: one change of an order, of a stop, of a target, of a leverage."""
    if isinstance(action, CancelOrder):
        return f"cancel:{action.order_id}"
    if isinstance(action, AmendOrder):
        return f"amend:{action.order_id}"
    if isinstance(action, SetTradingStop):
        if action.stop_loss is not None:
            return "stop"
        return "trailing" if action.take_profit is None else "target"
    return "leverage"


def question_of(action: Action) -> Query:
    """The read that settles an action."""
    if isinstance(action, PlaceOrder):
        return FindOrder(action.symbol, link_id=action.link_id)
    if isinstance(action, AmendOrder | CancelOrder):
        return FindOrder(action.symbol, order_id=action.order_id)
    return ReadPosition(action.symbol)


def effect_seen(action: Action, view: AccountView) -> bool:
    """Whether the view shows what the action was to bring about."""
    if isinstance(action, CancelOrder):
        order = view.order(action.order_id)
        return order is not None and not order.is_open
    if isinstance(action, AmendOrder):
        order = view.order(action.order_id)
        return order is not None and (
            not order.is_open
            or (
                action.qty in (None, order.qty)
                and action.price in (None, order.price)
                and action.trigger_price in (None, order.trigger_price)
                and (action.stop_loss is None or order.stop_loss == (action.stop_loss or None))
            )
        )
    if isinstance(action, SetLeverage):
        return view.leverage.get(action.symbol) == action.leverage
    if isinstance(action, SetTradingStop):
        return _stop_seen(action, view)
    return False


def _stop_seen(action: SetTradingStop, view: AccountView) -> bool:
    """The position row shows all but the active price: that is the trailing order's trigger (order/open-order)."""
    shown = any(
        row.symbol == action.symbol
        and row.idx == action.position_idx
        and (action.stop_loss is None or row.stop_loss == (action.stop_loss or None))
        and (action.take_profit is None or row.take_profit == (action.take_profit or None))
        and (action.trailing_stop is None or row.trailing_stop == (action.trailing_stop or None))
        for row in view.positions()
    )
    return shown and (
        action.active_price is None
        or any(
            order.stop_kind is StopKind.TRAILING_STOP
            and order.position_idx == action.position_idx
            and order.trigger_price == action.active_price
            for order in view.orders(action.symbol)
        )
    )
