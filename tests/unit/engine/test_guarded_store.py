"""The engine's store while the file cannot be written: nothing raises, nothing is lost, and the order is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.actions import CancelOrder, PlaceOrder, SetTradingStop
from mirrorctl.core.domain.cycle import Cycle
from mirrorctl.core.domain.errors import StoreError
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.scene import Planned
from mirrorctl.core.domain.values import OrderType, PositionSide, Severity, Side
from mirrorctl.core.engine.guarded_store import GuardedStore
from mirrorctl.core.engine.intents import IntentBook
from mirrorctl.core.engine.records import Alert, ClosedPosition
from mirrorctl.core.store.errors import StoreUnavailable
from mirrorctl.core.store.sqlite import SqliteStore

CANCEL = CancelOrder("mirror", "BTCUSDT", "order-9", "", "main cancelled it")
CYCLE = Cycle("BTCUSDT", PositionSide.LONG, "abcdefg", "order-1", 1_000)
ALERT = Alert("held:1", 1_000, Severity.WARNING, "held", "mirror", "BTCUSDT", "held")
CLOSED = ClosedPosition("mirror", "BTCUSDT", PositionSide.LONG, "abcdefg", "stop", 1_000, 5_000, late=False)


class Disk:
    """A store on a disk that may be full, or not be readable at all."""

    def __init__(self) -> None:
        self.store = SqliteStore(None)
        self.full = self.gone = self.full_at_commit = False

    @contextmanager
    def batch(self) -> Iterator[None]:
        self._refuse(self.gone)
        with self.store.batch():
            yield
            self._refuse(self.full_at_commit)

    def _refuse(self, refused: bool) -> None:
        if refused:
            raise StoreUnavailable("the disk is full", "free space")

    def __getattr__(self, name: str) -> Any:
        target = getattr(self.store, name)
        if not callable(target) or name == "note_waiting":
            return target
        writes = name.startswith(("set_", "save_", "end_", "drop_", "record_", "update_", "add_", "mark_", "prune"))

        def checked(*args: Any, **named: Any) -> Any:
            self._refuse(self.gone or (self.full and writes))
            return target(*args, **named)

        return checked


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def guarded(disk: Disk) -> GuardedStore:
    return GuardedStore(disk)


def test_while_all_is_well_every_write_is_there_at_once(disk: Disk, guarded: GuardedStore) -> None:
    made = guarded.record_intent(CANCEL, 1)
    with guarded.batch():
        guarded.save_cycle(CYCLE)
        guarded.set_fact("a", "1")
    assert [intent.intent_id for intent in disk.store.open_intents()] == [made]
    assert (disk.store.cycles(), disk.store.fact("a")) == ([CYCLE], "1")
    assert guarded.add_alert(ALERT)
    assert not guarded.add_alert(ALERT)
    assert (guarded.error, guarded.waiting) == ("", 0)


@pytest.mark.parametrize("trouble", ["full", "gone"])
def test_what_cannot_be_written_waits_is_seen_and_is_written_in_its_order(
    disk: Disk, guarded: GuardedStore, trouble: str
) -> None:
    first = guarded.record_intent(CANCEL, 1)
    known = disk.store.open_intents()[0]
    guarded.set_fact("a", "1")
    setattr(disk, trouble, True)
    guarded.update_intent(replace(known, state=IntentState.DONE, updated_ms=2))
    second = guarded.record_intent(CANCEL, 3)
    guarded.save_cycle(CYCLE)
    guarded.end_cycle(CYCLE.key, 4)
    guarded.set_fact("a", "2")
    assert guarded.add_alert(ALERT)
    assert not guarded.add_alert(ALERT)
    guarded.add_closed(CLOSED)
    assert (guarded.error, guarded.hint, guarded.waiting) == ("the disk is full", "free space", 7)
    assert (guarded.fact("a"), guarded.alerts(5), guarded.closed_positions(0)) == ("2", [ALERT], [CLOSED])
    with pytest.raises(ZeroDivisionError), guarded.batch():
        guarded.set_fact("a", "3")
        raise ZeroDivisionError
    assert (guarded.fact("a"), guarded.waiting) == ("2", 7)
    assert guarded.prune(10, 20) == 0
    guarded.checkpoint()
    assert not guarded.catch_up(5)
    assert disk.store.fact("a") == "1"
    setattr(disk, trouble, False)
    assert guarded.catch_up(6)
    assert (guarded.error, guarded.waiting, disk.store.fact("a")) == ("", 0, "2")
    assert [(row.intent_id, row.state) for row in disk.store.recent_intents(0)] == [
        (first, "done"),
        (second, "pending"),
    ]
    assert [row.cycle for row in disk.store.ended_cycles(0)] == [CYCLE]
    assert disk.store.alerts(5) == [ALERT]
    assert guarded.record_intent(CANCEL, 7) > second
    assert disk.store.verify().fault is None


@pytest.mark.parametrize("trouble", ["full", "full_at_commit", "gone"])
def test_a_batch_that_cannot_be_written_waits_as_a_whole(disk: Disk, guarded: GuardedStore, trouble: str) -> None:
    guarded.set_fact("a", "1")
    setattr(disk, trouble, True)
    with guarded.batch():
        made = [guarded.record_intent(CANCEL, 1), guarded.record_intent(CANCEL, 2)]
        guarded.set_fact("a", "2")
    assert (disk.store.fact("a"), guarded.fact("a"), disk.store.open_intents()) == ("1", "2", [])
    assert (guarded.error != "", guarded.waiting) == (True, 3)
    setattr(disk, trouble, False)
    assert guarded.catch_up(3)
    assert [row.intent_id for row in disk.store.open_intents()] == made


@pytest.mark.parametrize("trouble", ["", "full", "gone"])
def test_a_batch_that_an_error_undid_is_never_written(disk: Disk, guarded: GuardedStore, trouble: str) -> None:
    if trouble:
        setattr(disk, trouble, True)
    with pytest.raises(ZeroDivisionError), guarded.batch():
        guarded.record_intent(CANCEL, 1)
        guarded.set_fact("a", "1")
        raise ZeroDivisionError
    assert guarded.fact("a") is None
    disk.full = disk.gone = False
    assert guarded.catch_up(2)
    assert disk.store.recent_intents(0) == []
    assert guarded.record_intent(CANCEL, 3) == guarded.newest_row()
    assert disk.store.verify().fault is None


def test_the_disk_fills_up_in_the_middle_of_a_batch(disk: Disk, guarded: GuardedStore) -> None:
    with guarded.batch():
        first = guarded.record_intent(CANCEL, 1)
        with guarded.batch():
            guarded.save_cycle(CYCLE)
        disk.full = True
        second = guarded.record_intent(CANCEL, 2)
    assert disk.store.recent_intents(0) == []
    disk.full = False
    assert guarded.catch_up(3)
    assert [row.intent_id for row in disk.store.open_intents()] == [first, second]
    assert disk.store.cycles() == [CYCLE]


def test_a_read_that_nobody_can_answer_raises_nothing(disk: Disk, guarded: GuardedStore) -> None:
    disk.gone = True
    assert guarded.fact("never read") is None
    assert (guarded.alerts(5), guarded.closed_positions(0), guarded.has_alert("x")) == ([], [], False)
    assert guarded.error == "the disk is full"
    with pytest.raises(StoreError):
        guarded.open_intents()


def test_a_prune_that_fails_is_told_and_tried_again(disk: Disk, guarded: GuardedStore) -> None:
    disk.full = True
    assert guarded.prune(1, 2) == 0
    assert guarded.error
    disk.full = False
    assert guarded.catch_up(3)
    assert guarded.prune(1, 2) == 0
    assert not guarded.error


ENTRY = PlaceOrder(
    account="mirror",
    symbol="BTCUSDT",
    side=Side.BUY,
    order_type=OrderType.LIMIT,
    qty=Decimal("0.012"),
    link_id="m1-abcde-abcdefg-w0-abcdefgh-1",
    role=Role.TWIN,
    reason="twin",
    price=Decimal(60_000),
)
STOP = SetTradingStop("mirror", "BTCUSDT", 0, "as on main", stop_loss=Decimal(58_000))


@pytest.mark.proves("A29", "A43")
def test_an_entry_that_cannot_be_journaled_is_left_out_and_its_id_stays_free(disk: Disk, guarded: GuardedStore) -> None:
    book = IntentBook(guarded)
    disk.full = True
    for _ in range(2):  # it fails just now, then it is known
        opened = book.open_all([Planned(ENTRY), Planned(STOP), Planned(CANCEL)], 1)
        assert [intent.action for intent in opened] == [STOP, CANCEL]
        assert book.by_link("mirror", ENTRY.link_id) is None
        assert book.placements("mirror", 1) == 0
    with pytest.raises(StoreError) as caught:
        book.open(ENTRY, 2)
    assert (caught.value.message, caught.value.hint, caught.value.exit_code) == ("the disk is full", "free space", 6)
    disk.full = False
    assert guarded.catch_up(3)
    [sent] = book.open_all([Planned(ENTRY)], 4)
    states = [(row.action, row.state) for row in disk.store.recent_intents(0) if row.action == ENTRY]
    assert states == [(ENTRY, IntentState.ABSENT), (ENTRY, IntentState.PENDING)]
    assert sent.intent_id == max(row.intent_id for row in disk.store.recent_intents(0))


def test_alerts_that_wait_to_be_written_wait_to_be_delivered_too(disk: Disk, guarded: GuardedStore) -> None:
    first, second = replace(ALERT, key="first"), replace(ALERT, key="second")
    guarded.add_alert(first)
    disk.full = True
    guarded.add_alert(second)
    assert guarded.error
    assert guarded.undelivered() == [first, second]
    guarded.mark_delivered("first", 9)
    assert guarded.undelivered() == [second]
    disk.full = False
    assert guarded.catch_up(10)
    assert disk.store.undelivered() == [second]
    disk.gone = True
    assert guarded.undelivered() == []


def test_records_of_a_round_wait_for_its_end_and_are_seen_meanwhile(disk: Disk, guarded: GuardedStore) -> None:
    made = guarded.record_intent(CANCEL, 1)
    known = disk.store.open_intents()[0]
    guarded.begin_round()
    guarded.update_intent(replace(known, state=IntentState.DONE, updated_ms=2))
    assert guarded.add_alert(ALERT)
    assert not guarded.add_alert(ALERT)
    guarded.add_closed(CLOSED)
    assert (disk.store.alerts(5), [row.intent_id for row in disk.store.open_intents()]) == ([], [made])
    assert (guarded.alerts(5), guarded.undelivered(), guarded.closed_positions(0)) == ([ALERT], [ALERT], [CLOSED])
    assert (guarded.has_alert(ALERT.key), guarded.error, guarded.waiting) == (True, "", 0)
    guarded.end_round()
    assert (disk.store.alerts(5), disk.store.open_intents(), disk.store.closed_positions(0)) == ([ALERT], [], [CLOSED])
    assert guarded.add_alert(replace(ALERT, key="held:2"))
    assert len(disk.store.alerts(5)) == 2, "no round, nothing waits"


@pytest.mark.parametrize("what", ["intent", "decision", "fact", "batch"])
def test_what_something_depends_on_never_waits_and_takes_along_what_came_before(
    disk: Disk, guarded: GuardedStore, what: str
) -> None:
    guarded.begin_round()
    guarded.add_alert(ALERT)
    if what == "intent":
        guarded.record_intent(CANCEL, 1)
        assert len(disk.store.open_intents()) == 1
    elif what == "decision":
        guarded.save_cycle(CYCLE)
        assert disk.store.cycles() == [CYCLE]
    elif what == "fact":
        guarded.set_fact("a", "1")
        assert disk.store.fact("a") == "1"
    else:
        with guarded.batch():
            guarded.add_closed(CLOSED)
            guarded.save_cycle(CYCLE)
        assert (disk.store.cycles(), disk.store.closed_positions(0)) == ([CYCLE], [CLOSED])
    assert disk.store.alerts(5) == [ALERT]


def test_that_an_order_ends_by_our_will_is_written_with_the_cancel(disk: Disk, guarded: GuardedStore) -> None:
    book = IntentBook(guarded)
    guarded.begin_round()
    [placed] = book.open_all([Planned(ENTRY)], 1)
    book.open_all([Planned(replace(CANCEL, link_id=ENTRY.link_id))], 2)
    [found] = [row for row in disk.store.open_intents() if row.intent_id == placed.intent_id]
    assert found.by_us


@pytest.mark.parametrize("trouble", ["full", "full_at_commit", "gone"])
def test_a_round_that_cannot_be_written_down_waits_for_the_file(
    disk: Disk, guarded: GuardedStore, trouble: str
) -> None:
    guarded.begin_round()
    guarded.add_alert(ALERT)
    guarded.add_closed(CLOSED)
    setattr(disk, trouble, True)
    guarded.end_round()
    assert (guarded.error, guarded.waiting) == ("the disk is full", 2)
    setattr(disk, trouble, False)
    assert guarded.catch_up(1)
    assert (disk.store.alerts(5), disk.store.closed_positions(0)) == ([ALERT], [CLOSED])
