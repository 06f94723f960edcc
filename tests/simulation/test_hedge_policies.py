"""Both legs on a hedged main, one position on the mirror: net, long-only and short-only in place of refused (A14)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from mirrorctl.core.domain.actions import PlaceOrder
from mirrorctl.core.domain.audit.judge import is_clean
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.policy import Direction, Filter, Follow, Hedge
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.simulation.stage import Stage, copying

LONG, SHORT = 1, 2


def hedging(policy: Hedge, *, hedged: tuple[str, ...] = ("main",), **more: object) -> Stage:
    follow = Follow(hedge=policy, **more)  # type: ignore[arg-type]  # fields of Follow
    return Stage(copying("half", "0.5", follow=follow), hedged=hedged)


def rest(stage: Stage) -> None:
    """Settle; then a further sync and relist send nothing."""
    stage.settle()
    sent = len(stage.sent())
    stage.command("sync")
    stage.run(21_000)
    stage.settle()
    assert [row.action for row in stage.sent()[sent:]] == []


def size(stage: Stage) -> Decimal:
    return stage.of("half").position()


@pytest.mark.proves("A14")
@pytest.mark.parametrize("restarted", [False, True])
def test_net_follows_the_difference_of_the_legs(restarted: bool) -> None:
    """r = 0.5. Long 0.1: 0.05. Short 0.04 beside it: 0.03. Short 0.16: -0.03. Long closed: -0.08. All closed: flat."""
    stage = hedging(Hedge.NET)
    main, half = stage.main, stage.of("half")

    def again() -> None:
        if restarted:
            stage.restart()
            stage.run(2_000)
        rest(stage)

    main.buy("0.1", idx=LONG, stop="58000")
    again()
    assert (size(stage), half.stop()) == (Decimal("0.05"), Decimal(58_000))
    main.sell("0.04", idx=SHORT, stop="62000")
    again()
    assert (size(stage), half.stop()) == (Decimal("0.03"), Decimal(58_000)), "the stop is the larger leg's"
    main.sell("0.12", idx=SHORT)
    again()
    assert (size(stage), half.stop()) == (Decimal("-0.03"), Decimal(62_000))
    assert stage.parked("half") == []
    assert stage.held("half") == []
    main.sell("0.1", idx=LONG, reduceOnly=True)
    again()
    assert (size(stage), half.stop()) == (Decimal("-0.08"), Decimal(62_000))
    assert is_clean(stage.audit())
    main.buy("0.16", idx=SHORT, reduceOnly=True)
    again()
    assert half.held() == {}
    assert half.orders() == []
    last = [order for order in stage.placed("half") if order.role is Role.REDUCTION]
    assert all(order.reduce_only for order in last)


@pytest.mark.proves("A14")
def test_equal_legs_net_to_nothing() -> None:
    stage = hedging(Hedge.NET)
    stage.main.buy("0.1", idx=LONG, stop="58000")
    rest(stage)
    stage.main.sell("0.1", idx=SHORT, stop="62000")
    rest(stage)
    assert stage.of("half").held() == {}
    stage.main.buy("0.02", idx=SHORT, reduceOnly=True)
    rest(stage)
    assert (size(stage), stage.of("half").stop()) == (Decimal("0.01"), Decimal(58_000))


@pytest.mark.proves("A14")
def test_of_two_legs_no_order_is_copied_but_every_fill_followed() -> None:
    """Twin and rung of the long stand while it is alone, go when the short comes, and their fills are followed."""
    stage = hedging(Hedge.NET)
    main, half = stage.main, stage.of("half")
    main.buy("0.1", idx=LONG, stop="57000")
    main.bid("0.04", "59900", idx=LONG)
    main.offer("0.06", "60500", idx=LONG, reduceOnly=True)
    rest(stage)
    assert half.book() == [("Buy", Decimal("0.02"), Decimal(59_900)), ("Sell", Decimal("0.03"), Decimal(60_500))]
    main.sell("0.02", idx=SHORT)
    main.offer("0.02", "60100", idx=SHORT)
    rest(stage)
    assert size(stage) == Decimal("0.04")
    assert half.book() == []
    stage.price("59899")
    rest(stage)
    assert size(stage) == Decimal("0.06"), "long 0.14 - short 0.02"
    stage.price("60101")
    rest(stage)
    assert size(stage) == Decimal("0.05"), "long 0.14 - short 0.04"
    stage.price("60501")
    rest(stage)
    assert size(stage) == Decimal("0.02"), "long 0.08 - short 0.04"
    assert half.book() == []
    assert stage.drift("half") == []


@pytest.mark.proves("A14", "A12")
def test_growth_that_a_closing_leg_asks_for_is_an_entry() -> None:
    """The short closes, so the net long would grow from 0.03 to 0.05: a pause holds that, reductions go on."""
    stage = hedging(Hedge.NET)
    stage.main.buy("0.1", idx=LONG, stop="58000")
    stage.main.sell("0.04", idx=SHORT)
    rest(stage)
    stage.command("pause")
    stage.main.buy("0.04", idx=SHORT, reduceOnly=True)
    stage.run(10_000)
    assert size(stage) == Decimal("0.03")
    assert stage.held("half") == ["paused: by the trader"]
    stage.main.sell("0.06", idx=SHORT)
    stage.run(10_000)
    assert size(stage) == Decimal("0.02")
    stage.command("resume")
    rest(stage)
    stage.main.buy("0.06", idx=SHORT, reduceOnly=True)
    rest(stage)
    assert size(stage) == Decimal("0.05")
    entry = [order for order in stage.placed("half") if order.role is Role.CORRECTION][-1]
    assert entry.price is not None
    assert entry.price <= Decimal("60300.2"), "within 50 bps of the fill that closed the short"
    assert "main's fill" in entry.reason


@pytest.mark.proves("A14")
@pytest.mark.parametrize(("policy", "kept"), [(Hedge.LONG_ONLY, LONG), (Hedge.SHORT_ONLY, SHORT)])
@pytest.mark.parametrize("first", [LONG, SHORT])
@pytest.mark.parametrize("restarted", [False, True])
def test_one_leg_alone_is_followed_while_both_stand(policy: Hedge, kept: int, first: int, restarted: bool) -> None:
    """Long 0.1, short 0.06, r = 0.5, in either order; then the kept leg grows by 0.02, and closes."""
    stage = hedging(policy)
    main, half = stage.main, stage.of("half")
    sizes = {LONG: ("buy", "0.1", "58000", Decimal("0.05")), SHORT: ("sell", "0.06", "62000", Decimal("-0.03"))}

    def enter(idx: int, qty: str = "") -> None:
        side, whole, stop, _ = sizes[idx]
        getattr(main, side)(qty or whole, idx=idx, stop=stop)

    def again() -> None:
        if restarted:
            stage.restart()
            stage.run(2_000)
        rest(stage)

    enter(first)
    again()
    assert size(stage) == sizes[first][3], "one leg is followed as it is, whichever"
    enter(LONG + SHORT - first)
    again()
    whole = sizes[kept][3]
    assert (size(stage), half.stop()) == (whole, Decimal(sizes[kept][2]))
    left = "short" if kept == LONG else "long"
    assert stage.held("half") == [f"hedge: {policy}, main's {left} is not followed while both legs stand"]
    assert stage.parked("half") == []
    assert is_clean(stage.audit())
    enter(kept, "0.02")
    again()
    more = whole + whole.copy_sign(whole) / abs(whole) * Decimal("0.01")
    assert size(stage) == more
    side = "sell" if kept == LONG else "buy"
    getattr(main, side)(str(abs(more) * 2), idx=kept, reduceOnly=True)
    again()
    other = LONG + SHORT - kept
    assert (size(stage), half.stop()) == (sizes[other][3], Decimal(sizes[other][2])), "alone again, it is followed"
    assert stage.held("half") == []


@pytest.mark.proves("A14")
def test_the_ignored_legs_twins_and_rungs_go_and_the_followed_legs_stay() -> None:
    stage = hedging(Hedge.LONG_ONLY)
    main, half = stage.main, stage.of("half")
    main.sell("0.06", idx=SHORT, stop="62000")
    main.offer("0.02", "61000", idx=SHORT)
    main.bid("0.06", "58500", idx=SHORT, reduceOnly=True)
    rest(stage)
    assert half.book() == [("Sell", Decimal("0.01"), Decimal(61_000)), ("Buy", Decimal("0.03"), Decimal(58_500))]
    main.buy("0.1", idx=LONG, stop="57000")
    main.bid("0.04", "59000", idx=LONG)
    main.offer("0.1", "61500", idx=LONG, reduceOnly=True)
    rest(stage)
    assert size(stage) == Decimal("0.05")
    assert half.book() == [("Buy", Decimal("0.02"), Decimal(59_000)), ("Sell", Decimal("0.05"), Decimal(61_500))]
    stage.price("58999")
    rest(stage)
    assert size(stage) == Decimal("0.07")


@pytest.mark.proves("A14", "A76")
@pytest.mark.parametrize("policy", [Hedge.NET, Hedge.LONG_ONLY])
def test_its_own_target_is_final_and_the_rest_is_followed(policy: Hedge) -> None:
    """The mirror sells 0.02 of its 0.05 by an exit of its own; the short comes and goes: it is not bought back twice.

    With net the short's close is growth of what is followed, by the rule that a cap rises with main's increases.
    """
    stage = hedging(policy)
    main, half = stage.main, stage.of("half")
    main.buy("0.1", idx=LONG, stop="58000")
    main.offer("0.1", "63000", idx=LONG, reduceOnly=True)
    rest(stage)
    rung = half.orders()[0]["orderId"]
    half.fill(rung, "0.02")
    rest(stage)
    assert size(stage) == Decimal("0.03")
    main.sell("0.04", idx=SHORT)
    rest(stage)
    assert size(stage) == Decimal("0.03"), "net asks for 0.03, the cap too"
    stage.restart()
    rest(stage)
    assert size(stage) == Decimal("0.03")


@pytest.mark.proves("A14", "A76")
def test_the_stop_of_the_net_fires_alone_and_is_final() -> None:
    """The larger leg's stop closed the mirror, not main's: the mirror is out of the long until main closes it."""
    stage = hedging(Hedge.NET)
    main, half = stage.main, stage.of("half")
    main.buy("0.1", idx=LONG, stop="58000")
    main.sell("0.04", idx=SHORT)
    rest(stage)
    half.protect(stop="59900")
    stage.price("59900")
    stage.run(10_000)
    assert half.held() == {}
    main.buy("0.02", idx=LONG)
    stage.run(10_000)
    assert half.held() == {}
    assert stage.held("half") == ["own exit: stop"]
    main.sell("0.12", idx=LONG, reduceOnly=True)
    rest(stage)
    assert size(stage) == Decimal("-0.02"), "the short alone is another cycle"


@pytest.mark.proves("A14")
@pytest.mark.parametrize("policy", [Hedge.NET, Hedge.LONG_ONLY])
def test_with_a_new_store_nothing_changes_by_itself(policy: Hedge) -> None:
    stage = hedging(policy)
    main = stage.main
    main.buy("0.1", idx=LONG, stop="58000")
    main.sell("0.04", idx=SHORT, stop="62000")
    rest(stage)
    had = size(stage)
    sent = len(stage.sent())
    stage.restart(new_store=True)
    stage.run(30_000)
    assert (size(stage), len(stage.sent())) == (had, sent)
    main.sell("0.05", idx=LONG, reduceOnly=True)
    stage.run(10_000)
    left = (
        "0.005" if policy is Hedge.NET else "0.025"
    )  # 0.03 of a net of 0.06, now 0.01; 0.05 of a leg of 0.1, now 0.05
    assert size(stage) == Decimal(left)


@pytest.mark.proves("A14", "A15")
@pytest.mark.parametrize("policy", [Hedge.NET, Hedge.LONG_ONLY])
def test_a_hedged_mirror_has_both_legs_whatever_the_policy(policy: Hedge) -> None:
    stage = hedging(policy, hedged=("main", "half"))
    stage.main.buy("0.1", idx=LONG)
    stage.main.sell("0.06", idx=SHORT)
    rest(stage)
    half = stage.of("half")
    assert (half.position(idx=LONG), half.position(idx=SHORT)) == (Decimal("0.05"), Decimal("-0.03"))


@pytest.mark.proves("A14", "A13")
def test_a_reverse_mirror_nets_the_other_way() -> None:
    stage = hedging(Hedge.NET, direction=Direction.REVERSE)
    stage.main.buy("0.1", idx=LONG, stop="58000", target="62000")
    rest(stage)
    stage.main.sell("0.04", idx=SHORT, stop="62500", target="57000")
    rest(stage)
    assert size(stage) == Decimal("-0.03")
    assert stage.of("half").stop() == Decimal(62_000)


@pytest.mark.proves("A14", "A12")
def test_the_filter_looks_at_the_leg_that_is_followed() -> None:
    """A mirror that follows no shorts: a net short is held, a net long followed."""
    follow, sides = Follow(hedge=Hedge.NET), Filter(sides=(PositionSide.LONG,))
    stage = Stage(replace(copying("half", "0.5", follow=follow), filter=sides), hedged=("main",))
    stage.main.sell("0.1", idx=SHORT)
    stage.run(5_000)
    assert size(stage) == 0
    stage.main.buy("0.16", idx=LONG)
    rest(stage)
    assert size(stage) == Decimal("0.03")
    stage.main.sell("0.1", idx=LONG, reduceOnly=True)
    stage.run(10_000)
    assert size(stage) == 0
    assert stage.held("half") == ["filter: short is not followed"]


def test_no_order_against_what_is_held_is_anything_but_reduce_only() -> None:
    """Over a walk of both legs: what reduces is marked so, and nothing is sent twice."""
    stage = hedging(Hedge.NET)
    for qty, idx in (("0.1", LONG), ("-0.06", SHORT), ("-0.08", SHORT), ("0.1", LONG), ("-0.02", SHORT)):
        (stage.main.buy if qty[0] != "-" else stage.main.sell)(qty.lstrip("-"), idx=idx)
        stage.settle()
    assert size(stage) == Decimal("0.02"), "long 0.2, short 0.16"
    held = Decimal(0)
    for row in stage.sent("half", PlaceOrder):
        order = row.action
        assert isinstance(order, PlaceOrder)
        assert order.reduce_only == (held * order.side.sign < 0)
        held += order.qty * order.side.sign
    assert held == Decimal("0.02")
