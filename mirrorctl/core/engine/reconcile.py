"""The reconcile pass over one mirror: scenes, plans, brakes. How they are journaled and sent: departures.py.

A pass looks at the cache, never at the network. Repeating it with nothing changed sends nothing (A36).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial

from mirrorctl.core.domain.account import Ticker
from mirrorctl.core.domain.actions import Action, PlaceOrder
from mirrorctl.core.domain.approach import Approach
from mirrorctl.core.domain.cycle import Copy
from mirrorctl.core.domain.day_limits import NO_DAY, Day
from mirrorctl.core.domain.day_limits import watched as watches_day
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.instruments import Instrument
from mirrorctl.core.domain.lens import PLAIN
from mirrorctl.core.domain.planner import apply_brake, plan_symbol
from mirrorctl.core.domain.policy import Limits, MirrorPolicy
from mirrorctl.core.domain.scene import Need, NeedKind, Planned, Ripening, Scene, Standing, SymbolPlan
from mirrorctl.core.domain.twins import lead_of
from mirrorctl.core.domain.values import SIDES, PositionSide
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.brake import Brake
from mirrorctl.core.engine.intents import IntentBook
from mirrorctl.core.engine.keeper import Keeper
from mirrorctl.core.engine.limits import Allowance, Exposure
from mirrorctl.core.engine.main_book import MainBook
from mirrorctl.core.engine.main_sizes import MainSizes
from mirrorctl.core.engine.measure import CopyMeter
from mirrorctl.core.engine.notionals import Notionals
from mirrorctl.core.engine.outlook import Outlook, PlainOutlook, Terms
from mirrorctl.core.engine.records import Intent
from mirrorctl.core.engine.sights import MirrorSight
from mirrorctl.core.engine.trades import TradeBook

_BRAKE_WINDOW_MS = 60_000
_NO_WAITS: Mapping[PositionSide, str] = {}


class MirrorPass:
    """Everything a pass over one mirror needs, and what it remembers between passes.

    `entry_wait` is why no entry may be sent for now, "" for nothing.
    """

    def __init__(
        self,
        policy: MirrorPolicy,
        main: Account,
        mirror: Account,
        keeper: Keeper,
        book: IntentBook,
        trades: TradeBook,
        main_book: MainBook,
        *,
        max_closes: int,
        sizes: MainSizes,
        brake: Brake,
        meter: CopyMeter,
        terms: Terms,
        approach: Approach | None,
    ) -> None:
        self.policy = policy
        self.mirror = mirror
        self.plans: dict[str, SymbolPlan] = {}
        self.sighted = False
        self.entry_wait = ""
        self._main = main
        self._main_book = main_book
        self._keeper = keeper
        self._book = book
        self._trades = trades
        self.sight = MirrorSight(keeper.lens(policy.name), main, mirror, keeper, book, trades, main_book)
        self._wishes = trades.wishes
        self._max_closes = max_closes
        self._sizes = sizes
        self._brake = brake
        self._plain = self.sight.lens is PLAIN
        self._has_day_limits = watches_day(policy.limits)
        self._tag = mirror.tag
        self._meter = meter
        self._terms = terms
        self._approach = approach
        self._closes: dict[str, int] = {}
        self._outlooks: dict[str, Outlook] = {}
        self._notionals = Notionals(mirror.view)

    def plan(
        self,
        symbols: Iterable[str],
        instruments: dict[str, Instrument],
        tickers: dict[str, Ticker],
        growth_block: Callable[[str], str],
        now_ms: int,
        *,
        day: Callable[[], Day],
        keep: bool = True,
    ) -> list[SymbolPlan]:
        """Decide about every symbol. Nothing is sent; the newest plan of each symbol is kept unless it is a preview."""
        allowance = Allowance(lambda: self.exposure(tickers, now_ms, day() if self._has_day_limits else NO_DAY))
        plans, unexplained = [], False
        for symbol in sorted(symbols):
            instrument, matters = instruments.get(symbol), self._plain or self._matters(symbol)
            if not matters and symbol not in self.plans:
                continue
            if not matters:
                plan = SymbolPlan(self.mirror.name, symbol)  # what was decided of it before is over
            elif instrument is None:
                plan = SymbolPlan(self.mirror.name, symbol, blocked="its trading rules are not read yet")
                plan.needs.append(Need(NeedKind.INSTRUMENT, self._main.name, symbol))
            else:
                scene, wake = self._scene(
                    symbol, instrument, tickers.get(symbol), growth_block, partial(allowance.ask, symbol), now_ms
                )
                plan = plan_symbol(scene)
                allowance.settle(plan.actions)
                if not self._plain:
                    plan.held += self.sight.unfollowed(symbol)
                _mark_drift(scene, plan)
                if wake is not None:
                    plan.wake_at(wake)
                self._brake.hold_back(plan)
                unexplained = unexplained or plan.closes_unexplained
            plans.append(plan)
            if keep:
                self.plans[symbol] = plan
        if self._closes:
            self._closes = {symbol: at for symbol, at in self._closes.items() if now_ms - at < _BRAKE_WINDOW_MS}
        if unexplained:
            apply_brake(plans, self._closes, self._max_closes)
        return plans

    def exposure(self, tickers: Mapping[str, Ticker], now_ms: int, day: Day, limits: Limits | None = None) -> Exposure:
        """What stands and what is on its way, for the limits of one pass; `limits` in place of the profile's."""
        on_the_way = self._book.on_the_way(self.mirror.name, self.mirror.view)
        sent = self._book.placements(self.mirror.name, now_ms)
        view, chosen = self.mirror.view, limits or self.policy.limits
        return Exposure(view, chosen, sent, on_the_way, day, tickers, self._notionals)

    def named(self, symbol: str) -> set[str]:
        """This mirror's symbols that a trader means by one: the one of that name, and what stands for main's."""
        return {symbol, self.sight.lens.symbol_here(symbol)}

    def _matters(self, symbol: str) -> bool:
        """Whether there is anything to decide: of a symbol that stands for none of main's only what is held here."""
        idle = self.sight.lens.is_idle(symbol)
        return not idle or symbol in self.mirror.view.symbols() or bool(self.copies(symbol))

    def ready(self, plans: list[SymbolPlan], now_ms: int) -> list[Planned]:
        """What of the plans goes out now; the rest waits for the account's pace."""
        planned: list[Planned] = []
        for plan in plans:
            if plan.actions:
                planned += self.mirror.pace.sendable(plan, now_ms)
        for plan in plans if planned else ():
            if plan.closes_unexplained and plan.actions:
                self._closes[plan.symbol] = now_ms
        return planned

    def claim(self, action: Action) -> None:
        """Before an entry goes out it is written down that the position it makes is ours."""
        if isinstance(action, PlaceOrder) and not action.reduce_only:
            side = PositionSide.grown_by(action.side)
            self._keeper.mark_opened(self.mirror.name, action.symbol, side)

    def look_ahead(self) -> None:
        """Do what the next decision would wait for, now that nothing does."""
        self._notionals.look()

    def note_sent(self, intents: Sequence[Intent]) -> None:
        """These went out: what the brake and the measuring of copies have to know of it."""
        self._brake.sent(intents, self._main.view, self.sight.lens, self.mirror.view)
        self._meter.on_planned(intents, self._keeper, self.sight.joins_legs)

    def copies(self, symbol: str) -> dict[PositionSide, Copy]:
        known, found = self._keeper.copies, {}
        for side in SIDES:
            copy = known.get((self.mirror.name, symbol, side))
            if copy is not None:
                found[side] = copy
        return found

    def lead(self, copy: Copy, instrument: Instrument) -> Decimal:
        """What this mirror's twins hold of a copy that main's resting orders have not filled yet."""
        ours = self._book.ours(self.mirror.name, copy.symbol, self.mirror.view)
        return lead_of(self.sight.of(copy.symbol, instrument), copy.symbol, copy, ours)

    def _scene(
        self,
        symbol: str,
        instrument: Instrument,
        ticker: Ticker | None,
        growth_block: Callable[[str], str],
        limit: Callable[[Decimal, Decimal], str],
        now_ms: int,
    ) -> tuple[Scene, int | None]:
        name, mirror, sight = self.mirror.name, self.mirror.view, self.sight
        book = self._book
        busy, wake = book.busy(name, symbol, now_ms)
        copies, misfit = self.copies(symbol), None
        if self._keeper.misfits:
            misfit = next((copy for copy in copies.values() if copy.key in self._keeper.misfits), None)
        main = self._main.view if self._plain else sight.of(symbol, instrument)
        before = self.plans.get(symbol)
        offset_ms = self._main.clock_offset_ms or 0
        waits: Mapping[PositionSide, str] = _NO_WAITS
        if self.entry_wait:
            waits = dict.fromkeys(SIDES, self.entry_wait)
        elif self._wishes.rows:
            waits = self._wishes.waits(name, symbol, sight.lens)
        scene = Scene(
            now_ms=now_ms,
            account=name,
            tag=self._tag,
            symbol=symbol,
            policy=self.policy,
            instrument=instrument,
            main=main,
            mirror=mirror,
            copies=copies,
            ours=book.ours(name, symbol, mirror),
            since=before.since if before else {},
            background=self._outlook(symbol, instrument),
            busy=busy,
            refused=book.refused(name, symbol),
            growth_block=growth_block(symbol),
            misfit=misfit is not None,
            mapped=not self._plain and sight.lens.symbol_there(symbol) != symbol,
            needs_stop=sight.lens.reverse,
            approach=self._approach,
            ticker=ticker,
            limit=limit,
            clock_offset_ms=offset_ms,
            entry_waits=waits,
            ripening=self._ripening(symbol, copies, now_ms + offset_ms) if self.policy.follow.delay_s else {},
            stops=self._main_book.stops(symbol) if main is self._main.view else {},
        )
        scene.parked = self._parked(scene, misfit)
        if symbol not in self.mirror.fee_rates:
            for side in copies:
                scene.background.breakeven(side)  # asks for the rate that breakeven goes by, before it is needed
        return scene, wake

    def _outlook(self, symbol: str, instrument: Instrument) -> Outlook:
        known = self._outlooks.get(symbol)
        if known is not None and known.instrument is instrument:
            return known
        if self._plain:
            known = PlainOutlook(
                self.sight,
                self.mirror,
                symbol,
                instrument,
                self._terms,
                keeper=self._keeper,
                trades=self._trades,
            )
        else:
            known = Outlook(self.sight, self.mirror, symbol, instrument, self._terms)
        self._outlooks[symbol] = known
        return known

    def _ripening(
        self, symbol: str, copies: Mapping[PositionSide, Copy], exchange_ms: int
    ) -> dict[PositionSide, Ripening]:
        """What of main is too young to be followed."""
        return self._sizes.ripening(self.policy, copies, exchange_ms, self.sight.joined_sizes(symbol))

    def _parked(self, scene: Scene, misfit: Copy | None) -> str:
        """Why no order of ours may touch the symbol: a position that is not ours, or one a new store must not close.

        `misfit`: a copy that began under another direction or map. It is never traded on (until it is flat).
        """
        if misfit is not None:
            followed, main_side = misfit.source
            return f"policy changed: it followed main's {main_side} {followed} as {misfit.side} {misfit.symbol}"
        for side, have in scene.have.items():
            if not have:
                continue
            copy = scene.copies.get(side)
            if copy is None or not copy.opened:
                return "foreign position"
            if copy.held and (copy.ended or not self.sight.size(scene.symbol, side)):
                return f"{copy.held}: main is flat"
        return ""


