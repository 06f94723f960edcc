"""The preview of `trade open`: what it says is what comes to stand, and unknown is unknown."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.policy import BelowMinimum, Direction, Follow, Limits, MirrorPolicy, OnBreach, Sizing
from mirrorctl.core.engine.records import StandingKind
from mirrorctl.core.simulation.stage import Stage, copying

TARGETS = [{"price": price, "percent": None} for price in ("62000", "63000", "64000", "65000")]
CONSERVATIVE: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "side": "long",
    "approach": "conservative",
    "entries": ["59000", "58000"],
    "targets": TARGETS,
    "stop": "57000",
    "leverage": "5",
    "wait_s": "5",
}


def previewed(stage: Stage, **args: Any) -> dict[str, dict[str, Any]]:
    """The rows of a dry run by account; nothing was sent for them."""
    sent = len(stage.sent())
    rows = stage.command("trade.open", **args, dry_run=True)["preview"]
    assert len(stage.sent()) == sent
    return {row["account"]: row for row in rows}


def quantities(row: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Of entries and of targets."""
    return [entry["qty"] for entry in row["entries"]], [target["qty"] for target in row["targets"]]


def test_it_names_what_stands_once_every_entry_has_filled() -> None:
    stage = Stage()
    rows = previewed(stage, **CONSERVATIVE, margin="1000")
    stage.command("trade.open", **CONSERVATIVE, margin="1000")
    for price in ("58900", "57900"):
        stage.price(price)
        stage.settle()
    for name, trader in (("main", stage.main), *stage.mirrors.items()):
        found = [row for row in trader.orders() if row["reduceOnly"]]
        resting = [Decimal(row["leavesQty"]) for row in sorted(found, key=lambda row: Decimal(row["price"]))]
        assert resting == [Decimal(target["qty"]) for target in rows[name]["targets"]]
        assert trader.position() == Decimal(rows[name]["qty_after"])


@pytest.mark.proves("A30")
def test_rungs_too_small_for_a_mirror_are_shown_with_the_one_they_join() -> None:
    stage = Stage(copying("tenth", "0.1"), copying("speck", "0.02"))
    rows = previewed(stage, **CONSERVATIVE, qty="0.15")
    assert quantities(rows["main"]) == (["0.05"] * 3, ["0.127", "0.008", "0.007", "0.008"])
    assert quantities(rows["tenth"]) == (["0.005"] * 3, ["0.012", "0.001", "0.001", "0.001"])
    assert quantities(rows["speck"]) == (["0.001"] * 3, ["0.002", "0", "0", "0.001"])
    assert [target["joined"] for target in rows["speck"]["targets"]] == [None, 1, 1, None]


def test_money_at_risk_is_that_of_the_whole_position() -> None:
    stage = Stage(copying("half", "0.5"))
    rows = previewed(stage, **{**CONSERVATIVE, "entries": ["59000", "57999.9"]}, qty="0.3")
    main, half = rows["main"], rows["half"]
    assert (main["entry_price"], main["notional"], main["leverage"], main["margin"]) == ("59000", "17700", "5", "3540")
    assert (main["loss_at_stop"], half["loss_at_stop"]) == ("600", "300")
    wallet = stage.engine.main.view.wallet
    assert wallet is not None
    assert main["loss_percent"] == f"{(60_000 / wallet.equity).quantize(Decimal('0.01')).normalize():f}"
    # 0.255 × 3000 + 0.015 × (4000 + 5000 + 6000) = 990 for 600
    assert (main["reward"], main["reward_risk"]) == ("990", "1.65")
    assert (half["notional"], half["margin"]) == ("8850", "1770")


def test_without_a_stop_nothing_is_said_about_the_loss() -> None:
    row = previewed(Stage(), symbol="BTCUSDT", side="long", qty="0.1")["main"]
    assert (row["stop"], row["loss_at_stop"], row["loss_percent"], row["reward_risk"]) == (None, None, None, None)
    assert (row["approach"], row["targets"]) == ("plain", [])


