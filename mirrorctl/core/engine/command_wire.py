"""What both ends of the command socket agree on: JSON lines, bounds, errors as data, and the token.

The token is one byte in a pipe. The client writes it and sends the pipe's read end along with its request; both ends
can then try to take it, and the kernel gives it to exactly one. The daemon takes it at the moment it carries the
command out; the client takes it to withdraw the command. No clock and no message decides, so it stays true when either
process is stopped and continued at any point.
"""

from __future__ import annotations

import contextlib
import json
import os
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any

from mirrorctl.core.domain import errors
from mirrorctl.core.domain.errors import MirrorctlError, ProfileError, Rejected, Unavailable

VERSION = 1
LARGEST_REQUEST = 64 * 1024
LARGEST_REPLY = 32 * 1024 * 1024

Message = dict[str, Any]


def encode(message: Message) -> bytes:
    """One line. Decimals become strings without an exponent (the contract's JSON)."""
    return json.dumps(message, default=_plain, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Message | None:
    """The object in a line; None when it holds none."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def make_token() -> int:
    """A new token: the descriptor to take it from. Closed by who made it."""
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    os.write(write_end, b"1")
    os.close(write_end)
    return read_end


def take_token(fd: int) -> bool:
    """Whether this call got the token; of all calls in all processes at most one does. Never blocks."""
    try:
        return os.read(fd, 1) == b"1"
    except BlockingIOError:
        return False


def close_quietly(fds: list[int]) -> None:
    """Closes descriptors that came with a message."""
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)


def error_to_data(error: MirrorctlError) -> Message:
    """An error as the contract's JSON shows it, with what its class adds."""
    data: Message = {
        "kind": error.kind,
        "message": error.message,
        "hint": error.hint,
        "exit_code": error.exit_code,
    }
    match error:
        case Rejected(code=code):
            data["code"] = code
        case Unavailable(retry_after_s=seconds):
            data["retry_after_s"] = seconds
        case ProfileError(problems=problems):
            data["problems"] = list(problems)
        case _:
            pass
    return data


def error_from_data(data: object) -> MirrorctlError:
    """The error of its kind again. A kind that this version does not know keeps message and exit code."""
    if not isinstance(data, dict):
        return MirrorctlError("the daemon answered with an error that says nothing", "see its log")
    message, hint = str(data.get("message", "")), str(data.get("hint", ""))
    kind = _KINDS.get(str(data.get("kind", "")))
    if kind is Rejected:
        return Rejected(message, hint, code=int(data.get("code", 0)))
    if kind is Unavailable:
        return Unavailable(message, hint, retry_after_s=data.get("retry_after_s"))
    if kind is ProfileError:
        return ProfileError(message, hint, problems=tuple(map(str, data.get("problems", ()))))
    error = (kind or MirrorctlError)(message, hint)
    if kind is None and isinstance(data.get("exit_code"), int):
        error.exit_code = data["exit_code"]
    return error


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Enum | PurePath):
        return str(value.value) if isinstance(value, Enum) else str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


_KINDS: dict[str, type[MirrorctlError]] = {
    kind.kind: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, MirrorctlError) and kind is not MirrorctlError
}
