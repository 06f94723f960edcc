"""`explain ORDER|SYMBOL`: from main's event through size, holds and sends to fills, from what was written down."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mirrorctl.commands import choices, desk, explain_tables
from mirrorctl.commands.explain_events import events
from mirrorctl.commands.explain_question import Question, ask
from mirrorctl.commands.options import AccountOption, JsonOption, ProfileOption
from mirrorctl.commands.session import SCHEMA, Session, now_text, open_session
from mirrorctl.core.domain.actions import AmendOrder, PlaceOrder
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.lens import PLAIN, lens_of
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.selection import selection_block
from mirrorctl.core.domain.values import PositionSide

if TYPE_CHECKING:
    from mirrorctl.core.domain.cycle import Copy
    from mirrorctl.core.engine.records import Intent, Standing
    from mirrorctl.core.store.following import EndedCopy
    from mirrorctl.core.store.sqlite import SqliteStore

LIMIT = 100
_MOST = 10_000
_ANSWER_S = 3.0
_TAKEN = (IntentState.ACCEPTED, IntentState.LIVE, IntentState.DONE)

Document = dict[str, Any]


def explain(
    context: typer.Context,
    about: Annotated[
        str,
        typer.Argument(
            metavar="ORDER|SYMBOL", help="An order id, a link id, or a symbol.", autocompletion=choices.symbols
        ),
    ],
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
    with session.terminal.progress("reading what was written down"):
        document = read_explanation(session, about, account, limit)
    session.terminal.result(document, explain_tables.explanation(document))


def read_explanation(session: Session, about: str, account: str | None, limit: int) -> Document:
    """The `explain` document. Raises StoreError when the store cannot be read, UsageError for what was never seen."""
    from mirrorctl.core.store.sqlite import SqliteStore

    with SqliteStore(session.home.store_path(session.profile.name), read_only=True) as store:
        lenses = {mirror.name: lens_of(mirror) for mirror in session.profile.policy.mirrors}
        question = ask(store, about, account, lambda name, symbol: lenses.get(name, PLAIN).symbol_here(symbol))
        found = events(store, question, account)
        sizes = list(_sizes(store, question, account))
        return {
            "schema": SCHEMA,
            "profile": session.profile.name,
            "at": now_text(),
            "order": question.order or None,
            "about": _about(question),
            "symbol": question.symbol,
            "cycle": _cycle(store, question),
            "sizes": sizes,
            "gates": _gates(session, store, question, account),
            "now": _now(session, question, account),
            "events": found[-limit:],
            "left_out": max(len(found) - limit, 0),
        }


def _about(question: Question) -> Document | None:
    """The order itself; null for a symbol, and for an order of main's that is not ours."""
    from mirrorctl.core.domain.ids import parse

    first = next((intent for intent in question.own if isinstance(intent.action, PlaceOrder)), None)
    if first is None or not isinstance(first.action, PlaceOrder):
        return None
    action, link = _as_amended(first.action, question.own), parse(first.action.link_id)
    return {
        "account": first.account,
        "symbol": action.symbol,
        "role": action.role.name.lower(),
        "attempt": None if link is None else link.attempt + 1,
        "side": action.side.value,
        "type": action.order_type.value,
        "qty": action.qty,
        "price": action.price,
        "stop": action.stop_loss,
        "reduce_only": action.reduce_only,
        "state": first.state.value,
        "filled": first.filled,
        "order_id": first.order_id or None,
        "order_link_id": action.link_id,
        "main_order_id": first.main_order_id or None,
    }


def _as_amended(placed: PlaceOrder, own: Sequence[Intent]) -> PlaceOrder:
    """The order as the changes left it that the exchange took."""
    for intent in own:
        amend = intent.action
        if isinstance(amend, AmendOrder) and intent.state in _TAKEN:
            placed = replace(
                placed,
                qty=amend.qty or placed.qty,
                price=amend.price or placed.price,
                stop_loss=placed.stop_loss if amend.stop_loss is None else amend.stop_loss or None,
            )
    return placed


def _cycle(store: SqliteStore, question: Question) -> Document | None:
    """Main's position that all of it belongs to, from flat to flat; null where none was seen."""
    from mirrorctl.core.engine.times import iso

    cycle = question.cycle
    if cycle is None:
        return None
    trade = next((trade for trade in store.trades() if trade.key == cycle.key), None)
    if question.ended_ms is not None:
        trade = None
    return {
        "symbol": cycle.symbol,
        "side": cycle.side.value,
        "tag": cycle.tag,
        "origin": cycle.origin,
        "started_at": iso(cycle.started_ms),
        "ended_at": None if question.ended_ms is None else iso(question.ended_ms),
        "approach": None if trade is None else trade.approach or None,
        "stop": None if trade is None else trade.stop,
    }


