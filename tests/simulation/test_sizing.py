"""Sizing modes at work: each mirror's ratio is made once when a cycle begins, and shown with its formula."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.actions import PlaceOrder
from mirrorctl.core.domain.policy import Direction, Follow, Limits, MappedSymbol, MirrorPolicy, Sizing, SizingMode
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying

FREE = Limits(Decimal(100), None, None, None)
WALLET = "/v5/account/wallet-balance"
POOR = {"copy": Decimal(20_000)}

# What each mode makes of main's 1 BTC at 59,000 with a stop at 57,000, leverage 10 and 100,000 USDT; the mirror's
# 20,000 USDT at the same leverage. Nothing has filled, so equities are what was paid in.
MODES = [
    (SizingMode.PROPORTION, "0.25", "0.25", "proportion: r = 0.25"),
    (SizingMode.EQUITY, "0.5", "0.1", "equity: r = 0.5 × 20000 ÷ 100000 = 0.1"),
    (SizingMode.SAME_MARGIN_PERCENT, "1", "0.2", "same-margin-percent: r = 1 × 20000 ÷ 100000 × 10 ÷ 10 = 0.2"),
    (SizingMode.FIXED_NOTIONAL, "5900", "0.1", "fixed-notional: r = 5900 ÷ (59000 × 1) = 0.1"),
    (SizingMode.FIXED_QTY, "0.033", "0.033", "fixed-qty: r = 0.033 ÷ 1 = 0.033"),
    # 1% of 20,000 is 200, lost over 2,000 a coin by 0.1 of them
    (SizingMode.RISK, "1", "0.1", "risk: r = 20000 × 1% ÷ |59000 − 57000| ÷ 1 = 0.1"),
]


def by(mode: SizingMode, value: str, *, name: str = "copy", symbols: dict[str, str] | None = None) -> MirrorPolicy:
    values = {symbol: Decimal(text) for symbol, text in (symbols or {}).items()}
    return copying(name, sizing=Sizing(mode, Decimal(value), symbols=values), limits=FREE)


def copy_at(stage: Stage) -> Any:
    return next(copy for copy in stage.engine.keeper.copies.values() if copy.account == "copy")


@pytest.mark.proves("A3", "A2")
@pytest.mark.parametrize(("mode", "value", "qty", "formula"), MODES, ids=[row[0].value for row in MODES])
def test_a_resting_entry_is_sized_by_its_mode(mode: SizingMode, value: str, qty: str, formula: str) -> None:
    stage = Stage(by(mode, value), balances=POOR)
    stage.main.bid("1", "59000", stop="57000")
    stage.settle()
    assert stage.of("copy").book() == [("Buy", Decimal(qty), Decimal(59000))]
    assert stage.placed("copy")[0].reason.endswith(formula), "plan, journal and `explain` show how it came about"
    assert copy_at(stage).formula == formula
    stage.price("58900")
    stage.settle()
    assert stage.of("copy").position() == Decimal(qty)
    assert stage.of("copy").stop() == Decimal(57000)


@pytest.mark.proves("A1")
@pytest.mark.parametrize(("mode", "value", "qty", "formula"), MODES, ids=[row[0].value for row in MODES])
def test_a_market_entry_is_sized_by_its_mode(mode: SizingMode, value: str, qty: str, formula: str) -> None:
    """At 60,000 and a tick: fees have left main by then, and the stop is 3,000 away."""
    stage = Stage(by(mode, value), balances=POOR)
    stage.main.buy("1", stop="57000")
    stage.run(400)
    entry = Decimal(stage.main.fills()[0]["execPrice"])
    by_price = {SizingMode.FIXED_NOTIONAL: 5900 / entry, SizingMode.RISK: 200 / (entry - 57000)}
    want = by_price.get(mode, Decimal(qty)).quantize(Decimal("0.001"), rounding="ROUND_DOWN")
    assert stage.of("copy").position() == want
    assert len(stage.placed("copy")) == 1


@pytest.mark.proves("A3")
@pytest.mark.parametrize(("mode", "value", "qty", "formula"), MODES, ids=[row[0].value for row in MODES])
def test_preview_plan_and_journal_show_one_figure(mode: SizingMode, value: str, qty: str, formula: str) -> None:
    stage = Stage(by(mode, value), balances=POOR, main_limits=FREE)
    asked: dict[str, Any] = {"symbol": "BTCUSDT", "side": "long", "qty": "1", "entries": ["59000"], "stop": "57000"}
    found = stage.command("trade.open", **asked, dry_run=True)
    row = next(row for row in found["preview"] if row["account"] == "copy")
    assert (row["qty"], row["sizing"], row["held"]) == (qty, formula, None)
    assert found["mirrors"] == [{"account": "copy", "qty": qty, "factor": qty, "sizing": formula}]
    stage.command("trade.open", **asked)
    stage.settle()
    assert [order.qty for order in stage.placed("copy")] == [Decimal(qty)]
    assert stage.placed("copy")[0].reason.endswith(formula)


@pytest.mark.parametrize("mode", [SizingMode.FIXED_NOTIONAL, SizingMode.FIXED_QTY, SizingMode.RISK])
def test_the_entries_of_a_trade_are_sized_once_and_together(mode: SizingMode) -> None:
    """Thirds at market, 59,000 and 58,000, stop 57,000: one ratio from all of them, kept when the last one fills."""
    value = {SizingMode.FIXED_NOTIONAL: "8850", SizingMode.FIXED_QTY: "0.15", SizingMode.RISK: "1.5"}[mode]
    stage = Stage(by(mode, value), balances=POOR)
    stage.command(
        "trade.open",
        symbol="BTCUSDT",
        side="long",
        qty="0.3",
        entries=["59000", "58000"],
        targets=[{"price": price} for price in ("62000", "63000", "64000", "65000")],
        approach="conservative",
        stop="57000",
    )
    stage.settle()
    # mean 59,000: 8,850 are 0.15; 1.5% of 20,000 are 300, lost over 2,000 a coin by 0.15; r = 0.15 ÷ 0.3
    ratio = copy_at(stage).ratio
    assert abs(ratio - Decimal("0.5")) < Decimal("0.0001"), "the market entry costs a tick more than the last price"
    third = (ratio * Decimal("0.1")).quantize(Decimal("0.001"), rounding="ROUND_DOWN")
    assert [order.qty for order in stage.placed("copy") if not order.reduce_only] == [third] * 3
    for price in ("58900", "57900"):
        stage.price(price)
        stage.settle()
    assert copy_at(stage).ratio == ratio
    assert abs(stage.of("copy").position() - Decimal("0.15")) <= Decimal("0.001")


def test_a_main_order_that_fills_in_parts_is_sized_as_a_whole() -> None:
    stage = Stage(by(SizingMode.FIXED_QTY, "0.1"))
    order = stage.main.bid("1", "59000")
    stage.settle()
    twin = stage.of("copy").orders()[0]["orderId"]
    for part, held in (("0.3", "0.03"), ("0.2", "0.05"), ("0.5", "0.1")):
        stage.main.fill(order, part)
        stage.of("copy").fill(twin, str(Decimal(part) / 10))
        stage.settle()
        assert stage.of("copy").position() == Decimal(held)
    assert len(stage.sent("copy", PlaceOrder)) == 1


def test_a_symbol_has_a_value_of_its_own() -> None:
    stage = Stage(by(SizingMode.FIXED_QTY, "0.1", symbols={"ETHUSDT": "2"}))
    stage.main.buy("1")
    stage.main.buy("10", "ETHUSDT")
    stage.settle()
    assert stage.of("copy").held() == {"BTCUSDT": Decimal("0.1"), "ETHUSDT": Decimal(2)}


def test_the_mirrors_own_leverage_counts_for_its_margin() -> None:
    """A limit of 4 on the mirror: the same percent of its equity as margin is 4 ÷ 10 of the position."""
    sizing = Sizing(SizingMode.SAME_MARGIN_PERCENT, Decimal(1))
    stage = Stage(copying("copy", sizing=sizing, limits=Limits(Decimal(4), None, None, None)), balances=POOR)
    stage.main.bid("1", "59000")
    stage.settle()
    assert stage.of("copy").book() == [("Buy", Decimal("0.08"), Decimal(59000))]
    assert stage.of("copy").leverage() == 4


# --- what is unknown ------------------------------------------------------------------------------------------------


@pytest.mark.proves("A4", "A82")
def test_an_equity_that_cannot_be_read_holds_the_entry_with_its_reason() -> None:
    stage = Stage(by(SizingMode.EQUITY, "1"), balances=POOR)
    number = stage.world.fault(FaultKind.RET_CODE, "copy", WALLET, count=None, code=10016, message="internal error")
    stage.main.buy("1", stop="57000")
    stage.run(4_000)
    assert stage.of("copy").held() == {}
    assert stage.placed("copy") == []
    (held,) = stage.status()["held"]
    assert held["reason"].startswith("waits for both equities: ")
    assert (held["raw_want"], held["want"]) == (None, "0")
    assert not stage.status()["in_sync"]
    assert not stage.drift("copy")
    stage.restart()
    stage.run(2_000)
    assert stage.of("copy").held() == {}
    stage.world.gateway.faults.clear(number)
    stage.settle()
    assert stage.of("copy").position() == Decimal("0.2"), "of both equities as they are now"


@pytest.mark.proves("A4")
def test_an_equity_of_nothing_is_never_replaced_by_mains_size() -> None:
    stage = Stage(by(SizingMode.EQUITY, "1"), balances={"copy": Decimal(0)})
    stage.main.buy("1")
    stage.run(5_000)
    assert stage.of("copy").held() == {}
    assert stage.held("copy") == ["the wallet is empty"]
    assert stage.command("trade.open", symbol="ETHUSDT", side="long", qty="1", dry_run=True)["mirrors"] == [
        {"account": "copy", "qty": None, "factor": None, "sizing": "sizing equity: the mirror's equity is 0"}
    ]


@pytest.mark.proves("A82")
def test_risk_without_a_stop_is_held_until_main_has_one() -> None:
    stage = Stage(by(SizingMode.RISK, "1"), balances=POOR)
    stage.main.buy("1")
    stage.run(3_000)
    assert stage.held("copy") == ["sizing risk: main has no stop"]
    assert stage.of("copy").held() == {}
    assert stage.status()["in_sync"], "held, not drift"
    assert len(stage.alerts("copy", "main has no stop")) == 1
    assert [finding.actual for finding in stage.audit() if finding.code == "HELD"] == [
        "0: sizing risk: main has no stop"
    ]
    stage.restart()
    stage.settle()
    stage.main.protect(stop="58000")
    stage.settle()
    entry = Decimal(stage.main.fills()[0]["execPrice"])
    want = (200 / (entry - 58000)).quantize(Decimal("0.001"), rounding="ROUND_DOWN")
    assert stage.of("copy").position() == want
    assert stage.of("copy").stop() == Decimal(58000)
    stage.main.protect(stop="59000")
    stage.settle()
    assert stage.of("copy").position() == want, "a moved stop changes no ratio"


def test_a_stop_that_an_entry_still_carries_sizes_nothing_that_stands_without_one() -> None:
    stage = Stage(by(SizingMode.RISK, "1"), balances=POOR)
    stage.main.buy("0.1")
    stage.main.bid("0.4", "59000", stop="57000")
    stage.settle()
    assert stage.held("copy") == ["sizing risk: main has no stop"]
    assert stage.of("copy").volume() == (Decimal(0), Decimal(0))


def test_an_order_against_mains_position_is_nothing_to_wait_for() -> None:
    stage = Stage(by(SizingMode.RISK, "1"))
    stage.main.offer("0.1", "61000")
    stage.settle()
    assert stage.held("copy") == ["sizing risk: main has no stop"], "of the short that it would open"
    stage.main.buy("0.2", stop="58000")
    stage.settle()
    assert stage.of("copy").position() > 0
    assert (stage.held("copy"), stage.status()["in_sync"]) == ([], True)
    assert stage.command("sync")["converged"], "it does not wait for a ratio that nobody needs"


def test_a_flip_is_sized_by_what_main_holds_whichever_fill_is_told_first() -> None:
    """Main is short 0.098 and buys 0.155: it holds 0.057, never the 0.137 of the first and the third fill alone."""
    for seed in range(1, 41):
        stage = Stage(by(SizingMode.FIXED_QTY, "0.015"), seed=seed)
        stage.main.sell("0.018")
        stage.settle()
        stage.main.sell("0.080")
        stage.main.buy("0.155")
        stage.settle()
        assert stage.main.position() == Decimal("0.057")
        assert copy_at(stage).formula == "fixed-qty: r = 0.015 ÷ 0.057 = 0.26315789…", seed
        assert stage.of("copy").position() == Decimal("0.015"), seed


def test_main_that_closes_before_a_ratio_was_made_leaves_nothing() -> None:
    stage = Stage(by(SizingMode.RISK, "1"))
    stage.main.buy("1")
    stage.settle()
    stage.main.close()
    stage.settle()
    assert stage.sent("copy", PlaceOrder) == []
    assert stage.held("copy") == []
    stage.main.buy("1", stop="58000")
    stage.settle()
    assert stage.of("copy").position() > 0


# --- once a cycle ---------------------------------------------------------------------------------------------------


@pytest.mark.proves("A77")
def test_prices_move_for_a_day_and_no_mode_sends_a_sizing_order() -> None:
    mirrors = [by(mode, value, name=f"m{number}") for number, (mode, value, *_) in enumerate(MODES)][1:]
    stage = Stage(*mirrors, volatility=Decimal("0.001"), tick_s=Decimal(60), relist_s=Decimal(3600))
    stage.main.buy("1", stop="20000")
    stage.settle()
    held = {name: trader.held() for name, trader in stage.mirrors.items()}
    assert all(held.values())
    sent, first = len(stage.sent()), stage.world.exchange.state.markets["BTCUSDT"].last
    stage.run(86_400_000)
    assert stage.world.exchange.state.markets["BTCUSDT"].last != first
    assert len(stage.sent()) == sent
    assert {name: trader.held() for name, trader in stage.mirrors.items()} == held


@pytest.mark.proves("A77")
@pytest.mark.parametrize("mode", [SizingMode.EQUITY, SizingMode.RISK, SizingMode.FIXED_NOTIONAL])
def test_a_ratio_outlasts_restarts_losses_and_a_policy_that_changed(mode: SizingMode) -> None:
    stage = Stage(by(mode, {SizingMode.FIXED_NOTIONAL: "6000"}.get(mode, "1")), balances=POOR)
    stage.main.buy("0.1", stop="50000")
    stage.settle()
    made = copy_at(stage)
    stage.price("55000")
    stage.settle()
    stage.world.kill()
    stage.world.policy = stage.policy = type(stage.policy)("stage", "USDT", (by(SizingMode.FIXED_QTY, "5"),))
    stage.start()
    stage.settle()
    assert (copy_at(stage).ratio, copy_at(stage).formula) == (made.ratio, made.formula)
    stage.main.buy("0.1", stop="50000")
    stage.settle()
    want = (made.ratio * Decimal("0.2")).quantize(Decimal("0.001"), rounding="ROUND_DOWN")
    assert stage.of("copy").position() == want, "the cycle goes on with its own ratio"
    stage.main.close()
    stage.settle()
    stage.main.buy("0.1")
    stage.settle()
    assert copy_at(stage).formula == "fixed-qty: r = 5 ÷ 0.1 = 50"


@pytest.mark.proves("A43")
@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
@pytest.mark.parametrize("mode", [SizingMode.EQUITY, SizingMode.RISK])
def test_killed_at_any_port_call_the_ratio_is_made_once(mode: SizingMode, after: bool) -> None:
    """Equities at rest: whenever the ratio is made it is the same, and no order goes out before it is."""

    def lived(crash: int) -> Stage:
        stage = Stage(by(mode, "1"), balances=POOR)
        world = stage.world
        world.crash_at, world.crash_after = (len(world.calls) + crash if crash else 0), after
        stage.main.bid("1", "59000", stop="57000")
        stage.run(6_000)
        stage.settle()
        return stage

    calm = lived(0)
    calls = len(calm.world.calls)
    assert calm.of("copy").book()
    for crash in range(1, min(calls, 40)):
        stage = lived(crash)
        assert stage.of("copy").book() == calm.of("copy").book(), f"killed at call {crash}"
        assert copy_at(stage).formula == copy_at(calm).formula
        assert len(stage.sent("copy", PlaceOrder)) == 1


def test_an_equity_that_was_read_long_before_the_ratio_could_be_made_is_read_again() -> None:
    stage = Stage(by(SizingMode.RISK, "1"), balances=POOR)
    stage.main.buy("1")
    stage.run(600_000)
    stage.world.exchange.state.accounts[stage.world.uids["copy"]].wallet += 20_000
    stage.main.protect(stop="50000")
    stage.settle()
    entry = Decimal(stage.main.fills()[0]["execPrice"])
    want = (400 / (entry - 50000)).quantize(Decimal("0.001"), rounding="ROUND_DOWN")
    assert stage.of("copy").position() == want


@pytest.mark.proves("A10")
def test_a_mirror_that_does_not_answer_delays_no_trade_on_main() -> None:
    stage = Stage(by(SizingMode.EQUITY, "1"))
    stage.world.latency_ms["copy"] = 10_000
    before = stage.world.now_ms()
    stage.command("trade.open", symbol="BTCUSDT", side="long", qty="0.1", stop="50000", wait_s="0")
    assert int(stage.main.fills()[0]["execTime"]) - before < 1_000
    stage.settle()
    assert stage.of("copy").position() == Decimal("0.1")


# --- a new store ----------------------------------------------------------------------------------------------------


@pytest.mark.proves("A44", "A78")
def test_with_a_new_store_what_is_held_keeps_its_ratio_and_the_rest_waits_for_a_yes() -> None:
    stage = Stage(by(SizingMode.FIXED_QTY, "0.05"))
    stage.main.buy("0.1")
    stage.settle()
    stage.command("pause", account="copy")
    stage.main.buy("2", "ETHUSDT")
    stage.run(2_000)
    stage.restart(new_store=True)
    stage.settle()
    assert copy_at(stage).formula == "observed: r = 0.05 ÷ 0.1"
    assert stage.held("copy") == ["new store"]
    assert stage.of("copy").held() == {"BTCUSDT": Decimal("0.05")}
    stage.command("sync")
    stage.settle()
    assert stage.of("copy").held() == {"BTCUSDT": Decimal("0.05"), "ETHUSDT": Decimal("0.05")}


# --- other coordinates ----------------------------------------------------------------------------------------------


def test_a_reverse_mirror_risks_what_it_loses_at_mains_furthest_target() -> None:
    """Main long 1 at 59,000 with a target at 61,000: the mirror's short loses 2,000 a coin there; 1% of 20,000."""
    sizing = Sizing(SizingMode.RISK, Decimal(1))
    stage = Stage(
        copying("copy", sizing=sizing, limits=FREE, follow=Follow(direction=Direction.REVERSE)), balances=POOR
    )
    stage.price("59000")
    stage.main.buy("1", target="61000")
    stage.settle()
    entry = Decimal(stage.main.fills()[0]["execPrice"])
    want = (200 / (61000 - entry)).quantize(Decimal("0.001"), rounding="ROUND_DOWN")
    assert stage.of("copy").position() == -want
    assert stage.of("copy").stop() == Decimal(61000)


