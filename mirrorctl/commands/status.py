"""`status`: the daemon's own account of itself, or what can be read without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from mirrorctl.commands import amounts, desk, staleness, status_tables
from mirrorctl.commands.disabled import with_holdings
from mirrorctl.commands.options import JsonOption, ProfileOption
from mirrorctl.commands.reading import Reading, read_accounts
from mirrorctl.commands.session import SCHEMA, Session, now_text, open_session
from mirrorctl.core.domain.errors import ExchangeError, ProfileError, UsageError
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.policy import MAIN
from mirrorctl.core.engine.channel import channel_json
from mirrorctl.core.engine.copy_latency import by_mirror
from mirrorctl.core.engine.published import COPIES_SHOWN
from mirrorctl.core.engine.records import MeasuredCopy
from mirrorctl.core.engine.status import disabled_json, total

_ANSWER_S = 3.0
_READ_S = 2.0
_DOUBTFUL = (IntentState.PENDING, IntentState.DOUBT)  # a journaled send without an answer is in doubt once nobody waits
_FINDINGS = 3
_FOR_OTHERS = frozenset(("wants", "phases"))  # what the daemon's answer holds for `positions`

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """What the store tells without a daemon. `covered`: (account, symbol, side) of every cycle and opened copy.

    `exists`: there is a store; without one nothing is known of what stands.
    """

    exists: bool
    covered: frozenset[tuple[str, str, Any]]
    in_doubt: int
    pauses: list[Document]
    alerts: list[Document]
    alerts_waiting: int
    copies: list[MeasuredCopy]

    def is_paused(self, account: str) -> bool:
        """Whether the whole account is paused."""
        return any(row["account"] in (None, account) and row["symbol"] is None for row in self.pauses)


def status(
    context: typer.Context,
    max_age: Annotated[
        str | None,
        typer.Option("--max-age", metavar="S", help="Exit 3 unless every account was seen within S seconds."),
    ] = None,
    alert: Annotated[
        bool, typer.Option("--alert", help="With --max-age: tell it on Telegram as well, once in each outage.")
    ] = False,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """Whether the daemon runs and every mirror is in step.

    Example: mirrorctl status --max-age 60 --alert
    """
    session = open_session(context, profile, as_json)
    age = None if max_age is None else amounts.seconds(max_age, "--max-age")
    if alert and age is None:
        raise UsageError("--alert goes with --max-age", "mirrorctl status --max-age 60 --alert")
    if alert:
        staleness.check_configured(session)
    document = read_status(session)
    stale = None if age is None else staleness.find(document, age, datetime.now(UTC))
    if age is not None:
        document["stale"] = None if stale is None else stale.text
    if alert:
        document["alerted"] = staleness.tell(session, stale)
    session.terminal.result(document, status_tables.status(document))
    if stale is not None:
        raise typer.Exit(_FINDINGS)


def read_status(session: Session) -> Document:
    """The `status` document. Without a daemon that answers, what only it knows is null."""
    holder = desk.holder_of(session)
    daemon: Document = {"running": False, "pid": None, "since": None}
    found = None
    if holder is not None and (holder.socket is not None or holder.command == "run"):
        found = desk.ask_status(holder, _ANSWER_S)
        daemon = {"running": True, "pid": holder.pid, "since": holder.since, "answering": found is not None}
    if found is None:
        found = without_daemon(session, _read(session), silent=daemon["running"])
    else:
        found = {name: value for name, value in found.items() if name not in _FOR_OTHERS}
    head = {"schema": SCHEMA, "profile": session.profile.name, "at": now_text()}
    return {**head, "daemon": daemon, **found, "accounts": with_holdings(session, found["accounts"])}


def without_daemon(session: Session, readings: Sequence[Reading[tuple[Any, ...]]], *, silent: bool = False) -> Document:
    """A quick look: positions as they were read, the rest from the store. Drift, holds, naked times need a daemon.

    `silent`: a daemon runs that does not answer, so nobody knows about its streams.
    """
    stored = _stored(session)
    counts = {reading.account: _covered(stored, reading) for reading in readings}
    return {
        "mirroring": session.profile.policy.mirroring,
        "accounts": [
            {
                **reading.head(),
                "stream": None if silent else "down",
                "breaker": None,
                "next_try_s": None,
                "budget": None,
                "last_event_at": None,
                "last_read_at": now_text() if reading.value is not None else None,
                "clock_skew_ms": None,
                "paused": None if stored is None else stored.is_paused(reading.account),
                "day": None,
                "monitors": counts[reading.account],
            }
            for reading in readings
        ]
        + [disabled_json(account.name) for account in session.profile.accounts if not account.enabled],
        "monitors": summed(counts),
        "building": summed(dict.fromkeys(counts)),
        "in_sync": None,
        "drift": None,
        "held": None,
        "parked": None,
        "pauses": None if stored is None else stored.pauses,
        "unprotected": None,
        "naked": None,
        "in_doubt": None if stored is None else stored.in_doubt,
        "doubts": None,
        "loops": None,
        "missing": None,
        "address": None,
        "alerts_waiting": None if stored is None else stored.alerts_waiting,
        "telegram": _telegram(session.profile.telegram.enabled),
        "store": None,
        "alerts": None if stored is None else stored.alerts,
        "latency": None if stored is None else by_mirror(stored.copies, _mirrors(session)),
    }


def _mirrors(session: Session) -> list[str]:
    return [mirror.name for mirror in session.profile.policy.mirrors if mirror.enabled]


def summed(counts: Mapping[str, int | None]) -> Document:
    """Counts of accounts as those of main, of the mirrors and of all; None where one of them is unknown."""
    main, mirror = counts.get(MAIN), total([count for name, count in counts.items() if name != MAIN])
    return {"total": total([main, mirror]), "main": main, "mirror": mirror}


def _telegram(enabled: bool) -> Document:
    """The daemon's own word about Telegram is unknown without it; that nothing is to be sent is known."""
    document = channel_json(None)
    return {**document, "enabled": True, "state": None, "delivered": None} if enabled else document


