"""`status`: the daemon's own account of itself, or what can be read without one."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import typer

from mirrorctl.commands import amounts, desk, tables
from mirrorctl.commands.options import JsonOption, ProfileOption
from mirrorctl.commands.reading import Reading, read_accounts
from mirrorctl.commands.session import SCHEMA, Session, now_text, open_session
from mirrorctl.core.domain.errors import ExchangeError
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.policy import MAIN

_ANSWER_S = 3.0
_READ_S = 2.0
_DOUBTFUL = (IntentState.PENDING, IntentState.DOUBT)  # a journaled send without an answer is in doubt once nobody waits
_FINDINGS = 3

Document = dict[str, Any]


def status(
    context: typer.Context,
    max_age: Annotated[
        str | None,
        typer.Option("--max-age", metavar="S", help="Exit 3 unless every account was seen within S seconds."),
    ] = None,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """Whether the daemon runs and every mirror is in step.

    Example: mirrorctl status --max-age 60
    """
    session = open_session(context, profile, as_json)
    age = None if max_age is None else amounts.seconds(max_age, "--max-age")
    document = read_status(session)
    session.terminal.result(document, tables.status(document))
    if age is not None and too_old(document, age, datetime.now(UTC)):
        raise typer.Exit(_FINDINGS)


def read_status(session: Session) -> Document:
    """The `status` document. Without a daemon that answers, what only it knows is null."""
    holder = desk.holder_of(session)
    head = {"schema": SCHEMA, "profile": session.profile.name, "at": now_text()}
    if holder is None or (holder.socket is None and holder.command != "run"):
        return {**head, "daemon": {"running": False, "pid": None, "since": None}, **_without_daemon(session)}
    daemon = {"running": True, "pid": holder.pid, "since": holder.since}
    found = desk.ask_status(holder, _ANSWER_S)
    if found is None:
        return {**head, "daemon": {**daemon, "answering": False}, **_without_daemon(session)}
    found.pop("wants", None)
    return {**head, "daemon": {**daemon, "answering": True}, **found}


def too_old(document: Document, age: Decimal, now: datetime) -> bool:
    """Whether the daemon is gone or silent, or an account was neither heard nor read within `age` seconds."""
    daemon = document["daemon"]
    if not (daemon["running"] and daemon.get("answering")):
        return True
    for account in document["accounts"]:
        seen = [text for text in (account["last_event_at"], account["last_read_at"]) if text]
        if not seen or Decimal((now - datetime.fromisoformat(max(seen))).total_seconds()) > age:
            return True
    return False


def _without_daemon(session: Session) -> Document:
    """A quick look: accounts over REST, pauses and doubts from the store. Drift and holds need a daemon."""
    accounts = _read(session)
    in_doubt, paused, alerts = _stored(session)
    counts = {reading.account: None if reading.value is None else len(reading.value) for reading in accounts}
    mirror = [count for name, count in counts.items() if name != MAIN]
    total = None if None in counts.values() else sum(count or 0 for count in counts.values())
    return {
        "accounts": [
            {
                **reading.head(),
                "stream": "down",
                "breaker": None,
                "last_event_at": None,
                "last_read_at": now_text() if reading.value is not None else None,
                "clock_skew_ms": None,
                "paused": None if paused is None else bool(paused & {"", reading.account}),
            }
            for reading in accounts
        ],
        "monitors": {
            "total": total,
            "main": counts.get(MAIN),
            "mirror": None if None in mirror else sum(count or 0 for count in mirror),
        },
        "in_sync": None,
        "drift": None,
        "held": None,
        "parked": None,
        "in_doubt": in_doubt,
        "alerts_waiting": 0,
        "alerts": alerts,
    }


def _read(session: Session) -> list[Reading[tuple[Any, ...]]]:
    names = session.account_names(None)
    try:
        return read_accounts(session, names, lambda rest: rest.positions(), timeout_s=_READ_S)
    except ExchangeError as error:
        return [Reading(name, None, error) for name in names]


def _stored(session: Session) -> tuple[int | None, set[str] | None, list[Document] | None]:
    """Intents in doubt, paused accounts ("" for all) and the last alerts; None where the store cannot be read."""
    from mirrorctl.core.engine.records import StandingKind
    from mirrorctl.core.engine.status import ALERTS_SHOWN, alert_json
    from mirrorctl.core.store.errors import StoreError
    from mirrorctl.core.store.sqlite import SqliteStore

    try:
        with SqliteStore(session.home.store_path(session.profile.name), read_only=True) as store:
            alerts = [alert_json(alert) for alert in store.alerts(ALERTS_SHOWN)]
            doubt = sum(intent.state in _DOUBTFUL for intent in store.open_intents())
            paused = {s.account for s in store.standings() if s.kind is StandingKind.PAUSE and not s.symbol}
            return doubt, paused, alerts
    except StoreError as error:
        session.terminal.tell(f"the store cannot be read: {error.message}", "yellow")
        return None, None, None