@pytest.mark.proves("A40")
def test_adding_is_previewed_on_what_stands() -> None:
    stage = Stage(copying("half", "0.5"))
    base = {"symbol": "BTCUSDT", "side": "long", "wait_s": "5"}
    stage.command("trade.open", **base, qty="0.101", stop="57000", targets=[{"price": "62000", "percent": "100"}])
    rows = previewed(stage, **base, qty="0.101")
    assert (rows["main"]["qty"], rows["main"]["qty_after"], rows["main"]["stop"]) == ("0.101", "0.202", "57000")
    # 0.050 stands, 0.101 is wanted: sized from the whole position
    assert (rows["half"]["qty"], rows["half"]["qty_after"]) == ("0.051", "0.101")
    assert quantities(rows["half"]) == (["0.051"], ["0.101"])


def test_a_mirror_that_will_not_follow_says_why() -> None:
    stage = Stage(copying("half", "0.5"), copying("speck", "0.001"), copying("paused", "0.5"))
    stage.command("pause", account="paused")
    rows = previewed(stage, symbol="BTCUSDT", side="long", qty="0.1")
    assert {name: row["held"] for name, row in rows.items()} == {
        "main": None,
        "half": None,
        "speck": "below minimum: 0.0001",
        "paused": "paused: by the trader",
    }
    assert (rows["paused"]["qty"], rows["paused"]["qty_after"], rows["paused"]["entries"]) == ("0", "0", [])


def test_a_mirror_that_cannot_be_read_is_unknown() -> None:
    stage = Stage(copying("half", "0.5"), copying("away", "0.5"))
    stage.world.go_down("away")
    stage.until(lambda: not stage.engine.is_known(stage.engine.accounts["away"]), 300_000)
    row = previewed(stage, symbol="BTCUSDT", side="long", qty="0.1")["away"]
    assert (row["state"], row["qty"], row["targets"], row["loss_at_stop"]) == ("unknown", None, None, None)
    assert row["error"]


def test_the_plan_of_a_dry_run_shows_the_stop_that_entries_carry() -> None:
    found = Stage().command("trade.open", **CONSERVATIVE, qty="0.3", dry_run=True)
    assert [(row["action"], row["price"], row.get("stop")) for row in found["plan"]] == [
        ("set-leverage", None, None),
        ("place", None, "57000"),
        ("place", "59000", "57000"),
        ("place", "58000", "57000"),
    ]
    assert [row["qty"] for row in found["mirrors"]] == ["0.15", "0.075"]


def bounded(name: str = "near", bps: str = "300", **more: Any) -> MirrorPolicy:
    """A mirror whose stop is never farther from its entry than that."""
    return replace(copying(name, "0.5", **more), max_stop_bps=Decimal(bps))


ONE_ENTRY: dict[str, Any] = {"symbol": "BTCUSDT", "side": "long", "wait_s": "5"}
BOTH_ENDS: dict[str, Any] = {
    **ONE_ENTRY,
    "qty": "0.1",
    "stop": "57000",
    "targets": [{"price": "63000", "percent": None}],
}


@pytest.mark.proves("A22")
@pytest.mark.parametrize("warm", [False, True], ids=["first", "added"])
def test_a_mirror_that_bounds_its_stop_is_shown_with_the_stop_and_the_risk_it_will_have(warm: bool) -> None:
    """300 bps of about 60000 are 1800: 0.05 × 1800 = 90 at risk for 150, where main risks 300."""
    stage = Stage(bounded(), copying("half", "0.5"))
    if warm:
        stage.command("trade.open", **BOTH_ENDS)
        stage.settle()
    rows = previewed(stage, **BOTH_ENDS)
    stage.command("trade.open", **BOTH_ENDS)
    stage.settle()
    stood = stage.of("near").stop()
    assert stood is not None
    assert abs(Decimal(rows["near"]["stop"]) - stood) <= Decimal("0.1")
    assert stood > 58_000
    assert rows["half"]["stop"] == "57000"
    size = Decimal(rows["near"]["qty_after"])
    average = Decimal(rows["near"]["entry_price"])
    assert abs(Decimal(rows["near"]["loss_at_stop"]) - (average - stood) * size) < Decimal("0.05")
    assert rows["near"]["reward_risk"] == "1.67"
    assert rows["near"]["terms"] == f"stop {rows['near']['stop']} (max_stop_bps = 300)"