def test_a_mapped_mirror_counts_its_fixed_quantity_in_its_own_contract() -> None:
    mapped = replace(by(SizingMode.FIXED_QTY, "30"), map={"BTCUSDT": MappedSymbol("ETHUSDT", Decimal(20))})
    stage = Stage(mapped)
    stage.main.buy("1")
    stage.settle()
    assert copy_at(stage).formula == "fixed-qty: r = 30 ÷ (1 × 20) = 1.5"
    assert stage.of("copy").held() == {"ETHUSDT": Decimal(30)}


# --- what is left of the cycle before ---------------------------------------------------------------------------------


@pytest.mark.proves("A8")
def test_what_the_cycle_before_left_is_closed_though_the_new_one_has_no_ratio() -> None:
    """Main closes and opens again while the mirror is away; the second time without a stop."""
    stage = Stage(by(SizingMode.RISK, "1"), balances=POOR)
    stage.main.buy("1", stop="57000")
    stage.main.bid("0.5", "59000", stop="57000")
    stage.main.offer("0.5", "63000", reduceOnly=True)
    stage.settle()
    assert stage.of("copy").position() > 0
    assert len(stage.of("copy").orders()) == 2, "a twin and a target"
    stage.world.go_down("copy")
    for order in stage.main.orders():
        stage.main.cancel(order["orderId"])
    stage.main.close()
    stage.run(2_000)
    stage.main.buy("1")
    stage.run(2_000)
    stage.world.come_back("copy")
    stage.settle()
    assert stage.held("copy") == ["sizing risk: main has no stop"]
    assert stage.of("copy").held() == {}
    assert stage.of("copy").orders() == []
    stage.main.protect(stop="57000")
    stage.settle()
    assert stage.of("copy").position() > 0


def test_a_twin_outlasts_a_ratio_that_is_made_anew_and_takes_its_size() -> None:
    """Main's resting entry outlives its position: the next cycle's ratio, of a fixed quantity, is another one."""
    stage = Stage(by(SizingMode.FIXED_QTY, "0.06"))
    stage.main.buy("0.2", stop="50000")
    stage.main.bid("0.1", "59000")
    stage.settle()
    # made at the market order: 0.06 ÷ 0.2, or ÷ 0.3 with the bid where both were seen at once
    first = copy_at(stage).ratio
    assert stage.of("copy").book() == [("Buy", Decimal("0.1") * first, Decimal(59000))]
    stage.main.close()
    stage.settle()
    assert stage.of("copy").book() == [("Buy", Decimal("0.06"), Decimal(59000))], "0.06 of main's 0.1"
    assert copy_at(stage).formula == "fixed-qty: r = 0.06 ÷ 0.1 = 0.6"
