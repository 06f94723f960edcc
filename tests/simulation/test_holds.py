"""What keeps growth back: an empty wallet, refusals, pauses, limits, a new store. Protection is never kept back."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest

from mirrorctl.core.domain.actions import PlaceOrder, RejectedOutcome, SetLeverage
from mirrorctl.core.domain.policy import Adopt, Limits
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying

CREATE = "/v5/order/create"
NONE = Limits(Decimal(100), None, None, None)


@pytest.mark.proves("A4")
def test_an_empty_wallet_takes_no_entry_and_shows_the_reason() -> None:
    """Proportion does not look at the balance, and main's is never used instead."""
    stage = Stage(copying("half", "0.5"), balances={"half": Decimal(0)})
    stage.main.buy("0.1")
    stage.run(600_000)
    assert stage.of("half").held() == {}
    assert stage.held("half") == ["the wallet is empty"]
    assert stage.drift("half") == []
    assert stage.sent("half", PlaceOrder) == []


@pytest.mark.proves("A4")
def test_a_refused_margin_is_held_with_the_exchanges_reason_and_tried_ever_more_rarely() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.world.fault(FaultKind.RET_CODE, "half", CREATE, count=None, code=110007, message="ab not enough")
    stage.main.buy("0.1")
    stage.run(600_000)
    assert any("110007" in reason for reason in stage.held("half"))
    tries = stage.sent("half", PlaceOrder)
    pauses = [b.at_ms - a.at_ms for a, b in pairwise(tries)]
    assert 5 < len(tries) < 20
    assert pauses[:4] == sorted(pauses[:4])
    assert max(pauses) <= 61_000
    assert all(isinstance(row.outcome, RejectedOutcome) for row in tries)
    assert len(stage.alerts("half", "110007")) <= 2, "one that it was refused, one that it is held"


@pytest.mark.proves("A4", "A11")
def test_a_wallet_that_was_filled_up_follows_at_the_next_try() -> None:
    stage = Stage(copying("half", "0.5"))
    number = stage.world.fault(FaultKind.RET_CODE, "half", CREATE, count=None, code=110007, message="ab not enough")
    stage.main.buy("0.1")
    stage.run(30_000)
    assert stage.of("half").held() == {}
    stage.world.gateway.faults.clear(number)
    stage.run(60_000)
    stage.settle()
    assert stage.of("half").position() == Decimal("0.05")
    assert stage.held("half") == []


@pytest.mark.proves("A57")
@pytest.mark.parametrize("code", [110023, 110090, 10001])
def test_a_refusal_that_cannot_heal_parks_the_symbol_there_and_nothing_else(code: int) -> None:
    stage = Stage()
    stage.world.fault(FaultKind.RET_CODE, "half", CREATE, count=1, code=code, message="no way")
    stage.main.buy("0.1")
    stage.run(2_000)
    stage.main.buy("1", "ETHUSDT")
    stage.run(120_000)
    assert stage.of("half").held() == {"ETHUSDT": Decimal("0.5")}
    assert stage.of("quarter").held() == {"BTCUSDT": Decimal("0.025"), "ETHUSDT": Decimal("0.25")}
    assert any(str(code) in reason for reason in stage.parked("half"))
    assert len([order for order in stage.placed("half") if order.symbol == "BTCUSDT"]) == 1
    stage.restart()
    stage.run(10_000)
    assert any(str(code) in reason for reason in stage.parked("half")), "it survives a restart"
    stage.command("resume", account="half", symbol="BTCUSDT")
    stage.run(2_000)
    stage.settle()
    assert stage.parked("half") == []
    assert stage.of("half").position() == Decimal("0.05")


@pytest.mark.proves("A57")
def test_a_leverage_the_exchange_refuses_for_good_parks_the_symbol() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.world.fault(
        FaultKind.RET_CODE, "half", "/v5/position/set-leverage", count=None, code=110013, message="by risk limit"
    )
    stage.main.set_leverage("5")
    stage.main.buy("0.1")
    stage.run(120_000)
    assert stage.of("half").held() == {}
    assert stage.placed("half") == []
    assert any("110013" in text for text in stage.held("half") + stage.parked("half"))
    assert len(stage.alerts("half", "110013")) <= 3
    assert len(stage.sent("half", SetLeverage)) <= 10


