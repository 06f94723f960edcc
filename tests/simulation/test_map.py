"""A mirror that trades main's symbol under another name, with another contract size.

Main's ETHUSDT at 3000 is BTCUSDT at 60000 on the mirror "half", 0.05 of its coins for one of main's: so 2 coins of main
are 2 x 0.05 x 0.5 = 0.05 there, and a price is 20 times main's.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from mirrorctl.core.domain.audit.findings import Code
from mirrorctl.core.domain.audit.judge import is_clean
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.policy import Direction, Filter, Follow, Hedge, MappedSymbol, MirrorPolicy
from mirrorctl.core.engine.monitors import monitors
from mirrorctl.core.simulation.stage import Stage, copying

ETH, BTC = "ETHUSDT", "BTCUSDT"
TIMES = Decimal(20)


def mapping(**changes: object) -> MirrorPolicy:
    policy = replace(copying("half", "0.5"), map={ETH: MappedSymbol(BTC, Decimal("0.05"))})
    return replace(policy, **changes)  # type: ignore[arg-type]  # fields of MirrorPolicy


def mapped(**changes: object) -> Stage:
    return Stage(mapping(**changes), copying("quarter", "0.25"))


def rest(stage: Stage) -> None:
    """Settle; then a further sync and relist send nothing."""
    stage.settle()
    sent = len(stage.sent())
    stage.command("sync")
    stage.run(21_000)
    stage.settle()
    assert [row.action for row in stage.sent()[sent:]] == []


def price(stage: Stage, eth: str) -> None:
    """Both contracts move to the same price."""
    stage.price(eth, ETH)
    stage.price(str(Decimal(eth) * TIMES), BTC)


def test_an_entry_its_stop_and_its_targets_are_the_mapped_symbols() -> None:
    stage = mapped()
    half = stage.of("half")
    stage.main.buy("2", ETH, stop="2900", target="3300")
    stage.main.offer("0.8", "3100", ETH, reduceOnly=True)
    rest(stage)
    assert half.held() == {BTC: Decimal("0.05")}
    assert half.bound(BTC) == (Decimal(58_000), Decimal(66_000))
    assert half.book(BTC) == [("Sell", Decimal("0.02"), Decimal(62_000))]
    assert stage.of("quarter").held() == {ETH: Decimal("0.5")}
    assert is_clean(stage.audit())
    price(stage, "3100.05")
    rest(stage)
    assert half.position(BTC) == Decimal("0.03")
    stage.main.protect(stop="2950", symbol=ETH)
    rest(stage)
    assert half.stop(BTC) == Decimal(59_000)
    stage.main.close(ETH)
    rest(stage)
    assert half.held() == {}
    assert half.orders(BTC) == []


def test_twins_rest_at_mapped_prices_and_follow_changes() -> None:
    stage = mapped()
    half = stage.of("half")
    bid = stage.main.bid("2", "2900", ETH, stop="2800")
    stage.settle()
    assert half.book(BTC) == [("Buy", Decimal("0.05"), Decimal(58_000))]
    assert Decimal(half.orders(BTC)[0]["stopLoss"]) == Decimal(56_000)
    stage.main.amend(bid, ETH, price="2950", qty="3")
    rest(stage)
    assert half.book(BTC) == [("Buy", Decimal("0.075"), Decimal(59_000))]
    waits = stage.main.bid("1", "3200", ETH, triggerPrice="3150", triggerDirection=1)
    stage.settle()
    conditional = half.orders(BTC)[-1]
    assert (Decimal(conditional["triggerPrice"]), Decimal(conditional["price"])) == (Decimal(63_000), Decimal(64_000))
    stage.main.cancel(waits, ETH)
    rest(stage)
    price(stage, "2949.95")
    rest(stage)
    assert half.held() == {BTC: Decimal("0.075")}
    assert half.stop(BTC) == Decimal(56_000)
    stage.main.amend(stage.main.bid("2", "2900", ETH), ETH, price="2890")
    stage.settle()
    stage.main.cancel(stage.main.orders(ETH)[0]["orderId"], ETH)
    rest(stage)
    assert half.orders(BTC) == []


@pytest.mark.parametrize("new_store", [False, True])
def test_restarted_it_goes_on_as_it_was(new_store: bool) -> None:
    stage = mapped()
    half = stage.of("half")
    stage.main.buy("2", ETH, stop="2900")
    stage.main.bid("1", "2950", ETH)
    stage.main.offer("2", "3200", ETH, reduceOnly=True)
    rest(stage)
    sent = len(stage.sent())
    stage.restart(new_store=new_store)
    rest(stage)
    assert len(stage.sent()) == sent
    assert half.book(BTC) == [("Buy", Decimal("0.025"), Decimal(59_000)), ("Sell", Decimal("0.05"), Decimal(64_000))]
    price(stage, "2949.95")
    rest(stage)
    assert half.position(BTC) == Decimal("0.075")
    assert is_clean(stage.audit())


@pytest.mark.proves("A76")
def test_its_own_target_and_stop_are_final() -> None:
    """It sells 0.02 of 0.05 by its own rung; main adds 2: the cap rises by 0.05 to 0.08. Then its own stop: out."""
    stage = mapped()
    half = stage.of("half")
    stage.main.buy("2", ETH, stop="2900")
    stage.main.offer("0.8", "3100", ETH, reduceOnly=True)
    rest(stage)
    half.fill(half.orders(BTC)[0]["orderId"], "0.02")
    rest(stage)
    assert half.position(BTC) == Decimal("0.03")
    stage.main.buy("2", ETH)
    rest(stage)
    assert half.position(BTC) == Decimal("0.08")
    half.protect(stop="59900", symbol=BTC)
    stage.price("59900", BTC)
    stage.run(10_000)
    assert half.held() == {}
    assert stage.held("half") == ["own exit: stop"]


def test_sizing_filters_and_leverage_go_by_mains_symbol_and_the_mirrors_contract() -> None:
    policy = mapping()
    sizing = replace(policy.sizing, symbols={ETH: Decimal(1), BTC: Decimal("0.1")})
    stage = Stage(replace(policy, sizing=sizing, filter=Filter(symbols=(ETH,))))
    stage.main.set_leverage("25", ETH)
    stage.main.buy("2", ETH, stop="2900")
    rest(stage)
    half = stage.of("half")
    assert half.held() == {BTC: Decimal("0.1")}
    assert (half.leverage(BTC), half.leverage(ETH)) == (Decimal(25), Decimal(10))


def test_mains_own_symbol_of_the_target_name_is_held_and_never_mixed_in() -> None:
    """Main trades BTCUSDT too: on this mirror that name stands for ETHUSDT, so it is not followed, and says so."""
    stage = mapped()
    half = stage.of("half")
    stage.main.buy("0.3", BTC, stop="58000")
    stage.run(10_000)
    assert half.held() == {}
    assert stage.held("half") == ["map: BTCUSDT stands for main's ETHUSDT on this mirror"]
    assert [f.code for f in stage.audit() if f.account == "half"] == [Code.HELD]
    stage.main.buy("2", ETH, stop="2900")
    stage.settle()
    assert half.position(BTC) == Decimal("0.05")
    stage.main.close(BTC)
    rest(stage)
    assert half.position(BTC) == Decimal("0.05")
    assert stage.held("half") == []


@pytest.mark.proves("A81")
def test_what_the_mirror_holds_under_mains_own_name_is_foreign() -> None:
    stage = mapped()
    half = stage.of("half")
    half.buy("1", ETH)
    stage.main.buy("2", ETH, stop="2900")
    stage.run(10_000)
    assert half.held() == {ETH: Decimal(1), BTC: Decimal("0.05")}
    assert stage.parked("half") == ["foreign position"]
    stage.main.close(ETH)
    stage.run(10_000)
    assert half.held() == {ETH: Decimal(1)}


def test_a_managed_trade_has_its_ladder_on_the_mapped_symbol() -> None:
    """Three rungs of 50, 30 and 20 percent: 0.025, 0.015 and 0.01 of 0.05; breakeven follows main's, in its prices."""
    stage = mapped()
    half = stage.of("half")
    targets = [{"price": p, "percent": percent} for p, percent in (("3100", "50"), ("3200", "30"), ("3300", "20"))]
    stage.command("trade.open", symbol=ETH, side="long", wait_s="0", qty="2", stop="2900", targets=targets, entries=[])
    rest(stage)
    prices = [(Decimal(qty), rung) for qty, rung in (("0.025", 62_000), ("0.015", 64_000), ("0.01", 66_000))]
    assert sorted(half.book(BTC), key=lambda row: row[2]) == [("Sell", qty, Decimal(rung)) for qty, rung in prices]
    shown = next(m for m in monitors(stage.engine) if m.account == "half")
    assert [(r.price, r.open_qty) for r in shown.rungs] == [(Decimal(rung), qty) for qty, rung in prices]
    stage.main.fill(next(o["orderId"] for o in stage.main.orders(ETH) if o["price"] == "3100.00"), "0.4")
    stage.run(20_000)
    assert half.position(BTC) == Decimal("0.04"), "main sold 0.4 far from the price: 0.01 here after grace and deadline"
    price(stage, "3100.05")
    rest(stage)
    assert half.position(BTC) == Decimal("0.025")
    main_stop = stage.main.stop(ETH)
    assert main_stop is not None
    assert main_stop > Decimal(3000)
    assert half.stop(BTC) == main_stop * TIMES
    assert is_clean(stage.audit())


