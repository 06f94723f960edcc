"""Orders that ended with fills, each told once: ours on every account, and main's own.

An order is told when its row is closed and its executions account for what it filled. One whose row has not come is
looked for: whoever waits for the row (a rung that is done) gets it by that too.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto

from mirrorctl.core.domain.account import Execution, Order
from mirrorctl.core.domain.cycle import CycleKey
from mirrorctl.core.domain.ids import LinkId, Role
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.own_approach import rung_key
from mirrorctl.core.domain.trade import Trade, order_key
from mirrorctl.core.domain.values import PositionSide, Side, StopKind
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.event_texts import Filled, fill_kind, fill_text, late, merged_text, opened_text
from mirrorctl.core.engine.news import News, own_link
from mirrorctl.core.engine.opened_trades import OpenedTrades, Opening
from mirrorctl.core.engine.ports import FindOrder
from mirrorctl.core.engine.records import Severity
from mirrorctl.core.engine.state import READ_RETRY_MS, EngineState

_ROW_WAIT_MS = 2_000
_OPENING_WAIT_MS = 2_000
_ABSENT_READS = 3
_TOLD_KEPT = 5_000


class Readiness(Enum):
    """Whether an order can be told: it has ended, it is open, its end is not known yet, or there is nothing to tell."""

    ENDED = auto()
    OPEN = auto()
    WAITS = auto()
    NOTHING = auto()


@dataclass(slots=True)
class Fill:
    """An order with fills that was not told yet. `tell` False: only its row is looked for.

    `first_ms` and `time_ms` of its first and last fill, exchange clock. `seen_ms` when the first was taken and `ask_ms`
    when to look for its row, local clock. `announced`: it was told that it opened a position, or that it did not.
    """

    order_id: str
    symbol: str
    link: LinkId | None
    time_ms: int
    tell: bool
    ask_ms: int
    first_ms: int = 0
    seen_ms: int = 0
    announced: bool = False
    late: bool = False
    part: str = ""
    last: Execution | None = None
    opened: Decimal = ZERO
    closed: Decimal = ZERO
    value: Decimal = ZERO
    absent: int = 0


class FilledOrders:
    """The fills of every account that wait to be told. All calls on the engine's thread."""

    def __init__(self, state: EngineState, news: News, opened: OpenedTrades) -> None:
        self._state = state
        self._news = news
        self._opened = opened
        self._fills: dict[str, dict[str, Fill]] = {}
        self._told: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._parts: OrderedDict[tuple[str, str], str] = OrderedDict()

    def untold(self, account: Account) -> Mapping[str, Fill]:
        """What waits, by order id; it goes on changing."""
        return self._fills.setdefault(account.name, {})

    def of(self, account: Account) -> list[Fill]:
        return list(self._fills.get(account.name, {}).values())

    def awaits_time(self, account: Account, now: int) -> bool:
        """Whether something is told, or not told, a moment later without any message."""
        until = now - 2 * _OPENING_WAIT_MS
        fills = self.untold(account).values()
        return any(fill.tell and not fill.announced and fill.seen_ms > until for fill in fills)

    def on_execution(self, account: Account, execution: Execution, *, read: bool) -> None:
        """A fill of an order that people are told about. `read`: it was read, perhaps long after it happened."""
        if (account.name, execution.order_id) in self._told:
            return
        link = own_link(account, execution.link_id)
        tell = not read or (self._news.is_news(account, execution.time_ms) and not self._was_told(account, execution))
        if not tell and not self._is_open_rung(account, execution, link):
            return
        now = self._state.now_ms()
        fill = self._fills.setdefault(account.name, {}).setdefault(
            execution.order_id,
            Fill(
                execution.order_id,
                execution.symbol,
                link,
                execution.time_ms,
                tell,
                now if read else now + _ROW_WAIT_MS,
                first_ms=execution.time_ms,
                seen_ms=now,
            ),
        )
        fill.tell |= tell
        fill.first_ms = min(fill.first_ms, execution.time_ms)
        fill.part = fill.part or self._part(account, execution.order_id, execution.symbol, execution.side, link)
        if fill.last is None or (execution.time_ms, execution.seq) >= (fill.last.time_ms, fill.last.seq):
            fill.last, fill.time_ms = execution, execution.time_ms
        fill.late = self._news.is_late(account, fill.time_ms)
        fill.closed += min(execution.closed_qty, execution.qty)
        fill.opened += max(execution.qty - execution.closed_qty, ZERO)
        fill.value += execution.qty * execution.price

    def on_order(self, account: Account, order: Order) -> None:
        """An order is open: its name is kept, for its trade may be over before it is told. Or it ended with fills."""
        if order.status.is_open:
            self._part(account, order.order_id, order.symbol, order.side, own_link(account, order.link_id))
            return
        if not order.filled_qty or (account.name, order.order_id) in self._told:
            return
        fills = self._fills.setdefault(account.name, {})
        if order.order_id not in fills and self._news.is_news(account, order.updated_ms):
            now, link = self._state.now_ms(), own_link(account, order.link_id)
            fills[order.order_id] = Fill(
                order.order_id,
                order.symbol,
                link,
                order.updated_ms,
                True,
                now,
                first_ms=order.updated_ms,
                seen_ms=now,
                late=self._news.is_late(account, order.updated_ms),
            )

    def on_absent(self, account: Account, order_id: str) -> None:
        """The order was looked for, and every read answered that there is none."""
        fill = self._fills.get(account.name, {}).get(order_id)
        if fill is not None:
            fill.absent += 1

    def ask_rows(self, account: Account, now: int) -> None:
        """Look for the rows of orders that were seen to fill and whose row has not come."""
        for fill in self.untold(account).values():
            if now >= fill.ask_ms and account.view.order(fill.order_id) is None:
                account.ask(FindOrder(fill.symbol, order_id=fill.order_id), now, every_ms=READ_RETRY_MS)

    def readiness(self, account: Account, fill: Fill) -> Readiness:
        if (order := account.view.order(fill.order_id)) is None:
            gone = fill.absent >= _ABSENT_READS
            return Readiness.WAITS if not gone else Readiness.ENDED if fill.tell else Readiness.NOTHING
        if order.status.is_open:
            return Readiness.OPEN
        if fill.order_id in account.view.unsettled.get(fill.symbol, {}):
            return Readiness.WAITS
        return Readiness.ENDED if fill.tell and order.filled_qty else Readiness.NOTHING

    def drop(self, account: Account, fill: Fill) -> None:
        del self._fills[account.name][fill.order_id]

    def announce(self, account: Account, fill: Fill) -> bool:
        """Tell that it opened a position, where it did. False while that is not clear yet; not for long."""
        if fill.announced or not fill.opened or fill.last is None:
            return True
        if fill.late and self._state.outbox.has_told("fill", account.name, fill.symbol, fill.order_id):
            return True  # what it opened was told before its fill was, or nobody is told of it any more
        side = PositionSide.grown_by(fill.last.side)
        opening = self._opened.opening(account, fill.symbol, side, fill.order_id, fill.first_ms)
        waits = not fill.late and self._state.now_ms() < fill.seen_ms + _OPENING_WAIT_MS
        if waits and (opening is Opening.UNCLEAR or (opening is Opening.YES and _lacks_row(account, fill, side))):
            return False
        fill.announced = opening is not Opening.UNCLEAR
        if opening is Opening.YES:
            text = opened_text(self._filled(account, fill), side, self._opened.terms(account, fill.symbol, side))
            self._put(account, fill, "opened", text, f"{side}:{fill.order_id}", "opened")
        return True

    def announce_resting(self, account: Account, fill: Fill) -> None:
        """An order that filled in part and rests on may have opened a position all the same."""
        if fill.tell and not fill.late and self._state.now_ms() >= fill.seen_ms + _OPENING_WAIT_MS:
            self.announce(account, fill)

    def tell(self, account: Account, fill: Fill) -> None:
        """Put it in the outbox; one that is there already stays as it is."""
        filled = self._filled(account, fill)
        kind, text = fill_kind(filled), fill_text(filled)
        if kind == "entry" and filled.order is not None and filled.last is not None:
            side = PositionSide.grown_by(filled.last.side)
            if self._opened.merges(account, fill.symbol, side, fill.link, filled.order):
                kind = "merge"
                text = merged_text(filled, side, None if fill.late else account.view.size(fill.symbol, side))
        self._put(account, fill, kind, text, fill.order_id, "fill")  # at a second telling its kind may be better known
        self.drop(account, fill)
        self._told[(account.name, fill.order_id)] = None
        if len(self._told) > _TOLD_KEPT:
            self._told.popitem(last=False)

    def _put(self, account: Account, fill: Fill, kind: str, text: str, about: str, subject: str) -> None:
        now, text = self._state.now_ms(), late(text, fill.time_ms) if fill.late else text
        self._state.outbox.tell(now, Severity.INFO, kind, account.name, fill.symbol, text, about, subject=subject)

    def _filled(self, account: Account, fill: Fill) -> Filled:
        order = account.view.order(fill.order_id)
        sums = (fill.opened, fill.closed, fill.value)
        return Filled(fill.symbol, fill.link, account.is_main, order, fill.last, *sums, fill.part)

    def _was_told(self, account: Account, execution: Execution) -> bool:
        """By a process before this one: then no row is looked for to tell it again, one for each position (A50)."""
        return self._state.outbox.has_told("fill", account.name, execution.symbol, execution.order_id)

    def _is_open_rung(self, account: Account, execution: Execution, link: LinkId | None) -> bool:
        """Whether a fill of the past is of a rung that may be done: its position or main's still stands."""
        main = self._state.main
        side = PositionSide.shrunk_by(execution.side)
        if link is None:
            return account.is_main and self._may_be_rung(execution, side)
        if link.role is not Role.TARGET:
            return False
        source = self._state.keeper.source(account.name, execution.symbol, side)
        stands = account.view.size(execution.symbol, side) or main.view.size(*source)
        return bool(stands) or not main.relisted_ms or source in self._state.keeper.cycles

    def _may_be_rung(self, execution: Execution, side: PositionSide) -> bool:
        """Whether an exit of the trader's own took profit on the position that main still holds."""
        row = self._state.main.view.position(execution.symbol, side)
        resting = execution.is_maker and execution.stop_kind is StopKind.NONE
        exits = bool(execution.closed_qty) and (resting or execution.stop_kind is StopKind.PARTIAL_TAKE_PROFIT)
        return exits and row is not None and execution.time_ms >= row.opened_ms

    def _part(self, account: Account, order_id: str, symbol: str, side: Side, link: LinkId | None) -> str:
        """ "2 of 3" for an entry or a rung of a trade that is known, "" for everything else."""
        key = (account.name, order_id)
        if key not in self._parts:
            if link is not None and link.role is Role.ENTRY:
                part = self._entry_part(symbol, side, link)
            elif link is not None and link.role is Role.TWIN:
                part = self._twin_part(account, link)
            else:
                named = account.is_main if link is None else link.role is Role.TARGET
                part = self._target_part(account, order_id, (symbol, side.shrinks), link) if named else ""
            if not part:
                return ""
            self._parts[key] = part
            if len(self._parts) > _TOLD_KEPT:
                self._parts.popitem(last=False)
        return self._parts[key]

    def _entry_part(self, symbol: str, side: Side, link: LinkId) -> str:
        trade = self._state.trades.get(symbol, PositionSide.grown_by(side))
        if trade is None or trade.tag != link.trade or trade.approach not in self._state.policy.approaches:
            return ""
        entries = len(self._state.policy.approaches[trade.approach].entries)
        return f"{link.leg + 1} of {entries}" if entries > max(link.leg, 1) else ""

    def _twin_part(self, account: Account, link: LinkId) -> str:
        """As main's order, which the twin stands for, is named."""
        intent = self._state.book.by_link(account.name, str(link))
        return self._parts.get((self._state.main.name, intent.main_order_id), "") if intent is not None else ""

    def _target_part(self, account: Account, order_id: str, here: CycleKey, link: LinkId | None) -> str:
        """Which rung an exit stands for, as far as there is a ladder to look at."""
        trade = self._state.trades.get(*self._state.keeper.source(account.name, *here))
        if trade is None and account.name not in self._state.own_approaches:
            return ""
        step = link.step if link is not None else order_key(order_id)
        return self._own_part(account, here, step) or self._rung_part(trade, step)

    def _own_part(self, account: Account, here: CycleKey, key: str) -> str:
        """Of the ladder that a mirror has of its own."""
        own, copy = self._state.own_approaches.get(account.name), self._state.keeper.copies.get((account.name, *here))
        if own is None or copy is None:
            return ""
        legs = len(own.targets)
        return next((f"{leg + 1} of {legs}" for leg in range(legs) if rung_key(copy, own, leg) == key), "")

    def _rung_part(self, trade: Trade | None, key: str) -> str:
        legs = len(trade.targets) if trade is not None else 0
        return next((f"{leg + 1} of {legs}" for leg in range(legs) if trade and trade.rung_key(leg) == key), "")


def _lacks_row(account: Account, fill: Fill, side: PositionSide) -> bool:
    """Whether a position stands and its row, which shows the stop, is on its way."""
    view = account.view
    return bool(view.size(fill.symbol, side)) and view.position(fill.symbol, side) is None
