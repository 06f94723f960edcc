"""`profile new`: a first profile, by questions on a terminal or by options."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mirrorctl.commands import choices
from mirrorctl.commands.options import JsonOption, ProfileOption
from mirrorctl.commands.session import SCHEMA, Session, open_session
from mirrorctl.core.domain.errors import ConfirmationMissing, UsageError

_SAYS, _LIMITS = "What it says", "Limits of every account"

WhereOption = Annotated[
    str | None,
    typer.Option(
        "--environment",
        metavar="WHERE",
        help="paper, testnet, demo or mainnet.",
        autocompletion=choices.environments,
        rich_help_panel=_SAYS,
    ),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace a file that is there already.")]
UseOption = Annotated[bool, typer.Option("--use", help="Make it the default profile, too.")]


def new(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="What it is called; asked for if left out.")
    ] = None,
    environment: WhereOption = None,
    mirror: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="A mirror and its size, such as mirror=50%; repeatable.", rich_help_panel=_SAYS
        ),
    ] = None,
    sizing: Annotated[
        str | None,
        typer.Option(
            metavar="MODE",
            help="What VALUE means: proportion (of main's quantity), equity, risk, …",
            autocompletion=choices.modes,
            rich_help_panel=_SAYS,
        ),
    ] = None,
    keys: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ACCOUNT=KEY,SECRET",
            help="The two environment variables with an account's keys; repeatable.",
            rich_help_panel=_SAYS,
        ),
    ] = None,
    adopt: Annotated[
        str | None,
        typer.Option(
            metavar="new-only|all",
            help="Positions that main holds already: leave them, or follow them.",
            autocompletion=choices.adopts,
            rich_help_panel=_SAYS,
        ),
    ] = None,
    telegram_chat: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Chat to send alerts to; the token is read from TELEGRAM_BOT_TOKEN.",
            rich_help_panel=_SAYS,
        ),
    ] = None,
    max_leverage: Annotated[
        str | None, typer.Option(metavar="N", help="Highest leverage.", rich_help_panel=_LIMITS)
    ] = None,
    max_position: Annotated[
        str | None, typer.Option(metavar="USDT", help="Largest position.", rich_help_panel=_LIMITS)
    ] = None,
    max_total: Annotated[
        str | None, typer.Option(metavar="USDT", help="All positions together.", rich_help_panel=_LIMITS)
    ] = None,
    max_daily_loss: Annotated[
        str | None,
        typer.Option(metavar="USDT", help="Largest loss of a day; then entries pause.", rich_help_panel=_LIMITS),
    ] = None,
    use: UseOption = False,
    force: ForceOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the file and write nothing.")] = False,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """Write a first profile: by questions on a terminal, or by options.

    It asks only where nothing but a name is given. Keys never come into the file, only the names of the environment
    variables that hold them. The file is checked before it is written.

    Examples:
      mirrorctl profile new
      mirrorctl profile new live --environment mainnet --mirror copy=50% --mirror small=0.1
      mirrorctl profile new risky --environment testnet --sizing risk --mirror mirror=1 --dry-run
    """
    session = open_session(context, profile, as_json)
    said = {
        "environment": environment,
        "mirrors": mirror or (),
        "sizing": sizing,
        "keys": keys or (),
        "adopt": adopt,
        "telegram_chat": telegram_chat,
        "max_leverage": max_leverage,
        "max_position": max_position,
        "max_total": max_total,
        "max_daily_loss": max_daily_loss,
    }
    if any(said.values()):
        _by_options(session, name, said, use=use, force=force, dry_run=dry_run)
    elif session.terminal.can_ask and not as_json:
        _by_questions(session, name, use=use, force=force, dry_run=dry_run)
    else:
        raise UsageError(
            "profile new asks its questions on a terminal, and there is none",
            "say it with options: mirrorctl profile new live --environment testnet --mirror mirror=50%",
        )


def _by_options(
    session: Session, name: str | None, said: dict[str, Any], *, use: bool, force: bool, dry_run: bool
) -> None:
    from mirrorctl.commands import profile_place
    from mirrorctl.commands.draft_options import Said, draft_of
    from mirrorctl.core.profile.draft import written

    if name is None:
        raise UsageError("a name is missing", "mirrorctl profile new NAME --environment testnet --mirror mirror=50%")
    place = profile_place.find_place(session, name)
    text = written(draft_of(name, Said(**said)))
    found = profile_place.checked(session, place, text)
    if dry_run:
        document = {"schema": SCHEMA, "profile": name, "path": str(place.path), "text": text}
        session.terminal.result(document, text.rstrip())
        return
    profile_place.check_free(session, place, force)
    profile_place.write(place, text)
    profile_place.finish(session, place, found, use=use)


def _by_questions(session: Session, name: str | None, *, use: bool, force: bool, dry_run: bool) -> None:
    from mirrorctl.commands import profile_place
    from mirrorctl.commands.interview import Interview
    from mirrorctl.core.profile.draft import written

    terminal = session.terminal
    if name is not None and not dry_run:  # before the questions: nobody answers ten of them for a no
        profile_place.check_free(session, profile_place.find_place(session, name), force)
    interview = Interview(terminal.answer, terminal.tell)
    terminal.tell("Enter takes what stands in brackets; Ctrl-C leaves without writing anything.")
    draft = interview.draft(name)
    place = profile_place.find_place(session, draft.name)
    text = written(draft)
    found = profile_place.checked(session, place, text)
    if dry_run:
        terminal.show(text.rstrip())
        return
    terminal.preview("", text)
    if name is None:
        profile_place.check_free(session, place, force)
    terminal.tell(f"No problem found; it goes to {place.path}")
    if not interview.yes("Write it?", default=True):
        raise ConfirmationMissing("not confirmed; nothing was written", "answer y to write it")
    wanted = use or interview.yes("Make it the default, so that commands need no -p?", default=True)
    profile_place.write(place, text)
    profile_place.finish(session, place, found, use=wanted)
