"""Commands and groups whose `--help` is laid out by `help_layout`, which is loaded when help is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


class CommandPage(TyperCommand):
    """A command whose help is laid out here."""

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - typer's signature
        """Print the page; typer prints what the formatter holds, which is nothing."""
        from mirrorctl.commands import help_layout

        help_layout.show(help_layout.command_page(self, ctx))


class GroupPage(TyperGroup):
    """A group of commands whose help is laid out here."""

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - typer's signature
        """Print the page; typer prints what the formatter holds, which is nothing."""
        from mirrorctl.commands import help_layout

        help_layout.show(help_layout.group_page(self, ctx))


class Commands(typer.Typer):
    """A Typer application whose commands and groups have such pages."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"cls": GroupPage, "add_completion": False, "suggest_commands": False, **settings})

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Any], Any]:
        """As Typer's."""
        return super().command(name, **{"cls": CommandPage, **settings})
