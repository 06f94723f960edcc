"""What the exchange keeps: accounts, positions, orders, executions, closed PnL and markets.

These are rows with identity that change in place; every change goes through `state.State`, which notes it for
the database. Field names are Bybit's where the digest of the documentation has one.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from mirrorctl.core.paper.decimals import ZERO


class Side(StrEnum):
    """Side of an order, or of a position that such an order opens."""

    BUY = "Buy"
    SELL = "Sell"

    @property
    def opposite(self) -> "Side":
        """The side that reduces a position of this side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class Status(StrEnum):
    """orderStatus (docs v5/enum)."""

    NEW = "New"
    PARTIALLY_FILLED = "PartiallyFilled"
    UNTRIGGERED = "Untriggered"
    TRIGGERED = "Triggered"
    FILLED = "Filled"
    CANCELLED = "Cancelled"
    REJECTED = "Rejected"
    DEACTIVATED = "Deactivated"


OPEN_STATUSES = frozenset({Status.NEW, Status.PARTIALLY_FILLED, Status.UNTRIGGERED, Status.TRIGGERED})


@dataclass(frozen=True, slots=True)
class PaperAccount:
    """An account to open: balance in USDT, position_mode "one-way" or "hedge"."""

    name: str
    uid: int
    api_key: str
    api_secret: str = field(repr=False)
    balance: Decimal = Decimal(10000)
    position_mode: str = "one-way"


@dataclass(slots=True)
class Account:
    """The ledger of one UID. `hedge` is the default for symbols not in `modes`."""

    uid: int
    name: str
    wallet: Decimal
    hedge: bool
    modes: dict[str, bool] = field(default_factory=dict)
    leverage: dict[str, Decimal] = field(default_factory=dict)
    realised: Decimal = ZERO
    maker_rate: Decimal = Decimal("0.0002")
    taker_rate: Decimal = Decimal("0.00055")
    created_ms: int = 0

    def hedged(self, symbol: str) -> bool:
        """Whether `symbol` is in hedge mode here."""
        return self.modes.get(symbol, self.hedge)

    def leverage_of(self, symbol: str) -> Decimal:
        """Leverage set for `symbol`; Bybit's default is 10."""
        return self.leverage.get(symbol, Decimal(10))


@dataclass(slots=True)
class Position:
    """One leg. `side` is None when flat. `entry_value` is the exact cost of `size`."""

    uid: int
    symbol: str
    idx: int
    side: Side | None = None
    size: Decimal = ZERO
    entry_value: Decimal = ZERO
    open_fee: Decimal = ZERO
    realised: Decimal = ZERO
    cum_realised: Decimal = ZERO
    seq: int = -1
    adl_rank: int = 0
    created_ms: int = 0
    updated_ms: int = 0
    opened_ms: int = 0

    @property
    def average(self) -> Decimal:
        """Average entry price, 0 when flat."""
        return self.entry_value / self.size if self.size else ZERO

    @property
    def signed(self) -> Decimal:
        """Size, negative for a short."""
        return -self.size if self.side is Side.SELL else self.size

    def unrealised(self, mark: Decimal) -> Decimal:
        """Unrealised PnL at `mark`."""
        if not self.size:
            return ZERO
        value = self.size * mark - self.entry_value
        return value if self.side is Side.BUY else -value


