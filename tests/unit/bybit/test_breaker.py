"""The breaker of an account on a virtual clock: what opens it, who passes while it is open, what closes it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorctl.core.bybit.breaker import Breaker, Passage, Turn
from mirrorctl.core.engine.ports import BreakerState

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN


def breaker(**settings: float) -> Breaker:
    """Without jitter: every pause is as long as it can be."""
    return Breaker(lambda: 1.0, **settings)  # type: ignore[arg-type]  # `after` is given by nobody here


def let_through(it: Breaker, now: float, *, protective: bool = False) -> Passage:
    passage = it.admit(now, protective=protective)
    assert isinstance(passage, Passage)
    return passage


def broken(now: float = 0.0, outages: int = 3, **settings: float) -> Breaker:
    """One that saw so many outages in a row, the last at `now`."""
    it = breaker(**settings)
    for _ in range(outages):
        it.failed(now, Passage(now, Turn.PLAIN, now))
    return it


def test_outages_in_a_row_open_it_and_pauses_grow_to_ten_seconds() -> None:
    it, now, pauses = breaker(), 0.0, []
    for _ in range(10):
        it.failed(now, let_through(it, now))
        pauses.append(it.next_try_s(now))
        now += pauses[-1] + 1
    assert pauses == [0, 0, 0.5, 1, 2, 4, 8, 10, 10, 10]


def test_an_answer_between_outages_keeps_it_closed() -> None:
    it = breaker()
    for second in range(20):
        passage = let_through(it, second)
        it.failed(second, passage) if second % 3 else it.answered(passage)
    assert it.state(20) is CLOSED


def test_jitter_shortens_a_pause_by_at_most_half() -> None:
    it = Breaker(lambda: 0.0, after=1)
    it.failed(0, let_through(it, 0))
    assert it.next_try_s(0) == 0.25


def test_calls_that_fail_side_by_side_count_once() -> None:
    it = breaker()
    together = [let_through(it, 0) for _ in range(5)]
    for passage in together:
        it.failed(5, passage)
    assert it.state(5) is CLOSED


def test_half_open_lets_exactly_one_call_through_and_its_success_closes() -> None:
    it = broken()
    assert it.state(0.4) is OPEN
    assert it.admit(0.4) == pytest.approx(0.1)
    probe = let_through(it, 0.6)
    assert it.state(0.6) is HALF_OPEN
    assert not isinstance(it.admit(0.6), Passage)
    assert not isinstance(it.admit(0.9), Passage)
    it.answered(probe)
    assert it.state(0.9) is CLOSED
    assert let_through(it, 0.9).turn is Turn.PLAIN


def test_a_probe_that_fails_opens_it_again_for_longer() -> None:
    it = broken()
    it.failed(1.0, let_through(it, 1.0))
    assert (it.state(1.0), it.next_try_s(1.0)) == (OPEN, 1.0)
    it.failed(2.5, let_through(it, 2.5))
    assert it.next_try_s(2.5) == 2.0


def test_a_probe_that_was_not_made_after_all_leaves_the_turn_to_the_next() -> None:
    it = broken()
    it.withdraw(let_through(it, 1.0))
    assert it.state(1.0) is OPEN
    assert let_through(it, 1.0).turn is Turn.PROBE


def test_a_probe_of_which_nothing_is_heard_does_not_hold_the_account_for_ever() -> None:
    it = broken(lease_s=30)
    let_through(it, 1.0)
    assert not isinstance(it.admit(30.9), Passage)
    assert let_through(it, 31.0).turn is Turn.PROBE


@pytest.mark.proves("A29")
def test_protective_writes_pass_while_it_is_open_one_every_two_seconds() -> None:
    it = broken(outages=9)  # for 10 s
    went = []
    for tenth in range(1, 100):
        now = tenth / 10
        assert not isinstance(it.admit(now), Passage), "an entry does not pass"
        passage = it.admit(now, protective=True)
        if isinstance(passage, Passage):
            went.append(now)
            it.failed(now, passage)
    assert went == [2.0 * n for n in range(1, 5)]
    assert it.next_try_s(9.9) == pytest.approx(0.1), "trying out of turn did not put off the probe of the others"


@pytest.mark.proves("A29")
def test_a_protective_write_that_gets_through_closes_it() -> None:
    it = broken(outages=9)
    it.answered(let_through(it, 2.0, protective=True))
    assert it.state(2.0) is CLOSED


def test_a_protective_write_passes_while_a_probe_hangs() -> None:
    it = broken()
    let_through(it, 1.0)
    assert it.admit(1.5, protective=True) == 0.5
    assert let_through(it, 3.0, protective=True).turn is Turn.PROTECTIVE


def test_a_protective_write_held_back_by_a_budget_keeps_its_turn() -> None:
    it = broken(outages=9)
    it.withdraw(let_through(it, 2.0, protective=True))
    assert let_through(it, 2.0, protective=True).turn is Turn.PROTECTIVE


@given(st.lists(st.tuples(st.floats(0.01, 5), st.booleans(), st.sampled_from("afw")), max_size=60))
def test_whatever_happens_at_most_one_probe_is_out(steps: list[tuple[float, bool, str]]) -> None:
    it, now = broken(lease_s=1e9), 0.0
    out: list[Passage] = []
    for gap, protective, end in steps:
        now += gap
        passage = it.admit(now, protective=protective)
        if isinstance(passage, Passage):
            out.append(passage)
        assert sum(one.turn is Turn.PROBE for one in out) <= 1
        if out and end != "w":
            one = out.pop(0)
            it.answered(one) if end == "a" else it.failed(now, one)
