"""`sync`: print the plan, then apply it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from mirrorctl.commands import amounts, choices, desk, tables
from mirrorctl.commands.confirm import check_askable, confirm
from mirrorctl.commands.options import DryRunOption, JsonOption, ProfileOption, YesOption
from mirrorctl.commands.reading import check_symbol
from mirrorctl.commands.session import SCHEMA, open_session
from mirrorctl.core.domain.cycle import NEW_STORE
from mirrorctl.core.domain.errors import PartlyDone

_FINDINGS = 3


def sync(
    context: typer.Context,
    symbol: Annotated[
        str | None, typer.Argument(metavar="[SYMBOL]", help="One symbol only.", autocompletion=choices.symbols)
    ] = None,
    dry_run: DryRunOption = False,
    rebase: Annotated[
        bool, typer.Option("--rebase", help="Make the ratios of open cycles anew: today's policy, equities and sizes.")
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """Print what would bring every mirror in step, and do it.

    It also releases what a new store holds back. Ratios stay as they were made, unless --rebase asks for new ones.

    Example: mirrorctl sync --dry-run
    """
    session = open_session(context, profile, as_json)
    args: dict[str, Any] = {"symbol": None if symbol is None else amounts.symbol(symbol), "rebase": rebase}
    head = {"schema": SCHEMA, "profile": session.profile.name}
    if not dry_run:
        check_askable(session, yes, has_dry_run=True)
    if args["symbol"] is not None:
        check_symbol(session, args["symbol"])
    found = desk.rehearse(session, "preview", args)
    if dry_run:
        session.terminal.result({**head, **found}, *shown(found, rebase=rebase))
        _exit(_FINDINGS if found["plan"] else desk.unread_code(session, found["unread"]))
        return
    session.terminal.show(*shown(found, rebase=rebase))
    confirm(session, "Apply this plan", yes)
    if rebase:
        args["rebase"] = found["rebase"]  # the ratios that were shown, and no others
    result = desk.carry_out(session, "sync", args, lambda _event: None)
    # Done here, the first pass may have carried the plan out before `sync` looks: what was printed is what it was.
    document = {**head, **result, **{name: found[name] for name in ("plan", "held", "rebase")}}
    lines = [f"released: {result['released']} held by a new store"] if result["released"] else []
    held = len(result["status"]["held"])
    state = f"every account is in step{f', but for {held} held back' if held else ''}"
    state = state if result["converged"] else "not every account is in step: `mirrorctl status`"
    session.terminal.result(document, *lines, state)
    _exit(0 if result["converged"] else PartlyDone.exit_code)


def shown(found: Mapping[str, Any], *, rebase: bool) -> tuple[RenderableType, ...]:
    """The plan for people; with `rebase` the ratios first, and what becomes of them."""
    if not rebase:
        waits = sum(row["reason"] == NEW_STORE for row in found["held"])
        told = f"`mirrorctl sync` releases {waits} held by a new store: what main holds is followed then"
        return (tables.plan(found, "nothing to send while held"), told) if waits else (tables.plan(found),)
    changed = tables.ratios_changed(found["rebase"])
    what = "1 ratio changes" if changed == 1 else f"{changed} ratios change"
    return tables.rebased(found["rebase"]), tables.plan(
        found, f"nothing to send, but {what}" if changed else "nothing to do"
    )


def _exit(code: int) -> None:
    if code:
        raise typer.Exit(code)
