"""A block of code with a beginning and an end, for what is entered many times in each decision.

A generator with `contextlib.contextmanager` makes five calls and three objects of it; this makes three calls.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType


class Block(AbstractContextManager[None]):
    """`begin()` and, whatever happens, `end(undone)`: whether an exception ended it, which goes on. May be nested."""

    __slots__ = ("_begin", "_end")

    def __init__(self, begin: Callable[[], None], end: Callable[[bool], None]) -> None:
        self._begin = begin
        self._end = end

    def __enter__(self) -> None:
        self._begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(kind is not None)
