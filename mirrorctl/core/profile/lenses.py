"""Rules about how a mirror sees main: its side, its symbols, both of its legs."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from mirrorctl.core.profile.check import Problem, join, shown
from mirrorctl.core.profile.schema import FilterTable, MappedSymbol, MirrorTable, ProfileFile


def broken(file: ProfileFile) -> Iterator[Problem]:
    """A problem for each rule that a mirror breaks."""
    for index, mirror in enumerate(file.mirrors):
        yield from _reverse(mirror, f"mirrors[{index}].follow")
        yield from _map(mirror, f"mirrors[{index}].map")


def warnings(file: ProfileFile) -> Iterator[str]:
    """A symbol of main's that is not followed because its name stands for another one's on the mirror.

    And a size that is given under the mirror's name of a symbol: sizes go by main's, so it never holds.
    """
    for index, mirror in enumerate(file.mirrors):
        named = {
            _target(symbol, to): symbol for symbol, to in mirror.map.items() if _target(symbol, to) not in mirror.map
        }
        for target in mirror.sizing.symbols.keys() & named.keys():
            yield (
                f"mirrors[{index}].sizing.symbols.{target}: sizes go by main's symbols, and {target} stands for"
                f" {named[target]} on this mirror: the value is used nowhere; name {named[target]} instead"
            )
        for symbol, to in mirror.map.items():
            target = _target(symbol, to)
            if target not in mirror.map and _may_be_traded(target, mirror.filter):
                yield (
                    f"mirrors[{index}].map.{symbol}: {target} stands for {symbol} on this mirror; main's own {target}"
                    f' is not followed there: add "{target}" to filter.exclude, or map it too'
                )


def _reverse(mirror: MirrorTable, path: str) -> Iterator[Problem]:
    """A reverse mirror follows main's fills: it has no twins, no rungs, and main's furthest target as its stop."""
    follow = mirror.follow
    if follow.direction != "reverse":
        return
    found = {"approach": follow.approach, "breakeven": follow.breakeven, "catch_up": follow.catch_up}
    for (key, value), allowed in zip(found.items(), ("main", "with-main", "market"), strict=True):
        if value != allowed:
            yield Problem(f"{path}.{key}", f'found {shown(value)}; allowed: "{allowed}" with direction = "reverse"')


def _map(mirror: MirrorTable, path: str) -> Iterator[Problem]:
    targets: dict[str, str] = {}
    for symbol, to in mirror.map.items():
        here, target = join(path, symbol), _target(symbol, to)
        if target == symbol and to.multiplier != 1:
            yield Problem(
                f"{here}.multiplier",
                f"found {shown(to.multiplier)} for the same symbol; allowed: 1, or another symbol;"
                " sizing.symbols sets how much of a symbol is copied",
            )
        first = targets.setdefault(target, symbol)
        if first != symbol:
            yield Problem(
                f"{here}.symbol", f'found "{target}", which {first} is mapped to; allowed: a symbol of its own'
            )


def _target(symbol: str, to: MappedSymbol) -> str:
    return to.symbol or symbol


def _may_be_traded(symbol: str, chosen: FilterTable) -> bool:
    """Whether the filter lets entries of main's symbol through."""
    named = not chosen.symbols or any(fnmatchcase(symbol, glob) for glob in chosen.symbols)
    return named and not any(fnmatchcase(symbol, glob) for glob in chosen.exclude)
