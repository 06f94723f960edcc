"""What is wrong with an account before it trades: its keys, its clock, its mode. Pure rules over what was read."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from mirrorctl.core.domain.account import Identity
from mirrorctl.core.domain.values import PositionMode, Severity

FAST_MS = 1_000  # a client's clock this far ahead of the exchange's is refused whatever the window (guide)
_SKEWED_MS = 500
_EXPIRES_SOON = 14
_LAST_DAYS = 3


@dataclass(frozen=True, slots=True)
class Check:
    """One thing found. INFO is no problem. `check` names what was looked at: keys, uid, clock …"""

    check: str
    severity: Severity
    account: str
    text: str
    hint: str = ""


def check_identity(account: str, identity: Identity, *, pinned: str, real: bool) -> Iterator[Check]:
    """What the keys of an account say. `pinned`: the UID that the role had before, "" for none.

    On paper (`real` false) keys are made up, and nothing is asked of their rights.
    """
    if pinned and pinned != str(identity.uid):
        text = f"its keys belong to UID {identity.uid}, pinned is {pinned}"
        hint = "put the right keys back, or accept the account with `mirrorctl profile use NAME --repin`"
        yield Check("uid", Severity.CRITICAL, account, text, hint)
    if not identity.unified:
        text = "it is no unified account (UTA)"
        yield Check("account-type", Severity.CRITICAL, account, text, "upgrade it to a unified account on Bybit")
    if not identity.can_trade:
        why = "read-only" if identity.read_only else "not allowed to trade contracts (orders and positions)"
        text = f"its key is {why}"
        yield Check("permission", Severity.CRITICAL, account, text, "make a key with Orders and Positions of contracts")
    if not real:
        return
    if identity.can_withdraw:
        text = "its key may withdraw"
        yield Check("withdrawal", Severity.WARNING, account, text, "make a key without it: nothing here needs it")
    if not identity.ip_bound:
        text = "its key is bound to no IP address"
        yield Check("ip", Severity.WARNING, account, text, "bind it to this machine's address; such keys do not expire")
    yield from _expiry(account, identity.expires_in_days)


def check_clock(account: str, offset_ms: int | None) -> Iterator[Check]:
    """`offset_ms`: the exchange's clock less the local one; None where it was not measured."""
    if offset_ms is None or abs(offset_ms) < _SKEWED_MS:
        return
    ahead = "behind" if offset_ms > 0 else "ahead of"
    text = f"the local clock is {abs(offset_ms)} ms {ahead} the exchange's; requests are corrected for it"
    severity = Severity.CRITICAL if offset_ms <= -FAST_MS else Severity.WARNING
    yield Check("clock", severity, account, text, "let NTP set the clock (timedatectl set-ntp true)")


def check_mode(account: str, declared: PositionMode | None, modes: Collection[PositionMode]) -> Iterator[Check]:
    """The position mode of the symbols that were read against the profile's; None: any will do."""
    if declared is None or all(mode is declared for mode in modes):
        return
    text = f"position_mode = {declared} in the profile, and symbols are in {' and '.join(sorted(set(modes)))}"
    yield Check("mode", Severity.WARNING, account, text, "switch the mode on Bybit while flat, or change the profile")


def _expiry(account: str, days: int | None) -> Iterator[Check]:
    if days is not None and days < _EXPIRES_SOON:
        severity = Severity.CRITICAL if days < _LAST_DAYS else Severity.WARNING
        yield Check(
            "expiry", severity, account, f"its key expires in {days} days", "renew it, or bind it to an address"
        )
