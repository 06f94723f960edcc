"""One run: which fleets, how much of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from random import Random
from typing import cast

from benchmarks.cores import awake, pair
from benchmarks.exchange import Reaction, Remote
from benchmarks.figures import FLOOR, percentile
from benchmarks.fleet import BY_NAME, MIRRORCTL, MIRRORCTL_HTTP, VARIANTS, Fleet
from benchmarks.ladder import rebuilt
from benchmarks.measures import Effort, grown, reactions, relisted, sustained
from benchmarks.profile import profiled
from benchmarks.results import Results, machine
from benchmarks.startup import starts
from benchmarks.throughput import throughput

Say = Callable[[str], None]
PARTS = ("reaction", "fan-out", "sustained", "growth", "fills", "relist", "ladder", "start", "throughput", "profile")


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything."""

    reaction: Effort
    fan_out: Effort
    mirrors: tuple[int, ...]
    burst: int
    bursts: int
    burst_s: float
    positions: tuple[int, ...]
    growth: Effort
    fills: int
    starts: int
    plans: int
    schedules: int
    profile: Effort


FULL = Plan(
    reaction=Effort(12, 30),
    fan_out=Effort(5, 6),
    mirrors=(10, 50, 100),
    burst=3_000,
    bursts=3,
    burst_s=8.0,
    positions=(1, 50, 200),
    growth=Effort(8, 25),
    fills=400,
    starts=15,
    plans=500,
    schedules=10,
    profile=Effort(8, 25, 0.02),
)
QUICK = Plan(
    reaction=Effort(2, 8),
    fan_out=Effort(2, 3),
    mirrors=(10,),
    burst=300,
    bursts=1,
    burst_s=2.0,
    positions=(1, 50),
    growth=Effort(2, 8),
    fills=40,
    starts=3,
    plans=100,
    schedules=2,
    profile=Effort(1, 10, 0.02),
)
REBUILDS = (1, 3)
_FEW = ("pybit → WebSocketTrading", "pybit → HTTP")


def measure(plan: Plan, parts: Collection[str], seed: int, say: Say) -> Results:
    """Carry out the parts that are asked for."""
    began = time.monotonic()
    results = Results(machine())
    random = Random(seed)
    ours, theirs = pair()
    with Remote(ours) as exchange, awake((ours, theirs)):
        run = _Run(
            exchange, plan, random, theirs, results, lambda text: say(f"{time.monotonic() - began:4.0f} s: {text}")
        )
        if {"reaction", "sustained"} & set(parts):
            run.one_mirror(parts)
        if "fan-out" in parts:
            for mirrors in plan.mirrors:
                run.fan_out(mirrors)
        if "growth" in parts or "relist" in parts:
            run.growth(parts)
        if "fills" in parts:
            run.fills()
        if "profile" in parts:
            run.profile()
    if "ladder" in parts:
        run.say("ladders")
        results.ladders = [rebuilt(rebuilds) for rebuilds in REBUILDS]
    if "start" in parts:
        run.say("start-up")
        results.starts = starts(plan.starts, random)
    if "throughput" in parts:
        run.say("planner and simulation")
        results.throughput = throughput(plan.plans, plan.schedules)
    results.seconds = round(time.monotonic() - began)
    return results


@dataclass(slots=True)
class _Run:
    exchange: Remote
    plan: Plan
    random: Random
    core: int | None
    results: Results
    say: Say

    def one_mirror(self, parts: Collection[str]) -> None:
        """Reactions and bursts of every client."""
        self.say("every client, one mirror")
        with Fleet(self.exchange, VARIANTS, self.core) as fleet:
            if "reaction" in parts:
                self.results.reaction = reactions(fleet, self.plan.reaction, self.random)
                self.say("with orders and positions ahead")
                self.results.reaction_ahead = reactions(fleet, self.plan.reaction, self.random, ahead=True)
                self.results.memory_mib[1] = fleet.resident_kib(MIRRORCTL) / 1024
            if "sustained" in parts:
                self.say("a burst of events")
                self.results.sustained = sustained(
                    fleet, self.plan.burst, self.plan.bursts, self.plan.burst_s, self.random
                )

    def fan_out(self, mirrors: int) -> None:
        """One event for many mirrors, acks after the last order and between them."""
        self.say(f"fan-out to {mirrors}")
        chosen = [BY_NAME[name] for name in (FLOOR, MIRRORCTL, MIRRORCTL_HTTP, *_FEW)]
        with Fleet(self.exchange, chosen, self.core, mirrors) as fleet:
            effort = self.plan.fan_out
            self.results.fan_out[mirrors] = reactions(fleet, effort, self.random, hold=True)
            self.say(f"fan-out to {mirrors}, acks in the middle")
            self.results.fan_out_acked[mirrors] = reactions(fleet, effort, self.random)
            self.results.memory_mib[mirrors] = fleet.resident_kib(MIRRORCTL) / 1024

    def growth(self, parts: Collection[str]) -> None:
        """One event while more and more positions are open, and reading them all anew. All at once, in turns."""
        self.say(f"{', '.join(map(str, self.plan.positions))} open positions")
        with ExitStack() as stack:
            fleets = {
                positions: stack.enter_context(Fleet(self.exchange, [BY_NAME[MIRRORCTL]], self.core, 1, positions))
                for positions in self.plan.positions
            }
            self.exchange.call("linger", 1.0)
            if "growth" in parts:
                self.results.growth = grown(fleets, MIRRORCTL, self.plan.growth, self.random)
            if "relist" in parts:
                self.results.relists = [relisted(fleet, MIRRORCTL, positions) for positions, fleet in fleets.items()]

    def fills(self) -> None:
        """One event after more and more fills of the same position."""
        self.say("a position of many fills")
        with Fleet(self.exchange, [BY_NAME[MIRRORCTL]], self.core) as fleet:
            venue = fleet.venue(MIRRORCTL)
            self.exchange.call("renew", venue)
            found = cast(list[Reaction], self.exchange.call("react", venue, [0.02] * self.plan.fills))
            tenth = max(self.plan.fills // 10, 1)
            for name, part in ((tenth, found[:tenth]), (self.plan.fills, found[-tenth:])):
                times = [one.orders_ns[-1] for one in part if one.whole]
                self.results.growth_fills[name] = percentile(times, 0.5) / 1000 if times else 0.0

    def profile(self) -> None:
        """Where the time goes."""
        self.say("under a profiler")
        self.results.profile = profiled(self.exchange, self.core, self.plan.profile, self.random)
