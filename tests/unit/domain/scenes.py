"""Scenes to decide about: values with plain defaults, and a desk that holds one symbol on main and on one mirror.

The desk feeds both views with rows and executions as an exchange does, and asks the planner what it would do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from mirrorctl.core.domain.account import Execution, Order, Position, Ticker, Wallet
from mirrorctl.core.domain.actions import AmendOrder, CancelOrder, PlaceOrder, SetLeverage, SetTradingStop
from mirrorctl.core.domain.cycle import Copy
from mirrorctl.core.domain.ids import LinkId, Role, account_tag, step_tag, trade_tag
from mirrorctl.core.domain.instruments import ZERO, Instrument
from mirrorctl.core.domain.ladder import Ladder
from mirrorctl.core.domain.ours import IntentState, OurOrder, Ours
from mirrorctl.core.domain.planner import plan_symbol
from mirrorctl.core.domain.policy import MirrorPolicy
from mirrorctl.core.domain.scene import BreakevenTerms, MainFill, Scene, SymbolPlan
from mirrorctl.core.domain.twins import twin_step
from mirrorctl.core.domain.values import (
    ExecutionKind,
    OrderStatus,
    OrderType,
    PositionMode,
    PositionSide,
    Side,
    StopKind,
    TimeInForce,
    TriggerBy,
)
from mirrorctl.core.domain.view import AccountView

NOW = 1_700_000_000_000
SYMBOL = "BTCUSDT"
LONG, SHORT = PositionSide.LONG, PositionSide.SHORT
TAG = account_tag(202)
PRICE = Decimal(60_000)

BTC = Instrument(
    symbol=SYMBOL,
    tick_size=Decimal("0.1"),
    qty_step=Decimal("0.001"),
    min_qty=Decimal("0.001"),
    min_notional=Decimal(5),
    max_limit_qty=Decimal(100),
    max_market_qty=Decimal(20),
    min_leverage=Decimal(1),
    max_leverage=Decimal(100),
    leverage_step=Decimal("0.01"),
)


def dec(value: str | int | Decimal) -> Decimal:
    return Decimal(value)


def copy_of(side: PositionSide = LONG, ratio: str = "0.5", **changes: Any) -> Copy:
    """A copy of an open cycle whose position is ours."""
    tag = trade_tag(101, SYMBOL, side, "origin")
    return replace(Copy("mirror", SYMBOL, side, tag, dec(ratio), f"proportion: r = {ratio}", opened=True), **changes)


def order(order_id: str, qty: str, **changes: Any) -> Order:
    """A resting buy limit at 59000."""
    made = Order(
        order_id, "", SYMBOL, Side.BUY, OrderType.LIMIT, dec(qty), OrderStatus.NEW, Decimal(59_000), updated_ms=NOW
    )
    return replace(made, **changes)


def execution(exec_id: str, order_id: str, qty: str, seq: int, **changes: Any) -> Execution:
    """A buy that opened, at 60000."""
    made = Execution(exec_id, order_id, "", SYMBOL, Side.BUY, PRICE, dec(qty), ExecutionKind.TRADE, seq, NOW)
    return replace(made, **changes)


def row(side: PositionSide | None, size: str, seq: int, **changes: Any) -> Position:
    """A one-way position row at leverage 10."""
    made = Position(SYMBOL, 0, side, dec(size), seq, NOW, entry_price=PRICE, mark_price=PRICE, leverage=Decimal(10))
    return replace(made, **changes)


WALLET = Wallet(Decimal(100_000), Decimal(100_000), Decimal(0), Decimal(0), Decimal(0))


@dataclass
class Book:
    """One account as the exchange holds it; every change is pushed to the view at once."""

    view: AccountView
    mode: PositionMode = PositionMode.ONE_WAY
    seq: int = 0
    now_ms: int = NOW
    rows: dict[int, Position] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.view.apply_wallet(WALLET)
        for idx in (0,) if self.mode is PositionMode.ONE_WAY else (1, 2):
            self._push(row(None, "0", 0, idx=idx))

    def hold(self, side: PositionSide, size: str | Decimal, **changes: Any) -> None:
        """The position stands like this, whatever was before."""
        self.seq += 1
        held = dec(size)
        idx = self.mode.idx(side)
        self._push(replace(self.rows[idx], side=side if held else None, size=held, seq=self.seq, **changes))
        self.view.explain(SYMBOL, self.seq)

    def change(self, idx: int, **changes: Any) -> None:
        """Something of a row changed without a trade."""
        self.now_ms += 1
        self._push(replace(self.rows[idx], updated_ms=self.now_ms, **changes))

    def rest(self, resting: Order) -> Order:
        """An order stands, or stands differently."""
        self.now_ms += 1
        self.orders[resting.order_id] = replace(resting, updated_ms=self.now_ms)
        self.view.apply_order(self.orders[resting.order_id], self.now_ms)
        return self.orders[resting.order_id]

    def end(self, order_id: str, status: OrderStatus = OrderStatus.CANCELLED) -> None:
        """An order is over; what it filled stays."""
        self.rest(replace(self.orders.pop(order_id), status=status))
        del self.orders[order_id]

    def fill(self, order_id: str, qty: Decimal | None = None) -> None:
        """An order of the book executes: execution, order row and position row are pushed."""
        resting = self.orders[order_id]
        done = resting.leaves_qty if qty is None else qty
        self.trade(resting.side, done, order_id, resting.link_id, idx=resting.position_idx, reduce=resting.reduce_only)
        filled = resting.filled_qty + done
        if filled == resting.qty:
            self.orders[order_id] = replace(resting, filled_qty=filled)
            self.end(order_id, OrderStatus.FILLED)
        else:
            self.rest(replace(resting, filled_qty=filled, status=OrderStatus.PARTIALLY_FILLED))

    def trade(
        self, side: Side, qty: Decimal, order_id: str, link_id: str = "", *, idx: int = 0, reduce: bool = False
    ) -> None:
        """One execution and the position row it makes."""
        self.seq += 1
        self.now_ms += 1
        before = self.rows[idx].signed
        after = before + qty * side.sign
        if reduce and (abs(after) > abs(before) or before * after < 0):
            raise AssertionError(f"reduce-only {side} {qty} against {before}")
        closed = min(abs(before), qty) if before * side.sign < 0 else ZERO
        self.view.apply_execution(
            Execution(
                f"x{self.view.account}{self.seq}",
                order_id,
                link_id,
                SYMBOL,
                side,
                PRICE,
                qty,
                ExecutionKind.TRADE,
                self.seq,
                self.now_ms,
                closed_qty=closed,
            ),
            self.now_ms,
        )
        holds = None if not after else LONG if after > 0 else SHORT
        if not after or before * after < 0:  # what is bound to a position goes with it
            self.rows[idx] = replace(self.rows[idx], stop_loss=None, take_profit=None)
        self._push(replace(self.rows[idx], side=holds, size=abs(after), seq=self.seq, updated_ms=self.now_ms))

    def _push(self, pushed: Position) -> None:
        self.rows[pushed.idx] = pushed
        self.view.apply_position(pushed, self.now_ms, read=True)


def books(main: PositionMode = PositionMode.ONE_WAY, mirror: PositionMode = PositionMode.ONE_WAY) -> tuple[Book, Book]:
    return Book(AccountView("main"), main), Book(AccountView("mirror"), mirror)


@dataclass(frozen=True)
class Told:
    """What a decision may ask about main beside its view (scene.Background): nothing but what is given."""

    fills: Mapping[PositionSide, MainFill] = field(default_factory=dict)
    explained: frozenset[PositionSide] = frozenset(PositionSide)
    ladders: Mapping[PositionSide, Ladder] = field(default_factory=dict)
    sold: Mapping[PositionSide, Mapping[str, Decimal]] = field(default_factory=dict)
    done: Mapping[PositionSide, frozenset[str]] = field(default_factory=dict)

    def growth_fill(self, side: PositionSide) -> MainFill | None:
        return self.fills.get(side)

    def exit_fill(self, side: PositionSide) -> MainFill | None:
        return self.fills.get(side)

    def explains_close(self, side: PositionSide) -> bool:
        return side in self.explained

    def ladder(self, side: PositionSide) -> Ladder:
        return self.ladders.get(side, Ladder((), ZERO))

    def rungs_sold(self, side: PositionSide) -> Mapping[str, Decimal]:
        return self.sold.get(side, {})

    def rungs_done(self, side: PositionSide) -> frozenset[str]:
        return self.done.get(side, frozenset())

    def intended_stop(self, side: PositionSide) -> Decimal | None:
        return None

    def breakeven(self, side: PositionSide) -> BreakevenTerms | None:
        return None

    def unmirrored(self) -> Sequence[str]:
        return ()


@dataclass
class Desk:
    """One symbol on main and on one mirror, and what the planner would do about it."""

    main: Book
    mirror: Book
    copies: dict[PositionSide, Copy] = field(default_factory=lambda: {LONG: copy_of(LONG)})
    ours: list[OurOrder] = field(default_factory=list)
    policy: MirrorPolicy = field(default_factory=lambda: MirrorPolicy("mirror"))
    instrument: Instrument = BTC
    now_ms: int = NOW
    since: Mapping[str, int] = field(default_factory=dict)
    busy: frozenset[str] = frozenset()
    growth_block: str = ""
    parked: str = ""
    fills: dict[PositionSide, MainFill] = field(default_factory=dict)
    explained: frozenset[PositionSide] = frozenset(PositionSide)
    limit: Callable[[Decimal, Decimal], str] = lambda _qty, _price: ""
    ticks: bool = True
    last: Decimal = PRICE
    mark: Decimal = PRICE

    @classmethod
    def opened(cls, **settings: Any) -> Desk:
        main, mirror = books(
            settings.pop("main_mode", PositionMode.ONE_WAY), settings.pop("mode", PositionMode.ONE_WAY)
        )
        return cls(main, mirror, **settings)

    def scene(self) -> Scene:
        ticker = Ticker(SYMBOL, self.last, self.mark, PRICE, PRICE, PRICE, self.now_ms) if self.ticks else None
        return Scene(
            now_ms=self.now_ms,
            account="mirror",
            tag=TAG,
            symbol=SYMBOL,
            policy=self.policy,
            instrument=self.instrument,
            main=self.main.view,
            mirror=self.mirror.view,
            copies=self.copies,
            ours=Ours(self.ours),
            since=self.since,
            busy=self.busy,
            growth_block=self.growth_block,
            parked=self.parked,
            background=Told(self.fills, self.explained),
            ticker=ticker,
            limit=self.limit,
        )

    def plan(self) -> SymbolPlan:
        """Decide, and remember since when what is."""
        plan = plan_symbol(self.scene())
        self.since = plan.since
        return plan

    def later(self, ms: int) -> None:
        """Time passes."""
        self.now_ms += ms
        self.main.now_ms += ms
        self.mirror.now_ms += ms

    def twin(self, of: str, qty: str, attempt: int = 0, **changes: Any) -> OurOrder:
        """A twin of ours that rests on the mirror, made when main's order had filled nothing."""
        tag = next(iter(self.copies.values())).tag
        link = LinkId(TAG, tag, Role.TWIN, 0, twin_step(of), attempt)
        resting = order(f"on-mirror-{of}-{attempt}", qty, link_id=str(link))
        made = OurOrder(link, SYMBOL, Side.BUY, dec(qty), IntentState.LIVE, price=resting.price, main_order_id=of)
        made = replace(made, **({"main_filled": ZERO} | changes))
        self.ours.append(made)
        if made.is_live:
            self.mirror.rest(replace(resting, side=made.side, price=made.price))
        return made

    def attempt(self, role: Role, qty: str, side: Side, want: str, number: int = 0, **changes: Any) -> OurOrder:
        """An attempt at a correction or reduction from the mirror's present seq."""
        step = step_tag(SYMBOL, LONG, str(self.mirror.view.seq(SYMBOL)), want)
        link = LinkId(TAG, self.copies[LONG].tag, role, 0, step, number)
        made = OurOrder(link, SYMBOL, side, dec(qty), IntentState.PENDING, reduce_only=role is Role.REDUCTION)
        self.ours.append(replace(made, **changes))
        return self.ours[-1]


