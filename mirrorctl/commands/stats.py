"""`stats`: what trading brought, from the exchange's records, and how well the mirrors copied, from the store."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mirrorctl.bootstrap.figures import Ledger, read_ledger
from mirrorctl.commands import record_tables
from mirrorctl.commands.fidelity import fidelity, fidelity_json
from mirrorctl.commands.options import AccountOption, JsonOption, ProfileOption
from mirrorctl.commands.reading import Reading, exit_code, read_accounts
from mirrorctl.commands.session import SCHEMA, Session, now_text, open_session
from mirrorctl.commands.terminal import error_document
from mirrorctl.core.domain.errors import ExchangeError
from mirrorctl.core.domain.fidelity import Fidelity
from mirrorctl.core.domain.policy import MAIN
from mirrorctl.core.domain.statistics import Figures, percentile

if TYPE_CHECKING:
    from mirrorctl.core.bybit.rest import BybitRest
    from mirrorctl.core.engine.records import HoldTime, MeasuredCopy, NakedTime
    from mirrorctl.core.store.following import EndedCopy

DAYS = 30
MOST_DAYS = 730  # how far back Bybit keeps closed PnL and executions (position/close-pnl, order/execution)
_DAY_MS = 86_400_000
_FIGURES = tuple(Figures.__dataclass_fields__)

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Measured:
    """What the store knows of the copies since a time. None where it cannot be read."""

    copies: Sequence[MeasuredCopy] | None
    naked: Sequence[NakedTime] | None
    ended: Sequence[EndedCopy] | None = None
    holds: Sequence[HoldTime] | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of one account: its ledger, and of main the quantity steps of every contract.

    `steps` None: not read.
    """

    ledger: Ledger
    steps: Mapping[str, Decimal] | None = None


def stats(
    context: typer.Context,
    account: AccountOption = None,
    days: Annotated[int, typer.Option("--days", metavar="N", min=1, max=MOST_DAYS, help="How far back.")] = DAYS,
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


@dataclass(frozen=True, slots=True)
class Gathered:
    """What statistics are made of: what was read of each account that was asked for and of main, and the store's."""

    since_ms: int
    days: int
    readings: Sequence[Reading[Read]]
    main: Reading[Read]
    measured: Measured


def gather(session: Session, only: str | None, days: int) -> Gathered:
    """Read the accounts and the store. A mirror that is asked for alone is compared with main all the same."""
    names = session.account_names(only)
    since_ms = time.time_ns() // 1_000_000 - days * _DAY_MS
    measured = stored(session, since_ms)
    asked = names if MAIN in names else [MAIN, *names]
    found = read_accounts(session, asked, lambda rest: _read(rest, since_ms, with_steps=bool(measured.ended)))
    return Gathered(since_ms, days, [reading for reading in found if reading.account in names], found[0], measured)


def read_stats(session: Session, only: str | None, days: int) -> tuple[Document, int]:
    """The `stats` document and its exit code: 5 when an account could not be read, 4 when none could."""
    from mirrorctl.core.engine.times import iso

    gathered = gather(session, only, days)
    readings, measured = gathered.readings, gathered.measured
    document: Document = {
        "schema": SCHEMA,
        "profile": session.profile.name,
        "at": now_text(),
        "since": iso(gathered.since_ms),
        "days": days,
        "accounts": [_account(reading) for reading in readings],
        "mirrors": [
            {
                **mirror(reading.account, measured),
                "fidelity": fidelity_json(compared(session, reading, gathered.main, measured)),
            }
            for reading in readings
            if reading.account != MAIN
        ],
    }
    failed = next((reading.error for reading in readings if reading.error), None)
    if failed is not None and all(reading.value is None for reading in readings):
        document["error"] = error_document(failed)
    return document, exit_code(readings)


def compared(session: Session, reading: Reading[Read], main: Reading[Read], measured: Measured) -> Fidelity | None:
    """How near a mirror came to main; None where one of them, or the store, could not be read."""
    if reading.value is None or main.value is None:
        return None
    steps = main.value.steps if measured.ended else {}
    policy = session.profile.policy.mirror(reading.account)
    return fidelity(policy, main.value.ledger, reading.value.ledger, measured.ended, measured.holds, steps)


def mirror(name: str, measured: Measured) -> Document:
    """How well one mirror copied. Latency in ms, slippage in basis points of main's price, positive is worse."""
    from mirrorctl.core.engine.copy_latency import latency_json

    copies = None if measured.copies is None else [copy for copy in measured.copies if copy.account == name]
    slippage = [copy.slippage_bps for copy in copies or () if copy.slippage_bps is not None]
    naked = [spell.ms for spell in measured.naked or () if spell.account == name]
    return {
        "account": name,
        "copies": None if copies is None else len(copies),
        "latency_ms": latency_json(copies or ()),
        "slippage_bps": {f"p{percent}": percentile(slippage, percent) for percent in (50, 95)},
        "naked_ms_max": max(naked, default=None),
    }


def _account(reading: Reading[Read]) -> Document:
    known = dict.fromkeys(_FIGURES) if reading.value is None else asdict(reading.value.ledger.figures)
    return {**reading.head(), **known}


def _read(rest: BybitRest, since_ms: int, *, with_steps: bool) -> Read:
    ledger = read_ledger(rest, since_ms)
    if not with_steps or rest.account != MAIN:
        return Read(ledger)
    try:
        return Read(ledger, {item.symbol: item.qty_step for item in rest.instruments()})
    except ExchangeError:  # the rules are for fidelity alone
        return Read(ledger)


def stored(session: Session, since_ms: int) -> Measured:
    """What the store knows since a time."""
    from mirrorctl.core.store.errors import StoreError
    from mirrorctl.core.store.sqlite import SqliteStore

    try:
        with SqliteStore(session.home.store_path(session.profile.name), read_only=True) as store:
            copies = [copy for copy in store.measured_copies() if copy.mirror_exec_ms >= since_ms]
            naked = [_until_now(spell) for spell in store.naked_times(since_ms)]
            return Measured(copies, naked, store.ended_copies(since_ms), store.hold_times(since_ms))
    except StoreError as error:
        session.terminal.tell(f"the store cannot be read: {error.message}", "yellow")
        return Measured(None, None)


def _until_now(spell: NakedTime) -> NakedTime:
    """A spell that lasts is written down when it begins: it is as long as it is by now."""
    return spell if spell.ended else replace(spell, ms=max(time.time_ns() // 1_000_000 - spell.from_ms, spell.ms))
