"""One run: which fleets, how much of each."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from random import Random
from typing import cast

from benchmarks.cores import awake, pair
from benchmarks.exchange import Reaction, Remote
from benchmarks.figures import FLOOR, percentile
from benchmarks.fleet import BY_NAME, MIRRORCTL, MIRRORCTL_HTTP, VARIANTS, Fleet
from benchmarks.measures import Effort, reactions, relisted, sustained
from benchmarks.results import Results, machine
from benchmarks.startup import starts
from benchmarks.throughput import throughput

Say = Callable[[str], None]
PARTS = ("reaction", "fan-out", "sustained", "growth", "fills", "relist", "start", "throughput")


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


FULL = Plan(Effort(12, 30), Effort(6, 8), (10, 50, 100), 5_000, 3, 15.0, (1, 50, 200), Effort(8, 25), 200, 15, 500, 10)
QUICK = Plan(Effort(2, 8), Effort(2, 3), (10,), 300, 1, 2.0, (1, 50), Effort(2, 8), 40, 3, 100, 2)
_FEW = ("pybit → WebSocketTrading", "pybit → HTTP")


def measure(plan: Plan, parts: Collection[str], seed: int, say: Say) -> Results:
    """Carry out the parts that are asked for."""
    results = Results(machine())
    random = Random(seed)
    ours, theirs = pair()
    with Remote(ours) as exchange, awake((ours, theirs)):
        run = _Run(exchange, plan, random, theirs, results, say)
        if {"reaction", "sustained"} & set(parts):
            run.one_mirror(parts)
        if "fan-out" in parts:
            for mirrors in plan.mirrors:
                run.fan_out(mirrors)
        if "growth" in parts or "relist" in parts:
            run.growth(parts)
        if "fills" in parts:
            run.fills()
    if "start" in parts:
        say("start-up")
        results.starts = starts(plan.starts, random)
    if "throughput" in parts:
        say("planner and simulation")
        results.throughput = throughput(plan.plans, plan.schedules)
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
            self.results.memory_mib[mirrors] = fleet.resident_kib(MIRRORCTL) / 1024
            effort = self.plan.fan_out
            self.results.fan_out[mirrors] = reactions(fleet, effort, self.random, hold=True)
            self.results.fan_out_acked[mirrors] = reactions(fleet, effort, self.random)

    def growth(self, parts: Collection[str]) -> None:
        """One event while more and more positions are open, and reading them all anew."""
        for positions in self.plan.positions:
            self.say(f"{positions} open positions")
            with Fleet(self.exchange, [BY_NAME[MIRRORCTL]], self.core, 1, positions) as fleet:
                self.exchange.call("linger", 1.0)
                if "growth" in parts:
                    (figure,) = reactions(fleet, self.plan.growth, self.random)
                    self.results.growth_cpu[positions] = figure.cpu_us or 0.0
                    self.results.growth_p50[positions] = figure.p50_us or 0.0
                if "relist" in parts:
                    self.results.relists.append(relisted(fleet, MIRRORCTL, positions))

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
