"""Phases follow from facts alone, and never take a way the transition table does not have (A38, A42)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import product

import pytest

from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.lifecycle import ALLOWED, Facts, Phase, label, phase

ONE = Decimal(1)
TABLE = [
    (Facts(ZERO, False, 0), Phase.CLOSED),
    (Facts(ZERO, False, 2), Phase.CLOSED),
    (Facts(ZERO, True, 0), Phase.BUILDING),
    (Facts(ZERO, True, 1), Phase.BUILDING),
    (Facts(ONE, True, 0), Phase.BUILDING),
    (Facts(ONE, False, 0), Phase.MONITORING),
    (Facts(ONE, False, 1), Phase.PROFIT_TAKING),
    (Facts(ONE, True, 3), Phase.PROFIT_TAKING),
]


@pytest.mark.proves("A42")
@pytest.mark.parametrize(("facts", "expected"), TABLE)
def test_a_phase_is_what_the_facts_say(facts: Facts, expected: Phase) -> None:
    assert phase(facts) is expected


@pytest.mark.proves("A38")
@pytest.mark.parametrize("entries", [True, False])
def test_a_smaller_size_alone_is_no_target(entries: bool) -> None:
    before = Facts(Decimal(3), entries, 0)
    assert phase(replace(before, size=ONE)) is phase(before)


def moves(facts: Facts) -> Iterator[Facts]:
    """All that can happen next to a trade on one account."""
    if facts.entries_working:
        yield replace(facts, entries_working=False)  # cancelled
        yield replace(facts, size=facts.size + 1)  # filled in part
        yield replace(facts, size=facts.size + 1, entries_working=False)  # filled
    if facts.size:
        yield replace(facts, entries_working=True)  # added to
        yield replace(facts, size=facts.size - 1)  # reduced by hand; closed where it was all
        yield replace(facts, size=facts.size - 1, rungs_done=facts.rungs_done + 1)  # a rung
        yield replace(facts, size=facts.size - 1, rungs_done=facts.rungs_done + 1, entries_working=False)
        yield replace(facts, size=ZERO, entries_working=False)  # closed, entries cancelled


def reachable() -> set[Facts]:
    """Every state a trade gets to, from its first order on, with at most three units and three rungs."""
    seen: set[Facts] = set()
    ahead = [Facts(ZERO, True, 0), Facts(ONE, False, 0)]
    while ahead:
        facts = ahead.pop()
        if facts in seen or facts.size > 3 or facts.rungs_done > 3:
            continue
        seen.add(facts)
        ahead += moves(facts)
    return seen


@pytest.mark.proves("A42")
def test_no_trade_leaves_the_transition_table() -> None:
    states = reachable()
    assert {phase(facts) for facts in states} == set(Phase)
    taken = {(phase(a), phase(b)) for a in states for b in moves(a)}
    allowed = {(a, b) for a, b in product(Phase, Phase) if a is b or b in ALLOWED[a]}
    assert taken <= allowed
    assert {(a, b) for a, b in allowed if a is not b} <= taken, "a way that nothing takes"


def test_a_label_names_chat_symbol_approach_and_account() -> None:
    assert label(-100123, "BTCUSDT", "fast", "main", False) == "-100123_BTCUSDT_fast"
    assert label(7, "BTCUSDT", "conservative", "copy", True) == "7_BTCUSDT_conservative_mirror"
    assert label(7, "BTCUSDT", "conservative", "second", False) == "7_BTCUSDT_conservative_mirror_second"
