"""Everything the exchange knows, indexed, with a note of what has changed since the last save."""

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import blake2b

from mirrorctl.core.paper.decimals import ZERO
from mirrorctl.core.paper.instruments import Instrument
from mirrorctl.core.paper.model import (
    Account,
    ClosedPnl,
    Execution,
    Market,
    Order,
    PaperAccount,
    Position,
    Side,
    Transfer,
    WriteRecord,
)

RECENT_CLOSED = 500  # docs v5/order/open-order: openOnly=1 shows at most the latest 500 closed orders


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much history stays: per account, except `writes`, which is for the whole exchange."""

    orders: int = 10_000
    executions: int = 10_000
    closed_pnl: int = 10_000
    transfers: int = 10_000
    writes: int = 20_000


@dataclass(slots=True)
class History:
    """Finished things of one account, oldest first, and the in-memory cache behind openOnly=1."""

    orders: OrderedDict[str, Order] = field(default_factory=OrderedDict)
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=RECENT_CLOSED))
    executions: deque[Execution] = field(default_factory=deque)
    closed: OrderedDict[str, ClosedPnl] = field(default_factory=OrderedDict)
    transfers: deque[Transfer] = field(default_factory=deque)


class State:
    """The books. Mutate rows only together with the matching `touch_*` or `add_*` call.

    With `tracked` set, changed rows collect in `dirty` (and dropped ones in `gone`) until a save takes them.
    `reductions_exempt`: whether a reduce-only order may be under the minimum notional, which Bybit nowhere says.
    """

    def __init__(self, instruments: Iterable[Instrument], seed: int, bounds: Bounds | None = None) -> None:
        self.instruments: Mapping[str, Instrument] = {item.symbol: item for item in instruments}
        self.seed = seed
        self.bounds = bounds or Bounds()
        self.counter = 0
        self.walked_ms = 0
        self.accounts: dict[int, Account] = {}
        self.positions: dict[int, dict[tuple[str, int], Position]] = {}
        self.markets: dict[str, Market] = {}
        self.orders_by_symbol: dict[str, dict[str, Order]] = {symbol: {} for symbol in self.instruments}
        self.orders_by_uid: dict[int, dict[str, Order]] = {}
        self.history: dict[int, History] = {}
        self.links: dict[tuple[int, str], str] = {}
        self.api_keys: dict[int, str] = {}
        self.writes: deque[WriteRecord] = deque()
        self.reductions_exempt = True
        self.tracked = False
        self.dirty: dict[tuple[str, str], object] = {}
        self.gone: set[tuple[str, str]] = set()

    # numbers and names

    def next_n(self) -> int:
        """The next number of the exchange-wide counter."""
        self.counter += 1
        return self.counter

    def new_id(self) -> tuple[int, str]:
        """A number and a UUID-shaped id made from seed and number, so that runs repeat."""
        n = self.next_n()
        digest = blake2b(f"{self.seed}:{n}".encode(), digest_size=16).hexdigest()
        return n, f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:]}"

    def next_seq(self, symbol: str) -> int:
        """The next cross sequence of `symbol`."""
        market = self.markets[symbol]
        market.seq += 1
        self.touch_market(market)
        return market.seq

    # accounts and positions

    def open_account(self, account: PaperAccount, now_ms: int) -> None:
        """Opens the books of an account; one that is already open keeps what it has."""
        self.api_keys[account.uid] = account.api_key
        if account.uid not in self.accounts:
            hedge = account.position_mode == "hedge"
            self.put_account(
                Account(account.uid, account.name, account.balance, hedge, created_ms=now_ms),
            )
            self.touch_account(self.accounts[account.uid])

    def put_account(self, account: Account) -> None:
        """Registers an account and its empty books."""
        self.accounts[account.uid] = account
        self.positions.setdefault(account.uid, {})
        self.orders_by_uid.setdefault(account.uid, {})
        self.history.setdefault(account.uid, History())

    def touch_account(self, account: Account) -> None:
        """Notes a changed account."""
        self._note("account", str(account.uid), account)

    def touch_market(self, market: Market) -> None:
        """Notes a changed market."""
        self._note("market", market.symbol, market)

    def position(self, uid: int, symbol: str, idx: int) -> Position:
        """The leg, made on first use."""
        legs = self.positions[uid]
        found = legs.get((symbol, idx))
        if found is None:
            found = legs[(symbol, idx)] = Position(uid, symbol, idx)
        return found

    def legs(self, uid: int, symbol: str) -> list[Position]:
        """The one leg of a one-way symbol, or both of a hedged one."""
        indexes = (1, 2) if self.accounts[uid].hedged(symbol) else (0,)
        return [self.position(uid, symbol, idx) for idx in indexes]

    def touch_position(self, leg: Position) -> None:
        """Notes a changed leg."""
        self._note("position", f"{leg.uid}:{leg.symbol}:{leg.idx}", leg)

    def held(self, uid: int, symbol: str, idx: int, order_side: Side) -> Decimal:
        """How much an order of `order_side` could reduce on that leg."""
        leg = self.positions[uid].get((symbol, idx))
        return leg.size if leg is not None and leg.side is order_side.opposite else ZERO

    # orders

    def add_order(self, order: Order) -> None:
        """Registers a live order and its link id, which is taken for ever."""
        self.orders_by_symbol[order.symbol][order.order_id] = order
        self.orders_by_uid[order.uid][order.order_id] = order
        if order.link_id:
            self.links[(order.uid, order.link_id)] = order.order_id
            self._note("link", f"{order.uid}:{order.link_id}", order.order_id)
        self.touch_order(order)

    def touch_order(self, order: Order) -> None:
        """Notes a changed order."""
        self._note("order", order.order_id, order)

    def retire(self, order: Order) -> None:
        """Moves a finished order from the live indexes to history."""
        self.orders_by_symbol[order.symbol].pop(order.order_id, None)
        self.orders_by_uid[order.uid].pop(order.order_id, None)
        past = self.history[order.uid]
        past.orders[order.order_id] = order
        past.recent.append(order.order_id)
        self.touch_order(order)
        if len(past.orders) > self.bounds.orders:
            self._forget("order", past.orders.popitem(last=False)[0])

    def order(self, uid: int, order_id: str) -> Order | None:
        """An order of that account, live or finished, or None."""
        return self.orders_by_uid[uid].get(order_id) or self.history[uid].orders.get(order_id)

    def live(self, uid: int, symbol: str | None = None) -> list[Order]:
        """Live orders of an account in order of creation."""
        return [o for o in self.orders_by_uid[uid].values() if symbol is None or o.symbol == symbol]

    # records

    def add_execution(self, row: Execution) -> None:
        """Appends to the account's executions, forgetting the oldest past the bound."""
        rows = self.history[row.uid].executions
        rows.append(row)
        self._note("execution", row.exec_id, row)
        if len(rows) > self.bounds.executions:
            self._forget("execution", rows.popleft().exec_id)

    def closed_row(self, order: Order, leverage: Decimal, exec_type: str) -> ClosedPnl:
        """The closed-PnL record of an order, made on its first closing fill."""
        rows = self.history[order.uid].closed
        row = rows.get(order.order_id)
        if row is None:
            row = rows[order.order_id] = ClosedPnl(
                order_id=order.order_id,
                n=self.next_n(),
                uid=order.uid,
                symbol=order.symbol,
                side=order.side,
                order_type=order.order_type,
                order_price=order.price,
                qty=order.qty,
                exec_type=exec_type,
                leverage=leverage,
                created_ms=order.updated_ms,
                updated_ms=order.updated_ms,
            )
            if len(rows) > self.bounds.closed_pnl:
                self._forget("closed", rows.popitem(last=False)[0])
        self._note("closed", row.order_id, row)
        return row

    def add_transfer(self, row: Transfer) -> None:
        """Appends to the account's transfers, forgetting the oldest past the bound."""
        rows = self.history[row.uid].transfers
        rows.append(row)
        self._note("transfer", row.transfer_id, row)
        if len(rows) > self.bounds.transfers:
            self._forget("transfer", rows.popleft().transfer_id)

    def add_write(self, record: WriteRecord) -> None:
        """Appends to the request log."""
        self.writes.append(record)
        self._note("write", str(record.n), record)
        if len(self.writes) > self.bounds.writes:
            self._forget("write", str(self.writes.popleft().n))

    def drop_writes(self, count: int) -> None:
        """Takes the newest `count` records off the request log again."""
        for _ in range(count):
            self._forget("write", str(self.writes.pop().n))

    def _note(self, kind: str, key: str, row: object) -> None:
        if self.tracked:
            self.dirty[(kind, key)] = row

    def _forget(self, kind: str, key: str) -> None:
        if self.tracked:
            self.dirty.pop((kind, key), None)
            self.gone.add((kind, key))