def test_a_short_is_bounded_from_above_and_a_nearer_stop_of_main_counts() -> None:
    stage = Stage(bounded())
    short = {**ONE_ENTRY, "side": "short", "qty": "0.1"}
    assert previewed(stage, **short)["near"]["stop"] == "61799.8"
    assert previewed(stage, **short, stop="63000")["near"]["stop"] == "61799.8"
    row = previewed(stage, **short, stop="61000")["near"]
    assert (row["stop"], row["terms"]) == ("61000", None)


@pytest.mark.proves("A22")
def test_entries_beyond_the_mirrors_own_stop_are_told_and_not_counted() -> None:
    """100 bps under 60000.1 is 59400.1: main's limits at 59000 and 58000 never fill there, but in its gap."""
    stage = Stage(bounded(bps="100"))
    row = previewed(stage, **CONSERVATIVE, qty="0.3")["near"]
    assert row["stop"] == "59400.1"
    assert row["warnings"] == ["its own stop 59400.1 comes before entries 2, 3"]
    assert ([entry["qty"] for entry in row["entries"]], row["qty_after"]) == (["0.05"] * 3, "0.05")
    assert (row["loss_at_stop"], row["notional"]) == ("30", "8850")
    stage.command("trade.open", **CONSERVATIVE, qty="0.3")
    stage.settle()
    assert len(stage.of("near").book()) >= 2
    for price in ("59400", "58900", "57900"):
        stage.price(price)
        stage.settle()
    assert stage.of("near").position() == 0


def test_entries_that_are_all_beyond_the_stop_that_stands_change_nothing() -> None:
    stage = Stage(bounded(bps="100"))
    stage.command("trade.open", **ONE_ENTRY, qty="0.1", stop="57000")
    stage.settle()
    row = previewed(stage, **ONE_ENTRY, qty="0.1", entries=["59000"])["near"]
    stood = stage.of("near").stop()
    assert (row["qty"], row["qty_after"], row["notional"]) == ("0", "0.05", "2950")
    assert Decimal(row["stop"]) == stood
    assert row["warnings"] == [f"its own stop {row['stop']} comes before entry 1"]


@pytest.mark.proves("A13")
def test_a_reverse_mirror_is_shown_with_what_its_target_brings() -> None:
    """Short from 60000 with main's ends swapped: about 150 for 150."""
    follow = Follow(direction=Direction.REVERSE)
    stage = Stage(copying("contrary", "0.5", follow=follow), bounded("near", "100", follow=follow))
    rows = previewed(stage, **BOTH_ENDS)
    contrary, near = rows["contrary"], rows["near"]
    assert (contrary["stop"], contrary["reward"], contrary["reward_risk"]) == ("63000", "150", "1")
    assert near["terms"].endswith("stop 60600.1 (max_stop_bps = 100), target 57000 (main's stop)")
    assert near["reward_risk"] == "5"
    assert previewed(stage, **{**BOTH_ENDS, "stop": None})["contrary"]["reward_risk"] is None


FREE = Limits(Decimal(100), None, None, None)
LIMITS: list[tuple[dict[str, Any], str]] = [
    ({"max_position_notional": Decimal(2_000)}, "limit max_position_notional: 3015 over 2000"),
    ({"max_total_notional": Decimal(2_000)}, "limit max_total_notional: 3015 over 2000"),
    ({"max_open_positions": 0}, "limit max_open_positions: 0 of 0 open or on their way"),
    ({"max_daily_loss": Decimal(0)}, "paused: max_daily_loss: 0 lost today, the limit is 0"),
]


@pytest.mark.proves("A75")
@pytest.mark.parametrize(("limits", "reason"), LIMITS, ids=[next(iter(limits)) for limits, _ in LIMITS])
def test_what_a_limit_will_refuse_is_said_before_the_first_order(limits: dict[str, Any], reason: str) -> None:
    limited = replace(FREE, on_breach=OnBreach.PAUSE, **limits)
    stage = Stage(copying("half", limits=limited), copying("free", limits=FREE))
    stage.run(5_000)  # a limit of the day that is reached makes a halt
    asked = {**ONE_ENTRY, "qty": "0.1"}
    found = stage.command("trade.open", **asked, dry_run=True)
    rows = {row["account"]: row for row in found["preview"]}
    assert rows["half"]["held"] == reason
    assert (rows["half"]["qty"], rows["half"]["entries"], rows["free"]["held"]) == ("0", [], None)
    assert [(row["account"], row["raw_want"], row["want"], row["reason"]) for row in found["held"]] == [
        ("half", "0.05", "0", rows["half"]["held"])
    ]
    stage.command("trade.open", **asked)
    stage.settle()
    assert (stage.of("half").position(), stage.of("free").position()) == (Decimal(0), Decimal("0.05"))
    assert stage.held("half") == [rows["half"]["held"]]


