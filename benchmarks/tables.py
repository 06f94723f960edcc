"""Results for people: tables on the terminal, and the same as Markdown for the docs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, Group
from rich.table import Table

from benchmarks.figures import Figure
from benchmarks.fleet import MIRRORCTL, MIRRORCTL_HTTP
from benchmarks.gates import STOCK, Gate, gates, is_quiet
from benchmarks.measures import Relisted
from benchmarks.profile import Profiled
from benchmarks.results import Results


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table: a title, column heads, rows of text."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def sheets(results: Results) -> Iterator[Sheet]:
    """Everything that was measured, the gates first."""
    yield _gates(gates(results))
    if results.reaction:
        yield _reactions("Reaction: main's execution written → mirror's order read, 1 mirror", results.reaction)
    if results.reaction_ahead:
        yield _reactions("The same with the order and the position told ahead of the execution", results.reaction_ahead)
    for mirrors, figures in sorted(results.fan_out.items()):
        yield _reactions(f"Fan-out to {mirrors} mirrors: the last order", figures)
    for mirrors, figures in sorted(results.fan_out_acked.items()):
        yield _reactions(f"Fan-out to {mirrors} mirrors, acks between the orders", figures)
    if results.sustained:
        yield _sustained(results)
    yield from _growth(results)
    if results.starts:
        rows = tuple((start.command, f"{start.ms:.0f} ms", f"{start.ratio:.1f}") for start in results.starts)
        yield Sheet("Start-up", ("command", "median", "÷ python -c pass"), rows)
    if results.throughput is not None:
        plans = ("plans of one symbol", f"{results.throughput.plans_per_s:,.0f} a second")
        played = ("fault schedules", f"{results.throughput.schedules_per_minute:,.0f} a minute")
        yield Sheet("Planner and simulation, CPU time of one core", ("what", "rate"), (plans, played))


def screen(results: Results, console: Console) -> None:
    """Print all tables."""
    machine = ", ".join(f"{name} {value}" for name, value in results.machine.items())
    profile = [] if results.profile is None else profile_sheets(results.profile)
    console.print(Group(machine, *map(_table, sheets(results)), *map(_table, profile)))


def markdown(results: Results) -> str:
    """All tables as Markdown, the profile apart."""
    parts = ["| machine | |", "|---|---|", *(f"| {name} | {value} |" for name, value in results.machine.items()), ""]
    return "\n".join([*parts, _markdown(sheets(results))])


def profile_sheets(profile: Profiled) -> Iterator[Sheet]:
    """Where the time of mirrorctl's deciding thread goes."""
    yield Sheet(
        "From main's fill to the mirror's order over WebSocket, without a profiler",
        ("stage", "median µs"),
        tuple((stage.name, _number(stage.us)) for stage in profile.stages),
    )
    title = f"By part of the code: {profile.events} events, {profile.event_us:,.0f} µs each under the profiler"
    yield Sheet(
        title,
        ("part", "share", "calls per event"),
        tuple((part.name, f"{part.share:.1%}", _number(part.calls)) for part in profile.parts),
    )
    yield Sheet(
        "Functions that take most themselves",
        ("function", "own share", "with what it calls", "calls per event"),
        tuple(
            (f"`{part.name}`", f"{part.share:.1%}", f"{part.whole:.1%}", _number(part.calls, 1))
            for part in profile.functions
        ),
    )


def profile_markdown(profile: Profiled) -> str:
    """The profile's tables as Markdown."""
    return _markdown(profile_sheets(profile))


def headline(results: Results) -> str:
    """One sentence for the README; "" where reactions were not measured."""
    ratios = {figure.variant: figure.ratio for figure in results.reaction}
    if any(ratios.get(name) is None for name in (MIRRORCTL, MIRRORCTL_HTTP, *STOCK)):
        return ""
    found = [gate for gate in gates(results) if gate.met is not None]
    met = sum(bool(gate.met) and gate.judged for gate in found)
    where = f"{results.machine.get('processor', 'unknown')}, {results.machine.get('cores', '?')} cores"
    busy = "" if is_quiet(results.reaction) else ", busy with other things"
    times = [f"{ratios[name]:.1f} ×" for name in (MIRRORCTL, MIRRORCTL_HTTP, *STOCK)]
    return (
        f"Measured {results.machine.get('date', '')} ({where}{busy}), from main's fill to the mirror's order, beside a"
        f" raw socket: {times[0]} over WebSocket and {times[1]} over HTTP with everything on; bare pybit copiers"
        f" {times[2]} and {times[3]}. {met} of {len(found)} gates are met."
    )


