"""The engine's only view of the world: ports, the queries it asks and the events it hears.

Every port call returns at once. What happened comes back as an event on the engine's one queue, so decisions run on
one thread and a day of trading runs in a test in milliseconds. Live, the ports are pybit behind worker threads; in the
simulator they are the paper exchange's core on a virtual clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from mirrorctl.core.domain.account import ClosedPnl, Execution, Order, Position, Ticker, Transfer, Wallet
from mirrorctl.core.domain.actions import Action, Outcome
from mirrorctl.core.domain.day_summary import DayFigures
from mirrorctl.core.domain.frozen import value
from mirrorctl.core.domain.instruments import Instrument
from mirrorctl.core.domain.values import PositionMode

# --- queries: what a reader can be asked -------------------------------------------------------------------------


@value(frozen=True, slots=True)
class Relist:
    """Open orders, then positions, then the wallet, then executions since `executions_since_ms` (all pages of each).

    Orders come first, so a position in the answer is never older than a fill of an order in it.
    """

    executions_since_ms: int | None = None


@value(frozen=True, slots=True)
class ReadPosition:
    """The rows of one symbol, flat ones included: the only read that proves a position closed."""

    symbol: str


@value(frozen=True, slots=True)
class FindOrder:
    """One order by link id or order id over realtime, history and executions."""

    symbol: str
    link_id: str = ""
    order_id: str = ""


@value(frozen=True, slots=True)
class ReadExecutions:
    """The executions of one order."""

    symbol: str
    order_id: str


@value(frozen=True, slots=True)
class ReadTicker:
    symbol: str


@value(frozen=True, slots=True)
class ReadInstrument:
    symbol: str


@value(frozen=True, slots=True)
class ReadDay:
    """What positions closed since `start_ms` (exchange clock) have brought."""

    start_ms: int


@value(frozen=True, slots=True)
class ReadClosed:
    """The closed-PnL records since `start_ms` (exchange clock), of one symbol or, without it, of all."""

    start_ms: int
    symbol: str = ""


@value(frozen=True, slots=True)
class ReadFigures:
    """What the time from `start_ms` to `end_ms` (exchange clock) brought, by records and executions."""

    start_ms: int
    end_ms: int


@value(frozen=True, slots=True)
class ReadFeeRate:
    """What the account pays for trading a symbol."""

    symbol: str


@value(frozen=True, slots=True)
class ReadWallet:
    """The wallet, now: what a relist read may be older than the cycle that is to be sized."""


@value(frozen=True, slots=True)
class ReadTransfers:
    """Deposits and withdrawals since `start_ms` (exchange clock)."""

    start_ms: int


Query = (
    ReadDay
    | ReadTransfers
    | ReadWallet
    | ReadClosed
    | ReadFigures
    | ReadFeeRate
    | Relist
    | ReadPosition
    | FindOrder
    | ReadExecutions
    | ReadTicker
    | ReadInstrument
)


# --- answers ------------------------------------------------------------------------------------------------------


@value(frozen=True, slots=True)
class RelistAnswer:
    """One whole relist. A read that failed or was truncated is never here: it is a ReadFailed.

    The wallet alone may be unknown (None): `wallet_error` says why.
    """

    orders: Sequence[Order]
    positions: Sequence[Position]
    wallet: Wallet | None
    executions: Sequence[Execution]
    wallet_error: str = ""


@value(frozen=True, slots=True)
class PositionAnswer:
    positions: Sequence[Position]
    mode: PositionMode


@value(frozen=True, slots=True)
class OrderAnswer:
    """`order` None after all three reads succeeded and none of them knew the id."""

    order: Order | None
    executions: Sequence[Execution]


@value(frozen=True, slots=True)
class ExecutionsAnswer:
    executions: Sequence[Execution]


@value(frozen=True, slots=True)
class ReadFailed:
    """The read gave nothing to trust: everything it was about is unknown (rule 1).

    `refused` when the exchange answered and said no: the same question will get the same answer.
    """

    message: str
    retry_after_s: float | None = None
    refused: bool = False


@value(frozen=True, slots=True)
class DayAnswer:
    """Closed PnL since `start_ms`, in the settle coin, fees included."""

    start_ms: int
    realised: Decimal


@value(frozen=True, slots=True)
class ClosedAnswer:
    """Every closed-PnL record since the time asked for, oldest first."""

    rows: Sequence[ClosedPnl]


@value(frozen=True, slots=True)
class FiguresAnswer:
    """The figures of the time that began at `start_ms`."""

    start_ms: int
    figures: DayFigures


@value(frozen=True, slots=True)
class FeeRateAnswer:
    """Fractions of the notional; negative is a rebate (account/fee-rate)."""

    symbol: str
    taker: Decimal
    maker: Decimal


@value(frozen=True, slots=True)
class WalletAnswer:
    wallet: Wallet


@value(frozen=True, slots=True)
class TransfersAnswer:
    """Oldest first."""

    rows: Sequence[Transfer]


Answer = (
    DayAnswer
    | TransfersAnswer
    | WalletAnswer
    | ClosedAnswer
    | FiguresAnswer
    | FeeRateAnswer
    | RelistAnswer
    | PositionAnswer
    | OrderAnswer
    | ExecutionsAnswer
    | Ticker
    | Instrument
    | ReadFailed
)


# --- events -------------------------------------------------------------------------------------------------------


@value(frozen=True, slots=True)
class Frame:
    """One message of an account's private stream, undecoded. `received_ms` is the local clock."""

    account: str
    payload: Any
    received_ms: int


