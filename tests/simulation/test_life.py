"""The scripted life of a trade: three entries, an add, targets filled in part and in full, breakeven, the stop.

For a long and a short, a one-way and a hedged main, with two mirrors; a trade that mirrorctl manages and one made
elsewhere by hand. After every step it is known exactly what stands on each account, and a further sync sends nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest

from mirrorctl.core.domain.actions import AmendOrder
from mirrorctl.core.domain.approach import LIMIT, MARKET, Approach
from mirrorctl.core.domain.ids import parse
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.simulation.stage import Stage
from tests.simulation.hand import Hand

GRACE_MS = 5_000
STEP = Decimal("0.001")
LONG, SHORT = PositionSide.LONG, PositionSide.SHORT

# After each step: size | targets | entries | stop | phase. BE is breakeven, computed from what the exchange recorded.
STANDS = {
    "opened": {
        "main": "0.06 | 61000:0.03 62000:0.018 63000:0.012 | 59500:0.06 59000:0.06 | 57000 | building",
        "half": "0.03 | 61000:0.015 62000:0.009 63000:0.006 | 59500:0.03 59000:0.03 | 57000 | building",
        "quarter": "0.015 | 61000:0.007 62000:0.005 63000:0.003 | 59500:0.015 59000:0.015 | 57000 | building",
    },
    "second entry": {
        "main": "0.12 | 61000:0.06 62000:0.036 63000:0.024 | 59000:0.06 | 57000 | building",
        "half": "0.06 | 61000:0.03 62000:0.018 63000:0.012 | 59000:0.03 | 57000 | building",
        "quarter": "0.03 | 61000:0.015 62000:0.009 63000:0.006 | 59000:0.015 | 57000 | building",
    },
    "added": {
        "main": "0.18 | 61000:0.09 62000:0.054 63000:0.036 | 59000:0.06 | 57000 | building",
        "half": "0.09 | 61000:0.045 62000:0.027 63000:0.018 | 59000:0.03 | 57000 | building",
        "quarter": "0.045 | 61000:0.022 62000:0.014 63000:0.009 | 59000:0.015 | 57000 | building",
    },
    "first target partly": {
        "main": "0.15 | 61000:0.06 62000:0.054 63000:0.036 | 59000:0.06 | 57000 | building",
        "half": "0.075 | 61000:0.03 62000:0.027 63000:0.018 | 59000:0.03 | 57000 | building",
        "quarter": "0.037 | 61000:0.014 62000:0.014 63000:0.009 | 59000:0.015 | 57000 | building",
    },
    "first target": {
        "main": "0.09 | 62000:0.054 63000:0.036 | - | BE | profit-taking",
        "half": "0.045 | 62000:0.027 63000:0.018 | - | BE | profit-taking",
        "quarter": "0.022 | 62000:0.013 63000:0.009 | - | BE | profit-taking",
    },
    "second target": {
        "main": "0.036 | 63000:0.036 | - | BE | profit-taking",
        "half": "0.018 | 63000:0.018 | - | BE | profit-taking",
        "quarter": "0.009 | 63000:0.009 | - | BE | profit-taking",
    },
    "stopped": dict.fromkeys(("main", "half", "quarter"), "0 | - | - | no stop | closed"),
}


THIRDS = Approach(
    "thirds",
    (MARKET, LIMIT, LIMIT),
    (Decimal(50), Decimal(30), Decimal(20)),
    breakeven_after=1,
    cancel_entries_after=1,
)


class Way(StrEnum):
    """How the trade comes to be: by `trade open`; as its record in the store and orders say; by the trader's hand."""

    COMMAND = "command"
    RECORD = "record"
    HAND = "hand"


@dataclass(frozen=True)
class Setting:
    side: PositionSide
    hedged: bool
    way: Way

    @property
    def managed(self) -> bool:
        return self.way is not Way.HAND

    def __str__(self) -> str:
        return f"{self.side}-{'hedged' if self.hedged else 'one-way'}-{self.way}"


SETTINGS = [
    Setting(side, hedged, way) for side in PositionSide for hedged in (False, True) for way in (Way.COMMAND, Way.HAND)
]
SOME = [
    Setting(LONG, False, Way.RECORD),
    Setting(LONG, True, Way.HAND),
    Setting(SHORT, False, Way.HAND),
    Setting(SHORT, True, Way.RECORD),
]


