"""Exits of a trade, on main and on mirrors: ladders resized, filled, lagging, first on one side or the other."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.actions import AmendOrder, PlaceOrder
from mirrorctl.core.domain.errors import MirrorctlError
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.policy import Breakeven, MirrorPolicy
from mirrorctl.core.domain.trade import Target, Trade
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying
from tests.simulation.hand import Hand

GRACE_MS = 5_000


@pytest.mark.proves("A20", "A54")
@pytest.mark.parametrize("managed", [True, False], ids=["managed", "by hand"])
@pytest.mark.parametrize("seed", range(6))
def test_a_target_hit_on_every_account_is_never_reduced_beside(seed: int, managed: bool) -> None:
    """Price trades through a rung everywhere at once; pushes overtake each other; each rung sells its share once."""
    stage = Stage(seed=seed)
    hand = Hand(stage)
    if managed:
        hand.trade("61000:50 62000:30 63000:20", stop="57000")
    hand.enter("0.2", stop="57000")
    if not managed:
        for qty, price in (("0.1", "61000"), ("0.06", "62000"), ("0.04", "63000")):
            hand.reduce(qty, price)
    stage.settle()
    for price, left in (("61000", "0.1"), ("62000", "0.04"), ("63000", "0")):
        hand.market(price)
        stage.settle()
        stage.run(7_000)
        assert hand.size("main") == Decimal(left)
        assert hand.size("half") == Decimal(left) / 2
        assert hand.size("quarter") == Decimal(left) / 4
    for name in stage.mirrors:
        assert [order for order in stage.placed(name) if order.role is Role.REDUCTION] == []
        assert stage.of(name).orders() == []
    assert [alert.text for alert in stage.alerts(containing="refused")] == []


@pytest.mark.proves("A54")
@pytest.mark.parametrize("seed", range(6))
def test_rows_of_a_position_that_overtake_each_other_do_not_bring_an_old_stop_back(seed: int) -> None:
    """A cancel pushes the position as well: the row with the old stop may arrive after the one with the new stop."""
    stage = Stage(seed=seed)
    hand = Hand(stage)
    hand.trade("61000:100", stop="57000", breakeven_after=0)
    hand.enter("0.1", stop="57000")
    bids = [hand.enter("0.01", price, stop="57000") for price in ("59000", "58900", "58800")]
    stage.settle()
    for number, bid in enumerate(bids):
        hand.stage.main.cancel(bid)
        stage.run(1)
        hand.protect(str(58_000 + number))
        stage.settle()
        stage.run(3_000)
        assert [hand.stop(name) for name in ("main", "half", "quarter")] == [Decimal(58_000 + number)] * 3


# --- growing ------------------------------------------------------------------------------------------------------


LADDER = "61000:50 62000:30 63000:20"


def entered(qty: str = "0.2", *, seed: int = 1, mirrors: tuple[MirrorPolicy, ...] = (), **terms: Any) -> Hand:
    """A managed long, entered at market, with its ladder and its stop; the stage is at rest."""
    stage = Stage(*mirrors, seed=seed)
    hand = Hand(stage)
    hand.trade(LADDER, stop="57000", **terms)
    hand.enter(qty, stop="57000", leg=0)
    stage.settle()
    return hand


@pytest.mark.proves("A6")
@pytest.mark.parametrize("managed", [True, False], ids=["managed", "by hand"])
def test_an_increase_of_main_grows_the_mirrors_position_first_and_its_exits_after(managed: bool) -> None:
    stage = Stage()
    hand = Hand(stage)
    if managed:
        hand.trade("61000:100", stop="57000")
    hand.enter("0.1", stop="57000")
    exits = [] if managed else [hand.reduce("0.1", "61000")]
    stage.settle()
    sent = len(stage.sent())
    hand.enter("0.1")
    for order_id in exits:
        hand.move(order_id, qty="0.2")
    stage.settle()
    for name, size in (("half", "0.1"), ("quarter", "0.05")):
        entry, *rest = [row for row in stage.sent()[sent:] if row.account == name]
        assert isinstance(entry.action, PlaceOrder)
        assert (entry.action.role, entry.action.qty) == (Role.CORRECTION, Decimal(size) / 2)
        assert [type(row.action) for row in rest] == [AmendOrder]
        assert rest[0].at_ms > entry.at_ms
        assert hand.shown(name).startswith(f"{size} | 61000:{size} |")


@pytest.mark.proves("A31")
@pytest.mark.parametrize("parts", [("0.1",), ("0.02", "0.03", "0.05")], ids=["at once", "in parts"])
def test_a_later_entry_resizes_every_target_once_at_its_price_with_one_alert(parts: tuple[str, ...]) -> None:
    hand = entered("0.1")
    stage = hand.stage
    order = hand.enter("0.1", "59500", stop="57000", leg=1)
    stage.settle()
    before = {name: [price for price, _ in hand.targets(name)] for name in ("main", "half", "quarter")}
    sent, told = len(stage.sent()), len(stage.alerts())
    twins = {name: hand.entry(name, "59500")["orderId"] for name in stage.mirrors}
    for part in parts:
        stage.main.fill(order, part)
        for name, twin in twins.items():
            stage.of(name).fill(twin, str(Decimal(part) / (2 if name == "half" else 4)))
        stage.run(20)
    stage.settle()
    assert hand.shown("main").startswith("0.2 | 61000:0.1 62000:0.06 63000:0.04 | - |")
    assert hand.shown("half").startswith("0.1 | 61000:0.05 62000:0.03 63000:0.02 | - |")
    assert hand.shown("quarter").startswith("0.05 | 61000:0.025 62000:0.015 63000:0.01 | - |")
    for name, prices in before.items():
        assert [price for price, _ in hand.targets(name)] == prices
        actions = [row.action for row in stage.sent()[sent:] if row.account == name]
        assert [type(action) for action in actions] == [AmendOrder] * 3, actions
        assert len([alert for alert in stage.alerts(name)[-5:] if alert in stage.alerts()[told:]]) == 1


# --- filling ------------------------------------------------------------------------------------------------------


@pytest.mark.proves("A32")
@pytest.mark.parametrize(
    ("on_main", "on_half", "left"),
    [
        ("0.04", "", "0.08 | 61000:0.03 62000:0.03 63000:0.02"),  # the mirror is caught up after the grace
        ("", "0.02", "0.08 | 61000:0.03 62000:0.03 63000:0.02"),  # its own fill stays
        ("0.04", "0.02", "0.08 | 61000:0.03 62000:0.03 63000:0.02"),
        ("0.04", "0.01", "0.08 | 61000:0.03 62000:0.03 63000:0.02"),
        ("0.02", "0.03", "0.07 | 61000:0.02 62000:0.03 63000:0.02"),
        ("0.09", "0.001", "0.055 | 61000:0.005 62000:0.03 63000:0.02"),
    ],
)
def test_a_first_target_that_fills_in_part_takes_no_profit_yet(on_main: str, on_half: str, left: str) -> None:
    hand = entered(mirrors=(copying("half", "0.5"),))
    stage = hand.stage
    bid = hand.enter("0.1", "59000", stop="57000", leg=1)
    stage.settle()
    for name, part in (("main", on_main), ("half", on_half)):
        if part:
            hand.of(name).fill(hand.rung(name, "61000"), part)
    stage.run(GRACE_MS + 1_000)
    hand.silent()
    open_qty = Decimal("0.1") - Decimal(on_main or 0)
    assert hand.shown("main") == (
        f"{open_qty + Decimal('0.1')} | 61000:{open_qty} 62000:0.06 63000:0.04 | 59000:0.1 | 57000 | building"
    )
    assert hand.shown("half") == f"{left} | 59000:0.05 | 57000 | building"
    stage.main.cancel(bid)
    hand.silent()
    assert [hand.phase(name) for name in ("main", "half")] == ["monitoring"] * 2
    hand.market("61000")
    stage.run(GRACE_MS + 1_000)
    hand.silent()
    own = min(Decimal("0.05"), hand.size("half"))
    assert hand.shown("main").startswith("0.1 | 62000:0.06 63000:0.04 | - |")
    assert hand.shown("half").startswith(f"{plain(own)} | 62000:0.03 63000:0.02 | - |")
    assert [hand.phase(name) for name in ("main", "half")] == ["profit-taking"] * 2


@pytest.mark.proves("A33")
def test_with_main_the_mirrors_stop_goes_to_breakeven_with_mains() -> None:
    hand = entered()
    hand.market("60900")
    hand.stage.of("half").fill(hand.rung("half", "61000"), "0.05")
    hand.silent()
    assert [hand.stop(name) for name in ("main", "half", "quarter")] == [Decimal(57_000)] * 3
    assert hand.phase("half") == "profit-taking"
    hand.stage.main.fill(hand.rung("main", "61000"), "0.1")
    hand.stage.run(GRACE_MS + 1_000)
    hand.silent()
    even = Decimal(hand.breakeven())
    assert [hand.stop(name) for name in ("main", "half", "quarter")] == [even] * 3


@pytest.mark.proves("A33", "A35")
@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("managed", [True, False], ids=["managed", "by hand"])
def test_a_mirror_with_a_breakeven_of_its_own_has_it_after_its_own_rung(managed: bool, restarted: bool) -> None:
    """Before main's and from its own entry; main's later one, where it is worse, does not move it back."""
    mirrors = (replace(copying("half", "0.5"), breakeven=Breakeven.OWN), copying("quarter", "0.25"))
    stage = Stage(*mirrors)
    hand = Hand(stage)
    if managed:
        hand.trade(LADDER, stop="57000")
    hand.enter("0.2", stop="57000")
    if not managed:
        for qty, price in (("0.1", "61000"), ("0.06", "62000"), ("0.04", "63000")):
            hand.reduce(qty, price)
    stage.settle()
    hand.market("60900")
    stage.of("half").fill(hand.rung("half", "61000"), "0.05")
    hand.silent()
    own = Decimal(hand.breakeven("half"))
    assert own > 60_000
    if restarted:
        stage.restart()
        hand.silent()
    assert [hand.stop(name) for name in ("main", "half", "quarter")] == [57_000, own, 57_000]
    hand.protect("58000")
    hand.silent()
    assert [hand.stop(name) for name in ("main", "half", "quarter")] == [58_000, own, 58_000]
    hand.protect("60500")
    hand.silent()
    assert [hand.stop(name) for name in ("main", "half", "quarter")] == [60_500] * 3, "main's is better now"


@pytest.mark.proves("A34")
@pytest.mark.parametrize("part", ["0.1", "0.04"], ids=["entry in full", "entry in part"])
@pytest.mark.parametrize("seed", range(6))
def test_an_entry_that_fills_with_the_first_target_leaves_no_orphan(seed: int, part: str) -> None:
    """Both fill in the same instant on every account, and one entry more rests: the target's consequences stand."""
    hand = entered(seed=seed)
    stage = hand.stage
    hand.enter("0.1", "59500", stop="57000", leg=1)
    hand.enter("0.1", "59000", stop="57000", leg=2)
    stage.settle()
    for name, share in (("main", 1), ("half", 2), ("quarter", 4)):
        trader, target, entry = hand.of(name), hand.rung(name, "61000"), hand.entry(name, "59500")["orderId"]
        first, then = ((target, "0.1"), (entry, part)) if seed % 2 else ((entry, part), (target, "0.1"))
        for order_id, qty in (first, then):
            trader.fill(order_id, str(Decimal(qty) / share))
    stage.run(GRACE_MS + 1_000)
    hand.silent()
    size = Decimal("0.1") + Decimal(part)
    for name, share in (("main", 1), ("half", 2), ("quarter", 4)):
        assert hand.size(name) == size / share, name
        assert hand.entries(name) == [], name
        assert [price for price, _ in hand.targets(name)] == [62_000, 63_000]
        assert sum(qty for _, qty in hand.targets(name)) == size / share
        assert hand.stop(name) == Decimal(hand.breakeven()), name
        assert hand.phase(name) == "profit-taking"
    hand.market("59700")
    hand.silent()
    assert [hand.size(name) for name in ("main", "half", "quarter")] == [0, 0, 0]
    assert [hand.of(name).orders() for name in ("main", "half", "quarter")] == [[], [], []]


