"""How much of each order its executions account for, so that a fill told twice counts once (A85).

An order row may tell of a fill before its execution does: from a relist (which holds fills of the past) or because the
exchange no longer lists the execution. Such a fill is taken as told; executions of it that come later add nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from mirrorctl.core.domain.account import Execution, Order
from mirrorctl.core.domain.frozen import value
from mirrorctl.core.domain.instruments import ZERO

_KEPT = 5_000
_SETTLE_MS = 2_000
_SETTLE_AT_LAST_MS = 60_000


@value(frozen=True, slots=True)
class _Told:
    """A filled quantity that only a row told. `seq`: executions up to it are inside; None: whichever come next."""

    qty: Decimal
    seq: int | None = None


@value(frozen=True, slots=True)
class Untold:
    """A fill that only an order row told: since when, and which row of the position stood then."""

    since_ms: int
    row_seq: int


class OrderFills:
    """Filled quantities by order id and by link id. Base coin.

    `unsettled`: orders with a fill that only their row told, by symbol; no symbol is in it that has no such order.
    """

    def __init__(self) -> None:
        self.unsettled: dict[str, dict[str, Untold]] = {}
        self._accounted: OrderedDict[str, Decimal] = OrderedDict()
        self._by_link: OrderedDict[str, Decimal] = OrderedDict()
        self._told: dict[str, _Told] = {}

    def of(self, order_id: str) -> Decimal:
        """What of the order is accounted for."""
        return self._accounted.get(order_id, ZERO)

    def of_link(self, link_id: str) -> Decimal:
        """What executions seen so far say of an order of ours, whether or not its row has come."""
        return self._by_link.get(link_id, ZERO)

    def knows(self, order_id: str) -> bool:
        """Whether anything was ever accounted for the order."""
        return order_id in self._accounted

    def tell(self, order_id: str, filled: Decimal) -> None:
        """A row's filled quantity is taken as it stands: the position that was read with it or after it holds it."""
        ahead = filled - self.of(order_id)
        if ahead > 0 or not self.knows(order_id):
            before = self._told.get(order_id)
            self._told[order_id] = _Told(ahead + (before.qty if before else ZERO))
            self._accounted[order_id] = filled

    def date(self, order_id: str, seq: int) -> None:
        """Rows read after the order show `seq`: what it had filled is not newer."""
        told = self._told.get(order_id)
        if told is not None and told.seq is None:
            self._told[order_id] = replace(told, seq=seq)

    def take(self, execution: Execution) -> None:
        """Account for one execution that was not seen before and moves a position."""
        order_id, link_id, news = execution.order_id, execution.link_id, execution.qty
        if order_id in self._told:
            news -= self._take_told(execution)
        self._accounted[order_id] = self._accounted.get(order_id, ZERO) + news
        if len(self._accounted) > _KEPT:
            self._accounted.popitem(last=False)
        if link_id:
            self._by_link[link_id] = self._by_link.get(link_id, ZERO) + execution.qty
            if len(self._by_link) > _KEPT:
                self._by_link.popitem(last=False)

    def read(self, order_id: str, total: Decimal) -> None:
        """All executions of the order were read: they sum up to `total`."""
        if total >= self.of(order_id):
            self._accounted[order_id] = total
            self._told.pop(order_id, None)

    def lack(self, order: Order, untold: Untold) -> None:
        """An order's row tells of a fill that nothing accounts for."""
        self.unsettled.setdefault(order.symbol, {}).setdefault(order.order_id, untold)

    def settled(self, symbol: str, order_id: str) -> None:
        """An order's fills are accounted for."""
        orders = self.unsettled.get(symbol)
        if orders is not None:
            orders.pop(order_id, None)
            if not orders:
                del self.unsettled[symbol]

    def settle(self, symbol: str, read_ms: int, row_seq: int, known: Mapping[str, Order]) -> None:
        """A position was read at `read_ms`, its row shows `row_seq`: what is unsettled counts as inside it.

        Only where the row has moved on since the fill was told, or when nothing else came for very long: a read may be
        older than the fill.
        """
        for order_id, untold in list(self.unsettled.get(symbol, {}).items()):
            moved = row_seq > untold.row_seq and read_ms >= untold.since_ms + _SETTLE_MS
            if moved or read_ms >= untold.since_ms + _SETTLE_AT_LAST_MS:
                self.tell(order_id, known[order_id].filled_qty)
                self.date(order_id, row_seq)
                self.settled(symbol, order_id)

    def forget(self, order_id: str) -> None:
        """The order ended long ago: what a row told of it explains nothing any more."""
        self._told.pop(order_id, None)

    def _take_told(self, execution: Execution) -> Decimal:
        """How much of an execution a row already told."""
        told = self._told.get(execution.order_id)
        if told is None or (told.seq is not None and execution.seq > told.seq):
            return ZERO
        known = min(told.qty, execution.qty)
        if known == told.qty:
            del self._told[execution.order_id]
        else:
            self._told[execution.order_id] = replace(told, qty=told.qty - known)
        return known
