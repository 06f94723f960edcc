"""What the audit says of orders: orphans of ours, entries that a mirror lacks, and orders that are not ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mirrorctl.core.domain.actions import AmendOrder
from mirrorctl.core.domain.audit.judge import judge
from mirrorctl.core.domain.audit.scene import Seen
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.scene import Planned, SymbolPlan
from mirrorctl.core.domain.values import OrderStatus, OrderType, Side, StopKind
from tests.unit.domain.audits import (
    MAIN_TAG,
    audited,
    desk_holding,
    look,
    our_link,
    partial_stop,
    target,
    told,
    twin_under_stop,
)
from tests.unit.domain.scenes import LONG, SYMBOL, TAG, Desk, copy_of, dec, order


@pytest.mark.proves("A61")
def test_entry_limits_that_wait_with_no_position_are_no_orphans() -> None:
    desk = Desk.opened()
    desk.main.rest(order("a", "0.02", link_id=our_link(Role.ENTRY, account=MAIN_TAG)))
    desk.twin("a", "0.010")
    assert audited(desk) == []


@pytest.mark.proves("A61", "A64")
def test_an_entry_of_main_without_its_twin_is_not_mirrored() -> None:
    desk = Desk.opened()
    desk.main.rest(order("a", "0.02"))
    [finding] = judge(look(desk))
    assert told([finding]) == ["warning NOT_MIRRORED mirror"]
    assert (finding.expected, finding.actual) == ("buy 0.01 at 59000, as main's order", "no order")


def test_every_entry_that_is_missing_is_a_finding_of_its_own() -> None:
    desk = Desk.opened()
    for name in ("a", "b"):
        desk.main.rest(order(name, "0.02"))
    assert audited(desk) == ["warning NOT_MIRRORED mirror"] * 2


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({"qty": dec("0.04")}, "0.02"), ({"price": dec(58_900)}, "at 58900")],
    ids=["quantity", "price"],
)
def test_a_twin_that_is_not_as_mains_order_is_drift(changes: dict[str, Any], expected: str) -> None:
    desk = Desk.opened()
    resting = desk.main.rest(order("a", "0.02"))
    desk.twin("a", "0.010")
    desk.main.rest(replace(resting, **changes))
    [finding] = judge(look(desk))
    assert told([finding]) == ["warning RATIO_DRIFT mirror"]
    assert (finding.expected, finding.actual) == (expected, "buy 0.01 at 59000")


@pytest.mark.proves("A84")
def test_an_entry_with_another_stop_attached_is_not_protected_by_its_trades() -> None:
    desk = desk_holding("0.1", "0.05")
    desk.mirror.rest(order("twin", "0.01", link_id=our_link(Role.TWIN), stop_loss=dec(57_000)))
    amend = AmendOrder("mirror", SYMBOL, "twin", our_link(Role.TWIN), "moved", stop_loss=dec(58_000), protective=True)
    [finding] = judge(look(desk, SymbolPlan("mirror", SYMBOL, actions=[Planned(amend)])))
    assert told([finding]) == ["warning NO_STOP mirror"]
    assert (finding.expected, finding.actual) == ("with stop 58000", "buy 0.01 at 59000 with stop 57000")


@pytest.mark.proves("A62", "A64")
def test_a_twin_whose_order_is_gone_is_an_orphan() -> None:
    desk = desk_holding("0.1", "0.05")
    desk.main.rest(order("a", "0.02"))
    twin_under_stop(desk)
    assert audited(desk) == []
    desk.main.end("a", OrderStatus.CANCELLED)
    [finding] = judge(look(desk))
    assert told([finding]) == ["warning ORPHAN_ORDER mirror"]
    assert (finding.expected, finding.actual) == ("no order: main's order is gone", "buy 0.01 at 59000")
    assert finding.subject == "on-mirror-a-0"


@pytest.mark.proves("A62")
@pytest.mark.parametrize("role", [Role.TWIN, Role.CORRECTION])
@pytest.mark.parametrize("ended", [False, True], ids=["no cycle", "ended cycle"])
def test_an_entry_of_ours_without_a_live_trade_is_an_orphan(role: Role, ended: bool) -> None:
    """Whether or not the planner could do anything about it."""
    desk = Desk.opened(copies={LONG: copy_of(LONG, ended=True)} if ended else {})
    desk.mirror.rest(order("left", "0.01", link_id=our_link(role)))
    assert audited(desk, SymbolPlan("mirror", SYMBOL)) == ["warning ORPHAN_ORDER mirror"]


@pytest.mark.proves("A62")
def test_a_target_of_ours_after_main_is_flat_is_an_orphan() -> None:
    desk = Desk.opened(copies={LONG: copy_of(LONG, ended=True)})
    desk.mirror.rest(target("left", "0.01", link_id=our_link(Role.TARGET)))
    desk.main.rest(target("left", "0.02", link_id=our_link(Role.TARGET, account=MAIN_TAG)))
    expected = ["warning ORPHAN_ORDER main", "warning ORPHAN_ORDER mirror"]
    assert audited(desk, SymbolPlan("mirror", SYMBOL)) == expected


def test_an_exit_of_a_position_that_is_being_closed_is_no_orphan() -> None:
    desk = desk_holding("0", "0.05", copies={LONG: copy_of(LONG, ended=True)})
    desk.mirror.rest(target("closing", "0.05", link_id=our_link(Role.REDUCTION)))
    assert not any("ORPHAN_ORDER" in line for line in audited(desk, SymbolPlan("mirror", SYMBOL)))


@pytest.mark.proves("A60")
@pytest.mark.parametrize(
    "foreign",
    [
        order("hand", "0.01"),
        order("hand", "0.01", link_id="my-own-bot-7"),
        order("hand", "0.01", link_id=our_link(Role.TWIN, account=MAIN_TAG)),
        order("hand", "0.01", side=Side.SELL, order_type=OrderType.MARKET, trigger_price=dec(66_000), price=None),
        partial_stop("hand", "0.01"),
    ],
    ids=["by hand", "another program", "another account's", "conditional", "partial stop"],
)
def test_an_order_that_is_not_ours_is_named_on_a_mirror_and_not_on_main(foreign: Any) -> None:
    desk = desk_holding("0.1", "0.05")
    desk.mirror.rest(foreign)
    [finding] = judge(look(desk, SymbolPlan("mirror", SYMBOL)))
    assert told([finding]) == ["info FOREIGN_ORDER mirror"]
    assert finding.subject == "hand"
    on_main = desk_holding("0.1", "0.05")
    on_main.main.rest(foreign)
    assert audited(on_main, SymbolPlan("mirror", SYMBOL)) == []


@pytest.mark.parametrize("kind", [StopKind.STOP_LOSS, StopKind.TAKE_PROFIT, StopKind.TRAILING_STOP])
def test_what_the_exchange_made_for_the_position_is_not_foreign(kind: StopKind) -> None:
    desk = desk_holding("0.1", "0.05")
    desk.mirror.rest(target("bound", "0.05", stop_kind=kind, status=OrderStatus.UNTRIGGERED))
    assert audited(desk, SymbolPlan("mirror", SYMBOL)) == []


def test_a_disabled_mirror_is_named_with_what_it_holds_and_not_judged() -> None:
    desk = desk_holding("0.1", "0.05")
    off = desk_holding("0.1", "0.7", stop=None)
    off.mirror.rest(order("hand", "0.01"))
    off.mirror.rest(order("ours", "0.01", link_id=our_link(Role.TWIN)))
    findings = judge(look(desk, disabled=(Seen("off", TAG, off.mirror.view),)))
    assert told(findings) == ["info ORPHAN_ORDER off", "info UNEXPECTED_POSITION off"]
    assert findings[1].actual == "0.7, no stop"
