"""Approaches of a profile: the built-in ones, overlaid key by key, and those of the trader's own.

What an approach of one's own leaves out is as in `fast`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from mirrorctl.core.domain.approach import BUILT_IN, FAST, LIMIT, MARKET, Approach
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.policy import MAIN, Hedge
from mirrorctl.core.profile.check import Problem, Tree, join, shown
from mirrorctl.core.profile.schema import ApproachTable, ProfileFile

MOST_RUNGS = 10
MOST_ENTRIES = 10
_WHOLE = Decimal(100)
_COUNTS = ("breakeven_after", "cancel_entries_after")


def approaches_of(file: ProfileFile) -> dict[str, Approach]:
    """Every approach a trade can name, by name."""
    own = {name: _approach(name, table) for name, table in file.approaches.items()}
    return {**BUILT_IN, **own}


def settings_of(approach: Approach) -> dict[str, Any]:
    """An approach by the keys of a profile, every one set."""
    return {
        "entries": [*approach.entries],
        "targets": [*approach.targets],
        "breakeven_after": approach.breakeven_after,
        "breakeven_margin_bps": approach.breakeven_margin_bps,
        "cancel_entries_after": approach.cancel_entries_after,
    }


def broken(file: ProfileFile, written: Tree) -> Iterator[Problem]:
    """A problem for each rule that an approach breaks. `written` is the tree as it came."""
    for name, table in file.approaches.items():
        path, raw = join("approaches", name), written["approaches"][name]
        if _is_whole(raw, "entries", table.entries):
            yield from _entries(join(path, "entries"), table.entries)
        if _is_whole(raw, "targets", table.targets):
            yield from _targets(join(path, "targets"), table.targets)
            yield from _counts(path, _approach(name, table))
    yield from _followed(file)


def _followed(file: ProfileFile) -> Iterator[Problem]:
    """An approach of a mirror's own that does not exist, or whose ladder has no position of main's to answer for."""
    known = [MAIN, *approaches_of(file)]
    for index, mirror in enumerate(file.mirrors):
        path = f"mirrors[{index}].follow.approach"
        name = mirror.follow.approach
        if name not in known:
            allowed = " | ".join(shown(each) for each in known)
            yield Problem(path, f"found {shown(name)}; allowed: {allowed}")
        elif name != MAIN and Hedge(mirror.follow.hedge) is Hedge.NET:
            yield Problem(path, f'found {shown(name)}, and hedge = "net" follows no targets; allowed: "{MAIN}"')


def _approach(name: str, table: ApproachTable) -> Approach:
    base = BUILT_IN.get(name, FAST)
    return Approach(
        name=name,
        entries=_first(table.entries, base.entries),
        targets=_first(table.targets, base.targets),
        breakeven_after=base.breakeven_after if table.breakeven_after is None else table.breakeven_after,
        breakeven_margin_bps=(
            base.breakeven_margin_bps if table.breakeven_margin_bps is None else table.breakeven_margin_bps
        ),
        cancel_entries_after=(
            base.cancel_entries_after if table.cancel_entries_after is None else table.cancel_entries_after
        ),
    )


def _first(own: Sequence[Any] | None, base: tuple[Any, ...]) -> tuple[Any, ...]:
    return base if own is None else tuple(own)


def _is_whole(raw: Tree, key: str, read: Sequence[Any] | None) -> bool:
    """Whether every item of a list was read: a fault in one was named already, and its rest says nothing."""
    found = raw.get(key, [])
    return isinstance(found, list) and len(found) == len(read or [])


def _entries(path: str, entries: Sequence[str] | None) -> Iterator[Problem]:
    if entries is None:
        return
    allowed = f'allowed: 1 to {MOST_ENTRIES} of "{MARKET}" | "{LIMIT}", "{MARKET}" only as the first'
    if not 1 <= len(entries) <= MOST_ENTRIES:
        yield Problem(path, f"found {len(entries)} entries; {allowed}")
    elif MARKET in entries[1:]:
        yield Problem(path, f"found {shown([*entries])}; {allowed}")


def _targets(path: str, targets: list[Decimal] | None) -> Iterator[Problem]:
    if targets is None:
        return
    if not 1 <= len(targets) <= MOST_RUNGS:
        yield Problem(path, f"found {len(targets)} rungs; allowed: 1 to {MOST_RUNGS} percentages that sum to 100")
    elif (total := sum(targets, ZERO)) != _WHOLE:
        yield Problem(path, f"found {shown([*targets])}, which sums to {total:f}; allowed: percentages that sum to 100")


def _counts(path: str, approach: Approach) -> Iterator[Problem]:
    rungs = len(approach.targets)
    for key in _COUNTS:
        count = getattr(approach, key)
        if count > rungs:
            yield Problem(
                join(path, key), f"found {count}; allowed: 0 to {rungs}, the number of its targets (0: never)"
            )
