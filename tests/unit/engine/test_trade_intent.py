"""From prices and percents to a ladder: what is taken, what is refused and how it is said (A30, A37, A74)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from mirrorctl.core.domain.approach import BUILT_IN, CONSERVATIVE, CUSTOM, FAST, PLAIN, Approach
from mirrorctl.core.domain.errors import UsageError
from mirrorctl.core.domain.ladder import stored_ladder
from mirrorctl.core.domain.standing_trade import ADOPTED
from mirrorctl.core.domain.trade import Target, Trade
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.trade_intent import (
    ExitPolicy,
    check_targets,
    exit_policy,
    known_counts,
    ladder_of,
    let_go,
    replaced,
)
from mirrorctl.core.engine.trade_request import OpenRequest, TargetWish, open_request
from tests.unit.domain.scenes import BTC, LONG, NOW, SHORT, SYMBOL

FOUR = ("61000", "62000", "63000", "64000")


def wishes(*texts: str) -> tuple[TargetWish, ...]:
    """ "62000" or "62000:85"."""
    pairs = [text.partition(":") for text in texts]
    return tuple(TargetWish(Decimal(price), Decimal(share) if share else None) for price, _, share in pairs)


def told(targets: tuple[Target, ...]) -> list[str]:
    return [f"{target.price:f}:{target.percent:f}" for target in targets]


def trade_with(*texts: str, **changes: object) -> Trade:
    targets = tuple(Target(wish.price, wish.percent or Decimal(100)) for wish in wishes(*texts))
    return replace(Trade(SYMBOL, LONG, "abcdefg", CUSTOM, NOW, targets), **changes)  # type: ignore[arg-type]  # by name


@pytest.mark.proves("A30")
@pytest.mark.parametrize(
    ("side", "given", "approach", "expected"),
    [
        (LONG, ("62000",), None, ["62000.0:100"]),
        (LONG, ("62000.04",), FAST, ["62000.0:100"]),
        (LONG, FOUR, CONSERVATIVE, ["61000.0:85", "62000.0:5", "63000.0:5", "64000.0:5"]),
        (SHORT, FOUR[::-1], CONSERVATIVE, ["64000.0:85", "63000.0:5", "62000.0:5", "61000.0:5"]),
        (LONG, ("63000:40", "62000:60"), None, ["62000.0:60", "63000.0:40"]),  # with percents in any order
        (SHORT, ("58000:60", "57000:40"), None, ["58000.0:60", "57000.0:40"]),
        (LONG, ("62000:100",), FAST, ["62000.0:100"]),
    ],
)
def test_targets_become_a_ladder_nearest_first(
    side: PositionSide, given: tuple[str, ...], approach: Approach | None, expected: list[str]
) -> None:
    targets = ladder_of(wishes(*given), side, BTC, approach)
    assert told(targets) == expected
    assert sum(target.percent for target in targets) == 100


@pytest.mark.proves("A74")
@pytest.mark.parametrize(
    ("given", "approach", "said", "hint"),
    [
        (("62000", "61000"), CONSERVATIVE, "takes exactly 4 --target prices, 2 given", "85/5/5/5 percent"),
        ((*FOUR[:2], FOUR[3], FOUR[2]), CONSERVATIVE, "63000 lies nearer to the entry than 64000", "nearest"),
        (("61000:60", "62000:50"), None, "sum to 110, not to 100", "62000:60 63000:40"),
        (("61000:60",), None, "sum to 60, not to 100", ""),
        (("61000:60", "62000"), None, "the target 62000 has no percent, others have", "all of them"),
        (("61000", "62000"), None, "2 targets need their percents", "61000:60"),
        (("61000:50", "61000.01:50"), None, "two targets at 61000", "give them as one"),
        (("61000:50", "62000:50"), FAST, "takes exactly 1 --target price, 2 given", "100 percent"),
        (("61000:90",), FAST, "approach fast has percents of its own: 100", "prices alone"),
    ],
)
def test_what_makes_no_ladder_is_refused(
    given: tuple[str, ...], approach: Approach | None, said: str, hint: str
) -> None:
    with pytest.raises(UsageError) as refused:
        ladder_of(wishes(*given), LONG, BTC, approach)
    assert said in refused.value.message
    assert hint in refused.value.hint


@pytest.mark.parametrize(("side", "price"), [(LONG, "61000"), (SHORT, "63000")])
def test_a_target_lies_on_the_profit_side_of_every_entry(side: PositionSide, price: str) -> None:
    targets = ladder_of(wishes(price), side, BTC, None)
    check_targets(SYMBOL, side, targets, [Decimal(62_000) - side.sign * 2_000])
    with pytest.raises(UsageError, match="wrong side of 62000"):
        check_targets(SYMBOL, side, targets, [Decimal(62_000) - side.sign * 2_000, Decimal(62_000)])


@pytest.mark.parametrize(
    ("named", "targets", "entries", "expected"),
    [
        (None, 0, 1, ExitPolicy(PLAIN)),
        (None, 1, 1, ExitPolicy("fast")),
        (None, 2, 1, ExitPolicy(CUSTOM, breakeven_after=1, cancel_entries_after=1)),
        (None, 1, 3, ExitPolicy(CUSTOM, breakeven_after=1, cancel_entries_after=1)),
        (CONSERVATIVE, 4, 3, ExitPolicy("conservative", breakeven_after=1, cancel_entries_after=1)),
    ],
)
def test_an_unnamed_approach_follows_from_what_is_given(
    named: Approach | None, targets: int, entries: int, expected: ExitPolicy
) -> None:
    assert exit_policy(named, BUILT_IN, targets, entries) == expected


def test_prices_alone_take_over_the_percents_of_a_ladder_with_as_many_rungs() -> None:
    trade = trade_with("61000:50", "62000:30", "63000:20", approach=CUSTOM)
    whole = known_counts(trade, None, ())
    assert told(ladder_of(wishes("64000", "65000", "66000"), LONG, BTC, None, whole)) == [
        "64000.0:50",
        "65000.0:30",
        "66000.0:20",
    ]
    left = known_counts(trade, None, (trade.rung_key(0),))
    assert told(ladder_of(wishes("64000", "65000"), LONG, BTC, None, left)) == ["64000.0:60", "65000.0:40"]
    by_name = known_counts(trade_with("61000"), CONSERVATIVE, ())
    assert [target.percent for target in ladder_of(wishes(*FOUR), LONG, BTC, None, by_name)] == [85, 5, 5, 5]
    with pytest.raises(UsageError, match="5 targets need their percents"):
        ladder_of(wishes(*FOUR, "65000"), LONG, BTC, None, by_name)


def test_percents_of_rungs_left_sum_to_100_exactly() -> None:
    trade = trade_with("61000:85", "62000:5", "63000:5", "64000:5")
    (left, whole) = known_counts(trade, None, (trade.rung_key(0),))
    assert len(left) == 3
    assert sum(left) == 100 == sum(whole)


@pytest.mark.proves("A37")
def test_a_ladder_replaced_before_a_rung_is_done_keeps_the_names_of_its_rungs() -> None:
    trade = trade_with("61000:60", "62000:40")
    after = replaced(trade, trade_with("63000:50", "64000:50").targets, ())
    assert (after.revision, [rung.key for rung in stored_ladder(after).rungs]) == (
        0,
        [rung.key for rung in stored_ladder(trade).rungs],
    )
    done = (trade.rung_key(0),)
    later = replaced(trade, trade_with("63000:50", "64000:50").targets, done)
    assert later.revision == 1
    assert not {rung.key for rung in stored_ladder(later).rungs} & {rung.key for rung in stored_ladder(trade).rungs}
    assert replaced(later, trade.targets, done).revision == 1, "none of this ladder is done"


def test_orders_of_the_traders_own_are_moved_and_those_without_a_rung_let_go() -> None:
    theirs = tuple(Target(Decimal(p), Decimal(50), order_id=i) for p, i in ((61_000, "x1"), (62_000, "x2")))
    trade = trade_with(approach=ADOPTED, adopted=True, targets=theirs)
    one = replaced(trade, trade_with("63000").targets, ())
    assert [(target.price, target.order_id) for target in one.targets] == [(Decimal(63_000), "x1")]
    assert let_go(trade, one) == {"x2"}
    later = replaced(trade, trade_with("63000").targets, (trade.rung_key(0),))
    assert [target.order_id for target in later.targets] == [""]
    assert let_go(trade, later) == {"x1", "x2"}


def test_a_request_in_words_names_all_that_changes_the_trade() -> None:
    args = {
        "symbol": SYMBOL,
        "side": "long",
        "risk_percent": "1.0",
        "entries": ["59000", "58000"],
        "stop": "57000",
        "targets": [{"price": "62000", "percent": "100"}],
        "approach": "conservative",
        "client_id": "q1",
        "wait_s": "3",
    }
    request = open_request(args)
    assert str(request) == (
        "BTCUSDT long risk_percent 1 entry 59000 entry 58000 stop 57000 target 62000:100 approach conservative"
    )
    assert (
        str(OpenRequest(SYMBOL, SHORT, qty=Decimal("0.10"), leverage=Decimal(5))) == "BTCUSDT short qty 0.1 leverage 5"
    )
