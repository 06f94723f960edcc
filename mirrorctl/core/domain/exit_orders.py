"""What an order that took something off a position was: a rung, the account's own exit, or the trader's hand."""

from __future__ import annotations

from mirrorctl.core.domain.account import Execution, Order
from mirrorctl.core.domain.ids import OUT_LEG, Role, parse
from mirrorctl.core.domain.trade import order_key
from mirrorctl.core.domain.values import ExecutionKind, OrderType, StopKind

_BY_HAND = frozenset(("", "CreateByUser", "CreateByClosing"))
_TARGETS = frozenset((StopKind.TAKE_PROFIT, StopKind.PARTIAL_TAKE_PROFIT))


def is_our_rung(order: Order) -> bool:
    """Whether an order is a target of ours, on whichever account."""
    link = parse(order.link_id)
    return link is not None and link.role is Role.TARGET


def key_of(order: Order) -> str:
    """The name of the rung that a target stands for: of ours its step, of the trader's its order id."""
    link = parse(order.link_id)
    return link.step if link is not None and link.role is Role.TARGET else order_key(order.order_id)


def rung_of(order: Order) -> str:
    """The rung that an exit stands for: ours by its step, a resting exit of the trader's by its id; "" for none."""
    if parse(order.link_id) is not None:
        return key_of(order) if is_our_rung(order) else ""
    against = order.is_exit or order.position_idx == 0  # on a one-way main an order against the position is an exit
    resting = against and order.stop_kind is StopKind.NONE and order.order_type is OrderType.LIMIT
    return key_of(order) if resting or order.stop_kind is StopKind.PARTIAL_TAKE_PROFIT else ""


def put_out(execution: Execution) -> str:
    """Why a closing execution of ours ended the cycle for its mirror; "" where its id does not say so.

    It was decided by the process before this one, and what that wrote down may be lost.
    """
    link = parse(execution.link_id)
    if link is None:
        return ""
    if link.role is Role.FLATTEN:
        return "flatten"
    return "closed by mirrorctl" if link.role is Role.REDUCTION and link.leg == OUT_LEG else ""


def own_exit(execution: Execution) -> tuple[bool, str]:
    """Whether a closing execution is the mirror's own exit, and why that ends the cycle for it ("" for a target)."""
    if execution.kind in (ExecutionKind.LIQUIDATION, ExecutionKind.ADL):
        return True, execution.kind.value
    link = parse(execution.link_id)
    if link is not None:
        return link.role is Role.TARGET, ""
    if execution.stop_kind in _TARGETS or "TakeProfit" in execution.create_type:
        return True, ""
    if execution.stop_kind is StopKind.NONE and execution.create_type in _BY_HAND:
        return False, ""
    return True, "stop"  # a stop, or something of the exchange that we do not know: never bought back
