"""The published state equals the exchange's own books, and says unknown where nothing was read."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying

WALLET = {
    "equity": "totalEquity",
    "available": "totalAvailableBalance",
    "initial_margin": "totalInitialMargin",
    "maintenance_margin": "totalMaintenanceMargin",
    "unrealised_pnl": "totalPerpUPL",
}
POSITION = {
    "qty": "size",
    "entry_price": "avgPrice",
    "mark_price": "markPrice",
    "unrealised_pnl": "unrealisedPnl",
    "leverage": "leverage",
    "liquidation_price": "liqPrice",
    "stop": "stopLoss",
}
SIDES = {"Buy": "long", "Sell": "short"}


def desk(stage: Stage, max_age_s: str | None = "0") -> dict[str, Any]:
    found: dict[str, Any] = stage.command("published", max_age_s=max_age_s)["desk"]
    return found


def read(stage: Stage, name: str, path: str, **params: str) -> list[dict[str, Any]]:
    """The account's own trader looks at the exchange, past everything of ours."""
    rows: list[dict[str, Any]] = stage.world.call(name, "GET", path, **params)["result"]["list"]
    return rows


def figure(value: str) -> Decimal | None:
    return Decimal(value) if value and Decimal(value) else None


def check_books(stage: Stage) -> int:
    """Compare every figure of every account with the exchange's raw answers; how many positions were compared."""
    stage.run(1_000)  # as many reads at one moment as a test makes would spend the budget of the address
    shown, compared = desk(stage), 0
    for name in ("main", *stage.mirrors):
        [wallet] = read(stage, name, "/v5/account/wallet-balance", accountType="UNIFIED")
        account = shown[name]
        assert {ours: Decimal(account[ours]) for ours in WALLET} == {k: Decimal(wallet[v]) for k, v in WALLET.items()}
        rows = read(stage, name, "/v5/position/list", category="linear", settleCoin="USDT")
        theirs = {
            (row["symbol"], SIDES[row["side"]]): {k: figure(row[v]) for k, v in POSITION.items()}
            for row in rows
            if Decimal(row["size"])
        }
        ours = {
            (row["symbol"], row["side"]): {k: None if row[k] is None else Decimal(row[k]) for k in POSITION}
            for row in account["positions"]
        }
        assert {key: {k: v or None for k, v in row.items()} for key, row in ours.items()} == theirs
        records = read(stage, name, "/v5/position/closed-pnl", category="linear", limit="100")
        assert Decimal(account["realised_today"]) == sum((Decimal(row["closedPnl"]) for row in records), Decimal(0))
        compared += len(theirs)
    return compared


@pytest.mark.proves("A67")
def test_every_figure_equals_the_exchange_s_at_several_prices() -> None:
    stage = Stage()
    assert check_books(stage) == 0
    stage.main.buy("0.1", stop="57000")
    stage.main.sell("2", "ETHUSDT")
    stage.settle()
    for price in ("60000", "61234.5", "58765.4"):
        stage.price(price)
        assert check_books(stage) == 6
    stage.main.sell("0.04", reduceOnly=True)
    stage.settle()
    assert check_books(stage) == 6
    stage.main.close()
    stage.price("59000")
    stage.settle()
    assert check_books(stage) == 3
    assert all(Decimal(row["realised_today"]) for row in desk(stage).values())


@pytest.mark.proves("A67")
def test_both_legs_of_a_hedge_account_have_their_own_figures() -> None:
    stage = Stage(copying("copy", "0.5"), hedged=("main", "copy"))
    stage.main.buy("0.1", idx=1, stop="57000")
    stage.main.sell("0.2", idx=2, stop="63000")
    stage.settle()
    stage.price("60500")
    assert check_books(stage) == 4
    legs = {(row["side"], row["position_idx"]): row for row in desk(stage)["copy"]["positions"]}
    assert {key: (row["qty"], row["stop"]) for key, row in legs.items()} == {
        ("long", 1): ("0.05", "57000"),
        ("short", 2): ("0.1", "63000"),
    }


