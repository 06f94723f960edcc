"""What is known of one account: questions that change nothing. What comes in is taken by view.py."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from decimal import Decimal

from mirrorctl.core.domain.account import Execution, Order, Position, Wallet
from mirrorctl.core.domain.fills import OrderFills
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.losses import Losses
from mirrorctl.core.domain.revisions import Revisions
from mirrorctl.core.domain.sizes import Sizes
from mirrorctl.core.domain.values import PositionMode, PositionSide

ABSENT_READS = 10


class KnownAccount:
    """Positions, orders, fills and the wallet of an account as they were last seen."""

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
        self._sizes = Sizes()
        self._row_seqs: dict[str, int] = {}  # the newest of each symbol
        self._explained: dict[str, int] = {}
        self._absent: dict[str, int] = {}
        self._losses = Losses()
        self.revisions = Revisions()
        self._past_seq: dict[tuple[str, int], int] = {}

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
        idx = side.hedge_idx if self.modes.get(symbol) is PositionMode.HEDGE else 0
        return (symbol, idx) in self._positions

    def positions(self) -> Iterator[Position]:
        """Every row with a size."""
        return (row for row in self._positions.values() if row.size)

    def mode(self, symbol: str) -> PositionMode:
        """The symbol's position mode as its rows show it; one-way until a leg was seen."""
        return self.modes.get(symbol, PositionMode.ONE_WAY)

    def size(self, symbol: str, side: PositionSide) -> Decimal:
        """What is held on `side`: the row as of its seq plus newer executions. Never negative."""
        known = self._sizes.known.get((symbol, side))  # asked thousands of times a second
        return self._add_up(symbol, side) if known is None else known

    def newer_executions(self, symbol: str) -> Iterable[Execution]:
        """Executions that the symbol's rows do not hold yet."""
        return self._pending.get(symbol, {}).values()

    def seq(self, symbol: str) -> int:
        """The newest seq known of the symbol; -1 when it never traded."""
        seq, pending = self.row_seq(symbol), self._pending.get(symbol)
        return max([seq, *[e.seq for e in pending.values()]]) if pending else seq

    def is_settled(self, symbol: str) -> bool:
        """Whether every fill that an order row told of is accounted for by executions."""
        return symbol not in self.unsettled

    def holds_row_of(self, execution: Execution) -> bool:
        """Whether a row is known of the leg that an execution belongs to."""
        return (execution.symbol, self._leg(execution)) in self._positions

    def row_seq(self, symbol: str) -> int:
        """The newest seq of the symbol's rows; -1 when there is none."""
        return self._row_seqs.get(symbol, -1)

    def is_ahead(self, symbol: str) -> bool:
        """Whether a row tells of a fill whose execution was not seen: it cannot be laid to an order yet."""
        if self._row_seqs.get(symbol, -1) > self._explained.get(symbol, -1):
            return True
        return bool(self._losses.gaps) and self._losses.has_gap(symbol)

    def is_opaque(self, row: Position) -> bool:
        """Whether nobody could say whose fills a row shows that were taken now: executions are on their way."""
        return row.seq > self._explained.get(row.symbol, -1) or row.symbol in self.unsettled

    def tells_more(self, order: Order) -> bool:
        """Whether an order's row tells of a fill that no execution accounts for yet."""
        return order.filled_qty > self._fills.of(order.order_id)

    def unexplained_loss(self, symbol: str, side: PositionSide) -> bool:
        """Whether size went away and it is not known yet by whose order: a stop of its own, perhaps (A76)."""
        idx = side.hedge_idx if self.modes.get(symbol) is PositionMode.HEDGE else 0
        return (symbol, idx) in self._losses

    def orders(self, symbol: str) -> Collection[Order]:
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
        return self._absent.get(order_id, 0) >= ABSENT_READS if order is None else not order.status.is_open

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
        return order.qty - self.filled(order) if order.status.is_open else ZERO

    def symbols(self) -> set[str]:
        """Every symbol with a position, a pending execution or an open order."""
        held = {row.symbol for row in self.positions()}
        return held | {s for s, e in self._pending.items() if e} | {s for s, o in self._orders.items() if o}

    def touched_ms(self, symbol: str) -> int:
        """When a message last changed anything of the symbol (local clock); 0 for never."""
        return self._touched.get(symbol, 0)

    # --- inside ----------------------------------------------------------------------------------------------

    def _add_up(self, symbol: str, side: PositionSide) -> Decimal:
        idx = self.mode(symbol).idx(side)
        newer = [each for each in self._pending.get(symbol, {}).values() if self._leg(each) == idx]
        return self._sizes.add_up(symbol, side, idx, self._positions.get((symbol, idx)), newer)

    def _leg(self, execution: Execution) -> int:
        """The positionIdx an execution belongs to: its order's where the order is known, else by side and closing."""
        if self.modes.get(execution.symbol) is not PositionMode.HEDGE:
            return 0
        order = self._known.get(execution.order_id)
        return order.position_idx if order is not None and order.position_idx else execution.hedge_leg()
