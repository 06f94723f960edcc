"""The limits of a day: a word, a halt, or a halt and a flattened account; nothing of it by what is unknown.

A mirror with half of main's 0.1 buys 0.05 at 60000.1 for a fee of 1.655. With the price at 59000 its mark is 59000.1:
it has lost 50, and of the 1000 that it began with 948.34 are left, 5.16% less.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.actions import PlaceOrder
from mirrorctl.core.domain.errors import LimitReached
from mirrorctl.core.domain.policy import Limits, OnBreach
from mirrorctl.core.domain.values import Severity
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying

NONE = Limits(Decimal(100), None, None, None)
LOSS: dict[str, Any] = {"max_daily_loss": Decimal(40)}
FALL: dict[str, Any] = {"max_drawdown_pct": Decimal(5)}
REASONS = {
    "max_daily_loss": "max_daily_loss: 50 lost today, the limit is 40",
    "max_drawdown_pct": "max_drawdown_pct: 5.16% under the day's highest equity 1000, the limit is 5%",
}
CLOSED = "/v5/position/closed-pnl"
HOUR_MS = 3_600_000
TO_MIDNIGHT_MS = 16 * HOUR_MS  # the world begins at 08:00 UTC


def limited(on_breach: str, *others: Any, **limits: Any) -> Stage:
    """A mirror of 1000 USDT with limits of the day, and `others`; calm enough for hours to pass quickly."""
    own = replace(NONE, **limits, on_breach=OnBreach(on_breach))
    return Stage(copying("half", limits=own), *others, balances={"half": Decimal(1_000)})


def lose(stage: Stage) -> None:
    """Main buys, half follows, the price falls by 1000."""
    stage.main.buy("0.1", stop="55000")
    stage.settle()
    stage.price("59000")


def halted(stage: Stage, name: str = "half") -> str:
    """The reason of an account's halt; "" without one."""
    return next((row["reason"] for row in stage.status()["pauses"] if row["account"] == name), "")


@pytest.mark.proves("A75", "A82")
@pytest.mark.parametrize("limit", [LOSS, FALL])
def test_a_limit_that_is_reached_halts_entries_until_the_trader_resumes(limit: dict[str, Any]) -> None:
    stage = limited("pause", copying("other", "0.25"), **limit)
    stage.main.bid("0.02", "58000")
    lose(stage)
    stage.run(12_000)
    reason = REASONS[next(iter(limit))]
    assert halted(stage) == reason
    assert [(a.severity, a.text) for a in stage.alerts("half", "halt")] == [
        (Severity.CRITICAL, f"{reason}: no entries until `mirrorctl resume`; stops and reductions go on")
    ]
    assert stage.of("half").book() == [], "an entry that could still fill is taken off the book"
    assert len(stage.of("other").book()) == 1
    accounts = {row["account"]: row for row in stage.status()["accounts"]}
    assert (accounts["half"]["paused"], accounts["other"]["paused"], accounts["other"]["day"]) == (True, False, None)
    assert accounts["half"]["day"]["max_daily_loss" if "max_daily_loss" in limit else "drawdown_pct"] in ("40", "5.17")
    stage.restart()
    stage.main.buy("0.1")
    stage.main.protect(stop="55500")
    stage.run(5_000)
    assert set(stage.held("half")) == {f"paused: {reason}"}
    assert stage.drift("half") == []
    assert (stage.of("half").position(), stage.of("half").stop()) == (Decimal("0.05"), Decimal(55500))
    stage.price("60000")
    stage.main.sell("0.16", reduceOnly=True)
    stage.settle()
    assert stage.of("half").position() == Decimal("0.02"), "what main takes off goes"
    assert halted(stage) == reason, "a price that comes back ends no halt"
    answer = stage.command("resume", account="half")
    assert (answer["still"], halted(stage)) == ([], "")
    stage.main.buy("0.02")
    stage.run(5_000)
    stage.settle()
    assert stage.of("half").position() == Decimal("0.03")


def test_the_next_day_ends_no_halt() -> None:
    own = replace(NONE, **FALL, on_breach=OnBreach.PAUSE)
    slow: dict[str, Any] = {"tick_s": Decimal(60), "relist_s": Decimal(600)}
    stage = Stage(copying("half", limits=own), balances={"half": Decimal(1_000)}, **slow)
    lose(stage)
    stage.run(TO_MIDNIGHT_MS + HOUR_MS)
    assert stage.engine.day_of(stage.engine.accounts["half"]).drawdown_pct == 0, "the day began anew"
    assert halted(stage)
    stage.command("resume")
    stage.run(300_000)
    assert halted(stage) == ""


