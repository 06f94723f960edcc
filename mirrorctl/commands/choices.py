"""What a shell offers at TAB: names that this machine knows, read without a network and without the profile's checks.

Each function takes the context and the beginning that was typed, as Typer calls them. What cannot be read offers
nothing: a shell must not show an error in the middle of a line.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

import typer

Tree = dict[str, Any]

ENVIRONMENTS = ("paper", "testnet", "demo", "mainnet")
MODES = ("proportion", "equity", "same-margin-percent", "fixed-notional", "fixed-qty", "risk")
ADOPTS = ("new-only", "all")
_BUILT_IN = ("fast", "conservative")
_KNOWN_SYMBOLS = ("BTCUSDT", "ETHUSDT")  # where nothing was traded yet


def environments(incomplete: str) -> list[str]:
    """Where a profile may trade."""
    return _beginning(ENVIRONMENTS, incomplete)


def modes(incomplete: str) -> list[str]:
    """Sizing modes."""
    return _beginning(MODES, incomplete)


def sides(incomplete: str) -> list[str]:
    """Sides of a position."""
    return _beginning(("long", "short"), incomplete)


def adopts(incomplete: str) -> list[str]:
    """What becomes of positions that main holds already."""
    return _beginning(ADOPTS, incomplete)


def profiles(incomplete: str) -> list[str]:
    """Names of profiles, the user's first."""
    from mirrorctl.core.profile.catalogue import find_home, list_profiles

    return _beginning((listed.name for listed in list_profiles(find_home(os.environ))), incomplete)


def accounts(context: typer.Context, incomplete: str) -> list[str]:
    """main, and the mirrors of the profile in use."""
    return _beginning(("main", *_mirrors(_profile(context))), incomplete)


def mirrors(context: typer.Context, incomplete: str) -> list[str]:
    """The mirrors of the profile in use."""
    return _beginning(_mirrors(_profile(context)), incomplete)


def approaches(context: typer.Context, incomplete: str) -> list[str]:
    """Built-in approaches and those of the profile in use."""
    own = _profile(context).get("approaches")
    return _beginning((*_BUILT_IN, *(own if isinstance(own, dict) else ())), incomplete)


def symbols(context: typer.Context, incomplete: str) -> list[str]:
    """Contracts that the profile's store has seen, or that the profile names; on paper what its exchange lists."""
    tree = _profile(context)
    found = {*_traded(tree.get("name")), *_named(tree)}
    if tree.get("environment") == "paper":
        from mirrorctl.core.paper.instruments import CATALOGUE

        found |= {instrument.symbol for instrument in CATALOGUE}
    return _beginning(sorted(found or _KNOWN_SYMBOLS), incomplete)


def fault_kinds(incomplete: str) -> list[str]:
    """What can be made to go wrong on the paper exchange."""
    from mirrorctl.core.paper.fault_catalogue import CATALOGUE

    return _beginning((entry.kind for entry in CATALOGUE), incomplete)


def _beginning(words: Iterable[str], incomplete: str) -> list[str]:
    return [word for word in dict.fromkeys(words) if word.startswith(incomplete)]


def _reference(context: typer.Context) -> str | None:
    """`--profile` of the command, or of what stands before it."""
    at: Any = context
    while at is not None:
        given = at.params.get("profile")
        if isinstance(given, str) and given:
            return given
        at = at.parent
    return None


def _profile(context: typer.Context) -> Tree:
    """The file of the profile in use, as written; empty where it cannot be read."""
    import tomllib

    from mirrorctl.core.domain.errors import ProfileError
    from mirrorctl.core.profile.catalogue import default_reference, find_home, find_profile

    home = find_home(os.environ)
    try:
        path = find_profile(default_reference(_reference(context), os.environ, home), home)
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ProfileError, OSError, ValueError):  # tomllib's and Unicode's errors are ValueErrors
        return {}
    return {"name": path.stem, **tree}


def _mirrors(tree: Tree) -> Iterator[str]:
    for mirror in _tables(tree.get("mirrors")):
        name = mirror.get("name")
        if isinstance(name, str):
            yield name


def _tables(found: object) -> list[Tree]:
    return [table for table in found if isinstance(table, dict)] if isinstance(found, list) else []


def _named(tree: Tree) -> Iterator[str]:
    """Symbols that a profile's maps, filters and sizings name."""
    for mirror in _tables(tree.get("mirrors")):
        sizing, filters = mirror.get("sizing"), mirror.get("filter")
        for found in (
            mirror.get("map"),
            sizing.get("symbols") if isinstance(sizing, dict) else None,
            filters.get("symbols") if isinstance(filters, dict) else None,
        ):
            if isinstance(found, dict | list):
                yield from (text for text in found if isinstance(text, str) and text.isalnum())


def _traded(name: object) -> tuple[str, ...]:
    from mirrorctl.core.profile.catalogue import find_home
    from mirrorctl.core.store.symbols import symbols_seen

    return symbols_seen(find_home(os.environ).store_path(name)) if isinstance(name, str) and name else ()
