"""The last known state of one account, fed by stream pushes and REST pages in any order.

Three rules keep it right whatever is lost, doubled or late (A54, A55, A85):

* an order or position only ever moves forward: positions by (seq, updated, told), orders by (closed, filled, updated);
* `size` is the position as of its seq plus the executions newer than that seq, so a fill counts once whichever of
  the two messages arrives first;
* a fill that only an order row has told (filled more than its executions account for) leaves the symbol *unsettled*:
  nobody can say whether the position already holds it, so nothing is decided until its executions were read;
* a position row newer than the executions seen is *ahead*: whose fill moved it is not known yet, so it explains no
  resting order.

A push is one symbol's change; what it does not name keeps its state. What a REST page does not name is a reason to
read it, never to forget it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from mirrorctl.core.domain.account import Execution, Order, Position, Wallet, size_after
from mirrorctl.core.domain.fills import OrderFills, Untold
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.losses import Losses
from mirrorctl.core.domain.revisions import Revisions
from mirrorctl.core.domain.values import PositionMode, PositionSide

_CLOSED_KEPT = 2_000
_SEEN_KEPT = 5_000
ABSENT_READS = 10


class AccountView:
    """One account as last seen. Mutable, but without I/O: every change is a method call on the engine's thread."""

    def __init__(self, account: str) -> None:
        self.account = account
        self.wallet: Wallet | None = None
        self.leverage: dict[str, Decimal] = {}
        self._positions: dict[tuple[str, int], Position] = {}
        self.modes: dict[str, PositionMode] = {}
        self._pending: dict[str, dict[str, Execution]] = {}
        self._orders: dict[str, dict[str, Order]] = {}
        self._known: dict[str, Order] = {}
        self._closed: OrderedDict[str, None] = OrderedDict()
        self._by_link: dict[str, Order] = {}
        self._fills = OrderFills()
        self.unsettled = self._fills.unsettled
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._touched: dict[str, int] = {}
        self._sizes: dict[tuple[str, PositionSide], Decimal] = {}  # as they were asked for, until touched
        self._explained: dict[str, int] = {}
        self._absent: dict[str, int] = {}
        self._losses = Losses()
        self.revisions = Revisions()
        self._past_seq: dict[tuple[str, int], int] = {}

    # --- what is known ---------------------------------------------------------------------------------------

    def position(self, symbol: str, side: PositionSide) -> Position | None:
        """The row that holds `side` of the symbol; None when no such row is known or it is flat or opposite."""
        idx = side.hedge_idx if self.modes.get(symbol) is PositionMode.HEDGE else 0
        row = self._positions.get((symbol, idx))
        return row if row is not None and row.side is side and row.size else None

    def proven(self, symbol: str, side: PositionSide | None = None) -> bool:
        """Whether a row was ever seen, flat or not: without one a size of zero is only an absence.

        Of the leg that holds `side`, or of the symbol at all.
        """
        if side is None:
            return symbol in self.modes
        return (symbol, self.mode(symbol).idx(side)) in self._positions

    def positions(self) -> Iterator[Position]:
        """Every row with a size."""
        return (row for row in self._positions.values() if row.size)

    def mode(self, symbol: str) -> PositionMode:
        """The symbol's position mode as its rows show it; one-way until a leg was seen."""
        return self.modes.get(symbol, PositionMode.ONE_WAY)

    def size(self, symbol: str, side: PositionSide) -> Decimal:
        """What is held on `side`: the row as of its seq plus newer executions. Never negative."""
        known = self._sizes.get((symbol, side))  # asked thousands of times a second
        if known is None:
            known = self._sizes[(symbol, side)] = self._size(symbol, side)
        return known

    def newer_executions(self, symbol: str) -> Iterable[Execution]:
        """Executions that the symbol's rows do not hold yet."""
        return self._pending.get(symbol, {}).values()

    def seq(self, symbol: str) -> int:
        """The newest seq known of the symbol; -1 when it never traded."""
        return max([self.row_seq(symbol), *(e.seq for e in self._pending.get(symbol, {}).values())])

    def is_settled(self, symbol: str) -> bool:
        """Whether every fill that an order row told of is accounted for by executions."""
        return not self.unsettled.get(symbol)

    def holds_row_of(self, execution: Execution) -> bool:
        """Whether a row is known of the leg that an execution belongs to."""
        return (execution.symbol, self._leg(execution, self.mode(execution.symbol))) in self._positions

    def row_seq(self, symbol: str) -> int:
        """The newest seq of the symbol's rows; -1 when there is none."""
        rows = (self._positions.get((symbol, idx)) for idx in (0, 1, 2))
        return max((row.seq for row in rows if row is not None), default=-1)

    def is_ahead(self, symbol: str) -> bool:
        """Whether a row tells of a fill whose execution was not seen: it cannot be laid to an order yet."""
        return self.row_seq(symbol) > self._explained.get(symbol, -1) or self._losses.has_gap(symbol)

    def explain(self, symbol: str, seq: int) -> None:
        """The symbol's orders were read after its row reached `seq`: whatever moved it is known or nobody's."""
        self._explained[symbol] = max(self._explained.get(symbol, -1), seq)
        self._losses.close_gaps(symbol, seq)

    def unexplained_loss(self, symbol: str, side: PositionSide) -> bool:
        """Whether size went away and it is not known yet by whose order: a stop of its own, perhaps (A76)."""
        return (symbol, self.mode(symbol).idx(side)) in self._losses

    def accept_losses(self, until_ms: int) -> None:
        """Every execution list was read in vain: losses seen up to then have no execution."""
        self._losses.accept(until_ms)

    def orders(self, symbol: str) -> Iterable[Order]:
        """Open orders of one symbol."""
        return self._orders.get(symbol, {}).values()

    def all_orders(self) -> Iterator[Order]:
        """Open orders of every symbol."""
        return (order for orders in self._orders.values() for order in orders.values())

    def order(self, order_id: str) -> Order | None:
        """An order by its id, open or recently closed."""
        return self._known.get(order_id)

    def is_gone(self, order_id: str) -> bool:
        """Whether an order is known not to be open: seen closed, or looked for again and again in vain.

        That a list did not name it proves nothing (rule 1).
        """
        order = self.order(order_id)
        return self._absent.get(order_id, 0) >= ABSENT_READS if order is None else not order.is_open

    def by_link(self, link_id: str) -> Order | None:
        """An order by its link id, open or recently closed."""
        return self._by_link.get(link_id)

    def filled(self, order: Order) -> Decimal:
        """What an order has executed by the better informed of its row and its executions."""
        return max(order.filled_qty, min(self._fills.of(order.order_id), order.qty))

    def link_filled(self, link_id: str) -> Decimal:
        """What executions seen so far say of an order of ours, whether or not its row has come."""
        return self._fills.of_link(link_id)

    def leaves(self, order: Order) -> Decimal:
        """What an order may still fill, by the better informed of its row and its executions."""
        return order.qty - self.filled(order) if order.is_open else ZERO

    def symbols(self) -> set[str]:
        """Every symbol with a position, a pending execution or an open order."""
        held = {row.symbol for row in self.positions()}
        return held | {s for s, e in self._pending.items() if e} | {s for s, o in self._orders.items() if o}

    def touched_ms(self, symbol: str) -> int:
        """When a message last changed anything of the symbol (local clock); 0 for never."""
        return self._touched.get(symbol, 0)

    # --- what arrives ----------------------------------------------------------------------------------------

    def apply_order(self, order: Order, at_ms: int, *, listed: bool = False) -> bool:
        """Take an order row. `listed`: it came with a relist whose positions are newer than it. True if it is news."""
        known = self.order(order.order_id)
        if known is not None and _rank(order) < _rank(known):
            return False
        if known is None and listed and not self._fills.knows(order.order_id):
            self._fills.tell(order.order_id, order.filled_qty)
        if known == order:
            return False
        if order.is_open:
            self._orders.setdefault(order.symbol, {})[order.order_id] = order
        else:
            self._orders.get(order.symbol, {}).pop(order.order_id, None)
            self._remember_closed(order.order_id)
        self._known[order.order_id] = order
        if order.link_id:
            self._by_link[order.link_id] = order
        self._check_settled(order, at_ms)
        self._touch(order.symbol, at_ms)
        return True

    def apply_execution(self, execution: Execution, at_ms: int) -> bool:
        """Take one execution. False when it was seen before or moves no position (A19)."""
        if execution.exec_id in self._seen:
            return False
        self._remember_seen(execution.exec_id)
        self._explained[execution.symbol] = max(self._explained.get(execution.symbol, -1), execution.seq)
        if not execution.kind.moves_position:
            return False
        self._explain_loss(execution)
        self._fills.take(execution)
        order = self.order(execution.order_id)
        if order is not None:
            self._check_settled(order, at_ms)
        row = self._positions.get((execution.symbol, self._leg(execution, self.mode(execution.symbol))))
        if row is None or execution.seq > row.seq:
            self._pending.setdefault(execution.symbol, {})[execution.exec_id] = execution
        self._touch(execution.symbol, at_ms)
        return True

    def apply_order_executions(self, order_id: str, executions: Sequence[Execution], at_ms: int) -> None:
        """Take all executions of one order, read by its id: afterwards they account for what it filled."""
        for execution in executions:
            self.apply_execution(execution, at_ms)
        self._fills.read(order_id, sum((e.qty for e in executions if e.kind.moves_position), ZERO))
        order = self.order(order_id)
        if order is not None:
            self._check_settled(order, at_ms)
            self.revisions.note(order.symbol)

    def settle(self, symbol: str, read_ms: int) -> None:
        """The symbol's position was read at `read_ms`: fills whose executions are not listed count as inside it."""
        self._fills.settle(symbol, read_ms, self.row_seq(symbol), self._known)
        self.revisions.note(symbol)

    def assume_flat_leg(self, symbol: str, at_ms: int) -> None:
        """The symbol was read by itself and one leg of hedge mode was never named: it never held anything.

        The row made for it is older than every real one.
        """
        legs = [idx for idx in (1, 2) if (symbol, idx) in self._positions]
        if len(legs) == 1 and not self._pending.get(symbol):
            self.apply_position(Position(symbol, 3 - legs[0], None, ZERO, seq=-1, updated_ms=0), at_ms)

    def note_absent(self, order_id: str) -> None:
        """An order was looked for by its id, and every read answered that there is none."""
        self._absent[order_id] = self._absent.get(order_id, 0) + 1

    def has_seen(self, exec_id: str) -> bool:
        """Whether an execution was taken before."""
        return exec_id in self._seen

    def note_execution(self, execution: Execution) -> bool:
        """Take an execution of the past, already inside the positions that were read. True if it is news.

        A row that is older than it is a stale answer, whenever it comes.
        """
        if execution.exec_id in self._seen:
            return False
        self._remember_seen(execution.exec_id)
        if not execution.kind.moves_position:
            return False
        self._explain_loss(execution)
        for key in ((execution.symbol, 0), (execution.symbol, execution.hedge_leg())):
            self._past_seq[key] = max(self._past_seq.get(key, -1), execution.seq)
        return True

    def apply_position(self, row: Position, at_ms: int, *, read: bool = False) -> bool:
        """Take one position row. Rows older than what is known are dropped. True if it is news.

        `read`: it was read, not pushed. The first row that is read of a symbol is where its history begins for us.
        """
        if row.seq < self._past_seq.get(row.key, -1):
            return False
        if read and row.symbol not in self._explained and not self.proven(row.symbol):
            self.explain(row.symbol, row.seq)
        mode = PositionMode.HEDGE if row.idx else PositionMode.ONE_WAY
        if self.modes.get(row.symbol) is not mode:
            self._switch_mode(row.symbol, mode)
        known = self._positions.get(row.key)
        if known is not None and row.moment < known.moment:
            return False
        if known is not None:
            self._note_loss(known, row, at_ms)
        if row.leverage is not None:
            self.leverage[row.symbol] = row.leverage
        self._positions[row.key] = row
        pending = self._pending.get(row.symbol, {})
        for exec_id in [k for k, e in pending.items() if self._leg(e, mode) == row.idx and e.seq <= row.seq]:
            del pending[exec_id]
        self._touch(row.symbol, at_ms)
        return known != row

    def apply_wallet(self, wallet: Wallet) -> None:
        self.wallet = wallet

    def apply_relist(
        self, orders: Sequence[Order], rows: Sequence[Position], wallet: Wallet | None, requested_ms: int, at_ms: int
    ) -> tuple[set[str], list[Order]]:
        """Merge one whole relist asked at `requested_ms`.

        Returns what it does not name although we hold it and no message has touched it since: symbols whose position
        must be read, and orders that must be looked up.
        """
        touched = dict(self._touched)  # what this list itself brings is no message since it was asked
        for order in orders:
            self.apply_order(order, at_ms, listed=True)
        for row in rows:
            self.apply_position(row, at_ms, read=True)
        for symbol in {row.symbol for row in rows}:  # read after the orders, so not older than their fills
            for order in (order for order in orders if order.symbol == symbol):
                self._fills.date(order.order_id, self.row_seq(symbol))
        self.wallet = wallet
        listed_orders = {order.order_id for order in orders}
        listed_symbols = {(row.symbol, row.idx) for row in rows}
        missing_symbols = {
            symbol
            for symbol, idx in self._held_keys()
            if (symbol, idx) not in listed_symbols and touched.get(symbol, 0) < requested_ms
        }
        missing_orders = [
            order
            for order in self.all_orders()
            if order.order_id not in listed_orders and touched.get(order.symbol, 0) < requested_ms
        ]
        return missing_symbols, missing_orders

    # --- inside ----------------------------------------------------------------------------------------------

    def _touch(self, symbol: str, at_ms: int) -> None:
        self._touched[symbol] = at_ms
        self._forget_sizes(symbol)

    def _size(self, symbol: str, side: PositionSide) -> Decimal:
        mode = self.mode(symbol)
        idx = mode.idx(side)
        row = self._positions.get((symbol, idx))
        pending = self._pending.get(symbol)
        if not pending:
            return row.size if row is not None and row.side is side else ZERO
        return size_after(row, [each for each in pending.values() if self._leg(each, mode) == idx], side)

    def _forget_sizes(self, symbol: str) -> None:
        self.revisions.note(symbol)
        self._sizes.pop((symbol, PositionSide.LONG), None)
        self._sizes.pop((symbol, PositionSide.SHORT), None)

    def _held_keys(self) -> Iterator[tuple[str, int]]:
        for row in self.positions():
            yield row.key
        for symbol, pending in self._pending.items():
            mode = self.mode(symbol)
            yield from {(symbol, self._leg(execution, mode)) for execution in pending.values()}

    def _leg(self, execution: Execution, mode: PositionMode) -> int:
        """The positionIdx an execution belongs to: its order's where the order is known, else by side and closing."""
        if mode is PositionMode.ONE_WAY:
            return 0
        order = self.order(execution.order_id)
        return order.position_idx if order is not None and order.position_idx else execution.hedge_leg()

    def _note_loss(self, known: Position, row: Position, at_ms: int) -> None:
        """Compare a newer row with what the row before it and the executions between them let expect."""
        mode = self.mode(row.symbol)
        between = (e for e in self._pending.get(row.symbol, {}).values() if e.seq <= row.seq)
        expected = known.signed + sum((e.signed for e in between if self._leg(e, mode) == row.idx), ZERO)
        self._losses.note(row.key, row.seq, expected, row.signed, at_ms)

    def _explain_loss(self, execution: Execution) -> None:
        key = (execution.symbol, self._leg(execution, self.mode(execution.symbol)))
        self._losses.explain(key, execution)

    def _switch_mode(self, symbol: str, mode: PositionMode) -> None:
        """Rows of the other mode are of the past: Bybit switches a symbol only while it is flat."""
        self.modes[symbol] = mode
        self._forget_sizes(symbol)
        for idx in (1, 2) if mode is PositionMode.ONE_WAY else (0,):
            self._positions.pop((symbol, idx), None)

    def _check_settled(self, order: Order, at_ms: int) -> None:
        if order.filled_qty > self._fills.of(order.order_id):
            self._fills.lack(order, Untold(at_ms, self.row_seq(order.symbol)))
        else:
            self._fills.settled(order.symbol, order.order_id)

    def _remember_closed(self, order_id: str) -> None:
        self._closed[order_id] = None
        while len(self._closed) > _CLOSED_KEPT:
            oldest = self._known.pop(self._closed.popitem(last=False)[0])
            self._forget_sizes(oldest.symbol)  # its executions are attributed without it from now on
            self._fills.forget(oldest.order_id)
            if self._by_link.get(oldest.link_id) is oldest:
                del self._by_link[oldest.link_id]

    def _remember_seen(self, exec_id: str) -> None:
        self._seen[exec_id] = None
        if len(self._seen) > _SEEN_KEPT:
            self._seen.popitem(last=False)


def _rank(order: Order) -> tuple[bool, Decimal, int]:
    """Statuses only move on: closed beats open, more filled beats less, later beats earlier (private/order)."""
    return (not order.is_open, order.filled_qty, order.updated_ms)
