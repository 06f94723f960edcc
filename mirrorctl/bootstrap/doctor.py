"""The doctor: looks at the accounts of a profile and at what its mirrors can copy. It has no way to write.

It reads over connections of its own, beside a daemon or without one; of the store it takes what was written down.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from mirrorctl.bootstrap import doctor_machine
from mirrorctl.bootstrap.doctor_copies import Market, copyable, leverages
from mirrorctl.bootstrap.examined import (
    STREAM_S,
    Examined,
    Recorded,
    connect,
    read_account,
    read_store,
    read_symbols,
)
from mirrorctl.bootstrap.rings import followings
from mirrorctl.core.bybit.probe import Probe, probe_public
from mirrorctl.core.bybit.rest import BybitRest
from mirrorctl.core.domain import account_checks
from mirrorctl.core.domain.account import Ticker
from mirrorctl.core.domain.account_checks import Check, State
from mirrorctl.core.domain.copyability import Copyability
from mirrorctl.core.domain.errors import ExchangeError, MirrorctlError, ProfileError, Unavailable, UsageError
from mirrorctl.core.domain.instruments import Instrument
from mirrorctl.core.domain.policy import MAIN
from mirrorctl.core.domain.rings import Following, ring, told
from mirrorctl.core.domain.values import Severity
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.profile.catalogue import Home
from mirrorctl.core.profile.model import Profile

_UNREAD = "check keys, network and the exchange's status"


@dataclass(frozen=True, slots=True)
class Checkup:
    """What the doctor found: of every account in turn, then of the machine and the profile."""

    accounts: list[Examined]
    checks: list[Check]
    mirrors: dict[str, list[Copyability]]

    @property
    def failure(self) -> MirrorctlError | None:
        """Why no account at all could be read; None where one was."""
        failures = [account.failure for account in self.accounts if account.failure is not None]
        if len(failures) < len(self.accounts):
            return None
        reasons = "; ".join(dict.fromkeys(account.error for account in self.accounts))
        if all(isinstance(failure, ProfileError) for failure in failures):
            return ProfileError(reasons, failures[0].hint or _UNREAD)
        return Unavailable(f"no account could be read: {reasons}", _UNREAD)

    @property
    def healthy(self) -> bool:
        """Whether nothing of it is more than information."""
        notes = (note.severity for found in self.mirrors.values() for each in found for note in each.notes)
        return all(severity is Severity.INFO for severity in (*(check.severity for check in self.checks), *notes))


def examine(profile: Profile, home: Home, names: Sequence[str], symbols: Sequence[str]) -> Checkup:
    """Look at the named accounts, main first, at the machine, and at what each mirror of them copies of `symbols`.

    Without symbols: of those that main holds, has orders on, or traded in the last thirty days. Where no account can be
    read the rest is told all the same. Raises UsageError for a symbol that the exchange does not have.
    """
    recorded = read_store(profile, home)
    rests, failures = connect(profile, home, names)
    endpoints = next((rest.link.endpoints for rest in rests.values()), None)
    try:
        with ThreadPoolExecutor(max_workers=len(names) + 2) as pool:
            machine = pool.submit(lambda: list(doctor_machine.checks(profile, home, endpoints, recorded)))
            public = None if endpoints is None else pool.submit(probe_public, endpoints.public_ws, STREAM_S)
            look = partial(read_account, by_socket=profile.order_entry == "ws")
            read = {account.name: account for account in pool.map(look, rests.values())}
            accounts = [read.get(n) or Examined(n, AccountView(n), failure=failures[n]) for n in names]
            main = accounts[0]
            market = _market(pool, profile, rests, accounts, symbols, recorded)
    finally:
        for rest in rests.values():
            rest.close()
    mirrors = {
        account.name: copyable(profile, main, account, market, recorded)
        for account in accounts[1:]
        if account.identity is not None
    }
    checks = [
        *(check for account in accounts for check in _account(profile, account, main, mirrors, recorded)),
        *_roles(profile, home, accounts),
        *([_public(public.result())] if public is not None else []),
        doctor_machine.daemon(profile, home, [account.view for account in accounts]),
        *machine.result(),
        *(
            Check("price", State.WARNING, "", f"the price of {symbol} cannot be read: nothing is said of it")
            for symbol in market.unpriced
        ),
    ]
    return Checkup(accounts, checks, mirrors)


def _market(
    pool: ThreadPoolExecutor,
    profile: Profile,
    rests: Mapping[str, BybitRest],
    accounts: Sequence[Examined],
    symbols: Sequence[str],
    recorded: Recorded,
) -> Market:
    """Contracts and prices of the symbols that are looked at, and what every account says of them."""
    reader = next((rests[account.name] for account in accounts if account.identity is not None), None)
    if reader is None:
        return Market({}, {})
    rules = {each.symbol: each for each in reader.instruments()}
    chosen = _chosen(symbols, accounts[0].view, recorded, rules)
    readable = [account for account in accounts if account.identity is not None]
    list(pool.map(lambda account: read_symbols(profile, rests[account.name], account, chosen), readable))
    tickers = {symbol: ticker for symbol in chosen if (ticker := _ticker(reader, symbol)) is not None}
    return Market(rules, tickers, tuple(symbol for symbol in chosen if symbol not in tickers))


def _ticker(rest: BybitRest, symbol: str) -> Ticker | None:
    try:
        return rest.ticker(symbol)
    except ExchangeError:
        return None


def _chosen(asked: Sequence[str], main: AccountView, recorded: Recorded, rules: Mapping[str, Instrument]) -> list[str]:
    unknown = [symbol for symbol in asked if symbol not in rules]
    if unknown:
        raise UsageError(
            f"{', '.join(unknown)}: the exchange has no such contract", "symbols are written as on Bybit: BTCUSDT"
        )
    found: Collection[str] = set(asked) or main.symbols() | recorded.symbols
    return sorted(symbol for symbol in found if symbol in rules)


# --- checks ----------------------------------------------------------------------------------------------------------


def _account(
    profile: Profile,
    account: Examined,
    main: Examined,
    mirrors: Mapping[str, Sequence[Copyability]],
    recorded: Recorded,
) -> Iterator[Check]:
    """Everything about one account."""
    name, identity = account.name, account.identity
    if identity is None:
        hint = (account.failure.hint if account.failure is not None else "") or _UNREAD
        known = isinstance(account.failure, ProfileError)
        yield Check("keys", State.ERROR, name, account.error if known else f"cannot be read: {account.error}", hint)
        return
    yield Check("keys", State.OK, name, "the exchange takes them")
    pinned = recorded.pins.get(name, "")
    yield from account_checks.check_identity(name, identity, pinned=pinned, real=profile.real)
    yield account_checks.check_wallet(name, account.view.wallet)
    yield account_checks.check_clock(name, account.clock_offset_ms)
    if account.stream is not None:
        yield _private(name, account.stream)
    if account.trade is not None:
        yield _trade(name, account.trade)
    yield account_checks.check_mode(name, profile.account(name).position_mode, account.modes)
    others = None if name == MAIN or main.identity is None else main.identity.margin_mode
    yield account_checks.check_margin(name, identity.margin_mode, others)
    if name in mirrors:
        found = mirrors[name]
        yield account_checks.check_leverage(name, list(leverages(profile.policy.mirror(name), account, found)))
        yield account_checks.check_minimums(name, found)


def _private(account: str, stream: Probe) -> Check:
    if stream.ms is not None:
        text = f"the private stream takes the key; of use after {stream.ms} ms"
        return Check("stream", State.OK, account, text)
    hint = "without it fills are seen only when the account is read; check firewall, proxy and key"
    return Check("stream", State.ERROR, account, f"the private stream does not come up: {stream.reason}", hint)


def _trade(account: str, stream: Probe) -> Check:
    if stream.ms is not None:
        return Check("order-entry", State.OK, account, f"orders go over WebSocket; of use after {stream.ms} ms")
    text = f"the trade socket does not come up: {stream.reason}"
    return Check("order-entry", State.WARNING, account, text, "orders go over HTTP meanwhile, which is slower")


def _public(stream: Probe) -> Check:
    """Prices are read over REST: the public stream is a sign of the network's health and no more."""
    if stream.ms is not None:
        return Check("public-stream", State.OK, "", f"answers after {stream.ms} ms")
    return Check("public-stream", State.NOTE, "", f"not reached: {stream.reason}; nothing here depends on it")


def _roles(profile: Profile, home: Home, accounts: Sequence[Examined]) -> Iterator[Check]:
    """One account in two roles, and rings of profiles."""
    own = {account.name: account.identity.uid for account in accounts if account.identity is not None}
    yield from account_checks.check_roles(own)
    others, unread = followings(home, profile.name)
    read = len(own) == len(accounts)
    for name, why in unread.items():
        hint = f"`mirrorctl profile check {name}` shows what is wrong with it"
        yield Check("ring", State.WARNING, "", f"whom the profile {name} follows is unknown: {why}", hint)
    way = ring(Following(profile.name, own.pop(MAIN), own), others) if MAIN in own else ()
    if len(way) > 1:
        hint = "take a mirror out of one of them: none of them starts like this"
        yield Check("ring", State.ERROR, "", f"a ring: {told(way)}, which is main of this profile", hint)
    elif not unread and (not others or read):
        yield Check("ring", State.OK, "", "no profile of this home follows in a ring with this one")
    elif not unread:
        yield Check("ring", State.NOTE, "", "unknown: not every account of this profile could be read")
