"""The take-profit ladder: how one position is spread over its rungs, on main and on every mirror (A30, A31, A37).

Pure arithmetic that never raises: for any position it says which rungs rest with how much. The rules, in order:

1. Rung boundaries are floor_to_step(Q × cumulative weight ÷ whole weight), where Q is what is held plus what the rungs
   given have filled; the last rung takes the rest. So a partly filled rung counts its filled part, and fills of the
   ladder's own orders move no boundary.
2. From the outermost rung inwards: a rung under the minimum joins the rung nearer to entry. If the first is under it,
   it joins the next. One rung left: the first rung's price, everything.
3. A rung that filled more than its share (the position shrank meanwhile) counts as done; what is held is spread over
   the others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal

from mirrorctl.core.domain.frozen import value
from mirrorctl.core.domain.instruments import ZERO, Instrument
from mirrorctl.core.domain.trade import Trade


@value(frozen=True, slots=True)
class Rung:
    """One take-profit. `key` is the 8-character step of its orders' link ids, `leg` their leg.

    Only the proportions of weights count. `order_id` is main's order it was read off; empty for a stored one. `note`
    says how it came to its price where that is not main's.
    """

    key: str
    leg: int
    price: Decimal
    weight: Decimal
    order_id: str = ""
    note: str = ""


@value(frozen=True, slots=True)
class Ladder:
    """`rungs` nearest to entry first. `whole_weight` is what 100% of the position weighs.

    A stored ladder weighs in percent and covers everything but what an adopted position leaves uncovered. One read off
    main weighs in main's quantities and may cover less than main's position, or more.
    """

    rungs: tuple[Rung, ...]
    whole_weight: Decimal


@value(frozen=True, slots=True)
class RungOrder:
    """What should rest for one rung now: `open_qty` beside what the rung has filled already."""

    key: str
    leg: int
    price: Decimal
    open_qty: Decimal
    order_id: str = ""
    note: str = ""


def stored_ladder(trade: Trade) -> Ladder:
    """The ladder of a trade as it was given, none of it done."""
    rungs = tuple(
        Rung(trade.rung_key(leg), leg, target.price, target.percent, target.order_id)
        for leg, target in enumerate(trade.targets)
    )
    return Ladder(rungs, _weight(rungs) + trade.uncovered)


def without(ladder: Ladder, done: Collection[str]) -> Ladder:
    """The rungs left when those in `done` are gone, with what they weighed: they never come back (A37)."""
    if not done:
        return ladder
    left = tuple(rung for rung in ladder.rungs if rung.key not in done)
    gone = _weight(ladder.rungs) - _weight(left)
    return Ladder(left, ladder.whole_weight - gone)


def spread(
    ladder: Ladder, have: Decimal, filled: Mapping[str, Decimal], instrument: Instrument
) -> tuple[RungOrder, ...]:
    """What should rest for a position of `have`, nearest to entry first; rungs with nothing to rest are left out.

    `filled`: what each rung, by its key, has filled on this account. The open quantities sum to `have` exactly where
    the ladder covers everything, and never to more. A ladder that covers less and whose share is under the minimum
    rests nothing: the exchange would refuse it.
    """
    if have <= ZERO:
        return ()
    while True:
        parts = _join(_cut(ladder, have, filled, instrument), instrument)
        overfilled = {key for part in parts if part.open_qty < ZERO for key in part.keys}
        if not overfilled:
            break
        ladder = without(ladder, overfilled)
    if len(parts) == 1 and parts[0].qty < have and parts[0].is_small(instrument):
        return ()
    return tuple(part.order() for part in parts if part.open_qty > ZERO)


@value(frozen=True, slots=True)
class _Part:
    """A rung with its share, and with the shares and fills of those that joined it."""

    rung: Rung
    qty: Decimal
    filled: Decimal
    keys: tuple[str, ...]

    @property
    def open_qty(self) -> Decimal:
        return self.qty - self.filled

    def is_small(self, instrument: Instrument) -> bool:
        return not instrument.meets_minimum(self.qty, self.rung.price)

    def joined_by(self, other: _Part) -> _Part:
        return _Part(self.rung, self.qty + other.qty, self.filled + other.filled, self.keys + other.keys)

    def order(self) -> RungOrder:
        rung = self.rung
        return RungOrder(rung.key, rung.leg, rung.price, self.open_qty, rung.order_id, rung.note)


def _cut(ladder: Ladder, have: Decimal, filled: Mapping[str, Decimal], instrument: Instrument) -> list[_Part]:
    held = have + sum((filled.get(rung.key, ZERO) for rung in ladder.rungs), ZERO)
    parts: list[_Part] = []
    weight = before = ZERO
    for rung in ladder.rungs:
        weight += rung.weight
        reached = weight >= ladder.whole_weight
        boundary = held if reached else instrument.floor_qty(held * weight / ladder.whole_weight)
        parts.append(_Part(rung, boundary - before, filled.get(rung.key, ZERO), (rung.key,)))
        before = boundary
    return parts


def _join(parts: list[_Part], instrument: Instrument) -> list[_Part]:
    """A small rung is judged by its whole share, filled or not: so fills alone never change which rungs stand."""
    if len(parts) < 2:
        return parts
    first = parts[0].rung
    for near in range(len(parts) - 2, -1, -1):
        if parts[near + 1].is_small(instrument):
            parts[near : near + 2] = [parts[near].joined_by(parts[near + 1])]
    if len(parts) > 1 and parts[0].is_small(instrument):
        parts[:2] = [parts[1].joined_by(parts[0])]
    if len(parts) == 1:
        only = parts[0]
        parts = [_Part(first, only.qty, only.filled, only.keys)]
    return parts


def _weight(rungs: tuple[Rung, ...]) -> Decimal:
    return sum((rung.weight for rung in rungs), ZERO)
