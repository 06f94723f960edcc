"""Locks that keep one writer for each profile and for each account UID (rule 12, A49).

A lock is `flock` on a file that is never deleted: the kernel releases it when its holder dies, however it dies, and a
file that stays cannot be replaced under a waiting process. What is written in the file only says who holds it; the
lock itself decides.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
import weakref
from pathlib import Path
from types import TracebackType

import msgspec

from mirrorctl.core.domain.errors import Locked

_LARGEST_RECORD = 4096
_ATTEMPTS = 5
_PAUSE_S = 0.02


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a lock. `since` is ISO-8601 UTC; `socket` is where commands are taken, None when nowhere (yet).

    `version` is the holder's mirrorctl, "" for one that does not say it.
    """

    pid: int
    profile: str
    command: str
    since: str
    socket: str | None = None
    version: str = ""


class Lock:
    """A held lock. `release`, leaving the `with` block, or the end of the process gives it up."""

    def __init__(self, path: Path, fd: int, holder: Holder) -> None:
        self.path = path
        self._fd: int | None = fd
        self._pid = os.getpid()
        self.publish(holder)
        _held.add(self)

    def publish(self, holder: Holder) -> None:
        """Writes who holds it, over what was written before. Nothing happens after `release`."""
        if self._fd is None:
            return
        record = msgspec.json.encode(holder) + b"\n"
        # One write, then the cut: a reader that takes the first line sees the old record or the new one.
        os.pwrite(self._fd, record, 0)
        os.ftruncate(self._fd, len(record))

    def release(self) -> None:
        """Gives the lock up; twice is once."""
        if self._fd is None:
            return
        fd, self._fd = self._fd, None
        _held.discard(self)
        with contextlib.suppress(OSError):
            os.pwrite(fd, b"\n", 0)  # not empty: the next record finds its room on a full disk
            os.ftruncate(fd, 1)
        fcntl.flock(fd, fcntl.LOCK_UN)  # also where a child got a copy of the descriptor without our knowing
        os.close(fd)

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.release()

    def forget_in_child(self) -> None:
        """Closes a forked child's copy: else the lock would outlive its holder for as long as the child runs."""
        if self._fd is not None and os.getpid() != self._pid:
            fd, self._fd = self._fd, None
            os.close(fd)


class LockDirectory:
    """The locks of one home. Every process that may write opens the same files."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def lock_profile(self, name: str, holder: Holder) -> Lock:
        """Takes the lock of a profile. Locked names who holds it."""
        return _acquire(self._profile_path(name), holder, f'the profile "{name}"')

    def lock_account(self, uid: int, holder: Holder) -> Lock:
        """Takes the lock of an account, whatever profile it is in. Locked names who holds it."""
        return _acquire(self._account_path(uid), holder, f"the account with UID {uid}")

    def profile_holder(self, name: str) -> Holder | None:
        """Who holds a profile now; None when nobody does."""
        return read_holder(self._profile_path(name))

    def account_holder(self, uid: int) -> Holder | None:
        """Who holds an account now; None when nobody does."""
        return read_holder(self._account_path(uid))

    def _profile_path(self, name: str) -> Path:
        return self._directory / f"profile-{name}.lock"

    def _account_path(self, uid: int) -> Path:
        return self._directory / f"uid-{uid}.lock"


def read_holder(path: Path) -> Holder | None:
    """Who holds the lock at `path`; None when nobody does.

    A holder that was killed leaves its record behind. Only then the lock is tried, shared and for an instant, to tell
    a record that outlived its writer from one that stands; a lock that is held or was released is never touched.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        holder = _read_record(fd)
        return holder if holder is not None and not _try_lock(fd, fcntl.LOCK_SH) else None
    finally:
        os.close(fd)


def _acquire(path: Path, holder: Holder, what: str) -> Lock:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise _unusable(path, error) from error
    for attempt in range(_ATTEMPTS):
        if _try_lock(fd, fcntl.LOCK_EX):
            try:
                return Lock(path, fd, holder)
            except OSError as error:  # a full disk
                os.close(fd)
                raise _unusable(path, error) from error
        if attempt + 1 < _ATTEMPTS:
            time.sleep(_PAUSE_S)  # somebody may just be looking (`read_holder`), or releasing
    other = _read_record(fd)
    os.close(fd)
    raise _locked(what, other)


def _try_lock(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read_record(fd: int) -> Holder | None:
    line = os.pread(fd, _LARGEST_RECORD, 0).partition(b"\n")[0]
    try:
        return msgspec.json.decode(line, type=Holder)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _locked(what: str, other: Holder | None) -> Locked:
    if other is None:
        return Locked(f"{what} is held by another process", "try again; `mirrorctl status` names the process")
    return Locked(
        f"{what} is held by process {other.pid}: `mirrorctl {other.command}` "
        f'with the profile "{other.profile}", since {other.since}',
        f"let it do the work: commands of the same profile go through it; or stop it first (kill {other.pid})",
    )


def _unusable(path: Path, error: OSError) -> Locked:
    return Locked(
        f"the lock {path} cannot be opened: {error.strerror}",
        "without its lock nothing may write; make the folder writable, or set MIRRORCTL_HOME",
    )


_held: weakref.WeakSet[Lock] = weakref.WeakSet()


def _close_copies_in_child() -> None:
    for lock in list(_held):
        lock.forget_in_child()


os.register_at_fork(after_in_child=_close_copies_in_child)
