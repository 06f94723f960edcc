"""Every call of one account passes here before it is made, and its end is told here (A29, A51).

    admit(method, urgency) -> Ticket                 go; the caller tells how it ended, whatever happens
                           |  Held                   not now: why, and how long to wait
    answered / failed / dropped(ticket)

In this order: the silence that the exchange asked of this address, the account's breaker, the bucket of the endpoint,
and the budget of the address. Nothing here waits or sleeps, so the simulation uses it on a virtual clock as it is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from mirrorctl.core.bybit.address import WINDOW_S, Address
from mirrorctl.core.bybit.breaker import Breaker, Passage
from mirrorctl.core.bybit.failures import CallFailed, Failure, FailureKind
from mirrorctl.core.bybit.outcomes import describe
from mirrorctl.core.bybit.quotas import GROUPS, Bucket, Quota, Urgency
from mirrorctl.core.engine.ports import BreakerState, Budget, Health

_TOO_MANY = 10006
_FORBIDDEN = 403
_BLOCKED = "Bybit blocked this IP address (HTTP 403)"


class Ticket(NamedTuple):
    """A call that may be made now."""

    passage: Passage
    bucket: Bucket | None

    @property
    def began(self) -> float:
        """When it was let through, in seconds of the monotonic clock."""
        return self.passage.began


@dataclass(frozen=True, slots=True)
class Held:
    """A call that may not be made now. `kind`: BLOCKED (address), CUT_OFF (breaker) or LIMITED (budgets)."""

    kind: FailureKind
    reason: str
    wait_s: float

    def error(self) -> CallFailed:
        """As what a caller sees who does not wait."""
        code = _FORBIDDEN if self.kind is FailureKind.BLOCKED else 0
        return CallFailed(Failure(self.kind, self.reason, code, self.wait_s))


class Traffic:
    """The gate of one account, shared by all its threads. `address` is shared by all accounts of the process."""

    def __init__(self, breaker: Breaker, address: Address, monotonic: Callable[[], float]) -> None:
        self.address = address
        self._breaker = breaker
        self._monotonic = monotonic
        self._buckets: dict[str, Bucket] = {}
        self._why = "it did not answer"
        self._lock = threading.Lock()

    def admit(
        self, method: str, urgency: Urgency, *, writes: bool = False, by_socket: bool = False, orders: int = 1
    ) -> Ticket | Held:
        """Whether the call may be made now. Only what `writes` protectively is let past an open breaker.

        `by_socket`: an order over WebSocket; the address counts it apart, the account together with the others. A batch
        counts for each of its `orders` with the account, and once with the address.
        """
        now = self._monotonic()
        known = by_socket and now >= self.address.silence.until  # no file is read on the way of an order
        silent_s = 0.0 if known else self.address.silent_s(now)
        if silent_s:
            return Held(FailureKind.BLOCKED, f"{_BLOCKED}; silent for {silent_s:.0f} s more", silent_s)
        with self._lock:
            passage = self._breaker.admit(now, protective=writes and urgency is Urgency.PROTECTIVE)
            if not isinstance(passage, Passage):
                return Held(FailureKind.CUT_OFF, f"{self._why}; waiting before the next try", passage)
            held, bucket = self._within_budget(method, urgency, now, by_socket, orders)
            if held is not None:
                self._breaker.withdraw(passage)
                return held
            return Ticket(passage, bucket)

    def answered(self, ticket: Ticket, quota: Quota | None) -> None:
        """The call brought a result. Market endpoints answer anyone: they say nothing about the account."""
        with self._lock:
            if ticket.bucket is None:
                self._breaker.withdraw(ticket.passage)
                return
            self._breaker.answered(ticket.passage)
            if quota is not None:
                ticket.bucket.heard(self._monotonic(), ticket.began, quota)

    def failed(self, ticket: Ticket, failure: Failure, quota: Quota | None, exchange_ms: int) -> None:
        """The call failed; `exchange_ms` is the exchange's clock now."""
        now = self._monotonic()
        if failure.code == _FORBIDDEN and failure.kind is FailureKind.HTTP:
            self.address.block(now)
        with self._lock:
            if failure.is_outage or failure.is_account_wide:
                self._why = describe(failure.code, failure.message) if _has_code(failure) else failure.message
                self._breaker.failed(now, ticket.passage)
            elif failure.kind is not FailureKind.REFUSED or ticket.bucket is None:
                self._breaker.withdraw(ticket.passage)
            else:
                self._breaker.answered(ticket.passage)
                if failure.code == _TOO_MANY:
                    ticket.bucket.exceeded(now, quota, exchange_ms)
                elif quota is not None:
                    ticket.bucket.heard(now, ticket.began, quota)

    def dropped(self, ticket: Ticket) -> None:
        """The call ended in a way that says nothing."""
        with self._lock:
            self._breaker.withdraw(ticket.passage)

    def trouble(self) -> str:
        """Why the account cannot be reached now; empty when it can (ports.Reachability). Safe from any thread."""
        now = self._monotonic()
        if self.address.silent_s(now):
            return _BLOCKED
        with self._lock:
            return "" if self._breaker.state(now) is BreakerState.CLOSED else self._why

    def health(self) -> Health:
        """How the account stands now (ports.Health). Safe from any thread."""
        now = self._monotonic()
        with self._lock:
            rows = tuple(
                Budget(name, bucket.limit, 1.0, bucket.left(now), bucket.wait_s(now, Urgency.ORDINARY))
                for name, bucket in sorted(self._buckets.items())
            )
            state, next_try_s = self._breaker.state(now), self._breaker.next_try_s(now)
        address = self.address
        left, wait_s = address.per_window - address.used(now), address.wait_s(now, Urgency.ORDINARY)
        shared = Budget("address", address.per_window, WINDOW_S, left, wait_s)
        return Health(state, next_try_s, rows, shared, address.silent_s(now))

    def _within_budget(
        self, method: str, urgency: Urgency, now: float, by_socket: bool, orders: int
    ) -> tuple[Held | None, Bucket | None]:
        group = GROUPS.get(method)
        bucket = None
        if group is not None:
            bucket = self._buckets.get(group.name)
            if bucket is None:
                bucket = self._buckets[group.name] = Bucket(group)
            wait_s = bucket.wait_s(now, urgency, orders)
            if wait_s:
                said = f"{group.name}, {bucket.limit} a second for the account"
                return Held(FailureKind.LIMITED, said, wait_s), None
        wait_s = self.address.take_written(now, urgency) if by_socket else self.address.take(now, urgency)
        if wait_s:
            said = f"all accounts together, {self.address.per_window} requests in {WINDOW_S:g} s"
            return Held(FailureKind.LIMITED, said, wait_s), None
        if bucket is not None:
            bucket.take(now, orders)
        return None, bucket


def _has_code(failure: Failure) -> bool:
    return failure.kind is FailureKind.REFUSED
