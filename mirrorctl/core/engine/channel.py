"""The port through which alerts reach people who do not sit at this machine. The outbox is complete without one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from mirrorctl.core.engine.records import Alert
from mirrorctl.core.engine.times import iso

NOT_FOR_IT = 0
"""The time of delivery of an alert that no channel was to deliver."""


class ChannelState(StrEnum):
    """OK: the last request was answered. REFUSED: only a person can help. UNREACHABLE: tried again by itself."""

    OK = "ok"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """`state` None: nothing was heard yet. `since_ms`: when it began, local clock, 0 with None.

    `delivered` counts alerts since the start; `waiting` those that are still to be delivered. `commands`: why none is
    heard from there, "" while they are, None where nobody is to give any.
    """

    state: ChannelState | None = None
    error: str = ""
    hint: str = ""
    since_ms: int = 0
    delivered: int = 0
    waiting: int = 0
    commands: str | None = None


class Channel(Protocol):
    """Delivers alerts. Both calls return at once and fail never: what goes wrong is in the health."""

    def offer(self, alert: Alert) -> None:
        """One row of the outbox, once: in the order in which they were added."""

    def health(self) -> ChannelHealth: ...


def channel_json(channel: Channel | None) -> dict[str, Any]:
    """The `telegram` object of `status`: enabled, state (ok | refused | unreachable | off, null while unknown), error,
    hint, since, delivered; and `commands` (null where no chat may give any): heard, error."""
    if channel is None:
        off = {"enabled": False, "state": "off", "error": None, "hint": None, "since": None}
        return {**off, "delivered": 0, "commands": None}
    health = channel.health()
    why = health.commands
    return {
        "enabled": True,
        "state": None if health.state is None else health.state.value,
        "error": health.error or None,
        "hint": health.hint or None,
        "since": iso(health.since_ms),
        "delivered": health.delivered,
        "commands": None if why is None else {"heard": not why, "error": why or None},
    }
