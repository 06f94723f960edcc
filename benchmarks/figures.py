"""What numbers become: percentiles, and ratios to the floor of the same round. Pure; times are ns, ratios plain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

FLOOR = "floor"
Rounds = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class Figure:
    """One variant in one scenario. `ratio`: the median over rounds of its median ÷ the floor's in that round.

    `lost`: events that were not answered whole in time. `cpu_us`: CPU of the client for each order it sent.
    """

    variant: str
    p50_us: float | None
    p99_us: float | None
    ratio: float | None
    cpu_us: float | None
    events: int
    lost: int

    @property
    def tail(self) -> float | None:
        """p99 ÷ p50."""
        return self.p99_us / self.p50_us if self.p50_us and self.p99_us is not None else None


def percentile(values: Sequence[int], share: float) -> float:
    """The value below which `share` of them lie (nearest rank). ValueError for none."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return float(ordered[min(int(len(ordered) * share), len(ordered) - 1)])


def ratio(own: Rounds, floor: Rounds) -> float | None:
    """The median over rounds of median ÷ floor's median; a round that lacks either is left out."""
    found = [median(mine) / median(least) for mine, least in zip(own, floor, strict=False) if mine and least]
    return median(found) if found else None


def middle(found: Sequence[Figure]) -> Figure:
    """Of one variant in several rounds: the median of each number. ValueError for none."""
    if not found:
        raise ValueError("no rounds")

    def of(values: Iterable[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return median(known) if known else None

    return Figure(
        found[0].variant,
        of(one.p50_us for one in found),
        of(one.p99_us for one in found),
        of(one.ratio for one in found),
        of(one.cpu_us for one in found),
        sum(one.events for one in found),
        sum(one.lost for one in found),
    )


def figures(
    rounds: Mapping[str, Rounds], cpu_ns: Mapping[str, Sequence[float]], lost: Mapping[str, int]
) -> list[Figure]:
    """Of every variant, in the order given. `cpu_ns`: of each round, for one order."""
    found = []
    for variant, own in rounds.items():
        values = [value for one in own for value in one]
        cpu = [value for value in cpu_ns.get(variant, ()) if value]
        found.append(
            Figure(
                variant,
                percentile(values, 0.5) / 1000 if values else None,
                percentile(values, 0.99) / 1000 if values else None,
                ratio(own, rounds.get(FLOOR, ())),
                median(cpu) / 1000 if cpu else None,
                len(values) + lost.get(variant, 0),
                lost.get(variant, 0),
            )
        )
    return found