@pytest.mark.proves("A37")
@pytest.mark.parametrize("again", ["", "restart", "new store", "position grows", "cancelled by hand"])
def test_a_target_that_was_filled_never_stands_again(again: str) -> None:
    """Filled on main and on one mirror; on the other mirror it is reduced instead, and does not come back either."""
    hand = entered()
    stage = hand.stage
    hand.market("60900")
    stage.main.fill(hand.rung("main", "61000"), "0.1")
    stage.of("half").fill(hand.rung("half", "61000"), "0.05")
    stage.run(GRACE_MS + 1_000)
    stage.settle()
    if again in ("restart", "new store"):
        stage.restart(new_store=again == "new store")
    elif again == "position grows":
        hand.enter("0.1")
    elif again == "cancelled by hand":
        for name in ("main", "half", "quarter"):
            hand.of(name).cancel(hand.rung(name, "62000"))
        stage.run(5_000)
    hand.silent()
    for name, share in (("main", 1), ("half", 2), ("quarter", 4)):
        size = Decimal("0.2" if again == "position grows" else "0.1") / share
        left = [(Decimal(62_000), size * 6 / 10), (Decimal(63_000), size * 4 / 10)]
        assert hand.targets(name) == left, name


# --- changed by hand ------------------------------------------------------------------------------------------------