def test_resume_says_when_the_limit_is_still_reached_and_it_halts_again() -> None:
    stage = limited("pause", **LOSS)
    lose(stage)
    stage.run(12_000)
    answer = stage.command("resume")
    assert answer["ended"] == [{"kind": "halt", "account": "half", "symbol": ""}]
    assert answer["still"] == [{"account": "half", "reason": REASONS["max_daily_loss"]}]
    stage.main.buy("0.1")
    stage.run(3_000)
    assert halted(stage)
    assert stage.of("half").position() == Decimal("0.05")


@pytest.mark.proves("A57")
def test_a_trader_who_paused_sees_both_and_one_resume_ends_both() -> None:
    stage = limited("pause", **LOSS)
    lose(stage)
    stage.command("pause", account="half")
    stage.run(12_000)
    assert [(row["kind"], row["account"]) for row in stage.status()["pauses"]] == [("pause", "half"), ("halt", "half")]
    stage.price("60000")
    stage.run(12_000)
    stage.command("resume", account="half")
    assert stage.status()["pauses"] == []


@pytest.mark.parametrize("limit", [LOSS, FALL])
def test_flatten_closes_what_is_ours_on_that_account_alone(limit: dict[str, Any]) -> None:
    stage = limited("flatten", copying("other", "0.25"), **limit)
    stage.of("half").buy("1", "SOLUSDT")
    stage.main.bid("0.02", "58000")
    lose(stage)
    stage.run(15_000)
    assert stage.of("half").held() == {"SOLUSDT": Decimal(1)}, "a position of the trader's own stays"
    assert stage.of("half").orders() == []
    assert stage.of("other").held() == {"BTCUSDT": Decimal("0.025")}
    assert stage.main.held() == {"BTCUSDT": Decimal("0.1")}
    texts = [alert.text for alert in stage.alerts("half", "halt")]
    assert len(texts) == 2
    assert "no entries until `mirrorctl resume`; our orders are cancelled and our positions closed" in texts[0]
    assert texts[1] == "flattened: nothing of ours is left"
    stage.restart()
    stage.price("60000")
    stage.command("resume")
    stage.main.buy("0.1")
    stage.run(12_000)
    assert stage.of("half").held() == {"SOLUSDT": Decimal(1)}, "out of this cycle, as after every flatten"
    exits = [row for row in stage.sent("half", PlaceOrder) if row.action.reduce_only]  # type: ignore[union-attr]
    assert len(exits) == 1


@pytest.mark.proves("A72")
def test_what_could_not_be_flattened_is_said() -> None:
    stage = limited("flatten", **LOSS)
    lose(stage)
    stage.world.fault(FaultKind.RET_CODE, "half", "/v5/order/create", count=None, code=110066, message="not allowed")
    stage.run(60_000)
    told = [alert.text for alert in stage.alerts("half", "PARTIAL")]
    assert told == ["PARTIAL: remains long 0.05 BTCUSDT; `mirrorctl flatten` tries again"]
    assert halted(stage)


@pytest.mark.proves("A43")
@pytest.mark.parametrize("after", [False, True])
def test_a_kill_while_it_flattens_changes_nothing(after: bool) -> None:
    """Killed at each call from the halt on: the position is closed once."""
    for crash in range(1, 9):
        stage = limited("flatten", **LOSS)
        lose(stage)
        stage.until(lambda: bool(halted(stage)))  # noqa: B023 - asked at once
        stage.world.crash_at = len(stage.world.calls) + crash
        stage.world.crash_after = after
        stage.run(40_000)
        assert stage.world.kills == 1
        assert stage.of("half").held() == {}
        assert stage.of("half").volume() == (Decimal("0.05"), Decimal("0.05"))
        assert halted(stage)


def test_warn_says_so_once_a_day_and_entries_go_on() -> None:
    slow: dict[str, Any] = {"tick_s": Decimal(60), "relist_s": Decimal(600)}
    own = replace(NONE, **LOSS, on_breach=OnBreach.WARN)
    stage = Stage(copying("half", limits=own), balances={"half": Decimal(1_000)}, **slow)
    lose(stage)
    stage.run(300_000)
    stage.main.buy("0.02")
    stage.settle(within_ms=300_000)
    assert stage.of("half").position() == Decimal("0.06")
    stage.restart()
    stage.run(600_000)
    assert [(a.kind, a.severity) for a in stage.alerts("half", "max_daily_loss")] == [("limit", Severity.WARNING)]
    assert stage.status()["pauses"] == []
    stage.run(TO_MIDNIGHT_MS)
    assert len(stage.alerts("half", "max_daily_loss")) == 2, "what is open now counts for the new day too"


