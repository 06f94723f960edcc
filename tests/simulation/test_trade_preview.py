"""The preview of `trade open`: what it says is what comes to stand, and unknown is unknown."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

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
