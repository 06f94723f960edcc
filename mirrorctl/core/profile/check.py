"""Checks a TOML tree against the schema and reports every problem, not just the first.

`check_tree` walks schema and tree together. What is wrong becomes a `Problem` and is left out of the clean tree, so
the clean tree always converts to the schema's types and later rules can look at the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from msgspec import Struct
from msgspec.inspect import (
    BoolType,
    DictType,
    Field,
    ListType,
    LiteralType,
    Metadata,
    NoneType,
    StructType,
    Type,
    UnionType,
    type_info,
)

from mirrorctl.core.profile.kinds import Kind, kind_of

Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a profile: the key's path, then what was found and what is allowed, in words."""

    path: str
    text: str

    @property
    def line(self) -> str:
        return f"{self.path}: {self.text}"


Report = Callable[[Problem], None]


_INDEX = re.compile(r"\[\d+\]")
_USER_INFO = re.compile(r"//[^/\s]*@")  # a name and a password inside an address


class _Wrong:
    """Stands for a value that was reported and is left out."""


_WRONG = _Wrong()


def check_tree(schema: type[Struct], tree: Tree, report: Report) -> Tree:
    """The part of `tree` that fits `schema`, with values read; everything else goes to `report`."""
    info = type_info(schema)
    assert isinstance(info, StructType)
    clean: Tree = _check_table(info, tree, "", report)
    return clean


def shown(found: object) -> str:
    """A found value as a person would write it in TOML, cut to one line."""
    match found:
        case bool():
            text = "true" if found else "false"
        case str():
            text = f'"{_printable(_USER_INFO.sub("//***@", found))}"'
        case Decimal():
            text = str(found)
        case list():
            text = "[" + ", ".join(shown(item) for item in found) + "]"
        case dict():
            text = "a table"
        case _:
            text = str(found)
    return text if len(text) <= 60 else text[:57] + "..."


def join(path: str, key: str) -> str:
    """A key below `path`, quoted where a bare TOML key could not hold it."""
    bare = key.replace("-", "").replace("_", "").isalnum() and key.isascii()
    name = key if bare else f'"{_printable(key[:40])}"'
    return f"{path}.{name}" if path else name


def _printable(text: str) -> str:
    """On one line, whatever a TOML string may hold."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)


def _check(kind: Type, found: object, path: str, report: Report) -> Any:
    match kind:
        case UnionType(types=types):
            (only,) = (member for member in types if not isinstance(member, NoneType))
            return _check(only, found, path, report)
        case Metadata(extra=extra):
            leaf = kind_of(extra)
            assert leaf is not None, path
            return _check_leaf(leaf, found, path, report)
        case LiteralType(values=values):
            allowed = " | ".join(shown(value) for value in values)
            return found if found in values else _wrong(path, found, allowed, report)
        case BoolType():
            return found if isinstance(found, bool) else _wrong(path, found, "true | false", report)
        case ListType(item_type=item):
            return _check_list(item, found, path, report)
        case DictType(key_type=key_type, value_type=value_type):
            return _check_dict(key_type, value_type, found, path, report)
        case StructType():
            return _check_table(kind, found, path, report)
        case _:
            raise AssertionError(f"{path}: the schema holds a type without a rule: {kind}")


def _check_leaf(leaf: Kind, found: object, path: str, report: Report) -> Any:
    try:
        return leaf.read(found)
    except ValueError:
        return _wrong(path, found, leaf.allowed, report, secret=leaf.secret)


def _check_list(item: Type, found: object, path: str, report: Report) -> Any:
    if not isinstance(found, list):
        headed = (
            f"tables, each headed [[{_INDEX.sub('', path)}]]"
            if isinstance(item, StructType)
            else "a list in brackets: [ … ]"
        )
        return _wrong(path, found, headed, report)
    checked = [_check(item, value, f"{path}[{index}]", report) for index, value in enumerate(found)]
    if isinstance(item, StructType):
        return [{} if value is _WRONG else value for value in checked]  # later rules count by position
    return [value for value in checked if value is not _WRONG]


def _check_dict(key_type: Type, value_type: Type, found: object, path: str, report: Report) -> Any:
    if not isinstance(found, dict):
        return _wrong(path, found, f"a table, headed [{_INDEX.sub('', path)}]", report)
    clean: Tree = {}
    for key, value in found.items():
        below = join(path, key)
        if _check(key_type, key, below, report) is not _WRONG:
            checked = _check(value_type, value, below, report)
            if checked is not _WRONG:
                clean[key] = checked
    return clean


def _check_table(kind: StructType, found: object, path: str, report: Report) -> Any:
    if not isinstance(found, dict):
        return _wrong(path, found, f"a table: {{ {kind.fields[0].name} = … }}", report)
    fields = {field.name: field for field in kind.fields}
    clean: Tree = {}
    for key, value in found.items():
        if key not in fields:
            report(Problem(join(path, key), _unknown_key(key, list(fields))))
            continue
        checked = _check(fields[key].type, value, join(path, key), report)
        if checked is not _WRONG:
            clean[key] = checked
    for field in kind.fields:
        leaf = _required(field)
        if leaf is not None and field.name not in found:
            report(Problem(join(path, field.name), f"missing; allowed: {leaf.allowed}"))
    return clean


def _required(field: Field) -> Kind | None:
    leaf = kind_of(field.type.extra) if isinstance(field.type, Metadata) else None
    return leaf if leaf is not None and leaf.required else None


def _unknown_key(key: str, known: list[str]) -> str:
    close = get_close_matches(key, known, n=1, cutoff=0.6)
    hint = f'did you mean "{close[0]}"?' if close else "known here: " + ", ".join(known)
    return f"found a key that does not exist; {hint}"


def _wrong(path: str, found: object, allowed: str, report: Report, *, secret: bool = False) -> _Wrong:
    seen = "a value that is not shown here" if secret else shown(found)
    report(Problem(path, f"found {seen}; allowed: {allowed}"))
    return _WRONG
