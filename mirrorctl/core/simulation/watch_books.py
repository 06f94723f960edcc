"""What main asked for and gave up, and what its mirrors made of it: sums of the exchange's own rows.

Sums do not depend on when anybody heard of anything. Whatever a mirror bought and has resting can never be more than
its ratio times all that main ever asked for; whatever was taken off it, never more than its ratio times all that main
ever gave up. What is lost, doubled, late or sent twice shows as a difference. A leg is (symbol, side).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise

from mirrorctl.core.domain.ids import OUT_LEG, LinkId, Role, parse
from mirrorctl.core.domain.policy import MAIN
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.paper.model import Execution, Side, WriteRecord
from mirrorctl.core.simulation.world import World

ZERO = Decimal(0)
_IDLE_MS = 5_000
_ONE_MOVE_MS = 50
"""One move of the price may close main, open it again and reach a mirror's stop: that ends the cycle before."""
Leg = tuple[str, PositionSide]
SYSTEM_EXITS = ("BustTrade", "AdlTrade")


@dataclass(slots=True)
class Sizes:
    """What there was of a leg on one account, and since when."""

    at_ms: list[int] = field(default_factory=lambda: [0])
    size: list[Decimal] = field(default_factory=lambda: [ZERO])

    @property
    def now(self) -> Decimal:
        """What is held."""
        return self.size[-1]

    def change(self, by: Decimal, now: int) -> None:
        """It is more by so much, or less."""
        if by:
            self.at_ms.append(now)
            self.size.append(self.size[-1] + by)

    def since(self, at_ms: int) -> list[Decimal]:
        """Every size that it had at `at_ms` or later."""
        return self.size[max(bisect_left(self.at_ms, at_ms) - 1, 0) :]

    def left(self, since_ms: int, until_ms: int) -> Decimal:
        """What is left at `until_ms` of the size at `since_ms`, if all that went away meanwhile went away of that."""
        known = self.size[max(bisect_right(self.at_ms, since_ms) - 1, 0) : bisect_left(self.at_ms, until_ms)]
        if not known:
            return ZERO
        return known[0] - sum((max(before - after, ZERO) for before, after in pairwise(known)), ZERO)


@dataclass(slots=True)
class _Ask:
    """One order of main that may open or grow a side: what it opened and closed, and what was counted as asked."""

    leg: Leg
    opened: Decimal = ZERO
    closed: Decimal = ZERO
    counted: Decimal = ZERO


@dataclass(slots=True)
class Asked:
    """Sums of one leg of main. `turns` counts what may round differently on a mirror. `flat_ms`: nothing since then."""

    raised: Decimal = ZERO
    lowered: Decimal = ZERO
    turns: int = 0
    sizes: Sizes = field(default_factory=Sizes)
    resting: Sizes = field(default_factory=Sizes)
    asks: Sizes = field(default_factory=Sizes)
    flat_ms: int | None = 0

    def most(self, since_ms: int) -> Decimal:
        """What there was at `since_ms` and all that was asked for since: news of what was taken back may be late."""
        before = self.sizes.since(since_ms)[0] + self.resting.since(since_ms)[0]
        return before + self.asks.now - self.asks.since(since_ms)[0]


@dataclass(slots=True)
class Followed:
    """Sums of one leg of one mirror. `since` is what main's sums were when these began.

    `out_ms`: when an own exit ended the cycle for it; `stopped_ms`: the last one that ended any. `sold`: what its own
    targets sold since main was flat, and `exited` what all its exits but reductions did. `foreign_ms`: since when
    somebody else's position stands; `unsure`: perhaps, for with a new store the last fill says whose it is. `loose`:
    the ratio is not known to be the policy's.
    """

    sizes: Sizes = field(default_factory=Sizes)
    grown: Decimal = ZERO
    reduced: Decimal = ZERO
    cut_otherwise: Decimal = ZERO
    grown_in_vain: Decimal = ZERO
    raised_before: Decimal = ZERO
    lowered_before: Decimal = ZERO
    turns_before: int = 0
    out_ms: int | None = None
    stopped_ms: int = 0
    sold: Decimal = ZERO
    exited: Decimal = ZERO
    hand: bool = False
    foreign_ms: int | None = None
    unsure: bool = False
    used: bool = False
    loose: bool = False

    @property
    def is_foreign(self) -> bool:
        """Whether the position is somebody else's, or may be."""
        return self.foreign_ms is not None or self.unsure