@pytest.mark.proves("A67")
def test_what_was_never_read_is_unknown_and_never_0() -> None:
    stage = Stage(start=False)
    stage.world.go_down("quarter")
    stage.start()
    stage.run(2_000)
    stage.main.buy("0.1", stop="57000")
    stage.until(lambda: bool(stage.of("half").position()))
    stage.run(500)
    unread = desk(stage)["quarter"]
    assert (unread.pop("role"), unread.pop("state")) == ("mirror", "unknown")
    assert set(unread.values()) == {None}
    assert desk(stage)["half"]["positions"][0]["qty"] == "0.05"


@pytest.mark.proves("A67")
def test_each_read_that_is_refused_leaves_its_own_figures_unknown() -> None:
    """The wallet alone, and the day's closed PnL alone: what can be read is shown beside."""
    stage = Stage(start=False)
    stage.world.fault(FaultKind.REFUSE, "half", "/v5/account/wallet-balance", count=None)
    stage.world.fault(FaultKind.REFUSE, "quarter", "/v5/position/closed-pnl", count=None)
    stage.start()
    stage.run(3_000)
    stage.main.buy("0.1", stop="57000")
    stage.run(3_000)
    shown = desk(stage)
    half, quarter = shown["half"], shown["quarter"]
    assert [half[name] for name in WALLET] == [None] * len(WALLET)
    assert half["positions"] is not None
    assert half["realised_today"] == "0"
    assert (quarter["realised_today"], quarter["realised_at"]) == (None, None)
    assert Decimal(quarter["equity"]) > 0
    assert quarter["positions"][0]["qty"] == "0.025"


def test_what_is_read_no_more_is_stale_and_nobody_waits_for_it() -> None:
    stage = Stage()
    stage.main.buy("0.1", stop="57000")
    stage.settle()
    stage.world.go_down("quarter")
    stage.run(20_000)
    before = stage.world.now_ms()
    found = desk(stage, "5")["quarter"]
    assert stage.world.now_ms() - before < 1_000
    assert (found["state"], found["positions"][0]["qty"]) == ("stale", "0.025")


def test_a_read_that_is_young_enough_is_not_made_again() -> None:
    stage = Stage()
    stage.main.buy("0.1", stop="57000")
    stage.settle()
    first = desk(stage)
    calls = [call for call in stage.world.calls if call.endswith("ask Relist")]
    again = desk(stage, "60")
    assert [row["read_at"] for row in again.values()] == [row["read_at"] for row in first.values()]
    assert [call for call in stage.world.calls if call.endswith("ask Relist")] == calls
    desk(stage, None)
    assert [call for call in stage.world.calls if call.endswith("ask Relist")] == calls


def test_the_day_s_closed_pnl_holds_a_close_that_was_just_made() -> None:
    stage = Stage()
    stage.main.buy("0.1", stop="57000")
    stage.settle()
    assert desk(stage)["main"]["realised_today"] == "0"
    stage.price("59000")
    stage.main.close()
    stage.run(100)
    assert desk(stage, None)["main"]["realised_today"] is None  # a close was seen that no read holds yet
    assert Decimal(desk(stage, "60")["main"]["realised_today"]) < -100


def test_potential_pnl_names_what_nothing_stands_for() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.main.offer("0.06", "61000", reduceOnly=True)
    stage.main.buy("1", "ETHUSDT")
    stage.settle()
    found = desk(stage)["main"]
    [btc, eth] = found["positions"]
    entry = Decimal(btc["entry_price"])
    assert Decimal(btc["at_targets"]) == round((61_000 - entry) * Decimal("0.06"), 2)
    assert Decimal(btc["at_stop"]) == round((58_000 - entry) * Decimal("0.1"), 2)
    assert (eth["at_targets"], eth["at_stop"], eth["stop"]) == (None, None, None)
    assert (found["at_targets"], found["at_stops"]) == (btc["at_targets"], btc["at_stop"])
    assert (found["without_targets"], found["without_stops"]) == (["BTCUSDT long", "ETHUSDT long"], ["ETHUSDT long"])


