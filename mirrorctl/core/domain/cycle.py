"""Cycles of main and what each mirror makes of them: ratio, cap, out, held.

A cycle is one main position from flat to flat, keyed (symbol, side); it begins with the entry order that will open it,
so its twins and its position share one ratio. A mirror fixes its copy ratio when the cycle begins and keeps it: no
equity, price or stop changes it (A77). What the mirror's own protective orders sold is never bought back (A76).
"""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_CEILING, Context, Decimal

from mirrorctl.core.domain.account import Order
from mirrorctl.core.domain.frozen import value
from mirrorctl.core.domain.instruments import ZERO, Instrument, plain
from mirrorctl.core.domain.sight import Sight
from mirrorctl.core.domain.sizing import shown
from mirrorctl.core.domain.values import PositionMode, PositionSide

NEW_STORE = "new store"
NEW_ONLY = "adopt = new-only"

CycleKey = tuple[str, PositionSide]


@value(frozen=True, slots=True)
class Cycle:
    """One main position from flat to flat. `opened` once it had size.

    `origin` is the main order that opened it or, while none has filled, one that rests. `done`: keys of the rungs that
    were filled on main, which never come back (A37).
    """

    symbol: str
    side: PositionSide
    tag: str
    origin: str
    started_ms: int
    opened: bool = False
    done: tuple[str, ...] = ()

    @property
    def key(self) -> CycleKey:
        return (self.symbol, self.side)