@pytest.mark.proves("A29")
@pytest.mark.parametrize("scope", [{}, {"account": "half"}, {"symbol": "BTCUSDT"}])
def test_a_pause_stops_entries_and_nothing_else(scope: dict[str, str]) -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.main.bid("0.05", "59000")
    stage.settle()
    stage.command("pause", **scope)
    stage.settle()
    assert stage.of("half").orders() == [], "an entry that could still fill is taken off the book"
    stage.main.buy("0.1")
    stage.main.protect(stop="58500")
    stage.settle()
    assert stage.of("half").position() == Decimal("0.05")
    assert stage.of("half").stop() == Decimal(58500)
    assert "paused: by the trader" in stage.held("half")
    stage.main.sell("0.15", reduceOnly=True)
    stage.settle()
    assert stage.of("half").position() == Decimal("0.025")
    stage.restart()
    stage.settle()
    assert stage.held("half")
    stage.command("resume", **scope)
    stage.settle()
    assert stage.held("half") == []
    assert stage.of("half").book() == [("Buy", Decimal("0.025"), Decimal(59000))]


LIMITS = {
    "max_position_notional": replace(NONE, max_position_notional=Decimal(2_500)),
    "max_total_notional": replace(NONE, max_total_notional=Decimal(2_500)),
    "max_orders_per_minute": replace(NONE, max_orders_per_minute=0),
}


@pytest.mark.proves("A75")
@pytest.mark.parametrize("limit", sorted(LIMITS))
def test_an_entry_over_a_limit_is_held_and_the_other_mirror_follows(limit: str) -> None:
    stage = Stage(copying("half", "0.5", limits=LIMITS[limit]), copying("quarter", "0.25"))
    stage.main.buy("0.1", stop="58000")
    stage.run(10_000)
    assert stage.of("half").held() == {}
    assert stage.placed("half") == []
    assert any(limit in reason for reason in stage.held("half"))
    assert stage.drift("half") == []
    assert len(stage.alerts("half", limit)) == 1
    assert stage.of("quarter").position() == Decimal("0.025")


@pytest.mark.proves("A75", "A29")
def test_limits_count_what_rests_and_what_is_planned_and_never_hold_an_exit() -> None:
    """4,000 USDT: the position takes 3,000, so one twin of 600 fits, and a second does not."""
    stage = Stage(copying("half", "0.5", limits=replace(NONE, max_total_notional=Decimal(4_000))))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.main.bid("0.02", "59500")
    stage.main.bid("0.02", "59400")
    stage.run(3_000)
    assert len(stage.of("half").orders()) == 1
    assert any("max_total_notional" in reason for reason in stage.held("half"))
    stage.main.protect(stop="58500")
    stage.main.sell("0.05", reduceOnly=True)
    stage.run(3_000)
    assert stage.of("half").stop() == Decimal(58500)
    assert stage.of("half").position() == Decimal("0.025")
    assert len(stage.of("half").orders()) == 2, "room again"


@pytest.mark.proves("A75")
def test_the_order_rate_holds_entries_until_the_minute_is_over_and_lets_exits_pass() -> None:
    stage = Stage(copying("half", "0.5", limits=replace(NONE, max_orders_per_minute=3)))
    for _ in range(5):
        stage.main.buy("0.02")
        stage.run(1_000)
    assert stage.of("half").position() == Decimal("0.03")
    assert any("max_orders_per_minute" in reason for reason in stage.held("half"))
    stage.main.close()
    stage.settle()
    assert stage.of("half").held() == {}
    assert len(stage.placed("half")) == 4
    stage.main.buy("0.02")
    stage.run(70_000)
    stage.settle()
    assert stage.of("half").position() == Decimal("0.01")


@pytest.mark.proves("A75")
@pytest.mark.parametrize(("mains", "factor", "most", "wanted"), [(10, 1, 20, 10), (25, 1, 20, 20), (4, 2, 20, 8)])
def test_an_entry_waits_until_the_mirrors_leverage_reads_what_it_should(
    mains: int, factor: int, most: int, wanted: int
) -> None:
    policy = copying("half", "0.5", limits=replace(NONE, max_leverage=Decimal(most)))
    policy = replace(policy, sizing=replace(policy.sizing, leverage_factor=Decimal(factor)))
    stage = Stage(policy)
    if mains != 10:
        stage.main.set_leverage(str(mains))
    stage.world.latency_ms["half"] = 300
    stage.main.buy("0.1")
    stage.settle()
    assert stage.of("half").leverage() == wanted
    assert stage.of("half").position() == Decimal("0.05")
    sets = stage.sent("half", SetLeverage)
    assert len(sets) == (0 if wanted == 10 else 1)
    if sets:
        assert stage.sent("half", PlaceOrder)[0].at_ms > sets[0].at_ms


# --- a store that is new or lost ------------------------------------------------------------------------------------


