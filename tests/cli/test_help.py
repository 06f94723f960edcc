"""Help: every command has one, it costs little, and it says the same as the command itself."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import mirrorctl
from mirrorctl.cli import main
from mirrorctl.commands.root import ENTRIES, Entry

GROUPS = {
    "trade": ("open", "close", "reduce", "stop", "breakeven", "target", "cancel"),
    "monitors": ("list", "show", "add", "remove"),
    "profile": ("list", "show", "check", "use", "new", "import-env"),
    "telegram": ("test",),
    "paper": ("serve", "price", "deposit", "reset", "fault"),
}
COMMANDS = [(entry.name,) for entry in ENTRIES] + [(group, name) for group, names in GROUPS.items() for name in names]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"mirrorctl {' '.join(command)}" in text
    assert "<bool>" not in text
    assert f"Examples\n  mirrorctl {' '.join(command)}" in text
    if command[0] not in GROUPS or len(command) == 2:
        assert "--json" in text
        assert "--profile" in text


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_the_list_of_commands_says_what_the_command_says(entry: Entry) -> None:
    assert entry.load().help.startswith(entry.help)


def test_a_terminal_that_lacks_a_character_still_gets_the_rest() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mirrorctl", "--help"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("Usage: mirrorctl COMMAND ?")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"mirrorctl {mirrorctl.__version__}\n"
