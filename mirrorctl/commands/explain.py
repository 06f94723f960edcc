"""`explain ORDER|SYMBOL`: from main's event through size, holds and sends to fills, from what was written down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mirrorctl.commands import amounts, desk, explain_tables
from mirrorctl.commands.options import AccountOption, JsonOption, ProfileOption
from mirrorctl.commands.session import SCHEMA, Session, now_text, open_session
from mirrorctl.core.domain.errors import UsageError
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.policy import MAIN

if TYPE_CHECKING:
    from mirrorctl.core.domain.cycle import Copy
    from mirrorctl.core.engine.records import Intent, MeasuredCopy
    from mirrorctl.core.store.sqlite import SqliteStore

LIMIT = 100
_MOST = 10_000
_ALERTS = 1_000
_ANSWER_S = 3.0
_OVERLAP_MS = 1_000

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: the intents of one order, or one symbol since `since_ms`."""

    symbol: str
    order: str
    since_ms: int
    intents: list[Intent]


def explain(
    context: typer.Context,
    about: Annotated[str, typer.Argument(metavar="ORDER|SYMBOL", help="An order id, a link id, or a symbol.")],
    account: AccountOption = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=_MOST, help="At most N events, the newest.")
    ] = LIMIT,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """Why an order was sent, and how a mirror's size came about.

    Example: mirrorctl explain BTCUSDT --account mirror
    """
    session = open_session(context, profile, as_json)
    session.check_account(account)
    document = read_explanation(session, about, account, limit)
    session.terminal.result(document, explain_tables.explanation(document))


def read_explanation(session: Session, about: str, account: str | None, limit: int) -> Document:
    """The `explain` document. Raises StoreError when the store cannot be read, UsageError for what was never seen."""
    from mirrorctl.core.store.sqlite import SqliteStore

    with SqliteStore(session.home.store_path(session.profile.name), read_only=True) as store:
        question = _question(store, about, account)
        events = sorted(_events(store, question, account), key=lambda event: str(event["at"]))
        copies = [copy for copy in store.copies() if _concerns(copy, question, account)]
        return {
            "schema": SCHEMA,
            "profile": session.profile.name,
            "at": now_text(),
            "order": question.order or None,
            "symbol": question.symbol,
            "sizes": [_size(copy) for copy in copies],
            "now": _now(session, question.symbol, account),
            "events": events[-limit:],
            "left_out": max(len(events) - limit, 0),
        }


def _question(store: SqliteStore, about: str, account: str | None) -> Question:
    journal = [intent for intent in store.recent_intents(0) if account in (None, intent.account)]
    found = [intent for intent in journal if about in _names(intent)]
    if found:
        symbol = found[0].action.symbol
        return Question(symbol, about, 0, [i for i in found if i.action.symbol == symbol])
    symbol = amounts.symbol(about)
    since_ms = _began_ms(store, symbol)
    intents = [i for i in journal if i.action.symbol == symbol and i.created_ms >= since_ms]
    known = intents or since_ms or any(row.symbol == symbol for row in store.alerts(_ALERTS))
    if not known:
        raise UsageError(
            f'nothing is written down about "{about}"',
            "an order id or link id as `mirrorctl history --json` lists them, or a symbol that was followed",
        )
    return Question(symbol, "", since_ms, intents)


def _names(intent: Intent) -> tuple[str, ...]:
    """Every id by which an order of the journal can be asked for."""
    action = intent.action
    return tuple(
        name
        for name in (
            intent.order_id,
            intent.main_order_id,
            getattr(action, "order_id", ""),
            getattr(action, "link_id", ""),
        )
        if name
    )


def _began_ms(store: SqliteStore, symbol: str) -> int:
    """When main's newest cycle of the symbol began, with a little before it; 0 when none was seen."""
    open_ = [cycle.started_ms for cycle in store.cycles() if cycle.symbol == symbol]
    ended = [row.cycle.started_ms for row in store.ended_cycles(0) if row.cycle.symbol == symbol]
    newest = max(open_ or ended, default=0)
    return max(newest - _OVERLAP_MS, 0)