@pytest.mark.proves("A44", "A82")
@pytest.mark.parametrize("adopt", list(Adopt))
def test_a_new_store_opens_nothing_by_itself_until_the_trader_says_so(adopt: Adopt) -> None:
    stage = Stage(copying("half", "0.5", adopt=adopt), start=False)
    stage.main.buy("0.1", stop="58000")
    stage.start()
    stage.run(60_000)
    assert stage.of("half").held() == {}
    reason = "new store" if adopt is Adopt.ALL else "adopt = new-only"
    assert any(reason in text for text in stage.held("half"))
    assert stage.drift("half") == []
    stage.main.buy("0.1")
    stage.run(5_000)
    assert stage.of("half").held() == {}, "the same cycle"
    stage.command("sync")
    stage.run(5_000)
    assert stage.of("half").held() == ({"BTCUSDT": Decimal("0.1")} if adopt is Adopt.ALL else {})
    stage.main.close()
    stage.settle()
    stage.main.buy("0.1")
    stage.settle()
    assert stage.of("half").position() == Decimal("0.05"), "a new cycle is copied"


@pytest.mark.proves("A44")
@pytest.mark.parametrize(
    ("main", "ratio"), [("0.1", "0.5"), ("0.15", "0.333"), ("0.07", "0.43"), ("0.013", "0.7"), ("0.003", "0.34")]
)
def test_a_lost_store_takes_over_the_observed_ratio_and_changes_nothing(main: str, ratio: str) -> None:
    """Whatever the quotient, floor(r × main) is what the mirror holds: no step is lost to rounding."""
    stage = Stage(copying("half", ratio))
    stage.main.buy(main, stop="58000")
    stage.settle()
    held, sent = stage.of("half").position(), len(stage.sent())
    stage.restart(new_store=True)
    stage.settle()
    stage.run(60_000)
    assert stage.of("half").position() == held
    assert stage.of("half").stop() == Decimal(58000)
    assert len(stage.sent()) == sent
    stage.main.buy(main)
    stage.settle()
    assert stage.of("half").position() in (2 * held, 2 * held + Decimal("0.001"))


@pytest.mark.proves("A44")
def test_a_lost_store_finds_its_twins_again() -> None:
    stage = Stage(copying("half", "0.5"))
    order = stage.main.bid("0.05", "59500")
    stage.settle()
    stage.restart(new_store=True)
    stage.settle()
    stage.run(30_000)
    assert len(stage.of("half").orders()) == 1
    assert len(stage.placed("half")) == 1
    stage.main.cancel(order)
    stage.settle()
    assert stage.of("half").orders() == []


@pytest.mark.proves("A44", "A80")
def test_a_lost_store_does_not_close_what_main_closed_meanwhile_until_the_trader_says_so() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.world.kill()
    stage.main.close()
    stage.world.lose_store()
    stage.start()
    stage.run(60_000)
    assert stage.of("half").position() == Decimal("0.05")
    assert stage.of("half").stop() == Decimal(58000)
    assert any("main is flat" in reason for reason in stage.parked("half"))
    stage.command("sync")
    stage.settle()
    assert stage.of("half").held() == {}


def test_disabled_mirrors_are_looked_at_and_not_touched() -> None:
    """ENABLE_MIRROR_TRADING=false: neither entries nor exits nor stops go out."""
    stage = Stage(mirroring=False)
    stage.main.buy("0.1", stop="58000")
    stage.run(10_000)
    stage.main.close()
    stage.run(10_000)
    assert stage.sent() == []
    assert stage.status()["in_sync"] is True


def test_a_days_loss_holds_entries_and_lets_exits_go() -> None:
    limits = Limits(Decimal(100), None, None, None, max_daily_loss=Decimal(40))
    stage = Stage(copying("half", limits=limits))
    stage.main.buy("0.1")
    stage.settle()
    stage.price("59000")  # the mirror lost 50 of the 40 it may
    stage.run(25_000)
    stage.main.buy("0.1")
    stage.run(5_000)
    assert "lost today" in stage.held("half")[0]
    stage.main.close()
    stage.settle()
    assert stage.of("half").position() == 0


def test_a_change_that_is_accepted_and_never_shows_is_not_asked_for_in_a_storm() -> None:
    """An exchange that answers "not modified" to a stop and goes on showing another one."""
    stage = Stage(copying("half"))
    stage.main.buy("0.1")
    stage.settle()
    stage.world.fault(
        FaultKind.RET_CODE, "half", "/v5/position/trading-stop", count=None, code=34040, message="not modified"
    )
    before = len(stage.sent("half"))
    stage.main.protect(stop="58000")
    stage.run(60_000)
    assert len(stage.sent("half")) - before < 12


@pytest.mark.proves("A82")
def test_a_reason_is_said_once_however_many_entries_it_keeps_back() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.command("pause", account="half")
    for price in ("59000", "58000", "57000"):
        stage.main.bid("0.1", price)
    stage.main.bid("0.3", "56000")
    stage.settle()
    assert [(row["raw_want"], row["reason"]) for row in stage.status()["held"]] == [("0.15", "paused: by the trader")]
    assert len([finding for finding in stage.audit() if finding.code == "HELD"]) == 1