@pytest.mark.proves("A38")
def test_a_size_reduced_by_hand_while_building_is_no_target() -> None:
    hand = entered()
    hand.enter("0.1", "59000", stop="57000", leg=1)
    hand.stage.settle()
    hand.reduce("0.1")
    hand.silent()
    assert hand.shown("main") == "0.1 | 61000:0.05 62000:0.03 63000:0.02 | 59000:0.1 | 57000 | building"
    assert hand.shown("half") == "0.05 | 61000:0.025 62000:0.015 63000:0.01 | 59000:0.05 | 57000 | building"
    assert hand.shown("quarter") == "0.025 | 61000:0.012 62000:0.008 63000:0.005 | 59000:0.025 | 57000 | building"


@pytest.mark.proves("A40")
@pytest.mark.parametrize("refused", [False, True], ids=["accepted", "refused half way"])
def test_adding_keeps_the_earlier_stop_until_the_new_one_is_read_back(refused: bool) -> None:
    """`trade open` on what stands, with another stop: at every moment one of the two protects all that is held."""
    stage = Stage()
    hand = Hand(stage)
    command = {"symbol": "BTCUSDT", "side": "long", "wait_s": "0"}
    stage.command("trade.open", **command, qty="0.1", stop="57000", targets=[{"price": "61000"}])
    stage.settle()
    seen: set[tuple[Decimal | None, ...]] = set()
    if refused:
        fault = stage.world.fault(
            FaultKind.RET_CODE, "main", "/v5/order/create", count=None, code=110007, message="no margin"
        )
    with contextlib.suppress(MirrorctlError):
        stage.command("trade.open", **command, qty="0.1", stop="58000")
    for _ in range(100):
        stage.run(10)
        seen.add(tuple(hand.stop(name) for name in ("main", "half", "quarter")))
    if refused:
        stage.world.gateway.faults.clear(fault)
    hand.silent()
    seen.add(tuple(hand.stop(name) for name in ("main", "half", "quarter")))
    stop, size = ("57000", "0.1") if refused else ("58000", "0.2")
    assert {each for stops in seen for each in stops} <= {Decimal(57_000), Decimal(58_000)}
    assert hand.shown("main") == f"{size} | 61000:{size} | - | {stop} | monitoring"
    assert hand.stop("half") == hand.stop("quarter") == Decimal(stop)
    assert hand.size("half") == Decimal(size) / 2


