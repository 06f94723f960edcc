"""A reverse mirror takes the other side of main's fills: main's stop is its target, main's furthest target its stop."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.core.domain.actions import PlaceOrder
from mirrorctl.core.domain.audit.findings import Code
from mirrorctl.core.domain.audit.judge import is_clean
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.policy import Direction, Follow
from mirrorctl.core.domain.values import PositionSide, TriggerBy
from mirrorctl.core.simulation.stage import Stage, copying
from tests.simulation.hand import Hand

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT
REVERSE = Follow(direction=Direction.REVERSE)


def reversing(**more: object) -> Stage:
    return Stage(copying("half", "0.5", follow=REVERSE), copying("quarter", "0.25"), **more)  # type: ignore[arg-type]  # seed and the like


def hand_of(side: PositionSide, **more: object) -> Hand:
    return Hand(reversing(**more), side)


def held(hand: Hand) -> Decimal:
    """What the reverse mirror holds, positive on its own side."""
    return -hand.size("half")


def bound(hand: Hand) -> tuple[Decimal | None, Decimal | None]:
    """Stop and take-profit of the reverse mirror, in the script's prices."""
    found = hand.of("half").bound()
    return tuple(None if price is None else Decimal(hand.at(price)) for price in found)  # type: ignore[return-value]  # a pair


@pytest.mark.proves("A13")
@pytest.mark.parametrize("side", PositionSide)
def test_a_market_entry_is_followed_on_the_other_side_with_stop_and_target_swapped(side: PositionSide) -> None:
    """Main 0.1 with stop 58000 and target 62000; r = 0.5: the mirror -0.05 with stop 62000 and target 58000."""
    hand = hand_of(side)
    buy = hand.stage.main.buy if side is LONG else hand.stage.main.sell
    buy("0.1", stop=hand.at("58000"), target=hand.at("62000"))
    hand.silent()
    assert held(hand) == Decimal("0.05")
    assert bound(hand) == (Decimal(62_000), Decimal(58_000))
    assert hand.size("quarter") == Decimal("0.025"), "the other mirror follows as ever"
    assert hand.stop("quarter") == Decimal(58_000)
    entry = next(order for order in hand.stage.placed("half"))
    assert (entry.role, entry.stop_loss) == (Role.CORRECTION, Decimal(hand.at("62000"))), "it enters with its stop"
    assert is_clean(hand.stage.audit())


@pytest.mark.proves("A13")
@pytest.mark.parametrize("side", PositionSide)
def test_a_limit_entry_has_no_twin_and_is_followed_when_it_fills(side: PositionSide) -> None:
    """0.06 at 59000 and 0.04 at 58500; of the first 0.02 fill at first: 0.01, 0.03, then 0.05 on the mirror."""
    hand = Hand(Stage(copying("half", "0.5", follow=REVERSE)), side)
    near = hand.enter("0.06", "59000", stop="57000")
    hand.enter("0.04", "58500", stop="57000")
    hand.stage.settle()
    assert hand.of("half").orders() == []
    hand.stage.main.fill(near, "0.02")
    hand.reduce("0.02", "61000")
    hand.silent()
    assert held(hand) == Decimal("0.01")
    hand.market("58999")
    hand.silent()
    assert held(hand) == Decimal("0.03")
    hand.market("58499")
    hand.silent()
    assert held(hand) == Decimal("0.05")
    assert bound(hand) == (Decimal(61_000), Decimal(57_000))
    assert hand.of("half").orders() == []


