"""The writer port: over the trade socket at once, where there is one, and over HTTP on threads of each account's own.

So a slow or dead account delays no other (rule 10), and a slow answer about one symbol no other symbol.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field

from mirrorctl.core.bybit.caller import Posted
from mirrorctl.core.bybit.order_entry import OrderEntry
from mirrorctl.core.bybit.rest import BybitRest
from mirrorctl.core.domain.actions import (
    Action,
    AmendOrder,
    CancelOrder,
    DoubtfulOutcome,
    NotSent,
    Outcome,
    PlaceOrder,
    Priority,
)
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.engine.ports import Deliver, SendDone

PATIENCE_S = 2.0
"""How long a write waits in the queue for room in the budgets; longer would make it an old decision."""

MOST_IN_BATCH = 8
"""Orders in one request: what leaves the account's reserve for stops alone (order/batch-place allows 20, or 10)."""

MOST_CONNECTIONS = 3
"""Of one account; each is opened when something would have to wait for an answer about another symbol."""

_log = logging.getLogger(__name__)


def kept(outcome: Outcome, waited_s: float) -> float | None:
    """Seconds after which a write that a rate limit held back is tried again; None when it is answered now."""
    if not isinstance(outcome, NotSent) or not outcome.limited or waited_s + outcome.retry_after_s > PATIENCE_S:
        return None
    return outcome.retry_after_s


def _batches(action: Action) -> bool:
    """Whether it belongs to a ladder: cancels, and what is a take-profit's. Amending a conditional has no batch."""
    return isinstance(action, CancelOrder) or (
        isinstance(action, (PlaceOrder, AmendOrder)) and action.role is Role.TARGET and action.trigger_price is None
    )


@dataclass(order=True, slots=True)
class _Job:
    priority: int
    number: int
    intent_id: int = field(compare=False)
    action: Action = field(compare=False)
    asked: float = field(compare=False)
    began_ms: int = field(default=0, compare=False)
    posted: Posted | None = field(default=None, compare=False)

    @property
    def kind(self) -> tuple[str, int]:
        """What waits for the same room."""
        return type(self.action).__name__, self.priority


@dataclass(eq=False, slots=True)
class _Hand:
    """A thread with a connection of its own. `job`: what was written on that by whoever sent it, to be answered."""

    rest: BybitRest
    thread: threading.Thread | None = None
    waits: bool = False
    job: _Job | None = None


