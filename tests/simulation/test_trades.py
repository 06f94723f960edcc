"""Trades of `mirrorctl trade`: approaches, adding, ladders, stops and breakeven, and what the mirrors make of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.actions import AmendOrder, CancelOrder, SetTradingStop
from mirrorctl.core.domain.errors import ExchangeError, Rejected, UsageError
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.policy import Limits
from mirrorctl.core.domain.trade import Trade
from mirrorctl.core.domain.values import OrderType, PositionSide
from mirrorctl.core.engine.service import steps
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT
NO_LIMITS = Limits(None, None, None, None, None, None)
THREE = {"approach": "conservative", "entries": ["59000", "58000"], "stop": "57000", "leverage": "5"}


def targets(*texts: str) -> list[dict[str, str | None]]:
    """ "62000" or "62000:85"."""
    pairs = [text.partition(":") for text in texts]
    return [{"price": price, "percent": share or None} for price, _, share in pairs]


STOP = Decimal(57_000)
FOUR = targets("62000", "63000", "64000", "65000")


def opened(stage: Stage, **changes: Any) -> dict[str, Any]:
    return stage.command("trade.open", **{"symbol": "BTCUSDT", "side": "long", "wait_s": "5", **changes})


def trade(stage: Stage, side: PositionSide = LONG) -> Trade:
    found = stage.engine.trades.get("BTCUSDT", side)
    assert found is not None
    return found


def rungs(stage: Stage, name: str = "main", side: str = "Sell") -> list[tuple[Decimal, Decimal]]:
    """(price, open quantity) of the reduce-only orders of an account, nearest first for a long."""
    trader = stage.main if name == "main" else stage.of(name)
    found = [row for row in trader.orders() if row["reduceOnly"] and row["side"] == side]
    return sorted((Decimal(row["price"]), Decimal(row["leavesQty"])) for row in found)


def attached(stage: Stage, name: str = "main") -> list[Decimal]:
    """The stops that resting entries carry."""
    trader = stage.main if name == "main" else stage.of(name)
    return [Decimal(row["stopLoss"] or 0) for row in trader.orders() if not row["reduceOnly"]]


def dec(*texts: str) -> list[Decimal]:
    return [Decimal(text) for text in texts]


# --- opening ------------------------------------------------------------------------------------------------------


def test_conservative_enters_in_equal_thirds_with_its_ladder_and_its_stop() -> None:
    stage = Stage()
    result = opened(stage, margin="1000", targets=FOUR, **THREE)
    # 1000 × 5 ÷ mean(60000.1, 59000, 58000) = 0.0847…: thirds of 0.028
    sent = [order for order in stage.placed("main") if order.role is Role.ENTRY]
    assert [(order.order_type, order.price, order.qty, order.stop_loss) for order in sent] == [
        (OrderType.MARKET, None, Decimal("0.028"), STOP),
        (OrderType.LIMIT, Decimal(59_000), Decimal("0.028"), STOP),
        (OrderType.LIMIT, Decimal(58_000), Decimal("0.028"), STOP),
    ]
    assert (result["placed"], result["approach"], result["refused"]) == ("0.084", "conservative", [])
    assert rungs(stage) == list(
        zip(dec("62000", "63000", "64000", "65000"), dec("0.023", "0.002", "0.001", "0.002"), strict=True)
    )
    assert (trade(stage).breakeven_after, trade(stage).cancel_entries_after) == (1, 1)
    assert stage.main.stop() == Decimal(57_000)


def test_a_short_is_counted_at_the_bid() -> None:
    stage = Stage()
    more = {**THREE, "entries": ["61000", "62000"], "stop": "63000"}
    opened(stage, side="short", margin="1000", targets=targets("58000", "57000", "56000", "55000"), **more)
    first = stage.placed("main")[0]
    assert first.qty == Decimal("0.027")  # 5000 ÷ mean(59999.9, 61000, 62000) = 0.0819…
    assert sum(qty for _, qty in rungs(stage, side="Buy")) == Decimal("0.027")


@pytest.mark.proves("A30")
def test_every_account_has_its_own_ladder_when_the_command_returns() -> None:
    """Without a daemon nobody would place it afterwards."""
    stage = Stage()
    opened(stage, margin="1000", targets=FOUR, **THREE)
    for name, size in (("half", "0.014"), ("quarter", "0.007")):
        assert sum(qty for _, qty in rungs(stage, name)) == Decimal(size) == stage.of(name).position()
        assert stage.of(name).stop() == Decimal(57_000)
        assert attached(stage, name) == dec("57000", "57000")


def test_mains_own_exits_stand_when_the_command_returns_whatever_the_mirrors_do() -> None:
    stage = Stage()
    opened(stage, qty="0.1", stop="57000", targets=targets("62000:60", "63000:40"))
    stage.command("pause", account="half")
    stage.command("pause", account="quarter")
    opened(stage, qty="0.1", targets=targets("64000:50", "65000:50"))
    assert rungs(stage) == [(Decimal(64_000), Decimal("0.100")), (Decimal(65_000), Decimal("0.100"))]


@pytest.mark.parametrize(
    ("given", "label", "after"),
    [
        ({}, "plain", 0),
        ({"targets": targets("62000")}, "fast", 0),
        ({"targets": targets("62000:100")}, "fast", 0),
        ({"targets": targets("63000:40", "62000:60")}, "custom", 1),
        ({"targets": targets("62000"), "entries": ["59000", "58000"]}, "custom", 1),
    ],
)
def test_what_is_not_named_is_called_by_what_it_is(given: dict[str, Any], label: str, after: int) -> None:
    stage = Stage()
    opened(stage, qty="0.03", **given)
    found = trade(stage)
    assert (found.approach, found.breakeven_after, found.cancel_entries_after) == (label, after, after)


@pytest.mark.proves("A74")
@pytest.mark.parametrize(
    ("given", "said", "hint"),
    [
        ({"approach": "slow"}, "no approach 'slow'", "conservative, fast"),
        ({"approach": "fast"}, "takes exactly 1 --target price, 0 given", "100 percent"),
        ({"approach": "fast", "targets": FOUR}, "takes exactly 1 --target price, 4 given", ""),
        ({"approach": "fast", "targets": FOUR[:1], "entries": ["1", "2"]}, "takes at most one --entry price", ""),
        ({"approach": "conservative", "targets": FOUR}, "takes exactly 2 --entry prices, 0 given", ""),
        ({**THREE, "targets": FOUR[:3]}, "takes exactly 4 --target prices, 3 given", "85/5/5/5"),
        ({"targets": targets("59000")}, "a target at 59000 is on the wrong side of 60000.1", "lie above"),
        ({"targets": targets("62000", "63000")}, "2 targets need their percents", ""),
        ({"stop": "61000"}, "a stop at 61000 is on the wrong side of 60000.1", "lies below"),
        ({"stop": "58500", "entries": ["59000", "58000"]}, "a stop at 58500 is on the wrong side of 58000", ""),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(given: dict[str, Any], said: str, hint: str) -> None:
    stage = Stage()
    with pytest.raises(UsageError) as refused:
        opened(stage, qty="0.03", **given)
    assert said in refused.value.message
    assert hint in refused.value.hint
    assert stage.sent() == []
    assert stage.engine.trades.all() == []


def test_risk_is_what_is_lost_at_the_stop() -> None:
    stage = Stage()
    wallet = stage.engine.main.view.wallet
    assert wallet is not None
    result = opened(stage, risk_percent="0.5", stop="59000.1")
    qty = Decimal(result["placed"])
    assert qty * 1000 <= wallet.equity / 200 < (qty + Decimal("0.001")) * 1000
    assert result["preview"][0]["loss_percent"] == "0.5"
    with pytest.raises(UsageError, match="--risk needs a stop"):
        opened(stage, risk_percent="1")


@pytest.mark.proves("A43")
def test_a_kill_after_the_first_order_was_sent_leaves_a_trade_that_is_kept() -> None:
    """The trade is written down before: its ladder stands although nobody carried the command to its end."""
    stage = Stage()
    stage.world.fault(FaultKind.LOSE_REPLY, "main", "/v5/order/create")
    args = {"symbol": "BTCUSDT", "side": "long", "qty": "0.1", "stop": "57000", "targets": targets("62000")}
    stage.engine.tasks.start(steps(stage.engine, "trade.open", args, lambda _event: None), lambda _result, _error: None)
    stage.until(lambda: stage.main.position() > 0)
    stage.restart()
    stage.settle()
    assert rungs(stage) == [(Decimal(62_000), Decimal("0.100"))]
    assert (stage.main.stop(), trade(stage).stop) == (STOP, STOP)
    assert stage.of("half").position() == Decimal("0.05")


def test_a_trade_whose_entries_are_all_refused_is_forgotten() -> None:
    stage = Stage(main_limits=NO_LIMITS)
    with pytest.raises(Rejected):
        opened(stage, qty="19", stop="57000", leverage="1")
    assert stage.engine.trades.all() == []
    assert stage.world.store.trades() == []
    assert stage.main.position() == 0


def test_entries_that_the_exchange_takes_stand_beside_one_it_refuses() -> None:
    stage = Stage(main_limits=NO_LIMITS)
    wallet = stage.engine.main.view.wallet
    assert wallet is not None
    qty = str((wallet.available / 60_000 * Decimal("1.2")).quantize(Decimal("0.001")))
    result = opened(stage, qty=qty, entries=["59000", "58000", "57500"], stop="57000", leverage="1")
    assert [row["entry"] for row in result["refused"]] == [3]
    assert "110007" in result["refused"][0]["reason"]
    assert len(stage.main.orders()) == 2
    assert trade(stage).stop == 57_000


# --- adding -------------------------------------------------------------------------------------------------------


@pytest.mark.proves("A40")
def test_adding_keeps_the_record_and_what_is_not_given_again() -> None:
    stage = Stage()
    opened(stage, qty="0.04", stop="57000", targets=targets("62000:60", "63000:40"))
    before = trade(stage)
    opened(stage, qty="0.06")
    assert stage.main.position() == Decimal("0.1")
    assert (trade(stage).tag, trade(stage).stop, trade(stage).targets) == (before.tag, before.stop, before.targets)
    assert rungs(stage) == [(Decimal(62_000), Decimal("0.060")), (Decimal(63_000), Decimal("0.040"))]
    assert rungs(stage, "half") == [(Decimal(62_000), Decimal("0.030")), (Decimal(63_000), Decimal("0.020"))]
    assert stage.placed("main")[-1].reduce_only or attached(stage) == []
    added = [order for order in stage.placed("main") if order.role is Role.ENTRY]
    assert [order.stop_loss for order in added] == [STOP, STOP]
    assert len({order.link_id for order in added}) == 2


@pytest.mark.proves("A40")
def test_adding_with_a_stop_and_targets_replaces_them_and_the_ladder_stays_100() -> None:
    stage = Stage()
    opened(stage, qty="0.04", stop="57000", targets=targets("62000:60", "63000:40"))
    opened(stage, qty="0.06", stop="58000", targets=targets("64000", "65000"))
    stage.settle()
    found = trade(stage)
    assert (found.stop, [target.percent for target in found.targets]) == (Decimal(58_000), dec("60", "40"))
    assert [price for price, _ in rungs(stage)] == dec("64000", "65000")
    assert stage.main.stop() == stage.of("half").stop() == Decimal(58_000)
    assert not any(isinstance(row.action, CancelOrder) for row in stage.sent("main")), "moved, not replaced"


@pytest.mark.proves("A40")
def test_adding_that_the_exchange_refuses_keeps_the_earlier_stop_and_ladder() -> None:
    stage = Stage(main_limits=NO_LIMITS)
    opened(stage, qty="0.04", stop="57000", targets=targets("62000"), leverage="1")
    before = trade(stage)
    with pytest.raises(Rejected):
        opened(stage, qty="19", stop="58000", targets=targets("64000"))
    stage.settle()
    assert trade(stage).stop == before.stop
    assert stage.main.stop() == Decimal(57_000)
    assert stage.sent("main", SetTradingStop) == [], "at no moment it stood elsewhere"
    assert rungs(stage) == [(Decimal(62_000), Decimal("0.040"))]


def test_adding_to_a_position_opened_elsewhere_hands_it_over() -> None:
    stage = Stage()
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.main.protect(stop="58500")
    stage.settle()
    assert stage.engine.trades.all() == []
    result = opened(stage, qty="0.1")
    assert result["managed"] is True
    found = trade(stage)
    assert (found.adopted, found.opened, found.stop) == (True, True, Decimal(58_500))
    assert "managed" not in opened(stage, qty="0.1")


def test_adding_beyond_the_standing_stop_is_refused() -> None:
    stage = Stage()
    opened(stage, qty="0.04", stop="57000")
    with pytest.raises(UsageError, match="a stop at 57000 is on the wrong side of 56000"):
        opened(stage, qty="0.04", entries=["56000"])


def test_targets_added_to_what_is_held_lie_beyond_the_price_as_well() -> None:
    stage = Stage()
    opened(stage, qty="0.04", stop="57000")
    with pytest.raises(UsageError, match=r"a target at 59500 is on the wrong side of 60000\.1"):
        opened(stage, qty="0.04", entries=["59000"], targets=targets("59500"))


# --- the stop -----------------------------------------------------------------------------------------------------


@pytest.mark.proves("A84")
def test_moving_the_stop_moves_what_is_attached_to_every_resting_entry() -> None:
    stage = Stage()
    opened(stage, margin="1000", targets=FOUR, **THREE)
    result = stage.command("trade.stop", symbol="BTCUSDT", price="57500")
    stage.settle()
    assert (result["stop"], result["entries_moved"], result["entries_kept"]) == ("57500", 2, [])
    assert attached(stage) == dec("57500", "57500")
    assert attached(stage, "half") == dec("57500", "57500")
    assert stage.main.stop() == stage.of("half").stop() == Decimal(57_500)
    assert trade(stage).stop == 57_500


@pytest.mark.proves("A84")
def test_the_command_moves_attached_stops_where_no_daemon_keeps_the_trade() -> None:
    stage = Stage()
    opened(stage, margin="1000", targets=FOUR, **THREE)
    stage.engine.trades.drop(("BTCUSDT", LONG))
    result = stage.command("trade.stop", symbol="BTCUSDT", price="57500")
    assert (result["entries_moved"], attached(stage)) == (2, dec("57500", "57500"))


def test_the_stop_of_a_trade_that_waits_for_its_entries_moves_with_them() -> None:
    stage = Stage()
    opened(stage, qty="0.03", entries=["59000", "58000"], stop="57000")
    result = stage.command("trade.stop", symbol="BTCUSDT", price="57500")
    assert result["entries_moved"] == 2
    stage.price("58900")
    stage.settle()
    assert stage.main.stop() == stage.of("half").stop() == Decimal(57_500)


def test_an_entry_that_cannot_carry_the_stop_is_named() -> None:
    stage = Stage()
    opened(stage, margin="1000", targets=FOUR, **THREE)
    result = stage.command("trade.stop", symbol="BTCUSDT", price="58500")
    assert result["entries_moved"] == 1
    assert [row["reason"] for row in result["entries_kept"]] == ["it lies beyond the stop 58500"]
    assert sorted(attached(stage)) == dec("57000", "58500")


def test_a_stop_that_the_exchange_refuses_leaves_the_intent_as_it_was() -> None:
    stage = Stage()
    opened(stage, qty="0.03", stop="57000")
    stage.world.fault(FaultKind.RET_CODE, "main", "/v5/position/trading-stop", code=10001, message="no")
    with pytest.raises(Rejected):
        stage.command("trade.stop", symbol="BTCUSDT", price="58000")
    stage.run(5_000)
    assert (stage.main.stop(), trade(stage).stop) == (STOP, STOP)


def test_a_stop_on_a_position_that_is_not_managed_is_set_and_nothing_more() -> None:
    stage = Stage()
    stage.main.buy("0.1")
    stage.settle()
    stage.command("trade.stop", symbol="BTCUSDT", price="58000")
    assert stage.main.stop() == Decimal(58_000)
    assert stage.engine.trades.all() == []


# --- breakeven ----------------------------------------------------------------------------------------------------


@pytest.mark.proves("A35")
@pytest.mark.parametrize(
    ("side", "price", "stop", "even"), [("long", "61000", "57000", "60078.2"), ("short", "59000", "63000", "59921.9")]
)
def test_breakeven_on_demand_is_kept(side: str, price: str, stop: str, even: str) -> None:
    stage = Stage()
    opened(stage, side=side, qty="0.1", stop=stop)
    stage.price(price)
    result = stage.command("trade.breakeven", symbol="BTCUSDT")
    stage.settle()
    assert (result["moved"], result["stop"], result["breakeven"]) == (True, even, even)
    assert stage.main.stop() == stage.of("half").stop() == Decimal(even)
    assert trade(stage, PositionSide(side)).stop == Decimal(even)


@pytest.mark.proves("A35")
def test_breakeven_never_moves_a_better_stop() -> None:
    stage = Stage()
    opened(stage, qty="0.1", stop="57000")
    stage.price("62000")
    stage.command("trade.stop", symbol="BTCUSDT", price="61000")
    sent = len(stage.sent("main", SetTradingStop))
    result = stage.command("trade.breakeven", symbol="BTCUSDT")
    assert (result["moved"], result["stop"]) == (False, "61000")
    assert len(stage.sent("main", SetTradingStop)) == sent
    assert stage.main.stop() == Decimal(61_000)


@pytest.mark.proves("A24")
def test_breakeven_that_the_price_has_passed_keeps_the_standing_stop() -> None:
    stage = Stage()
    opened(stage, qty="0.1", stop="57000")
    with pytest.raises(UsageError, match=r"breakeven 60078\.2 is passed by the price 60000: the stop at 57000 stays"):
        stage.command("trade.breakeven", symbol="BTCUSDT")
    assert (stage.main.stop(), trade(stage).stop) == (STOP, STOP)


# --- the ladder ---------------------------------------------------------------------------------------------------


def test_prices_alone_move_the_ladder_and_nothing_is_placed_anew() -> None:
    stage = Stage()
    opened(stage, qty="0.1", targets=targets("62000:60", "63000:40"))
    placed = len(stage.placed("main"))
    result = stage.command("trade.target", symbol="BTCUSDT", targets=targets("62500", "64000"))
    stage.settle()
    assert result["targets"] == [{"price": "62500", "percent": "60"}, {"price": "64000", "percent": "40"}]
    assert result["standing"] is True
    assert rungs(stage) == [(Decimal(62_500), Decimal("0.060")), (Decimal(64_000), Decimal("0.040"))]
    assert [price for price, _ in rungs(stage, "half")] == dec("62500", "64000")
    assert len(stage.placed("main")) == placed
    assert trade(stage).revision == 0


@pytest.mark.proves("A37")
def test_a_ladder_given_after_a_rung_was_done_has_rungs_of_its_own() -> None:
    stage = Stage()
    opened(stage, qty="0.1", stop="57000", targets=targets("62000:60", "63000:20", "64000:20"))
    stage.price("62100")
    stage.settle()
    assert stage.main.position() == Decimal("0.04")
    stage.command("trade.target", symbol="BTCUSDT", targets=targets("65000", "66000"))
    stage.settle()
    assert rungs(stage) == [(Decimal(65_000), Decimal("0.020")), (Decimal(66_000), Decimal("0.020"))]
    assert sum(qty for _, qty in rungs(stage, "half")) == stage.of("half").position() == Decimal("0.02")
    assert trade(stage).revision == 1


def test_a_trade_without_a_ladder_gets_one_and_its_exit_policy() -> None:
    stage = Stage()
    opened(stage, qty="0.1", stop="57000")
    stage.command("trade.target", symbol="BTCUSDT", targets=targets("62000"))
    stage.settle()
    assert (trade(stage).approach, rungs(stage)) == ("fast", [(Decimal(62_000), Decimal("0.100"))])
    assert rungs(stage, "half") == [(Decimal(62_000), Decimal("0.050"))]


def test_targets_on_a_position_opened_elsewhere_hand_it_over_and_move_what_stands() -> None:
    stage = Stage()
    stage.main.buy("0.1", stop="58000")
    for price in ("61000", "62000"):
        stage.main.offer("0.05", price, reduceOnly=True)
    stage.settle()
    result = stage.command("trade.target", symbol="BTCUSDT", targets=targets("63000"))
    stage.settle()
    assert result["managed"] is True
    assert rungs(stage) == [(Decimal(63_000), Decimal("0.100"))]
    assert [type(row.action) for row in stage.sent("main")] == [CancelOrder, AmendOrder], "one let go, one moved"
    assert trade(stage).stop == 58_000


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (targets("59000"), "wrong side of 60000"),
        (targets("64000", "63000"), "63000 lies nearer"),
        (targets("62000", "63000", "64000"), "3 targets need their percents"),
    ],
)
def test_a_ladder_that_cannot_be_is_refused_and_the_standing_one_stays(given: list[Any], said: str) -> None:
    stage = Stage()
    opened(stage, qty="0.1", targets=targets("62000:60", "63000:40"))
    before = rungs(stage)
    with pytest.raises(UsageError, match=said):
        stage.command("trade.target", symbol="BTCUSDT", targets=given)
    stage.settle()
    assert rungs(stage) == before


# --- closing ------------------------------------------------------------------------------------------------------


@pytest.mark.proves("A62")
def test_after_a_close_nothing_of_the_trade_is_left() -> None:
    stage = Stage()
    opened(stage, margin="1000", targets=FOUR, **THREE)
    stage.command("trade.close", symbol="BTCUSDT", wait_s="5")
    stage.settle()
    for trader in (stage.main, *stage.mirrors.values()):
        assert (trader.position(), trader.book()) == (Decimal(0), [])
    assert stage.engine.trades.all() == []


def test_a_trade_opened_right_after_a_close_is_another_one() -> None:
    stage = Stage()
    opened(stage, qty="0.1", stop="57000", targets=targets("62000"))
    first = trade(stage).tag
    stage.command("trade.close", symbol="BTCUSDT", wait_s="0")
    opened(stage, qty="0.1", stop="58000", targets=targets("63000"))
    stage.settle()
    assert trade(stage).tag != first
    assert rungs(stage) == [(Decimal(63_000), Decimal("0.100"))]
    assert stage.main.stop() == Decimal(58_000)


@pytest.mark.proves("A61")
def test_a_trade_opened_while_the_one_before_is_cleared_away_keeps_its_entries() -> None:
    stage = Stage()
    opened(stage, margin="1000", targets=FOUR, **THREE)
    first = trade(stage).tag
    stage.world.fault(FaultKind.HANG, "main", "/v5/order/cancel", count=2, ms=2_000)
    stage.main.close()
    stage.until(lambda: not stage.engine.main.view.size("BTCUSDT", LONG))
    opened(stage, qty="0.03", entries=["58500"], stop="57000")
    stage.settle()
    stage.run(5_000)
    assert trade(stage).tag != first
    assert stage.main.book() == [("Buy", Decimal("0.03"), Decimal(58_500))]


def test_an_unknown_symbol_holds_no_trade() -> None:
    stage = Stage()
    for name, more in (("trade.target", {"targets": FOUR[:1]}), ("trade.breakeven", {})):
        with pytest.raises((UsageError, ExchangeError), match="main holds no BTCUSDT"):
            stage.command(name, symbol="BTCUSDT", **more)


@pytest.mark.proves("A15")
def test_each_leg_of_a_hedged_main_has_its_own_trade() -> None:
    names = ("main", "half", "quarter")
    stage = Stage(hedged=names)
    opened(stage, qty="0.1", stop="57000", targets=targets("62000"))
    opened(stage, side="short", qty="0.04", stop="63000", targets=targets("58000"), entries=["61000"])
    assert [price for price, _ in rungs(stage)] == dec("62000")
    with pytest.raises(UsageError, match="main holds both legs of BTCUSDT"):
        stage.command("trade.target", symbol="BTCUSDT", targets=targets("63000"))
    stage.command("trade.target", symbol="BTCUSDT", side="long", targets=targets("63000"))
    moved = stage.command("trade.stop", symbol="BTCUSDT", side="short", price="62500")
    assert moved["entries_moved"] == 1
    stage.command("trade.close", symbol="BTCUSDT", side="long", wait_s="5")
    stage.settle()
    assert [(row["side"], Decimal(row["stopLoss"])) for row in stage.main.orders()] == [("Sell", Decimal(62_500))]
    assert (trade(stage, SHORT).stop, stage.engine.trades.get("BTCUSDT", LONG)) == (Decimal(62_500), None)
