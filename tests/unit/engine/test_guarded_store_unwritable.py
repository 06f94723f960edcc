"""A value that no store can hold keeps no other write back, loses no order, and shifts no id."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mirrorctl.core.domain.actions import PlaceOrder
from mirrorctl.core.domain.errors import StoreError, Unwritable
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.values import OrderType, PositionSide, Severity, Side
from mirrorctl.core.engine.guarded_store import GuardedStore
from mirrorctl.core.engine.records import Alert, NakedTime
from mirrorctl.core.store.errors import StoreUnavailable
from mirrorctl.core.store.sqlite import SqliteStore

NO_TEXT = "no text: \ud800"
ALERT = Alert("held:1", 1_000, Severity.WARNING, "held", "m", "BTCUSDT", "held")
SPOILT = replace(ALERT, key="spoilt", text=NO_TEXT)


class Full(SqliteStore):
    """A store whose disk is full, or that has a bug, where a test says so."""

    full = broken = False

    def batch(self) -> AbstractContextManager[None]:
        if self.broken:
            raise RuntimeError("a bug")
        return super().batch()

    def record_intent(self, *args: Any, **named: Any) -> int:
        if self.full:
            raise StoreUnavailable("the disk is full")
        return super().record_intent(*args, **named)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Full]:
    with Full(path) as made:
        yield made


def order(number: int, reason: str = "") -> PlaceOrder:
    link_id = f"m1-order-{number}"
    return PlaceOrder("m", "BTCUSDT", Side.BUY, OrderType.MARKET, Decimal("0.1"), link_id, Role.CORRECTION, reason)


def known_after_a_kill(path: Path) -> dict[int, Any]:
    with SqliteStore(path) as again:
        assert again.verify().fault is None
        return {intent.intent_id: intent.action for intent in GuardedStore(again).open_intents()}


def test_an_order_stays_known_beside_an_alert_without_an_encoding(
    store: Full, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    guarded = GuardedStore(store)
    guarded.begin_round()
    assert guarded.record_intent(order(1), 1) == 1
    guarded.add_alert(SPOILT)
    guarded.add_alert(ALERT)
    guarded.end_round()
    assert (guarded.error, guarded.waiting, store.alerts(5)) == ("", 0, [ALERT])
    [told] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert told.exc_info is not None
    assert guarded.record_intent(order(2), 2) == 2 == store.newest_row()
    assert known_after_a_kill(path) == {1: order(1), 2: order(2)}


@pytest.mark.parametrize("code", [0, 1 << 70], ids=["text", "number"])
def test_what_became_of_an_order_leaves_its_number_to_a_row_of_nothing(store: Full, path: Path, code: int) -> None:
    guarded = GuardedStore(store)
    first = guarded.record_intent(order(1), 1)
    [known] = store.open_intents()
    guarded.begin_round()
    guarded.update_intent(replace(known, state=IntentState.DOUBT, code=code, message="" if code else NO_TEXT))
    second = guarded.record_intent(order(2), 2)
    guarded.end_round()
    assert (first, second, guarded.newest_row(), store.newest_row()) == (1, 3, 3, 3)
    guarded.update_intent(replace(known, state=IntentState.LIVE, updated_ms=5))
    assert guarded.record_intent(order(3), 3) == 5 == store.newest_row()
    assert known_after_a_kill(path) == {1: order(1), 3: order(2), 5: order(3)}
    store.prune(1 << 60, 1 << 60, ())
    assert store.verify().fault is None


@pytest.mark.parametrize("in_round", [True, False])
@pytest.mark.parametrize("together", [True, False])
def test_an_action_that_cannot_be_journaled_is_refused_before_it_is_sent(
    store: Full, path: Path, in_round: bool, together: bool
) -> None:
    guarded = GuardedStore(store)
    if in_round:
        guarded.begin_round()
    with pytest.raises(Unwritable, match="not sent"):
        if together:
            with guarded.batch():
                guarded.record_intent(order(1), 1)
                guarded.record_intent(order(2, NO_TEXT), 2)
        else:
            guarded.record_intent(order(1), 1)
            guarded.record_intent(order(2, NO_TEXT), 2)
    assert guarded.record_intent(order(3), 3) == 3, "its id is nobody's"
    guarded.end_round()
    assert guarded.newest_row() == store.newest_row() == 3
    assert known_after_a_kill(path) == {1: order(1), 3: order(3)}


def test_what_waited_for_the_disk_is_written_without_what_never_can_be(store: Full, path: Path) -> None:
    guarded = GuardedStore(store)
    store.full = True
    made = [guarded.record_intent(order(number, NO_TEXT if number == 2 else ""), number) for number in (1, 2, 3)]
    waiting = guarded.open_intents()
    assert [intent.intent_id for intent in waiting] == made == [1, 2, 3]
    for intent in waiting:
        guarded.update_intent(replace(intent, state=IntentState.ACCEPTED))
    guarded.add_alert(SPOILT)
    guarded.add_alert(ALERT)
    assert not guarded.catch_up(8)
    assert guarded.waiting == 8
    store.full = False
    assert guarded.catch_up(9)
    assert (guarded.error, guarded.waiting, store.alerts(5)) == ("", 0, [ALERT])
    guarded.update_intent(replace(waiting[1], state=IntentState.LIVE))  # of which no row says what it is
    assert guarded.record_intent(order(4), 4) == 7 == store.newest_row()
    assert known_after_a_kill(path) == {1: order(1), 3: order(3), 7: order(4)}


def test_what_breaks_a_rule_of_the_file_is_dropped_alone(store: Full) -> None:
    guarded = GuardedStore(store)
    nothing: Any = None
    with pytest.raises(StoreError):
        store.add_naked(NakedTime("m", nothing, PositionSide.LONG, 1, 2, ended=True))
    guarded.begin_round()
    guarded.add_naked(NakedTime("m", nothing, PositionSide.LONG, 1, 2, ended=True))
    guarded.add_alert(ALERT)
    guarded.end_round()
    assert (guarded.error, store.alerts(5)) == ("", [ALERT])


def test_an_unexpected_error_leaves_everything_in_the_queue(store: Full, path: Path) -> None:
    guarded = GuardedStore(store)
    guarded.begin_round()
    guarded.record_intent(order(1), 1)
    guarded.add_alert(ALERT)
    store.broken = True
    with pytest.raises(RuntimeError):
        guarded.end_round()
    store.broken = False
    guarded.end_round()
    assert store.alerts(5) == [ALERT]
    assert known_after_a_kill(path) == {1: order(1)}


def test_only_numbers_that_run_on_are_taken_up(store: Full, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    row = (order(1), 1, "", None)
    assert not store.record_ahead([(2, *row)]), "the next row is 1"
    assert store.record_ahead([(1, *row)])
    assert not store.record_ahead([(3, *row)])
    assert store.record_ahead([(2, *row)])
    store.left_ahead = lambda: [(1, *row), (3, *row), (2, *row)]  # type: ignore[method-assign]  # as a bug left it
    guarded = GuardedStore(store)
    assert [intent.intent_id for intent in store.open_intents()] == [1]
    assert "not taken up: intent 3 behind row 1" in caplog.text
    assert guarded.record_intent(order(2), 2) == 2 == store.newest_row()