def _covered(stored: Stored | None, reading: Reading[tuple[Any, ...]]) -> int | None:
    """How many positions of an account something stands for, by what was written down (A66)."""
    if stored is None or reading.value is None:
        return None
    if not stored.exists and any(row.size for row in reading.value):
        return None
    return sum((reading.account, row.symbol, row.side) in stored.covered for row in reading.value if row.size)


def _read(session: Session) -> list[Reading[tuple[Any, ...]]]:
    names = session.account_names(None)
    try:
        return read_accounts(session, names, lambda rest: rest.positions(), timeout_s=_READ_S)
    except ExchangeError as error:
        return [Reading(name, None, error) for name in names]
    except ProfileError as error:  # keys that are not set here: with a daemon nobody would have asked for them
        return [Reading(name, None, ExchangeError(error.message, error.hint)) for name in names]


def _stored(session: Session) -> Stored | None:
    """What the store knows; None where it cannot be read."""
    from mirrorctl.bootstrap.telegram import count_waiting
    from mirrorctl.core.engine.records import StandingKind
    from mirrorctl.core.engine.status import ALERTS_SHOWN, alert_json, pause_json
    from mirrorctl.core.store.errors import StoreError
    from mirrorctl.core.store.sqlite import SqliteStore

    try:
        with SqliteStore(session.home.store_path(session.profile.name), read_only=True) as store:
            copies = {copy.key for copy in store.copies() if copy.opened}
            return Stored(
                exists=not store.fresh,
                covered=frozenset(copies | {(MAIN, *cycle.key) for cycle in store.cycles()}),
                in_doubt=sum(intent.state in _DOUBTFUL for intent in store.open_intents()),
                pauses=[pause_json(row) for row in store.standings() if row.kind is not StandingKind.PARK],
                alerts=[alert_json(alert) for alert in store.alerts(ALERTS_SHOWN)],
                alerts_waiting=count_waiting(session.profile, store),
                copies=store.newest_measured(COPIES_SHOWN),
            )
    except StoreError as error:
        session.terminal.tell(f"the store cannot be read: {error.message}", "yellow")
        return None
