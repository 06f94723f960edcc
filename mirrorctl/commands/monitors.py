"""`monitors`: what is watched on every account, and main's positions that are handed over or taken back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import typer
from rich.console import RenderableType

from mirrorctl.commands import amounts, desk, logs, monitor_tables
from mirrorctl.commands.confirm import check_askable, confirm
from mirrorctl.commands.help_pages import Commands
from mirrorctl.commands.options import JsonOption, ProfileOption, SideOption, SymbolArgument, YesOption
from mirrorctl.commands.reading import check_symbol
from mirrorctl.commands.session import SCHEMA, Session, now_text, open_session
from mirrorctl.core.domain.errors import UsageError

if TYPE_CHECKING:
    from mirrorctl.core.store.locks import Lock

app = Commands()

Document = dict[str, Any]


@app.callback(invoke_without_command=True)
def _default(
    context: typer.Context,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """What is watched: every position, its phase, stop and targets.

    Examples:
      mirrorctl monitors
      mirrorctl monitors show BTCUSDT
      mirrorctl monitors add ETHUSDT
    """
    if context.invoked_subcommand is None:
        _list(open_session(context, profile, as_json))
    elif as_json or profile is not None:
        raise UsageError("options go behind the command", f"mirrorctl monitors {context.invoked_subcommand} --json")


@app.command("list")
def list_(context: typer.Context, as_json: JsonOption = False, profile: ProfileOption = None) -> None:
    """Every position and every side with working entries, on all accounts.

    Example: mirrorctl monitors list
    """
    _list(open_session(context, profile, as_json))


@app.command()
def show(
    context: typer.Context,
    symbol: SymbolArgument,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """One symbol on all accounts, with its targets and entries.

    Example: mirrorctl monitors show BTCUSDT
    """
    session = open_session(context, profile, as_json)
    name = amounts.symbol(symbol)
    found = desk.rehearse(session, "monitors", {"symbol": name})
    if not found["monitors"]:
        check_symbol(session, name)
    _result(session, found, monitor_tables.details(found, name))


@app.command()
def add(
    context: typer.Context,
    symbol: SymbolArgument,
    side: SideOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """Hand main's position over: the daemon keeps its stop and targets as they stand.

    Example: mirrorctl monitors add BTCUSDT
    """
    session = open_session(context, profile, as_json)
    args = {"symbol": amounts.symbol(symbol), "side": amounts.position_side(side)}
    check_askable(session, yes)
    confirm(session, f"Let mirrorctl keep the stop and targets of {args['symbol']}", yes)
    alone = desk.holder_of(session) is None
    found = _add_here(session, args) if alone else desk.carry_out(session, "monitors.add", args, lambda _event: None)
    session.terminal.result(_head(session, found), *monitor_tables.added(found))
    if alone and found["added"]:
        session.terminal.tell("no daemon runs: it is kept from the next `mirrorctl run` on", "yellow")


@app.command()
def remove(
    context: typer.Context,
    symbol: SymbolArgument,
    side: SideOption = None,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """Take a position on main back: nothing is written for it any more, what stands there stays.

    Example: mirrorctl monitors remove BTCUSDT
    """
    session = open_session(context, profile, as_json)
    args = {"symbol": amounts.symbol(symbol), "side": amounts.position_side(side)}
    alone = desk.holder_of(session) is None
    found = (
        _remove_here(session, args) if alone else desk.carry_out(session, "monitors.remove", args, lambda _event: None)
    )
    session.terminal.result(_head(session, found), *monitor_tables.removed(found))


def _list(session: Session) -> None:
    found = desk.rehearse(session, "monitors", {"symbol": None})
    _result(session, found, monitor_tables.monitors(found))


def _result(session: Session, found: Document, table: RenderableType) -> None:
    session.terminal.result(_head(session, found), table)
    if found["unread"]:
        raise typer.Exit(desk.unread_code(session, found["unread"]))


def _head(session: Session, found: Document) -> Document:
    return {"schema": SCHEMA, "profile": session.profile.name, "at": now_text(), **found}


def _add_here(session: Session, args: Document) -> Document:
    """Without a daemon main is only read, and the trade written down for the next one: no pass of its own trades."""
    from mirrorctl.bootstrap.runtime import Runtime
    from mirrorctl.core.domain.values import PositionSide
    from mirrorctl.core.store.sqlite import SqliteStore

    path = session.home.store_path(session.profile.name)
    with _alone(session, "monitors add"):
        logs.to_nowhere()
        with Runtime(session.profile, session.home, "monitors add", sends=False, hosts_paper=False) as runtime:
            found = runtime.execute("monitors.add", args, lambda _event: None)
            trade = runtime.engine.trades.get(found["symbol"], PositionSide(found["side"]))
        if found["added"] and trade is not None:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with SqliteStore(path) as store:
                store.save_trade(trade)
    return found


def _remove_here(session: Session, args: Document) -> Document:
    """Without a daemon only the store is written."""
    from mirrorctl.core.domain.values import PositionSide
    from mirrorctl.core.engine.adoption import check_removable, chosen, trade_json
    from mirrorctl.core.store.sqlite import SqliteStore

    check_removable(session.profile.policy.manage)
    side = PositionSide(args["side"]) if args["side"] else None
    path = session.home.store_path(session.profile.name)
    if not path.exists():
        chosen([], args["symbol"], side)
    with _alone(session, "monitors remove"), SqliteStore(path) as store:
        trade = chosen(store.trades(), args["symbol"], side)
        store.drop_trade(trade.key)
    return {"removed": True, **trade_json(trade), "stays": None}


def _alone(session: Session, command: str) -> Lock:
    """The profile's lock: nobody else writes meanwhile."""
    from mirrorctl.core.store.locks import Holder, LockDirectory

    holder = Holder(pid=os.getpid(), profile=session.profile.name, command=command, since=now_text())
    return LockDirectory(session.home.locks_dir).lock_profile(session.profile.name, holder)
