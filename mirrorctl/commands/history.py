"""`history`: what was sent and why, and the positions that ended, from the store.

No exchange is asked, but whether there is such a contract where the store has nothing of a symbol.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mirrorctl.commands import amounts, choices, record_tables
from mirrorctl.commands.options import AccountOption, JsonOption, ProfileOption
from mirrorctl.commands.reading import check_symbol
from mirrorctl.commands.session import SCHEMA, Session, now_text, open_session
from mirrorctl.core.domain.errors import UsageError
from mirrorctl.core.domain.policy import MAIN

if TYPE_CHECKING:
    from mirrorctl.core.engine.records import ClosedPosition, Intent
    from mirrorctl.core.store.sqlite import EndedCycle, SqliteStore

LIMIT = 50
_FINDINGS = 3
_MOST = 100_000

Document = dict[str, Any]


def history(
    context: typer.Context,
    symbol: Annotated[
        str | None,
        typer.Option(
            "--symbol", metavar="SYMBOL", help="One symbol only, for example BTCUSDT.", autocompletion=choices.symbols
        ),
    ] = None,
    account: AccountOption = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=_MOST, help="At most N of each, the newest.")
    ] = LIMIT,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the journal's hash chain instead; exit 3 where it was changed.")
    ] = False,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """What was sent and why, and how positions ended.

    With --verify: whether the journal is as it was written, and the first place where it is not.

    Example: mirrorctl history --symbol BTCUSDT --limit 20
    """
    session = open_session(context, profile, as_json)
    if verify:
        if symbol is not None or account is not None:
            raise UsageError("--verify is about the whole journal", "leave out --symbol and --account")
        found = verify_journal(session)
        session.terminal.result(found, record_tables.verified(found))
        if found["fault"] is not None:
            raise typer.Exit(_FINDINGS)
        return
    wanted = None if symbol is None else amounts.symbol(symbol)
    document = read_history(session, wanted, account, limit)
    if wanted is not None and not (document["journal"] or document["trades"] or document["cycles"]):
        check_symbol(session, wanted)
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

    def chosen(intent: Intent) -> bool:
        return symbol in (None, intent.action.symbol) and account in (None, intent.account)

    cycles = store.newest_ended(limit, symbol) if account in (None, MAIN) else []
    return {
        "journal": [_intent(row) for row in reversed(store.newest_intents(limit, chosen))],
        "trades": [_closed(row) for row in reversed(store.newest_closed(limit, symbol, account))],
        "cycles": [_ended(row) for row in reversed(cycles)],
    }


def verify_journal(session: Session) -> Document:
    """The `history --verify` document. Raises StoreError when the store cannot be read."""
    from mirrorctl.core.engine.times import iso
    from mirrorctl.core.store.sqlite import SqliteStore

    path = session.home.store_path(session.profile.name)
    with session.terminal.progress("checking the journal"), SqliteStore(path, read_only=True) as store:
        found, unchained = store.verify(), store.is_migrated_copy
    fault = found.fault
    return {
        "schema": SCHEMA,
        "profile": session.profile.name,
        "at": now_text(),
        "store": str(path),
        "rows": found.rows,
        "intents": found.intents,
        "first_row": found.first or None,
        "last_row": found.last or None,
        "last_hash": found.last_hash or None,
        "intact": None if unchained else fault is None,
        "fault": None
        if fault is None
        else {
            "kind": fault.kind.value,
            "row": fault.row,
            "intent": fault.intent_id,
            "at": iso(fault.at_ms),
            "text": fault.text,
        },
    }


def _intent(intent: Intent) -> Document:
    """A line of the journal: what was sent, why, and what became of it."""
    from mirrorctl.core.domain.scene import Planned
    from mirrorctl.core.engine.status import action_json
    from mirrorctl.core.engine.times import iso

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
    from mirrorctl.core.engine.times import iso

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
    from mirrorctl.core.engine.times import iso

    return {
        "symbol": row.cycle.symbol,
        "side": row.cycle.side.value,
        "tag": row.cycle.tag,
        "origin": row.cycle.origin,
        "started_at": iso(row.cycle.started_ms),
        "ended_at": iso(row.ended_ms),
        "rungs_done": len(row.cycle.done),
    }
