"""What a command loads: counts of modules, which are the same on every machine where seconds are not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CLIENTS = ("pybit", "websocket", "aiohttp", "requests")
HEAVY = (*CLIENTS, "sqlite3", "msgspec", "pydantic", "mirrorctl.core.engine", "mirrorctl.core.bybit")
ERRORS = {"mirrorctl.core.domain", "mirrorctl.core.domain.errors"}
_SCRIPT = """
import io, sys
before = set(sys.modules)
from mirrorctl.cli import main
sys.stdout, told = io.StringIO(), sys.stdout
main(sys.argv[1:])
told.write("\\n".join(set(sys.modules) - before))
"""


def loaded(home: Path, *arguments: str) -> set[str]:
    """The modules that a command loads beyond those of an interpreter that does nothing."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *arguments],
        env={"MIRRORCTL_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_the_version_is_printed_by_next_to_nothing(tmp_path: Path) -> None:
    found = loaded(tmp_path, "--version")
    own = {name for name in found if name.startswith("mirrorctl")}
    assert own == {
        "mirrorctl",
        "mirrorctl.cli",
        "mirrorctl.core",
        "mirrorctl.core.domain",
        "mirrorctl.core.domain.errors",
    }
    assert len(found - own) <= 2, sorted(found - own)


def test_help_loads_the_parser_and_the_layout_and_no_command(tmp_path: Path) -> None:
    found = loaded(tmp_path, "--help")
    assert found.isdisjoint(HEAVY)
    assert len(found) <= 205, len(found)
    assert {name for name in found if name.startswith("mirrorctl.core.")} <= ERRORS


@pytest.mark.parametrize(
    ("line", "unused"),
    [
        ("run --help", (*CLIENTS, "sqlite3", "mirrorctl.core.engine.engine", "mirrorctl.core.paper")),
        ("demo --help", (*CLIENTS, "sqlite3", "mirrorctl.core.engine.engine", "mirrorctl.core.paper")),
        ("trade open --help", (*CLIENTS, "sqlite3", "mirrorctl.core.engine.engine", "mirrorctl.core.paper")),
        ("profile list", (*CLIENTS, "sqlite3", "mirrorctl.core.engine.engine", "mirrorctl.core.paper")),
        ("profile check", (*CLIENTS, "sqlite3", "mirrorctl.core.engine.engine", "mirrorctl.core.paper")),
        ("history", (*CLIENTS, "mirrorctl.core.engine.engine", "mirrorctl.core.bybit", "mirrorctl.core.paper")),
        ("pause", (*CLIENTS, "mirrorctl.core.engine.engine", "mirrorctl.core.bybit", "mirrorctl.core.paper")),
        ("status", ("pybit", "websocket", "aiohttp")),
        ("positions", ("pybit", "websocket", "aiohttp", "sqlite3", "mirrorctl.core.engine.engine")),
    ],
)
def test_a_command_loads_no_more_than_it_uses(line: str, unused: tuple[str, ...], tmp_path: Path) -> None:
    found = loaded(tmp_path, *line.split())
    assert found.isdisjoint(unused), sorted(found & set(unused))
