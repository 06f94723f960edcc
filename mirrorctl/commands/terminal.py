"""The one place that prints. Results go to stdout, everything else to stderr.

With `json` stdout carries exactly one document and nothing else; what people would read on stderr besides errors stays
away. rich honours NO_COLOR, COLUMNS and TERM=dumb.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from decimal import Decimal
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from mirrorctl.commands.times import localised
from mirrorctl.commands.waiting import AFTER_S, Waiting
from mirrorctl.core.domain.errors import MirrorctlError, ProfileError, Rejected

_PIPE_WIDTH = 200


class Terminal:
    """Everything a command says or asks."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.out = _console(stderr=False)
        self._err = _console(stderr=True)
        self._waiting: Waiting | None = None
        self._drawn_on = False

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
            with self._aside():
                for renderable in renderables:
                    self.out.print(renderable, soft_wrap=isinstance(renderable, str | Text))

    def page(self, parts: Iterable[RenderableType]) -> None:
        """Help: on stdout in either mode, as wide as the terminal."""
        for part in parts:
            self.out.print(part)

    def tell(self, text: str, style: str = "") -> None:
        """What happens meanwhile, for people only; on stderr."""
        if not self.as_json:
            with self._aside():
                self._err.print(Text(localised(text), style=style), soft_wrap=True)

    @contextmanager
    def progress(self, text: str, after_s: float = AFTER_S) -> Iterator[Callable[[int, int, str], None]]:
        """A moving line on stderr while a block runs that takes longer than a moment, for somebody who looks.

        Its function takes (done, total, text). The outermost block has the word; a screen that is drawn has it, too.
        """
        looked_at = self._err.is_terminal and not self._err.is_dumb_terminal
        if self.as_json or not looked_at or self._drawn_on or self._waiting is not None:
            yield lambda _done, _total, _text: None
            return
        with Waiting(self._err, text, after_s) as waiting:
            self._waiting = waiting
            try:
                yield waiting.update
            finally:
                self._waiting = None

    @contextmanager
    def drawn_on(self) -> Iterator[None]:
        """Something else is drawn on the terminal while the block runs: no progress is."""
        before, self._drawn_on = self._drawn_on, True
        try:
            yield
        finally:
            self._drawn_on = before

    def _aside(self) -> AbstractContextManager[None]:
        return nullcontext() if self._waiting is None else self._waiting.aside()

    def preview(self, *renderables: RenderableType) -> None:
        """What a question is about; on stderr, beside the question."""
        with self._aside():
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
        self._err.print(Text.assemble(("error: ", "bold red"), localised(error.message)), soft_wrap=True)
        if error.hint:
            self._err.print(Text.assemble(("hint: ", "bold"), error.hint), soft_wrap=True)

    def ask(self, question: str) -> str:
        """One line from the terminal, "" at its end. The question stands on stderr."""
        return self.answer(question) or ""

    def answer(self, question: str) -> str | None:
        """The same, None at the end of input: an answer that was left empty is not the end."""
        self._err.print(Text(f"{question} ", style="bold"), end="", soft_wrap=True)
        try:
            line = sys.stdin.readline()
        except KeyboardInterrupt:
            self._err.print()  # what is told next begins on a line of its own
            raise
        if not line:
            self._err.print()
            return None
        return line.strip()

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
        from mirrorctl.core.domain.instruments import plain

        return plain(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
