"""What an audit looks at: accounts as they were read, what is on record, and what the planner would do about it.

The planner's own plans and standings are part of it, so no arithmetic of following is done twice: what it would do is
what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mirrorctl.core.domain.account import Order
from mirrorctl.core.domain.actions import Action, AmendOrder, CancelOrder, PlaceOrder, SetTradingStop
from mirrorctl.core.domain.cycle import Copy, CycleKey
from mirrorctl.core.domain.ids import LinkId, Role, parse
from mirrorctl.core.domain.instruments import Instrument, plain
from mirrorctl.core.domain.policy import MAIN, Manage, Policy
from mirrorctl.core.domain.scene import SymbolPlan
from mirrorctl.core.domain.trade import Trade
from mirrorctl.core.domain.values import PositionMode, PositionSide
from mirrorctl.core.domain.view import AccountView

CopyKey = tuple[str, str, PositionSide]


@dataclass(frozen=True, slots=True)
class Seen:
    """One account as it was read. `view` None: unknown, and `error` says why.

    `tag` stands for it in link ids. `mode`: the position mode that the profile asks for; None: any.
    """

    name: str
    tag: str
    view: AccountView | None
    error: str = ""
    mode: PositionMode | None = None

    @property
    def is_main(self) -> bool:
        return self.name == MAIN

    def link(self, order: Order) -> LinkId | None:
        """The link id of an order of ours on this account; None for everybody else's."""
        link = parse(order.link_id)
        return link if link is not None and link.account == self.tag else None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was on record before anybody looked: cycles of main, copies of the mirrors, managed trades that opened."""

    cycles: frozenset[CycleKey] = frozenset()
    copies: frozenset[CopyKey] = frozenset()
    trades: frozenset[CycleKey] = frozenset()


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something whose outcome is not known; `subject` tells it from others of the same symbol."""

    account: str
    symbol: str
    what: str
    subject: str


@dataclass(frozen=True, slots=True)
class Park:
    """A symbol that was parked on a mirror, with why. Empty `symbol`: every one."""

    account: str
    symbol: str
    reason: str


@dataclass(frozen=True, slots=True)
class AuditScene:
    """Everything one look at the accounts tells. `copies` and `trades` as the planner sees them after that look.

    `mirrors` are those that follow, `disabled` those that are not touched and only named. `off` holds the sides that
    differ from their target by more than lead, lag and holds explain, `finished` the managed trades of main whose
    every target is filled.
    """

    main: Seen
    mirrors: tuple[Seen, ...]
    policy: Policy
    disabled: tuple[Seen, ...] = ()
    instruments: Mapping[str, Instrument] = field(default_factory=dict)
    cycles: frozenset[CycleKey] = frozenset()
    copies: Mapping[CopyKey, Copy] = field(default_factory=dict)
    trades: Mapping[CycleKey, Trade] = field(default_factory=dict)
    finished: frozenset[CycleKey] = frozenset()
    recorded: Recorded = field(default_factory=Recorded)
    plans: Sequence[SymbolPlan] = ()
    off: frozenset[CopyKey] = frozenset()
    parks: Sequence[Park] = ()
    doubts: Sequence[Doubt] = ()

    @property
    def accounts(self) -> tuple[Seen, ...]:
        """Main and the mirrors that follow."""
        return (self.main, *self.mirrors)

    def plans_of(self, account: str, symbol: str = "") -> Iterator[SymbolPlan]:
        """What the planner would do on one account (about one symbol); on main a plan for each managed trade."""
        return (plan for plan in self.plans if plan.account == account and symbol in ("", plan.symbol))

    def copy(self, account: Seen, symbol: str, side: PositionSide) -> Copy | None:
        return self.copies.get((account.name, symbol, side))

    def source(self, account: Seen, symbol: str, side: PositionSide) -> CycleKey:
        """The side of main that a side of an account is, or follows."""
        copy = self.copy(account, symbol, side)
        return (symbol, side) if account.is_main or copy is None else copy.source

    def is_ours(self, account: Seen, symbol: str, side: PositionSide) -> bool:
        """Whether a position is one that we follow or keep; all of main's are watched."""
        copy = self.copy(account, symbol, side)
        return account.is_main or (copy is not None and copy.opened)

    def is_over(self, account: Seen, symbol: str, side: PositionSide) -> bool:
        """Whether no live trade of main stands behind a side: main was flat, or never held it. Main must be known."""
        copy = self.copy(account, symbol, side)
        return (symbol, side) not in self.cycles if account.is_main else copy is None or copy.ended

    def is_managed(self, symbol: str, side: PositionSide) -> bool:
        """Whether the daemon may protect and change this position of main (A79)."""
        return self.policy.manage is Manage.ALL or (symbol, side) in self.trades


def role_of(action: Action, view: AccountView) -> Role | None:
    """What the order of an action is for; None for one that has none. An exit of the trader's own is a target."""
    if isinstance(action, PlaceOrder):
        return action.role
    if not isinstance(action, AmendOrder | CancelOrder):
        return None
    if isinstance(action, AmendOrder) and action.role is not None:
        return action.role
    link = parse(action.link_id)
    if link is not None:
        return link.role
    order = view.order(action.order_id)
    return Role.TARGET if order is not None and order.is_exit else None


def side_of(action: Action, view: AccountView) -> PositionSide | None:
    """Which side of its symbol an action is about; None when it is about both, or what it names is not seen."""
    if isinstance(action, PlaceOrder):
        return PositionSide.shrunk_by(action.side) if action.reduce_only else PositionSide.grown_by(action.side)
    if isinstance(action, AmendOrder | CancelOrder):
        order = view.order(action.order_id)
        return None if order is None else leg_of(order)
    if isinstance(action, SetTradingStop):
        rows = (row for row in view.positions() if row.key == (action.symbol, action.position_idx))
        return next((row.side for row in rows), None)
    return None


def leg_of(order: Order) -> PositionSide:
    """The side of the position that an order grows or shrinks."""
    return PositionSide.shrunk_by(order.side) if order.is_exit else PositionSide.grown_by(order.side)


def order_text(order: Order) -> str:
    """An order in words: side, what is open of it, and its price."""
    price = order.price or order.trigger_price
    kind = "reduce-only " if order.is_exit else ""
    where = f"at {plain(price)}" if price else order.order_type
    return f"{kind}{order.side} {plain(order.leaves_qty)} {where}"