def test_the_highest_equity_of_the_day_survives_a_restart() -> None:
    """At 62000 the equity is 1098.34; at 60500 it is 1023.34, which is 6.82% less and more than it began with."""
    stage = limited("pause", **FALL)
    stage.main.buy("0.1")
    stage.settle()
    stage.price("62000")
    stage.run(25_000)
    stage.restart()
    stage.price("60500")
    stage.run(12_000)
    assert halted(stage).startswith("max_drawdown_pct: 6.82% under the day's highest equity 1098.34, the limit is 5%")


LOG = "/v5/account/transaction-log"


def pay(stage: Stage, amount: str) -> None:
    """Money goes into the mirror's wallet, or out of it."""
    world = stage.world
    world.exchange.deposit(world.uids["half"], Decimal(amount), world.now_ms())
    world.spread_pushes()


@pytest.mark.parametrize("restarts", [False, True])
def test_money_paid_out_is_no_drawdown_and_money_paid_in_is_no_gain(restarts: bool) -> None:
    """1000, less 500, and 100 more are 600, of which 5% are 30. The position costs 1.655; at 59440 it has lost 28."""
    stage = limited("flatten", **FALL)
    pay(stage, "-500")
    stage.run(10_000)
    pay(stage, "100")
    stage.run(10_000)
    if restarts:
        stage.restart()
    stage.main.buy("0.1", stop="55000")
    stage.settle()
    stage.price("59440")
    stage.run(20_000)
    assert (stage.status()["pauses"], stage.of("half").position()) == ([], Decimal("0.05"))
    assert stage.alerts("half", "halt") == []
    assert stage.alerts("half", "transfer") == [], "told only where a size follows from the equity"
    stage.price("59400")
    stage.run(20_000)
    assert halted(stage).endswith("under the day's highest equity 600, the limit is 5%")
    assert stage.of("half").held() == {}


def test_entries_wait_while_it_is_not_known_whether_money_was_paid_out() -> None:
    stage = limited("flatten", **FALL)
    number = stage.world.fault(FaultKind.REFUSE, "half", LOG, count=None)
    pay(stage, "-500")
    stage.run(10_000)
    stage.main.buy("0.1")
    stage.run(10_000)
    assert stage.held("half")[0].startswith("limit max_drawdown_pct: 50% under the day's highest equity 1000")
    assert (stage.status()["pauses"], stage.of("half").held()) == ([], {})
    stage.world.gateway.faults.clear(number)
    stage.run(10_000)
    stage.settle()
    assert stage.of("half").position() == Decimal("0.05")


def test_an_exchange_without_that_log_is_not_waited_for() -> None:
    stage = limited("pause", **FALL)
    stage.world.fault(FaultKind.RET_CODE, "half", LOG, count=None, code=10001, message="not supported")
    lose(stage)
    stage.run(12_000)
    assert halted(stage) == REASONS["max_drawdown_pct"]


@pytest.mark.proves("A75")
@pytest.mark.parametrize("on_breach", ["warn", "pause", "flatten"])
def test_what_cannot_be_read_refuses_entries_and_halts_and_closes_nothing(on_breach: str) -> None:
    stage = Stage(
        copying("half", limits=replace(NONE, **LOSS, on_breach=OnBreach(on_breach))),
        balances={"half": Decimal(1_000)},
        start=False,
    )
    number = stage.world.fault(FaultKind.REFUSE, "half", CLOSED, count=None)
    stage.start()
    stage.settle()
    stage.main.buy("0.1", stop="55000")
    stage.run(10_000)
    assert stage.held("half") == ["limit max_daily_loss cannot be computed: the day's closed PnL is not read"]
    assert (stage.of("half").held(), stage.status()["pauses"]) == ({}, [])
    stage.world.gateway.faults.clear(number)
    stage.run(25_000)
    stage.settle()
    assert stage.of("half").position() == Decimal("0.05")
    stage.world.fault(FaultKind.REFUSE, "half", CLOSED, count=None)
    stage.run(150_000)  # what was read is too old by now
    stage.price("58000")
    stage.run(60_000)
    assert (stage.of("half").position(), stage.status()["pauses"]) == (Decimal("0.05"), [])


