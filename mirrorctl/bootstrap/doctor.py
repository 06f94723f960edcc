"""The doctor: looks at the accounts of a profile and at what its mirrors can copy. It has no way to write.

It reads over connections of its own, beside a daemon or without one; of the store it takes what was written down.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal

from mirrorctl.bootstrap.accounts import clients, pin_key
from mirrorctl.bootstrap.rings import followings
from mirrorctl.core.bybit.rest import BybitRest
from mirrorctl.core.domain.account import Identity, Ticker
from mirrorctl.core.domain.account_checks import Check, check_clock, check_identity, check_mode
from mirrorctl.core.domain.copyability import Copyability, Subject, judge
from mirrorctl.core.domain.cycle import Copy
from mirrorctl.core.domain.errors import ExchangeError, Unavailable, UsageError
from mirrorctl.core.domain.growth import within_limit
from mirrorctl.core.domain.instruments import Instrument
from mirrorctl.core.domain.lens import lens_of
from mirrorctl.core.domain.policy import MAIN, Direction, MirrorPolicy, SizingMode
from mirrorctl.core.domain.rings import Following, ring, told
from mirrorctl.core.domain.selection import selection_block
from mirrorctl.core.domain.sizing import Sized, SizingInputs, ratio_of
from mirrorctl.core.domain.standing_trade import stop_on_book
from mirrorctl.core.domain.values import PositionMode, PositionSide, Severity
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.profile.catalogue import Home
from mirrorctl.core.profile.model import Profile
from mirrorctl.core.store.errors import StoreError
from mirrorctl.core.store.sqlite import SqliteStore

_HISTORY_MS = 30 * 86_400_000
_LITTLE_BYTES, _LEAST_BYTES = 500_000_000, 50_000_000


@dataclass(frozen=True, slots=True)
class Examined:
    """One account as it was read. `identity` None: it could not be, and `error` says why."""

    name: str
    view: AccountView
    identity: Identity | None = None
    clock_offset_ms: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was written down: pinned UIDs by role, open copies, symbols that main traded. `error`: it cannot be read."""

    pins: Mapping[str, str]
    copies: Sequence[Copy] = ()
    symbols: frozenset[str] = frozenset()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Checkup:
    """What the doctor found."""

    accounts: list[Examined]
    checks: list[Check]
    mirrors: dict[str, list[Copyability]]

    @property
    def healthy(self) -> bool:
        """Whether nothing of it is more than information."""
        notes = (note.severity for found in self.mirrors.values() for each in found for note in each.notes)
        return all(severity is Severity.INFO for severity in (*(check.severity for check in self.checks), *notes))


def examine(profile: Profile, home: Home, names: Sequence[str], symbols: Sequence[str]) -> Checkup:
    """Look at the named accounts, main among them, and at what each mirror of them copies of `symbols`.

    Without symbols: of those that main holds, has orders on, or traded in the last thirty days. Raises Unavailable when
    no account can be read, UsageError for a symbol that the exchange does not have.
    """
    recorded = _recorded(profile, home)
    rests = clients(profile, home, names=names)
    try:
        with ThreadPoolExecutor(max_workers=len(rests)) as pool:
            accounts = list(pool.map(_examine, rests.values()))
            if all(account.identity is None for account in accounts):
                reasons = "; ".join(f"{account.name}: {account.error}" for account in accounts)
                raise Unavailable(
                    f"no account could be read: {reasons}", "check keys, network and the exchange's status"
                )
            main = accounts[0]
            reader = next(rests[a.name] for a in accounts if a.identity is not None)
            rules = {each.symbol: each for each in reader.instruments()}
            chosen = _chosen(symbols, main.view, recorded, rules)
            list(pool.map(lambda account: _read_symbols(profile, rests[account.name], account, chosen), accounts))
            tickers = {symbol: ticker for symbol in chosen if (ticker := _ticker(reader, symbol)) is not None}
    finally:
        for rest in rests.values():
            rest.close()
    mirrors = {
        account.name: [
            _judge(profile, main, account, symbol, rules, ticker, recorded) for symbol, ticker in tickers.items()
        ]
        for account in accounts[1:]
        if account.identity is not None
    }
    checks = [
        *_account_checks(profile, accounts, recorded),
        *_role_checks(profile, home, accounts),
        *_machine_checks(home, profile, recorded),
        *(
            Check("price", Severity.WARNING, "", f"the price of {symbol} cannot be read: nothing is said of it")
            for symbol in chosen
            if symbol not in tickers
        ),
    ]
    return Checkup(accounts, checks, mirrors)


