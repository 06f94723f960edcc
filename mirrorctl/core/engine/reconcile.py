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
from mirrorctl.core.domain.day_limits import Day
from mirrorctl.core.domain.day_limits import watched as watches_day
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.instruments import Instrument
from mirrorctl.core.domain.planner import apply_brake, plan_symbol
from mirrorctl.core.domain.policy import Limits, MirrorPolicy
from mirrorctl.core.domain.scene import Need, NeedKind, Planned, Scene, Standing, SymbolPlan
from mirrorctl.core.domain.twins import lead_of
from mirrorctl.core.domain.values import SIDES, PositionSide
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.brake import Brake
from mirrorctl.core.engine.intents import IntentBook
from mirrorctl.core.engine.keeper import Keeper
from mirrorctl.core.engine.limits import Allowance, Exposure
from mirrorctl.core.engine.main_pass import Terms
from mirrorctl.core.engine.main_sizes import MainSizes
from mirrorctl.core.engine.measure import CopyMeter
from mirrorctl.core.engine.notionals import Notionals
from mirrorctl.core.engine.records import Intent
from mirrorctl.core.engine.sights import MirrorSight
from mirrorctl.core.engine.trades import TradeBook

_BRAKE_WINDOW_MS = 60_000


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
        *,
        max_closes: int,
        sizes: MainSizes,
        brake: Brake,
        meter: CopyMeter,
        approach: Approach | None,
    ) -> None:
        self.policy = policy
        self.mirror = mirror
        self.plans: dict[str, SymbolPlan] = {}
        self.sighted = False
        self.entry_wait = ""
        self._main = main
        self._keeper = keeper
        self._book = book
        self._trades = trades
        self.sight = MirrorSight(keeper.lens(policy.name), main, mirror, keeper, book, trades)
        self._wishes = trades.wishes
        self._max_closes = max_closes
        self._sizes = sizes
        self._brake = brake
        self._meter = meter
        self._approach = approach
        self._closes: dict[str, int] = {}
        self._notionals = Notionals(mirror.view)

    def plan(
        self,
        symbols: Iterable[str],
        instruments: dict[str, Instrument],
        tickers: dict[str, Ticker],
        growth_block: Callable[[str], str],
        terms: Terms,
        now_ms: int,
        *,
        day: Callable[[], Day],
        keep: bool = True,
    ) -> list[SymbolPlan]:
        """Decide about every symbol. Nothing is sent; the newest plan of each symbol is kept unless it is a preview."""
        watched = watches_day(self.policy.limits)
        allowance = Allowance(lambda: self.exposure(tickers, now_ms, day() if watched else Day()))
        plans = []
        for symbol in sorted(symbol for symbol in symbols if self._matters(symbol) or symbol in self.plans):
            instrument = instruments.get(symbol)
            if not self._matters(symbol):
                plan = SymbolPlan(self.mirror.name, symbol)  # what was decided of it before is over
            elif instrument is None:
                plan = SymbolPlan(self.mirror.name, symbol, blocked="its trading rules are not read yet")
                plan.needs.append(Need(NeedKind.INSTRUMENT, self._main.name, symbol))
            else:
                scene, wake = self._scene(
                    symbol, instrument, tickers.get(symbol), growth_block, terms, partial(allowance.ask, symbol), now_ms
                )
                plan = plan_symbol(scene)
                allowance.settle(plan.actions)
                plan.held += self.sight.unfollowed(symbol)
                self._mark_drift(scene, plan)
                if wake is not None:
                    plan.wake_at(wake)
                self._brake.hold_back(plan)
            plans.append(plan)
            if keep:
                self.plans[symbol] = plan
        if self._closes:
            self._closes = {symbol: at for symbol, at in self._closes.items() if now_ms - at < _BRAKE_WINDOW_MS}
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
        planned = [item for plan in plans for item in self.mirror.pace.sendable(plan, now_ms)]
        if planned:
            self._closes.update({plan.symbol: now_ms for plan in plans if plan.closes_unexplained and plan.actions})
        return planned

    def claim(self, action: Action) -> None:
        """Before an entry goes out it is written down that the position it makes is ours."""
        if isinstance(action, PlaceOrder) and not action.reduce_only:
            side = PositionSide.grown_by(action.side)
            self._keeper.mark_opened(self.mirror.name, action.symbol, side)

    def note_sent(self, intents: Sequence[Intent]) -> None:
        """These went out: what the brake and the measuring of copies have to know of it."""
        self._brake.sent(intents, self._main.view, self.sight.lens, self.mirror.view)
        self._meter.on_planned(intents, self._keeper, self.sight.joins_legs)

    def copies(self, symbol: str) -> dict[PositionSide, Copy]:
        known, name = self._keeper.copies, self.mirror.name
        return {side: known[(name, symbol, side)] for side in SIDES if (name, symbol, side) in known}

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
        terms: Terms,
        limit: Callable[[Decimal, Decimal], str],
        now_ms: int,
    ) -> tuple[Scene, int | None]:
        busy, wake = self._book.busy(self.mirror.name, symbol, now_ms)
        copies, misfit = self.copies(symbol), None
        if self._keeper.misfits:
            misfit = next((copy for copy in copies.values() if copy.key in self._keeper.misfits), None)
        sight = self.sight
        ladders = {side: sight.ladder(symbol, side, instrument) for side in copies}
        before = self.plans.get(symbol)
        scene = Scene(
            now_ms=now_ms,
            account=self.mirror.name,
            tag=self.mirror.tag,
            symbol=symbol,
            policy=self.policy,
            instrument=instrument,
            main=sight.of(symbol, instrument),
            mirror=self.mirror.view,
            copies=copies,
            ours=self._book.ours(self.mirror.name, symbol, self.mirror.view),
            since=before.since if before else {},
            busy=busy,
            refused=self._book.refused(self.mirror.name, symbol),
            growth_block=growth_block(symbol),
            parked=self._parked(symbol, copies, misfit),
            misfit=misfit is not None,
            growth_fill=sight.growth_fills(symbol),
            exit_fill=sight.exit_fills(symbol),
            explained_closes=sight.explained(symbol, copies),
            ladders=ladders,
            rungs_sold={side: sight.sold(symbol, side, ladder) for side, ladder in ladders.items() if ladder.rungs},
            rungs_done={side: sight.rungs_done(symbol, side) for side in copies},
            breakevens={side: terms(self.mirror, sight.trade(symbol, side), symbol, side) for side in copies},
            intended_stops=sight.intended_stops(symbol, instrument),
            needs_stop=sight.lens.reverse,
            approach=self._approach,
            unmirrored=sight.unmirrored(symbol),
            ticker=ticker,
            limit=limit,
            clock_offset_ms=self._main.clock_offset_ms or 0,
            entry_waits=dict.fromkeys(PositionSide, self.entry_wait)
            if self.entry_wait
            else self._wishes.waits(self.mirror.name, symbol, sight.lens),
            ripening=self._sizes.ripening(
                self.policy, copies, now_ms + (self._main.clock_offset_ms or 0), sight.joined_sizes(symbol)
            ),
        )
        return scene, wake

    def _parked(self, symbol: str, copies: dict[PositionSide, Copy], misfit: Copy | None) -> str:
        """Why no order of ours may touch the symbol: a position that is not ours, or one a new store must not close.

        `misfit`: a copy that began under another direction or map. It is never traded on (until it is flat).
        """
        if misfit is not None:
            followed, main_side = misfit.source
            return f"policy changed: it followed main's {main_side} {followed} as {misfit.side} {misfit.symbol}"
        for side in SIDES:
            if not self.mirror.view.size(symbol, side):
                continue
            copy = copies.get(side)
            if copy is None or not copy.opened:
                return "foreign position"
            if copy.held and (copy.ended or not self.sight.size(symbol, side)):
                return f"{copy.held}: main is flat"
        return ""

    def _mark_drift(self, scene: Scene, plan: SymbolPlan) -> None:
        """Remember since when a side is off its target by more than lead, lag and holds explain, and held back.

        What waits between two tries, such as for a rate limit, goes on to be off: else drift would never last.
        """
        for standing in plan.standings:
            name = f"drift {standing.side}"
            off = is_off(plan, standing.side, scene.instrument)
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
    standing = next((s for s in plan.standings if s.side is side), None)
    if standing is None or plan.parked:
        return False
    difference = abs(standing.have - standing.want) - standing.tolerated
    if difference < max(instrument.qty_step, instrument.min_qty):
        return False
    ordered = any(
        isinstance(item.action, PlaceOrder) and item.action.role is Role.CORRECTION and item.action.side is side.entry
        for item in plan.actions
    )
    held = any(h.side is side for h in plan.held) and not ordered  # what is held then is another order's
    return not (held and standing.want > standing.have)
