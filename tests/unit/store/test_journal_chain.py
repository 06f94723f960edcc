"""The hash chain over the journal: what was done to it behind the store's back is found and named."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from mirrorctl.core.domain.actions import CancelOrder
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.engine.records import Intent
from mirrorctl.core.store.database import Database
from mirrorctl.core.store.errors import StoreUnavailable
from mirrorctl.core.store.migrations import MIGRATIONS, migrate
from mirrorctl.core.store.retention import Retention
from mirrorctl.core.store.sqlite import SqliteStore
from mirrorctl.core.store.verify import FaultKind, Verified

CANCEL = CancelOrder("mirror", "BTCUSDT", "order-9", "", "main cancelled it")
SMALL = Retention(rows_of_journal=40, step=25, slack=5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(path, retention=SMALL) as opened:
        yield opened


def life(store: SqliteStore, at_ms: int, *, over: bool = True) -> int:
    """One intent from its record to its end: four entries, or two of one that stays open."""
    made = store.record_intent(CANCEL, at_ms)
    intent = Intent(made, "mirror", CANCEL, IntentState.ACCEPTED, at_ms, at_ms + 1, order_id="order-1")
    store.update_intent(intent)
    if over:
        store.update_intent(replace(intent, state=IntentState.LIVE, updated_ms=at_ms + 2))
        store.update_intent(replace(intent, state=IntentState.DONE, filled=Decimal("0.1"), updated_ms=at_ms + 3))
    return made


def tampered(path: Path, *statements: str) -> Verified:
    """What a check finds after somebody wrote into the file."""
    connection = sqlite3.connect(path)
    with connection:
        for statement in statements:
            assert connection.execute(statement).rowcount != 0
    connection.close()
    with SqliteStore(path, read_only=True) as reader:
        return reader.verify()


def test_an_untouched_journal_is_as_it_was_written(store: SqliteStore, path: Path) -> None:
    assert store.verify() == Verified(0, 0, 0, 0, "", None)
    for at in range(0, 50, 10):
        life(store, at)
    with SqliteStore(path, read_only=True) as reader:
        found = reader.verify()
    assert (found.fault, found.rows, found.intents, found.first, found.last) == (None, 20, 5, 1, 20)


COLUMNS = (
    "intent_id, at_ms, account, action, created_ms, main_order_id, main_filled, state, updated_ms, filled, by_us, code,"
    " message, order_id, hash"
)


def swapped(one: int, other: int) -> tuple[str, ...]:
    """Two rows in each other's place."""
    places = ((one, -1), (other, one), (-1, other))
    return tuple(f"UPDATE journal SET seq = {to} WHERE seq = {of}" for of, to in places)


@pytest.mark.parametrize(
    ("statements", "kind", "row", "intent"),
    [
        (("UPDATE journal SET filled = '9' WHERE seq = 8",), FaultKind.CHANGED, 8, 5),
        (("UPDATE journal SET action = replace(action, 'order-9', 'order-8') WHERE seq = 9",), "changed", 9, 9),
        (("UPDATE journal SET created_ms = 0 WHERE seq = 9",), FaultKind.CHANGED, 9, 9),
        (("UPDATE journal SET at_ms = 7 WHERE seq = 5",), FaultKind.CHANGED, 5, 5),
        (("UPDATE journal SET intent_id = 1 WHERE seq = 6",), FaultKind.CHANGED, 6, 1),
        (("UPDATE journal SET main_filled = '' WHERE seq = 5",), FaultKind.CHANGED, 5, 5),
        (("UPDATE journal SET message = order_id, order_id = message WHERE seq = 6",), FaultKind.CHANGED, 6, 5),
        (("UPDATE journal SET hash = zeroblob(32) WHERE seq = 5",), FaultKind.CHANGED, 5, 5),
        (("DELETE FROM journal WHERE seq = 6",), FaultKind.REMOVED, 6, None),
        (("DELETE FROM journal WHERE intent_id = 5",), FaultKind.REMOVED, 5, None),
        (("DELETE FROM journal WHERE seq <= 3",), FaultKind.CUT, 1, None),
        (("DELETE FROM journal WHERE seq >= 19",), FaultKind.CUT, 19, None),
        (("DELETE FROM journal WHERE seq = 20",), FaultKind.CUT, 20, None),
        (("DELETE FROM journal",), FaultKind.CUT, 1, None),
        (("DELETE FROM journal WHERE seq = 6", "UPDATE journal SET seq = seq - 1 WHERE seq > 6"), "changed", 6, 5),
        (swapped(6, 9), FaultKind.REORDERED, 6, 9),
        (swapped(6, 7), FaultKind.REORDERED, 6, 5),
        ((f"INSERT INTO journal SELECT 21, {COLUMNS} FROM journal WHERE seq = 20",), FaultKind.ADDED, 21, 17),
        (("UPDATE chain SET head_hash = zeroblob(32)",), FaultKind.CHANGED, 20, None),
        (("DELETE FROM chain",), FaultKind.REMOVED, None, None),
        (("UPDATE chain SET anchor = 8, anchor_hash = (SELECT hash FROM journal WHERE seq = 8)",
          "DELETE FROM journal WHERE seq <= 8"), FaultKind.CUT, 8, None),
    ],
)  # fmt: skip
def test_what_was_done_to_it_is_found_and_named(
    store: SqliteStore, path: Path, statements: tuple[str, ...], kind: FaultKind, row: int | None, intent: int | None
) -> None:
    for at in range(0, 50, 10):
        life(store, at)
    fault = tampered(path, *statements).fault
    assert fault is not None
    assert (fault.kind, fault.row, fault.intent_id) == (kind, row, intent), fault.text


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET hash = 'no hash' WHERE seq = 8",
        "UPDATE chain SET head_hash = head_hash || 'x'",
        "UPDATE chain SET anchor_hash = 7",
    ],
)
def test_a_hash_of_another_type_is_one_that_does_not_fit(store: SqliteStore, path: Path, statement: str) -> None:
    for at in range(0, 50, 10):
        life(store, at)
    assert tampered(path, statement).fault is not None