# --- dust -----------------------------------------------------------------------------------------------------------


@pytest.mark.proves("A39")
def test_dust_after_the_last_target_is_closed_in_the_next_pass() -> None:
    """A small entry fills in the moment in which the last rung does: what is left is under the minimum."""
    stage = Stage(copying("half", "0.5"))
    symbol = "XRPUSDT"
    trade = Trade(
        symbol, PositionSide.LONG, "dusttag", "fast", stage.world.now_ms(), (Target(Decimal("0.53"), Decimal(100)),)
    )
    stage.engine.trades.save(replace(trade, stop=Decimal("0.4")))
    stage.main.buy("1000", symbol, stop="0.4")
    entry = stage.main.bid("100", "0.51", symbol, stop="0.4")
    stage.settle()
    [target] = [row for row in stage.main.orders(symbol) if row["reduceOnly"]]
    stage.main.fill(entry, "2")
    stage.main.fill(target["orderId"], "1000")
    stage.main.cancel(entry, symbol)
    stage.settle()
    stage.run(5_000)
    assert (stage.main.held(), stage.main.orders(symbol)) == ({}, [])
    assert stage.of("half").held() == {}
    closing = [order for order in stage.placed("main") if order.role is Role.REDUCTION]
    assert [(order.qty, order.reduce_only) for order in closing] == [(Decimal(2), True)]


