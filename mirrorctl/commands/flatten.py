"""`flatten`: cancel our orders and close our positions, in two steps, and say what remains."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer

from mirrorctl.commands import choices, desk, tables
from mirrorctl.commands.confirm import confirm_by_name
from mirrorctl.commands.options import AccountOption, DryRunOption, JsonOption, ProfileOption, YesOption
from mirrorctl.commands.session import SCHEMA, open_session
from mirrorctl.commands.terminal import progress_lines
from mirrorctl.core.domain.errors import PartlyDone


def flatten(
    context: typer.Context,
    account: AccountOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything there is, not only what is ours.")] = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    confirmed: Annotated[
        str | None,
        typer.Option(
            "--confirm", metavar="PROFILE", help="The profile's name, with --yes.", autocompletion=choices.profiles
        ),
    ] = None,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """Cancel our orders and close our positions, at once.

    Example: mirrorctl flatten --yes --confirm paper
    """
    session = open_session(context, profile, as_json)
    names = session.account_names(account)
    args: dict[str, Any] = {"account": account, "all": everything}
    head = {"schema": SCHEMA, "profile": session.profile.name}
    if dry_run:
        found = desk.rehearse(session, "flatten", {**args, "dry_run": True})
        session.terminal.result({**head, **found}, tables.plan(found))
        if found["unread"]:
            raise typer.Exit(desk.unread_code(session, found["unread"], names))
        return
    what = "everything" if everything else "our orders and positions"
    confirm_by_name(session, f"Cancel and close {what} on {', '.join(names)}", yes, confirmed)
    # Done here, the pass over the mirrors must not open what is about to be closed.
    policy = replace(session.profile.policy, mirroring=False)
    held_back = replace(session.profile, policy=policy)
    result = desk.carry_out(session, "flatten", args, progress_lines(session.terminal, describe), profile=held_back)
    session.terminal.result({**head, **result}, *_summary(result))
    if result["partial"]:
        raise typer.Exit(PartlyDone.exit_code)


def describe(event: dict[str, Any]) -> str:
    """A progress event as a line."""
    qty = f" {event['qty']}" if event.get("qty") else ""
    return f"{event['account']}: {event['event']} {event['symbol']}{qty}"


def _summary(result: dict[str, Any]) -> list[str]:
    lines = []
    for row in result["accounts"]:
        if row["error"]:
            lines.append(f"{row['account']}: unknown: {row['error']}")
        else:
            lines.append(f"{row['account']}: {'remains: ' + ', '.join(row['remains']) if row['remains'] else 'flat'}")
    return (["PARTIAL"] if result["partial"] else []) + lines
