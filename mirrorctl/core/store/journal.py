"""The journal: a row for every write of an intent, never changed afterwards, each bound to the one before (chain.py).

The first row of an intent says what it is, the later ones what became of it. Its id is the number of its first row.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from mirrorctl.core.domain.actions import Action
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.engine.records import Intent
from mirrorctl.core.store import chain, verify
from mirrorctl.core.store.codec import encode_action, intent_of
from mirrorctl.core.store.database import Row
from mirrorctl.core.store.errors import corrupt
from mirrorctl.core.store.tables import Tables
from mirrorctl.core.store.verify import Verified

_ROWS = f"SELECT {chain.COLUMNS} FROM journal"
_LATER = f"{_ROWS} WHERE seq > ? AND intent_id IN (SELECT intent_id FROM journal WHERE seq <= ?) ORDER BY seq"
_FIXED = slice(2, 7)
_ACTION = 3
_SAID = slice(7, 14)
_FEW = 500
_PENDING = IntentState.PENDING.value
_OVER = frozenset(state.value for state in IntentState if state.is_over)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that became of an intent: when (local clock), what, and how much of it had filled by then."""

    at_ms: int
    state: IntentState
    filled: Decimal


class JournalTable(Tables):
    """Intents, in the order of their rows."""

    _chain: chain.Chain

    def record_intent(
        self,
        action: Action,
        at_ms: int,
        main_order_id: str = "",
        main_filled: Decimal | None = None,
        *,
        intent_id: int | None = None,
    ) -> int:
        """Journal an action as PENDING before it is sent; returns its id, rising and never given twice.

        `intent_id` is for a writer that had to give the id away before it could be written.
        """
        chosen = intent_id if intent_id is not None else self.newest_row() + 1
        filled = None if main_filled is None else plain(main_filled)
        fixed = (action.account, encode_action(action), at_ms, main_order_id, filled)
        self._chain.append((chosen, at_ms, *fixed, _PENDING, at_ms, "0", 0, 0, "", ""))
        return chosen

    def update_intent(self, intent: Intent) -> None:
        """Write what became of it (see records.Store)."""
        said = (plain(intent.filled), int(intent.by_us), intent.code, intent.message, intent.order_id)
        state = (intent.state.value, intent.updated_ms)
        self._chain.append_said(intent.intent_id, intent.updated_ms, (*state, *said))

    def leave_out_row(self) -> None:
        """See records.StoreFile."""
        self._chain.leave_out()

    def newest_row(self) -> int:
        """The number of the newest row: no id is higher. 0 for an empty journal."""
        return self._chain.tip()[0]

    def open_intents(self) -> list[Intent]:
        """Every intent that is not over, oldest first. Looks through the journal: for a start or a report."""
        states: dict[int, str] = dict(self._database.rows("SELECT intent_id, state FROM journal ORDER BY seq"))
        return self._intents([intent_id for intent_id, state in states.items() if state not in _OVER])

    def recent_intents(self, since_ms: int) -> list[Intent]:
        """Every intent updated since then, oldest first. Looks through the journal: for a start or a report."""
        sql = "SELECT DISTINCT intent_id FROM journal WHERE updated_ms >= ? AND intent_id != ?"
        return self._intents([number for (number,) in self._database.rows(sql, (since_ms, chain.ABOUT_CHAIN))])

    def newest_intents(self, limit: int, chosen: Callable[[Intent], bool] = lambda _: True) -> list[Intent]:
        """At most `limit` of the chosen intents, the newest first.

        The journal is read from its end, and only as far as it takes to find them.
        """
        found: list[Intent] = []
        latest: dict[int, Row] = {}
        told: set[int] = set()
        for row in self._database.stream(f"{_ROWS} ORDER BY seq DESC"):
            if len(found) >= limit:
                break
            said = latest.setdefault(row[0], row[_SAID])
            if row[_ACTION] is not None and row[0] not in told:
                told.add(row[0])
                intent = self._made(row[0], row[_FIXED], said)
                found += [intent] if chosen(intent) else []
        return sorted(found, key=lambda intent: -intent.intent_id)

    def steps(self, intent_ids: Sequence[int]) -> dict[int, list[Step]]:
        """What became of each of these intents, one by one, oldest first; its state when it was journaled is first.

        Of one that outlived a prune only the last is left.
        """
        found: dict[int, list[Step]] = {number: [] for number in intent_ids}
        if not found:
            return found
        sql = "SELECT intent_id, updated_ms, state, filled FROM journal WHERE seq >= ? ORDER BY seq"
        for number, at_ms, state, filled in self._database.stream(sql, (min(found),)):
            if number in found:
                found[number].append(Step(at_ms, IntentState(state), Decimal(filled)))
        return found

    def verify(self) -> Verified:
        """Recompute the chain and name the first place where the journal is not as it was written."""
        return verify.verify(self._database)

    def prune_journal(self, before_ms: int, now_ms: int, keep: Container[int]) -> int:
        """Let the oldest rows go; returns how many.

        An intent that is not over, is in `keep` or has later rows is written once more, whole. A part of what may go
        is left for the next call (see Retention).
        """
        ends, kept = chain.ends(self._database), self._retention
        if ends is None:
            return 0
        newest = self.newest_row()
        old = self._last_before(ends.anchor, newest, before_ms)
        much = newest - kept.rows_of_journal if newest - ends.anchor > kept.rows_of_journal + kept.slack else 0
        last = min(max(old if old - ends.anchor >= kept.slack else 0, much), ends.anchor + kept.step)
        if last <= ends.anchor:
            return 0
        first = _Fold(self._database.rows(f"{_ROWS} WHERE seq <= ? ORDER BY seq", (last,)))
        later_rows = (
            f"{_ROWS} WHERE seq > ? AND intent_id IN (SELECT intent_id FROM journal WHERE seq <= ?) ORDER BY seq"
        )
        later = _Fold(self._database.rows(later_rows, (last, last)))
        for intent_id, fixed in first.fixed.items():
            said = later.said.get(intent_id) or first.said[intent_id]
            done = said[0] in _OVER and intent_id not in keep and intent_id not in later.said
            if intent_id not in later.fixed and not (done and (said[1] < before_ms or last <= much)):
                self._chain.append((intent_id, now_ms, *fixed, *said))
        self._chain.let_go(last, now_ms)
        return last - ends.anchor

    def _intents(self, wanted: Sequence[int]) -> list[Intent]:
        """The wanted intents as they stand now, oldest first."""
        if not wanted:
            return []
        # No row of an intent stands before the one that it is named after.
        if len(wanted) <= _FEW:
            marks = ", ".join("?" * len(wanted))
            sql = f"{_ROWS} WHERE seq >= ? AND intent_id IN ({marks}) ORDER BY seq"
            fold = _Fold(self._database.rows(sql, (min(wanted), *wanted)))
        else:
            chosen = frozenset(wanted)
            rows = self._database.stream(f"{_ROWS} WHERE seq >= ? ORDER BY seq", (min(wanted),))
            fold = _Fold(row for row in rows if row[0] in chosen)
        return [self._made(number, fold.fixed.get(number), fold.said[number]) for number in sorted(fold.said)]

    def _made(self, intent_id: int, fixed: Row | None, said: Row) -> Intent:
        if fixed is None:
            raise corrupt(self._database.path, f"the journal does not say what intent {intent_id} is")
        account, action, created_ms, *main = fixed
        state, updated_ms, *rest = said
        try:
            return intent_of((intent_id, account, action, state, created_ms, updated_ms, *main, *rest))
        except (ValueError, ArithmeticError, TypeError) as error:
            raise corrupt(self._database.path, f"a row that cannot be read: {error}") from error

    def _last_before(self, low: int, high: int, before_ms: int) -> int:
        """The newest row of before then; times rise with the numbers, as far as the clock was never put back."""
        while low < high:
            middle = (low + high + 1) // 2
            rows = self._database.rows("SELECT at_ms FROM journal WHERE seq = ?", (middle,))
            if rows and rows[0][0] < before_ms:
                low = middle
            else:
                high = middle - 1
        return low


class _Fold:
    """What rows come to: of each intent the row that says what it is, and the last that says what became of it."""

    def __init__(self, rows: Iterable[Row] | Iterator[Row]) -> None:
        self.fixed: dict[int, Row] = {}
        self.said: dict[int, Row] = {}
        for row in rows:
            if row[0] == chain.ABOUT_CHAIN:
                continue
            if row[_ACTION] is not None:
                self.fixed[row[0]] = row[_FIXED]
            self.said[row[0]] = row[_SAID]
