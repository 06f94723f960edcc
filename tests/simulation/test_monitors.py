"""Monitors: counted by the positions they cover, recomputed from the exchange, handed over and taken back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.errors import UsageError
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.simulation.stage import Stage, copying
from mirrorctl.core.simulation.trader import Trader

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT


def listed(stage: Stage, symbol: str | None = None) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Monitors by account, symbol and side."""
    rows = stage.command("monitors", symbol=symbol)["monitors"]
    found = {(row["account"], row["symbol"], row["side"]): row for row in rows}
    assert len(found) == len(rows), "one monitor for each account, symbol and side"
    return found


def counted(stage: Stage) -> dict[str, int | None]:
    """Monitors of each account as `status` counts them, whose sums must be its totals."""
    status = stage.status()
    by_name = {row["account"]: row["monitors"] for row in status["accounts"]}
    main, mirrors = by_name["main"], [count for name, count in by_name.items() if name != "main"]
    assert status["monitors"] == {"total": main + sum(mirrors), "main": main, "mirror": sum(mirrors)}
    return by_name


def laddered(stage: Stage, stop: str | None = "58000") -> list[str]:
    """A trade made elsewhere on main: 0.1 long with three targets; the mirrors followed. Returns the targets' ids."""
    stage.main.buy("0.1", **({"stop": stop} if stop else {}))
    prices = (("0.05", "61000"), ("0.03", "62000"), ("0.02", "63000"))
    ids = [stage.main.offer(qty, price, reduceOnly=True) for qty, price in prices]
    stage.settle()
    return ids


# --- the count ------------------------------------------------------------------------------------------------------


@pytest.mark.proves("A66")
def test_the_count_is_that_of_covered_positions_on_each_account_after_any_restart() -> None:
    """Two symbols followed, one foreign position on a mirror: whatever dies in between, the count stays true."""
    stage = Stage()
    assert counted(stage) == {"main": 0, "half": 0, "quarter": 0}
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    assert counted(stage) == {"main": 1, "half": 1, "quarter": 1}
    stage.main.sell("2", "ETHUSDT")
    stage.of("half").buy("1000", "XRPUSDT")
    stage.main.bid("0.04", "59000")
    stage.settle()
    for new_store in (None, False, True):
        if new_store is not None:
            stage.restart(new_store=new_store)
            stage.settle()
        assert counted(stage) == {"main": 2, "half": 2, "quarter": 2}
        covered = [row for row in listed(stage).values() if row["covered"]]
        held = {name: len(trader.held()) for name, trader in [("main", stage.main), *stage.mirrors.items()]}
        assert held == {"main": 2, "half": 3, "quarter": 2}
        assert len(covered) == 6
        foreign = listed(stage)[("half", "XRPUSDT", "long")]
        assert (foreign["covered"], foreign["managed"], foreign["approach"]) == (False, False, "foreign")
    stage.main.close()
    stage.main.close("ETHUSDT")
    stage.settle()
    assert counted(stage) == {"main": 0, "half": 0, "quarter": 0}


@pytest.mark.proves("A66")
@pytest.mark.parametrize("wait_ms", [40, 90, 160, 400])
def test_the_count_is_true_after_a_kill_in_the_middle_of_a_copy(wait_ms: int) -> None:
    stage = Stage()
    stage.main.buy("0.1", stop="58000")
    stage.run(wait_ms)
    stage.restart()
    stage.settle()
    assert counted(stage) == {"main": 1, "half": 1, "quarter": 1}
    assert all(row["covered"] for row in listed(stage).values())


@pytest.mark.proves("A66")
def test_both_legs_of_a_hedge_account_are_a_monitor_each() -> None:
    stage = Stage(copying("copy", "0.5"), hedged=("main", "copy"))
    stage.main.buy("0.1", idx=1, stop="58000")
    stage.main.sell("0.2", idx=2, stop="63000")
    stage.settle()
    assert counted(stage) == {"main": 2, "copy": 2}
    assert set(listed(stage)) == {(name, "BTCUSDT", side) for name in ("main", "copy") for side in ("long", "short")}