# --- while nobody looked ---------------------------------------------------------------------------------------------


@pytest.mark.proves("A53", "A45")
def test_a_target_taken_back_while_mains_stream_was_down_goes_from_the_mirrors() -> None:
    """A list that does not name it is no proof; the order is read by its id, and then it is known."""
    stage = Stage()
    hand = Hand(stage)
    hand.enter("0.2", stop="57000")
    near, far = hand.reduce("0.1", "61000"), hand.reduce("0.1", "62000")
    stage.settle()
    stage.world.stream_down("main")
    stage.run(50)
    stage.main.cancel(near)
    stage.main.amend(far, price="62500")
    stage.run(10_000)
    stage.world.stream_up("main")
    stage.run(2_000)
    hand.silent()
    assert hand.shown("half") == "0.1 | 62500:0.05 | - | 57000 | monitoring"
    assert hand.shown("quarter") == "0.05 | 62500:0.025 | - | 57000 | monitoring"


@pytest.mark.proves("A76", "A43")
def test_an_own_exit_that_is_read_again_after_a_restart_counts_once() -> None:
    """Main grew meanwhile: measured again, the exit of before would hold back what was never sold."""
    hand = entered(mirrors=(copying("half", "0.5"),))
    stage = hand.stage
    stage.of("half").fill(hand.rung("half", "61000"), "0.02")
    hand.silent()
    assert hand.size("half") == Decimal("0.08")
    stage.world.kill()
    hand.enter("0.1")
    stage.run(1_000)
    stage.start()
    hand.silent()
    assert hand.size("half") == Decimal("0.13")
    assert sum(qty for _, qty in hand.targets("half")) == Decimal("0.13")


@pytest.mark.proves("A76")
def test_a_target_that_fills_before_mains_growth_is_followed_takes_nothing_from_it() -> None:
    hand = entered(mirrors=(copying("half", "0.5"),))
    stage = hand.stage
    stage.world.kill()
    hand.enter("0.1")
    stage.of("half").fill(hand.rung("half", "61000"), "0.02")
    stage.start()
    hand.silent()
    assert hand.size("half") == Decimal("0.13"), "0.15 less what was sold"


@pytest.mark.proves("A76", "A79")
@pytest.mark.parametrize("running", [True, False], ids=["at once", "while no daemon ran"])
def test_a_position_closed_and_opened_again_before_anybody_looked_is_another_one(running: bool) -> None:
    """What the first one's own exit capped is free again; the trade that was managed is over."""
    hand = entered()
    stage = hand.stage
    stage.of("half").fill(hand.rung("half", "61000"), "0.02")
    hand.silent()
    if not running:
        stage.world.kill()
    hand.reduce("0.2")
    hand.enter("0.1", stop="58000")
    if not running:
        stage.run(3_000)
        stage.start()
    stage.run(25_000)
    hand.silent()
    assert stage.engine.trades.all() == []
    assert hand.shown("main") == "0.1 | - | - | 58000 | monitoring"
    assert hand.shown("half") == "0.05 | - | - | 58000 | monitoring"
    assert hand.shown("quarter") == "0.025 | - | - | 58000 | monitoring"


