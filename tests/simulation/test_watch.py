"""The watch: each of its rules fires when it is broken on purpose, and none on an honest life.

Broken on purpose means: a request at the exchange as the engine would have sent it, with ids of ours and a row of its
own in what the world's engine sent, or a hand at the exchange's books.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.actions import Accepted, CancelOrder, PlaceOrder, SetTradingStop
from mirrorctl.core.domain.ids import LinkId, Role, account_tag, step_tag
from mirrorctl.core.domain.twins import twin_step
from mirrorctl.core.domain.values import OrderType, Side
from mirrorctl.core.engine.records import StandingKind
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.ports import Sent
from mirrorctl.core.simulation.stage import Stage, copying
from mirrorctl.core.simulation.watch import Rule, Watch

BTC = "BTCUSDT"
CREATE, CANCEL, STOP = "/v5/order/create", "/v5/order/cancel", "/v5/position/trading-stop"


class Watched:
    """A stage with one mirror that holds half, and a watch that looks at every step."""

    def __init__(self) -> None:
        self.stage = Stage(copying("half", "0.5"))
        self.watch = Watch(self.stage)
        self.world = self.stage.world
        self.world.after_step = self.watch.look
        self.main, self.half = self.stage.main, self.stage.of("half")
        self._ids = -1

    @property
    def rules(self) -> set[Rule]:
        self.watch.look()
        return {breach.rule for breach in self.watch.breaches}

    def link(self, role: Role, step: str, attempt: int = 0, account: str = "half") -> str:
        tag = account_tag(self.world.uids[account])
        made = twin_step(step) if role is Role.TWIN else step_tag(step)
        return str(LinkId(tag, "aaaaaaa", role, 0, made, attempt))

    def send(
        self, path: str, action: Any, *, journaled: bool = True, ahead: bool = False, calls: int = 1, **body: Any
    ) -> str:
        """A write of the engine that it never decided; returns the exchange's order id."""
        name, world = action.account, self.world
        intent_id = self._ids
        if ahead:
            intent_id = world.store.newest_row() + 1
            assert world.store.record_ahead([(intent_id, action, world.now_ms(), "", None)])
        elif journaled:
            intent_id = world.store.record_intent(action, world.now_ms())
        self._ids -= 1
        first = world.exchange.state.counter
        answer = world.call(name, "POST", path, category="linear", symbol=action.symbol, **body)
        assert not answer["retCode"], answer
        last, now = world.exchange.state.counter, world.now_ms()
        world.calls += ["as the engine would"] * calls
        row = Sent(now, name, action, Accepted(), intent_id, now, len(world.calls), first, last)
        world.sent.append(row)
        self.watch.look()
        return str(answer["result"].get("orderId", ""))

    def place(
        self,
        role: Role,
        side: str,
        qty: str,
        step: str,
        *,
        price: str = "",
        attempt: int = 0,
        account: str = "half",
        reduce_only: bool = False,
        more: dict[str, Any] | None = None,
        **how: Any,
    ) -> str:
        """An order of ours that the engine never decided."""
        link = self.link(role, step, attempt, account)
        kind = OrderType.LIMIT if price else OrderType.MARKET
        words: dict[str, Any] = {"side": side, "orderType": kind.value.capitalize(), "qty": qty, "orderLinkId": link}
        words |= {"price": price} if price else {}
        words |= {"reduceOnly": True} if reduce_only else {}
        way = Side.BUY if side == "Buy" else Side.SELL
        action = PlaceOrder(account, BTC, way, kind, Decimal(qty), link, role, "", reduce_only=reduce_only)
        return self.send(CREATE, action, **how, **words, **(more or {}))


@pytest.fixture
def watched() -> Iterator[Watched]:
    """Main holds 0.2 with a stop, the mirror 0.1 with the same."""
    found = Watched()
    found.main.buy("0.2", stop="58000")
    found.stage.settle()
    found.stage.run(500)
    assert not found.rules
    yield found


def test_an_honest_life_breaks_nothing(watched: Watched) -> None:
    main, stage = watched.main, watched.stage
    order = main.bid("0.06", "59500")
    stage.settle()
    main.fill(order, "0.04")
    stage.run(7_000)
    main.cancel(order)
    stage.settle()
    main.protect(stop="58500", target="62000")
    main.offer("0.1", "60500", reduceOnly=True)
    stage.settle()
    stage.price("60600")
    stage.settle()
    main.sell("0.4", stop="62500")
    stage.settle()
    stage.price("62600")
    stage.settle()
    watched.watch.at_rest()
    assert watched.watch.breaches == []
    assert watched.watch.duplicates == 0
    assert watched.watch.worst_naked_ms is not None


