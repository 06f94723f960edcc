"""Reads that fail or lie, lost replies, streams that drop and repeat: unknown is never flat, doubt is asked."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from mirrorctl.core.domain.actions import AmendOrder, CancelOrder, DoubtfulOutcome, PlaceOrder, SetTradingStop
from mirrorctl.core.engine.ports import StreamDown
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying

CREATE, CANCEL, AMEND = "/v5/order/create", "/v5/order/cancel", "/v5/order/amend"
POSITIONS, ORDERS, FILLS = "/v5/position/list", "/v5/order/realtime", "/v5/execution/list"
WALLET, STOP = "/v5/account/wallet-balance", "/v5/position/trading-stop"

BAD_READS: dict[str, tuple[FaultKind, dict[str, Any]]] = {
    "silent": (FaultKind.HANG, {}),
    "internal error": (FaultKind.RET_CODE, {"code": 10016, "message": "Internal server error."}),
    "truncated": (FaultKind.TRUNCATE, {"keep": 0}),
    "cut in half": (FaultKind.TRUNCATE, {}),
    "empty": (FaultKind.EMPTY, {}),
    "stale": (FaultKind.STALE, {}),
}


def busy(stage: Stage) -> None:
    """Three positions with stops, and a resting entry."""
    stage.main.buy("0.1", stop="58000")
    stage.main.sell("1", "ETHUSDT", stop="3200")
    stage.main.buy("100", "SOLUSDT", stop="140")
    stage.main.bid("0.05", "59000")
    stage.settle()


def standing(stage: Stage) -> dict[str, object]:
    symbols = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
    return {
        name: (trader.held(), [trader.stop(symbol) for symbol in symbols], trader.book())
        for name, trader in stage.mirrors.items()
    }


@pytest.mark.proves("A45", "A86")
@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
@pytest.mark.parametrize("account", ["main", "half"])
@pytest.mark.parametrize("path", [POSITIONS, ORDERS, FILLS])
@pytest.mark.parametrize("fault", sorted(BAD_READS))
def test_a_bad_read_closes_cancels_and_forgets_nothing(fault: str, path: str, account: str, restarted: bool) -> None:
    stage = Stage()
    busy(stage)
    before, sent = standing(stage), len(stage.sent())
    kind, how = BAD_READS[fault]
    number = stage.world.fault(kind, account, path, count=None, **how)
    if restarted:
        stage.restart()
    else:
        stage.engine.relist_all()
    stage.run(3_000)
    stage.world.gateway.faults.clear(number)
    stage.run(10_000)
    stage.command("sync")
    assert standing(stage) == before
    assert len(stage.sent()) == sent
    assert stage.alerts(containing="clos") == []


@pytest.mark.proves("A86")
@pytest.mark.parametrize("unknown", ["main", "half"])
def test_with_an_account_unknown_nothing_grows_shrinks_or_closes_and_stops_stay(unknown: str) -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.world.go_down(unknown)
    stage.run(20_000)
    stage.main.buy("0.1")
    stage.main.sell("1", "ETHUSDT")
    sent = len(stage.sent("half"))
    stage.run(20_000)
    stage.of("half").sell("0.01", reduceOnly=True)  # by hand; what main wants of it is not known
    stage.run(20_000)
    stage.main.close()
    stage.run(60_000)
    assert len(stage.sent("half")) == sent
    assert stage.of("half").held() == {"BTCUSDT": Decimal("0.04")}
    assert stage.of("half").stop() == Decimal(58000)
    assert not stage.status()["in_sync"]
    stage.world.come_back(unknown)
    stage.settle()
    assert stage.of("half").held() == {"ETHUSDT": Decimal("-0.5")}


@pytest.mark.proves("A86", "A45")
@pytest.mark.parametrize("unknown", ["main", "half"])
def test_after_a_restart_nothing_is_decided_before_both_sides_were_read(unknown: str) -> None:
    stage = Stage(copying("half", "0.5"))
    busy(stage)
    before, sent = standing(stage), len(stage.sent())
    stage.world.kill()
    stage.world.go_down(unknown)
    stage.start()
    stage.run(60_000)
    assert standing(stage) == before
    assert len(stage.sent()) == sent
    assert not stage.status()["in_sync"]
    stage.world.come_back(unknown)
    stage.settle()
    assert standing(stage) == before
    assert len(stage.sent()) == sent


@pytest.mark.proves("A4")
def test_a_mirror_whose_wallet_cannot_be_read_takes_no_entry_and_says_why() -> None:
    stage = Stage(start=False)
    stage.world.fault(FaultKind.RET_CODE, "half", WALLET, count=None, code=10016, message="Internal server error.")
    stage.start()
    stage.run(2_000)
    stage.main.buy("0.1")
    stage.run(10_000)
    assert stage.of("half").held() == {}
    assert stage.placed("half") == []
    row = next(row for row in stage.status()["accounts"] if row["account"] == "half")
    assert row["error"].startswith("the wallet cannot be read: ")
    assert "Internal server error" in row["error"]
    assert stage.held("half") == ["the wallet is not known"]
    assert stage.of("quarter").held() == {"BTCUSDT": Decimal("0.025")}


@pytest.mark.proves("A8", "A29")
def test_a_wallet_that_cannot_be_read_keeps_no_stop_and_no_reduction_away() -> None:
    stage = Stage()
    half = stage.of("half")
    stage.main.buy("0.2", stop="58000")
    stage.settle()
    number = stage.world.fault(FaultKind.RET_CODE, "half", WALLET, count=None, code=10016, message="internal error")
    stage.run(90_000)
    stage.main.protect(stop="58500")
    stage.main.sell("0.1", reduceOnly=True)
    stage.run(3_000)
    assert (half.position(), half.stop()) == (Decimal("0.05"), Decimal(58_500))
    stage.run(30_000)
    stage.main.buy("0.1")
    stage.run(5_000)
    assert half.position() in (Decimal("0.05"), Decimal("0.1")), "a push may have told of the wallet meanwhile"
    stage.main.close()
    stage.run(5_000)
    assert half.held() == {}
    stage.world.gateway.faults.clear(number)
    stage.settle()
    assert stage.status()["in_sync"]


LOSSES: dict[str, tuple[FaultKind, dict[str, Any]]] = {
    "reply lost": (FaultKind.LOSE_REPLY, {}),
    "gateway error afterwards": (FaultKind.HTTP_STATUS, {"status": 502, "after": True}),
}


@pytest.mark.proves("A47")
@pytest.mark.parametrize("pushes", [True, False], ids=["pushes arrive", "order pushes are lost too"])
@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_a_placement_that_was_accepted_without_an_answer_is_found_by_its_id(loss: str, pushes: bool) -> None:
    stage = Stage(copying("half", "0.5"))
    kind, how = LOSSES[loss]
    stage.world.fault(kind, "half", CREATE, count=2, **how)
    if not pushes:
        for topic in ("order", "execution", "position"):
            stage.world.fault(FaultKind.PUSH_DROP, "half", topic, count=6)
    stage.main.buy("0.1")
    stage.main.bid("0.05", "59500")
    stage.settle()
    stage.run(60_000)
    doubtful = [row for row in stage.sent("half") if isinstance(row.outcome, DoubtfulOutcome)]
    assert len(doubtful) == 2
    assert len(stage.placed("half")) == 2
    assert stage.of("half").held() == {"BTCUSDT": Decimal("0.05")}
    assert stage.of("half").book() == [("Buy", Decimal("0.025"), Decimal(59500))]
    assert stage.status()["in_doubt"] == 0


@pytest.mark.proves("A47")
def test_a_placement_nobody_ever_saw_is_sent_again_only_after_it_could_no_longer_arrive() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.world.fault(FaultKind.HANG, "half", CREATE)
    stage.main.buy("0.1")
    stage.run(12_000)
    first = stage.sent("half", PlaceOrder)[0]
    assert stage.world.now_ms() - first.at_ms < 13_000
    stage.settle()
    again = stage.sent("half", PlaceOrder)[1]
    assert again.at_ms - first.at_ms >= 8_000, "past the window in which the exchange takes a request"
    assert stage.of("half").volume() == (Decimal("0.05"), Decimal(0))
    assert isinstance(first.action, PlaceOrder)
    assert isinstance(again.action, PlaceOrder)
    assert again.action.link_id != first.action.link_id


@pytest.mark.proves("A47")
@pytest.mark.parametrize("path", [AMEND, CANCEL, STOP, "/v5/position/set-leverage"])
@pytest.mark.parametrize("kind", [FaultKind.LOSE_REPLY, FaultKind.HANG])
def test_what_has_no_link_id_is_settled_by_reading_the_state(path: str, kind: FaultKind) -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    order = stage.main.bid("0.05", "59500")
    stage.settle()
    stage.world.fault(kind, "half", path)
    match path:
        case "/v5/order/amend":
            stage.main.amend(order, price="59400")
        case "/v5/order/cancel":
            stage.main.cancel(order)
        case "/v5/position/trading-stop":
            stage.main.protect(stop="58500")
        case _:
            stage.main.set_leverage("5")
            stage.main.buy("0.1")
    stage.settle()
    assert stage.status()["in_doubt"] == 0
    match path:
        case "/v5/order/amend":
            assert stage.of("half").book() == [("Buy", Decimal("0.025"), Decimal(59400))]
        case "/v5/order/cancel":
            assert stage.of("half").book() == []
        case "/v5/position/trading-stop":
            assert stage.of("half").stop() == Decimal(58500)
        case _:
            assert stage.of("half").leverage() == 5
            assert stage.of("half").position() == Decimal("0.1")


@pytest.mark.proves("A48")
@pytest.mark.parametrize("filled", ["0.01", "0.025"])
@pytest.mark.parametrize("lost", [(), ("order",), ("execution",), ("order", "execution", "position")])
def test_a_cancel_that_finds_the_order_gone_looks_for_its_fill_first(filled: str, lost: tuple[str, ...]) -> None:
    """The twin fills while main cancels: what it bought is excess, and undone exactly once."""
    stage = Stage(copying("half", "0.5"))
    order = stage.main.bid("0.05", "59500")
    stage.settle()
    [twin] = stage.of("half").orders()
    for topic in lost:
        stage.world.fault(FaultKind.PUSH_DROP, "half", topic, count=2)
    stage.main.cancel(order)
    stage.run(1)
    stage.of("half").fill(twin["orderId"], filled)
    stage.settle()
    stage.run(30_000)
    assert stage.of("half").held() == {}
    assert stage.of("half").orders() == []
    assert stage.of("half").volume() == (Decimal(filled), Decimal(filled))


@pytest.mark.proves("A48")
def test_an_accepted_cancel_is_done_only_when_the_order_is_no_longer_open() -> None:
    """The acknowledgement of the cancel comes, the cancellation does not: the twin still counts, and is asked for."""
    stage = Stage(copying("half", "0.5"))
    order = stage.main.bid("0.05", "59500")
    stage.settle()
    stage.world.fault(FaultKind.PUSH_DROP, "half", "order", count=1)
    stage.main.cancel(order)
    stage.until(lambda: bool(stage.sent("half", CancelOrder)))
    stage.run(100)
    assert any(isinstance(intent.action, CancelOrder) for intent in stage.engine.book.open_intents())
    stage.settle()
    assert stage.engine.book.open_intents() == []
    assert len(stage.sent("half", CancelOrder)) == 1


@pytest.mark.proves("A53")
def test_after_a_blind_spell_the_account_is_read_anew_and_the_spell_is_told(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1")
    stage.settle()
    for name in ("main", "half"):
        stage.world.stream_down(name, "socket is already closed")
    stage.run(7_500)
    assert "socket is already closed" in stage.alerts("main", "stream-down")[0].text
    stage.main.sell("0.04", reduceOnly=True)  # nobody hears of it
    for name in ("main", "half"):
        stage.world.stream_up(name)
    stage.run(300)
    assert stage.of("half").position() == Decimal("0.03")
    assert "main: stream is back after 7.5 s blind" in caplog.text
    assert [alert.text for alert in stage.alerts("half", "stream-up")] == [
        "stream is back after 7.5 s blind; relisting"
    ]


@pytest.mark.proves("A53")
def test_a_stream_that_is_lost_again_after_a_restart_is_told_again() -> None:
    """The number of its connection is the same as in the life before; the loss is another one."""
    stage = Stage(copying("half", "0.5"))
    for _ in range(2):
        stage.engine.handle(StreamDown("half", 1, "socket is already closed"))
        stage.run(3_000)
        stage.restart()
        stage.settle()
    assert len(stage.alerts("half", "stream-down")) == 2


@pytest.mark.proves("A53", "A45")
def test_a_relist_asked_before_the_stream_was_up_proves_nothing() -> None:
    """Its answer may be older than what the stream missed; decisions wait for one that was asked afterwards."""
    stage = Stage(copying("half", "0.5"), start=False)
    stage.world.latency_ms["main"] = 400
    stage.start()
    stage.run(600)
    assert not stage.engine.is_known(stage.engine.main)
    stage.run(2_500)
    assert stage.engine.is_known(stage.engine.main), "it is asked again at once, not with the next timer"


@pytest.mark.proves("A53", "A86")
def test_what_was_read_before_the_stream_came_back_is_not_known_any_more() -> None:
    """While it was down the account was read every two seconds; what happened after the last read is not known."""
    stage = Stage(copying("half", "0.5"))
    stage.world.latency_ms["main"] = 300
    stage.world.stream_down("main", "socket is already closed")
    stage.run(9_000)
    assert stage.engine.is_known(stage.engine.main), "blind, and read a moment ago"
    stage.world.stream_up("main")
    stage.until(lambda: stage.engine.main.stream_up)
    assert not stage.engine.is_known(stage.engine.main)
    stage.run(2_500)
    assert stage.engine.is_known(stage.engine.main)


def life(stage: Stage) -> None:
    """A trade from entry to close with a twin, a stop, a cut and a flip."""
    for act in (
        lambda: stage.main.buy("0.1", stop="58000"),
        lambda: stage.main.bid("0.06", "59500"),
        lambda: stage.price("59500"),
        lambda: stage.main.sell("0.05", reduceOnly=True),
        lambda: stage.main.protect(stop="58500"),
        lambda: stage.main.sell("0.2"),
        lambda: stage.main.close(),
    ):
        act()
        stage.run(300)
        stage.settle()
        stage.run(6_000)
        stage.settle()


@cache
def calm_life(seed: int) -> dict[str, tuple[tuple[Decimal, Decimal], int]]:
    """Volume and number of fills of each mirror when nothing goes wrong."""
    stage = Stage(seed=seed)
    life(stage)
    return {name: (trader.volume(), len(trader.fills())) for name, trader in stage.mirrors.items()}


PUSHES = (FaultKind.PUSH_DROP, FaultKind.PUSH_DOUBLE, FaultKind.PUSH_REORDER, FaultKind.PUSH_STALE)


@pytest.mark.proves("A54", "A85")
@pytest.mark.parametrize("account", ["main", "half"])
@pytest.mark.parametrize("topic", ["order", "execution", "position", ""])
@pytest.mark.parametrize("kind", PUSHES)
@pytest.mark.parametrize("seed", [1])
def test_spoilt_pushes_change_neither_the_end_nor_the_number_of_orders(
    kind: FaultKind, topic: str, account: str, seed: int
) -> None:
    stage = Stage(seed=seed)
    stage.world.fault(kind, account, topic, count=None)
    life(stage)
    stage.world.gateway.faults.clear()
    stage.command("sync")
    for name, (volume, fills) in calm_life(seed).items():
        assert stage.of(name).held() == {}
        assert stage.of(name).orders() == []
        if topic:  # blind for every topic, the engine sees what stands every twenty seconds, not what was
            assert stage.of(name).volume() == volume
            assert len(stage.of(name).fills()) <= fills + 1


@pytest.mark.proves("A55")
def test_a_position_push_is_one_symbols_change() -> None:
    """After a push about one symbol every other one keeps its state, and so do its copies."""
    stage = Stage(copying("half", "0.5"))
    busy(stage)
    before = stage.of("half").held()
    for _ in range(5):
        stage.main.buy("0.02")
        stage.settle()
    after = stage.of("half").held()
    assert after == before | {"BTCUSDT": before["BTCUSDT"] + Decimal("0.05")}
    views = {row.symbol: row.signed for row in stage.engine.accounts["half"].view.positions()}
    assert views == after


@pytest.mark.proves("A85")
@pytest.mark.parametrize("seed", range(20))
def test_a_fill_is_counted_once_whichever_message_comes_first(seed: int) -> None:
    """Ten increases a second apart under random delays: no order is sent for what the last one already bought."""
    stage = Stage(copying("half", "0.5"), seed=seed)
    for _ in range(10):
        stage.main.buy("0.02")
        stage.run(40)
    stage.settle()
    assert stage.of("half").volume() == (Decimal("0.1"), Decimal(0))


@pytest.mark.proves("A10", "A48")
def test_a_stop_that_is_refused_is_tried_again_with_a_growing_pause_and_told_once() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1")
    stage.settle()
    number = stage.world.fault(FaultKind.RET_CODE, "half", STOP, count=None, code=110060, message="not allowed")
    stage.main.protect(stop="58000")
    stage.run(120_000)
    tries = stage.sent("half", SetTradingStop)
    assert 4 <= len(tries) <= 10
    assert len(stage.alerts("half", "110060")) == 1
    stage.world.gateway.faults.clear(number)
    stage.run(40_000)
    assert stage.of("half").stop() == Decimal(58000)
    assert stage.sent("half", AmendOrder) == []