def test_a_mirror_that_was_never_read_has_an_unknown_count() -> None:
    stage = Stage(start=False)
    stage.world.go_down("quarter")
    stage.start()
    stage.run(2_000)
    stage.main.buy("0.1", stop="58000")
    stage.until(lambda: stage.of("half").position() == Decimal("0.05"))
    stage.run(200)
    status = stage.status()
    assert [row["monitors"] for row in status["accounts"]] == [1, 1, None]
    assert status["monitors"] == {"total": None, "main": 1, "mirror": None}
    assert stage.command("monitors")["unread"] == ["quarter"]


def test_what_only_rests_is_no_monitor_of_the_count_and_wants_nothing_yet() -> None:
    stage = Stage()
    stage.main.bid("0.1", "58000", stop="57000")
    stage.settle()
    assert counted(stage) == {"main": 0, "half": 0, "quarter": 0}
    assert stage.status()["building"] == {"total": 3, "main": 1, "mirror": 2}
    assert stage.command("monitors")["building"] == {"total": 3, "main": 1, "mirror": 2}
    half = listed(stage)[("half", "BTCUSDT", "long")]
    assert (half["qty"], half["want_qty"], [row["qty"] for row in half["entries"]]) == ("0", "0", ["0.05"])


# --- what a monitor says ----------------------------------------------------------------------------------------------


def test_a_monitor_tells_where_its_trade_stands_on_each_account() -> None:
    stage = Stage(chat_id=4711)
    laddered(stage)
    stage.main.bid("0.05", "59000", stop="58000")
    stage.settle()
    found = listed(stage, "BTCUSDT")
    assert [(key[0], row["phase"], row["label"]) for key, row in found.items()] == [
        ("main", "building", "4711_BTCUSDT_followed"),
        ("half", "building", "4711_BTCUSDT_followed_mirror"),
        ("quarter", "building", "4711_BTCUSDT_followed_mirror_quarter"),
    ]
    main, half = found[("main", "BTCUSDT", "long")], found[("half", "BTCUSDT", "long")]
    assert (main["qty"], main["want_qty"], main["stop"], main["stop_distance_pct"]) == ("0.1", None, "58000", "3.33")
    assert (half["qty"], half["want_qty"], half["stop"]) == ("0.05", "0.05", "58000")
    assert [(row["price"], row["percent"], row["qty"]) for row in main["targets"]] == [
        ("61000", "50", "0.05"),
        ("62000", "30", "0.03"),
        ("63000", "20", "0.02"),
    ]
    assert [(row["price"], row["qty"]) for row in half["targets"]] == [
        ("61000", "0.025"),
        ("62000", "0.015"),
        ("63000", "0.01"),
    ]
    assert [(row["price"], row["qty"]) for row in half["entries"]] == [("59000", "0.025")]
    assert (main["rungs_done"], main["rungs_total"], main["managed"], half["managed"]) == (0, 3, False, True)


def test_entries_that_wait_are_a_monitor_that_builds() -> None:
    stage = Stage()
    entry = stage.main.bid("0.1", "59000", stop="58000")
    stage.settle()
    found = listed(stage)
    assert [(key[0], row["phase"], row["qty"]) for key, row in found.items()] == [
        ("main", "building", "0"),
        ("half", "building", "0"),
        ("quarter", "building", "0"),
    ]
    assert counted(stage) == {"main": 0, "half": 0, "quarter": 0}, "no position is covered yet"
    stage.main.cancel(entry)
    stage.settle()
    assert listed(stage) == {}


def shown_by_exchange(trader: Trader) -> str:
    """The phase of a long BTCUSDT by what the account's exchange shows alone: size, open orders, filled targets."""
    size, opened_ms = trader.position(), trader.opened_ms()
    entries = any(row["side"] == "Buy" and not row["reduceOnly"] for row in trader.orders())
    done = [
        row
        for row in trader.history()
        if row["orderStatus"] == "Filled"
        and row["side"] == "Sell"
        and (row["orderType"], row["reduceOnly"]) == ("Limit", True)
        and row["timeInForce"] != "IOC"
        and int(row["updatedTime"]) >= opened_ms
    ]
    if not size:
        return "building" if entries else "closed"
    return "profit-taking" if done else "building" if entries else "monitoring"


