"""Our own orders as the planner sees them: every attempt, from the journal row to its end."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from mirrorctl.core.domain.ids import LinkId, Role
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.values import Side


class IntentState(StrEnum):
    """The life of a journaled action. PENDING to LIVE may still fill; the others are over."""

    PENDING = "pending"  # journaled, perhaps sent
    ACCEPTED = "accepted"  # acknowledged, not seen on the book yet
    DOUBT = "in-doubt"  # sent, outcome unknown
    LIVE = "live"  # seen open
    DONE = "done"  # seen closed, or its effect was read back
    REJECTED = "rejected"  # refused for good
    ABSENT = "absent"  # in doubt, then nowhere after successful reads

    is_over: bool

    def __init__(self, value: str) -> None:
        self.is_over = value in ("done", "rejected", "absent")


@dataclass(frozen=True, slots=True)
class OurOrder:
    """One attempt of ours on one account.

    `main_order_id` and `main_filled` are of a twin: the order it stands for and what that had filled when the twin was
    made. `by_us`: we asked for its cancel. `overdue`: in doubt for longer than it could take to arrive. Quantities in
    base coin.
    """

    link: LinkId
    symbol: str
    side: Side
    qty: Decimal
    state: IntentState
    price: Decimal | None = None
    reduce_only: bool = False
    filled: Decimal = ZERO
    main_order_id: str = ""
    main_filled: Decimal | None = None
    by_us: bool = False
    code: int = 0
    message: str = ""
    ended_ms: int = 0
    overdue: bool = False

    @property
    def is_live(self) -> bool:
        return not self.state.is_over

    @property
    def is_reducing(self) -> bool:
        """Whether a reduction is under way: another one waits for it.

        One that is overdue keeps nothing waiting. It was sent to execute at once, so it rests nowhere, and the position
        was read after it could have arrived.
        """
        return self.is_live and self.is_reduction and not self.overdue

    def delays(self, link: LinkId, *, closes: bool) -> bool:
        """Whether the reduction named `link` waits for this one.

        A close of everything does not wait for another decision's reduction in doubt: reduce-only, it cannot take more
        than there is, whatever became of that one (A29).
        """
        doubtful = self.state is IntentState.DOUBT and self.link.intent != link.intent
        return self.is_reducing and not (closes and doubtful)

    @property
    def open_qty(self) -> Decimal:
        """What may still fill."""
        return self.qty - self.filled if self.is_live else ZERO

    @property
    def is_growth_correction(self) -> bool:
        return self.link.role is Role.CORRECTION

    @property
    def is_reduction(self) -> bool:
        return self.link.role in (Role.REDUCTION, Role.FLATTEN)