class Life:
    """One life, step by step. What nobody else does for a trade made by hand, the hand does."""

    def __init__(self, setting: Setting, *, crash_at: int = 0, crash_after: bool = False) -> None:
        self.setting = setting
        hedged = ("main",) if setting.hedged else ()
        self.stage = Stage(hedged=hedged, start=False, approaches={THIRDS.name: THIRDS})
        self.stage.world.crash_at, self.stage.world.crash_after = crash_at, crash_after
        self.stage.start()
        self.stage.run(3_000)
        self.hand = Hand(self.stage, setting.side, hedged=setting.hedged)
        self.exits: list[str] = []
        self.breakeven = ""

    def steps(self) -> Iterator[tuple[str, Callable[[], None]]]:
        yield "opened", self.open
        yield "second entry", self.second_entry
        yield "added", self.add
        yield "first target partly", self.first_target_partly
        yield "first target", self.first_target
        yield "second target", lambda: self.hand.market("62001")
        yield "stopped", lambda: self.hand.market("59600")

    def open(self) -> None:
        hand = self.hand
        if self.setting.way is Way.COMMAND:
            targets = [{"price": hand.at(price)} for price in ("61000", "62000", "63000")]
            self.command(
                qty="0.18", entries=[hand.at("59500"), hand.at("59000")], stop=hand.at("57000"), targets=targets
            )
            return
        legs: Sequence[int | None] = (None, None, None)
        if self.setting.way is Way.RECORD:
            legs = (0, 1, 2)
            hand.trade("61000:50 62000:30 63000:20", stop="57000")
        for leg, price in zip(legs, ("", "59500", "59000"), strict=True):
            hand.enter("0.06", price, stop="57000", leg=leg)
        if self.setting.way is Way.HAND:
            pairs = (("0.03", "61000"), ("0.018", "62000"), ("0.012", "63000"))
            self.exits = [hand.reduce(qty, price) for qty, price in pairs]

    def command(self, **args: Any) -> None:
        approach = {"approach": THIRDS.name} if "targets" in args else {}
        self.stage.command("trade.open", symbol="BTCUSDT", side=self.setting.side.value, wait_s="0", **approach, **args)

    def second_entry(self) -> None:
        self.hand.market("59500")
        self.resize("0.06", "0.036", "0.024")

    def add(self) -> None:
        if self.setting.way is Way.COMMAND:
            self.command(qty="0.06")
        else:
            self.hand.enter("0.06", leg=3 if self.setting.way is Way.RECORD else None)
        self.resize("0.09", "0.054", "0.036")

    def first_target_partly(self) -> None:
        """It fills on main alone: the mirrors are caught up after the grace."""
        self.stage.main.fill(self.hand.rung("main", "61000"), "0.03")
        self.stage.run(GRACE_MS + 1_000)

    def first_target(self) -> None:
        self.hand.market("61001")
        self.stage.run(100)
        self.breakeven = self.hand.breakeven()
        if not self.setting.managed:
            self.stage.main.cancel(self.hand.entry("main", "59000")["orderId"])
            self.stage.run(100)
            self.hand.protect(self.breakeven)

    def resize(self, *sizes: str) -> None:
        """By hand: the targets of a larger position."""
        self.stage.run(100)
        if not self.setting.managed:
            for order_id, qty in zip(self.exits, sizes, strict=True):
                self.hand.move(order_id, qty=qty)

    def check(self, step: str) -> None:
        for name in STANDS[step]:
            shown = self.hand.shown(name)
            assert shown == self.wanted(name, step), f"{name}, {step}: {shown}"

    def wanted(self, name: str, step: str) -> str:
        return STANDS[step][name].replace("BE", self.breakeven)

    def bought(self, name: str) -> Decimal:
        """What was ever entered on an account."""
        rows = self.hand.of(name).fills()
        return sum((Decimal(row["execQty"]) - Decimal(row["closedSize"]) for row in rows), Decimal(0))

    def check_end(self) -> None:
        """Nothing of ours is left, main is as its own hand left it, and no id went out twice."""
        for name in ("main", "half", "quarter"):
            assert [row for row in self.hand.of(name).orders() if parse(row["orderLinkId"])] == []
            links = [order.link_id for order in self.stage.placed(name)]
            assert len(links) == len(set(links))
        if not self.setting.managed:
            assert self.stage.sent("main") == [], "a trade made elsewhere is never touched"


@pytest.mark.proves("A31", "A33")
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_a_life_from_the_first_entry_to_the_stop(setting: Setting) -> None:
    life = Life(setting)
    for step, act in life.steps():
        act()
        life.hand.silent()
        life.check(step)
    life.check_end()


@pytest.mark.proves("A43", "A27")
@pytest.mark.parametrize("setting", SOME, ids=str)
def test_killed_between_every_two_steps_the_life_is_the_same(setting: Setting) -> None:
    """The process dies right after each deed, before anything of it is carried out, and again once all of it is."""
    life = Life(setting)
    for step, act in life.steps():
        act()
        life.stage.restart()
        life.stage.run(8_000)
        life.stage.settle()
        life.stage.restart()
        life.hand.silent()
        life.check(step)
    life.check_end()


