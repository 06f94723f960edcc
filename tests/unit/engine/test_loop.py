"""The daemon's loop: news is decided on at once, and what only confirms waits a moment for what comes with it."""

from __future__ import annotations

import contextlib
import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
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


@contextlib.contextmanager
def running(loop: Loop, stage: Stage) -> Iterator[None]:
    """The loop on a thread of its own, as the daemon's main thread has it."""
    thread = threading.Thread(target=loop.run, args=(stage.engine,), name="loop")
    thread.start()
    try:
        yield
    finally:
        loop.stop()
        thread.join(10)
        assert not thread.is_alive()


def noting(stage: Stage) -> list[str]:
    """Names of the threads that the engine's rounds of decisions run on."""
    plain, rounds = stage.engine.process, []

    def process() -> None:
        rounds.append(threading.current_thread().name)
        plain()

    stage.engine.process = process  # type: ignore[method-assign]  # noted, not replaced
    return rounds


def test_news_is_decided_on_by_the_thread_that_brings_it() -> None:
    stage = standing()
    stage.run(2_000)
    rounds, messages = noting(stage), bought(stage)
    loop = Loop()
    with running(loop, stage):
        loop.call(lambda: None)
        until(lambda: bool(rounds))  # the loop runs
        loop.leave(messages["execution"])
        loop.drive()
        assert threading.current_thread().name in rounds, "the round was over when `drive` came back"


def test_what_comes_while_somebody_decides_is_left_to_the_loop() -> None:
    stage = standing()
    rounds, messages = noting(stage), bought(stage)
    loop, began, go = Loop(), threading.Event(), threading.Event()

    def long_call() -> None:
        began.set()
        go.wait(10)

    with running(loop, stage):
        loop.call(long_call)
        assert began.wait(10)
        loop.leave(messages["execution"])
        loop.drive()
        assert "MainThread" not in rounds
        assert not stage.engine.main.view.has_seen(executed(messages))
        go.set()
        until(lambda: stage.engine.main.view.has_seen(executed(messages)))
    assert set(rounds) == {"loop"}


def test_nothing_that_comes_from_many_threads_is_lost() -> None:
    stage = standing()
    loop, each = Loop(), 300
    taken: list[tuple[int, int]] = []

    def bring(name: int) -> None:
        for number in range(each):
            loop.call(partial(taken.append, (name, number)))
            if not number % 3:
                loop.drive()

    with running(loop, stage):
        threads = [threading.Thread(target=bring, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        until(lambda: len(taken) == 4 * each)
    assert all([n for who, n in taken if who == name] == list(range(each)) for name in range(4)), "each in its order"


def test_where_it_cannot_be_said_when_to_wake_the_loop_goes_on() -> None:
    stage = standing()
    plain, calls = stage.engine.next_wake_ms, [0]
    taken: list[int] = []

    def fails_once() -> int:
        calls[0] += 1
        if calls[0] == 2:
            raise LookupError("nobody thought of this")
        return plain()

    stage.engine.next_wake_ms = fails_once  # type: ignore[method-assign]  # fails, and is not replaced
    loop = Loop()
    with running(loop, stage):
        for number in range(3):
            loop.call(partial(taken.append, number))
            loop.drive()
        until(lambda: taken == [0, 1, 2])
    assert loop.failures == 1


def test_after_the_loop_has_ended_nobody_decides() -> None:
    stage = standing()
    messages = bought(stage)
    loop = Loop()
    with running(loop, stage):
        pass
    rounds = noting(stage)
    loop.leave(messages["execution"])
    loop.drive()
    assert rounds == []
    assert not stage.engine.main.view.has_seen(executed(messages))


def executed(messages: dict[str, Frame]) -> str:
    return str(messages["execution"].payload["data"][0]["execId"])


def until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.002)


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
