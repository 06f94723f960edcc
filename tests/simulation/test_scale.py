"""Two hundred open positions: what an account is read with grows with its pages, and an event with what it changed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.policy import Limits
from mirrorctl.core.engine.ports import Relist
from mirrorctl.core.paper.instruments import CATALOGUE
from mirrorctl.core.simulation.stage import Stage, copying

MANY, FEW = 200, 20
CONTRACTS = tuple(replace(CATALOGUE[1], symbol=f"C{n:03}USDT", symbol_id=1_000 + n) for n in range(MANY))


def holding(count: int) -> Stage:
    """Main holds so many positions, each with a stop, and one mirror follows them all."""
    limits = Limits(Decimal(100), None, None, None, max_orders_per_minute=None)
    stage = Stage(copying("half", "0.5", limits=limits), instruments=CONTRACTS)
    for contract in CONTRACTS[:count]:
        stage.main.buy("0.1", contract.symbol, stop="2800")
        stage.run(130)  # no faster than a mirror may follow: the exchange takes ten orders a second
    stage.settle(120_000)
    return stage


def counting(stage: Stage) -> Counter[tuple[str, str]]:
    """How often each (account, path) is asked for from now on."""
    asked: Counter[tuple[str, str]] = Counter()
    names = {uid: name for name, uid in stage.world.uids.items()}
    plain: Any = stage.world.gateway.request

    def counted(uid: int | None, method: str, path: str, params: dict[str, object], now_ms: int) -> object:
        asked[(names[uid] if uid is not None else "", path)] += 1
        return plain(uid, method, path, params, now_ms)

    mutable: Any = stage.world.gateway
    mutable.request = counted
    return asked


def reads_of_a_relist(stage: Stage) -> dict[str, int]:
    """How often each path is asked for by one whole relist of the mirror."""
    asked = counting(stage)
    stage.engine.accounts["half"].ask(Relist(stage.world.now_ms()), stage.world.now_ms())
    stage.run(1_000)
    return {path: number for (name, path), number in asked.items() if name == "half"}


@pytest.fixture(scope="module")
def stages() -> tuple[Stage, Stage]:
    """The same with few and with many positions, in step; every test leaves them so."""
    return holding(FEW), holding(MANY)


@pytest.mark.proves("A50")
def test_two_hundred_positions_are_read_in_pages_and_a_fill_costs_what_it_costs_with_twenty(
    stages: tuple[Stage, Stage],
) -> None:
    few, many = stages
    assert len(many.of("half").held()) == MANY
    assert many.of("half").stop(CONTRACTS[-1].symbol) == Decimal(2800)

    assert reads_of_a_relist(few) == {
        "/v5/order/realtime": 1,
        "/v5/position/list": 1,
        "/v5/account/wallet-balance": 1,
        "/v5/execution/list": 1,
    }
    assert reads_of_a_relist(many) == {
        "/v5/order/realtime": MANY // 50,  # the stops, in pages of 50
        "/v5/position/list": 1,  # in pages of 200
        "/v5/account/wallet-balance": 1,
        "/v5/execution/list": 1,
    }

    costs = []
    for stage in (few, many):
        asked, sent = len(stage.world.calls), len(stage.sent())
        stage.main.buy("0.1", CONTRACTS[0].symbol)
        stage.run(900)
        costs.append((len(stage.world.calls) - asked, len(stage.sent()) - sent))
        assert stage.of("half").position(CONTRACTS[0].symbol) == Decimal("0.1")
    (calls, orders), (calls_of_many, orders_of_many) = costs
    assert orders == orders_of_many == 1
    assert calls_of_many <= calls + 2, "a row that comes sooner or later is one write more or less"


@pytest.mark.proves("A50")
def test_the_time_of_a_pass_is_measured_and_stands_in_status() -> None:
    """Here planning takes seven milliseconds by the clock of the process."""
    stage = Stage(copying("half", "0.5"))
    plain, clock = stage.engine.plan_mirror, stage.world.clock

    def slow(*args: Any, **kwargs: Any) -> Any:
        clock.error_ms += 7
        return plain(*args, **kwargs)

    mutable: Any = stage.engine
    mutable.plan_mirror = slow
    stage.main.buy("0.1")
    stage.until(lambda: bool(stage.sent()))
    assert stage.status()["pass_ms"] == 7


@pytest.mark.proves("A50", "A56")
def test_a_restart_reads_lists_and_looks_for_no_order_that_was_told_of(stages: tuple[Stage, Stage]) -> None:
    """Rules and fees apart: those of many symbols are one list each over HTTP, see test_lists.py of the Bybit edge."""
    asked = {}
    for positions, stage in zip((FEW, MANY), stages, strict=True):
        stage.settle()
        counts, sent = counting(stage), len(stage.sent())
        stage.restart()
        stage.settle()
        stage.run(2_000)
        assert len(stage.sent()) == sent
        paths = ("/v5/order/realtime", "/v5/order/history", "/v5/execution/list", "/v5/position/list")
        asked[positions] = {name: sum(counts[(name, path)] for path in paths) for name in ("main", "half")}
    for name in ("main", "half"):
        assert asked[MANY][name] <= asked[FEW][name] + 20, "pages of fifty stops and of a hundred fills, a few times"
