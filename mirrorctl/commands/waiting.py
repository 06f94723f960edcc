"""What is shown while something takes long: a line on stderr that moves. It comes after a moment, and goes again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock, Timer
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

AFTER_S = 0.7


class Waiting:
    """A context manager around what takes long. Whatever else is printed meanwhile is printed `aside`."""

    def __init__(self, console: Console, text: str, after_s: float = AFTER_S) -> None:
        self._console = console
        self._text, self._done, self._total = text, 0, 0
        self._lock = RLock()
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._over = False
        self._timer = Timer(after_s, self._appear)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            self._over = True
            if self._bar is not None:
                self._bar.stop()

    def update(self, done: int, total: int, text: str) -> None:
        """How far it is: `done` of `total`, and what is going on."""
        with self._lock:
            self._done, self._total, self._text = done, total, text
            if self._bar is not None and self._task is not None:
                self._bar.update(self._task, completed=done, total=total, description=text)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """The line is away while the block prints."""
        with self._lock:
            if self._bar is not None:
                self._bar.stop()
            try:
                yield
            finally:
                if self._bar is not None and not self._over:
                    self._show(self._bar)

    def _appear(self) -> None:
        """It has taken long enough to be worth a word; what draws it is loaded only now."""
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        with self._lock:
            if self._over:
                return
            share = (BarColumn(),) if self._total else ()
            columns = (SpinnerColumn("line"), *share, TextColumn("{task.description}"), TimeElapsedColumn())
            bar = Progress(
                *columns, console=self._console, transient=True, redirect_stdout=False, redirect_stderr=False
            )
            self._task = bar.add_task(self._text, completed=self._done, total=self._total or None)
            self._bar = bar
            self._show(bar)

    def _show(self, bar: Progress) -> None:
        """The cursor stays: a process that is killed meanwhile could not bring it back."""
        bar.start()
        self._console.show_cursor(True)
