"""Two hundred open positions: what an account is read with grows with its pages, and an event with what it changed."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

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


def reads_of_a_relist(stage: Stage) -> dict[str, int]:
    """How often each path is asked for by one whole relist of the mirror."""
    paths: dict[str, int] = {}
    plain = stage.world.gateway.request

    def counted(uid: int | None, method: str, path: str, params: dict[str, object], now_ms: int) -> object:
        if uid == stage.world.uids["half"]:
            paths[path] = paths.get(path, 0) + 1
        return plain(uid, method, path, params, now_ms)

    stage.world.gateway.request = counted  # type: ignore[method-assign,assignment]  # counts, and passes on
    stage.engine.accounts["half"].ask(Relist(stage.world.now_ms()), stage.world.now_ms())
    stage.run(1_000)
    return paths


@pytest.mark.proves("A50")
def test_two_hundred_positions_are_read_in_pages_and_a_fill_costs_what_it_costs_with_twenty() -> None:
    few, many = holding(FEW), holding(MANY)
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
