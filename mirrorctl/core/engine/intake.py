"""The intake: events become changes of the views and the intent book. It decides nothing."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from mirrorctl.core.domain.account import Execution, Order, Position, Ticker, Wallet
from mirrorctl.core.domain.actions import Accepted
from mirrorctl.core.domain.errors import ExchangeError
from mirrorctl.core.domain.ids import parse
from mirrorctl.core.domain.instruments import Instrument
from mirrorctl.core.domain.values import OrderStatus, PositionSide
from mirrorctl.core.engine.accounts import BLIND_RELIST_MS, Account
from mirrorctl.core.engine.answers import take_answer
from mirrorctl.core.engine.confirmations import (
    Shown,
    filled_at_once,
    followed,
    is_expected_fill,
    is_expected_order,
)
from mirrorctl.core.engine.copies import opened_by_us
from mirrorctl.core.engine.events import Events
from mirrorctl.core.engine.hand_edits import respect_hand
from mirrorctl.core.engine.ports import (
    Answer,
    ClockMeasured,
    ClosedAnswer,
    DayAnswer,
    Decoder,
    Event,
    ExecutionsAnswer,
    FeeRateAnswer,
    FiguresAnswer,
    FindOrder,
    Frame,
    OrderAnswer,
    PositionAnswer,
    Query,
    ReadClosed,
    ReadDone,
    ReadExecutions,
    ReadFailed,
    ReadFeeRate,
    ReadPosition,
    ReadTransfers,
    Relist,
    RelistAnswer,
    SendDone,
    StreamDown,
    StreamUp,
    TransfersAnswer,
    WalletAnswer,
)
from mirrorctl.core.engine.records import Severity
from mirrorctl.core.engine.spared import note_main_exit
from mirrorctl.core.engine.state import READ_RETRY_MS, EngineState
from mirrorctl.core.engine.stream_changes import on_stream_down, on_stream_up
from mirrorctl.core.engine.transfers import Transfers

_LIST_LAG_MS = 5_000

log = logging.getLogger(__name__)


class Intake:
    """Applies events to the engine's state; every method is called on the engine's thread.

    `has_news`: something came that may have to be decided on at once; whoever decides takes it back. `early`: what
    `settle_early` looks at again.
    """

    def __init__(self, state: EngineState, decode: Decoder) -> None:
        self._state = state
        self._decode = decode
        self.early: list[tuple[Account, Execution, bool]] = []
        self.has_news = False
        self.events = Events(state)
        self.transfers = Transfers(state)

    def handle(self, event: Event) -> None:
        """Apply one event. Decides nothing."""
        account = self._state.accounts.get(event.account)
        if account is None:
            return
        if isinstance(event, Frame):
            account.last_event_ms = event.received_ms
            self._on_frame(account, event)
        elif isinstance(event, SendDone):
            self.has_news |= not isinstance(event.outcome, Accepted)
            take_answer(self._state, account, event)
        elif isinstance(event, ReadDone):
            self.has_news = True
            self._on_read_done(account, event)
        elif isinstance(event, StreamUp):
            self.has_news = True
            on_stream_up(self._state, account, event)
        elif isinstance(event, StreamDown):
            self.has_news = True
            on_stream_down(self._state, account, event)
        elif isinstance(event, ClockMeasured):
            account.clock_offset_ms = event.offset_ms
        self.events.heed(account)

    def _on_frame(self, account: Account, event: Frame) -> None:
        """A message that cannot be read is a gap: whatever it told is read anew."""
        try:
            values = self._decode(event.payload)
        except ExchangeError as error:
            log.warning("%s: %s; relisting", account.name, error)
            account.relist_due_ms = self._state.now_ms()
            self.has_news = True
            return
        for value in values:
            self._apply(account, value)

    def _apply(self, account: Account, value: Order | Execution | Position | Wallet) -> None:
        now, view = self._state.now_ms(), account.view
        if isinstance(value, Wallet):
            view.apply_wallet(value)
            self._state.stirred.add(account.name)
            return
        if isinstance(value, Order):
            self._apply_order(account, value, now)
        elif isinstance(value, Position):
            self._apply_position(account, value, now)
        elif view.apply_execution(value, now):
            self.has_news = self.has_news or account.is_main or not is_expected_fill(account, value)
            self._note_opener(account, value)
            self._on_execution(account, value, now, live=True)
            self._state.book.confirm(account.name, value.symbol, view, now)
            if account.is_main:
                self._state.mark_everywhere(value.symbol)
            else:
                self._state.mark(account, value.symbol)

    def _apply_order(self, account: Account, order: Order, now: int) -> None:
        view, symbol = account.view, order.symbol
        before = followed(view, symbol) if self._may_confirm(account, symbol) and filled_at_once(view, order) else None
        news = view.apply_order(order, now)
        if news:
            self.has_news = self.has_news or not is_expected_order(account, order)
            if parse(order.link_id) is None and not order.stop_kind.position_bound:
                self._state.brake.outside(account.name, symbol)
        self._took(account, order, now)
        if news:
            self.events.on_symbol(account, symbol)
            if before is None or before != followed(view, symbol):
                self._state.mark(account, symbol)
            else:
                self._state.mark_main(symbol)
        if news or not order.status.is_open:
            self._state.book.confirm(account.name, symbol, view, now)

    def _apply_position(self, account: Account, row: Position, now: int) -> None:
        view, symbol, opaque = account.view, row.symbol, account.view.is_opaque(row)
        before = followed(view, symbol) if not opaque and self._may_confirm(account, symbol) else None
        shown = Shown.of(view, symbol) if not opaque and before is None else None
        news = view.apply_position(row, now)
        self._on_row(account, symbol)
        if not news:
            return
        same = before is not None and before == followed(view, symbol)
        expected = opaque or same or (shown is not None and shown == Shown.of(view, symbol))
        self.has_news = self.has_news or row.idx > 0 or not expected  # of two legs each has a row of its own
        self.events.on_symbol(account, symbol, row=True)
        self._state.book.confirm(account.name, symbol, view, now)
        if same:
            self._state.mark_main(symbol)
        else:
            self._state.mark(account, symbol)

    def _may_confirm(self, account: Account, symbol: str) -> bool:
        """Whether mirrors need not look at main's symbol in the next round as it is: then it is seen if they must."""
        return account.is_main and symbol not in self._state.marked and not self._state.keeper.unopened

    def _took(self, account: Account, order: Order, now: int) -> None:
        """An order row was taken into the view, whichever way it came."""
        self._state.book.on_order(account.name, order, now)
        if order.status is OrderStatus.FILLED:
            self._state.keeper.on_filled_order(account.name, order)
        self.events.on_order(account, order)

    def settle_early(self) -> None:
        """Look again at mirror executions that came before main's position or the mirror's was read.

        Or before the mirror had its copies: with a new store an own exit of the open cycle is found there (A76).
        """
        early, self.early = self.early, []
        for account, execution, live in early:
            self._on_mirror_execution(account, execution, live=live)

    def _note_opener(self, account: Account, execution: Execution) -> None:
        """Whose a position is may be known only now, for a list can lie: then it is looked at as for the first time."""
        if not account.note_opener(execution) or account.name not in self._state.passes:
            return
        key = (execution.symbol, execution.side.grows)
        copy = self._state.keeper.copies.get((account.name, *key))
        if (copy is None or not copy.opened) and opened_by_us(account, key):
            self._state.passes[account.name].sighted = False

    def _on_execution(self, account: Account, execution: Execution, now: int, *, live: bool) -> None:
        state = self._state
        if parse(execution.link_id) is None:
            state.brake.outside(account.name, execution.symbol)
        state.entry_fees.note(account.name, execution, live=live)
        self.events.on_execution(account, execution, read=not live)
        if execution.closed_qty:
            state.day_book.note(account, execution, now)
        if not account.is_main:
            self._on_mirror_execution(account, execution, live=live)
            return
        at_ms = min(execution.time_ms - (account.clock_offset_ms or 0), now)
        state.keeper.on_main_execution(execution, at_ms, account.last_event_ms if live else now)
        if execution.closed_qty:
            note_main_exit(state, execution, live=live)

    def _on_mirror_execution(self, account: Account, execution: Execution, *, live: bool) -> None:
        there = self._state.keeper.lens(account.name).symbol_there(execution.symbol)
        cycles = self._state.keeper.cycles
        in_cycle = (there, PositionSide.LONG) in cycles or (there, PositionSide.SHORT) in cycles
        known = self._state.main.view.proven(there) and account.view.proven(execution.symbol)
        mirror = self._state.passes.get(account.name)
        if (in_cycle and not known) or mirror is None or not mirror.sighted:
            self.early.append((account, execution, live))  # what it left here is measured against main's size
            if in_cycle and not account.view.proven(execution.symbol):
                account.ask(ReadPosition(execution.symbol), self._state.now_ms(), every_ms=READ_RETRY_MS)
            return
        changed = self._state.keeper.on_mirror_execution(
            account.name, execution, account.view, self._state.main.view, live=live
        )
        if changed is not None:
            what = f"out of this cycle: {changed.out}" if changed.out else "its own target reduced it"
            about = f"{execution.order_id or execution.exec_id}:{changed.out}"  # once for all fills of an order
            self._state.outbox.tell(
                self._state.now_ms(), Severity.INFO, "own-exit", account.name, execution.symbol, what, about
            )
        respect_hand(self._state, account, execution, live=live)
        if live:
            self._state.meter.on_mirror_execution(account, execution, self._state.keeper)

    def _on_row(self, account: Account, symbol: str) -> None:
        if not account.is_main:
            self._state.keeper.on_mirror_row(account.name, symbol, account.view, self._state.main.view)

    def _on_read_done(self, account: Account, event: ReadDone) -> None:
        account.asked.pop(event.query, None)
        self._state.stirred.add(account.name)
        now = self._state.now_ms()
        answer, query = event.answer, event.query
        if isinstance(answer, ReadFailed):
            self._on_read_failed(account, query, answer)
            return
        account.retry_at_ms.pop(query, None)
        account.read_errors.pop(query, None)
        if isinstance(answer, RelistAnswer):
            self._on_relist(account, answer, event)
        elif isinstance(answer, PositionAnswer) and isinstance(query, ReadPosition):
            for row in answer.positions:
                account.view.apply_position(row, now, read=True)
            self._on_row(account, query.symbol)
            account.view.assume_flat_leg(query.symbol, now)
            account.view.settle(query.symbol, event.requested_ms)
            self.events.on_symbol(account, query.symbol, row=True)
            self._state.book.confirm(account.name, query.symbol, account.view, now, read_ms=event.requested_ms)
            self._state.mark(account, query.symbol)
        elif isinstance(answer, OrderAnswer) and isinstance(query, FindOrder):
            self._on_order_found(account, query, answer, event)
        elif isinstance(answer, ExecutionsAnswer) and isinstance(query, ReadExecutions):
            self._apply_order_executions(account, query.order_id, answer.executions)
            self._state.mark(account, query.symbol)
        elif isinstance(answer, ClosedAnswer) and isinstance(query, ReadClosed):
            self.events.on_records(account, query, answer.rows)
        else:
            self._keep(account, answer, event.requested_ms)

    def _keep(self, account: Account, answer: Answer, requested_ms: int) -> None:
        """Answers that are looked up when something is decided."""
        if isinstance(answer, DayAnswer):
            account.day, account.day_read_ms = answer, requested_ms
        elif isinstance(answer, FiguresAnswer):
            self._state.figures[account.name] = answer
        elif isinstance(answer, FeeRateAnswer):
            account.fee_rates[answer.symbol] = answer
            self._state.mark(account, answer.symbol)
        elif isinstance(answer, TransfersAnswer):
            self._state.day_book.on_transfers(account, answer.rows, self._state.day_start_ms(), requested_ms)
            self.transfers.on_rows(account, answer.rows, self._state.now_ms())
        elif isinstance(answer, WalletAnswer):
            account.view.apply_wallet(answer.wallet)
            account.equity, account.equity_read_ms = answer.wallet.equity, requested_ms
        elif isinstance(answer, Ticker):
            self._state.tickers[answer.symbol] = answer
            self._state.mark_rules(answer.symbol)
        elif isinstance(answer, Instrument):
            self._state.instruments[answer.symbol] = answer
            self._state.mark_rules(answer.symbol)

    def _on_read_failed(self, account: Account, query: Query, answer: ReadFailed) -> None:
        wait = READ_RETRY_MS if answer.retry_after_s is None else int(answer.retry_after_s * 1000)
        account.read_errors[query] = answer.message
        account.retry_at_ms[query] = self._state.now_ms() + wait
        if isinstance(query, Relist):
            account.error = answer.message
            account.relist_due_ms = self._state.now_ms() + wait
        elif isinstance(query, ReadTransfers):
            self.transfers.on_failed(account, answer, self._state.now_ms())
            self._state.day_book.on_transfers_failed(account, answer, self._state.now_ms())
        elif isinstance(query, ReadFeeRate) and answer.refused and query.symbol not in account.fee_rates:
            account.fee_rates[query.symbol] = None
            self._state.mark(account, query.symbol)

    def _on_relist(self, account: Account, answer: RelistAnswer, event: ReadDone) -> None:
        now = self._state.now_ms()
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
            self._took(account, order, now)
        known_until_ms = self._state.known_until_ms(account)
        for execution in sorted(answer.executions, key=lambda e: (e.time_ms, e.seq)):
            if execution.time_ms >= known_until_ms:
                self._take_past(account, execution)
            elif not account.relisted_ms:
                self._state.entry_fees.note(account.name, execution, live=False)
        account.view.accept_losses(event.requested_ms - _LIST_LAG_MS)
        newest = max((execution.time_ms for execution in answer.executions), default=0)
        self.events.on_relist(account, event.requested_ms, newest)
        self._advance_cursor(account, newest)
        account.relisted_ms = event.requested_ms
        account.relist_due_ms = now + (self._state.relist_ms if account.stream_up else BLIND_RELIST_MS)
        account.error = answer.wallet_error
        touched = account.view.symbols() | {i.action.symbol for i in self._state.book.open_intents()}
        touched |= {key[0] for key in self._state.keeper.cycles} | {key[1] for key in self._state.keeper.copies}
        for symbol in touched:
            self._state.book.confirm(account.name, symbol, account.view, now, read_ms=event.requested_ms)
            self._state.mark(account, symbol)

    def _advance_cursor(self, account: Account, newest_ms: int) -> None:
        """Remember up to when executions were read and told, so a restart reads on from there."""
        untold = self.events.unfinished_ms(account)
        newest = newest_ms if untold is None else min(newest_ms, untold)
        cursor = f"executions.{account.name}"
        if int(self._state.store.fact(cursor) or 0) < newest:
            self._state.store.set_fact(cursor, str(newest))

    def _take_past(self, account: Account, execution: Execution) -> None:
        """An execution read with a relist. Only one newer than the row of its own leg still changes a size.

        Where no row of the leg is known the list of positions was read before it: a size of nothing already holds it.
        """
        view = account.view
        if view.holds_row_of(execution):
            news = view.apply_execution(execution, self._state.now_ms())
        else:
            news = view.note_execution(execution)
        self._note_opener(account, execution)
        if news:
            self._on_execution(account, execution, self._state.now_ms(), live=False)

    def _on_order_found(self, account: Account, query: FindOrder, answer: OrderAnswer, event: ReadDone) -> None:
        now = self._state.now_ms()
        if answer.order is None:
            if query.link_id:
                self._state.book.on_absent(account.name, query.link_id, event.requested_ms, now)
            else:
                account.view.note_absent(query.order_id)
                self.events.on_absent(account, query.order_id)
                account.retry_at_ms[query] = now + READ_RETRY_MS
        else:
            account.view.apply_order(answer.order, now)
            self._took(account, answer.order, now)
            if answer.executions:
                self._apply_order_executions(account, answer.order.order_id, answer.executions)
        self._state.book.confirm(account.name, query.symbol, account.view, now, read_ms=event.requested_ms)
        self._attributed(account, query)
        self._state.mark(account, query.symbol)

    def _apply_order_executions(self, account: Account, order_id: str, executions: Sequence[Execution]) -> None:
        fresh = [e for e in executions if not account.view.has_seen(e.exec_id)]
        account.view.apply_order_executions(order_id, executions, self._state.now_ms())
        for execution in fresh:
            self._note_opener(account, execution)
            self._on_execution(account, execution, self._state.now_ms(), live=False)

    def _attributed(self, account: Account, query: FindOrder) -> None:
        _, left = self._state.attributing.get((account.name, query.symbol), (-1, set()))
        left.discard(query.order_id)
