"""The auditor: looks at every account beside whatever runs, with connections of its own and no writer (A64).

What a live daemon is about to mend within moments is not a finding. So a look that finds something is followed by
another, and only what both saw counts; while figures still move, by a third.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from mirrorctl.bootstrap.accounts import clients
from mirrorctl.bootstrap.runtime import Runtime
from mirrorctl.core.domain.audit.findings import Code, Finding
from mirrorctl.core.domain.audit.judge import confirmed, is_clean
from mirrorctl.core.domain.audit.scene import Recorded, Seen
from mirrorctl.core.domain.errors import MirrorctlError, Unavailable
from mirrorctl.core.domain.ids import account_tag
from mirrorctl.core.domain.values import Severity
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.engine.audit import is_settled, look, recorded_in
from mirrorctl.core.profile.catalogue import Home
from mirrorctl.core.profile.model import Profile
from mirrorctl.core.store.sqlite import SqliteStore

PAUSE_S = 1.5
_LOOKS = 3
_SETTLE_MS = 8_000


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit came to."""

    findings: list[Finding]

    @property
    def clean(self) -> bool:
        return is_clean(self.findings)


def audit(profile: Profile, home: Home, *, sleep: Callable[[float], None] = time.sleep) -> Audit:
    """Look until what is found is certain. Raises ExchangeError when no account at all can be read."""
    findings = _look(profile, home)
    for _ in range(_LOOKS - 1):
        if is_clean(findings):
            break
        sleep(PAUSE_S)
        before, findings = findings, confirmed(findings, _look(profile, home))
        if {f for f in findings if f.severity is not Severity.INFO} <= set(before):
            break
    return Audit(findings)


def _look(profile: Profile, home: Home) -> list[Finding]:
    """One look, with the store as it is now and everything read anew."""
    disabled = tuple(_disabled(profile, home))
    with Runtime(profile, home, "audit", sends=False, hosts_paper=False, needs_main=False) as runtime:
        engine = runtime.engine
        began = engine.now_ms()
        runtime.loop.run(engine, until=lambda: is_settled(engine, began) or engine.now_ms() - began >= _SETTLE_MS)
        modes = {account.name: account.position_mode for account in profile.accounts}
        findings = look(engine, _recorded(profile, home), modes=modes, disabled=disabled)
    _refuse_blind(profile, findings)
    return findings


def _recorded(profile: Profile, home: Home) -> Recorded:
    """Read after the accounts: what a daemon wrote down meanwhile is on record."""
    with SqliteStore(home.store_path(profile.name), read_only=True) as store:
        return recorded_in(store)


def _refuse_blind(profile: Profile, findings: list[Finding]) -> None:
    """With no account in use read there is nothing to judge."""
    used = [account.name for account in profile.accounts if account.enabled]
    unread = {f.account: f.actual for f in findings if f.code is Code.ACCOUNT_UNREADABLE}
    if all(name in unread for name in used):
        told = "; ".join(f"{name}: {unread[name]}" for name in used)
        raise Unavailable(f"no account could be read: {told}", "check keys, network and the exchange's status")


def _disabled(profile: Profile, home: Home) -> list[Seen]:
    """Disabled mirrors as the exchange shows them; one without keys, or that does not answer, is unknown."""
    return [_read(profile, home, account.name) for account in profile.accounts if not account.enabled]


def _read(profile: Profile, home: Home, name: str) -> Seen:
    try:
        rest = clients(profile, home, names=[name], disabled=True)[name]
        try:
            uid, answer = rest.identity().uid, rest.relist()
        finally:
            rest.close()
    except MirrorctlError as error:
        return Seen(name, "", None, error.message.removeprefix(f"{name}: "))
    view = AccountView(name)
    view.apply_relist(answer.orders, answer.positions, answer.wallet, 0, 0)
    return Seen(name, account_tag(uid), view)
