"""What the audit says of stops and targets: each code made, and each near miss that must not make it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from mirrorctl.core.domain.account import Order
from mirrorctl.core.domain.actions import Action, AmendOrder, CancelOrder, PlaceOrder, SetTradingStop
from mirrorctl.core.domain.audit.judge import judge
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.policy import Manage, Policy
from mirrorctl.core.domain.scene import Planned, SymbolPlan
from mirrorctl.core.domain.values import OrderType, Side, TriggerBy
from tests.unit.domain.audits import (
    MAIN_TAG,
    audited,
    conditional,
    desk_holding,
    look,
    our_link,
    partial_stop,
    target,
    told,
    trade_of,
)
from tests.unit.domain.scenes import LONG, SYMBOL, Desk, dec, stop_row

Change = Callable[[Desk], object]


def naked_mirror(desk: Desk) -> None:
    desk.mirror.change(0, stop_loss=None)


def naked_main(desk: Desk) -> None:
    desk.main.change(0, stop_loss=None)


def naked(desk: Desk) -> None:
    naked_main(desk)
    naked_mirror(desk)


@pytest.mark.proves("A22", "A64")
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda desk: None, []),
        (naked_mirror, ["critical NO_STOP mirror"]),
        (lambda desk: desk.mirror.change(0, stop_loss=dec(57_000)), ["warning NO_STOP mirror"]),
        (naked_main, ["info NO_STOP main"]),
        (naked, ["info NO_STOP main", "info NO_STOP mirror"]),
        (lambda desk: desk.mirror.change(0, stop_loss=None, trailing_stop=dec(500)), ["warning NO_STOP mirror"]),
    ],
    ids=["in step", "mirror naked", "another stop", "main gave it up", "no stop meant", "trailing instead"],
)
def test_a_stop_that_should_stand(change: Change, expected: list[str]) -> None:
    desk = desk_holding("0.1", "0.05")
    change(desk)
    assert audited(desk) == expected


def test_a_stop_finding_says_what_was_expected_and_what_stands() -> None:
    desk = desk_holding("0.1", "0.05")
    naked_mirror(desk)
    [finding] = judge(look(desk))
    assert (finding.account, finding.symbol, finding.side) == ("mirror", SYMBOL, LONG)
    assert (finding.expected, finding.actual) == ("stop 58000 by last price", "no stop")
    assert "mirrorctl sync" in finding.remedy


@pytest.mark.parametrize(
    ("stop", "manage", "expected"),
    [("58000", Manage.OWN, "critical"), (None, Manage.OWN, "info"), (None, Manage.ALL, "info")],
)
def test_a_managed_trade_without_the_stop_it_was_given(stop: str | None, manage: Manage, expected: str) -> None:
    desk = desk_holding("0.1", "0.05", stop=None)
    trade = trade_of(stop=dec(stop) if stop else None)
    plan = SymbolPlan("main", SYMBOL)
    scene = look(desk, plan, trades={trade.key: trade}, policy=Policy("desk", "USDT", (desk.policy,), manage=manage))
    assert told(judge(scene)) == [f"{expected} NO_STOP main", f"{expected} NO_STOP mirror"]


@pytest.mark.parametrize("trigger", ["57000", "62000"])
def test_a_conditional_order_of_mains_trader_covers_main_and_no_mirror(trigger: str) -> None:
    desk = desk_holding("0.1", "0.05", stop=None)
    desk.main.rest(conditional("hand", "0.1", trigger, trigger_direction=2 if trigger == "57000" else 1))
    covered = ["warning NO_STOP mirror"]
    assert audited(desk) == (covered if trigger == "57000" else ["info NO_STOP main", "info NO_STOP mirror"])


@pytest.mark.parametrize(
    ("qty", "managed", "expected"),
    [
        ("0.04", False, ["info STOP_QTY main"]),
        ("0.04", True, ["warning STOP_QTY main"]),
        ("0.1", True, []),
    ],
)
def test_partial_stops_cover_main_or_do_not(qty: str, managed: bool, expected: list[str]) -> None:
    desk = desk_holding("0.1", "0", stop=None)
    desk.main.rest(partial_stop("partial", qty))
    trade = trade_of()
    trades = {trade.key: trade} if managed else {}
    assert audited(desk, SymbolPlan("mirror", SYMBOL), trades=trades) == expected


@pytest.mark.parametrize(("qty", "expected"), [("0.02", ["warning STOP_QTY mirror"]), ("0.05", [])])
def test_partial_stops_on_a_mirror(qty: str, expected: list[str]) -> None:
    desk = desk_holding("0.1", "0.05", stop=None)
    desk.mirror.rest(partial_stop("partial", qty))
    findings = audited(desk, SymbolPlan("mirror", SYMBOL))
    assert [line for line in findings if "main" not in line and "FOREIGN" not in line] == expected


def test_a_partial_stop_of_main_that_is_not_mirrored_is_named() -> None:
    desk = desk_holding("0.1", "0.05")
    desk.main.rest(partial_stop("partial", "0.02"))
    [finding] = judge(look(desk))
    assert (finding.severity, finding.code) == ("info", "STOP_QTY")
    assert "0.02 at 57000" in finding.actual


@pytest.mark.proves("A23")
@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ([], []),
        ([stop_row(LONG, TriggerBy.LAST, order_id="second")], ["warning DUPLICATE_STOP mirror"]),
        ([conditional("ours", "0.05", "57500", link_id=our_link(Role.TARGET))], ["warning DUPLICATE_STOP mirror"]),
        ([conditional("hand", "0.05", "57500")], ["info FOREIGN_ORDER mirror"]),
        ([partial_stop("hand", "0.02")], ["info FOREIGN_ORDER mirror"]),
        ([conditional("profit", "0.05", "61000", link_id=our_link(Role.TARGET), trigger_direction=1)], []),
    ],
    ids=["one", "two full", "ours beside it", "foreign beside it", "a partial beside it", "ours at a profit"],
)
def test_exactly_one_of_our_stops_stands(extra: list[Order], expected: list[str]) -> None:
    desk = desk_holding("0.1", "0.05")
    desk.mirror.rest(stop_row(LONG, TriggerBy.LAST))
    for each in extra:
        desk.mirror.rest(each)
    assert audited(desk, SymbolPlan("mirror", SYMBOL)) == expected


@pytest.mark.parametrize("managed", [False, True])
def test_two_stops_on_main_are_a_finding_where_it_is_managed(managed: bool) -> None:
    desk = desk_holding("0.1", "0.05")
    for order_id in ("first", "second"):
        desk.main.rest(stop_row(LONG, TriggerBy.LAST, order_id=order_id))
    trade = trade_of(stop=dec(58_000))
    expected = ["warning DUPLICATE_STOP main"] if managed else []
    assert audited(desk, trades={trade.key: trade} if managed else {}) == expected


def test_targets_that_would_sell_more_than_is_held() -> None:
    desk = desk_holding("0.1", "0.05")
    desk.mirror.rest(target("one", "0.03", link_id=our_link(Role.TARGET)))
    assert audited(desk, SymbolPlan("mirror", SYMBOL)) == []
    desk.mirror.rest(target("two", "0.03", link_id=our_link(Role.TARGET, step="bcdefghi")))
    [finding] = judge(look(desk, SymbolPlan("mirror", SYMBOL)))
    assert (finding.code, finding.expected, finding.actual) == ("TARGET_QTY", "at most 0.05", "targets for 0.06")
    assert finding.severity == "warning"


def test_foreign_targets_do_not_count() -> None:
    desk = desk_holding("0.1", "0.05")
    desk.mirror.rest(target("hand", "0.05"))
    desk.mirror.rest(target("other account", "0.05", link_id=our_link(Role.TARGET, account=MAIN_TAG)))
    assert audited(desk, SymbolPlan("mirror", SYMBOL)) == ["info FOREIGN_ORDER mirror"] * 2


def placing(qty: str) -> PlaceOrder:
    return PlaceOrder(
        "mirror",
        SYMBOL,
        Side.SELL,
        OrderType.LIMIT,
        dec(qty),
        our_link(Role.TARGET),
        Role.TARGET,
        "target 1",
        price=dec(61_000),
        reduce_only=True,
    )


AMENDING = AmendOrder("mirror", SYMBOL, "one", our_link(Role.TARGET), "target 1: 0.02 at 61000", qty=dec("0.02"))
CANCELLING = CancelOrder("mirror", SYMBOL, "one", our_link(Role.TARGET), "target: no rung of the ladder any more")
PROFIT = SetTradingStop("mirror", SYMBOL, 0, "as on main", take_profit=dec(63_000))


@pytest.mark.proves("A64")
@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (placing("0.02"), "sell 0.02 at 61000"),
        (AMENDING, "1: 0.02 at 61000"),
        (CANCELLING, "gone: no rung of the ladder any more"),
        (PROFIT, "take-profit 63000"),
        (replace(PROFIT, take_profit=dec(0)), "no take-profit"),
    ],
)
def test_what_the_planner_would_do_about_targets_is_what_is_wrong_with_them(action: Action, expected: str) -> None:
    desk = desk_holding("0.1", "0.05")
    desk.mirror.rest(target("one", "0.03", link_id=our_link(Role.TARGET)))
    plan = SymbolPlan("mirror", SYMBOL, actions=[Planned(action)])
    [finding] = judge(look(desk, plan))
    assert (finding.severity, finding.code, finding.account, finding.side) == ("warning", "TARGET_QTY", "mirror", LONG)
    assert (finding.expected, finding.actual) == (expected, "reduce-only sell 0.03 at 61000")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("target at 61000 refused (110020): too many", "warning TARGET_QTY mirror"),
        ("all targets are filled and 0.01 is left", "info TARGET_QTY mirror"),
        ("breakeven 60001 is passed by the price: the stop stays", "info NO_STOP mirror"),
    ],
)
def test_what_the_exchange_does_not_take_is_named(text: str, expected: str) -> None:
    desk = desk_holding("0.1", "0.05")
    plan = SymbolPlan("mirror", SYMBOL, missing=[text])
    [finding] = judge(look(desk, plan))
    assert told([finding]) == [expected]
    assert finding.actual == text


def test_the_stop_of_a_foreign_position_is_nobodys_business() -> None:
    desk = desk_holding("0.1", "0.05", copies={}, parked="foreign position")
    naked_mirror(desk)
    assert not any("NO_STOP" in line for line in audited(desk))


def test_a_stop_of_a_short_is_judged_on_its_own_side() -> None:
    """A conditional buy that triggers on a rise stops a short; one on a fall takes its profit."""
    desk = Desk.opened(copies={})
    desk.main.hold(LONG.opposite, "0.1")
    desk.main.rest(conditional("hand", "0.1", "62000", side=Side.BUY, trigger_direction=2))
    assert audited(desk) == ["info NO_STOP main", "warning MISSING_MONITOR main"][::-1]
    desk.main.rest(conditional("hand", "0.1", "62000", side=Side.BUY, trigger_direction=1))
    assert audited(desk) == ["warning MISSING_MONITOR main"]
