"""Faults as data: what shall go wrong, for whom, where and how often.

The same board serves the socket server and an in-process simulation; nothing here knows about either.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class FaultKind(StrEnum):
    """`target` is a path for the first group, a topic for the pushes; empty matches every one.

    `fault_catalogue` says which arguments each takes.
    """

    LOSE_REPLY = "lose-reply"
    """The request is carried out and the connection closed without an answer; over WebSocket it stays open with
    args.open."""
    LOSE_REQUEST = "lose-request"
    """Not carried out, and the connection closed without an answer: the caller sees the same as with lose-reply."""
    HANG = "hang"
    """Not carried out; the connection stays silent for args.ms (default 30000), then closes."""
    REFUSE = "refuse"
    """Not carried out; the connection is reset."""
    EVENT_FIRST = "event-first"
    """Carried out, its pushes go out at once, and the answer follows args.ms (default 50) later."""
    RET_CODE = "ret-code"
    """Answered with args.code, args.message and, for 10006, args.reset_ms (may be past); carried out first when
    args.after is true."""
    RATE_LIMIT = "rate-limit"
    """The bucket of the endpoint holds args.limit requests a second (default 0); one too many is a true 10006."""
    IP_CAP = "ip-cap"
    """The address may send args.requests (default 0) in five seconds; one too many bans it for args.ms (600000)."""
    HTTP_STATUS = "http-status"
    """Answered with args.status and args.body (HTML by default); carried out first when args.after is true."""
    HIDE = "hide"
    """Rows younger than args.ms (default 5000) are missing from realtime, history or execution/list."""
    TRUNCATE = "truncate"
    """A list answer keeps its first args.keep rows (default half) and claims to be the last page."""
    EMPTY = "empty"
    """A list answer is empty and claims to be complete."""
    STALE = "stale"
    """A read gives the same answer as the last time it was asked with the same parameters."""
    PUSH_DROP = "push-drop"
    PUSH_DOUBLE = "push-double"
    PUSH_REORDER = "push-reorder"
    """The frame is delivered after the next one of that account."""
    PUSH_STALE = "push-stale"
    """The previous frame of the topic is delivered again, after the new one."""
    DOUBLE_FILLED = "double-filled"
    """A Filled order is told twice, as after a cancel that came too late (docs v5/websocket/private/order)."""
    STREAM_SILENT = "stream-silent"
    """The account's streams stay open and say nothing, pongs included; their pushes are gone."""
    STREAM_REFUSE = "stream-refuse"
    """A new private stream of the account is reset; one use each. For every account: before it has begun."""
    CLOCK_SKEW = "clock-skew"
    """The exchange's clock is args.ms ahead, behind where negative; always for every account."""


PUSH_KINDS = (FaultKind.PUSH_DROP, FaultKind.PUSH_DOUBLE, FaultKind.PUSH_REORDER, FaultKind.PUSH_STALE)


@dataclass(frozen=True, slots=True)
class Fault:
    """`account` is a name, None for every account. `count` None means until cleared.

    `until_ms`: gone by itself from then on, by the clock given to `FaultBoard.expire`; None never.
    """

    kind: FaultKind
    account: str | None = None
    target: str = ""
    count: int | None = 1
    args: Mapping[str, Any] = field(default_factory=dict)
    until_ms: int | None = None


class FaultBoard:
    """The standing faults, oldest first."""

    def __init__(self) -> None:
        self._standing: dict[int, tuple[Fault, int | None]] = {}
        self._last = 0

    def __bool__(self) -> bool:
        """Whether any fault stands."""
        return bool(self._standing)

    def add(self, fault: Fault) -> int:
        """Puts a fault up; returns its number."""
        self._last += 1
        self._standing[self._last] = (fault, fault.count)
        return self._last

    def clear(self, number: int | None = None) -> None:
        """Takes one fault down, or all of them."""
        if number is None:
            self._standing.clear()
        else:
            self._standing.pop(number, None)

    def expire(self, now_ms: int) -> None:
        """Takes down what was to stand until now."""
        if self._standing:
            for number, (fault, _) in list(self._standing.items()):
                if fault.until_ms is not None and fault.until_ms <= now_ms:
                    del self._standing[number]

    def standing(self) -> list[tuple[int, Fault, int | None]]:
        """(number, fault, uses left or None) for each."""
        return [(number, fault, left) for number, (fault, left) in self._standing.items()]

    def find(self, kind: FaultKind, account: str | None) -> Fault | None:
        """The oldest fault of a kind that stands for an account, not used up by this."""
        for fault, _ in self._standing.values():
            if fault.kind is kind and fault.account in (None, account):
                return fault
        return None

    def take(self, kinds: Iterable[FaultKind], account: str | None, target: str) -> Fault | None:
        """The oldest matching fault, used once; None when nothing shall go wrong."""
        if not self._standing:
            return None
        wanted = tuple(kinds)
        for number, (fault, left) in self._standing.items():
            here = fault.account in (None, account) and fault.target in ("", target)
            if fault.kind in wanted and here:
                if left is not None:
                    self._standing[number] = (fault, left - 1)
                    if left <= 1:
                        del self._standing[number]
                return fault
        return None
