"""Random days of trading on main, decided and applied pass by pass: every plan is safe, and the last one is empty.

Main rests entries and exits; both fill in part or whole, on main first or on the mirror first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mirrorctl.core.domain.account import Order
from mirrorctl.core.domain.actions import Action, AmendOrder, CancelOrder, PlaceOrder, SetLeverage, SetTradingStop
from mirrorctl.core.domain.cycle import entry_orders
from mirrorctl.core.domain.ids import Role, parse
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.ladder import without
from mirrorctl.core.domain.ours import IntentState, OurOrder
from mirrorctl.core.domain.scene import Planned, Scene, SymbolPlan
from mirrorctl.core.domain.standing_trade import ladder_on_book
from mirrorctl.core.domain.trade import order_key
from mirrorctl.core.domain.values import OrderStatus, OrderType, PositionMode, PositionSide, Side, TimeInForce
from tests.unit.domain.scenes import BTC, LONG, SHORT, SYMBOL, Book, Desk, Told, books, copy_of, order

ONE = Decimal("0.001")


@dataclass
class ExitDesk(Desk):
    """A desk whose mirror has the ladder that stands on main. `done`: keys of the rungs main has filled."""

    done: dict[PositionSide, frozenset[str]] = field(default_factory=dict)

    def scene(self) -> Scene:
        main = self.main.view
        ladders = {side: ladder_on_book(main, SYMBOL, side) for side in self.copies}
        sold = {
            side: {rung.key: main.filled(shown) for rung in ladder.rungs if (shown := main.order(rung.order_id))}
            for side, ladder in ladders.items()
        }
        return replace(super().scene(), background=Told(self.fills, self.explained, ladders, sold, self.done))


class Day:
    """One symbol on a small exchange: main trades at random, the mirror does what the plan says."""

    def __init__(self, mode: PositionMode, ratio: str) -> None:
        self.desk = ExitDesk(*books(mode), copies={})
        self.ratio = ratio
        self.made = 0

    # --- what main does ------------------------------------------------------------------------------------------

    def main_trades(self, side: Side, lots: int) -> None:
        """A market order on main; in hedge mode it opens a leg where the other is not held, else closes."""
        main, qty = self.desk.main, lots * ONE
        idx, reduce = 0, False
        if main.mode is PositionMode.HEDGE:
            leg = LONG if side is Side.BUY else SHORT
            other = main.rows[leg.opposite.hedge_idx].size
            idx, reduce = (leg.opposite.hedge_idx, True) if other else (leg.hedge_idx, False)
            qty = min(qty, other) if other else qty
        main.trade(side, qty, self._id("market"), idx=idx, reduce=reduce)
        tidy(main)

    def main_rests(self, side: Side, lots: int, price: int) -> None:
        idx = 0 if self.desk.main.mode is PositionMode.ONE_WAY else (LONG if side is Side.BUY else SHORT).hedge_idx
        resting = order(self._id("limit"), "1", side=side, price=Decimal(price), position_idx=idx, created_ms=self.made)
        if price % 5 == 0:
            direction = 1 if side is Side.BUY else 2
            resting = replace(resting, trigger_price=Decimal(price), trigger_direction=direction)
            resting = replace(resting, order_type=OrderType.MARKET, price=None, status=OrderStatus.UNTRIGGERED)
        self.desk.main.rest(replace(resting, qty=lots * ONE))

    def main_order(self, what: int, lots: int) -> None:
        """Something happens to the oldest order of main: it fills in part or whole, is amended or cancelled."""
        main = self.desk.main
        oldest = next((resting for resting in main.orders.values() if not resting.reduce_only), None)
        if oldest is None or (main.mode is PositionMode.HEDGE and self._opposite_held(oldest.side)):
            return
        if what == 0:
            main.end(oldest.order_id)
        elif what == 1:
            main.rest(replace(oldest, qty=oldest.filled_qty + lots * ONE))
        else:
            main.fill(oldest.order_id, min(lots * ONE, oldest.leaves_qty) if what == 2 else None)
            tidy(main)

    def main_aims(self, lots: int, price: int) -> None:
        """A reduce-only limit order against what main holds."""
        for held in list(self.desk.main.rows.values()):
            if held.side is not None and held.size:
                shown = order(self._id("exit"), "1", side=held.side.exit, price=Decimal(price), reduce_only=True)
                shown = replace(shown, position_idx=held.idx, created_ms=self.made)
                self.desk.main.rest(replace(shown, qty=min(lots * ONE, held.size)))

    def main_exit(self, what: int, lots: int) -> None:
        """Something happens to main's oldest exit: it is cancelled, amended or fills, in part or whole."""
        main = self.desk.main
        oldest = next((resting for resting in main.orders.values() if resting.reduce_only), None)
        if oldest is None:
            return
        held = main.rows[oldest.position_idx]
        if what == 0:
            main.end(oldest.order_id)
        elif what == 1:
            main.rest(replace(oldest, qty=oldest.filled_qty + lots * ONE))
        elif what == 2:
            main.rest(replace(oldest, price=Decimal(60_000 + lots * 10)))
        else:
            qty = min(lots * ONE if what == 3 else oldest.leaves_qty, oldest.leaves_qty, held.size)
            main.fill(oldest.order_id, qty)
            if qty == oldest.leaves_qty and held.side is not None:
                done = self.desk.done.get(held.side, frozenset())
                self.desk.done[held.side] = done | {order_key(oldest.order_id)}
            tidy(main)

    def main_protects(self, price: int) -> None:
        for held in list(self.desk.main.rows.values()):
            if held.size:
                low, high = Decimal(price), Decimal(2 * price)
                stop, profit = (low, high) if held.side is LONG else (high, low)
                self.desk.main.change(held.idx, stop_loss=stop, take_profit=profit)

    # --- what happens to the mirror ------------------------------------------------------------------------------

    def twin_moves(self, what: int, lots: int) -> None:
        """A resting twin fills in part or whole before main's order, or the exchange ends it."""
        mirror = self.desk.mirror
        oldest = next((resting for resting in mirror.orders.values() if not resting.reduce_only), None)
        if oldest is None:
            return
        if what == 0:
            mirror.end(oldest.order_id)
        else:
            mirror.fill(oldest.order_id, min(lots * ONE, oldest.leaves_qty) if what == 1 else None)
            tidy(mirror)
        self.follow_orders()

    def rung_moves(self, what: int, lots: int) -> None:
        """A target of the mirror fills by itself, in part or whole, or the exchange ends it."""
        mirror = self.desk.mirror
        resting = [shown for shown in mirror.orders.values() if shown.reduce_only]
        if not resting:
            return
        chosen = resting[lots % len(resting)]
        held = mirror.rows[chosen.position_idx]
        if what == 0:
            mirror.end(chosen.order_id)
        elif held.side is not None:
            qty = min(lots * ONE if what == 1 else chosen.leaves_qty, chosen.leaves_qty, held.size)
            mirror.fill(chosen.order_id, qty)
            self._own_exit(held.side, chosen, qty)
            tidy(mirror)
        self.follow_orders()

    def _own_exit(self, side: PositionSide, rung: Order, qty: Decimal) -> None:
        """What the keeper makes of it: the mirror is capped, and the rung is done when it filled."""
        link, copy = parse(rung.link_id), self.desk.copies.get(side)
        if copy is None or copy.ended or link is None:
            return
        main, left = self.desk.main.view, self.desk.mirror.view.size(SYMBOL, side)
        copy = copy.after_own_exit(left, qty, main.size(SYMBOL, side))
        done = (*copy.done, link.step) if qty == rung.leaves_qty else copy.done
        self.desk.copies[side] = replace(copy, done=done)

    def follow_orders(self) -> None:
        """What the journal knows of our orders follows what the exchange shows of them."""
        for at, ours in enumerate(self.desk.ours):
            shown = self.desk.mirror.view.by_link(str(ours.link))
            if shown is not None and ours.is_live:
                state = IntentState.LIVE if shown.is_open else IntentState.DONE
                ended = 0 if shown.is_open else self.desk.now_ms
                self.desk.ours[at] = replace(
                    ours, state=state, qty=shown.qty, price=shown.price, filled=shown.filled_qty, ended_ms=ended
                )

    # --- deciding and applying ---------------------------------------------------------------------------------------

    def keep_copies(self) -> None:
        """Cycles begin with a position or an entry order on main, and end when neither is left."""
        main, desk = self.desk.main.view, self.desk
        for side in PositionSide:
            begun = main.size(SYMBOL, side) or entry_orders(main, SYMBOL, side)
            if begun and (side not in desk.copies or desk.copies[side].ended):
                desk.copies[side] = copy_of(side, self.ratio)
                desk.done.pop(side, None)
            elif begun:
                desk.copies[side] = desk.copies[side].after_main(main.size(SYMBOL, side))
            elif not begun and side in desk.copies:
                desk.copies[side] = replace(desk.copies[side], ended=True)
                live = any(ours.is_live for ours in desk.ours)
                if not live and not desk.mirror.view.size(SYMBOL, side):
                    del desk.copies[side]

    def decide(self) -> SymbolPlan:
        self.keep_copies()
        plan = self.desk.plan()
        check_plan(self.desk, plan)
        check_in_flight(self.desk, plan)
        return plan

    def apply(self, plan: SymbolPlan) -> None:
        for item in plan.actions:
            self._apply(item, item.action)
        self.follow_orders()

    def _apply(self, item: Planned, action: Action) -> None:
        mirror = self.desk.mirror
        if isinstance(action, AmendOrder | CancelOrder) and action.order_id not in mirror.orders:
            return  # gone with the position that an action before it closed
        if isinstance(action, PlaceOrder):
            self._place(item, action)
        elif isinstance(action, AmendOrder):
            shown = mirror.orders[action.order_id]
            mirror.rest(
                replace(
                    shown,
                    qty=action.qty or shown.qty,
                    price=action.price or shown.price,
                    trigger_price=action.trigger_price or shown.trigger_price,
                    stop_loss=action.stop_loss or shown.stop_loss,
                )
            )
        elif isinstance(action, CancelOrder):
            mirror.end(action.order_id)
            self.desk.ours = [
                replace(ours, by_us=True) if str(ours.link) == action.link_id else ours for ours in self.desk.ours
            ]
        elif isinstance(action, SetTradingStop):
            now = mirror.rows[action.position_idx]
            stop = now.stop_loss if action.stop_loss is None else action.stop_loss or None
            profit = now.take_profit if action.take_profit is None else action.take_profit or None
            mirror.change(action.position_idx, stop_loss=stop, take_profit=profit)
        else:
            mirror.change(0, leverage=action.leverage)

    def _place(self, item: Planned, action: PlaceOrder) -> None:
        mirror, link = self.desk.mirror, parse(action.link_id)
        assert link is not None
        ours = OurOrder(link, SYMBOL, action.side, action.qty, IntentState.LIVE, action.price, action.reduce_only)
        self.desk.ours.append(replace(ours, main_order_id=item.main_order_id, main_filled=item.main_filled))
        resting = order(
            self._id("ours"),
            str(action.qty),
            link_id=action.link_id,
            side=action.side,
            price=action.price,
            order_type=action.order_type,
            reduce_only=action.reduce_only,
            trigger_price=action.trigger_price,
            trigger_direction=action.trigger_direction,
            stop_loss=action.stop_loss,
            status=OrderStatus.NEW if action.trigger_price is None else OrderStatus.UNTRIGGERED,
        )
        mirror.rest(resting)
        if action.time_in_force is TimeInForce.IOC:
            mirror.fill(resting.order_id)
            tidy(mirror)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _opposite_held(self, side: Side) -> bool:
        opposite = SHORT if side is Side.BUY else LONG
        return bool(self.desk.main.view.size(SYMBOL, opposite))

    def _id(self, kind: str) -> str:
        self.made += 1
        return f"{kind}-{self.made}"