def test_an_order_sent_again_is_a_duplicate(watched: Watched) -> None:
    watched.place(Role.TWIN, "Buy", "0.01", "one", price="50000", more={"stopLoss": "40000"})
    watched.place(Role.TWIN, "Buy", "0.01", "one", price="50000", attempt=1, more={"stopLoss": "40000"})
    assert Rule.DUPLICATE in watched.rules
    assert watched.watch.duplicates


def test_a_correction_that_filled_is_not_sent_again(watched: Watched) -> None:
    watched.place(Role.REDUCTION, "Sell", "0.001", "one", reduce_only=True)
    assert Rule.DUPLICATE not in watched.rules
    watched.place(Role.REDUCTION, "Sell", "0.001", "one", attempt=1, reduce_only=True)
    assert Rule.DUPLICATE in watched.rules


def test_ids_are_made_from_what_they_stand_for(watched: Watched) -> None:
    order = watched.main.bid("0.02", "50000")
    watched.place(Role.TWIN, "Buy", "0.01", order, price="50000", more={"stopLoss": "40000"})
    assert not watched.rules
    watched.place(Role.TWIN, "Buy", "0.001", "chance", price="50000", more={"stopLoss": "40000"})
    assert Rule.IDENTITY in watched.rules


def test_nothing_is_bought_beyond_what_main_asked_for(watched: Watched) -> None:
    watched.place(Role.CORRECTION, "Buy", "0.02", "more", more={"stopLoss": "58000"})
    assert watched.rules == {Rule.OVERBOUGHT}


def test_what_rests_counts_as_bought(watched: Watched) -> None:
    watched.place(Role.CORRECTION, "Buy", "0.02", "rests", price="59000", more={"stopLoss": "58000"})
    assert watched.rules == {Rule.OVERBOUGHT}


def test_nothing_is_sold_that_main_did_not_give_up(watched: Watched) -> None:
    watched.place(Role.REDUCTION, "Sell", "0.02", "less", reduce_only=True)
    assert watched.rules == {Rule.OVERSOLD}


def test_what_main_gave_up_is_sold_and_what_a_hand_changed_is_brought_back(watched: Watched) -> None:
    watched.main.sell("0.1", reduceOnly=True)
    watched.stage.settle()
    watched.half.sell("0.02", reduceOnly=True)
    watched.stage.settle()
    watched.half.buy("0.03")
    watched.stage.run(5_000)
    assert watched.half.position() == Decimal("0.05")
    assert not watched.rules


def test_exits_reduce_only(watched: Watched) -> None:
    watched.place(Role.TARGET, "Sell", "0.01", "open", price="65000")
    assert Rule.NOT_REDUCE_ONLY in watched.rules


def test_exits_together_never_exceed_the_holding(watched: Watched) -> None:
    watched.place(Role.TARGET, "Sell", "0.1", "first", price="65000", reduce_only=True)
    assert not watched.rules
    watched.place(Role.TARGET, "Sell", "0.01", "second", price="66000", reduce_only=True)
    assert watched.rules == {Rule.EXIT_ABOVE_HOLDING}


def test_a_flip_is_two_orders(watched: Watched) -> None:
    watched.place(Role.CORRECTION, "Sell", "0.15", "turn")
    assert Rule.FLIP in watched.rules


def test_a_position_without_mains_stop_is_naked_after_the_bound(watched: Watched) -> None:
    watched.world.fault(FaultKind.REFUSE, "half", STOP, count=None)
    watched.half.protect(stop="0")
    watched.stage.run(2_500)
    assert Rule.NAKED not in watched.rules, "the exchange refuses, and it may be tried again"
    worst = watched.watch.worst_naked_ms
    assert worst is not None
    assert worst >= 2_400
    watched.world.kill()
    watched.world.gateway.faults.clear()
    watched.stage.run(20_000)
    assert Rule.NAKED not in watched.rules, "no process runs"


def test_a_position_that_nobody_protects_is_naked(watched: Watched) -> None:
    watched.half.protect(stop="0")
    asleep(watched)
    watched.stage.run(2_900)
    assert Rule.NAKED not in watched.rules
    watched.stage.run(500)
    assert watched.rules == {Rule.NAKED}


