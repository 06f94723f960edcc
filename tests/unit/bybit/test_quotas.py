"""The buckets of an account: as many calls as Bybit lets it make in a second, learned from what its replies say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorctl.core.bybit.quotas import Bucket, Group, Quota, Urgency, quota_of, urgency_of_read

PROTECTIVE, SETTLING, ORDINARY = Urgency
NOW_MS = 1_800_000_000_000


def bucket(per_s: int = 10) -> Bucket:
    return Bucket(Group("order/create", per_s))


def burst(it: Bucket, now: float, urgency: Urgency = PROTECTIVE, most: int = 100) -> int:
    """How many calls go at once."""
    for count in range(most):
        if it.wait_s(now, urgency):
            return count
        it.take(now)
    return most


def test_a_second_takes_as_many_as_the_limit_and_the_next_one_again() -> None:
    it = bucket()
    assert [burst(it, now) for now in (0.0, 0.5, 1.0, 1.1)] == [10, 0, 0, 10]


def test_entries_leave_a_fifth_to_protective_calls_and_settling_reads_a_tenth() -> None:
    it = bucket(50)
    assert [burst(it, 0, urgency) for urgency in (ORDINARY, SETTLING, PROTECTIVE)] == [40, 5, 5]


def test_the_wait_that_is_told_is_the_one_that_is_needed() -> None:
    it = bucket()
    for tenth in range(8):
        it.take(tenth / 10)
    wait_s = it.wait_s(0.75, ORDINARY)
    assert it.wait_s(0.75 + wait_s - 0.01, ORDINARY) > 0
    assert it.wait_s(0.75 + wait_s + 0.001, ORDINARY) == 0


@pytest.mark.proves("A51")
@given(st.lists(st.tuples(st.floats(0, 0.4), st.integers(1, 15), st.sampled_from(Urgency)), max_size=60))
def test_no_rolling_second_holds_more_than_the_limit(asked: list[tuple[float, int, Urgency]]) -> None:
    it, now, times = bucket(), 0.0, []
    for gap, count, urgency in asked:
        now += gap
        for _ in range(count):
            if not it.wait_s(now, urgency):
                it.take(now)
                times.append(now)
    assert all(sum(start <= time <= start + 1.0 for time in times) <= 10 for start in times)


def test_a_raised_limit_is_learned_from_the_reply() -> None:
    it = bucket()
    it.take(0)
    it.heard(0.1, 0.0, Quota(20, 19, NOW_MS))
    assert (it.limit, burst(it, 0.1)) == (20, 19)


def test_what_others_use_with_the_same_account_is_left_out_for_a_second() -> None:
    it = bucket()
    it.take(0)
    it.heard(0.1, 0.0, Quota(10, 3, NOW_MS))  # nine others of ours are not known: six calls of somebody else
    assert it.left(0.1) == 3
    assert it.left(1.2) == 10


def test_a_slow_reply_is_held_against_what_it_could_count() -> None:
    it = bucket()
    for _ in range(10):
        it.take(0)
    it.heard(1.5, 0.0, Quota(10, 0, NOW_MS))
    assert it.left(1.5) == 10, "the ten were ours, and are over"


def test_10006_empties_it_until_the_reset() -> None:
    it = bucket()
    it.take(0)
    it.exceeded(0, Quota(10, 0, NOW_MS + 700), NOW_MS)
    assert it.left(0.6) == 0
    assert it.wait_s(0.6, PROTECTIVE) == pytest.approx(0.1)
    assert it.left(0.71) == 9


def test_a_reset_that_has_passed_means_that_it_is_full_again() -> None:
    it = bucket()
    assert burst(it, 0) == 10
    it.exceeded(0.1, Quota(10, 0, NOW_MS - 5_000), NOW_MS)
    assert (it.wait_s(0.1, ORDINARY), it.left(0.1)) == (0, 10)


def test_refusals_in_a_row_wait_longer_whatever_the_reset_says() -> None:
    it, waits = bucket(), []
    for _ in range(10):
        it.exceeded(0, Quota(10, 0, NOW_MS - 5_000), NOW_MS)
        waits.append(it.wait_s(0, PROTECTIVE))
    assert waits == [0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 3.2, 3.2]
    it.heard(4, 3.9, Quota(10, 9, NOW_MS))
    it.exceeded(5, Quota(10, 0, NOW_MS - 1), NOW_MS)
    assert it.wait_s(5, PROTECTIVE) == 0


@pytest.mark.parametrize("reset_ms", [3_600_000, 60_000])
def test_a_reset_far_away_is_not_believed(reset_ms: int) -> None:
    it = bucket()
    it.exceeded(0, Quota(10, 0, NOW_MS + reset_ms), NOW_MS)
    assert it.wait_s(0, PROTECTIVE) == 5


def test_10006_without_a_word_about_the_reset_waits_a_second() -> None:
    it = bucket()
    it.exceeded(0, None, NOW_MS)
    assert it.wait_s(0, PROTECTIVE) == 1


@pytest.mark.parametrize(
    ("headers", "quota"),
    [
        (
            {"X-Bapi-Limit": "10", "X-Bapi-Limit-Status": "9", "X-Bapi-Limit-Reset-Timestamp": "1672738134824"},
            Quota(10, 9, 1672738134824),
        ),
        (
            {"x-bapi-limit": "10", "x-bapi-limit-status": "0", "x-bapi-limit-reset-timestamp": "1"},
            Quota(10, 0, 1),
        ),
        ({"X-Bapi-Limit": "10"}, Quota(10, None, None)),
        ({"X-Bapi-Limit": "x", "X-Bapi-Limit-Status": "-1", "X-Bapi-Limit-Reset-Timestamp": "1"}, Quota(None, None, 1)),
        ({"X-Bapi-Limit": "x"}, None),
        ({}, None),
    ],
)
def test_the_headers_of_a_reply_tell_the_quota(headers: dict[str, str], quota: Quota | None) -> None:
    assert quota_of(headers) == quota


@pytest.mark.parametrize(
    ("method", "params", "urgency"),
    [
        ("get_positions", {"symbol": "BTCUSDT"}, SETTLING),
        ("get_open_orders", {"symbol": "BTCUSDT", "orderLinkId": "x"}, SETTLING),
        ("get_server_time", {}, SETTLING),
        ("get_tickers", {"symbol": "BTCUSDT"}, SETTLING),
        ("get_positions", {"settleCoin": "USDT"}, ORDINARY),
        ("get_closed_pnl", {"symbol": "BTCUSDT"}, ORDINARY),
        ("get_wallet_balance", {"accountType": "UNIFIED"}, ORDINARY),
    ],
)
def test_reads_of_one_symbol_settle_something(method: str, params: dict[str, object], urgency: Urgency) -> None:
    assert urgency_of_read(method, params) is urgency


def test_a_batch_counts_each_of_its_orders() -> None:
    it = bucket()
    assert it.wait_s(0, ORDINARY, 8) == 0
    it.take(0, 8)
    assert it.left(0) == 2
    assert it.wait_s(0, PROTECTIVE, 2) == 0
    assert it.wait_s(0, PROTECTIVE, 3) > 0
    assert it.wait_s(0.5, ORDINARY, 1) == pytest.approx(0.55)


def test_a_batch_larger_than_what_entries_may_use_never_fits() -> None:
    assert all(bucket().wait_s(now, ORDINARY, 9) > 0 for now in (0.0, 10.0))
