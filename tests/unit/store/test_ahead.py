"""Orders written ahead of their rows: what a killed process sent is in the journal of the next, once and in order."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import zlib
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mirrorctl.core.domain.actions import PlaceOrder
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.values import OrderType, Side
from mirrorctl.core.engine.guarded_store import GuardedStore
from mirrorctl.core.engine.records import Ahead
from mirrorctl.core.store.errors import StoreCorrupt, StoreUnavailable
from mirrorctl.core.store.sqlite import SqliteStore

_KILLED = """
import os, signal, sys
from decimal import Decimal
from pathlib import Path
from mirrorctl.core.domain.actions import PlaceOrder
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.values import OrderType, Side
from mirrorctl.core.engine.guarded_store import GuardedStore
from mirrorctl.core.store.sqlite import SqliteStore

store = GuardedStore(SqliteStore.for_daemon(Path(sys.argv[1])))
for number in range(3):
    store.begin_round()
    for part in range(2):
        link_id = f"m1-order-{number}-{part}"
        order = PlaceOrder("m", "BTCUSDT", Side.BUY, OrderType.MARKET, Decimal("0.1"), link_id, Role.CORRECTION, "")
        store.record_intent(order, number, "main-order", Decimal("2.50"))
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    store.end_round()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


def order(number: int) -> PlaceOrder:
    link_id = f"m1-order-{number}"
    return PlaceOrder("m", "BTCUSDT", Side.BUY, OrderType.MARKET, Decimal("0.1"), link_id, Role.CORRECTION, "")


def ahead(number: int, main_filled: Decimal | None = None) -> Ahead:
    return number, order(number), 100 + number, "main-order", main_filled


def ahead_file(path: Path) -> Path:
    return path.with_name("store.sqlite.ahead")


