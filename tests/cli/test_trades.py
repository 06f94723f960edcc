"""Trades with ladders through the real program beside a daemon: what is asked, previewed, placed and changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.conftest import Program, Running

LADDER = ("--target", "62000", "--target", "63000", "--target", "64000", "--target", "65000")
CONSERVATIVE = ("--approach", "conservative", "--entry", "59000", "--entry", "58000", "--stop", "57000", *LADDER)
OPEN = ("trade", "open", "BTCUSDT", "long", "--margin", "300", "--leverage", "5", *CONSERVATIVE)


@pytest.fixture
def flat(trader: Program, daemon: Running) -> Iterator[None]:
    yield
    trader("paper", "price", "BTCUSDT", "60000")
    assert trader("flatten", "--yes", "--confirm", "paper", "--json").document["partial"] is False


def targets(program: Program) -> dict[str, list[tuple[str, str]]]:
    """(price, quantity) of every target by account, nearest first."""
    return {
        account["account"]: sorted((o["price"], o["qty"]) for o in account["orders"] if o["role"] == "target")
        for account in program("orders", "--json").document["accounts"]
    }


def stops(program: Program) -> list[str]:
    accounts = program("positions", "--json").document["accounts"]
    return [row["stop"]["price"] for account in accounts for row in account["positions"]]


@pytest.mark.usefixtures("daemon")
def test_a_dry_run_previews_every_account_and_sends_nothing(trader: Program) -> None:
    done = trader(*OPEN, "--dry-run")
    assert (done.code, done.err) == (0, "")
    assert "entry 2 of 3 of the trade, stop 57000" in done.out
    assert "target   2          63000         5   0.001   with 1   with 1" in done.out
    rows: list[dict[str, Any]] = trader(*OPEN, "--dry-run", "--json").document["preview"]
    assert [(row["account"], row["qty"], row["loss_at_stop"]) for row in rows] == [
        ("main", "0.024", "48"),
        ("mirror", "0.012", "24"),
        ("second", "0.006", "12"),
    ]
    assert targets(trader) == {"main": [], "mirror": [], "second": []}


@pytest.mark.usefixtures("flat")
def test_a_ladder_stands_on_every_account_and_follows_what_the_trader_says(trader: Program) -> None:
    done = trader(*OPEN)
    assert done.code == 0
    assert "risk %" in done.err, "the preview comes before the orders"
    assert targets(trader) == {
        "main": [("62000", "0.006"), ("63000", "0.001"), ("65000", "0.001")],
        "mirror": [("62000", "0.003"), ("65000", "0.001")],
        "second": [("62000", "0.001"), ("65000", "0.001")],
    }
    moved = trader("trade", "target", "BTCUSDT", "62500", "63500", "64500", "65500")
    assert "main: BTCUSDT targets 85% at 62500, 5% at 63500, 5% at 64500, 5% at 65500" in moved.out
    assert [price for price, _ in targets(trader)["second"]] == ["62500", "65500"]
    stop = trader("trade", "stop", "BTCUSDT", "57500", "--json").document
    assert (stop["stop"], stop["entries_moved"], stops(trader)) == ("57500", 2, ["57500"] * 3)
    passed = trader("trade", "breakeven", "BTCUSDT")
    assert (passed.code, "is passed by the price 60000: the stop at 57500 stays" in passed.err) == (2, True)
    trader("paper", "price", "BTCUSDT", "61000")
    even = trader("trade", "breakeven", "BTCUSDT", "--json").document
    assert (even["moved"], even["stop"], stops(trader)) == (True, "60078.2", ["60078.2"] * 3)
    assert trader("trade", "close", "BTCUSDT", "--json").document["closed"] == "0.008"
    assert targets(trader) == {"main": [], "mirror": [], "second": []}


@pytest.mark.usefixtures("flat")
def test_an_entry_that_is_refused_is_named_and_the_others_stand(trader: Program) -> None:
    assert (
        trader(
            "paper", "fault", "ret-code", "--account", "main", "--target", "/v5/order/create", "--arg", "code=110007"
        ).code
        == 0
    )
    done = trader(
        "trade", "open", "BTCUSDT", "long", "--qty", "0.02", "--entry", "59000", "--entry", "58000", "--wait", "1"
    )
    assert done.code == 5
    assert "refused: entry 1 of 0.01 at 59000" in done.out
    assert "main: BTCUSDT placed 0.01" in done.out


@pytest.mark.proves("A74")
@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize(
    ("args", "message", "hint"),
    [
        (["--approach", "slow"], "no approach 'slow'", "approaches of this profile: conservative, fast"),
        (["--approach", "conservative"], "takes exactly 2 --entry prices", "one --entry for each limit"),
        (["--target", "62000", "--target", "63000"], "2 targets need their percents", "62000:60"),
        (["--target", "59000"], "a target at 59000 is on the wrong side of 60000.1", "lie above"),
    ],
)
def test_a_ladder_that_cannot_be(trader: Program, args: list[str], message: str, hint: str) -> None:
    done = trader("trade", "open", "BTCUSDT", "long", "--qty", "0.02", *args, "--json")
    assert (done.code, done.error["kind"]) == (2, "usage")
    assert message in done.error["message"]
    assert hint in done.error["hint"]


@pytest.mark.usefixtures("flat")
def test_an_order_is_cancelled_by_the_beginning_of_its_id(trader: Program) -> None:
    assert trader("trade", "open", "BTCUSDT", "long", "--qty", "0.02", "--entry", "59000", "--entry", "58000").code == 0
    orders = trader("orders", "--account", "main", "--json").document["accounts"][0]["orders"]
    assert len(orders) == 2
    first, other = (row["order_id"] for row in orders)
    assert trader("trade", "cancel", "BTCUSDT", first[:7]).code == 2, "too short to be meant as an id"
    assert trader("trade", "cancel", "BTCUSDT", first[:8], "--json").document["cancelled"] == 1
    left = trader("orders", "--account", "main", "--json").document["accounts"][0]["orders"]
    assert [row["order_id"] for row in left] == [other]
