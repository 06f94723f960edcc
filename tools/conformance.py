"""docs/conformance.md: what every kind of mirror makes of every kind of order on main, as the simulation shows it.

Each scenario runs on the paper exchange's core with the engine unmodified; the page is what came to stand. The test
in tests/simulation/test_conformance.py fails when the page differs, and checks the sizes by rule as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.policy import Direction, Follow, Hedge, MappedSymbol, MirrorPolicy
from mirrorctl.core.simulation.stage import Stage, copying
from mirrorctl.core.simulation.trader import Trader

BTC, ETH = "BTCUSDT", "ETHUSDT"
LONG, SHORT = 1, 2
TIMES = Decimal(20)
HALF = Decimal("0.5")
DELAY_MS = 2_000
_ON_ONE_STAGE = 4
STOP, TARGET = "57000", "63000"

MIRRORS: dict[str, MirrorPolicy] = {
    "one-way": copying("one-way", "0.5"),
    "hedge": copying("hedge", "0.5"),
    "reverse": copying("reverse", "0.5", follow=Follow(direction=Direction.REVERSE)),
    "net": copying("net", "0.5", follow=Follow(hedge=Hedge.NET)),
    "long-only": copying("long-only", "0.5", follow=Follow(hedge=Hedge.LONG_ONLY)),
    "mapped": replace(copying("mapped", "0.5"), map={BTC: MappedSymbol(ETH, TIMES)}),
    "delayed": copying("delayed", "0.5", follow=Follow(delay_s=Decimal(DELAY_MS) / 1000)),
}


@dataclass
class Desk:
    """Main's hand, on its one position or on its long leg."""

    stage: Stage
    hedged: bool
    steps: list[str] = field(default_factory=list)

    @property
    def main(self) -> Trader:
        return self.stage.main

    @property
    def idx(self) -> int:
        return LONG if self.hedged else 0

    def enter(self, qty: str = "0.1", price: str = "", **more: Any) -> str:
        """A buy that carries stop and target."""
        carried = {"idx": self.idx, "stop": STOP, "target": TARGET, **more}
        return self.main.bid(qty, price, **carried) if price else self.main.buy(qty, **carried)

    def leave(self, qty: str, price: str = "") -> str:
        """A reduce-only sell."""
        more: dict[str, Any] = {"idx": self.idx, "reduceOnly": True}
        return self.main.offer(qty, price, **more) if price else self.main.sell(qty, **more)

    def move_to(self, price: str) -> None:
        """The price of both contracts, which are the same coin here."""
        self.stage.price(price, BTC)
        self.stage.price(plain(Decimal(price) / TIMES), ETH)


Script = Callable[[Desk], Iterator[str]]


def _market(desk: Desk) -> Iterator[str]:
    desk.enter()
    yield "filled"


def _resting(**more: Any) -> Script:
    def script(desk: Desk) -> Iterator[str]:
        desk.enter("0.1", "59500", **more)
        yield "rests"
        desk.move_to("59499")
        yield "filled"

    return script


def _at_once(tif: str) -> Script:
    def script(desk: Desk) -> Iterator[str]:
        desk.enter("0.1", "60100", timeInForce=tif)
        yield "filled"

    return script


def _conditional(price: str = "") -> Script:
    def script(desk: Desk) -> Iterator[str]:
        desk.enter("0.1", price, triggerPrice="60500", triggerDirection=1)
        yield "waits"
        desk.move_to("60501")
        yield "triggered"

    return script


def _amend(desk: Desk) -> Iterator[str]:
    order = desk.enter("0.1", "59000")
    yield "rests"
    desk.main.amend(order, price="59500", qty="0.2")
    yield "amended"
    desk.move_to("59499")
    yield "filled"


def _cancel(desk: Desk) -> Iterator[str]:
    order = desk.enter("0.1", "59000")
    yield "rests"
    desk.main.cancel(order)
    yield "cancelled"


def _partly(desk: Desk) -> Iterator[str]:
    order = desk.enter("0.1", "59900")
    yield "rests"
    desk.main.fill(order, "0.04")
    desk.stage.run(6_000)  # longer than grace_s: what a twin lacks is ordered
    yield "0.04 filled"
    desk.main.cancel(order)
    yield "cancelled"


def _add(desk: Desk) -> Iterator[str]:
    desk.enter()
    yield "filled"
    desk.enter("0.06")
    yield "added"


def _rung(desk: Desk) -> Iterator[str]:
    desk.enter()
    desk.leave("0.04", "60500")
    yield "rests"
    desk.move_to("60501")
    yield "filled"


def _reduce(desk: Desk) -> Iterator[str]:
    desk.enter()
    yield "filled"
    desk.leave("0.04")
    yield "reduced"
    desk.leave("0.06")
    yield "closed"


