"""A moving line for somebody who waits: after a moment, on stderr, and gone again; nobody else sees anything of it."""

from __future__ import annotations

import io
import os
import pty
import sys
import time
from collections.abc import Iterator

import pytest

from mirrorctl.commands.terminal import Terminal


class Screen:
    """Stderr is a terminal of 80 columns, and this is its other end; stdout is not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._end, theirs = pty.openpty()
        os.set_blocking(self._end, False)
        self._stream = os.fdopen(theirs, "w", buffering=1)
        self._monkeypatch = monkeypatch
        self._seen = ""

    def terminal(self, *, as_json: bool = False, term: str = "xterm") -> Terminal:
        """A terminal that prints here. Called in the test itself: between its phases pytest puts stderr back."""
        self._monkeypatch.setattr(sys, "stderr", self._stream)
        self._monkeypatch.setenv("TERM", term)
        self._monkeypatch.setenv("COLUMNS", "80")
        self._monkeypatch.delenv("NO_COLOR", raising=False)
        return Terminal(as_json=as_json)

    def read(self) -> str:
        """All that was ever printed on it."""
        try:
            while data := os.read(self._end, 65536):
                self._seen += data.decode()
        except BlockingIOError:
            pass
        return self._seen

    def await_text(self, text: str) -> None:
        until = time.monotonic() + 10
        while text not in self.read():
            assert time.monotonic() < until, self._seen
            time.sleep(0.01)

    def close(self) -> None:
        self._stream.close()
        os.close(self._end)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    found = Screen(monkeypatch)
    yield found
    monkeypatch.undo()
    found.close()


def test_what_is_over_at_once_shows_nothing(screen: Screen) -> None:
    with screen.terminal().progress("reading 3 accounts") as show:
        show(1, 2, "half")
    assert screen.read() == ""


def test_what_takes_long_says_what_it_is_and_leaves_no_trace(
    screen: Screen, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = screen.terminal()
    with terminal.progress("reading 3 accounts", 0.0):
        screen.await_text("reading 3 accounts")
        with terminal.progress("an inner one", 0.0):
            terminal.tell("told meanwhile")
            terminal.show("a result")
        screen.await_text("told meanwhile\r\n")
    shown = screen.read()
    assert "an inner one" not in shown
    assert shown.endswith("\x1b[2K"), "the line is erased"
    assert shown.rfind("\x1b[?25h") > shown.rfind("\x1b[?25l"), "the cursor is there"
    assert capsys.readouterr().out == "a result\n"


def test_how_far_it_is(screen: Screen) -> None:
    with screen.terminal().progress("drill", 0.0) as show:
        show(3, 10, "3 schedules")
        screen.await_text("3 schedules")


def test_an_error_ends_it(screen: Screen) -> None:
    with pytest.raises(KeyboardInterrupt), screen.terminal().progress("reading", 0.0):
        screen.await_text("reading")
        raise KeyboardInterrupt
    assert screen.read().endswith("\x1b[2K")


def test_nobody_sees_it_in_a_pipe_with_json_or_beside_a_screen(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    with screen.terminal(as_json=True).progress("reading", 0.0):
        time.sleep(0.1)
    terminal = screen.terminal()
    with terminal.drawn_on(), terminal.progress("reading", 0.0):
        time.sleep(0.1)
    with screen.terminal(term="dumb").progress("reading", 0.0):
        time.sleep(0.1)
    assert screen.read() == ""
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)
    with Terminal().progress("reading", 0.0):
        time.sleep(0.1)
    assert pipe.getvalue() == ""