def test_a_broken_chain_keeps_no_write_back_and_goes_on_telling(store: SqliteStore, path: Path) -> None:
    for statement in ("DELETE FROM journal WHERE seq > 2", "DELETE FROM chain"):
        life(store, 10)
        assert tampered(path, statement).fault is not None
        life(store, 20)
        assert store.verify().fault is not None


def test_a_batch_that_was_undone_leaves_the_chain_as_it_was(store: SqliteStore) -> None:
    life(store, 0)
    with pytest.raises(ZeroDivisionError), store.batch():
        life(store, 10)
        raise ZeroDivisionError
    with store.batch():
        life(store, 20)
        with pytest.raises(ZeroDivisionError), store.batch():
            life(store, 30)
            raise ZeroDivisionError
        life(store, 40)
    found = store.verify()
    assert (found.fault, found.rows, found.intents) == (None, 12, 3)


def test_a_pruned_chain_holds_and_what_is_followed_is_written_once_more(store: SqliteStore) -> None:
    waits = life(store, 0, over=False)
    followed = life(store, 5)
    for at in range(10, 300, 10):
        life(store, at)
    before = store.verify().rows
    for now in range(1_000, 1_010):
        store.prune(0, now, {followed})
        assert store.verify().fault is None
    found = store.verify()
    assert found.rows <= SMALL.rows_of_journal + SMALL.step < before
    kept = {intent.intent_id for intent in store.recent_intents(0)}
    assert {waits, followed} < kept
    assert len(kept) < 15
    life(store, 2_000)
    assert store.verify().fault is None


def test_the_past_cannot_be_cut_off_as_if_it_had_been_pruned(store: SqliteStore, path: Path) -> None:
    for at in range(0, 500, 10):
        life(store, at)
    while store.prune(200, 1_000):
        pass
    ends = store.verify()
    assert (ends.fault, ends.first > 1) == (None, True)
    cut = ends.first + 8
    fault = tampered(
        path,
        f"UPDATE chain SET anchor = {cut}, anchor_hash = (SELECT hash FROM journal WHERE seq = {cut})",
        f"DELETE FROM journal WHERE seq <= {cut}",
    ).fault
    assert fault is not None
    assert fault.kind is FaultKind.CUT


def test_old_entries_wait_until_a_prune_is_worth_its_own(store: SqliteStore) -> None:
    life(store, 0)
    life(store, 1_000)
    assert store.prune(500, 2_000) == 0
    assert store.verify().rows == 8
    with SqliteStore(None, retention=replace(SMALL, slack=0)) as other:
        life(other, 0)
        life(other, 1_000)
        assert other.prune(500, 2_000) == 4
        assert other.verify().fault is None


