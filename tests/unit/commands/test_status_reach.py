"""What `status` says of breakers and rate limits: one line when all is well, and it fits a narrow terminal."""

from __future__ import annotations

from typing import Any

from mirrorctl.commands.status_reach import reach

WELL = {"group": "address", "limit": 350, "window_s": 5.0, "left": 309, "wait_s": 0.0, "silent_s": 0.0}
ENTRY = {"group": "order/create", "limit": 10, "window_s": 1.0, "left": 2, "wait_s": 0.4}


def lines(address: dict[str, Any] | None, **account: Any) -> list[str]:
    rows = [
        {"account": "main", "breaker": "closed", "next_try_s": 0.0, "budget": [{**ENTRY, "left": 10, "wait_s": 0.0}]},
        {"account": "mirror", "breaker": "closed", "next_try_s": 0.0, "budget": [], **account},
        {"account": "spare", "breaker": None, "next_try_s": None, "budget": None},
    ]
    return [line.plain for line in reach({"address": address, "accounts": rows})]


def test_all_is_well_in_one_line() -> None:
    assert lines(WELL) == ["requests: 41 of 350 in 5 s, all accounts together"]


def test_without_a_daemon_nothing_is_claimed() -> None:
    assert lines(None, breaker="open") == []


def test_a_breaker_says_what_still_goes_and_when_it_is_tried_again() -> None:
    assert lines(WELL, breaker="open", next_try_s=9.5)[1:] == [
        "breaker: mirror open, next try in 9.5 s; nothing goes but stops, reductions and cancels, one every 2 s"
    ]
    assert lines(WELL, breaker="half-open", next_try_s=0.5)[1:] == [
        "breaker: mirror half-open; one call is out to find out"
    ]


def test_a_rate_limit_that_bites_names_what_waits() -> None:
    leverage = {**ENTRY, "group": "position/set-leverage", "left": 0, "wait_s": 1.0}
    assert lines({**WELL, "left": 12, "wait_s": 0.3}, budget=[ENTRY, leverage])[1:] == [
        "rate limit: mirror order/create: 2 of 10 left this second; entries wait 0.4 s",
        "rate limit: mirror position/set-leverage: 0 of 10 left this second; what can wait does",
        "rate limit: entries and lists of every account wait 0.3 s",
    ]


def test_a_blocked_address_is_told_with_the_time_that_is_left() -> None:
    assert lines({**WELL, "silent_s": 492.0})[1] == (
        "blocked: the exchange refuses this IP address (HTTP 403); silent for 8.2 min more"
    )


def test_orders_over_websocket_are_named_and_an_account_that_cannot_is_told_with_the_reason() -> None:
    assert lines(WELL, order_entry="ws", entry_trouble=None) == [
        "requests: 41 of 350 in 5 s, all accounts together; orders over WebSocket"
    ]
    assert lines(WELL, order_entry="http", entry_trouble="connection reset")[1:] == [
        "orders: mirror over HTTP, no trade socket: connection reset"
    ]
