"""What can be asked of an exchange account. An action is a value with its reason; nothing here sends.

Order of work per account (rule 5): stops, reductions, cancels, take-profits, entries.
"""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum

from mirrorctl.core.domain.frozen import value
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.values import OrderType, Side, TimeInForce, TriggerBy


class Priority(IntEnum):
    """Lower goes first. Brakes, pauses and budgets may hold back ENTRY only (rule 5, A29)."""

    STOP = 0
    REDUCTION = 1
    CANCEL = 2
    TARGET = 3
    ENTRY = 4


@value(frozen=True, slots=True)
class PlaceOrder:
    """A new order. Prices and quantities are already on tick and step.

    An attached `stop_loss` is position-wide (tpslMode Full) and only allowed on orders that can open.
    """

    account: str
    symbol: str
    side: Side
    order_type: OrderType
    qty: Decimal
    link_id: str
    role: Role
    reason: str
    position_idx: int = 0
    price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    trigger_price: Decimal | None = None
    trigger_direction: int = 0
    trigger_by: TriggerBy = TriggerBy.LAST
    stop_loss: Decimal | None = None
    stop_loss_by: TriggerBy = TriggerBy.LAST

    @property
    def priority(self) -> Priority:
        if not self.reduce_only:
            return Priority.ENTRY
        return Priority.TARGET if self.role is Role.TARGET else Priority.REDUCTION


@value(frozen=True, slots=True)
class AmendOrder:
    """A change of a resting order. Only what is given changes; `qty` is the new total (order/amend-order).

    `stop_loss` of zero removes the attached stop. `role` is what the order is for, where that decides its turn.
    """

    account: str
    symbol: str
    order_id: str
    link_id: str
    reason: str
    qty: Decimal | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    stop_loss: Decimal | None = None
    stop_loss_by: TriggerBy | None = None
    protective: bool = False
    role: Role | None = None

    @property
    def priority(self) -> Priority:
        if self.protective:
            return Priority.STOP
        return Priority.TARGET if self.role is Role.TARGET else Priority.ENTRY


@value(frozen=True, slots=True)
class CancelOrder:
    """Cancel one order by its id."""

    account: str
    symbol: str
    order_id: str
    link_id: str
    reason: str

    @property
    def priority(self) -> Priority:
        return Priority.CANCEL


@value(frozen=True, slots=True)
class SetTradingStop:
    """Set or change what is bound to a position (position/trading-stop, tpslMode Full).

    None leaves a value as it is; zero removes it. `trailing_stop` is a distance in price; `active_price`, which only
    goes with it, is where it begins to trail (without it: at once).
    """

    account: str
    symbol: str
    position_idx: int
    reason: str
    stop_loss: Decimal | None = None
    stop_loss_by: TriggerBy = TriggerBy.LAST
    take_profit: Decimal | None = None
    take_profit_by: TriggerBy = TriggerBy.LAST
    trailing_stop: Decimal | None = None
    active_price: Decimal | None = None

    @property
    def priority(self) -> Priority:
        return Priority.STOP


@value(frozen=True, slots=True)
class SetLeverage:
    """Set the leverage of a symbol, the same for both legs (position/leverage)."""

    account: str
    symbol: str
    leverage: Decimal
    reason: str

    @property
    def priority(self) -> Priority:
        return Priority.ENTRY


Action = PlaceOrder | AmendOrder | CancelOrder | SetTradingStop | SetLeverage


@value(frozen=True, slots=True)
class Accepted:
    """The exchange took it. Accepted is not filled (rule 2)."""

    order_id: str = ""


@value(frozen=True, slots=True)
class RejectedOutcome:
    """The exchange refused it for good. `code` is its retCode; `overtaken`: what it is about had changed meanwhile."""

    code: int
    message: str
    overtaken: bool = False


@value(frozen=True, slots=True)
class NotSent:
    """It never reached matching: not connected, rate limited at the gateway, or waiting for the clock.

    It may be sent again under the same id, `retry_after_s` later. `limited`: the account is well, and a rate limit or a
    budget of ours holds it back.
    """

    reason: str
    retry_after_s: float = 1.0
    limited: bool = False


@value(frozen=True, slots=True)
class DoubtfulOutcome:
    """It was sent and nobody knows (rule 2): settle by asking, never by sending again."""

    reason: str


Outcome = Accepted | RejectedOutcome | NotSent | DoubtfulOutcome
