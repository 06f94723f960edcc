"""The view of an account under every order of arrival: each fill counts once, and nothing ever moves backwards.

A market makes trades; what it pushes and lists of them is delivered shuffled, doubled and with gaps. After every single
message the view must hold exactly what the messages so far can prove.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorctl.core.domain.account import Execution, Order, Position, Wallet
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.values import ExecutionKind, OrderStatus, PositionMode, PositionSide, Side
from mirrorctl.core.domain.view import AccountView
from tests.unit.domain.scenes import LONG, NOW, PRICE, SHORT, SYMBOL, execution, order, row

WALLET = Wallet(PRICE, PRICE, ZERO, ZERO, ZERO)
OTHER = replace(row(LONG, "7", 5), symbol="ETHUSDT")


@dataclass(frozen=True)
class Relist:
    """One relist: its order page was taken first, its position page later."""

    orders: tuple[Order, ...]
    rows: tuple[Position, ...]


@dataclass(frozen=True)
class Executions:
    """All executions of one order, read by its id."""

    order_id: str
    rows: tuple[Execution, ...]


Message = Execution | Order | Position | Relist | Executions


@dataclass
class Market:
    """Trades and what is told of them. `after` keeps orders and rows as they were after each trade."""

    mode: PositionMode
    executions: list[Execution] = field(default_factory=list)
    orders: dict[str, Order] = field(default_factory=dict)
    rows: dict[int, Position] = field(default_factory=dict)
    after: list[tuple[dict[str, Order], dict[int, Position]]] = field(default_factory=list)
    pushes: list[Message] = field(default_factory=list)
    seq: int = 0

    def __post_init__(self) -> None:
        self.rows = {idx: replace(row(None, "0", 0), idx=idx) for idx in self.legs}
        self.after.append(({}, dict(self.rows)))

    @property
    def legs(self) -> tuple[int, ...]:
        return (0,) if self.mode is PositionMode.ONE_WAY else (1, 2)

    def trade(self, number: int, leg: PositionSide, side: Side, parts: Sequence[int]) -> None:
        """An order of the book fills in parts at one moment: they share a seq (websocket/private/execution)."""
        idx = self.mode.idx(leg)
        if idx:
            number += 10 * idx
            side = leg.entry if side is Side.BUY else leg.exit
        order_id = f"order-{number}-{side}"
        while order_id in self.orders and not self.orders[order_id].is_open:
            order_id += "-next"
        self.seq += 1
        for part in parts if order_id not in self.orders else parts[:1]:
            held = self.rows[idx].signed
            qty = min(Decimal(part), abs(held)) if idx and side is leg.exit else Decimal(part)
            if not qty:
                continue
            closed = min(qty, abs(held)) if held * side.sign < 0 else ZERO
            made = execution(f"x{len(self.executions)}", order_id, str(qty), self.seq, side=side, closed_qty=closed)
            self.executions.append(made)
            self.pushes.append(made)
            known = self.orders.get(order_id, order(order_id, "20", side=side, position_idx=idx))
            filled = known.filled_qty + qty
            status = OrderStatus.FILLED if filled >= 20 else OrderStatus.PARTIALLY_FILLED
            changed = replace(known, filled_qty=filled, qty=max(filled, known.qty), status=status)
            self.orders[order_id] = replace(changed, updated_ms=NOW + len(self.executions))
            self.pushes.append(self.orders[order_id])
            after = held + qty * side.sign
            holds = None if not after else LONG if after > 0 else SHORT
            now = NOW + len(self.executions)
            self.rows[idx] = replace(self.rows[idx], side=holds, size=abs(after), seq=self.seq, updated_ms=now)
        self.pushes.append(self.rows[idx])
        self.after.append((dict(self.orders), dict(self.rows)))

    def relist(self, orders_after: int, rows_after: int) -> Relist:
        first, second = sorted(at % len(self.after) for at in (orders_after, rows_after))
        listed = tuple(known for known in self.after[first][0].values() if known.is_open)
        return Relist(listed, tuple(self.after[second][1].values()))

    def read(self, number: int, upto: int) -> Executions | None:
        ids = sorted(self.orders)
        if not ids:
            return None
        order_id = ids[number % len(ids)]
        seq = upto % (self.seq + 1)
        return Executions(order_id, tuple(e for e in self.executions if e.order_id == order_id and e.seq <= seq))


class Told:
    """What the messages delivered so far prove, computed the slow and plain way."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.executions: dict[str, Execution] = {}
        self.rows: dict[int, Position] = {idx: replace(row(None, "0", 0), idx=idx) for idx in market.legs}
        self.orders: dict[str, Order] = {}

    def take(self, message: Message) -> None:
        if isinstance(message, Execution):
            self.executions[message.exec_id] = message
        elif isinstance(message, Order):
            known = self.orders.get(message.order_id)
            if known is None or rank(message) >= rank(known):
                self.orders[message.order_id] = message
        elif isinstance(message, Position):
            known_row = self.rows[message.idx]
            if (message.seq, message.updated_ms) >= (known_row.seq, known_row.updated_ms):
                self.rows[message.idx] = message
        elif isinstance(message, Executions):
            for found in message.rows:
                self.take(found)
        else:
            listed: tuple[Order | Position, ...] = (*message.orders, *message.rows)
            for shown in listed:
                self.take(shown)

    def leg(self, made: Execution) -> int:
        return self.market.orders[made.order_id].position_idx

    def counted(self) -> list[Execution]:
        """Every execution that a row holds or that was seen itself."""
        return [
            made
            for made in self.market.executions
            if made.exec_id in self.executions or made.seq <= self.rows[self.leg(made)].seq
        ]

    def size(self, side: PositionSide) -> Decimal:
        """All that is counted; but what closed a position opened nothing where that was not seen to be held."""
        idx = self.market.mode.idx(side)
        counted = [made for made in self.counted() if self.leg(made) == idx]
        opened = sum((made.qty - made.closed_qty for made in counted if made.side is side.entry), ZERO)
        closed = sum((made.closed_qty for made in counted if made.side is side.exit), ZERO)
        signed = sum((made.signed for made in counted), ZERO)
        return max(min(signed * side.sign, opened - closed), ZERO)


