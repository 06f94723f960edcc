"""The exchange over HTTP, bound to one account (rule 4): typed reads, and one way to write.

Reads return whole answers or raise (rule 1). `execute` returns an Outcome and raises nothing the exchange or the
network can cause (rule 2).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from mirrorctl.core.bybit import decode, records
from mirrorctl.core.bybit.address import Address
from mirrorctl.core.bybit.breaker import Breaker
from mirrorctl.core.bybit.caller import Caller, OpenSession, Posted
from mirrorctl.core.bybit.encode import CATEGORY, encode, encode_batch
from mirrorctl.core.bybit.environments import Endpoints
from mirrorctl.core.bybit.failures import CallFailed, FailureKind, Malformed
from mirrorctl.core.bybit.fields import Row, maybe_number, number
from mirrorctl.core.bybit.link import AccountLink, ExchangeClock
from mirrorctl.core.bybit.outcomes import is_unknown_path, outcome_of, outcomes_of_batch
from mirrorctl.core.bybit.quotas import Urgency
from mirrorctl.core.bybit.traffic import Traffic
from mirrorctl.core.domain.account import ClosedPnl, Execution, Identity, Order, Position, Ticker, Transfer, Wallet
from mirrorctl.core.domain.actions import Accepted, Action, Outcome, Priority, RejectedOutcome
from mirrorctl.core.domain.errors import ExchangeError, Rejected, Unavailable
from mirrorctl.core.domain.instruments import ZERO, Instrument
from mirrorctl.core.domain.values import PositionMode
from mirrorctl.core.engine.ports import FeeRateAnswer, Health, OrderAnswer, PositionAnswer, RelistAnswer

_DAY_MS = 86_400_000
_WINDOW_MS = 7 * _DAY_MS  # the widest time range of execution/list and position/closed-pnl
_RETENTION_MS = 730 * _DAY_MS  # how far back executions and closed PnL go
_ORDERS, _POSITIONS, _EXECUTIONS, _CLOSED, _INSTRUMENTS = 50, 200, 100, 100, 1000  # largest pages allowed
_TRANSFERS = 50
_LIMIT_PAUSE_S = 1.0  # for the orders of a batch that found no room (10006)


class BybitRest:
    """One HTTP session of one account. Use it from one thread at a time; take a `sibling` for another thread."""

    def __init__(
        self,
        *,
        account: str,
        api_key: str,
        api_secret: str,
        endpoints: Endpoints,
        timeout_s: float = 5.0,
        settle_coin: str = decode.SETTLE_COIN,
        recv_window_ms: int = 5000,
        read_attempts: int = 3,
        clock: ExchangeClock | None = None,
        address: Address | None = None,
        breaker: Breaker | None = None,
        patience_s: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
        open_session: OpenSession | None = None,
    ) -> None:
        """`address` is one object for all accounts behind one IP address. No connection is made here.

        A read waits up to `patience_s` for room in the budgets; a write never waits here. `open_session` replaces the
        HTTP session, for a transport without sockets.
        """
        self._timing = (timeout_s, recv_window_ms, read_attempts, patience_s)
        self._open_session = open_session
        link = AccountLink(
            account=account,
            api_key=api_key,
            api_secret=api_secret,
            endpoints=endpoints,
            traffic=Traffic(breaker or Breaker(random.random), address or Address(), monotonic),
            clock=clock or ExchangeClock(),
        )
        self._bind(link, settle_coin)

    def _bind(self, link: AccountLink, settle_coin: str) -> None:
        timeout_s, recv_window_ms, read_attempts, patience_s = self._timing
        self._settle_coin = settle_coin
        self._has_batches = True  # until it was answered that there are none
        self._caller = Caller(
            link,
            timeout_s=timeout_s,
            recv_window_ms=recv_window_ms,
            read_attempts=read_attempts,
            patience_s=patience_s,
            open_session=self._open_session,
        )
        self.link = link

    def __repr__(self) -> str:
        return f"BybitRest({self.account})"

    @property
    def account(self) -> str:
        """The name of the account it is bound to."""
        return self.link.account

    def sibling(self) -> BybitRest:
        """Another session of the same account, for another thread; clock, breaker and budgets are shared."""
        twin = object.__new__(BybitRest)
        twin._timing = self._timing
        twin._open_session = self._open_session
        twin._bind(self.link, self._settle_coin)
        return twin

    def close(self) -> None:
        """End waits between retries and close the connections; may be called from any thread."""
        self._caller.close()

    def health(self) -> Health:
        """How the account can be reached (ports.Reachability); from any thread, at once."""
        return replace(self.link.traffic.health(), socket_trouble=self.link.socket_trouble)

    def trouble(self) -> str:
        """Why the account cannot be reached now; empty when it can (ports.Reachability)."""
        return self.link.traffic.trouble()

    # --- reads -----------------------------------------------------------------------------------------------------

    def relist(self, executions_since_ms: int | None = None) -> RelistAnswer:
        """All open orders, then all positions, executions since a time (exchange clock), and the wallet.

        A wallet that alone cannot be read is unknown: it keeps entries away, and stops and reductions need none (A29).
        It is read last: failing again and again it opens the breaker, and nothing of the relist may come after that.
        """
        orders = self.open_orders()
        positions = self.positions()
        executions = () if executions_since_ms is None else self.executions_since(executions_since_ms)
        wallet, error = None, ""
        try:
            wallet = self.wallet()
        except ExchangeError as failed:
            error = f"the wallet cannot be read: {failed.message}"
        return RelistAnswer(orders, positions, wallet, executions, error)

    def open_orders(self) -> tuple[Order, ...]:
        """Every open order of the settle coin, conditional and position-bound ones included (order/open-order)."""
        rows = self._caller.pages(
            "get_open_orders", category=CATEGORY, settleCoin=self._settle_coin, openOnly=0, limit=_ORDERS
        )
        return tuple({order.order_id: order for order in map(decode.order, rows)}.values())

    def positions(self) -> tuple[Position, ...]:
        """Every position with a size. That a symbol is missing is a reason to read it, not proof that it is flat."""
        rows = self._caller.pages("get_positions", category=CATEGORY, settleCoin=self._settle_coin, limit=_POSITIONS)
        return tuple({position.key: position for position in self._dated(rows)}.values())

    def position(self, symbol: str) -> PositionAnswer:
        """All rows of a symbol, flat ones included, and the position mode they show (position/position)."""
        rows = self._caller.pages("get_positions", category=CATEGORY, symbol=symbol, limit=_POSITIONS)
        positions = tuple(self._dated(rows))
        legs = {position.idx for position in positions}
        if any(position.symbol != symbol for position in positions) or len(legs) != len(positions):
            raise Malformed(f"{self.account}: the position read of {symbol} is about something else")
        if legs == {0}:
            return PositionAnswer(positions, PositionMode.ONE_WAY)
        if legs and legs <= {1, 2}:
            return PositionAnswer(positions, PositionMode.HEDGE)
        raise Malformed(f"{self.account}: the position read of {symbol} shows no position mode")

    def _dated(self, rows: Iterable[Row]) -> Iterator[Position]:
        """Position rows as of the answer that brought them: a push made before it is not newer."""
        return (decode.position(row, self._caller.answered_ms) for row in rows)

    def wallet(self) -> Wallet:
        """The unified wallet."""
        row = self._one("get_wallet_balance", accountType="UNIFIED")
        return decode.wallet(row, self._settle_coin)

    def find_order(self, symbol: str, *, link_id: str = "", order_id: str = "") -> OrderAnswer:
        """One order over realtime, history and executions, which all lag at times (order/open-order, order/order-list).

        `order` None means that all three answered and none knew it: proof only when it stays so for some seconds.
        Raises Unavailable when executions know an order whose state nothing shows yet.
        """
        named = {"orderId": order_id} if order_id else {"orderLinkId": link_id}
        where = {"category": CATEGORY, "symbol": symbol, **named}
        for method in ("get_open_orders", "get_order_history"):
            for order in map(decode.order, self._caller.pages(method, **where, limit=_ORDERS)):
                if order.order_id == order_id if order_id else order.link_id == link_id:
                    return OrderAnswer(order, self._fills(where, order.order_id) if order.filled_qty else ())
        rows = [row for row in self._caller.pages("get_executions", **where, limit=_EXECUTIONS) if _is_of(row, named)]
        if not rows:
            return OrderAnswer(None, ())
        return OrderAnswer(_filled_order(rows, self.account), _in_order(map(decode.execution, rows)))

    def executions_of(self, symbol: str, order_id: str) -> tuple[Execution, ...]:
        """The executions of one order, oldest first."""
        return self._fills({"category": CATEGORY, "symbol": symbol, "orderId": order_id}, order_id)

    def executions_since(self, start_ms: int) -> tuple[Execution, ...]:
        """All executions of the settle coin since `start_ms` (exchange clock), oldest first, funding rows included."""
        found: list[Execution] = []
        for window in self._windows(start_ms):
            rows = self._caller.pages(
                "get_executions", category=CATEGORY, settleCoin=self._settle_coin, limit=_EXECUTIONS, **window
            )
            found.extend(decode.executions(rows, history=True))
        return _in_order(found)

    def ticker(self, symbol: str) -> Ticker:
        """Prices of one symbol, now."""
        row = self._one("get_tickers", category=CATEGORY, symbol=symbol)
        return decode.ticker(row, self.link.clock.local_ms())

    def instrument(self, symbol: str) -> Instrument:
        """The rules of one symbol. Raises Rejected when there is no such symbol."""
        rows = self._caller.rows("get_instruments_info", category=CATEGORY, symbol=symbol)
        for row in rows:
            if row.get("symbol") == symbol:
                return decode.instrument(row)
        raise Rejected(f"{symbol} is not a linear contract of Bybit", "symbols are written like BTCUSDT", 10001)

    def instruments(self) -> tuple[Instrument, ...]:
        """The rules of every contract that trades in the settle coin."""
        rows = self._caller.pages("get_instruments_info", category=CATEGORY, limit=_INSTRUMENTS)
        return tuple(decode.instrument(row) for row in rows if row.get("settleCoin") == self._settle_coin)

    def identity(self) -> Identity:
        """Whose keys these are and how the account is set up."""
        return decode.identity(self._caller.read("get_api_key_information"), self._caller.read("get_account_info"))

    def fee_rate(self, symbol: str) -> FeeRateAnswer:
        """The account's fees on a symbol. Demo does not serve it: Rejected."""
        return records.fee_rate(self._one("get_fee_rates", category=CATEGORY, symbol=symbol))

    def fee_rates(self) -> tuple[FeeRateAnswer, ...]:
        """The account's fees on every symbol, in one answer (account/fee-rate: `symbol` may be left out)."""
        return tuple(map(records.fee_rate, self._caller.rows("get_fee_rates", category=CATEGORY)))

    def closed_pnl(self, start_ms: int, symbol: str = "") -> tuple[ClosedPnl, ...]:
        """Closed PnL records since `start_ms` (exchange clock), oldest first."""
        narrowed = {"symbol": symbol} if symbol else {}
        found: dict[tuple[str, int], ClosedPnl] = {}
        for window in self._windows(start_ms):
            rows = self._caller.pages("get_closed_pnl", category=CATEGORY, limit=_CLOSED, **narrowed, **window)
            found.update(((record.order_id, record.created_ms), record) for record in map(records.closed_pnl, rows))
        return tuple(sorted(found.values(), key=lambda record: (record.updated_ms, record.order_id)))

    def transfers(self, start_ms: int) -> tuple[Transfer, ...]:
        """Deposits and withdrawals since `start_ms` (exchange clock), oldest first (account/transaction-log)."""
        found: dict[str, Transfer] = {}
        for window in self._windows(start_ms, closed=True):
            for kind in (records.TRANSFER_IN, records.TRANSFER_OUT):
                rows = self._caller.pages(
                    "get_transaction_log", accountType="UNIFIED", type=kind, limit=_TRANSFERS, **window
                )
                found.update((row.transfer_id, row) for row in map(records.transfer, rows))
        return tuple(sorted(found.values(), key=lambda row: (row.time_ms, row.transfer_id)))

    def measure_clock(self) -> int:
        """Exchange minus local clock in ms; from now on applied to every signature of the account (A52)."""
        return self._caller.measure_clock()

    # --- writes ----------------------------------------------------------------------------------------------------

    def execute(self, action: Action) -> Outcome:
        """Send `action` once and say what is known of it. ValueError when it is another account's (rule 4)."""
        if action.account != self.account:
            raise ValueError(f"an action of {action.account} was handed to the connection of {self.account}")
        try:
            call = encode(action)
        except ValueError as error:
            return RejectedOutcome(0, f"not sent: {error}")
        try:
            result = self._caller.send(call, urgency_of(action)).get("result")
        except CallFailed as error:
            return outcome_of(error.failure, action)
        return _accepted(result)

    def post(self, action: Action) -> Posted | None:
        """Write `action` at once over a connection that stands open; `answer` has to follow, on whatever thread.

        None where that is not possible now: nothing was written, and `execute` says why.
        """
        if action.account != self.account:
            raise ValueError(f"an action of {action.account} was handed to the connection of {self.account}")
        try:
            return self._caller.post(encode(action), urgency_of(action))
        except ValueError:
            return None

    def answer(self, action: Action, posted: Posted) -> Outcome:
        """What `execute` returns, for what was posted."""
        try:
            return _accepted(self._caller.answer(posted).get("result"))
        except CallFailed as error:
            return outcome_of(error.failure, action)

    def execute_batch(self, actions: Sequence[Action]) -> list[Outcome] | None:
        """Send actions of one kind in one request; the outcome of each. None: not in a batch now, nothing was sent.

        So it is where the batch's own budget has no room, for what cannot be one, and where there are no batches.
        """
        try:
            call = encode_batch(actions) if self._has_batches else None
        except ValueError:
            call = None
        if call is None:
            return None
        try:
            envelope = self._caller.send(call, max(map(urgency_of, actions)), len(actions))
        except CallFailed as error:
            self._has_batches = not is_unknown_path(error.failure)
            if error.failure.kind is FailureKind.LIMITED or not self._has_batches:
                return None
            return [outcome_of(error.failure, action) for action in actions]
        return outcomes_of_batch(envelope, actions, _LIMIT_PAUSE_S, self.link.redact)

    # --- parts -----------------------------------------------------------------------------------------------------

    def _one(self, method: str, **params: str) -> Row:
        """The first row of a read that always has one."""
        rows = self._caller.rows(method, **params)
        if not rows:
            raise Malformed(f"{self.account}: {method} answered with an empty list")
        return rows[0]

    def _fills(self, where: dict[str, str], order_id: str) -> tuple[Execution, ...]:
        rows = self._caller.pages("get_executions", **where, limit=_EXECUTIONS)
        return _in_order(decode.execution(row) for row in rows if row.get("orderId") == order_id)

    def _windows(self, start_ms: int, *, closed: bool = False) -> Iterator[dict[str, int]]:
        """Time ranges from `start_ms` on; the last one is open, so that it reaches to the moment it is read.

        With `closed` it ends now: where a start alone means a day, and not all that came after it.
        """
        now_ms = self.link.clock.now_ms()
        start_ms = max(start_ms, now_ms - _RETENTION_MS, 0)
        while now_ms - start_ms >= _WINDOW_MS:
            yield {"startTime": start_ms, "endTime": start_ms + _WINDOW_MS - 1}
            start_ms += _WINDOW_MS
        end_ms = max(now_ms, start_ms + 1)  # a start of just now, by a clock that was measured a little earlier
        yield {"startTime": start_ms, "endTime": end_ms} if closed else {"startTime": start_ms}


