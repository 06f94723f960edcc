"""The types of alerts that people switch on and off (`[telegram.alerts]`), and the type of every kind the engine tells.

A kind is the engine's own, finer word for what happened (the `kind` of a row of the outbox). Its type is found by the
kind alone; a kind that is not named here, such as one of an older store, is of type "other".
"""

from __future__ import annotations

from enum import StrEnum


class AlertType(StrEnum):
    """What an alert is about. The values are the names in the profile."""

    TRADE_OPENED = "trade_opened"
    ENTRY_FILLED = "entry_filled"
    TARGET_HIT = "target_hit"
    STOP_MOVED = "stop_moved"
    BREAKEVEN = "breakeven"
    STOP_HIT = "stop_hit"
    CLOSED = "closed"
    MERGE = "merge"
    DRIFT = "drift"
    PARKED = "parked"
    BREAKER = "breaker"
    SLIPPAGE = "slippage"
    NAKED = "naked"
    STORE = "store"
    HALT = "halt"
    REFUSED = "refused"
    IN_DOUBT = "in_doubt"
    STREAM = "stream"
    MODE = "mode"
    DAEMON_STARTED = "daemon_started"
    DAEMON_STOPPED = "daemon_stopped"
    DAEMON_STALE = "daemon_stale"
    DAILY_SUMMARY = "daily_summary"
    OTHER = "other"


def type_of(kind: str) -> AlertType:
    """The type of an alert by its kind alone; "other" for a kind that has none of its own."""
    return _TYPES.get(kind, AlertType.OTHER)


_TYPES = {
    "opened": AlertType.TRADE_OPENED,
    "entry": AlertType.ENTRY_FILLED,
    "target": AlertType.TARGET_HIT,
    "stop-moved": AlertType.STOP_MOVED,
    "breakeven": AlertType.BREAKEVEN,
    "stop-hit": AlertType.STOP_HIT,
    "closed": AlertType.CLOSED,
    "merge": AlertType.MERGE,
    "drift": AlertType.DRIFT,
    "parked": AlertType.PARKED,
    "loop": AlertType.PARKED,
    "breaker": AlertType.BREAKER,
    "slippage": AlertType.SLIPPAGE,
    "naked": AlertType.NAKED,
    "stop-passed": AlertType.NAKED,
    "store": AlertType.STORE,
    "halt": AlertType.HALT,
    "limit": AlertType.HALT,
    "brake": AlertType.HALT,
    "refused": AlertType.REFUSED,
    "in-doubt": AlertType.IN_DOUBT,
    "stream-up": AlertType.STREAM,
    "stream-down": AlertType.STREAM,
    "reached": AlertType.STREAM,
    "unreachable": AlertType.STREAM,
    "mode": AlertType.MODE,
    "daemon-started": AlertType.DAEMON_STARTED,
    "daemon-stopped": AlertType.DAEMON_STOPPED,
    "daemon-stale": AlertType.DAEMON_STALE,
    "daily-summary": AlertType.DAILY_SUMMARY,
}
