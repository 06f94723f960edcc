"""One intent on its way to its end: when it is asked for, what counts as nowhere, and when asking took too long.

Questions come quickly at first and ever more rarely. A read may lag (order/open-order, order/order-list), so nothing is
given up for one answer; and what stays unsettled for `IN_DOUBT_MS` is overdue: its symbol is parked and told, and it is
asked for once a minute until an answer settles it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from mirrorctl.core.domain.actions import Action, PlaceOrder
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.values import TimeInForce
from mirrorctl.core.engine.attempts import Attempt
from mirrorctl.core.engine.effects import question_of
from mirrorctl.core.engine.ports import Query, ReadPosition
from mirrorctl.core.engine.records import Intent

IN_DOUBT_MS = 60_000
CONFIRM_MS = 400
RECV_WINDOW_MS = 5_000
FIRST_LOOK_MS = 250
_ABSENT_AFTER_MS = RECV_WINDOW_MS + 3_000
_ABSENT_READS = 3
_ABSENT_AGAIN_MS = 1_000
_LONGEST_LOOK_MS = 10_000
_OVERDUE_LOOK_MS = 60_000


@dataclass(slots=True)
class Tracked:
    """An intent and how its settling goes. `look_ms`: when to ask next, 0 when nothing is to be asked.

    `gone_ms`: since when it counts as nowhere; it ends once the position was read after that. `asked_from_ms`: since
    when it is asked for, where that is later than it was sent. `passed`: it can arrive no more, and the position was
    read after that. `attempt`: what it last was to the planner.
    """

    intent: Intent
    sent_ms: int
    answered_ms: int = 0
    look_ms: int = 0
    looks: int = 0
    absent: int = 0
    gone_ms: int = 0
    busy_until_ms: int = 0
    asked_from_ms: int = 0
    passed: bool = False
    attempt: Attempt | None = None

    def is_overdue(self, now_ms: int) -> bool:
        """Whether asking went on for as long as is stated and nothing settled it."""
        return now_ms >= max(self.sent_ms, self.asked_from_ms) + IN_DOUBT_MS

    def question(self, now_ms: int) -> Query:
        """What to ask now; the next time comes later than this one did."""
        longest_ms = _OVERDUE_LOOK_MS if self.is_overdue(now_ms) else _LONGEST_LOOK_MS
        wait_ms = min(FIRST_LOOK_MS << min(self.looks, 8), longest_ms)
        self.looks += 1
        certain_ms = self.sent_ms + _ABSENT_AFTER_MS  # the first look that may prove it was never placed
        self.look_ms = certain_ms if now_ms < certain_ms < now_ms + wait_ms else now_ms + wait_ms
        action = self.intent.action
        unread = now_ms >= certain_ms and not self.passed and _executes_or_ends(action)
        return ReadPosition(action.symbol) if self.gone_ms or unread else question_of(action)

    def note_position(self, read_ms: int) -> None:
        """The position was read, begun at `read_ms`: what this order did to it is in it, if it can arrive no more."""
        if read_ms >= self.sent_ms + _ABSENT_AFTER_MS and _executes_or_ends(self.intent.action):
            self.passed = True

    def keeps_busy(self, now_ms: int) -> tuple[bool, int | None]:
        """Whether a change of the same kind waits for this one, and when that ends by itself.

        One that is not known to be done keeps nothing away once it can arrive no more: it sets and does not add.
        """
        state, until_ms = self.intent.state, self.sent_ms + _ABSENT_AFTER_MS
        if state is IntentState.PENDING:
            return True, None
        if state.is_over:
            until_ms = self.busy_until_ms
        return (True, until_ms) if now_ms < until_ms else (False, None)

    def note_absent(self, requested_ms: int, now_ms: int) -> None:
        """One look over everything, begun at `requested_ms`, found nothing. Only several, late enough, are proof."""
        self.absent += 1
        if requested_ms < self.sent_ms + _ABSENT_AFTER_MS:
            return
        if self.absent >= _ABSENT_READS:
            self.gone_ms, self.look_ms, self.looks = now_ms, now_ms, 0
        else:
            self.look_ms = min(self.look_ms, now_ms + _ABSENT_AGAIN_MS)


def is_lasting(intent: Intent) -> bool:
    """Whether an ended order still matters while its cycle is open: a twin, a rung, or an entry of a trade."""
    action = intent.action
    role = action.role if isinstance(action, PlaceOrder) else None
    return bool(intent.main_order_id) or role in (Role.TARGET, Role.ENTRY)


def is_superseded(tracked: Tracked, others: Iterable[Tracked]) -> bool:
    """Whether an exit in doubt stands for nothing: it can arrive no more, and a later one was sent in its stead."""
    action = tracked.intent.action
    if not (tracked.passed and isinstance(action, PlaceOrder) and action.reduce_only):
        return False
    later = (o.intent.action for o in others if o.intent.intent_id > tracked.intent.intent_id)
    exits = (each for each in later if isinstance(each, PlaceOrder) and each.reduce_only and _executes_or_ends(each))
    return any(each.side is action.side for each in exits)


def as_of(intent: Intent, now_ms: int) -> Intent:
    """An intent of an earlier life, no younger than now: the clock may have been set back since."""
    created_ms, updated_ms = min(intent.created_ms, now_ms), min(intent.updated_ms, now_ms)
    if (created_ms, updated_ms) == (intent.created_ms, intent.updated_ms):
        return intent
    return replace(intent, created_ms=created_ms, updated_ms=updated_ms)


def _executes_or_ends(action: Action) -> bool:
    """Whether an order rests nowhere: it executes when it arrives, or it is over."""
    return isinstance(action, PlaceOrder) and action.time_in_force in (TimeInForce.IOC, TimeInForce.FOK)
