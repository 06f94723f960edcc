"""The store under faults: a killed process, a full disk, a folder that may not be written, a damaged file."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mirrorctl.core.domain.actions import CancelOrder
from mirrorctl.core.engine.guarded_store import GuardedStore
from mirrorctl.core.store.database import Database
from mirrorctl.core.store.errors import StoreCorrupt, StoreError, StoreUnavailable
from mirrorctl.core.store.sqlite import SqliteStore

CANCEL = CancelOrder("mirror", "BTCUSDT", "order-9", "", "main cancelled it")

_JOURNAL = """
import os, sys
from pathlib import Path
from mirrorctl.core.domain.actions import CancelOrder
from mirrorctl.core.store.sqlite import SqliteStore

store = SqliteStore(Path(sys.argv[1]))
size = int(sys.argv[2])
at = 0
while True:
    at += 1
    action = CancelOrder("mirror", "BTCUSDT", f"order-{at}", "", "main cancelled it")
    if size == 1:
        ids = [store.record_intent(action, at)]
    else:
        with store.batch():
            ids = [store.record_intent(action, at) for _ in range(size)]
    os.write(1, b"".join(b"%d\\n" % number for number in ids))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@contextmanager
def no_file_may_grow_beyond(size: int) -> Iterator[None]:
    """Writes past `size` bytes fail with EFBIG: what a full disk looks like, without filling one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("batch_size", [1, 3])
def test_every_intent_that_was_reported_survives_sigkill(path: Path, batch_size: int) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", _JOURNAL, str(path), str(batch_size)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    reported = [int(child.stdout.readline()) for _ in range(300)]
    child.send_signal(signal.SIGKILL)
    rest = child.stdout.read()
    assert child.wait() == -signal.SIGKILL
    reported += [int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]

    with SqliteStore(path, read_only=True) as reader:
        assert {intent.intent_id for intent in reader.open_intents()} >= set(reported)
    with SqliteStore(path) as store:
        assert not store.fresh
        kept = [intent.intent_id for intent in store.open_intents()]
        assert set(kept) >= set(reported)
        assert len(kept) % batch_size == 0
        assert store.record_intent(CANCEL, 1) > max(kept)


def test_a_full_disk_is_a_typed_refusal_and_passes(path: Path) -> None:
    with SqliteStore(path) as store:
        kept = store.record_intent(CANCEL, 1)
        with no_file_may_grow_beyond(path.with_name("store.sqlite-wal").stat().st_size):
            for _ in range(2):
                with pytest.raises(StoreUnavailable) as caught:
                    store.record_intent(CANCEL, 2)
            assert [intent.intent_id for intent in store.open_intents()] == [kept]
        assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
        assert (caught.value.kind, caught.value.exit_code) == ("store", 6)
        assert str(path) in caught.value.message
        assert caught.value.hint
        again = store.record_intent(CANCEL, 3)
        assert [intent.intent_id for intent in store.open_intents()] == [kept, again]


def test_a_batch_on_a_full_disk_leaves_nothing_behind(path: Path) -> None:
    with SqliteStore(path) as store:
        full = no_file_may_grow_beyond(path.with_name("store.sqlite-wal").stat().st_size)
        with full, pytest.raises(StoreUnavailable), store.batch():
            store.set_fact("a", "1")
            store.record_intent(CANCEL, 2)
        assert store.fact("a") is None
        with store.batch():
            store.set_fact("a", "2")
        assert store.fact("a") == "2"


def test_no_store_can_be_made_on_a_full_disk_and_the_next_try_makes_it(path: Path) -> None:
    with no_file_may_grow_beyond(0), pytest.raises(StoreUnavailable):
        SqliteStore(path)
    with SqliteStore(path) as store:
        assert store.fresh


def test_a_database_that_may_not_grow_names_the_space_as_the_remedy(path: Path) -> None:
    database = Database(path)
    database.run("CREATE TABLE page (text)")
    database.run("PRAGMA max_page_count = 3")
    with pytest.raises(StoreUnavailable, match="full") as caught:
        database.run("INSERT INTO page VALUES (?)", ("x" * 100_000,))
    assert "free space" in caught.value.hint
    database.close()


def test_nothing_of_a_batch_is_written_after_the_disk_was_full_within_it(path: Path) -> None:
    database = Database(path)
    database.run("CREATE TABLE page (text)")
    database.run("PRAGMA max_page_count = 3")
    with pytest.raises(StoreUnavailable, match="undone by an earlier failure"), database.batch():
        database.run("INSERT INTO page VALUES ('first')")
        with pytest.raises(StoreUnavailable, match="full"):
            database.run("INSERT INTO page VALUES (?)", ("x" * 100_000,))
        database.run("ROLLBACK")  # what SQLite does by itself after some failures
        database.run("INSERT INTO page VALUES ('later')")
    assert database.rows("SELECT text FROM page") == []
    database.close()


def test_a_folder_that_cannot_be_made_is_a_typed_refusal(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="cannot be opened") as caught:
        SqliteStore(tmp_path / "file" / "store.sqlite")
    assert isinstance(caught.value.__cause__, OSError)


@pytest.fixture
def own_folder() -> Iterator[Path]:
    """A folder of an ordinary user, and this process as that user: root may write everywhere."""
    nobody = 65534
    folder = Path(tempfile.mkdtemp(prefix="store"))
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(folder, nobody, nobody)
        os.seteuid(nobody)
    try:
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o700)
        shutil.rmtree(folder)


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize(("file_mode", "folder_mode"), [(0o400, 0o500), (0o600, 0o500), (0o000, 0o700), (0o600, 0o000)])
def test_missing_permissions_are_a_typed_refusal_at_open(
    own_folder: Path, file_mode: int, folder_mode: int, read_only: bool
) -> None:
    path = own_folder / "store.sqlite"
    SqliteStore(path).close()
    path.chmod(file_mode)
    own_folder.chmod(folder_mode)
    with pytest.raises(StoreUnavailable) as caught:
        SqliteStore(path, read_only=read_only)
    assert "writable" in caught.value.hint


def test_a_file_that_may_not_be_written_refuses_writes_and_is_still_read(own_folder: Path) -> None:
    path = own_folder / "store.sqlite"
    with SqliteStore(path) as store:
        store.set_fact("a", "1")
    path.chmod(0o400)
    with SqliteStore(path) as store:
        assert store.fact("a") == "1"
        with pytest.raises(StoreUnavailable, match="readonly") as caught:
            store.set_fact("a", "2")
        assert "writable" in caught.value.hint


def test_another_process_that_writes_is_a_typed_refusal_after_a_short_wait(path: Path) -> None:
    with SqliteStore(path) as store, SqliteStore(path) as other:
        with other.batch():
            with pytest.raises(StoreUnavailable, match="locked") as caught:
                store.record_intent(CANCEL, 1)
            assert "another process" in caught.value.hint
        store.record_intent(CANCEL, 2)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_that_is_no_database_is_named_with_what_to_do(path: Path, read_only: bool) -> None:
    path.write_bytes(b"not a database" * 500)
    before = path.read_bytes()
    with pytest.raises(StoreCorrupt, match="is damaged") as caught:
        SqliteStore(path, read_only=read_only)
    assert str(path) in caught.value.message
    assert f"move {path} away" in caught.value.hint
    assert "rebuilds it from the exchange" in caught.value.hint
    assert path.read_bytes() == before


@pytest.mark.parametrize("read_only", [False, True])
def test_damage_inside_the_file_is_found_at_open(path: Path, read_only: bool) -> None:
    with SqliteStore(path) as store, store.batch():
        for at in range(500):
            store.record_intent(CANCEL, at)
    content = bytearray(path.read_bytes())
    for page in range(5, len(content) // 4096):
        content[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(bytes(content))
    with pytest.raises(StoreCorrupt, match="is damaged"):
        SqliteStore(path, read_only=read_only)


def test_a_file_cut_short_is_found_at_open(path: Path) -> None:
    with SqliteStore(path) as store, store.batch():
        for at in range(500):
            store.record_intent(CANCEL, at)
    os.truncate(path, path.stat().st_size // 8192 * 4096)
    with pytest.raises(StoreCorrupt):
        SqliteStore(path)


def test_a_row_that_cannot_be_read_is_damage_and_never_skipped(path: Path) -> None:
    with SqliteStore(path) as store:
        store.record_intent(CANCEL, 1)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("""UPDATE journal SET action = '{"action": "teleport"}'""")
        other.close()
        with pytest.raises(StoreCorrupt, match="teleport"):
            store.open_intents()


def test_a_log_left_behind_by_a_moved_file_is_not_read_into_the_next(path: Path) -> None:
    with SqliteStore(path) as store:
        store.set_fact("a", "1")
        log = path.with_name("store.sqlite-wal").read_bytes()
    assert log
    path.unlink()
    path.with_name("store.sqlite-wal").write_bytes(log)
    with SqliteStore(path) as store:
        assert store.fresh
        assert store.fact("a") is None


def test_threads_use_it_in_turns(path: Path) -> None:
    turn = threading.Lock()

    def use(store: SqliteStore, name: str) -> None:
        for count in range(20):
            with turn, store.batch():
                store.set_fact(name, str(count))
                store.set_fact("last", name)

    with SqliteStore.for_daemon(path) as store:
        threads = [threading.Thread(target=use, args=(store, name)) for name in ("a", "b", "c")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [store.fact(name) for name in ("a", "b", "c")] == ["19"] * 3
        assert store.fact("last") in ("a", "b", "c")


def test_every_error_of_the_store_is_a_refusal_with_a_remedy(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreError) as caught:
        SqliteStore(path)
    assert caught.value.exit_code == 6
    assert caught.value.hint


@pytest.mark.proves("A29")
@pytest.mark.parametrize("killed", [False, True])
def test_a_daemon_starts_on_a_full_disk_with_what_it_can_read(path: Path, tmp_path: Path, killed: bool) -> None:
    with SqliteStore(path) as before:
        kept = before.record_intent(CANCEL, 1)
        before.checkpoint()
        before.set_fact("a", "1")
        if killed:  # the log stands beside the file, and no shared memory
            left = tmp_path / "left" / path.name
            left.parent.mkdir()
            for name in (path.name, f"{path.name}-wal", f"{path.name}.whole"):
                shutil.copy(path.with_name(name), left.with_name(name))
    path = left if killed else path
    with no_file_may_grow_beyond(0):
        with pytest.raises(StoreUnavailable):
            SqliteStore(path)
        store = SqliteStore.for_daemon(path)
        assert store.error
        assert [intent.intent_id for intent in store.open_intents()] == [kept]
        guarded = GuardedStore(store)
        assert (guarded.error, guarded.fact("a")) == (store.error, "1")
        guarded.set_fact("a", "2")
        made = guarded.record_intent(CANCEL, 2)
        assert not guarded.catch_up(3)
        assert not guarded.was_waiting, "what this one has to say is not lost yet"
    assert guarded.catch_up(4)
    assert (guarded.error, store.error) == ("", "")
    assert store.prune(0, 5) == 0, "what keeps it small works after such a start too"
    store.close()
    with SqliteStore(path) as again:
        assert ([intent.intent_id for intent in again.open_intents()], again.fact("a")) == ([kept, made], "2")
        assert (again.verify().fault, again.was_waiting) == (None, False)


def test_what_cannot_even_be_read_is_refused_at_the_start_of_a_daemon(path: Path) -> None:
    path.write_bytes(b"nothing of ours" * 400)
    with pytest.raises(StoreCorrupt):
        SqliteStore.for_daemon(path)
    path.unlink()
    with no_file_may_grow_beyond(0), pytest.raises(StoreUnavailable):
        SqliteStore.for_daemon(path)
