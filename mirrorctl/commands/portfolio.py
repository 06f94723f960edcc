"""`positions`, `orders` and `balance`: what the exchange says, account by account, beside what should be."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from mirrorctl.commands import tables
from mirrorctl.commands.options import AccountOption, JsonOption, ProfileOption, WatchOption
from mirrorctl.commands.reading import Reading, exit_code, read_accounts
from mirrorctl.commands.session import SCHEMA, Session, now_text, open_session
from mirrorctl.commands.terminal import error_document
from mirrorctl.commands.times import zoned
from mirrorctl.commands.wants import Known, find_known
from mirrorctl.core.domain.account import Order, Position, Wallet
from mirrorctl.core.domain.errors import UsageError
from mirrorctl.core.domain.ids import Role, parse
from mirrorctl.core.domain.policy import MAIN
from mirrorctl.core.domain.potential import stops_of, targets_of
from mirrorctl.core.domain.values import StopKind

_EVERY_S = 2.0
_TARGET_KINDS = (StopKind.TAKE_PROFIT, StopKind.PARTIAL_TAKE_PROFIT)
_ROLES = {
    Role.ENTRY: "entry",
    Role.TWIN: "entry",
    Role.CORRECTION: "correction",
    Role.REDUCTION: "correction",
    Role.FLATTEN: "correction",
    Role.TARGET: "target",
}

Document = dict[str, Any]


def positions(
    context: typer.Context,
    account: AccountOption = None,
    watch: WatchOption = False,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """What every account holds, and what it should hold.

    Example: mirrorctl positions --account mirror
    """
    session = open_session(context, profile, as_json)
    _show(session, watch, lambda: read_positions(session, account), tables.positions)


def orders(
    context: typer.Context,
    account: AccountOption = None,
    watch: WatchOption = False,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """Open orders of every account, and what each is for.

    Example: mirrorctl orders --json
    """
    session = open_session(context, profile, as_json)
    _show(session, watch, lambda: read_orders(session, account), tables.orders)


def balance(
    context: typer.Context,
    account: AccountOption = None,
    watch: WatchOption = False,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """Equity and margin of every account.

    Example: mirrorctl balance --watch
    """
    session = open_session(context, profile, as_json)
    _show(session, watch, lambda: read_balance(session, account), tables.balance)


def read_positions(session: Session, only: str | None) -> tuple[Document, int]:
    """The `positions` document and its exit code."""
    names = session.account_names(only)
    asked = names if MAIN in names else [MAIN, *names]
    readings = read_accounts(session, asked, lambda rest: rest.relist())
    main = next((r.value for r in readings if r.account == MAIN), None)
    known = find_known(session, None if main is None else main.positions)
    readings = [reading for reading in readings if reading.account in names]

    def body(reading: Reading[Any]) -> Document:
        answer = reading.value
        if answer is None:
            return {"positions": None, "missing": None}
        rows = [position_row(row, answer.orders, reading.account, known) for row in answer.positions]
        return {"positions": rows, "missing": known.missing(reading.account, answer.positions)}

    document, code = _document(session, readings, body)
    held = known.held and [row for row in known.held if row["account"] in names]
    return {**document, "held": held}, code


def read_orders(session: Session, only: str | None) -> tuple[Document, int]:
    """The `orders` document and its exit code."""
    readings = read_accounts(session, session.account_names(only), lambda rest: rest.open_orders())
    return _document(
        session,
        readings,
        lambda reading: {"orders": None if reading.value is None else [_order(row) for row in reading.value]},
    )


def read_balance(session: Session, only: str | None) -> tuple[Document, int]:
    """The `balance` document and its exit code."""
    readings = read_accounts(session, session.account_names(only), lambda rest: rest.wallet())
    return _document(session, readings, lambda reading: _wallet(reading.value))


def _show(
    session: Session,
    watch: bool,
    read: Callable[[], tuple[Document, int]],
    table: Callable[[Document], RenderableType],
) -> None:
    if watch and session.terminal.as_json:
        raise UsageError("--watch and --json exclude each other", "run the command with --json as often as you need it")
    if watch:
        _watch(session, lambda: _frame(read()[0], table))
        return
    document, code = read()
    session.terminal.result(document, table(document))
    if code:
        raise typer.Exit(code)


def _frame(document: Document, table: Callable[[Document], RenderableType]) -> RenderableType:
    """One look with its time: a screen that stands still must be told from figures that do."""
    return Group(table(document), Text(f"at {zoned(document['at'])}", "dim"))


def _watch(session: Session, draw: Callable[[], RenderableType]) -> None:
    """Until Ctrl-C: redrawn in place on a terminal, one after another elsewhere."""
    out = session.terminal.out
    if not out.is_terminal:
        while True:
            out.print(draw())
            time.sleep(_EVERY_S)
    with Live(draw(), console=out, auto_refresh=False) as live, session.terminal.drawn_on():
        while True:
            time.sleep(_EVERY_S)
            live.update(draw(), refresh=True)


def _document(
    session: Session, readings: Sequence[Reading[Any]], body: Callable[[Reading[Any]], Document]
) -> tuple[Document, int]:
    document: Document = {
        "schema": SCHEMA,
        "profile": session.profile.name,
        "at": now_text(),
        "accounts": [{**reading.head(), **body(reading)} for reading in readings],
    }
    code = exit_code(readings)
    first = next((reading.error for reading in readings if reading.error), None)
    if first is not None and all(reading.value is None for reading in readings):
        document["error"] = error_document(first)
    return document, code


def position_row(row: Position, orders: Sequence[Order], account: str, known: Known) -> Document:
    """One position of the `positions` document, with the orders that protect it and what should stand."""
    want = known.want(account, row)
    return {
        "symbol": row.symbol,
        "side": row.side,
        "position_idx": row.idx,
        "qty": row.size,
        "entry_price": row.entry_price,
        "mark_price": row.mark_price,
        "unrealised_pnl": row.unrealised_pnl,
        "leverage": row.leverage,
        "stop": _stop(row, orders),
        "targets": _targets(row, orders),
        "monitor": known.phase(account, row, orders),
        "want_qty": want,
        "drift_qty": None if want is None else abs(row.size - want),
    }


def _stop(row: Position, orders: Sequence[Order]) -> Document | None:
    """The position's own stop; without one the Partial stop that comes first, with the quantity it covers."""
    first = next(iter(stops_of(row, orders, _leaves)), None)
    return None if first is None else {"price": first.price, "qty": first.qty or row.size}


def _targets(row: Position, orders: Sequence[Order]) -> list[Document]:
    """The position's own take-profit, then reduce-only limits and Partial take-profits, nearest first."""
    return [{"price": at.price, "qty": at.qty or row.size} for at in targets_of(row, orders, _leaves)]


def _leaves(order: Order) -> Decimal:
    return order.leaves_qty


def _order(row: Order) -> Document:
    return {
        "symbol": row.symbol,
        "side": row.side,
        "type": row.order_type,
        "price": row.price,
        "trigger_price": row.trigger_price,
        "qty": row.qty,
        "filled_qty": row.filled_qty,
        "reduce_only": row.reduce_only,
        "status": row.status,
        "order_id": row.order_id,
        "order_link_id": row.link_id,
        "role": _role(row),
    }


def _role(row: Order) -> str:
    link = parse(row.link_id)
    if link is not None:
        return _ROLES[link.role]
    if row.stop_kind in _TARGET_KINDS:
        return "target"
    return "stop" if row.stop_kind.position_bound else "foreign"


def _wallet(wallet: Wallet | None) -> Document:
    names = ("equity", "available", "initial_margin", "maintenance_margin", "unrealised_pnl")
    return {name: None if wallet is None else getattr(wallet, name) for name in names}