@pytest.mark.proves("A13", "A82")
@pytest.mark.parametrize("restarted", [False, True])
def test_without_a_target_on_main_it_refuses_and_says_no_stop(restarted: bool) -> None:
    hand = hand_of(LONG)
    hand.enter("0.1", stop="58000")
    hand.stage.run(30_000)
    if restarted:
        hand.stage.restart()
        hand.stage.run(30_000)
    stage = hand.stage
    assert held(hand) == 0
    assert stage.held("half") == ["no stop"]
    assert stage.drift("half") == []
    assert stage.status()["in_sync"]
    assert [f.actual for f in stage.audit() if f.code is Code.HELD] == ["0: no stop"]
    assert is_clean(stage.audit())
    hand.reduce("0.04", "61000")
    hand.reduce("0.06", "62500")
    hand.silent()
    assert held(hand) == Decimal("0.05"), "now it has a stop"
    assert bound(hand) == (Decimal(62_500), Decimal(58_000)), "the furthest of two targets"
    assert stage.held("half") == []


@pytest.mark.proves("A13")
def test_a_stop_or_target_moved_on_main_moves_its_counterpart() -> None:
    hand = hand_of(LONG)
    hand.enter("0.1", stop="58000")
    target = hand.reduce("0.1", "62000")
    hand.silent()
    hand.protect("58500")
    hand.move(target, "63000")
    hand.silent()
    assert bound(hand) == (Decimal(63_000), Decimal(58_500))
    hand.protect("59000", takeProfit="64000", tpTriggerBy="MarkPrice")
    hand.silent()
    assert bound(hand) == (Decimal(64_000), Decimal(59_000)), "the take-profit of the whole position is the furthest"
    stops = [row.action for row in hand.stage.sent("half") if getattr(row.action, "stop_loss", None) == 64_000]
    assert stops[-1].stop_loss_by is TriggerBy.MARK  # type: ignore[union-attr]  # it has a stop
    assert is_clean(hand.stage.audit())


@pytest.mark.proves("A13", "A21")
def test_the_stop_stays_when_mains_target_vanishes_and_nothing_grows_then() -> None:
    hand = hand_of(LONG)
    hand.enter("0.1", stop="58000")
    target = hand.reduce("0.1", "62000")
    hand.silent()
    hand.stage.main.cancel(target)
    hand.silent()
    assert bound(hand) == (Decimal(62_000), Decimal(58_000))
    hand.enter("0.1")
    hand.silent()
    assert held(hand) == Decimal("0.05")
    assert hand.stage.held("half") == ["no stop"]
    hand.reduce("0.14")
    hand.silent()
    assert held(hand) == Decimal("0.03"), "reductions are never held back"
    assert bound(hand)[0] == Decimal(62_000)


@pytest.mark.proves("A13", "A7")
@pytest.mark.parametrize("side", PositionSide)
def test_what_main_sells_by_target_or_by_hand_is_bought_back_here(side: PositionSide) -> None:
    """0.1 with rungs of 0.04 and 0.06; the near one fills, then 0.03 go by hand: 0.05, 0.03, 0.015 on the mirror."""
    hand = hand_of(side)
    hand.enter("0.1", stop="58000")
    hand.reduce("0.04", "61000")
    hand.reduce("0.06", "62000")
    hand.silent()
    assert held(hand) == Decimal("0.05")
    hand.market("61001")
    hand.silent()
    assert held(hand) == Decimal("0.03")
    hand.reduce("0.03")
    hand.silent()
    assert held(hand) == Decimal("0.015")
    assert all(order.reduce_only for order in hand.stage.placed("half") if order.role is Role.REDUCTION)
    hand.reduce("0.03")
    hand.silent()
    assert hand.of("half").held() == {}
    assert hand.of("half").orders() == []


@pytest.mark.proves("A13", "A76")
@pytest.mark.parametrize("side", PositionSide)
@pytest.mark.parametrize("price", ["62001", "57999"], ids=["main's last target", "main's stop"])
def test_what_ends_mains_trade_ends_the_mirrors(side: PositionSide, price: str) -> None:
    hand = hand_of(side)
    hand.enter("0.1", stop="58000")
    hand.reduce("0.1", "62000")
    hand.silent()
    bought = hand.of("half").volume()
    hand.market(price)
    hand.silent()
    assert hand.stage.main.held() == {}
    assert hand.of("half").held() == {}
    hand.enter("0.1", stop="57000" if price < "60000" else "60000")
    hand.reduce("0.1", "63000")
    hand.silent()
    assert held(hand) == Decimal("0.05"), "the next trade is followed"
    assert hand.of("half").volume() != bought


