"""What one decision looks at, and what it comes to. A decision is about one symbol on one mirror."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from mirrorctl.core.domain.account import Ticker
from mirrorctl.core.domain.actions import Action
from mirrorctl.core.domain.approach import Approach
from mirrorctl.core.domain.cycle import Copy
from mirrorctl.core.domain.frozen import value
from mirrorctl.core.domain.ids import LinkId, Role
from mirrorctl.core.domain.instruments import ZERO, Instrument
from mirrorctl.core.domain.ladder import Ladder
from mirrorctl.core.domain.ours import OurOrder, Ours
from mirrorctl.core.domain.policy import MirrorPolicy
from mirrorctl.core.domain.refusals import RATE_LIMIT
from mirrorctl.core.domain.sight import Sight
from mirrorctl.core.domain.standing_trade import StopOnBook, stop_on_book
from mirrorctl.core.domain.values import SIDES, PositionMode, PositionSide, Side
from mirrorctl.core.domain.view import AccountView

TICKER_FRESH_MS = 3_000
_FEES_WAIT_MS = 1_000
AHEAD_WAIT_MS = 250


@value(frozen=True, slots=True)
class MainFill:
    """Main's last execution in one direction of one side: the reference for slippage while it is young.

    `at_ms` on the local clock, `exchange_ms` as the exchange stamped it. `received_ms`: when its news came in, local
    clock; None: not known.
    """

    price: Decimal
    at_ms: int
    exchange_ms: int
    received_ms: int | None = None


class NeedKind(StrEnum):
    POSITION = "position"
    TICKER = "ticker"
    INSTRUMENT = "instrument"
    ORDERS = "orders"
    ORDER = "order"
    EXECUTIONS = "executions"
    WALLET = "wallet"


@value(frozen=True, slots=True)
class Need:
    """Something to read before the decision can be made. `order_id` of the one order that is meant."""

    kind: NeedKind
    account: str
    symbol: str
    order_id: str = ""


@value(frozen=True, slots=True)
class BreakevenTerms:
    """When a stop goes to breakeven, and what breakeven costs. `after`: rungs done; 0: never.

    `entry_fees` (settle coin) were paid for `entry_qty` (base coin); None where not every execution is known.
    """

    after: int
    margin_bps: Decimal
    taker: Decimal
    entry_fees: Decimal | None = None
    entry_qty: Decimal = ZERO

    def waits(self, since_ms: int, now_ms: int, plan: SymbolPlan) -> bool:
        """Whether executions may still be on their way; what stays unknown for longer is not waited for."""
        until = since_ms + _FEES_WAIT_MS
        if self.entry_fees is not None or now_ms >= until:
            return False
        plan.wake_at(until)
        return True


@value(frozen=True, slots=True)
class Planned:
    """An action of the plan. Of a twin: the order it stands for and what that had filled."""

    action: Action
    main_order_id: str = ""
    main_filled: Decimal | None = None


@value(frozen=True, slots=True)
class Held:
    """Growth that policy keeps back, with its reason: never drift (A82).

    `raw_want` None: not known, for there is no ratio yet. `waiting`: not policy but a read, a change under way or a
    rate limit; it ends by itself and is not yet in step.
    """

    account: str
    symbol: str
    side: PositionSide
    raw_want: Decimal | None
    want: Decimal
    reason: str
    waiting: bool = False

    def __post_init__(self) -> None:
        if self.reason.startswith(RATE_LIMIT):
            object.__setattr__(self, "waiting", True)


@value(frozen=True, slots=True)
class Ripening:
    """What of main's size is younger than `delay_s`, in the mirror's coin, and when the first of it is not any more.

    `until_ms` on the exchange's clock; None where nothing is young.
    """

    qty: Decimal
    until_ms: int | None


@value(frozen=True, slots=True)
class Standing:
    """Where one side of a symbol stands on a mirror. `tolerated`: what lead and lag explain of the difference."""

    account: str
    symbol: str
    side: PositionSide
    have: Decimal
    want: Decimal
    raw_want: Decimal
    tolerated: Decimal = ZERO


@value(frozen=True, slots=True)
class Skipped:
    """What an entry was too small for (A9). `kept`: the size it stays at, with what live twins still bring.

    `main_size`: main's size, in the mirror's coin, that this was decided on: what is younger than `delay_s` is later.
    """

    qty: Decimal
    kept: Decimal
    main_size: Decimal


@value(frozen=True, slots=True)
class Due:
    """A stop, reduction or cancel that is wanted and that the exchange does not show, whatever keeps it (rule 5).

    `kind` is its name in `Scene.busy`, or "reduction"; `side` of a reduction: its order's. `what` and `state` say in
    words what is not done and what stands instead, `done` that it was. Its time runs from `since_ms`, kept in
    `SymbolPlan.since` under `clock`; past `bound_ms` it is told, unless that is None. `named`: `missing` says why it is
    not even tried.
    """

    kind: str
    clock: str
    what: str
    state: str
    done: str
    bound_ms: int | None
    critical: bool = True
    side: Side | None = None
    named: bool = False
    since_ms: int = 0


@dataclass(slots=True)
class SymbolPlan:
    """What one decision comes to. `blocked` says why no decision could be made (unknown views, unsettled fills).

    `unprotected`: sides that stand without their stop for longer than the bound. `passed_stops`: sides whose stop came
    too late to protect; they are out of their cycle and will be closed. `missing`: targets the exchange does not take,
    and stops that are not mirrored, named (A28). `own_stops`: stops of this mirror's own to be written down, and
    `own_ladders` the places of its own rungs. `guarded`: sides with a position, and the stop that shall stand.
    `late_exits`: reductions that found no price within their bound. `skipped` and `raised`: what is left out, and
    sizes raised to, because an entry was under the minimum; to be written down before anything is sent. `settling`:
    what waits for something under way and ends by itself; until then the plan is not done. `due`: stops, reductions
    and cancels that are wanted and do not show yet, by what they are about: "stop long", "reduction long", ….
    """

    account: str
    symbol: str
    actions: list[Planned] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    standings: list[Standing] = field(default_factory=list)
    needs: list[Need] = field(default_factory=list)
    parked: str = ""
    park: str = ""
    blocked: str = ""
    settling: str = ""
    closes_unexplained: bool = False
    unprotected: list[PositionSide] = field(default_factory=list)
    passed_stops: dict[PositionSide, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    late_exits: list[str] = field(default_factory=list)
    own_stops: dict[PositionSide, Decimal] = field(default_factory=dict)
    own_ladders: dict[PositionSide, tuple[tuple[str, Decimal], ...]] = field(default_factory=dict)
    guarded: dict[PositionSide, Decimal] = field(default_factory=dict)
    skipped: dict[PositionSide, Skipped] = field(default_factory=dict)
    raised: dict[PositionSide, Decimal] = field(default_factory=dict)
    due: dict[str, Due] = field(default_factory=dict)
    wake_ms: int | None = None
    since: dict[str, int] = field(default_factory=dict)

    def holds(self) -> list[Held]:
        """What is held, each reason of a side once: with the most that it keeps back, unknown being more than all."""
        found: dict[tuple[PositionSide, str], Held] = {}
        for held in self.held:
            known = found.get((held.side, held.reason))
            if (
                known is None
                or held.raw_want is None
                or (known.raw_want is not None and held.raw_want > known.raw_want)
            ):
                found[(held.side, held.reason)] = held
        return list(found.values())

    def wake_at(self, at_ms: int) -> None:
        """Decide again at `at_ms` at the latest."""
        self.wake_ms = at_ms if self.wake_ms is None else min(self.wake_ms, at_ms)


class Moment:
    """The time of a decision and the price that is known at it: what every scene has."""

    __slots__ = ()
    now_ms: int
    since: Mapping[str, int]
    ticker: Ticker | None

    def since_ms(self, plan: SymbolPlan, what: str) -> int:
        """When `what` began: now, unless the last decision already saw it. Forgotten by not being asked."""
        began = self.since.get(what, self.now_ms)
        plan.since[what] = began
        return began

    def fresh_ticker(self) -> Ticker | None:
        if self.ticker is None or self.now_ms - self.ticker.at_ms > TICKER_FRESH_MS:
            return None
        return self.ticker


class Background(Protocol):
    """What a decision may ask about main beside its view, in the mirror's terms; few decisions ask for all of it.

    `ladder`: the rungs of main's trade that main has not filled; `rungs_sold` what it has filled of them in part, by
    their keys; `rungs_done`: keys of those it has filled. `intended_stop`: what main's managed trade says, for as long
    as main's book does not show it. `explains_close`: whether something on main explains that a side is closed.
    `unmirrored`: what of main's protection has no counterpart here, in words.
    """

    def growth_fill(self, side: PositionSide) -> MainFill | None: ...
    def exit_fill(self, side: PositionSide) -> MainFill | None: ...
    def explains_close(self, side: PositionSide) -> bool: ...
    def ladder(self, side: PositionSide) -> Ladder: ...
    def rungs_sold(self, side: PositionSide) -> Mapping[str, Decimal]: ...
    def rungs_done(self, side: PositionSide) -> frozenset[str]: ...
    def intended_stop(self, side: PositionSide) -> Decimal | None: ...
    def breakeven(self, side: PositionSide) -> BreakevenTerms | None: ...
    def unmirrored(self) -> Sequence[str]: ...


@dataclass(slots=True)
class Scene(Moment):
    """Everything a decision about one symbol on one mirror may look at. Nothing of it is changed by deciding.

    `busy` names what is in flight besides placements: "stop", "leverage", "cancel:<order id>", "amend:<order id>";
    `refused` by the same names what the exchange refused last, with code and message.
    `growth_block` is the reason why growth is held for all of the symbol; `limit` says why an entry of a quantity at a
    price would break a limit ("" when it would not), failing closed. `parked`: no order of ours touches the symbol.
    `needs_stop`: nothing grows without a stop (a reverse mirror, A13). `misfit`: it is parked because its policy
    changed, so its entries are taken off the book. `approach`: the one that the mirror has of its own. `mapped`: the
    symbol stands for another one of main's. `stops`: main's, as far as one was looked for; what is about the same main
    may share them.

    What every decision asks for again and again is looked up once: `have` and `main_size` by side, the mirror's `mode`.
    """

    now_ms: int
    account: str
    tag: str
    symbol: str
    policy: MirrorPolicy
    instrument: Instrument
    main: Sight
    mirror: AccountView
    copies: Mapping[PositionSide, Copy]
    ours: Ours
    since: Mapping[str, int]
    background: Background
    busy: frozenset[str] = frozenset()
    refused: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    growth_block: str = ""
    parked: str = ""
    ticker: Ticker | None = None
    limit: Callable[[Decimal, Decimal], str] = lambda _qty, _price: ""
    clock_offset_ms: int = 0
    entry_waits: Mapping[PositionSide, str] = field(default_factory=dict)
    ripening: Mapping[PositionSide, Ripening] = field(default_factory=dict)
    needs_stop: bool = False
    misfit: bool = False
    mapped: bool = False
    approach: Approach | None = None
    stops: dict[PositionSide, StopOnBook] = field(default_factory=dict, repr=False, compare=False)
    exchange_ms: int = field(init=False)
    mode: PositionMode = field(init=False)
    have: Mapping[PositionSide, Decimal] = field(init=False)
    main_size: Mapping[PositionSide, Decimal] = field(init=False)

    def __post_init__(self) -> None:
        symbol, main, mirror = self.symbol, self.main, self.mirror
        long, short = SIDES
        self.exchange_ms = self.now_ms + self.clock_offset_ms
        self.mode = mirror.modes.get(symbol, PositionMode.ONE_WAY)
        self.have = {long: mirror.size(symbol, long), short: mirror.size(symbol, short)}
        self.main_size = {long: main.size(symbol, long), short: main.size(symbol, short)}

    def main_stop(self, side: PositionSide) -> StopOnBook:
        """The stop that stands on main's side."""
        known = self.stops.get(side)
        if known is None:
            known = self.stops[side] = stop_on_book(self.main, self.symbol, side)
        return known

    def idx(self, side: PositionSide) -> int:
        """The positionIdx of one side on the mirror."""
        return side.hedge_idx if self.mode is PositionMode.HEDGE else 0

    def next_try(self, copy: Copy, role: Role, step: str, leg: int = 0) -> tuple[LinkId, list[OurOrder]]:
        """(the id of the next attempt at a decision, every attempt before it, first to last).

        The attempt is one higher only when the earlier ones are known (rule 3).
        """
        first = LinkId(self.tag, copy.tag, role, leg, step, 0)
        earlier = self.ours.attempts(first)
        if not earlier:
            return first, earlier
        return LinkId(self.tag, copy.tag, role, leg, step, earlier[-1].link.attempt + 1), earlier
