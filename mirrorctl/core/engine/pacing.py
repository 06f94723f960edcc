"""How long an account is left alone after something could not be sent to it: ever longer, by urgency (A29, A51).

Nothing of a NotSent reached the exchange, so the next pass wants it again at once. What the exchange told to wait is
waited for; where it told nothing, or a time that is over, the pause doubles with every try in vain, so that no refusal
of the gateway becomes a storm. Stops, reductions and cancels never wait longer than a few seconds.
"""

from __future__ import annotations

from mirrorctl.core.domain.actions import NotSent, Priority
from mirrorctl.core.domain.scene import Planned, SymbolPlan

_FIRST_MS = 100
_LONGEST_MS = 10_000
_LONGEST_PROTECTIVE_MS = 5_000
_TOLD_PROTECTIVE_MS = 1_000
_DOUBLINGS = 8


class Pace:
    """The pauses of one account, by priority. Times in ms on the engine's clock."""

    __slots__ = ("_tries", "_until_ms", "_why")

    def __init__(self) -> None:
        self._tries: dict[Priority, int] = {}
        self._until_ms: dict[Priority, int] = {}
        self._why: dict[Priority, str] = {}

    def not_sent(self, priority: Priority, outcome: NotSent, now_ms: int) -> None:
        """Something of this priority did not leave: everything of it waits, longer with every time in a row.

        What was on its way together counts once: a burst that finds no room is not a row of tries in vain.
        """
        self._why[priority] = outcome.reason
        tries = self._tries.get(priority, 0)
        if now_ms >= self.until_ms(priority):
            self._tries[priority] = tries + 1
        else:
            tries -= 1
        told_ms, grown_ms = int(outcome.retry_after_s * 1000), _FIRST_MS << min(max(tries, 0), _DOUBLINGS)
        if priority <= Priority.CANCEL:
            wait_ms = min(max(min(told_ms, _TOLD_PROTECTIVE_MS), grown_ms), _LONGEST_PROTECTIVE_MS)
        else:
            wait_ms = max(told_ms, min(grown_ms, _LONGEST_MS))
        self._until_ms[priority] = max(self._until_ms.get(priority, 0), now_ms + wait_ms)

    def sent(self, priority: Priority) -> None:
        """Something of this priority reached the exchange, whatever came of it."""
        if not self._why:
            return
        for known in (self._tries, self._until_ms, self._why):
            known.pop(priority, None)

    def reset(self) -> None:
        """The account can be reached again."""
        for known in (self._tries, self._until_ms, self._why):
            known.clear()

    @property
    def waits(self) -> bool:
        """Whether something that was not sent made anything wait since it was last sent."""
        return bool(self._until_ms)

    def why(self, priority: Priority) -> str:
        """Why the last of this priority was not sent; "" where it was."""
        return self._why.get(priority, "")

    def until_ms(self, priority: Priority) -> int:
        """Until when nothing of this priority is sent; 0: it may be."""
        return self._until_ms.get(priority, 0)

    def sendable(self, plan: SymbolPlan, now_ms: int) -> list[Planned]:
        """The plan's actions, less those that wait; the plan wakes when they may go."""
        if not self._until_ms:
            return plan.actions
        ready = []
        for item in plan.actions:
            until_ms = self._until_ms.get(item.action.priority, 0)
            if now_ms >= until_ms:
                ready.append(item)
            else:
                plan.wake_at(until_ms)
        return ready
