"""Keys of the dashboard: single presses off the terminal, and the terminal as it was on every way out."""

from __future__ import annotations

import os
import re
import termios
import tty
from contextlib import suppress
from types import TracebackType
from typing import Any

_PRESS = re.compile(rb"\x1b\[[0-9;]*[A-Za-z~]|\x1bO[A-Z]|[\x00-\x7f]|[\x80-\xff]+")
_NAMED = {
    b"\t": "tab",
    b"\x1b[Z": "shift-tab",
    b"\x1b": "escape",
    b"\r": "enter",
    b"\n": "enter",
    b"\x1b[A": "up",
    b"\x1bOA": "up",
    b"\x1b[B": "down",
    b"\x1bOB": "down",
    b"\x1b[5~": "page up",
    b"\x1b[6~": "page down",
}
_CHUNK = 1024


def decode(data: bytes) -> list[str]:
    """What was pressed, in order: a character as itself, other keys by name, "" for what has none."""
    return [_name(press) for press in _PRESS.findall(data)]


def _name(press: bytes) -> str:
    if press in _NAMED:
        return _NAMED[press]
    return press.decode() if len(press) == 1 and 0x20 < press[0] < 0x7F else ""


class Keyboard:
    """A terminal whose presses come one by one and are not echoed, while it is entered. Ctrl-C stays a signal."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._before: list[Any] | None = None

    def __enter__(self) -> Keyboard:
        self._before = termios.tcgetattr(self.fd)
        tty.setcbreak(self.fd, termios.TCSADRAIN)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            with suppress(termios.error):  # the terminal itself is gone
                termios.tcsetattr(self.fd, termios.TCSAFLUSH, self._before)

    def read(self) -> list[str] | None:
        """What was pressed since; None when the terminal is gone."""
        try:
            data = os.read(self.fd, _CHUNK)
        except OSError:
            return None
        return decode(data) if data else None
