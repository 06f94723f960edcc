"""Where two policies of one mirror meet: each right by itself, and no money lost between them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from mirrorctl.core.domain.ids import LinkId, Role, step_tag
from mirrorctl.core.domain.policy import (
    BelowMinimum,
    CatchUp,
    Filter,
    Follow,
    Foreign,
    Hedge,
    Limits,
    MappedSymbol,
    OnBreach,
    Sizing,
)
from mirrorctl.core.domain.trade import Trade
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.simulation.stage import Stage, copying

BTC, ETH, DOGE = "BTCUSDT", "ETHUSDT", "DOGEUSDT"
LONG, SHORT = 1, 2
SKIPS = Sizing(value=Decimal("0.25"), below_minimum=BelowMinimum.SKIP)


# --- what is under the minimum (A9): 20 DOGE are 3.3 USDT, the least is 5 ------------------------------------------


@pytest.mark.proves("A9")
@pytest.mark.parametrize("delay_s", [0, 30])
def test_what_is_younger_than_the_delay_is_no_part_of_an_entry_that_was_too_small(delay_s: int) -> None:
    stage = Stage(copying("half", follow=Follow(delay_s=Decimal(delay_s)), sizing=SKIPS))
    stage.main.buy("80", DOGE, stop="0.15")
    stage.run(25_000)
    stage.main.buy("8000", DOGE)
    stage.run(60_000)
    assert stage.of("half").position(DOGE) == Decimal(2000)
    assert stage.held("half") == ["below minimum: 20 of earlier entries skipped"]


@pytest.mark.proves("A9", "A20")
def test_an_entry_that_is_too_small_takes_nothing_from_a_twin_that_lags() -> None:
    stage = Stage(copying("half", follow=Follow(catch_up=CatchUp.WAIT), sizing=SKIPS))
    bid = stage.main.bid("8000", "0.16", DOGE, stop="0.15")
    stage.settle()
    stage.main.fill(bid, "8000")
    stage.run(500)
    stage.main.buy("80", DOGE)
    stage.run(20_000)
    assert stage.of("half").book(DOGE) == [("Buy", Decimal(2000), Decimal("0.16"))]
    stage.price("0.159", DOGE)
    stage.settle()
    assert stage.of("half").position(DOGE) == Decimal(2000)


# --- both legs of main on one position ----------------------------------------------------------------------------


@pytest.mark.proves("A14", "A76")
def test_a_leg_that_counts_again_buys_nothing_back_that_its_own_target_sold() -> None:
    stage = Stage(copying("half", "0.5", follow=Follow(hedge=Hedge.SHORT_ONLY)), hedged=("main",))
    half = stage.of("half")
    stage.main.buy("0.2", idx=LONG, stop="55000")
    stage.main.offer("0.1", "61000", idx=LONG, reduceOnly=True)
    stage.settle()
    [rung] = half.orders()
    half.fill(rung["orderId"], rung["leavesQty"])
    stage.settle()
    assert half.position() == Decimal("0.05")
    stage.main.sell("0.1", idx=SHORT, stop="65000")
    stage.settle()
    assert half.position() == Decimal("-0.05")
    stage.main.buy("0.1", idx=SHORT, reduceOnly=True)
    stage.settle()
    assert half.position() == Decimal("0.05"), "main's long was 0.2 all along: nothing of it is an entry"
    stage.main.buy("0.1", idx=LONG)
    stage.settle()
    assert half.position() == Decimal("0.1")


@pytest.mark.proves("A14")
@pytest.mark.parametrize("policy", [Hedge.NET, Hedge.SHORT_ONLY])
def test_growth_that_a_closing_leg_asks_for_waits_for_the_delay(policy: Hedge) -> None:
    follow = Follow(hedge=policy, delay_s=Decimal(30))
    stage = Stage(copying("half", "0.5", follow=follow), hedged=("main",))
    half = stage.of("half")
    stage.main.buy("0.2", idx=LONG, stop="55000")
    stage.main.sell("0.1", idx=SHORT, stop="65000")
    stage.run(35_000)
    before = half.position()
    assert before == (Decimal("0.05") if policy is Hedge.NET else Decimal("-0.05"))
    stage.main.buy("0.1", idx=SHORT, reduceOnly=True)
    stage.run(20_000)
    assert half.position() == max(before, Decimal(0)), "a reduction is never delayed"
    stage.run(15_000)
    assert half.position() == Decimal("0.1")


# --- maps ---------------------------------------------------------------------------------------------------------


def test_the_stop_of_a_managed_trade_is_on_the_mapped_contracts_tick() -> None:
    """Main's tick is 0.01, the mirror's 0.1; one coin for one. Main's book does not show the stop yet."""
    stage = Stage(replace(copying("half", "0.5"), map={ETH: MappedSymbol(BTC)}))
    stage.price("3000", BTC)
    side, tag = PositionSide.LONG, "lifetag"
    stage.engine.trades.save(Trade(ETH, side, tag, "custom", stage.world.now_ms(), (), stop=Decimal("2900.07")))
    link = LinkId(stage.engine.main.tag, tag, Role.ENTRY, 0, step_tag("entry", tag), 0)
    stage.main.buy("0.2", ETH, orderLinkId=str(link))
    stage.settle()
    assert (stage.of("half").position(), stage.of("half").stop()) == (Decimal("0.1"), Decimal("2900.1"))


