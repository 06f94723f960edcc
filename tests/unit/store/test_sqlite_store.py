"""What the store keeps comes back equal, in the promised order, after the file was closed and opened again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from mirrorctl.core.domain.actions import CancelOrder, PlaceOrder, SetTradingStop
from mirrorctl.core.domain.cycle import Copy, Cycle
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.trade import Target, Trade
from mirrorctl.core.domain.values import OrderType, PositionSide, Side
from mirrorctl.core.engine.records import (
    Alert,
    ClosedPosition,
    EquitySample,
    HoldTime,
    Intent,
    MeasuredCopy,
    NakedTime,
    OpenPosition,
    Severity,
    Standing,
    StandingKind,
    Store,
)
from mirrorctl.core.store.errors import StoreUnavailable
from mirrorctl.core.store.retention import Retention
from mirrorctl.core.store.sqlite import EndedCycle, SqliteStore

TWIN = PlaceOrder(
    account="mirror",
    symbol="BTCUSDT",
    side=Side.BUY,
    order_type=OrderType.LIMIT,
    qty=Decimal("0.012"),
    link_id="m1-abcde-abcdefg-w0-abcdefgh-1",
    role=Role.TWIN,
    reason="twin of main order 42, r = 0.5",
    price=Decimal("60000.5"),
    stop_loss=Decimal(58000),
)
CYCLE = Cycle("BTCUSDT", PositionSide.LONG, "abcdefg", "order-1", 1_000)
COPY = Copy("mirror", "BTCUSDT", PositionSide.LONG, "abcdefg", Decimal("0.5"), "proportion: r = 0.5")
ALERT = Alert("naked/BTCUSDT/1", 1_000, Severity.CRITICAL, "unprotected", "mirror", "BTCUSDT", "no stop for 2.1 s")
MEASURED = MeasuredCopy("mirror", "BTCUSDT", PositionSide.LONG, TWIN.link_id, 1_000, 1_080, Decimal("-1.25"))
TRADE = Trade("BTCUSDT", PositionSide.LONG, "abcdefg", "fast", 1_000)
CLOSED = ClosedPosition("mirror", "BTCUSDT", PositionSide.LONG, "abcdefg", "stop", 1_000, 5_000, late=False)
NAKED = NakedTime("mirror", "BTCUSDT", PositionSide.LONG, 1_000, 40, ended=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "paper" / "store.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(path, retention=Retention(slack=0)) as opened:
        yield opened


def reopened(store: SqliteStore, path: Path) -> SqliteStore:
    store.close()
    return SqliteStore(path)


def test_it_implements_the_port_of_the_engine(store: SqliteStore) -> None:
    port: Store = store
    assert port.cycles() == []


def test_a_store_is_fresh_only_for_the_open_that_made_it(store: SqliteStore, path: Path) -> None:
    assert store.fresh
    with reopened(store, path) as again:
        assert not again.fresh


def test_a_store_in_memory_is_fresh_and_starts_empty() -> None:
    with SqliteStore(None) as first, SqliteStore(None) as second:
        first.set_fact("uid.main", "1")
        assert second.fresh
        assert second.fact("uid.main") is None


def test_the_file_is_for_its_owner_alone(store: SqliteStore, path: Path) -> None:
    store.set_fact("a", "b")
    assert {entry.stat().st_mode & 0o777 for entry in path.parent.iterdir()} == {0o600}


def test_a_fact_is_set_and_set_again(store: SqliteStore, path: Path) -> None:
    assert store.fact("uid.main") is None
    store.set_fact("uid.main", "1")
    store.set_fact("uid.main", "2")
    with reopened(store, path) as again:
        assert again.fact("uid.main") == "2"


def test_cycles_are_saved_changed_and_ended_into_the_history(store: SqliteStore, path: Path) -> None:
    other = Cycle("BTCUSDT", PositionSide.SHORT, "bcdefgh", "order-2", 900)
    store.save_cycle(CYCLE)
    store.save_cycle(other)
    store.save_cycle(replace(CYCLE, opened=True))
    with reopened(store, path) as again:
        assert again.cycles() == [other, replace(CYCLE, opened=True)]
        again.end_cycle(CYCLE.key, 5_000)
        again.end_cycle(("ETHUSDT", PositionSide.LONG), 6_000)
        assert again.cycles() == [other]
        assert again.ended_cycles(5_000) == [EndedCycle(replace(CYCLE, opened=True), 5_000)]
        assert again.ended_cycles(5_001) == []


def test_done_rungs_go_with_their_cycle_into_the_history(store: SqliteStore, path: Path) -> None:
    cycle = replace(CYCLE, opened=True, done=("abcdefgh", "bcdefghi"))
    store.save_cycle(cycle)
    with reopened(store, path) as again:
        assert again.cycles() == [cycle]
        again.end_cycle(CYCLE.key, 5_000)
        assert again.ended_cycles(0) == [EndedCycle(cycle, 5_000)]


def test_the_same_key_may_end_many_times(store: SqliteStore) -> None:
    for number in (1, 2):
        store.save_cycle(replace(CYCLE, tag=f"tag{number}"))
        store.end_cycle(CYCLE.key, number)
    assert [ended.cycle.tag for ended in store.ended_cycles(0)] == ["tag1", "tag2"]


@pytest.mark.parametrize(
    "copy",
    [
        COPY,
        replace(COPY, cap=Decimal("0.006"), main_size=Decimal("0.024"), opened=True, out="own stop"),
        replace(COPY, cap=Decimal(0), ended=True, held="new store"),
        replace(COPY, done=("abcdefgh", "bcdefghi"), own_stop=Decimal("60010.5")),
    ],
)
def test_a_copy_comes_back_equal(store: SqliteStore, path: Path, copy: Copy) -> None:
    store.save_copy(replace(copy, ratio=Decimal(9)))
    store.save_copy(copy)
    with reopened(store, path) as again:
        assert again.copies() == [copy]
        again.drop_copy(copy.key)
        assert again.copies() == []


@pytest.mark.parametrize(
    "trade",
    [
        TRADE,
        replace(
            TRADE,
            side=PositionSide.SHORT,
            targets=(Target(Decimal("1E+3"), Decimal(85)), Target(Decimal("0.0000123"), Decimal(15))),
            stop=Decimal("2E+3"),
            stood=Decimal(1990),
            breakeven_after=1,
            breakeven_margin_bps=Decimal("2.5"),
            cancel_entries_after=2,
            revision=3,
            adopted=True,
            opened=True,
        ),
    ],
)
def test_a_trade_comes_back_equal(store: SqliteStore, path: Path, trade: Trade) -> None:
    store.save_trade(replace(trade, stop=Decimal(1)))
    store.save_trade(trade)
    with reopened(store, path) as again:
        assert again.trades() == [trade]
        again.drop_trade(("ETHUSDT", trade.side))
        again.drop_trade(trade.key)
        assert again.trades() == []


def test_both_sides_of_a_symbol_may_have_a_trade(store: SqliteStore) -> None:
    short = replace(TRADE, side=PositionSide.SHORT, created_ms=900)
    store.save_trade(TRADE)
    store.save_trade(short)
    assert store.trades() == [short, TRADE]


def test_an_intent_lives_from_pending_to_done(store: SqliteStore, path: Path) -> None:
    intent_id = store.record_intent(TWIN, 100, "main-order", Decimal("0.003"))
    pending = Intent(intent_id, "mirror", TWIN, IntentState.PENDING, 100, 100, "main-order", Decimal("0.003"))
    assert store.open_intents() == [pending]
    live = replace(pending, state=IntentState.LIVE, updated_ms=150, filled=Decimal("0.004"), by_us=True)
    store.update_intent(live)
    with reopened(store, path) as again:
        assert again.open_intents() == [live]
        refused = replace(live, state=IntentState.REJECTED, updated_ms=200, code=110007, message="not enough")
        again.update_intent(refused)
        assert again.open_intents() == []
        assert again.recent_intents(200) == [refused]
        assert again.recent_intents(201) == []


@pytest.mark.parametrize("state", IntentState)
def test_an_intent_is_open_until_its_state_is_over(store: SqliteStore, state: IntentState) -> None:
    intent_id = store.record_intent(TWIN, 100)
    store.update_intent(Intent(intent_id, "mirror", TWIN, state, 100, 101))
    assert [intent.state for intent in store.open_intents()] == ([] if state.is_over else [state])


def test_intents_come_oldest_first_whenever_they_were_updated(store: SqliteStore) -> None:
    cancel = CancelOrder("mirror", "BTCUSDT", "order-9", "", "main cancelled it")
    ids = [store.record_intent(action, 100) for action in (TWIN, cancel, TWIN)]
    assert ids == sorted(ids)
    first = store.open_intents()[0]
    store.update_intent(replace(first, state=IntentState.LIVE, updated_ms=999))
    assert [intent.intent_id for intent in store.open_intents()] == ids
    assert [intent.intent_id for intent in store.recent_intents(0)] == ids
    assert store.open_intents()[1].action == cancel


def test_standings_survive_and_are_dropped_by_their_key(store: SqliteStore, path: Path) -> None:
    pause = Standing(StandingKind.PAUSE, "", "", "by hand", 2)
    park = Standing(StandingKind.PARK, "mirror", "BTCUSDT", "foreign position", 1)
    store.save_standing(pause)
    store.save_standing(replace(park, reason="first"))
    store.save_standing(park)
    with reopened(store, path) as again:
        assert again.standings() == [park, pause]
        again.drop_standing(StandingKind.PAUSE, "mirror", "BTCUSDT")
        again.drop_standing(StandingKind.PARK, "mirror", "BTCUSDT")
        assert again.standings() == [pause]


def test_an_alert_is_told_once(store: SqliteStore, path: Path) -> None:
    assert store.add_alert(ALERT)
    assert not store.add_alert(replace(ALERT, text="again", at_ms=2_000))
    with reopened(store, path) as again:
        assert not again.add_alert(ALERT)
        assert again.alerts(10) == [ALERT]


def test_alerts_are_shown_newest_first_and_delivered_oldest_first(store: SqliteStore) -> None:
    rows = [replace(ALERT, key=f"k{number}", at_ms=number) for number in range(4)]
    for row in rows:
        store.add_alert(row)
    store.mark_delivered("k1", 50)
    store.mark_delivered("unknown", 50)
    assert store.alerts(2) == [rows[3], rows[2]]
    assert store.alerts(0) == []
    assert store.undelivered() == [rows[0], rows[2], rows[3]]


def test_one_order_is_measured_once(store: SqliteStore, path: Path) -> None:
    unknown = replace(MEASURED, account="second", slippage_bps=None)
    store.add_measured_copy(MEASURED)
    store.add_measured_copy(unknown)
    store.add_measured_copy(replace(MEASURED, mirror_exec_ms=9_999))
    with reopened(store, path) as again:
        assert again.measured_copies() == [MEASURED, unknown]


def test_the_way_of_a_copy_is_kept_as_far_as_it_is_known(store: SqliteStore, path: Path) -> None:
    ways = [replace(MEASURED, link_id=f"l{n}", received_ms=1_010, sent_ms=1_020 + n) for n in range(3)]
    for way in ways:
        store.add_measured_copy(way)
    with reopened(store, path) as again:
        assert again.measured_copies() == ways
        assert again.newest_measured(2) == ways[1:]
        assert again.newest_measured(0) == []


def test_samples_and_holds_come_back_by_time(store: SqliteStore, path: Path) -> None:
    known = EquitySample("mirror", 60_000, Decimal("1000.5"), Decimal(30), Decimal(30), Decimal("29.99"))
    samples = [EquitySample("main", 60_000, None), known, replace(known, at_ms=120_000)]
    hold = HoldTime("mirror", "BTCUSDT", PositionSide.LONG, 5_000, "paused: by the trader")
    store.add_samples(samples)
    store.add_samples([])
    store.add_hold(hold)
    with reopened(store, path) as again:
        assert again.samples(0) == samples
        assert again.samples(60_001) == samples[2:]
        assert again.hold_times(99_000) == [hold], "it lasts"
        again.add_hold(replace(hold, until_ms=8_000))
        assert again.hold_times(8_001) == []
        assert again.hold_times(8_000) == [replace(hold, until_ms=8_000)]


def test_what_a_copy_was_is_kept_when_its_cycle_ends(store: SqliteStore, path: Path) -> None:
    """Of each mirror, under its own symbol and side; not of an order that rested, nor of what was over before."""
    mapped = replace(
        COPY, account="second", symbol="1000BTC", side=PositionSide.SHORT, unsized="waits for it", out="stop"
    )
    store.set_fact("multiplier.second.1000BTC.short", "0.001")
    store.save_cycle(replace(CYCLE, opened=True))
    for copy in (COPY, mapped, replace(COPY, account="old", ended=True), replace(COPY, account="other", tag="of")):
        store.save_copy(copy)
    store.save_cycle(Cycle("ETHUSDT", PositionSide.LONG, "of", "order-2", 1_000))
    with reopened(store, path) as again:
        again.end_cycle(CYCLE.key, 5_000)
        again.end_cycle(("ETHUSDT", PositionSide.LONG), 6_000)
        first, second = again.ended_copies(0)
        assert again.ended_copies(5_001) == []
    assert (first.account, first.ratio, first.multiplier) == ("mirror", Decimal("0.5"), None)
    assert (first.source, first.started_ms, first.ended_ms) == (CYCLE.key, 1_000, 5_000)
    assert (second.symbol, second.side, second.source) == ("1000BTC", PositionSide.SHORT, CYCLE.key)
    assert (second.ratio, second.unsized, second.multiplier) == (None, "waits for it", Decimal("0.001"))
    assert second.out == "stop"


def test_an_open_position_is_remembered_until_it_is_dropped(store: SqliteStore, path: Path) -> None:
    first = OpenPosition("mirror", "BTCUSDT", PositionSide.LONG)
    short = OpenPosition("mirror", "BTCUSDT", PositionSide.SHORT, "bcdefgh", "fast", 900)
    for row in (first, short, OpenPosition("mirror", "BTCUSDT", PositionSide.LONG, "abcdefg", "fast", 1_000)):
        store.save_open(row)
    with reopened(store, path) as again:
        assert [row.tag for row in again.open_positions()] == ["abcdefg", "bcdefgh"]
        again.drop_open(first.key)
        assert again.open_positions() == [short]


def test_a_position_closes_once(store: SqliteStore, path: Path) -> None:
    later = replace(CLOSED, closed_ms=6_000, reason="target", late=True, approach="fast")
    store.add_closed(later)
    store.add_closed(CLOSED)
    store.add_closed(replace(CLOSED, reason="unknown", late=True))
    with reopened(store, path) as again:
        assert again.closed_positions(0) == [CLOSED, later]
        assert again.closed_positions(5_001) == [later]


def test_a_naked_spell_grows_until_it_ends(store: SqliteStore, path: Path) -> None:
    over, later = replace(NAKED, from_ms=500, ended=True), replace(NAKED, from_ms=9_000, ms=0, ended=True)
    for row in (NAKED, over, later):
        store.add_naked(row)
    with reopened(store, path) as again:
        assert again.naked_times(0) == [over, NAKED, later]
        assert again.naked_times(2_000) == [NAKED, later], "a spell that lasts is never past"
        again.add_naked(replace(NAKED, ms=90, ended=True))
        assert again.naked_times(1_000) == [replace(NAKED, ms=90, ended=True), later]


def test_prune_deletes_what_is_old_and_over_and_nothing_else(store: SqliteStore) -> None:
    old_over, old_open = store.record_intent(TWIN, 10), store.record_intent(TWIN, 10)
    store.update_intent(Intent(old_over, "mirror", TWIN, IntentState.DONE, 10, 20))
    newer = store.record_intent(TWIN, 100)
    store.update_intent(Intent(newer, "mirror", TWIN, IntentState.DONE, 100, 100))
    for number, at in enumerate((10, 20, 100)):
        store.add_alert(replace(ALERT, key=f"k{number}", at_ms=at))
        store.save_cycle(replace(CYCLE, tag=f"t{number}"))
        store.end_cycle(CYCLE.key, at)
        store.add_measured_copy(replace(MEASURED, link_id=f"l{number}", mirror_exec_ms=at))
        store.add_closed(replace(CLOSED, closed_ms=at))
        store.add_naked(replace(NAKED, from_ms=at, ended=True))
        store.add_samples([EquitySample("main", at, Decimal(at))])
        store.add_hold(HoldTime("mirror", "BTCUSDT", PositionSide.LONG, at, "why", at + 1))
    store.add_hold(HoldTime("mirror", "ETHUSDT", PositionSide.LONG, 5, "it lasts"))
    store.mark_delivered("k0", 11)
    store.save_cycle(CYCLE)
    store.save_copy(COPY)
    store.save_trade(TRADE)
    store.add_naked(replace(NAKED, from_ms=5))
    store.save_standing(Standing(StandingKind.PAUSE, "", "", "by hand", 1))
    store.set_fact("uid.main", "1")

    assert store.prune(100, 200) == 17

    assert [intent.intent_id for intent in store.recent_intents(0)] == [old_open, newer]
    assert [alert.key for alert in store.alerts(10)] == ["k2"]
    assert [ended.cycle.tag for ended in store.ended_cycles(0)] == ["t2"]
    assert [measured.link_id for measured in store.measured_copies()] == ["l2"]
    assert [closed.closed_ms for closed in store.closed_positions(0)] == [100]
    assert [naked.from_ms for naked in store.naked_times(0)] == [5, 100]
    assert [sample.at_ms for sample in store.samples(0)] == [100]
    assert [hold.from_ms for hold in store.hold_times(0)] == [5, 100]
    assert store.trades() == [TRADE]
    assert (store.cycles(), store.copies(), len(store.standings()), store.fact("uid.main")) == ([CYCLE], [COPY], 1, "1")


def test_an_intent_id_is_never_given_twice(store: SqliteStore, path: Path) -> None:
    given = store.record_intent(TWIN, 10)
    store.update_intent(Intent(given, "mirror", TWIN, IntentState.DONE, 10, 10))
    store.prune(1_000, 2_000)
    with reopened(store, path) as again:
        assert again.record_intent(TWIN, 20) > given


def test_the_file_stays_bounded_when_it_is_pruned(store: SqliteStore, path: Path) -> None:
    sizes = []
    for hour in range(6):
        with store.batch():
            for number in range(500):
                at = hour * 1_000 + number
                intent_id = store.record_intent(TWIN, at)
                store.update_intent(Intent(intent_id, "mirror", TWIN, IntentState.DONE, at, at))
                store.add_alert(replace(ALERT, key=f"{hour}/{number}", at_ms=at))
        store.prune((hour - 1) * 1_000, hour * 1_000)
        store.checkpoint()
        sizes.append(path.stat().st_size)
    assert max(sizes[3:]) <= sizes[2] * 1.05


def test_a_batch_is_all_or_nothing(store: SqliteStore) -> None:
    with pytest.raises(ZeroDivisionError), store.batch():
        store.set_fact("a", "1")
        store.record_intent(TWIN, 1)
        raise ZeroDivisionError
    assert store.fact("a") is None
    assert store.open_intents() == []
    store.set_fact("a", "2")
    assert store.fact("a") == "2"


def test_a_failed_inner_batch_undoes_its_own_part_only(store: SqliteStore) -> None:
    with store.batch():
        store.set_fact("outer", "1")
        with pytest.raises(ZeroDivisionError), store.batch():
            store.set_fact("inner", "1")
            raise ZeroDivisionError
        with store.batch():
            store.set_fact("second", "1")
    assert (store.fact("outer"), store.fact("inner"), store.fact("second")) == ("1", None, "1")


def test_a_failed_outer_batch_undoes_the_inner_ones_too(store: SqliteStore) -> None:
    with pytest.raises(ZeroDivisionError), store.batch():
        with store.batch():
            store.set_fact("inner", "1")
        raise ZeroDivisionError
    assert store.fact("inner") is None


def test_a_reader_sees_what_a_live_writer_committed_and_cannot_write(store: SqliteStore, path: Path) -> None:
    with SqliteStore(path, read_only=True) as reader:
        assert not reader.fresh
        store.save_cycle(CYCLE)
        assert reader.cycles() == [CYCLE]
        with store.batch():
            store.save_copy(COPY)
            assert reader.copies() == []
        assert reader.copies() == [COPY]
        with pytest.raises(StoreUnavailable):
            reader.set_fact("a", "b")
        with reader.batch():
            before = reader.fact("a")
            store.set_fact("a", "b")
            assert reader.fact("a") == before is None
        assert reader.fact("a") == "b"


def test_a_missing_file_reads_as_a_fresh_store_and_is_not_made(path: Path) -> None:
    with SqliteStore(path, read_only=True) as reader:
        assert reader.fresh
        assert reader.open_intents() == []
        assert reader.alerts(5) == []
        with pytest.raises(StoreUnavailable):
            reader.record_intent(TWIN, 1)
    assert not path.parent.exists()


def test_close_may_be_called_twice(path: Path) -> None:
    store = SqliteStore(path)
    store.close()
    store.close()


def test_a_stop_of_a_position_is_journaled_too(store: SqliteStore) -> None:
    stop = SetTradingStop("mirror", "BTCUSDT", 1, "main moved its stop", stop_loss=Decimal("0.0000123"))
    store.record_intent(stop, 1)
    assert [intent.action for intent in store.open_intents()] == [stop]


def test_writes_that_waited_when_the_process_died_are_known_to_the_next(store: SqliteStore, path: Path) -> None:
    assert not store.was_waiting
    store.note_waiting(True)
    with reopened(store, path) as again:
        assert again.was_waiting
        with SqliteStore(path, read_only=True) as reader:
            assert not reader.was_waiting, "it is for who writes"
    with SqliteStore(path) as third:
        assert third.was_waiting, "until somebody says that it was dealt with"
        third.note_waiting(False)
    with SqliteStore(path) as fourth:
        assert not fourth.was_waiting


def test_a_store_from_before_the_mark_lost_nothing(store: SqliteStore, path: Path) -> None:
    store.close()
    path.with_name("store.sqlite.whole").unlink()
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("DELETE FROM fact")
    connection.close()
    with SqliteStore(path) as again:
        assert not again.was_waiting
