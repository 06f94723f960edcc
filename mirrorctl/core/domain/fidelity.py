"""Fidelity: what a mirror brought beside what it would have brought as main's exact copy, and what made the difference.

Per cycle of main, from the executions and closed-PnL records of both accounts (rule 15). With r the copy ratio,

    ideal = r x main's result          error = the mirror's result - ideal

and the error is told apart along the prices of the cycle. A path goes through every price at which main filled, and
every one at which the mirror filled alone. A fill of the mirror that has a fill of main in the same direction within a
minute is put at that point of the path; what it cost to be filled at another price is `latency`. Between two points,
each coin that the mirror holds more or less than r x main earns or loses the rise of the path: for less than one step
of quantity that is `rounding`, and what is beyond is put to what kept it away: `held`, `rejection`, `own_exit`. `fee`
is what it paid more than r x main's fees. So the parts and the named `rest` sum to the error by construction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum
from itertools import pairwise

from mirrorctl.core.domain.cycle import CycleKey
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.parks import IN_DOUBT, REFUSED
from mirrorctl.core.domain.refusals import NO_ANSWER
from mirrorctl.core.domain.statistics import CycleResult, Move
from mirrorctl.core.domain.values import PositionSide

PAIR_MS = 60_000
"""Within this time a fill of the mirror is that of main's fill. Bybit's times are of the matching engine, for both."""

_PLACES = Decimal("0.00000001")
_FOREVER = 1 << 62
_PARKED = "parked: "


class Part(StrEnum):
    """What made a difference. `rest`: later than a minute, changed by hand, more than wanted, or not known."""

    LATENCY = "latency"
    ROUNDING = "rounding"
    HELD = "held"
    REJECTION = "rejection"
    FEE = "fee"
    OWN_EXIT = "own_exit"
    REST = "rest"


@dataclass(frozen=True, slots=True)
class Followed:
    """How a mirror followed a cycle of main: under which symbol and side, and with which ratio.

    `multiplier`: the mirror's coins for one of main's. `began_ms` and `ended_ms` are of the cycle as it was watched.
    """

    symbol: str
    side: PositionSide
    source: CycleKey
    ratio: Decimal
    multiplier: Decimal
    began_ms: int
    ended_ms: int


@dataclass(frozen=True, slots=True)
class Hold:
    """A time in which growth of one side of the mirror was held back; `until_ms` None: it lasts."""

    symbol: str
    side: PositionSide
    reason: str
    from_ms: int
    until_ms: int | None


@dataclass(frozen=True, slots=True)
class Tracking:
    """One cycle of main on one mirror, in the settle coin. `symbol` and `side` are main's, `ratio` the copy's.

    `parts` sum to `error`.
    """

    symbol: str
    side: PositionSide
    opened_ms: int
    closed_ms: int
    ratio: Decimal
    main: Decimal
    ideal: Decimal
    pnl: Decimal
    parts: Mapping[Part, Decimal]

    @property
    def error(self) -> Decimal:
        """The mirror's result less the ideal one."""
        return self.pnl - self.ideal


@dataclass(frozen=True, slots=True)
class Fidelity:
    """All cycles of one mirror in a window. `unmeasured`: cycles of main that are over and cannot be compared.

    They were not watched, have no ratio or step, are cut by the window, still stand on the mirror, or cannot be told
    apart there.
    """

    cycles: Sequence[Tracking]
    unmeasured: int

    def total(self, part: Part) -> Decimal:
        return sum((cycle.parts[part] for cycle in self.cycles), ZERO)

    @property
    def ideal(self) -> Decimal:
        return sum((cycle.ideal for cycle in self.cycles), ZERO)

    @property
    def pnl(self) -> Decimal:
        return sum((cycle.pnl for cycle in self.cycles), ZERO)


def part_of(reason: str) -> Part:
    """What growth that was held for this reason counts as."""
    why = reason.removeprefix(_PARKED)
    if why.startswith("own exit"):
        return Part.OWN_EXIT
    if why.startswith("below minimum"):
        return Part.ROUNDING
    if why.startswith((REFUSED, IN_DOUBT, NO_ANSWER)) or "refused by the exchange" in why:
        return Part.REJECTION
    return Part.HELD