def urgency_of(action: Action) -> Urgency:
    """Stops, reductions and cancels go first everywhere (rule 5)."""
    return Urgency.PROTECTIVE if action.priority <= Priority.CANCEL else Urgency.ORDINARY


def _accepted(result: object) -> Accepted:
    return Accepted(str(result.get("orderId") or "") if isinstance(result, dict) else "")


def _is_of(row: Row, named: dict[str, str]) -> bool:
    return all(row.get(field) == value for field, value in named.items())


def _in_order(executions: Iterable[Execution]) -> tuple[Execution, ...]:
    """Each once, oldest first; Bybit leaves ties unordered (order/execution)."""
    once = {execution.exec_id: execution for execution in executions}
    return tuple(sorted(once.values(), key=lambda execution: (execution.time_ms, execution.seq, execution.exec_id)))


def _filled_order(rows: list[Row], account: str) -> Order:
    """An order that only its executions still show; known to be over only when nothing of it was left."""
    left = [maybe_number(row, "leavesQty") for row in rows]
    if all(quantity is None or quantity > ZERO for quantity in left):
        raise Unavailable(f"{account}: an order is known by its executions only", "ask again in a moment")
    filled = sum((number(row, "execQty") for row in rows), ZERO)
    cost = sum((number(row, "execQty") * number(row, "execPrice") for row in rows), Decimal(0))
    times = [int(number(row, "execTime")) for row in rows]
    return decode.order(
        {
            **rows[0],
            "orderStatus": "Filled",
            "qty": str(filled),
            "price": rows[0].get("orderPrice"),
            "cumExecQty": str(filled),
            "avgPrice": str(cost / filled) if filled else "",
            "createdTime": str(min(times)),
            "updatedTime": str(max(times)),
        }
    )
