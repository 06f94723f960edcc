"""A command's end of the local command channel: send it to the daemon, or withdraw it for good.

What the caller learns is exact: a `Locked` or `Refused` from here means that the daemon has not carried the command
out and never will; a `PartlyDone` means that it took the command and its result did not arrive.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mirrorctl.core.domain.errors import Locked, PartlyDone, Refused
from mirrorctl.core.engine.command_wire import (
    LARGEST_REPLY,
    LARGEST_REQUEST,
    VERSION,
    Message,
    decode,
    encode,
    error_from_data,
    make_token,
    take_token,
)

_PAUSE_S = 0.05
_CHUNK = 65_536


def call(
    path: Path,
    name: str,
    args: dict[str, Any],
    *,
    timeout_s: float = 5.0,
    on_progress: Callable[[Message], None] | None = None,
    result_timeout_s: float = 120.0,
) -> Message:
    """Has the daemon at the socket `path` carry out a command; its result.

    `timeout_s` is for the daemon to take the command up, `result_timeout_s` for each line after that. Raises the
    daemon's own error by its kind; Locked when it did not take the command up in time (withdrawn, A49); Refused when
    it is gone or turned it away; PartlyDone when it took the command and went silent or away.
    """
    request = encode({"version": VERSION, "name": name, "args": args})
    if len(request) > LARGEST_REQUEST:
        raise Refused("the command is too large for the daemon", "ask for less at once")
    deadline = time.monotonic() + timeout_s
    token = make_token()
    try:
        with _connect(path, deadline, timeout_s) as sock:
            with contextlib.suppress(OSError):  # it may turn us away before it reads: its answer says why
                _send(sock, request, token)
            return _Conversation(sock, token, deadline, timeout_s, result_timeout_s).result(on_progress)
    finally:
        take_token(token)  # left early, by Ctrl-C too: withdrawn if it was not taken up
        os.close(token)


class _Conversation:
    """What follows the request, line by line."""

    def __init__(
        self, sock: socket.socket, token: int, deadline: float, timeout_s: float, result_timeout_s: float
    ) -> None:
        self._socket = sock
        self._token = token
        self._deadline = deadline
        self._timeout_s = timeout_s
        self._result_timeout_s = result_timeout_s
        self._accepted = False
        self._buffer = b""

    def result(self, on_progress: Callable[[Message], None] | None) -> Message:
        while True:
            message = self._next()
            if "error" in message:
                raise error_from_data(message["error"])
            if isinstance(message.get("result"), dict):
                found: Message = message["result"]
                return found
            if message.get("accepted") is True:
                self._accepted = True
            elif isinstance(message.get("progress"), dict) and on_progress is not None:
                on_progress(message["progress"])

    def _next(self) -> Message:
        while True:
            until = time.monotonic() + self._result_timeout_s if self._accepted else self._deadline
            try:
                line = self._line(until)
            except TimeoutError:
                self._on_silence()
                continue
            except OSError:
                line = None
            message = None if line is None else decode(line)
            if message is None:
                self._on_gone()
            else:
                return message

    def _on_silence(self) -> None:
        if self._accepted:
            raise PartlyDone(
                f"the daemon{self._pid()} took the command and sent no result within {self._result_timeout_s:g} s",
                "the outcome is unknown: look at `mirrorctl status` and `mirrorctl orders` before trying again",
            )
        if take_token(self._token):
            raise Locked(
                f"the daemon{self._pid()} did not answer within {self._timeout_s:g} s; "
                "the command is withdrawn and will not be carried out",
                "look at `mirrorctl status` and the daemon's log; it may be stopped or overloaded",
            )
        self._accepted = True  # it took the command up at this very moment

    def _on_gone(self) -> None:
        if take_token(self._token):
            raise Refused(
                f"the daemon{self._pid()} went away before it took the command up; nothing was done",
                "try again; without a daemon the command does the work itself",
            )
        raise PartlyDone(
            f"the daemon{self._pid()} took the command up and went away before it gave a result",
            "the outcome is unknown: look at `mirrorctl status` and `mirrorctl orders` before trying again",
        )

    def _line(self, until: float) -> bytes | None:
        """The next line; None when the daemon closed its end. TimeoutError when nothing is there after `until`."""
        while b"\n" not in self._buffer:
            self._socket.settimeout(max(0.0, until - time.monotonic()))
            try:
                data = self._socket.recv(_CHUNK)
            except BlockingIOError as error:
                raise TimeoutError from error
            if not data or len(self._buffer) > LARGEST_REPLY:
                return None
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _pid(self) -> str:
        """Who listens, where the kernel says so."""
        option = getattr(socket, "SO_PEERCRED", None)
        if option is None:
            return ""
        try:
            pid, _, _ = struct.unpack("3i", self._socket.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i")))
        except OSError:
            return ""
        return f" (process {pid})" if pid else ""


def _connect(path: Path, deadline: float, timeout_s: float) -> socket.socket:
    """Tries until the deadline: a daemon that is starting has its lock before it has its socket."""
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(max(0.001, deadline - time.monotonic()))
            sock.connect(os.fspath(path))
        except (FileNotFoundError, ConnectionRefusedError, BlockingIOError, TimeoutError) as error:
            sock.close()
            if time.monotonic() + _PAUSE_S >= deadline:
                raise Locked(
                    f"the daemon does not take commands at {path}: no answer within {timeout_s:g} s",
                    "it may be starting, stopping or stopped: look at `mirrorctl status`",
                ) from error
            time.sleep(_PAUSE_S)
        except OSError as error:
            sock.close()
            raise Refused(
                f"the daemon's socket {path} cannot be used: {error.strerror or error}",
                "run the command as the user the daemon runs as",
            ) from error
        else:
            return sock


def _send(sock: socket.socket, request: bytes, token: int) -> None:
    sent = socket.send_fds(sock, [request], [token])
    sock.sendall(request[sent:])