@value(frozen=True, slots=True)
class StreamUp:
    """The private stream is connected, authenticated and subscribed; whatever happened before is unknown: relist."""

    account: str
    epoch: int


@value(frozen=True, slots=True)
class StreamDown:
    """The private stream is gone or silent. `final` when no retry can help (a refused key)."""

    account: str
    epoch: int
    reason: str
    final: bool = False


@value(frozen=True, slots=True)
class ReadDone:
    """`requested_ms` and `completed_ms` are the local clock; `query` is what was asked."""

    account: str
    query: Query
    answer: Answer
    requested_ms: int
    completed_ms: int


@value(frozen=True, slots=True)
class SendDone:
    """The outcome of one journaled intent."""

    account: str
    intent_id: int
    outcome: Outcome
    sent_ms: int
    completed_ms: int


@value(frozen=True, slots=True)
class ClockMeasured:
    """Exchange clock minus local clock in ms; positive when the local clock is slow."""

    account: str
    offset_ms: int


Event = Frame | StreamUp | StreamDown | ReadDone | SendDone | ClockMeasured
Deliver = Callable[[Event], None]


class Decider(Protocol):
    """What takes events from any thread and can decide on them there (`Loop`). Nothing of it blocks or raises."""

    def leave(self, event: Event) -> None:
        """Put an event where the next decision finds it; `drive` or `wake` follows."""

    def drive(self) -> None:
        """Decide now, on this thread."""

    def wake(self) -> None:
        """Let it be decided soon, on another."""


# --- ports --------------------------------------------------------------------------------------------------------


class Reader(Protocol):
    """Reads of one account. It has no way to write: what holds only a reader cannot trade."""

    def ask(self, query: Query) -> None:
        """Queue the read; a ReadDone follows, exactly one."""


class Writer(Protocol):
    """Writes of one account."""

    def send(self, intent_id: int, action: Action) -> None:
        """Send a journaled action; a SendDone follows, exactly one. Lower `action.priority` goes first."""


class Decoder(Protocol):
    """Turns a private stream message into values; raises nothing for messages it does not know."""

    def __call__(self, payload: Any) -> Sequence[Order | Execution | Position | Wallet]: ...


class BreakerState(StrEnum):
    """Whether an account is asked anything: `half-open` while one call is out to find out (contract, `status`)."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@value(frozen=True, slots=True)
class Budget:
    """Requests that may still be made: `left` of `limit` in `window_s`. `wait_s`: how long an entry waits now."""

    name: str
    limit: int
    window_s: float
    left: int
    wait_s: float


@value(frozen=True, slots=True)
class Health:
    """How an account can be reached. `next_try_s`: until the next call while the breaker is not closed.

    `budgets` are the account's own, by group of endpoints; `address` is the one of the whole process, which the
    exchange has asked to be silent for `silent_s` more. `socket_trouble`: None where orders go over HTTP; empty while
    they go over a trade socket; otherwise why they go over HTTP meanwhile.
    """

    breaker: BreakerState
    next_try_s: float
    budgets: Sequence[Budget]
    address: Budget
    silent_s: float
    socket_trouble: str | None = None


class Reachability(Protocol):
    """Tells how one account can be reached; returns at once, from any thread."""

    def health(self) -> Health: ...

    def trouble(self) -> str:
        """Why it cannot be reached now; empty when it can."""


class Clock(Protocol):
    """Wall-clock milliseconds since the epoch, local."""

    def now_ms(self) -> int: ...
