"""What a mirror can copy of a symbol: figures by hand for BTC (step and minimum 0.001, 5 USDT) at 60000."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.approach import BUILT_IN, CONSERVATIVE, FAST
from mirrorctl.core.domain.copyability import Copyability, Subject, judge, smallest_main
from mirrorctl.core.domain.instruments import Instrument
from mirrorctl.core.domain.policy import BelowMinimum, Follow, Hedge, Limits, MirrorPolicy, Sizing
from mirrorctl.core.domain.values import PositionMode, Severity
from tests.unit.domain.scenes import BTC, SYMBOL

PRICE = Decimal(60_000)
COARSE = replace(BTC, qty_step=Decimal("0.01"), min_qty=Decimal("0.01"))
DEAR = replace(BTC, min_notional=Decimal(100))
POLICY = MirrorPolicy("mirror")


def subject(ratio: str | None = "0.1", size: str = "0", **changes: Any) -> Subject:
    made = Subject(SYMBOL, BTC, BTC, PRICE, None if ratio is None else Decimal(ratio), "why", Decimal(size))
    return replace(made, **changes)


def judged(of: Subject, policy: MirrorPolicy = POLICY, mirrors: int = 2) -> Copyability:
    return judge(of, policy, BUILT_IN, mirrors)


def said(found: Copyability) -> list[str]:
    return [note.text for note in found.notes]


@pytest.mark.parametrize(
    ("ratio", "rules", "smallest"),
    [
        ("0.1", BTC, "0.01"),
        ("0.3", BTC, "0.004"),  # 0.001 ÷ 0.3 is 0.0033…
        ("2", BTC, "0.001"),
        ("0.5", COARSE, "0.02"),
        ("0.1", DEAR, "0.02"),  # 100 ÷ 60000 is 0.0017, on the step 0.002
    ],
)
def test_the_smallest_order_of_main_is_the_first_whose_share_reaches_the_minimum(
    ratio: str, rules: Instrument, smallest: str
) -> None:
    of = subject(ratio, rules=rules)
    found = judged(of).smallest
    assert found == Decimal(smallest)
    assert rules.meets_minimum(rules.floor_qty(of.ratio * found), PRICE)  # type: ignore[operator]
    less = found - BTC.qty_step
    assert not less or not rules.meets_minimum(rules.floor_qty(of.ratio * less), PRICE) or less < BTC.min_qty  # type: ignore[operator]


@pytest.mark.parametrize("thousandths", range(1, 400, 7))
def test_no_smaller_order_is_copied_whatever_the_ratio(thousandths: int) -> None:
    ratio = Decimal(thousandths) / 1000
    for rules in (BTC, COARSE, DEAR):
        of = subject(str(ratio), rules=rules)
        found = smallest_main(of, ratio)
        assert rules.meets_minimum(rules.floor_qty(ratio * found), PRICE)
        less = found - BTC.qty_step
        assert less < BTC.min_qty or not rules.meets_minimum(rules.floor_qty(ratio * less), PRICE)


def test_a_mapped_contract_counts_in_coins_of_its_own() -> None:
    """1000PEPE: a thousandth of main's coins at a thousand times the price; the step of 100 is 100000 of main's."""
    main = replace(BTC, qty_step=Decimal(1), min_qty=Decimal(1), min_notional=Decimal(5))
    mirror = replace(main, qty_step=Decimal(100), min_qty=Decimal(100))
    of = subject("0.5", rules=mirror, main_rules=main, price=Decimal("0.00001"), multiplier=Decimal("0.001"))
    assert judged(of).smallest == Decimal(1_000_000), "500 of the mirror's at 0.01 are 5 USDT"


@pytest.mark.parametrize(
    ("ratio", "size", "copied", "percent", "warns"),
    [
        ("0.1", "0.15", "0.015", "0", False),
        ("0.1", "0.158", "0.015", "5.06", True),
        ("0.1", "0.157", "0.015", "4.46", False),
        ("0.013", "0.1", "0.001", "23.08", True),
    ],
)
def test_rounding_is_what_the_step_leaves_out(ratio: str, size: str, copied: str, percent: str, warns: bool) -> None:
    found = judged(subject(ratio, size))
    assert found.copied == Decimal(copied)
    assert found.rounding_pct is not None
    assert found.rounding_pct.quantize(Decimal("0.01")) == Decimal(percent)
    text = f"rounding leaves out {percent}% of what the ratio asks for"
    assert ([note.severity for note in found.notes if note.text == text] == [Severity.WARNING]) is warns


def test_what_is_under_the_minimum_is_said_with_the_policy_for_it() -> None:
    policy = replace(POLICY, sizing=Sizing(below_minimum=BelowMinimum.ROUND_UP))
    [text] = said(judged(subject("0.01", "0.05"), policy))
    assert text == "main's 0.05 comes to 0, under the minimum of the contract: below_minimum = round-up"


@pytest.mark.parametrize(
    ("size", "joined", "small_entries"),
    [("0.15", (2, 3), False), ("0.1", (2, 3), True), ("0.05", (2, 3, 4), True), ("1", (), False), ("0", None, False)],
)
def test_targets_and_entries_too_small_for_orders_of_their_own(
    size: str, joined: tuple[int, ...] | None, small_entries: bool
) -> None:
    """At 2% 0.15 come to 0.003: 85% of it are 0.002, and the fourth target takes the rest of 0.001."""
    fast, conservative = judged(subject("0.02", size)).ladders
    assert (fast.approach, fast.joined) == (FAST.name, None if joined is None else ())
    assert (conservative.approach, conservative.joined) == (CONSERVATIVE.name, joined)
    assert conservative.small_entries is small_entries
    assert (fast.whole_from, conservative.whole_from) == (Decimal("0.05"), Decimal(1))


@pytest.mark.parametrize("steps", range(60))
def test_from_that_size_on_every_target_stands(steps: int) -> None:
    begin = judged(subject("0.07")).ladders[1].whole_from
    assert begin is not None
    assert judged(subject("0.07", str(begin + steps * Decimal("0.011")))).ladders[1].joined == ()


def test_the_budget_of_a_whole_ladder() -> None:
    """Three entries and four targets are seven placements; leverage and stop make nine requests, of 600 in 5 s."""
    fast, conservative = judged(subject(), mirrors=4).ladders
    assert (fast.requests, fast.seconds, fast.ip_percent) == (4, Decimal("0.2"), Decimal("2.7"))
    assert (conservative.requests, conservative.seconds, conservative.ip_percent) == (9, Decimal("0.7"), Decimal("6.0"))


@pytest.mark.parametrize(
    ("changes", "policy", "texts"),
    [
        ({"main_leverage": Decimal(10), "leverage": Decimal(10)}, POLICY, []),
        (
            {"main_leverage": Decimal(25), "leverage": Decimal(20)},
            POLICY,
            ["leverage 25x is capped at max_leverage 20x: more margin"],
        ),
        (
            {"main_leverage": Decimal(60), "leverage": Decimal(100)},
            replace(POLICY, sizing=Sizing(leverage_factor=Decimal(2)), limits=Limits(max_leverage=None)),
            ["leverage 120x is over the contract's 100x: that is set, more margin"],
        ),
        (
            {"main_leverage": Decimal(5), "leverage": Decimal(10)},
            POLICY,
            ["leverage is 10x now: 5x is set before the next entry"],
        ),
        (
            {"main_leverage": Decimal(5), "mode": PositionMode.ONE_WAY},
            POLICY,
            ["the mirror shows no leverage (portfolio margin?): entries are refused"],
        ),
    ],
)
def test_leverage_that_is_not_just_mains(changes: dict[str, Any], policy: MirrorPolicy, texts: list[str]) -> None:
    assert said(judged(subject(**changes), policy)) == texts


@pytest.mark.parametrize(
    ("hedge", "text", "severity"),
    [
        (Hedge.REFUSE, "while both legs stand nothing is followed", Severity.WARNING),
        (Hedge.NET, "while both legs stand hedge = net", Severity.INFO),
    ],
)
def test_two_legs_on_main_and_one_position_on_the_mirror(hedge: Hedge, text: str, severity: Severity) -> None:
    of = subject(main_mode=PositionMode.HEDGE, mode=PositionMode.ONE_WAY, leverage=Decimal(10))
    [note] = judged(of, replace(POLICY, follow=Follow(hedge=hedge))).notes
    assert (note.text.endswith(text), note.severity) == (True, severity)
    assert said(judged(replace(of, mode=PositionMode.HEDGE))) == []


def test_without_a_ratio_nothing_is_computed() -> None:
    found = judged(subject(None, "0.1", formula="waits for main's order"))
    assert (found.smallest, found.copied, found.rounding_pct) == (None, None, None)
    assert said(found) == ["no ratio yet: waits for main's order"]
    assert said(judged(subject(unfollowed="filter: close only"))) == ["not followed: filter: close only"]
