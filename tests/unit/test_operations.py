"""The commands of docs/operations.md exist and take the options shown: nobody watches a cron job fail."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from mirrorctl.commands.root import app

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
_END = re.compile(r"[;|&<>()`\"]|\s#|\s\d>|$")  # where the shell, or the sentence, goes on


def command_lines() -> list[str]:
    """Everything behind `mirrorctl` in blocks of code and in backticks."""
    blocks = [line for line in PAGE.splitlines() if line.startswith("    ")]
    inline = [text for line in PAGE.splitlines() if not line.startswith("    ") for text in re.findall("`[^`]+`", line)]
    found = []
    for text in [*blocks, *inline]:
        for start in re.finditer(r"(?<![\w@/.])(?:\S*/)?mirrorctl(?= [a-z-])", text):
            rest = text[start.end() :]
            end = _END.search(rest)
            found.append(rest[: end.start() if end else None].strip())
    return sorted(set(found))


def parse(line: str) -> str:
    """Parse as the program would, down to the last option, and run nothing. Returns the command's full name."""
    args = [part.replace("%i", "live") for part in shlex.split(line)]
    group: Any = typer.main.get_command(app)
    context = group.make_context("mirrorctl", args)
    while left := [*context._protected_args, *context.args]:
        name, command, rest = group.resolve_command(context, left)
        group, context = command, command.make_context(name, rest, parent=context)
    return str(context.command_path)


def test_there_are_commands_to_look_at() -> None:
    names = {line.split()[0] for line in command_lines()}
    assert names >= {"run", "audit", "status", "sync", "monitors", "profile", "pause", "flatten", "history"}


@pytest.mark.parametrize("line", command_lines())
def test_a_command_of_the_page_parses(line: str) -> None:
    assert parse(line)


@pytest.mark.parametrize("line", ["audits", "audit --mend", "status --max-age", "profile check a b c"])
def test_the_check_finds_what_it_is_for(line: str) -> None:
    with pytest.raises(typer.TyperException):
        parse(line)
