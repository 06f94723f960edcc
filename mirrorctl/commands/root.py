"""The root of the command line: every command under its heading, loaded when it is called and not before.

`--help` and `--version` load neither the exchange client nor the paper exchange, nor anything else that takes time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import typer

from mirrorctl import __version__
from mirrorctl.commands.help_pages import Commands, GroupPage
from mirrorctl.commands.options import ProfileOption

_START, _TRADE, _LOOK, _GUARD, _SETUP = "Start", "Trade", "Look", "Guard", "Set up"


_HELP = """Keep mirror accounts provably in step with a main Bybit account.

Examples:
  mirrorctl demo
  mirrorctl profile new
  mirrorctl run
  mirrorctl status
"""


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


def every_command() -> Iterator[str]:
    """Every command as it is typed, those of the groups after their group."""
    for entry in ENTRIES:
        yield entry.name
        yield from (f"{entry.name} {name}" for name in getattr(entry.load(), "commands", ()))
