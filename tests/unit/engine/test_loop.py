"""The daemon's loop: news is decided on at once, and what only confirms waits a moment for what comes with it."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from functools import partial

from mirrorctl.core.engine.collector import Collector
from mirrorctl.core.engine.loop import Loop
from mirrorctl.core.engine.ports import Frame
from mirrorctl.core.simulation.stage import Stage, copying

LONG_S = 20.0


def told(stage: Stage, account: str) -> list[Frame]:
    """What the exchange pushes to an account now, in its order."""
    world = stage.world
    pushes = [push for push in world.gateway.drain() if push.uid == world.uids[account]]
    return [Frame(account, push.frame, world.clock.now_ms()) for push in pushes]


def topic(event: Frame) -> str:
    return str(event.payload["topic"])


def standing() -> Stage:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1")
    stage.settle()
    stage.run(1_000)
    return stage


def bought(stage: Stage) -> dict[str, Frame]:
    """Main buys at market: its messages by topic."""
    stage.world.spread_pushes = lambda: None  # type: ignore[method-assign]  # this test carries them itself
    stage.main.buy("0.1")
    return {topic(event): event for event in told(stage, "main")}


def test_the_execution_is_news_and_the_rows_that_come_with_it_confirm() -> None:
    stage = standing()
    engine, messages = stage.engine, bought(stage)
    engine.handle(messages["execution"])
    assert not engine.may_wait
    engine.process()
    for name in ("position", "order", "wallet"):
        engine.handle(messages[name])
    assert engine.may_wait


def test_rows_ahead_of_their_execution_wait_for_it() -> None:
    stage = standing()
    engine, messages = stage.engine, bought(stage)
    for name in ("order", "position"):
        engine.handle(messages[name])
        assert engine.may_wait
    engine.handle(messages["execution"])
    assert not engine.may_wait


def test_an_order_that_rests_a_stop_that_moves_and_a_cancel_are_news() -> None:
    stage = standing()
    stage.world.spread_pushes = lambda: None  # type: ignore[method-assign]
    order = stage.main.bid("0.1", "50000")
    stop, cancel = partial(stage.main.protect, stop="40000"), partial(stage.main.cancel, order)
    for deed in (None, stop, cancel):
        if deed is not None:
            deed()
        for event in told(stage, "main"):
            stage.engine.handle(event)
        assert not stage.engine.may_wait
        stage.engine.process()


def test_what_confirms_waits_no_longer_than_for_the_next_news() -> None:
    stage = standing()
    engine, messages = stage.engine, bought(stage)
    engine.handle(messages["execution"])
    engine.process()
    stage.main.bid("0.1", "50000")
    (news,) = [event for event in told(stage, "main") if topic(event) == "order"]
    rounds: list[bool] = []
    loop = Loop(patience_s=LONG_S)
    loop.deliver(messages["order"])
    loop.deliver(messages["position"])
    late = threading.Timer(0.05, loop.deliver, [news])
    late.start()
    began = time.monotonic()

    def once() -> bool:
        rounds.append(news.payload["data"][0]["orderId"] in {o.order_id for o in engine.main.view.orders("BTCUSDT")})
        return True

    loop.run(engine, until=once)
    late.join()
    assert rounds == [True], "one round, and the news was in it"
    assert time.monotonic() - began < LONG_S / 2


def test_what_only_confirms_is_decided_on_when_nothing_else_comes() -> None:
    stage = standing()
    engine, messages = stage.engine, bought(stage)
    engine.handle(messages["execution"])
    engine.process()
    loop = Loop(patience_s=0.01)
    loop.deliver(messages["order"])
    began = time.monotonic()
    loop.run(engine, until=lambda: True)
    assert 0.01 <= time.monotonic() - began < LONG_S


def test_what_may_wait_for_a_quiet_moment_is_done_in_one_and_never_between_messages() -> None:
    stage = standing()
    engine, messages = stage.engine, bought(stage)
    rests: list[int] = []
    loop = Loop()
    loop.at_rest = lambda: rests.append(1)
    for event in messages.values():
        loop.deliver(event)
        loop.run(engine, until=lambda: True)
    assert rests == []
    stage.run(2_000)  # nothing that has to be looked at again any more: the next look is a tick away
    loop.run(engine, until=lambda: bool(rests))
    assert rests == [1]


def test_the_collector_leaves_the_process_as_it_found_it() -> None:
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    collector = Collector()
    try:
        collector.rest()
        assert gc.get_threshold() > before
        assert gc.get_freeze_count() > frozen
        cycle: list[object] = []
        cycle.append(cycle)
        held = weakref.ref(kept := type("Kept", (), {})())
        cycle.append(kept)
        del cycle, kept
        junk = [[number] for number in range(2_000)]
        collector.rest()
        assert held() is None, "garbage is collected in a quiet moment"
        assert len(junk) == 2_000
    finally:
        collector.release()
    assert gc.get_threshold() == before
