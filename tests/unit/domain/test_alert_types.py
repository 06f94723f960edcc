"""The page of alerts names every type and kind, and every kind that the engine tells is on it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from mirrorctl.core.domain.alert_types import AlertType, type_of

ROOT = Path(__file__).parents[3]


def page() -> dict[str, list[str]]:
    """The kinds of every type, as docs/alerts.md lists them."""
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", (ROOT / "docs/alerts.md").read_text(), re.MULTILINE)
    return {name: re.findall(r"`([\w-]+)`", kinds) for name, kinds in rows}


def test_the_page_names_every_type_and_the_kinds_it_is_made_of() -> None:
    assert set(page()) == set(AlertType)
    assert {kind: type_of(kind).value for kinds in page().values() for kind in kinds} == {
        kind: name for name, kinds in page().items() for kind in kinds
    }


def test_every_kind_that_the_engine_tells_is_on_the_page() -> None:
    told = set()
    for module in (ROOT / "mirrorctl/core/engine").glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and "tell" in node.func.attr:
                told |= {arg.value for arg in node.args[2:3] if isinstance(arg, ast.Constant)}
    assert len(told) > 15
    assert told <= {kind for kinds in page().values() for kind in kinds}


def test_a_kind_of_an_older_store_is_of_type_other() -> None:
    assert {type_of(kind) for kind in ("fill", "held", "something of long ago")} == {AlertType.OTHER}
