"""One client of the command socket, on a thread of its own: its request in, the decision loop's words out."""

from __future__ import annotations

import contextlib
import os
import queue
import select
import socket
import stat
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

from mirrorctl.core.domain.errors import MirrorctlError, Refused
from mirrorctl.core.engine.command_wire import (
    LARGEST_REQUEST,
    VERSION,
    Message,
    close_quietly,
    decode,
    encode,
    error_to_data,
    take_token,
)

_REQUEST_S = 5.0  # for a whole request to arrive
_SEND_S = 5.0  # for a client to take a line
_LOOK_S = 0.5  # how often an idle connection is looked at for a client that left
_MOST_PROGRESS = 1000  # lines kept for a client that does not read them
_CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


class CommandRequest:
    """One command of a client. The decision loop's side; no method blocks, and all of them may be called late."""

    def __init__(
        self, name: str, args: dict[str, Any], emit: Callable[[Message], None], take: Callable[[], bool]
    ) -> None:
        """`emit` queues a message for the client; `take` takes the token."""
        self.name = name
        self.args = args
        self.confirmed = False
        self._emit = emit
        self._take = take

    def claim(self) -> bool:
        """Call right before carrying the command out. False: the client withdrew it or left; drop it, do nothing."""
        if not self.confirmed and self._take():
            self.confirmed = True
            self._emit({"accepted": True})
        return self.confirmed

    def progress(self, data: Message) -> None:
        """A line the client shows while the command runs."""
        self._emit({"progress": data})

    def reply(self, result: Message) -> None:
        """The result; the last word. A command that changes nothing may be answered without `claim`."""
        self._emit({"result": result})

    def fail(self, error: MirrorctlError) -> None:
        """The error the client raises; the last word. A refusal that changed nothing needs no `claim`."""
        self._emit({"error": error_to_data(error)})


Submit = Callable[[CommandRequest], None]


class Connection:
    """From accept to close. `left` is called once, when the thread ends."""

    def __init__(self, sock: socket.socket, submit: Submit, left: Callable[[Connection], None]) -> None:
        self._socket = sock
        self._submit = submit
        self._left = left
        self._outbox: queue.SimpleQueue[tuple[bytes, bool] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()  # token and socket: open together, closed together
        self._token: int | None = None
        self._closed = False
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="command", daemon=True)

    def start(self) -> bool:
        """False when this system has no thread left to give."""
        try:
            self._thread.start()
        except RuntimeError:
            return False
        return True

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def end(self) -> None:
        """After what is queued, stop. Nothing is claimed from here on."""
        self._ending = True
        self._drop_token()
        self._outbox.put(None)

    def cut(self) -> None:
        """Stop now: a thread that waits for its client is woken."""
        with self._lock:
            if not self._closed:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def turn_away(self, error: MirrorctlError) -> None:
        """Answers without reading, on the caller's thread."""
        with self._socket, contextlib.suppress(OSError):
            self._socket.settimeout(0)
            self._socket.send(encode({"error": error_to_data(error)}))

    def _run(self) -> None:
        try:
            self._serve()
        except MirrorctlError as error:
            self._emit({"error": error_to_data(error)})
            self._outbox.put(None)
            with contextlib.suppress(OSError):
                self._pump()
        except OSError:
            pass  # the client left
        finally:
            self._drop_token()
            with self._lock:
                self._closed = True
                self._socket.close()
            self._left(self)

    def _serve(self) -> None:
        if not _same_user(self._socket):
            raise Refused("the daemon belongs to another user", "run the command as that user")
        token, line = self._receive()
        message = decode(line)
        name, args = (message or {}).get("name"), (message or {}).get("args")
        if message is None or message.get("version") != VERSION:
            raise Refused("the daemon does not understand the command", "restart it: it may be another mirrorctl")
        if not token or not isinstance(name, str) or not isinstance(args, dict):
            raise Refused("the daemon got a command that is not complete", "update mirrorctl and restart the daemon")
        if self._hung_up():
            return
        try:
            self._submit(CommandRequest(name, args, self._emit, self._take))
        except Exception as error:  # thread boundary
            raise Refused("the daemon is stopping", "try again when it has stopped") from error
        self._pump()

    def _receive(self) -> tuple[bool, bytes]:
        """The request's line, and whether a token came with it."""
        fds: list[int] = []
        try:
            line = _read_request(self._socket, fds)
        except BaseException:
            close_quietly(fds)
            raise
        token = _only_pipe(fds)
        with self._lock:
            self._token = token
        if self._ending:
            self._drop_token()
        return token is not None, line

    def _take(self) -> bool:
        with self._lock:
            if self._token is None or self._hung_up():
                return False
            return take_token(self._token)

    def _emit(self, message: Message) -> None:
        if self._closed or ("progress" in message and self._outbox.qsize() > _MOST_PROGRESS):
            return
        try:
            line = encode(message)
        except TypeError as error:  # the loop goes on: an answer that cannot be written is the client's to report
            failure = MirrorctlError(
                f"the daemon's answer cannot be written: {error}", "it may have been done; report it"
            )
            message = {"error": error_to_data(failure)}
            line = encode(message)
        self._outbox.put((line, "result" in message or "error" in message))

    def _pump(self) -> None:
        """Writes what the loop says until the last word, the server's end, or the client's."""
        self._socket.settimeout(_SEND_S)
        while True:
            try:
                item = self._outbox.get(timeout=_LOOK_S)
            except queue.Empty:
                if self._hung_up():
                    return
                continue
            if item is None:
                return
            line, last = item
            self._socket.sendall(line)
            if last:
                return

    def _hung_up(self) -> bool:
        """Whether the client closed its end; it never closes only half of it."""
        looker = select.poll()
        looker.register(self._socket, select.POLLIN)
        return any(event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in looker.poll(0))

    def _drop_token(self) -> None:
        with self._lock:
            if self._token is not None:
                os.close(self._token)
                self._token = None


def _same_user(sock: socket.socket) -> bool:
    """By the kernel's word where it gives one; else the socket file's mode stands alone."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i")))
    return bool(uid == os.geteuid())


def _read_request(sock: socket.socket, fds: list[int]) -> bytes:
    """The first line. The descriptors that came with it are added to `fds`, also when this raises."""
    end = time.monotonic() + _REQUEST_S
    line = b""
    while b"\n" not in line:
        sock.settimeout(max(0.001, end - time.monotonic()))
        data, more, _, _ = socket.recv_fds(sock, LARGEST_REQUEST, 4, _CLOEXEC)
        fds += more
        line += data
        if len(line) > LARGEST_REQUEST:
            raise Refused(f"a command larger than {LARGEST_REQUEST} bytes", "ask for less at once")
        if not data:
            raise ConnectionError("the client left before it had asked")
    return line.partition(b"\n")[0]


def _only_pipe(fds: list[int]) -> int | None:
    """The one descriptor of a request, when it is a pipe; anything else is closed. It never blocks a reader."""
    if len(fds) == 1 and stat.S_ISFIFO(os.fstat(fds[0]).st_mode):
        os.set_blocking(fds[0], False)
        os.set_inheritable(fds[0], False)
        return fds[0]
    close_quietly(fds)
    return None
