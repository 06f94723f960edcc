"""Every error says what to do: the source is read for errors that are made without a hint (A74)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent.parent / "mirrorctl"
ROOT_ERROR = "MirrorctlError"
ALLOWED = "allowed"  # a message that says what is allowed says what to do
UNPACKED = "core/engine/command_wire.py"  # where an error that was hinted elsewhere is made again


@cache
def trees() -> dict[str, ast.Module]:
    """The modules that name an error of the project: all of them come from one module."""
    texts = {path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    return {module: ast.parse(text) for module, text in texts.items() if "errors import" in text or ROOT_ERROR in text}


@cache
def classes() -> dict[str, ast.ClassDef]:
    """Every class of these modules by its name."""
    return {node.name: node for tree in trees().values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def bases(name: str) -> Iterator[str]:
    """The class itself, then those it is made from, nearest first."""
    yield name
    for base in classes()[name].bases if name in classes() else ():
        if isinstance(base, ast.Name):
            yield from bases(base.id)


def has_hint_of_its_own(name: str) -> bool:
    """Whether the class gives a hint where none is given."""
    for base in bases(name):
        for node in classes()[base].body if base in classes() else ():
            if isinstance(node, ast.FunctionDef) and node.name == "__init__":
                names, defaults = [arg.arg for arg in node.args.args], node.args.defaults
                given = dict(zip(names[-len(defaults) :], defaults, strict=True)) if defaults else {}
                hint = given.get("hint")
                return hint is not None and not (isinstance(hint, ast.Constant) and not hint.value)
    return False


def made(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """The places where a module makes an error, with its class."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and ROOT_ERROR in bases(node.func.id):
            yield node.func.id, node


def says_what_to_do(name: str, call: ast.Call) -> bool:
    hint = call.args[1] if len(call.args) > 1 else next((k.value for k in call.keywords if k.arg == "hint"), None)
    if hint is None:
        return has_hint_of_its_own(name) or ALLOWED in ast.unparse(call)
    return not (isinstance(hint, ast.Constant) and not hint.value)


@pytest.mark.proves("A74")
def test_no_error_is_made_without_a_word_on_what_to_do() -> None:
    found = {module: list(made(tree)) for module, tree in trees().items() if module != UNPACKED}
    silent = [
        f"{module}:{call.lineno}: {ast.unparse(call)[:100]}"
        for module, calls in found.items()
        for name, call in calls
        if not says_what_to_do(name, call)
    ]
    assert silent == []
    assert sum(map(len, found.values())) > 200, "there is something to look at"