def test_what_was_killed_between_an_order_and_its_row_is_taken_up_by_the_next_process(path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", _KILLED, str(path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    with SqliteStore(path) as found:
        assert [row.intent_id for row in found.open_intents()] == [1, 2, 3, 4]
        intents = GuardedStore(found).open_intents()
        assert found.verify().fault is None
    assert [row.intent_id for row in intents] == [1, 2, 3, 4, 5, 6]
    last = intents[-1]
    assert isinstance(last.action, PlaceOrder)
    assert (last.action.link_id, last.state, last.created_ms) == ("m1-order-2-1", IntentState.PENDING, 2)
    assert (last.main_order_id, last.main_filled) == ("main-order", Decimal("2.5"))
    with SqliteStore(path) as again:
        assert len(GuardedStore(again).open_intents()) == 6, "not a second time"


def test_a_record_counts_until_the_journal_goes_on(path: Path) -> None:
    with SqliteStore(path) as store:
        assert store.record_ahead([ahead(1, Decimal("0.5"))])
        assert store.record_ahead([ahead(2), ahead(3)])
        assert store.left_ahead() == [ahead(1, Decimal("0.5")), ahead(2), ahead(3)]
    with SqliteStore(path) as store:
        assert [row[0] for row in store.left_ahead()] == [1, 2, 3]
        store.record_intent(order(1), 101)
        assert store.left_ahead() == []
        assert store.record_ahead([ahead(2)])
        assert store.left_ahead() == [ahead(2)], "what stood behind it is older"


def test_neither_a_new_store_nor_an_older_one_takes_up_what_is_not_its_own(path: Path, tmp_path: Path) -> None:
    with SqliteStore(path) as store:
        store.record_intent(order(1), 1)
    shutil.copy(path, tmp_path / "older.sqlite")
    with SqliteStore(path) as store:
        store.record_intent(order(2), 2)
        assert store.record_ahead([ahead(3)])
    path.unlink()
    with SqliteStore(path) as store:
        assert store.left_ahead() == []
    path.unlink()
    shutil.copy(tmp_path / "older.sqlite", path)
    with SqliteStore(path) as store:
        assert store.left_ahead() == []


@pytest.mark.parametrize("keeps", [4, 20, 300])
def test_what_a_loss_of_power_tore_is_left_out(path: Path, keeps: int) -> None:
    with SqliteStore(path) as store:
        assert store.record_ahead([ahead(1)])
        second = ahead_file(path).read_bytes().rstrip(b"\0")
        assert store.record_ahead([ahead(2)])
    whole = ahead_file(path).read_bytes()
    ahead_file(path).write_bytes(whole[: len(second) + keeps].ljust(len(whole), b"\0"))
    with SqliteStore(path) as store:
        assert store.left_ahead() == [ahead(1)]


def test_where_it_cannot_be_written_the_row_is_written_at_once(path: Path) -> None:
    ahead_file(path).mkdir(parents=True)
    with pytest.raises(StoreUnavailable), SqliteStore(path) as store:
        GuardedStore(store)
    ahead_file(path).rmdir()
    with SqliteStore(path) as store:
        guarded = GuardedStore(store)
        ahead_file(path).mkdir()
        guarded.begin_round()
        guarded.record_intent(order(1), 1)
        assert len(store.open_intents()) == 1


def of_another_format(path: Path) -> bytes:
    """What stands there, its rows not what they are now, with the checksum of that."""
    content = ahead_file(path).read_bytes()
    length = int.from_bytes(content[:4], "little")
    body = content[8 : 8 + 40] + b"?" * (length - 40)
    return (content[:4] + zlib.crc32(body).to_bytes(4, "little") + body).ljust(len(content), b"\0")


def test_only_a_record_that_counts_and_cannot_be_read_refuses_and_says_what_to_do(path: Path) -> None:
    with SqliteStore(path) as store:
        assert store.record_ahead([ahead(1)])
    ahead_file(path).write_bytes(of_another_format(path))
    with SqliteStore(path) as store:
        with pytest.raises(StoreCorrupt, match=r"store\.sqlite\.ahead holds an order that cannot be read") as caught:
            GuardedStore(store)
        assert f"move {ahead_file(path)} away" in caught.value.hint
        with SqliteStore.scratch(path) as rehearsal, pytest.raises(StoreCorrupt, match=r"store\.sqlite\.ahead holds"):
            GuardedStore(rehearsal)
        store.record_intent(order(1), 1)
        assert len(GuardedStore(store).open_intents()) == 1, "stale by now"


def test_a_file_that_may_not_be_read_refuses_and_says_what_to_do(path: Path) -> None:
    ahead_file(path).mkdir(parents=True)
    with SqliteStore(path.with_name("other.sqlite")), pytest.raises(StoreUnavailable) as caught:
        SqliteStore.scratch(path)
    assert str(ahead_file(path)) in caught.value.message
    assert f"move {ahead_file(path)} away" in caught.value.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_one_that_root_makes_belongs_to_whom_the_store_belongs(path: Path) -> None:
    SqliteStore(path).close()
    os.chown(path, 12345, 23456)
    with SqliteStore(path) as store:
        assert store.record_ahead([ahead(1)])
    found = ahead_file(path).stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (12345, 23456, 0o600)


def test_there_is_room_for_the_orders_of_a_round_and_no_more(path: Path) -> None:
    with SqliteStore(path) as store:
        guarded = GuardedStore(store)
        guarded.begin_round()
        for number in range(1, 301):
            assert guarded.record_intent(order(number), number) == number
        assert 100 < len(store.open_intents()) < 300, "those that came before one without room are rows"
        guarded.end_round()
        assert [row.intent_id for row in store.open_intents()] == list(range(1, 301))
    assert ahead_file(path).stat().st_size == 1 << 16


def test_one_that_was_taken_away_is_made_anew(path: Path) -> None:
    with SqliteStore(path) as store:
        assert store.record_ahead([ahead(1)])
        ahead_file(path).unlink()
        assert store.keep_file() == ""
        assert store.record_ahead([ahead(1)])
        assert store.left_ahead() == [ahead(1)]
    assert ahead_file(path).stat().st_mode & 0o777 == 0o600


def test_a_rehearsal_knows_what_was_written_ahead_and_changes_nothing(path: Path) -> None:
    with SqliteStore(path) as store:
        assert store.record_ahead([ahead(1)])
        with SqliteStore.scratch(path) as scratch, store.snapshot() as snapshot:
            assert [row.intent_id for row in GuardedStore(scratch).open_intents()] == [1]
            assert [row.intent_id for row in GuardedStore(snapshot).open_intents()] == [1]
        assert store.left_ahead() == [ahead(1)]


def test_records_that_wait_go_before_an_order_and_then_it_is_a_row(path: Path) -> None:
    with SqliteStore(path) as store:
        guarded = GuardedStore(store)
        guarded.begin_round()
        guarded.record_intent(order(1), 1)
        assert store.open_intents() == []
        guarded.set_fact("a", "1")
        [known] = store.open_intents()
        guarded.update_intent(known)
        guarded.record_intent(order(2), 2)
        assert len(store.open_intents()) == 2


class Failing(SqliteStore):
    """A store whose file fails where a test says so."""

    reads = writes = True

    def has_alert(self, key: str) -> bool:
        if not self.reads:
            raise StoreUnavailable("cannot be read now")
        return super().has_alert(key)

    def record_intent(self, *args: Any, **named: Any) -> int:
        if not self.writes:
            raise StoreUnavailable("the disk is full")
        return super().record_intent(*args, **named)


def test_what_a_new_store_has_never_seen_is_not_taken_up(path: Path) -> None:
    with SqliteStore(path) as store:
        assert store.record_ahead([ahead(1)])
    path.unlink()
    with SqliteStore.scratch(path) as scratch:
        assert scratch.left_ahead() == [], "a journal that is new ends where the one before it began"
    with SqliteStore(path) as store:
        assert store.fresh
        assert store.left_ahead() == []
    with SqliteStore(path) as again:
        assert again.left_ahead() == []


def test_what_is_left_is_known_where_it_cannot_be_written_down_at_the_start(path: Path) -> None:
    with SqliteStore(path) as store:
        store.record_intent(order(1), 1)
        assert store.record_ahead([ahead(2, Decimal("0.5"))])
    with Failing(path) as full:
        full.writes = False
        guarded = GuardedStore(full)
        assert guarded.error
        first, second = guarded.open_intents()
        assert (first.intent_id, second.intent_id) == (1, 2)
        assert (second.action, second.main_filled) == (order(2), Decimal("0.5"))
        guarded.update_intent(replace(second, state=IntentState.DONE))
        assert guarded.open_intents() == [first]
        full.writes = True
        assert guarded.catch_up(9)
        assert guarded.open_intents() == [first]
        assert full.verify().fault is None


def test_after_a_read_that_failed_within_a_round_nothing_counts_as_standing_ahead_that_does_not(path: Path) -> None:
    with Failing(path) as failing:
        guarded = GuardedStore(failing)
        guarded.begin_round()
        guarded.record_intent(order(1), 1)
        failing.reads = False
        guarded.has_alert("any")
        guarded.end_round()
        failing.reads = True
        assert guarded.catch_up(5)
        [sent] = guarded.open_intents()
        guarded.begin_round()
        guarded.update_intent(replace(sent, state=IntentState.DONE))
        assert guarded.record_intent(order(2), 2) == 3
    with SqliteStore(path) as store:  # the process was killed there
        guarded = GuardedStore(store)
        assert guarded.record_intent(order(3), 3) == guarded.newest_row() == store.newest_row(), "an id is its row"
        assert [intent.action for intent in guarded.open_intents()] == [order(2), order(3)]
