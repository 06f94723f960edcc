"""How fast decisions alone are: a pass over one mirror with nothing to do, and fault schedules on the virtual clock."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

from mirrorctl.core.simulation.play import play
from mirrorctl.core.simulation.schedule import draw
from mirrorctl.core.simulation.stage import Stage, copying
from mirrorctl.core.simulation.trader import SYMBOL


@dataclass(frozen=True, slots=True)
class Throughput:
    """Plans of one symbol a second, and schedules a minute (40 events and 3 kinds of faults on 2 mirrors each)."""

    plans_per_s: float
    schedules_per_minute: float


def throughput(plans: int, schedules: int) -> Throughput:
    """Measured on this thread: CPU time, so that what else runs matters little."""
    return Throughput(_plans_per_s(plans), _schedules_per_minute(schedules))


def _plans_per_s(count: int) -> float:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    engine = stage.engine
    mirror = engine.passes["half"]
    rates = []
    for _ in range(5):
        began = time.thread_time()
        for _ in range(count):
            engine.plan_mirror(mirror, {SYMBOL}, engine.now_ms(), keep=False)
        rates.append(count / (time.thread_time() - began))
    return median(rates)


def _schedules_per_minute(count: int) -> float:
    began = time.thread_time()
    for seed in range(1, count + 1):
        play(draw(seed))
    return 60 * count / (time.thread_time() - began)
