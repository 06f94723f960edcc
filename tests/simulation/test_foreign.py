"""A position that a mirror's own trader opened: with `foreign = "adopt"` it becomes ours on the side main holds."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.core.domain.policy import Adopt, Follow, Foreign
from mirrorctl.core.simulation.stage import Stage, copying

ADOPT = Follow(foreign=Foreign.ADOPT)


@pytest.mark.proves("A60", "A63")
@pytest.mark.parametrize("then", ["runs on", "is restarted", "loses its store"])
@pytest.mark.parametrize(
    ("own", "kept", "moved"), [("57000", "58000", "58500"), ("59000", "59000", "59000")], ids=["worse", "better"]
)
def test_a_foreign_position_becomes_ours_with_the_ratio_it_has(own: str, kept: str, moved: str, then: str) -> None:
    """r = 0.02 ÷ 0.1 = 0.2: nothing is sent but a better stop; from then on main is followed by that ratio."""
    stage = Stage(copying("half", "0.5", follow=ADOPT))
    half = stage.of("half")
    half.buy("0.02", stop=own, target="63000")
    order = half.bid("0.01", "55000")
    stage.settle()
    assert stage.parked("half") == ["foreign position"]
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    assert (half.position(), half.bound()) == (Decimal("0.02"), (Decimal(kept), Decimal(63_000)))
    assert (stage.parked("half"), stage.placed("half")) == ([], [])
    assert [alert.text for alert in stage.alerts("half", "adopted")] == ["a foreign long of 0.02 is adopted: r = 0.2"]
    assert [finding.code.value for finding in stage.audit()] == ["FOREIGN_ORDER"], "its trader's order is his"
    if then != "runs on":
        stage.restart(new_store=then == "loses its store")
        stage.settle()
    stage.main.protect(stop="58500")
    stage.settle()
    assert half.bound() == (Decimal(moved), Decimal(63_000))
    stage.main.buy("0.05")
    stage.settle()
    assert half.position() == Decimal("0.03")
    stage.main.sell("0.075", reduceOnly=True)
    stage.settle()
    assert half.position() == Decimal("0.015")
    stage.main.protect(target="62000")
    stage.settle()
    assert half.bound()[1] == Decimal(62_000), "main's own target is followed"
    stage.main.close()
    stage.settle()
    assert half.held() == {}
    assert [row["orderId"] for row in half.orders()] == [order]


@pytest.mark.proves("A81")
def test_on_the_other_side_or_beside_a_flat_main_it_stays_parked() -> None:
    stage = Stage(copying("half", "0.5", follow=ADOPT))
    half = stage.of("half")
    half.sell("0.02", stop="63000")
    half.buy("1", "ETHUSDT")
    stage.settle()
    stage.main.buy("0.1", stop="58000")
    stage.run(30_000)
    assert half.held() == {"BTCUSDT": Decimal("-0.02"), "ETHUSDT": Decimal(1)}
    assert stage.sent("half") == []
    assert stage.parked("half") == ["foreign position"] * 2
    half.close()
    stage.settle()
    stage.run(2_000)
    assert half.position() == Decimal("0.05"), "and flat it is followed by the profile's ratio"


@pytest.mark.proves("A81", "A60")
def test_it_is_not_measured_against_a_position_that_main_is_still_building() -> None:
    """0.02 against the first 0.01 of an entry for 0.1 would be a ratio of 2."""
    stage = Stage(copying("half", "0.5", follow=ADOPT))
    half = stage.of("half")
    half.buy("0.02", stop="57000")
    entry = stage.main.bid("0.1", "59500", stop="58000")
    stage.settle()
    stage.main.fill(entry, "0.01")
    stage.run(30_000)
    assert stage.parked("half") == ["foreign position"]
    stage.main.fill(entry, "0.09")
    stage.settle()
    assert (stage.parked("half"), half.position(), half.stop()) == ([], Decimal("0.02"), Decimal(58_000))
    stage.main.buy("0.1")
    stage.settle()
    assert half.position() == Decimal("0.04")


@pytest.mark.proves("A63")
def test_a_mirror_seen_for_the_first_time_adopts_what_stands_on_mains_side() -> None:
    """Neither has a stop: none is invented. The trader's word on new stores is about what the mirror does not hold."""
    stage = Stage(copying("half", "0.5", follow=ADOPT, adopt=Adopt.NEW_ONLY), start=False)
    stage.of("half").buy("0.02")
    stage.main.buy("0.1")
    stage.main.buy("1", "ETHUSDT")
    stage.start()
    stage.settle()
    half = stage.of("half")
    assert (half.held(), half.stop()) == ({"BTCUSDT": Decimal("0.02")}, None)
    assert stage.held("half") == ["adopt = new-only"]
    stage.main.buy("0.1")
    stage.settle()
    assert half.position() == Decimal("0.04")