def test_a_trailing_stop_keeps_its_distance_in_the_mirrors_prices() -> None:
    stage = mapped()
    stage.main.buy("2", ETH, stop="2900")
    stage.settle()
    stage.main.protect(symbol=ETH, trailingStop="25")
    rest(stage)
    assert Decimal(stage.of("half")._row(BTC, 0)["trailingStop"]) == Decimal(500)


@pytest.mark.proves("A13")
def test_a_reverse_mirror_may_map_too() -> None:
    stage = Stage(mapping(follow=Follow(direction=Direction.REVERSE)))
    half = stage.of("half")
    stage.main.buy("2", ETH, stop="2900", target="3200")
    rest(stage)
    assert half.held() == {BTC: Decimal("-0.05")}
    assert half.bound(BTC) == (Decimal(64_000), Decimal(58_000))
    stage.main.sell("1.2", ETH, reduceOnly=True)
    rest(stage)
    assert half.held() == {BTC: Decimal("-0.02")}


def test_two_symbols_may_change_places() -> None:
    swap = {ETH: MappedSymbol(BTC, Decimal("0.05")), BTC: MappedSymbol(ETH, Decimal(20))}
    stage = Stage(mapping(map=swap))
    stage.main.buy("2", ETH, stop="2900")
    stage.main.sell("0.1", BTC, stop="62000")
    rest(stage)
    half = stage.of("half")
    assert half.held() == {BTC: Decimal("0.05"), ETH: Decimal(-1)}
    assert (half.stop(BTC), half.stop(ETH)) == (Decimal(58_000), Decimal(3_100))


