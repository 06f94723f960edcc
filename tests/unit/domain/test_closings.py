"""What closed a position is read off its executions: walked back from what is held now, never guessed (A41)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.account import Execution, Order
from mirrorctl.core.domain.closings import CloseReason, reason_of, walk
from mirrorctl.core.domain.ids import LinkId, Role
from mirrorctl.core.domain.values import ExecutionKind, OrderStatus, OrderType, PositionSide, Side, StopKind

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT
BUY, SELL = Side.BUY, Side.SELL


def fill(seq: int, side: Side, qty: str, closed: str = "0", **more: Any) -> Execution:
    return Execution(
        exec_id=f"e{seq}",
        order_id=f"o{seq}",
        link_id="",
        symbol="BTCUSDT",
        side=side,
        price=Decimal(60000),
        qty=Decimal(qty),
        kind=more.pop("kind", ExecutionKind.TRADE),
        seq=seq,
        time_ms=seq * 10,
        closed_qty=Decimal(closed),
        **more,
    )


def told(signed: str, *executions: Execution) -> tuple[list[tuple[PositionSide, str, int]], int]:
    found, opened_ms = walk(Decimal(signed), executions)
    return [(closing.side, closing.execution.exec_id, closing.opened_ms) for closing in found], opened_ms


@pytest.mark.proves("A41")
@pytest.mark.parametrize(
    ("signed", "executions", "closed", "opened_ms"),
    [
        ("0", [fill(1, BUY, "1"), fill(2, SELL, "0.4", "0.4"), fill(3, SELL, "0.6", "0.6")], [(LONG, "e3", 10)], 0),
        ("0.6", [fill(1, BUY, "1"), fill(2, SELL, "0.4", "0.4")], [], 10),
        ("0", [fill(1, SELL, "1"), fill(2, BUY, "1", "1")], [(SHORT, "e2", 10)], 0),
        ("-2", [fill(1, BUY, "1"), fill(2, SELL, "3", "1")], [(LONG, "e2", 10)], 20),
        ("2", [fill(1, BUY, "1"), fill(2, SELL, "1", "1"), fill(3, BUY, "2")], [(LONG, "e2", 10)], 30),
        ("0", [fill(2, SELL, "1", "1")], [(LONG, "e2", 0)], 0),
        ("5", [fill(2, BUY, "1")], [], 0),
        ("0", [], [], 0),
    ],
    ids=["in two", "reduced", "short", "flip", "reopened", "began unseen", "grew", "nothing"],
)
def test_a_leg_is_walked_back_from_what_it_holds(
    signed: str, executions: list[Execution], closed: list[tuple[PositionSide, str, int]], opened_ms: int
) -> None:
    assert told(signed, *executions) == (closed, opened_ms)


def test_funding_moves_nothing() -> None:
    funding = fill(2, BUY, "1", kind=ExecutionKind.FUNDING)
    assert told("0", fill(1, BUY, "1"), funding, fill(3, SELL, "1", "1")) == ([(LONG, "e3", 10)], 0)


def test_an_execution_that_closed_nothing_is_never_the_reason() -> None:
    """A fill in between is missing: an entry seems to have brought the position to zero."""
    assert told("0.1", fill(1, BUY, "0.1"), fill(3, BUY, "0.1"))[0] == []


def link(role: Role) -> LinkId:
    return LinkId("abcde", "abcdefg", role, 0, "abcdefgh", 0)


@pytest.mark.proves("A41")
@pytest.mark.parametrize(
    ("how", "role", "is_main", "reason"),
    [
        ({"stop_kind": StopKind.STOP_LOSS, "create_type": "CreateByStopLoss"}, None, True, CloseReason.STOP),
        ({"stop_kind": StopKind.PARTIAL_STOP_LOSS}, None, True, CloseReason.STOP),
        ({"stop_kind": StopKind.TRAILING_STOP}, None, False, CloseReason.STOP),
        ({"create_type": "CreateByTrailingStop"}, None, False, CloseReason.STOP),
        ({"stop_kind": StopKind.TAKE_PROFIT}, None, True, CloseReason.TARGET),
        ({"create_type": "CreateByPartialTakeProfit"}, None, True, CloseReason.TARGET),
        ({"create_type": "CreateByUser"}, None, True, CloseReason.MANUAL),
        ({"create_type": "CreateByUser", "is_maker": True}, None, True, CloseReason.TARGET),
        ({"create_type": "CreateByClosing", "is_maker": True}, None, True, CloseReason.MANUAL),
        ({"create_type": "CreateBySomethingElse"}, None, True, CloseReason.UNKNOWN),
        ({"kind": ExecutionKind.LIQUIDATION}, None, True, CloseReason.LIQUIDATION),
        ({"kind": ExecutionKind.ADL, "create_type": "CreateByAdl_PassThrough"}, None, False, CloseReason.ADL),
        ({}, Role.TARGET, False, CloseReason.TARGET),
        ({}, Role.FLATTEN, True, CloseReason.EMERGENCY),
        ({}, Role.REDUCTION, True, CloseReason.MANUAL),
        ({}, Role.REDUCTION, False, CloseReason.FOLLOWED),
        ({}, Role.TWIN, False, CloseReason.FOLLOWED),
    ],
)
def test_the_reason_is_that_of_the_closing_execution(
    how: dict[str, Any], role: Role | None, is_main: bool, reason: CloseReason
) -> None:
    closing = fill(2, SELL, "1", "1", **how)
    assert reason_of(closing, link(role) if role else None, None, is_main=is_main) is reason


def test_a_reduction_that_nobody_but_us_decided_is_an_emergency() -> None:
    closing = fill(2, SELL, "1", "1")
    assert reason_of(closing, link(Role.REDUCTION), None, is_main=False, emergency=True) is CloseReason.EMERGENCY
    assert reason_of(closing, link(Role.TARGET), None, is_main=False, emergency=True) is CloseReason.TARGET


@pytest.mark.parametrize(
    ("side", "direction", "reason"),
    [
        (SELL, 2, CloseReason.STOP),
        (SELL, 1, CloseReason.TARGET),
        (BUY, 1, CloseReason.STOP),
        (BUY, 2, CloseReason.TARGET),
        (SELL, 0, CloseReason.UNKNOWN),
    ],
)
def test_a_conditional_exit_of_the_traders_own_is_told_by_its_direction(
    side: Side, direction: int, reason: CloseReason
) -> None:
    closing = fill(2, side, "1", "1", stop_kind=StopKind.CONDITIONAL)
    order = Order(
        "o2", "", "BTCUSDT", side, OrderType.MARKET, Decimal(1), OrderStatus.FILLED, trigger_direction=direction
    )
    assert reason_of(closing, None, order, is_main=True) is reason
    assert reason_of(closing, None, None, is_main=True) is CloseReason.UNKNOWN
