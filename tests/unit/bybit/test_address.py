"""The one budget of this address: never more than the exchange bears, and never nothing for protective calls."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorctl.core.bybit.address import WINDOW_S, Address, shared_address
from mirrorctl.core.bybit.quotas import Urgency

BYBIT_LIMIT = 600  # in 5 s, for one address (rate-limit/rate-limit)
LONGEST_ON_ITS_WAY_S = 5.0

PROTECTIVE, SETTLING, ORDINARY = Urgency

arrivals = st.lists(st.tuples(st.floats(0, 0.5), st.integers(1, 60), st.sampled_from(Urgency)), max_size=80)


def went(address: Address, asked: list[tuple[float, int, Urgency]]) -> list[float]:
    """When each admitted request left: bursts of some urgency, each a while after the one before."""
    times = accumulate(gap for gap, _, _ in asked)
    return [
        now
        for now, (_, count, urgency) in zip(times, asked, strict=True)
        for _ in range(count)
        if not address.take(now, urgency)
    ]


def most_within(times: list[float], window_s: float) -> int:
    return max((sum(start <= time <= start + window_s for time in times) for start in times), default=0)


@pytest.mark.proves("A51")
@given(arrivals)
def test_no_window_of_five_seconds_holds_more_than_the_budget(asked: list[tuple[float, int, Urgency]]) -> None:
    address = Address()
    times = went(address, asked)
    assert most_within(times, WINDOW_S) <= address.per_window == 350
    assert most_within(times, WINDOW_S + LONGEST_ON_ITS_WAY_S) <= BYBIT_LIMIT


def test_not_even_a_network_that_holds_the_first_ones_back_gathers_too_many_at_the_exchange() -> None:
    """Whoever asks as often as he can, for a minute, while every other request takes as long as our time-out."""
    address = Address()
    times = [tick / 100 for tick in range(6_000) for _ in range(5) if not address.take(tick / 100, PROTECTIVE)]
    arrived = sorted(time + LONGEST_ON_ITS_WAY_S * (int(time / LONGEST_ON_ITS_WAY_S) % 2 == 0) for time in times)
    ends = 0
    for start, time in enumerate(arrived):
        while ends < len(arrived) and arrived[ends] < time + WINDOW_S:
            ends += 1
        assert ends - start <= BYBIT_LIMIT


@given(arrivals)
def test_protective_calls_never_starve(asked: list[tuple[float, int, Urgency]]) -> None:
    """However many lists, entries and settling reads there are, a stop now and then goes at once."""
    address, now = Address(), 0.0
    for gap, count, urgency in asked:
        now += gap
        for _ in range(count):
            address.take(now, Urgency(max(urgency, SETTLING)))
        if gap > 0.1:  # ten a second
            assert address.take(now, PROTECTIVE) == 0


def test_each_urgency_leaves_its_part_to_those_before_it() -> None:
    address = Address()
    assert [sum(not address.take(0, urgency) for _ in range(200)) for urgency in (ORDINARY, SETTLING, PROTECTIVE)] == [
        60,
        20,
        20,
    ]
    assert (address.used(0), address.used(4.9), address.used(5.1)) == (100, 100, 0)


def test_the_wait_that_is_told_is_the_one_that_is_needed() -> None:
    address = Address()
    while not address.take(0, ORDINARY):
        pass
    wait_s = address.take(0, ORDINARY)
    assert address.take(wait_s * 0.9, ORDINARY) > 0
    assert address.take(wait_s, ORDINARY) == 0


def test_after_a_403_it_is_silent_and_wakes_by_itself() -> None:
    address = Address(stop_s=600)
    address.block(100)
    assert address.silent_s(699) == 1
    assert address.silent_s(700) == 0


def test_everybody_in_the_process_has_the_same_one_for_an_exchange() -> None:
    mainnet = shared_address("https://api.bybit.com")
    assert shared_address("https://api.bybit.com/") is mainnet
    assert shared_address("https://api-testnet.bybit.com") is not mainnet


def test_orders_over_websocket_are_counted_apart_and_stay_below_what_an_address_may_write() -> None:
    """3000 a second are taken (websocket/trade/guideline); the last are for protective calls alone."""
    address = Address()
    times = [0.0] * 1000 + [tenth / 10 for tenth in range(1, 51) for _ in range(100)]
    sent = [now for now in times if not address.take_written(now, ORDINARY)]
    assert sent.count(0.0) == 400, "the mirrors of one event all go at once"
    assert len(sent) <= 3000, "even if the network gathered five seconds into one"
    assert not address.take_written(5.0, PROTECTIVE)
    assert not address.take(5.0, ORDINARY), "HTTP has its own"
    assert address.used(5.0) == 1