@pytest.mark.proves("A44", "A42")
@pytest.mark.parametrize("setting", SOME, ids=str)
def test_with_a_new_store_after_every_step_the_life_is_the_same(setting: Setting) -> None:
    """Rungs that are done do not come back, stops stay, and the phase is read off the exchange alone.

    The ratio of the odd mirror is the one observed, its rounding to a step included: so are its sizes.
    """
    life = Life(setting)
    for step, act in life.steps():
        act()
        life.hand.silent()
        sent = len(life.stage.sent())
        life.stage.restart(new_store=True)
        life.hand.silent()
        again = life.stage.sent()[sent:]
        assert {(row.account, type(row.action)) for row in again} <= {("quarter", AmendOrder)}, f"{step}: {again}"
        for name in ("main", "half"):
            assert life.hand.shown(name) == life.wanted(name, step), f"{name}, {step}"
        size, *_, stop, phase = life.wanted("quarter", step).split(" | ")
        shown = life.hand.shown("quarter").split(" | ")
        assert (shown[-2], shown[-1]) == (stop, phase), step
        assert abs(life.hand.size("quarter") - Decimal(size)) <= STEP
        assert sum(qty for _, qty in life.hand.targets("quarter")) == life.hand.size("quarter")
    life.check_end()


OWN_FIRST = {
    "a target": {
        "own exit": "0.045 | 62000:0.027 63000:0.018 | 59000:0.03 | 57000 | profit-taking",
        "first target partly": "0.045 | 62000:0.027 63000:0.018 | 59000:0.03 | 57000 | profit-taking",
    },
    "a part of a target": {
        "own exit": "0.07 | 61000:0.025 62000:0.027 63000:0.018 | 59000:0.03 | 57000 | building",
        "first target partly": "0.07 | 61000:0.025 62000:0.027 63000:0.018 | 59000:0.03 | 57000 | building",
    },
    "the stop": dict.fromkeys(["own exit", *STANDS], "0 | - | - | no stop | closed"),
    "a liquidation": dict.fromkeys(["own exit", *STANDS], "0 | - | - | no stop | closed"),
}


@pytest.mark.proves("A76", "A37")
@pytest.mark.parametrize(
    ("restarted", "setting"),
    [("", SOME[3]), ("same store", SOME[0]), ("same store", SOME[2]), ("new store", SOME[1])],
    ids=str,
)
@pytest.mark.parametrize("what", OWN_FIRST)
def test_what_a_mirrors_own_exit_sold_first_is_never_bought_back(what: str, restarted: str, setting: Setting) -> None:
    """It happens after the add, on one mirror alone; main and the other mirror live on as ever."""
    life, own = Life(setting), ""
    for step, act in life.steps():
        act()
        life.hand.silent()
        if step == "added":
            exit_first(life, what)
            if restarted:
                life.stage.restart(new_store=restarted == "new store")
            life.hand.silent()
            own, bought = "own exit", life.bought("half")
        if not own:
            continue
        own = step if own != "own exit" else own
        for name in ("main", "quarter"):
            if restarted != "new store" or name == "main":
                assert life.hand.shown(name) == life.wanted(name, step), f"{name}, {step}"
        if restarted != "new store":
            assert life.hand.shown("half") == OWN_FIRST[what].get(own, life.wanted("half", step)), own
        assert life.bought("half") == bought, f"bought back, {step}"
        assert Decimal(61_000) not in dict(life.hand.targets("half")) or what == "a part of a target"
        own = "since"
    life.check_end()


def exit_first(life: Life, what: str) -> None:
    hand, half = life.hand, life.stage.of("half")
    if what == "a target":
        half.fill(hand.rung("half", "61000"), "0.045")
    elif what == "a part of a target":
        half.fill(hand.rung("half", "61000"), "0.02")
    elif what == "the stop":
        half.protect(stop=hand.at("59400"))
        hand.market("59400")
        life.stage.run(100)
        hand.market("60000")
    else:
        half.liquidate()


@pytest.mark.proves("A43", "A37")
@pytest.mark.parametrize("setting", SOME[:2], ids=str)
def test_killed_at_any_port_call_the_life_is_the_same(setting: Setting) -> None:
    """A sparse set of the calls of a whole life, before or after it took effect: reads, actions sent, rows written."""
    calm = Life(setting)
    live_through(calm)
    calls = len(calm.stage.world.calls)
    failures = []
    for number in range(5, calls + 1, 79):
        life = Life(setting, crash_at=number, crash_after=bool(number % 2))
        try:
            live_through(life)
        except AssertionError as error:
            failures.append(f"call {number} ({life.stage.world.calls[number - 1]}): {error}")
    assert not failures, f"{len(failures)} of {calls} calls:\n" + "\n".join(failures)


def live_through(life: Life) -> None:
    for step, act in life.steps():
        act()
        life.stage.run(8_000)  # long enough for a restart, its reads and a new grace
        life.stage.settle()
        life.check(step)
    life.stage.world.crash_at = 0
    life.hand.silent()
    life.check_end()
