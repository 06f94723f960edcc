"""Where log records go: the daemon's rotating file and stderr, a command's own lines in the same file, or nowhere."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from logging.handlers import RotatingFileHandler, WatchedFileHandler
from pathlib import Path

from mirrorctl.core.domain.errors import Refused

_FILE_BYTES = 5_000_000
_FILES = 5
_FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s"
_TIME = "%Y-%m-%dT%H:%M:%S"


def of_daemon(path: Path, *, on_screen: bool = True) -> None:
    """Everything from INFO on to a rotating file, and to stderr where somebody may look."""
    _prepare(path)
    rotating = RotatingFileHandler(path, maxBytes=_FILE_BYTES, backupCount=_FILES, encoding="utf-8")
    handlers: list[logging.Handler] = [rotating]
    logging.raiseExceptions = (
        False  # a full disk under the log is told by what else cannot be written, not by tracebacks
    )
    if on_screen:
        handlers.append(logging.StreamHandler(sys.stderr))
    _install(handlers)


def to_file(path: Path) -> None:
    """Append to the profile's log, which a daemon may rotate meanwhile."""
    _prepare(path)
    _install([WatchedFileHandler(path, encoding="utf-8")])


def to_nowhere() -> None:
    """For commands that only look: they leave no trace."""
    _install([logging.NullHandler()])


def crash(path: Path, error: BaseException) -> Path | None:
    """Write an unexpected error with its traceback to the log; returns the file, None when it cannot be written."""
    with contextlib.suppress(Refused):
        to_file(path)
        logging.getLogger("mirrorctl").error("unexpected error", exc_info=error)
        return path
    return None


def _prepare(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
    except OSError as error:
        raise Refused(f"the log {path} cannot be written: {error.strerror}", "make its folder writable") from error


def _install(handlers: list[logging.Handler]) -> None:
    formatter = logging.Formatter(_FORMAT, _TIME)
    formatter.converter = time.gmtime
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        handler.setFormatter(formatter)
        root.addHandler(handler)
    root.setLevel(logging.INFO)
    for noisy in ("urllib3", "aiohttp", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
