"""The root of the command line, and the one map from errors to exit codes.

A command's module is imported when the command is called, not before: `--help` and `--version` load neither the
exchange client nor the paper exchange, nor anything else that takes time.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from io import TextIOWrapper
from typing import Annotated, Any

import typer

from mirrorctl import __version__
from mirrorctl.commands.help_pages import Commands, GroupPage
from mirrorctl.commands.options import ProfileOption
from mirrorctl.core.domain.errors import MirrorctlError, UsageError

_LEFT_EARLY = 128 + signal.SIGPIPE  # who read the output closed it, as `head` does; a shell says 141 of others, too
_COMPLETION = {"--install-completion", "--show-completion"}
_START, _TRADE, _LOOK, _GUARD, _SETUP = "Start", "Trade", "Look", "Guard", "Set up"


_HELP = """Keep mirror accounts provably in step with a main Bybit account.

Examples:
  mirrorctl demo
  mirrorctl profile new
  mirrorctl run
  mirrorctl status
"""


class Interrupted(MirrorctlError):
    """Ctrl-C."""

    kind = "interrupted"
    exit_code = 130


@dataclass(frozen=True, slots=True)
class Entry:
    """One command of the root: where it is, under which heading `--help` lists it, and in which words.

    `attribute` is a function, or the Typer application of a group.
    """

    name: str
    module: str
    panel: str
    help: str
    attribute: str = ""

    def load(self) -> Any:
        """The command itself."""
        found = getattr(import_module(f"mirrorctl.commands.{self.module}"), self.attribute or self.name)
        if isinstance(found, typer.Typer):
            command = typer.main.get_command(found)
        else:
            single = Commands()
            single.command(self.name)(found)
            command = typer.main.get_command(single)
        command.name = self.name
        return command


ENTRIES = (
    Entry("demo", "demo", _START, "See it work: a trade on main and two mirrors that follow, on paper."),
    Entry("run", "run", _START, "The daemon: follow main until SIGTERM or Ctrl-C."),
    Entry("drill", "drill", _START, "Play faults against your own policy, on paper, and keep score."),
    Entry("trade", "trade", _TRADE, "Open and change trades on main; the mirrors follow.", "app"),
    Entry("sync", "sync", _TRADE, "Print what would bring every mirror in step, and do it."),
    Entry("dashboard", "dashboard", _LOOK, "Every account, position and trouble on one live screen."),
    Entry("positions", "portfolio", _LOOK, "What every account holds, and what it should hold."),
    Entry("orders", "portfolio", _LOOK, "Open orders of every account, and what each is for."),
    Entry("balance", "portfolio", _LOOK, "Equity and margin of every account."),
    Entry("status", "status", _LOOK, "Whether the daemon runs and every mirror is in step."),
    Entry("monitors", "monitors", _LOOK, "What is watched: every position, its phase, stop and targets.", "app"),
    Entry("history", "history", _LOOK, "What was sent and why, and how positions ended."),
    Entry("explain", "explain", _LOOK, "Why an order was sent, and how a mirror's size came about."),
    Entry("stats", "stats", _LOOK, "What trading brought on every account, and how well the mirrors copied."),
    Entry("report", "report", _LOOK, "All of it as one page: equity, drawdown, trades, and how the mirrors followed."),
    Entry("audit", "audit", _LOOK, "What is wrong on any account: stops, targets, orders, drift."),
    Entry("doctor", "doctor", _LOOK, "What is wrong with the accounts and the machine, and what the mirrors can copy."),
    Entry("pause", "hold", _GUARD, "Hold back entries; stops and reductions go on."),
    Entry("resume", "hold", _GUARD, "End pauses and halts, and clear parked symbols."),
    Entry("flatten", "flatten", _GUARD, "Cancel our orders and close our positions, at once."),
    Entry("profile", "profile", _SETUP, "Profiles: which accounts, where, and by what rules.", "app"),
    Entry("telegram", "telegram", _SETUP, "Alerts on Telegram: send a test message.", "app"),
    Entry("paper", "paper", _SETUP, "The paper exchange: serve it, set prices, break things.", "app"),
)


class Root(GroupPage):
    """Puts the real command in the place of its entry when it is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Load what is called, then resolve as usual."""
        for entry in ENTRIES:
            if args and args[0] == entry.name:
                self.commands[entry.name] = entry.load()
        return super().resolve_command(ctx, args)


app = Commands(
    name="mirrorctl",
    cls=Root,
    help=_HELP,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mirrorctl {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    profile: ProfileOption = None,
    _show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    context.obj = profile


def _entry() -> None:
    raise AssertionError("an entry stands for a command that is loaded before it runs")


for _each in ENTRIES:
    app.command(_each.name, help=_each.help, rich_help_panel=_each.panel)(_entry)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. No error leaves as a traceback on screen."""
    for stream in (sys.stdout, sys.stderr):  # a terminal that lacks a character must not end a command half way
        if isinstance(stream, TextIOWrapper) and stream.encoding.lower() != "utf-8":
            stream.reconfigure(errors="replace")
    os.umask(0o077)  # logs, stores and what lies between are for their owner alone
    args = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in args
    try:
        code = typer.main.get_command(app).main(args, prog_name="mirrorctl", standalone_mode=False)
        if code and _COMPLETION & set(args):
            hint = "run it inside bash, zsh, fish or PowerShell"
            return _fail(as_json, UsageError("your shell was not recognised", hint))
        if code == Interrupted.exit_code:
            return _fail(as_json, Interrupted("interrupted", "`mirrorctl status` shows what stands"))
        return code if isinstance(code, int) else 0
    except MirrorctlError as error:
        return _fail(as_json, error)
    except typer.TyperException as error:
        return _usage(as_json, error, args)
    except SystemExit as told:  # a command that said itself how it was interrupted, or that a shell was answered
        if isinstance(told.__context__, BrokenPipeError):
            return _LEFT_EARLY
        return told.code if isinstance(told.code, int) else 1
    except (typer.Abort, KeyboardInterrupt):
        return _fail(as_json, Interrupted("interrupted", "`mirrorctl status` shows what stands"))
    except Exception as error:  # noqa: BLE001 - outermost boundary: the traceback goes to the log, a line to the screen
        return _unexpected(as_json, error)


def _fail(as_json: bool, error: MirrorctlError) -> int:
    from mirrorctl.commands.terminal import Terminal

    with suppress(OSError):  # nobody reads any more, or the disk is full: the exit code still tells
        Terminal(as_json=as_json).error(error)
    return error.exit_code


def _usage(as_json: bool, error: typer.TyperException, words: Sequence[str]) -> int:
    """What the parser found wrong; help that was printed for want of a command is no error to print again."""
    from mirrorctl.commands.usage_hints import explained

    found = explained(error, words, _every_command)
    return UsageError.exit_code if found is None else _fail(as_json, found)


def _every_command() -> Iterator[str]:
    """Every command as it is typed, those of the groups after their group."""
    for entry in ENTRIES:
        yield entry.name
        yield from (f"{entry.name} {name}" for name in getattr(entry.load(), "commands", ()))


def _unexpected(as_json: bool, error: Exception) -> int:
    from mirrorctl.commands import logs
    from mirrorctl.core.profile.catalogue import find_home

    path = logs.crash(find_home(os.environ).log_root / "mirrorctl.log", error)
    hint = f"its details are in {path}; please report it" if path else "please report it"
    lines = str(error).strip().splitlines() or ["no details"]
    return _fail(as_json, MirrorctlError(f"unexpected error: {type(error).__name__}: {lines[0][:300]}", hint))
