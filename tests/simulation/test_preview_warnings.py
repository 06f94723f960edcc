"""What the preview of a trade warns of, before its first order goes out; figures for BTC at 60000, step 0.001."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.commands import trade_tables
from mirrorctl.core.domain.policy import Limits, MirrorPolicy, Sizing
from mirrorctl.core.simulation.stage import Stage, copying
from tests.cli.test_tables import printed

TARGETS = [{"price": price, "percent": None} for price in ("62000", "63000", "64000", "65000")]
FREE = Limits(None, None, None, None)
ENTRIES: dict[str, Any] = {"approach": "conservative", "entries": ["59000", "58000"], "targets": TARGETS}


def warned(mirror: MirrorPolicy, **request: Any) -> list[str]:
    """The warnings of a dry run for one mirror."""
    stage = Stage(mirror, main_limits=FREE)
    rows = stage.command("trade.open", symbol="BTCUSDT", side="long", dry_run=True, **request)["preview"]
    assert rows[0]["warnings"] == []
    assert stage.sent() == []
    found: list[str] = rows[1]["warnings"]
    return found


@pytest.mark.parametrize(
    ("ratio", "request_", "warnings"),
    [
        ("0.5", {"qty": "0.1"}, []),
        # 0.0158 is wanted, 0.015 copied
        ("0.1", {"qty": "0.158"}, ["rounding leaves out 5.06% of what the ratio asks for"]),
        # 3 × 0.001: 85% of it are 0.002, and the last target has the rest
        (
            "0.02",
            {"qty": "0.15", **ENTRIES},
            ["targets 2, 3 are too small for an order here: joined with target 1"],
        ),
        # thirds of 0.03 at 5% are 0.0005; all of it is 0.0015
        (
            "0.05",
            {"qty": "0.03", **ENTRIES},
            [
                "entries 1, 2, 3 are too small for an order here",
                "targets 2, 3, 4 are too small for an order here: joined with target 1",
                "rounding leaves out 33.33% of what the ratio asks for",
            ],
        ),
        ("0.001", {"qty": "0.1"}, ["below minimum: 0.0001, nothing is copied"]),
        ("0.5", {"qty": "0.1", "leverage": "25"}, ["leverage 25x is capped at max_leverage 20x: more margin"]),
    ],
)
def test_it_warns_of_what_will_not_be_copied_as_it_is(
    ratio: str, request_: dict[str, Any], warnings: list[str]
) -> None:
    mirror = copying("half", ratio, limits=replace(FREE, max_leverage=Decimal(20)))
    assert warned(mirror, **request_) == warnings


def test_a_leverage_over_the_contracts_is_said() -> None:
    sizing = Sizing(value=Decimal("0.5"), leverage_factor=Decimal(2))
    mirror = copying("half", sizing=sizing, limits=FREE)
    assert warned(mirror, qty="0.1", leverage="50") == []
    assert warned(mirror, qty="0.1", leverage="60") == [
        "leverage 120x is over the contract's 100x: that is set, more margin"
    ]


def test_an_exit_of_its_own_is_no_rounding() -> None:
    """The mirror's own target took 0.02 off: what it does not copy now is its cap, not its step."""
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1")
    stage.settle()
    stage.of("half").protect(target="60100", tpSize="0.02", slSize="0.02", tpslMode="Partial")
    stage.price("60100")
    stage.settle()
    rows = stage.command("trade.open", symbol="BTCUSDT", side="long", qty="0.01", dry_run=True)["preview"]
    assert rows[1]["warnings"] == []


def test_people_see_them_with_the_preview(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    stage = Stage(copying("tenth", "0.1"), copying("speck", "0.001"))
    rows = stage.command("trade.open", symbol="BTCUSDT", side="long", qty="0.158", stop="57000", dry_run=True)[
        "preview"
    ]
    lines = printed(trade_tables.preview(rows), capsys).splitlines()
    assert "tenth: rounding leaves out 5.06% of what the ratio asks for" in lines
    assert [line for line in lines if line.startswith("speck: ") and "minimum" in line] == [
        "speck: does not follow: below minimum: 0.000158"
    ]
