"""What the audit says of sizes: drift, what is missing or too much, and what is explained and so no finding."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from mirrorctl.core.domain.audit.judge import judge
from mirrorctl.core.domain.audit.scene import Park, Seen
from mirrorctl.core.domain.cycle import Copy
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.policy import Limits, MirrorPolicy, Sizing
from mirrorctl.core.domain.scene import Held, Standing, SymbolPlan
from mirrorctl.core.domain.values import PositionMode, Side
from tests.unit.domain.audits import MAIN_TAG, audited, desk_holding, look, told, trade_of, twin_under_stop
from tests.unit.domain.scenes import BTC, LONG, SHORT, SYMBOL, TAG, Desk, copy_of, dec, order


@pytest.mark.proves("A64")
@pytest.mark.parametrize(
    ("main", "mirror", "expected"),
    [
        ("0.1", "0.05", []),
        ("0.1", "0.04", ["warning RATIO_DRIFT mirror"]),
        ("0.1", "0.06", ["warning RATIO_DRIFT mirror"]),
        ("0.1", "0", ["warning NOT_MIRRORED mirror"]),
        ("0.101", "0.05", []),
        ("0.003", "0.001", []),
    ],
    ids=["in step", "too little", "too much", "nothing", "rounded", "rounded down to a step"],
)
def test_a_mirror_holds_what_its_ratio_asks(main: str, mirror: str, expected: list[str]) -> None:
    desk = desk_holding(main, mirror)
    assert audited(desk) == expected


def test_drift_says_what_is_wanted_and_what_is_held() -> None:
    [finding] = judge(look(desk_holding("0.1", "0.04")))
    assert (finding.expected, finding.actual, finding.side) == ("0.05", "0.04", LONG)


@pytest.mark.proves("A20")
def test_what_a_live_twin_explains_is_no_drift() -> None:
    """Main's order filled and the twin lags: the twin stands for the difference (grace time)."""
    desk = desk_holding("0.1", "0.05")
    desk.main.rest(order("a", "0.02"))
    twin_under_stop(desk)
    desk.main.fill("a", dec("0.01"))
    assert audited(desk) == []


def test_a_twin_that_filled_first_is_no_drift_while_mains_order_is_open() -> None:
    desk = desk_holding("0.1", "0.05")
    desk.main.rest(order("a", "0.02"))
    twin = twin_under_stop(desk)
    desk.mirror.fill("on-mirror-a-0")
    desk.ours[0] = replace(twin, filled=dec("0.01"), state=IntentState.DONE)
    assert desk.mirror.view.size(SYMBOL, LONG) == dec("0.06")
    assert audited(desk) == []


def test_a_ratio_that_was_observed_shows_no_28_digits() -> None:
    desk = desk_holding("0.3", "0", growth_block="paused: by the trader")
    desk.copies[LONG] = replace(desk.copies[LONG], ratio=dec("0.05") / dec("1.5"))
    [finding] = judge(look(desk))
    assert finding.expected == "0.01"


@pytest.mark.proves("A82")
@pytest.mark.parametrize("mirror", ["0", "0.02"])
def test_held_growth_is_held_and_never_drift(mirror: str) -> None:
    desk = desk_holding("0.1", mirror, growth_block="paused: by the trader")
    [finding] = judge(look(desk))
    assert told([finding]) == ["info HELD mirror"]
    assert (finding.expected, finding.actual) == ("0.05", f"{mirror}: paused: by the trader")
    assert "mirrorctl resume" in finding.remedy


@pytest.mark.proves("A82")
def test_too_much_is_drift_whatever_is_held() -> None:
    assert audited(desk_holding("0.1", "0.06", growth_block="paused: by the trader")) == ["warning RATIO_DRIFT mirror"]


