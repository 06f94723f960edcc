"""`report`: one page about a profile in one file, from the exchange's records and the store. It only looks."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mirrorctl.commands.options import JsonOption, ProfileOption
from mirrorctl.commands.reading import Reading, exit_code
from mirrorctl.commands.report_page import MARK, Account, Report, page
from mirrorctl.commands.session import SCHEMA, Session, now_text, open_session
from mirrorctl.commands.stats import DAYS, MOST_DAYS, Gathered, Read, compared, gather
from mirrorctl.core.domain.errors import UsageError
from mirrorctl.core.domain.policy import MAIN
from mirrorctl.core.domain.values import PositionSide

if TYPE_CHECKING:
    from mirrorctl.core.engine.records import Alert, EquitySample

_ALERTS = 1_000
_PRIVATE = 0o600

Reasons = dict[tuple[str, str, PositionSide], list[tuple[int, str]]]


def report(
    context: typer.Context,
    html: Annotated[Path, typer.Option("--html", metavar="FILE", help="Where the page is written.")],
    days: Annotated[int, typer.Option("--days", metavar="N", min=1, max=MOST_DAYS, help="How far back.")] = DAYS,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """All of it as one page: equity, drawdown, trades, and how the mirrors followed.

    The page needs nothing from elsewhere. An older report is replaced; any other file is left alone.

    Example: mirrorctl report --html report.html --days 7
    """
    session = open_session(context, profile, as_json)
    check_target(html)
    gathered = gather(session, None, days)
    failed = [reading.error for reading in gathered.readings if reading.error is not None]
    if len(failed) == len(gathered.readings):
        raise failed[0]  # an older report tells more than one of nothing
    text = page(made(session, gathered))
    write(html, text)
    code = exit_code(gathered.readings)
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "profile": session.profile.name,
        "at": now_text(),
        "file": str(html.absolute()),
        "bytes": len(text.encode()),
        "accounts": [reading.head() for reading in gathered.readings],
    }
    session.terminal.result(document, f"written: {html}")
    for reading in gathered.readings:
        if reading.error is not None:
            session.terminal.tell(f"{reading.account} is not in it: {reading.error.message}", "yellow")
    if code:
        raise typer.Exit(code)


def made(session: Session, gathered: Gathered) -> Report:
    """All that the page shows, of what was read and of what the store knows."""
    from mirrorctl.core.store.errors import StoreError
    from mirrorctl.core.store.sqlite import SqliteStore

    samples: list[EquitySample] = []
    alerts: list[Alert] = []
    reasons: Reasons = {}
    error = ""
    try:
        with SqliteStore(session.home.store_path(session.profile.name), read_only=True) as store:
            samples = store.samples(gathered.since_ms)
            alerts = [alert for alert in store.alerts(_ALERTS) if alert.at_ms >= gathered.since_ms]
            for row in store.closed_positions(gathered.since_ms):
                reasons.setdefault((row.account, row.symbol, row.side), []).append((row.closed_ms, row.reason))
    except StoreError as problem:
        error = problem.message
    return Report(
        profile=session.profile.name,
        environment=session.profile.environment.value,
        at_ms=time.time_ns() // 1_000_000,
        since_ms=gathered.since_ms,
        accounts=[_account(session, reading, gathered, samples) for reading in gathered.readings],
        alerts=alerts,
        reasons=reasons,
        store_error=error,
    )


def _account(session: Session, reading: Reading[Read], gathered: Gathered, samples: list[EquitySample]) -> Account:
    name, measured = reading.account, gathered.measured
    ledger = None if reading.value is None else reading.value.ledger
    return Account(
        name=name,
        error=str(reading.head()["error"] or ""),
        figures=None if ledger is None else ledger.figures,
        cycles=[] if ledger is None else ledger.cycles,
        samples=[sample for sample in samples if sample.account == name],
        copies=[copy for copy in measured.copies or () if copy.account == name],
        naked=[spell for spell in measured.naked or () if spell.account == name],
        fidelity=None if name == MAIN else compared(session, reading, gathered.main, measured),
    )


def check_target(path: Path) -> None:
    """Raise UsageError for a place where no report can be written, before anything is read."""
    hint = "choose another name for the report"
    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint)
    if not path.absolute().parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.absolute().parent}", "make it first")
    if path.exists() and not _is_report(path):
        raise UsageError(f"{path} is there already and is not a report of mirrorctl", hint)


def write(path: Path, text: str) -> None:
    """Write the page whole, for its owner alone: nobody ever sees half of it. Raises UsageError where it cannot."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise UsageError(f"{path} cannot be written: {error.strerror or error}", "choose another place") from error


def _is_report(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return MARK.encode() in file.read(200)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}", "choose another name") from error
