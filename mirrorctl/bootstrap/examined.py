"""What the doctor reads before it judges: each account as the exchange shows it, and what was written down."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mirrorctl.bootstrap.accounts import clients, pin_key
from mirrorctl.core.bybit.probe import Probe, probe_private, probe_trade
from mirrorctl.core.bybit.rest import BybitRest
from mirrorctl.core.domain.account import Identity
from mirrorctl.core.domain.cycle import Copy
from mirrorctl.core.domain.errors import ExchangeError, MirrorctlError, ProfileError
from mirrorctl.core.domain.lens import lens_of
from mirrorctl.core.domain.policy import MAIN
from mirrorctl.core.domain.values import PositionMode
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.profile.catalogue import Home
from mirrorctl.core.profile.model import Profile
from mirrorctl.core.store.errors import StoreError
from mirrorctl.core.store.sqlite import SqliteStore

STREAM_S = 3.0
_HISTORY_MS = 30 * 86_400_000


@dataclass(frozen=True, slots=True)
class Examined:
    """One account as it was read. `identity` None: it could not be, for `failure`. Streams that are None: not tried."""

    name: str
    view: AccountView
    identity: Identity | None = None
    clock_offset_ms: int | None = None
    stream: Probe | None = None
    trade: Probe | None = None
    failure: MirrorctlError | None = None

    @property
    def error(self) -> str:
        """Why it could not be read; "" where it was."""
        return "" if self.failure is None else self.failure.message.removeprefix(f"{self.name}: ")

    @property
    def modes(self) -> set[PositionMode]:
        """The position modes of the symbols that were read."""
        return {self.view.mode(symbol) for symbol in self.view.leverage if self.view.proven(symbol)}


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was written down: pinned UIDs by role, open copies, symbols that main traded. `error`: it cannot be read.

    `exists` false: there is no store yet. `is_older`: its schema is, and the next start brings it up to date.
    `fault`: what is wrong with the journal's chain, "" for nothing.
    """

    pins: Mapping[str, str]
    copies: Sequence[Copy] = ()
    symbols: frozenset[str] = frozenset()
    exists: bool = True
    is_older: bool = False
    rows: int = 0
    fault: str = ""
    error: str = ""
    hint: str = ""


def connect(
    profile: Profile, home: Home, names: Iterable[str]
) -> tuple[dict[str, BybitRest], dict[str, MirrorctlError]]:
    """A client for each of these accounts, and why there is none: keys that are not set, no exchange to ask."""
    rests: dict[str, BybitRest] = {}
    failures: dict[str, MirrorctlError] = {}
    for name in names:
        try:
            rests |= clients(profile, home, names=[name])
        except (ExchangeError, ProfileError) as error:
            failures[name] = error
    return rests, failures


def read_account(rest: BybitRest, *, by_socket: bool = False) -> Examined:
    """Who an account is, what it holds, and its streams; nothing of it is known where one of the reads failed.

    `by_socket`: orders are to go over WebSocket.
    """
    view = AccountView(rest.account)
    try:
        offset_ms = rest.measure_clock()
        identity, answer = rest.identity(), rest.relist()
    except ExchangeError as error:
        return Examined(rest.account, view, failure=error)
    view.apply_relist(answer.orders, answer.positions, answer.wallet, 0, 0)
    trade = probe_trade(rest.link, STREAM_S) if by_socket else None
    return Examined(rest.account, view, identity, offset_ms, probe_private(rest.link, STREAM_S), trade)


def read_symbols(profile: Profile, rest: BybitRest, account: Examined, symbols: Collection[str]) -> None:
    """Mode and leverage of every symbol of main's, flat ones too; what cannot be read stays unknown."""
    if account.identity is None:
        return
    if account.name != MAIN:
        lens = lens_of(profile.policy.mirror(account.name))
        symbols = {lens.symbol_here(symbol) for symbol in symbols}
    for symbol in sorted(symbols):
        try:
            rows = rest.position(symbol).positions
        except ExchangeError:
            continue
        for row in rows:
            account.view.apply_position(row, 0, read=True)


def read_store(profile: Profile, home: Home) -> Recorded:
    """What the store of the profile holds, and whether it is sound."""
    path = home.store_path(profile.name)
    try:
        if not path.is_file():
            return Recorded({}, exists=False)
        with SqliteStore(path, read_only=True) as store:
            cycles = [
                *store.cycles(),
                *(e.cycle for e in store.ended_cycles(time.time_ns() // 1_000_000 - _HISTORY_MS)),
            ]
            verified = store.verify()
            is_older = store.is_migrated_copy
            return Recorded(
                pins={account.name: store.fact(pin_key(account.name)) or "" for account in profile.accounts},
                copies=[copy for copy in store.copies() if not copy.ended],
                symbols=frozenset(cycle.symbol for cycle in cycles),
                is_older=is_older,
                rows=verified.rows,
                fault="" if verified.fault is None or is_older else verified.fault.text,
            )
    except StoreError as error:
        return Recorded({}, error=error.message, hint=error.hint)
    except OSError as error:
        return Recorded(
            {}, error=f"the store {path} cannot be opened: {error.strerror}", hint="see who owns its folder"
        )