def _flip(desk: Desk) -> Iterator[str]:
    desk.enter()
    yield "long"
    if desk.hedged:
        desk.leave("0.1")
        desk.main.sell("0.06", idx=SHORT, stop=TARGET, target=STOP)
    else:
        desk.main.sell("0.16", stop=TARGET, target=STOP)
    yield "short"


def _both_legs(desk: Desk) -> Iterator[str]:
    desk.enter()
    yield "long"
    desk.main.sell("0.04", idx=SHORT, stop=TARGET, target=STOP)
    yield "short beside it"
    desk.leave("0.1")
    yield "long closed"


def _attached(desk: Desk) -> Iterator[str]:
    desk.enter("0.1", "59500")
    yield "rests"
    desk.move_to("59499")
    yield "filled"


def _moved(desk: Desk) -> Iterator[str]:
    desk.enter()
    yield "filled"
    desk.main.protect(stop="58000", target="62000", idx=desk.idx)
    yield "moved"
    desk.move_to("57999")
    yield "stopped"


def _partial_target(desk: Desk) -> Iterator[str]:
    desk.enter()
    desk.main._post(
        "/v5/position/trading-stop",
        symbol=BTC,
        tpslMode="Partial",
        positionIdx=desk.idx,
        takeProfit="60500",
        tpSize="0.04",
    )
    yield "stands"
    desk.move_to("60501")
    yield "filled"


def _trailing(desk: Desk) -> Iterator[str]:
    desk.enter()
    yield "filled"
    desk.main.protect(idx=desk.idx, trailingStop="400")
    yield "set"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of order. `bound`: stops and targets of the position are part of what is shown."""

    name: str
    script: Script
    bound: bool = False
    modes: tuple[bool, ...] = (False, True)


KINDS = (
    Kind("market entry", _market),
    Kind("limit entry", _resting()),
    Kind("post-only entry", _resting(timeInForce="PostOnly")),
    Kind("IOC limit entry", _at_once("IOC")),
    Kind("FOK limit entry", _at_once("FOK")),
    Kind("conditional market entry", _conditional()),
    Kind("conditional limit entry", _conditional("60600")),
    Kind("entry amended", _amend),
    Kind("entry cancelled", _cancel),
    Kind("entry filled in part, then cancelled", _partly),
    Kind("add", _add),
    Kind("reduce-only limit (target)", _rung),
    Kind("reduced, then closed at market", _reduce),
    Kind("flip", _flip),
    Kind("both legs", _both_legs, modes=(True,)),
    Kind("attached stop and target", _attached, bound=True),
    Kind("stop and target moved, stop hit", _moved, bound=True),
    Kind("Partial take-profit", _partial_target, bound=True),
    Kind("trailing stop", _trailing, bound=True),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What stood after one step: on main, and for each mirror in words and as signed sizes (long, short)."""

    kind: str
    step: str
    hedged: bool
    main: str
    main_legs: tuple[Decimal, Decimal]
    mirrors: dict[str, str]
    legs: dict[str, tuple[Decimal, Decimal]]


def run(hedged: bool) -> list[Seen]:
    """Every scenario for a one-way or a hedged main; a few one after the other on each stage."""
    found: list[Seen] = []
    kinds = [kind for kind in KINDS if hedged in kind.modes]
    for place, kind in enumerate(kinds):
        if not place % _ON_ONE_STAGE:
            stage = Stage(*MIRRORS.values(), hedged=("main", "hedge") if hedged else ("hedge",))
            desk = Desk(stage, hedged)
        for step in kind.script(desk):
            _rest(stage)
            found.append(_look(stage, kind, step, hedged))
        _clear(desk)
    return found


def _rest(stage: Stage) -> None:
    """Until every account is in step, or lacks only what is parked."""
    stage.run(DELAY_MS + 1_500)
    stage.until(lambda: stage.converged() or bool(stage.status()["parked"]))


def page() -> str:
    """The whole page."""
    return _HEAD + "".join(section(run(hedged)) for hedged in (False, True))


def section(rows: Sequence[Seen]) -> str:
    """The table for one position mode of main."""
    mode = "hedge" if rows[0].hedged else "one-way"
    lines = [f"\n## Main in {mode} mode\n", "| order on main | step | main | " + " | ".join(MIRRORS) + " |"]
    lines.append("|---" * (3 + len(MIRRORS)) + "|")
    before = ""
    for seen in rows:
        cells = [seen.kind if seen.kind != before else "", seen.step, seen.main, *seen.mirrors.values()]
        lines.append("| " + " | ".join(cells) + " |")
        before = seen.kind
    return "\n".join(lines) + "\n"