def tidy(book: Book) -> None:
    """As the exchange does: without a position on their side, orders that only reduce are gone."""
    for resting in [shown for shown in book.orders.values() if shown.reduce_only]:
        held = book.rows[resting.position_idx]
        if held.side is None or held.side.exit is not resting.side:
            book.end(resting.order_id)


def check_plan(desk: ExitDesk, plan: SymbolPlan) -> None:
    """What must hold of every plan, whatever happened before."""
    view = desk.mirror.view
    places = [item.action for item in plan.actions if isinstance(item.action, PlaceOrder)]
    assert [item.action.priority for item in plan.actions] == sorted(item.action.priority for item in plan.actions)
    links = [action.link_id for action in places]
    assert len(set(links)) == len(links)
    assert not set(links) & {str(ours.link) for ours in desk.ours}
    for action in places:
        assert action.qty > 0
        assert action.qty == desk.instrument.floor_qty(action.qty)
        assert action.reduce_only == (action.role in (Role.REDUCTION, Role.TARGET)), action
    amended = {a.link_id: a.qty for a in (i.action for i in plan.actions) if isinstance(a, AmendOrder) and a.qty}
    for side in PositionSide:
        exits = [ours for ours in desk.ours if ours.reduce_only and ours.side is side.exit and ours.is_live]
        for role in (Role.REDUCTION, Role.TARGET):  # never more than is held, and nothing added to more than is held
            resting = sum((ours.open_qty for ours in exits if ours.link.role is role), ZERO)
            grown = [amended[str(ours.link)] - ours.qty for ours in exits if str(ours.link) in amended]
            grown += [action.qty for action in places if action.role is role and action.side is side.exit]
            added = sum((qty for qty in grown if qty > 0), ZERO) if role is Role.TARGET else sum(grown, ZERO)
            assert not added or added + resting <= view.size(SYMBOL, side), plan
        check_beside(desk, plan, side)
        check_side(desk, plan, side)