class Books:
    """The sums of one world. `touched` collects the legs of mirrors that changed since it was last cleared."""

    def __init__(self, world: World, loose: Collection[str]) -> None:
        """`loose`: mirrors whose ratio is not a plain one."""
        self._world = world
        self._loose = frozenset(loose)
        self.state = world.exchange.state
        self.main: dict[Leg, Asked] = {}
        self.mirrors: dict[str, dict[Leg, Followed]] = {name: {} for name in world.uids if name != MAIN}
        self.touched: set[tuple[str, Leg]] = set()
        self._asks: dict[str, _Ask] = {}
        self._uid = world.uids[MAIN]

    def asked(self, leg: Leg) -> Asked:
        """Main's sums of a leg."""
        found = self.main.get(leg)
        return found if found is not None else self.main.setdefault(leg, Asked())

    def followed(self, name: str, leg: Leg) -> Followed:
        """A mirror's sums of a leg."""
        legs = self.mirrors[name]
        found = legs.get(leg)
        return found if found is not None else legs.setdefault(leg, Followed(loose=name in self._loose))

    # --- main ------------------------------------------------------------------------------------------------

    def on_main_order(self, row: WriteRecord) -> None:
        """A request about an order on main was accepted: what it asks for counts, however short it stood."""
        order = self.state.order(self._uid, row.order_id)
        if order is None or order.reduce_only or order.protective:
            return
        qty = Decimal(str(row.body.get("qty") or order.qty))
        ask = self._ask(order.order_id, order.symbol, order.side)
        if not self._is_exit(ask):
            self._count(ask, max(qty, order.qty) - ask.closed)
            self._sync(order.symbol)

    def on_main_execution(self, row: Execution) -> None:
        """A fill of main."""
        now, opened = self._world.now_ms(), row.qty - row.closed_size
        grown = (row.symbol, _grown(row.side))
        closed = (row.symbol, grown[1].opposite)
        order = self.state.order(self._uid, row.order_id)
        if order is not None and not order.reduce_only:
            ask = self._ask(row.order_id, row.symbol, row.side)
            ask.opened += opened
            ask.closed += row.closed_size
        if row.closed_size:
            asked = self.asked(closed)
            asked.sizes.change(-row.closed_size, now)
            asked.lowered += row.closed_size
            asked.turns += 1
            if not asked.sizes.now:
                self._main_is_flat(closed)
        if opened:
            self.asked(grown).sizes.change(opened, now)
        self._sync(row.symbol)

    def resting(self, leg: Leg) -> Decimal:
        """What main's entries of a leg may still open."""
        found = ((self.state.order(self._uid, order_id), ask) for order_id, ask in self._asks.items())
        leaves = (order.leaves for order, ask in found if order and ask.leg == leg and not self._is_exit(ask))
        return sum(leaves, ZERO)

    def _ask(self, order_id: str, symbol: str, side: Side) -> _Ask:
        found = self._asks.get(order_id)
        if found is None:
            leg = (symbol, _grown(side))
            found = self._asks[order_id] = _Ask(leg)
            self._begin(leg)
        return found

    def _is_exit(self, ask: _Ask) -> bool:
        """On a one-way main an order against the position is an exit, as long as that stands."""
        symbol, side = ask.leg
        hedged = self.state.accounts[self._uid].hedged(symbol)
        return not hedged and bool(self.asked((symbol, side.opposite)).sizes.now)

    def _sync(self, symbol: str) -> None:
        """Main's orders as they are now: what they can still open, or did."""
        for order_id, ask in self._asks.items():
            if ask.leg[0] != symbol:
                continue
            order = self.state.order(self._uid, order_id)
            leaves = order.leaves if order is not None else ZERO
            self._count(ask, ask.opened + (ZERO if self._is_exit(ask) else leaves))
        for side in PositionSide:
            leg = (symbol, side)
            asked = self.asked(leg)
            busy = bool(asked.sizes.now) or any(ask.leg == leg for ask in self._asks.values())
            asked.resting.change(self.resting(leg) - asked.resting.now, self._world.now_ms())
            asked.flat_ms = None if busy else asked.flat_ms if asked.flat_ms is not None else self._world.now_ms()
            for name in self.mirrors:
                self.touched.add((name, leg))

    def _count(self, ask: _Ask, asked_for: Decimal) -> None:
        more = asked_for - ask.counted
        ask.counted = asked_for
        asked = self.asked(ask.leg)
        if more > ZERO:
            asked.raised += more
            asked.asks.change(more, self._world.now_ms())
        elif more < ZERO:
            asked.lowered -= more
            asked.turns += 1

    def _main_is_flat(self, leg: Leg) -> None:
        """A new cycle begins with whatever comes next."""
        for name in self.mirrors:
            followed = self.followed(name, leg)
            self._forgive(followed, leg, followed.exited)
            followed.out_ms, followed.sold, followed.hand, followed.exited = None, ZERO, False, ZERO
            followed.used = bool(followed.sizes.now or self.entries(name, leg))

    def _begin(self, leg: Leg) -> None:
        """Main asks again on a side: the sums of mirrors that have been idle begin anew, so that none goes stale."""
        asked, now = self.asked(leg), self._world.now_ms()
        if asked.flat_ms is None or now - asked.flat_ms < _IDLE_MS:
            return
        for name, legs in self.mirrors.items():
            followed = legs.get(leg)
            if followed is None or followed.sizes.now or self.entries(name, leg):
                continue
            if now - followed.sizes.at_ms[-1] >= _IDLE_MS and self._world.engine is not None:
                fresh = Followed(followed.sizes, loose=name in self._loose)
                fresh.raised_before, fresh.lowered_before = asked.raised, asked.lowered
                fresh.turns_before = asked.turns
                legs[leg] = fresh

    def loosen(self) -> None:
        """The store was lost: the ratio that is found becomes the cycle's, whatever it is."""
        for legs in self.mirrors.values():
            for followed in legs.values():
                followed.loose = True
                followed.unsure = followed.unsure or bool(followed.grown_in_vain)

    def _forgive(self, followed: Followed, leg: Leg, sold: Decimal) -> None:
        """Main is flat and an entry of it still rests: what a twin filled ahead and was sold is due once more."""
        if self.resting(leg):
            followed.cut_otherwise += sold

    def settle(self) -> None:
        """Main's orders as they are now, after all that happened to them."""
        symbols = {ask.leg[0] for ask in self._asks.values()}
        for order_id in list(self._asks):
            order = self.state.order(self._uid, order_id)
            if order is None or not order.is_open:
                ask = self._asks.pop(order_id)
                self._count(ask, ask.opened)
        for symbol in symbols:
            self._sync(symbol)

    def side_closed(self, row: Execution) -> PositionSide:
        """The side of the position that an execution closed something of."""
        return _grown(row.side).opposite

    # --- mirrors ---------------------------------------------------------------------------------------------

    def on_mirror_execution(self, name: str, row: Execution) -> None:
        """A fill of a mirror."""
        now, opened = self._world.now_ms(), row.qty - row.closed_size
        side, link = _grown(row.side), parse(row.link_id)
        role = link.role if link is not None else None
        if row.closed_size:
            leg = (row.symbol, side.opposite)
            followed = self.followed(name, leg)
            followed.sizes.change(-row.closed_size, now)
            self._on_closing(followed, leg, row, link)
            if not followed.sizes.now:
                followed.foreign_ms, followed.unsure = None, False
            self.touched.add((name, leg))
        if opened:
            leg = (row.symbol, side)
            followed = self.followed(name, leg)
            if role is None:
                followed.grown_in_vain += opened
                followed.unsure = followed.unsure or followed.loose
                if not followed.sizes.now and not followed.used:
                    followed.foreign_ms = now
            else:
                followed.grown += opened
                followed.grown_in_vain += opened if followed.out_ms is not None else ZERO
            followed.sizes.change(opened, now)
            self.touched.add((name, leg))

    def entries(self, name: str, leg: Leg) -> Decimal:
        """What a mirror's resting entries of ours may still add to a leg."""
        found = ZERO
        for order in self.state.live(self._world.uids[name], leg[0]):
            plain = not order.reduce_only and not order.protective and order.link_id
            if plain and order.is_open and _grown(order.side) is leg[1] and parse(order.link_id) is not None:
                found += order.leaves
        return found

    def _on_closing(self, followed: Followed, leg: Leg, row: Execution, link: LinkId | None) -> None:
        role = link.role if link is not None else None
        if role is not Role.REDUCTION:
            followed.exited += row.closed_size
            if not self.asked(leg).sizes.now:
                self._forgive(followed, leg, row.closed_size)
        if is_final(link):
            followed.out_ms = self._world.now_ms() if self.asked(leg).sizes.now else followed.out_ms
        elif role is Role.REDUCTION:
            followed.reduced += row.closed_size
        elif role is Role.TARGET or "TakeProfit" in row.stop_type:
            followed.sold += row.closed_size
        elif role is None and (row.stop_type not in ("", "Stop") or row.exec_type in SYSTEM_EXITS):
            now = followed.stopped_ms = self._world.now_ms()
            if min(self.asked(leg).sizes.since(now - _ONE_MOVE_MS)):
                followed.out_ms = now
        else:  # by hand, or by an entry that was on the book before main turned: it may be bought again
            followed.cut_otherwise += row.closed_size
            followed.hand = followed.hand or role is None


def is_final(link: LinkId | None) -> bool:
    """Whether an order of ours closes for good: by `flatten`, or because nothing protects the position."""
    if link is None:
        return False
    return link.role is Role.FLATTEN or (link.role is Role.REDUCTION and link.leg == OUT_LEG)


def _grown(side: Side) -> PositionSide:
    return PositionSide.LONG if side is Side.BUY else PositionSide.SHORT
