"""Position modes of mirrors: declared ones are verified, switched ones found again, every order has its leg (A15)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from mirrorctl.core.domain.actions import PlaceOrder, SetTradingStop
from mirrorctl.core.domain.audit.findings import Code
from mirrorctl.core.domain.errors import Refused
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.policy import Direction, Follow
from mirrorctl.core.domain.values import PositionMode
from mirrorctl.core.simulation.stage import Stage, copying

LONG, SHORT = 1, 2
HEDGE, ONE_WAY = PositionMode.HEDGE, PositionMode.ONE_WAY


def declaring(mode: PositionMode, *hedged: str, **more: object) -> Stage:
    return Stage(replace(copying("half", "0.5"), position_mode=mode), hedged=hedged, **more)  # type: ignore[arg-type]  # seed and the like


def switch(stage: Stage, name: str, mode: int, symbol: str = "BTCUSDT") -> None:
    """The trader changes a symbol's position mode: 0 one-way, 3 hedge (position/switch-mode)."""
    stage.world.call(name, "POST", "/v5/position/switch-mode", category="linear", symbol=symbol, mode=mode)


def prices(*pairs: tuple[int, int | None]) -> tuple[tuple[Decimal | None, Decimal | None], ...]:
    """(stop, take-profit) of each leg."""
    return tuple((Decimal(stop), None if profit is None else Decimal(profit)) for stop, profit in pairs)


def legs(stage: Stage, name: str) -> set[tuple[Role, int]]:
    return {(order.role, order.position_idx) for order in stage.placed(name)}


@pytest.mark.proves("A15")
@pytest.mark.parametrize(("mode", "hedged"), [(HEDGE, ("half",)), (ONE_WAY, ())])
def test_a_declared_mode_that_is_so_changes_nothing(mode: PositionMode, hedged: tuple[str, ...]) -> None:
    stage = declaring(mode, *hedged)
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    assert stage.of("half").position(idx=LONG if hedged else 0) == Decimal("0.05")
    assert stage.audit() == []


@pytest.mark.proves("A15", "A82")
@pytest.mark.parametrize(("mode", "hedged", "is_now"), [(HEDGE, (), "one-way"), (ONE_WAY, ("half",), "hedge")])
def test_another_mode_than_declared_refuses_entries_and_is_found(
    mode: PositionMode, hedged: tuple[str, ...], is_now: str
) -> None:
    stage = declaring(mode, *hedged)
    assert [a.symbol for a in stage.alerts("half", "position_mode says")] == ["BTCUSDT"], "found at the start"
    assert [f.code for f in stage.audit()] == [Code.MODE_MISMATCH]
    stage.main.buy("0.1", stop="58000")
    stage.main.bid("0.1", "59000", stop="58000")
    stage.run(10_000)
    half = stage.of("half")
    assert half.held() == {}
    assert half.orders() == []
    reason = f"mode: BTCUSDT is {is_now}, the profile says position_mode = {mode}"
    assert set(stage.held("half")) == {reason}
    assert stage.drift("half") == []
    codes = {f.code for f in stage.audit() if f.account == "half"}
    assert codes == {Code.MODE_MISMATCH, Code.HELD}
    switch(stage, "half", 0 if hedged else 3)
    stage.restart()
    stage.run(2_000)
    stage.settle()
    assert half.position(idx=0 if hedged else LONG) == Decimal("0.05")
    assert stage.held("half") == []


@pytest.mark.proves("A12", "A15")
def test_what_a_mirror_holds_in_another_mode_is_protected_and_reduced_as_ever() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.world.kill()
    stage.world.policy = stage.policy = replace(
        stage.policy, mirrors=(replace(stage.policy.mirrors[0], position_mode=HEDGE),)
    )
    stage.start()
    stage.run(5_000)
    stage.main.protect(stop="58500")
    stage.main.sell("0.04", reduceOnly=True)
    stage.run(5_000)
    half = stage.of("half")
    assert (half.position(), half.stop()) == (Decimal("0.03"), Decimal(58_500))
    stage.main.close()
    stage.run(5_000)
    assert half.held() == {}


@pytest.mark.proves("A15", "A57")
@pytest.mark.parametrize("to", [3, 0], ids=["to hedge", "to one-way"])
@pytest.mark.parametrize("what", ["market", "limit"])
def test_a_mode_switched_meanwhile_is_read_again_and_the_order_goes_out_right(to: int, what: str) -> None:
    """Nothing is pushed when the trader switches: the first order is refused, the next one has the right leg."""
    stage = Stage(copying("half", "0.5"), hedged=() if to else ("half",))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.main.close()
    stage.settle()
    before = len(stage.placed("half"))
    switch(stage, "half", to)
    if what == "market":
        stage.main.buy("0.1", stop="58000")
    else:
        stage.main.bid("0.1", "59000", stop="58000")
    stage.run(3_000)
    stage.settle()
    half, idx = stage.of("half"), LONG if to else 0
    if what == "market":
        assert (half.position(idx=idx), half.stop(idx=idx)) == (Decimal("0.05"), Decimal(58_000))
    else:
        assert [(row["positionIdx"], row["leavesQty"]) for row in half.orders()] == [(idx, "0.050")]
    assert stage.parked("half") == []
    tried = [order.position_idx for order in stage.placed("half")[before:]]
    assert tried == [LONG - idx, idx], "one refusal, then right"


