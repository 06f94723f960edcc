"""What every mirror should hold: from the daemon where one runs, else from the store's copies. None is unknown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mirrorctl.commands import desk
from mirrorctl.commands.session import Session
from mirrorctl.core.domain.account import Position
from mirrorctl.core.domain.errors import ExchangeError, MirrorctlError
from mirrorctl.core.domain.instruments import ZERO, Instrument
from mirrorctl.core.domain.policy import MAIN

if TYPE_CHECKING:
    from mirrorctl.core.domain.cycle import Copy

Wants = Mapping[str, Mapping[str, Decimal]]
"""{account: {"SYMBOL side": quantity}}; what is not in it is unknown."""

_DAEMON_S = 1.0


def find_wants(session: Session, main: Iterable[Position] | None) -> Wants:
    """What is wanted now. `main` is what main was just read to hold; None when it could not be read."""
    status = desk.ask_status(desk.holder_of(session), _DAEMON_S)
    if status is not None:
        wants = status.get("wants") or {}
        return {name: {key: Decimal(qty) for key, qty in row.items()} for name, row in wants.items()}
    if main is None:
        return {}
    try:
        return _from_store(session, {(row.symbol, row.side): row.size for row in main})
    except MirrorctlError as error:
        session.terminal.tell(f"what mirrors should hold is unknown: {error.message}", "yellow")
        return {}


def _from_store(session: Session, held: Mapping[tuple[str, Any], Decimal]) -> Wants:
    from mirrorctl.core.store.sqlite import SqliteStore

    with SqliteStore(session.home.store_path(session.profile.name), read_only=True) as store:
        copies = [copy for copy in store.copies() if not copy.held]
    rules = _instruments(session, {copy.symbol for copy in copies})
    found: dict[str, dict[str, Decimal]] = {}
    for copy in copies:
        if copy.symbol in rules:
            key = f"{copy.symbol} {copy.side}"
            found.setdefault(copy.account, {})[key] = _want(copy, held, rules[copy.symbol])
    return found


def _want(copy: Copy, held: Mapping[tuple[str, Any], Decimal], instrument: Instrument) -> Decimal:
    return copy.want(held.get((copy.symbol, copy.side), ZERO), instrument)


def _instruments(session: Session, symbols: set[str]) -> dict[str, Instrument]:
    """Rules of the symbols, as far as they can be read."""
    from mirrorctl.bootstrap.accounts import clients

    if not symbols:
        return {}
    rest = clients(session.profile, session.home, names=[MAIN])[MAIN]
    found = {}
    try:
        for symbol in sorted(symbols):
            found[symbol] = rest.instrument(symbol)
    except ExchangeError as error:
        session.terminal.tell(f"trading rules could not be read: {error.message}", "yellow")
    finally:
        rest.close()
    return found