@value(frozen=True, slots=True)
class Copy:
    """What one mirror makes of one cycle.

    `cap` None is unlimited; `main_size` is main's size when the cap was last looked at. `out` names the own exit after
    which this mirror does not enter again in this cycle. `held` names why growth waits for the trader (new store).
    `opened`: an order of ours went out for it, so the position it finds is ours. `ended`: main is flat, close it.
    `explained`: a closing execution on main was seen for it, so the brake does not count its close. `done`: keys of the
    rungs filled on this mirror (A37). `own_stop`: a stop of its own that is better than main's (breakeven = "own").
    `skipped`: what entries were too small for and is not made up. `raised`: the size to which an entry under the
    minimum was raised; main's reductions take their share of it. `counted`: ids of the executions of own exits, so that
    one which is read again after a restart counts once; fills concluded together share a seq (private/execution).
    `unsized`: why the ratio could not be made yet; it is zero until then, and nothing grows. `value`: the sizing value
    that the trader gave for this trade alone. `follows`: main's (symbol, side) where it is not this one.
    `own_target`: the take-profit that an adopted position had (foreign = "adopt"). With an approach of its own,
    `spared` is what main's targets sold and this mirror's ladder answers instead, in its own coins before the ratio,
    and `ladder` its rungs: (key of main's target, price) of each, nearest first.
    """

    account: str
    symbol: str
    side: PositionSide
    tag: str
    ratio: Decimal
    formula: str
    cap: Decimal | None = None
    main_size: Decimal = ZERO
    out: str = ""
    held: str = ""
    opened: bool = False
    ended: bool = False
    explained: bool = False
    done: tuple[str, ...] = ()
    own_stop: Decimal | None = None
    skipped: Decimal = ZERO
    raised: Decimal = ZERO
    counted: tuple[str, ...] = ()
    unsized: str = ""
    value: Decimal | None = None
    follows: CycleKey | None = None
    own_target: Decimal | None = None
    spared: Decimal = ZERO
    ladder: tuple[tuple[str, Decimal], ...] = ()

    @property
    def source(self) -> CycleKey:
        """The key of the cycle of main that it copies."""
        return self.follows or (self.symbol, self.side)

    @property
    def key(self) -> tuple[str, str, PositionSide]:
        return (self.account, self.symbol, self.side)

    def raw_want(self, main_size: Decimal) -> Decimal:
        """r × main size, before cap and step; not less than what an entry was raised to."""
        if self.ended or not main_size:
            return ZERO
        return max(self.ratio * main_size, self.raised)

    def want(self, main_size: Decimal, instrument: Instrument) -> Decimal:
        """floor_to_step(min(r × main size, cap)): from the whole position, so rounding never accumulates (rule 9)."""
        raw = self.raw_want(main_size)
        return instrument.floor_qty(raw if self.cap is None else min(raw, self.cap))

    def asked(self, main_size: Decimal) -> Decimal:
        """min(r × main size, cap), before the step."""
        raw = self.raw_want(main_size)
        return raw if self.cap is None else min(raw, self.cap)

    def told(self, part: Decimal, of: Decimal) -> str:
        """`part`, a quantity made from main's `of`, with the arithmetic where step or cap took something off (A3).

        Such as "0.003 of 0.25 × 0.015 = 0.00375".
        """
        raw = self.ratio * of
        return plain(part) if raw == part else f"{plain(part)} of {shown(self.ratio)} × {plain(of)} = {shown(raw)}"

    def kept(self, main_size: Decimal) -> Decimal:
        """What it may hold, before the step: as asked, and what an own ladder has not sold yet of what main has."""
        if self.ended or not main_size:
            return ZERO
        raw = max(self.ratio * (main_size + self.spared), self.raised)
        return raw if self.cap is None else min(raw, self.cap)

    def after_main(self, main_size: Decimal) -> Copy:
        """The cap rises by r × each later increase of main, never while the mirror is out."""
        if (self.cap is None and not self.raised) or main_size == self.main_size:
            return self
        rise = ZERO if self.out else self.ratio * max(main_size - self.main_size, ZERO)
        shrunk = main_size < self.main_size
        raised = self.raised * main_size / self.main_size if shrunk else self.raised
        return replace(self, cap=None if self.cap is None else self.cap + rise, main_size=main_size, raised=raised)

    def after_skip(self, kept: Decimal, qty: Decimal, ripe: Decimal, main_size: Decimal) -> Copy:
        """An entry was too small by itself: what it was for is left out, and only later entries count (A9).

        `ripe`: what of `main_size` it was decided on; the rest is younger, and a later entry.
        """
        return replace(self, cap=kept, main_size=ripe, skipped=self.skipped + qty).after_main(main_size)

    def after_raise(self, size: Decimal, main_size: Decimal) -> Copy:
        """An entry under the minimum is raised to it, once in a cycle (A9)."""
        return replace(self, raised=size, main_size=main_size)

    def after_own_exit(self, left: Decimal, sold: Decimal, main_size: Decimal, out: str = "") -> Copy:
        """The mirror's own order sold something and left `left`. A target caps it; a stop (named in `out`) ends it.

        What the mirror has not followed yet was never sold: a target caps it at what it left, or at what the mirror
        should hold less what was sold, whichever is more.
        """
        known = self.after_main(main_size)
        shall = known.kept(main_size)
        if not out and left >= shall:
            return self
        cap = left if out else max(left, shall - sold)
        return replace(known, cap=cap, main_size=main_size, out=self.out or out)


def observed(have: Decimal, main_size: Decimal) -> tuple[Decimal, str]:
    """The ratio of a position found on both accounts, and its formula. Rounded up, so what was found is the target."""
    ratio = Context(rounding=ROUND_CEILING).divide(have, main_size)
    return ratio, f"observed: r = {plain(have)} ÷ {plain(main_size)}"


def entry_orders(main: Sight, symbol: str, side: PositionSide) -> list[Order]:
    """Main's resting orders that would open or grow `side`, oldest first.

    On a one-way main an order against the position is an exit up to its size; what goes beyond is followed after main
    has flipped, so it is no entry while the position stands.
    """
    orders = main.orders(symbol)
    found = [order for order in orders if order.side is side.entry and not order.is_exit] if orders else []
    if not found:
        return found
    mode = main.mode(symbol)
    if mode is PositionMode.HEDGE:
        idx = mode.idx(side)
        found = [order for order in found if order.position_idx == idx]
    elif main.size(symbol, side.opposite):
        return []
    return sorted(found, key=lambda order: (order.created_ms, order.order_id))
