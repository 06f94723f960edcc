"""Options that several commands share, as types."""

from __future__ import annotations

from typing import Annotated

import typer

from mirrorctl.commands import choices

ProfileOption = Annotated[
    str | None,
    typer.Option(
        "--profile",
        "-p",
        metavar="NAME|PATH",
        help="Profile to use. Default: MIRRORCTL_PROFILE, then what `profile use` set, then paper.",
        show_default=False,
        autocompletion=choices.profiles,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Print the plan and send nothing.")]
AccountOption = Annotated[
    str | None,
    typer.Option(
        "--account", metavar="NAME", help="One account only: main or a mirror.", autocompletion=choices.accounts
    ),
]
SideOption = Annotated[
    str | None,
    typer.Option(
        "--side", metavar="long|short", help="Which leg, where main holds both.", autocompletion=choices.sides
    ),
]
WaitOption = Annotated[str, typer.Option("--wait", metavar="S", help="Seconds to wait for the mirrors to follow.")]
WatchOption = Annotated[bool, typer.Option("--watch", help="Read again every 2 s until Ctrl-C.")]
SymbolArgument = Annotated[
    str, typer.Argument(metavar="SYMBOL", help="As on Bybit, for example BTCUSDT.", autocompletion=choices.symbols)
]
