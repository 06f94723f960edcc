"""The ladder of a mirror with an approach of its own: the approach's percentages, at prices read off main's targets.

Where main has as many targets as the approach has rungs, each rung stands at main's target of its place, the nearest
first. Where main has fewer, the rungs are spread evenly from main's average entry to its furthest target. Without any
target on main there is no rung: none is invented. Where a target of main's was filled, its rung stays where it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from mirrorctl.core.domain.approach import Approach
from mirrorctl.core.domain.cycle import Copy
from mirrorctl.core.domain.exits import Rested, cancel_target, rested
from mirrorctl.core.domain.instruments import ZERO, Instrument, plain
from mirrorctl.core.domain.ladder import Ladder, Rung, spread
from mirrorctl.core.domain.own_approach import rung_key, wanted
from mirrorctl.core.domain.rungs import RungBalance, holding_of, is_late
from mirrorctl.core.domain.scene import Scene, SymbolPlan
from mirrorctl.core.domain.values import PositionSide

TAKE_PROFIT = "position"  # the key of the take-profit bound to main's position

Places = tuple[tuple[str, Decimal], ...]


@dataclass(frozen=True, slots=True)
class Aims:
    """Main's targets: (key, price), nearest first, those that rest and those that were filled."""

    resting: Places
    filled: Places = ()

    def all(self, side: PositionSide) -> Places:
        """All of them, nearest first; of several at one price the first."""
        by_price = {price: key for key, price in reversed((*self.resting, *self.filled))}
        return tuple((by_price[price], price) for price in sorted(by_price, key=lambda price: price * side.sign))


def places(aims: Aims, entry: Decimal | None, rungs: int, side: PositionSide, instrument: Instrument) -> Places | None:
    """Where each of `rungs` rungs stands, by main's targets and its average entry; None while that cannot be told."""
    targets = aims.all(side)
    if not targets:
        return None
    if len(targets) >= rungs:
        return targets[:rungs]
    key, furthest = targets[-1]
    if entry is None:
        return None
    way = max((furthest - entry) * side.sign, ZERO) * side.sign
    start = furthest - way
    parts = (start + way * number / rungs for number in range(1, rungs + 1))
    return tuple((key, instrument.price_not_worse(price, side.exit)) for price in parts)


def own_ladder(copy: Copy, approach: Approach, side: PositionSide) -> Ladder:
    """The whole ladder as it was last written down, filled rungs included."""
    return Ladder(
        tuple(
            Rung(rung_key(copy, approach, leg), leg, price, percent, note=_note(copy.ladder, leg, side))
            for leg, ((_, price), percent) in enumerate(zip(copy.ladder, approach.targets, strict=False))
        ),
        sum(approach.targets, ZERO),
    )


def settle_own(scene: Scene, plan: SymbolPlan, side: PositionSide, copy: Copy, lead: Decimal) -> RungBalance:
    """What the mirror's own rungs shall rest with. When main went flat at their prices, they have the grace time."""
    holding = holding_of(scene, side, copy)
    standing = rested(holding)
    want = wanted(scene, side, copy, copy.raw_want(scene.main_size[side]))
    left = Ladder((), ZERO) if copy.ended else _left(scene, plan, side, copy)
    filled = {key: rung.filled for key, rung in standing.items()}
    shared = min(holding.size, scene.instrument.floor_qty(want + lead))
    balance = RungBalance(standing, {rung.key: rung for rung in spread(left, shared, filled, scene.instrument)})
    if want or scene.main_size[side]:
        return balance
    excess = scene.instrument.floor_qty(holding.size - lead)
    for key, rung in standing.items():
        behind = min(rung.open_qty, excess - balance.lag) if rung.live and _is_due(scene, side, rung) else ZERO
        if behind <= ZERO:
            continue
        balance.keep.add(key)
        if is_late(scene, plan, rung):
            cancel_target(holding, plan, rung, "main is flat: what is left is closed")
        else:
            balance.lag += behind
    return balance


def _left(scene: Scene, plan: SymbolPlan, side: PositionSide, copy: Copy) -> Ladder:
    """The rungs that were not filled yet and whose target main still has, or has filled."""
    approach = scene.approach
    if approach is None or not scene.have[side]:
        return Ladder((), ZERO)
    aims = _aims(scene, side, copy)
    row = scene.main.position(scene.symbol, side)
    entry = None if row is None else row.entry_price
    told = None
    if aims.resting:
        told = places(aims, entry, len(approach.targets), side, scene.instrument)
    now = copy.ladder if told is None else told
    if now != copy.ladder:
        plan.own_ladders[side] = now
    known = {key for key, _ in (*aims.resting, *aims.filled)}
    rungs, weight = [], ZERO
    for leg, percent in enumerate(approach.targets):
        name = rung_key(copy, approach, leg)
        if name in copy.done:
            continue
        weight += percent
        key, price = now[leg] if leg < len(now) else ("", ZERO)
        if key in known:
            rungs.append(Rung(name, leg, price, percent, _order_id(scene, side, key), _note(now, leg, side)))
    if weight and not rungs:
        _name_missing(scene, plan, side, approach)
    return Ladder(tuple(rungs), weight)


def _aims(scene: Scene, side: PositionSide, copy: Copy) -> Aims:
    """Main's targets as far as they are known: what rests, its take-profit, and filled ones that rungs stand for."""
    row = scene.main.position(scene.symbol, side)
    resting = [(rung.key, rung.price) for rung in scene.background.ladder(side).rungs]
    if row is not None and row.take_profit is not None:
        resting.append((TAKE_PROFIT, row.take_profit))
    done = scene.background.rungs_done(side)
    filled: dict[str, Decimal] = {}
    for key, price in copy.ladder:
        if key in done and (key not in filled or (price - filled[key]) * side.sign > 0):
            filled[key] = price
    return Aims(tuple(resting), tuple(filled.items()))


def _is_due(scene: Scene, side: PositionSide, rung: Rested) -> bool:
    """Whether main's last exit was at a rung's price or beyond: its own order may be filling this very moment."""
    last, price = scene.background.exit_fill(side), rung.order.price if rung.order is not None else None
    return last is not None and price is not None and (last.price - price) * side.sign >= 0


def _order_id(scene: Scene, side: PositionSide, key: str) -> str:
    return next((rung.order_id for rung in scene.background.ladder(side).rungs if rung.key == key), "")


def _note(ladder: Places, leg: int, side: PositionSide) -> str:
    """How a rung came to its price, where it is not main's own: several then share one target."""
    key = ladder[leg][0]
    if [other for other, _ in ladder].count(key) == 1:
        return ""
    furthest = max((price for _, price in ladder), key=lambda price: price * side.sign)
    return f"{leg + 1}/{len(ladder)} of the way to main's {plain(furthest)}"


def _name_missing(scene: Scene, plan: SymbolPlan, side: PositionSide, approach: Approach) -> None:
    """Main has no target to take a price from; while its position is young, one may be about to be placed."""
    row = scene.main.position(scene.symbol, side)
    opened_ms = scene.exchange_ms if row is None else row.opened_ms
    wait = opened_ms + int(scene.policy.follow.grace_s * 1000) - scene.exchange_ms
    if wait > 0:
        plan.wake_at(scene.now_ms + wait)
    else:
        plan.missing.append(f"main has no target: approach {approach.name} has no price for its own")
