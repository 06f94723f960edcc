"""What `--help` prints: usage, a few sentences, examples that can be copied, then options under headings.

A command's page comes from its docstring. Paragraphs flow at the width of the terminal; one that begins with
"Example:" or "Examples:" holds one command a line. An option stands under its `rich_help_panel`, and those that every
command takes come last.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

_EVERYWHERE = {"as_json", "profile", "help"}
_OPTIONS, _LAST = "Options", "Every command"
_WIDEST = 30  # of the left column; what is longer gets a line of its own
_HEADING = "bold"
_EXAMPLE = re.compile(r"Examples?:\s*")
_PROGRAM = "mirrorctl"

Row = tuple[str, str]


def command_page(command: TyperCommand, context: Any) -> Iterator[RenderableType]:
    """The parts of a command's page, top down."""
    params = list(command.get_params(context))
    arguments = [param for param in params if isinstance(param, TyperArgument) and not param.hidden]
    options = [param for param in params if isinstance(param, TyperOption) and not param.hidden]
    usage = " ".join([context.command_path, *(["[OPTIONS]"] if options else []), *map(_usage_of, arguments)])
    yield _usage(usage)
    yield from _prose(command.help or "")
    sections = {"Arguments": [(_name_of(argument), _meaning(argument)) for argument in arguments if argument.help]}
    for option in sorted(options, key=_place):
        sections.setdefault(_panel(option), []).append((_flags(option), _meaning(option)))
    yield from _sections(sections)
    if command.epilog:
        yield Text("")
        yield Text.from_markup(inspect.cleandoc(command.epilog))


def group_page(group: TyperGroup, context: Any) -> Iterator[RenderableType]:
    """The parts of a group's page, top down."""
    command_word = "[COMMAND …]" if group.invoke_without_command else "COMMAND …"
    yield _usage(f"{context.command_path} {command_word}")
    yield from _prose(group.help or "")
    sections: dict[str, list[Row]] = {}
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and not command.hidden:
            panel = getattr(command, "rich_help_panel", None) or "Commands"
            sections.setdefault(panel, []).append((name, _first_paragraph(command.help or "")))
    yield from _sections(sections)
    options = [option for option in group.get_params(context) if isinstance(option, TyperOption) and not option.hidden]
    if len(options) > 1:  # --help alone needs no heading
        yield from _sections({_OPTIONS: [(_flags(option), _meaning(option)) for option in options]})
    yield Text("")
    yield Text(f"`{context.command_path} COMMAND --help` tells more, with examples.")


def example_of(help_text: str) -> str:
    """The first example of a command's help; "" where it has none."""
    return next((example for paragraph in _paragraphs(help_text) for example in _examples(paragraph)), "")


def _panel(option: TyperOption) -> str:
    return _LAST if option.name in _EVERYWHERE else option.rich_help_panel or _OPTIONS


def _place(option: TyperOption) -> int:
    """Named panels first, then what has none, then what every command takes."""
    return {_OPTIONS: 1, _LAST: 2}.get(_panel(option), 0)


def show(parts: Iterable[RenderableType]) -> None:
    """Print a page."""
    from mirrorctl.commands.terminal import Terminal

    Terminal().page(parts)


def _usage(text: str) -> Text:
    return Text.assemble(("Usage: ", _HEADING), text)


def _prose(help_text: str) -> Iterator[RenderableType]:
    examples: list[str] = []
    for paragraph in _paragraphs(help_text):
        found = _examples(paragraph)
        if found:
            examples += found
        else:
            yield Text("")
            yield Text(" ".join(paragraph.split()))
    if examples:
        yield Text("")
        yield Text("Examples", style=_HEADING)
        yield from (Padding(Text(example, overflow="fold"), (0, 0, 0, 2)) for example in examples)


def _paragraphs(help_text: str) -> list[str]:
    return [paragraph for paragraph in inspect.cleandoc(help_text).split("\n\n") if paragraph.strip()]


def _examples(paragraph: str) -> list[str]:
    """The commands of a paragraph of examples; one that goes on in the next line is joined. Empty: it is prose."""
    head = _EXAMPLE.match(paragraph)
    if head is None:
        return []
    found: list[str] = []
    for line in paragraph[head.end() :].splitlines():
        text = line.strip()
        if text.startswith(_PROGRAM) or not found:
            found.append(text)
        elif text:
            found[-1] += f" {text}"
    return [text for text in found if text]


def _first_paragraph(help_text: str) -> str:
    return " ".join((_paragraphs(help_text) or [""])[0].split())


def _sections(sections: dict[str, list[Row]]) -> Iterator[RenderableType]:
    lefts = [left for rows in sections.values() for left, _ in rows]
    width = max((len(left) for left in lefts if len(left) <= _WIDEST), default=0)
    for title, rows in sections.items():
        if rows:
            yield Text("")
            yield Text(title, style=_HEADING)
            yield Padding(_table(rows, width), (0, 0, 0, 2))


def _table(rows: list[Row], width: int) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=width, no_wrap=True)
    table.add_column(overflow="fold")
    for left, right in rows:
        if len(left) > width:
            table.add_row(Text(left[:width], style="cyan"), Text(left[width:]))
        table.add_row(Text(left, style="cyan"), Text(right))
    return table


def _usage_of(argument: TyperArgument) -> str:
    name = _name_of(argument)
    if not argument.required and not name.startswith("["):
        name = f"[{name}]"
    return name if argument.nargs == 1 or name.endswith("...") else f"{name}..."


def _name_of(argument: TyperArgument) -> str:
    return argument.metavar or (argument.name or "").upper()


def _flags(option: TyperOption) -> str:
    names = ", ".join(sorted([*option.opts, *option.secondary_opts], key=len, reverse=True))
    return names if option.is_flag else f"{names} {option.metavar or (option.name or '').upper()}"


def _meaning(param: TyperOption | TyperArgument) -> str:
    text = " ".join((param.help or "").split())
    default = param.default
    is_flag = isinstance(param, TyperOption) and param.is_flag
    if is_flag or param.show_default is False or default in (None, "", ()) or callable(default):
        return text
    return f"{text} Default: {default}." if "Default:" not in text else text
