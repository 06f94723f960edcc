"""What the parser of the command line found wrong, with a hint that says what was probably meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any

import typer
from typer.core import TyperGroup, TyperOption

from mirrorctl.commands.help_layout import example_of
from mirrorctl.core.domain.errors import UsageError

_UNKNOWN_COMMAND = re.compile(r"No such command '(?P<name>.*)'\.?")
_SIGNED = re.compile(r"-[\d.]")
_NUMBER_WRONG = "Input should be"
_PROGRAM = "mirrorctl"

# What people type who know other programs.
_SAME_THING = {
    "accounts": "balance",
    "buy": "trade open",
    "check": "doctor",
    "config": "profile new",
    "daemon": "run",
    "emergency": "flatten",
    "exit": "trade close",
    "help": "--help",
    "init": "profile new",
    "journal": "history",
    "log": "history",
    "logs": "history",
    "panic": "flatten",
    "sell": "trade close",
    "setup": "profile new",
    "start": "run",
    "unpause": "resume",
    "ui": "dashboard",
    "version": "--version",
    "wallet": "balance",
    "watch": "dashboard",
    "why": "explain",
}

Names = Callable[[], Iterable[str]]


def explained(error: typer.TyperException, words: Sequence[str], everything: Names) -> UsageError | None:
    """The error in our words; None for help that was printed for want of a command.

    `words` is the command line. `everything` lists the commands of the program with those of its groups, as they are
    typed; it is asked only when the parser does not say which command it was, or knows none of that name.
    """
    context = getattr(error, "ctx", None)
    option = getattr(error, "option_name", None) if hasattr(error, "possibilities") else None
    text = str(getattr(error, "message", "")) if option else error.format_message()
    if not text.strip():
        return None
    text = _number_text(error, words) or text
    path = getattr(context, "command_path", None) or _path_of(words, everything)
    unknown = _UNKNOWN_COMMAND.match(text)
    if option and _SIGNED.match(str(option)):
        text, meant = f"found {option}: a number that begins with a minus", "amounts and prices are above 0"
    elif option and context is not None:
        meant = _meant_option(str(option), context, path)
    elif unknown is not None and context is not None:
        meant = _meant_command(unknown["name"], context, everything)
    else:
        meant = _example(context)
    help_of = f"`{path} --help` shows how it is used"
    between = " " if meant.endswith("?") else "; "
    return UsageError(text.strip(), f"{meant}{between}{help_of}" if meant else help_of)


def _number_text(error: typer.TyperException, words: Sequence[str]) -> str:
    """In our words what a whole number must be; "" for an error about something else."""
    option = getattr(error, "param", None)
    if not isinstance(option, TyperOption) or not str(getattr(error, "message", "")).startswith(_NUMBER_WRONG):
        return ""
    name = max(option.opts, key=len)
    found = next((value for value in _values_of(name, words)), "")
    least, most = option.min, option.max
    bounds = (
        f" from {least} to {most}" if None not in (least, most) else f", {least} or more" if least is not None else ""
    )
    return f'{name}: found "{found}"; allowed: a whole number{bounds}'


def _values_of(option: str, words: Sequence[str]) -> Iterator[str]:
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == option:
            yield following
        elif word.startswith(f"{option}="):
            yield word.partition("=")[2]


def _path_of(words: Sequence[str], everything: Names) -> str:
    """The command that a command line begins with."""
    plain = [word for word in words if not word.startswith("-")]
    names = set(everything())
    return next((f"{_PROGRAM} {name}" for name in (" ".join(plain[:2]), *plain[:1]) if name in names), _PROGRAM)


def _meant_option(found: str, context: Any, path: str) -> str:
    own = [name for param in context.command.get_params(context) for name in param.opts if name.startswith("--")]
    close = get_close_matches(found, own, n=1)
    if close:
        return f"did you mean {close[0]}?"
    if isinstance(context.command, TyperGroup):
        return f"options stand behind the command: {path} COMMAND {found}"
    return ""


def _meant_command(found: str, context: Any, everything: Names) -> str:
    """A name nearby, the same word below another command, or what other programs call so."""
    own = list(context.command.list_commands(context))
    close = get_close_matches(found.lower(), own, n=1)
    if close:
        return _asked([f"{context.command_path} {close[0]}"])
    if context.parent is None:
        names = list(everything())
        same = _SAME_THING.get(found.lower(), "")
        if same in names or same.startswith("--"):
            return _asked([f"{_PROGRAM} {same}"])
        below = [name for name in names if name.split()[-1] == found.lower()]
        below = below or [name for name in names if get_close_matches(found.lower(), [name.split()[-1]], cutoff=0.8)]
        return _asked([f"{_PROGRAM} {name}" for name in below])
    elsewhere = [name for name in everything() if name == found.lower()]
    return _asked([f"{_PROGRAM} {name}" for name in elsewhere]) or f"it has: {', '.join(own)}"


def _asked(commands: Sequence[str]) -> str:
    return f"did you mean {' or '.join(f'`{command}`' for command in commands)}?" if commands else ""


def _example(context: Any) -> str:
    example = example_of(context.command.help or "") if context is not None else ""
    return f"for example: {example}" if example else ""