@pytest.mark.proves("A79", "A37")
def test_a_position_opened_before_the_trade_of_the_last_one_was_cleared_away_is_not_its() -> None:
    """Main's order pushes are lost, so its targets seem to rest when the trader enters again."""
    hand = entered()
    stage = hand.stage
    stage.world.fault(FaultKind.PUSH_DROP, "main", "order", count=None)
    hand.reduce("0.2")
    stage.run(200)
    assert stage.engine.trades.all() != [], "not cleared away yet"
    hand.enter("0.1", stop="58000")
    stage.run(100)
    stage.world.gateway.faults.clear()
    stage.run(25_000)
    hand.silent()
    assert stage.engine.trades.all() == []
    assert hand.shown("main") == "0.1 | - | - | 58000 | monitoring"
    assert hand.shown("half") == "0.05 | - | - | 58000 | monitoring"


@pytest.mark.proves("A43", "A37")
def test_an_entry_of_the_trade_that_opens_it_again_after_its_stop_has_the_whole_ladder() -> None:
    """The daemon was gone: the stop closed the trade, then one of its entries filled and brought its own stop."""
    hand = entered(breakeven_after=0, cancel_entries_after=0)
    stage = hand.stage
    hand.enter("0.1", "56000", stop="55000", leg=1)
    stage.settle()
    hand.market("61000")
    stage.settle()
    stage.world.kill()
    hand.market("56990")
    assert hand.size("main") == 0
    hand.market("56000")
    stage.run(3_000)
    stage.start()
    stage.run(10_000)
    hand.silent()
    for name, share in (("main", 1), ("half", 2), ("quarter", 4)):
        assert hand.size(name) == Decimal("0.1") / share, name
        assert [price for price, _ in hand.targets(name)] == [61_000, 62_000, 63_000]
        assert sum(qty for _, qty in hand.targets(name)) == hand.size(name)
        assert hand.stop(name) == Decimal(55_000)


@pytest.mark.parametrize("seed", range(5))
def test_an_amend_that_comes_too_late_for_its_rung_is_no_alert(seed: int) -> None:
    hand = entered(seed=seed)
    stage = hand.stage
    rung = hand.rung("half", "61000")
    hand.enter("0.1")
    stage.until(lambda: rung in {getattr(i.action, "order_id", "") for i in stage.engine.book.open_intents()})
    stage.of("half").fill(rung, "0.05")
    stage.run(10_000)
    hand.silent()
    assert [alert.text for alert in stage.alerts("half", "refused")] == []
    assert sum(qty for _, qty in hand.targets("half")) == hand.size("half")


def test_a_rung_placed_by_hand_is_named_by_its_price_and_one_of_a_trade_by_its_number() -> None:
    def reasons(stage: Stage) -> list[str]:
        return sorted(order.reason for order in stage.placed("copy") if order.role is Role.TARGET)

    by_hand = Stage(copying("copy", "0.5"))
    by_hand.main.buy("0.1", stop="57000")
    for price in ("61000", "62000"):
        by_hand.main.offer("0.05", price, reduceOnly=True)
    by_hand.settle()
    assert reasons(by_hand) == ["main's target: 0.025 at 61000", "main's target: 0.025 at 62000"]
    made = Stage(copying("copy", "0.5"))
    targets = [{"price": "61000", "percent": "50"}, {"price": "62000", "percent": "50"}]
    made.command("trade.open", symbol="BTCUSDT", side="long", qty="0.1", stop="57000", targets=targets)
    made.settle()
    assert reasons(made) == ["target 1: 0.025 at 61000", "target 2: 0.025 at 62000"]