def check_beside(desk: ExitDesk, plan: SymbolPlan, side: PositionSide) -> None:
    """Nothing is reduced for which a rung still stands that main has filled (A20)."""
    copy = desk.copies.get(side)
    want = copy.want(desk.main.view.size(SYMBOL, side), BTC) if copy is not None else ZERO
    done = desk.done.get(side, frozenset())
    rungs = [ours for ours in desk.ours if ours.is_live and ours.link.role is Role.TARGET and ours.side is side.exit]
    owed = sum((ours.open_qty for ours in rungs if ours.link.step in done), ZERO)
    places = [item.action for item in plan.actions if isinstance(item.action, PlaceOrder)]
    reduced = sum((a.qty for a in places if a.role is Role.REDUCTION and a.side is side.exit), ZERO)
    assert not want or reduced <= max(desk.mirror.view.size(SYMBOL, side) - want - owed, ZERO), plan


def check_side(desk: Desk, plan: SymbolPlan, side: PositionSide) -> None:
    """At most one live correction, and never more on its way than main could come to."""
    places = [item.action for item in plan.actions if isinstance(item.action, PlaceOrder)]
    growing = [action for action in places if not action.reduce_only and action.side is side.entry]
    live = [ours for ours in desk.ours if ours.is_live and ours.side is side.entry and not ours.reduce_only]
    planned = [action for action in growing if action.role is Role.CORRECTION]
    assert len(planned) + sum(ours.link.role is Role.CORRECTION for ours in live) <= 1
    if not growing or side not in desk.copies:
        return
    gone = {item.action.link_id for item in plan.actions if isinstance(item.action, CancelOrder)}
    amended = {a.link_id: a.qty for a in (i.action for i in plan.actions) if isinstance(a, AmendOrder) and a.qty}
    standing = [amended.get(str(ours.link), ours.qty) - ours.filled for ours in live if str(ours.link) not in gone]
    leaving = sum((a.qty for a in places if a.reduce_only and a.side is side.exit), ZERO)
    reach = desk.mirror.view.size(SYMBOL, side) - leaving + sum(standing, ZERO) + sum((a.qty for a in growing), ZERO)
    leaves = sum((desk.main.view.leaves(entry) for entry in entry_orders(desk.main.view, SYMBOL, side)), ZERO)
    late = sum((s.tolerated for s in plan.standings if s.side is side and s.have > s.want), ZERO)  # rungs still owe it
    assert reach <= desk.copies[side].ratio * (desk.main.view.size(SYMBOL, side) + leaves) + late


