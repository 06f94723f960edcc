"""The one place that prints. Results go to stdout, everything else to stderr.

With `json` stdout carries exactly one document and nothing else; what people would read on stderr besides errors stays
away. rich honours NO_COLOR, COLUMNS and TERM=dumb.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from mirrorctl.core.domain.errors import MirrorctlError, ProfileError, Rejected
from mirrorctl.core.domain.instruments import plain

_PIPE_WIDTH = 200


class Terminal:
    """Everything a command says or asks."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.out = _console(stderr=False)
        self._err = _console(stderr=True)

    @property
    def can_ask(self) -> bool:
        """Whether somebody sits there who can answer."""
        return sys.stdin is not None and sys.stdin.isatty()

    def result(self, document: Mapping[str, Any], *renderables: RenderableType) -> None:
        """The result of a command: the document with `--json`, what is for people otherwise."""
        if self.as_json:
            self._document(document)
        else:
            self.show(*renderables)

    def show(self, *renderables: RenderableType) -> None:
        """Part of the result, for people only."""
        if not self.as_json:
            for renderable in renderables:
                self.out.print(renderable, soft_wrap=isinstance(renderable, str | Text))

    def tell(self, text: str, style: str = "") -> None:
        """What happens meanwhile, for people only; on stderr."""
        if not self.as_json:
            self._err.print(Text(text, style=style), soft_wrap=True)

    @contextmanager
    def progress(self, text: str) -> Iterator[Callable[[int, int, str], None]]:
        """A bar on stderr while a block runs, for somebody who looks; its function takes (done, total, text)."""
        if self.as_json or not self._err.is_terminal:
            yield lambda _done, _total, _text: None
            return
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=self._err, transient=True) as bar:
            task = bar.add_task(text, total=None)
            yield lambda done, total, now: bar.update(task, completed=done, total=total, description=now)

    def preview(self, *renderables: RenderableType) -> None:
        """What a question is about; on stderr, beside the question."""
        for renderable in renderables:
            self._err.print(renderable)

    def announce(self, text: str) -> None:
        """A line on stderr in either mode: other programs wait for it."""
        self._err.print(Text(text), soft_wrap=True)

    def error(self, error: MirrorctlError) -> None:
        """An error: with `--json` the document, else message and hint on stderr."""
        if self.as_json:
            self._document({"error": error_document(error)})
            return
        self._err.print(Text.assemble(("error: ", "bold red"), error.message), soft_wrap=True)
        if error.hint:
            self._err.print(Text.assemble(("hint: ", "bold"), error.hint), soft_wrap=True)

    def ask(self, question: str) -> str:
        """One line from the terminal, "" at its end. The question stands on stderr."""
        self._err.print(Text(f"{question} ", style="bold"), end="", soft_wrap=True)
        return sys.stdin.readline().strip()

    def _document(self, document: Mapping[str, Any]) -> None:
        sys.stdout.write(json.dumps(document, default=_encoded, ensure_ascii=False, indent=2) + "\n")
        sys.stdout.flush()


def error_document(error: MirrorctlError) -> dict[str, Any]:
    """The contract's form of an error; a profile's problems, and Bybit's retCode, beside it."""
    document: dict[str, Any] = {
        "kind": error.kind,
        "message": error.message,
        "hint": error.hint,
        "exit_code": error.exit_code,
    }
    if isinstance(error, ProfileError) and error.problems:
        document["problems"] = list(error.problems)
    if isinstance(error, Rejected) and error.code:
        document["code"] = error.code
    return document


def progress_lines(terminal: Terminal, line: Callable[[dict[str, Any]], str]) -> Callable[[dict[str, Any]], None]:
    """A listener that tells each progress event as a line; "" tells nothing."""

    def listen(event: dict[str, Any]) -> None:
        text = line(event)
        if text:
            terminal.tell(text)

    return listen


def _console(*, stderr: bool) -> Console:
    """Where nobody looks (a pipe, a file) lines are as long as they need to be, unless COLUMNS says otherwise."""
    stream = sys.stderr if stderr else sys.stdout
    piped = stream is None or not stream.isatty()
    asked = os.environ.get("COLUMNS", "")
    width = None
    if not asked.isdigit() or not int(asked):  # no number of columns: rich would take 0 for one and print nothing
        width = _PIPE_WIDTH if piped else shutil.get_terminal_size().columns if asked == "0" else None
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=width)


def _encoded(value: object) -> str:
    if isinstance(value, Decimal):
        return plain(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
