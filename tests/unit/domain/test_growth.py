"""The gate in front of entries: the same reasons hold back twins and corrections, and none holds back an exit."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.account import Wallet
from mirrorctl.core.domain.cycle import NEW_ONLY, NEW_STORE
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.policy import Limits, MirrorPolicy, Sizing
from mirrorctl.core.domain.scene import NeedKind
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.domain.view import AccountView
from tests.unit.domain.scenes import LONG, SYMBOL, WALLET, Desk, copy_of, leverages, order, placed, row, told

CLOSED = {"limit": lambda _qty, _price: "limit max_position_notional: 6000 over 5000"}
GATES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"growth_block": "paused: by hand"}, {}, "paused: by hand"),
    ({}, {"held": NEW_STORE}, "new store"),
    ({}, {"held": NEW_ONLY}, "adopt = new-only"),
    ({}, {"out": "stop"}, "own exit: stop"),
    (CLOSED, {}, "limit max_position_notional: 6000 over 5000"),
    ({"instrument": replace(Desk.opened().instrument, trading=False)}, {}, "BTCUSDT is not trading"),
    ({"instrument": replace(Desk.opened().instrument, min_notional=Decimal(10_000))}, {}, "below minimum"),
]


@pytest.mark.proves("A12", "A82")
@pytest.mark.parametrize(("settings", "changes", "reason"), GATES, ids=[gate[2] for gate in GATES])
@pytest.mark.parametrize("by", ["correction", "twin"])
def test_a_gate_holds_every_entry_and_names_its_reason(
    settings: dict[str, Any], changes: dict[str, Any], reason: str, by: str
) -> None:
    desk = Desk.opened(copies={LONG: copy_of(**changes)}, **settings)
    if by == "twin":
        desk.main.rest(order("a", "0.2"))
    else:
        desk.main.hold(LONG, "0.2")
    plan = desk.plan()
    assert plan.actions == []
    assert [held.reason[: len(reason)] for held in plan.held] == [reason]
    assert not plan.held[0].waiting
    assert (plan.held[0].raw_want or 0) > plan.held[0].want


@pytest.mark.proves("A29")
@pytest.mark.parametrize(("settings", "changes", "reason"), GATES, ids=[gate[2] for gate in GATES])
def test_no_gate_holds_a_reduction_or_a_stop(settings: dict[str, Any], changes: dict[str, Any], reason: str) -> None:
    desk = Desk.opened(copies={LONG: copy_of(**changes)}, **settings)
    desk.main.hold(LONG, "0.1", stop_loss=Decimal(50_000))
    desk.mirror.hold(LONG, "0.07")
    assert told(desk.plan()) == ["SetTradingStop", "reduction sell 0.020"]


@pytest.mark.proves("A4")
@pytest.mark.parametrize(
    ("equity", "available", "held"),
    [("0", "0", True), ("-1", "5", True), ("100", "0", True), ("100", "1", False), (None, None, False)],
)
def test_an_empty_wallet_holds_entries(equity: str | None, available: str | None, held: bool) -> None:
    desk = Desk.opened()
    if equity is not None and available is not None:
        desk.mirror.view.apply_wallet(Wallet(Decimal(equity), Decimal(available), ZERO, ZERO, ZERO))
    desk.main.hold(LONG, "0.2")
    plan = desk.plan()
    assert [h.reason for h in plan.held] == (["the wallet is empty"] if held else [])
    assert bool(plan.actions) is not held


def test_a_wallet_that_is_tied_up_is_not_empty() -> None:
    desk = Desk.opened()
    desk.mirror.view.apply_wallet(Wallet(Decimal(100), ZERO, Decimal(100), ZERO, ZERO))
    desk.main.rest(order("a", "0.2"))
    desk.twin("a", "0.100")
    assert told(desk.plan()) == [], "the twin itself holds the margin"


@pytest.mark.parametrize("reason", ["paused: by hand", ""])
def test_a_resting_twin_is_taken_off_while_growth_is_held(reason: str) -> None:
    desk = Desk.opened(growth_block=reason)
    desk.main.rest(order("a", "0.2"))
    desk.twin("a", "0.100")
    assert told(desk.plan()) == (["CancelOrder"] if reason else [])


# --- leverage -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("main", "factor", "most", "wanted"),
    [
        ("10", "1", "20", None),
        ("5", "1", "20", "5"),
        ("50", "1", "20", "20"),
        ("50", "1", None, "50"),
        ("10", "1.5", "20", "15"),
        ("10", "0.333", "20", "3.33"),
        ("100", "3", None, "100"),
        ("1", "0.1", "20", "1"),
    ],
)
@pytest.mark.parametrize("by", ["correction", "twin"])
def test_an_entry_waits_for_its_leverage(main: str, factor: str, most: str | None, wanted: str | None, by: str) -> None:
    limits = Limits(max_leverage=None if most is None else Decimal(most))
    policy = MirrorPolicy("mirror", sizing=Sizing(leverage_factor=Decimal(factor)), limits=limits)
    desk = Desk.opened(policy=policy)
    desk.main.change(0, leverage=Decimal(main))
    if by == "twin":
        desk.main.rest(order("a", "0.2"))
    else:
        desk.main.hold(LONG, "0.2")
    plan = desk.plan()
    if wanted is None:
        assert [action.qty for action in placed(plan)] == [Decimal("0.100")]
        return
    [change] = leverages(plan)
    assert change.leverage == Decimal(wanted)
    assert placed(plan) == []
    assert all(held.waiting for held in plan.held)
    desk.busy = frozenset(["leverage"])
    assert desk.plan().actions == []
    desk.busy = frozenset()
    desk.mirror.change(0, leverage=Decimal(wanted))
    assert [action.qty for action in placed(desk.plan())] == [Decimal("0.100")]


def test_leverage_is_set_once_for_all_entries_of_a_pass() -> None:
    desk = Desk.opened()
    desk.main.change(0, leverage=Decimal(5))
    desk.main.hold(LONG, "0.2")
    desk.main.rest(order("a", "0.2"))
    assert told(desk.plan()) == ["SetLeverage"]


def test_a_mirror_that_was_never_read_is_read_and_nothing_is_sent() -> None:
    desk = Desk.opened()
    desk.main.hold(LONG, "0.2")
    desk.mirror.view = AccountView("mirror")
    desk.mirror.view.apply_wallet(WALLET)
    plan = desk.plan()
    assert plan.actions == []
    assert [(need.kind, need.account) for need in plan.needs] == [(NeedKind.POSITION, "mirror")]
    assert plan.held[0].waiting


@pytest.mark.proves("A75")
def test_a_mirror_that_shows_no_leverage_gets_no_entry() -> None:
    desk = Desk.opened()
    desk.main.hold(LONG, "0.2")
    desk.mirror.view.leverage.clear()
    assert desk.plan().actions == []


@pytest.mark.proves("A86")
@pytest.mark.parametrize("mirror", ["0", "0.02", "0.3"])
def test_a_fill_that_is_not_accounted_for_decides_nothing(mirror: str) -> None:
    desk = Desk.opened()
    desk.main.hold(LONG, "0.2")
    if Decimal(mirror):
        desk.mirror.hold(LONG, mirror)
    desk.main.view.apply_order(order("a", "0.1", filled_qty=Decimal("0.05")), desk.now_ms)
    plan = desk.plan()
    assert plan.actions == []
    assert plan.blocked == "a fill on main is not accounted for yet"


@pytest.mark.proves("A45", "A86")
@pytest.mark.parametrize("side", PositionSide)
def test_a_main_that_no_row_ever_proved_closes_nothing(side: PositionSide) -> None:
    desk = Desk.opened(copies={side: copy_of(side)})
    desk.main.view = AccountView("main")
    desk.mirror.hold(side, "0.05")
    plan = desk.plan()
    assert (plan.actions, plan.blocked != "") == ([], True)
    desk.main.view.apply_position(row(None, "0", 1), desk.now_ms, read=True)
    assert told(desk.plan()) == [f"reduction {side.exit} 0.050"]
    assert desk.main.view.proven(SYMBOL)
