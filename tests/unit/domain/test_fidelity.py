"""Fidelity: the difference between a mirror's result and its share of main's, told apart to the cent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorctl.core.domain.fidelity import Fidelity, Followed, Hold, Part, fidelity_of, part_of
from mirrorctl.core.domain.statistics import CycleResult, Move
from mirrorctl.core.domain.values import PositionSide

LONG, SHORT = PositionSide
HOUR = 3_600_000
STEPS = {"BTCUSDT": Decimal("0.001"), "1000BTC": Decimal(1)}
Fill = tuple[int, str, str]
"""(ms, quantity with its sign, price)"""


def cycle(
    *fills: Fill, side: PositionSide = LONG, symbol: str = "BTCUSDT", fee: str = "0", exits: Sequence[int] = ()
) -> CycleResult:
    """A cycle whose record is what its fills come to, a rate of `fee` paid for each. `exits`: times of own exits."""
    moves = [
        Move(
            at,
            at,
            f"o{at}",
            Decimal(qty),
            Decimal(price),
            abs(Decimal(qty)) * Decimal(price) * Decimal(fee),
            at in exits,
        )
        for at, qty, price in fills
    ]
    cash = -side.sign * sum(move.qty * (move.price or 0) for move in moves)
    whole = sum(move.qty for move in moves) == 0
    return CycleResult(
        symbol,
        side,
        opened_ms=moves[0].at_ms,
        closed_ms=moves[-1].at_ms if whole else None,
        closed_qty=Decimal(1),
        pnl=Decimal(cash) - sum((move.fee for move in moves), Decimal(0)),
        moves=tuple(moves),
    )


HOW = Followed("BTCUSDT", LONG, ("BTCUSDT", LONG), Decimal("0.5"), Decimal(1), 0, 100 * HOUR)
MAIN = cycle((0, "0.1", "60000"), (HOUR, "-0.1", "61000"), fee="0.001")


def compared(
    mirror: Sequence[CycleResult],
    main: Sequence[CycleResult] = (MAIN,),
    how: Sequence[Followed] = (HOW,),
    holds: Sequence[Hold] = (),
    **more: bool,
) -> Fidelity:
    return fidelity_of(main, mirror, how, holds, STEPS, **more)


def parts(found: Fidelity) -> dict[str, Decimal]:
    """The parts that are not zero."""
    (tracking,) = found.cycles
    assert sum(tracking.parts.values()) == tracking.error == tracking.pnl - tracking.ideal
    return {part.value: amount.normalize() for part, amount in tracking.parts.items() if amount}


def test_an_exact_copy_has_no_error() -> None:
    found = compared([cycle((40, "0.05", "60000"), (HOUR + 40, "-0.05", "61000"), fee="0.001")])
    assert parts(found) == {}
    assert (found.ideal, found.pnl) == (MAIN.pnl / 2, MAIN.pnl / 2)


def test_worse_prices_are_latency_and_dearer_fills_are_fees() -> None:
    found = compared([cycle((40, "0.05", "60012"), (HOUR + 40, "-0.05", "60990"), fee="0.002")])
    paid = Decimal("0.05") * (60_012 + 60_990) * Decimal("0.002")
    assert parts(found) == {"latency": Decimal("-1.1"), "fee": Decimal("0.05") * 121 - paid}


def test_less_than_a_step_is_rounding() -> None:
    how = replace(HOW, ratio=Decimal("0.333"))
    found = compared([cycle((40, "0.033", "60000"), (HOUR, "-0.033", "61000"))], how=[how], main=[cycle(*FILLS)])
    assert parts(found) == {"rounding": Decimal("-0.3")}


FILLS: tuple[Fill, ...] = ((0, "0.1", "60000"), (HOUR, "-0.1", "61000"))


@pytest.mark.parametrize(
    ("reason", "part"),
    [
        ("paused: by the trader", "held"),
        ("filter: BTCUSDT is excluded", "held"),
        ("slippage: 80 bps", "held"),
        ("new store", "held"),
        ("parked: foreign position", "held"),
        ("refused by the exchange (110007): not enough", "rejection"),
        ("parked: refused by the exchange (10001): no", "rejection"),
        ("parked: leverage 30 was refused by the exchange (110013): no", "rejection"),
        ("parked: in doubt: place buy 1", "rejection"),
        ("below minimum: 0.001 of earlier entries skipped", "rounding"),
        ("own exit: liquidation", "own_exit"),
    ],
)
def test_what_was_not_copied_is_put_to_what_held_it_back(reason: str, part: str) -> None:
    assert part_of(reason) == part
    hold = Hold("BTCUSDT", LONG, reason, 100, None)
    assert parts(compared([], main=[cycle(*FILLS)], holds=[hold])) == {part: Decimal(-50)}
    elsewhere = [replace(hold, side=SHORT), replace(hold, symbol="ETHUSDT"), replace(hold, until_ms=HOUR, from_ms=HOUR)]
    assert parts(compared([], main=[cycle(*FILLS)], holds=elsewhere)) == {"rest": Decimal(-50)}


def test_a_copy_that_was_late_by_more_than_a_minute_was_missed_until_then() -> None:
    """Held for half an hour and then bought at another price: what it missed is the hold's, not the price's."""
    late = [cycle((HOUR // 2, "0.05", "60400"), (HOUR, "-0.05", "61000"))]
    hold = Hold("BTCUSDT", LONG, "paused: by the trader", 10, HOUR // 2)
    assert parts(compared(late, main=[cycle(*FILLS)], holds=[hold])) == {"held": Decimal(-20)}
    assert parts(compared(late, main=[cycle(*FILLS)])) == {"rest": Decimal(-20)}


def test_what_a_mirrors_own_exit_sold_early_is_told_apart() -> None:
    own = cycle((10, "0.05", "60000"), (HOUR // 2, "-0.05", "59000"), exits=[HOUR // 2])
    assert parts(compared([own], main=[cycle(*FILLS)])) == {"own_exit": Decimal(-100)}


def test_a_twin_that_filled_first_is_of_the_fill_that_followed() -> None:
    found = compared([cycle((0, "0.05", "60000"), (HOUR - 900, "-0.05", "61000"))], main=[cycle(*FILLS)])
    assert parts(found) == {}


def test_fills_of_main_that_come_faster_than_the_mirror_follows_are_taken_in_their_order() -> None:
    main = cycle((0, "0.1", "60000"), (100, "0.1", "60100"), (200, "0.1", "60200"), (HOUR, "-0.3", "61000"))
    late = cycle((190, "0.05", "60000"), (260, "0.1", "60150"), (HOUR, "-0.15", "61000"))
    assert parts(compared([late], main=[main])) == {}
    whole = cycle((900, "0.15", "60200"), (HOUR, "-0.15", "61000"))
    assert parts(compared([whole], main=[main])) == {"latency": Decimal(-15)}


def test_what_it_held_too_much_is_in_the_rest() -> None:
    mine = cycle(
        (0, "0.05", "60000"), (HOUR, "-0.05", "61000"), (2 * HOUR, "0.01", "60000"), (3 * HOUR, "-0.01", "59000")
    )
    mine = replace(mine, opened_ms=0)
    assert parts(compared([mine], main=[cycle(*FILLS)])) == {"rest": Decimal(-10)}


def test_a_reverse_mirror_is_measured_against_the_other_side() -> None:
    how = replace(HOW, side=SHORT)
    mine = cycle((10, "0.05", "59990"), (HOUR, "-0.05", "61000"), side=SHORT, fee="0.001")
    found = compared([mine], how=[how])
    assert found.cycles[0].ideal == -Decimal("0.5") * Decimal(100) - Decimal("0.5") * Decimal("12.1")
    assert parts(found) == {"latency": Decimal("-0.5"), "fee": Decimal("0.0005")}


def test_a_mapped_symbol_is_measured_in_the_mirrors_coins() -> None:
    how = replace(HOW, symbol="1000BTC", multiplier=Decimal(1000))
    mine = cycle((10, "50", "60.1"), (HOUR, "-50", "61"), symbol="1000BTC")
    assert parts(compared([mine], how=[how], main=[cycle(*FILLS)])) == {"latency": Decimal(-5)}


def test_two_positions_of_the_mirror_in_one_of_main_are_taken_together() -> None:
    main = cycle((0, "0.1", "60000"), (HOUR, "0.1", "60000"), (2 * HOUR, "-0.2", "61000"))
    own = cycle((0, "0.05", "60000"), (600_000, "-0.05", "60500"), exits=[600_000])
    again = cycle((HOUR, "0.05", "60000"), (2 * HOUR, "-0.05", "61000"))
    assert parts(compared([own, again], main=[main])) == {"own_exit": Decimal(-25)}


@pytest.mark.parametrize(
    "unclear",
    [
        {"how": ()},
        {"how": (replace(HOW, source=("BTCUSDT", SHORT)),)},
        {"how": (replace(HOW, began_ms=2 * HOUR),)},
        {"how": (replace(HOW, symbol="XRPUSDT"),)},  # its step is not known
        {"main": (replace(MAIN, unrecorded=True),)},
        {"main": (replace(MAIN, opened_ms=None),)},
        {"main": (replace(MAIN, moves=(replace(MAIN.moves[0], price=None),)),)},
        {"mirror": (cycle((40, "0.05", "60000")),)},  # it stands
        {"mirror": (replace(cycle((40, "0.05", "60000"), (HOUR, "-0.05", "61000")), opened_ms=None),)},
        {"mirror": (replace(cycle((40, "0.05", "60000"), (HOUR, "-0.05", "61000")), unrecorded=True),)},
    ],
)
def test_what_cannot_be_compared_is_counted_and_not_guessed(unclear: dict[str, Sequence[CycleResult]]) -> None:
    found = compared(**{"mirror": (), **unclear})  # type: ignore[arg-type]  # each names one argument
    assert (len(found.cycles), found.unmeasured) == (0, 1)
    assert not found.ideal


def test_a_position_over_two_cycles_of_main_belongs_to_none_of_them() -> None:
    again = cycle((2 * HOUR, "0.1", "60000"), (3 * HOUR, "-0.1", "61000"))
    found = compared([cycle((0, "0.05", "60000"), (3 * HOUR, "-0.05", "61000"))], main=[MAIN, again])
    assert (len(found.cycles), found.unmeasured) == (0, 2)


def test_the_copy_of_a_position_that_stands_is_not_of_the_one_before_it() -> None:
    stands = [cycle((HOUR + 500, qty, "60000")) for qty in ("0.1", "0.05")]
    mine = cycle((40, "0.05", "60000"), (HOUR + 40, "-0.05", "61000"))
    found = compared([mine, stands[1]], main=[cycle(*FILLS), stands[0]])
    assert (parts(found), found.unmeasured) == ({}, 0)


def test_legs_that_are_joined_are_not_told_apart_while_both_stand() -> None:
    other = cycle((HOUR // 2, "0.1", "60000"), (2 * HOUR, "-0.1", "61000"), side=SHORT)
    later = cycle((4 * HOUR, "0.1", "60000"), (5 * HOUR, "-0.1", "61000"))
    found = compared([], main=[MAIN, other, later], joins_legs=True)
    assert [tracking.opened_ms for tracking in found.cycles] == [4 * HOUR]
    assert found.unmeasured == 2
    assert len(compared([], main=[MAIN, other, later]).cycles) == 2, "a short that is not followed is not compared"


def test_a_cycle_that_stands_is_not_over() -> None:
    assert compared([], main=[cycle((0, "0.1", "60000"))]) == Fidelity([], 0)


prices = st.integers(50_000, 70_000).map(str)
fills = st.lists(st.tuples(st.integers(1, 90), prices, prices), min_size=1, max_size=6)


@given(fills, st.sampled_from(PositionSide), st.integers(0, 3), st.sampled_from(["0", "0.0006"]))
def test_a_mirror_that_lacks_only_what_was_held_leaves_no_rest(
    drawn: list[tuple[int, str, str]], side: PositionSide, missed: int, fee: str
) -> None:
    """Whatever main did, in whatever pieces, and whichever entry was missed: the parts are all there is."""
    theirs: list[Fill] = []
    mine: list[Fill] = []
    held = copied = Decimal(0)
    for number, (lots, price, worse) in enumerate(drawn):
        at, qty = number * HOUR, Decimal(lots) / 50
        held += qty
        theirs.append((at, str(qty), price))
        if number != missed:
            copied += qty / 2
            mine.append((at + 700, str(qty / 2), worse))
    end = len(drawn) * HOUR
    theirs.append((end, str(-held), "61111"))
    mine.append((end + 50, str(-copied), "61110.5"))
    hold = Hold("BTCUSDT", side, "paused: by the trader", 0, None)
    how = replace(HOW, side=side, source=("BTCUSDT", side))
    copies = [cycle(*mine, side=side, fee=fee)] if copied else []
    found = compared(copies, main=[cycle(*theirs, side=side, fee=fee)], how=[how], holds=[hold])
    assert parts(found).get("rest", Decimal(0)).copy_abs() < Decimal("0.00001")
    if missed >= len(drawn):
        assert Part.HELD.value not in parts(found)
