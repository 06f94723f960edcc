"""The live dashboard: draws when something changed, each second, and when the terminal does; obeys keys and signals."""

from __future__ import annotations

import errno
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from types import FrameType

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from mirrorctl.commands.dashboard_feed import EVERY_S, Document, Feed, Hold, Read
from mirrorctl.commands.dashboard_frame import View, frame
from mirrorctl.commands.dashboard_keys import Keyboard
from mirrorctl.commands.dashboard_screen import Asked, Do, Screen, footer, pressed

_MESSAGE_S = 6.0
_NO_KEYS = "no keyboard: Ctrl-C leaves"
_LEAVING = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
"""Signals that end the dashboard, with its exit code then: as a shell tells them."""


def show(console: Console, document: Document, read: Read, hold: Hold, every_s: float = EVERY_S) -> int:
    """Show `document`, and what is read every `every_s` after it, until a key or a signal ends it; its exit code.

    A bug in a thread is raised here, once the terminal is as it was. A reading that hangs is not waited for: it changes
    nothing, and the process ends without it.
    """
    feed = Feed(read, hold, every_s)
    try:
        code = _Live(console, document, feed).run()
    except BaseException:
        feed.close()
        raise
    if feed.close():
        os._exit(code)
    return code


class _Live:
    def __init__(self, console: Console, document: Document, feed: Feed) -> None:
        self._console, self._feed = console, feed
        self._document = document
        self._screen, self._said_at = Screen(), 0.0
        self._problem = ""
        self._has_keys = False
        self._signals: list[int] = []
        self._drawn: tuple[tuple[int, int], list[Text]] | None = None

    def run(self) -> int:
        with self._on_signals():
            while True:
                try:
                    code = self._until_left()
                except OSError as error:
                    if error.errno != errno.EIO:
                        raise
                    code = _LEAVING[signal.SIGHUP]  # the terminal is gone, and its signal is on the way
                if code is not None:
                    return code
                self._suspend()

    def _until_left(self) -> int | None:
        """Show until it is left, with an exit code, or put aside by Ctrl-Z (None)."""
        with ExitStack() as stack:
            fd = _terminal_in()
            keys = None if fd is None else stack.enter_context(Keyboard(fd))
            self._has_keys = keys is not None
            live = stack.enter_context(Live(console=self._console, screen=True, auto_refresh=False))
            self._drawn = None
            watched = [self._feed.wake_fd] + ([] if keys is None else [keys.fd])
            while True:
                self._draw(live)
                ready, _, _ = select.select(watched, [], [], 1.0 - time.time() % 1.0)
                self._feed.drain()
                if self._signals:
                    number = self._signals.pop(0)
                    if number == signal.SIGTSTP:
                        return None
                    if number in _LEAVING:
                        return _LEAVING[signal.Signals(number)]
                self._take_in()
                if keys is not None and keys.fd in ready:
                    found = keys.read()
                    if found is None:
                        return _LEAVING[signal.SIGHUP]
                    if any(self._press(key) for key in found):
                        return 0

    def _take_in(self) -> None:
        for arrived in self._feed.arrived():
            if arrived.bug is not None:
                raise arrived.bug
            if arrived.document is not None:
                self._document, self._problem = arrived.document, ""
            elif arrived.answer:
                self._say(arrived.answer)
            else:
                self._problem = arrived.problem

    def _press(self, key: str) -> bool:
        """Obey one key; True when it leaves."""
        self._screen, do = pressed(self._screen, key, self._document)
        self._said_at = time.monotonic()
        if do is Do.RELIST:
            self._feed.relist()
        elif isinstance(do, Asked):
            self._feed.hold(do.do, do.account)
        return do is Do.QUIT

    def _say(self, text: str) -> None:
        self._screen, self._said_at = replace(self._screen, message=text), time.monotonic()

    def _draw(self, live: Live) -> None:
        """Only what is new: a screen that is drawn again for nothing flickers on slow terminals."""
        if self._screen.message and time.monotonic() - self._said_at > _MESSAGE_S:
            self._screen = replace(self._screen, message="")
        size = self._console.size
        lines = frame(self._document, self._view(size.width, size.height))
        if self._drawn != ((size.width, size.height), lines):
            self._drawn = ((size.width, size.height), lines)
            live.update(Group(*lines), refresh=True)

    def _view(self, width: int, height: int) -> View:
        return View(
            width=width,
            height=height,
            now=datetime.now(UTC),
            account=self._screen.account,
            skip=self._screen.skip,
            help=self._screen.help,
            footer=footer(self._screen) if self._has_keys else Text(_NO_KEYS, "dim"),
            problem=self._problem,
            ascii_only=self._console.options.ascii_only,
        )

    @contextmanager
    def _on_signals(self) -> Iterator[None]:
        """Signals are noted, and wake the loop: nothing is cut off in the middle of a drawing."""
        noted = [*_LEAVING, signal.SIGTSTP, signal.SIGWINCH]
        before = {number: signal.signal(number, self._note) for number in noted}
        woken = signal.set_wakeup_fd(self._feed.waker_fd, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(woken)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGWINCH:
            self._signals.append(number)

    def _suspend(self) -> None:
        """Stop as Ctrl-Z does, now that the terminal is the shell's again; go on when it is called back."""
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._note)


def _terminal_in() -> int | None:
    """Where keys come from; None without a terminal."""
    return sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None