def _sizes(store: SqliteStore, question: Question, account: str | None) -> Iterator[Document]:
    """How each mirror's size is made in the open cycle, or was in the one that ended, and what keeps it away (A3)."""
    accounts = {intent.account for intent in question.intents} if question.order else None

    def asked(name: str) -> bool:
        return account in (None, name) and (accounts is None or name in accounts)

    cycle = question.cycle
    if question.ended_ms is None:
        for copy in store.copies():
            if question.symbol in (copy.symbol, copy.source[0]) and asked(copy.account):
                yield _size(copy) | {"last": _last(question, copy.account)}
    elif cycle is not None:
        for row in store.ended_copies(question.ended_ms):
            if row.tag == cycle.tag and row.source == cycle.key and asked(row.account):
                yield _ended(row) | {"last": _last(question, row.account)}


def _last(question: Question, account: str) -> str | None:
    """The newest sizing that was sent for the mirror, in the journal's words; null where none was, or for an order."""
    if question.order:
        return None
    sized = (Role.TWIN, Role.CORRECTION, Role.REDUCTION)
    for intent in reversed(question.intents):
        if intent.account == account and isinstance(intent.action, PlaceOrder) and intent.action.role in sized:
            return intent.action.reason
    return None


def _size(copy: Copy) -> Document:
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


def _ended(row: EndedCopy) -> Document:
    """The same of a cycle that is over, as far as it was kept."""
    return {
        "account": row.account,
        "symbol": row.symbol,
        "side": row.side.value,
        "follows": {"symbol": row.source[0], "side": row.source[1].value},
        "ratio": row.ratio,
        "formula": row.unsized or row.formula,
        "cap": None,
        "out": row.out or None,
        "held": row.held or None,
        "skipped": None,
        "own_stop": None,
        "ended": True,
    }


def _gates(session: Session, store: SqliteStore, question: Question, account: str | None) -> list[Document]:
    """What the profile and the trader keep entries of each mirror away with at this moment; none: nothing does."""
    policy, standings = session.profile.policy, store.standings()
    sides = tuple(PositionSide) if question.cycle is None else (question.cycle.side,)
    found = []
    for mirror in policy.mirrors:
        if account not in (None, mirror.name) or (question.order and not _touches(question, mirror.name)):
            continue
        here = lens_of(mirror).symbol_here(question.symbol)
        blocks = [] if policy.mirroring else ["ENABLE_MIRROR_TRADING=false: no mirror follows"]
        blocks += [] if mirror.enabled else ["disabled in the profile"]
        filters = [selection_block(mirror.filter, question.symbol, side, _wall_ms()) for side in sides]
        blocks += [filters[0]] if all(filters) else []
        blocks += [
            _standing(row)
            for row in standings
            if row.account in ("", mirror.name) and row.symbol in ("", here, question.symbol)
        ]
        found.append({"account": mirror.name, "symbol": here, "blocks": blocks})
    return found


def _touches(question: Question, account: str) -> bool:
    return any(intent.account == account for intent in question.intents)


def _standing(row: Standing) -> str:
    from mirrorctl.core.engine.records import StandingKind

    words = {StandingKind.PAUSE: "paused", StandingKind.HALT: "halted", StandingKind.PARK: "parked"}
    whole = "" if row.symbol else ", every symbol"
    return f"{words[row.kind]}{whole}" + (f": {row.reason}" if row.reason else "")


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _now(session: Session, question: Question, account: str | None) -> Document | None:
    """What the daemon holds back now; null when none answers, for then nobody knows."""
    holder = desk.holder_of(session)
    if holder is None or holder.socket is None:
        return None
    status = desk.ask_status(holder, _ANSWER_S)
    if status is None:
        return None
    found: Document = {
        name: [
            row
            for row in status[name]
            if question.concerns(row["account"], row["symbol"]) and account in (None, row["account"])
        ]
        for name in ("held", "drift", "parked")
    }
    wants = status.get("wants") or {}
    found["wants"] = {
        name: {leg.split()[-1]: want for leg, want in legs.items() if question.concerns(name, leg.split()[0])}
        for name, legs in wants.items()
        if account in (None, name)
    }
    return found