def _mark_drift(scene: Scene, plan: SymbolPlan) -> None:
    """Remember since when a side is off its target by more than lead, lag and holds explain, and held back.

    What waits between two tries, such as for a rate limit, goes on to be off: else drift would never last.
    """
    for standing in plan.standings:
        if standing.have == standing.want:
            continue
        name = f"drift {standing.side}"
        off = _is_off_target(plan, standing, scene.instrument)
        if off or (name in scene.since and _waits_between_tries(plan, standing)):
            scene.since_ms(plan, name)
    for held in plan.held:
        scene.since_ms(plan, f"held {held.side}")


def _waits_between_tries(plan: SymbolPlan, standing: Standing) -> bool:
    """Whether growth that is lacking waits for what ends by itself, and not because of a policy."""
    waits = [held.waiting for held in plan.held if held.side is standing.side]
    return bool(waits) and all(waits) and not plan.parked and standing.want - standing.have > standing.tolerated


def is_off(plan: SymbolPlan, side: PositionSide, instrument: Instrument) -> bool:
    """Whether a side differs from its target by at least a step, beyond what lead, lag, a hold or a park explains."""
    return any(standing.side is side and _is_off_target(plan, standing, instrument) for standing in plan.standings)


def _is_off_target(plan: SymbolPlan, standing: Standing, instrument: Instrument) -> bool:
    difference = abs(standing.have - standing.want) - standing.tolerated
    if plan.parked or difference < max(instrument.qty_step, instrument.min_qty):
        return False
    if standing.want <= standing.have or not plan.held:
        return True
    side = standing.side
    ordered = [item.action for item in plan.actions if isinstance(item.action, PlaceOrder)]
    if any(action.role is Role.CORRECTION and action.side is side.entry for action in ordered):
        return True  # what is held then is another order's
    return not any(held.side is side for held in plan.held)
