"""The source itself: what no review should have to look for. Each exception to a rule stands in one list here."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "mirrorctl"
MOST_LINES = 400

# Where a result is written for people: everything else returns values or logs.
PRINTING = {"commands/terminal.py"}

# Seconds of time-outs and clocks, never a price or a quantity.
FLOATS: dict[str, int] = {}

# Thread boundaries and outermost loops: what is raised there would die unseen, or end a thread that others wait for.
BOUNDARIES = {
    "cli.py": 1,
    "commands/dashboard_feed.py": 1,
    "commands/stage.py": 1,
    "core/bybit/connection.py": 2,
    "core/bybit/reader.py": 2,
    "core/bybit/supervisor.py": 1,
    "core/bybit/writer.py": 2,
    "core/engine/command_connection.py": 1,
    "core/engine/loop.py": 1,
    "core/paper/server.py": 1,
    "telegram_notify/inbound.py": 1,
    "telegram_notify/sender.py": 1,
}

ADJECTIVES = re.compile(
    r"(^|_)(new|newer|old|better|best|improved|enhanced|advanced|simple|basic|common|shared|general|generic|misc|"
    r"various|other|extra|final|fixed|fast|smart|clean|temp|tmp|util|utils|utility|helper|helpers|stuff|legacy|v\d+)(_|$)"
)
MACHINE_PATH = re.compile(r"(?<![\w.])/(home|root|work|Users|tmp/\w+)/")


def modules() -> list[str]:
    return sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


@cache
def tree(module: str) -> ast.Module:
    return ast.parse((PACKAGE / module).read_text(encoding="utf-8"))


def calls(module: str, name: str) -> int:
    """How often a module calls the builtin of that name."""
    nodes = (node.func for node in ast.walk(tree(module)) if isinstance(node, ast.Call))
    return sum(isinstance(func, ast.Name) and func.id == name for func in nodes)


def blanket_excepts(module: str) -> Iterator[ast.ExceptHandler]:
    """Handlers that catch everything and let nothing on. One that ends in `raise` only tidies up."""
    for node in ast.walk(tree(module)):
        if not isinstance(node, ast.ExceptHandler) or _raises_on(node):
            continue
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        if any(kind is None or (isinstance(kind, ast.Name) and kind.id in _BLANKET) for kind in caught):
            yield node


_BLANKET = ("Exception", "BaseException")


def _raises_on(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_there_is_a_package_to_look_at() -> None:
    assert len(modules()) > 50


def test_only_the_terminal_prints() -> None:
    assert {module for module in modules() if calls(module, "print")} <= PRINTING


def test_no_price_or_quantity_becomes_a_float() -> None:
    assert {module: calls(module, "float") for module in modules() if calls(module, "float")} == FLOATS


def test_everything_is_caught_only_at_a_boundary() -> None:
    found = {module: len(list(blanket_excepts(module))) for module in modules()}
    assert {module: count for module, count in found.items() if count} == BOUNDARIES


@pytest.mark.parametrize("folder", ["mirrorctl", "tests"])
def test_files_are_named_by_what_they_hold(folder: str) -> None:
    names = {path.relative_to(ROOT).as_posix(): path.stem for path in (ROOT / folder).rglob("*.py")}
    assert [path for path, stem in names.items() if ADJECTIVES.search(stem)] == []


def test_a_module_fits_one_reading() -> None:
    lines = {module: len((PACKAGE / module).read_text(encoding="utf-8").splitlines()) for module in modules()}
    assert {module: count for module, count in lines.items() if count > MOST_LINES} == {}


def test_every_module_says_what_it_is_for() -> None:
    assert [module for module in modules() if _has_code(module) and not ast.get_docstring(tree(module))] == []


def _has_code(module: str) -> bool:
    return bool(tree(module).body)


def test_every_test_file_says_what_it_proves() -> None:
    files = [path for path in (ROOT / "tests").rglob("*.py") if path.read_text(encoding="utf-8").strip()]
    assert [path.name for path in files if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))] == []


def test_no_path_of_a_machine_is_written_down() -> None:
    kinds = {".py", ".toml", ".md", ".cfg", ".yml", ".yaml"}
    files = [path for folder in ("mirrorctl", "profiles", "docs") for path in (ROOT / folder).rglob("*")]
    files += [path for path in ROOT.iterdir() if path.suffix in kinds or path.name == "Makefile"]
    written = {
        path.relative_to(ROOT).as_posix(): found.group()
        for path in files
        if path.suffix in kinds or path.name == "Makefile"
        for found in MACHINE_PATH.finditer(path.read_text(encoding="utf-8"))
    }
    assert written == {}


UNCHECKED = re.compile(
    r"verify\s*=\s*False|CERT_NONE|check_hostname\s*=\s*False|_unverified_context|disable_warnings|\bsslopt\b"
)
UNGUARDED = re.compile(
    r"\brequests\.(get|post|put|delete|head|request)\(|\burllib\.request\b|(?<!\.)\burlopen\("
    r"|\bhttp\.client\b(?! import HTTPException, HTTPResponse\n)"  # those only read what came over a connection
)


def test_no_module_loosens_a_connection() -> None:
    """Certificates are always checked, and no address of the environment stands between (SECURITY.md)."""
    texts = {module: (PACKAGE / module).read_text(encoding="utf-8") for module in modules()}
    assert [module for module, text in texts.items() if UNCHECKED.search(text) or UNGUARDED.search(text)] == []
    sessions = {module for module, text in texts.items() if re.search(r"requests\.Session\(|\(HTTP\)", text)}
    assert sessions >= {"core/bybit/session.py", "commands/paper.py"}
    assert [module for module in sessions if "trust_env = False" not in texts[module]] == []


@pytest.mark.parametrize("name", ["better_view.py", "utils.py", "new_codec.py", "order_helpers.py", "rest_v2.py"])
def test_the_rule_about_names_finds_what_it_is_for(name: str) -> None:
    assert ADJECTIVES.search(Path(name).stem)


@pytest.mark.parametrize(
    ("code", "blanket"),
    [
        ("try: x()\nexcept Exception: pass", 1),
        ("try: x()\nexcept (ValueError, BaseException): pass", 1),
        ("try: x()\nexcept:\n  pass", 1),
        ("try: x()\nexcept Exception:\n  undo()\n  raise", 0),
        ("try: x()\nexcept ValueError: pass", 0),
    ],
)
def test_the_rule_about_catching_finds_what_it_is_for(code: str, blanket: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "tree", lambda _module: ast.parse(code))
    assert len(list(blanket_excepts("any.py"))) == blanket
