"""Where the rungs of a mirror's own ladder stand, what main's exits spare it, and what a hand makes of a ratio."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from mirrorctl.core.domain.account import Execution
from mirrorctl.core.domain.approach import CONSERVATIVE, FAST
from mirrorctl.core.domain.cycle import Copy
from mirrorctl.core.domain.hand_edit import changes, edited, is_by_hand
from mirrorctl.core.domain.own_approach import (
    after_main_exit,
    approach_block,
    first_seen,
    is_by_target,
    rung_key,
    rungs_filled,
)
from mirrorctl.core.domain.own_ladder import Aims, own_ladder, places
from mirrorctl.core.domain.values import ExecutionKind, PositionSide, Side, StopKind
from tests.unit.domain.scenes import BTC, SYMBOL

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT


def aims(*prices: str, filled: tuple[str, ...] = ()) -> Aims:
    """Main's targets, named by their prices."""
    return Aims(tuple((p, Decimal(p)) for p in prices), tuple((p, Decimal(p)) for p in filled))


def stands(found: tuple[tuple[str, Decimal], ...] | None) -> str:
    return "-" if found is None else " ".join(f"{key}@{price.normalize():f}" for key, price in found)


@pytest.mark.parametrize(
    ("main", "entry", "rungs", "side", "expected"),
    [
        (aims("61000", "62000"), "60000", 1, LONG, "61000@61000"),
        (aims("62000", "61000", "63000"), "60000", 2, LONG, "61000@61000 62000@62000"),
        (aims("59000", "58000"), "60000", 1, SHORT, "59000@59000"),
        (aims("62000", "61000", "61000"), "60000", 3, LONG, "62000@60666.7 62000@61333.4 62000@62000"),
        (aims("57000"), "60000", 4, SHORT, "57000@59250 57000@58500 57000@57750 57000@57000"),
        (aims("57000"), "60000.1", 4, SHORT, "57000@59250 57000@58500 57000@57750 57000@57000"),
        (aims("62000", filled=("61000",)), "60000", 2, LONG, "61000@61000 62000@62000"),
        (aims("59000"), "60000", 2, LONG, "59000@59000 59000@59000"),
        (aims("62000"), None, 2, LONG, "-"),
        (aims("62000"), None, 1, LONG, "62000@62000"),
        (aims(), "60000", 1, LONG, "-"),
    ],
    ids=[
        "the nearest",
        "in the order of distance",
        "of a short",
        "fewer: two at one price are one",
        "fewer, of a short",
        "on the tick, never worse",
        "a filled one keeps its place",
        "a target below the entry is no way to go",
        "fewer, and the entry is not known",
        "as many need no entry",
        "none",
    ],
)
@pytest.mark.proves("A30")
def test_rungs_stand_at_mains_targets_or_evenly_on_the_way_to_the_furthest(
    main: Aims, entry: str | None, rungs: int, side: PositionSide, expected: str
) -> None:
    found = places(main, None if entry is None else Decimal(entry), rungs, side, BTC)
    assert stands(found) == expected


def copy(**changed: object) -> Copy:
    made = Copy("half", SYMBOL, LONG, "abcdefg", Decimal("0.5"), "proportion: r = 0.5", opened=True)
    return replace(made, **changed)  # type: ignore[arg-type]  # fields of Copy


def test_a_rung_has_one_name_for_good_which_says_cycle_approach_and_place() -> None:
    names = {rung_key(copy(), CONSERVATIVE, leg) for leg in range(4)}
    assert len(names | {rung_key(copy(), FAST, 0), rung_key(copy(tag="another"), CONSERVATIVE, 0)}) == 6
    changed = replace(CONSERVATIVE, targets=(Decimal(40), Decimal(60)))
    assert rung_key(copy(), changed, 0) not in names, "the percentages of a profile may change while main holds"
    done = (rung_key(copy(), CONSERVATIVE, 1), "somebody's")
    assert (rungs_filled(copy(done=done), CONSERVATIVE), rungs_filled(copy(done=done), None)) == (1, 2)
    ladder = own_ladder(copy(ladder=(("t", Decimal(61_000)),) * 4), CONSERVATIVE, LONG)
    assert (ladder.rungs[0].weight, ladder.rungs[0].note) == (Decimal(85), "1/4 of the way to main's 61000")


@pytest.mark.parametrize(
    ("done", "after", "reason"),
    [
        (0, 1, ""),
        (1, 1, "approach conservative: no entry after target 1"),
        (3, 0, ""),
        (4, 0, "approach conservative: all of its targets are filled"),
    ],
)
def test_entries_end_with_the_rung_that_the_approach_names_or_with_its_last(done: int, after: int, reason: str) -> None:
    approach = replace(CONSERVATIVE, cancel_entries_after=after)
    filled = tuple(rung_key(copy(), approach, leg) for leg in range(done))
    assert approach_block(copy(done=filled), approach) == reason
    assert approach_block(copy(done=filled), None) == ""


def execution(**changed: object) -> Execution:
    made = Execution(
        "e1", "o1", "", SYMBOL, Side.SELL, Decimal(61_000), Decimal("0.05"), ExecutionKind.TRADE, 1, 1, Decimal("0.05")
    )
    return replace(made, **changed)  # type: ignore[arg-type]  # fields of Execution