def rank(shown: Order) -> tuple[bool, Decimal, int]:
    return (not shown.is_open, shown.filled_qty, shown.updated_ms)


def deliver(view: AccountView, message: Message, at_ms: int) -> None:
    if isinstance(message, Execution):
        view.apply_execution(message, at_ms)
    elif isinstance(message, Order):
        view.apply_order(message, at_ms)
    elif isinstance(message, Position):
        view.apply_position(message, at_ms)
    elif isinstance(message, Executions):
        view.apply_order_executions(message.order_id, message.rows, at_ms)
    else:
        view.apply_relist(message.orders, (*message.rows, OTHER), WALLET, at_ms, at_ms)


def check(view: AccountView, told: Told) -> None:
    """Sizes are what is proven, nothing went backwards, and what is called settled is."""
    for side in PositionSide:
        assert view.size(SYMBOL, side) == told.size(side)
    counted = told.counted()
    for order_id, newest in told.orders.items():
        assert view.order(order_id) == newest
        inside = sum((made.qty for made in counted if made.order_id == order_id), ZERO)
        if view.is_settled(SYMBOL):
            assert view.filled(newest) <= inside, "settled, and a fill is in the order but not in the position"
    assert view.size("ETHUSDT", LONG) == 7


trades = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(PositionSide),
        st.sampled_from(Side),
        st.lists(st.integers(1, 15), min_size=1, max_size=2),
    ),
    min_size=1,
    max_size=6,
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[Market, list[Message]]:
    """A market, and its messages as they arrive: shuffled, some doubled, some late pages between them."""
    market = Market(draw(st.sampled_from(PositionMode)))
    for number, leg, side, parts in draw(trades):
        market.trade(number, leg, side, parts)
    pages: list[Message] = [
        market.relist(*ends) for ends in draw(st.lists(st.tuples(*[st.integers(0, 6)] * 2), max_size=3))
    ]
    reads = draw(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 6)), max_size=2))
    pages += [found for found in (market.read(*what) for what in reads) if found is not None]
    doubled = draw(st.lists(st.sampled_from(market.pushes), max_size=3)) if market.pushes else []
    return market, draw(st.permutations([*market.pushes, *doubled, *pages]))