def fidelity_of(
    main: Sequence[CycleResult],
    mirror: Sequence[CycleResult],
    followed: Sequence[Followed],
    holds: Sequence[Hold],
    steps: Mapping[str, Decimal],
    *,
    joins_legs: bool = False,
) -> Fidelity:
    """Compare every cycle of main that is over. `steps`: the quantity step by the mirror's symbol.

    `joins_legs`: both legs of main make one position on the mirror, so cycles that overlap cannot be told apart.
    """
    over = [cycle for cycle in main if cycle.closed_ms is not None]
    found = []
    for cycle in over:
        how = _followed(cycle, followed)
        if how is None or not _is_whole(cycle) or (joins_legs and _has_other_leg(cycle, main)):
            continue
        copies = _copies(cycle, how, main, mirror)
        step = steps.get(how.symbol)
        if copies is None or step is None:
            continue
        found.append(_track(cycle, copies, how, [hold for hold in holds if _is_of(hold, how)], step))
    return Fidelity(found, len(over) - len(found))


def _is_whole(cycle: CycleResult) -> bool:
    return cycle.counts and cycle.opened_ms is not None and all(move.price is not None for move in cycle.moves)


def _is_of(hold: Hold, how: Followed) -> bool:
    return (hold.symbol, hold.side) == (how.symbol, how.side)


def _has_other_leg(cycle: CycleResult, main: Sequence[CycleResult]) -> bool:
    others = (other for other in main if other.symbol == cycle.symbol and other.side is not cycle.side)
    return any(_overlap(cycle, other) > 0 for other in others)


def _span(cycle: CycleResult) -> tuple[int, int]:
    return cycle.opened_ms or 0, _FOREVER if cycle.closed_ms is None else cycle.closed_ms


def _overlap(cycle: CycleResult, other: CycleResult) -> int:
    """How long both stood; negative: how long between them."""
    (began, ended), (start, end) = _span(cycle), _span(other)
    return min(ended, end) - max(began, start)


def _followed(cycle: CycleResult, followed: Iterable[Followed]) -> Followed | None:
    """How this cycle was followed: of what was watched of its symbol and side, what stood longest with it."""
    began, ended = _span(cycle)
    known = [
        (min(ended, how.ended_ms) - max(began, how.began_ms), how)
        for how in followed
        if how.source == (cycle.symbol, cycle.side) and how.ended_ms >= began and how.began_ms <= ended
    ]
    return max(known, key=lambda at: at[0])[1] if known else None


def _copies(
    cycle: CycleResult, how: Followed, main: Iterable[CycleResult], mirror: Iterable[CycleResult]
) -> list[CycleResult] | None:
    """The mirror's cycles that copied one of main; None where one of them is not over or belongs to another one too."""
    others = [o for o in main if o is not cycle and (o.symbol, o.side) == (cycle.symbol, cycle.side)]
    found = []
    for copy in mirror:
        shared = _overlap(cycle, copy)
        if (copy.symbol, copy.side) != (how.symbol, how.side) or shared < -PAIR_MS:
            continue
        rival = max((_overlap(other, copy) for other in others), default=-_FOREVER)
        if rival > 0 and shared > 0:
            return None
        if shared < rival:
            continue
        if not _is_whole(copy):
            return None
        found.append(copy)
    return found


@dataclass(slots=True)
class _Point:
    """One price of the path, and what both accounts changed there, in the mirror's coins.

    `asked`: what the mirror should have changed for it and did not do yet.
    """

    at_ms: int
    price: Decimal
    main: Decimal = ZERO
    mirror: Decimal = ZERO
    asked: Decimal = ZERO


@dataclass(slots=True)
class _Sums:
    """Parts in the making."""

    parts: dict[Part, Decimal] = field(default_factory=lambda: dict.fromkeys(Part, ZERO))

    def add(self, part: Part, amount: Decimal) -> None:
        self.parts[part] += amount


