"""The engine: events in, decisions on one thread, journaled sends out.

    handle(event)   applies what happened to the views and the intent book
    process()       makes every decision that is due: reads to ask, cycles, mirror passes, tasks

An event only says "look now" (the one idea of the design). The engine knows the world through ports alone, so the same
code runs live over pybit and in one process against the paper exchange on a virtual clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial

from mirrorctl.core.domain.approach import CONSERVATIVE as USUAL
from mirrorctl.core.domain.breakeven import DEFAULT_TAKER
from mirrorctl.core.domain.cycle import Copy
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.lens import PLAIN, Lens
from mirrorctl.core.domain.policy import Foreign, Manage, Policy
from mirrorctl.core.domain.scene import BreakevenTerms, NeedKind, SymbolPlan
from mirrorctl.core.domain.trade import Trade
from mirrorctl.core.domain.trade_scene import TradePlan
from mirrorctl.core.domain.values import Freshness, PositionSide
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.baseline import Baseline, Sightings, old_cycles
from mirrorctl.core.engine.bereft import keep_stops
from mirrorctl.core.engine.daily_summary import DailySummary
from mirrorctl.core.engine.departures import Departures
from mirrorctl.core.engine.doubts import tend_doubts
from mirrorctl.core.engine.drift_watch import DriftWatch
from mirrorctl.core.engine.foreign import adopt_foreign
from mirrorctl.core.engine.halts import Halts
from mirrorctl.core.engine.handover import take_over, tend_cycles
from mirrorctl.core.engine.housekeeping import Housekeeping
from mirrorctl.core.engine.intake import Intake
from mirrorctl.core.engine.interrupted import finish_interrupted
from mirrorctl.core.engine.late import LateWatch
from mirrorctl.core.engine.minimums import write_down_minimum
from mirrorctl.core.engine.modes import declares_modes, tend_modes
from mirrorctl.core.engine.naked_watch import measure_naked
from mirrorctl.core.engine.ports import (
    Clock,
    Decoder,
    Event,
    ReadFeeRate,
    ReadInstrument,
)
from mirrorctl.core.engine.questions import (
    UNSETTLED_WAIT_MS,
    ask_due_relists,
    ask_looks,
    ask_need,
    ask_unsettled,
)
from mirrorctl.core.engine.reach import ReachWatch
from mirrorctl.core.engine.reconcile import MirrorPass
from mirrorctl.core.engine.records import Severity, StandingKind, StoreFile
from mirrorctl.core.engine.sizing import Sizer
from mirrorctl.core.engine.state import READ_RETRY_MS, EngineState
from mirrorctl.core.engine.store_care import StoreCare
from mirrorctl.core.engine.wishes import tend_wishes

_LIMIT_LOOK_MS = 1_000
_FEE_RATE_MS = 60_000


class Engine(EngineState):
    """Decides. Every method is called on the engine's thread."""

    def __init__(
        self,
        policy: Policy,
        accounts: Sequence[Account],
        store: StoreFile,
        clock: Clock,
        decode: Decoder,
        *,
        sends: bool = True,
        baseline: Baseline | None = None,
    ) -> None:
        """Without `sends` every decision is made and none is carried out: a rehearsal. No `baseline`: one in memory."""
        super().__init__(policy, accounts, store, clock)
        self.baseline = baseline or Sightings()
        self.pass_ms = 0
        self._sends = sends
        self._declares_modes = declares_modes(policy)
        self._intake = Intake(self, decode)
        self._halts = Halts(self)
        self._reach = ReachWatch(self.outbox)
        self._late = LateWatch(self)
        self._drift = DriftWatch(self)
        self.summary = DailySummary(self)
        self.store_care = StoreCare(self)
        self.housekeeping = Housekeeping(self)
        self.sizer = Sizer(self)
        self.keeper.lead = self._lead
        for account in accounts:
            if not account.is_main:
                self._add_pass(account)

    # --- time ------------------------------------------------------------------------------------------------

    def next_wake_ms(self) -> int:
        """When `process` has to run again if no event comes before."""
        now = self.now_ms()
        wake = now + int(self.policy.tick_s * 1000)
        for at_ms in (self.agenda.next_wake_ms(), self.book.next_look_ms()):
            if at_ms is not None:
                wake = min(wake, at_ms)
        if not self.tasks.idle:
            wake = min(wake, self.tasks.next_wake_ms(wake))
        return max(wake, now + 1)

    # --- start -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take up the journal and ask for everything; decisions wait until both sides of them are known."""
        now = self.now_ms()
        self.book.load(now, min((cycle.started_ms for cycle in self.keeper.cycles.values()), default=now))
        for account in self.accounts.values():
            account.relist_due_ms = now
        for symbol in {to.symbol for mirror in self.policy.mirrors if mirror.enabled for to in mirror.map.values()}:
            self.main.ask(ReadInstrument(symbol), now)
        ask_due_relists(self, now)

    def join(self, account: Account) -> None:
        """A mirror whose keys could be read only after the start."""
        self.absent.pop(account.name, None)
        self.accounts[account.name] = account
        self._add_pass(account)

    def _add_pass(self, account: Account) -> None:
        self.dirty[account.name] = set()
        self.passes[account.name] = MirrorPass(
            self.policy.mirror(account.name),
            self.main,
            account,
            self.keeper,
            self.book,
            self.trades,
            self.main_book,
            max_closes=self.policy.max_closes_per_pass,
            sizes=self.main_sizes,
            brake=self.brake,
            meter=self.meter,
            terms=self.breakeven_terms,
            approach=self.policy.approach_of(account.name),
        )

    def _lead(self, copy: Copy) -> Decimal:
        """What a copy's twins filled ahead of main's orders."""
        mirror, instrument = self.passes.get(copy.account), self.instruments.get(copy.symbol)
        return ZERO if mirror is None or instrument is None else mirror.lead(copy, instrument)

    def relist_all(self) -> None:
        """Ask every account for a whole relist now."""
        for account in self.accounts.values():
            account.relist_due_ms = 0

    def handle(self, event: Event) -> None:
        """Apply one event. Decides nothing; what is recorded of it may wait for `process`, which follows."""
        self.store.begin_round()
        self._intake.handle(event)

    @property
    def may_wait(self) -> bool:
        """Whether all that was handled since the last round only confirms what was known or expected."""
        return not self._intake.has_news

    def conclude(self) -> None:
        """The process ends in order: tell what waited for more to be known."""
        self._intake.events.conclude()
        self.store.end_round()

    # --- decisions -----------------------------------------------------------------------------------------------

    def process(self) -> None:
        """Make every decision that is due now, and those that a command's next step leads to."""
        self._intake.has_news = False
        now = self.now_ms()
        self.store.begin_round()
        self._decide(now)
        while not self.tasks.idle and self.tasks.run(now):
            self._decide(now)
        self.store.end_round()
        self.housekeeping.tend(now)
        if self._sends and self.store_care.tend(now):
            for mirror in self.passes.values():
                self.dirty[mirror.mirror.name] |= self.all_symbols(mirror)

    def _decide(self, now: int) -> None:
        self._halts.tend(now, acts=self._sends)
        if self.book.unsettled:
            ask_looks(self, now)
        if self._sends and (self.book.unsettled or self.doubted or self.standings.rows):
            tend_doubts(self, now)
        for account, symbol, _ in self.agenda.wake(now):  # the pass itself may have to wait until these are known
            (self.dirty_main if account == self.main.name else self.dirty[account]).add(symbol)
        try:
            if self.main.freshness(now, self.relist_ms) is Freshness.FRESH:
                self._follow(now)
            else:
                keep_stops(self, now, acts=self._sends)
        finally:  # what is decided waits for no question, and whatever goes wrong there, all is read anew in its time
            ask_due_relists(self, now)
            ask_unsettled(self, now)
            self._intake.transfers.tend(now)
        if self._sends:
            self._late.look(now)
            self._drift.look(now)
        self._reach.look(self.accounts.values(), now)
        # telling comes last: nothing that is decided waits for it, whatever happens to it
        self._intake.events.tend(now)
        self.summary.tend(now)

    def _follow(self, now: int) -> None:
        """Make the decisions of a round; main is known."""
        if self._intake.early:
            self._intake.settle_early()
        if self._declares_modes:
            tend_modes(self, now)
        tend_cycles(self, now)
        self._pass_main(now)
        if self.trades.wishes.rows:
            tend_wishes(self, now)
        work = any(self.dirty.values())
        self._pass_mirrors(now)
        if work:
            self.pass_ms = self.now_ms() - now

    def plan_main(self, symbols: set[str], now: int, *, keep: bool = True) -> list[TradePlan]:
        """Plans of the managed trades on main, with nothing sent; without `keep` nothing is remembered either."""
        return self.main_pass.plan(symbols, self.instruments, self.tickers, self.breakeven_terms, now, keep=keep)

    def breakeven_terms(self, account: Account, trade: Trade | None, symbol: str, side: PositionSide) -> BreakevenTerms:
        """When and at which cost the stop of one position goes to breakeven. Of a trade made elsewhere: as usual."""
        exits = self.own_approaches.get(account.name) or trade or USUAL
        after, margin = exits.breakeven_after, exits.breakeven_margin_bps
        rate = account.fee_rates.get(symbol)
        if after and symbol not in account.fee_rates:
            account.ask(ReadFeeRate(symbol), self.now_ms(), every_ms=_FEE_RATE_MS)
        fees, qty = self.entry_fees.of(account.name, symbol, side, account.view.size(symbol, side))
        return BreakevenTerms(after, margin, rate.taker if rate is not None else DEFAULT_TAKER, fees, qty)

    def _pass_main(self, now: int) -> None:
        """Keep the managed trades on main; everything else there is never touched (A79)."""
        if self._sends and (not self.main_taken or self.policy.manage is Manage.ALL):
            take_over(self)
        if self._sends and self.book.interrupted:
            finish_interrupted(self, now)
        symbols, self.dirty_main = self.dirty_main, set()
        if not symbols or not (self.trades.known or self.main_pass.plans):
            return
        plans = self.plan_main(symbols, now)
        for decided in plans:
            self.after_needs(decided.plan, now)
            for side, reason in decided.plan.passed_stops.items():
                about = f"{side}:{decided.trade.tag}:{decided.trade.stop}"
                self.outbox.tell(
                    now, Severity.CRITICAL, "stop-passed", self.main.name, decided.plan.symbol, reason, about
                )
            for text in [text for text in decided.told if not text.startswith("stop ")]:  # those: see stop_moves.py
                about = f"{now}:{text}"
                self.outbox.tell(now, Severity.INFO, "trade", self.main.name, decided.plan.symbol, text, about)
            self.outbox.tell_plan(decided.plan, now)
            measure_naked(self, self.main, decided.plan, now, (decided.trade.side,))
        if self._sends:
            self.main_pass.execute(plans, now)
        for decided in plans:
            self.agenda.note((self.main.name, *decided.trade.key), decided.plan)
        self.agenda.keep(self.main.name, {(self.main.name, *key) for key in self.main_pass.plans})

    def plan_mirror(self, mirror: MirrorPass, symbols: set[str], now: int, *, keep: bool = True) -> list[SymbolPlan]:
        """Plans of one mirror with nothing sent; without `keep` nothing is remembered either."""
        # what rests goes on resting: neither a store that is full nor a spent rate says anything against it
        held = mirror.mirror.entries_held
        mirror.entry_wait = self.store.error or (mirror.mirror.growth_held(now) if held else "")
        return mirror.plan(
            symbols,
            self.instruments,
            self.tickers,
            partial(self.growth_block, mirror),
            now,
            day=partial(self.day_of, mirror.mirror, now),
            keep=keep,
        )

    def all_symbols(self, mirror: MirrorPass) -> set[str]:
        """Every symbol a mirror may have something to do about."""
        copies = {symbol for account, symbol, _ in self.keeper.copies if account == mirror.mirror.name}
        followed = {mirror.sight.lens.symbol_here(symbol) for symbol in self.main.view.symbols()}
        return copies | mirror.mirror.view.symbols() | followed

    def _pass_mirrors(self, now: int) -> None:
        """Decide for every mirror. What can wait until all is sent comes after that."""
        planned: list[tuple[MirrorPass, SymbolPlan]] = []
        self.marked.clear()
        sizing = self.sizer.due() if self.keeper.unsized or self.sizer.began else ()
        try:
            with Departures(self.book, now) as departures:
                for name, mirror in self.passes.items():
                    if not self.dirty[name] and mirror.sighted and name not in sizing:
                        continue
                    plans = self._pass(mirror, now)
                    for plan in plans:
                        planned.append((mirror, plan))
                        self._before_sending(mirror, plan, now)
                    if self._sends and self.policy.mirroring:  # disabled mirrors are looked at and not touched
                        departures.add(mirror, plans)
            for mirror, plan in planned:
                self._after_plan(mirror, plan, now)
                mirror.look_ahead()
        finally:  # whatever goes wrong here, what was planned is looked at again in its time
            for _, plan in planned:
                self.agenda.note((plan.account, plan.symbol, None), plan)

    def _pass(self, mirror: MirrorPass, now: int) -> list[SymbolPlan]:
        """Plans of what there is to decide for one mirror now."""
        account = mirror.mirror
        if account.freshness(now, self.relist_ms) is not Freshness.FRESH:
            return []
        if not mirror.sighted:
            at_ms = self.exchange_now_ms()
            old = old_cycles(self.baseline, self.keeper, self.main, account, at_ms)
            self.keeper.first_sight(account, mirror.policy, self.main.view, at_ms, old)
            mirror.sighted = True
            self._intake.settle_early()
            self.dirty[account.name] |= self.all_symbols(mirror)
        if self.keeper.unsized or self.sizer.began:
            self.sizer.size(account, mirror.policy, now)
        symbols, self.dirty[account.name] = self.dirty[account.name], set()
        if not symbols:
            return []
        if mirror.policy.follow.foreign is Foreign.ADOPT:
            adopt_foreign(self, mirror, symbols)
        return self.plan_mirror(mirror, symbols, now)

    def after_needs(self, plan: SymbolPlan, now: int, lens: Lens = PLAIN) -> None:
        """Ask for what a plan lacks; what it needs of main it names by its own symbol, which `lens` turns."""
        for need in plan.needs:
            of_main = need.account == self.main.name and need.kind is not NeedKind.INSTRUMENT
            ask_need(self, replace(need, symbol=lens.symbol_there(need.symbol)) if of_main else need, now)
        if plan.needs and any(need.kind is not NeedKind.ORDERS for need in plan.needs):
            plan.wake_at(now + READ_RETRY_MS)
        elif plan.needs:
            plan.wake_at(now + UNSETTLED_WAIT_MS)

    def _before_sending(self, mirror: MirrorPass, plan: SymbolPlan, now: int) -> None:
        """Ask for what a plan lacks, and write down what a restart must find if this is sent."""
        account = mirror.mirror
        if plan.needs:
            self.after_needs(plan, now, mirror.sight.lens)
        if plan.own_stops or plan.own_ladders:
            self.keeper.write_down(plan)
        if plan.skipped or plan.raised:
            write_down_minimum(self, mirror, plan, now)
        if plan.held and any(held.reason.startswith("limit") for held in plan.held):
            plan.wake_at(now + _LIMIT_LOOK_MS)
        if account.entries_held and now < account.hold_entries_until_ms:
            plan.wake_at(account.hold_entries_until_ms)
        for side, reason in plan.passed_stops.items():
            if self.keeper.end_here(plan.account, plan.symbol, side, reason):
                about = f"{side}:{now}"
                self.outbox.tell(now, Severity.CRITICAL, "stop-passed", plan.account, plan.symbol, reason, about)
                self.mark(account, plan.symbol)

    def _after_plan(self, mirror: MirrorPass, plan: SymbolPlan, now: int) -> None:
        measure_naked(self, mirror.mirror, plan, now)
        if plan.park:
            self.standings.set(StandingKind.PARK, plan.account, plan.symbol, plan.park, now)
        self.outbox.tell_plan(plan, now)
        self.holds.observe(plan, now)
        if not self.keeper.leaving:
            return
        ours = partial(self.book.ours, plan.account, plan.symbol, mirror.mirror.view)
        if self.keeper.drop_done(plan.account, plan.symbol, mirror.mirror.view, ours):
            mirror.sighted = False
            self.mark(mirror.mirror, plan.symbol)

    def growth_block(self, mirror: MirrorPass, symbol: str) -> str:
        """Why entries of this mirror on this symbol are held whatever their size."""
        if not self.policy.mirroring:
            return "mirroring is disabled (ENABLE_MIRROR_TRADING)"
        standings, name = self.standings, mirror.mirror.name
        lens = mirror.sight.lens
        there = lens.symbol_there(symbol) if lens.map else symbol
        by_name = standings.growth_block(name, symbol)
        return by_name if by_name or there == symbol else standings.growth_block(name, there)  # or by main's name
