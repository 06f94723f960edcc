"""How positions closed, read off their executions: which one brought a position to zero, and why (A41)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from mirrorctl.core.domain.account import Execution, Order
from mirrorctl.core.domain.ids import LinkId, Role
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.values import ExecutionKind, PositionSide, Side, StopKind


class CloseReason(StrEnum):
    """Why a position closed, by its closing execution alone."""

    TARGET = "target"
    STOP = "stop"
    MANUAL = "manual"
    LIQUIDATION = "liquidation"
    ADL = "adl"
    EMERGENCY = "emergency"  # `flatten`, a stop that price had passed, on_unprotected = "close"
    FOLLOWED = "followed main"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Closing:
    """A position on `side` came to zero, or past it, by this execution. `opened_ms` 0: its first fill was not seen.

    `exits`: what each order closed of it, as far as its executions were seen, in base coin.
    """

    side: PositionSide
    execution: Execution
    opened_ms: int
    exits: Mapping[str, Decimal] = field(default_factory=dict, compare=False)


def walk(signed: Decimal, executions: Sequence[Execution]) -> tuple[list[Closing], int]:
    """Every time one leg came to zero, oldest first, and when what it holds now began (0: that was not seen).

    `signed` is what the leg holds after all of `executions`, which are in the order of their seq. It is walked
    backwards: what a leg holds now is known, what it held before the first of them is not.
    """
    steps = []
    after = signed
    for execution in reversed(executions):
        before = after - execution.signed
        steps.append((before, after, execution))
        after = before
    found: list[Closing] = []
    opened_ms = 0
    exits: dict[str, Decimal] = {}
    for before, after, execution in reversed(steps):
        crossed = before * after <= ZERO
        if before * execution.signed < ZERO:
            closed = min(abs(before), execution.qty)
            exits[execution.order_id] = exits.get(execution.order_id, ZERO) + closed
        if before and crossed:
            side = PositionSide.LONG if before > ZERO else PositionSide.SHORT
            if execution.closed_qty and PositionSide.shrunk_by(execution.side) is side:
                found.append(Closing(side, execution, opened_ms, exits))
        if crossed:
            opened_ms, exits = (execution.time_ms if after else 0), {}
    return found, opened_ms


def reason_of(
    execution: Execution, link: LinkId | None, order: Order | None, *, is_main: bool, emergency: bool = False
) -> CloseReason:
    """Why the order of a closing execution closed.

    `link` is the order's where it is ours, `order` its row where that is known. `emergency`: a reduction of ours that
    no one but mirrorctl decided, because nothing protected the position any more.
    """
    if execution.kind is ExecutionKind.LIQUIDATION:
        return CloseReason.LIQUIDATION
    if execution.kind is ExecutionKind.ADL:
        return CloseReason.ADL
    if link is not None:
        if link.role is Role.TARGET:
            return CloseReason.TARGET
        if link.role is Role.FLATTEN or emergency:
            return CloseReason.EMERGENCY
        return CloseReason.MANUAL if is_main else CloseReason.FOLLOWED
    if execution.stop_kind in _TARGET_KINDS or "TakeProfit" in execution.create_type:
        return CloseReason.TARGET
    if execution.stop_kind in _STOP_KINDS or "StopLoss" in execution.create_type or "Trail" in execution.create_type:
        return CloseReason.STOP
    if execution.stop_kind is StopKind.CONDITIONAL or execution.create_type == "CreateByStopOrder":
        return _of_conditional(order)
    if execution.create_type in _BY_HAND:
        rested = execution.is_maker and execution.create_type != _CLOSE_BUTTON
        return CloseReason.TARGET if rested else CloseReason.MANUAL
    return CloseReason.UNKNOWN


def _of_conditional(order: Order | None) -> CloseReason:
    """A conditional exit of the trader's own: on the losing side of the position it is a stop, else a target."""
    if order is None or not order.trigger_direction:
        return CloseReason.UNKNOWN
    losing = _FALLS if order.side is Side.SELL else _RISES
    return CloseReason.STOP if order.trigger_direction == losing else CloseReason.TARGET


_TARGET_KINDS = frozenset((StopKind.TAKE_PROFIT, StopKind.PARTIAL_TAKE_PROFIT))
_STOP_KINDS = frozenset((StopKind.STOP_LOSS, StopKind.PARTIAL_STOP_LOSS, StopKind.TRAILING_STOP))
_CLOSE_BUTTON = "CreateByClosing"  # the close button of Bybit's own apps (enum, createType)
_BY_HAND = frozenset(("", "CreateByUser", _CLOSE_BUTTON))
_RISES, _FALLS = 1, 2  # triggerDirection (order/create-order)
