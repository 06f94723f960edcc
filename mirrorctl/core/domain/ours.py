"""Our own orders as the planner sees them: every attempt, from the journal row to its end."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from mirrorctl.core.domain.frozen import value
from mirrorctl.core.domain.ids import LinkId, Role
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.values import Side

_Key = TypeVar("_Key")


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


@value(frozen=True, slots=True)
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


class Ours:
    """Every attempt of ours on one symbol of one account, by what a decision asks of it.

    Kept up rather than made anew, for a symbol may see hundreds of orders in an hour: looking costs what may still
    fill, not what was. Everything is given in the order in which it was made. `live`: those that may still fill;
    `by_role`: all by role and order side, where there is one.
    """

    __slots__ = ("_all", "_by_intent", "_live", "by_role", "live")

    def __init__(self, orders: Iterable[OurOrder] = ()) -> None:
        self._all: dict[int, OurOrder] = {}
        self._live: dict[int, OurOrder] = {}
        self.live: Collection[OurOrder] = self._live.values()
        self.by_role: dict[tuple[Role, Side], dict[int, OurOrder]] = {}
        self._by_intent: dict[tuple[str, Role, int, str], dict[int, OurOrder]] = {}
        for number, order in enumerate(orders):
            self.put(number, order)

    def __iter__(self) -> Iterator[OurOrder]:
        return iter(self._all.values())

    def __len__(self) -> int:
        return len(self._all)

    def of(self, role: Role, side: Side) -> list[OurOrder]:
        """Those of one role and order side, live or over; of one decision first to last."""
        found = self.by_role.get((role, side))
        return sorted(found.values(), key=_attempt) if found else []

    def attempts(self, first: LinkId) -> list[OurOrder]:
        """Every attempt at the decision behind a link id, first to last."""
        found = self._by_intent.get(first.intent)
        return sorted(found.values(), key=_attempt) if found else []

    def put(self, number: int, order: OurOrder) -> None:
        """Take an attempt as it is now; `number` tells it apart from all others, and a new one was made last."""
        again = number in self._all
        self._all[number] = order
        self.by_role.setdefault((order.link.role, order.side), {})[number] = order
        self._by_intent.setdefault(order.link.intent, {})[number] = order
        if not order.is_live:
            self._live.pop(number, None)
        elif again and number not in self._live:  # given up and found after all: it takes its place again
            in_order = {each: known for each, known in self._all.items() if known.is_live}
            self._live.clear()
            self._live.update(in_order)
        else:
            self._live[number] = order

    def drop(self, number: int) -> None:
        """Forget an attempt."""
        order = self._all.pop(number, None)
        if order is None:
            return
        self._live.pop(number, None)
        _drop_from(self.by_role, (order.link.role, order.side), number)
        _drop_from(self._by_intent, order.link.intent, number)


def _attempt(order: OurOrder) -> int:
    return order.link.attempt


def _drop_from(groups: dict[_Key, dict[int, OurOrder]], key: _Key, number: int) -> None:
    del groups[key][number]
    if not groups[key]:
        del groups[key]
