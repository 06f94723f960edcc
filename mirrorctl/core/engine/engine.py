"""The engine: events in, decisions on one thread, journaled sends out.

    handle(event)   applies what happened to the views and the intent book
    process()       makes every decision that is due: reads to ask, cycles, mirror passes, tasks

An event only says "look now" (the one idea of the design). The engine knows the world through ports alone, so the same
code runs live over pybit and in one process against the paper exchange on a virtual clock.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from mirrorctl.core.domain.account import Execution, Order, Position, Ticker, Wallet
from mirrorctl.core.domain.actions import NotSent, PlaceOrder, RejectedOutcome
from mirrorctl.core.domain.errors import ExchangeError
from mirrorctl.core.domain.instruments import Instrument
from mirrorctl.core.domain.policy import MAIN, Policy
from mirrorctl.core.domain.scene import Need, NeedKind, SymbolPlan
from mirrorctl.core.domain.values import Freshness
from mirrorctl.core.engine.accounts import BLIND_RELIST_MS, Account
from mirrorctl.core.engine.intents import IntentBook
from mirrorctl.core.engine.keeper import Keeper
from mirrorctl.core.engine.measure import CopyMeter
from mirrorctl.core.engine.outbox import Outbox
from mirrorctl.core.engine.ports import (
    Clock,
    ClockMeasured,
    Decoder,
    Event,
    ExecutionsAnswer,
    FindOrder,
    Frame,
    OrderAnswer,
    PositionAnswer,
    ReadDone,
    ReadExecutions,
    ReadFailed,
    ReadInstrument,
    ReadPosition,
    ReadTicker,
    Relist,
    RelistAnswer,
    SendDone,
    StreamDown,
    StreamUp,
)
from mirrorctl.core.engine.reconcile import MirrorPass
from mirrorctl.core.engine.records import Severity, StandingKind, Store
from mirrorctl.core.engine.standings import Standings
from mirrorctl.core.engine.tasks import Tasks

_WEEK_MS = 7 * 86_400_000
_OVERLAP_MS = 60_000
_UNSETTLED_WAIT_MS = 250
_READ_RETRY_MS = 1_000
_HOUSEKEEPING_MS = 60_000

log = logging.getLogger(__name__)


class Engine:
    """All state of one profile at run time. Every method is called on the engine's thread."""

    def __init__(
        self,
        policy: Policy,
        accounts: Sequence[Account],
        store: Store,
        clock: Clock,
        decode: Decoder,
        *,
        sends: bool = True,
    ) -> None:
        """Without `sends` every decision is made and none is carried out: a rehearsal."""
        self.policy = policy
        self.store = store
        self.accounts = {account.name: account for account in accounts}
        self.main = self.accounts[MAIN]
        self.book = IntentBook(store)
        self.keeper = Keeper(store, self.main.uid)
        self.standings = Standings(store)
        self.outbox = Outbox(store)
        self.meter = CopyMeter(store)
        self.tasks = Tasks()
        self.absent: dict[str, str] = {}
        self.instruments: dict[str, Instrument] = {}
        self.tickers: dict[str, Ticker] = {}
        self.passes: dict[str, MirrorPass] = {}
        self.pass_ms = 0
        self._sends = sends
        self._clock = clock
        self._decode = decode
        self._relist_ms = int(policy.relist_s * 1000)
        self._dirty: dict[str, set[str]] = {}
        self._stale_cycles: set[str] = set()
        self._attributing: dict[tuple[str, str], tuple[int, set[str]]] = {}
        self._housekeeping_ms = 0
        for account in accounts:
            if not account.is_main:
                self._add_pass(account)

    # --- time ------------------------------------------------------------------------------------------------

    def now_ms(self) -> int:
        """The local clock."""
        return self._clock.now_ms()

    def exchange_now_ms(self) -> int:
        """The exchange's clock, as far as main's offset is known."""
        return self.now_ms() + (self.main.clock_offset_ms or 0)

    def next_wake_ms(self) -> int:
        """When `process` has to run again if no event comes before."""
        now = self.now_ms()
        wake = now + int(self.policy.tick_s * 1000)
        for mirror in self.passes.values():
            wake = min([wake, *(p.wake_ms for p in mirror.plans.values() if p.wake_ms is not None)])
        look = self.book.next_look_ms()
        if look is not None:
            wake = min(wake, look)
        return max(min(wake, self.tasks.next_wake_ms(wake)), now + 1)

    # --- start -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take up the journal and ask for everything; decisions wait until both sides of them are known."""
        now = self.now_ms()
        self.book.load(now)
        for account in self.accounts.values():
            account.relist_due_ms = now
        self._ask_due_relists(now)

    def join(self, account: Account) -> None:
        """A mirror whose keys could be read only after the start."""
        self.absent.pop(account.name, None)
        self.accounts[account.name] = account
        self._add_pass(account)

    def _add_pass(self, account: Account) -> None:
        self._dirty[account.name] = set()
        self.passes[account.name] = MirrorPass(
            self.policy.mirror(account.name),
            self.main,
            account,
            self.keeper,
            self.book,
            max_closes=self.policy.max_closes_per_pass,
        )

    def freshness(self, account: Account) -> Freshness:
        return account.freshness(self.now_ms(), self._relist_ms)

    def is_known(self, account: Account) -> bool:
        """Whether decisions may rest on this account's view (A86)."""
        return self.freshness(account) is Freshness.FRESH

    def relist_all(self) -> None:
        """Ask every account for a whole relist now."""
        for account in self.accounts.values():
            account.relist_due_ms = 0

    # --- events ----------------------------------------------------------------------------------------------

    def handle(self, event: Event) -> None:
        """Apply one event. Decides nothing."""
        account = self.accounts.get(event.account)
        if account is None:
            return
        if isinstance(event, Frame):
            account.last_event_ms = event.received_ms
            self._on_frame(account, event)
        elif isinstance(event, SendDone):
            self._on_send_done(account, event)
        elif isinstance(event, ReadDone):
            self._on_read_done(account, event)
        elif isinstance(event, StreamUp):
            self._on_stream_up(account, event)
        elif isinstance(event, StreamDown):
            self._on_stream_down(account, event)
        elif isinstance(event, ClockMeasured):
            account.clock_offset_ms = event.offset_ms

    def _on_frame(self, account: Account, event: Frame) -> None:
        """A message that cannot be read is a gap: whatever it told is read anew."""
        try:
            values = self._decode(event.payload)
        except ExchangeError as error:
            log.warning("%s: %s; relisting", account.name, error)
            account.relist_due_ms = self.now_ms()
            return
        for value in values:
            self._apply(account, value)

    def _apply(self, account: Account, value: Order | Execution | Position | Wallet) -> None:
        now = self.now_ms()
        if isinstance(value, Wallet):
            account.view.apply_wallet(value)
            return
        if isinstance(value, Order):
            news = account.view.apply_order(value, now)
            self.book.on_order(account.name, value, now)
            if not value.is_open:
                self.book.confirm(account.name, value.symbol, account.view, now)
        elif isinstance(value, Execution):
            news = account.view.apply_execution(value, now)
            if news:
                self._on_execution(account, value, live=True)
        else:
            news = account.view.apply_position(value, now)
        if news:
            self.book.confirm(account.name, value.symbol, account.view, now)
            self.mark(account, value.symbol)

    def _on_execution(self, account: Account, execution: Execution, *, live: bool) -> None:
        if account.is_main:
            at_ms = min(execution.time_ms - (account.clock_offset_ms or 0), self.now_ms())
            self.keeper.on_main_execution(execution, at_ms)
            return
        changed = self.keeper.on_mirror_execution(account.name, execution, account.view, self.main.view, live=live)
        if changed is not None:
            what = f"out of this cycle: {changed.out}" if changed.out else "its own target reduced it"
            self.outbox.tell(
                self.now_ms(), Severity.INFO, "own-exit", account.name, execution.symbol, what, execution.exec_id
            )
        if live:
            self.meter.on_mirror_execution(account, execution, self.keeper)

    def _on_send_done(self, account: Account, event: SendDone) -> None:
        now = self.now_ms()
        intent = self.book.on_outcome(event.intent_id, event.outcome, now)
        if intent is None:
            return
        action = intent.action
        self.mark(account, action.symbol)
        if isinstance(event.outcome, NotSent):
            account.not_sent(action.priority, event.outcome, now)
        elif isinstance(event.outcome, RejectedOutcome):
            text = f"{type(action).__name__} refused ({event.outcome.code}): {event.outcome.message}"
            self.outbox.tell(now, Severity.WARNING, "refused", account.name, action.symbol, text, str(intent.intent_id))
            account.ask(ReadPosition(action.symbol), now)
            if not isinstance(action, PlaceOrder) and hasattr(action, "order_id"):
                account.ask(FindOrder(action.symbol, order_id=action.order_id), now)
        self.book.confirm(account.name, action.symbol, account.view, now)

    def _on_stream_up(self, account: Account, event: StreamUp) -> None:
        now = self.now_ms()
        blind = now - account.stream_since_ms if account.stream_since_ms else 0
        if account.epoch >= 0 and not account.stream_up:
            log.warning("%s: stream is back after %.1f s blind; relisting", account.name, blind / 1000)
        account.stream_up, account.epoch, account.stream_since_ms = True, event.epoch, now
        account.relist_due_ms = now
        account.asked = {query: at for query, at in account.asked.items() if not isinstance(query, Relist)}

    def _on_stream_down(self, account: Account, event: StreamDown) -> None:
        if account.stream_up or account.error != event.reason:
            log.warning("%s: stream down: %s", account.name, event.reason)
        now = self.now_ms()
        if account.stream_up:
            account.stream_since_ms = now
            self.outbox.tell(now, Severity.WARNING, "stream-down", account.name, "", event.reason, str(event.epoch))
        account.stream_up = False
        account.error = event.reason
        account.relist_due_ms = min(account.relist_due_ms, now)

    # --- answers -----------------------------------------------------------------------------------------------

    def _on_read_done(self, account: Account, event: ReadDone) -> None:
        account.asked.pop(event.query, None)
        now = self.now_ms()
        answer, query = event.answer, event.query
        if isinstance(answer, ReadFailed):
            account.error = answer.message
            wait = _READ_RETRY_MS if answer.retry_after_s is None else int(answer.retry_after_s * 1000)
            account.retry_at_ms[query] = now + wait
            if isinstance(query, Relist):
                account.relist_due_ms = now + wait
            return
        account.retry_at_ms.pop(query, None)
        if isinstance(answer, RelistAnswer):
            self._on_relist(account, answer, event)
        elif isinstance(answer, PositionAnswer) and isinstance(query, ReadPosition):
            for row in answer.positions:
                account.view.apply_position(row, now, read=True)
            self.book.confirm(account.name, query.symbol, account.view, now, read_ms=event.requested_ms)
            self.mark(account, query.symbol)
        elif isinstance(answer, OrderAnswer) and isinstance(query, FindOrder):
            self._on_order_found(account, query, answer, event)
        elif isinstance(answer, ExecutionsAnswer) and isinstance(query, ReadExecutions):
            self._apply_order_executions(account, query.order_id, answer.executions)
            self.mark(account, query.symbol)
        elif isinstance(answer, Ticker):
            self.tickers[answer.symbol] = answer
            self._mark_everywhere(answer.symbol)
        elif isinstance(answer, Instrument):
            self.instruments[answer.symbol] = answer
            self._mark_everywhere(answer.symbol)

    def _on_relist(self, account: Account, answer: RelistAnswer, event: ReadDone) -> None:
        now = self.now_ms()
        if event.requested_ms < account.stream_since_ms:
            account.relist_due_ms = now  # asked before the stream came up: not proof of what it missed
            return
        symbols, orders = account.view.apply_relist(
            answer.orders, answer.positions, answer.wallet, event.requested_ms, now
        )
        for symbol in symbols:
            account.ask(ReadPosition(symbol), now)
        for order in orders:
            account.ask(FindOrder(order.symbol, order_id=order.order_id), now)
        for order in answer.orders:
            self.book.on_order(account.name, order, now)
        for execution in sorted(answer.executions, key=lambda e: (e.time_ms, e.seq)):
            self._take_past(account, execution)
        self._advance_cursor(account, answer.executions)
        account.relisted_ms = event.requested_ms
        account.relist_due_ms = now + (self._relist_ms if account.stream_up else BLIND_RELIST_MS)
        account.error = ""
        touched = account.view.symbols() | {i.action.symbol for i in self.book.open_intents()}
        touched |= {key[0] for key in self.keeper.cycles} | {key[1] for key in self.keeper.copies}
        for symbol in touched:
            self.book.confirm(account.name, symbol, account.view, now, read_ms=event.requested_ms)
            self.mark(account, symbol)

    def _advance_cursor(self, account: Account, executions: Sequence[Execution]) -> None:
        """Remember up to when executions were read, so a restart reads on from there."""
        newest = max((execution.time_ms for execution in executions), default=0)
        cursor = f"executions.{account.name}"
        if int(self.store.fact(cursor) or 0) < newest:
            self.store.set_fact(cursor, str(newest))

    def _take_past(self, account: Account, execution: Execution) -> None:
        """An execution read with a relist. Only one newer than its symbol's row still changes a size."""
        view = account.view
        side_seq = view.seq(execution.symbol)
        if view.proven(execution.symbol) and execution.seq > side_seq:
            news = view.apply_execution(execution, self.now_ms())
        else:
            news = view.note_execution(execution)
        grown = execution.qty > execution.closed_qty
        if grown and execution.kind.moves_position:
            account.note_opener(execution)
        if news:
            self._on_execution(account, execution, live=False)

    def _on_order_found(self, account: Account, query: FindOrder, answer: OrderAnswer, event: ReadDone) -> None:
        now = self.now_ms()
        if answer.order is None:
            if query.link_id:
                self.book.on_absent(account.name, query.link_id, event.requested_ms, now)
        else:
            account.view.apply_order(answer.order, now)
            self.book.on_order(account.name, answer.order, now)
            if answer.executions:
                self._apply_order_executions(account, answer.order.order_id, answer.executions)
        self.book.confirm(account.name, query.symbol, account.view, now, read_ms=event.requested_ms)
        self._attributed(account, query)
        self.mark(account, query.symbol)

    def _apply_order_executions(self, account: Account, order_id: str, executions: Sequence[Execution]) -> None:
        fresh = [e for e in executions if not account.view.has_seen(e.exec_id)]
        account.view.apply_order_executions(order_id, executions, self.now_ms())
        for execution in fresh:
            self._on_execution(account, execution, live=False)

    # --- decisions -----------------------------------------------------------------------------------------------

    def mark(self, account: Account, symbol: str) -> None:
        """Something about the symbol changed: decide again. On main for every mirror."""
        if account.is_main:
            self._mark_everywhere(symbol)
        elif account.name in self._dirty:
            self._dirty[account.name].add(symbol)

    def _mark_everywhere(self, symbol: str) -> None:
        self._stale_cycles.add(symbol)
        for dirty in self._dirty.values():
            dirty.add(symbol)

    def process(self) -> None:
        """Make every decision that is due now."""
        now = self.now_ms()
        self._ask_due_relists(now)
        self._ask_unsettled(now)
        for name, query in self.book.looks_due(now):
            if name in self.accounts:
                self.accounts[name].ask(query, now)
        self._wake_plans(now)
        if self.is_known(self.main):
            self._advance_cycles(now)
            for mirror in self.passes.values():
                self._pass(mirror, now)
        self.tasks.run(now)
        self._housekeep(now)

    def plan_mirror(self, mirror: MirrorPass, symbols: set[str], now: int, *, keep: bool = True) -> list[SymbolPlan]:
        """Plans of one mirror with nothing sent; without `keep` nothing is remembered either."""
        return mirror.plan(
            symbols,
            self.instruments,
            self.tickers,
            lambda symbol: self._growth_block(mirror, symbol, now),
            now,
            keep=keep,
        )

    def all_symbols(self, mirror: MirrorPass) -> set[str]:
        """Every symbol a mirror may have something to do about."""
        copies = {symbol for account, symbol, _ in self.keeper.copies if account == mirror.mirror.name}
        return copies | mirror.mirror.view.symbols() | self.main.view.symbols()

    def _pass(self, mirror: MirrorPass, now: int) -> None:
        account = mirror.mirror
        if not self.is_known(account):
            return
        if not mirror.sighted:
            self.keeper.first_sight(account, mirror.policy, self.main.view, self.exchange_now_ms())
            mirror.sighted = True
            self._dirty[account.name] |= account.view.symbols() | {key[0] for key in self.keeper.cycles}
        symbols, self._dirty[account.name] = self._dirty[account.name], set()
        if not symbols:
            return
        plans = self.plan_mirror(mirror, symbols, now)
        for plan in plans:
            self._after_plan(mirror, plan, now)
        if self._sends:
            mirror.execute(plans, now)
        self.pass_ms = self.now_ms() - now

    def _after_plan(self, mirror: MirrorPass, plan: SymbolPlan, now: int) -> None:
        for need in plan.needs:
            self._ask_need(need, now)
        if plan.needs and any(need.kind is not NeedKind.ORDERS for need in plan.needs):
            plan.wake_at(now + _READ_RETRY_MS)
        elif plan.needs:
            plan.wake_at(now + _UNSETTLED_WAIT_MS)
        if now < mirror.mirror.hold_entries_until_ms:
            plan.wake_at(mirror.mirror.hold_entries_until_ms)
        if plan.park:
            self.standings.set(StandingKind.PARK, plan.account, plan.symbol, plan.park, now)
        self.outbox.tell_plan(plan, now)
        live = any(order.is_live for order in self.book.ours(plan.account, plan.symbol, mirror.mirror.view))
        self.keeper.drop_done(plan.account, plan.symbol, mirror.mirror.view, live)

    def _growth_block(self, mirror: MirrorPass, symbol: str, now: int) -> str:
        """Why entries of this mirror on this symbol are held whatever their size."""
        if not self.policy.mirroring:
            return "mirroring is disabled (ENABLE_MIRROR_TRADING)"
        standing = self.standings.growth_block(mirror.mirror.name, symbol)
        if standing:
            return standing
        if now < mirror.mirror.hold_entries_until_ms:
            return f"the exchange could not be reached: {mirror.mirror.error}"
        return ""

    def _advance_cycles(self, now: int) -> None:
        for symbol in self.keeper.unproven(self.main.view):
            self.main.ask(ReadPosition(symbol), now)
        mirrors = {name: mirror.policy for name, mirror in self.passes.items()}
        symbols, self._stale_cycles = self._stale_cycles, set()
        for symbol in sorted(symbols):
            if self.main.view.is_settled(symbol):
                with self.store.batch():  # a cycle never stands without its copies
                    self.keeper.advance(symbol, self.main.view, mirrors, self.exchange_now_ms())
        self.keeper.explain_closes()

    def _ask_due_relists(self, now: int) -> None:
        for account in self.accounts.values():
            if now >= account.relist_due_ms and not any(isinstance(query, Relist) for query in account.asked):
                cursor = self.store.fact(f"executions.{account.name}")
                since = int(cursor) - _OVERLAP_MS if cursor else self.exchange_now_ms() - _WEEK_MS
                account.ask(Relist(max(since, self.exchange_now_ms() - _WEEK_MS)), now)

    def _ask_unsettled(self, now: int) -> None:
        """A fill that only an order row told: its push is lost or late, so its executions are read."""
        for account in self.accounts.values():
            for symbol, orders in account.view.unsettled.items():
                for order_id, since in orders.items():
                    if now >= since + _UNSETTLED_WAIT_MS:
                        query = ReadExecutions(symbol, order_id)
                        account.ask(query, now)
                        account.retry_at_ms[query] = now + _READ_RETRY_MS

    def _ask_need(self, need: Need, now: int) -> None:
        account = self.accounts[need.account]
        if need.kind is NeedKind.ORDERS:
            self._attribute(account, need.symbol, now)
        elif need.kind is NeedKind.POSITION:
            account.ask(ReadPosition(need.symbol), now)
        elif need.kind is NeedKind.TICKER:
            account.ask(ReadTicker(need.symbol), now)
        else:
            account.ask(ReadInstrument(need.symbol), now)

    def _attribute(self, account: Account, symbol: str, now: int) -> None:
        """Read every resting order of a symbol whose position is ahead of its executions."""
        seq = account.view.row_seq(symbol)
        waiting = {order.order_id for order in account.view.orders(symbol) if not order.stop_kind.position_bound}
        known, left = self._attributing.get((account.name, symbol), (-1, set()))
        if known != seq:
            left = waiting
            self._attributing[(account.name, symbol)] = (seq, left)
        left &= waiting
        for order_id in left:
            account.ask(FindOrder(symbol, order_id=order_id), now)
        if not left:
            account.view.explain(symbol, seq)
            del self._attributing[(account.name, symbol)]
            self.mark(account, symbol)

    def _attributed(self, account: Account, query: FindOrder) -> None:
        _, left = self._attributing.get((account.name, query.symbol), (-1, set()))
        left.discard(query.order_id)

    def _wake_plans(self, now: int) -> None:
        for name, mirror in self.passes.items():
            due = {s for s, plan in mirror.plans.items() if plan.wake_ms is not None and plan.wake_ms <= now}
            self._dirty[name] |= due

    def _housekeep(self, now: int) -> None:
        if now - self._housekeeping_ms < _HOUSEKEEPING_MS:
            return
        self._housekeeping_ms = now
        self.book.forget_old(now)