def _markdown(found: Iterable[Sheet]) -> str:
    parts: list[str] = []
    for sheet in found:
        parts += [f"### {sheet.title}", "", _line(sheet.heads), _line(["---", *["--:"] * (len(sheet.heads) - 1)])]
        parts += [*map(_line, sheet.rows), ""]
    return "\n".join(parts)


def _gates(found: Sequence[Gate]) -> Sheet:
    rows = tuple(
        (
            gate.name,
            "–" if gate.value is None else f"{gate.value:.2f} {gate.unit}",
            f"{'≥' if gate.least else '≤'} {gate.bar:g}",
            "–" if gate.stretch is None else f"{gate.stretch:g}",
            gate.verdict,
        )
        for gate in found
    )
    return Sheet("Gates", ("gate", "measured", "bar", "stretch", "verdict"), rows)


def _reactions(title: str, figures: Sequence[Figure]) -> Sheet:
    rows = tuple(
        (
            figure.variant,
            _number(figure.p50_us),
            _number(figure.p99_us),
            _number(figure.ratio, 1),
            _number(figure.cpu_us),
            f"{figure.lost} of {figure.events}",
        )
        for figure in figures
    )
    return Sheet(title, ("client", "p50 µs", "p99 µs", "÷ floor", "CPU µs per order", "lost"), rows)


def _sustained(results: Results) -> Sheet:
    rows = tuple(
        (
            rate.variant,
            _number(rate.per_s),
            f"{rate.orders_per_event:.3f}",
            _number(rate.cpu_us, 1),
            "yes" if rate.whole else "no",
        )
        for rate in results.sustained
    )
    heads = ("client", "events a second", "orders per event", "CPU µs", "all copied")
    return Sheet("A burst of executions, one core", heads, rows)


def _growth(results: Results) -> Iterator[Sheet]:
    if results.growth:
        yield Sheet(
            "mirrorctl: one event by open positions",
            ("open positions", "p50 µs", "CPU µs"),
            tuple((str(n), _number(one.p50_us), _number(one.cpu_us)) for n, one in sorted(results.growth.items())),
        )
    if results.growth_fills:
        yield Sheet(
            "mirrorctl: one event by fills of the position before",
            ("fills", "p50 µs"),
            tuple((str(fills), _number(p50)) for fills, p50 in sorted(results.growth_fills.items())),
        )
    if results.relists:
        yield Sheet(
            "mirrorctl: reading everything anew after streams were cut",
            ("positions", "time", "requests", "pages of positions", "CPU"),
            tuple(map(_relist, results.relists)),
        )
    if results.ladders:
        yield Sheet(
            "A ladder of five placed, resized and cancelled, by Bybit's limits of ten orders a second",
            ("rebuilds at once", "time", "single requests", "batches", "refused"),
            tuple(
                (str(one.rebuilds), f"{one.ms:.0f} ms", str(one.single), str(one.batches), str(one.refused))
                for one in results.ladders
            ),
        )
    if results.memory_mib:
        yield Sheet(
            "mirrorctl: resident memory",
            ("mirrors", "memory"),
            tuple((str(mirrors), f"{mib:.0f} MiB") for mirrors, mib in sorted(results.memory_mib.items())),
        )


def _relist(one: Relisted) -> tuple[str, ...]:
    return (
        f"{one.positions} × {one.accounts} accounts",
        f"{one.seconds * 1000:.0f} ms",
        str(one.requests),
        str(one.pages_of_positions),
        f"{one.cpu_ms:.0f} ms",
    )


def _number(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _table(sheet: Sheet) -> Table:
    table = Table(title=sheet.title, title_justify="left", title_style="bold")
    for number, head in enumerate(sheet.heads):
        table.add_column(head, justify="right" if number else "left")
    for row in sheet.rows:
        style = "red" if row[-1] == "NOT met" else None
        table.add_row(*row, style=style)
    return table
