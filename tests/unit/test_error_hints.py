"""Every error says what to do: the source is read for errors that are made without a hint (A74)."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from functools import cache

import pytest

from mirrorctl.core.domain.errors import MirrorctlError
from tests.unit.test_source import modules, tree

ALLOWED = "allowed"  # a message that says what is allowed says what to do
PACKED = {"core/engine/command_wire.py"}  # where an error that was hinted elsewhere is unpacked


@cache
def errors() -> dict[str, type[MirrorctlError]]:
    """Every error class of the project by its name."""
    for module in modules():
        if any(isinstance(node, ast.ClassDef) for node in tree(module).body):
            importlib.import_module("mirrorctl." + module.removesuffix(".py").replace("/", "."))

    def below(kind: type[MirrorctlError]) -> Iterator[type[MirrorctlError]]:
        for each in kind.__subclasses__():
            yield each
            yield from below(each)

    found: list[type[MirrorctlError]] = [MirrorctlError, *below(MirrorctlError)]
    return {kind.__name__: kind for kind in found}


def made(module: str) -> Iterator[ast.Call]:
    """The places where a module makes an error."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in errors():
            yield node


def says_what_to_do(call: ast.Call) -> bool:
    hint = call.args[1] if len(call.args) > 1 else next((k.value for k in call.keywords if k.arg == "hint"), None)
    if hint is not None:
        return not (isinstance(hint, ast.Constant) and not hint.value)
    assert isinstance(call.func, ast.Name)
    return bool(errors()[call.func.id]("what").hint) or ALLOWED in ast.unparse(call)


@pytest.mark.proves("A74")
def test_no_error_is_made_without_a_word_on_what_to_do() -> None:
    silent = [
        f"{module}:{call.lineno}: {ast.unparse(call)[:100]}"
        for module in modules()
        if module not in PACKED
        for call in made(module)
        if not says_what_to_do(call)
    ]
    assert silent == []
    assert sum(len(list(made(module))) for module in modules()) > 100, "there is something to look at"
