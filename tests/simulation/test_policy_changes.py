"""A profile that was edited while a cycle was open: what has another meaning now is parked, never traded on."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from mirrorctl.core.domain.audit.findings import Code
from mirrorctl.core.domain.policy import Direction, Follow, Hedge, MappedSymbol, MirrorPolicy
from mirrorctl.core.simulation.stage import Stage, copying

ETH, BTC = "ETHUSDT", "BTCUSDT"
SAME = copying("half", "0.5")
REVERSE = copying("half", "0.5", follow=Follow(direction=Direction.REVERSE))
MAPPED = replace(SAME, map={ETH: MappedSymbol(BTC, Decimal("0.05"))})
ANOTHER = replace(SAME, map={ETH: MappedSymbol(BTC, Decimal("0.0501"))})
QUARTER = copying("quarter", "0.25")


def edited(stage: Stage, policy: MirrorPolicy) -> None:
    """The daemon is restarted with another policy of the mirror "half"."""
    stage.world.kill()
    stage.world.policy = stage.policy = replace(stage.policy, mirrors=(policy, *stage.policy.mirrors[1:]))
    stage.start()
    stage.run(10_000)


@pytest.mark.parametrize(
    ("before", "after", "symbol", "holds", "reason"),
    [
        (SAME, REVERSE, BTC, "0.05", "policy changed: it followed main's long BTCUSDT as long BTCUSDT"),
        (REVERSE, SAME, BTC, "-0.05", "policy changed: it followed main's long BTCUSDT as short BTCUSDT"),
        (SAME, MAPPED, ETH, "0.5", "policy changed: it followed main's long ETHUSDT as long ETHUSDT"),
        (MAPPED, SAME, BTC, "0.025", "policy changed: it followed main's long ETHUSDT as long BTCUSDT"),
        (MAPPED, ANOTHER, BTC, "0.025", "policy changed: it followed main's long ETHUSDT as long BTCUSDT"),
    ],
    ids=["to reverse", "from reverse", "to a map", "from a map", "another multiplier"],
)
def test_a_position_of_another_policy_is_parked_with_its_stop_until_it_is_flat(
    before: MirrorPolicy, after: MirrorPolicy, symbol: str, holds: str, reason: str
) -> None:
    stage = Stage(before, QUARTER)
    main, half = stage.main, stage.of("half")
    on_main = ETH if MAPPED in (before, after) else BTC
    if on_main == ETH:
        main.buy("1", ETH, stop="2900", target="3200")
        main.bid("1", "2950", ETH)
    else:
        main.buy("0.1", stop="58000", target="62000")
        main.bid("0.1", "59000")
    stage.settle()
    stop = half.stop(symbol)
    assert (half.position(symbol), stop is not None) == (Decimal(holds), True)
    edited(stage, after)
    assert stage.parked("half") == [reason]
    assert half.orders(symbol) == [], "no entry of the old policy may fill"
    sent = len(stage.sent("half"))
    main.buy("0.5" if on_main == ETH else "0.05", on_main)
    main.protect(stop="2850" if on_main == ETH else "57500", symbol=on_main)
    stage.run(10_000)
    stage.restart()
    stage.run(10_000)
    assert (half.held(), half.stop(symbol)) == ({symbol: Decimal(holds)}, stop)
    assert len(stage.sent("half")) == sent, "never traded"
    assert Code.PARKED in {finding.code for finding in stage.audit()}
    assert stage.drift("half") == []
    main.close(on_main)
    for row in main.orders(on_main):
        main.cancel(row["orderId"], on_main)
    stage.run(10_000)
    assert half.held() == {symbol: Decimal(holds)}, "nor closed: nobody knows by which policy"
    half.close(symbol)
    stage.run(10_000)
    stage.settle()
    assert stage.parked("half") == []
    if on_main == ETH:
        main.buy("1", ETH, stop="2900", target="3200")
    else:
        main.buy("0.1", stop="58000", target="62000")
    stage.settle()
    here = BTC if after.map or on_main == BTC else ETH
    wanted = {ETH: "0.5", BTC: "0.025"}[here] if on_main == ETH else "-0.05" if after is REVERSE else "0.05"
    assert half.held() == {here: Decimal(wanted)}, "the next trade goes by the new policy"
    assert stage.of("quarter").held() == {on_main: Decimal("0.25" if on_main == ETH else "0.025")}


def test_flat_in_the_middle_of_mains_trade_it_waits_for_the_traders_yes() -> None:
    """The short of the old reverse is closed by hand while main holds on: nothing is opened until `sync --yes`."""
    stage = Stage(REVERSE)
    main, half = stage.main, stage.of("half")
    main.buy("0.1", stop="58000", target="62000")
    stage.settle()
    edited(stage, SAME)
    half.close()
    stage.run(10_000)
    assert half.held() == {}
    assert stage.parked("half") == []
    assert stage.held("half") == ["new store"]
    stage.command("sync")
    stage.settle()
    assert half.position() == Decimal("0.05")


def test_what_was_over_before_the_edit_is_closed() -> None:
    """Main closed while the mirror could not be reached; only then the policy changed."""
    stage = Stage(REVERSE)
    stage.main.buy("0.1", stop="58000", target="62000")
    stage.settle()
    stage.world.go_down("half")
    stage.main.close()
    stage.run(2_000)
    assert stage.of("half").position() == Decimal("-0.05")
    stage.world.come_back("half")
    edited(stage, SAME)
    stage.settle()
    assert stage.of("half").held() == {}
    assert stage.parked("half") == []


def test_changed_back_it_goes_on() -> None:
    stage = Stage(REVERSE)
    stage.main.buy("0.1", stop="58000", target="62000")
    stage.settle()
    edited(stage, SAME)
    edited(stage, REVERSE)
    stage.settle()
    assert stage.parked("half") == []
    stage.main.sell("0.04", reduceOnly=True)
    stage.settle()
    assert stage.of("half").position() == Decimal("-0.03")


@pytest.mark.proves("A14")
def test_the_hedge_policy_may_change_at_any_time() -> None:
    """It says what is done while both legs stand, so it holds from the restart on: frozen, net, then the long alone."""
    stage = Stage(SAME, hedged=("main",))
    stage.main.buy("0.1", idx=1, stop="58000")
    stage.settle()
    stage.main.sell("0.04", idx=2, stop="62000")
    stage.run(5_000)
    half = stage.of("half")
    assert (half.position(), stage.parked("half")) == (Decimal("0.05"), ["hedge"])
    for policy, size in ((Hedge.NET, "0.03"), (Hedge.SHORT_ONLY, "-0.02"), (Hedge.LONG_ONLY, "0.05")):
        edited(stage, copying("half", "0.5", follow=Follow(hedge=policy)))
        stage.settle()
        assert half.position() == Decimal(size)
