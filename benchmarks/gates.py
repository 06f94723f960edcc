"""The bars, and what became of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.figures import FLOOR, Figure
from benchmarks.fleet import MIRRORCTL, MIRRORCTL_HTTP
from benchmarks.results import Results

QUIET_FLOOR_US = 400.0
"""A floor above this, and this much more for each further mirror, or with a longer tail (p99 ÷ p50), was disturbed."""
QUIET_ORDER_US = 30.0
QUIET_TAIL = 5.0
ENTRIES = {"ws": MIRRORCTL, "http": MIRRORCTL_HTTP}
STOCK = ("pybit → WebSocketTrading", "pybit → HTTP")


@dataclass(frozen=True, slots=True)
class Gate:
    """`value` must not be above `bar` (not below it with `least`). None: it was not measured in this run.

    Not `judged`: the machine was busy with something else, and a ratio to a slow floor flatters everything.
    """

    name: str
    value: float | None
    bar: float
    stretch: float | None = None
    unit: str = "×"
    least: bool = False
    judged: bool = True

    @property
    def met(self) -> bool | None:
        return None if self.value is None else self._within(self.bar)

    @property
    def verdict(self) -> str:
        """In words: `not measured`, `not judged`, `NOT met`, `met` or `met, stretch too`."""
        if self.met is None:
            return "not measured"
        if not self.judged:
            return "not judged"
        if not self.met:
            return "NOT met"
        return "met, stretch too" if self.stretch is not None and self._within(self.stretch) else "met"

    def _within(self, bar: float) -> bool:
        value = self.value or 0.0
        return value >= bar if self.least else value <= bar


def gates(results: Results) -> list[Gate]:
    """Every gate of the project's bars, in the order of the table."""
    found = []
    for entry, name in ENTRIES.items():
        found += _of_entry(results, name, entry)
    rates = {rate.variant: rate.per_s for rate in results.sustained}
    quiet = is_quiet(results.reaction)
    for entry, name in ENTRIES.items():
        over = _over(rates.get(name), rates.get(STOCK[0]))
        found.append(Gate(f"sustained events, one core, {entry}", over, 1, 3, "× stock", least=True, judged=quiet))
    cpu = {positions: figure.cpu_us for positions, figure in results.growth.items()}
    p50 = {positions: figure.p50_us for positions, figure in results.growth.items()}
    fills, relists = results.growth_fills, {one.positions: one.requests for one in results.relists}
    found += [
        Gate("CPU of an event, 200 positions ÷ 1", _over(cpu.get(200), cpu.get(1)), 1.3, 1.1),
        Gate("p50 of an event, 200 positions ÷ 1", _over(p50.get(200), p50.get(1)), 1.3, 1.1, judged=quiet),
        Gate("CPU of an order, 100 mirrors ÷ 1", _over(_fan_cpu(results, 100), _cpu(results.reaction, MIRRORCTL)), 1.3),
        Gate("p50 of an event, 400 fills before ÷ 40", _over(fills.get(400), fills.get(40)), 1.3, 1.1, judged=quiet),
        Gate("requests of a relist, 200 positions ÷ 1", _over(relists.get(200), relists.get(1)), 2),
        Gate("a ladder of five placed, resized, cancelled", _ladder(results), 1000, None, "ms"),
        Gate("memory with 100 mirrors", results.memory_mib.get(100), 300, None, "MiB"),
        Gate("mirrorctl --help", _start(results, "mirrorctl --help"), 14, 7, "× pass"),
        Gate("mirrorctl --version", _start(results, "mirrorctl --version"), 6, None, "× pass"),
    ]
    return found


def is_quiet(figures: Iterable[Figure], mirrors: int = 1) -> bool:
    """Whether the floor of a scenario was the cost of Python and sockets, and nothing else had its core meanwhile."""
    floor = _of(figures, FLOOR)
    if floor is None or floor.p50_us is None or floor.tail is None:
        return False
    return floor.p50_us <= QUIET_FLOOR_US + QUIET_ORDER_US * (mirrors - 1) and floor.tail <= QUIET_TAIL


def _of_entry(results: Results, name: str, entry: str) -> list[Gate]:
    plain, ahead = results.reaction, results.reaction_ahead
    own = _of(plain, name)
    own_ratio, tail = (own.ratio, own.tail) if own is not None else (None, None)
    stock = [figure.ratio for figure in plain if figure.variant in STOCK and figure.ratio]
    over, quiet = _over(own_ratio, min(stock, default=None)), is_quiet(plain)
    before = f"reaction, orders and positions ahead, {entry}"
    found = [
        Gate(f"reaction p50, 1 mirror, {entry}", own_ratio, 5, 3, "× floor", judged=quiet),
        Gate(f"reaction p99, {entry}", tail, 3, 2, "× own p50", judged=quiet),
        Gate(before, _ratio(ahead, name), 6, 4, "× floor", judged=is_quiet(ahead)),
        Gate(f"reaction, {entry} ÷ the faster stock pybit copier", over, 1, judged=quiet),
    ]
    for mirrors in (10, 50, 100):
        figures = results.fan_out.get(mirrors, ())
        named, last = f"fan-out to {mirrors}, last order p50, {entry}", _ratio(figures, name)
        found.append(Gate(named, last, 4, 2, "× floor", judged=is_quiet(figures, mirrors)))
    for mirrors, middle in sorted(results.fan_out_acked.items()):
        figures = results.fan_out.get(mirrors, ())
        over, quiet = (
            _over(_p50(middle, name), _p50(figures, name)),
            all(is_quiet(one, mirrors) for one in (middle, figures)),
        )
        found.append(
            Gate(f"fan-out to {mirrors}, acks in the middle, {entry}", over, 2, None, "× without", judged=quiet)
        )
    return found


def _of(figures: Iterable[Figure], variant: str) -> Figure | None:
    return next((figure for figure in figures if figure.variant == variant), None)


def _ratio(figures: Iterable[Figure], name: str) -> float | None:
    own = _of(figures, name)
    return None if own is None else own.ratio


def _p50(figures: Iterable[Figure], name: str) -> float | None:
    own = _of(figures, name)
    return None if own is None else own.p50_us


def _cpu(figures: Iterable[Figure], name: str) -> float | None:
    own = _of(figures, name)
    return None if own is None else own.cpu_us


def _fan_cpu(results: Results, mirrors: int) -> float | None:
    """CPU of each of the orders of an event, acks in the middle as they are with one mirror."""
    return _cpu(results.fan_out_acked.get(mirrors, ()), MIRRORCTL)


def _ladder(results: Results) -> float | None:
    """Of one rebuild; one of which anything was refused is no rebuild."""
    return next((one.ms for one in results.ladders if one.rebuilds == 1 and not one.refused), None)


def _over(value: float | None, least: float | None) -> float | None:
    return value / least if value is not None and least else None


def _start(results: Results, command: str) -> float | None:
    return next((start.ratio for start in results.starts if start.command == command), None)
