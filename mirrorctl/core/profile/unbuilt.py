"""Keys whose behaviour is not built yet: one table, the only place a later change deletes rows from.

A row names a key and the values that mean "as if the key did not exist"; every other value is refused, never accepted
and ignored (A83). A row without values is a safety limit: no value of it is harmless to ignore, so the key itself is
refused and has to be left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mirrorctl.core.profile.check import Problem, Tree, shown


@dataclass(frozen=True, slots=True)
class Unbuilt:
    """`path` below a section. `neutral` are the values that change nothing; none: the key must be left out."""

    path: str
    neutral: tuple[Any, ...] = ()

    def takes(self, value: object) -> bool:
        return any(
            value == neutral and isinstance(value, bool) == isinstance(neutral, bool) for neutral in self.neutral
        )


TOP = (
    Unbuilt("category", ("linear",)),
    Unbuilt("settle_coin", ("USDT",)),
)

MAIN: tuple[Unbuilt, ...] = ()

MIRROR: tuple[Unbuilt, ...] = ()


def refused(clean: Tree) -> Iterator[Problem]:
    """A problem for each key of a checked tree whose value asks for something that is not built yet."""
    yield from _refused_below(clean, "", TOP)
    yield from _refused_below(clean.get("main", {}), "main", MAIN)
    yield from _refused_below(clean.get("mirror_defaults", {}), "mirror_defaults", MIRROR)
    for index, mirror in enumerate(clean.get("mirrors", [])):
        yield from _refused_below(mirror, f"mirrors[{index}]", MIRROR)


def not_built(section: str, path: str) -> bool:
    """Whether `path` below "main" or "mirror" (or "" for the top) has no behaviour and no neutral value to show."""
    rows = {"": TOP, "main": MAIN, "mirror": MIRROR}[section]
    return any(row.path == path and not row.neutral for row in rows)


def _refused_below(tree: Tree, section: str, rows: tuple[Unbuilt, ...]) -> Iterator[Problem]:
    for row in rows:
        value = _look_up(tree, row.path)
        if value is not None and not row.takes(value):
            path = f"{section}.{row.path}" if section else row.path
            yield Problem(path, f"found {shown(value)}; {_advice(row)}")


def _advice(row: Unbuilt) -> str:
    if not row.neutral:
        return "not built yet, and a limit is never accepted and ignored: leave it out"
    allowed = " | ".join("no entries" if neutral == {} else shown(neutral) for neutral in row.neutral)
    return f"allowed: {allowed} (other values are not built yet)"


def _look_up(tree: Tree, path: str) -> Any:
    value: Any = tree
    for key in path.split("."):
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return value
