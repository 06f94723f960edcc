"""The loop guard: no profile starts that would bring a trade back to its own main by way of others on this machine.

Who follows whom is read from what the other profiles pinned when they last ran. Their stores are only looked at.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from mirrorctl.bootstrap.accounts import PIN, ROLES
from mirrorctl.core.domain.errors import Refused
from mirrorctl.core.domain.policy import MAIN
from mirrorctl.core.domain.rings import Following, ring, told
from mirrorctl.core.profile.catalogue import Home
from mirrorctl.core.store.errors import StoreError
from mirrorctl.core.store.sqlite import SqliteStore

log = logging.getLogger(__name__)

GUARDED = frozenset(("run", "run --once", "sync", "trade open", "preview"))
"""Commands that may open something. Whoever closes, protects or looks is not kept from it by a ring."""


def check_rings(own: Following, home: Home) -> None:
    """Raise Refused, with every name, where `own` is part of a ring. A store that cannot be read is a warning."""
    others, unread = followings(home, own.profile)
    for name, why in unread.items():
        log.warning("whom the profile %s follows is unknown, so no ring with it can be seen: %s", name, why)
    way = ring(own, others)
    if not way:
        return
    names = [f'"{hop.profile}"' for hop in way if hop.profile != own.profile] or [f'"{own.profile}"']
    folders = ", ".join(str(home.state_dir(hop.profile)) for hop in way if hop.profile != own.profile)
    raise Refused(
        f'a ring: {told(way)}, which is main of "{own.profile}": no trade would ever come to rest',
        f"take a mirror out of {' or '.join(names)} and run that profile once"
        + (f"; of one that is not used any more remove {folders}" if folders else ""),
    )


def followings(home: Home, without: str) -> tuple[list[Following], dict[str, str]]:
    """Whom every other profile follows, by what it pinned; and those whose store could not be read, with why."""
    found: list[Following] = []
    unread: dict[str, str] = {}
    for folder in _folders(home, without):
        try:
            with SqliteStore(home.store_path(folder.name), read_only=True) as store:
                pins, roles = store.facts(PIN), store.fact(ROLES)
        except StoreError as error:
            unread[folder.name] = error.message
            continue
        named = None if roles is None else roles.split()
        uids = {key.removeprefix(PIN): int(uid) for key, uid in pins.items() if uid.isdigit()}
        uids = {name: uid for name, uid in uids.items() if named is None or name in named}
        if MAIN in uids:
            found.append(Following(folder.name, uids.pop(MAIN), uids))
    return found, unread


def _folders(home: Home, without: str) -> Iterator[Path]:
    if not home.state_root.is_dir():
        return
    for folder in sorted(home.state_root.iterdir()):
        if folder.name != without and home.store_path(folder.name).is_file():
            yield folder