def test_an_entry_carries_mains_stop(watched: Watched) -> None:
    watched.main.buy("0.1")
    watched.place(Role.CORRECTION, "Buy", "0.01", "bare")
    assert Rule.ENTRY_WITHOUT_STOP in watched.rules


def test_a_mirrors_stop_is_never_removed(watched: Watched) -> None:
    action = SetTradingStop("half", BTC, 0, "", stop_loss=Decimal(0))
    watched.send(STOP, action, stopLoss="0", tpslMode="Full", positionIdx=0)
    assert Rule.STOP_REMOVED in watched.rules


@pytest.mark.parametrize("exit_", ["stop", "liquidation", "adl"])
def test_after_an_own_exit_there_is_no_entry(watched: Watched, exit_: str) -> None:
    stage = watched.stage
    if exit_ == "stop":
        watched.half.protect(stop="59900")
        stage.price("59900")
    elif exit_ == "liquidation":
        watched.half.liquidate()
    else:
        watched.half.deleverage("0.04")
    stage.run(1_500)
    stage.price("60000")
    stage.run(1_000)
    watched.world.kill()
    watched.main.buy("0.1")
    stage.run(500)
    assert not watched.rules
    watched.place(Role.CORRECTION, "Buy", "0.001", "again", more={"stopLoss": "58000"})
    assert watched.rules == {Rule.REENTRY}


def test_after_main_was_flat_an_own_exit_is_of_the_past(watched: Watched) -> None:
    watched.half.protect(stop="59900")
    watched.stage.price("59900")
    watched.stage.settle()
    watched.main.close()
    watched.stage.settle()
    watched.main.buy("0.2")
    watched.stage.settle()
    assert watched.half.position() == Decimal("0.1")
    assert not watched.rules


def test_nothing_is_done_while_main_is_unknown(watched: Watched) -> None:
    watched.world.go_down("main")
    watched.stage.run(400)
    watched.place(Role.TARGET, "Sell", "0.01", "target", price="65000", reduce_only=True)
    assert not watched.rules
    watched.stage.run(400)
    watched.place(Role.TARGET, "Sell", "0.01", "further", price="66000", reduce_only=True)
    assert watched.rules == {Rule.ACTED_ON_UNKNOWN}


def test_while_main_is_unknown_a_stop_is_put_where_none_stands_and_moved_nowhere(watched: Watched) -> None:
    watched.world.go_down("main")
    watched.stage.run(30_000)
    watched.half.protect(stop="0")
    watched.stage.run(1_000)
    assert watched.half.stop() == Decimal(58_000)
    assert not watched.rules
    moved = SetTradingStop("half", BTC, 0, "", stop_loss=Decimal(57_000))
    watched.send(STOP, moved, tpslMode="Full", positionIdx=0, stopLoss="57000")
    assert watched.rules == {Rule.ACTED_ON_UNKNOWN}


def test_orders_of_other_hands_are_not_touched(watched: Watched) -> None:
    theirs = watched.half.bid("0.01", "50000")
    watched.stage.settle()
    watched.send(CANCEL, CancelOrder("half", BTC, theirs, "", ""), orderId=theirs)
    assert watched.rules == {Rule.FOREIGN_ORDER}


def test_a_symbol_with_a_position_of_another_hand_is_not_touched() -> None:
    watched = Watched()
    watched.half.buy("0.01")
    watched.stage.settle()
    watched.main.buy("0.2")
    watched.stage.run(5_000)
    assert not watched.rules
    watched.place(Role.CORRECTION, "Buy", "0.09", "beside")
    assert Rule.FOREIGN_POSITION in watched.rules


def test_main_is_touched_for_a_managed_trade_alone(watched: Watched) -> None:
    watched.place(Role.TARGET, "Sell", "0.01", "target", price="65000", account="main", reduce_only=True)
    assert watched.rules == {Rule.MAIN_TOUCHED}


def test_everything_sent_stands_in_the_journal_or_ahead_of_it(watched: Watched) -> None:
    watched.place(Role.TARGET, "Sell", "0.01", "first", price="65000", reduce_only=True, ahead=True)
    assert not watched.rules
    watched.place(Role.TARGET, "Sell", "0.01", "target", price="65000", reduce_only=True, journaled=False)
    assert watched.rules == {Rule.UNJOURNALED}


def test_protection_is_sent_before_entries(watched: Watched) -> None:
    order = watched.main.bid("0.02", "50000")
    watched.place(Role.TWIN, "Buy", "0.01", order, price="50000", more={"stopLoss": "40000"})
    assert not watched.rules
    watched.place(Role.TARGET, "Sell", "0.01", "target", price="65000", reduce_only=True)
    assert watched.rules == {Rule.ORDER_OF_WORK}


