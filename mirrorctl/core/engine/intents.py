"""The book of our intents: journaled before they are sent, followed until their end is seen.

Accepted is not filled and a time-out is not a failure (rule 2). A placement ends when its order was seen closed, was
refused, or was looked for in vain after the exchange could no longer accept it. Everything without a link id ends when
the state it was to change was read after the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from mirrorctl.core.domain.account import Order
from mirrorctl.core.domain.actions import (
    Accepted,
    Action,
    CancelOrder,
    DoubtfulOutcome,
    Outcome,
    PlaceOrder,
    Priority,
    RejectedOutcome,
    SetTradingStop,
)
from mirrorctl.core.domain.errors import StoreError
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.ours import IntentState, Ours
from mirrorctl.core.domain.refusals import FORGIVEN
from mirrorctl.core.domain.scene import Planned
from mirrorctl.core.domain.values import SIDES
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.engine.changes import Changes, Refusals
from mirrorctl.core.engine.effects import BOUND, busy_key, effect_seen
from mirrorctl.core.engine.limits import Growth, OrderRates, growth_of
from mirrorctl.core.engine.looks import CONFIRM_MS, FIRST_LOOK_MS, Tracked, as_of, is_lasting, is_superseded
from mirrorctl.core.engine.ports import Query
from mirrorctl.core.engine.records import Intent, Store
from mirrorctl.core.engine.symbol_intents import SymbolIntents, with_unknown
from mirrorctl.core.engine.unsettled import Unsettled

Journaled = tuple[int, Planned]
_KEPT_MS = 3_600_000
_PROTECTIVE_WAIT_MS = 1_000


class IntentBook:
    """Every intent that is not over, and those that ended lately. All calls on the engine's thread.

    `unsettled`: those that are not over, by id. `interrupted`: entries of trades on main that a kill may have held up.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._by_id: dict[int, Tracked] = {}
        self._unsettled = Unsettled()
        self.unsettled = self._unsettled.known
        self._by_link: dict[tuple[str, str], Tracked] = {}
        self._symbols: dict[tuple[str, str], SymbolIntents] = {}
        self._rates = OrderRates()
        self._changes = Changes()
        self.refusals = Refusals(self._changes.bound)
        self._overdue: set[int] = set()
        self.interrupted: list[int] = []

    # --- life ------------------------------------------------------------------------------------------------

    def load(self, now_ms: int, since_ms: int) -> None:
        """Take up the journal after a start: what was sent and not settled is in doubt.

        `since_ms`: how far back ended intents still matter (the oldest open cycle).
        """
        for intent in (as_of(i, now_ms) for i in self._store.recent_intents(min(since_ms, now_ms - _KEPT_MS))):
            self._rates.note(intent.action, intent.created_ms)
            if intent.state.is_over and (is_lasting(intent) or intent.updated_ms > now_ms - _KEPT_MS):
                self._track(Tracked(intent, intent.created_ms, answered_ms=intent.updated_ms))
        for intent in (as_of(i, now_ms) for i in self._store.open_intents()):
            tracked = Tracked(intent, now_ms, look_ms=now_ms)  # sent at the latest when the process before died
            self._track(tracked)
            if intent.state is not IntentState.LIVE:
                self._update(tracked, now_ms, state=IntentState.DOUBT)
                if isinstance(intent.action, PlaceOrder) and intent.action.role is Role.ENTRY:
                    self.interrupted.append(intent.intent_id)

    def open(self, action: Action, now_ms: int) -> Intent:
        """Journal an action, which may then be sent. Raises StoreError for an entry that cannot be written down."""
        if opened := self.open_all([Planned(action)], now_ms):
            return opened[0]
        raise StoreError(self._store.error, self._store.hint)

    def open_all(self, planned: Sequence[Planned], now_ms: int) -> list[Intent]:
        """Journal several actions, and follow them from now on. Returns what may be sent."""
        return self.track(self.journal(planned, now_ms), now_ms)

    def journal(self, planned: Sequence[Planned], now_ms: int) -> list[Journaled]:
        """Journal several actions in one transaction. Returns what may be sent, by its id; `track` has to follow.

        It is durable by then. Where the store cannot be written, entries are left out; what protects goes on without
        (see GuardedStore).
        """
        store = self._store
        if store.error:
            planned = [item for item in planned if item.action.priority is not Priority.ENTRY]
        if not planned:
            return []
        with store.batch():
            record = store.record_intent
            journaled = [(record(it.action, now_ms, it.main_order_id, it.main_filled), it) for it in planned]
            for item in planned:  # with the cancel itself: that an order ended by our will, nobody else can tell
                if isinstance(item.action, CancelOrder):
                    self._mark_by_us(item.action, now_ms)
        if not store.error:
            return journaled
        entries = [each for each in journaled if each[1].action.priority is Priority.ENTRY]  # it failed just now
        for intent in self.track(entries, now_ms):
            self.withdraw(intent.intent_id, now_ms)
        return [each for each in journaled if each not in entries]

    def track(self, journaled: Iterable[Journaled], now_ms: int) -> list[Intent]:
        """Follow what was journaled, in the round in which it was: an answer finds it."""
        intents, state = [], IntentState.PENDING
        for intent_id, item in journaled:
            action, main_order, filled = item.action, item.main_order_id, item.main_filled
            intent = Intent(intent_id, action.account, action, state, now_ms, now_ms, main_order, filled)
            self._track(Tracked(intent, now_ms))
            self._rates.note(action, now_ms)
            intents.append(intent)
        return intents

    def withdraw(self, intent_id: int, now_ms: int) -> None:
        """What was journaled and never handed to the writer will not be sent any more."""
        tracked = self._by_id.get(intent_id)
        if tracked is not None and tracked.intent.state is IntentState.PENDING:
            self._update(tracked, now_ms, state=IntentState.ABSENT, message="not sent")
            self._forget_unsent(tracked)

    def on_outcome(self, intent_id: int, outcome: Outcome, sent_ms: int, now_ms: int) -> Intent | None:
        """Take the answer to a send. Returns the intent as it is now; None for one that is not ours.

        `sent_ms` is when it really left: it may have waited behind others.
        """
        tracked = self._by_id.get(intent_id)
        if tracked is None:
            return None
        tracked.sent_ms, tracked.answered_ms = sent_ms, now_ms
        if tracked.intent.state.is_over or tracked.intent.state is IntentState.LIVE:
            return tracked.intent  # the stream was faster
        if isinstance(outcome, Accepted):
            self._unsettled.look_at(tracked, now_ms + CONFIRM_MS)
            self._update(tracked, now_ms, state=IntentState.ACCEPTED, order_id=outcome.order_id)
        elif isinstance(outcome, DoubtfulOutcome):
            self._unsettled.look_at(tracked, now_ms + FIRST_LOOK_MS)
            self._update(tracked, now_ms, state=IntentState.DOUBT, message=outcome.reason)
        elif isinstance(outcome, RejectedOutcome):
            self._refused(tracked, outcome, now_ms)
        else:
            protective = tracked.intent.action.priority <= Priority.CANCEL
            waits_ms = int(outcome.retry_after_s * 1000)
            tracked.busy_until_ms = now_ms + (min(waits_ms, _PROTECTIVE_WAIT_MS) if protective else waits_ms)
            self._update(tracked, now_ms, state=IntentState.ABSENT, message=outcome.reason)
            self._forget_unsent(tracked)
        return tracked.intent

    def on_order(self, account: str, order: Order, now_ms: int) -> Intent | None:
        """An order row of ours was seen: its intent follows it. Returns the intent when its state changed."""
        tracked = self._by_link.get((account, order.link_id))
        if tracked is None:
            return None
        state = IntentState.LIVE if order.status.is_open else IntentState.DONE
        tracked.gone_ms = 0
        self._unsettled.look_at(tracked, 0)
        self._unsettled.arrived(tracked)
        self._symbols[(account, tracked.intent.action.symbol)].look_at(tracked)
        if tracked.intent.state is IntentState.DONE or (
            tracked.intent.state is state and tracked.intent.filled == order.filled_qty
        ):
            return None
        self._update(tracked, now_ms, state=state, filled=order.filled_qty, order_id=order.order_id)
        return tracked.intent

    def confirm(self, account: str, symbol: str, view: AccountView, now_ms: int, read_ms: int = 0) -> None:
        """End what has no link id: its effect is seen, or its state was read at `read_ms`, after the answer."""
        place = (account, symbol)
        if place in self._changes.bound and view.proven(symbol) and not any(view.size(symbol, side) for side in SIDES):
            self._forget_bound(account, symbol)
        known = self._symbols.get(place) if self.unsettled else None
        for tracked in list(known.open()) if known is not None else ():
            action = tracked.intent.action
            if isinstance(action, PlaceOrder):
                tracked.note_position(read_ms)
                if tracked.gone_ms and read_ms > tracked.gone_ms:
                    self._update(tracked, now_ms, state=IntentState.ABSENT, message="nowhere on the exchange")
                continue
            answered = tracked.answered_ms or (tracked.sent_ms if tracked.intent.state is IntentState.DOUBT else 0)
            read_after = bool(answered) and read_ms >= answered
            if tracked.intent.state is not IntentState.PENDING and (effect_seen(action, view) or read_after):
                self.refusals.forget(account, symbol, busy_key(action))
                self._update(tracked, now_ms, state=IntentState.DONE)
                tracked.busy_until_ms = now_ms + self._changes.done(action, busy_key(action), now_ms)

    def on_absent(self, account: str, link_id: str, requested_ms: int, now_ms: int) -> None:
        """A look-up over realtime, history and executions found nothing; those lists may lag (looks.note_absent)."""
        tracked = self._by_link.get((account, link_id))
        if tracked is None or tracked.intent.state.is_over or tracked.gone_ms:
            return
        tracked.note_absent(requested_ms, now_ms)
        self._unsettled.look_at(tracked, tracked.look_ms)

    def forget_old(self, now_ms: int, matters: Callable[[str, str], bool]) -> None:
        """Drop what ended long ago from memory; the journal keeps it. Twins of what `matters` stay."""
        for tracked in list(self._by_id.values()):
            intent = tracked.intent
            old = intent.state.is_over and now_ms - intent.updated_ms > _KEPT_MS
            if old and not (is_lasting(intent) and matters(intent.account, intent.action.symbol)):
                self._untrack(tracked)

    # --- what the planner sees ---------------------------------------------------------------------------------

    def ours(self, account: str, symbol: str, view: AccountView) -> Ours:
        """Every attempt of ours on the symbol, with those that only the exchange still knows (a lost store).

        It goes on changing with the book: it is for the decision that asks for it.
        """
        known = self._symbols.get((account, symbol))
        ours = Ours() if known is None else known.ours(view, self._overdue)
        orders, known_links = view.orders(symbol), self._by_link
        unknown = [o for o in orders if o.link_id and (account, o.link_id) not in known_links] if orders else []
        return with_unknown(ours, unknown, view) if unknown else ours

    def busy(self, account: str, symbol: str, now_ms: int) -> tuple[frozenset[str], int | None]:
        """What is in flight besides placements, and when a wait after a refusal ends."""
        known = self._symbols.get((account, symbol))
        return (frozenset(), None) if known is None else known.busy(now_ms)

    def refused(self, account: str, symbol: str) -> dict[str, tuple[int, str]]:
        """(code, message) of the last refusal of what has no link id, by its key in `busy`; none after a success."""
        known = self._symbols.get((account, symbol))
        return {} if known is None else known.refused()

    def waiting(self, now_ms: int) -> list[Intent]:
        """Changes that the exchange refused a moment ago and that wait to be tried again."""
        ended = (t for t in self._by_id.values() if t.busy_until_ms > now_ms)
        return [t.intent for t in ended if t.intent.state is IntentState.REJECTED]

    def on_the_way(self, account: str, view: AccountView) -> list[Growth]:
        """What entries and their amends may still add and the view does not show yet: limits count it."""
        coming = self._unsettled.coming(account)
        grown = [growth_of(tracked.intent.action, view) for tracked in coming] if coming else []
        return [growth for growth in grown if growth is not None] if grown else []

    def placements(self, account: str, now_ms: int) -> int:
        """Orders of one account that were journaled within the last minute, whoever asked for them."""
        return self._rates.count(account, now_ms)

    def forgive(self, account: str | None, symbol: str | None, now_ms: int) -> None:
        """The trader says try again (`resume`): what was refused or lost counts no longer. None: of every one."""
        for tracked in self._by_id.values():
            intent = tracked.intent
            chosen = account in (None, intent.account) and symbol in (None, intent.action.symbol)
            lost = intent.state is IntentState.ABSENT and isinstance(intent.action, PlaceOrder) and not intent.code
            if chosen and (lost or intent.state is IntentState.REJECTED):
                tracked.busy_until_ms = 0
                self._update(tracked, now_ms, state=IntentState.ABSENT, message=FORGIVEN if lost else "")

    def in_doubt(self) -> list[Intent]:
        return [t.intent for t in self.unsettled.values() if t.intent.state is IntentState.DOUBT]

    def open_intents(self) -> list[Intent]:
        return [t.intent for t in self.unsettled.values()]

    def ids(self) -> Collection[int]:
        """Every intent that is in memory: what still matters of the journal."""
        return self._by_id.keys()

    def by_link(self, account: str, link_id: str) -> Intent | None:
        tracked = self._by_link.get((account, link_id))
        return tracked.intent if tracked else None

    def get(self, intent_id: int) -> Intent | None:
        tracked = self._by_id.get(intent_id)
        return tracked.intent if tracked else None

    def looks_due(self, now_ms: int) -> Iterator[tuple[str, Query]]:
        """What must be asked now to settle intents; each asks again later, ever more rarely."""
        for tracked in self._unsettled.take_due(now_ms):
            intent, overdue = tracked.intent, tracked.is_overdue(now_ms)
            if overdue and is_superseded(tracked, self._symbols[(intent.account, intent.action.symbol)].all()):
                self._update(tracked, now_ms, state=IntentState.ABSENT, message="not found, and another one was sent")
                continue
            if overdue and intent.intent_id not in self._overdue:
                self._overdue.add(tracked.intent.intent_id)
                self._update(tracked, now_ms, state=IntentState.DOUBT)  # accepted and never seen is in doubt as well
            question = tracked.question(now_ms)
            self._unsettled.look_at(tracked, tracked.look_ms)
            yield tracked.intent.account, question

    def overdue(self) -> list[Intent]:
        """What is unsettled although it was asked for as long as is stated (`IN_DOUBT_MS`)."""
        return [self._by_id[intent_id].intent for intent_id in sorted(self._overdue)]

    def ask_again(self, account: str | None, symbol: str | None, now_ms: int) -> None:
        """The trader says look again (`resume`): what is overdue is asked for as if it had been sent just now."""
        for intent_id in list(self._overdue):
            tracked = self._by_id[intent_id]
            intent = tracked.intent
            if account in (None, intent.account) and symbol in (None, intent.action.symbol):
                self._overdue.discard(intent_id)
                tracked.looks, tracked.asked_from_ms = 0, now_ms
                self._unsettled.look_at(tracked, now_ms)

    def of_symbol(self, account: str, symbol: str) -> Iterator[Intent]:
        """Every intent that is known of one symbol on one account."""
        known = self._symbols.get((account, symbol))
        return (tracked.intent for tracked in (() if known is None else known.all()))

    def next_look_ms(self) -> int | None:
        """When the next question is due; None when nothing is open."""
        return self._unsettled.next_ms()

    # --- inside ----------------------------------------------------------------------------------------------

    def _track(self, tracked: Tracked) -> None:
        intent = tracked.intent
        self._by_id[intent.intent_id] = tracked
        if not intent.state.is_over:
            self._unsettled.add(tracked)
        key = (intent.account, intent.action.symbol)
        known = self._symbols.get(key) or self._symbols.setdefault(key, SymbolIntents())
        known.add(tracked)
        if isinstance(intent.action, PlaceOrder):
            self._by_link[(intent.account, intent.action.link_id)] = tracked

    def _untrack(self, tracked: Tracked) -> None:
        intent = tracked.intent
        self._by_id.pop(intent.intent_id, None)
        self._unsettled.drop(tracked)
        self._overdue.discard(intent.intent_id)
        self._symbols[(intent.account, intent.action.symbol)].drop(tracked)
        if isinstance(intent.action, PlaceOrder):
            key = (intent.account, intent.action.link_id)
            if self._by_link.get(key) is tracked:
                del self._by_link[key]

    def _update(
        self,
        tracked: Tracked,
        now_ms: int,
        *,
        state: IntentState,
        filled: Decimal | None = None,
        code: int = 0,
        message: str = "",
        order_id: str = "",
    ) -> None:
        before = tracked.intent
        if state is not IntentState.DOUBT:
            self._overdue.discard(before.intent_id)
        tracked.intent = before.after(state, now_ms, filled, code, message, order_id)
        if state.is_over:
            self._unsettled.drop(tracked)
        self._symbols[(before.account, before.action.symbol)].look_at(tracked)
        self._store.update_intent(tracked.intent)

    def _forget_bound(self, account: str, symbol: str) -> None:
        """The position is gone: the pace of what was bound to it does not hold back the stop of the next one."""
        self._changes.bound.discard((account, symbol))
        for kind in BOUND:
            self._changes.forget(account, symbol, kind)
            self.refusals.forget(account, symbol, kind)
        for tracked in self._symbols[(account, symbol)].waiting() if (account, symbol) in self._symbols else ():
            if isinstance(tracked.intent.action, SetTradingStop):
                tracked.busy_until_ms = 0

    def _refused(self, tracked: Tracked, outcome: RejectedOutcome, now_ms: int) -> None:
        action = tracked.intent.action
        self._update(tracked, now_ms, state=IntentState.REJECTED, code=outcome.code, message=outcome.message)
        if not isinstance(action, PlaceOrder):
            tracked.busy_until_ms = now_ms + self.refusals.note(action)

    def _forget_unsent(self, tracked: Tracked) -> None:
        """A placement that never left keeps its id free for the next try, and no room in the orders of a minute."""
        intent = tracked.intent
        if isinstance(intent.action, PlaceOrder):
            self._untrack(tracked)
            self._rates.forget(intent.action, intent.created_ms)

    def _mark_by_us(self, action: CancelOrder, now_ms: int) -> None:
        target = self._by_link.get((action.account, action.link_id))
        if target is not None:
            target.intent = replace(target.intent, by_us=True, updated_ms=now_ms)
            self._symbols[(action.account, action.symbol)].look_at(target)
            self._store.update_intent(target.intent)
