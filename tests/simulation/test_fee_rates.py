"""The fee rate of an account: read once when it is asked for, and known to be missing where the exchange has none."""

from __future__ import annotations

from decimal import Decimal

from mirrorctl.core.engine.ports import FeeRateAnswer, ReadFeeRate
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage

SYMBOL = "BTCUSDT"
PATH = "/v5/account/fee-rate"
ASKED = "half ask ReadFeeRate"


def ask(stage: Stage) -> None:
    stage.engine.accounts["half"].ask(ReadFeeRate(SYMBOL), stage.engine.now_ms())


def test_a_rate_is_kept_by_account_and_symbol() -> None:
    stage = Stage()
    assert stage.engine.accounts["half"].fee_rates == {}
    ask(stage)
    stage.run(200)
    assert stage.engine.accounts["half"].fee_rates == {
        SYMBOL: FeeRateAnswer(SYMBOL, Decimal("0.00055"), Decimal("0.0002"))
    }
    assert stage.engine.accounts["quarter"].fee_rates == {}


def test_an_exchange_without_rates_is_asked_again_after_a_minute_only() -> None:
    stage = Stage()
    number = stage.world.fault(FaultKind.RET_CODE, "half", PATH, count=None, code=10001, message="not supported")
    for _ in range(50):
        ask(stage)
        stage.run(1_000)
    assert stage.world.calls.count(ASKED) == 1
    assert stage.engine.accounts["half"].fee_rates == {SYMBOL: None}
    stage.world.gateway.faults.clear(number)
    stage.run(15_000)
    ask(stage)
    stage.run(1_000)
    rate = stage.engine.accounts["half"].fee_rates[SYMBOL]
    assert rate is not None
    assert rate.taker == Decimal("0.00055")


def test_a_lost_answer_says_nothing_about_the_rate() -> None:
    stage = Stage()
    stage.world.fault(FaultKind.RET_CODE, "half", PATH, code=10016, message="busy")
    ask(stage)
    stage.run(500)
    assert stage.engine.accounts["half"].fee_rates == {}
    stage.run(3_000)
    ask(stage)
    stage.run(500)
    assert stage.engine.accounts["half"].fee_rates[SYMBOL] is not None