def test_what_only_waits_for_a_read_or_a_change_excuses_nothing() -> None:
    desk = desk_holding("0.1", "0")
    desk.main.change(0, leverage=dec(7))
    assert audited(desk) == ["warning LEVERAGE_MISMATCH mirror", "warning NOT_MIRRORED mirror"]
    waiting = SymbolPlan("mirror", SYMBOL, held=[Held("mirror", SYMBOL, LONG, dec("0.05"), dec(0), "waits", True)])
    assert audited(desk_holding("0.1", "0.05"), waiting) == []


@pytest.mark.proves("A76")
@pytest.mark.parametrize("mirror", ["0", "0.02"])
def test_a_mirror_that_is_out_of_its_cycle_is_not_missing_anything(mirror: str) -> None:
    out = copy_of(LONG, cap=dec(mirror), main_size=dec("0.1"), out="stop" if mirror == "0" else "")
    desk = desk_holding("0.1", mirror, copies={LONG: out})
    assert [line for line in audited(desk) if "HELD" not in line] == []


@pytest.mark.parametrize(
    ("copy", "expected"),
    [
        (copy_of(LONG, ended=True), "critical UNEXPECTED_POSITION mirror"),
        (copy_of(LONG, out="stop", cap=Decimal(0), main_size=dec("0.1")), "critical UNEXPECTED_POSITION mirror"),
        (copy_of(LONG, opened=False), "warning UNEXPECTED_POSITION mirror"),
    ],
    ids=["main is flat", "out after its own stop", "foreign"],
)
def test_a_position_that_no_open_trade_explains(copy: Copy, expected: str) -> None:
    desk = desk_holding("0" if copy.ended else "0.1", "0.05", copies={LONG: copy})
    assert expected in audited(desk)


def test_what_its_last_target_is_still_to_sell_is_not_unexpected() -> None:
    """Main's target filled and the mirror's lags: for the grace time it stands for the difference."""
    desk = desk_holding("0", "0.05", copies={LONG: copy_of(LONG, ended=True)})
    standing = Standing("mirror", SYMBOL, LONG, dec("0.05"), dec(0), dec(0), tolerated=dec("0.05"))
    plan = SymbolPlan("mirror", SYMBOL, standings=[standing])
    assert audited(desk, plan) == []
    plan.standings[0] = replace(standing, tolerated=dec("0.02"))
    assert audited(desk, plan) == ["critical UNEXPECTED_POSITION mirror"]


@pytest.mark.proves("A81")
def test_a_foreign_position_is_unexpected_and_parks_its_symbol() -> None:
    desk = desk_holding("0.1", "0", copies={LONG: copy_of(LONG, opened=False)}, parked="foreign position")
    desk.mirror.hold(SHORT, "0.3")
    parked, unexpected = judge(look(desk))
    assert told([parked, unexpected]) == ["warning PARKED mirror", "warning UNEXPECTED_POSITION mirror"]
    assert parked.actual == "long 0, short 0.3: foreign position"
    assert (unexpected.side, unexpected.expected, unexpected.actual) == (SHORT, "0: foreign", "0.3")


@pytest.mark.proves("A82", "A57")
def test_a_symbol_that_was_parked_is_parked_and_never_held_nor_drift() -> None:
    reason = "refused by the exchange (110023): only reducing"
    desk = desk_holding("0.1", "0", growth_block=f"parked: {reason}")
    [finding] = judge(look(desk, parks=[Park("mirror", SYMBOL, reason)]))
    assert told([finding]) == ["warning PARKED mirror"]
    assert finding.actual == f"long 0: {reason}"


def test_a_park_of_a_symbol_that_nothing_is_planned_for_is_named() -> None:
    parks = [Park("mirror", "XUSDT", "refused"), Park("another", SYMBOL, "refused")]
    assert audited(desk_holding("0.1", "0.05"), parks=parks) == ["warning PARKED mirror"]


