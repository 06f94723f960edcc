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

from collections.abc import Iterator, Sequence
from decimal import Decimal

from mirrorctl.core.domain.account import Execution, Order, Position, Wallet
from mirrorctl.core.domain.fills import Untold
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.known import KnownAccount
from mirrorctl.core.domain.values import PositionMode

_CLOSED_KEPT = 2_000
_SEEN_KEPT = 5_000


class AccountView(KnownAccount):
    """One account as last seen. Mutable, but without I/O: every change is a method call on the engine's thread."""

    def apply_order(self, order: Order, at_ms: int, *, listed: bool = False) -> bool:
        """Take an order row. `listed`: it came with a relist whose positions are newer than it. True if it is news."""
        known = self._known.get(order.order_id)
        if known is not None and (_rank(order) < _rank(known) or known == order):
            return False
        if known is None and listed and not self._fills.knows(order.order_id):
            self._fills.tell(order.order_id, order.filled_qty)
        if order.status.is_open:
            self._orders.setdefault(order.symbol, {})[order.order_id] = order
        else:
            self._orders.get(order.symbol, {}).pop(order.order_id, None)
            self._remember_closed(order.order_id)
        self._known[order.order_id] = order
        if order.link_id:
            self._by_link[order.link_id] = order
        self._check_settled(order, at_ms)
        if order.position_idx:  # its executions are of this leg, whatever they seemed to be
            self._sizes.forget(order.symbol)
        self._touch(order.symbol, at_ms)
        return True

    def apply_execution(self, execution: Execution, at_ms: int) -> bool:
        """Take one execution. False when it was seen before or moves no position (A19)."""
        if execution.exec_id in self._seen:
            return False
        self._remember_seen(execution.exec_id)
        symbol, losses = execution.symbol, self._losses
        if execution.seq > self._explained.get(symbol, -1):
            self._explained[symbol] = execution.seq
        if not execution.kind.moves_position:
            return False
        key = (symbol, self._leg(execution) if self.modes.get(symbol) is PositionMode.HEDGE else 0)
        if losses.gaps or losses.known:  # nearly never
            losses.explain(key, execution)
        self._fills.take(execution)
        order = self._known.get(execution.order_id)
        if order is not None:
            self._check_settled(order, at_ms)
        row = self._positions.get(key)
        if row is None or execution.seq > row.seq:
            self._pending.setdefault(symbol, {})[execution.exec_id] = execution
            self._sizes.take(key[1], execution)
        self._touch(symbol, at_ms)
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
        self._losses.explain((execution.symbol, self._leg(execution)), execution)
        for key in ((execution.symbol, 0), (execution.symbol, execution.hedge_leg())):
            self._past_seq[key] = max(self._past_seq.get(key, -1), execution.seq)
        return True

    def apply_position(self, row: Position, at_ms: int, *, read: bool = False) -> bool:
        """Take one position row. Rows older than what is known are dropped. True if it is news.

        `read`: it was read, not pushed. The first row that is read of a symbol is where its history begins for us.
        """
        symbol, key = row.symbol, (row.symbol, row.idx)
        if row.seq < self._past_seq.get(key, -1):
            return False
        if read and symbol not in self._explained and symbol not in self.modes:
            self.explain(symbol, row.seq)
        mode = PositionMode.HEDGE if row.idx else PositionMode.ONE_WAY
        if self.modes.get(symbol) is not mode:
            self._switch_mode(symbol, mode)
        known = self._positions.get(key)
        if known is not None and row.moment < known.moment:
            return False
        filled = self._take_in(row)
        if known is not None:
            self._losses.note(key, row.seq, known.signed + filled, row.signed, at_ms)
        if row.leverage is not None:
            self.leverage[symbol] = row.leverage
        self._positions[key] = row
        if row.seq > self._row_seqs.get(symbol, -1):
            self._row_seqs[symbol] = row.seq
        self._sizes.forget(symbol)
        self._touch(symbol, at_ms)
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

    def explain(self, symbol: str, seq: int) -> None:
        """The symbol's orders were read after its row reached `seq`: whatever moved it is known or nobody's."""
        self._explained[symbol] = max(self._explained.get(symbol, -1), seq)
        self._losses.close_gaps(symbol, seq)

    def accept_losses(self, until_ms: int) -> None:
        """Every execution list was read in vain: losses seen up to then have no execution."""
        self._losses.accept(until_ms)

    # --- inside ----------------------------------------------------------------------------------------------

    def _touch(self, symbol: str, at_ms: int) -> None:
        self._touched[symbol] = at_ms
        self.revisions.note(symbol)

    def _held_keys(self) -> Iterator[tuple[str, int]]:
        for row in self.positions():
            yield row.key
        for symbol, pending in self._pending.items():
            yield from {(symbol, self._leg(execution)) for execution in pending.values()}

    def _take_in(self, row: Position) -> Decimal:
        """What executions that were newer than the row before, and are inside this one, did to its leg (signed)."""
        pending, filled = self._pending.get(row.symbol), ZERO
        if pending:
            for execution in [each for each in pending.values() if each.seq <= row.seq and self._leg(each) == row.idx]:
                filled += execution.signed
                del pending[execution.exec_id]
        return filled

    def _switch_mode(self, symbol: str, mode: PositionMode) -> None:
        """Rows of the other mode are of the past: Bybit switches a symbol only while it is flat."""
        self.modes[symbol] = mode
        self._row_seqs.pop(symbol, None)
        self._sizes.forget(symbol)
        for idx in (1, 2) if mode is PositionMode.ONE_WAY else (0,):
            self._positions.pop((symbol, idx), None)

    def _check_settled(self, order: Order, at_ms: int) -> None:
        if self.tells_more(order):
            self._fills.lack(order, Untold(at_ms, self.row_seq(order.symbol)))
        elif order.symbol in self.unsettled:
            self._fills.settled(order.symbol, order.order_id)

    def _remember_closed(self, order_id: str) -> None:
        self._closed[order_id] = None
        while len(self._closed) > _CLOSED_KEPT:
            oldest = self._known.pop(self._closed.popitem(last=False)[0])
            self._sizes.forget(oldest.symbol)  # its executions are attributed without it from now on
            self.revisions.note(oldest.symbol)
            self._fills.forget(oldest.order_id)
            if self._by_link.get(oldest.link_id) is oldest:
                del self._by_link[oldest.link_id]

    def _remember_seen(self, exec_id: str) -> None:
        self._seen[exec_id] = None
        if len(self._seen) > _SEEN_KEPT:
            self._seen.popitem(last=False)


def _rank(order: Order) -> tuple[bool, Decimal, int]:
    """Statuses only move on: closed beats open, more filled beats less, later beats earlier (private/order)."""
    return (not order.status.is_open, order.filled_qty, order.updated_ms)