@pytest.mark.proves("A85", "A54")
@settings(max_examples=400)
@given(histories())
def test_a_fill_counts_once_in_whatever_order_messages_arrive(history: tuple[Market, list[Message]]) -> None:
    market, messages = history
    view, told = AccountView("main"), Told(market)
    view.apply_relist((), (*market.after[0][1].values(), OTHER), WALLET, NOW, NOW)
    for at, message in enumerate(messages, start=NOW):
        deliver(view, message, at)
        told.take(message)
        check(view, told)
    for made in market.executions:
        view.apply_execution(made, NOW)
    assert view.is_settled(SYMBOL)
    for shown in market.orders.values():
        assert view.filled(shown) == shown.filled_qty


@pytest.mark.proves("A54", "A55")
@given(histories(), st.integers(0, 6), st.integers(0, 6))
def test_a_late_page_changes_nothing_that_the_stream_told_before(
    history: tuple[Market, list[Message]], orders_after: int, rows_after: int
) -> None:
    market, _ = history
    view = AccountView("main")
    view.apply_relist((), (*market.after[0][1].values(), OTHER), WALLET, NOW, NOW)
    for message in market.pushes:
        deliver(view, message, NOW + 10)
    page = market.relist(orders_after, rows_after)
    before = ({s: view.size(SYMBOL, s) for s in PositionSide}, {o: view.order(o) for o in market.orders})
    symbols, orders = view.apply_relist(page.orders, (*page.rows, OTHER), WALLET, NOW + 5, NOW + 20)
    after = ({s: view.size(SYMBOL, s) for s in PositionSide}, {o: view.order(o) for o in market.orders})
    assert before == after
    assert view.is_settled(SYMBOL)
    assert (symbols, orders) == (set(), [])


@pytest.mark.proves("A45", "A55")
@given(histories())
def test_what_a_page_does_not_name_is_asked_for_and_kept(history: tuple[Market, list[Message]]) -> None:
    market, _ = history
    view = AccountView("main")
    for message in (*market.pushes, OTHER):
        deliver(view, message, NOW)
    held = {s: view.size(SYMBOL, s) for s in PositionSide}
    resting = {shown.order_id for shown in view.orders(SYMBOL)}
    symbols, orders = view.apply_relist((), (), WALLET, NOW + 10, NOW + 20)
    assert symbols == {"ETHUSDT"} | ({SYMBOL} if any(held.values()) else set())
    assert {shown.order_id for shown in orders} == resting
    assert {s: view.size(SYMBOL, s) for s in PositionSide} == held
    assert {shown.order_id for shown in view.orders(SYMBOL)} == resting


@pytest.mark.proves("A19")
@given(st.sampled_from([kind for kind in ExecutionKind if not kind.moves_position]), st.booleans())
def test_funding_changes_no_size(kind: ExecutionKind, first: bool) -> None:
    view = AccountView("main")
    funding = execution("funding", "none", "3", 9, kind=kind)
    for message in (funding, row(LONG, "3", 4)) if first else (row(LONG, "3", 4), funding):
        deliver(view, message, NOW)
    assert view.size(SYMBOL, LONG) == 3
    assert view.is_settled(SYMBOL)