def test_a_position_says_what_it_should_be_and_what_keeps_it() -> None:
    stage = Stage()
    stage.main.buy("0.1", stop="57000")
    stage.settle()
    stage.command("pause", account="half", symbol="BTCUSDT")
    stage.main.buy("0.1")
    stage.of("quarter").buy("10", "SOLUSDT")
    stage.settle()
    shown = desk(stage)
    [half] = shown["half"]["positions"]
    assert (half["qty"], half["want_qty"], half["phase"]) == ("0.05", "0.05", "monitoring")
    assert half["hold"].startswith("paused")
    assert half["hold_since"] < shown["half"]["read_at"]
    assert Decimal(half["stop_distance_pct"]) > 0
    [btc, sol] = shown["quarter"]["positions"]
    assert (btc["qty"], btc["hold"], btc["parked"]) == ("0.05", None, None)
    assert (sol["phase"], sol["want_qty"], sol["parked"]) == (None, None, "foreign position")
    stage.command("pause", symbol="ETHUSDT")
    stage.main.sell("2", "ETHUSDT")
    stage.settle()
    [missing] = desk(stage)["half"]["missing"]
    assert (missing["symbol"], missing["side"], missing["want_qty"]) == ("ETHUSDT", "short", "0")
    assert missing["hold"].startswith("paused")


def test_the_newest_copies_are_there_again_after_a_restart() -> None:
    stage = Stage()
    stage.main.buy("0.1", stop="57000")
    stage.settle()
    before = stage.command("published")["copies"]
    assert {row["account"] for row in before} == {"half", "quarter"}
    assert all(row["latency_ms"] >= 0 and row["symbol"] == "BTCUSDT" for row in before)
    stage.restart()
    stage.settle()
    assert stage.command("published")["copies"] == before


def test_a_trade_whose_entries_only_rest_is_there_on_every_account() -> None:
    stage = Stage()
    stage.command("pause", account="quarter")
    stage.main.bid("0.1", "58000", stop="57000")
    stage.settle()
    found = stage.command("published", max_age_s=None)
    rows = {name: row for name, account in found["desk"].items() for row in account["building"]}
    assert found["building"] == {"total": 2, "main": 1, "mirror": 1}
    assert found["monitors"] == {"total": 0, "main": 0, "mirror": 0}  # A66 counts positions
    shown = ("symbol", "side", "qty", "want_qty", "phase", "hold")
    assert [rows["main"][name] for name in shown] == ["BTCUSDT", "long", "0", None, "building", None]
    assert [rows["half"][name] for name in shown] == ["BTCUSDT", "long", "0", "0", "building", None]
    assert [rows["quarter"][name] for name in shown[:5]] == ["BTCUSDT", "long", "0", None, None]
    assert rows["quarter"]["hold"].startswith("paused")
    resting = {
        name: [(each["price"], each["qty"], each["stop"]) for each in row["resting"]] for name, row in rows.items()
    }
    assert resting == {"main": [("58000", "0.1", "57000")], "half": [("58000", "0.05", "57000")], "quarter": []}
    stage.price("58000")
    stage.settle()
    assert [account["building"] for account in stage.command("published", max_age_s=None)["desk"].values()] == [[]] * 3


def test_since_when_something_is_held_outlives_a_restart() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="57000")
    stage.settle()
    stage.command("pause", account="half")
    stage.main.buy("0.1")
    stage.settle()
    [before] = desk(stage)["half"]["positions"]
    stage.run(60_000)
    stage.restart()
    stage.settle()
    [after] = desk(stage)["half"]["positions"]
    assert before["hold_since"] is not None
    assert (after["hold"], after["hold_since"]) == (before["hold"], before["hold_since"])
