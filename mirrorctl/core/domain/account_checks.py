"""How an account is set up before it trades: keys, clock, modes, leverage. Pure rules over what was read.

Every rule says what it found, also where nothing is wrong: who reads the list sees what was looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from mirrorctl.core.domain.account import Identity, Wallet
from mirrorctl.core.domain.copyability import Copyability
from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.values import MarginMode, PositionMode, Severity

FAST_MS = 1_000  # a client's clock this far ahead of the exchange's is refused whatever the window (guide)
_SKEWED_MS = 500
_EXPIRES_SOON = 14
_LAST_DAYS = 3
_NAMED = 3


class State(StrEnum):
    """OK: as it should be. NOTE: worth knowing. WARNING and ERROR: a problem."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


_SEVERITIES = {State.WARNING: Severity.WARNING, State.ERROR: Severity.CRITICAL}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: `check` names it (keys, uid, clock …), `hint` says what to do about it.

    `account` "": it is of the machine or the profile.
    """

    check: str
    state: State
    account: str
    text: str
    hint: str = ""

    @property
    def severity(self) -> Severity:
        """INFO is no problem."""
        return _SEVERITIES.get(self.state, Severity.INFO)


@dataclass(frozen=True, slots=True)
class Leverage:
    """The leverage of a symbol on a mirror, and what it is set to before the next entry. `holds`: a position has it."""

    symbol: str
    now: Decimal
    wanted: Decimal
    holds: bool


def check_identity(account: str, identity: Identity, *, pinned: str, real: bool) -> Iterator[Check]:
    """What the keys of an account say. `pinned`: the UID that the role had before, "" for none.

    On paper (`real` false) keys are made up, and nothing is asked of their rights.
    """
    if pinned and pinned != str(identity.uid):
        text = f"its keys belong to UID {identity.uid}, pinned is {pinned}"
        hint = "put the right keys back, or accept the account with `mirrorctl profile use NAME --repin`"
        yield Check("uid", State.ERROR, account, text, hint)
    else:
        how = "as pinned" if pinned else "the first start pins it to this role"
        yield Check("uid", State.OK, account, f"{identity.uid}, {how}")
    if identity.unified:
        yield Check("account-type", State.OK, account, "unified account (UTA)")
    else:
        text = "it is no unified account (UTA)"
        yield Check("account-type", State.ERROR, account, text, "upgrade it to a unified account on Bybit")
    if identity.can_trade:
        yield Check("permission", State.OK, account, "its key may place orders and change positions")
    else:
        why = "read-only" if identity.read_only else "not allowed to trade contracts (orders and positions)"
        text = f"its key is {why}"
        yield Check("permission", State.ERROR, account, text, "make a key with Orders and Positions of contracts")
    if real:
        yield from _rights(account, identity)


def check_clock(account: str, offset_ms: int | None) -> Check:
    """`offset_ms`: the exchange's clock less the local one; None where it was not measured."""
    if offset_ms is None:
        return Check("clock", State.NOTE, account, "it was not measured")
    ahead = "behind" if offset_ms > 0 else "ahead of"
    text = f"the local clock is {abs(offset_ms)} ms {ahead} the exchange's"
    if abs(offset_ms) < _SKEWED_MS:
        return Check("clock", State.OK, account, text)
    state = State.ERROR if offset_ms <= -FAST_MS else State.WARNING
    hint = "let NTP set the clock (timedatectl set-ntp true)"
    return Check("clock", state, account, f"{text}; requests are corrected for it", hint)


def check_mode(account: str, declared: PositionMode | None, modes: Collection[PositionMode]) -> Check:
    """The position mode of the symbols that were read against the profile's; None: any will do."""
    seen = " and ".join(sorted(set(modes)))
    if declared is not None and any(mode is not declared for mode in modes):
        text = f"position_mode = {declared} in the profile, and symbols are in {seen}"
        hint = "switch the mode on Bybit while flat, or change the profile"
        return Check("position-mode", State.WARNING, account, text, hint)
    asked = "auto" if declared is None else declared.value
    told = f"symbols are in {seen}" if seen else "no symbol was read"
    state = State.OK if seen else State.NOTE
    return Check("position-mode", state, account, f"{asked} in the profile; {told}")


def check_margin(account: str, mode: MarginMode | None, main: MarginMode | None) -> Check:
    """The margin mode of an account (account/info) beside main's; None: the exchange named one that is not known."""
    if mode is None:
        return Check("margin-mode", State.NOTE, account, "the exchange names none that is known")
    hint = "choose the margin mode on Bybit while the account is flat"
    if mode is MarginMode.PORTFOLIO:
        text = "portfolio margin: symbols have no leverage of their own, so main's cannot be followed"
        return Check("margin-mode", State.WARNING, account, text, hint)
    if main is not None and mode is not main:
        text = f"{mode}, main's is {main}: the same position is liquidated at another price here"
        return Check("margin-mode", State.WARNING, account, text, hint)
    return Check("margin-mode", State.OK, account, mode.value)


