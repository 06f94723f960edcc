"""Deposits and withdrawals: noticed where equity sizes a mirror, told once, and no cycle changes by them (A77)."""

from __future__ import annotations

import logging
from decimal import Decimal

import pytest

from mirrorctl.core.domain.policy import Limits, MirrorPolicy, Sizing, SizingMode
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.paper.refusals import Refusal
from mirrorctl.core.simulation.stage import Stage, copying

LOG = "/v5/account/transaction-log"
FREE = Limits(Decimal(100), None, None, None)


def by(mode: SizingMode) -> MirrorPolicy:
    return copying("copy", sizing=Sizing(mode, Decimal(1)), limits=FREE)


def pay(stage: Stage, name: str, amount: str) -> None:
    world = stage.world
    world.exchange.deposit(world.uids[name], Decimal(amount), world.now_ms())
    world.spread_pushes()


def told(stage: Stage) -> list[tuple[str, str]]:
    return [(alert.account, alert.text.partition(":")[0]) for alert in stage.alerts(containing="transfer: ")]


@pytest.mark.proves("A77")
def test_a_deposit_is_told_once_and_only_the_next_cycle_uses_it() -> None:
    stage = Stage(by(SizingMode.EQUITY), balances={"copy": Decimal(20_000)})
    stage.main.bid("0.1", "59000", stop="50000")
    stage.settle()
    assert stage.of("copy").book() == [("Buy", Decimal("0.02"), Decimal(59000))]
    pay(stage, "copy", "30000")
    pay(stage, "main", "-50000")
    stage.run(70_000)
    assert sorted(told(stage)) == [("copy", "deposit of 30000 USDT"), ("main", "withdrawal of 50000 USDT")]
    (text,) = {alert.text.partition(": ")[2] for alert in stage.alerts(containing="transfer: ")}
    assert text == "open cycles keep their ratio, the next one uses it"
    for _ in range(3):
        stage.restart()
        stage.run(130_000)
    assert len(told(stage)) == 2
    assert stage.of("copy").book() == [("Buy", Decimal("0.02"), Decimal(59000))]
    stage.main.bid("1", "2900", "ETHUSDT")
    stage.settle()
    assert stage.of("copy").book("ETHUSDT") == [("Buy", Decimal(1), Decimal(2900))], "50,000 of 50,000"


def test_what_was_paid_before_the_first_start_is_old_news() -> None:
    stage = Stage(by(SizingMode.RISK), start=False)
    pay(stage, "copy", "1000")
    stage.run(1_000)
    stage.start()
    stage.run(200_000)
    assert told(stage) == []
    pay(stage, "main", "1000")
    pay(stage, "copy", "1000")
    stage.world.kill()
    stage.run(86_400_000)
    stage.start()
    stage.run(5_000)
    assert told(stage) == [("copy", "deposit of 1000 USDT")], "main's equity counts for nothing here"


def test_where_no_mode_counts_equity_nothing_is_asked() -> None:
    stage = Stage(by(SizingMode.PROPORTION))
    pay(stage, "copy", "1000")
    stage.run(200_000)
    assert not any("ReadTransfers" in call for call in stage.world.calls)


@pytest.mark.parametrize(
    "how",
    [
        {"kind": FaultKind.RET_CODE, "code": 10005, "message": "Permission denied"},
        {"kind": FaultKind.HTTP_STATUS, "status": 404},
    ],
    ids=["no permission", "no such route"],
)
def test_an_exchange_without_the_log_breaks_nothing(how: dict[str, object], caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage(by(SizingMode.EQUITY), start=False)
    kind = how.pop("kind")
    assert isinstance(kind, FaultKind)
    stage.world.fault(kind, "copy", LOG, count=None, **how)
    with caplog.at_level(logging.WARNING):
        stage.start()
        stage.settle()
        stage.run(600_000)
    assert sum("deposits are not noticed" in record.message for record in caplog.records) == 1
    assert stage.status()["in_sync"]
    stage.main.buy("0.1", stop="50000")
    stage.settle()
    assert stage.of("copy").position() > 0


def test_more_than_is_available_cannot_be_paid_out() -> None:
    stage = Stage(by(SizingMode.EQUITY))
    stage.main.buy("1")
    with pytest.raises(Refusal):
        pay(stage, "main", "-99000")
    with pytest.raises(Refusal):
        pay(stage, "main", "0")