def check_in_flight(desk: Desk, plan: SymbolPlan) -> None:
    """The same pass again, with everything journaled and nothing answered yet, does nothing (A36)."""
    pending = []
    busy = set()
    for item in plan.actions:
        action = item.action
        if isinstance(action, PlaceOrder):
            link = parse(action.link_id)
            assert link is not None
            ours = OurOrder(
                link, SYMBOL, action.side, action.qty, IntentState.PENDING, action.price, action.reduce_only
            )
            pending.append(replace(ours, main_order_id=item.main_order_id, main_filled=item.main_filled))
        elif isinstance(action, CancelOrder):
            busy.add(f"cancel:{action.order_id}")
        elif isinstance(action, AmendOrder):
            busy.add(f"amend:{action.order_id}")
        elif isinstance(action, SetLeverage):
            busy.add("leverage")
        else:
            busy.add("target" if action.stop_loss is None else "stop")
    again = replace(desk, ours=[*desk.ours, *pending], busy=frozenset(busy), since=dict(plan.since)).plan()
    assert again.actions == [], again


def check_ladder(day: Day, side: PositionSide, held: Decimal) -> None:
    """What rests at last: nothing beyond what is held, and all of it where main's exits cover all that main holds."""
    resting = [shown for shown in day.desk.mirror.orders.values() if shown.reduce_only and shown.side is side.exit]
    total = sum((shown.leaves_qty for shown in resting), ZERO)
    assert total <= held
    ladder = ladder_on_book(day.desk.main.view, SYMBOL, side)
    copy = day.desk.copies.get(side)
    left = without(ladder, copy.done) if copy is not None else None
    if left is not None and left.rungs and sum((rung.weight for rung in left.rungs), ZERO) >= left.whole_weight:
        assert total == held


