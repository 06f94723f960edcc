"""The root of the command line, and the one map from errors to exit codes.

Nothing heavy is imported here: `--help` and `--version` load neither the exchange client nor the paper exchange.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from mirrorctl import __version__
from mirrorctl.commands import demo, flatten, hold, logs, paper, portfolio, profile, run, status, sync, trade
from mirrorctl.commands.options import ProfileOption
from mirrorctl.commands.terminal import Terminal
from mirrorctl.core.domain.errors import MirrorctlError, UsageError
from mirrorctl.core.profile.catalogue import find_home

INTERRUPTED = 130

_START, _TRADE, _LOOK, _GUARD, _SETUP = "Start", "Trade", "Look", "Guard", "Set up"

app = typer.Typer(
    name="mirrorctl",
    help="Keep mirror accounts provably in step with a main Bybit account. Begin with `mirrorctl demo`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mirrorctl {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    profile: ProfileOption = None,
    _show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    context.obj = profile


app.command(rich_help_panel=_START)(demo.demo)
app.command(rich_help_panel=_START)(run.run)
app.add_typer(trade.app, name="trade", rich_help_panel=_TRADE)
app.command(rich_help_panel=_TRADE)(sync.sync)
app.command(rich_help_panel=_LOOK)(portfolio.positions)
app.command(rich_help_panel=_LOOK)(portfolio.orders)
app.command(rich_help_panel=_LOOK)(portfolio.balance)
app.command(rich_help_panel=_LOOK)(status.status)
app.command(rich_help_panel=_GUARD)(hold.pause)
app.command(rich_help_panel=_GUARD)(hold.resume)
app.command(rich_help_panel=_GUARD)(flatten.flatten)
app.add_typer(profile.app, name="profile", rich_help_panel=_SETUP)
app.add_typer(paper.app, name="paper", rich_help_panel=_SETUP)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. No error leaves as a traceback on screen."""
    args = list(sys.argv[1:] if argv is None else argv)
    terminal = Terminal(as_json="--json" in args)
    try:
        code = typer.main.get_command(app).main(args, prog_name="mirrorctl", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except MirrorctlError as error:
        terminal.error(error)
        return error.exit_code
    except typer.TyperException as error:
        return _usage(terminal, error)
    except (typer.Abort, KeyboardInterrupt):
        terminal.tell("interrupted")
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - outermost boundary: the traceback goes to the log, a line to the screen
        return _unexpected(terminal, error)


def _usage(terminal: Terminal, error: typer.TyperException) -> int:
    """What the parser found wrong; help that was printed for want of a command is no error to print again."""
    text = error.format_message().strip()
    if text:
        path = getattr(getattr(error, "ctx", None), "command_path", None) or "mirrorctl"
        terminal.error(UsageError(text, f"`{path} --help` shows how it is used"))
    return UsageError.exit_code


def _unexpected(terminal: Terminal, error: Exception) -> int:
    path = logs.crash(find_home(os.environ).log_root / "mirrorctl.log", error)
    hint = f"its details are in {path}; please report it" if path else "please report it"
    wrapped = MirrorctlError(f"unexpected error: {type(error).__name__}: {_first_line(error)}", hint)
    terminal.error(wrapped)
    return wrapped.exit_code


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else "no details"
