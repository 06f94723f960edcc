"""What `drill` prints, made from the document of `--json`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from mirrorctl.commands.cells import NONE
from mirrorctl.commands.grid import Grid

Document = Mapping[str, Any]

_STYLES = {"passed": "bold green", "failed": "bold red", "not tested": "bold yellow"}
_SHOWN = 10


def drill(document: Document) -> RenderableType:
    """The scorecard, the faults, the mirrors, and where a rule was broken how to see it again."""
    parts: list[RenderableType] = [_head(document), Text(""), _score(document), Text(""), _faults(document), Text("")]
    parts += [_mirrors(document), *_broken(document), Text("")]
    return Group(*parts, _verdict(document))


def _head(document: Document) -> Text:
    last = document["seed"] + max(document["schedules"] - 1, 0)
    seeds = f"seed {document['seed']}" if last == document["seed"] else f"seeds {document['seed']} to {last}"
    rate = document["schedules_per_minute"]
    return Text(
        f"{document['profile']}: {document['schedules']} schedules, {seeds}, in {document['seconds']} s"
        f" ({NONE if rate is None else rate} a minute); main trades {', '.join(document['symbols'])}"
    )


def _score(document: Document) -> Grid:
    twice = document["duplicates"]
    table = Grid(("what",), ("measured",))
    for what, cell in (
        ("events on main", _count(document["events"])),
        ("faults", _count(sum(document["faults"].values()))),
        ("kills of the process", _count(document["kills"])),
        ("orders sent", _count(document["orders"])),
        ("orders sent twice", Text(_count(twice), "bold red" if twice else "")),
        ("fills on the mirrors", _count(document["fills"])),
        ("stops hit", _count(document["stops_hit"])),
        ("targets hit", _count(document["targets_hit"])),
        ("longest without its stop", _time(document["worst_naked_ms"])),
        ("longest until in step", _time(document["worst_convergence_ms"])),
    ):
        table.add_row(what, cell)
    return table


def _faults(document: Document) -> Text:
    kinds = [f"{kind} {count}" for kind, count in document["faults"].items()]
    return Text.assemble(("what went wrong: ", "bold"), ", ".join(kinds) or "nothing")


def _mirrors(document: Document) -> RenderableType:
    table = Grid(("mirror",), ("fills",), ("waits at the end",), prose=("waits at the end",))
    for row in document["mirrors"]:
        fills = Text(str(row["fills"])) if row["fills"] else Text("none: not tested", "yellow")
        table.add_row(row["account"], fills, row["held"] or NONE)
    changed = [Text(f"played differently: {line}", "dim") for line in document["changed"]]
    return Group(table, *changed) if table.row_count else Group(*changed)


def _broken(document: Document) -> Iterator[RenderableType]:
    rows = document["breaches"]
    for row in rows[:_SHOWN]:
        where = f"{row['account']}: " if row["account"] else ""
        yield Text(f"seed {row['seed']}, {row['at_ms']} ms: {where}{row['rule']}: {row['text']}", "red")
    if len(rows) > _SHOWN:
        yield Text(f"and {len(rows) - _SHOWN} more: --json has them", "red")
    failure = document["failure"]
    if failure is None:
        return
    yield Text("")
    yield Text(f"the shortest way found to break it again, {failure['steps']} of {failure['drawn']} steps:", "bold")
    yield from (Text(line) for line in failure["story"])
    yield Text(f"=> {failure['rule']}: {failure['text']}", "red")
    yield Text.assemble(("play the whole schedule again: ", "bold"), failure["repeat"])


def _verdict(document: Document) -> Text:
    verdict, reason = document["verdict"], document["reason"]
    early = " (interrupted)" if document["interrupted"] else ""
    return Text(f"{verdict}{early}{': ' + reason if reason else ''}", _STYLES[verdict])


def _count(value: int) -> str:
    return f"{value:,}"


def _time(value: int | None) -> str:
    return NONE if value is None else f"{value / 1000:.1f} s"
