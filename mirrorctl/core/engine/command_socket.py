"""The daemon's end of the local command channel: a Unix socket of mode 0600 that speaks JSON lines.

A command arrives on its connection's thread and is handed to the decision loop as a `CommandRequest`. The loop
carries it out only if `claim()` says so:

    client                      connection thread            decision loop
    request + token  ------->   submit(request)  ------->    request.claim()   takes the token
                     <-------   accepted
                     <-------   progress ...     <-------    request.progress(...)
                     <-------   result or error  <-------    request.reply(...) or request.fail(...)

A client that waited long enough takes the token itself and leaves. Then `claim()` is False, however late it comes:
what a client was told was withdrawn is never carried out. See `command_wire` for the token, `command_connection` for
one client, `command_client` for the caller.

Nothing the loop calls here blocks: answers are queued and written by the connection's thread, at the client's pace.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import stat
import tempfile
import threading
import time
from pathlib import Path

from mirrorctl.core.domain.errors import Refused
from mirrorctl.core.engine.command_connection import CommandRequest, Connection, Submit

__all__ = ["CommandRequest", "CommandServer", "Submit"]

_LONGEST_PATH = 100  # bytes; sun_path holds 104 on some systems, 108 on Linux
_CONNECTIONS = 32
_CLOSE_S = 0.9


class CommandServer:
    """Listens from `start` to `close`. `submit` is called on a connection's thread and must only hand over."""

    def __init__(self, path: Path, submit: Submit) -> None:
        self.path = path
        self._submit = submit
        self._listener: socket.socket | None = None
        self._inode = 0
        self._own_folder: Path | None = None
        self._wake_read, self._wake_write = socket.socketpair()
        self._thread = threading.Thread(target=self._accept, name="commands", daemon=True)
        self._connections: set[Connection] = set()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Opens the socket. The caller holds the profile's lock, so a socket file that stands there is a leftover.

        `path` is where it really is afterwards: in a private temporary folder when the wanted path is too long.
        """
        if len(os.fsencode(self.path)) > _LONGEST_PATH:
            self._own_folder = _private_folder()
            self.path = self._own_folder / "daemon.sock"
        try:
            self._listener = _listen(self.path)
            self._inode = self.path.lstat().st_ino
        except OSError as error:
            raise Refused(
                f"the command socket {self.path} cannot be opened: {error.strerror}",
                "make its folder writable, or set MIRRORCTL_HOME",
            ) from error
        self._thread.start()

    def close(self) -> None:
        """Ends within a second. Answers already given are still sent; what was not claimed never will be."""
        end = time.monotonic() + _CLOSE_S
        self._wake_write.close()
        if self._thread.ident is None:
            self._wake_read.close()
        else:
            self._thread.join(_CLOSE_S)
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.end()
        for connection in connections:
            connection.join(max(0.0, (end - time.monotonic()) / 2))
        for connection in connections:
            connection.cut()
        for connection in connections:
            connection.join(max(0.05, end - time.monotonic()))
        self._remove_file()

    def _accept(self) -> None:
        listener = self._listener
        assert listener is not None
        with listener, self._wake_read:
            while True:
                ready, _, _ = select.select([listener, self._wake_read], [], [])
                if self._wake_read in ready:
                    return
                try:
                    client, _ = listener.accept()
                except OSError:  # the client left again, or no descriptor is free
                    time.sleep(0.05)
                    continue
                self._take_in(client)

    def _take_in(self, client: socket.socket) -> None:
        connection = Connection(client, self._submit, self._left)
        with self._lock:
            full = len(self._connections) >= _CONNECTIONS
            if not full:
                self._connections.add(connection)
        if not full and connection.start():
            return
        self._left(connection)
        connection.turn_away(Refused("the daemon has too many commands waiting", "try again in a moment"))

    def _left(self, connection: Connection) -> None:
        with self._lock:
            self._connections.discard(connection)

    def _remove_file(self) -> None:
        with contextlib.suppress(OSError):
            if self._inode and self.path.lstat().st_ino == self._inode:
                self.path.unlink()
        if self._own_folder is not None:
            with contextlib.suppress(OSError):
                self._own_folder.rmdir()


def _private_folder() -> Path:
    """A new folder of mode 0700 whose paths are short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="mirrorctl-"))
    if len(os.fsencode(folder)) + len("/daemon.sock") <= _LONGEST_PATH:
        return folder
    folder.rmdir()
    return Path(tempfile.mkdtemp(prefix="mirrorctl-", dir="/tmp"))


def _listen(path: Path) -> socket.socket:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(listener.fileno(), 0o600)  # on Linux the file is made with this mode, so it is never open to others
        listener.bind(os.fspath(path))
        path.chmod(0o600)
        listener.listen(_CONNECTIONS)
    except OSError:
        listener.close()
        raise
    return listener