def check_wallet(account: str, wallet: Wallet | None) -> Check:
    """Whether there is something to trade with."""
    if wallet is None:
        return Check("wallet", State.WARNING, account, "its balance is unknown", "no entry is sized by it until it is")
    if wallet.equity <= ZERO:
        text = f"its equity is {plain(wallet.equity)}: no entry can be paid for"
        return Check("wallet", State.WARNING, account, text, "move USDT into its unified account")
    return Check("wallet", State.OK, account, f"equity {plain(wallet.equity)}, available {plain(wallet.available)}")


def check_leverage(account: str, symbols: Sequence[Leverage]) -> Check:
    """Whether a mirror's leverage is what main's asks for, in the symbols where both are known."""
    if not symbols:
        return Check("leverage", State.NOTE, account, "main's and its own are both known of no symbol")
    other = [each for each in symbols if each.now != each.wanted]
    if not other:
        return Check("leverage", State.OK, account, f"as main's asks for, in {_count(len(symbols))}")
    told = _few(f"{each.symbol} has {plain(each.now)}x, wanted is {plain(each.wanted)}x" for each in other)
    if any(each.holds for each in other):
        hint = "it is set before the next entry; until then margin and liquidation price differ from main's"
        return Check("leverage", State.WARNING, account, told, hint)
    return Check("leverage", State.NOTE, account, f"{told}: set before the next entry")


def check_minimums(account: str, symbols: Sequence[Copyability]) -> Check:
    """From which size of main on a mirror copies; a problem where what main holds now is too small."""
    known = [(each.subject, each.smallest) for each in symbols if each.smallest is not None]
    small = [(subject, smallest) for subject, smallest in known if ZERO < subject.main_size < smallest]
    if small:
        told = _few(f"{each.symbol}: main's {plain(each.main_size)} is under {plain(least)}" for each, least in small)
        hint = "sizing.value decides it; below_minimum says what becomes of it"
        return Check("minimums", State.WARNING, account, f"too small to be copied: {told}", hint)
    if not known:
        return Check("minimums", State.NOTE, account, "no symbol with a ratio to look at: name a SYMBOL")
    told = _few(f"{plain(least)} {subject.symbol}" for subject, least in known)
    return Check("minimums", State.OK, account, f"main is copied from {told} on")


def check_roles(uids: Mapping[str, int]) -> Iterator[Check]:
    """One account in two roles would mirror itself. `uids` by account, main first."""
    seen: dict[int, str] = {}
    for account, uid in uids.items():
        other = seen.setdefault(uid, account)
        if other != account:
            text = f"{other} and {account} are the same account (UID {uid})"
            yield Check("uid", State.ERROR, account, text, "give each role the keys of its own account")


# --- parts ------------------------------------------------------------------------------------------------------------


def _rights(account: str, identity: Identity) -> Iterator[Check]:
    if identity.can_withdraw:
        hint = "make a key without it: nothing here needs it"
        yield Check("withdrawal", State.WARNING, account, "its key may withdraw", hint)
    else:
        yield Check("withdrawal", State.OK, account, "its key may not withdraw")
    if identity.ip_bound:
        yield Check("ip", State.OK, account, "its key is bound to an IP address")
    else:
        hint = "bind it to this machine's address; such keys do not expire"
        yield Check("ip", State.WARNING, account, "its key is bound to no IP address", hint)
    days = identity.expires_in_days
    if days is None:
        state, text = State.OK, "its key does not expire"
        if not identity.ip_bound:
            state, text = State.NOTE, "the exchange does not say when its key expires; one bound to no address does"
        yield Check("expiry", state, account, text)
        return
    soon = State.ERROR if days < _LAST_DAYS else State.WARNING if days < _EXPIRES_SOON else State.OK
    hint = "" if soon is State.OK else "renew it, or bind it to an address"
    yield Check("expiry", soon, account, f"its key expires in {days} days", hint)


def _count(symbols: int) -> str:
    return "1 symbol" if symbols == 1 else f"{symbols} symbols"


def _few(texts: Iterable[str]) -> str:
    """The first few, and how many more there are."""
    told = list(texts)
    more = f" and {len(told) - _NAMED} more" if len(told) > _NAMED else ""
    return ", ".join(told[:_NAMED]) + more