def test_a_map_to_itself_is_none() -> None:
    stage = Stage(mapping(map={ETH: MappedSymbol(ETH)}))
    stage.main.buy("2", ETH, stop="2900")
    rest(stage)
    assert stage.of("half").held() == {ETH: Decimal(1)}


def test_slippage_is_measured_against_the_mapped_price() -> None:
    stage = mapped()
    stage.main.buy("2", ETH, stop="2900")
    rest(stage)
    measured = next(copy for copy in stage.world.store.measured_copies() if copy.account == "half")
    assert measured.symbol == BTC
    assert measured.slippage_bps is not None
    assert abs(measured.slippage_bps) < Decimal(5)
    entry = next(order for order in stage.placed("half") if order.role is Role.CORRECTION)
    assert entry.price is not None
    assert abs(entry.price / Decimal("60300") - 1) < Decimal("0.001"), "50 bps above 20 times main's fill"


def test_commands_take_mains_name_of_a_symbol() -> None:
    """A pause of ETHUSDT holds the mirror's BTCUSDT; `sync ETHUSDT` shows and does what it would do there."""
    stage = mapped()
    half = stage.of("half")
    stage.command("pause", symbol=ETH)
    stage.main.buy("2", ETH, stop="2900")
    stage.run(5_000)
    assert half.held() == {}
    assert stage.held("half") == ["paused: by the trader"]
    stage.command("resume", symbol=ETH)
    stage.settle()
    assert half.held() == {BTC: Decimal("0.05")}
    stage.main.close(ETH)
    stage.settle()
    result = stage.command(
        "trade.open", symbol=ETH, side="long", wait_s="10", qty="2", stop="2900", entries=[], targets=[]
    )
    shown = {row["account"]: (row["have"], row["want"]) for row in result["mirrors"]}
    assert shown == {"half": ("0.05", "0.05"), "quarter": ("0.5", "0.5")}


def test_the_preview_speaks_the_mirrors_terms() -> None:
    """2 coins at 3000 with a limit at 2950: 0.025 and 0.025 of BTCUSDT, at 59000; rungs and stop at 20 times main's."""
    stage = mapped()
    stage.run(2_000)
    result = stage.command(
        "trade.open",
        symbol=ETH,
        side="long",
        wait_s="0",
        qty="2",
        stop="2900",
        targets=[{"price": "3100", "percent": "50"}, {"price": "3200", "percent": "50"}],
        entries=["2950"],
        approach=None,
        dry_run=True,
    )
    rows = {row["account"]: row for row in result["preview"]}
    half, quarter = rows["half"], rows["quarter"]
    assert [(row["qty"], Decimal(row["price"])) for row in half["entries"]] == [("0.05", Decimal(59_000))]
    assert [(row["price"], row["qty"]) for row in half["targets"]] == [("62000", "0.025"), ("64000", "0.025")]
    assert half["stop"] == "58000"
    assert half["terms"] == "as BTCUSDT, 0.05 of it for 1 of main's"
    assert [(row["qty"], row["price"]) for row in quarter["entries"]] == [("0.5", "2950")]
    assert quarter["terms"] is None
    assert {row["account"]: row["qty"] for row in result["mirrors"]} == {"half": "0.05", "quarter": "0.5"}


@pytest.mark.proves("A14")
def test_a_mapped_mirror_may_follow_one_leg_of_two() -> None:
    """Long 2 and short 1 of ETHUSDT: 0.05 of the long, the short is held; the long closed: the short's 0.025."""
    stage = Stage(mapping(follow=Follow(hedge=Hedge.LONG_ONLY)), hedged=("main",))
    half = stage.of("half")
    stage.main.buy("2", ETH, idx=1, stop="2900")
    stage.main.sell("1", ETH, idx=2, stop="3100")
    rest(stage)
    assert half.held() == {BTC: Decimal("0.05")}
    (row,) = stage.status()["held"]
    assert (row["symbol"], row["raw_want"], row["want"]) == (BTC, "0.025", "0")
    stage.main.sell("2", ETH, idx=1, reduceOnly=True)
    rest(stage)
    assert half.held() == {BTC: Decimal("-0.025")}
    assert half.stop(BTC) == Decimal(62_000)