@dataclass(slots=True)
class Order:
    """One order, plain, conditional or protective. `n` grows with every order of the exchange."""

    order_id: str
    n: int
    uid: int
    symbol: str
    side: Side
    order_type: str
    qty: Decimal
    price: Decimal
    tif: str
    idx: int
    created_ms: int
    updated_ms: int
    last_on_created: Decimal
    link_id: str = ""
    parent_link_id: str = ""
    reduce_only: bool = False
    close_on_trigger: bool = False
    status: Status = Status.NEW
    create_type: str = "CreateByUser"
    cancel_type: str = "UNKNOWN"
    reject_reason: str = "EC_NoError"
    filled: Decimal = ZERO
    filled_value: Decimal = ZERO
    fee: Decimal = ZERO
    closed_pnl: Decimal = ZERO
    stop_type: str = ""
    trigger_price: Decimal = ZERO
    trigger_direction: int = 0
    trigger_by: str = ""
    take_profit: Decimal = ZERO
    stop_loss: Decimal = ZERO
    tp_trigger_by: str = ""
    sl_trigger_by: str = ""
    tpsl_mode: str = ""
    tp_order_type: str = "Market"
    sl_order_type: str = "Market"
    tp_limit: Decimal = ZERO
    sl_limit: Decimal = ZERO
    pair_id: str = ""
    trail: Decimal = ZERO
    active_price: Decimal = ZERO
    extreme: Decimal = ZERO
    smp_type: str = "None"
    slippage_type: str = "UNKNOWN"
    slippage: str = "0"

    @property
    def leaves(self) -> Decimal:
        """Quantity that can still fill."""
        return self.qty - self.filled if self.status in OPEN_STATUSES else ZERO

    @property
    def is_open(self) -> bool:
        """Live in the book or waiting for its trigger."""
        return self.status in OPEN_STATUSES

    @property
    def resting(self) -> bool:
        """In the book, able to fill."""
        return self.status is Status.NEW or self.status is Status.PARTIALLY_FILLED

    @property
    def protective(self) -> bool:
        """Made by the system for a position: take-profit, stop-loss or trailing stop."""
        return self.stop_type not in ("", "Stop")


@dataclass(slots=True)
class Execution:
    """One row of `execution/list`: a fill, or a funding settlement (`exec_type` "Funding")."""

    exec_id: str
    n: int
    uid: int
    symbol: str
    order_id: str
    link_id: str
    side: Side
    order_price: Decimal
    order_qty: Decimal
    leaves: Decimal
    create_type: str
    order_type: str
    stop_type: str
    price: Decimal
    qty: Decimal
    fee: Decimal
    fee_rate: Decimal
    exec_type: str
    time_ms: int
    is_maker: bool
    closed_size: Decimal
    pnl: Decimal
    mark: Decimal
    seq: int
    idx: int


@dataclass(slots=True)
class ClosedPnl:
    """One row of `position/closed-pnl`: what one order closed."""

    order_id: str
    n: int
    uid: int
    symbol: str
    side: Side
    order_type: str
    order_price: Decimal
    qty: Decimal
    exec_type: str
    leverage: Decimal
    created_ms: int
    updated_ms: int
    closed_size: Decimal = ZERO
    entry_value: Decimal = ZERO
    exit_value: Decimal = ZERO
    pnl: Decimal = ZERO
    open_fee: Decimal = ZERO
    close_fee: Decimal = ZERO
    fills: int = 0


@dataclass(slots=True)
class Transfer:
    """One deposit, or one withdrawal where `amount` is negative, in USDT. `balance` is the wallet after it."""

    transfer_id: str
    n: int
    uid: int
    amount: Decimal
    balance: Decimal
    time_ms: int


@dataclass(slots=True)
class Market:
    """Price state of one symbol. `mark` None means mark equals last. `seq` counts fills and is never reused."""

    symbol: str
    last: Decimal
    open_24h: Decimal
    high: Decimal
    low: Decimal
    mark: Decimal | None = None
    pinned: bool = False
    seq: int = 0
    steps: int = 0
    updates: int = 1
    volume: Decimal = ZERO
    turnover: Decimal = ZERO
    funding_rate: Decimal = Decimal("0.0001")
    next_funding_ms: int = 0
    level_value: Decimal = Decimal(25000)
    levels: int = 100
    direction: str = "ZeroPlusTick"

    @property
    def mark_price(self) -> Decimal:
        """Mark price: last, unless set apart."""
        return self.last if self.mark is None else self.mark


@dataclass(slots=True)
class WriteRecord:
    """One write request as the exchange saw it, accepted or refused."""

    n: int
    uid: int
    method: str
    path: str
    body: dict[str, object]
    ret_code: int
    time_ms: int
    order_id: str
