"""The limits of a day: what reaches them, what cannot be computed, and what either means for an entry."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.day_limits import Day, reached, refusal, watched
from mirrorctl.core.domain.policy import Limits, OnBreach

LOSS, FALL = Limits(max_daily_loss=Decimal(100)), Limits(max_drawdown_pct=Decimal(5))


def day(**figures: str) -> Day:
    return Day(**{name: Decimal(value) for name, value in figures.items()})


@pytest.mark.parametrize(
    ("limits", "today", "said"),
    [
        (LOSS, day(loss="99.99"), []),
        (LOSS, day(loss="-500"), []),
        (LOSS, day(loss="100"), ["max_daily_loss: 100 lost today, the limit is 100"]),
        (LOSS, day(loss="123.459"), ["max_daily_loss: 123.45 lost today, the limit is 100"]),
        (FALL, day(high="10000", equity="9501"), []),
        (
            FALL,
            day(high="10000", equity="9500"),
            ["max_drawdown_pct: 5% under the day's highest equity 10000, the limit is 5%"],
        ),
        (FALL, day(high="0", equity="0"), []),
        (Limits(), day(loss="10000", high="10000", equity="1"), []),
    ],
)
def test_a_limit_is_reached_by_figures_alone(limits: Limits, today: Day, said: list[str]) -> None:
    assert [found.text for found in reached(limits, today)] == said
    assert refusal(limits, today) == (f"limit {said[0]}" if said else "" if today.high != 0 else refusal(limits, today))


@pytest.mark.proves("A75")
@pytest.mark.parametrize("on_breach", list(OnBreach))
@pytest.mark.parametrize(
    ("limits", "today"),
    [
        ({"max_daily_loss": Decimal(100)}, day(high="10", equity="10")),
        ({"max_drawdown_pct": Decimal(5)}, day(loss="0", high="10")),
        ({"max_drawdown_pct": Decimal(5)}, day(loss="0", equity="10")),
        ({"max_drawdown_pct": Decimal(5)}, day(loss="0", high="0", equity="0")),
    ],
)
def test_a_limit_that_cannot_be_computed_refuses_and_is_never_reached(
    limits: dict[str, Any], today: Day, on_breach: OnBreach
) -> None:
    chosen = Limits(**limits, on_breach=on_breach)
    assert "cannot be computed" in refusal(chosen, today)
    assert list(reached(chosen, today)) == []


@pytest.mark.parametrize(("on_breach", "refuses"), [("warn", False), ("pause", True), ("flatten", True)])
def test_a_limit_that_only_warns_lets_entries_go_on(on_breach: str, refuses: bool) -> None:
    limits = Limits(max_daily_loss=Decimal(100), on_breach=OnBreach(on_breach))
    assert bool(refusal(limits, day(loss="100"))) is refuses


def test_only_a_limit_that_is_set_is_watched() -> None:
    assert not watched(Limits())
    assert watched(LOSS)
    assert watched(FALL)