@pytest.mark.proves("A42")
@pytest.mark.parametrize("ours", [True, False], ids=["of ours", "made elsewhere"])
def test_the_phase_shown_is_the_one_the_exchange_shows_at_every_step_of_a_life(ours: bool) -> None:
    stage = Stage()
    traders = {"main": stage.main, **stage.mirrors}

    def agree(*expected: str) -> None:
        stage.settle()
        shown = dict.fromkeys(traders, "closed") | {key[0]: row["phase"] for key, row in listed(stage).items()}
        assert shown == {name: shown_by_exchange(trader) for name, trader in traders.items()}
        assert tuple(shown.values()) == expected

    agree("closed", "closed", "closed")
    if ours:
        targets = [{"price": "61000", "percent": "50"}, {"price": "62000", "percent": "50"}]
        args = {"side": "long", "qty": "0.2", "leverage": "10", "stop": "58000"}
        stage.command("trade.open", symbol="BTCUSDT", entries=["59900", "59000"], targets=targets, **args)
        agree("building", "building", "building")
        stage.price("59890")
    else:
        stage.main.buy("0.1", stop="58000")
        stage.main.bid("0.1", "59000", stop="58000")
        agree("building", "building", "building")
        for price in ("61000", "62000"):
            stage.main.offer("0.05", price, reduceOnly=True)
    agree("building", "building", "building")
    stage.price("58990")
    agree("monitoring", "monitoring", "monitoring")
    stage.main.sell("0.04", reduceOnly=True)
    agree("monitoring", "monitoring", "monitoring")
    stage.price("61010")
    agree("profit-taking", "profit-taking", "profit-taking")
    stage.restart()
    agree("profit-taking", "profit-taking", "profit-taking")
    stage.main.close()
    agree("closed", "closed", "closed")


# --- handing over and taking back -------------------------------------------------------------------------------------


@pytest.mark.proves("A63")
def test_an_adopted_position_keeps_its_stop_and_targets_and_nothing_is_sent_for_it() -> None:
    stage = Stage()
    laddered(stage)
    before = (stage.main.book(), stage.main.stop(), [stage.of(name).book() for name in ("half", "quarter")])
    writes = [trader.writes() for trader in (stage.main, *stage.mirrors.values())]
    answer = stage.command("monitors.add", symbol="BTCUSDT", side=None)
    assert (answer["added"], answer["missing"], answer["beside"]) == (True, [], [])
    assert answer["targets"] == [
        {"price": "61000", "percent": "50"},
        {"price": "62000", "percent": "30"},
        {"price": "63000", "percent": "20"},
    ]
    for _ in range(2):
        stage.settle()
        stage.run(5_000)
        assert (stage.main.book(), stage.main.stop(), [stage.of(n).book() for n in ("half", "quarter")]) == before
        assert [trader.writes() for trader in (stage.main, *stage.mirrors.values())] == writes
        row = listed(stage)[("main", "BTCUSDT", "long")]
        assert (row["managed"], row["approach"], row["rungs_total"]) == (True, "adopted", 3)
        stage.restart()


@pytest.mark.proves("A63")
def test_what_an_adopted_position_lacks_is_named_and_never_made_up() -> None:
    stage = Stage()
    stage.main.buy("0.1")
    stage.main.protect(stop="58000", tpslMode="Partial", slSize="0.04")
    stage.main.offer("0.03", "62000", reduceOnly=True)
    stage.main.bid("0.02", "59000")
    stage.settle()
    writes = stage.main.writes()
    answer = stage.command("monitors.add", symbol="BTCUSDT", side="long")
    assert answer["missing"] == ["a stop for the whole position", "a target for 70% of the position"]
    assert answer["beside"] == ["Partial stop of 0.04 at 58000"]
    assert [(row["qty"], row["price"]) for row in answer["entries"]] == [("0.02", "59000")]
    stage.settle()
    stage.run(5_000)
    assert stage.main.writes() == writes
    assert (stage.main.stop(), len(stage.main.orders())) == (None, 2)
    assert listed(stage)[("main", "BTCUSDT", "long")]["uncovered_pct"] == "70"