@pytest.mark.parametrize(
    ("changed", "by_target"),
    [
        ({"is_maker": True}, True),
        ({"is_maker": False}, False),
        ({"link_id": "m1-abcde-abcdefg-t0-abcdefgh-0"}, True),
        ({"link_id": "m1-abcde-abcdefg-r0-abcdefgh-0", "is_maker": True}, False),
        ({"stop_kind": StopKind.PARTIAL_TAKE_PROFIT}, True),
        ({"stop_kind": StopKind.TAKE_PROFIT}, True),
        ({"stop_kind": StopKind.STOP_LOSS, "is_maker": True}, False),
        ({"stop_kind": StopKind.CONDITIONAL, "is_maker": True}, False),
        ({"kind": ExecutionKind.ADL, "is_maker": True}, False),
        ({"kind": ExecutionKind.LIQUIDATION}, False),
    ],
)
@pytest.mark.proves("A19")
def test_what_takes_profit_on_main_is_spared_and_all_else_is_followed(
    changed: dict[str, object], by_target: bool
) -> None:
    """Main sold 0.05 and holds 0.15: spared, or a quarter of what was spared before."""
    sold = execution(**changed)
    assert is_by_target(sold) is by_target
    after = after_main_exit(copy(spared=Decimal("0.2")), sold, Decimal("0.05"), Decimal("0.15"))
    assert after.spared == (Decimal("0.25") if by_target else Decimal("0.15"))


@pytest.mark.proves("A76")
def test_spared_is_room_to_hold_within_the_cap_and_asks_for_nothing() -> None:
    held = copy(spared=Decimal("0.17"))
    assert (held.asked(Decimal("0.03")), held.kept(Decimal("0.03"))) == (Decimal("0.015"), Decimal("0.100"))
    capped = held.after_own_exit(Decimal("0.075"), Decimal("0.025"), Decimal("0.03"))
    assert (capped.cap, capped.kept(Decimal("0.03"))) == (Decimal("0.075"), Decimal("0.075"))
    assert replace(held, ended=True).kept(Decimal("0.03")) == held.kept(Decimal(0)) == 0


def test_of_a_copy_that_is_first_seen_what_exceeds_its_ratio_is_spared() -> None:
    seen = first_seen(copy(), Decimal("0.1"), Decimal("0.03"))
    assert seen is not None
    assert (seen.ratio, seen.spared, seen.kept(Decimal("0.03"))) == (Decimal("0.5"), Decimal("0.17"), Decimal("0.1"))
    assert first_seen(copy(), Decimal("0.01"), Decimal("0.03")) is None, "its observed ratio tells more"
    assert first_seen(copy(ratio=Decimal(0)), Decimal("0.1"), Decimal("0.03")) is None


# --- a hand on the mirror ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "change", "left", "asked"),
    [
        ({}, "-0.02", "0.03", "0.03"),
        ({}, "0.02", "0.07", "0.07"),
        ({}, "-0.01", "0.02", "0.04"),
        ({}, "-0.03", "0.05", "0.05"),
        ({}, "0.02", "0.04", "0.05"),
        ({"cap": Decimal("0.03")}, "-0.01", "0.02", "0.02"),
        ({"cap": Decimal(0), "out": "stop"}, "0.02", "0.02", "0.02"),
        ({"spared": Decimal("0.1")}, "-0.02", "0.08", "0.04"),
    ],
    ids=[
        "sold",
        "bought",
        "a second sale is in the row already",
        "an excess that was to be reduced anyway",
        "a lag that was to be bought anyway",
        "after an own exit",
        "bought again after its stop",
        "beside what is spared: a fifth of 0.1",
    ],
)
def test_a_hand_scales_the_ratio_by_what_it_did_beyond_what_was_to_be_done(
    before: dict[str, object], change: str, left: str, asked: str
) -> None:
    """Main holds 0.1, r is 0.5."""
    after = edited(copy(**before), Decimal(change), Decimal(left), Decimal("0.1"))
    assert BTC.floor_qty(after.asked(Decimal("0.1"))) == Decimal(asked)
    assert after.asked(Decimal("0.05")) <= after.asked(Decimal("0.1")), "main's reductions are followed"
    assert after.out == before.get("out", "")


def test_a_hand_that_leaves_nothing_ends_the_cycle_for_its_mirror() -> None:
    closed = edited(copy(), Decimal("-0.05"), Decimal(0), Decimal("0.1"))
    assert (closed.out, closed.asked(Decimal("0.1"))) == ("closed by hand", Decimal(0))
    assert edited(copy(), Decimal("-0.05"), Decimal(0), Decimal(0)) == copy(), "main is flat: it is closed anyway"


def test_an_execution_by_hand_is_one_that_nothing_of_ours_and_no_exit_of_its_own_made() -> None:
    by_hand = execution(is_maker=True)
    assert is_by_hand(by_hand)
    assert changes(by_hand) == [(LONG, Decimal("-0.05"))]
    flip = execution(qty=Decimal("0.08"))
    assert changes(flip) == [(LONG, Decimal("-0.05")), (SHORT, Decimal("0.03"))]
    assert not is_by_hand(execution(link_id="m1-abcde-abcdefg-r0-abcdefgh-0"))
    assert not is_by_hand(execution(stop_kind=StopKind.STOP_LOSS))
    assert not is_by_hand(execution(kind=ExecutionKind.LIQUIDATION))
    assert not is_by_hand(execution(create_type="CreateByAdl_PassThrough"))
