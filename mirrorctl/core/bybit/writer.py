"""The writer port over HTTP: one thread an account, so a slow or dead account delays no other (rule 10)."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading

from mirrorctl.core.bybit.rest import BybitRest
from mirrorctl.core.domain.actions import Action, DoubtfulOutcome, NotSent, Outcome, Priority
from mirrorctl.core.engine.ports import Deliver, SendDone

_log = logging.getLogger(__name__)
_PROTECTIVE_WAIT_S = 2.0
_Job = tuple[int, int, int, Action]


class AccountWriter:
    """Sends actions in the order of their priority, those of one priority in the order they came (rule 5).

    Exactly one SendDone follows each `send`, whatever happens. While the account is dead its queue is answered with
    NotSent at once instead of waiting; stops and reductions try again at least every two seconds (A29).
    """

    def __init__(self, rest: BybitRest, deliver: Deliver) -> None:
        """Takes a sibling of `rest` for its own thread, which starts here."""
        self.account = rest.account
        self._rest = rest.sibling()
        self._deliver = deliver
        self._clock = rest.link.clock
        self._changed = threading.Condition()
        self._jobs: list[_Job] = []
        self._order = itertools.count()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"writer-{self.account}", daemon=True)
        self._thread.start()

    def send(self, intent_id: int, action: Action) -> None:
        """Queue a journaled action; never blocks. ValueError when it is another account's (rule 4)."""
        if action.account != self.account:
            raise ValueError(f"an action of {action.account} was handed to the writer of {self.account}")
        with self._changed:
            if not self._closing:
                heapq.heappush(self._jobs, (int(action.priority), next(self._order), intent_id, action))
                self._changed.notify()
                return
        self._report(intent_id, NotSent("stopping"), self._clock.local_ms())

    def close(self, timeout_s: float = 2.0) -> bool:
        """Finish the call in flight, answer the rest with NotSent. False when the call did not end in time."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout_s)
        self._rest.close()
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            *_, intent_id, action = job
            began_ms = self._clock.local_ms()
            self._report(intent_id, self._carry_out(action), began_ms)
        for *_, intent_id, _action in sorted(self._jobs, key=lambda job: job[:2]):
            self._report(intent_id, NotSent("stopping"), self._clock.local_ms())

    def _next(self) -> _Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._jobs)
            return None if self._closing else heapq.heappop(self._jobs)

    def _carry_out(self, action: Action) -> Outcome:
        longest_s = _PROTECTIVE_WAIT_S if action.priority <= Priority.REDUCTION else float("inf")
        silent_s = self._rest.link.backoff.remaining_s(longest_s)
        if silent_s:
            return NotSent("the account does not answer; waiting before the next try", silent_s)
        try:
            return self._rest.execute(action)
        except Exception as error:  # noqa: BLE001 - thread boundary
            _log.exception("%s: a write failed in an unexpected way", self.account)
            return DoubtfulOutcome(f"unexpected {type(error).__name__}")

    def _report(self, intent_id: int, outcome: Outcome, began_ms: int) -> None:
        event = SendDone(self.account, intent_id, outcome, began_ms, self._clock.local_ms())
        try:
            self._deliver(event)
        except Exception:  # noqa: BLE001 - thread boundary
            _log.exception("%s: the outcome of intent %d could not be handed over", self.account, intent_id)