def test_what_vanishes_from_an_adopted_position_is_restored_until_it_is_taken_back() -> None:
    stage = Stage()
    ids = laddered(stage)
    stage.command("monitors.add", symbol="BTCUSDT", side=None)
    stage.main.protect(stop="0")
    stage.settle()
    assert stage.main.stop() == Decimal(58000)
    answer = stage.command("monitors.remove", symbol="BTCUSDT", side=None)
    assert (answer["removed"], answer["approach"]) == (True, "adopted")
    writes = stage.main.writes()
    stage.main.protect(stop="0")
    stage.main.cancel(ids[2])
    stage.settle()
    stage.run(5_000)
    assert stage.main.stop() is None
    assert stage.main.writes() == writes + 2, "the trader's two, and none of ours"
    assert listed(stage)[("main", "BTCUSDT", "long")]["managed"] is False


@pytest.mark.parametrize("restart", [False, True])
def test_a_trade_of_ours_that_is_taken_back_and_handed_over_again_keeps_its_orders(restart: bool) -> None:
    stage = Stage()
    targets = [{"price": "61000", "percent": "60"}, {"price": "62000", "percent": "40"}]
    stage.command("trade.open", symbol="BTCUSDT", side="long", qty="0.1", leverage="10", stop="58000", targets=targets)
    stage.settle()
    books = {name: trader.book() for name, trader in [("main", stage.main), *stage.mirrors.items()]}
    assert [len(book) for book in books.values()] == [2, 2, 2]
    answer = stage.command("monitors.remove", symbol="BTCUSDT", side=None)
    assert answer["stays"] == ["stop at 58000", "target of 0.06 at 61000", "target of 0.04 at 62000"]
    if restart:
        stage.restart()
    stage.settle()
    writes = [trader.writes() for trader in (stage.main, *stage.mirrors.values())]
    assert stage.command("monitors.add", symbol="BTCUSDT", side=None)["added"] is True
    stage.settle()
    stage.run(5_000)
    assert {name: trader.book() for name, trader in [("main", stage.main), *stage.mirrors.items()]} == books
    assert [trader.writes() for trader in (stage.main, *stage.mirrors.values())] == writes


def test_handing_over_twice_changes_nothing() -> None:
    stage = Stage()
    laddered(stage)
    first = stage.command("monitors.add", symbol="BTCUSDT", side=None)
    again = stage.command("monitors.add", symbol="BTCUSDT", side=None)
    assert (first["added"], again["added"]) == (True, False)
    assert len(stage.engine.trades.all()) == 1


@pytest.mark.parametrize(
    ("command", "side", "message"),
    [
        ("monitors.add", None, "main holds both legs of BTCUSDT"),
        ("monitors.remove", None, "main's BTCUSDT is not managed"),
        ("monitors.remove", "long", "main's long BTCUSDT is not managed"),
    ],
)
def test_what_cannot_be_meant_is_refused(command: str, side: str | None, message: str) -> None:
    stage = Stage(copying("copy", "0.5"), hedged=("main", "copy"))
    stage.main.buy("0.1", idx=1, stop="58000")
    stage.main.sell("0.2", idx=2, stop="63000")
    stage.settle()
    with pytest.raises(UsageError, match=message):
        stage.command(command, symbol="BTCUSDT", side=side)
    with pytest.raises(UsageError, match="main holds no ETHUSDT"):
        stage.command("monitors.add", symbol="ETHUSDT", side=None)
    assert stage.command("monitors.add", symbol="BTCUSDT", side="short")["side"] == "short"
    assert [trade.key for trade in stage.engine.trades.all()] == [("BTCUSDT", SHORT)]
