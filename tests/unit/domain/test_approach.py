"""Approaches take the entries and targets they are made of, and say which those are."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.core.domain.approach import BUILT_IN, CONSERVATIVE, FAST, Approach, approach_named
from mirrorctl.core.domain.errors import UsageError

LIMITS = Approach("scale-in", ("limit", "limit"), (Decimal(60), Decimal(40)))
SINGLE_LIMIT = Approach("patient", ("limit",), (Decimal(100),))


@pytest.mark.parametrize(
    ("approach", "prices", "kinds"),
    [
        (FAST, 0, ("market",)),
        (FAST, 1, ("limit",)),
        (CONSERVATIVE, 2, ("market", "limit", "limit")),
        (LIMITS, 2, ("limit", "limit")),
        (SINGLE_LIMIT, 1, ("limit",)),
    ],
)
def test_entries_are_as_many_as_the_approach_has_limits(
    approach: Approach, prices: int, kinds: tuple[str, ...]
) -> None:
    assert approach.entry_kinds(prices) == kinds


@pytest.mark.parametrize(
    ("approach", "prices", "said"),
    [
        (FAST, 2, "approach fast takes at most one --entry price, 2 given"),
        (CONSERVATIVE, 0, "approach conservative takes exactly 2 --entry prices, 0 given"),
        (CONSERVATIVE, 3, "approach conservative takes exactly 2 --entry prices, 3 given"),
        (SINGLE_LIMIT, 0, "approach patient takes exactly 1 --entry price, 0 given"),
    ],
)
def test_other_entries_are_refused(approach: Approach, prices: int, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        approach.entry_kinds(prices)
    assert refused.value.message == said
    assert refused.value.hint.startswith(f"its entries are {approach.entries[0]}")


@pytest.mark.parametrize(
    ("approach", "prices", "said"),
    [
        (FAST, 0, "approach fast takes exactly 1 --target price, 0 given"),
        (CONSERVATIVE, 3, "approach conservative takes exactly 4 --target prices, 3 given"),
    ],
)
def test_other_targets_are_refused(approach: Approach, prices: int, said: str) -> None:
    assert approach.percents(len(approach.targets)) == approach.targets
    with pytest.raises(UsageError) as refused:
        approach.percents(prices)
    assert refused.value.message == said
    assert "percent, nearest first" in refused.value.hint


def test_the_built_in_ones_are_as_the_contract_has_them() -> None:
    assert sum(CONSERVATIVE.targets) == sum(FAST.targets) == 100
    assert (CONSERVATIVE.breakeven_after, CONSERVATIVE.cancel_entries_after) == (1, 1)
    assert (FAST.breakeven_after, FAST.cancel_entries_after) == (0, 0)
    assert approach_named("conservative", BUILT_IN) is CONSERVATIVE
    with pytest.raises(UsageError) as refused:
        approach_named("slow", BUILT_IN)
    assert refused.value.hint == "approaches of this profile: conservative, fast"
