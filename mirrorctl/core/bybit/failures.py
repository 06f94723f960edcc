"""How a call can fail, as values; and the errors that readers of the exchange get to see.

A `Failure` says only what was observed. What it means for a write is decided in `outcomes`, for a read here: after a
read fails, whatever it was about is unknown (rule 1), never empty.

    domain Unavailable      not reached, or not able to answer
    ├── AddressBlocked      HTTP 403: every request from this address must stop for minutes (rate-limit, error)
    └── Malformed           an answer came that cannot be read: the state it was about is unknown
    domain Rejected         refused with a retCode
    └── AccountRefused      keys, permissions or account set-up: no retry can help
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mirrorctl.core.bybit.retcodes import ACCOUNT_WIDE, Reaction, lookup
from mirrorctl.core.domain.errors import Rejected, Unavailable


class AddressBlocked(Unavailable):
    """HTTP 403: the rate of this IP address, or its region. No traffic until `retry_after_s` has passed."""

    kind = "blocked"


_UNREAD = "what it was about stays unknown; if it goes on, the exchange answers in a new way: report it"


class Malformed(Unavailable):
    """The exchange answered with something that cannot be read; nothing of it is used."""

    kind = "malformed"

    def __init__(self, message: str, hint: str = _UNREAD, retry_after_s: float | None = None) -> None:
        super().__init__(message, hint, retry_after_s)


class AccountRefused(Rejected):
    """The exchange refuses these keys or this account's set-up; a human must act."""

    kind = "account-refused"


class FailureKind(Enum):
    """What was observed of a call that brought no result."""

    NOT_CONNECTED = "not-connected"  # no connection was made: the request never left
    INTERRUPTED = "interrupted"  # sent, at least in part, and no whole answer came
    UNREADABLE = "unreadable"  # answered with something that is not a V5 envelope
    HTTP = "http"  # answered with another HTTP status than 200
    REFUSED = "refused"  # answered with a retCode other than 0
    BLOCKED = "blocked"  # not even tried: this address is asked to be silent
    CUT_OFF = "cut-off"  # not even tried: the account's breaker is open
    LIMITED = "limited"  # not even tried: a budget of ours is used up


NOT_TRIED = frozenset((FailureKind.BLOCKED, FailureKind.CUT_OFF, FailureKind.LIMITED))
# In doubt for the request itself, and yet an exchange that is there: it says that it knows the request already.
_ALREADY_ASKED = frozenset((10014, 20006, 110072, 170141, 170005))


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed call. `code` is the retCode or the HTTP status; `message` carries no request and no secret."""

    kind: FailureKind
    message: str
    code: int = 0
    retry_after_s: float | None = None

    @property
    def is_outage(self) -> bool:
        """The exchange itself was not there, rather than unwilling."""
        if self.kind is FailureKind.HTTP:
            return self.code >= 500 or self.code == 429
        if self.kind is FailureKind.REFUSED:
            return lookup(self.code, self.message).reaction is Reaction.QUERY and self.code not in _ALREADY_ASKED
        return self.kind not in NOT_TRIED

    @property
    def is_clock(self) -> bool:
        """Our timestamp was outside the exchange's window."""
        return self.kind is FailureKind.REFUSED and lookup(self.code, self.message).reaction is Reaction.CLOCK

    @property
    def is_account_wide(self) -> bool:
        """Every signed call of this account will fail the same way."""
        if self.kind is FailureKind.HTTP:
            return self.code == 401
        return self.kind is FailureKind.REFUSED and self.code in ACCOUNT_WIDE

    @property
    def is_transient(self) -> bool:
        """A read may be tried again within the same request."""
        if self.kind is FailureKind.REFUSED:
            return lookup(self.code, self.message).reaction in (Reaction.QUERY, Reaction.AGAIN, Reaction.CLOCK)
        return self.is_outage


class CallFailed(Exception):
    """Carries a Failure from the session to the one who asked."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def read_error(failure: Failure, account: str) -> Unavailable | Rejected:
    """The error a reader sees for `failure`, with a hint about what to do."""
    message = f"{account}: {failure.message}"
    if failure.kind is FailureKind.BLOCKED or (failure.kind is FailureKind.HTTP and failure.code == 403):
        return AddressBlocked(message, "stop every program that calls Bybit from this address", failure.retry_after_s)
    if failure.kind is FailureKind.HTTP and failure.code == 401:
        return AccountRefused(message, "check the API key and its environment", failure.code)
    if failure.kind is FailureKind.LIMITED:
        return Unavailable(message, "it is asked again when there is room", failure.retry_after_s)
    if failure.kind is FailureKind.UNREADABLE:
        return Malformed(message, "is this address really Bybit's?", failure.retry_after_s)
    if failure.kind is FailureKind.REFUSED:
        entry = lookup(failure.code, failure.message)
        if entry.reaction is Reaction.ACCOUNT:
            return AccountRefused(message, entry.hint, failure.code)
        if not failure.is_transient:
            return Rejected(message, entry.hint, failure.code)
        return Unavailable(message, entry.hint, failure.retry_after_s)
    return Unavailable(message, "check the network and Bybit's status", failure.retry_after_s)
