"""Reading accounts over REST: all at once, no lock, no store. What cannot be read is unknown (rule 1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mirrorctl.commands.session import Session
from mirrorctl.core.domain.errors import ExchangeError, MirrorctlError, Rejected, UsageError
from mirrorctl.core.domain.policy import MAIN

if TYPE_CHECKING:
    from mirrorctl.core.bybit.rest import BybitRest

T = TypeVar("T")

_ID_BEGINS = 8  # characters that a narrow `orders` shows


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
    Unavailable when the embedded paper exchange does not run. Who waits long is told what is read."""
    from mirrorctl.bootstrap.accounts import clients

    rests = clients(session.profile, session.home, names=names, timeout_s=timeout_s)

    def ask(name: str) -> Reading[T]:
        try:
            return Reading(name, read(rests[name]))
        except ExchangeError as error:
            return Reading(name, None, error)

    try:
        what = names[0] if len(names) == 1 else f"{len(names)} accounts"
        with session.terminal.progress(f"reading {what}"), ThreadPoolExecutor(max_workers=max(len(names), 1)) as pool:
            return list(pool.map(ask, names))
    finally:
        for rest in rests.values():
            rest.close()


def check_symbol(session: Session, symbol: str) -> None:
    """Refuse a symbol that the exchange does not have. Where nobody can be asked it passes: a pause must not wait."""
    try:
        reading = read_accounts(session, [MAIN], lambda rest: rest.instrument(symbol), timeout_s=2.0)[0]
    except MirrorctlError:
        return
    if isinstance(reading.error, Rejected):
        raise UsageError(
            f"{symbol}: the exchange has no such contract", "symbols are written as on Bybit, for example BTCUSDT"
        )


def whole_order_id(session: Session, symbol: str, given: str | None) -> str | None:
    """The id of main's open order that begins with what was given; what was given itself where none or its own does.

    Raises UsageError when several do.
    """
    if given is None or len(given) < _ID_BEGINS:
        return given
    try:
        rows = read_accounts(session, [MAIN], lambda rest: rest.open_orders())[0].value or ()
    except MirrorctlError:
        return given
    found = [row.order_id for row in rows if row.symbol == symbol and row.order_id.startswith(given)]
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} open orders on {symbol} begin with {given}", "`mirrorctl orders --json` has all ids"
        )
    return found[0] if found else given


def exit_code(readings: Sequence[Reading[Any]]) -> int:
    """0 when all were read, 5 when some were, 4 when none was."""
    failed = sum(reading.value is None for reading in readings)
    if not failed:
        return 0
    return ExchangeError.exit_code if failed == len(readings) else 5