@pytest.mark.proves("A15")
def test_main_in_another_mode_than_declared_takes_no_trade() -> None:
    stage = Stage(copying("half", "0.5"), main_mode=HEDGE)
    with pytest.raises(Refused, match="main is one-way for BTCUSDT, and the profile says position_mode = hedge"):
        stage.command("trade.open", symbol="BTCUSDT", side="long", wait_s="0", qty="0.1", entries=[], targets=[])
    assert stage.main.held() == {}


@pytest.mark.proves("A14", "A15")
@pytest.mark.parametrize("restarted", [False, True])
def test_both_legs_live_side_by_side_with_every_kind_of_order(restarted: bool) -> None:
    """Entries, twins, conditionals, rungs, stops, trailing stops, reductions and flatten, each on its own leg."""
    stage = Stage(copying("half", "0.5"), hedged=("main", "half"))
    main, half = stage.main, stage.of("half")

    def rest() -> None:
        if restarted:
            stage.restart()
            stage.run(2_000)
        stage.settle()

    main.buy("0.1", idx=LONG, stop="57000")
    main.sell("0.08", idx=SHORT, stop="63000", target="56000")
    rest()
    assert (half.position(idx=LONG), half.position(idx=SHORT)) == (Decimal("0.05"), Decimal("-0.04"))
    assert (half.bound(idx=LONG), half.bound(idx=SHORT)) == prices((57_000, None), (63_000, 56_000))
    main.bid("0.02", "59000", idx=LONG, stop="57000")
    main.offer("0.04", "61000", idx=SHORT, stop="63000")
    main.sell("0.02", idx=SHORT, triggerPrice="58000", triggerDirection=2)
    main.offer("0.04", "60500", idx=LONG, reduceOnly=True)
    main.bid("0.06", "59500", idx=SHORT, reduceOnly=True)
    rest()
    rows = {(row["side"], row["positionIdx"], row["reduceOnly"], row["leavesQty"]) for row in half.orders()}
    assert rows == {
        ("Buy", LONG, False, "0.010"),
        ("Sell", SHORT, False, "0.020"),
        ("Sell", SHORT, False, "0.010"),
        ("Sell", LONG, True, "0.020"),
        ("Buy", SHORT, True, "0.030"),
    }
    main.protect(idx=SHORT, trailingStop="800")
    main.protect(stop="57500", idx=LONG)
    rest()
    assert half.stop(idx=LONG) == Decimal(57_500)
    assert Decimal(half._row("BTCUSDT", SHORT)["trailingStop"]) == 800
    stage.price("60501")
    rest()
    assert (half.position(idx=LONG), half.position(idx=SHORT)) == (Decimal("0.03"), Decimal("-0.04"))
    stage.price("59499")
    rest()
    assert (half.position(idx=LONG), half.position(idx=SHORT)) == (Decimal("0.03"), Decimal("-0.01"))
    main.sell("0.03", idx=LONG, reduceOnly=True)
    rest()
    assert half.position(idx=LONG) == Decimal("0.015")
    main.buy("0.02", idx=SHORT, reduceOnly=True)
    rest()
    assert half.position(idx=SHORT) == 0
    for row in stage.sent("half"):
        action = row.action
        if isinstance(action, PlaceOrder):
            grows = LONG if action.side.sign > 0 else SHORT
            assert action.position_idx == (LONG + SHORT - grows if action.reduce_only else grows)
        elif isinstance(action, SetTradingStop):
            assert action.position_idx in (LONG, SHORT)
    stage.command("flatten", account="half")
    assert half.held() == {}
    assert {idx for role, idx in legs(stage, "half") if role is Role.FLATTEN} == {LONG}


@pytest.mark.proves("A13", "A15")
def test_a_hedged_reverse_mirror_of_two_legs_has_both_the_other_way() -> None:
    stage = Stage(copying("half", "0.5", follow=Follow(direction=Direction.REVERSE)), hedged=("main", "half"))
    stage.main.buy("0.1", idx=LONG, stop="57000", target="62000")
    stage.main.sell("0.08", idx=SHORT, stop="63000", target="56000")
    stage.settle()
    half = stage.of("half")
    assert (half.position(idx=LONG), half.position(idx=SHORT)) == (Decimal("0.04"), Decimal("-0.05"))
    assert (half.bound(idx=LONG), half.bound(idx=SHORT)) == prices((56_000, 63_000), (62_000, 57_000))