@pytest.mark.proves("A13", "A76")
@pytest.mark.parametrize("restarted", ["", "same store", "new store"])
def test_its_own_stop_is_final_while_main_goes_on(restarted: str) -> None:
    """A price that only this mirror's stop saw: it is out until main was flat."""
    hand = hand_of(LONG)
    hand.enter("0.1", stop="58000")
    hand.reduce("0.1", "62000")
    hand.silent()
    half = hand.of("half")
    half.protect(stop="60100")
    hand.market("60100")
    hand.stage.run(200)
    if restarted:
        hand.stage.restart(new_store=restarted == "new store")
    hand.stage.run(30_000)
    assert half.held() == {}
    assert hand.stage.main.position() == Decimal("0.1")
    hand.enter("0.1")
    hand.stage.run(30_000)
    assert half.held() == {}
    assert len(hand.stage.held("half")) == 1


@pytest.mark.proves("A13", "A17")
@pytest.mark.parametrize("side", PositionSide)
def test_main_flips_and_the_mirror_flips_the_other_way(side: PositionSide) -> None:
    """Main 0.1, then -0.06 in one order: the mirror -0.05, then 0.03, by a close and an entry."""
    hand = hand_of(side)
    hand.enter("0.1", stop="58000")
    hand.reduce("0.1", "62000")
    hand.silent()
    sell = hand.stage.main.sell if side is LONG else hand.stage.main.buy
    sell("0.16", target=hand.at("57500"))
    hand.silent()
    assert hand.size("main") == Decimal("-0.06")
    assert held(hand) == Decimal("-0.03")
    assert hand.of("half").stop() == Decimal(hand.at("57500"))
    last = hand.stage.placed("half")[-2:]
    assert [(order.role, order.reduce_only) for order in last] == [(Role.REDUCTION, True), (Role.CORRECTION, False)]


@pytest.mark.proves("A13", "A43")
@pytest.mark.parametrize("new_store", [False, True])
@pytest.mark.parametrize("script", ["managed", "by hand"])
def test_restarted_it_goes_on_as_it_was(script: str, new_store: bool) -> None:
    hand = hand_of(LONG)
    if script == "managed":
        hand.stage.command(
            "trade.open",
            symbol="BTCUSDT",
            side="long",
            wait_s="0",
            qty="0.1",
            stop="58000",
            targets=[{"price": "61000", "percent": "40"}, {"price": "62000", "percent": "60"}],
            entries=[],
        )
    else:
        hand.enter("0.1", stop="58000")
        hand.reduce("0.04", "61000")
        hand.reduce("0.06", "62000")
    hand.silent()
    sent = len(hand.stage.sent())
    hand.stage.restart(new_store=new_store)
    hand.silent()
    assert len(hand.stage.sent()) == sent
    assert (held(hand), bound(hand)) == (Decimal("0.05"), (Decimal(62_000), Decimal(58_000)))
    hand.market("61001")
    hand.silent()
    assert held(hand) == Decimal("0.03")
    assert is_clean(hand.stage.audit())


@pytest.mark.proves("A13", "A43")
def test_killed_at_any_port_call_it_ends_the_same() -> None:
    def life(crash_at: int = 0, crash_after: bool = False) -> Stage:
        stage = reversing(start=False)
        stage.world.crash_at, stage.world.crash_after = crash_at, crash_after
        stage.start()
        stage.run(3_000)
        stage.main.buy("0.1", stop="58000", target="62000")
        stage.run(8_000)
        stage.main.sell("0.04", reduceOnly=True)
        stage.run(8_000)
        stage.settle()
        return stage

    calls = len(life().world.calls)
    for number in range(3, calls + 1, 7):
        stage = life(number, bool(number % 2))
        half = stage.of("half")
        assert (half.position(), half.bound()) == (Decimal("-0.03"), (Decimal(62_000), Decimal(58_000))), number
        links = [order.link_id for order in stage.placed("half")]
        assert len(links) == len(set(links))