class AccountWriter:
    """Sends actions in the order of their priority, those of one priority in the order they came (rule 5).

    Of one symbol one is under way at a time, so none overtakes another; of several symbols as many as there may be
    connections, but no entry while the answer to a stop, a reduction or a cancel of the account is due. Exactly one
    SendDone follows each `send`, whatever happens. What a rate limit holds back waits in the queue for a moment, with
    everything of its kind behind it, and other kinds pass. While the account does not answer its queue is answered with
    NotSent at once; protective writes are let through every two seconds (A29).

    Ladders that find no room in the budget of single orders go on in batches, which have one of their own: cancels, and
    the orders of take-profits, that wait go together in one request (order/batch-place), each with its own outcome.

    What `entry` takes is written by whoever calls `send`, unless something that goes before it still waits or is under
    way over HTTP.
    """

    def __init__(self, rest: BybitRest, deliver: Deliver, entry: OrderEntry | None = None) -> None:
        """Takes siblings of `rest` for threads of its own; the first starts here, as does `entry`."""
        self.account = rest.account
        self._entry = entry
        self._rest = rest
        self._deliver = deliver
        self._clock = rest.link.clock
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._jobs: list[_Job] = []
        self._full_until: dict[tuple[str, int], float] = {}
        self._order = itertools.count()
        self._busy: dict[str, _Job] = {}  # by symbol, the job under way, or the one that it goes with
        self._closing = False
        self._hands: list[_Hand] = []
        self._add_hand()
        if entry is not None:
            entry.start()

    def send(self, intent_id: int, action: Action) -> None:
        """Queue a journaled action; never blocks. ValueError when it is another account's (rule 4)."""
        if action.account != self.account:
            raise ValueError(f"an action of {action.account} was handed to the writer of {self.account}")
        with self._lock:
            if not self._closing:
                priority = action.priority
                is_next = self._is_next(action.symbol, priority)
                if is_next and self._taken(intent_id, action):
                    return
                job = _Job(int(priority), next(self._order), intent_id, action, time.monotonic())
                if is_next and self._posted(job):
                    return
                insort(self._jobs, job)
                if self._needs_hand():
                    self._add_hand()
                self._changed.notify()
                return
        self._report(intent_id, NotSent("stopping"), self._clock.local_ms())

    def close(self, timeout_s: float = 2.0) -> bool:
        """Finish the calls in flight, answer the rest with NotSent. False when one did not end in time."""
        ends = time.monotonic() + timeout_s
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        threads = [hand.thread for hand in self._hands if hand.thread is not None]
        for thread in threads:
            thread.join(max(ends - time.monotonic(), 0.0))
        entry_ended = self._entry is None or self._entry.stop(timeout_s)
        for hand in self._hands:
            hand.rest.close()
        return entry_ended and not any(thread.is_alive() for thread in threads)

    def _needs_hand(self) -> bool:
        """Whether something waits for nothing but an answer about another symbol."""
        if len(self._hands) >= MOST_CONNECTIONS:
            return False
        idle = len(self._hands) - len({job.number for job in self._busy.values()})
        return len({job.action.symbol for job in self._jobs if self._may_go(job)}) > idle

    def _add_hand(self) -> None:
        """Another thread with a connection of its own. Where the system has none left, those that stand do the work."""
        hand = _Hand(self._rest.sibling())
        name = f"writer-{self.account}" + (f"-{len(self._hands)}" if self._hands else "")
        hand.thread = threading.Thread(target=self._run, args=(hand,), name=name, daemon=True)
        try:
            hand.thread.start()
        except RuntimeError as error:
            hand.rest.close()
            if not self._hands:
                raise
            _log.warning("%s: no further connection for writes: %s", self.account, error)
            return
        self._hands.append(hand)

    def _is_next(self, symbol: str, priority: int) -> bool:
        """Whether nothing that was sent before it, and is as urgent, waits, or is under way for its symbol."""
        busy = self._busy.get(symbol)
        if (busy is not None and busy.priority <= priority) or self._gives_way(priority):
            return False
        return not self._jobs or self._jobs[0].priority > priority

    def _gives_way(self, priority: int) -> bool:
        """Whether it is an entry, and something that protects is under way: two connections keep no order (rule 5)."""
        return priority >= Priority.ENTRY and any(job.priority <= Priority.CANCEL for job in self._busy.values())

    def _may_go(self, job: _Job) -> bool:
        """Whether a job has room, as far as anyone knows, and nothing under way goes before it."""
        free = job.kind not in self._full_until and job.action.symbol not in self._busy
        return free and not self._gives_way(job.priority)

    def _taken(self, intent_id: int, action: Action) -> bool:
        return self._entry is not None and self._entry.take(intent_id, action)

    def _posted(self, job: _Job) -> bool:
        """Write it at once, where a connection stands open and nobody uses it; whose it is waits for the answer."""
        if job.action.symbol in self._busy or self._full_until.get(job.kind, 0.0) > job.asked:
            return False
        for hand in self._hands:
            if not hand.waits or hand.job is not None:
                continue
            job.began_ms = self._clock.local_ms()
            job.posted = hand.rest.post(job.action)
            if job.posted is not None:
                hand.job = self._busy[job.action.symbol] = job
                self._changed.notify_all()
                return True
        return False

    def _run(self, hand: _Hand) -> None:
        while (job := self._next(hand)) is not None:
            self._send(hand.rest, job)
            self._done_with(job)
        with self._changed:
            left, self._jobs = self._jobs, []
        for job in left:
            self._report(job.intent_id, NotSent("stopping"), self._clock.local_ms())

    def _send(self, rest: BybitRest, job: _Job) -> None:
        began_ms = job.began_ms if job.posted is not None else self._clock.local_ms()
        for sent, outcome in self._carry_out(rest, job):
            if not self._keep(sent, outcome):
                self._report(sent.intent_id, outcome, began_ms)

    def _next(self, hand: _Hand) -> _Job | None:
        """What is to be answered, else the first job whose kind has room, or may have by now; waits for one.

        None when the writer closes.
        """
        with self._changed:
            while hand.job is not None or not self._closing:
                if hand.job is not None:
                    job, hand.job = hand.job, None
                    return job
                now = time.monotonic()
                self._full_until = {kind: until for kind, until in self._full_until.items() if until > now}
                for index, job in enumerate(self._jobs):
                    if self._may_go(job):
                        self._busy[job.action.symbol] = job
                        return self._jobs.pop(index)
                ends = min(self._full_until.values(), default=None)
                hand.waits = True
                self._changed.wait(None if ends is None or not self._jobs else ends - now)
                hand.waits = False
            return None

    def _done_with(self, job: _Job) -> None:
        """What waits for its symbol, and for those of what went with it, may go: by whoever looks first."""
        with self._changed:
            self._busy = {symbol: busy for symbol, busy in self._busy.items() if busy is not job}
            self._changed.notify_all()

    def _keep(self, job: _Job, outcome: Outcome) -> bool:
        """Put a job back that has to wait for room; False when its outcome is to be told."""
        now = time.monotonic()
        wait_s = kept(outcome, now - job.asked)
        if wait_s is None:
            return False
        with self._changed:
            self._full_until[job.kind] = now + wait_s
            insort(self._jobs, job)
        return True

    def _carry_out(self, rest: BybitRest, job: _Job) -> Sequence[tuple[_Job, Outcome]]:
        """The outcome of a job, and of those that went with it; none of what goes over the trade socket now.

        Batches have budgets of their own: what has no room by itself may have it there, with what waits for the same.
        """
        jobs = [job]
        posted, job.posted = job.posted, None
        try:
            if posted is None and self._taken(job.intent_id, job.action):
                return []
            outcome = rest.execute(job.action) if posted is None else rest.answer(job.action, posted)
            if kept(outcome, 0.0) is None or not _batches(job.action):
                return [(job, outcome)]
            jobs += self._companions(job)
            outcomes = rest.execute_batch([each.action for each in jobs])
            if outcomes is None:
                self._put_back(jobs[1:])
                return [(job, outcome)]
            return list(zip(jobs, outcomes, strict=True))
        except Exception as error:  # noqa: BLE001 - thread boundary
            _log.exception("%s: a write failed in an unexpected way", self.account)
            return [(each, DoubtfulOutcome(f"unexpected {type(error).__name__}")) for each in jobs]

    def _companions(self, job: _Job) -> list[_Job]:
        """What waits, is of the same kind, and may go in one request with it; taken out of the queue."""
        with self._changed:
            others = {symbol for symbol, busy in self._busy.items() if busy is not job}
            found = [each for each in self._jobs if each.kind == job.kind and _batches(each.action)]
            found = [each for each in found if each.action.symbol not in others][: MOST_IN_BATCH - 1]
            self._busy |= {each.action.symbol: job for each in found}
            self._jobs = [each for each in self._jobs if each not in found]
            return found

    def _put_back(self, jobs: Sequence[_Job]) -> None:
        with self._changed:
            for job in jobs:
                insort(self._jobs, job)

    def _report(self, intent_id: int, outcome: Outcome, began_ms: int) -> None:
        event = SendDone(self.account, intent_id, outcome, began_ms, self._clock.local_ms())
        try:
            self._deliver(event)
        except Exception:  # noqa: BLE001 - thread boundary
            _log.exception("%s: the outcome of intent %d could not be handed over", self.account, intent_id)
