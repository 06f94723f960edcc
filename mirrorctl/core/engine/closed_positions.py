"""Positions that went from size to proven zero, each told once with the reason of its closing execution (A41).

Live, a row of zero and the execution of the same fill are the proof. What was read (a start, a gap of the stream) is
walked back from the size that is known, so a position that closed and opened again meanwhile is found too. The reason
is never guessed: where no execution was ever seen, it is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mirrorctl.core.domain.account import Execution, Position
from mirrorctl.core.domain.closings import CloseReason, Closing, reason_of, walk
from mirrorctl.core.domain.ids import LinkId, Role
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.values import SIDES, ExecutionKind, PositionMode, PositionSide
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.close_results import CloseResults
from mirrorctl.core.engine.event_texts import SEVERITIES, closed_text, late, unseen_text
from mirrorctl.core.engine.news import News, own_link
from mirrorctl.core.engine.ports import ReadPosition
from mirrorctl.core.engine.records import ClosedPosition, OpenPosition, Severity
from mirrorctl.core.engine.state import READ_RETRY_MS, EngineState

_UNSEEN_MS = 60_000  # for so long the lists of executions may lag behind before a reason counts as unknown
_TRAIL_KEPT = 300
_OWN_EXITS = frozenset(("stop", ExecutionKind.LIQUIDATION.value, ExecutionKind.ADL.value))

Key = tuple[str, str, PositionSide]


@dataclass(frozen=True, slots=True)
class Close:
    """A close that was found and not told yet. `row` is what was known of the position."""

    closing: Closing
    row: OpenPosition
    link: LinkId | None
    dust: bool
    emergency: bool

    @property
    def time_ms(self) -> int:
        return self.closing.execution.time_ms


class ClosedPositions:
    """What every account holds, as far as closes are told of it, and the executions that may have closed it."""

    def __init__(self, state: EngineState, news: News) -> None:
        self._state = state
        self._news = news
        self._open: dict[Key, OpenPosition] = {row.key: row for row in state.store.open_positions()}
        self._seen: set[Key] = set()
        self._trails: dict[tuple[str, str], list[Execution]] = {}
        self._unwalked: set[tuple[str, str]] = set()
        self._told_seq: dict[Key, int] = {}
        self._zero_ms: dict[Key, int] = {}
        self._lost: set[Key] = set()
        self._given_up: set[Key] = set()
        self._late: dict[str, list[Close]] = {}
        self._pending: dict[str, list[Close]] = {}
        self.results = CloseResults(state)

    # --- what is asked -----------------------------------------------------------------------------------------

    def is_ours(self, account: Account, symbol: str, side: PositionSide) -> bool:
        """Whether people are told of this position: every one of main, on a mirror only those that we opened."""
        copy = self._state.keeper.copies.get((account.name, symbol, side))
        return account.is_main or (account.name, symbol, side) in self._open or (copy is not None and copy.opened)

    def opened_ms(self, account: Account, symbol: str, side: PositionSide) -> int:
        """Since when a position is known to stand, exchange clock; 0 where none is, or nobody knows."""
        row = self._open.get((account.name, symbol, side))
        return row.opened_ms if row is not None else 0

    def is_walked(self, account: Account) -> bool:
        """Whether everything that was read of the account has been looked through."""
        return not any(name == account.name for name, _ in self._unwalked)

    def late(self, account: Account) -> list[Close]:
        """Closes of the time when nobody watched, to be told in the order of time."""
        return list(self._late.get(account.name, ()))

    def pending(self, account: Account) -> list[Close]:
        """Closes that were seen to happen and wait for what they brought."""
        return list(self._pending.get(account.name, ()))

    def waits(self, account: Account) -> bool:
        """Whether any close of the account is to be told."""
        return bool(self._pending.get(account.name) or self._late.get(account.name))

    def is_due(self, account: Account, close: Close) -> bool:
        """Whether a close may be told: what it brought is known, or is not waited for any longer."""
        return self.results.is_due(account, close.closing, close.row.opened_ms)

    def unfinished_ms(self, account: Account) -> Iterable[int]:
        """Times of what was read and not told: executions from then on must be read again after a restart."""
        yield from (close.time_ms for close in self.late(account) + self.pending(account))
        for name, symbol in self._unwalked:
            if name == account.name:
                yield from (execution.time_ms for execution in self._trails.get((name, symbol), []))

    def turns(self, account: Account, symbol: str) -> bool:
        """Whether the symbol's rows show that a position began or ended since it was reviewed."""
        name, row, known = account.name, account.view.position, self._open
        long, short = row(symbol, PositionSide.LONG) is not None, row(symbol, PositionSide.SHORT) is not None
        return ((name, symbol, PositionSide.LONG) in known) != long or (
            (name, symbol, PositionSide.SHORT) in known
        ) != short

    # --- what happens ------------------------------------------------------------------------------------------

    def on_execution(self, account: Account, execution: Execution) -> None:
        self._trails.setdefault((account.name, execution.symbol), []).append(execution)
        for key in list(self._lost):
            if key[:2] == (account.name, execution.symbol) and not account.view.unexplained_loss(*key[1:]):
                self._lost.discard(key)

    def on_relist(self, account: Account, requested_ms: int) -> None:
        """A whole relist was taken: every execution is known that the exchange lists."""
        known = {key for key in self._open if key[0] == account.name}
        for key in [key for key in self._lost & known if not account.view.unexplained_loss(*key[1:])]:
            self._lost.discard(key)
            self._given_up.add(key)
        self._unwalked |= {
            trail for trail in self._trails if trail[0] == account.name and self._has_news(account, trail)
        }
        symbols = {symbol for _, symbol, _ in known} | {
            symbol for name, symbol in self._unwalked if name == account.name
        }
        for symbol in symbols | {row.symbol for row in account.view.positions()}:
            self.review(account, symbol)
        for key in known & self._open.keys():
            if not account.view.proven(*key[1:]):
                account.ask(ReadPosition(key[1]), self._state.now_ms(), every_ms=READ_RETRY_MS)
            elif requested_ms >= self._zero_ms.get(key, requested_ms) + _UNSEEN_MS:
                self._tell_unseen(account, key)

    def review(self, account: Account, symbol: str) -> None:
        """Something of the symbol changed: look whether a position of it closed."""
        if (account.name, symbol) in self._unwalked and not self._walk(account, symbol):
            return
        view = account.view
        for side in SIDES:
            key = (account.name, symbol, side)
            if (row := view.position(symbol, side)) is not None:
                if view.size(symbol, side):
                    self._remember(account, key, row)
            elif key in self._open and view.proven(symbol, side):
                self._look(account, key)

    def tell(self, account: Account, close: Close) -> None:
        """Put it in the outbox and in the history, once."""
        closing, row = close.closing, close.row
        order = account.view.order(closing.execution.order_id)
        reason = reason_of(closing.execution, close.link, order, is_main=account.is_main, emergency=close.emergency)
        reason = CloseReason.TARGET if close.dust else reason
        result = self.results.known(account, closing, row.opened_ms)
        text = closed_text(reason, closing, result, self._state.policy.settle_coin)
        self._put(account, row, reason, text, close.time_ms, self._about(row, closing.execution))
        self.results.forget(account, closing)
        for waiting in (self._late, self._pending):
            if close in waiting.get(account.name, ()):
                waiting[account.name].remove(close)

    # --- inside ------------------------------------------------------------------------------------------------

    def _about(self, row: OpenPosition, execution: Execution) -> str:
        """What makes a close unique: its order, and for one that closed an earlier position too, when this one began.

        By its order: of fills concluded together nobody knows the last, and a later read may order them otherwise.
        """
        about, store = execution.order_id or execution.exec_id, self._state.store
        if not 0 < row.opened_ms <= execution.time_ms or not store.has_alert(
            f"closed:{row.account}:{row.symbol}:{row.side}:{about}"
        ):
            return about
        told = any((each.account, each.symbol, each.side) == row.key for each in store.closed_positions(row.opened_ms))
        return about if told else f"{about}:{row.opened_ms}"

    def _has_news(self, account: Account, trail: tuple[str, str]) -> bool:
        return any(self._news.is_news(account, execution.time_ms) for execution in self._trails[trail])

    def _look(self, account: Account, key: Key) -> None:
        """A position that we knew shows as zero: its closing execution is here, or on its way."""
        _, symbol, side = key
        view = account.view
        self._zero_ms.setdefault(key, self._state.now_ms())
        if view.unexplained_loss(symbol, side):
            self._lost.add(key)
            return
        if view.is_ahead(symbol):
            return
        found, _ = self._walked(account, symbol, side)
        seqs = [closing.execution.seq for closing in found if closing.side is side]
        shown = view.row_seq(symbol)
        # Of a loss that was given up only the execution that the row itself names can be the one.
        if seqs and (seqs[-1] == shown or (seqs[-1] < shown and key not in self._given_up)):
            self._found(account, next(c for c in reversed(found) if c.side is side))

    def _walk(self, account: Account, symbol: str) -> bool:
        """Look through every execution of the symbol that was read. False while its size cannot be trusted."""
        view = account.view
        if not all(view.proven(symbol, side) for side in PositionSide):
            account.ask(ReadPosition(symbol), self._state.now_ms(), every_ms=READ_RETRY_MS)
            return False
        if any(view.unexplained_loss(symbol, side) for side in PositionSide):
            return False
        self._unwalked.discard((account.name, symbol))
        sides = PositionSide if view.mode(symbol) is PositionMode.HEDGE else (PositionSide.LONG,)
        found = [closing for side in sides for closing in self._walked(account, symbol, side)[0]]
        for closing in sorted(found, key=lambda closing: closing.execution.seq):
            if (account.name, symbol, closing.side) not in self._given_up:
                self._found(account, closing)
        del self._trails[(account.name, symbol)][:-_TRAIL_KEPT]
        return True

    def _walked(self, account: Account, symbol: str, side: PositionSide) -> tuple[list[Closing], int]:
        """The closings of the leg that `side` belongs to, and when what it holds began."""
        view = account.view
        hedged = view.mode(symbol) is PositionMode.HEDGE
        trail = sorted(self._trails.get((account.name, symbol), []), key=lambda e: (e.seq, e.time_ms))
        if not hedged:
            return walk(view.size(symbol, PositionSide.LONG) - view.size(symbol, PositionSide.SHORT), trail)
        leg = [execution for execution in trail if _leg(account, execution) == side.hedge_idx]
        return walk(view.size(symbol, side) * side.sign, leg)

    def _found(self, account: Account, closing: Closing) -> None:
        """An execution brought a position to zero: tell it, if it is news."""
        execution = closing.execution
        key = (account.name, execution.symbol, closing.side)
        if execution.seq <= self._told_seq.get(key, -1):
            return
        self._told_seq[key] = execution.seq
        if not self._news.is_news(account, execution.time_ms) or not self.is_ours(account, *key[1:]):
            return
        if self._was_unseen(key, closing):
            return
        row = self._open.get(key) or self._described(key)
        if closing.opened_ms:
            row = OpenPosition(*key, row.tag, row.approach, closing.opened_ms)
        if key in self._open and execution.time_ms >= self._open[key].opened_ms:
            self._forget(key)
        link = own_link(account, execution.link_id)
        intent = self._state.book.by_link(account.name, execution.link_id) if link is not None else None
        why = intent.action.reason if intent is not None and account.is_main else ""
        reduces = link is not None and link.role is Role.REDUCTION
        emergency = reduces and ("is passed" in why or self._left_by_us(key))
        close = Close(closing, row, link, reduces and why.startswith("dust"), emergency)
        is_late = self._news.is_late(account, execution.time_ms)
        (self._late if is_late else self._pending).setdefault(account.name, []).append(close)

    def _was_unseen(self, key: Key, closing: Closing) -> bool:
        """Whether this close was told already, as one whose execution nobody had seen."""
        time_ms = closing.execution.time_ms
        return any(
            (row.account, row.symbol, row.side, row.reason) == (*key, CloseReason.UNKNOWN.value)
            and max(closing.opened_ms, row.opened_ms) <= row.closed_ms
            for row in self._state.store.closed_positions(time_ms - _UNSEEN_MS)
        )

    def _left_by_us(self, key: Key) -> bool:
        """Whether this mirror was taken out of its cycle by us, not by an exit of its own."""
        copy = self._state.keeper.copies.get(key)
        return copy is not None and copy.cap == ZERO and bool(copy.out) and copy.out not in _OWN_EXITS

    def _tell_unseen(self, account: Account, key: Key) -> None:
        """It is gone, and no execution says why."""
        _, symbol, side = key
        row, seq = self._open[key], account.view.row_seq(symbol)
        self._told_seq[key] = max(seq, self._told_seq.get(key, -1))
        at_ms = self._zero_ms[key] + (account.clock_offset_ms or 0)
        was_seen = key in self._seen
        self._forget(key)
        text = unseen_text(side) if was_seen else f"{unseen_text(side)} (late)"
        self._put(account, row, CloseReason.UNKNOWN, text, at_ms, f"seq {seq}", came_late=not was_seen)

    def _put(
        self,
        account: Account,
        row: OpenPosition,
        reason: CloseReason,
        text: str,
        closed_ms: int,
        about: str,
        *,
        came_late: bool | None = None,
    ) -> None:
        """The alert, the row of the history and the end of the open row stand together or not at all."""
        store, now = self._state.store, self._state.now_ms()
        if came_late is None:
            came_late = self._news.is_late(account, closed_ms)
            text = late(text, closed_ms) if came_late else text
        severity = SEVERITIES.get(reason, Severity.INFO)
        with store.batch():
            about = f"{row.side}:{about}"
            if self._state.outbox.tell(now, severity, "closed", account.name, row.symbol, text, about):
                store.add_closed(
                    ClosedPosition(
                        account.name,
                        row.symbol,
                        row.side,
                        row.tag,
                        reason.value,
                        row.opened_ms,
                        closed_ms,
                        came_late,
                        row.approach,
                    )
                )
            if row.key not in self._open:
                store.drop_open(row.key)

    def _remember(self, account: Account, key: Key, row: Position) -> None:
        """A row shows size: what is known of the position now is kept for when it closes."""
        known = self._open.get(key)
        if known is None and not self.is_ours(account, *key[1:]):
            return
        self._seen.add(key)
        now = self._described(key, known)
        if not now.opened_ms:
            began = self._walked(account, key[1], key[2])[1]
            now = OpenPosition(*key, now.tag, now.approach, began or row.opened_ms)
        if now is not known:
            self._open[key] = now
            self._state.store.save_open(now)

    def _described(self, key: Key, known: OpenPosition | None = None) -> OpenPosition:
        """A position with the tag and approach that its trade, cycle or copy has now."""
        account, symbol, side = key
        keeper, copy, own = self._state.keeper, None, None
        if account == self._state.main.name:
            source = (symbol, side)
        else:
            copy, own = keeper.copies.get(key), self._state.own_approaches.get(account)
            source = copy.source if copy is not None else keeper.source(*key)
        trade, cycle = self._state.trades.get(*source), keeper.cycles.get(source)
        if account == self._state.main.name:
            tag = trade.tag if trade is not None else cycle.tag if cycle is not None else ""
        else:
            tag = copy.tag if copy is not None else ""
        approach = own.name if own is not None else trade.approach if trade is not None else ""
        before = known or OpenPosition(*key)
        tag, approach = tag or before.tag, approach or before.approach
        if known is not None and (tag, approach) == (known.tag, known.approach):
            return known
        return OpenPosition(*key, tag, approach, before.opened_ms)

    def _forget(self, key: Key) -> None:
        del self._open[key]
        self._seen.discard(key)
        self._lost.discard(key)
        self._given_up.discard(key)
        self._zero_ms.pop(key, None)


def _leg(account: Account, execution: Execution) -> int:
    """The leg in hedge mode: its order's where that is known, else by side and closing."""
    order = account.view.order(execution.order_id)
    return order.position_idx if order is not None and order.position_idx else execution.hedge_leg()
