"""Rules between a sizing mode and its values: each mode has a unit of its own, and a wrong one trades at once."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from mirrorctl.core.domain.policy import SizingMode
from mirrorctl.core.domain.sizing import AS_FACTOR, check_value
from mirrorctl.core.profile.check import Problem, Tree, join, shown
from mirrorctl.core.profile.schema import MirrorTable, ProfileFile

_LARGE_FACTOR = Decimal(10)


def broken(file: ProfileFile, written: Tree) -> Iterator[Problem]:
    """A problem for each sizing value that its mode cannot mean. `written`: the tree as it came, defaults apart."""
    told: set[Problem] = set()
    for index, mirror in enumerate(file.mirrors):
        for problem in _of_mirror(mirror, _tables(written, index)):
            if problem not in told:  # what stands in the defaults is wrong once
                told.add(problem)
                yield problem


def warnings(file: ProfileFile) -> Iterator[str]:
    """Factors that are allowed and probably not meant."""
    for index, mirror in enumerate(file.mirrors):
        mode = SizingMode(mirror.sizing.mode)
        if mode not in AS_FACTOR:
            continue
        for key, value in _values(mirror):
            if value > _LARGE_FACTOR:
                times = "main's size" if mode is SizingMode.PROPORTION else "the computed ratio"
                yield (
                    f"mirrors[{index}].sizing.{key}: {shown(value)} times {times}; "
                    f'if you mean a percentage, write "{shown(value)}%"'
                )


def _of_mirror(mirror: MirrorTable, tables: list[tuple[str, Tree]]) -> Iterator[Problem]:
    mode = SizingMode(mirror.sizing.mode)
    for key, value in _values(mirror):
        place, raw = _written(_of_mode(tables, mirror.sizing.mode), key)
        if raw is None and _written(tables, key)[1] is not None:
            yield Problem(_path(tables[0][0], key), _foreign_unit(mode, tables[1][1]))
            continue
        wrong = check_value(mode, value, percent=isinstance(raw, str) and raw.strip().endswith("%"))
        if raw is None and mode not in AS_FACTOR and mode is not SizingMode.RISK:
            yield Problem(_path(place, key), f"missing; allowed: {check_value(mode, value, percent=True)}")
        elif wrong:
            yield Problem(_path(place, key), f"found {shown(raw)} for mode {mode}; allowed: {wrong}")


def _of_mode(tables: list[tuple[str, Tree]], mode: str) -> list[tuple[str, Tree]]:
    """The tables whose values are of this mode: the defaults' are of theirs, and a factor is no quantity."""
    own, defaults = tables
    unit, written = _unit(mode), _unit(str(defaults[1].get("mode", SizingMode.PROPORTION)))
    return [own, defaults] if unit == written else [own]


def _unit(mode: str) -> str:
    """What a value of a mode counts: modes of one unit may share a value."""
    return "factor" if mode in AS_FACTOR else mode


def _foreign_unit(mode: SizingMode, defaults: Tree) -> str:
    theirs = defaults.get("mode", SizingMode.PROPORTION.value)
    asked = check_value(mode, Decimal(1), percent=True)
    return f"missing; the one of mirror_defaults.sizing is for mode {theirs}; allowed: {asked}"


def _path(place: str, key: str) -> str:
    for part in key.split("."):
        place = join(place, part)
    return place


def _values(mirror: MirrorTable) -> Iterator[tuple[str, Decimal]]:
    yield "value", mirror.sizing.value
    for symbol, value in mirror.sizing.symbols.items():
        yield f"symbols.{symbol}", value


def _tables(written: Tree, index: int) -> list[tuple[str, Tree]]:
    """(path, table) where a sizing value of one mirror may stand: its own, then the defaults."""
    own = f"mirrors[{index}].sizing", _below(_below(written, "mirrors", index), "sizing")
    return [own, ("mirror_defaults.sizing", _below(_below(written, "mirror_defaults"), "sizing"))]


def _written(tables: list[tuple[str, Tree]], key: str) -> tuple[str, object]:
    """Where a value stands and how it was written; None where nobody wrote it."""
    for place, table in tables:
        first, _, symbol = key.partition(".")
        found = _below(table, first).get(symbol) if symbol else table.get(first)
        if found is not None:
            return place, found
    return tables[0][0], None


def _below(tree: Tree, key: str, index: int | None = None) -> Tree:
    """A table of the tree as it came; an empty one where something else stands, which has its own problem."""
    found: Any = tree.get(key)
    if index is not None:
        found = found[index] if isinstance(found, list) and index < len(found) else None
    return found if isinstance(found, dict) else {}