# --- reading ------------------------------------------------------------------------------------------------------


def _examine(rest: BybitRest) -> Examined:
    """Who an account is and what it holds; nothing of it is known where one of the reads failed."""
    view = AccountView(rest.account)
    try:
        offset_ms = rest.measure_clock()
        identity, answer = rest.identity(), rest.relist()
    except ExchangeError as error:
        return Examined(rest.account, view, error=error.message.removeprefix(f"{rest.account}: "))
    view.apply_relist(answer.orders, answer.positions, answer.wallet, 0, 0)
    return Examined(rest.account, view, identity, offset_ms)


def _read_symbols(profile: Profile, rest: BybitRest, account: Examined, symbols: Collection[str]) -> None:
    """Mode and leverage of every symbol, flat ones too; what cannot be read stays unknown."""
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
    found = set(asked) or main.symbols() | recorded.symbols
    return sorted(symbol for symbol in found if symbol in rules)


def _recorded(profile: Profile, home: Home) -> Recorded:
    path = home.store_path(profile.name)
    if not path.is_file():
        return Recorded({})
    try:
        with SqliteStore(path, read_only=True) as store:
            cycles = [
                *store.cycles(),
                *(e.cycle for e in store.ended_cycles(time.time_ns() // 1_000_000 - _HISTORY_MS)),
            ]
            return Recorded(
                pins={account.name: store.fact(pin_key(account.name)) or "" for account in profile.accounts},
                copies=[copy for copy in store.copies() if not copy.ended],
                symbols=frozenset(cycle.symbol for cycle in cycles),
            )
    except StoreError as error:
        return Recorded({}, error=error.message)


# --- copyability -----------------------------------------------------------------------------------------------------


def _judge(
    profile: Profile,
    main: Examined,
    mirror: Examined,
    symbol: str,
    rules: Mapping[str, Instrument],
    ticker: Ticker,
    recorded: Recorded,
) -> Copyability:
    policy = profile.policy.mirror(mirror.name)
    here = lens_of(policy).symbol_here(symbol)
    sides = sorted(PositionSide, key=lambda side: main.view.size(symbol, side), reverse=True)
    here_rules = rules.get(here, rules[symbol])
    ratio, formula = _ratio(policy, main, mirror, (symbol, sides[0]), here_rules, ticker, recorded)
    known = main.view.proven(symbol)
    subject = Subject(
        symbol=symbol,
        rules=here_rules,
        main_rules=rules[symbol],
        price=ticker.last,
        ratio=ratio,
        formula=formula,
        main_size=main.view.size(symbol, sides[0]),
        multiplier=lens_of(policy).multiplier(symbol),
        main_leverage=main.view.leverage.get(symbol),
        leverage=mirror.view.leverage.get(here),
        main_mode=main.view.mode(symbol) if known else None,
        mode=mirror.view.mode(here) if mirror.view.proven(here) else None,
        unfollowed=_unfollowed(policy, symbol, here, rules),
    )
    in_use = [each for each in profile.policy.mirrors if each.enabled]
    return judge(subject, policy, profile.policy.approaches, len(in_use))


def _ratio(
    policy: MirrorPolicy,
    main: Examined,
    mirror: Examined,
    key: tuple[str, PositionSide],
    rules: Instrument,
    ticker: Ticker,
    recorded: Recorded,
) -> tuple[Decimal | None, str]:
    """The ratio of the open copy, else the one that a cycle would get now; None with the reason where there is none."""
    for copy in recorded.copies:
        if copy.account == mirror.name and copy.source == key:
            return (None, copy.unsized) if copy.unsized else (copy.ratio, copy.formula)
    if policy.sizing.mode is SizingMode.RISK and policy.follow.direction is Direction.REVERSE:
        return None, "sizing risk: made from main's furthest target when a cycle begins"
    symbol, side = key
    size, row, leverage = main.view.size(*key), main.view.position(*key), main.view.leverage.get(symbol)
    made = ratio_of(
        policy.sizing.mode,
        policy.sizing.value_for(symbol),
        SizingInputs(
            side=lens_of(policy).side(side),
            main_equity=None if main.view.wallet is None else main.view.wallet.equity,
            mirror_equity=None if mirror.view.wallet is None else mirror.view.wallet.equity,
            main_qty=size or None,
            price=row.entry_price if row is not None else ticker.last,
            stop=stop_on_book(main.view, symbol, side)[0],
            main_leverage=leverage,
            mirror_leverage=(
                None if leverage is None else within_limit(policy, leverage * policy.sizing.leverage_factor, rules)
            ),
            multiplier=lens_of(policy).multiplier(symbol),
        ),
    )
    return (made.ratio, made.formula) if isinstance(made, Sized) else (None, made.reason)


def _unfollowed(policy: MirrorPolicy, symbol: str, here: str, rules: Mapping[str, Instrument]) -> str:
    """Why a mirror follows nothing of a symbol now; "" when it follows a side of it."""
    if not lens_of(policy).follows(symbol):
        return "its name stands for another symbol of main's in the profile's map"
    if here not in rules:
        return f"map: the exchange has no contract {here}"
    blocks = [selection_block(policy.filter, symbol, side, time.time_ns() // 1_000_000) for side in PositionSide]
    return blocks[0] if all(blocks) else ""


# --- checks ----------------------------------------------------------------------------------------------------------


def _account_checks(profile: Profile, accounts: Sequence[Examined], recorded: Recorded) -> Iterator[Check]:
    for account in accounts:
        if account.identity is None:
            hint = "check its keys, the network and the exchange's status"
            yield Check("keys", Severity.CRITICAL, account.name, f"cannot be read: {account.error}", hint)
            continue
        pinned = recorded.pins.get(account.name, "")
        yield from check_identity(account.name, account.identity, pinned=pinned, real=profile.real)
        yield from check_clock(account.name, account.clock_offset_ms)
        yield from check_mode(account.name, profile.account(account.name).position_mode, modes_of(account))


def modes_of(account: Examined) -> set[PositionMode]:
    """The position modes of the symbols that were read."""
    view = account.view
    return {view.mode(symbol) for symbol in view.leverage if view.proven(symbol)}


def _role_checks(profile: Profile, home: Home, accounts: Sequence[Examined]) -> Iterator[Check]:
    """One account in two roles, and rings of profiles."""
    uids: dict[int, str] = {}
    for account in accounts:
        if account.identity is None:
            continue
        other = uids.setdefault(account.identity.uid, account.name)
        if other != account.name:
            text = f"{other} and {account.name} are the same account (UID {account.identity.uid})"
            yield Check("uid", Severity.CRITICAL, account.name, text, "give each role the keys of its own account")
    own = {account.name: account.identity.uid for account in accounts if account.identity is not None}
    others, unread = followings(home, profile.name)
    for name, why in unread.items():
        yield Check("ring", Severity.WARNING, "", f"whom the profile {name} follows is unknown: {why}")
    way = ring(Following(profile.name, own.pop(MAIN), own), others) if MAIN in own else ()
    if len(way) > 1:
        hint = "take a mirror out of one of them: none of them starts like this"
        yield Check("ring", Severity.CRITICAL, "", f"a ring: {told(way)}, which is main of this profile", hint)


def _machine_checks(home: Home, profile: Profile, recorded: Recorded) -> Iterator[Check]:
    """The store, and the room it has."""
    if recorded.error:
        yield Check("store", Severity.CRITICAL, "", recorded.error, f"it is {home.store_path(profile.name)}")
    folder = next(path for path in (home.state_root, *home.state_root.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if free < _LITTLE_BYTES:
        severity = Severity.CRITICAL if free < _LEAST_BYTES else Severity.WARNING
        text = f"{free // 1_000_000} MB are left on the disk of {folder}"
        yield Check("disk", severity, "", text, "without room nothing can be journaled, so nothing can be sent")