def _track(
    cycle: CycleResult, copies: Sequence[CycleResult], how: Followed, holds: Sequence[Hold], step: Decimal
) -> Tracking:
    moves = [move for copy in copies for move in copy.moves]
    sign = how.side.sign
    sums = _Sums()
    path = _path(cycle, moves, how, step, sums)
    exits = [move.at_ms for move in moves if move.own_exit]
    held = wanted = ZERO
    for point, after in pairwise(path):
        held, wanted = held + point.mirror, wanted + point.main * how.ratio
        rounded = _floor(wanted, step)
        rise = sign * (after.price - point.price)
        sums.add(Part.ROUNDING, (rounded - wanted) * rise)
        if held != rounded:
            why = _why(held < rounded, point.at_ms, after.at_ms, holds, exits)
            sums.add(why, (held - rounded) * rise)
    fees = sum((move.fee for move in cycle.moves), ZERO)
    paid = sum((move.fee for move in moves), ZERO)
    sums.add(Part.FEE, how.ratio * fees - paid)
    ideal = (sign * cycle.side.sign * how.ratio * (cycle.pnl + fees) - how.ratio * fees).quantize(_PLACES)
    pnl = sum((copy.pnl for copy in copies), ZERO)
    parts = {part: amount.quantize(_PLACES) + ZERO for part, amount in sums.parts.items()}  # a zero has no sign
    parts[Part.REST] += pnl - ideal - sum(parts.values(), ZERO)
    return Tracking(
        symbol=cycle.symbol,
        side=cycle.side,
        opened_ms=cycle.opened_ms or 0,
        closed_ms=cycle.closed_ms or 0,
        ratio=how.ratio,
        main=cycle.pnl,
        ideal=ideal,
        pnl=pnl,
        parts=parts,
    )


def _path(cycle: CycleResult, moves: Iterable[Move], how: Followed, step: Decimal, sums: _Sums) -> list[_Point]:
    """The points in the order of time; what fills at another price than its point's is put to latency.

    A mirror follows in order: a fill of it is that of the first of main's fills that still asks for as much.
    """
    points = list(_points(cycle, how, step))
    alone = []
    for move in sorted(moves, key=lambda move: move.at_ms):
        near = [point for point in points if point.main * move.qty > ZERO and abs(point.at_ms - move.at_ms) <= PAIR_MS]
        if not near:
            alone.append(_Point(move.at_ms, _price(move), mirror=move.qty))
            continue
        nearest = min(near, key=lambda point: abs(point.at_ms - move.at_ms))
        left = move.qty
        for point in near:
            taken = min(abs(left), point.asked).copy_sign(left)
            point.asked -= abs(taken)
            left -= taken
            _fill(point, taken, move, how, sums)
        _fill(nearest, left, move, how, sums)
    return sorted([*points, *alone], key=lambda point: point.at_ms)


def _points(cycle: CycleResult, how: Followed, step: Decimal) -> Iterator[_Point]:
    """Main's fills, each with what it asks of the mirror."""
    wanted = before = ZERO
    for move in cycle.moves:
        wanted += move.qty * how.multiplier * how.ratio
        rounded = _floor(wanted, step)
        price = _price(move) / how.multiplier
        yield _Point(move.at_ms, price, main=move.qty * how.multiplier, asked=abs(rounded - before))
        before = rounded


def _fill(point: _Point, qty: Decimal, move: Move, how: Followed, sums: _Sums) -> None:
    point.mirror += qty
    sums.add(Part.LATENCY, -how.side.sign * qty * (_price(move) - point.price))


def _floor(qty: Decimal, step: Decimal) -> Decimal:
    return (qty / step).to_integral_value(ROUND_DOWN) * step


def _price(move: Move) -> Decimal:
    return move.price or ZERO  # only whole cycles come here: every move has one


def _why(lacks: bool, from_ms: int, until_ms: int, holds: Iterable[Hold], exits: Iterable[int]) -> Part:
    """What keeps a mirror from what it should hold between two points: the hold that lasted longest of that time."""
    if not lacks:
        return Part.REST
    spans = list(_spans(from_ms, until_ms, holds))
    if spans:
        return part_of(max(spans)[1])
    return Part.OWN_EXIT if any(at <= from_ms for at in exits) else Part.REST


def _spans(from_ms: int, until_ms: int, holds: Iterable[Hold]) -> Iterator[tuple[int, str]]:
    for hold in holds:
        shared = min(until_ms, until_ms if hold.until_ms is None else hold.until_ms) - max(from_ms, hold.from_ms)
        if shared > 0:
            yield shared, hold.reason
