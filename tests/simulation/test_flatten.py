"""`flatten`: cancels and closes everywhere, says what remains, and nothing is built up again."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.core.domain.actions import PlaceOrder
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")


def full(stage: Stage) -> None:
    stage.command("trade.open", symbol="BTCUSDT", side="long", qty="0.1", stop="58000")
    stage.command("trade.open", symbol="ETHUSDT", side="short", qty="1", stop="3200")
    stage.command("trade.open", symbol="SOLUSDT", side="long", qty="40", entries=["140", "138", "136"])
    stage.settle()


@pytest.mark.proves("A72")
def test_everything_of_ours_goes_on_every_account_and_stays_gone() -> None:
    stage = Stage()
    full(stage)
    assert stage.of("half").held() == {"BTCUSDT": Decimal("0.05"), "ETHUSDT": Decimal("-0.5")}
    assert len(stage.of("half").orders("SOLUSDT")) == 3
    answer = stage.command("flatten")
    assert answer["partial"] is False
    stage.run(60_000)
    for trader in (stage.main, *stage.mirrors.values()):
        assert trader.held() == {}
        assert all(trader.orders(symbol) == [] for symbol in SYMBOLS)
    exits = [row.action for row in stage.sent(kind=PlaceOrder) if getattr(row.action, "reduce_only", False)]
    assert len(exits) == 6, "one order for each position"


@pytest.mark.parametrize("command", ["flatten", "sync"])
def test_a_command_waits_for_the_exchange_and_never_for_the_clock(command: str) -> None:
    """Its reads and orders leave at once: a few times the 30 ms that a message travels, and no tick of a second."""
    stage = Stage()
    full(stage)
    stage.run(1_010)  # a tick has just passed
    began = stage.world.now_ms()
    stage.command(command)
    assert stage.world.now_ms() - began < 400


@pytest.mark.proves("A72")
def test_the_dry_run_names_the_same_and_sends_nothing() -> None:
    stage = Stage()
    full(stage)
    sent = len(stage.sent())
    rehearsed = stage.command("flatten", dry_run=True)["plan"]
    stage.run(5_000)
    assert len(stage.sent()) == sent
    stage.command("flatten")
    done = [(row.account, row.action.symbol, type(row.action).__name__) for row in stage.sent()[sent:]]
    names = {"close": "PlaceOrder", "cancel": "CancelOrder"}
    assert sorted(done) == sorted((row["account"], row["symbol"], names[row["action"]]) for row in rehearsed)


@pytest.mark.proves("A72")
def test_an_account_that_cannot_be_reached_is_partial_and_the_others_are_flat() -> None:
    stage = Stage()
    full(stage)
    stage.world.go_down("half")
    answer = stage.command("flatten")
    assert answer["partial"] is True
    rows = {row["account"]: row["remains"] for row in answer["accounts"]}
    assert rows["main"] == rows["quarter"] == []
    assert any("0.05 BTCUSDT" in text for text in rows["half"])
    assert stage.main.held() == stage.of("quarter").held() == {}
    stage.world.come_back("half")
    stage.run(30_000)
    stage.command("flatten", account="half")
    assert stage.of("half").held() == {}


@pytest.mark.proves("A72")
def test_an_account_that_looked_flat_and_cannot_be_read_is_not_called_flat() -> None:
    stage = Stage()
    stage.world.go_down("half")
    stage.run(1_000)
    stage.of("half").buy("0.02")
    answer = stage.command("flatten", all=True)
    assert answer["partial"] is True
    errors = {row["account"]: row["error"] for row in answer["accounts"]}
    assert errors["main"] is errors["quarter"] is None
    assert errors["half"]


@pytest.mark.proves("A72")
@pytest.mark.parametrize("trouble", [FaultKind.LOSE_REPLY, FaultKind.REFUSE, FaultKind.HANG])
def test_an_order_that_fails_is_tried_again_without_closing_twice(trouble: FaultKind) -> None:
    stage = Stage(copying("half", "0.5"))
    full(stage)
    stage.world.fault(trouble, "half", "/v5/order/create", count=2)
    answer = stage.command("flatten", account="half")
    assert answer["partial"] is False
    assert stage.of("half").held() == {}
    bought, sold = stage.of("half").volume()
    assert (bought, sold) == (Decimal("0.55"), Decimal("0.55"))


@pytest.mark.proves("A72")
def test_it_goes_on_for_as_long_as_less_remains() -> None:
    """Eighty orders are eight rounds of what the exchange takes in a second."""
    stage = Stage(copying("half", "0.5"))
    half = stage.of("half")
    for number in range(80):
        half.bid("0.001", str(50_000 + number))
    half.buy("0.02")
    stage.settle()
    answer = stage.command("flatten", account="half", all=True)
    assert answer["partial"] is False
    assert (half.held(), half.orders()) == ({}, [])
    sent = [type(row.action) for row in stage.sent("half")]
    assert len(sent) == 81, "nothing is sent twice"
    assert sent.index(PlaceOrder) < 11, "what closes goes in the first round"


@pytest.mark.proves("A72")
def test_what_the_exchange_refuses_to_close_is_named() -> None:
    stage = Stage(copying("half", "0.5"))
    full(stage)
    stage.world.fault(FaultKind.RET_CODE, "half", "/v5/order/create", count=None, code=110066, message="not allowed")
    answer = stage.command("flatten", account="half")
    assert answer["partial"] is True
    [row] = answer["accounts"]
    assert any("BTCUSDT" in text for text in row["remains"])
    assert any("ETHUSDT" in text for text in row["remains"])
    assert stage.of("half").orders("SOLUSDT") == []


@pytest.mark.proves("A72", "A15")
def test_both_sides_of_a_hedged_account_go() -> None:
    stage = Stage(copying("half", "0.5"), hedged=("main", "half"))
    stage.main.buy("0.1", idx=1)
    stage.main.sell("0.06", idx=2)
    stage.settle()
    answer = stage.command("flatten", account="half")
    assert answer["partial"] is False
    assert stage.of("half").held() == {}
    assert (stage.of("half").position(idx=1), stage.of("half").position(idx=2)) == (Decimal(0), Decimal(0))


@pytest.mark.proves("A72", "A60")
@pytest.mark.parametrize("everything", [False, True])
def test_foreign_things_stay_unless_all_is_asked_for(everything: bool) -> None:
    stage = Stage(copying("half", "0.5"))
    full(stage)
    half = stage.of("half")
    half.buy("1000", "XRPUSDT")
    half.bid("0.01", "50000")
    stage.settle()
    stage.command("flatten", account="half", all=everything)
    assert half.held() == ({} if everything else {"XRPUSDT": Decimal(1000)})
    assert len(half.orders()) == (0 if everything else 1)
    stage.run(30_000)
    assert half.held() == ({} if everything else {"XRPUSDT": Decimal(1000)})


@pytest.mark.proves("A72", "A76")
def test_a_flattened_mirror_enters_again_only_after_main_was_flat_also_after_a_restart() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1")
    stage.settle()
    stage.command("flatten", account="half")
    stage.main.buy("0.1")
    stage.restart()
    stage.run(60_000)
    assert stage.of("half").held() == {}
    stage.main.close()
    stage.settle()
    stage.main.buy("0.1")
    stage.settle()
    assert stage.of("half").position() == Decimal("0.05")


@pytest.mark.proves("A72")
def test_an_account_that_never_answered_is_named_and_everything_is_not_done() -> None:
    stage = Stage(copying("half", "0.5"), copying("quarter", "0.25"))
    stage.main.buy("0.1")
    stage.settle()
    stage.world.kill()
    stage.world.start(without=("quarter",))
    stage.run(5_000)
    stage.engine.absent["quarter"] = "its key is refused"
    assert stage.command("flatten", account=None, dry_run=True)["unread"] == ["quarter"]
    answer = stage.command("flatten", account=None)
    assert answer["partial"] is True
    assert answer["accounts"][-1] == {"account": "quarter", "error": "its key is refused", "remains": []}
    assert stage.command("flatten", account="half")["partial"] is False
