"""What people are told of: orders that filled, positions that closed. Each exactly once, whatever happens between.

The outbox keeps what was told; the cursor of executions waits for what was not (`unfinished_ms`), so a restart finds it
again. What happened while no daemon watched is told in the order of time and marked late (A46).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mirrorctl.core.domain.account import ClosedPnl, Execution, Order
from mirrorctl.core.domain.values import ExecutionKind
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.closed_positions import Close, ClosedPositions
from mirrorctl.core.engine.filled_orders import Fill, FilledOrders, Readiness
from mirrorctl.core.engine.news import News, own_link
from mirrorctl.core.engine.opened_trades import OpenedTrades
from mirrorctl.core.engine.ports import ReadClosed
from mirrorctl.core.engine.state import EngineState
from mirrorctl.core.engine.stop_moves import StopMoves

_ORDER_WAIT_MS = 10_000


class Events:
    """Takes what the intake took, decides nothing. All calls on the engine's thread."""

    def __init__(self, state: EngineState) -> None:
        self._state = state
        self._news = News(state)
        self._closes = ClosedPositions(state, self._news)
        self._fills = FilledOrders(state, self._news, OpenedTrades(state, self._closes.opened_ms))
        self._stops = StopMoves(state, self._closes.is_ours, self._closes.opened_ms)
        self._changed: dict[str, set[str]] = {}
        self._fresh: dict[tuple[str, str], bool] = {}  # where a position may have begun or ended; by a row or not
        self._taken: list[tuple[Account, Execution, bool]] = []
        self._waiting: set[str] = set()

    def on_execution(self, account: Account, execution: Execution, *, read: bool) -> None:
        """An execution that was not seen before. `read`: it was not pushed but read, perhaps long after it happened."""
        if not execution.kind.moves_position:
            return
        self._closes.on_execution(account, execution)
        self._taken.append((account, execution, read))
        self._changed.setdefault(account.name, set()).add(execution.symbol)
        if execution.closed_qty:  # what it closes may be over, with all that names it, once it was decided on
            self._take()
            self._fresh.setdefault((account.name, execution.symbol), False)

    def on_order(self, account: Account, order: Order) -> None:
        """An order row was taken, whichever way it came."""
        if self._taken:
            self._take()
        bound, side = order.stop_kind.position_bound, order.side.shrinks
        ours = account.is_main or own_link(account, order.link_id) is not None
        if ours or (bound and self._closes.is_ours(account, order.symbol, side)):
            self._fills.on_order(account, order)

    def on_symbol(self, account: Account, symbol: str, *, row: bool = False) -> None:
        """Something of the symbol was taken into the account's view; `row`: one of a position."""
        self._changed.setdefault(account.name, set()).add(symbol)
        if row:
            self._fresh[(account.name, symbol)] = True

    def on_absent(self, account: Account, order_id: str) -> None:
        """An order was looked for by its id, and every read answered that there is none."""
        self._fills.on_absent(account, order_id)

    def on_relist(self, account: Account, requested_ms: int, newest_ms: int) -> None:
        """A whole relist was taken, with executions up to `newest_ms` (0: none)."""
        self._news.begin(account, newest_ms)
        self._closes.on_relist(account, requested_ms)

    def on_records(self, account: Account, query: ReadClosed, rows: Sequence[ClosedPnl]) -> None:
        """Closed-PnL records were read: what a close brought may be known now."""
        self._closes.results.on_records(account, query, rows)

    def heed(self, account: Account) -> None:
        """An event was taken. What it made of a position is noted now: the same burst may bring the next one.

        Rows of positions and closing executions do that. Everything else waits for `tend`: nobody who decides shall
        wait for what people are told.
        """
        self._waiting.add(account.name)
        if not self._fresh:
            return
        fresh, self._fresh = self._fresh, {}
        for (name, symbol), row in fresh.items():
            which = self._state.accounts[name]
            turns = self._closes.turns(which, symbol)
            if turns:
                self._closes.review(which, symbol)
            if turns or row:
                self._stops.look(which, symbol)

    def tend(self, now: int) -> None:
        """Tell what the last events brought, and look again at what waits for its time, not for a message."""
        if self._taken:
            self._take()
        for name in sorted(self._waiting):
            if account := self._state.accounts.get(name):
                self._look(account, now)

    def conclude(self) -> None:
        """The process ends: what waits for more to be known is told without it."""
        self._take()
        now = self._state.now_ms()
        for name in sorted(self._waiting):
            if account := self._state.accounts.get(name):
                for close in self._closes.pending(account):
                    self._closes.tell(account, close)
                self._look(account, now)

    def _take(self) -> None:
        """Note the fills that were seen, in their order: nothing of it is needed before decisions are made."""
        taken, self._taken = self._taken, []
        for account, execution, read in taken:
            if self._is_ours(account, execution):
                self._fills.on_execution(account, execution, read=read)

    def _look(self, account: Account, now: int) -> None:
        """Tell what can be told now, ask for what is missing."""
        changed = self._changed.pop(account.name, set())
        for symbol in sorted(changed):
            self._closes.review(account, symbol)
        fills = self._fills.untold(account)
        if fills or self._closes.waits(account):
            self._tell_live(account, fills, now)
            self._tell_late(account, fills)
            self._fills.ask_rows(account, now)
        for symbol in sorted(changed | self._stops.awaits_time(account)):
            self._stops.look(account, symbol)
        waits = self._closes.waits(account) or (fills and self._fills.awaits_time(account, now))
        (self._waiting.add if waits or self._stops.awaits_time(account) else self._waiting.discard)(account.name)

    def unfinished_ms(self, account: Account) -> int | None:
        """The time of the oldest execution that was read and is not told of yet; None when there is none."""
        self._take()
        times = [*self._closes.unfinished_ms(account)]
        times += [
            fill.time_ms
            for fill in self._fills.of(account)
            if fill.tell and self._fills.readiness(account, fill) is not Readiness.OPEN
        ]
        return min(times, default=None)

    def _tell_live(self, account: Account, fills: Mapping[str, Fill], now: int) -> None:
        """In the order of time for each symbol, as far as what is missing comes soon (A69): a gap is read in any order.

        What opened something waits for the close before it as long as that does; what only closed does not.
        """
        soon = now - _ORDER_WAIT_MS
        held: set[str] = set()
        closing: set[str] = set()
        waiting: list[Fill | Close] = [*fills.values(), *self._closes.pending(account)]
        for item in sorted(waiting, key=_in_time):
            if isinstance(item, Close):
                if self._closes.is_due(account, item) and item.row.symbol not in held:
                    self._closes.tell(account, item)
                else:
                    closing.add(item.row.symbol)
                continue
            symbol, readiness = item.symbol, self._fills.readiness(account, item)
            if readiness is Readiness.NOTHING:
                self._fills.drop(account, item)
            elif item.late:  # see _tell_late
                continue
            elif readiness is Readiness.WAITS or symbol in held or (item.opened and symbol in closing):
                held |= {symbol} if item.tell and item.seen_ms > soon else set()
            elif readiness is Readiness.OPEN:
                self._fills.announce_resting(account, item)
            elif self._fills.announce(account, item):
                self._fills.tell(account, item)
            else:
                held.add(symbol)

    def _tell_late(self, account: Account, fills: Mapping[str, Fill]) -> None:
        """In the order of time: the oldest waits for nobody, every other one for those before it."""
        closes, late = self._closes.late(account), [fill for fill in fills.values() if fill.late and fill.tell]
        if not (closes or late) or not self._closes.is_walked(account):
            return
        due = {id(close) for close in closes if self._closes.is_due(account, close)}  # all are waited for at once
        waiting: list[Fill | Close] = sorted([*late, *closes], key=_in_time)
        for item in waiting:
            if isinstance(item, Close):
                if id(item) not in due:
                    return
                self._closes.tell(account, item)
                continue
            readiness = self._fills.readiness(account, item)
            if readiness is Readiness.WAITS:
                return
            if readiness in (Readiness.ENDED, Readiness.OPEN):  # one that rests on may end days later
                self._fills.announce(account, item)
            if readiness is Readiness.ENDED:
                self._fills.tell(account, item)

    def _is_ours(self, account: Account, execution: Execution) -> bool:
        """Whether people are told of the order: main's own, ours, and what the exchange did to a position of ours."""
        if account.is_main or own_link(account, execution.link_id) is not None:
            return True
        by_itself = execution.kind is not ExecutionKind.TRADE or execution.stop_kind.position_bound
        return by_itself and self._closes.is_ours(account, execution.symbol, execution.side.shrinks)


def _in_time(item: Fill | Close) -> tuple[int, int]:
    """The order of telling: at one moment the fill that closed, the close, and what opened after it (a flip)."""
    return item.time_ms, 1 if isinstance(item, Close) else 2 if item.opened else 0
