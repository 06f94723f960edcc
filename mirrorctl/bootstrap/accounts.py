"""Connections to a profile's accounts, who they belong to, and the pins that keep it so."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

from mirrorctl.bootstrap.paper import need_paper
from mirrorctl.core.bybit.address import shared_address
from mirrorctl.core.bybit.environments import Endpoints, endpoints_for
from mirrorctl.core.bybit.link import wall_ms
from mirrorctl.core.bybit.rest import BybitRest
from mirrorctl.core.bybit.silence import SilenceFile
from mirrorctl.core.domain.account import Identity
from mirrorctl.core.domain.errors import ExchangeError, IdentityChanged, Refused
from mirrorctl.core.domain.policy import MAIN
from mirrorctl.core.engine.records import Store
from mirrorctl.core.profile.catalogue import Home
from mirrorctl.core.profile.model import Profile

PIN = "uid."
ROLES = "roles"


@dataclass(frozen=True, slots=True)
class Connected:
    """An account whose keys were read: its REST client and its identity."""

    name: str
    rest: BybitRest
    identity: Identity


def endpoints_of(profile: Profile, home: Home) -> Endpoints:
    """Addresses of the profile's exchange; of the running paper exchange where it is embedded."""
    given = profile.endpoints
    if profile.embedded_paper:
        address = need_paper(profile, home)
        return Endpoints(address.rest, address.private_ws, address.public_ws, address.trade_ws)
    return endpoints_for(
        profile.environment.value,
        rest=given.rest,
        private_ws=given.private_ws,
        public_ws=given.public_ws,
        trade_ws=given.trade_ws,
    )


def silence_of(endpoints: Endpoints, home: Home) -> SilenceFile:
    """Where every process of this user notes how long the exchange wants no requests from here."""
    where = urlsplit(endpoints.rest).netloc.replace(":", "-")
    return SilenceFile(home.locks_dir / f"silence-{where}", wall_ms)


def clients(
    profile: Profile,
    home: Home,
    *,
    names: Collection[str] | None = None,
    timeout_s: float = 5.0,
    disabled: bool = False,
) -> dict[str, BybitRest]:
    """One client for each account in use (of `names`), main first; bound to its account. Nothing is sent yet.

    With `disabled` those that are named, in use or not.
    """
    endpoints = endpoints_of(profile, home)
    address = shared_address(endpoints.rest, silence_of(endpoints, home))
    wanted = [account.name for account in profile.accounts if account.enabled or disabled]
    keys = profile.credentials_of(name for name in wanted if names is None or name in names)
    return {
        name: BybitRest(
            account=name,
            api_key=found.api_key,
            api_secret=found.api_secret,
            endpoints=endpoints,
            timeout_s=timeout_s,
            settle_coin=profile.policy.settle_coin,
            address=address,
        )
        for name, found in keys.items()
    }


def identify(rests: Iterable[BybitRest]) -> tuple[list[Connected], dict[str, ExchangeError]]:
    """Ask every account who it is, all at once. Those that could not be read are in the second value."""
    rests = list(rests)
    connected: list[Connected] = []
    failed: dict[str, ExchangeError] = {}

    def ask(rest: BybitRest) -> Identity | ExchangeError:
        try:
            return rest.identity()
        except ExchangeError as error:
            return error

    with ThreadPoolExecutor(max_workers=max(len(rests), 1)) as pool:
        for rest, answer in zip(rests, pool.map(ask, rests), strict=True):
            if isinstance(answer, Identity):
                connected.append(Connected(rest.account, rest, answer))
            else:
                failed[rest.account] = answer
    return connected, failed


def check_distinct(connected: Iterable[Connected]) -> None:
    """No UID in two roles: an account that mirrored itself would never come to rest."""
    roles: dict[int, str] = {}
    for account in connected:
        other = roles.setdefault(account.identity.uid, account.name)
        if other != account.name:
            raise Refused(
                f"{other} and {account.name} are the same account (UID {account.identity.uid})",
                "give each role the keys of its own account",
            )


def check_pin(store: Store, account: Connected, roles: Collection[str]) -> None:
    """Pin the UID at first use; refuse another one in the same role (rule 4, A80). `roles`: every account's name."""
    key, uid = pin_key(account.name), str(account.identity.uid)
    pinned = store.fact(key)
    if not pinned:
        with store.batch():
            if store.fact(f"before.{account.name}") not in (None, "", uid):
                _forget_account(store, account.name, roles)
            store.set_fact(key, uid)
    elif pinned != uid:
        raise IdentityChanged(
            f"the keys of {account.name} belong to UID {account.identity.uid}, pinned is {pinned}",
            "put the right keys back, or accept the new account with `mirrorctl profile use NAME --repin`",
        )


def note_roles(store: Store, names: Iterable[str]) -> None:
    """Write down which accounts the profile uses now: pins of others are of the past, and make no ring."""
    roles = " ".join(names)
    if store.fact(ROLES) != roles:  # a start on a full disk needs no write
        store.set_fact(ROLES, roles)


def forget_pins(store: Store, names: Iterable[str]) -> dict[str, str]:
    """Let the next start pin whatever UIDs the keys belong to then. Returns the pins that were forgotten."""
    pinned = {name: store.fact(pin_key(name)) for name in names}
    for name, uid in pinned.items():
        store.set_fact(f"before.{name}", uid or store.fact(f"before.{name}") or "")
        store.set_fact(pin_key(name), "")
    return {name: uid for name, uid in pinned.items() if uid}


def _forget_account(store: Store, name: str, roles: Collection[str]) -> None:
    """Another account has the role now: what was followed on the one before is nothing it did.

    For the new one the store is new: it changes no exposure by itself (a new main for every mirror).
    """
    for copy in store.copies():
        if name in (MAIN, copy.account):
            store.drop_copy(copy.key)
    if name == MAIN:
        for cycle in store.cycles():
            store.end_cycle(cycle.key, cycle.started_ms)
    for row in store.open_positions():
        if row.account == name:
            store.drop_open(row.key)
    for role in roles if name == MAIN else (name,):
        store.set_fact(f"seen.{role}", "")
    store.set_fact(f"executions.{name}", "")
    store.set_fact(f"told.{name}", "")
    store.set_fact(f"day.high.{name}", "")


def pin_key(name: str) -> str:
    """The store's fact that holds the pinned UID of a role."""
    return f"{PIN}{name}"


def require_main(connected: Iterable[Connected], failed: dict[str, ExchangeError]) -> Connected:
    """Main, or its error: without main nothing can be decided."""
    for account in connected:
        if account.name == MAIN:
            return account
    raise failed[MAIN]