_WRITES = """
import os, sys
from dataclasses import replace
from pathlib import Path
from mirrorctl.core.domain.actions import CancelOrder
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.engine.records import Intent
from mirrorctl.core.store.retention import Retention
from mirrorctl.core.store.sqlite import SqliteStore

store = SqliteStore(Path(sys.argv[1]), retention=Retention(rows_of_journal=60, step=30, slack=5))
action = CancelOrder("mirror", "BTCUSDT", "order-9", "", "main cancelled it")
for at in range(1, 1_000_000):
    with store.batch():
        made = [store.record_intent(action, at) for _ in range(3)]
    store.update_intent(Intent(made[0], "mirror", action, IntentState.ACCEPTED, at, at))
    for intent_id in made:
        store.update_intent(Intent(intent_id, "mirror", action, IntentState.DONE, at, at + 1))
    store.prune(at - 10, at)
    os.write(1, b".")
"""


@pytest.mark.proves("A43")
def test_a_chain_survives_sigkill_in_the_middle_of_writes_and_prunes(path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", _WRITES, str(path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.read(150)
    child.send_signal(signal.SIGKILL)
    child.stdout.close()
    assert child.wait() == -signal.SIGKILL
    with SqliteStore(path) as store:
        found = store.verify()
        assert (found.fault, found.first > 1) == (None, True)
        assert found.rows < 120
        life(store, 10)
        assert store.verify().fault is None


def test_a_journal_of_before_the_chain_is_bound_into_it(path: Path) -> None:
    third = Database(path)
    migrate(third, MIGRATIONS[:3])
    row = (
        'INSERT INTO intent VALUES ({0}, \'mirror\', \'{{"action":"cancel","account":"mirror","symbol":"BTCUSDT",'
        '"order_id":"o","link_id":"","reason":""}}\', \'{1}\', {2}, 1, {3}, \'\', NULL, \'0\', 0, 0, \'\', \'\')'
    )
    for intent_id, state, over, updated in ((1, "live", 0, 30), (2, "done", 1, 10), (3, "rejected", 1, 20)):
        third.run(row.format(intent_id, state, over, updated))
    third.run("INSERT INTO fact VALUES ('client.a', 'b')")
    third.close()
    with SqliteStore(path, read_only=True) as reader:
        assert reader.verify().fault is None
    with SqliteStore(path) as store:
        found = store.verify()
        assert (found.fault, found.rows, found.intents) == (None, 3, 3)
        assert [intent.intent_id for intent in store.open_intents()] == [1]
        store.update_intent(replace(store.open_intents()[0], state=IntentState.DONE, updated_ms=40))
        assert store.verify().fault is None
        store.prune(1_000, 2_000)
        assert store.fact("client.a") == "b", "nobody knows how old it is"
    assert path.with_name("store.sqlite.v3.backup").exists()
    fault = tampered(path, "UPDATE journal SET code = 1 WHERE intent_id = 3").fault
    assert fault is not None
    assert fault.intent_id == 3


def test_a_fact_with_a_time_is_forgotten_one_day(store: SqliteStore) -> None:
    store.set_fact("client.old", "x", 10)
    store.set_fact("client.new", "x", 100)
    store.set_fact("uid.main", "1")
    store.prune(50, 200)
    assert (store.fact("client.old"), store.fact("client.new"), store.fact("uid.main")) == (None, "x", "1")


def test_the_newest_intents_are_found_from_the_end(store: SqliteStore) -> None:
    other = replace(CANCEL, account="second", symbol="ETHUSDT")
    made = [store.record_intent(action, at) for at, action in enumerate([CANCEL, other, CANCEL, other, CANCEL])]
    assert [row.intent_id for row in store.newest_intents(2)] == [made[4], made[3]]
    eth = store.newest_intents(9, lambda intent: intent.action.symbol == "ETHUSDT")
    assert [row.intent_id for row in eth] == [made[3], made[1]]
    store.update_intent(replace(eth[1], state=IntentState.DONE, updated_ms=9))
    assert [row.state for row in store.newest_intents(4)] == ["pending", "pending", "pending", "done"]
    assert store.newest_intents(0) == []


def test_an_intent_may_be_written_under_an_id_that_was_given_away(store: SqliteStore) -> None:
    assert store.record_intent(CANCEL, 1, intent_id=1) == 1
    assert store.record_intent(CANCEL, 2) == 2
    assert store.verify().fault is None


def test_a_reader_refuses_to_prune(store: SqliteStore, path: Path) -> None:
    for at in range(0, 500, 10):
        life(store, at)
    with SqliteStore(path, read_only=True) as reader, pytest.raises(StoreUnavailable):
        reader.prune(1_000, 2_000)