@pytest.mark.proves("A14")
def test_two_legs_on_a_one_way_mirror_are_parked() -> None:
    desk = desk_holding("0.1", "0.05", main_mode=PositionMode.HEDGE)
    desk.main.hold(SHORT, "0.1", stop_loss=dec(62_000))
    findings = judge(look(desk, recorded=look(desk).recorded))
    assert "warning PARKED mirror" in told(findings)
    assert not {"RATIO_DRIFT", "NOT_MIRRORED", "UNEXPECTED_POSITION"} & {f.code.value for f in findings}


@pytest.mark.proves("A39")
@pytest.mark.parametrize(
    ("refused", "expected"), [(False, ["warning DUST mirror"]), (True, ["info DUST mirror"])], ids=["closed", "stays"]
)
def test_what_is_under_the_minimum_and_not_wanted_is_dust(refused: bool, expected: list[str]) -> None:
    small = replace(BTC, min_notional=dec(100))
    desk = desk_holding("0", "0.001", copies={LONG: copy_of(LONG, ended=True)}, instrument=small)
    plan = desk.plan()
    if refused:
        plan.actions.clear()
    assert audited(desk, plan, instruments={SYMBOL: small}) == expected


def test_a_position_over_the_minimum_is_no_dust() -> None:
    desk = desk_holding("0", "0.001", copies={LONG: copy_of(LONG, ended=True)})
    assert "critical UNEXPECTED_POSITION mirror" in audited(desk)


@pytest.mark.parametrize(("size", "found"), [("0.001", True), ("0.002", False), ("0", False)])
def test_what_the_last_target_left_on_main_is_dust(size: str, found: bool) -> None:
    small = replace(BTC, min_notional=dec(100))
    desk = desk_holding(size, "0", copies={}, instrument=small)
    trade = trade_of(stop=dec(58_000))
    recorded = replace(look(desk).recorded, cycles=frozenset((trade.key,)))
    scene = look(
        desk,
        SymbolPlan("mirror", SYMBOL),
        instruments={SYMBOL: small},
        trades={trade.key: trade},
        cycles=frozenset((trade.key,)),
        recorded=recorded,
        finished=frozenset((trade.key,)),
    )
    assert told(judge(scene)) == (["info DUST main"] if found else [])


@pytest.mark.parametrize(
    ("leverage", "factor", "highest", "expected"),
    [
        (10, "1", 20, []),
        (7, "1", 20, ["info LEVERAGE_MISMATCH mirror"]),
        (5, "2", 20, []),
        (50, "1", 10, []),
        (50, "1", 20, ["info LEVERAGE_MISMATCH mirror"]),
    ],
)
def test_leverage_is_mains_times_the_factor_within_the_limit(
    leverage: int, factor: str, highest: int, expected: list[str]
) -> None:
    """The mirror stands at 10."""
    policy = MirrorPolicy(
        "mirror", sizing=Sizing(value=dec("0.5"), leverage_factor=dec(factor)), limits=Limits(max_leverage=dec(highest))
    )
    desk = desk_holding("0.1", "0.05", policy=policy)
    desk.main.change(0, leverage=dec(leverage))
    assert audited(desk) == expected


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (None, []),
        (PositionMode.ONE_WAY, []),
        (PositionMode.HEDGE, ["warning MODE_MISMATCH main", "warning MODE_MISMATCH mirror"]),
    ],
)
def test_another_position_mode_than_the_profile_asks_for(mode: PositionMode | None, expected: list[str]) -> None:
    desk = desk_holding("0.1", "0.05")
    main, mirror = Seen("main", MAIN_TAG, desk.main.view, mode=mode), Seen("mirror", TAG, desk.mirror.view, mode=mode)
    assert audited(desk, main=main, mirrors=(mirror,)) == expected


def test_a_reduction_under_way_is_still_drift_for_one_look() -> None:
    """Nothing more is planned while it is in flight; the second look decides whether it counts."""
    desk: Desk = desk_holding("0.1", "0.06")
    desk.attempt(Role.REDUCTION, "0.01", Side.SELL, "0.05")
    assert desk.plan().actions == []
    assert audited(desk) == ["warning RATIO_DRIFT mirror"]
