"""No answer of the exchange makes a storm: whatever it keeps saying, requests are bounded and the reason is visible.

One code for each family of retCodes; that every code of the table belongs to one of them is tests/unit/bybit's
test_families. Beside the mirror that is refused, one follows to which nothing happens.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest

from mirrorctl.core.domain.actions import PlaceOrder, SetTradingStop
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying

CREATE, CANCEL, AMEND = "/v5/order/create", "/v5/order/cancel", "/v5/order/amend"
STOP, LEVERAGE = "/v5/position/trading-stop", "/v5/position/set-leverage"
TEN_MINUTES_MS = 600_000
THREE_MINUTES_MS = 180_000

MARGIN, RATE, CLOCK, SLOT = 110007, 10006, 10002, 110009
REDUCING, PERMISSION, OLD, SERVER, DOUBLE = 110023, 10005, 110001, 10000, 110072
WAITING = (MARGIN, RATE, CLOCK, SLOT)
PARKING = (REDUCING, PERMISSION, OLD, SERVER, DOUBLE)


def refuse(stage: Stage, code: int, *paths: str) -> None:
    """Every such write of the mirror is answered with the code, from now on."""
    how = {"reset_ms": -5_000} if code == RATE else {}
    for path in paths:
        stage.world.fault(FaultKind.RET_CODE, "half", path, count=None, code=code, message="no", **how)


def questions(stage: Stage, since: int) -> int:
    """How much was asked about the mirror, relists apart."""
    calls = Counter(stage.world.calls[since:])
    return sum(n for call, n in calls.items() if call.startswith("half ask") and "Relist" not in call)


@pytest.mark.proves("A57", "A51")
@pytest.mark.parametrize("code", [*WAITING, *PARKING])
def test_an_entry_that_is_refused_waits_or_parks_and_everything_else_goes_on(code: int) -> None:
    stage = Stage(copying("half", "0.5"), copying("calm", "0.25"))
    refuse(stage, code, CREATE, LEVERAGE)
    since = len(stage.world.calls)
    stage.main.buy("0.1", stop="58000")
    resting = stage.main.bid("0.05", "59500")
    stage.run(TEN_MINUTES_MS)
    status = stage.status()
    assert len(stage.sent("half")) <= 140, "two entries, each at most every ten seconds"
    assert questions(stage, since) <= 120
    assert [row["reason"] for row in status["parked"] + status["held"] if row["account"] == "half"], "it is visible"
    assert bool(stage.parked("half")) is (code in PARKING)
    if code in (SERVER, DOUBLE):
        assert stage.parked("half") == ["sent without an answer 5 times, and never on the exchange"]
    assert len(stage.alerts("half")) <= 6
    assert stage.of("half").held() == {}
    assert stage.of("calm").held() == {"BTCUSDT": Decimal("0.025")}
    assert stage.of("calm").book() == [("Buy", Decimal("0.012"), Decimal(59_500))]
    # nothing is refused any more: another symbol is followed at once, and this one after `resume`
    stage.world.gateway.faults.clear()
    stage.main.buy("1", "ETHUSDT")
    stage.run(12_000)
    assert stage.of("half").held().get("ETHUSDT") == Decimal("0.5")
    stage.command("resume", account="half")
    stage.main.cancel(resting)
    stage.run(5_000)
    assert stage.parked("half") == []
    assert stage.of("half").position() == Decimal("0.05") or stage.held("half") != []


@pytest.mark.proves("A57", "A2")
@pytest.mark.parametrize("path", [CREATE, AMEND])
def test_a_twin_that_is_refused_for_good_or_cannot_be_changed_parks_its_symbol(path: str) -> None:
    stage = Stage(copying("half", "0.5"), copying("calm", "0.25"))
    if path == CREATE:
        refuse(stage, REDUCING, path)
    resting = stage.main.bid("0.05", "59500")
    stage.run(2_000)
    if path == AMEND:
        refuse(stage, REDUCING, path)
        stage.main.amend(resting, price="59400")
    stage.run(TEN_MINUTES_MS)
    assert stage.parked("half")[0].startswith("refused by the exchange (110023): ")
    assert len(stage.sent("half")) <= 3
    assert stage.of("half").orders() == [], "no entry stands where main has none"
    assert len(stage.of("calm").book()) == 1
    stage.world.gateway.faults.clear()
    stage.command("resume")
    stage.settle()
    assert stage.of("half").book() == [("Buy", Decimal("0.025"), stage.main.book()[0][2])]


@pytest.mark.proves("A57", "A29")
@pytest.mark.parametrize("code", [MARGIN, RATE, SERVER])
def test_what_is_open_is_protected_at_a_steady_pace_whatever_is_refused(code: int) -> None:
    """Stops, reductions and cancels are tried again and again, never given up, and never in a storm."""
    stage = Stage(copying("half", "0.5"))
    half = stage.of("half")
    stage.main.buy("0.2", stop="58000")
    entry, gone = stage.main.bid("0.05", "59500"), stage.main.bid("0.05", "59000")
    target = stage.main.offer("0.1", "62000", reduceOnly=True)
    stage.settle()
    refuse(stage, code, CREATE, CANCEL, AMEND, STOP)
    since, before = len(stage.world.calls), len(stage.sent())
    stage.main.amend(entry, price="59400")
    stage.main.amend(target, price="62400")
    stage.main.cancel(gone)
    stage.main.protect(stop="58500")
    stage.main.sell("0.1", reduceOnly=True)
    stage.run(THREE_MINUTES_MS)
    sent = stage.sent("half")[before:]
    assert len(sent) <= 200
    assert questions(stage, since) <= 300
    late = [row.action for row in sent if row.at_ms > stage.world.now_ms() - 70_000]
    assert any(isinstance(action, SetTradingStop) for action in late), "its stop is tried on"
    assert any(isinstance(action, PlaceOrder) and action.reduce_only for action in late), "and its reduction"
    assert len(stage.alerts("half")) <= 13
    assert half.stop() == Decimal(58_000), "what stood stands"
    assert not stage.status()["in_sync"]
    assert [row["what"] for row in stage.status()["missing"] + stage.status()["loops"]] or code == RATE
    stage.world.gateway.faults.clear()
    stage.command("resume")
    stage.run(62_000)
    stage.settle()
    assert (half.position(), half.stop()) == (Decimal("0.05"), Decimal(58_500))


def test_a_target_that_found_nothing_to_reduce_is_placed_again() -> None:
    """The position closed while it was on its way (110017); main opens anew, with the same order standing."""
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.2", stop="58000")
    stage.settle()
    message = "current position is zero, cannot fix reduce-only order qty"
    stage.world.fault(FaultKind.RET_CODE, "half", CREATE, code=110017, message=message)
    stage.main.offer("0.1", "62000", reduceOnly=True)
    stage.run(5_000)
    assert stage.of("half").book() == [("Sell", Decimal("0.05"), Decimal(62_000))]
    assert stage.parked("half") == []
