"""Reconnect pauses, clock and secrets of a link: plain arithmetic on an injected clock; what importing it costs."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from mirrorctl.core.bybit.address import Address
from mirrorctl.core.bybit.backoff import Backoff
from mirrorctl.core.bybit.breaker import Breaker
from mirrorctl.core.bybit.environments import Endpoints
from mirrorctl.core.bybit.link import AccountLink, ExchangeClock, wall_ms
from mirrorctl.core.bybit.traffic import Traffic


class Time:
    """A monotonic clock set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_first_outage_is_free_and_the_rest_grow_to_the_cap() -> None:
    time = Time()
    backoff = Backoff(first_s=0.5, cap_s=30, monotonic=time, jitter=lambda: 1.0)
    pauses = []
    for _ in range(10):
        pauses.append(backoff.failed(time.now))
        time.now += 100
    assert pauses == [0, 0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    backoff.succeeded()
    assert backoff.failed(time.now) == 0


def test_jitter_shortens_by_at_most_half() -> None:
    backoff = Backoff(first_s=1, cap_s=30, free=0, monotonic=Time(), jitter=lambda: 0.0)
    assert backoff.failed(100.0) == 0.5


def test_calls_that_fail_side_by_side_count_once() -> None:
    time = Time()
    backoff = Backoff(first_s=1, free=0, monotonic=time, jitter=lambda: 1.0)
    began = time.now
    time.now += 5
    assert [backoff.failed(began) for _ in range(3)] == [1, 1, 1]
    assert backoff.remaining_s() == 1
    assert backoff.remaining_s(0.25) == 0.25
    time.now += 0.5
    assert backoff.remaining_s() == 0.5
    assert backoff.remaining_s(0.25) == 0
    backoff.succeeded()
    assert backoff.remaining_s() == 0


def test_the_clock_is_local_until_it_was_measured() -> None:
    clock = ExchangeClock(lambda: 1_000)
    assert (clock.offset_ms, clock.now_ms()) == (None, 1_000)
    clock.set(-250)
    assert (clock.offset_ms, clock.now_ms()) == (-250, 750)


def test_a_link_does_not_show_its_secrets() -> None:
    traffic = Traffic(Breaker(lambda: 1.0), Address(), Time())
    link = AccountLink("main", "the-key", "the-secret", Endpoints("https://a", "wss://b", "wss://c"), traffic)
    assert "the-key" not in repr(link)
    assert "the-secret" not in repr(link)


def test_importing_the_edge_does_not_import_pybit() -> None:
    code = (
        "import sys, mirrorctl.core.bybit.rest, mirrorctl.core.bybit.reader, mirrorctl.core.bybit.writer, "
        "mirrorctl.core.bybit.streams, mirrorctl.core.bybit.frames, mirrorctl.core.bybit.environments; "
        "sys.exit('pybit' in sys.modules or 'requests' in sys.modules or 'websocket' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=30, check=False).returncode == 0


def test_a_step_of_the_systems_clock_moves_no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    before = wall_ms()
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() - 3_600_000_000_000)
    assert before <= wall_ms() < before + 5_000