def test_in_two_batches_an_entry_may_go_before() -> None:
    watched = Watched()
    watched.main.buy("0.2")
    watched.main.bid("0.02", "50000")
    watched.stage.settle()
    watched.main.bid("0.02", "50000")
    watched.place(Role.TWIN, "Buy", "0.01", "entry", price="50000")
    watched.place(Role.TARGET, "Sell", "0.01", "target", price="65000", reduce_only=True, calls=2)
    assert Rule.ORDER_OF_WORK not in watched.rules


def test_a_twin_stands_as_long_as_its_order(watched: Watched) -> None:
    watched.main.bid("0.06", "59500")
    watched.stage.settle()
    watched.stage.run(1_000)
    [twin] = watched.half.orders()
    action = CancelOrder("half", BTC, twin["orderId"], twin["orderLinkId"], "")
    watched.send(CANCEL, action, orderId=twin["orderId"])
    assert watched.rules == {Rule.CANCELLED_UNASKED}


def test_what_main_took_back_excuses_no_close(watched: Watched) -> None:
    """Resting orders that came and went leave room in the sums; main's size just then leaves none."""
    for _ in range(3):
        order = watched.main.bid("0.2", "55000")
        watched.stage.settle()
        watched.main.cancel(order)
        watched.stage.settle()
    watched.stage.run(1_000)
    watched.place(Role.REDUCTION, "Sell", "0.05", "less", reduce_only=True)
    assert watched.rules == {Rule.OVERSOLD}


def test_what_main_took_back_excuses_no_entry(watched: Watched) -> None:
    order = watched.main.bid("0.2", "55000")
    watched.stage.settle()
    watched.main.cancel(order)
    watched.stage.settle()
    watched.stage.run(1_000)
    watched.place(Role.CORRECTION, "Buy", "0.05", "more", more={"stopLoss": "58000"})
    assert watched.rules == {Rule.OVERBOUGHT}


def test_after_flatten_there_is_no_entry(watched: Watched) -> None:
    watched.stage.command("flatten", account="half")
    watched.stage.run(1_500)
    assert watched.half.held() == {}
    assert not watched.rules
    watched.place(Role.CORRECTION, "Buy", "0.05", "again", more={"stopLoss": "58000"})
    assert Rule.REENTRY in watched.rules


# --- at rest ------------------------------------------------------------------------------------------------------


def asleep(watched: Watched) -> None:
    """The engine does nothing from now on."""
    engine: Any = watched.stage.engine
    engine.process = lambda: None
    engine.handle = lambda _event: None


def test_at_rest_a_park_excuses_no_surplus(watched: Watched) -> None:
    watched.stage.engine.standings.set(StandingKind.PARK, "half", BTC, "refused by the exchange (1): no", 1)
    asleep(watched)
    watched.main.close()
    watched.watch.at_rest(audited=False)
    assert Rule.SIZE in watched.rules


@pytest.mark.parametrize("lacks", [True, False])
def test_at_rest_a_mirror_holds_its_part(watched: Watched, lacks: bool) -> None:
    asleep(watched)
    if lacks:
        watched.main.buy("0.1")
    else:
        watched.main.sell("0.1", reduceOnly=True)
    watched.watch.at_rest(audited=False)
    assert Rule.SIZE in watched.rules


def test_at_rest_a_mirror_has_mains_stop(watched: Watched) -> None:
    asleep(watched)
    watched.main.protect(stop="58500")
    watched.watch.at_rest(audited=False)
    assert watched.rules == {Rule.STOP}


def test_at_rest_every_order_of_ours_stands_for_something(watched: Watched) -> None:
    order = watched.main.bid("0.06", "59500")
    watched.stage.settle()
    asleep(watched)
    watched.main.cancel(order)
    watched.watch.at_rest(audited=False)
    assert Rule.ORPHAN in watched.rules


def test_at_rest_an_audit_finds_nothing(watched: Watched) -> None:
    watched.half.protect(stop="58200")
    asleep(watched)
    watched.watch.at_rest()
    assert {Rule.STOP, Rule.FINDING} & watched.rules


def test_at_rest_everybody_is_silent(watched: Watched) -> None:
    watched.world.at(50_000, lambda: watched.main.protect(stop="58500"))
    watched.watch.at_rest(audited=False)
    assert Rule.SILENCE in watched.rules