def settle(day: Day) -> SymbolPlan:
    """Pass after pass with nothing new on main, time going by, until a plan has nothing to do."""
    for _ in range(12):
        plan = day.decide()
        if not plan.actions and not plan.wake_ms:
            return plan
        day.apply(plan)
        day.desk.later(6_000)
    raise AssertionError(f"still at it: {plan}")


ONE_WAY = PositionMode.ONE_WAY
BID, PASS = ("main_rests", Side.BUY, 1, 58_991), ("passes", 0)
LATER = ("passes", 2_000)
AIMED = [("main_trades", Side.BUY, 40), ("main_aims", 20, 60_100), ("main_aims", 10, 60_108), LATER, LATER]

lots = st.integers(1, 40)
sides = st.sampled_from(Side)
prices = st.integers(58_990, 59_010)
moves = st.one_of(
    st.tuples(st.just("main_trades"), sides, lots),
    st.tuples(st.just("main_rests"), sides, lots, prices),
    st.tuples(st.just("main_order"), st.integers(0, 3), lots),
    st.tuples(st.just("main_protects"), st.integers(40_000, 50_000)),
    st.tuples(st.just("main_aims"), lots, st.integers(60_100, 60_110)),
    st.tuples(st.just("main_exit"), st.integers(0, 4), lots),
    st.tuples(st.just("twin_moves"), st.integers(0, 2), lots),
    st.tuples(st.just("rung_moves"), st.integers(0, 2), lots),
    st.tuples(st.just("passes"), st.integers(0, 7_000)),
)
days = st.builds(list.__add__, st.sampled_from([[], AIMED]), st.lists(moves, min_size=1, max_size=14))
ratios = st.sampled_from(("0.5", "0.25", "1", "0.333", "1.7", "3", "0.01"))