def followed(name: str, legs: tuple[Decimal, Decimal], had: tuple[Decimal, Decimal]) -> tuple[Decimal, Decimal]:
    """What a mirror shall hold (long, short) by rule when main holds `legs`; `had`: what it held a step before."""
    long, short = (size * HALF for size in legs)
    both = bool(long and short)
    if both and name in ("one-way", "reverse", "mapped", "delayed"):
        return had  # frozen
    if both and name == "net":
        long, short = max(long + short, Decimal(0)), min(long + short, Decimal(0))
    if both and name == "long-only":
        short = Decimal(0)
    if name == "reverse":
        return -short, -long
    return (long * TIMES, short * TIMES) if name == "mapped" else (long, short)


def _look(stage: Stage, kind: Kind, step: str, hedged: bool) -> Seen:
    mirrors, legs = {}, {}
    for name in MIRRORS:
        symbol = ETH if name == "mapped" else BTC
        told = [f"held: {reason}" for reason in dict.fromkeys(stage.held(name))]
        told += [f"parked: {reason}" for reason in stage.parked(name)]
        mirrors[name] = ", ".join([_shown(stage.of(name), symbol, kind.bound), *told])
        legs[name] = _legs(stage.of(name), symbol)
    main = _shown(stage.main, BTC, kind.bound)
    return Seen(kind.name, step, hedged, main, _legs(stage.main, BTC), mirrors, legs)


def _legs(trader: Trader, symbol: str) -> tuple[Decimal, Decimal]:
    held = [trader.position(symbol, idx) for idx in (0, LONG, SHORT)]
    return sum((size for size in held if size > 0), Decimal(0)), sum((size for size in held if size < 0), Decimal(0))


def _shown(trader: Trader, symbol: str, bound: bool) -> str:
    """Positions with a sign, resting orders in words; with `bound` also what is bound to a position."""
    parts = []
    for idx in (0, LONG, SHORT):
        size = trader.position(symbol, idx)
        if not size:
            continue
        parts.append(f"**{'+' if size > 0 else '−'}{plain(abs(size))}**")
        if bound:
            row = trader._row(symbol, idx)
            for name, key in (("stop", "stopLoss"), ("target", "takeProfit"), ("trailing", "trailingStop")):
                if row[key] and Decimal(row[key]):
                    parts.append(f"{name} {plain(Decimal(row[key]))}")
    parts += [_order(row, bound) for row in trader.orders(symbol)]
    return ", ".join(parts) or "flat"


def _order(row: dict[str, Any], bound: bool) -> str:
    words = ["exit" if row["reduceOnly"] else "entry", plain(Decimal(row["leavesQty"]))]
    if row["orderStatus"] == "Untriggered":
        words += ["when", plain(Decimal(row["triggerPrice"]))]
    if Decimal(row["price"] or 0):
        words += ["at", plain(Decimal(row["price"]))]
    if bound and row["stopLoss"] and Decimal(row["stopLoss"]):
        words += ["with stop", plain(Decimal(row["stopLoss"]))]
    return " ".join(words)


def _clear(desk: Desk) -> None:
    """Main is flat, without orders and at 60000 again; so is every mirror before the next scenario."""
    stage, main = desk.stage, desk.main
    for row in main.orders(BTC):
        main.cancel(row["orderId"])
    for idx in (0, LONG, SHORT):
        size = main.position(BTC, idx)
        if size:
            (main.sell if size > 0 else main.buy)(str(abs(size)), idx=idx, reduceOnly=True)
    stage.run(2_000)
    desk.move_to("60000")
    stage.settle()
    left = {name: stage.of(name).held() for name in MIRRORS if stage.of(name).held()}
    if left:
        raise AssertionError(f"not flat: {left}")


_HEAD = """# What every kind of mirror makes of every kind of order

<!-- generated by `make docs` from tools/conformance.py: do not edit -->

Each row is a step on main, and what stands on it and on seven mirrors once every account is in step, as the simulation
shows it with the engine unmodified. All mirrors copy 0.5 of main. "hedge" is a mirror in hedge mode, the others are
one-way; "mapped" trades ETHUSDT for main's BTCUSDT, 20 of its coins for one of main's at a twentieth of the price;
"delayed" follows growth 2 s later. Main's entries carry a stop at 57000 and a target at 63000 unless a row says
otherwise.

**+0.05** is a long, **−0.05** a short. "entry" and "exit" are resting orders (an exit is reduce-only), "when" a trigger
price. Stops and targets of positions are shown where the row is about them. A reverse mirror has no orders for main's:
what fills is followed, main's stop is its target and main's furthest target its stop.
"""