def placed(plan: SymbolPlan) -> list[PlaceOrder]:
    return [item.action for item in plan.actions if isinstance(item.action, PlaceOrder)]


def cancels(plan: SymbolPlan) -> list[CancelOrder]:
    return [item.action for item in plan.actions if isinstance(item.action, CancelOrder)]


def amends(plan: SymbolPlan) -> list[AmendOrder]:
    return [item.action for item in plan.actions if isinstance(item.action, AmendOrder)]


def stops(plan: SymbolPlan) -> list[SetTradingStop]:
    return [item.action for item in plan.actions if isinstance(item.action, SetTradingStop)]


def leverages(plan: SymbolPlan) -> list[SetLeverage]:
    return [item.action for item in plan.actions if isinstance(item.action, SetLeverage)]


def told(plan: SymbolPlan) -> list[str]:
    """What an action list says in short: kind, side, quantity."""
    said = []
    for item in plan.actions:
        action = item.action
        if isinstance(action, PlaceOrder):
            said.append(f"{action.role.name.lower()} {action.side} {action.qty}")
        else:
            said.append(type(action).__name__)
    return said


def stop_row(side: PositionSide, by: TriggerBy, **changes: Any) -> Order:
    """The order row that a position's stop shows."""
    made = order(f"stop-{side}", "1", side=side.exit, reduce_only=True, stop_kind=StopKind.STOP_LOSS, trigger_by=by)
    made = replace(made, status=OrderStatus.UNTRIGGERED, price=None, time_in_force=TimeInForce.IOC)
    return replace(made, **changes)
