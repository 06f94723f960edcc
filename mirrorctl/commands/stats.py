"""`stats`: what trading brought, from the exchange's records, and how well the mirrors copied, from the store."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from mirrorctl.commands import record_tables
from mirrorctl.commands.options import AccountOption, JsonOption, ProfileOption
from mirrorctl.commands.reading import Reading, exit_code, read_accounts
from mirrorctl.commands.session import SCHEMA, Session, now_text, open_session
from mirrorctl.commands.terminal import error_document
from mirrorctl.core.domain.account import ClosedPnl, Execution, Position
from mirrorctl.core.domain.policy import MAIN
from mirrorctl.core.domain.statistics import Figures, cycles_of, figures, percentile

if TYPE_CHECKING:
    from mirrorctl.core.engine.records import MeasuredCopy, NakedTime

DAYS = 30
_MOST_DAYS = 730  # how far back Bybit keeps closed PnL and executions (position/close-pnl, order/execution)
_DAY_MS = 86_400_000
_LEG = "total"  # from main's execution to the first execution of the mirror's order that followed it
_FIGURES = tuple(Figures.__dataclass_fields__)

Document = dict[str, Any]


class RecordReader(Protocol):
    """What statistics may ask of an account; nothing here can trade."""

    def closed_pnl(self, start_ms: int) -> Sequence[ClosedPnl]: ...
    def positions(self) -> Sequence[Position]: ...
    def executions_since(self, start_ms: int) -> Sequence[Execution]: ...


@dataclass(frozen=True, slots=True)
class Measured:
    """What the store knows of the copies since a time. None where it cannot be read."""

    copies: Sequence[MeasuredCopy] | None
    naked: Sequence[NakedTime] | None


def stats(
    context: typer.Context,
    account: AccountOption = None,
    days: Annotated[int, typer.Option("--days", metavar="N", min=1, max=_MOST_DAYS, help="How far back.")] = DAYS,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """What trading brought on every account, and how well the mirrors copied.

    Example: mirrorctl stats --days 7
    """
    session = open_session(context, profile, as_json)
    document, code = read_stats(session, account, days)
    session.terminal.result(document, record_tables.stats(document))
    if code:
        raise typer.Exit(code)


def read_stats(session: Session, only: str | None, days: int) -> tuple[Document, int]:
    """The `stats` document and its exit code: 5 when an account could not be read, 4 when none could."""
    from mirrorctl.core.engine.times import iso

    names = session.account_names(only)
    since_ms = time.time_ns() // 1_000_000 - days * _DAY_MS
    readings = read_accounts(session, names, lambda rest: read_figures(rest, since_ms))
    measured = _stored(session, since_ms)
    document: Document = {
        "schema": SCHEMA,
        "profile": session.profile.name,
        "at": now_text(),
        "since": iso(since_ms),
        "days": days,
        "accounts": [_account(reading) for reading in readings],
        "mirrors": [mirror(name, measured) for name in names if name != MAIN],
    }
    failed = next((reading.error for reading in readings if reading.error), None)
    if failed is not None and all(reading.value is None for reading in readings):
        document["error"] = error_document(failed)
    return document, exit_code(readings)


def read_figures(reader: RecordReader, since_ms: int) -> Figures:
    """The statistics of one account since a time (exchange clock).

    Records are read first and executions last: what happens meanwhile is then a cycle whose record is still to come,
    never a record without its cycle.
    """
    records, standing = reader.closed_pnl(since_ms), reader.positions()
    executions = reader.executions_since(since_ms)
    return figures(cycles_of(executions, records, standing), executions)


def mirror(name: str, measured: Measured) -> Document:
    """How well one mirror copied. Latency in ms, slippage in basis points of main's price, positive is worse."""
    copies = None if measured.copies is None else [copy for copy in measured.copies if copy.account == name]
    latency = [copy.mirror_exec_ms - copy.main_exec_ms for copy in copies or ()]
    slippage = [copy.slippage_bps for copy in copies or () if copy.slippage_bps is not None]
    naked = [spell.ms for spell in measured.naked or () if spell.account == name]
    return {
        "account": name,
        "copies": None if copies is None else len(copies),
        "latency_ms": {_LEG: {f"p{percent}": percentile(latency, percent) for percent in (50, 95, 99)}},
        "slippage_bps": {f"p{percent}": percentile(slippage, percent) for percent in (50, 95)},
        "naked_ms_max": max(naked, default=None),
    }


def _account(reading: Reading[Figures]) -> Document:
    known = dict.fromkeys(_FIGURES) if reading.value is None else asdict(reading.value)
    return {**reading.head(), **known}


def _stored(session: Session, since_ms: int) -> Measured:
    from mirrorctl.core.store.errors import StoreError
    from mirrorctl.core.store.sqlite import SqliteStore

    try:
        with SqliteStore(session.home.store_path(session.profile.name), read_only=True) as store:
            copies = [copy for copy in store.measured_copies() if copy.mirror_exec_ms >= since_ms]
            return Measured(copies, store.naked_times(since_ms))
    except StoreError as error:
        session.terminal.tell(f"the store cannot be read: {error.message}", "yellow")
        return Measured(None, None)