@pytest.mark.proves("A13")
def test_mains_trailing_stop_is_named_and_not_copied() -> None:
    hand = hand_of(LONG)
    hand.enter("0.1", stop="58000")
    hand.reduce("0.1", "62000")
    hand.stage.settle()
    hand.protect(trailingStop="500")
    hand.stage.run(5_000)
    hand.silent()
    assert hand.of("half")._row("BTCUSDT", 0)["trailingStop"] in ("", "0", "0.0", "0.00")
    assert any("trailing stop of 500" in finding.actual for finding in hand.stage.audit())
    assert len(hand.stage.alerts("half", "trailing stop of 500")) == 1


@pytest.mark.proves("A13", "A26")
def test_a_stop_that_was_taken_away_by_hand_comes_back() -> None:
    hand = hand_of(SHORT)
    hand.enter("0.1", stop="58000")
    hand.reduce("0.1", "62000")
    hand.silent()
    hand.of("half").protect(stop="0", target="0")
    hand.silent()
    assert bound(hand) == (Decimal(62_000), Decimal(58_000))


@pytest.mark.proves("A13", "A15")
def test_a_hedged_reverse_mirror_uses_the_other_leg() -> None:
    stage = reversing(hedged=("half",))
    stage.main.buy("0.1", stop="58000", target="62000")
    stage.settle()
    half = stage.of("half")
    assert (half.position(idx=1), half.position(idx=2)) == (Decimal(0), Decimal("-0.05"))
    assert half.bound(idx=2) == (Decimal(62_000), Decimal(58_000))
    stage.main.close()
    stage.settle()
    assert half.held() == {}
    indices = {row.action.position_idx for row in stage.sent("half") if isinstance(row.action, PlaceOrder)}
    assert indices == {2}


@pytest.mark.proves("A13")
def test_the_preview_says_what_it_will_hold_and_refuses_without_a_target() -> None:
    stage = reversing()

    def preview(targets: list[dict[str, str]]) -> dict[str, object]:
        asked = {"symbol": "BTCUSDT", "side": "long", "qty": "0.1", "stop": "58000", "entries": [], "wait_s": "0"}
        result = stage.command("trade.open", **asked, targets=targets, dry_run=True)
        return next(row for row in result["preview"] if row["account"] == "half")

    row = preview([{"price": "61000", "percent": "40"}, {"price": "62000", "percent": "60"}])
    assert (
        row["terms"]
        == "reverse: short by main's fills, stop 62000 (main's furthest target), target 58000 (main's stop)"
    )
    assert (row["qty"], row["stop"], row["targets"], row["held"]) == ("0.05", "62000", [], None)
    assert row["loss_at_stop"] in {"99.99", "100", "100.01"}, "0.05 x 2000, entered near 60000"
    assert preview([])["held"] == "no stop"


@pytest.mark.proves("A64")
def test_an_audit_names_a_reverse_position_that_nothing_protects_any_more() -> None:
    """Main's target is gone and the mirror's stop was taken away by hand: nobody knows a stop to set."""
    hand = hand_of(LONG)
    hand.enter("0.1", stop="58000")
    target = hand.reduce("0.1", "62000")
    hand.silent()
    hand.stage.main.cancel(target)
    hand.stage.settle()
    hand.of("half").protect(stop="0")
    hand.stage.run(3_000)
    found = [f for f in hand.stage.audit() if f.account == "half" and f.code is Code.NO_STOP]
    assert [(f.expected, f.actual, f.severity.value) for f in found] == [
        ("none: main has no target", "no stop", "warning")
    ]
    assert "trade target BTCUSDT" in found[0].remedy
