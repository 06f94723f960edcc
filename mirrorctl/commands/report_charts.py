"""Charts of a report as inline SVG: lines over time and histograms. Pure; nothing is drawn where nothing was measured.

A drawing is stretched to the width of the page, its labels are text beside it: so they stay readable on a phone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from html import escape

from mirrorctl.commands.times import brief
from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.statistics import percentile
from mirrorctl.core.engine.times import stamp

WIDTH, HEIGHT = Decimal(1000), Decimal(200)
BUCKETS = 500
_GAP_MS = 180_000
_BARS_A_TICK = 5
_TICKS = 4
_PLACE = Decimal("0.1")
_MINUTE = len("03-01 13:04")
_BRIEF_MS = 600_000

Point = tuple[int, Decimal]
Name = Callable[[Decimal], str]


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale from `low` to `high` with a tick every `step`."""

    low: Decimal
    high: Decimal
    step: Decimal

    def y(self, value: Decimal) -> Decimal:
        """Where a value is drawn, from the top."""
        return ((self.high - value) * HEIGHT / (self.high - self.low)).quantize(_PLACE)

    def ticks(self) -> Iterator[Decimal]:
        value = self.low
        while value <= self.high:
            yield value
            value += self.step


def axis_of(low: Decimal, high: Decimal) -> Axis:
    """A scale around two values whose ticks are round: a 1, 2 or 5 with zeros."""
    if low == high:
        spare = max(abs(low) / 100, Decimal("0.01"))
        low, high = low - spare, high + spare
    rough = (high - low) / _TICKS
    unit = Decimal(1).scaleb(rough.adjusted())
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
    return Axis(_multiple(low, step, ROUND_FLOOR), _multiple(high, step, ROUND_CEILING), step)


def thinned(points: Sequence[Point], worst: Callable[[Iterable[Decimal]], Decimal] | None = None) -> list[Point]:
    """At most one point for each of some hundred equal times: the last of each, or the worst of it."""
    if len(points) <= BUCKETS:
        return list(points)
    start = points[0][0]
    each = max((points[-1][0] - start) // BUCKETS, 1)
    buckets: dict[int, list[Point]] = {}
    for point in points:
        buckets.setdefault((point[0] - start) // each, []).append(point)
    return [(row[-1][0], worst(value for _, value in row) if worst else row[-1][1]) for row in buckets.values()]


def line_chart(
    title: str,
    note: str,
    points: Sequence[Point],
    name: Name,
    *,
    down: bool = False,
    steps: bool = False,
    nothing: str = "no samples yet",
) -> str:
    """A line over time, broken where nothing was sampled; `down` fills to zero, `steps` holds each value."""
    if not points:
        return empty(title, nothing)
    points = thinned(points, min if down else None)
    values = [value for _, value in points]
    axis = axis_of(min(values), max(max(values), ZERO) if down else max(values))
    start, end = points[0][0], points[-1][0]
    span = max(end - start, 1)
    gap = max(_GAP_MS, 3 * span // BUCKETS)
    drawn = [(((at - start) * WIDTH / span).quantize(_PLACE), axis.y(value), at) for at, value in points]
    runs: list[list[tuple[Decimal, Decimal]]] = []
    before: int | None = None
    for x, y, at in drawn:
        if before is None or (at - before > gap and not steps):
            runs.append([])
        elif steps:
            runs[-1].append((x, runs[-1][-1][1]))
        runs[-1].append((x, y))
        before = at
    body = "".join(_run(run, axis.y(ZERO) if down else None) for run in runs)
    zero = f'<line class="zero" x1="0" x2="{WIDTH}" y1="{axis.y(ZERO)}" y2="{axis.y(ZERO)}"/>'
    marked = zero if axis.low < ZERO < axis.high else ""
    named = (start, (start + end) // 2, end) if end > start else (start,)
    xs = [brief(stamp(at))[: _MINUTE if span > _BRIEF_MS else None] for at in named]
    kind = ' class="down"' if down else ""
    return _figure(title, note, axis, name, f"<g{kind}>{marked}{body}</g>", xs)


def histogram(title: str, note: str, values: Sequence[Decimal], name: Name) -> str:
    """How often values occurred. What is beyond the 99th percentile is in the last bar, which says so."""
    if not values:
        return empty(title, "nothing measured yet")
    low, high = min(values), percentile(values, 99) or ZERO
    scale = axis_of(low, high)
    width = scale.step / _BARS_A_TICK
    counts = [0] * int((scale.high - scale.low) / width)
    for value in values:
        counts[min(int((value - scale.low) / width), len(counts) - 1)] += 1
    axis = axis_of(ZERO, Decimal(max(*counts, _TICKS)))
    broad = WIDTH / len(counts)
    bars = []
    for number, count in enumerate(counts):
        if not count:
            continue
        left, right = scale.low + number * width, scale.low + (number + 1) * width
        told = f"{name(left)} to {name(max(right, max(values)) if number == len(counts) - 1 else right)}: {count}"
        x, y = (broad * number + 2).quantize(_PLACE), axis.y(Decimal(count))
        bars.append(
            f'<rect class="bar" x="{x}" y="{y}" width="{(broad - 4).quantize(_PLACE)}" height="{HEIGHT - y}">'
            f"<title>{escape(told)}</title></rect>"
        )
    last = f"{name(scale.high)} and more" if max(values) > scale.high else name(scale.high)
    xs = [name(scale.low), name((scale.low + scale.high) / 2), last]
    return _figure(title, note, axis, plain, "".join(bars), xs)


def empty(title: str, why: str) -> str:
    """In place of a chart: why there is none."""
    return f'<figure><figcaption><b>{escape(title)}</b></figcaption><div class="empty">{escape(why)}</div></figure>'


def _figure(title: str, note: str, axis: Axis, name: Name, body: str, xs: Sequence[str]) -> str:
    ticks = list(axis.ticks())
    lines = "".join(f'<line class="grid" x1="0" x2="{WIDTH}" y1="{axis.y(at)}" y2="{axis.y(at)}"/>' for at in ticks)
    names = [(escape(name(at)), (axis.y(at) * 100 / HEIGHT).quantize(_PLACE)) for at in ticks]
    ys = "".join(f'<i>{told}</i><span style="top:{top}%">{told}</span>' for told, top in names)
    below = "".join(f"<span>{escape(text)}</span>" for text in xs)
    return (
        f"<figure><figcaption><b>{escape(title)}</b> {escape(note)}</figcaption>"
        f'<div class="plot"><div class="ys">{ys}</div>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{escape(title)}">'
        f'{lines}{body}</svg><div class="xs">{below}</div></div></figure>'
    )


def _run(run: Sequence[tuple[Decimal, Decimal]], floor: Decimal | None) -> str:
    """One unbroken piece of a line; a single sample is a dot."""
    path = " ".join(f"{'L' if number else 'M'}{x} {y}" for number, (x, y) in enumerate(run))
    if len(run) == 1:
        return f'<path class="line dot" d="{path} h0.01"/>'
    area = "" if floor is None else f'<path class="area" d="{path} L{run[-1][0]} {floor} L{run[0][0]} {floor} Z"/>'
    return f'{area}<path class="line" d="{path}"/>'


def _multiple(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    return (value / step).to_integral_value(rounding) * step