@pytest.mark.proves("A75")
@pytest.mark.parametrize(
    ("known", "entries", "after", "reason"),
    [
        (True, ["0.05", "0.05", "0"], "0.1", "entry 3 will be held: limit max_position_notional: 8865 over 6000"),
        # its leverage comes first, and by then main's limits stand: their twins take the room
        (False, ["0", "0.05", "0.05"], "0.1", "entry 1 will be held: limit max_position_notional: 8865 over 6000"),
    ],
    ids=["leverage stands", "leverage to come"],
)
def test_entries_that_find_no_room_are_named_and_the_quantity_is_what_goes(
    known: bool, entries: list[str], after: str, reason: str
) -> None:
    """Thirds of 0.05 BTC are about 3000 each, and two of them fit."""
    stage = Stage(copying("half", limits=replace(FREE, max_position_notional=Decimal(6_000))))
    if known:
        stage.command("trade.open", **ONE_ENTRY, qty="0.01", leverage="5")
        stage.settle()
        stage.command("trade.close", symbol="BTCUSDT")
        stage.settle()
    row = previewed(stage, **CONSERVATIVE, qty="0.3")["half"]
    assert (row["held"], row["warnings"]) == (None, [reason])
    assert (quantities(row)[0], row["qty"], row["qty_after"]) == (entries, after, after)
    stage.command("trade.open", **CONSERVATIVE, qty="0.3")
    stage.settle()
    assert stage.held("half")
    first, *limits = [Decimal(qty) for qty in entries]
    assert stage.of("half").position() == first
    assert [qty for side, qty, _ in stage.of("half").book() if side == "Buy"] == [qty for qty in limits if qty]


def test_a_value_that_no_limit_lets_through_is_refused_in_the_order_that_is_tried_first() -> None:
    """As typed by mistake: 1000000 × 0.05 BTC go in orders of the contract's largest quantity."""
    stage = Stage(copying("half", limits=replace(FREE, max_position_notional=Decimal(20_000))))
    asked = {**ONE_ENTRY, "qty": "0.05", "mirrors": [{"name": "half", "value": "1000000", "percent": False}]}
    row = previewed(stage, **asked)["half"]
    stage.command("trade.open", **asked)
    stage.settle()
    assert row["held"].startswith("limit max_position_notional: ")
    assert stage.held("half") == [row["held"]]


def test_a_halted_mirror_and_one_whose_minute_is_full_are_told() -> None:
    stage = Stage(copying("half", limits=replace(FREE, max_orders_per_minute=2)))
    row = previewed(stage, **CONSERVATIVE, qty="0.3")["half"]
    assert (row["held"], row["warnings"], row["qty"]) == (
        None,
        ["limit max_orders_per_minute: 0 of 2 sent, entries wait"],
        "0.15",
    )
    stage.engine.standings.set(StandingKind.HALT, "half", "", "limit max_daily_loss: 5 lost", stage.engine.now_ms())
    assert previewed(stage, **CONSERVATIVE, qty="0.3")["half"]["held"] == "paused: limit max_daily_loss: 5 lost"


@pytest.mark.proves("A9")
def test_an_entry_that_will_be_raised_to_the_minimum_is_shown_as_it_will_be() -> None:
    """0.01 of 0.05 is 0.0005; the least order is 0.001."""
    stage = Stage(copying("tiny", sizing=Sizing(value=Decimal("0.01"), below_minimum=BelowMinimum.ROUND_UP)))
    asked = {"symbol": "BTCUSDT", "side": "long", "qty": "0.05", "stop": "57000", "wait_s": "5"}
    row = previewed(stage, **asked)["tiny"]
    assert (row["qty"], row["held"]) == ("0.001", None)
    assert "raised to the minimum: 0.0005 → 0.001" in row["warnings"]
    stage.command("trade.open", **asked)
    stage.settle()
    assert stage.of("tiny").position() == Decimal("0.001")
