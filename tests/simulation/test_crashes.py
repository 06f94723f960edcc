"""Killed at every port call, before and after it took effect; and restarts in general.

Every call of the engine to a port is numbered: reads asked, actions sent, rows written. The process dies there, its
requests on the way still arrive, and a new process takes the store up a second later.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from mirrorctl.core.domain.actions import PlaceOrder
from mirrorctl.core.simulation.stage import Stage, copying


def trade(stage: Stage) -> None:
    """Entry with a stop, a twin that fills, a flip, a close."""
    for act in (
        lambda: stage.main.buy("0.1", stop="58000"),
        lambda: stage.main.bid("0.06", "59500"),
        lambda: stage.price("59500"),
        lambda: stage.main.sell("0.24", stop="62000"),
        lambda: stage.main.close(),
    ):
        act()
        rest(stage)


def lag_and_cancel(stage: Stage) -> None:
    """A twin that lags past the grace, one that leads, and an order that main takes back."""
    stage.main.set_leverage("5")
    order = stage.main.bid("0.1", "59900")
    rest(stage)
    stage.main.fill(order, "0.04")
    stage.run(10_000)  # the grace begins anew when a process takes over
    rest(stage)
    for twin in stage.of("half").orders():
        stage.of("half").fill(twin["orderId"], "0.01")
    rest(stage)
    stage.main.cancel(order)
    rest(stage)
    stage.of("half").protect(stop="59950")
    stage.price("59950")
    rest(stage)
    stage.main.close()


def rest(stage: Stage) -> None:
    """Long enough for a restart and its reads; the trader does not wait for the mirrors."""
    stage.world.run(4_000)
    stage.world.run(60_000, stage.converged)


def end(stage: Stage) -> dict[str, object]:
    return {
        name: (trader.held(), trader.book(), trader.volume())
        for name, trader in {"main": stage.main, **stage.mirrors}.items()
    }


def lived(script: Callable[[Stage], None], crash_at: int = 0, after: bool = False) -> Stage:
    stage = Stage(copying("half", "0.5"), start=False)
    stage.world.crash_at, stage.world.crash_after = crash_at, after
    stage.start()
    stage.world.run(3_000)
    script(stage)
    rest(stage)
    return stage


BEFORE = 7  # a kill before a call finds what one after the call before it left, so only some of them are tried
SCRIPTS = {"trade": trade, "lag and cancel": lag_and_cancel}


@pytest.mark.proves("A43")
@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
@pytest.mark.parametrize("script", sorted(SCRIPTS))
def test_killed_at_any_port_call_the_end_and_the_volume_are_the_same(script: str, after: bool) -> None:
    calm = lived(SCRIPTS[script])
    wanted, calls = end(calm), list(calm.world.calls)
    assert wanted["half"][0] == {}, "the script ends flat"  # type: ignore[index]  # the tuple above
    failures = []
    for number in range(1, len(calls) + 1, 1 if after else BEFORE):
        stage = lived(SCRIPTS[script], number, after)
        assert stage.world.kills == 1
        links = [order.link_id for name in stage.mirrors for order in stage.placed(name)]
        found = end(stage)
        if found != wanted or len(links) != len(set(links)):
            failures.append(f"call {number} ({calls[number - 1]}): {found}, {len(links) - len(set(links))} sent twice")
    assert not failures, f"{len(failures)} of {len(calls)}, wanted {wanted}:\n" + "\n".join(failures)


@pytest.mark.proves("A43", "A56")
@pytest.mark.parametrize("seed", range(5))
def test_killed_again_and_again_the_end_is_the_same(seed: int) -> None:
    """Kills every few hundred milliseconds all through the trade."""
    stage = Stage(seed=seed)
    for n in range(40):
        stage.world.at(
            700 * n + stage.world.random.randint(0, 600),
            lambda: stage.restart() if stage.world.engine is not None else None,
        )
    stage.main.buy("0.1", stop="58000")
    stage.run(9_000)
    stage.main.buy("0.05")
    stage.run(9_000)
    stage.main.sell("0.09", reduceOnly=True)
    stage.run(12_000)
    stage.settle()
    assert stage.world.kills == 40
    for name, size in (("half", "0.03"), ("quarter", "0.015")):
        mirror = stage.of(name)
        assert mirror.held() == {"BTCUSDT": Decimal(size)}
        assert mirror.stop() == Decimal(58000)
        bought, sold = mirror.volume()
        assert bought <= Decimal("0.15") * (Decimal("0.5") if name == "half" else Decimal("0.25"))
        assert bought - sold == Decimal(size)


@pytest.mark.proves("A56")
def test_a_restart_with_open_positions_sends_nothing() -> None:
    stage = Stage()
    stage.main.buy("0.1", stop="58000", target="64000")
    stage.main.sell("1", "ETHUSDT")
    stage.main.bid("0.05", "59000")
    stage.settle()
    sent, alerts = len(stage.sent()), len(stage.alerts())
    for _ in range(5):
        stage.restart()
        stage.settle()
        stage.run(25_000)
    assert len(stage.sent()) == sent
    assert len(stage.alerts()) == alerts


@pytest.mark.proves("A43", "A11")
def test_what_main_did_while_no_daemon_ran_is_made_up_for_once() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.main.buy("1", "ETHUSDT")
    stage.settle()
    stage.world.kill()
    stage.run(30_000)
    stage.main.buy("0.1")
    stage.main.protect(stop="58500")
    stage.main.close("ETHUSDT")
    stage.main.sell("100", "SOLUSDT")
    stage.run(30_000)
    stage.start()
    stage.settle()
    stage.run(30_000)
    half = stage.of("half")
    assert half.held() == {"BTCUSDT": Decimal("0.1"), "SOLUSDT": Decimal(-50)}
    assert half.stop() == Decimal(58500)
    assert len(stage.sent("half", PlaceOrder)) == 5
