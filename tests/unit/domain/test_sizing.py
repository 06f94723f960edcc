"""Sizing modes as arithmetic: the ratio, its formula, and why there is none."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorctl.core.domain.policy import SizingMode
from mirrorctl.core.domain.sizing import BY_EQUITY, Sized, SizingInputs, Unsized, check_value, is_waiting, ratio_of
from tests.unit.domain.scenes import BTC, LONG, SHORT, dec

FULL = SizingInputs(
    side=LONG,
    main_equity=dec(100_000),
    mirror_equity=dec(20_000),
    main_qty=dec("0.1"),
    price=dec(60_000),
    stop=dec(58_000),
    main_leverage=dec(5),
    mirror_leverage=dec(10),
)
MODES = [
    ("proportion", "0.25", "0.25", "proportion: r = 0.25"),
    ("equity", "0.5", "0.1", "equity: r = 0.5 × 20000 ÷ 100000 = 0.1"),
    ("same-margin-percent", "1", "0.4", "same-margin-percent: r = 1 × 20000 ÷ 100000 × 10 ÷ 5 = 0.4"),
    ("fixed-notional", "1500", "0.25", "fixed-notional: r = 1500 ÷ (60000 × 0.1) = 0.25"),
    ("fixed-qty", "0.03", "0.3", "fixed-qty: r = 0.03 ÷ 0.1 = 0.3"),
    ("risk", "1", "1", "risk: r = 20000 × 1% ÷ |60000 − 58000| ÷ 0.1 = 1"),
]


def made(mode: str, value: str, **changes: Any) -> Sized | Unsized:
    return ratio_of(SizingMode(mode), dec(value), replace(FULL, **changes))


def ratio(mode: str, value: str, **changes: Any) -> Decimal:
    found = made(mode, value, **changes)
    assert isinstance(found, Sized), found
    return found.ratio


@pytest.mark.proves("A3")
@pytest.mark.parametrize(("mode", "value", "r", "formula"), MODES, ids=[row[0] for row in MODES])
def test_each_mode_shows_its_formula_its_inputs_and_its_result(mode: str, value: str, r: str, formula: str) -> None:
    assert made(mode, value) == Sized(dec(r), formula)


@pytest.mark.proves("A4")
@pytest.mark.parametrize("mode", sorted(BY_EQUITY))
def test_an_equity_that_is_unknown_or_nothing_makes_no_ratio(mode: str) -> None:
    unknown = made(mode, "1", mirror_equity=None)
    assert isinstance(unknown, Unsized)
    assert is_waiting(unknown.reason)
    for equity in ("0", "-12.5"):
        assert made(mode, "1", mirror_equity=dec(equity)) == Unsized(f"sizing {mode}: the mirror's equity is {equity}")
    if mode != "risk":
        assert made(mode, "1", main_equity=None) == Unsized("waits for both equities")
        assert made(mode, "1", main_equity=dec(0)) == Unsized(f"sizing {mode}: main's equity is 0")


@pytest.mark.parametrize(
    ("mode", "missing", "reason"),
    [
        ("same-margin-percent", "main_leverage", "waits for main's leverage"),
        ("fixed-notional", "price", "waits for the price"),
        ("fixed-qty", "main_qty", "waits for main's order"),
        ("risk", "price", "waits for the price"),
        ("risk", "stop", "sizing risk: main has no stop"),
    ],
)
def test_what_is_missing_is_named(mode: str, missing: str, reason: str) -> None:
    assert made(mode, "1", **{missing: None}) == Unsized(reason)


def test_a_stop_beyond_the_entry_risks_nothing_and_sizes_nothing() -> None:
    found = made("risk", "1", stop=dec(60_100))
    assert found == Unsized("sizing risk: main's stop 60100 loses nothing against 60000")
    assert ratio("risk", "1", side=SHORT, stop=dec(62_000)) == 1


def test_a_mapped_quantity_counts_in_the_mirrors_own_contract() -> None:
    """1000 of main's are one of the mirror's: 3 of the mirror's for 6000 of main's are r = 0.5."""
    found = made("fixed-qty", "3", main_qty=dec(6000), multiplier=dec("0.001"))
    assert found == Sized(dec("0.5"), "fixed-qty: r = 3 ÷ (6000 × 0.001) = 0.5")
    assert ratio("fixed-notional", "1500", multiplier=dec("0.001")) == dec("0.25"), "price and quantity cancel it"


def test_a_formula_says_when_digits_are_cut() -> None:
    found = made("fixed-qty", "0.03", main_qty=dec("0.07"))
    assert isinstance(found, Sized)
    assert found.formula == "fixed-qty: r = 0.03 ÷ 0.07 = 0.42857142…"


quantities = st.integers(1, 10**9).map(lambda steps: steps * BTC.qty_step)


@given(wanted=quantities, main=quantities)
def test_a_quantity_that_is_asked_for_comes_out_exactly(wanted: Decimal, main: Decimal) -> None:
    """r × main, floored to the step: never a step less, and never more."""
    assert BTC.floor_qty(ratio("fixed-qty", str(wanted), main_qty=main) * main) == wanted


@given(
    notional=st.decimals(1, 10**7, places=2),
    price=st.decimals("0.0001", 10**6, places=4),
    main=quantities,
)
def test_never_a_step_more_than_asked_for(notional: Decimal, price: Decimal, main: Decimal) -> None:
    qty = BTC.floor_qty(ratio("fixed-notional", str(notional), main_qty=main, price=price) * main)
    assert qty * price <= notional + price * Decimal("1E-18")
    assert (qty + BTC.qty_step) * price > notional


@pytest.mark.parametrize(
    ("mode", "value", "percent", "wrong"),
    [
        ("proportion", "0.5", True, ""),
        ("equity", "0.5", True, ""),
        ("same-margin-percent", "0.5", True, ""),
        ("risk", "100", False, ""),
        ("risk", "101", False, "up to 100"),
        ("risk", "0.01", True, "without the sign"),
        ("fixed-notional", "0.5", True, "USDT"),
        ("fixed-qty", "0.5", True, "base coin"),
        ("fixed-notional", "50000", False, ""),
    ],
)
def test_a_value_has_the_unit_of_its_mode(mode: str, value: str, percent: bool, wrong: str) -> None:
    found = check_value(SizingMode(mode), dec(value), percent=percent)
    assert wrong in found
    assert bool(found) == bool(wrong)
