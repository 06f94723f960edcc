"""What the exchange's own books say of a mirror: whether an order broke a rule of its policy, and what it should hold.

Nothing here asks the engine what it thinks. Sizes, orders, executions, leverages and prices are the exchange's; what a
mirror should hold is worked out a second time from main's books and the words of the policy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase
from itertools import islice, takewhile

from mirrorctl.core.domain.ids import Role, parse
from mirrorctl.core.domain.policy import MAIN, Direction, Hedge, MirrorPolicy
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.paper.model import Execution, Order, Side, WriteRecord
from mirrorctl.core.simulation.stage import Stage
from tests.simulation.draws import SYMBOLS
from tests.simulation.main_books import LONG, SHORT, ZERO, Leg, MainBooks

WAY_MS = 100  # what was decided before news of it came: a message travels up to 30 ms, a call waits its turn
MINUTE_MS = 60_000
FOREVER = 1 << 60


@dataclass(frozen=True)
class Span:
    """An interval of ratios, both ends possible."""

    low: Decimal
    high: Decimal

    def hull(self, ratio: Decimal) -> Span:
        return Span(min(self.low, ratio), max(self.high, ratio))

    def cut(self, other: Span) -> Span | None:
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Span(low, high) if low <= high else None


@dataclass
class Cycle:
    """Main's leg from flat, without an entry, to flat.

    By mirror: `sized`, what its ratio may be as known so far; `frozen` once it had to be made; `out`, what ended it,
    and `late`, what twins that rested then filled afterwards; `own_sales`, what its own targets sold.
    """

    leg: Leg
    began_ms: int
    ended_ms: int = FOREVER
    held: bool = False
    sized: dict[str, Span] = field(default_factory=dict)
    frozen: set[str] = field(default_factory=set)
    out: dict[str, str] = field(default_factory=dict)
    own_sales: dict[str, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))
    late: dict[str, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))


class Books(MainBooks):
    """Watches a stage's exchange from step to step. `broken` collects what must never be."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.policies = {policy.name: policy for policy in stage.policy.mirrors}
        self.broken: list[str] = []
        self.cycles: dict[Leg, Cycle] = {}
        self._names = {uid: name for name, uid in self.world.uids.items()}
        self._writes = 0
        self._executions: dict[str, int] = dict.fromkeys(self.world.uids, 0)
        self._sizes: dict[tuple[str, str, int], list[tuple[int, Decimal]]] = defaultdict(list)
        self._lows: dict[str, list[tuple[int, Decimal]]] = defaultdict(list)
        self._placed: dict[str, list[tuple[int, bool]]] = defaultdict(list)
        self._qty: dict[str, Decimal] = {}
        self._flat_until: dict[Leg, int] = {}
        self._aimed_at: dict[Leg, int] = {}

    # --- watching ----------------------------------------------------------------------------------------------

    def run(self, for_ms: int) -> None:
        """Let time pass, looking at every step."""
        self.world.run(for_ms, self._watch)
        self.look()

    def _watch(self) -> bool:
        self.look()
        return False

    def look(self) -> None:
        """Take in what happened since the last look."""
        self._note_prices()
        new = list(takewhile(lambda row: row.n > self._writes, reversed(self.state.writes)))[::-1]
        if new:
            self._writes = new[-1].n
        for name in self.world.uids:
            for execution in self._new_executions(name):
                self._on_execution(name, execution)
        self._note_main()
        for row in new:
            if row.path == "/v5/order/create" and str(row.body.get("orderLinkId", "")).startswith("m1-"):
                self._on_order(self._names[row.uid], row)
            elif row.path == "/v5/order/amend" and not row.ret_code:
                self._on_amend(self._names[row.uid], row)
        self._note_sizes()

    def _note_prices(self) -> None:
        now = self.world.now_ms()
        for symbol in SYMBOLS:
            rows, last = self._lows[symbol], self.state.markets[symbol].last
            if not rows or rows[-1][1] != last:
                rows.append((now, last))

    def lowest(self, symbol: str) -> Decimal:
        """The lowest price of the last second: an order is weighed when it is sent, and filled a moment later."""
        since, rows = self.world.now_ms() - 1_000, self._lows[symbol]
        recent = [price for at, price in rows if at >= since]
        before = [price for at, price in rows if at < since][-1:]
        return min(recent + before)

    def _new_executions(self, name: str) -> list[Execution]:
        rows = self.state.history[self.world.uids[name]].executions
        seen, self._executions[name] = self._executions[name], len(rows)
        return list(islice(rows, seen, None)) if len(rows) > seen else []

    def _note_sizes(self) -> None:
        now = self.world.now_ms()
        for name in self.policies:
            for (symbol, idx), leg in self.state.positions[self.world.uids[name]].items():
                rows = self._sizes[(name, symbol, idx)]
                if not rows or rows[-1][1] != leg.signed:
                    rows.append((now, leg.signed))
            self._qty.update((order.order_id, order.qty) for order in self.state.live(self.world.uids[name]))

    # --- main ----------------------------------------------------------------------------------------------------

    def _note_main(self) -> None:
        now = self.world.now_ms()
        for symbol in SYMBOLS:
            for side in PositionSide:
                leg = (symbol, side)
                size, entries = self.main_size(leg), self.entries(leg)
                if not (size or self.asked(leg)):
                    self._flat_until[leg] = now
                if size and self.aimed(leg):
                    self._aimed_at[leg] = now
                cycle = self.cycles.get(leg)
                if cycle is not None and ((cycle.held and not size) or not (size or self.asked(leg))):
                    cycle.ended_ms = now
                    del self.cycles[leg]
                    cycle = None
                if cycle is None and (size or entries):
                    cycle = self.cycles[leg] = Cycle(leg, now)
                if cycle is not None:
                    cycle.held = cycle.held or bool(size)
                    self._sample(cycle, size, entries)

    def _sample(self, cycle: Cycle, size: Decimal, entries: list[Order]) -> None:
        """What every mirror's ratio would be if it were made now; it is made before the mirror's first entry."""
        for name, policy in self.policies.items():
            if name in cycle.frozen or not (size or entries):
                continue
            for ratio in self.ratios(policy, cycle.leg, size, entries):
                found = cycle.sized.get(name)
                cycle.sized[name] = found.hull(ratio) if found else Span(ratio, ratio)

    # --- what a mirror does --------------------------------------------------------------------------------------

    def here(self, name: str, leg: Leg) -> Leg | None:
        """The mirror's symbol and side for main's; None where main's symbol is not followed."""
        policy = self.policies[name]
        symbol, side = leg
        if symbol not in policy.map and any(to.symbol == symbol for to in policy.map.values()):
            return None
        to = policy.map[symbol].symbol if symbol in policy.map else symbol
        return to, (side if policy.follow.direction is Direction.SAME else side.opposite)

    def sources(self, name: str, here: Leg) -> Iterator[Cycle]:
        """The cycles of main that a mirror's side follows; of two legs in one position both."""
        for cycle in self.cycles.values():
            found = self.here(name, cycle.leg)
            if found == here:
                yield cycle

    def position(self, name: str, symbol: str, side: PositionSide) -> Decimal:
        """Signed size of what a mirror holds: of one leg, or of its only one."""
        uid = self.world.uids[name]
        idx = (1 if side is LONG else 2) if self.state.accounts[uid].hedged(symbol) else 0
        return self.state.position(uid, symbol, idx).signed

    def _on_execution(self, name: str, row: Execution) -> None:
        if name == MAIN:
            return
        link = parse(row.link_id)
        side = PositionSide.LONG if row.side is Side.SELL else PositionSide.SHORT
        if link is not None and link.role in (Role.TWIN, Role.CORRECTION) and row.closed_size:
            order = self.state.order(row.uid, row.order_id)
            if order is not None and not order.reduce_only and self._stood(name, row, order):
                self._break(name, f"an entry of {row.symbol} closed {row.closed_size}")
        if not row.closed_size:
            for cycle in self.sources(name, (row.symbol, side.opposite)):
                if name in cycle.out and link is not None:
                    cycle.late[name] += row.qty
            return
        for cycle in list(self.sources(name, (row.symbol, side))):
            if link is not None and link.role is Role.TARGET:
                cycle.own_sales[name] += row.closed_size
            elif row.exec_type in ("BustTrade", "AdlTrade"):
                cycle.out[name] = row.exec_type
            elif "StopLoss" in row.stop_type:
                cycle.out[name] = row.stop_type
            elif "TakeProfit" in row.stop_type:
                cycle.own_sales[name] += row.closed_size

    def _stood(self, name: str, row: Execution, order: Order) -> bool:
        """Whether the position that an entry closed had been there for a while, and so could be known."""
        rows = self._sizes[(name, row.symbol, row.idx)]
        known = [size for at, size in rows if at <= order.created_ms - 2 * WAY_MS][-1:]
        return any(size * (1 if row.side is Side.BUY else -1) < 0 for size in known)

    def _on_order(self, name: str, row: WriteRecord) -> None:
        if name == MAIN:
            self._break(name, f"an order of ours on main: {row.body}")
            return
        symbol, buys = str(row.body["symbol"]), row.body["side"] == "Buy"
        idx = int(str(row.body.get("positionIdx", 0)))
        self._placed[name].append((row.time_ms, not row.body.get("reduceOnly")))
        if row.ret_code:
            return
        if row.body.get("reduceOnly"):
            self._check_exit(name, symbol, idx, Decimal(str(row.body["qty"])))
            return
        here = (symbol, LONG if buys else SHORT)
        for cycle in self.sources(name, here):
            cycle.frozen.add(name)
        self._check_limits(name, symbol)
        self._check_out(name, here, row.time_ms)
        self._check_delay(name, here)
        self._check_choice(name, here)

    def _on_amend(self, name: str, row: WriteRecord) -> None:
        order = self.state.order(row.uid, row.order_id)
        if name == MAIN or order is None:
            return
        if not order.reduce_only and order.qty > self._qty.get(order.order_id, order.qty):
            self._check_limits(name, order.symbol)

    def _check_exit(self, name: str, symbol: str, idx: int, qty: Decimal) -> None:
        rows = self._sizes[(name, symbol, idx)]
        since = self.world.now_ms() - 1_500
        recent = [abs(size) for at, size in rows if at >= since] + [abs(size) for at, size in rows if at < since][-1:]
        now = abs(self.state.position(self.world.uids[name], symbol, idx).signed)
        if qty > max([*recent, now], default=ZERO):
            self._break(name, f"an exit of {qty} {symbol} over the holding {recent}")

    def _check_limits(self, name: str, symbol: str) -> None:
        limits = self.policies[name].limits
        uid = self.world.uids[name]
        leverage = self.state.accounts[uid].leverage_of(symbol)
        if limits.max_leverage is not None and leverage > limits.max_leverage:
            self._break(name, f"an entry of {symbol} at leverage {leverage}")
        worth = self.notionals(name)
        if limits.max_position_notional is not None and worth.get(symbol, ZERO) > limits.max_position_notional:
            self._break(name, f"{symbol} is worth {worth[symbol]}, over max_position_notional")
        if limits.max_total_notional is not None and sum(worth.values()) > limits.max_total_notional:
            self._break(name, f"all is worth {sum(worth.values())}, over max_total_notional")
        if limits.max_open_positions is not None and len(worth) > limits.max_open_positions:
            self._break(name, f"open: {sorted(worth)}, over max_open_positions")
        if limits.max_orders_per_minute is not None:
            since = self.world.now_ms() - MINUTE_MS + WAY_MS
            recent = self.world.now_ms() - 2 * WAY_MS  # an exit of the same pass is not counted yet
            sent = [at for at, entry in self._placed[name] if at > since and (entry or at < recent)]
            if len(sent) > limits.max_orders_per_minute:
                self._break(name, f"{len(sent)} orders in a minute, the last an entry of {symbol}")

    def notionals(self, name: str) -> dict[str, Decimal]:
        """What an account holds and has resting to grow it, by symbol, at the lowest price of the last second."""
        uid = self.world.uids[name]
        worth: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for leg in self.state.positions[uid].values():
            if leg.size:
                worth[leg.symbol] += leg.size * self.lowest(leg.symbol)
        for order in self.state.live(uid):
            if order.is_open and not order.reduce_only and not order.protective:
                worth[order.symbol] += order.leaves * min(order.price or FOREVER, self.lowest(order.symbol))
        return worth

    def _check_out(self, name: str, here: Leg, at_ms: int) -> None:
        cycles = list(self.sources(name, here))
        if cycles and all(name in cycle.out for cycle in cycles):
            last = [row for row in self.state.history[self.world.uids[name]].executions if row.closed_size][-1]
            if at_ms > last.time_ms + 2 * WAY_MS:
                self._break(name, f"an entry of {here} although {cycles[0].out[name]} ended it")

    def _check_choice(self, name: str, here: Leg) -> None:
        """An entry that the filter leaves out (A12), or of a reverse mirror without a stop (A13)."""
        policy, since = self.policies[name], self.world.now_ms() - 2 * WAY_MS
        legs = [cycle.leg for cycle in self.sources(name, here)]
        if legs and all(self.filtered(policy, leg) for leg in legs):
            self._break(name, f"an entry of {here} that the filter leaves out")
        reverse = policy.follow.direction is Direction.REVERSE
        if legs and reverse and all(self._aimed_at.get(leg, 0) < since for leg in legs):
            self._break(name, f"an entry of {here} against a position without a target")

    def _check_delay(self, name: str, here: Leg) -> None:
        """Nothing is followed that main has neither held nor asked for all through the delay."""
        since = self.world.now_ms() - int(self.policies[name].follow.delay_s * 1000) + WAY_MS
        cycles = list(self.sources(name, here))
        if cycles and all(self._flat_until[cycle.leg] > since for cycle in cycles):
            self._break(name, f"an entry of {here} before the delay was over")

    def _break(self, name: str, what: str) -> None:
        self.broken.append(f"{self.world.now_ms() - 1_800_000_000_000} ms {name}: {what}")

    # --- what a mirror should hold -------------------------------------------------------------------------------

    def filtered(self, policy: MirrorPolicy, leg: Leg) -> bool:
        """Whether the policy's filter leaves main's leg out."""
        chosen, (symbol, side) = policy.filter, leg
        listed = not chosen.symbols or any(fnmatchcase(symbol, glob) for glob in chosen.symbols)
        excluded = any(fnmatchcase(symbol, glob) for glob in chosen.exclude)
        return chosen.close_only or not listed or excluded or side not in chosen.sides

    def effective(self, name: str, leg: Leg) -> Decimal | None:
        """Main's size of a leg as a mirror follows it, in the mirror's coins; None while it is frozen (A14)."""
        policy, (symbol, side) = self.policies[name], leg
        size, other = self.main_size(leg), self.main_size((symbol, side.opposite))
        to = self.here(name, leg)
        if to is None:
            return ZERO
        if size and other and not self.state.accounts[self.world.uids[name]].hedged(to[0]):
            match policy.follow.hedge:
                case Hedge.REFUSE:
                    return None
                case Hedge.NET:
                    size = max(size - other, ZERO)
                case Hedge.LONG_ONLY:
                    size = size if side is LONG else ZERO
                case Hedge.SHORT_ONLY:
                    size = size if side is SHORT else ZERO
        return size * (policy.map[symbol].multiplier if symbol in policy.map else 1)

    def resting(self, name: str, leg: Leg) -> Decimal:
        """What main's entries of a leg may still add, in the mirror's coins: their twins may have filled first."""
        policy, (symbol, _) = self.policies[name], leg
        leaves = sum((order.leaves for order in self.entries(leg)), ZERO)
        return leaves * (policy.map[symbol].multiplier if symbol in policy.map else 1)
