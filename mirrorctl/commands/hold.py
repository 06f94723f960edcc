"""`pause` and `resume`: entries stop, protection goes on. Without a daemon they are written for the next one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mirrorctl.commands import amounts, choices, desk
from mirrorctl.commands.options import AccountOption, JsonOption, ProfileOption
from mirrorctl.commands.reading import check_symbol
from mirrorctl.commands.session import SCHEMA, Session, now_text, open_session

if TYPE_CHECKING:
    from mirrorctl.core.engine.standings import Standings

SymbolOption = Annotated[
    str | None, typer.Option("--symbol", metavar="SYMBOL", help="One symbol only.", autocompletion=choices.symbols)
]

Args = dict[str, Any]


def pause(
    context: typer.Context,
    account: AccountOption = None,
    symbol: SymbolOption = None,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """Hold back entries; stops and reductions go on.

    Example: mirrorctl pause --account mirror --symbol BTCUSDT
    """
    session = open_session(context, profile, as_json)
    args = _args(session, account, symbol)
    if args["symbol"] is not None:
        check_symbol(session, args["symbol"])
    result = _carry_out(session, "pause", args, _pause)
    where = f"{account or 'every account'}, {args['symbol'] or 'every symbol'}"
    session.terminal.result(
        {"schema": SCHEMA, "profile": session.profile.name, **result}, f"paused: {where}; stops and reductions go on"
    )


def resume(
    context: typer.Context,
    account: AccountOption = None,
    symbol: SymbolOption = None,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """End pauses and halts, and clear parked symbols.

    Example: mirrorctl resume
    """
    session = open_session(context, profile, as_json)
    args = _args(session, account, symbol)
    result = _carry_out(session, "resume", args, _resume)
    lines = _ended(result)
    if args["symbol"] is not None and not lines:
        check_symbol(session, args["symbol"])
    nothing = "nothing was paused or parked"
    if account or symbol:
        nothing += " by just that name; `mirrorctl resume` ends every pause"
    session.terminal.result({"schema": SCHEMA, "profile": session.profile.name, **result}, *(lines or [nothing]))


def carried_out(session: Session, name: str, account: str | None) -> list[str]:
    """Have an account (None: every one) paused or resumed as the commands do it; says what came of it."""
    args = _args(session, account, None)
    if name == "pause":
        _carry_out(session, name, args, _pause)
        return [f"paused: {account or 'every account'}"]
    return _ended(_carry_out(session, name, args, _resume)) or ["nothing was paused or parked"]


def _ended(result: Args) -> list[str]:
    lines = [
        f"ended: {row['kind']} of {row['account'] or 'every account'}, {row['symbol'] or 'every symbol'}"
        for row in result["ended"]
    ]
    return lines + [f"{row['account']} halts again: {row['reason']}" for row in result.get("still") or ()]


def _args(session: Session, account: str | None, symbol: str | None) -> Args:
    if account is not None:
        session.account_names(account)
    return {"account": account, "symbol": None if symbol is None else amounts.symbol(symbol)}


def _carry_out(session: Session, name: str, args: Args, here: Callable[[Standings, Args], Args]) -> Args:
    """By the daemon; without one only the store is written, so that pausing never begins with a pass that trades."""
    from mirrorctl.core.engine.standings import Standings
    from mirrorctl.core.store.locks import Holder, LockDirectory
    from mirrorctl.core.store.sqlite import SqliteStore

    if desk.holder_of(session) is not None:
        return desk.carry_out(session, name, args, lambda _event: None)
    profile = session.profile.name
    holder = Holder(pid=os.getpid(), profile=profile, command=name, since=now_text())
    path = session.home.store_path(profile)
    with LockDirectory(session.home.locks_dir).lock_profile(profile, holder):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with SqliteStore(path) as store:
            return here(Standings(store), args)


def _pause(standings: Standings, args: Args) -> Args:
    from mirrorctl.core.engine.records import StandingKind

    account, symbol = args["account"] or "", args["symbol"] or ""
    standings.set(StandingKind.PAUSE, account, symbol, "by the trader", time.time_ns() // 1_000_000)
    return {"paused": {"account": account or "all", "symbol": symbol or "all"}}


def _resume(standings: Standings, args: Args) -> Args:
    ended = standings.clear(args["account"], args["symbol"])
    return {"ended": [{"kind": s.kind.value, "account": s.account, "symbol": s.symbol} for s in ended]}
