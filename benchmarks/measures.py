"""What is measured over a fleet: reactions, bursts, relists, memory. In turns, shuffled within each round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import cast

from benchmarks.exchange import Reaction, Sustained
from benchmarks.figures import Figure, figures, middle
from benchmarks.fleet import Fleet


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: rounds, events in each, and the pause before an event (seconds, for one mirror)."""

    rounds: int
    events: int
    pause_s: float = 0.01

    def gaps(self, random: Random, mirrors: int) -> list[float]:
        """The pause before each event: a client with many mirrors has more to do after one."""
        longer = 1 + mirrors / 4
        return [self.pause_s * longer * (0.5 + random.random()) for _ in range(self.events)]


def reactions(
    fleet: Fleet, effort: Effort, random: Random, *, ahead: bool = False, hold: bool = False, names: Sequence[str] = ()
) -> list[Figure]:
    """From main's execution to the last order, of every client. A position is closed and opened anew each round."""
    chosen = list(names or fleet.names)
    rounds: dict[str, list[list[int]]] = {name: [] for name in chosen}
    cpu: dict[str, list[float]] = {name: [] for name in chosen}
    lost = dict.fromkeys(chosen, 0)
    for _ in range(effort.rounds):
        for name in random.sample(chosen, len(chosen)):
            venue = fleet.venue(name)
            fleet.exchange.call("renew", venue, mirrors=fleet.mirrors)
            before = fleet.cpu_ns(name)
            gaps = effort.gaps(random, fleet.mirrors)
            found = cast(
                list[Reaction],
                fleet.exchange.call("react", venue, gaps, mirrors=fleet.mirrors, ahead=ahead, hold=hold),
            )
            fleet.exchange.call("linger", gaps[0])
            cpu[name].append((fleet.cpu_ns(name) - before) / effort.events / fleet.mirrors)
            rounds[name].append([one.orders_ns[-1] for one in found if one.whole])
            lost[name] += sum(1 for one in found if not one.whole)
    return figures(rounds, cpu, lost)


def grown(fleets: Mapping[int, Fleet], name: str, effort: Effort, random: Random) -> dict[int, Figure]:
    """Reactions of one client in several fleets, in turns, so that all of them had the same machine."""
    parts: dict[int, list[Figure]] = {size: [] for size in fleets}
    once = replace(effort, rounds=1)
    for _ in range(effort.rounds):
        for size in random.sample(list(fleets), len(fleets)):
            parts[size] += reactions(fleets[size], once, random, names=[name])
    return {size: middle(found) for size, found in parts.items()}


@dataclass(frozen=True, slots=True)
class Rate:
    """A burst of executions: events copied a second, orders that took, CPU of one event, whether all were copied."""

    variant: str
    per_s: float | None
    orders_per_event: float
    cpu_us: float
    whole: bool


def sustained(fleet: Fleet, events: int, rounds: int, patience_s: float, random: Random) -> list[Rate]:
    """The best of each client's rounds: a burst of `events` executions without a pause, all copied in `patience_s`."""
    best: dict[str, Rate] = {}
    for _ in range(rounds):
        for name in random.sample(fleet.names, len(fleet.names)):
            venue = fleet.venue(name)
            fleet.exchange.call("renew", venue, mirrors=fleet.mirrors)
            before = fleet.cpu_ns(name)
            found = cast(
                Sustained, fleet.exchange.call("sustain", venue, events, mirrors=fleet.mirrors, patience_s=patience_s)
            )
            fleet.exchange.call("tell_position", venue)
            fleet.exchange.call("linger", 0.5)
            per_s = found.ordered / fleet.mirrors / found.seconds if found.seconds else None
            cpu = (fleet.cpu_ns(name) - before) / events / 1000
            rate = Rate(name, per_s, found.orders / events, cpu, found.ordered == events * fleet.mirrors)
            if name not in best or (rate.per_s or 0) > (best[name].per_s or 0):
                best[name] = rate
    return [best[name] for name in fleet.names]


@dataclass(frozen=True, slots=True)
class Relisted:
    """Reading everything anew: seconds, requests, CPU."""

    positions: int
    accounts: int
    seconds: float
    requests: int
    pages_of_positions: int
    cpu_ms: float


def relisted(fleet: Fleet, name: str, positions: int) -> Relisted:
    """Cut the streams of a client; how it reads its accounts again."""
    before = fleet.cpu_ns(name)
    seconds, requests = fleet.exchange.call("relist", fleet.venue(name))
    cpu_ms = (fleet.cpu_ns(name) - before) / 1e6
    pages = requests.get("/v5/position/list", 0)
    return Relisted(positions, fleet.mirrors + 1, seconds, sum(requests.values()), pages, cpu_ms)
