"""The documentation says what the code does: reference pages are generated, every command and key is in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from mirrorctl.commands.root import app
from mirrorctl.core.domain.alert_types import AlertType
from tools.reference import MEANINGS, PAGES, keys, meaning

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("name", PAGES)
def test_a_reference_page_is_what_the_code_says(name: str) -> None:
    written = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), "run `make docs`"


def test_every_meaning_belongs_to_a_key() -> None:
    used = {meaning(path) for path, _, _ in keys()}
    assert {text for text in MEANINGS.values() if text not in used} == set()


def commands() -> list[str]:
    group = typer.main.get_command(app)
    found = []
    for name, command in group.commands.items():  # type: ignore[attr-defined]  # click's Group, made by typer
        inner = getattr(command, "commands", {})
        found += [f"{name} {sub}" for sub in inner] or [name]
    return found


def test_every_command_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.split("## Commands")[1].split("## What is not built")[0]
    rows = [row for row in table.splitlines() if row.startswith("| `")]
    words = [set(re.findall(r"[a-z-]+", row.split("|")[1] + row.replace("\\|", " "))) for row in rows]
    for command in commands():
        assert any(set(command.split()) <= row for row in words), command


def test_every_link_of_the_documentation_leads_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_type_of_alert_is_on_the_page_about_telegram() -> None:
    page = (ROOT / "docs" / "telegram.md").read_text(encoding="utf-8")
    assert {word.value for word in AlertType if f"`{word}`" not in page} == set()
