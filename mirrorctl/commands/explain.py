"""`explain ORDER|SYMBOL`: from main's event through size, holds and sends to fills, from what was written down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mirrorctl.commands import amounts, desk, explain_tables
from mirrorctl.commands.options import AccountOption, JsonOption, ProfileOption
from mirrorctl.commands.session import SCHEMA, Session, now_text, open_session
from mirrorctl.core.domain.errors import UsageError
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.lens import PLAIN, lens_of
from mirrorctl.core.domain.policy import MAIN
from mirrorctl.core.domain.values import Severity

if TYPE_CHECKING:
    from mirrorctl.core.domain.cycle import Copy
    from mirrorctl.core.engine.records import Intent, MeasuredCopy
    from mirrorctl.core.store.sqlite import SqliteStore

LIMIT = 100
_MOST = 10_000
_ALERTS = 1_000
_ANSWER_S = 3.0
_OVERLAP_MS = 1_000
_SHORTEST = 8  # characters of an id: what a narrow table shows of one

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: the intents of one order, or one symbol since `since_ms`.

    `here` names the symbol that an account trades for main's.
    """

    here: Callable[[str, str], str]
    symbol: str
    order: str
    since_ms: int
    intents: list[Intent]

    def concerns(self, account: str, symbol: str) -> bool:
        """Whether a symbol of an account is what is asked about."""
        return symbol == self.here(account, self.symbol)


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
        lenses = {mirror.name: lens_of(mirror) for mirror in session.profile.policy.mirrors}
        question = _question(store, about, account, lambda name, symbol: lenses.get(name, PLAIN).symbol_here(symbol))
        events = sorted(_events(store, question, account), key=lambda event: str(event["at"]))
        copies = [copy for copy in store.copies() if _concerns(copy, question, account)]
        return {
            "schema": SCHEMA,
            "profile": session.profile.name,
            "at": now_text(),
            "order": question.order or None,
            "symbol": question.symbol,
            "sizes": [_size(copy) for copy in copies],
            "now": _now(session, question, account),
            "events": events[-limit:],
            "left_out": max(len(events) - limit, 0),
        }


def _question(store: SqliteStore, about: str, account: str | None, here: Callable[[str, str], str]) -> Question:
    everything = store.recent_intents(0)
    if order := _order(everything, about):
        found = [intent for intent in everything if order in _names(intent)]
        symbol = found[0].action.symbol
        asked = [i for i in found if i.action.symbol == symbol and account in (None, i.account)]
        return Question(here, symbol, order, 0, asked)
    journal = [intent for intent in everything if account in (None, intent.account)]
    symbol = amounts.symbol(about)
    since_ms = _began_ms(store, symbol)
    intents = [i for i in journal if i.action.symbol == here(i.account, symbol) and i.created_ms >= since_ms]
    known = intents or since_ms or any(row.symbol == symbol for row in store.alerts(_ALERTS))
    if not known:
        raise UsageError(
            f'nothing is written down about "{about}"',
            "an order id or link id as `mirrorctl history --json` lists them, or a symbol that was followed",
        )
    return Question(here, symbol, "", since_ms, intents)


def _order(journal: Sequence[Intent], about: str) -> str:
    """The id that is meant: a whole one, or the beginning that a narrow table shows; "" when it is none.

    Raises UsageError where several begin so.
    """
    names = {name for intent in journal for name in _names(intent)}
    if about in names:
        return about
    found = sorted(name for name in names if len(about) >= _SHORTEST and name.startswith(about))
    if len(found) > 1:
        raise UsageError(f'"{about}" begins {len(found)} ids', f"give more of it: {', '.join(found[:3])}")
    return found[0] if found else ""


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
    from mirrorctl.core.engine.times import iso

    links = {getattr(intent.action, "link_id", "") for intent in question.intents} - {""}
    for intent in question.intents:
        yield _sent(intent)
    yield from _measured([copy for copy in store.measured_copies() if copy.link_id in links])
    if question.order:
        return
    for alert in store.alerts(_ALERTS):
        if not question.concerns(alert.account, alert.symbol) or alert.at_ms < question.since_ms:
            continue
        if account in (None, alert.account):
            grave = "" if alert.severity is Severity.INFO else alert.severity.value
            yield _event(iso(alert.at_ms), alert.account, alert.kind, alert.text, grave)
    for row in store.closed_positions(question.since_ms):
        if question.concerns(row.account, row.symbol) and account in (None, row.account):
            text = f"{row.side.value} is closed: {row.reason}" + (", while no daemon watched" if row.late else "")
            yield _event(iso(row.closed_ms), row.account, "closed", text)


def _sent(intent: Intent) -> Document:
    """One line of the journal: what, why, and what became of it."""
    from mirrorctl.core.domain.scene import Planned
    from mirrorctl.core.engine.status import action_json
    from mirrorctl.core.engine.times import iso

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


def _measured(copies: Sequence[MeasuredCopy]) -> Iterable[Document]:
    """Main's fills, each once for all mirrors that followed it, and each mirror's first fill of it."""
    from mirrorctl.core.engine.times import iso

    followed: dict[int, list[str]] = {}
    for copy in copies:
        followed.setdefault(copy.main_exec_ms, []).append(copy.account)
    for at_ms, accounts in followed.items():
        names = ", ".join(dict.fromkeys(accounts))
        yield _event(iso(at_ms), MAIN, "fill", f"main's fill that {names} followed")
    for copy in copies:
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


def _now(session: Session, question: Question, account: str | None) -> Document | None:
    """What the daemon holds back now; null when none answers, for then nobody knows."""
    holder = desk.holder_of(session)
    if holder is None or holder.socket is None:
        return None
    status = desk.ask_status(holder, _ANSWER_S)
    if status is None:
        return None
    return {
        name: [
            row
            for row in status[name]
            if question.concerns(row["account"], row["symbol"]) and account in (None, row["account"])
        ]
        for name in ("held", "drift", "parked")
    }
