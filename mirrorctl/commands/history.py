"""`history`: what was sent and why, and the positions that ended, from the store. No exchange is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mirrorctl.commands import amounts, record_tables
from mirrorctl.commands.options import AccountOption, JsonOption, ProfileOption
from mirrorctl.commands.session import SCHEMA, Session, now_text, open_session
from mirrorctl.core.domain.policy import MAIN

if TYPE_CHECKING:
    from mirrorctl.core.engine.records import ClosedPosition, Intent
    from mirrorctl.core.store.sqlite import EndedCycle, SqliteStore

LIMIT = 50
_MOST = 100_000

Document = dict[str, Any]


def history(
    context: typer.Context,
    symbol: Annotated[
        str | None, typer.Option("--symbol", metavar="SYMBOL", help="One symbol only, for example BTCUSDT.")
    ] = None,
    account: AccountOption = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=_MOST, help="At most N of each, the newest.")
    ] = LIMIT,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """What was sent and why, and how positions ended.

    Example: mirrorctl history --symbol BTCUSDT --limit 20
    """
    session = open_session(context, profile, as_json)
    wanted = None if symbol is None else amounts.symbol(symbol)
    document = read_history(session, wanted, account, limit)
    session.terminal.result(document, record_tables.history(document))


def read_history(session: Session, symbol: str | None, account: str | None, limit: int) -> Document:
    """The `history` document, the newest last. Raises StoreError when the store cannot be read."""
    from mirrorctl.core.store.sqlite import SqliteStore

    session.check_account(account)
    with SqliteStore(session.home.store_path(session.profile.name), read_only=True) as store:
        return {
            "schema": SCHEMA,
            "profile": session.profile.name,
            "at": now_text(),
            **told(store, symbol, account, limit),
        }


def told(store: SqliteStore, symbol: str | None, account: str | None, limit: int) -> Document:
    """Journal, ended positions and main's ended cycles, of one symbol and account or of all; at most `limit` each."""
    intents = [
        intent
        for intent in store.recent_intents(0)
        if symbol in (None, intent.action.symbol) and account in (None, intent.account)
    ]
    closed = [
        row for row in store.closed_positions(0) if symbol in (None, row.symbol) and account in (None, row.account)
    ]
    ended = [
        row
        for row in store.ended_cycles(0)
        if symbol in (None, row.cycle.symbol) and account in (None, MAIN) and row.cycle.opened
    ]
    return {
        "journal": [_intent(row) for row in intents[-limit:]],
        "trades": [_closed(row) for row in closed[-limit:]],
        "cycles": [_ended(row) for row in ended[-limit:]],
    }


def _intent(intent: Intent) -> Document:
    """A line of the journal: what was sent, why, and what became of it."""
    from mirrorctl.core.domain.scene import Planned
    from mirrorctl.core.engine.status import action_json, iso

    return {
        "id": intent.intent_id,
        "at": iso(intent.created_ms),
        "updated_at": iso(intent.updated_ms),
        **action_json(Planned(intent.action)),
        "state": intent.state.value,
        "filled": intent.filled,
        "code": intent.code or None,
        "message": intent.message,
        "order_id": intent.order_id or getattr(intent.action, "order_id", None) or None,
        "order_link_id": getattr(intent.action, "link_id", None) or None,
        "main_order_id": intent.main_order_id or None,
    }


def _closed(row: ClosedPosition) -> Document:
    """A position from its first fill to flat, and what ended it."""
    from mirrorctl.core.engine.status import iso

    return {
        "account": row.account,
        "symbol": row.symbol,
        "side": row.side.value,
        "tag": row.tag,
        "approach": row.approach or None,
        "reason": row.reason,
        "opened_at": iso(row.opened_ms),
        "closed_at": iso(row.closed_ms),
        "late": row.late,
    }


def _ended(row: EndedCycle) -> Document:
    """A cycle of main, from flat to flat."""
    from mirrorctl.core.engine.status import iso

    return {
        "symbol": row.cycle.symbol,
        "side": row.cycle.side.value,
        "tag": row.cycle.tag,
        "origin": row.cycle.origin,
        "started_at": iso(row.cycle.started_ms),
        "ended_at": iso(row.ended_ms),
        "rungs_done": len(row.cycle.done),
    }