def _concerns(copy: Copy, question: Question, account: str | None) -> bool:
    asked = {account} if account else {intent.account for intent in question.intents} if question.order else None
    return question.symbol in (copy.symbol, copy.source[0]) and (asked is None or copy.account in asked)


def _events(store: SqliteStore, question: Question, account: str | None) -> Iterable[Document]:
    """Sends, what the measuring saw of them, what was told, and how positions ended."""
    from mirrorctl.core.engine.status import iso

    links = {getattr(intent.action, "link_id", "") for intent in question.intents} - {""}
    for intent in question.intents:
        yield _sent(intent)
    for measured in store.measured_copies():
        if measured.link_id in links:
            yield from _measured(measured)
    if question.order:
        return
    for alert in store.alerts(_ALERTS):
        if alert.symbol == question.symbol and alert.at_ms >= question.since_ms and account in (None, alert.account):
            yield _event(iso(alert.at_ms), alert.account, alert.kind, alert.text, alert.severity.value)
    for row in store.closed_positions(question.since_ms):
        if row.symbol == question.symbol and account in (None, row.account):
            text = f"{row.side.value} is closed: {row.reason}" + (", while no daemon watched" if row.late else "")
            yield _event(iso(row.closed_ms), row.account, "closed", text)


def _sent(intent: Intent) -> Document:
    """One line of the journal: what, why, and what became of it."""
    from mirrorctl.core.domain.scene import Planned
    from mirrorctl.core.engine.status import action_json, iso

    row = action_json(Planned(intent.action))
    outcome = intent.state.value
    if intent.filled:
        outcome += f", {plain(intent.filled)} filled"
    if intent.code or intent.message:
        outcome += f": {f'({intent.code}) ' if intent.code else ''}{intent.message}"
    return _event(iso(intent.created_ms), intent.account, row["action"], row["reason"], outcome) | {
        "side": row["side"],
        "qty": row["qty"],
        "price": row["price"],
        "answered_ms": intent.updated_ms - intent.created_ms,
        "order_id": intent.order_id or getattr(intent.action, "order_id", None) or None,
        "order_link_id": getattr(intent.action, "link_id", None) or None,
        "main_order_id": intent.main_order_id or None,
    }


def _measured(copy: MeasuredCopy) -> Iterable[Document]:
    """Main's fill that an order followed, and the mirror's first fill of it."""
    from mirrorctl.core.engine.status import iso

    yield _event(iso(copy.main_exec_ms), MAIN, "fill", f"main's fill that {copy.account} followed")
    worse = "" if copy.slippage_bps is None else f", {plain(copy.slippage_bps)} bps worse than main"
    took = f"first fill {copy.mirror_exec_ms - copy.main_exec_ms} ms after main's{worse}"
    yield _event(iso(copy.mirror_exec_ms), copy.account, "fill", took)


def _event(at: str | None, account: str, kind: str, text: str, outcome: str = "") -> Document:
    return {"at": at, "account": account, "kind": kind, "text": text, "outcome": outcome or None}


def _size(copy: Copy) -> Document:
    """How a mirror's size is made in the open cycle, and what keeps it from it (A3)."""
    return {
        "account": copy.account,
        "symbol": copy.symbol,
        "side": copy.side.value,
        "follows": {"symbol": copy.source[0], "side": copy.source[1].value},
        "ratio": None if copy.unsized else copy.ratio,
        "formula": copy.unsized or copy.formula,
        "cap": copy.cap,
        "out": copy.out or None,
        "held": copy.held or None,
        "skipped": copy.skipped,
        "own_stop": copy.own_stop,
        "ended": copy.ended,
    }


def _now(session: Session, symbol: str, account: str | None) -> Document | None:
    """What the daemon holds back now; null when none answers, for then nobody knows."""
    holder = desk.holder_of(session)
    if holder is None or holder.socket is None:
        return None
    status = desk.ask_status(holder, _ANSWER_S)
    if status is None:
        return None
    return {
        name: [row for row in status[name] if row["symbol"] == symbol and account in (None, row["account"])]
        for name in ("held", "drift", "parked")
    }
