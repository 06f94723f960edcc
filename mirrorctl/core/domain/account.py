"""What an exchange account consists of: positions, orders, executions, wallet. Values only."""

from __future__ import annotations

from dataclasses import field
from decimal import Decimal

from mirrorctl.core.domain.frozen import value
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.values import (
    ExecutionKind,
    MarginMode,
    OrderStatus,
    OrderType,
    PositionSide,
    Side,
    StopKind,
    TimeInForce,
    TriggerBy,
)


@value(frozen=True, slots=True)
class Position:
    """One row of position/list or of the `position` topic. `size` is never negative; a flat row has `side` None.

    `seq` is comparable with the `seq` of executions of the same symbol (position/position); -1 if never traded.
    `told_ms` is when the exchange made the message that brought the row (its clock): rows that differ in a stop alone
    may share all the rest.
    """

    symbol: str
    idx: int
    side: PositionSide | None
    size: Decimal
    seq: int
    updated_ms: int
    entry_price: Decimal | None = None
    mark_price: Decimal | None = None
    leverage: Decimal | None = None
    unrealised_pnl: Decimal | None = None
    liq_price: Decimal | None = None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trailing_stop: Decimal | None = None
    opened_ms: int = 0
    told_ms: int = field(default=0, compare=False)

    @property
    def signed(self) -> Decimal:
        """Positive for a long, negative for a short."""
        return self.size * self.side.sign if self.side else ZERO

    @property
    def key(self) -> tuple[str, int]:
        return (self.symbol, self.idx)

    @property
    def moment(self) -> tuple[int, int, int, bool, bool, bool]:
        """How new the row is among those of its key: by trades, then by settings, then by when it was told.

        Of rows of one moment those that show more of what is bound count: pushes may come in any order (A54), and what
        a trader sets in the moment of a fill must not be taken for removed (A21).
        """
        bound = (self.stop_loss is not None, self.take_profit is not None, self.trailing_stop is not None)
        return (self.seq, self.updated_ms, self.told_ms, *bound)


@value(frozen=True, slots=True)
class Order:
    """One order as the exchange last showed it. `qty` is the total, `filled_qty` what has executed (cumExecQty)."""

    order_id: str
    link_id: str
    symbol: str
    side: Side
    order_type: OrderType
    qty: Decimal
    status: OrderStatus
    price: Decimal | None = None
    filled_qty: Decimal = ZERO
    avg_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    close_on_trigger: bool = False
    position_idx: int = 0
    stop_kind: StopKind = StopKind.NONE
    trigger_price: Decimal | None = None
    trigger_direction: int = 0
    trigger_by: TriggerBy = TriggerBy.LAST
    stop_loss: Decimal | None = None
    stop_loss_by: TriggerBy = TriggerBy.LAST
    take_profit: Decimal | None = None
    create_type: str = ""
    cancel_type: str = ""
    reject_reason: str = ""
    created_ms: int = 0
    updated_ms: int = 0

    @property
    def is_open(self) -> bool:
        return self.status.is_open

    @property
    def leaves_qty(self) -> Decimal:
        """What may still fill; nothing once the order is closed."""
        return self.qty - self.filled_qty if self.is_open else ZERO

    @property
    def is_exit(self) -> bool:
        """It can only reduce: by its own flag, or because the exchange made it for a position."""
        return self.reduce_only or self.close_on_trigger or self.stop_kind.position_bound


@value(frozen=True, slots=True)
class Execution:
    """One row of execution/list or of the `execution` topic. `closed_qty` > 0 when it reduced a position.

    There is no positionIdx on the wire: in hedge mode the leg follows from side and `closed_qty`.
    """

    exec_id: str
    order_id: str
    link_id: str
    symbol: str
    side: Side
    price: Decimal
    qty: Decimal
    kind: ExecutionKind
    seq: int
    time_ms: int
    closed_qty: Decimal = ZERO
    fee: Decimal = ZERO
    fee_rate: Decimal | None = None
    is_maker: bool = False
    create_type: str = ""
    stop_kind: StopKind = StopKind.NONE

    @property
    def signed(self) -> Decimal:
        """What it adds to a one-way position."""
        return self.qty * self.side.sign if self.kind.moves_position else ZERO

    def adds_to(self, side: PositionSide) -> Decimal:
        """What it opened on a side, less what it closed of it."""
        if not self.kind.moves_position:
            return ZERO
        return self.qty - self.closed_qty if self.side is side.entry else -self.closed_qty

    def hedge_leg(self) -> int:
        """positionIdx it belongs to in hedge mode: an opening buy or a closing sell is the long leg."""
        closing = self.closed_qty > 0
        return 1 if (self.side is Side.BUY) != closing else 2


@value(frozen=True, slots=True)
class ClosedPnl:
    """What one order closed (position/closed-pnl). `side` is that of the position; times are the exchange's, in ms.

    Prices are cost-based and contain fees, they are not those of fills; `pnl` is after both fees. A fee the record
    does not show is None.
    """

    symbol: str
    side: PositionSide
    order_id: str
    qty: Decimal
    entry_price: Decimal
    exit_price: Decimal
    pnl: Decimal
    created_ms: int
    updated_ms: int
    open_fee: Decimal | None = None
    close_fee: Decimal | None = None
    exec_type: str = ""


@value(frozen=True, slots=True)
class Transfer:
    """Money moved into the unified wallet, or out of it where `amount` is negative (account/transaction-log)."""

    transfer_id: str
    amount: Decimal
    coin: str
    time_ms: int


@value(frozen=True, slots=True)
class Wallet:
    """The unified wallet in USD terms (account/wallet-balance)."""

    equity: Decimal
    available: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    unrealised_pnl: Decimal


@value(frozen=True, slots=True)
class Ticker:
    """Prices of a symbol at `at_ms` (local clock when it was read)."""

    symbol: str
    last: Decimal
    mark: Decimal
    index: Decimal
    bid: Decimal | None
    ask: Decimal | None
    at_ms: int

    @property
    def mid(self) -> Decimal:
        """Between bid and ask; the last price where a side of the book is empty."""
        if self.bid is None or self.ask is None:
            return self.last
        return (self.bid + self.ask) / 2


@value(frozen=True, slots=True)
class Identity:
    """Whose keys these are (user/query-api) and how the account is set up (account/info).

    `expires_in_days` None: never. `margin_mode` None: the exchange named one that is not known here.
    """

    uid: int
    read_only: bool
    can_trade: bool
    can_withdraw: bool
    ip_bound: bool
    unified: bool
    expires_in_days: int | None = None
    margin_mode: MarginMode | None = None
