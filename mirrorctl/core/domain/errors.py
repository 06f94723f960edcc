"""Every error a user can meet, named by what happens next.

    MirrorctlError              kind, message, hint
    ├── UsageError              2   wrong words on the command line
    ├── ProfileError            2   a profile that cannot be used; carries every problem of the file
    ├── ExchangeError           4   the exchange said no, or nothing could be read
    │   ├── Rejected                a final refusal, with its retCode
    │   ├── Unavailable             not reached, or not able to answer; nothing was accepted
    │   └── InDoubt                 sent, and nobody knows: ask for the link id, never send again
    ├── PartlyDone              5   some accounts done, some not
    └── Refused                 6   refused for safety
        ├── LimitReached            a limit of the profile, or one that could not be computed
        ├── ConfirmationMissing     nobody there to ask
        ├── Locked                  another process holds the profile or the account
        ├── IdentityChanged         another UID than the pinned one
        └── StoreError              the store of the profile cannot be used (see core/store/errors.py)
            └── Unwritable          a value that no store takes, whatever its disk

Each class carries the exit code of the contract, so the command line maps errors in one place by reading it.
"""

from __future__ import annotations


class MirrorctlError(Exception):
    """An error with a message for people and a hint that says what to do about it."""

    kind = "error"
    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(MirrorctlError):
    """The command line asks for something that cannot be."""

    kind = "usage"
    exit_code = 2


class ProfileError(MirrorctlError):
    """A profile that cannot be used. `problems` holds one line for each fault found in it."""

    kind = "profile"
    exit_code = 2

    def __init__(self, message: str, hint: str = "", problems: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint)
        self.problems = problems


class ExchangeError(MirrorctlError):
    """The exchange refused, or could not be read."""

    kind = "exchange"
    exit_code = 4


class Rejected(ExchangeError):
    """A final refusal. `code` is Bybit's retCode (docs/v5/error)."""

    kind = "rejected"

    def __init__(self, message: str, hint: str = "", code: int = 0) -> None:
        super().__init__(message, hint)
        self.code = code


class Unavailable(ExchangeError):
    """The exchange was not reached or could not answer; nothing was accepted. `retry_after_s` when it said so."""

    kind = "unavailable"

    def __init__(self, message: str, hint: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message, hint)
        self.retry_after_s = retry_after_s


class InDoubt(ExchangeError):
    """A request was sent and its outcome is unknown."""

    kind = "in-doubt"


class PartlyDone(MirrorctlError):
    """Some accounts were done and some were not."""

    kind = "partly"
    exit_code = 5


class Refused(MirrorctlError):
    """Refused for safety; nothing was sent."""

    kind = "refused"
    exit_code = 6


class LimitReached(Refused):
    """A limit of the profile stands against it, or could not be computed (rule 14)."""

    kind = "limit"


class ConfirmationMissing(Refused):
    """It needs a yes, and there is no terminal to ask on."""

    kind = "confirmation"


class Locked(Refused):
    """Another process holds the profile or one of its accounts."""

    kind = "locked"


class IdentityChanged(Refused):
    """The keys of a role belong to another UID than the one pinned at first use (rule 4)."""

    kind = "identity"


class StoreError(Refused):
    """The store of a profile cannot be used, or not now."""

    kind = "store"


class Unwritable(StoreError):
    """A value that can never be written: waiting does not help. The call that raised it changed nothing."""
