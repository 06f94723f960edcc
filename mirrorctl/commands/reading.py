"""Reading accounts over REST: all at once, no lock, no store. What cannot be read is unknown (rule 1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mirrorctl.commands.session import Session
from mirrorctl.core.domain.errors import ExchangeError
from mirrorctl.core.domain.policy import MAIN

if TYPE_CHECKING:
    from mirrorctl.core.bybit.rest import BybitRest

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """One account as it was read. `value` None: unknown, and `error` says why."""

    account: str
    value: T | None
    error: ExchangeError | None = None

    def head(self) -> dict[str, Any]:
        """The fields that every account of a document begins with (contract)."""
        return {
            "account": self.account,
            "role": "main" if self.account == MAIN else "mirror",
            "state": "unknown" if self.value is None else "fresh",
            "error": self.error.message.removeprefix(f"{self.account}: ") if self.error else None,
        }


def read_accounts(
    session: Session, names: Sequence[str], read: Callable[[BybitRest], T], *, timeout_s: float = 5.0
) -> list[Reading[T]]:
    """Read every named account at once, in their order. Raises ProfileError for keys that are not set, and
    Unavailable when the embedded paper exchange does not run."""
    from mirrorctl.bootstrap.accounts import clients

    rests = clients(session.profile, session.home, names=names, timeout_s=timeout_s)

    def ask(name: str) -> Reading[T]:
        try:
            return Reading(name, read(rests[name]))
        except ExchangeError as error:
            return Reading(name, None, error)

    try:
        with ThreadPoolExecutor(max_workers=max(len(names), 1)) as pool:
            return list(pool.map(ask, names))
    finally:
        for rest in rests.values():
            rest.close()


def exit_code(readings: Sequence[Reading[Any]]) -> int:
    """0 when all were read, 5 when some were, 4 when none was."""
    failed = sum(reading.value is None for reading in readings)
    if not failed:
        return 0
    return ExchangeError.exit_code if failed == len(readings) else 5
