"""Whether anybody looks after the accounts (`status --max-age`), and telling it on Telegram when nobody does.

A daemon that is gone cannot tell that it is gone, and a hung one holds the store: so the process that looks (cron)
sends that alert itself. What it told is in a file beside the store, so each outage is told once, and again only when it
gets worse.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from pathlib import Path
from typing import Any

from mirrorctl.commands.session import Session
from mirrorctl.core.domain.errors import MirrorctlError, Refused, UsageError
from mirrorctl.core.domain.values import Severity
from mirrorctl.core.engine.records import Alert

_FILE = "stale.json"
_LARGEST = 4096
_TIMEOUT_S = 10.0


class Depth(IntEnum):
    """How bad it is; a deeper one is told although a lesser one was."""

    UNSEEN = 1
    SILENT = 2
    GONE = 3


@dataclass(frozen=True, slots=True)
class Stale:
    """What was observed, in words."""

    depth: Depth
    text: str


def find(document: Mapping[str, Any], age_s: Decimal, now: datetime) -> Stale | None:
    """What of a `status` document is older than `age_s`: a daemon that is gone or silent, or accounts in use that it
    neither heard nor read. None when all is well."""
    daemon = document["daemon"]
    if not daemon["running"]:
        return Stale(Depth.GONE, "the daemon does not run: main is not followed, stops are not looked after")
    if not daemon.get("answering"):
        return Stale(Depth.SILENT, f"the daemon (process {daemon['pid']} since {daemon['since']}) does not answer")
    unseen = []
    for account in document["accounts"]:
        if account["state"] == "disabled":
            continue
        seen = [text for text in (account["last_event_at"], account["last_read_at"]) if text]
        if not seen:
            unseen.append(f"{account['account']} since the daemon began")
        elif Decimal((now - datetime.fromisoformat(max(seen))).total_seconds()) > age_s:
            unseen.append(f"{account['account']} since {max(seen)}")
    return Stale(Depth.UNSEEN, f"the daemon runs, and has not seen: {', '.join(unseen)}") if unseen else None


def check_configured(session: Session) -> None:
    """Raise UsageError where an alert could reach nobody: a watchman who cannot call is none."""
    if not session.profile.telegram.enabled:
        raise UsageError(
            f"--alert: telegram.enabled is false in {session.profile.path}",
            "set it with its chat_id, try it with `mirrorctl telegram test`, or leave --alert out",
        )


def tell(session: Session, found: Stale | None) -> bool:
    """Tell an outage that was not told, and forget one that is over. Whether it was told now.

    What goes wrong is a warning on stderr: the next call tries again.
    """
    try:
        with _memory(session.home.state_dir(session.profile.name) / _FILE) as memory:
            if memory is None:  # another call is about it
                return False
            if found is None:
                memory.write(None)
                return False
            if found.depth <= memory.told():
                if found.depth is Depth.UNSEEN:
                    memory.write(found)  # the daemon is back: should it go again, that is news
                return False
            told = _send(session, found)
            if told:
                memory.write(found)
            return told
    except MirrorctlError as error:
        session.terminal.announce(f"warning: telegram: {error.message}; tried again with the next call")
        session.terminal.announce(f"hint: {error.hint}")
        return False


def _send(session: Session, found: Stale) -> bool:
    """Send it; False where the profile wants no alerts of this type. Raises TelegramError."""
    from mirrorctl.bootstrap.telegram import bot_of, chat_of, choice_of
    from mirrorctl.telegram_notify.messages import Words, parts

    profile = session.profile
    alert = Alert("", int(time.time() * 1000), Severity.CRITICAL, "daemon-stale", "", "", found.text)
    if not choice_of(profile).wants(alert):
        return False
    bot = bot_of(profile, timeout_s=_TIMEOUT_S)
    try:
        for part in parts(Words(profile.name).one(alert)):
            bot.send(chat_of(profile), part)
    finally:
        bot.close()
    return True


class _Memory:
    """What was told of the outage that lasts, in an open and locked file."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def told(self) -> int:
        """The depth that was told; 0 for nothing, also where the file makes no sense."""
        try:
            depth = json.loads(os.pread(self._fd, _LARGEST, 0))["depth"]
        except (ValueError, TypeError, KeyError):
            return 0
        return depth if isinstance(depth, int) else 0

    def write(self, found: Stale | None) -> None:
        record = b"" if found is None else json.dumps({"depth": found.depth, "text": found.text}).encode()
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, record, 0)


@contextlib.contextmanager
def _memory(path: Path) -> Iterator[_Memory | None]:
    """None while another process has it. Raises Refused where the file cannot be used."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}", "make its folder writable") from error
    try:
        yield _Memory(fd) if _is_locked(fd) else None
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}", "make room on its disk") from error
    finally:
        os.close(fd)


def _is_locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