def lived(mode: PositionMode, ratio: str, day_moves: list[tuple[object, ...]]) -> Iterator[Day]:
    """The day after each of its moves."""
    day = Day(mode, ratio)
    for move in day_moves:
        name, arguments = str(move[0]), move[1:]
        if name == "passes":
            day.apply(day.decide())
            day.desk.later(int(str(arguments[0])))
        else:
            getattr(day, name)(*arguments)
            day.follow_orders()
        yield day


@pytest.mark.proves("A25", "A36")
@settings(max_examples=200)
@given(st.sampled_from(PositionMode), ratios, days)
@example(ONE_WAY, "0.5", [*AIMED, ("main_exit", 4, 1)])
@example(ONE_WAY, "0.5", [*AIMED, ("main_exit", 3, 4), ("passes", 6_000), PASS, ("rung_moves", 2, 1)])
@example(ONE_WAY, "0.333", [*AIMED, ("main_aims", 10, 60_105), LATER, ("rung_moves", 1, 2), ("main_exit", 4, 1), PASS])
@example(ONE_WAY, "1", [BID, PASS, ("main_order", 1, 3)])
@example(ONE_WAY, "1", [BID, PASS, ("main_order", 1, 3), ("main_order", 2, 2)])
@example(ONE_WAY, "1", [BID, PASS, ("main_trades", Side.SELL, 1), BID, ("main_order", 2, 1)])
@example(ONE_WAY, "1", [BID, PASS, ("main_trades", Side.SELL, 1), ("main_order", 1, 2), BID, ("main_order", 2, 1)])
@example(ONE_WAY, "0.5", [("main_trades", Side.BUY, 1), BID, ("main_order", 1, 2), PASS, ("main_order", 2, 1)])
@example(
    ONE_WAY,
    "0.5",
    [
        ("main_rests", Side.BUY, 4, 58_991),
        PASS,
        ("main_trades", Side.BUY, 3),
        ("main_order", 1, 1),
        ("main_order", 3, 1),
    ],
)
@example(
    PositionMode.HEDGE,
    "0.5",
    [("main_trades", Side.BUY, 2), ("main_rests", Side.SELL, 4, 58_991), PASS, ("twin_moves", 1, 2)],
)
@example(
    PositionMode.HEDGE,
    "0.5",
    [("main_rests", Side.SELL, 2, 58_991), PASS, ("main_trades", Side.BUY, 2), ("twin_moves", 1, 1)],
)
def test_every_plan_is_safe_and_the_last_one_is_empty(
    mode: PositionMode, ratio: str, day_moves: list[tuple[object, ...]]
) -> None:
    for day in lived(mode, ratio, day_moves):
        day.decide()
    plan = settle(day)
    assert not plan.needs
    for side in PositionSide:
        main, mirror = day.desk.main.view, day.desk.mirror.view
        copy = day.desk.copies.get(side)
        want = copy.want(main.size(SYMBOL, side), BTC) if copy else ZERO
        lead = sum((standing.tolerated for standing in plan.standings if standing.side is side), ZERO)
        assert want <= mirror.size(SYMBOL, side) < want + lead + ONE
        check_ladder(day, side, mirror.size(SYMBOL, side))
        if want:
            held, followed = main.position(SYMBOL, side), mirror.position(SYMBOL, side)
            assert held is not None
            assert followed is not None
            assert (followed.stop_loss, followed.take_profit) == (held.stop_loss, held.take_profit)
