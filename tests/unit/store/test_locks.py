"""Locks: one holder at a time, named to everyone else, and free again however the holder ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mirrorctl.core.domain.errors import Locked
from mirrorctl.core.store.locks import Holder, LockDirectory, read_holder

HOLDER = Holder(pid=os.getpid(), profile="live", command="run", since="2026-01-02T03:04:05.000Z")

# Holds a lock until its standard input ends.
KEEPER = """
import os, sys
from pathlib import Path
from mirrorctl.core.store.locks import Holder, LockDirectory
lock = LockDirectory(Path(sys.argv[1])).lock_profile(
    "live", Holder(pid=os.getpid(), profile="live", command="run", since="2026-01-02T03:04:05.000Z", socket="/s"))
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def keeper(folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", KEEPER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    try:
        yield process
    finally:
        process.kill()
        process.wait(5)
        process.stdin.close()
        process.stdout.close()


@pytest.fixture
def locks(tmp_path: Path) -> LockDirectory:
    return LockDirectory(tmp_path / "locks")


@pytest.mark.proves("A49")
def test_a_second_process_is_refused_and_told_who_holds_it(locks: LockDirectory, tmp_path: Path) -> None:
    with keeper(tmp_path / "locks") as process:
        with pytest.raises(Locked) as caught:
            locks.lock_profile("live", HOLDER)
        error = caught.value
        assert error.exit_code == 6
        for word in (f"process {process.pid}", "mirrorctl run", '"live"', "2026-01-02T03:04:05.000Z"):
            assert word in error.message
        assert f"kill {process.pid}" in error.hint


@pytest.mark.proves("A49")
def test_an_account_is_one_lock_whatever_profile_it_is_in(locks: LockDirectory) -> None:
    other = Holder(pid=os.getpid(), profile="other", command="run", since="now")
    with locks.lock_profile("live", HOLDER), locks.lock_account(42, HOLDER), locks.lock_profile("other", other):
        with pytest.raises(Locked, match=r"UID 42.*profile \"live\""):
            locks.lock_account(42, other)
        with locks.lock_account(43, other):
            pass


def test_a_killed_holder_leaves_the_lock_free(locks: LockDirectory, tmp_path: Path) -> None:
    with keeper(tmp_path / "locks") as process:
        assert locks.profile_holder("live") is not None
        process.send_signal(signal.SIGKILL)
        process.wait(5)
        assert (tmp_path / "locks" / "profile-live.lock").stat().st_size > 0  # its record outlived it
        assert locks.profile_holder("live") is None
        with locks.lock_profile("live", HOLDER):
            assert locks.profile_holder("live") == HOLDER


def test_a_stopped_holder_still_holds(locks: LockDirectory, tmp_path: Path) -> None:
    with keeper(tmp_path / "locks") as process:
        process.send_signal(signal.SIGSTOP)
        holder = locks.profile_holder("live")
        assert holder is not None
        assert (holder.pid, holder.socket) == (process.pid, "/s")
        with pytest.raises(Locked):
            locks.lock_profile("live", HOLDER)
        process.send_signal(signal.SIGCONT)


def test_released_it_can_be_taken_again_and_names_nobody(locks: LockDirectory, tmp_path: Path) -> None:
    lock = locks.lock_profile("live", HOLDER)
    lock.release()
    lock.release()
    assert locks.profile_holder("live") is None
    assert lock.path.exists()  # a lock file is never deleted
    with locks.lock_profile("live", HOLDER):
        pass


def test_looking_at_a_lock_that_never_was(locks: LockDirectory, tmp_path: Path) -> None:
    assert locks.profile_holder("live") is None
    assert not (tmp_path / "locks").exists()


def test_looking_does_not_release_what_this_process_holds(locks: LockDirectory) -> None:
    with locks.lock_profile("live", HOLDER):
        assert locks.profile_holder("live") == HOLDER
        with pytest.raises(Locked):
            locks.lock_profile("live", HOLDER)


def test_what_the_holder_publishes_later_is_seen_whole(locks: LockDirectory) -> None:
    long = Holder(pid=1, profile="live", command="run", since="now", socket="/a/long/path/to/the/socket")
    with locks.lock_profile("live", long) as lock:
        lock.publish(HOLDER)  # shorter than before
        assert locks.profile_holder("live") == HOLDER
    lock.publish(long)
    assert locks.profile_holder("live") is None


def test_a_record_nobody_can_read_does_not_open_the_lock(locks: LockDirectory) -> None:
    with locks.lock_profile("live", HOLDER) as lock:
        lock.path.write_text("not a record\n")
        with pytest.raises(Locked, match="another process"):
            locks.lock_profile("live", HOLDER)


def test_a_program_started_by_the_holder_does_not_keep_the_lock(locks: LockDirectory, tmp_path: Path) -> None:
    """The holder starts a program that outlives it; then it is killed."""
    script = KEEPER.replace(
        "sys.stdin.read()",
        "import subprocess\n"
        "child = subprocess.Popen(['sleep', '30'], close_fds=False)\n"
        "print(child.pid, flush=True)\nsys.stdin.read()",
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "locks")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    child = int(process.stdout.readline())
    try:
        process.kill()
        process.wait(5)
        with locks.lock_profile("live", HOLDER):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        process.stdin.close()
        process.stdout.close()


def test_a_forked_child_neither_keeps_nor_gives_up_the_lock(locks: LockDirectory) -> None:
    lock = locks.lock_profile("live", HOLDER)
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        lock.release()  # of a lock that is not the child's
        os.write(write_end, b"x")
        signal.pause()
        os._exit(0)
    try:
        assert os.read(read_end, 1) == b"x"
        assert locks.profile_holder("live") == HOLDER
        lock.release()
        with locks.lock_profile("live", HOLDER):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(read_end)
        os.close(write_end)


def test_files_are_the_owner_s_alone(locks: LockDirectory) -> None:
    with locks.lock_account(7, HOLDER) as lock:
        assert lock.path.stat().st_mode & 0o777 == 0o600
        assert lock.path.parent.stat().st_mode & 0o777 == 0o700


def test_a_link_in_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("")
    (tmp_path / "profile-live.lock").symlink_to(tmp_path / "other")
    with pytest.raises(Locked, match="cannot be opened"):
        LockDirectory(tmp_path).lock_profile("live", HOLDER)
    with pytest.raises(Locked, match="cannot be opened"):
        read_holder(tmp_path / "profile-live.lock")
