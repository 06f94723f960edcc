"""Rate limits and outages in the whole system: entries wait with their reason, stops go first, nothing storms."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from mirrorctl.core.domain.actions import PlaceOrder, SetTradingStop
from mirrorctl.core.domain.policy import Limits
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.paper.instruments import CATALOGUE
from mirrorctl.core.paper.rates import RateRules
from mirrorctl.core.simulation.stage import Stage, copying

CONTRACTS = tuple(replace(CATALOGUE[1], symbol=f"C{n:03}USDT", symbol_id=1_000 + n) for n in range(15))
UNLIMITED = Limits(Decimal(100), None, None, None, max_orders_per_minute=None)


def arrivals(stage: Stage) -> list[int]:
    """When each request of the engine arrives at the exchange, from now on."""
    times: list[int] = []
    plain = stage.world.gateway.request

    def counted(uid: int | None, method: str, path: str, params: dict[str, Any], now_ms: int) -> Any:
        times.append(now_ms)
        return plain(uid, method, path, params, now_ms)

    stage.world.gateway.request = counted  # type: ignore[method-assign]  # counts, and passes on
    return times


def most_within(times: list[int], window_ms: int) -> int:
    return max(index - bisect_right(times, time - window_ms) + 1 for index, time in enumerate(times))


@pytest.mark.proves("A51")
def test_four_mirrors_of_15_new_positions_stay_within_every_limit_of_the_exchange() -> None:
    """Bybit's own limits stand: one request too many in 5 s would shut the address out."""
    mirrors = [copying(f"m{n}", "0.5", limits=UNLIMITED) for n in range(4)]
    stage = Stage(*mirrors, instruments=CONTRACTS, start=False)
    stage.world.gateway.rates.rules = RateRules()
    times = arrivals(stage)
    stage.start()
    stage.settle()
    for contract in CONTRACTS:
        stage.main.buy("0.1", contract.symbol, stop="2800")
    stage.settle(120_000)
    for mirror in mirrors:
        assert set(stage.of(mirror.name).held().values()) == {Decimal("0.05")}
        assert all(stage.of(mirror.name).stop(contract.symbol) == Decimal(2800) for contract in CONTRACTS)
        assert len(stage.of(mirror.name).held()) == len(CONTRACTS)
        assert len(stage.sent(mirror.name, PlaceOrder)) < 4 * len(CONTRACTS)
    assert most_within(times, 5_000) <= 350
    assert (stage.world.gateway.rates.bans, stage.world.gateway.rates.exceeded) == (0, 0)


def test_a_grid_of_45_entries_is_placed_at_the_pace_of_the_exchange_and_nothing_is_taken_back() -> None:
    """A spent rate holds what is not placed yet; a twin that rests goes on resting."""
    stage = Stage(copying("half", "0.5", limits=UNLIMITED))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    before = len(stage.sent("half"))
    for n in range(45):
        stage.main.bid("0.02", str(59_900 - 10 * n), stop="58000")
    stage.world.gateway.rates.rules = RateRules()
    stage.settle(60_000)
    twins = [order for order in stage.of("half").orders() if order["orderType"] == "Limit"]
    assert len(twins) == 45
    sent = [one.action for one in stage.sent("half")[before:]]
    assert [action for action in sent if not isinstance(action, PlaceOrder)] == []
    assert stage.status()["in_sync"]


@pytest.mark.proves("A29")
def test_while_entries_wait_for_their_rate_a_stop_is_moved_and_nothing_storms() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    world = stage.world
    full = stage.world.fault(FaultKind.RET_CODE, "half", "/v5/order/create", count=None, code=10006, reset_ms=-5_000)
    before = len(world.sent)
    stage.main.buy("0.1")
    stage.run(500)
    stage.main.protect(stop="58500")
    stage.run(10_000)
    assert stage.of("half").stop() == Decimal(58500)
    assert stage.held("half")[0].startswith("rate limit: ")
    status = stage.status()
    assert status["in_sync"] is False
    assert [row["breaker"] for row in status["accounts"]] == ["closed", "closed"]
    assert len(world.sent) - before < 40, "a refusal that names a time long past is not asked again and again"
    world.gateway.faults.clear(full)
    stage.settle()
    assert stage.of("half").position() == Decimal("0.1")


@pytest.mark.proves("A29")
def test_while_the_breaker_is_open_a_stop_is_moved_and_entries_are_not_tried() -> None:
    """Reads and orders of the mirror fail; position/trading-stop alone still answers."""
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    for path in ("/v5/order/create", "/v5/order/realtime", "/v5/position/list"):
        stage.world.fault(FaultKind.HTTP_STATUS, "half", path, count=None, status=502)
    stage.main.buy("0.1")
    stage.run(25_000)
    assert stage.status()["accounts"][1]["breaker"] == "open"
    stage.main.protect(stop="58500")
    stage.run(3_000)
    assert stage.of("half").stop() == Decimal(58500)
    assert len(stage.sent("half", PlaceOrder)) < 20
    assert stage.sent("half", SetTradingStop)
    stage.world.gateway.faults.clear()
    stage.settle()
    assert stage.of("half").position() == Decimal("0.1")


def test_an_account_that_cannot_be_reached_is_told_once_and_its_return_too() -> None:
    stage = Stage()
    stage.world.go_down("half")
    stage.run(60_000)
    (gone,) = [alert for alert in stage.alerts("half") if alert.kind == "breaker"]
    assert gone.text.startswith("breaker open: cannot be reached since 10 s: no connection")
    stage.world.come_back("half")
    stage.settle()
    stage.run(2_000)
    (back,) = [alert for alert in stage.alerts("half") if alert.kind == "breaker"][1:]
    assert back.text.startswith("breaker closed: reached again after 6")
    assert not [alert for alert in stage.alerts("quarter") if alert.kind in ("breaker", "unreachable")]


def test_after_a_403_nothing_is_sent_by_anybody_until_the_time_is_over() -> None:
    stage = Stage()
    times = arrivals(stage)
    stage.world.fault(FaultKind.HTTP_STATUS, "half", status=403)
    stage.run(30_000)  # a relist meets it
    pauses = [after - before for before, after in pairwise(times)]
    assert max(pauses) >= 5_000 > sorted(pauses)[-8], "one silence, shortened in the simulation, and for everybody"
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    assert stage.of("half").position() == Decimal("0.05")
