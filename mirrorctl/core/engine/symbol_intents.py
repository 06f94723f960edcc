"""Our intents on one symbol of one account, split by what may still change: a pass costs what is live, not what was.

What is over and known to the end is looked at once more and kept as it was then. A placement that counts as nowhere may
still turn out to have filled, so it goes on being looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Container

from mirrorctl.core.domain.account import Order
from mirrorctl.core.domain.actions import PlaceOrder
from mirrorctl.core.domain.ours import IntentState, Ours
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.engine.attempts import attempt_of, attempt_on_book
from mirrorctl.core.engine.effects import busy_key
from mirrorctl.core.engine.looks import Tracked
from mirrorctl.core.engine.records import Intent

_IDLE: frozenset[str] = frozenset()
_FINAL = frozenset((IntentState.DONE, IntentState.REJECTED))


class SymbolIntents:
    """Every intent that is known of one symbol, in the order in which they were made.

    `look_at` must be called whenever an intent became another one, or a row of its order was taken into the view.
    """

    def __init__(self) -> None:
        self._all: dict[int, Tracked] = {}
        self._open: dict[int, Tracked] = {}
        self._unseen: dict[int, Tracked] = {}  # placements that no planner was shown yet
        self._unsure: dict[int, Tracked] = {}  # placements that are over and to be looked at again
        self._waits: dict[int, Tracked] = {}  # what has no link id, is over and may keep the next one waiting
        self._newest: dict[str, int] = {}  # of what has no link id, by its key
        self._refused: dict[str, Intent] = {}
        self._ours = Ours()

    def all(self) -> Collection[Tracked]:
        return self._all.values()

    def open(self) -> Collection[Tracked]:
        """What is not over."""
        return self._open.values()

    def waiting(self) -> Collection[Tracked]:
        """Changes that are over and may keep the next one of their kind waiting."""
        return self._waits.values()

    def add(self, tracked: Tracked) -> None:
        """Take up an intent that was made just now, or read from the journal."""
        self._all[tracked.intent.intent_id] = tracked
        if isinstance(tracked.intent.action, PlaceOrder):
            self._unseen[tracked.intent.intent_id] = tracked
        else:
            self._newest[busy_key(tracked.intent.action)] = tracked.intent.intent_id
        self.look_at(tracked)

    def drop(self, tracked: Tracked) -> None:
        """Forget an intent."""
        intent = tracked.intent
        for known in (self._all, self._open, self._unseen, self._unsure, self._waits):
            known.pop(intent.intent_id, None)
        if isinstance(intent.action, PlaceOrder):
            self._ours.drop(intent.intent_id)
        elif self._newest.get(key := busy_key(intent.action)) == intent.intent_id:
            del self._newest[key]
            self._refused.pop(key, None)

    def look_at(self, tracked: Tracked) -> None:
        """An intent is to be looked at anew."""
        intent = tracked.intent
        if not intent.state.is_over:
            self._reopen(tracked)
        else:
            self._open.pop(intent.intent_id, None)
            waits = self._unsure if isinstance(intent.action, PlaceOrder) else self._waits
            waits[intent.intent_id] = tracked
        if isinstance(intent.action, PlaceOrder):
            return
        key = busy_key(intent.action)
        if self._newest.get(key) != intent.intent_id:
            return
        if intent.state is IntentState.REJECTED:
            self._refused[key] = intent
        else:
            self._refused.pop(key, None)

    # --- what the planner sees ---------------------------------------------------------------------------------

    def ours(self, view: AccountView, overdue: Container[int]) -> Ours:
        """Every placement as it is now. `overdue`: ids of what was asked for in vain for as long as is stated."""
        for tracked in (*self._unseen.values(), *self._open.values()):  # in the order in which they were made
            self._look(tracked, view, overdue)
        self._unseen.clear()
        for tracked in list(self._unsure.values()):
            self._look(tracked, view, overdue)
            if tracked.intent.state in _FINAL:
                del self._unsure[tracked.intent.intent_id]
        return self._ours

    def busy(self, now_ms: int) -> tuple[frozenset[str], int | None]:
        """What is in flight besides placements, and when a wait after a refusal ends."""
        if not self._open and not self._waits:
            return _IDLE, None
        keys: set[str] = set()
        wake: int | None = None
        for tracked in (*self._open.values(), *self._waits.values()):
            intent = tracked.intent
            if isinstance(intent.action, PlaceOrder):
                continue
            busy, until_ms = tracked.keeps_busy(now_ms)
            if busy:
                keys.add(busy_key(intent.action))
            elif intent.state.is_over:
                del self._waits[intent.intent_id]
            if until_ms is not None:
                wake = until_ms if wake is None else min(wake, until_ms)
        return frozenset(keys), wake

    def refused(self) -> dict[str, tuple[int, str]]:
        """(code, message) of the last refusal of what has no link id, by its key in `busy`; none after a success."""
        return {key: (intent.code, intent.message) for key, intent in self._refused.items()} if self._refused else {}

    # --- inside ----------------------------------------------------------------------------------------------

    def _look(self, tracked: Tracked, view: AccountView, overdue: Container[int]) -> None:
        intent, before = tracked.intent, tracked.attempt
        if not isinstance(intent.action, PlaceOrder):
            return
        late = tracked.passed or intent.intent_id in overdue
        tracked.attempt = attempt_of(intent, intent.action, view, overdue=late, before=before)
        if tracked.attempt is not before:
            self._ours.put(intent.intent_id, tracked.attempt.order)

    def _reopen(self, tracked: Tracked) -> None:
        intent_id = tracked.intent.intent_id
        again = intent_id in self._unsure or intent_id in self._waits
        self._unsure.pop(intent_id, None)
        self._waits.pop(intent_id, None)
        if again:
            self._open = {each: known for each, known in self._all.items() if not known.intent.state.is_over}
        else:
            self._open[intent_id] = tracked


def with_unknown(ours: Ours, orders: Collection[Order], view: AccountView) -> Ours:
    """The attempts with those that only the exchange still knows: open `orders` with ids of ours (a lost store)."""
    adopted = [found for order in orders if (found := attempt_on_book(order, view)) is not None]
    return Ours([*ours, *adopted]) if adopted else ours