@pytest.mark.parametrize("entry", ["market", "limit"])
def test_a_multiplier_that_cannot_be_right_opens_nothing(entry: str) -> None:
    """0.05 of a BTC for an ETH is right. With 0.5 the price would be 6000: ten times the size within every limit."""
    limits = Limits(Decimal(100), Decimal(5_000), Decimal(20_000), None)
    stage = Stage(replace(copying("half", "0.5", limits=limits), map={ETH: MappedSymbol(BTC, Decimal("0.5"))}))
    if entry == "market":
        stage.main.sell("2", ETH)
    else:
        stage.main.offer("2", "3010", ETH)
    stage.run(10_000)
    assert (stage.of("half").position(), stage.of("half").book()) == (Decimal(0), [])
    [reason] = set(stage.held("half"))
    assert reason.startswith("map: main's price is")
    assert len(stage.alerts("half", "map: main's price")) == 1


# --- whose position it is -----------------------------------------------------------------------------------------


@pytest.mark.proves("A60", "A81")
@pytest.mark.parametrize("why", ["wish", "filter", "disabled"])
def test_what_was_left_out_is_not_adopted(why: str) -> None:
    policy = copying("half", "0.5", follow=Follow(foreign=Foreign.ADOPT))
    chosen = replace(policy, filter=Filter(exclude=("BTC*",))) if why == "filter" else policy
    stage = Stage(chosen, mirroring=why != "disabled")
    wishes = {"without": ["half"]} if why == "wish" else {}
    stage.command("trade.open", symbol=BTC, side="long", wait_s="0", qty="0.1", stop="55000", **wishes)
    stage.run(3_000)
    stage.of("half").buy("0.02")
    stage.run(5_000)
    assert stage.parked("half") == ["foreign position"]
    stage.main.buy("0.1")
    stage.run(5_000)
    stage.main.close()
    stage.run(5_000)
    assert stage.of("half").position() == Decimal("0.02"), "the trader's own"


# --- limits -------------------------------------------------------------------------------------------------------


def test_resume_calls_off_a_flattening_that_did_not_begin() -> None:
    """The daemon died between the halt and the first order; its trader looked, and resumed, before it ran again."""
    limits = Limits(Decimal(100), None, None, None, max_daily_loss=Decimal(40), on_breach=OnBreach.FLATTEN)
    stage = Stage(copying("half", "0.5", limits=limits), balances={"half": Decimal(1_000)})
    stage.main.buy("0.1", stop="55000")
    stage.settle()
    stage.price("59000")
    stage.until(lambda: stage.engine.standings.halt("half") is not None)
    stage.world.kill()
    stage.price("60000")
    [halt] = stage.world.store.standings()
    stage.world.store.drop_standing(halt.kind, halt.account, halt.symbol)
    stage.start()
    stage.run(30_000)
    assert stage.of("half").position() == Decimal("0.05")
    stage.price("59000")
    stage.run(30_000)
    assert stage.of("half").position() == 0, "a limit that is reached again halts and flattens again"


# --- one order, two positions -------------------------------------------------------------------------------------


@pytest.mark.proves("A37")
def test_an_own_ladder_begins_anew_where_an_order_outlasts_the_position_it_began() -> None:
    """Main's bid fills for two positions, one after the other; what the first one's rungs sold is of the first."""
    stage = Stage(copying("half", "0.5", follow=Follow(approach="conservative")))
    half = stage.of("half")
    bid = stage.main.bid("0.4", "59900", stop="55000")
    stage.settle()
    for _ in range(2):
        stage.main.fill(bid, "0.2")
        stage.main.offer("0.2", "64000", reduceOnly=True)
        stage.run(15_000)
        rungs = sorted((Decimal(row["price"]), Decimal(row["qty"])) for row in half.orders() if row["reduceOnly"])
        assert [qty for _, qty in rungs] == [Decimal("0.085"), *[Decimal("0.005")] * 3]
        first = next(row for row in half.orders() if Decimal(row["price"]) == rungs[0][0])
        half.fill(first["orderId"], "0.05")
        stage.run(3_000)
        stage.main.close()
        stage.run(15_000)
        assert half.position() == 0