@pytest.mark.parametrize("seed", range(1, 6))
def test_a_win_that_is_closed_is_no_loss_until_it_is_read(seed: int) -> None:
    """BTC closed at -50 and ETH stands at +75: closing it moves the 75 from one figure to the other."""
    own = replace(NONE, **LOSS, on_breach=OnBreach.FLATTEN)
    stage = Stage(copying("half", limits=own), seed=seed)
    stage.main.buy("0.1")
    stage.main.buy("3", "ETHUSDT")
    stage.settle()
    stage.price("3050", "ETHUSDT")
    stage.price("59000")
    stage.run(25_000)
    stage.main.close()
    stage.run(25_000)
    stage.main.close("ETHUSDT")
    stage.run(60_000)
    assert stage.status()["pauses"] == []
    assert stage.alerts("half", "halt") == []


@pytest.mark.parametrize("seed", range(1, 4))
def test_a_loss_counts_before_the_next_entry(seed: int) -> None:
    """Main is stopped out and enters again within the moment: the mirror's loss is read first, and it stays out."""
    own = replace(NONE, **LOSS, on_breach=OnBreach.PAUSE)
    stage = Stage(copying("half", limits=own), seed=seed, relist_s=Decimal(600))
    stage.main.buy("0.1")
    stage.settle()
    stage.world.price("BTCUSDT", "59000")
    stage.main.close()
    stage.until(lambda: not stage.of("half").held(), 1_000)
    stage.main.buy("0.1")
    stage.run(10_000)
    assert stage.of("half").held() == {}
    assert halted(stage)


# --- main -----------------------------------------------------------------------------------------------------------


def main_limited(on_breach: str, **limits: Any) -> Stage:
    own = replace(NONE, **limits, on_breach=OnBreach(on_breach))
    return Stage(copying("half"), balances={"main": Decimal(2_000)}, main_limits=own)


@pytest.mark.parametrize("limit", [{"max_daily_loss": Decimal(80)}, FALL])
def test_a_halt_of_main_refuses_trades_and_the_mirrors_go_on(limit: dict[str, Any]) -> None:
    """Main's 0.1 loses 100 of 2000."""
    stage = main_limited("pause", **limit)
    stage.command("trade.open", symbol="BTCUSDT", side="long", qty="0.1")
    stage.settle()
    stage.price("59000")
    stage.run(12_000)
    with pytest.raises(LimitReached) as caught:
        stage.command("trade.open", symbol="ETHUSDT", side="long", qty="0.1")
    assert next(iter(limit)) in caught.value.message
    assert caught.value.exit_code == 6
    stage.restart()
    stage.run(2_000)
    with pytest.raises(LimitReached):
        stage.command("trade.open", symbol="ETHUSDT", side="long", qty="0.1")
    stage.main.buy("0.02")  # by phone
    stage.settle()
    assert stage.of("half").position() == Decimal("0.06"), "a halt of main is main's"
    assert stage.main.position() == Decimal("0.12")


@pytest.mark.proves("A75")
def test_a_trade_waits_until_the_day_is_read_and_is_refused_when_it_cannot_be() -> None:
    stage = main_limited("pause", max_daily_loss=Decimal(80))
    stage.command("trade.open", symbol="BTCUSDT", side="long", qty="0.01")
    stage.command("trade.close", symbol="BTCUSDT")
    stage.command("trade.open", symbol="BTCUSDT", side="long", qty="0.01")
    assert stage.main.position() == Decimal("0.01"), "right after a close"
    stage.world.fault(FaultKind.REFUSE, "main", CLOSED, count=None)
    stage.run(150_000)
    with pytest.raises(LimitReached) as caught:
        stage.command("trade.open", symbol="BTCUSDT", side="long", qty="0.01")
    assert "cannot be computed" in caught.value.message


@pytest.mark.proves("A79")
def test_flattening_main_closes_its_trades_and_what_the_trader_opened_elsewhere_stays() -> None:
    stage = main_limited("flatten", max_daily_loss=Decimal(80))
    stage.main.buy("1", "SOLUSDT")
    stage.command("trade.open", symbol="BTCUSDT", side="long", qty="0.1", stop="55000")
    stage.settle()
    stage.price("59000")
    stage.run(15_000)
    assert stage.main.held() == {"SOLUSDT": Decimal(1)}
    stage.settle()
    assert stage.of("half").held() == {"SOLUSDT": Decimal("0.5")}, "the mirror followed"


def test_disabled_mirrors_are_halted_and_not_touched() -> None:
    """ENABLE_MIRROR_TRADING=false: nothing is sent for a mirror, by no limit either."""
    stage = limited("flatten", **LOSS)
    lose(stage)
    stage.world.kill()
    stage.world.policy = replace(stage.policy, mirroring=False)
    stage.start()
    stage.run(15_000)
    assert stage.of("half").position() == Decimal("0.05")
    assert "nothing is closed: mirroring is disabled" in stage.alerts("half", "halt")[0].text
