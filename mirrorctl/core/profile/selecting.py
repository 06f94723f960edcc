"""Rules about what a mirror follows, and when."""

from __future__ import annotations

from collections.abc import Iterator

from mirrorctl.core.profile.check import Problem, Tree
from mirrorctl.core.profile.schema import ProfileFile


def broken(file: ProfileFile, written: Tree) -> Iterator[Problem]:
    """A problem for each rule that a mirror breaks. `written` is the tree as it came."""
    for index in range(len(file.mirrors)):
        if _filter(written["mirrors"][index], written).get("sides") == []:
            allowed = 'a list of "long" | "short"; to follow no entries: close_only = true'
            yield Problem(f"mirrors[{index}].filter.sides", f"found []; allowed: {allowed}")


def _filter(mirror: object, written: Tree) -> Tree:
    """What the file says of a mirror's filter, its defaults included, faults and all."""
    tables = (table.get("filter") for table in (written.get("mirror_defaults"), mirror) if isinstance(table, dict))
    return {key: value for table in tables if isinstance(table, dict) for key, value in table.items()}
