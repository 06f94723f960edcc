"""The meter of naked time: from the first fill to the first read that shows the stop, over restarts too (A21)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.naked import NakedMeter
from mirrorctl.core.engine.records import NakedTime
from mirrorctl.core.store.sqlite import SqliteStore

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT
STOP = Decimal(58000)


class Watch:
    """One side of one account, looked at again and again."""

    def __init__(self) -> None:
        self.store = SqliteStore(None)
        self.meter = NakedMeter(self.store)

    def look(
        self,
        at: int,
        *,
        size: str = "0.1",
        stop: Decimal | None = None,
        fill: int | None = 1_000,
        side: PositionSide = LONG,
    ) -> int | None:
        return self.meter.observe("half", "BTCUSDT", side, Decimal(size), stop, fill, at)

    def restart(self) -> None:
        self.meter = NakedMeter(self.store)

    def measured(self) -> list[tuple[int, int, bool]]:
        return [(row.from_ms, row.ms, row.ended) for row in self.store.naked_times(0)]


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.mark.proves("A21")
def test_a_spell_runs_from_the_first_fill_to_the_read_that_shows_the_stop(watch: Watch) -> None:
    assert [watch.look(at) for at in (1_050, 1_300)] == [50, 300]
    assert watch.measured() == [(1_000, 50, False)]
    assert watch.look(1_400, stop=STOP) is None
    assert watch.look(1_500, stop=STOP) is None
    assert watch.measured() == [(1_000, 400, True)]


def test_a_position_whose_first_read_shows_the_stop_was_naked_until_that_read_and_is_measured_once(
    watch: Watch,
) -> None:
    for at in (1_050, 2_000, 9_000):
        assert watch.look(at, stop=STOP) is None
    assert watch.measured() == [(1_000, 50, True)]


def test_a_stop_that_vanishes_begins_a_spell_of_its_own(watch: Watch) -> None:
    watch.look(1_050, stop=STOP)
    assert watch.look(5_000) == 0
    assert watch.look(5_700) == 700
    watch.look(6_000, stop=STOP)
    assert watch.measured() == [(1_000, 50, True), (5_000, 1_000, True)]


def test_the_next_position_is_measured_anew(watch: Watch) -> None:
    watch.look(1_050, stop=STOP)
    watch.look(4_000, size="0")
    assert watch.look(6_100, fill=6_000) == 100
    watch.look(6_200, fill=6_000, stop=STOP)
    assert watch.measured() == [(1_000, 50, True), (6_000, 200, True)]


def test_so_is_one_whose_forerunner_was_never_seen_flat(watch: Watch) -> None:
    watch.look(1_050, stop=STOP)
    watch.look(6_100, fill=6_000, stop=STOP)
    assert watch.measured() == [(1_000, 50, True), (6_000, 100, True)]


def test_a_position_that_closes_naked_was_naked_until_then(watch: Watch) -> None:
    watch.look(1_100)
    assert watch.look(1_900, size="0") is None
    assert watch.measured() == [(1_000, 900, True)]
    assert watch.meter.spells(2_000) == []


@pytest.mark.proves("A21")
def test_a_spell_goes_on_over_a_restart(watch: Watch) -> None:
    watch.look(1_100)
    watch.restart()
    assert watch.meter.spells(3_000) == [NakedTime("half", "BTCUSDT", LONG, 1_000, 2_000, ended=False)]
    assert watch.look(3_100, fill=None) == 2_100
    watch.look(3_200, stop=STOP, fill=None)
    assert watch.measured() == [(1_000, 2_200, True)]


@pytest.mark.parametrize("fill", [None, 1_000, 1_007])
def test_a_restart_measures_nothing_twice(watch: Watch, fill: int | None) -> None:
    """Not even when the clocks are compared anew and the fill seems to be a few ms younger."""
    watch.look(1_000, stop=STOP)
    watch.restart()
    watch.look(9_000, stop=STOP, fill=fill)
    assert watch.measured() == [(1_000, 0, True)]


def test_a_stop_lost_while_no_daemon_watched_counts_from_the_first_look(watch: Watch) -> None:
    watch.look(1_050, stop=STOP)
    watch.restart()
    assert watch.look(60_000) == 0
    assert watch.measured() == [(1_000, 50, True), (60_000, 0, False)]


def test_without_a_known_fill_it_counts_from_the_first_look(watch: Watch) -> None:
    assert watch.look(5_000, fill=None) == 0
    assert watch.look(5_400, fill=None) == 400
    watch.look(5_500, fill=None, stop=STOP)
    assert watch.measured() == [(5_000, 500, True)]


def test_a_fill_that_seems_to_lie_ahead_is_no_negative_time(watch: Watch) -> None:
    assert watch.look(900, fill=1_000) == 0


def test_both_legs_are_measured_apart(watch: Watch) -> None:
    watch.look(1_100)
    watch.look(1_200, side=SHORT, stop=STOP, fill=1_150)
    assert [(row.side, row.ms) for row in watch.meter.spells(2_000)] == [(LONG, 1_000)]
    assert watch.measured() == [(1_000, 100, False), (1_150, 50, True)]


def test_a_position_that_needed_no_stop_for_long_is_not_naked_from_its_first_fill(watch: Watch) -> None:
    for at in (1_050, 60_000):
        watch.look(at, size="0")  # it stands, and nobody asked for a stop
    assert watch.look(61_000) == 0
    watch.look(61_500, stop=STOP)
    assert watch.measured() == [(61_000, 500, True)]


def test_one_whose_need_was_seen_a_moment_after_its_fill_is(watch: Watch) -> None:
    watch.look(1_020, size="0")
    assert watch.look(1_050) == 50
